// A potential head: its gradient is the field, its density at every time is one pass up to a normaliser.
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

import {
  GaussianCopula,
  type PotentialCopula,
  SklarError,
  fitCopula,
  fitEnsemble,
  integrate,
  loadModel,
  matrix,
  normalQuantile,
} from '../../lib';
import { crossed, equicorrelated } from '../helpers/data';

let scratch: string;
beforeAll(() => {
  scratch = mkdtempSync(path.join(os.tmpdir(), 'sklar-potential-'));
});
afterAll(() => rmSync(scratch, { recursive: true }));

const small = {
  kind: 'potential',
  hidden: 32,
  depth: 2,
  members: 1,
  steps: 1000,
  batch: 256,
  names: ['a', 'b'],
} as const;
const mean = (values: ArrayLike<number>) => Array.from(values).reduce((sum, x) => sum + x, 0) / values.length;

const STEP = 0.05;
const AXIS = Array.from({ length: 241 }, (_, i) => -6 + STEP * i);
const GRID = matrix(Float64Array.from(AXIS.flatMap((x) => AXIS.flatMap((y) => [x, y]))), AXIS.length ** 2, 2);
const gaussian = (z: number) => Math.exp(-0.5 * z * z) / Math.sqrt(2 * Math.PI);

/** log of the integral of a density over independence, of its logarithm on the grid */
const logIntegral = (log: Float64Array) =>
  Math.log(
    log.reduce(
      (sum, value, i) =>
        sum + Math.exp(value) * gaussian(GRID.data[2 * i]!) * gaussian(GRID.data[2 * i + 1]!) * STEP ** 2,
      0,
    ),
  );

describe('a potential copula', () => {
  let copula: PotentialCopula;
  const heldOut = crossed(300, 0.9, 99);
  beforeAll(async () => {
    copula = await fitCopula(crossed(4000, 0.9, 1), small);
  });

  test('log Z is the integral of the density', async () => {
    expect(copula.normalised).toBe(false);
    expect(copula.logNormaliser).toBeNull();
    const logZ = logIntegral(await copula.logPdf(GRID, { scale: 'gaussian' }));
    const estimate = await copula.estimateNormaliser({ particles: 2000, islands: 20, seed: 5 });
    expect(estimate.standardError).toBeLessThan(0.05);
    expect(Math.abs(estimate.logZ - logZ)).toBeLessThan(4.5 * estimate.standardError);
    expect(copula.logNormaliser).toBe(estimate.logZ);
  });

  test('its normalised density is near the truth, and near that of its flow', async () => {
    const z = normalQuantile(Float64Array.from(heldOut.data));
    const part = (x: number, y: number, r: number) =>
      Math.exp(-(x * x - 2 * r * x * y + y * y) / (2 * (1 - r * r)) + (x * x + y * y) / 2) /
      Math.sqrt(1 - r * r);
    const truth = mean(
      Array.from({ length: heldOut.rows }, (_, i) => {
        const [x, y] = [z[2 * i]!, z[2 * i + 1]!];
        return Math.log(0.5 * part(x, y, 0.9) + 0.5 * part(x, y, -0.9));
      }),
    );
    const own = mean(await copula.logPdf(heldOut, { normalised: true }));
    expect(Math.abs(own - truth)).toBeLessThan(0.16);
    const ode = mean(await copula.logPdf(heldOut, { method: 'ode' }));
    expect(Math.abs(own - ode)).toBeLessThan(0.1);
    const bound = mean(await copula.logPdf(heldOut, { method: 'bound', draws: 128 }));
    expect(Math.abs(bound - ode)).toBeLessThan(0.1);
  });

  test('a density at every time, which fades to independence', async () => {
    const z = matrix(Float64Array.of(0.3, -1.1, 2, 1.5), 2, 2);
    expect(await copula.logPdfAtTime(z, 0)).toEqual(await copula.logPdf(z, { scale: 'gaussian' }));
    const guide = await copula.logPdfAtTime(z, Infinity);
    expect(await copula.logPdfAtTime(z, 40)).toEqual(guide);
    // of uncorrelated columns the guide is next to independence
    guide.forEach((value) => expect(Math.abs(value)).toBeLessThan(0.3));
    for (const time of [0.1, 0.5, 1]) {
      const log = await copula.logPdfAtTime(GRID, time);
      const logZ = logIntegral(log);
      expect(Math.abs(logZ)).toBeLessThan(2);
      const energy = log.reduce(
        (sum, value, i) =>
          sum +
          (value - logZ) *
            Math.exp(value - logZ) *
            gaussian(GRID.data[2 * i]!) *
            gaussian(GRID.data[2 * i + 1]!) *
            STEP ** 2,
        0,
      );
      expect(energy).toBeGreaterThan(-1e-3); // a relative entropy
    }
    await expect(copula.logPdfAtTime(z, -1)).rejects.toThrow(SklarError);
    await expect(copula.logPdfAtTime(z, NaN)).rejects.toThrow(SklarError);
  });

  test.each(['smc', 'twisted'] as const)(
    'conditional moments and the density of the condition by %s',
    async (method) => {
      const a = -1.2;
      const rows = matrix(Float64Array.from(AXIS.flatMap((y) => [a, y])), AXIS.length, 2);
      const logPdf = await copula.logPdf(rows, { scale: 'gaussian' });
      const weights = AXIS.map((y, i) => Math.exp(logPdf[i]!) * gaussian(y) * STEP);
      const total = weights.reduce((sum, w) => sum + w, 0);
      const moment = (k: number) => AXIS.reduce((sum, y, i) => sum + weights[i]! * y ** k, 0) / total;
      await copula.estimateNormaliser({ particles: 2000, islands: 20, seed: 5 });
      const samples = [];
      for (let seed = 1; seed <= 5; seed++) {
        samples.push(
          await copula.sampleConditional({ a }, 500, {
            scale: 'gaussian',
            dtype: 'float64',
            seed,
            method,
            particles: 1024,
          }),
        );
      }
      for (const k of [1, 2]) {
        const found = samples.map(({ rows: { data } }) =>
          mean(Array.from({ length: 500 }, (_, i) => data[2 * i + 1]! ** k)),
        );
        const centre = mean(found);
        const error = Math.sqrt(found.reduce((sum, x) => sum + (x - centre) ** 2, 0) / 4 / 5);
        expect(Math.abs(centre - moment(k))).toBeLessThan(5 * error);
        expect(error).toBeLessThan(0.15);
      }
      const [sample] = samples;
      expect(sample).toMatchObject({ method, normalised: true });
      const logMarginal = Math.log(total) - copula.logNormaliser!;
      expect(Math.abs(sample!.logMarginalDensity! - logMarginal)).toBeLessThan(5 * sample!.standardError!);
    },
  );

  test('the same seed gives the same bits for any threads; save and load keep them', async () => {
    const whole = await copula.sample(500, { seed: 5, threads: 1 });
    expect((await copula.sample(500, { seed: 5, threads: 2 })).data).toEqual(whole.data);
    const logZ = await copula.estimateNormaliser({ particles: 200, threads: 1 });
    expect(await copula.estimateNormaliser({ particles: 200, threads: 2 })).toEqual(logZ);
    const file = path.join(scratch, 'potential.safetensors');
    await copula.save(file);
    const loaded = (await loadModel(file)) as PotentialCopula;
    expect(loaded.kind).toBe('potential');
    expect(loaded.names).toEqual(['a', 'b']);
    expect(loaded.logNormaliser).toBe(copula.logNormaliser);
    expect(loaded.info()).toEqual(copula.info());
    for (const method of ['potential', 'ode'] as const) {
      expect(await loaded.logPdf(heldOut, { method })).toEqual(await copula.logPdf(heldOut, { method }));
    }
    expect((await loaded.sample(500, { seed: 5 })).data).toEqual(whole.data);
    const { rows } = await loaded.sampleConditional({ a: 0.3 }, 50, { seed: 2 });
    expect(rows.data).toEqual((await copula.sampleConditional({ a: 0.3 }, 50, { seed: 2 })).rows.data);
  });

  test('every solver draws from it', async () => {
    for (const solver of ['rk4', 'ddim', 'euler-maruyama', 'dpmpp-2m', 'exponential-em'] as const) {
      const { rows } = await copula.sample(200, { solver, margins: 'raw' });
      expect(rows).toBe(200);
    }
    const { values } = await integrate(copula, { rows: 5, seed: 1 });
    expect(values.rows).toBe(5);
  });

  test('training goes on from it, and takes the same bits for any number of threads', async () => {
    const u = crossed(600, 0.9, 3);
    const [one, two] = [1, 2].map((threads) => fitCopula(u, { ...small, from: copula, steps: 20, threads }));
    expect(await (await one!).logPdf(heldOut)).toEqual(await (await two!).logPdf(heldOut));
  });
});

