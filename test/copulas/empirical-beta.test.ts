import {
  type ClassicalCopula,
  EmpiricalBetaCopula,
  FamilyCopula,
  fitCopula,
  loadModel,
  toRows,
} from '../../lib';
import { TemporaryFolder } from '../data/support';
import { equicorrelated } from '../helpers/data';
import { expectIndependentUniforms, expectUniform, largest } from '../helpers/statistics';

const folder = new TemporaryFolder();
const double = { dtype: 'float64' } as const;

const choose = (n: number, k: number) => {
  let product = 1;
  for (let i = 0; i < k; i++) product *= (n - i) / (i + 1);
  return product;
};
const binomial = (n: number, k: number, u: number) => choose(n, k) * u ** k * (1 - u) ** (n - k);
/** Density and distribution function of the order statistic r of n uniform draws. */
const betaPdf = (n: number, r: number, u: number) => n * binomial(n - 1, r - 1, u);
const betaCdf = (n: number, r: number, u: number) => {
  let sum = 0;
  for (let k = n; k >= r; k--) sum += binomial(n, k, u);
  return sum;
};
const product = (values: readonly number[]) => values.reduce((total, value) => total * value, 1);
const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

const ranks = [
  [3, 5, 1],
  [1, 2, 4],
  [7, 7, 3],
  [2, 1, 7],
  [6, 3, 2],
  [5, 6, 5],
  [4, 4, 6],
];
const points = [
  [0.3, 0.5, 0.7],
  [0.01, 0.02, 0.99],
  [1e-6, 1 - 1e-6, 0.5],
  [0.9, 0.8, 0.1],
];
const small = new EmpiricalBetaCopula(Float64Array.from(ranks.flat()), 3);
const pair = small.marginal([0, 2]);

test('density and distribution function are those of the definition', async () => {
  const pdf = points.map((u) => mean(ranks.map((row) => product(row.map((r, j) => betaPdf(7, r, u[j]!))))));
  const cdf = points.map((u) => mean(ranks.map((row) => product(row.map((r, j) => betaCdf(7, r, u[j]!))))));
  const found = await small.pdf(points);
  pdf.forEach((value, i) => expect(Math.abs(found[i]! / value - 1)).toBeLessThan(1e-12));
  const probabilities = await small.cdf(points);
  cdf.forEach((value, i) => expect(Math.abs(probabilities[i]! / value - 1)).toBeLessThan(1e-12));
});

test('margins are uniform, sides are exact', async () => {
  const grid = Array.from({ length: 21 }, (_, k) => k / 20);
  for (const column of [0, 1, 2]) {
    const u = grid.map((value) => [0, 1, 2].map((j) => (j === column ? value : 1)));
    expect(largest(await small.cdf(u), grid)).toBeLessThan(1e-15);
  }
  const edges = [
    [0, 0.3],
    [0.3, 0],
    [1, 0.3],
    [0.3, 1],
  ];
  expect(largest(await pair.cdf(edges), [0, 0, 0.3, 0.3])).toBeLessThan(1e-15);
  // at a side one row is left: u1 = 0 is that of rank 1, u1 = 1 that of rank 7
  const [low, high] = await pair.hfunc1([
    [0, 0.3],
    [1, 0.3],
  ]);
  expect(low).toBeCloseTo(betaCdf(7, 4, 0.3), 14);
  expect(high).toBeCloseTo(betaCdf(7, 3, 0.3), 14);
});

