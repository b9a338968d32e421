// The native tests of the CUDA backend: build/**/cuda_tests, as a build or a pack has it, file by file, three at a time.
import { execFile, execFileSync } from 'node:child_process';
import path from 'node:path';
import { filesUnder, findProgram, root } from '../tools.mjs';

export const isCudaTest = (file) => path.basename(file) === 'cuda_tests';

/** Build folders that may have them: the addon's comes first, and last the one with sanitizers, which takes minutes. */
const builds = ['native', 'cmake', 'cuda', 'emulated', 'dev'];
function cudaTests() {
  return filesUnder(
    builds.map((name) => path.join('build', name)),
    isCudaTest,
  )[0];
}

/** Single operations: where time is short, they come before whole models. */
const isBasic = (name) => /^cuda_(products|rows)_test$/.test(name);

const TOGETHER = 3;
const tools = ['memcheck', 'racecheck'];

/** How a program ended. */
function ended(program, args, timeout) {
  return new Promise((resolve) => {
    const run = { cwd: root, encoding: 'utf8', timeout, maxBuffer: 1 << 26 };
    execFile(program, args, run, (error, stdout, stderr) =>
      resolve({
        passed: error === null,
        ...(error === null ? {} : { end: error.signal ?? `exit code ${error.code}` }),
        output: error === null ? [] : `${stdout}${stderr}`.split('\n').slice(-40),
      }),
    );
  });
}

/** @param ways of `plain`, `memcheck`, `racecheck` */
export async function nativeTests({ fact, row }, ways) {
  const program = cudaTests();
  if (program === undefined) {
    await fact({ note: 'there is no build/**/cuda_tests here' });
    console.log('no build/**/cuda_tests here');
    return;
  }
  const sanitizer = findProgram('compute-sanitizer', ['/usr/local/cuda/bin']);
  if (sanitizer === undefined && ways.some((how) => how !== 'plain')) {
    await fact({ sanitizer: 'compute-sanitizer is not on PATH' });
    console.log('compute-sanitizer is not on PATH');
  }
  const files = execFileSync(program, ['--files'], { encoding: 'utf8' }).trim().split('\n');
  const names = [...files.filter(isBasic), ...files.filter((name) => !isBasic(name))];
  const list = ways
    .filter((how) => how === 'plain' || sanitizer !== undefined)
    .flatMap((how) => names.map((name) => [how, name]));
  const worker = async () => {
    for (let next = list.shift(); next !== undefined; next = list.shift()) {
      const [how, name] = next;
      const started = Date.now();
      const [command, ...args] = [
        ...(how === 'plain' ? [] : [sanitizer, '--tool', how, '--error-exitcode', '9']),
        program,
        name,
      ];
      const { passed, output, ...rest } = await ended(command, args, 300_000);
      if (!passed) console.log(output.join('\n'));
      await row({ test: name, how, seconds: (Date.now() - started) / 1000, passed, ...rest, output });
    }
  };
  await Promise.all(Array.from({ length: TOGETHER }, worker));
}

export default async function native(context) {
  await nativeTests(context, ['plain', ...(context.options.sanitize ? tools : [])]);
}
