import {
  Table,
  type TwoSampleMetric,
  classifierAuc,
  cramerVonMises,
  energyDistance,
  kendallError,
  kolmogorovSmirnov,
  matrix,
  mmd,
  normalCdf,
  slicedWasserstein,
  tailError,
} from '../../lib';
import { cramerLimitTail, cramerTail, kolmogorovTail } from '../../lib/metrics/null-laws';
import { areaUnderCurve } from '../../lib/metrics/two-sample';
import { normals, uniforms } from '../helpers/data';

const cdf = (x: number) => normalCdf(Float64Array.of(x))[0]!;

/** rows x dim standard normals times scale, plus shift in the first column. */
function gaussian(rows: number, dim: number, seed: number, { shift = 0, scale = 1 } = {}) {
  const next = normals(seed);
  const data = Float64Array.from(
    { length: rows * dim },
    (_, i) => scale * next() + (i % dim === 0 ? shift : 0),
  );
  return matrix(data, rows, dim);
}

describe('laws of margins', () => {
  test('are those of the tables', () => {
    // limit of Kolmogorov: 10 %, 5 %, 1 % at 1.2238, 1.3581, 1.6276
    const n = 1e12;
    for (const [x, p] of [
      [1.22385, 0.1],
      [1.3581, 0.05],
      [1.62762, 0.01],
      [0.82757, 0.5],
    ] as const) {
      expect(kolmogorovTail(x / Math.sqrt(n / 2), n, n)).toBeCloseTo(p, 4);
    }
    // Anderson and Darling (1952), table 1
    for (const [x, p] of [
      [0.3473, 0.1],
      [0.46136, 0.05],
      [0.74346, 0.01],
      [0.11888, 0.5],
      [1.16786, 0.001],
    ] as const) {
      expect(cramerLimitTail(x)).toBeCloseTo(p, 5);
    }
    expect(cramerLimitTail(0.002)).toBe(1);
    expect(cramerLimitTail(40)).toBeLessThan(1e-12);
  });

  test.each([
    ['kolmogorovSmirnov', kolmogorovSmirnov, 0.02],
    ['cramerVonMises', cramerVonMises, 0.02],
  ] as const)('%s has uniform p-values under the null, and columns by name', async (_, measure, slack) => {
    // many columns of independent samples are many tests
    const { columns, worst, value, pValue } = await measure(gaussian(120, 400, 1), gaussian(80, 400, 2));
    for (const level of [0.05, 0.2, 0.5]) {
      const share = columns.filter((column) => column.pValue <= level).length / columns.length;
      expect(Math.abs(share - level)).toBeLessThan(slack + 3 * Math.sqrt((level * (1 - level)) / 400));
    }
    const most = columns.toSorted((a, b) => b.value - a.value)[0]!;
    expect([worst, value]).toEqual([most.column, most.value]);
    expect(pValue).toBe(Math.min(1, 400 * most.pValue));
  });

  test('agree with scipy', async () => {
    const x = [[1.1], [2.3], [0.4], [5.0], [3.2], [2.8]];
    const y = [[2.0], [6.1], [4.4], [7.2], [3.9]];
    // scipy 1.17: ks_2samp(method='exact') has p 0.17749; cramervonmises_2samp(method='asymptotic')
    const ks = await kolmogorovSmirnov(x, y);
    expect(ks.value).toBeCloseTo(0.6333333333333333, 14);
    expect(Math.abs(ks.pValue - 0.17748917748917747)).toBeLessThan(0.05);
    const cvm = await cramerVonMises(x, y);
    expect(cvm.value).toBeCloseTo(0.32424242424242444, 14);
    expect(cvm.pValue).toBeCloseTo(0.12066208399199119, 8);
    expect(cramerTail(cvm.value, 6, 5)).toBe(cvm.pValue);
  });
});

/** E|X| of N(mu, s^2). */
const foldedMean = (mu: number, s: number) =>
  s * Math.sqrt(2 / Math.PI) * Math.exp((-mu * mu) / (2 * s * s)) + mu * (1 - 2 * cdf(-mu / s));

