/** Columns with values of positive probability: rows have probabilities, and conditions are on blocks of levels. */
import path from 'node:path';

import {
  ClosedFormCopula,
  type Copula,
  FamilyCopula,
  GaussianCopula,
  JointDistribution,
  Margins,
  PseudoObservations,
  StudentCopula,
  Table,
  fromRows,
  normalCdf,
  normalQuantile,
  readTable,
} from '../../lib';
import { type TestColumn, jointOf, law, mean } from './support';

const RHO = 0.8;
const R = Float64Array.of(1, RHO, RHO, 1);
const cdf = (z: number): number => normalCdf(Float64Array.of(z))[0]!;
const normal = law('normal', { mean: 0, deviation: 1 });
/** 1, 2, .. with these numbers of rows. */
const counts = (...rows: number[]) => {
  let last = 0;
  const arrays = { values: rows.map((_, k) => k + 1), last: rows.map((count) => (last += count)) };
  return {
    name: 'discrete',
    support: [1, rows.length] as const,
    parameters: { rows: last },
    arrays,
    parts: {},
  };
};
const few: TestColumn[] = [
  { name: 'a', kind: 'integer', margin: counts(70, 20, 9) },
  { name: 'b', kind: 'integer', margin: counts(30, 40, 20, 9) },
];
const fixture = (name: string): string => path.join(__dirname, '../fixtures/cases/discrete', name);
const sumExp = (log: Float64Array): number => log.reduce((sum, value) => sum + Math.exp(value), 0);

const copulas: [string, () => Copula][] = [
  ['gaussian', () => new GaussianCopula(R, 2)],
  ['student', () => new StudentCopula(R, 2, 4)],
  ['clayton', () => new FamilyCopula('clayton', { theta: 3 })],
  ['gumbel', () => new FamilyCopula('gumbel', { theta: 2 })],
  ['frank', () => new FamilyCopula('frank', { theta: -6 })],
  [
    'mixture',
    () => ClosedFormCopula.gaussianMixture({ weights: [0.5, 0.5], correlations: [R, [1, -0.5, -0.5, 1]] }),
  ],
];

describe.each(copulas)('%s', (_, make) => {
  test('probabilities of discrete rows sum to one', async () => {
    const joint = jointOf(make(), few);
    const rows = [1, 2, 3].flatMap((a) => [1, 2, 3, 4].map((b) => [a, b]));
    const log = await joint.logPdf(fromRows(rows));
    expect(Math.abs(sumExp(log) - 1)).toBeLessThan(0.01);
    // they are what samples have
    const drawn = await joint.sample(100_000, { seed: 2 });
    const [a, b] = [drawn.column('a'), drawn.column('b')];
    rows.forEach(([x, y], k) => {
      const share = a.reduce((sum, value, i) => sum + Number(value === x && b[i] === y), 0) / drawn.rows;
      expect(Math.abs(share - Math.exp(log[k]!))).toBeLessThan(0.01);
    });
  });

  test('mixed densities integrate to one', async () => {
    const joint = jointOf(make(), [few[0]!, { name: 'x', margin: normal }]);
    const rows: number[][] = [];
    for (const a of [1, 2, 3]) for (let k = -800; k <= 800; k++) rows.push([a, k / 100]);
    const sum = sumExp(await joint.logPdf(fromRows(rows))) / 100;
    expect(Math.abs(sum - 1)).toBeLessThan(0.002);
  });

  test('a condition on a value has the law over its block', async () => {
    const joint = jointOf(make(), [few[0]!, { name: 'x', margin: normal }]);
    const grid = Array.from({ length: 1601 }, (_, k) => (k - 800) / 100);
    for (const a of [1, 3]) {
      const density = (await joint.logPdf(fromRows(grid.map((x) => [a, x])))).map(Math.exp);
      const mass = density.reduce((sum, value) => sum + value, 0) / 100;
      const expected = density.reduce((sum, value, i) => sum + value * grid[i]!, 0) / 100 / mass;
      const given = await joint.sampleConditional({ a }, 20_000, { seed: 5 });
      expect(Math.abs(mean(given.table.column('x')) - expected)).toBeLessThan(0.04);
      expect(given.table.column('a').every((value) => value === a)).toBe(true);
      expect(given.blockAcceptance).toBeCloseTo(mass, 1);
      // the probability of the value, without error
      expect(given.logMarginalDensity).toBeCloseTo(
        joint.margins.margin('a').logPdf(Float64Array.of(a))[0]!,
        9,
      );
      expect(given.standardError).toBe(0);
    }
  });
});

