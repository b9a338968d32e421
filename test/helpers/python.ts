/** Python, where the machine has it. */
import { spawnSync } from 'node:child_process';

export const python = process.env.SKLAR_PYTHON ?? '/usr/bin/python3';

/** `test` where Python has these packages; else the test is skipped, and its name says why. */
export function testWithPython(packages: readonly string[], name: string, body: () => unknown): void {
  const { status } = spawnSync(python, ['-c', `import ${packages.join(', ')}`]);
  if (status === 0) test(name, body as () => Promise<void>);
  else test.skip(`${name} (skipped: ${python} has not all of ${packages.join(', ')})`, () => {});
}

/** What a Python program prints, as JSON. */
export function askPython(program: string, ...argv: string[]): any {
  const { status, stdout, stderr } = spawnSync(python, ['-c', program, ...argv], { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout);
}
