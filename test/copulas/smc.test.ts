// The normaliser and conditional samples of trained models against quadrature of the same models' densities.
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

import {
  type CdcCopula,
  type ConditionalOptions,
  EnsembleCopula,
  type FlowCopula,
  type ReflectionCopula,
  fitCopula,
  loadModel,
  matrix,
} from '../../lib';
import { crossed, equicorrelated } from '../helpers/data';

let scratch: string;
beforeAll(() => {
  scratch = mkdtempSync(path.join(os.tmpdir(), 'sklar-smc-'));
});
afterAll(() => rmSync(scratch, { recursive: true }));

const small = { hidden: 24, depth: 2, steps: 400, batch: 256, names: ['a', 'b'] };
const models = [
  ['guided', () => equicorrelated(2000, 2, 0.7, 5), { ...small, steps: 100 }],
  ['plain', () => crossed(2000, 0.9, 1), { ...small, guided: false }],
] as const;

const STEP = 0.05;
const AXIS = Array.from({ length: 241 }, (_, i) => -6 + STEP * i);
const gaussian = (z: number) => Math.exp(-0.5 * z * z) / Math.sqrt(2 * Math.PI);

describe.each(models)('%s', (_, data, options) => {
  let copula: CdcCopula;
  beforeAll(async () => {
    copula = await fitCopula(data(), options);
  });

  test('logZ is the integral of the density', async () => {
    const grid = Float64Array.from(AXIS.flatMap((x) => AXIS.flatMap((y) => [x, y])));
    const logPdf = await copula.logPdf(matrix(grid, AXIS.length ** 2, 2), { scale: 'gaussian' });
    let z = 0;
    logPdf.forEach(
      (value, i) => (z += Math.exp(value) * gaussian(grid[2 * i]!) * gaussian(grid[2 * i + 1]!) * STEP ** 2),
    );
    expect(copula.logNormaliser).toBeNull();
    const fractions: number[] = [];
    const result = await copula.estimateNormaliser({
      particles: 2000,
      islands: 20,
      seed: 5,
      onProgress: ({ fraction }) => fractions.push(fraction),
    });
    expect(Math.abs(result.logZ - Math.log(z))).toBeLessThan(4.5 * result.standardError);
    expect(result.standardError).toBeLessThan(0.03);
    expect(Math.abs(result.bennett.logZ - Math.log(z))).toBeLessThan(4.5 * result.bennett.standardError);
    expect(result).toMatchObject({ particles: 2000, islands: 20, moves: 3, seed: '5' });
    expect(result.levels.map(({ level }) => level)).toEqual([8, 7, 6, 5, 4, 3, 2, 1, 0]);
    for (const level of result.levels) {
      expect(level.stages).toBeGreaterThanOrEqual(1);
      expect(level.effectiveShare).toBeGreaterThan(0.49);
      expect(level.acceptance).toBeGreaterThan(0.3);
    }
    expect(result.effectiveSampleSize).toBeGreaterThan(1000);
    expect(fractions.at(-1)).toBe(1);
    expect(copula.logNormaliser).toBe(result.logZ);
    expect(copula.logNormaliserStandardError).toBe(result.standardError);
  });

  test('conditional moments and the density of the condition', async () => {
    const a = -1.2;
    const rows = Float64Array.from(AXIS.flatMap((y) => [a, y]));
    const logPdf = await copula.logPdf(matrix(rows, AXIS.length, 2), { scale: 'gaussian' });
    const weights = AXIS.map((y, i) => Math.exp(logPdf[i]!) * gaussian(y) * STEP);
    const total = weights.reduce((sum, w) => sum + w, 0);
    const moment = (k: number) => AXIS.reduce((sum, y, i) => sum + weights[i]! * y ** k, 0) / total;
    const n = 1000;
    for (const [method, extra] of [
      ['smc', { particles: 1024, finalMoves: 5 }],
      ['twisted', { particles: 1024 }],
      ['replacement', { polish: 30 }],
    ] as const) {
      const draw = (seed: number) =>
        copula.sampleConditional({ a }, n, { scale: 'gaussian', dtype: 'float64', seed, method, ...extra });
      const samples = [];
      for (let seed = 1; seed <= 5; seed++) samples.push(await draw(seed));
      const sample = samples[0]!;
      const at = ({ rows }: typeof sample, j: number) =>
        Array.from({ length: n }, (_, i) => rows.data[2 * i + j]!);
      expect(new Set(at(sample, 0))).toEqual(new Set([a]));
      for (const k of [1, 2]) {
        const found = samples.map((s) => at(s, 1).reduce((sum, y) => sum + y ** k, 0) / n);
        const mean = found.reduce((sum, x) => sum + x, 0) / found.length;
        const squares = found.reduce((sum, x) => sum + (x - mean) ** 2, 0);
        const standardError = Math.sqrt(squares / (found.length - 1) / found.length);
        // polished rows keep their mode, so replacement stays a little off where there are two
        const bias = method === 'replacement' ? 0.15 : 0;
        expect(Math.abs(mean - moment(k))).toBeLessThan(5 * standardError + bias);
        expect(standardError).toBeLessThan(method === 'twisted' ? 0.15 : 0.1);
      }
      expect(sample.method).toBe(method);
      if (method === 'twisted') expect(sample.acceptance).toBeNull();
      else expect(sample.acceptance).toBeGreaterThan(0.4);
      if (method === 'replacement') {
        expect(sample).toMatchObject({
          logMarginalDensity: null,
          standardError: null,
          effectiveSampleSize: null,
          ancestors: null,
          normalised: false,
        });
        expect(sample.rHat! > 0.99 && sample.rHat! < 1.6).toBe(true);
        expect(sample.polishEffectiveSampleSize! > n && sample.polishEffectiveSampleSize! <= 30 * n).toBe(
          true,
        );
        continue;
      }
      expect(sample).toMatchObject({ normalised: true, rHat: null, polishEffectiveSampleSize: null });
      const logMarginal = Math.log(total) - copula.logNormaliser!;
      expect(Math.abs(sample.logMarginalDensity! - logMarginal)).toBeLessThan(5 * sample.standardError!);
      expect(sample.standardError).toBeLessThan(method === 'twisted' ? 0.15 : 0.1);
      expect(sample.effectiveSampleSize).toBeGreaterThan(300);
      expect(sample.effectiveSampleSize).toBeLessThanOrEqual(1024.01);
      expect(sample.ancestors).toBeGreaterThan(50);
    }
  });
});

