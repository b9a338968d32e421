// Probabilities of cells of classical copulas: against arbitrary precision, sums and integrals.
import { readFileSync } from 'node:fs';
import path from 'node:path';

import {
  type ClassicalCopula,
  type FamilyKind,
  FamilyCopula,
  GaussianCopula,
  StudentCopula,
  type Rotation,
} from '../../lib';

interface Reference {
  cells: [number, number, number, number][];
  edges: [number, number, number][];
  cases: {
    family: string;
    parameters: number[];
    rotation: Rotation;
    cells: (number | null)[];
    edges: (number | null)[];
  }[];
}

const reference = JSON.parse(
  readFileSync(path.join(__dirname, '..', 'fixtures', 'reference', 'cells-exact.json'), 'utf8'),
) as Reference;

const names: Record<string, readonly string[]> = {
  huslerReiss: ['lambda'],
  tawn: ['psi1', 'psi2', 'theta'],
};

function copulaOf({ family, parameters, rotation }: Reference['cases'][number]): ClassicalCopula {
  const pair = Float64Array.of(1, parameters[0]!, parameters[0]!, 1);
  if (family === 'gaussian') return new GaussianCopula(pair, 2);
  if (family === 'student') return new StudentCopula(pair, 2, parameters[1]!);
  const keys = names[family] ?? ['theta', 'delta'];
  const values = Object.fromEntries(parameters.map((value, i) => [keys[i]!, value]));
  return new FamilyCopula((family === 'huslerReiss' ? 'husler-reiss' : family) as FamilyKind, values, {
    rotation,
  });
}

const title = ({ family, parameters, rotation }: Reference['cases'][number]) =>
  [`${family} ${parameters.join(' ')} rotated by ${rotation}`] as const;

describe.each(reference.cases.map((one) => [...title(one), one] as const))('%s', (_, one) => {
  const copula = copulaOf(one);

  test('rectangles', async () => {
    const found = await copula.logPdfCells(
      reference.cells.map(([a, , s]) => [a, s]),
      reference.cells.map(([, b, , t]) => [b, t]),
    );
    one.cells.forEach((value, i) => {
      if (value !== null) expect(Math.abs(found[i]! - value)).toBeLessThan(2e-9);
    });
  });

  test('a level and a cell', async () => {
    const found = await copula.logPdfCells(
      reference.edges.map(([u, s]) => [u, s]),
      reference.edges.map(([u, , t]) => [u, t]),
    );
    one.edges.forEach((value, i) => {
      if (value !== null) expect(Math.abs(found[i]! - value)).toBeLessThan(2e-9);
    });
  });
});

/** Log density or probability of every combination of the cells of a partition; levels where the cell is a number. */
function partition(ends: readonly number[], dim: number) {
  const cells = ends.slice(1).map((upper, k) => [ends[k]!, upper] as const);
  let rows: (readonly (readonly [number, number])[])[] = [[]];
  for (let j = 0; j < dim; j++) rows = rows.flatMap((row) => cells.map((cell) => [...row, cell]));
  return rows;
}
const sumOf = (logs: Float64Array) => logs.reduce((sum, value) => sum + Math.exp(value), 0);

const equal = (dim: number, rho: number) =>
  Float64Array.from({ length: dim * dim }, (_, i) => (i % (dim + 1) === 0 ? 1 : rho));

