import {
  ClosedFormCopula,
  type Copula,
  GaussianCopula,
  StudentCopula,
  Table,
  blomqvist,
  fitCopula,
  kendall,
  matrix,
  mutualInformation,
  spearman,
  tailCurves,
  totalCorrelation,
} from '../../lib';
import { Generator } from '../../lib/data/random';
import { equicorrelated } from '../helpers/data';

const equi = (dim: number, rho: number) =>
  Float64Array.from({ length: dim * dim }, (_, i) => (i % (dim + 1) === 0 ? 1 : rho));
const equiTotal = (dim: number, rho: number) =>
  -0.5 * ((dim - 1) * Math.log(1 - rho) + Math.log(1 + (dim - 1) * rho));

describe('rank measures', () => {
  test('of a Gaussian copula are those of its correlation', async () => {
    const n = 40_000;
    const copula = new GaussianCopula(Float64Array.of(1, 0.6, -0.3, 0.6, 1, 0.2, -0.3, 0.2, 1), 3);
    const rows = await copula.sample(n, { seed: 3, dtype: 'float64', scale: 'gaussian' });
    const [tau, rho, beta] = await Promise.all([kendall(rows), spearman(rows), blomqvist(rows)]);
    copula.correlation.forEach((r, i) => {
      const arc = (2 / Math.PI) * Math.asin(r);
      expect(Math.abs(tau.data[i]! - arc)).toBeLessThan(4 * (2 / 3 / Math.sqrt(n)));
      expect(Math.abs(rho.data[i]! - (6 / Math.PI) * Math.asin(r / 2))).toBeLessThan(4 / Math.sqrt(n));
      expect(Math.abs(beta.data[i]! - arc)).toBeLessThan(4 / Math.sqrt(n));
    });
    const { lower, lowerError, upper, upperError } = await tailCurves(rows, { q: [0.05, 0.5, 0.95] });
    expect(Math.abs(lower[1]!.data[1]! - (1 + beta.data[1]!) / 2)).toBeLessThan(1e-12);
    // radial symmetry, and the independent-looking value q at q = 1/2 is passed by dependence
    const [low, high] = [lower[0]!.data[1]!, upper[2]!.data[1]!];
    const error = Math.hypot(lowerError[0]!.data[1]!, upperError[2]!.data[1]!);
    expect(Math.abs(low - high)).toBeLessThan(4 * error);
    expect(low).toBeGreaterThan(0.2);
    expect(lower[0]!.data[0]).toBeCloseTo(1, 12);
  });

  test('take ties, tables and names, and depend on order alone', async () => {
    const table = new Table(
      ['a', 'b'],
      [Float64Array.of(1, 2, 2, 3, 5), Float64Array.of(1, 1, 2, 3, 2.5)],
      ['float', 'float'],
    );
    const tau = await kendall(table);
    expect(tau.names).toEqual(['a', 'b']);
    // 9 and 9 pairs differ in a and b; 7 agree, 1 disagrees
    expect(tau.data[1]).toBeCloseTo(6 / 9, 14);
    const grown = [
      [Math.exp(1), -1],
      [Math.exp(2), -1],
      [Math.exp(2), 8],
      [Math.exp(3), 27],
      [Math.exp(5), 10],
    ];
    expect((await kendall(grown, { threads: 2 })).data).toEqual(tau.data);
    expect((await spearman(grown)).data).toEqual((await spearman(table)).data);
    expect((await tailCurves(table, { q: [0.5] })).upper[0]!.names).toEqual(['a', 'b']);
  });

  test('tail curves of columns with many equal values are never above 1, and those of independent ones at independence', async () => {
    const random = new Generator(1, 5);
    const uniform = () => random.next() / 2 ** 32;
    for (let trial = 0; trial < 40; trial++) {
      const rows = 2 + Math.floor(60 * uniform());
      const steps = [2, 3, 4].map(() => 1 + Math.floor(6 * uniform() ** 2));
      const columns = steps.map((most) =>
        Float64Array.from({ length: rows }, (_, i) => (i < 2 ? i : Math.floor(most * uniform()))),
      );
      // a copy, and one with other ties
      columns.push(
        columns[0]!,
        Float64Array.from(columns[0]!, (x) => Math.min(x, 1)),
      );
      const q = Array.from({ length: 6 }, () => 0.01 + 0.98 * uniform());
      const weights = trial % 2 ? Float64Array.from({ length: rows }, () => 0.1 + uniform()) : undefined;
      const { lower, upper } = await tailCurves(new Table(['a', 'b', 'c', 'd', 'e'], columns), {
        q,
        weights,
      });
      for (const { data } of [...lower, ...upper]) {
        expect(data.filter((value) => !(value >= 0 && value <= 1))).toHaveLength(0);
        expect(data.filter((value, k) => k % 6 === 0 && Math.abs(value - 1) > 1e-9)).toHaveLength(0);
      }
    }
    const side = Array.from({ length: 60 }, (_, i) => [i % 3, Math.floor(i / 3) % 4, i % 5]);
    const q = [0.1, 0.3, 0.77];
    const { lower, upper } = await tailCurves(side, { q });
    q.forEach((level, k) => {
      for (const at of [1, 2, 5]) {
        expect(lower[k]!.data[at]).toBeCloseTo(level, 9);
        expect(upper[k]!.data[at]).toBeCloseTo(1 - level, 9);
      }
    });
  });

  test('name what they cannot take', async () => {
    const constant = matrix(Float64Array.of(1, 5, 2, 5, 3, 5), 3, 2, ['x', 'y']);
    const message = (text: RegExp) => ({ message: expect.stringMatching(text) });
    for (const measure of [kendall, spearman, blomqvist]) {
      await expect(measure(constant)).rejects.toMatchObject(message(/"y" is constant/));
    }
    await expect(
      kendall([
        [1, 2],
        [3, NaN],
      ]),
    ).rejects.toMatchObject({ code: 'ERR_SKLAR_VALUE', ...message(/NaN \(row 2, column 2\)/) });
    await expect(kendall([[1, 2]])).rejects.toMatchObject({ code: 'ERR_SKLAR_SHAPE' });
    await expect(tailCurves(constant, { q: [0.5, 1] })).rejects.toMatchObject({ code: 'ERR_SKLAR_VALUE' });
    await expect(tailCurves(constant, { q: [] })).rejects.toMatchObject({ code: 'ERR_SKLAR_VALUE' });
  });

  test('stop when aborted', async () => {
    const rows = equicorrelated(3000, 60, 0.3, 1);
    const controller = new AbortController();
    const running = kendall(rows, { signal: controller.signal });
    controller.abort(new Error('enough'));
    await expect(running).rejects.toThrow('enough');
  });
});

