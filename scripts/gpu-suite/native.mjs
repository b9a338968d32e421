// The native tests of the CUDA backend: build/**/cuda_*_test, as a build or a pack has them.
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { filesUnder, findProgram, root } from '../tools.mjs';

export const isCudaTest = (file) => /^cuda_\w+_test$/.test(path.basename(file));

export default async function native({ options, fact, row }) {
  // one of each name: a clone may have several build folders
  const tests = new Map(filesUnder(['build'], isCudaTest).map((file) => [path.basename(file), file]));
  if (tests.size === 0) {
    await fact({ note: 'there are no build/**/cuda_*_test here' });
    console.log('no build/**/cuda_*_test here');
    return;
  }
  const sanitizer = options.sanitize ? findProgram('compute-sanitizer', ['/usr/local/cuda/bin']) : undefined;
  const ways = [
    ['plain', []],
    ...(sanitizer === undefined
      ? []
      : ['memcheck', 'racecheck'].map((tool) => [
          tool,
          [sanitizer, '--tool', tool, '--error-exitcode', '9'],
        ])),
  ];
  if (options.sanitize && sanitizer === undefined) console.log('compute-sanitizer is not on PATH');
  const run = { cwd: root, encoding: 'utf8', timeout: 300_000, maxBuffer: 1 << 26 };
  for (const [how, prefix] of ways) {
    for (const [name, file] of tests) {
      const [program, ...rest] = [...prefix, file];
      const started = Date.now();
      const { status, signal, error, stdout, stderr } = spawnSync(program, rest, run);
      const passed = status === 0;
      await row({
        test: name,
        how,
        seconds: (Date.now() - started) / 1000,
        passed,
        ...(passed ? {} : { end: signal ?? error?.code ?? `exit code ${status}` }),
        output: passed ? [] : `${stdout ?? ''}${stderr ?? ''}`.split('\n').slice(-40),
      });
      if (!passed) console.log(`${stdout ?? ''}${stderr ?? ''}`.split('\n').slice(-40).join('\n'));
    }
  }
}
