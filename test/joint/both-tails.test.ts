/** Rows and conditions far out on either side have the closed form's values. */
import path from 'node:path';

import {
  type ClassicalCopula,
  type Copula,
  GaussianCopula,
  StudentCopula,
  fitCopula,
  fitJoint,
  fromRows,
  readTable,
} from '../../lib';
import { jointOf, law, mean } from './support';

const RHO = 0.6;
const R = Float64Array.of(1, RHO, RHO, 1);
const normal = law('normal', { mean: 10, deviation: 2 });
const unit = law('normal', { mean: 0, deviation: 1 });

/** Log density of two standard normal columns of correlation rho. */
const bivariate = (a: number, b: number, rho: number): number =>
  -Math.log(2 * Math.PI) -
  Math.log1p(-rho * rho) / 2 -
  (a * a - 2 * rho * a * b + b * b) / (2 * (1 - rho * rho));

const far = [-40, -37, -30, -15, -9, -8.3, -5, 0, 5, 8.3, 9, 15, 30, 37, 40];
const pairs = far.flatMap((a) => far.map((b) => [a, b] as const));

test('normal margins with a Gaussian copula', async () => {
  const joint = jointOf(new GaussianCopula(R, 2), [
    { name: 'a', margin: normal },
    { name: 'b', margin: unit },
  ]);
  const log = await joint.logPdf(fromRows(pairs.map(([a, b]) => [10 + 2 * a, b])));
  pairs.forEach(([a, b], i) => {
    const right = bivariate(a, b, RHO) - Math.log(2);
    expect(Math.abs(log[i]! - right)).toBeLessThan(1e-9 * Math.abs(right));
  });
});

test('log-normal margins with a Gaussian copula', async () => {
  const joint = jointOf(new GaussianCopula(R, 2), [
    { name: 'a', margin: law('log-normal', { mean: 1, deviation: 0.5 }) },
    { name: 'b', margin: unit },
  ]);
  const log = await joint.logPdf(fromRows(pairs.map(([a, b]) => [Math.exp(1 + 0.5 * a), b])));
  pairs.forEach(([a, b], i) => {
    const right = bivariate(a, b, RHO) - Math.log(0.5) - (1 + 0.5 * a);
    expect(Math.abs(log[i]! - right)).toBeLessThan(1e-9 * Math.abs(right));
  });
});

test('t margins with a Student copula are a bivariate t distribution', async () => {
  for (const degrees of [3, 8]) {
    const t = law('student-t', { location: 0, scale: 1, df: degrees });
    const joint = jointOf(new StudentCopula(R, 2, degrees), [
      { name: 'a', margin: t },
      { name: 'b', margin: t },
    ]);
    const steps = [-1e30, -1e12, -1e4, -20, -1, 0, 1, 20, 1e4, 1e12, 1e30];
    const points = steps.flatMap((a) => steps.map((b) => [a, b] as const));
    const log = await joint.logPdf(fromRows(points));
    points.forEach(([a, b], i) => {
      const form = (a * a - 2 * RHO * a * b + b * b) / (1 - RHO * RHO);
      const right =
        -Math.log(2 * Math.PI) -
        Math.log1p(-RHO * RHO) / 2 -
        ((degrees + 2) / 2) * Math.log1p(form / degrees);
      expect(Math.abs(log[i]! - right)).toBeLessThan(1e-9 * Math.abs(right));
    });
  }
});

test('other margins: the copula is met at the exact score', async () => {
  // exponential: -z is the score of exp(-x); a Gaussian copula with it and a normal column
  const joint = jointOf(new GaussianCopula(R, 2), [
    { name: 'a', margin: law('exponential', { scale: 1 }) },
    { name: 'b', margin: unit },
  ]);
  // P(Z > z) by its continued fraction, for z from 8 on
  const logTail = (z: number): number => {
    let fraction = z;
    for (let k = 400; k > 0; k--) fraction = z + k / fraction;
    return -(z * z) / 2 - Math.log(2 * Math.PI) / 2 - Math.log(fraction);
  };
  for (const z of [8, 12, 20, 30, 37]) {
    const x = -logTail(z);
    for (const b of [-30, -10, 0, 10, 30]) {
      const [log] = await joint.logPdf([[x, b]]);
      const right = bivariate(z, b, RHO) + Math.log(2 * Math.PI) / 2 + (z * z) / 2 - x;
      expect(Math.abs(log! - right)).toBeLessThan(1e-9 * Math.abs(right) + 1e-9);
    }
  }
});

const margins = [
  unit,
  law('logistic', { location: 0, scale: 1 }),
  law('student-t', { location: 0, scale: 1, df: 4 }),
  law('johnson-su', { location: 0, scale: 1, skew: 0, shape: 2 }),
];
const kinds: [string, () => Promise<Copula> | Copula][] = [
  ['gaussian', () => new GaussianCopula(R, 2)],
  ['student', () => new StudentCopula(R, 2, 5)],
];

describe.each(kinds)('%s', (_, make) => {
  test.each(margins)('mirrored data have mirrored densities: %j', async (margin) => {
    const joint = jointOf(await make(), [
      { name: 'a', margin },
      { name: 'b', margin },
    ]);
    const steps = [-500, -60, -37, -12, -8.2, -3, 0, 1, 4, 9, 20, 37, 80, 700];
    const points = steps.flatMap((a) => steps.map((b) => [a, b]));
    const log = await joint.logPdf(fromRows(points));
    const mirrored = await joint.logPdf(fromRows(points.map((row) => row.map((x) => -x))));
    log.forEach((value, i) => {
      expect(value).not.toBeNaN();
      expect(Math.abs(value - mirrored[i]!)).toBeLessThanOrEqual(1e-10 * Math.abs(value) + 1e-10);
    });
  });
});