describe('flows and reflections', () => {
  const ofFlow = {
    kind: 'flow',
    hidden: 24,
    depth: 2,
    steps: 300,
    batch: 256,
    members: 1,
    names: ['a', 'b'],
  } as const;
  let flow: FlowCopula;
  let other: FlowCopula;
  let reflection: ReflectionCopula;
  beforeAll(async () => {
    reflection = await fitCopula(equicorrelated(2000, 2, 0.7, 5), { ...ofFlow, kind: 'reflection' });
    flow = await fitCopula(crossed(2000, 0.9, 1), ofFlow);
    other = await fitCopula(equicorrelated(2000, 2, 0.7, 5), { ...ofFlow, steps: 100 });
  });

  test('conditional moments and the density of the condition', async () => {
    const a = -1.2;
    const rows = Float64Array.from(AXIS.flatMap((y) => [a, y]));
    const options = { scale: 'gaussian', solver: 'rk4', steps: 30 } as const;
    for (const copula of [flow, other]) {
      const logPdf = await copula.logPdf(matrix(rows, AXIS.length, 2), options);
      const weights = AXIS.map((y, i) => Math.exp(logPdf[i]!) * gaussian(y) * STEP);
      const total = weights.reduce((sum, w) => sum + w, 0);
      const moment = (k: number) => AXIS.reduce((sum, y, i) => sum + weights[i]! * y ** k, 0) / total;
      const n = 2000;
      const sample = await copula.sampleConditional({ a }, n, { scale: 'gaussian', dtype: 'float64' });
      expect(sample).toMatchObject({ method: 'twisted', normalised: true, acceptance: null, rHat: null });
      expect(sample.effectiveSampleSize! > 1000 && sample.effectiveSampleSize! <= 2048.01).toBe(true);
      expect(sample.standardError).toBeLessThan(0.05);
      // the law of the reverse SDE is that of the ODE as far as the network is the field of a law
      expect(Math.abs(sample.logMarginalDensity! - Math.log(total))).toBeLessThan(
        5 * sample.standardError! + 0.03,
      );
      const drawn = (j: number) => Array.from({ length: n }, (_, i) => sample.rows.data[2 * i + j]!);
      expect(new Set(drawn(0))).toEqual(new Set([a]));
      for (const k of [1, 2]) {
        const mean = drawn(1).reduce((sum, y) => sum + y ** k, 0) / n;
        const error = Math.sqrt((moment(2 * k) - moment(k) ** 2) / sample.effectiveSampleSize!);
        expect(Math.abs(mean - moment(k))).toBeLessThan(4 * error + 0.05);
      }
    }
  });

  test('a reflection, on its cube', async () => {
    const n = 2000;
    const options = { scale: 'gaussian', dtype: 'float64' } as const;
    const sample = await reflection.sampleConditional({ a: -1.2 }, n, options);
    expect(sample).toMatchObject({ method: 'twisted', normalised: true, acceptance: null, rHat: null });
    expect(sample.effectiveSampleSize! > 600 && sample.effectiveSampleSize! <= 2048.01).toBe(true);
    expect(sample.standardError).toBeLessThan(0.05);
    // of the data N(.7 a, .51), and c_A = 1; the network has seen little of them
    expect(Math.abs(sample.logMarginalDensity!)).toBeLessThan(5 * sample.standardError! + 0.05);
    const drawn = Array.from({ length: n }, (_, i) => sample.rows.data[2 * i + 1]!);
    expect(Math.abs(drawn.reduce((sum, y) => sum + y, 0) / n + 0.84)).toBeLessThan(0.15);
    expect(Math.abs(drawn.reduce((sum, y) => sum + (y + 0.84) ** 2, 0) / n - 0.51)).toBeLessThan(0.2);
    for (let i = 0; i < n; i++) expect(sample.rows.data[2 * i]).toBe(-1.2);
  });

  test('the same bits for any number of threads, others for another seed; steps and populations', async () => {
    const draw = (seed: number, threads: number) =>
      flow.sampleConditional({ b: 0.4 }, 50, { seed, threads, particles: 100, steps: 10 });
    const one = await draw(1, 1);
    expect(await draw(1, 2)).toEqual(one);
    expect((await draw(2, 1)).rows.data).not.toEqual(one.rows.data);
    const { rows } = await reflection.sampleConditional({ b: 0.25 }, 50, { particles: 100, steps: 10 });
    for (let i = 0; i < 50; i++) {
      expect(rows.data[2 * i + 1]).toBe(0.25);
      expect(rows.data[2 * i]! > 0 && rows.data[2 * i]! < 1).toBe(true);
    }
    const fractions: number[] = [];
    await flow.sampleConditional({ b: 0.4 }, 5, {
      particles: 64,
      islands: 2,
      steps: 4,
      onProgress: ({ fraction }) => fractions.push(fraction),
    });
    expect(fractions.at(-1)).toBe(1);
  });

  test.each([
    [{ method: 'smc' }, 'method'],
    [{ weights: 'chain' }, 'weights'],
    [{ moves: 3 }, 'moves'],
    [{ polish: 3 }, 'polish'],
    [{ steps: 1 }, 'steps'],
    [{ islands: 1 }, 'islands'],
  ])('refuses %j', async (options, culprit) => {
    await expect(flow.sampleConditional({ a: 0.1 }, 10, options as ConditionalOptions)).rejects.toMatchObject(
      {
        code: 'ERR_SKLAR_VALUE',
        message: expect.stringContaining(culprit),
      },
    );
  });

  test('an ensemble weighs its members by the density of the condition', async () => {
    const ensemble = new EnsembleCopula([flow, other]);
    ensemble.names = ['a', 'b'];
    expect(ensemble.capabilities.sampleConditional).toEqual(['twisted']);
    const n = 3000;
    const options = { scale: 'gaussian', dtype: 'float64', particles: 1024 } as const;
    const { rows, logMarginalDensity } = await ensemble.sampleConditional({ a: 1.5 }, n, options);
    expect(Math.abs(logMarginalDensity!)).toBeLessThan(0.2);
    // the crossed law has no mean there, the other .7 times the value
    const mean =
      Array.from({ length: n }, (_, i) => rows.data[2 * i + 1]!).reduce((sum, y) => sum + y, 0) / n;
    expect(mean).toBeGreaterThan(0.25);
    expect(mean).toBeLessThan(0.8);
  });

  test('nothing is drawn given columns by processes whose stochastic steps are not known', async () => {
    const jacobi = await fitCopula(equicorrelated(300, 2, 0.7, 5), {
      ...ofFlow,
      process: 'jacobi',
      steps: 5,
    });
    expect(jacobi.capabilities.sampleConditional).toEqual([]);
    await expect(jacobi.sampleConditional({ a: 0.5 }, 5)).rejects.toThrow(/cannot be sampled given/);
  });
});