test('h, its inverse and the transform of Rosenblatt by the definition', async () => {
  const rows = points.map(([a, , c]) => [a!, c!]);
  const by = (given: 0 | 1, u: readonly number[]) => {
    const weights = ranks.map((row) => betaPdf(7, row[2 * given]!, u[given]!));
    const other = given === 0 ? 1 : 0;
    const parts = ranks.map((row, i) => weights[i]! * betaCdf(7, row[2 * other]!, u[other]!));
    return mean(parts) / mean(weights);
  };
  const h1 = await pair.hfunc1(rows);
  const h2 = await pair.hfunc2(rows);
  rows.forEach((row, i) => {
    expect(Math.abs(h1[i]! / by(0, row) - 1)).toBeLessThan(1e-12);
    expect(Math.abs(h2[i]! / by(1, row) - 1)).toBeLessThan(1e-12);
  });
  const back = await pair.hinv1(rows.map(([a], i) => [a!, h1[i]!]));
  const back2 = await pair.hinv2(rows.map(([, b], i) => [h2[i]!, b!]));
  rows.forEach(([a, b], i) => {
    expect(back[i]).toBeCloseTo(b!, 11);
    expect(back2[i]).toBeCloseTo(a!, 11);
  });
  const [e] = toRows(await small.rosenblatt([points[0]!]));
  const weights = ranks.map((row) => betaPdf(7, row[0]!, 0.3) * betaPdf(7, row[1]!, 0.5));
  const last = mean(ranks.map((row, i) => weights[i]! * betaCdf(7, row[2]!, 0.7))) / mean(weights);
  const [p] = await small.marginal([0, 1]).hfunc1([[0.3, 0.5]]);
  expect(largest(e!, [0.3, p!, last])).toBeLessThan(1e-13);
});

test('tau is the sum over pairs of rows', () => {
  // the r-th of 7 uniform draws lies below the s-th of 7 others when at least r of them lie below it
  const below = (r: number, s: number) => {
    let sum = 0;
    for (let k = r; k <= 7; k++) sum += choose(k + s - 1, k) * choose(14 - k - s, 7 - k);
    return sum / choose(14, 7);
  };
  let sum = 0;
  for (const a of ranks) for (const b of ranks) sum += below(a[0]!, b[0]!) * below(a[2]!, b[2]!);
  expect(small.tau(0, 2)).toBeCloseTo((4 * sum) / 49 - 1, 13);
  expect(small.tau(2, 0)).toBeCloseTo(small.tau(0, 2), 13);
  expect(small.tailDependence(0, 2)).toMatchObject({ lowerLower: 0, upperUpper: 0 });
});

test('the density does not settle as rows grow: its variance at the middle tends to 1 / pi', async () => {
  const none = new FamilyCopula('independence', {});
  for (const rows of [100, 400]) {
    const values: number[] = [];
    for (let seed = 1; seed <= 300; seed++) {
      const u = toRows(await none.sample(rows, { seed, ...double }));
      const [first, second] = [0, 1].map((j) => u.map((row) => row[j]!).sort((a, b) => a - b));
      const ranks = u.flatMap(([a, b]) => [first!.indexOf(a!) + 1, second!.indexOf(b!) + 1]);
      const [c] = await new EmpiricalBetaCopula(Float64Array.from(ranks), 2).pdf([[0.5, 0.5]]);
      values.push((c! - 1) ** 2);
    }
    // of ranks in random order: (B - 1)^2 / (n - 1), B the mean square of the beta densities, sqrt(n / pi)
    const variance = (Math.sqrt(rows / Math.PI) - 1) ** 2 / (rows - 1);
    expect(Math.abs(mean(values) / variance - 1)).toBeLessThan(0.3);
  }
});