test('no kind gives NaN for finite rows, however far', async () => {
  const u = await new GaussianCopula(R, 2).sample(200, { dtype: 'float64' });
  const columns = [
    { name: 'a', margin: normal },
    { name: 'b', margin: law('gamma', { shape: 0.5, scale: 1 }) },
  ];
  const rows = [0, 1e-300, 1, 50, 700, 1e4, 1e300].flatMap((b) =>
    [-1e300, -1e9, -100, -60, 10, 80, 1e3, 1e300].map((a) => [a, b]),
  );
  for (const kind of [
    'gaussian',
    'student',
    'clayton',
    'gumbel',
    'frank',
    'joe',
    'kernel',
    'empirical-beta',
  ] as const) {
    const joint = jointOf(await fitCopula(u, { kind }), columns);
    const log = await joint.logPdf([...rows, [10, -1]]);
    log.forEach((value, i) => {
      if (Number.isNaN(value)) throw new Error(`${kind} gives NaN at ${String(rows[i])}`);
    });
    expect(log.at(-1)).toBe(-Infinity);
  }
});

describe('two normal columns', () => {
  const file = path.join(__dirname, '../fixtures/cases/outliers/train.csv');

  test('rows and conditions far out', async () => {
    const table = await readTable(file);
    const joint = await fitJoint(table, { copula: { kind: 'gaussian' }, margins: 'normal' });
    const { parameters: a } = joint.margins.margin('a');
    const { parameters: b } = joint.margins.margin('b');
    const rho = (joint.copula as ClassicalCopula).parameters.rho!;
    for (const z of [10, 15, 37, -10, -15, -37, 40, -40]) {
      const row = [a.mean! + z * a.deviation!, b.mean! + (z / 2) * b.deviation!];
      const [log] = await joint.logPdf([row]);
      const right = bivariate(z, z / 2, rho) - Math.log(a.deviation! * b.deviation!);
      expect(Math.abs(log! - right)).toBeLessThan(1e-9 * Math.abs(right));

      const given = await joint.sampleConditional({ a: row[0]! }, 4000);
      const expected = b.mean! + rho * z * b.deviation!;
      const error = (b.deviation! * Math.sqrt(1 - rho * rho)) / Math.sqrt(4000);
      expect(Math.abs(mean(given.table.column('b')) - expected)).toBeLessThan(4 * error);
      expect(given.logMarginalDensity).toBeCloseTo(
        -(z * z) / 2 - Math.log(2 * Math.PI) / 2 - Math.log(a.deviation!),
        8,
      );
    }
    for (const [value, expected] of [
      [30, 11.15],
      [40, 14.21],
    ] as const) {
      // of the rows that a fit on four fifths of them gave
      const { table: drawn } = await joint.sampleConditional({ a: value }, 20_000);
      expect(Math.abs(mean(drawn.column('b')) - expected)).toBeLessThan(0.1);
    }
  });
});

test('conditions beyond what a copula tells apart are refused', async () => {
  for (const kind of ['independence', 'clayton', 'gumbel', 'frank', 'bb1', 'bb8'] as const) {
    const u = await new GaussianCopula(R, 2).sample(200, { dtype: 'float64', seed: 2 });
    const joint = jointOf(await fitCopula(u, { kind: kind as 'clayton' }), [
      { name: 'a', margin: normal },
      { name: 'b', margin: normal },
    ]);
    const { mean: at, deviation } = joint.margins.margin('a').parameters;
    const given = async (z: number) => {
      const { table } = await joint.sampleConditional({ a: at! + z * deviation! }, 500, { seed: 1 });
      return mean(table.column('b'));
    };
    // b given a goes on as it does from 100 to 200
    for (const sign of [1, -1]) {
      const [near, far, farthest] = [
        await given(100 * sign),
        await given(200 * sign),
        await given(999 * sign),
      ];
      expect(Math.abs(farthest)).toBeGreaterThanOrEqual(Math.abs(far) - 1e-9);
      expect(Math.abs(farthest)).toBeLessThanOrEqual(Math.abs(near) + 9.1 * Math.abs(far - near) + 1e-9);
    }
    for (const z of [1001, -1e9, 1e200]) {
      await expect(given(z)).rejects.toMatchObject({
        code: 'ERR_SKLAR_VALUE',
        message: expect.stringMatching(
          /^expected a normal score between -1000 and 1000 for the fixed column "a", got -?[1-9]/,
        ),
      });
    }
  }
});

test('a Student copula meets its condition on either side', async () => {
  const t = law('student-t', { location: 0, scale: 1, df: 5 });
  const joint = jointOf(new StudentCopula(R, 2, 5), [
    { name: 'a', margin: t },
    { name: 'b', margin: t },
  ]);
  for (const a of [-1e20, -1e4, 1e4, 1e20]) {
    // b given a is t with 6 degrees about rho a
    const { table } = await joint.sampleConditional({ a }, 20_000);
    expect(Math.abs(mean(table.column('b')) / a - RHO)).toBeLessThan(0.02);
  }
});

test('samples reach both tails alike', async () => {
  const cauchy = law('student-t', { location: 0, scale: 1, df: 1 });
  const joint = jointOf(new GaussianCopula(R, 2), [
    { name: 'a', margin: cauchy },
    { name: 'b', margin: law('log-normal', { mean: 0, deviation: 1 }) },
  ]);
  const table = await joint.sample(50_000, { seed: 3 });
  for (const column of table.columns) expect(column.every(Number.isFinite)).toBe(true);
  const a = table.column('a').slice().sort();
  expect(-a[0]!).toBeGreaterThan(3000);
  expect(a.at(-1)).toBeGreaterThan(3000);
});