describe('total correlation', () => {
  const check = async (copula: Copula, exact: number | null, rows = 6000) => {
    const u = await copula.sample(rows, { seed: 4, dtype: 'float64' });
    const { logDensity, fieldBound } = await totalCorrelation(copula, u, { seed: 4 });
    const near = (a: number, b: number, error: number) => expect(Math.abs(a - b)).toBeLessThan(4 * error);
    near(
      logDensity.mean,
      fieldBound!.mean,
      Math.hypot(logDensity.standardError!, fieldBound!.standardError!),
    );
    if (exact !== null) {
      near(logDensity.mean, exact, logDensity.standardError!);
      near(fieldBound!.mean, exact, fieldBound!.standardError!);
    }
    expect(logDensity.normalised).toBe(true);
  };

  test('by density and by field agree for closed forms', async () => {
    await check(new GaussianCopula(equi(3, 0.6), 3), equiTotal(3, 0.6));
    await check(
      ClosedFormCopula.gaussianMixture({
        weights: [0.5, 0.5],
        correlations: [equi(2, 0.9), equi(2, -0.9)],
      }),
      null,
    );
    await check(ClosedFormCopula.cosine({ terms: [{ amplitude: 0.9, frequencies: [1, 1] }] }), null, 20_000);
  });

  test.each([true, false])('of a CDC fitted to Gaussian data (guided: %s)', async (guided) => {
    const rho = 0.5;
    const u = equicorrelated(6000, 3, rho, 8);
    const cdc = await fitCopula(u, {
      kind: 'cdc',
      guided,
      hidden: 24,
      depth: 1,
      steps: guided ? 150 : 400,
      batch: 256,
      learningRate: 3e-3,
    });
    const fresh = equicorrelated(6000, 3, rho, 9);
    const result = await totalCorrelation(cdc, fresh, { seed: 2 });
    const again = await totalCorrelation(cdc, fresh, { seed: 2, threads: 2 });
    expect(again).toEqual(result);
    expect(result.logDensity.normalised).toBe(false);
    const { mean, standardError } = result.fieldBound!;
    // On the same rows: the exact density has nearly all of the noise in common with the bound.
    const exact = await totalCorrelation(new GaussianCopula(equi(3, rho), 3), fresh);
    expect(Math.abs(exact.logDensity.mean - equiTotal(3, rho))).toBeLessThan(
      4 * exact.logDensity.standardError!,
    );
    expect(standardError!).toBeLessThan(0.015);
    expect(mean).toBeLessThan(exact.logDensity.mean + 0.01);
    expect(mean).toBeGreaterThan(exact.logDensity.mean - (guided ? 0.01 : 0.04));
  });

  test('wants rows and draws', async () => {
    const copula = new GaussianCopula(equi(2, 0.5), 2);
    await expect(totalCorrelation(copula, [[0.5, 0.5]])).rejects.toMatchObject({ code: 'ERR_SKLAR_SHAPE' });
    await expect(
      totalCorrelation(
        copula,
        [
          [0.5, 0.5],
          [0.2, 0.3],
        ],
        { draws: 0 },
      ),
    ).rejects.toMatchObject({ code: 'ERR_SKLAR_VALUE' });
  });
});

