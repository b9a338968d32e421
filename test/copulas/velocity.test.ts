import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

import {
  type Copula,
  type FlowCopula,
  type ReflectionCopula,
  fitCopula,
  integrate,
  kendall,
  loadModel,
  normalQuantile,
} from '../../lib';
import { writeSafetensors } from '../../lib/model/safetensors';
import { crossed, equicorrelated } from '../helpers/data';

const small = { hidden: 48, depth: 2, members: 1, steps: 600, batch: 256, validateEvery: 100 } as const;

let scratch: string;
beforeAll(() => {
  scratch = mkdtempSync(path.join(os.tmpdir(), 'sklar-velocity-'));
});
afterAll(() => rmSync(scratch, { recursive: true }));

const mean = (values: ArrayLike<number>) => Array.from(values).reduce((sum, x) => sum + x, 0) / values.length;

/** Exact log density of the mixture that `crossed(.., 0.9, ..)` draws from, at rows of the copula scale. */
function exactCrossed(u: { data: Float32Array | Float64Array; rows: number }): number[] {
  const z = normalQuantile(Float64Array.from(u.data));
  const part = (x: number, y: number, r: number) =>
    Math.exp(-(x * x - 2 * r * x * y + y * y) / (2 * (1 - r * r)) + (x * x + y * y) / 2) /
    Math.sqrt(1 - r * r);
  return Array.from({ length: u.rows }, (_, i) => {
    const [x, y] = [z[2 * i]!, z[2 * i + 1]!];
    return Math.log(0.5 * part(x, y, 0.9) + 0.5 * part(x, y, -0.9));
  });
}

describe('a flow copula', () => {
  let copula: FlowCopula;
  const heldOut = crossed(300, 0.9, 99);
  beforeAll(async () => {
    copula = await fitCopula(crossed(4000, 0.9, 1), { kind: 'flow', ...small, names: ['a', 'b'] });
  });

  test('scores dependence that correlation does not see, normalised', async () => {
    expect(copula.normalised).toBe(true);
    const truth = mean(exactCrossed(heldOut));
    const scores = await copula.logPdf(heldOut);
    expect(Math.abs(mean(scores) - truth)).toBeLessThan(0.16);
  });

  test('the routes agree: a finer grid, steps chosen for each row, the bound', async () => {
    const ode = await copula.logPdf(heldOut);
    for (const options of [
      { solver: 'rk4', steps: 40 },
      { solver: 'tsit5', rtol: 1e-3 },
    ] as const) {
      const other = await copula.logPdf(heldOut, options);
      expect(Math.max(...other.map((value, i) => Math.abs(value - ode[i]!)))).toBeLessThan(0.02);
    }
    const probed = await copula.logPdf(heldOut, { probes: 16, steps: 10 });
    expect(Math.abs(mean(probed) - mean(ode))).toBeLessThan(0.1);
    const bound = await copula.logPdf(heldOut, { method: 'bound', draws: 128 });
    expect(Math.abs(mean(bound) - mean(ode))).toBeLessThan(0.1);
  });

  test('it integrates to one', async () => {
    const side = 60;
    const grid = Array.from({ length: side * side }, (_, i) => [
      (Math.floor(i / side) + 0.5) / side,
      ((i % side) + 0.5) / side,
    ]);
    const density = (await copula.logPdf(grid)).map(Math.exp);
    expect(mean(density)).toBeCloseTo(1, 1);
    expect(Math.abs(mean(density) - 1)).toBeLessThan(0.03);
  });

  test.each([{}, { noise: true }, { solver: 'tsit5', rtol: 1e-3, margins: 'raw' }] as const)(
    'samples have uniform margins and the dependence (%j)',
    async (options) => {
      const sample = await copula.sample(8000, { seed: 3, dtype: 'float64', ...options });
      for (let j = 0; j < 2; j++) {
        const column = Float64Array.from({ length: sample.rows }, (_, i) => sample.data[2 * i + j]!).sort();
        expect(Math.max(...column.map((x, i) => Math.abs(x - (i + 0.5) / column.length)))).toBeLessThan(0.04);
      }
      const z = normalQuantile(sample.data as Float64Array);
      const products = Array.from({ length: sample.rows }, (_, i) => z[2 * i]! ** 2 * z[2 * i + 1]! ** 2);
      // E[z^2 w^2] = 1 + 2 rho^2 = 2.62 here, 1 under independence
      expect(mean(products)).toBeGreaterThan(1.7);
    },
  );

  test('the same seed gives the same bits for any threads and batches; save and load keep them', async () => {
    const whole = await copula.sample(500, { seed: 5, threads: 1 });
    const batches: number[] = [];
    for await (const { data } of copula.sampleStream(500, { seed: 5, threads: 2, batch: 130 })) {
      batches.push(...data);
    }
    expect(batches).toEqual([...whole.data]);
    const file = path.join(scratch, 'flow.safetensors');
    await copula.save(file);
    const loaded = await loadModel(file);
    expect(loaded.kind).toBe('flow');
    expect(loaded.names).toEqual(['a', 'b']);
    expect(await loaded.logPdf(heldOut)).toEqual(await copula.logPdf(heldOut));
    expect((await loaded.sample(500, { seed: 5 })).data).toEqual(whole.data);
  });
});