describe('energy distance', () => {
  test('of two normals is that of the formula', async () => {
    for (const [shift, scale] of [
      [1, 1],
      [0, 2],
      [0.5, 1.5],
    ] as const) {
      const x = gaussian(2000, 1, 3);
      const y = gaussian(1500, 1, 4, { shift, scale });
      const exact =
        2 * foldedMean(shift, Math.hypot(1, scale)) - (2 * Math.SQRT2 * (1 + scale)) / Math.sqrt(2 * Math.PI);
      const { value, standardError, pValue } = await energyDistance(x, y, {
        unbiased: true,
        permutations: 19,
      });
      expect(Math.abs(value - exact)).toBeLessThan(4 * standardError!);
      expect(standardError).toBeLessThan(0.15 * exact);
      expect(pValue).toBe(1 / 20);
    }
  });

  test('is that of the definition, biased and not', async () => {
    const [x, y] = [
      [
        [0, 0],
        [3, 4],
        [0, 1],
      ],
      [
        [0, 0],
        [6, 8],
      ],
    ];
    // between 0, 10, 5, 5, 1, sqrt 85; within 5, 1, sqrt 18 and 10
    const between = (21 + Math.sqrt(85)) / 6;
    const sum = 6 + Math.sqrt(18);
    const options = { permutations: 0 };
    expect(await energyDistance(x, y, options)).toMatchObject({ pValue: null });
    expect((await energyDistance(x, y, options)).value).toBeCloseTo(2 * between - (2 * sum) / 9 - 20 / 4, 12);
    const { value } = await energyDistance(x, y, { ...options, unbiased: true });
    expect(value).toBeCloseTo(2 * between - (2 * sum) / 6 - 20 / 2, 12);
  });

  test('has uniform p-values under the null, and the same bits for any number of threads', async () => {
    const values: number[] = [];
    for (let k = 0; k < 150; k++) {
      const [x, y] = [gaussian(25, 2, 100 + k), gaussian(30, 2, 500 + k)];
      values.push((await energyDistance(x, y, { permutations: 39, seed: k })).pValue!);
    }
    for (const level of [0.1, 0.5]) {
      const share = values.filter((p) => p <= level).length / values.length;
      expect(Math.abs(share - level)).toBeLessThan(4 * Math.sqrt((level * (1 - level)) / 150));
    }
    const [x, y] = [gaussian(300, 3, 1), gaussian(200, 3, 2)];
    for (const measure of [energyDistance, mmd, slicedWasserstein, classifierAuc]) {
      expect(await measure(x, y, { threads: 2 })).toEqual(await measure(x, y, { threads: 1 }));
      expect((await measure(x, y, { seed: 2 })).standardError).toBeGreaterThan(0);
    }
  });
});

describe('MMD', () => {
  test('of two Gaussians is that of the formula', async () => {
    const [dim, h, shift, scale] = [3, 1.4, 0.8, 1.3];
    const x = gaussian(1500, dim, 5);
    const y = gaussian(1600, dim, 6, { shift, scale });
    // E k(X, Y) of N(m, s^2 I) differences: (h^2 / (h^2 + s^2))^(d/2) exp(-|m|^2 / (2 (h^2 + s^2)))
    const mean = (m: number, variance: number) =>
      ((h * h) / (h * h + variance)) ** (dim / 2) * Math.exp((-m * m) / (2 * (h * h + variance)));
    const exact = mean(0, 2) + mean(0, 2 * scale * scale) - 2 * mean(shift, 1 + scale * scale);
    const result = await mmd(x, y, { bandwidths: [h], permutations: 9 });
    expect(Math.abs(result.value - exact)).toBeLessThan(4 * result.standardError!);
    expect(result.standardError).toBeLessThan(0.2 * exact);
    expect(result).toMatchObject({ pValue: 0.1, bandwidths: [h] });
  });

  test('is unbiased, with the median distance for its bandwidth', async () => {
    const repeated: number[] = [];
    for (let k = 0; k < 100; k++) {
      repeated.push(
        (await mmd(gaussian(30, 2, 10 + k), gaussian(20, 2, 900 + k), { permutations: 0 })).value,
      );
    }
    const mean = repeated.reduce((sum, value) => sum + value, 0) / 100;
    const spread = Math.sqrt(repeated.reduce((sum, value) => sum + (value - mean) ** 2, 0) / 99);
    expect(Math.abs(mean)).toBeLessThan((4 * spread) / 10);
    expect(repeated.some((value) => value < 0)).toBe(true);
    expect((await mmd([[0], [1]], [[3], [7]])).bandwidths).toEqual([4]);
  });
});

