import { execFileSync } from 'node:child_process';
import os from 'node:os';
import { findProgram } from '../tools.mjs';

const QUERY = [
  'name',
  'driver_version',
  'clocks.sm',
  'clocks.mem',
  'clocks.max.sm',
  'clocks.max.mem',
  'power.limit',
  'temperature.gpu',
  'memory.total',
];

/** What nvidia-smi says of every device; nothing where it does not exist or answer. */
function smi() {
  const program = findProgram('nvidia-smi');
  if (program === undefined) return [];
  try {
    const text = execFileSync(program, [`--query-gpu=${QUERY.join(',')}`, '--format=csv,noheader'], {
      encoding: 'utf8',
      timeout: 20_000,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return text
      .trim()
      .split('\n')
      .flatMap((line, device) =>
        line.split(',').map((value, i) => [`nvidia-smi ${device} ${QUERY[i]}`, value.trim()]),
      );
  } catch {
    return [];
  }
}

export default async function facts({ sklar, options, fact, row }) {
  const found = sklar.devices();
  await fact({ devices: found });
  const { compiled, cpu, cuda } = found;
  const rows = [
    ['sklar', found.version],
    ['compiled for', compiled.cudaArchitectures.join(', ') || 'no CUDA'],
    ['CUDA', cuda.usable ? `driver ${cuda.driverVersion}, runtime ${cuda.runtimeVersion}` : cuda.reason],
    ...cuda.devices.map((d, i) => [
      `device ${i}`,
      `${d.name}, ${d.computeCapability}, ${d.multiprocessors} multiprocessors, ${(d.memoryBytes / 2 ** 30).toFixed(0)} GiB`,
    ]),
    ['CPU', `${cpu.name}, ${cpu.cores} cores, ${cpu.instructionSet}`],
    ['system', `${os.type()} ${os.release()}`],
    ['node', process.version],
    ['device of this run', options.device],
    ['sanitizer', findProgram('compute-sanitizer', ['/usr/local/cuda/bin']) ?? 'none'],
    ...smi(),
  ];
  for (const [what, value] of rows) await row({ what, value });
}