describe('mutual information', () => {
  test('of blocks of a Gaussian copula', async () => {
    const copula = new GaussianCopula(equi(4, 0.5), 4);
    const u = await copula.sample(10_000, { seed: 6, dtype: 'float64' });
    const near = (value: { mean: number; standardError: number | null }, exact: number) =>
      expect(Math.abs(value.mean - exact)).toBeLessThan(4 * value.standardError!);
    near(await mutualInformation(copula, u, { a: [0, 2] }), equiTotal(4, 0.5) - 2 * equiTotal(2, 0.5));
    near(await mutualInformation(copula, u, { a: [3], b: [0, 1] }), equiTotal(3, 0.5) - equiTotal(2, 0.5));
    // the same with copulas given
    const pair = new GaussianCopula(equi(2, 0.5), 2);
    expect(await mutualInformation(copula, u, { a: [0, 2], marginals: [pair, pair] })).toEqual(
      await mutualInformation(copula, u, { a: [0, 2] }),
    );
  });

  test('of blocks of a Student copula, which knows its marginals', async () => {
    const copula = new StudentCopula(equi(3, 0.5), 3, 4);
    const u = await copula.sample(10_000, { seed: 6 });
    // entropy of the multivariate t distribution with 4 degrees of freedom but for terms that cancel: Gamma and digamma at
    // (4 + p) / 2
    const gammas = [1, 0.75 * Math.sqrt(Math.PI), 2, 1.875 * Math.sqrt(Math.PI)];
    const digammas = [0.4227843350984671, 0.7031566406452432, 0.9227843350984671, 1.103156640645243];
    const entropy = (p: number) =>
      -Math.log(gammas[p]!) + ((4 + p) / 2) * (digammas[p]! - digammas[0]!) - equiTotal(p, 0.5);
    const near = (value: { mean: number; standardError: number | null }, exact: number) =>
      expect(Math.abs(value.mean - exact)).toBeLessThan(4 * value.standardError!);
    near(await mutualInformation(copula, u, { a: [0] }), entropy(1) + entropy(2) - entropy(3));
    near(await mutualInformation(copula, u, { a: [2], b: [0] }), 2 * entropy(1) - entropy(2));
  });

  test('finds what pairs do not show', async () => {
    const copula = ClosedFormCopula.fgm({ dim: 3, theta: 1 });
    const u = await copula.sample(5000, { seed: 6, dtype: 'float64' });
    expect(await mutualInformation(copula, u, { a: [0], b: [1] })).toEqual({ mean: 0, standardError: 0 });
    const { mean, standardError } = await mutualInformation(copula, u, { a: [0] });
    expect(mean).toBeGreaterThan(4 * standardError!);
  });

  test('names wrong blocks', async () => {
    const copula = new GaussianCopula(equi(3, 0.5), 3);
    const u = await copula.sample(10, { seed: 6 });
    const value = { code: 'ERR_SKLAR_VALUE' };
    await expect(mutualInformation(copula, u, { a: [0], b: [0, 1] })).rejects.toMatchObject(value);
    await expect(mutualInformation(copula, u, { a: [0, 1, 2] })).rejects.toMatchObject(value);
    await expect(mutualInformation(copula, u, { a: [5] })).rejects.toMatchObject(value);
  });
});