describe.each([
  ['gaussian', (dim: number) => new GaussianCopula(equal(dim, 0.6), dim), 1e-3],
  ['student', (dim: number) => new StudentCopula(equal(dim, 0.6), dim, 3), 1e-3],
  ['clayton', (dim: number) => new FamilyCopula('clayton', { theta: 1.5 }, { dim }), 1e-9],
  [
    'gumbel turned',
    (dim: number) => new FamilyCopula('gumbel', { theta: 1.5 }, { dim, rotation: 180 }),
    1e-9,
  ],
  ['joe', (dim: number) => new FamilyCopula('joe', { theta: 2 }, { dim }), 1e-9],
  ['frank', (dim: number) => new FamilyCopula('frank', { theta: 4 }, { dim }), 1e-9],
  ['amh', (dim: number) => new FamilyCopula('amh', { theta: 0.7 }, { dim }), 1e-9],
] as const)('%s in more columns', (_, make, sampled) => {
  test.each([2, 3, 4, 5])('cells of %d columns sum to one', async (dim) => {
    const rows = partition(dim < 5 ? [0, 0.3, 0.9, 1] : [0, 0.4, 1], dim);
    const logs = await make(dim).logPdfCells(
      rows.map((row) => row.map(([a]) => a)),
      rows.map((row) => row.map(([, b]) => b)),
    );
    expect(Math.abs(sumOf(logs) - 1)).toBeLessThan(dim === 2 ? 1e-10 : sampled);
  });

  test('given a level the cells of the others sum to one, of two levels to their density', async () => {
    const copula = make(4);
    const rows = partition([0, 0.2, 0.7, 1], 3);
    const one = await copula.logPdfCells(
      rows.map((row) => [row[0]![0], 0.85, row[1]![0], row[2]![0]]),
      rows.map((row) => [row[0]![1], 0.85, row[1]![1], row[2]![1]]),
    );
    expect(Math.abs(sumOf(one) - 1)).toBeLessThan(sampled);
    const pairs = partition([0, 0.2, 0.7, 1], 2);
    const two = await copula.logPdfCells(
      pairs.map((row) => [row[0]![0], 0.85, 0.3, row[1]![0]]),
      pairs.map((row) => [row[0]![1], 0.85, 0.3, row[1]![1]]),
    );
    const [density] = await make(2).pdf([[0.85, 0.3]]);
    expect(Math.abs(sumOf(two) / density! - 1)).toBeLessThan(1e-9);
    // a column that may lie anywhere is one that is not there
    const [whole] = await copula.logPdfCells([[0.3, 0, 0.4, 0]], [[0.3, 1, 0.4, 1]]);
    const [pair] = await make(2).logPdf([[0.3, 0.4]]);
    expect(Math.abs(whole! - pair!)).toBeLessThan(1e-12);
  });
});

test('far cells have their digits on both sides, and a probability that no double could hold', async () => {
  const copula = new GaussianCopula(Float64Array.of(1, 0.8, 0.8, 1), 2);
  const ends = [-30, -10, 10, 30] as const;
  const options = { scale: 'gaussian' } as const;
  const [low, high] = await copula.logPdfCells(
    [
      [-10, ends[0]],
      [10, ends[2]],
    ],
    [
      [-10, ends[1]],
      [10, ends[3]],
    ],
    options,
  );
  // log Phi((-10 + 8) / 0.6), what is below -30 being nothing
  expect(Math.abs(low! - Math.log(4.290603331968372e-4))).toBeLessThan(1e-12);
  expect(Math.abs(high! - low!)).toBeLessThan(1e-12);
  const opposite = new GaussianCopula(Float64Array.of(1, -0.9, -0.9, 1), 2);
  const [rare] = await opposite.logPdfCells([[0, 0]], [[1e-20, 1e-20]]);
  expect(rare!).toBeLessThan(-800);
  expect(Number.isFinite(rare)).toBe(true);
});

