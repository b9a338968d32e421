/** Gaussian and Student copulas of fewer rows than columns, or of few more. */
import path from 'node:path';

import { type Matrix, PseudoObservations, fitCopula, matrix, normalCdf, readTable } from '../../lib';
import { shrink } from '../../lib/copulas/correlation/correlation';
import { chooseShrinkage } from '../../lib/copulas/correlation/shrinkage';
import { Generator } from '../../lib/data/random';
import { callNative } from '../../lib/native';
import { sklarError } from '../data/support';

/** Of the matrix, from its Cholesky factor. */
const logDeterminantOf = (matrix: Float64Array, dim: number) => {
  const factor = callNative((addon) => addon.cholesky(matrix, dim));
  return Array.from({ length: dim }, (_, i) => 2 * Math.log(factor[i * (dim + 1)]!)).reduce((a, b) => a + b);
};

const WIDE = path.join(__dirname, '../fixtures/cases/wide');

function normals(count: number, ...seed: number[]): Float64Array {
  const generator = new Generator(...seed);
  const unit = () => (generator.next() + 0.5) / 2 ** 32;
  return Float64Array.from(
    { length: count },
    () => Math.sqrt(-2 * Math.log(unit())) * Math.cos(2 * Math.PI * unit()),
  );
}

/** Rows of a Gaussian copula. */
function draw(correlation: Float64Array, dim: number, rows: number, seed: number): Matrix {
  const factor = callNative((addon) => addon.cholesky(correlation, dim));
  const z = normals(rows * dim, seed);
  const x = new Float64Array(rows * dim);
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < dim; j++)
      for (let k = 0; k <= j; k++) x[i * dim + j]! += factor[j * dim + k]! * z[i * dim + k]!;
  return matrix(normalCdf(x), rows, dim);
}

const matrixOf = (dim: number, rho: (i: number, j: number) => number) =>
  Float64Array.from({ length: dim * dim }, (_, at) => {
    const [i, j] = [Math.floor(at / dim), at % dim];
    return i === j ? 1 : rho(i, j);
  });

const identity = (dim: number) => matrixOf(dim, () => 0);
const meanOf = (values: Float64Array) => values.reduce((sum, value) => sum + value, 0) / values.length;

async function ranksOf(file: string): Promise<Matrix> {
  return (await PseudoObservations.fit(await readTable(path.join(WIDE, file)))).transformTrain();
}

// the rows of both files are independent normal ones: no copula can have more than 0 nats a new row
test.each([
  ['w10x30.csv', 'gaussian', 10, 30],
  ['w12x3.csv', 'gaussian', 12, 3],
  ['w10x30.csv', 'student', 10, 30],
  ['w12x3.csv', 'student', 12, 3],
] as const)('%s: new rows by a %s copula', async (file, kind, rows, dim) => {
  const copula = await fitCopula(await ranksOf(file), { kind });
  const score = meanOf(await copula.logPdf(draw(identity(dim), dim, 5000, 3)));
  expect(score).toBeLessThan(0.05);
  expect(score).toBeGreaterThan(kind === 'gaussian' ? -0.3 : -1);
  const { shrinkage } = copula.info().training as { shrinkage: number };
  // degrees of freedom at the upper end of their range are right for these rows, and said
  expect(copula.notes.filter(({ code }) => code !== 'bound')).toEqual([
    {
      code: 'shrinkage',
      columns: [],
      message: `correlations were drawn ${Math.round(100 * shrinkage)} % towards independence: ${rows} rows for ${dim} columns`,
    },
  ]);
});

test.each([
  ['equal correlations of .3', matrixOf(30, () => 0.3), 1.2],
  ['equal correlations of .8', matrixOf(30, () => 0.8), 10],
  ['an autoregression', matrixOf(30, (i, j) => 0.9 ** Math.abs(i - j)), 11],
])('ten rows of 30 columns with %s', async (_, truth, least) => {
  const scores = [1, 2, 3].map(async (seed) => {
    const u = draw(truth, 30, 10, seed);
    const copula = await fitCopula(u, { kind: 'gaussian' });
    return meanOf(await copula.logPdf(draw(truth, 30, 4000, 9)));
  });
  const all = await Promise.all(scores);
  expect(all.reduce((sum, value) => sum + value, 0) / 3).toBeGreaterThan(least);
});

