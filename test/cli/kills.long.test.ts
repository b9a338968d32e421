// A fit that is killed at any moment, by a signal that it can't see, ends with the bits of one that was not.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, rmSync, watch } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { writeTable } from '../../lib';
import { Generator } from '../../lib/data/random';
import { readModelFile } from '../../lib/model/model-file';
import { TemporaryFolder } from '../data/support';
import { exampleTable } from './support';

const program = path.resolve(__dirname, '..', '..', 'dist', 'cli', 'main.js');

const folder = new TemporaryFolder();
const data = folder.file('data.csv');
beforeAll(() => writeTable(exampleTable(300), data));

/** Starts a fit; its exit status, null: it was killed. */
function start(out: string, options: object): { kill: () => void; ended: Promise<number | null> } {
  const config = folder.file(`${path.basename(out)}.json`, JSON.stringify(options));
  const child = spawn(process.execPath, [program, 'fit', data, '--out', out, '--config', config], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let errors = '';
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  return {
    kill: () => child.kill('SIGKILL'),
    ended: once(child, 'close').then(([status]) => {
      expect(errors).toMatch(/^(?:the fit goes on after step \d+ of \d+, from "[^"]+"\n)*$/);
      return status as number | null;
    }),
  };
}

/** Everything in a model but how long it took. */
async function contentOf(file: string) {
  const { document, tensors } = await readModelFile(file);
  const withoutTimes = JSON.parse(
    JSON.stringify(document, (key, value: unknown) => (/seconds/i.test(key) ? undefined : value)),
  ) as object;
  return { document: withoutTimes, tensors };
}

// SKLAR_KILLS=100 npm run test:long -- test/cli/kills: for a release
const kills = Number(process.env.SKLAR_KILLS ?? 20);

test.each([
  { kind: 'cdc', levels: 3, steps: 150, kills: Math.ceil(0.6 * kills) },
  { kind: 'flow', members: 1, steps: 150, kills: Math.floor(0.2 * kills) },
  { kind: 'cdc', levels: 3, models: 2, steps: 100, kills: Math.floor(0.2 * kills) },
])(
  '$kind, killed $kills times',
  async ({ kills, ...fit }) => {
    const options = { ...fit, device: 'cpu', hidden: 8, depth: 1, batch: 32, checkpointSeconds: 0.002 };
    const name = `${fit.kind}-${fit.steps}`;
    const whole = folder.file(`whole-${name}.safetensors`);
    const began = performance.now();
    let writes = 0;
    const counting = watch(folder.path, () => writes++);
    expect(await start(whole, { ...options, checkpoint: folder.file('whole.checkpoint') }).ended).toBe(0);
    counting.close();
    const length = performance.now() - began;
    const expected = await contentOf(whole);

    const generator = new Generator(11, kills);
    const random = () => generator.next() / 2 ** 32;
    const out = folder.file(`killed-${name}.safetensors`);
    const checkpoint = folder.file(`killed-${name}.checkpoint`);
    let resumed = 0;
    for (let killed = 0; killed < kills;) {
      rmSync(out, { force: true });
      for (;;) {
        if (existsSync(fit.models ? `${checkpoint}.0` : checkpoint)) resumed++;
        const run = start(out, { ...options, checkpoint });
        const stop = new AbortController();
        const { signal } = stop;
        // at any moment, a little beyond the end, so that the last ones have their share; or while a file is written
        if (killed % 2 === 0)
          void sleep(1.05 * length * random(), undefined, { signal }).then(run.kill, () => undefined);
        else {
          let left = Math.ceil(writes * random());
          watch(folder.path, { signal }, () => {
            if (--left === 0) run.kill();
          });
        }
        const status = await run.ended;
        stop.abort();
        if (status === null) killed++;
        else expect(status).toBe(0);
        if (existsSync(out)) expect(await contentOf(out)).toEqual(expected);
        if (status === 0) break;
      }
      expect(folder.list().filter((file) => file.startsWith(path.basename(checkpoint)))).toEqual([]);
    }
    if (kills >= 10) expect(resumed).toBeGreaterThan(0);
    // what killed processes were writing is gone, but for that of the last one
    expect(folder.list().filter((file) => file.endsWith('.tmp')).length).toBeLessThan(2);
  },
  7_200_000,
);