test('a potential of ten gaussian columns: densities and conditions are near the truth, guided or not', async () => {
  const correlation = Float64Array.from({ length: 100 }, (_, i) => (i % 11 === 0 ? 1 : 0.5));
  const truth = new GaussianCopula(correlation, 10);
  const [train, heldOut] = [equicorrelated(8000, 10, 0.5, 1), equicorrelated(1000, 10, 0.5, 2)];
  const exact = mean(await truth.logPdf(heldOut));
  const options = { ...small, names: undefined };
  for (const guided of [true, false]) {
    const copula = await fitCopula(train, { ...options, guided, steps: guided ? 200 : 800, hidden: 64 });
    const own = mean(await copula.logPdf(heldOut, { normalised: true }));
    expect(Math.abs(own - exact)).toBeLessThan(guided ? 0.05 : 0.15);
    // given half of the columns the others have a mean that is linear in them
    const given = Object.fromEntries(Array.from({ length: 5 }, (_, j) => [j, 1]));
    const { rows } = await copula.sampleConditional(given, 1000, { scale: 'gaussian', dtype: 'float64' });
    // r 5 / (1 + 4 r)
    const centre = mean(
      Array.from({ length: 5000 }, (_, i) => rows.data[10 * Math.floor(i / 5) + 5 + (i % 5)]!),
    );
    expect(Math.abs(centre - 2.5 / 3)).toBeLessThan(guided ? 0.06 : 0.12);
  }
});

test('models of several seeds are one mixture, each normalised by its own', async () => {
  const ensemble = await fitEnsemble(crossed(500, 0.9, 1), { ...small, steps: 30, models: 2 });
  const u = crossed(20, 0.9, 2);
  const scores = await ensemble.logPdf(u);
  const parts = await Promise.all(ensemble.members.map((member) => member.logPdf(u, { normalised: true })));
  scores.forEach((value, i) =>
    expect(value).toBeCloseTo(Math.log((Math.exp(parts[0]![i]!) + Math.exp(parts[1]![i]!)) / 2), 10),
  );
});

test('options that it does not have', async () => {
  const u = crossed(50, 0.9, 1);
  await expect(fitCopula(u, { kind: 'potential', levels: 5 } as never)).rejects.toThrow('levels');
  await expect(fitCopula(u, { kind: 'potential', members: 0 })).rejects.toThrow('members');
  await expect(fitCopula(u, { kind: 'potential', activation: 'published' } as never)).rejects.toThrow(
    'activation',
  );
});