describe('the distribution function of gaussian and student copulas in more columns', () => {
  // all below their medians with the same correlation: 1/2 of three; of any number P(X_0 > max) by symmetry at 1/2
  test.each([3, 4, 6, 10])('orthants of %d columns with correlation 1/2: 1 / (d + 1)', async (dim) => {
    for (const copula of [
      new GaussianCopula(equal(dim, 0.5), dim),
      new StudentCopula(equal(dim, 0.5), dim, 3),
    ]) {
      const { values, standardErrors } = await copula.cdfWithErrors([new Array<number>(dim).fill(0.5)]);
      if (dim === 3) {
        expect(Math.abs(values[0]! - 0.25)).toBeLessThan(1e-11);
        expect(standardErrors[0]).toBe(0);
      } else {
        expect(Math.abs(values[0]! - 1 / (dim + 1))).toBeLessThan(6 * standardErrors[0]! + 1e-12);
        expect(standardErrors[0]!).toBeLessThan(1e-4);
      }
    }
  });

  test('of three columns the orthant is known for any correlations (Sheppard)', async () => {
    const [r, s, t] = [0.9, -0.3, 0.1];
    const exact = 0.125 + (Math.asin(r) + Math.asin(s) + Math.asin(t)) / (4 * Math.PI);
    const correlation = Float64Array.of(1, r, s, r, 1, t, s, t, 1);
    for (const copula of [new GaussianCopula(correlation, 3), new StudentCopula(correlation, 3, 2.5)]) {
      const [value] = await copula.cdf([[0.5, 0.5, 0.5]]);
      expect(Math.abs(value! - exact)).toBeLessThan(1e-11);
    }
  });

  test('sides, the same bits for any number of threads, and fewer columns', async () => {
    const copula = new StudentCopula(equal(5, 0.4), 5, 4);
    const points = [
      [0.3, 0.8, 0.6, 0.4, 0.9],
      [0.3, 0.8, 1, 1, 1],
      [0.3, 0, 0.6, 0.4, 0.9],
      [1, 1, 1, 1, 1],
    ];
    const [one, two] = await Promise.all([1, 3].map((threads) => copula.cdf(points, { threads })));
    expect(one).toEqual(two);
    const [pair] = await copula.marginal([0, 1]).cdf([[0.3, 0.8]]);
    expect(Math.abs(one![1]! - pair!)).toBeLessThan(1e-14);
    expect(one![2]).toBe(0);
    expect(one![3]).toBe(1);
  });
});

test('a Student cell beside a level far out in a tail', async () => {
  const copula = new StudentCopula(Float64Array.of(1, -0.3, -0.3, 1), 2, 4);
  // 60 digits: the integral of the conditional t density of five degrees over the cell, levels as normal scores
  const exact = [
    [-10, -14.4164763622114],
    [-30, -114.688966557666],
    [-37, -173.366301962803],
  ] as const;
  const one = (x: number, y: number) => ({ data: Float64Array.of(x, y), rows: 1, columns: 2 });
  for (const [z, log] of exact) {
    const below = await copula.logPdfCells(one(z, -0.1), one(z, 0.5), { scale: 'gaussian' });
    expect(below[0]! / log).toBeCloseTo(1, 9);
    const above = await copula.logPdfCells(one(-z, -0.5), one(-z, 0.1), { scale: 'gaussian' });
    expect(above[0]!).toBeCloseTo(below[0]!, 8);
    const turned = await copula.logPdfCells(one(-0.1, z), one(0.5, z), { scale: 'gaussian' });
    expect(turned[0]!).toBeCloseTo(below[0]!, 8);
  }
  // four columns, two of them cells
  const four = new StudentCopula(
    Float64Array.from({ length: 16 }, (_, i) => (i % 5 === 0 ? 1 : 0.4)),
    4,
    4,
  );
  const at = (...x: number[]) => ({ data: Float64Array.from(x), rows: 1, columns: 4 });
  const log = await Promise.all(
    [-24, -25, -26, -27].map(
      async (z) =>
        (await four.logPdfCells(at(z, 0.3, -1, 0.2), at(z, 0.3, 1, 1.2), { scale: 'gaussian' }))[0]!,
    ),
  );
  // smooth in z: second differences of a tail of powers of exp(-z^2 / 2)
  const second = [log[2]! - 2 * log[1]! + log[0]!, log[3]! - 2 * log[2]! + log[1]!];
  expect(Math.abs(second[0]! - second[1]!)).toBeLessThan(0.02);
});