describe('sliced Wasserstein distance', () => {
  test('of shifted Gaussians is that of the formula', async () => {
    const [dim, shift] = [4, 2];
    const [x, y] = [gaussian(5000, dim, 7), gaussian(4000, dim, 8, { shift })];
    // E|theta_1| = Gamma(d/2) / (sqrt pi Gamma((d+1)/2)); d = 4: 1 / (sqrt pi * 3 sqrt pi / 4)
    const exact = { 1: (shift * 4) / (3 * Math.PI), 2: shift / 2 };
    for (const order of [1, 2] as const) {
      const { value, standardError } = await slicedWasserstein(x, y, { order, directions: 200 });
      expect(Math.abs(value - exact[order])).toBeLessThan(4 * standardError! + 0.04);
      expect(standardError).toBeLessThan(0.06);
    }
    expect(await slicedWasserstein(x, x, { order: 2 })).toEqual({ value: 0, standardError: 0, pValue: null });
  });
});

describe('classifier AUC', () => {
  test('is Phi(delta / sqrt 2) for shifted normals, and that of the ratio for other correlations', async () => {
    for (const delta of [0.3, 1, 2.5]) {
      const x = gaussian(1000, 3, 9);
      const { value, standardError } = await classifierAuc(x, gaussian(1000, 3, 10, { shift: delta }));
      expect(Math.abs(value - cdf(delta / Math.SQRT2))).toBeLessThan(4 * standardError!);
      expect(standardError).toBeLessThan(0.014);
    }
    // correlation +-rho: the optimal score is x y, so the area is that of x y under both laws
    const pairs = (seed: number, rho: number) => {
      const { data, rows } = gaussian(1500, 2, seed);
      for (let i = 0; i < rows; i++)
        data[2 * i + 1] = rho * data[2 * i]! + Math.sqrt(1 - rho * rho) * data[2 * i + 1]!;
      return matrix(data, rows, 2);
    };
    const [x, y] = [pairs(11, -0.5), pairs(12, 0.5)];
    const products = ({ data }: typeof x) =>
      Float64Array.from({ length: 1500 }, (_, i) => data[2 * i]! * data[2 * i + 1]!);
    const { value, standardError } = await classifierAuc(x, y);
    expect(Math.abs(value - areaUnderCurve(products(x), products(y)).area)).toBeLessThan(standardError!);
    expect(value).toBeGreaterThan(0.7);
  });

  test('is one half for the same law, in many columns too', async () => {
    for (const dim of [1, 4, 20]) {
      const { value, standardError } = await classifierAuc(
        gaussian(500, dim, 20 + dim),
        gaussian(400, dim, 80 + dim),
      );
      expect(Math.abs(value - 0.5)).toBeLessThan(4 * standardError!);
    }
  });

  test('counts pairs, ties half', () => {
    const { area, variance } = areaUnderCurve(Float64Array.of(3, 1, 2), Float64Array.of(2, 4, 2, 0));
    expect(area).toBeCloseTo((1.5 + 3 + 1.5 + 0) / 12, 14);
    // placements .5, 1, .5, 0 of the high and .625... of the low: 1/4, 3/4, 1/2
    expect(variance).toBeCloseTo(1 / 6 / 4 + 1 / 16 / 3, 14);
  });
});

describe('errors of dependence', () => {
  const rows = (rho: number, seed: number) => {
    const { data } = gaussian(5000, 3, seed);
    for (let i = 0; i < data.length; i += 3)
      data[i + 2] = rho * data[i]! + Math.sqrt(1 - rho * rho) * data[i + 2]!;
    return matrix(data, 5000, 3, ['a', 'b', 'c']);
  };

  test('are differences of the measures', async () => {
    const [x, y] = [rows(0.2, 1), rows(0.7, 2)];
    const exact = (2 / Math.PI) * (Math.asin(0.7) - Math.asin(0.2));
    const tau = await kendallError(x, y);
    expect(tau).toMatchObject({ worst: ['a', 'c'], standardError: null, pValue: null });
    expect(Math.abs(tau.value - exact)).toBeLessThan(0.05);
    expect(Math.abs(tau.mean - exact / 3)).toBeLessThan(0.03);
    const tail = await tailError(x, y, { q: [0.9, 0.95] });
    expect(tail).toMatchObject({
      worst: ['a', 'c'],
      q: expect.closeTo(tail.tail === 'upper' ? 0.9 : 0.1, 1),
    });
    expect(tail.value).toBeGreaterThan(0.2);
    expect(tail.mean).toBeLessThan(tail.value / 2);
    expect(await kendallError(x, x)).toMatchObject({ value: 0, mean: 0 });
  });

  test('name a constant column', async () => {
    const flat = matrix(Float64Array.of(1, 2, 3, 2), 2, 2, ['p', 'q']);
    const fine = matrix(Float64Array.of(1, 2, 3, 4), 2, 2, ['p', 'q']);
    for (const measure of [kendallError, tailError]) {
      await expect(measure(fine, flat)).rejects.toThrow(/"q" of the second sample is constant/);
    }
    await expect(tailError(fine, fine, { q: [0.1] })).rejects.toThrow(/above 0.5/);
    await expect(kendallError([[1], [2]], [[1], [2]])).rejects.toMatchObject({ code: 'ERR_SKLAR_SHAPE' });
  });
});

