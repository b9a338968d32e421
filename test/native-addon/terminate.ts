import { spawnSync } from 'node:child_process';
import path from 'node:path';

/** What a worker is terminated in the midst of. */
export const styles = ['score', 'sample', 'fits', 'synchronous', 'load'] as const;

/** A process in which so many workers are terminated in that style: it must not end before. */
export function terminate(style: (typeof styles)[number], cycles: number): void {
  const { status, signal, stdout, stderr } = spawnSync(
    process.execPath,
    [path.join(__dirname, 'terminate-cycles.cjs'), style, String(cycles)],
    { encoding: 'utf8' },
  );
  const done = stdout.trimEnd().split('\n').at(-1);
  expect({ status, signal, stderr, done }).toEqual({
    status: 0,
    signal: null,
    stderr: '',
    done: String(cycles),
  });
}