test('a flow copula on a gaussian copula of ten columns, guided or not, is within 0.05 nats of the truth', async () => {
  const [train, heldOut] = [equicorrelated(8000, 10, 0.5, 1), equicorrelated(1000, 10, 0.5, 2)];
  const gaussian = mean(await (await fitCopula(train, { kind: 'gaussian' })).logPdf(heldOut));
  const guided = await fitCopula(train, { kind: 'flow', ...small, steps: 200 });
  expect(Math.abs(mean(await guided.logPdf(heldOut)) - gaussian)).toBeLessThan(0.05);
});

describe('a reflection copula', () => {
  let copula: ReflectionCopula;
  const heldOut = crossed(400, 0.9, 99);
  beforeAll(async () => {
    copula = await fitCopula(crossed(4000, 0.9, 1), { kind: 'reflection', ...small, steps: 1000 });
  });

  test('scores, by the flow and by the bound', async () => {
    expect(copula.normalised).toBe(true);
    const truth = mean(exactCrossed(heldOut));
    const ode = mean(await copula.logPdf(heldOut));
    expect(Math.abs(ode - truth)).toBeLessThan(0.15);
    const bound = mean(await copula.logPdf(heldOut, { method: 'bound', draws: 128 }));
    expect(Math.abs(bound - truth)).toBeLessThan(0.25);
  });

  test.each([
    {},
    { noise: true, steps: 80, margins: 'raw' },
    { solver: 'ab2', steps: 40, margins: 'raw' },
  ] as const)('samples stay in the cube, with uniform margins and the dependence (%j)', async (options) => {
    const sample = await copula.sample(6000, { seed: 3, dtype: 'float64', ...options });
    expect(Math.min(...sample.data)).toBeGreaterThan(0);
    expect(Math.max(...sample.data)).toBeLessThan(1);
    const distance = Array.from({ length: sample.rows }, (_, i) =>
      Math.min(
        Math.abs(sample.data[2 * i]! - sample.data[2 * i + 1]!),
        Math.abs(sample.data[2 * i]! + sample.data[2 * i + 1]! - 1),
      ),
    );
    // rows lie along both diagonals; independent ones are 1/6 away from the nearer on average
    expect(mean(distance)).toBeLessThan(0.12);
    const tau = await kendall(sample);
    expect(Math.abs(tau.data[1]!)).toBeLessThan(0.06);
  });

  test('save and load keep every bit', async () => {
    const file = path.join(scratch, 'reflection.safetensors');
    await copula.save(file);
    const loaded = await loadModel(file);
    expect(await loaded.logPdf(heldOut)).toEqual(await copula.logPdf(heldOut));
  });
});

test('the published reflection network samples, and has no density', async () => {
  const copula = await fitCopula(crossed(2000, 0.9, 1), {
    kind: 'reflection',
    network: 'published',
    weighting: 'published',
    tMax: 1.5,
    ...small,
    depth: 4,
  });
  expect(copula.normalised).toBe(false);
  const { evaluations } = await integrate(copula, { solver: 'euler', grid: 'time', steps: 50, rows: 10 });
  expect(evaluations).toBe(50);
  expect((await copula.sample(100)).rows).toBe(100);
  await expect(copula.logPdf(crossed(10, 0.9, 2), { method: 'ode' })).rejects.toMatchObject({
    code: 'ERR_SKLAR_VALUE',
    message: expect.stringContaining('method'),
  });
  expect(mean(await copula.logPdf(crossed(200, 0.9, 2)))).toBeGreaterThan(0);
  await expect(
    integrate(copula, { direction: 'likelihood', start: crossed(10, 0.9, 2) }),
  ).rejects.toMatchObject({ message: expect.stringContaining('faces of the cube') });

  const saved = path.join(scratch, 'published.safetensors');
  await copula.save(saved);
  expect((await (await loadModel(saved)).sample(50, { seed: 2 })).data).toEqual(
    (await copula.sample(50, { seed: 2 })).data,
  );
});

