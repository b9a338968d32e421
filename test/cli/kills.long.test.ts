// A fit that is killed at any moment, by a signal that it can't see, ends with the bits of one that was not.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, rmSync } from 'node:fs';
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
beforeAll(() => writeTable(exampleTable(1500), data));

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
      expect(errors).toBe('');
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

// SKLAR_KILLS=100 npm run test:long -- test/cli/kills: a quarter of an hour, for a release
const share = Number(process.env.SKLAR_KILLS ?? 0) / 100;
const asked = share > 0 ? test : test.skip;

asked.each([
  { kind: 'cdc', steps: 300, kills: Math.ceil(60 * share) },
  { kind: 'flow', steps: 150, kills: Math.ceil(20 * share) },
  { kind: 'cdc', models: 2, steps: 100, kills: Math.ceil(20 * share) },
])(
  '$kind, killed $kills times',
  async ({ kills, ...fit }) => {
    const options = { ...fit, hidden: 32, depth: 2, batch: 128, checkpointSeconds: 0.02 };
    const name = `${fit.kind}-${fit.steps}`;
    const whole = folder.file(`whole-${name}.safetensors`);
    const began = performance.now();
    expect(await start(whole, options).ended).toBe(0);
    const length = performance.now() - began;
    const expected = await contentOf(whole);

    const generator = new Generator(11, kills);
    const out = folder.file(`killed-${name}.safetensors`);
    const checkpoint = folder.file(`killed-${name}.checkpoint`);
    let resumed = 0;
    for (let killed = 0; killed < kills;) {
      rmSync(out, { force: true });
      for (;;) {
        if (existsSync(fit.models ? `${checkpoint}.0` : checkpoint)) resumed++;
        const run = start(out, { ...options, checkpoint });
        const timer = new AbortController();
        // a little beyond the end, so that the last moments, too, have their share
        const moment = 1.05 * length * (generator.next() / 2 ** 32);
        void sleep(moment, undefined, { signal: timer.signal }).then(run.kill, () => undefined);
        const status = await run.ended;
        timer.abort();
        if (status === null) killed++;
        else expect(status).toBe(0);
        if (existsSync(out)) expect(await contentOf(out)).toEqual(expected);
        if (status === 0) break;
      }
      expect(folder.list().filter((file) => file.startsWith(path.basename(checkpoint)))).toEqual([]);
    }
    if (kills >= 20) expect(resumed).toBeGreaterThan(kills / 4);
    // what killed processes were writing is gone, but for that of the last one
    expect(folder.list().filter((file) => file.endsWith('.tmp')).length).toBeLessThan(2);
  },
  7_200_000,
);
