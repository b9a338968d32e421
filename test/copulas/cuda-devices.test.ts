// Several emulated devices: one that the build has no code for, two that compute, of which one dies, one that does not answer. In a
// process of its own, which reads from its environment what is emulated.
import { execFileSync } from 'node:child_process';
import path from 'node:path';

import { type Devices, devices } from '../../lib';

const emulated = devices().cuda.devices.some(({ name }) => name === 'emulated GPU');
const dist = path.resolve(__dirname, '..', '..', 'dist', 'index.js');

interface Failure {
  code: string;
  message: string;
}
interface Story {
  before: Devices['cuda'];
  first: string;
  loss: Failure;
  again: Failure;
  unusable: Failure;
  afterwards: string;
  after: Devices['cuda'];
}

const story = `
  const { devices, fitCopula, integrate } = require(${JSON.stringify(dist)});
  const data = Float64Array.from({ length: 40 }, (_, i) => ((i * 37 + (i % 2) * 5) % 41 + 0.5) / 41);
  const rows = { data, rows: 20, columns: 2 };
  const shape = { kind: 'cdc', hidden: 16, depth: 1, levels: 4, batch: 16, steps: 12, seed: 3, device: 'cpu' };
  const how = { direction: 'likelihood', start: rows, solver: 'rk4', steps: 1 };
  let model;
  const work = async (device) => (await integrate(model, { ...how, device })).device;
  const failure = (device) => work(device).then(() => null, ({ code, message }) => ({ code, message }));
  (async () => {
    model = await fitCopula(rows, shape);
    const before = devices().cuda;
    const first = await work('auto');
    let loss = null;
    for (let i = 0; i < 60 && loss === null; i++) loss = await failure('cuda:1');
    const [again, unusable] = [await failure('cuda:1'), await failure('cuda')];
    process.stdout.write(JSON.stringify({ before, first, loss, again, unusable, afterwards: await work('auto'), after: devices().cuda }));
  })();`;

(emulated ? test : test.skip)(
  'devices are judged one by one, and one that is lost says so ever after',
  () => {
    const environment = { SKLAR_EMULATED_DEVICES: '7.5,9.0,9.0,broken', SKLAR_EMULATED_FAULT: '1:150' };
    const output = execFileSync(process.execPath, ['-e', story], {
      encoding: 'utf8',
      env: { ...process.env, ...environment },
    });
    const { before, first, loss, again, unusable, afterwards, after } = JSON.parse(output) as Story;
    const lost =
      'cuda:1 cannot be used again in this process, which must be started anew: an illegal memory access was encountered';

    expect(before).toMatchObject({ usable: true, reason: null });
    expect(before.devices.map(({ usable }) => usable)).toEqual([false, true, true, false]);
    expect(before.devices[0]!.reason).toMatch(/no code for .* 7\.5/);
    expect(before.devices[3]!.reason).toMatch(/does not answer/);
    expect(first).toBe('cuda:1');

    expect(loss.code).toBe('ERR_SKLAR_DEVICE');
    expect(loss.message).toContain(lost);
    expect(again.code).toBe('ERR_SKLAR_DEVICE');
    expect(again.message).toContain(lost);
    expect(again.message).toContain('expected "auto", "cpu" or "cuda:2" for device, got "cuda:1"');
    expect(unusable.message).toContain('got "cuda": it cannot be used: this build has no code for');

    expect(afterwards).toBe('cuda:2');
    expect(after.devices.map(({ usable }) => usable)).toEqual([false, false, true, false]);
    expect(after.devices[1]!.reason).toContain(lost);
  },
);