test('the probability of a block beside a level is that of the conditional law', async () => {
  const copula = new GaussianCopula(R, 2);
  const s = Math.sqrt(1 - RHO * RHO);
  const ends = [
    [-Infinity, 0.5],
    [-0.3, 0.4],
    [1, Infinity],
    [-2, 2],
  ] as const;
  for (const z of [-2, 0, 1]) {
    const lower = fromRows(ends.map(([a]) => [a, z]));
    const upper = fromRows(ends.map(([, b]) => [b, z]));
    const log = await copula.logPdfCells(lower, upper, { scale: 'gaussian' });
    ends.forEach(([a, b], i) => {
      const right = cdf((b - RHO * z) / s) - cdf((a - RHO * z) / s);
      expect(Math.abs(Math.exp(log[i]!) - right)).toBeLessThan(1e-4);
    });
  }
  // the copula scale, points among cells, and the same bits for points
  const u = [0.2, 0.7];
  const [point, cell] = await copula.logPdfCells([u, [0, 0.7]], [u, [1, 0.7]]);
  expect(point).toBe((await copula.logPdf([u]))[0]);
  expect(Math.abs(cell!)).toBeLessThan(1e-4);
});

test('widths are exact deep in either tail', async () => {
  const independent = new GaussianCopula(Float64Array.of(1, 0, 0, 1), 2);
  for (const [a, b] of [
    [8, 9],
    [30, 31],
    [20, Infinity],
  ] as const) {
    const right = Math.log(cdf(-a) - cdf(-b));
    for (const [low, high] of [
      [a, b],
      [-b, -a],
    ] as const) {
      const [log] = await independent.logPdfCells([[low, 0]], [[high, 0]], { scale: 'gaussian' });
      expect(Math.abs(log! - right)).toBeLessThan(1e-12 * Math.abs(right));
    }
  }
});

test('cells that are none are refused', async () => {
  const copula = new GaussianCopula(R, 2);
  for (const [lower, upper, words] of [
    [[0.5, 0.5], [0.4, 0.5], 'row 1, column 1'],
    [[0.5, 0], [0.5, 0], 'row 1, column 2'],
    [[0.5, NaN], [0.5, 0.5], 'column 2'],
    [[0.5, -0.1], [0.5, 0.5], 'column 2'],
  ] as const) {
    await expect(copula.logPdfCells([lower], [upper])).rejects.toThrow(words);
  }
  await expect(
    copula.logPdfCells(
      [[0.1, 0.2]],
      [
        [0.1, 0.2],
        [0.1, 0.2],
      ],
    ),
  ).rejects.toThrow('2 and 1 rows');
  await expect(copula.logPdfCells([[0, 0]], [[1, 1]], { cellPoints: 0 })).rejects.toThrow('cellPoints');
});