test('bare weights of the published reflection code load', async () => {
  const file = path.join(scratch, 'bare.safetensors');
  const tensor = (...shape: number[]) => ({
    shape,
    data: Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => Math.sin(i) / 4),
  });
  await writeSafetensors(
    file,
    new Map(
      Object.entries({
        'model.0.weight': tensor(8, 4),
        'model.0.bias': tensor(8),
        'model.1.weight': tensor(8, 8),
        'model.1.bias': tensor(8),
        'model.3.weight': tensor(3, 8),
        'model.3.bias': tensor(3),
      }),
    ),
    {},
  );
  const copula = await loadModel(file, { published: { tMax: 1.2 } });
  expect(copula).toMatchObject({ kind: 'reflection', dim: 3 });
  expect((await copula.sample(20)).rows).toBe(20);
});

test.each([
  [{ kind: 'reflection', guided: true }, 'guided'],
  [{ kind: 'flow', levels: 10 }, 'levels'],
  [{ kind: 'flow', weighting: 'published' }, 'weighting'],
  [{ kind: 'reflection', tMax: 0 }, 'tMax'],
  [{ kind: 'reflection', cosines: 0 }, 'cosines'],
  [{ kind: 'flow', leastNoise: 1 }, 'leastNoise'],
  [{ kind: 'flow', members: 0 }, 'members'],
  [{ kind: 'flow', weightDecay: -1 }, 'weightDecay'],
])('options that do not fit are named (%j)', async (options, name) => {
  await expect(fitCopula(crossed(100, 0.9, 1), options as { kind: 'flow' })).rejects.toMatchObject({
    code: 'ERR_SKLAR_VALUE',
    message: expect.stringContaining(name),
  });
});

test('wrong questions are named', async () => {
  const copula: Copula = await fitCopula(crossed(200, 0.9, 1), { kind: 'flow', ...small, steps: 20 });
  const rows = crossed(10, 0.9, 2);
  for (const [options, name] of [
    [{ method: 'classifier' as const }, 'method'],
    [{ method: 'bound' as const, steps: 10 }, 'steps'],
    [{ draws: 10 }, 'draws'],
    [{ solver: 'ddim' }, 'ddim'],
    [{ probes: 0 }, 'probes'],
    [{ trace: 'fast' as 'exact' }, 'trace'],
    [{ trace: 'exact' as const, probes: 8 }, 'probes'],
    [{ trace: 'hutch++' as const, probes: 8 }, 'multiple of 3'],
  ] as const) {
    await expect(copula.logPdf(rows, options)).rejects.toMatchObject({
      code: 'ERR_SKLAR_VALUE',
      message: expect.stringContaining(name),
    });
  }
  copula.dispose();
  await expect(copula.sample(1)).rejects.toMatchObject({ code: 'ERR_SKLAR_DISPOSED' });
});

test('a flow of several networks is trained from its checkpoint to the same bits, and saved', async () => {
  const u = crossed(1000, 0.9, 1);
  const rows = crossed(100, 0.9, 2);
  const options = { kind: 'flow', ...small, members: 2, steps: 200 } as const;
  const whole = await fitCopula(u, options);
  const checkpoint = path.join(scratch, 'flow.checkpoint');
  const abort = new AbortController();
  await expect(
    fitCopula(u, {
      ...options,
      checkpoint,
      signal: abort.signal,
      onProgress: ({ step }) => step > 50 && abort.abort(new Error('stop')),
    }),
  ).rejects.toThrow('stop');
  const resumed = await fitCopula(u, { ...options, checkpoint });
  const scores = await whole.logPdf(rows);
  expect(await resumed.logPdf(rows)).toEqual(scores);
  const file = path.join(scratch, 'members.safetensors');
  await resumed.save(file);
  const loaded = await loadModel(file);
  expect(loaded.info()).toMatchObject({ parameters: whole.info().parameters, config: { members: 2 } });
  expect(await loaded.logPdf(rows)).toEqual(scores);
});
