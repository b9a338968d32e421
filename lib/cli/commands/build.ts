import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import path from 'node:path';

import { type Command, Option } from 'commander';

import { devices } from '../../devices';
import { SklarError } from '../../errors';
import { type Io, writeResult } from '../terminal/context';
import { integer } from '../terminal/values';

const ROOT = path.resolve(__dirname, '..', '..', '..');

interface Flags {
  cuda: string;
  jobs?: number;
  json?: boolean;
}

export function define(command: Command, io: Io): void {
  command
    .addHelpText(
      'after',
      `
For platforms that no prebuilt binary fits. It needs a C++20 compiler (GCC 12 and Clang 15 are known to do) and make or
ninja, says what of that is missing, and fetches from npm what else it needs: cmake-js, node-addon-api and, where CMake
3.22 is missing, CMake. Everything goes to the folder of the package, ${ROOT}.`,
    )
    .addOption(
      new Option('--cuda <when>', 'auto: if nvcc is here').choices(['auto', 'on', 'off']).default('auto'),
    )
    .option(
      '--jobs <n>',
      'compilers at the same time; as many as the processors and the memory allow',
      integer('--jobs', { min: 1 }),
    )
    .option('--json', 'print what was built as JSON')
    .action(async (flags: Flags) => {
      await compile(io, flags);
      const { version, compiled } = devices();
      const built = { version, platform: `${process.platform}-${process.arch}`, folder: ROOT, ...compiled };
      writeResult(io, flags.json, built, () => [
        `built sklar ${version} for ${built.platform}, ${compiled.instructionSets.join(', ')}` +
          (compiled.cuda ? `, CUDA ${compiled.cudaArchitectures.join(', ')}` : ', without CUDA'),
      ]);
    });
}

/** Runs the build script; what it and the compiler say goes to stderr. */
async function compile(io: Io, { cuda, jobs }: Flags): Promise<void> {
  const script = path.join(ROOT, 'scripts', 'build-native.mjs');
  if (!existsSync(script)) {
    throw new SklarError(
      'ERR_SKLAR_FILE',
      `expected the build script of the package at ${script}, found none`,
    );
  }
  const argv = [script, '--cuda', cuda, ...(jobs === undefined ? [] : ['--jobs', String(jobs)])];
  const child = spawn(process.execPath, argv, {
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(io.signal && { signal: io.signal }),
  });
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (text: Buffer) => io.stderr.write(text));
  }
  const [status] = (await once(child, 'close')) as [number | null];
  if (status !== 0) {
    throw new SklarError(
      'ERR_SKLAR_FILE',
      'cannot compile the native code: what is missing or went wrong stands above',
    );
  }
}