describe('of a thousand rows', () => {
  const u = equicorrelated(1000, 3, 0.6, 5);
  let copula: EmpiricalBetaCopula;
  beforeAll(async () => {
    copula = await fitCopula(u, { kind: 'empirical-beta' });
  });

  test('draws are those of the copula, whatever the threads and batches', async () => {
    const drawn = await copula.sample(3000, { seed: 3, threads: 1, ...double });
    expectUniform(toRows(drawn).map((row) => row[0]!));
    const e = await copula.rosenblatt(drawn);
    expectIndependentUniforms(toRows(e));
    const part = toRows(e).slice(0, 200);
    expect(largest((await copula.inverseRosenblatt(part)).data, drawn.data.subarray(0, 600))).toBeLessThan(
      1e-10,
    );
    expect(await copula.sample(3000, { seed: 3, threads: 3, ...double })).toEqual(drawn);
    const tail = await copula.sample(1000, { seed: 3, firstRow: 2000, ...double });
    expect(tail.data).toEqual(drawn.data.subarray(6000));
    const values = await copula.logPdf(drawn, { threads: 1 });
    expect(await copula.logPdf(drawn, { threads: 3 })).toEqual(values);
  });

  test('densities integrate to one, far corners are finite', async () => {
    // by draws of another copula of the same rows
    const other = await fitCopula(u, { kind: 'gaussian' });
    const draws = await other.sample(5000, { seed: 1, ...double });
    const [p, q] = [await copula.logPdf(draws), await other.logPdf(draws)];
    const ratios = Array.from(p, (value, i) => Math.exp(value - q[i]!));
    const spread = Math.sqrt(mean(ratios.map((r) => r * r)) - mean(ratios) ** 2);
    expect(Math.abs(mean(ratios) - 1)).toBeLessThan((4 * spread) / Math.sqrt(5000));
    const far = await copula.logPdf([[-30, 30, -30]], { scale: 'gaussian' });
    expect(Number.isFinite(far[0])).toBe(true);
  });

  test('save and load keep everything', async () => {
    const file = folder.file('empirical-beta.safetensors');
    await copula.save(file);
    using loaded = (await loadModel(file)) as ClassicalCopula;
    expect(loaded).toBeInstanceOf(EmpiricalBetaCopula);
    expect(loaded.info()).toEqual(copula.info());
    expect(loaded.info()).toMatchObject({
      config: { rows: 1000 },
      training: { rows: 1000 },
      parameters: 3000,
    });
    expect([loaded.aic, loaded.bic, loaded.logLikelihood, loaded.standardErrors]).toEqual([
      null,
      null,
      null,
      null,
    ]);
    const some = toRows(u).slice(0, 20);
    expect(await loaded.logPdf(some)).toEqual(await copula.logPdf(some));
  });
});

test('bad input names the culprit', async () => {
  const tied = Array.from({ length: 10 }, (_, i) => [(i + 1) / 11, ((i % 9) + 1) / 11]);
  await expect(fitCopula(tied, { kind: 'empirical-beta' })).rejects.toMatchObject({
    code: 'ERR_SKLAR_VALUE',
    message: expect.stringMatching(/rows 1 and 10 of column 2: rank them with ties 'random'/),
  });
  await expect(fitCopula(tied.slice(0, 5), { kind: 'empirical-beta' })).rejects.toMatchObject({
    code: 'ERR_SKLAR_SHAPE',
    message: expect.stringContaining('8 rows'),
  });
  await expect(fitCopula(tied, { kind: 'empirical-beta', method: 'tau' } as never)).rejects.toThrow(
    /unknown option "method"/,
  );
  expect(() => new EmpiricalBetaCopula(Float64Array.of(1, 1, 2, 3), 2)).toThrow(/got 3 \(row 2, column 2\)/);
  expect(() => new EmpiricalBetaCopula(Float64Array.of(1, 1, 1, 2), 2)).toThrow(/got 1 \(row 2, column 1\)/);
  expect(() => new EmpiricalBetaCopula(Float64Array.of(1, 2, 3), 2)).toThrow('rows');
});

test('dependence that smoothing takes is said: a function of few rows, not of independent columns', async () => {
  const rows = (count: number, other: (i: number) => number) =>
    Array.from({ length: count }, (_, i) => [(i + 1) / (count + 1), (other(i) + 1) / (count + 1)]);
  const exact = await fitCopula(
    rows(500, (i) => i),
    { kind: 'empirical-beta', names: ['a', 'b'] },
  );
  const [note] = exact.notes;
  expect(note).toMatchObject({ code: 'fit', columns: ['a', 'b'] });
  const [, own, theirs] = /copula is ([\d.]+), that of the rows ([\d.]+)/.exec(note!.message)!;
  expect(Number(theirs)).toBe(1);
  expect(Math.abs(Number(own) - exact.tau())).toBeLessThan(0.01);
  const scattered = await fitCopula(
    rows(499, (i) => (i * 211) % 499),
    { kind: 'empirical-beta' },
  );
  expect(scattered.notes).toEqual([]);
});
