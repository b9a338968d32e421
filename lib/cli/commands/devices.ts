import type { Command } from 'commander';

import { devices } from '../../devices';
import { type Io, writeResult } from '../terminal/context';

export function define(command: Command, io: Io): void {
  command.option('--json', 'print everything as JSON').action((flags: { json?: boolean }) => {
    const result = devices();
    writeResult(io, flags.json, result, () => {
      const { version, compiled, cpu, cuda } = result;
      const gigabytes = (bytes: number) => `${(bytes / 2 ** 30).toFixed(0)} GiB`;
      return [
        `sklar ${version}`,
        `CPU   ${cpu.name}, ${cpu.cores} cores, ${cpu.instructionSet}`,
        `CUDA  ${cuda.usable ? 'usable' : `not usable: ${cuda.reason ?? 'unknown reason'}`}`,
        ...cuda.devices.map(
          ({ name, computeCapability, memoryBytes, multiprocessors, reason }, index) =>
            `  ${index}: ${name}, compute capability ${computeCapability}, ${gigabytes(memoryBytes)}, ` +
            `${multiprocessors} multiprocessors${reason === null ? '' : `; not usable: ${reason}`}`,
        ),
        `compiled for ${compiled.instructionSets.join(', ')}` +
          (compiled.cuda ? `; CUDA ${compiled.cudaArchitectures.join(', ')}` : ', without CUDA'),
      ];
    });
  });
}