describe('latent normal columns, rho 0.8', () => {
  const joint = async (name: string): Promise<JointDistribution> =>
    // the sample's own F, so that nothing but the blocks is compared
    new JointDistribution(
      new GaussianCopula(R, 2),
      await Margins.fit(await readTable(fixture(name)), { margins: { x: 'empirical' } }),
    );

  test('given flag = 1, and given grade = 3', async () => {
    for (const [file, given, right] of [
      ['flag.csv', { flag: 1 }, 106.2],
      ['grade.csv', { grade: 3 }, 112.5],
    ] as const) {
      const { table } = await (await joint(file)).sampleConditional(given, 40_000, { seed: 1 });
      expect(Math.abs(mean(table.column('x')) - right)).toBeLessThan(0.3);
    }
  });

  test('the same seed gives the same rows, for any number of threads', async () => {
    const model = await joint('flag.csv');
    const one = await model.sampleConditional({ flag: 1 }, 500, { seed: 9, threads: 1 });
    const two = await model.sampleConditional({ flag: 1 }, 500, { seed: 9, threads: 2 });
    expect(two).toEqual(one);
    const other = await model.sampleConditional({ flag: 1 }, 500, { seed: 10 });
    expect(other.table.column('x')).not.toEqual(one.table.column('x'));
  });
});

test('a level and a value together: density times the probability of the block', async () => {
  const R3 = Float64Array.of(1, 0.5, 0.3, 0.5, 1, 0.6, 0.3, 0.6, 1);
  const joint = jointOf(new GaussianCopula(R3, 3), [
    few[0]!,
    { name: 'x', margin: normal },
    { name: 'y', margin: normal },
  ]);
  const given = await joint.sampleConditional({ a: 3, x: 1.5 }, 5000, { seed: 4 });
  const pair = jointOf(new GaussianCopula(Float64Array.of(1, 0.5, 0.5, 1), 2), [
    few[0]!,
    { name: 'x', margin: normal },
  ]);
  const [right] = await pair.logPdf([[3, 1.5]]);
  expect(given.standardError).toBe(0);
  expect(given.logMarginalDensity).toBeCloseTo(right!, 9);
  // what the draws say
  const log = right! - joint.margins.margin('x').logPdf(Float64Array.of(1.5))[0]!;
  expect(Math.abs(Math.log(given.blockAcceptance!) - log)).toBeLessThan(0.15);
  expect(given.table.column('x').every((value) => value === 1.5)).toBe(true);
});

test('rows are drawn given a value that next to no draw has', async () => {
  const rare = counts(99_999_999, 1);
  const joint = jointOf(new GaussianCopula(R, 2), [
    { name: 'a', kind: 'integer', margin: rare },
    { name: 'x', margin: normal },
  ]);
  const { table, method, blockAcceptance, logMarginalDensity } = await joint.sampleConditional({ a: 2 }, 400);
  expect(method).toBe('subset-simulation');
  expect(new Set(table.column('a'))).toEqual(new Set([2]));
  expect(Math.abs(Math.log(blockAcceptance!) - logMarginalDensity!)).toBeLessThan(0.3);
  // E[z | z > b] is nearly b + 1 / b
  const beyond = normalQuantile(Float64Array.of(1 - Math.exp(logMarginalDensity!)))[0]!;
  expect(Math.abs(mean(table.column('x')) - RHO * (beyond + 1 / beyond))).toBeLessThan(0.25);
});

test('a discrete column has no values between', async () => {
  const joint = jointOf(new GaussianCopula(R, 2), [
    { name: 'a', margin: few[0]!.margin },
    { name: 'x', margin: normal },
  ]);
  await expect(joint.sampleConditional({ a: 1.5 }, 10)).rejects.toThrow('"a"');
});

test('cells of ranks are the blocks of recurring values', async () => {
  const table = new Table(
    ['x', 'y'],
    [Float64Array.of(1, 1, 1, 2, 3), Float64Array.of(1, 2, 3, 4, 5)],
    ['float', 'float'],
  );
  const ranks = await PseudoObservations.fit(table);
  const { lower, upper } = await ranks.cells(table);
  const [low, high] = [normalCdf(lower.data), normalCdf(upper.data)];
  expect([low[0], high[0]].map((u) => Math.round(u! * 1e9) / 1e9)).toEqual([0, 0.583333333]);
  for (const [k, rank] of [
    [1, 1],
    [7, 4],
  ] as const) {
    expect(low[k]! * 6).toBeCloseTo(rank, 9);
    expect(high[k]).toBe(low[k]);
  }
});