test('bad input is named', async () => {
  const two = [
    [1, 2],
    [3, 4],
  ];
  const measures = [kolmogorovSmirnov, cramerVonMises, energyDistance, mmd, slicedWasserstein, classifierAuc];
  for (const measure of measures) {
    await expect(
      measure(two, [
        [1, 2],
        [NaN, 4],
      ]),
    ).rejects.toThrow(/second sample .* NaN \(row 2, column 1\)/);
    await expect(measure(two, [[1], [2]])).rejects.toMatchObject({ code: 'ERR_SKLAR_SHAPE' });
    await expect(measure(two, null as unknown as typeof two)).rejects.toThrow(/second sample .* got null/);
    await expect(measure(two, [[1, 2]])).rejects.toMatchObject({ code: 'ERR_SKLAR_SHAPE' });
  }
  expect((await mmd([[1], [1]], [[1], [1], [2]])).bandwidths).toEqual([1]);
  await expect(mmd(two, two, { bandwidths: [0] })).rejects.toThrow(/bandwidth, got 0/);
  await expect(mmd(two, two, { bandwidths: [] })).rejects.toThrow(/list of bandwidths/);
  await expect(energyDistance(two, two, { permutations: -1 })).rejects.toThrow(/permutations/);
  await expect(slicedWasserstein(two, two, { order: 3 as 1 })).rejects.toThrow(/order/);
  await expect(classifierAuc(two, two, { folds: 1 })).rejects.toThrow(/folds/);
  await expect(classifierAuc(two, two)).rejects.toThrow(/at least 10 rows/);
  const controller = new AbortController();
  const running = energyDistance(gaussian(4000, 5, 1), gaussian(4000, 5, 2), { signal: controller.signal });
  controller.abort(new Error('enough'));
  await expect(running).rejects.toThrow('enough');
});

test('rows whose distances a double does not hold are refused by name', async () => {
  const far = Table.fromColumns({ a: [1, 2, 3], b: [1, -1e200, 2] });
  const near = Table.fromColumns({ a: [1, 2, 4], b: [1, 5, 2] });
  for (const [name, metric] of Object.entries({ energyDistance, mmd, slicedWasserstein })) {
    await expect(metric(near, far)).rejects.toMatchObject({
      code: 'ERR_SKLAR_VALUE',
      message: expect.stringMatching(new RegExp(`for ${name}, got -1e\\+200 \\(column "b"\\)`)),
    });
  }
});

test('distances of the smallest numbers are those of others in another unit', async () => {
  const next = uniforms(8);
  const rows = (shift: number) => Array.from({ length: 40 }, () => [next() + shift, next()]);
  const [x, y] = [rows(0), rows(0.3)];
  const options = { permutations: 99 };
  for (const unit of [2 ** -600, 2 ** -1010]) {
    const inUnit = (sample: number[][]) => sample.map((row) => row.map((value) => value * unit));
    const [a, b] = [inUnit(x), inUnit(y)];
    const [kernel, right] = [await mmd(a, b, options), await mmd(x, y, options)];
    expect(kernel.value).toBeCloseTo(right.value, 12);
    expect(kernel.pValue).toBe(right.pValue);
    expect(kernel.bandwidths[0]! / unit).toBeCloseTo(right.bandwidths[0]!, 12);
    const given = await mmd(a, b, { ...options, bandwidths: [0.5 * unit] });
    expect(given.value).toBeCloseTo((await mmd(x, y, { ...options, bandwidths: [0.5] })).value, 12);
    expect(given.bandwidths).toEqual([0.5 * unit]);
    const near = async (of: (a: number[][], b: number[][]) => Promise<TwoSampleMetric>) => {
      const [small, usual] = [await of(a, b), await of(x, y)];
      expect(small.value / unit).toBeCloseTo(usual.value, 12);
      expect(small.standardError! / unit).toBeCloseTo(usual.standardError!, 12);
      expect(small.pValue).toBe(usual.pValue);
    };
    await near((p, q) => energyDistance(p, q, options));
    await near((p, q) => slicedWasserstein(p, q, { order: 2 }));
  }
});