describe('many rows for the columns', () => {
  test.each([
    ['equal correlations', matrixOf(10, () => 0.8)],
    ['an autoregression', matrixOf(10, (i, j) => 0.9 ** Math.abs(i - j))],
    ['one strong pair', matrixOf(10, (i, j) => (i + j === 1 ? 0.9999 : 0))],
  ])('leave %s as they are', async (_, truth) => {
    const u = draw(truth, 10, 1000, 5);
    const copula = await fitCopula(u, { kind: 'gaussian' });
    const { shrinkage } = copula.info().training as { shrinkage: number };
    expect(shrinkage).toBeLessThan(2e-3);
    expect(copula.notes).toEqual([]);
  });

  test('shrink independent columns, for the better', async () => {
    const u = draw(identity(10), 10, 1000, 6);
    const copula = await fitCopula(u, { kind: 'gaussian' });
    const { shrinkage } = copula.info().training as { shrinkage: number };
    const raw = copula.correlation.map((r, i) => (i % 11 === 0 ? 1 : r / (1 - shrinkage)));
    // the expected log density of independent rows: -(log det R + tr R^-1 - d) / 2
    const expected = (r: Float64Array) => {
      const factor = callNative((addon) => addon.cholesky(r, 10));
      const logDeterminant = logDeterminantOf(r, 10);
      let trace = 0;
      for (let k = 0; k < 10; k++) {
        const x = new Float64Array(10);
        for (let i = k; i < 10; i++) {
          let sum = i === k ? 1 : 0;
          for (let j = k; j < i; j++) sum -= factor[i * 10 + j]! * x[j]!;
          x[i] = sum / factor[i * 10 + i]!;
          trace += x[i]! ** 2;
        }
      }
      return -0.5 * (logDeterminant + trace - 10);
    };
    expect(expected(copula.correlation)).toBeGreaterThan(expected(raw) + 0.01);
  });

  test('two columns keep what they have', () => {
    const of = (rho: number) => chooseShrinkage(Float64Array.of(1, rho, rho, 1), 2, 500);
    for (const rho of [0.3, -0.5, 0.9, 0.99]) expect(of(rho)).toBe(1e-5);
    // a tenth of the standard error of 1 - rho, unless the columns are one
    for (const rho of [0.999, -0.9999, 1 - 1e-6]) {
      expect(of(rho) / ((0.1 * (1 - Math.abs(rho)) * 2) / Math.sqrt(500))).toBeCloseTo(Math.SQRT1_2, 2);
    }
    for (const rho of [1, -1]) expect(of(rho)).toBe(1e-5);
  });
});

// the leave-one-out criterion by its definition, with every row at the mean Mahalanobis distance
test('the shrinkage is the least within a nat of the best', () => {
  const [dim, rows] = [5, 40];
  const n = rows - 1;
  const r = matrixOf(dim, (i, j) => 0.5 ** Math.abs(i - j) + (i + j === 1 ? 0.2 : 0));
  const score = (a: number) => {
    const share = (1 - a) / (n - 1);
    const g = r.map((value, at) => n * share * value + (at % (dim + 1) === 0 ? a : 0));
    const scale = n * share + a; // the diagonal of g
    const logDeterminant = logDeterminantOf(
      shrink(
        g.map((v) => v / scale),
        dim,
        0,
      ),
      dim,
    );
    const step = 1e-6; // tr(g^-1 r) is the derivative of log det g
    const moved = g.map((value, at) => value + step * r[at]!);
    const [up, down] = [moved, g.map((value, at) => value - step * r[at]!)].map((m) =>
      logDeterminantOf(m, dim),
    ) as [number, number];
    const distance = (up - down) / (2 * step);
    const lost = 1 - share * distance;
    return -0.5 * n * (logDeterminant + dim * Math.log(scale) + distance / lost + Math.log(lost));
  };
  const best = Math.max(...Array.from({ length: 2000 }, (_, k) => score(1e-4 + (k / 2000) * 0.9)));
  const found = chooseShrinkage(r, dim, rows);
  expect(score(found)).toBeCloseTo(best - 1, 2);
  expect(score(0.8 * found)).toBeLessThan(best - 1);
});

describe('networks', () => {
  const SMALL = { hidden: 8, depth: 1, steps: 5, batch: 8, anneal: 0 };

  test.each(['cdc', 'flow', 'reflection'] as const)('a %s of 10 rows in 12 columns', async (kind) => {
    const u = draw(identity(12), 12, 10, 4);
    using copula = await fitCopula(u, { kind, ...SMALL } as { kind: 'cdc' });
    expect((await copula.logPdf(u)).every(Number.isFinite)).toBe(true);
  });

  test('a guide that is singular as asked for says how many rows and columns there are', async () => {
    const u = draw(identity(12), 12, 10, 4);
    const error = await sklarError(
      () => fitCopula(u, { kind: 'flow', shrinkage: 0, hidden: 8, depth: 1, steps: 5, batch: 8 }),
      'ERR_SKLAR_VALUE',
    );
    expect(error.message).toContain('10 rows for 12 columns');
  });
});