describe('a small model', () => {
  let copula: CdcCopula;
  beforeAll(async () => {
    copula = await fitCopula(equicorrelated(500, 3, 0.6, 5), {
      hidden: 8,
      depth: 1,
      steps: 20,
      batch: 64,
      names: ['x', 'y', '1'],
    });
  });

  test('the normalised log density, and the estimate in the file', async () => {
    const rows = [
      [0.3, 0.5, 0.9],
      [0.1, 0.2, 0.2],
    ];
    const raw = await copula.logPdf(rows);
    const file = path.join(scratch, 'without.safetensors');
    await copula.save(file);
    const normalised = await copula.logPdf(rows, { normalised: true });
    const logZ = copula.logNormaliser!;
    expect(Array.from(normalised)).toEqual(Array.from(raw, (value) => value - logZ));
    expect(copula.normalised).toBe(false);
    expect(((await loadModel(file)) as CdcCopula).logNormaliser).toBeNull();
    await copula.save(file);
    const loaded = (await loadModel(file)) as CdcCopula;
    expect(loaded.logNormaliser).toBe(logZ);
    expect(loaded.info()).toEqual(copula.info());
    expect(await loaded.logPdf(rows, { normalised: true })).toEqual(normalised);
    expect(await copula.logPdf(rows)).toEqual(raw);
    const gaussian = await fitCopula(equicorrelated(500, 3, 0.6, 5), { kind: 'gaussian' });
    expect(await gaussian.logPdf(rows, { normalised: true })).toEqual(await gaussian.logPdf(rows));
  });

  test('the same bits for any number of threads, others for another seed', async () => {
    const options = { particles: 200, islands: 4, moves: 1 };
    const first = await copula.estimateNormaliser({ ...options, threads: 1 });
    expect(await copula.estimateNormaliser({ ...options, threads: 3 })).toEqual(first);
    expect((await copula.estimateNormaliser({ ...options, seed: 2 })).logZ).not.toBe(first.logZ);
    for (const method of ['smc', 'twisted', 'replacement', 'repaint'] as const) {
      const draw = (seed: number, threads: number) =>
        copula.sampleConditional({ y: 0.4 }, 50, { method, seed, threads });
      const one = await draw(1, 1);
      expect(await draw(1, 2)).toEqual(one);
      expect((await draw(2, 1)).rows.data).not.toEqual(one.rows.data);
    }
  });

  test('the published weights of twisted have no density; polish moves its rows', async () => {
    const draw = (extra: ConditionalOptions) =>
      copula.sampleConditional({ y: 0.4 }, 60, { method: 'twisted', particles: 100, ...extra });
    const plain = await draw({});
    expect(plain.logMarginalDensity).toEqual(expect.any(Number));
    const chain = await draw({ weights: 'chain', polish: 9 });
    expect(chain).toMatchObject({ logMarginalDensity: null, standardError: null, normalised: false });
    expect(chain.effectiveSampleSize! > 10 && chain.effectiveSampleSize! <= 104.01).toBe(true);
    expect(chain.rHat).toBeGreaterThan(0.9);
    expect(chain.acceptance).toBeGreaterThan(0.2);
    expect((await draw({ polish: 3 })).rHat).toBeNull();
    expect((await copula.sampleConditional({ y: 0.4 }, 5, { particles: 100 })).rHat).toBeGreaterThan(0.9);
  });

  test('fixed columns by name and number, on the copula scale', async () => {
    const { rows } = await copula.sampleConditional({ y: 0.25, 0: 0.875 }, 5, { particles: 100 });
    expect({ rows: rows.rows, columns: rows.columns, names: rows.names }).toEqual({
      rows: 5,
      columns: 3,
      names: ['x', 'y', '1'],
    });
    for (let i = 0; i < 5; i++) {
      expect([rows.data[3 * i], rows.data[3 * i + 1]]).toEqual([0.875, 0.25]);
      expect(rows.data[3 * i + 2]! > 0 && rows.data[3 * i + 2]! < 1).toBe(true);
    }
    // a name comes before a number
    const named = await copula.sampleConditional({ '1': 0.125 }, 2, { particles: 100 });
    expect([named.rows.data[2], named.rows.data[5]]).toEqual([0.125, 0.125]);
  });

  test.each([
    [{}, {}, '1 to 2 fixed columns of 3, got 0'],
    [{ x: 0.1, y: 0.1, 1: 0.1 }, {}, 'got 3'],
    [{ height: 0.1 }, {}, '"height"'],
    [{ 3: 0.1 }, {}, '"3"'],
    [{ x: 0.1, 0: 0.1 }, {}, 'every column once'],
    [{ x: 1 }, {}, '"x"'],
    [{ x: NaN }, { scale: 'gaussian' }, '"x"'],
    [{ x: 0.1 }, { method: 'gibbs' }, 'method'],
    [{ x: 0.1 }, { scale: 'data' }, 'scale'],
    [{ x: 0.1 }, { method: 'exact' }, 'method'],
    [{ x: 0.1 }, { method: 'twisted', moves: 3 }, 'moves'],
    [{ x: 0.1 }, { method: 'twisted', weights: 'even' }, 'weights'],
    [{ x: 0.1 }, { weights: 'chain' }, 'weights'],
    [{ x: 0.1 }, { polish: 3 }, 'polish'],
    [{ x: 0.1 }, { method: 'twisted', steps: 30 }, 'steps'],
    [{ x: 0.1 }, { method: 'replacement', particles: 100 }, 'particles'],
    [{ x: 0.1 }, { method: 'replacement', loops: 3 }, 'loops'],
    [{ x: 0.1 }, { islands: 1 }, 'islands'],
    [{ x: 0.1 }, { particles: 8 }, 'particles'],
    [{ x: 0.1 }, { moves: 0 }, 'moves'],
    [{ x: 0.1 }, { dtype: 'int8' }, 'dtype'],
  ])('refuses %j with %j', async (fixed, options, culprit) => {
    await expect(copula.sampleConditional(fixed, 10, options as ConditionalOptions)).rejects.toMatchObject({
      code: 'ERR_SKLAR_VALUE',
      message: expect.stringContaining(culprit),
    });
  });

  test('options of the normaliser, aborting and disposal', async () => {
    await expect(copula.estimateNormaliser({ particles: 0 })).rejects.toMatchObject({
      code: 'ERR_SKLAR_VALUE',
    });
    await expect(copula.estimateNormaliser({ islands: 1 })).rejects.toMatchObject({
      code: 'ERR_SKLAR_VALUE',
    });
    await expect(copula.sampleConditional({ x: 0.5 }, 0)).rejects.toMatchObject({ code: 'ERR_SKLAR_VALUE' });
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 50);
    const started = performance.now();
    await expect(
      copula.estimateNormaliser({ moves: 10_000, particles: 100_000, signal: controller.signal }),
    ).rejects.toMatchObject({ name: 'AbortError' });
    expect(performance.now() - started).toBeLessThan(5000);
    const file = path.join(scratch, 'gone.safetensors');
    await copula.save(file);
    const gone = (await loadModel(file)) as CdcCopula;
    gone.dispose();
    await expect(gone.estimateNormaliser()).rejects.toMatchObject({ code: 'ERR_SKLAR_DISPOSED' });
    await expect(gone.sampleConditional({ x: 0.5 }, 1)).rejects.toMatchObject({ code: 'ERR_SKLAR_DISPOSED' });
  });
});
