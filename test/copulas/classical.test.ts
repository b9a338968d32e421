import {
  type ClassicalCopula,
  type FamilyKind,
  FamilyCopula,
  GaussianCopula,
  type Rotation,
  StudentCopula,
  classicalKinds,
  fitCopula,
  kendall,
  loadModel,
  matrix,
  parameterOfTau,
  toRows,
} from '../../lib';
import { families } from '../../lib/copulas/classical/families';
import { TemporaryFolder } from '../data/support';
import { equicorrelated } from '../helpers/data';

const folder = new TemporaryFolder();
const pair = (rho: number) => Float64Array.of(1, rho, rho, 1);
const double = { dtype: 'float64' } as const;

/** Every family with two columns, at parameters away from their bounds. */
const examples: [FamilyKind, Record<string, number>, Rotation][] = [
  ['clayton', { theta: 2 }, 90],
  ['gumbel', { theta: 1.8 }, 180],
  ['frank', { theta: -5 }, 0],
  ['joe', { theta: 2 }, 270],
  ['amh', { theta: 0.7 }, 0],
  ['bb1', { theta: 0.8, delta: 1.4 }, 0],
  ['bb6', { theta: 1.5, delta: 1.5 }, 90],
  ['bb7', { theta: 1.8, delta: 0.9 }, 180],
  ['bb8', { theta: 4, delta: 0.7 }, 0],
  ['galambos', { theta: 1 }, 0],
  ['husler-reiss', { lambda: 1.5 }, 0],
  ['tawn', { psi1: 0.8, psi2: 0.6, theta: 2.5 }, 0],
  ['fgm', { theta: 0.6 }, 0],
  ['plackett', { theta: 6 }, 0],
];

describe.each(examples)('%s %j rotated by %d', (kind, parameters, rotation) => {
  const copula = new FamilyCopula(kind, parameters, { rotation });

  test.each([500, 20_000])('parameters are recovered from %d rows', async (rows) => {
    const u = await copula.sample(rows, { seed: 11, ...double });
    const fitted = await fitCopula(u, { kind, rotation });
    for (const [name, truth] of Object.entries(parameters)) {
      const error = fitted.standardErrors![name]!;
      expect(error).toBeGreaterThan(0);
      expect(Math.abs(fitted.parameters[name]! - truth)).toBeLessThan(4 * error);
    }
    const truth = (await copula.logPdf(u)).reduce((sum, value) => sum + value, 0);
    expect(fitted.logLikelihood).toBeGreaterThanOrEqual(truth - 1e-4);
    expect(fitted.aic).toBeCloseTo(2 * Object.keys(parameters).length - 2 * fitted.logLikelihood!, 9);
    if (Object.keys(parameters).length > 1) return;
    const byTau = await fitCopula(u, { kind, rotation, method: 'tau' });
    const [[, tau]] = toRows(await kendall(u)) as [[number, number]];
    expect(byTau.tau()).toBeCloseTo(tau, 10);
    // sd of Kendall's tau is at most sqrt(2 (1 - tau^2) / n)
    expect(Math.abs(tau - copula.tau())).toBeLessThan(4 * Math.sqrt((2 * (1 - tau * tau)) / rows));
  });

  test('rosenblatt makes independent uniforms, and back', async () => {
    const u = await copula.sample(4000, { seed: 5, ...double });
    const e = await copula.rosenblatt(u);
    expectIndependentUniforms(toRows(e));
    const back = await copula.inverseRosenblatt(e);
    expect(largest(back.data, u.data)).toBeLessThan(1e-8);
  });

  test('h, its inverse and the cdf agree; sides give the limits', async () => {
    const u = toRows(await copula.sample(50, { seed: 2, ...double }));
    const h = await copula.hfunc1(u);
    expect(
      largest(
        await copula.hinv1(u.map(([a], i) => [a!, h[i]!])),
        u.map((row) => row[1]!),
      ),
    ).toBeLessThan(1e-8);
    const step = 1e-5;
    const [up, down] = await Promise.all(
      [step, -step].map((s) => copula.cdf(u.map(([a, b]) => [a! * (1 + s), b!]))),
    );
    h.forEach((value, i) => {
      const slope = (up![i]! - down![i]!) / (2 * step * u[i]![0]!);
      expect(Math.abs(slope - value)).toBeLessThan(1e-5);
    });
    expect(
      Array.from(
        await copula.cdf([
          [0, 0.3],
          [0.3, 0],
          [1, 0.3],
          [0.3, 1],
          [1, 1],
        ]),
      ),
    ).toEqual([0, 0, 0.3, 0.3, 1]);
    expect(
      Array.from(
        await copula.hfunc1([
          [0.4, 0],
          [0.4, 1],
        ]),
      ),
    ).toEqual([0, 1]);
    const edge = await copula.hfunc1([
      [0, 0.3],
      [1, 0.3],
    ]);
    const near = await copula.hfunc1([
      [1e-280, 0.3],
      [1 - 1e-16, 0.3],
    ]);
    edge.forEach((value, i) => expect(Math.abs(value - near[i]!)).toBeLessThan(0.1));
  });
});

function largest(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return Array.from(a).reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);
}

/** Kolmogorov-Smirnov of every column and of the sums of neighbours modulo 1, at the level 1e-4. */
function expectIndependentUniforms(rows: number[][]): void {
  const n = rows.length;
  const columns = rows[0]!.length;
  for (let j = 0; j < columns; j++) {
    const next = (j + 1) % columns;
    for (const values of [rows.map((row) => row[j]!), rows.map((row) => (row[j]! + row[next]!) % 1)]) {
      values.sort((a, b) => a - b);
      const distance = Math.max(...values.map((value, i) => Math.max(value - i / n, (i + 1) / n - value)));
      expect(distance).toBeLessThan(2.23 / Math.sqrt(n));
    }
  }
}

describe('student', () => {
  test.each([500, 20_000])('correlation and degrees of freedom from %d rows', async (rows) => {
    const u = await new StudentCopula(pair(0.5), 2, 4).sample(rows, { seed: 1, ...double });
    for (const method of ['mle', 'tau'] as const) {
      const fitted = await fitCopula(u, { kind: 'student', method });
      const errors = fitted.standardErrors ?? { rho: 1 / Math.sqrt(rows), degrees: 20 / Math.sqrt(rows) };
      expect(Math.abs(fitted.correlation[1]! - 0.5)).toBeLessThan(4 * errors.rho!);
      expect(Math.abs(fitted.degrees - 4)).toBeLessThan(4 * errors.degrees!);
    }
  });

  test('of three columns: correlations that maximise the likelihood, uniforms, tails', async () => {
    const r = Float64Array.of(1, 0.5, -0.3, 0.5, 1, 0.2, -0.3, 0.2, 1);
    const truth = new StudentCopula(r, 3, 5);
    const u = await truth.sample(3000, { seed: 9, ...double });
    expectIndependentUniforms(toRows(await truth.rosenblatt(u)));
    const fitted = await fitCopula(u, { kind: 'student' });
    expect(Math.abs(fitted.degrees - 5)).toBeLessThan(4 * fitted.standardErrors!.degrees!);
    expect(largest(fitted.correlation, r)).toBeLessThan(4 / Math.sqrt(3000));
    const likelihood = async (copula: StudentCopula) =>
      (await copula.logPdf(u)).reduce((sum, value) => sum + value, 0);
    const top = await likelihood(fitted);
    expect(top).toBeCloseTo(fitted.logLikelihood!, 8);
    for (const k of [1, 2, 5]) {
      const moved = Float64Array.from(fitted.correlation);
      for (const step of [0.002, -0.002]) {
        moved[k] = moved[3 * (k % 3) + Math.floor(k / 3)] = fitted.correlation[k]! + step;
        expect(await likelihood(new StudentCopula(moved, 3, fitted.degrees))).toBeLessThan(top);
      }
    }
    const { lowerLower, lowerUpper } = truth.tailDependence(0, 2);
    expect(lowerLower).toBeLessThan(lowerUpper);
    expect(truth.marginal([0, 2]).tailDependence()).toEqual(truth.tailDependence(0, 2));
  });

  test('is the Gaussian copula for many degrees of freedom', async () => {
    const u = equicorrelated(100, 3, 0.4, 3);
    const r = Float64Array.of(1, 0.4, 0.4, 0.4, 1, 0.4, 0.4, 0.4, 1);
    const far = await new StudentCopula(r, 3, 1e6).logPdf(u);
    expect(largest(far, await new GaussianCopula(r, 3).logPdf(u))).toBeLessThan(1e-4);
  });
});

test('gaussian by tau and by normal scores', async () => {
  const u = await new GaussianCopula(pair(-0.6), 2).sample(5000, { seed: 4, ...double });
  for (const method of ['mle', 'tau'] as const) {
    const fitted = await fitCopula(u, { kind: 'gaussian', method });
    expect(Math.abs(fitted.parameters.rho! + 0.6)).toBeLessThan(4 * 0.012);
  }
  const r = Float64Array.of(1, 0.5, -0.3, 0.5, 1, 0.2, -0.3, 0.2, 1);
  const copula = new GaussianCopula(r, 3);
  const v = await copula.sample(3000, { seed: 6, ...double });
  const e = await copula.rosenblatt(v);
  expectIndependentUniforms(toRows(e));
  expect(largest((await copula.inverseRosenblatt(e)).data, v.data)).toBeLessThan(1e-12);
});

describe.each([
  ['clayton', 2],
  ['gumbel', 1.7],
  ['frank', 6],
  ['joe', 2.2],
  ['amh', 0.8],
] as [FamilyKind, number][])('%s of many columns', (kind, theta) => {
  test.each([0, 180] as const)('draws, uniforms and fits, rotated by %d', async (rotation) => {
    const copula = new FamilyCopula(kind, { theta }, { dim: 4, rotation });
    const u = await copula.sample(4000, { seed: 8, ...double });
    expectIndependentUniforms(toRows(await copula.rosenblatt(u)));
    const fitted = await fitCopula(u, { kind, rotation });
    expect(Math.abs(fitted.parameters.theta! - theta)).toBeLessThan(4 * fitted.standardErrors!.theta!);
    const byTau = await fitCopula(u, { kind, rotation, method: 'tau' });
    expect(Math.abs(byTau.tau() - copula.tau())).toBeLessThan(4 * Math.sqrt(2 / 4000));
    // by the empirical distribution of other rows
    const others = toRows(await copula.sample(20_000, { seed: 88, ...double }));
    const point = [0.4, 0.5, 0.6, 0.3];
    const [c] = await copula.cdf([point]);
    const share = others.filter((row) => row.every((value, j) => value <= point[j]!)).length / others.length;
    expect(Math.abs(share - c!)).toBeLessThan(4 * Math.sqrt((c! * (1 - c!)) / others.length));
  });

  test('of two columns is the bivariate family', async () => {
    const u = await new FamilyCopula(kind, { theta }).sample(200, { seed: 1, ...double });
    const three = new FamilyCopula(kind, { theta }, { dim: 3 });
    // C(u, v, 1) = C(u, v)
    const wide = toRows(u).map((row) => [...row, 1]);
    expect(largest(await three.cdf(wide), await new FamilyCopula(kind, { theta }).cdf(u))).toBeLessThan(
      1e-14,
    );
  });
});

test('samples do not depend on threads and batches, and the Gaussian scale keeps the tails', async () => {
  for (const copula of [
    new FamilyCopula('joe', { theta: 3 }, { dim: 5 }),
    new FamilyCopula('bb7', { theta: 2, delta: 1 }, { rotation: 90 }),
    new StudentCopula(pair(0.5), 2, 3),
  ]) {
    const whole = await copula.sample(700, { seed: 3, threads: 1, ...double });
    expect(await copula.sample(700, { seed: 3, threads: 3, ...double })).toEqual(whole);
    const tail = await copula.sample(300, { seed: 3, firstRow: 400, ...double });
    expect(tail.data).toEqual(whole.data.subarray(400 * copula.dim));
    const z = await copula.sample(700, { seed: 3, scale: 'gaussian', ...double });
    expect(largest(await copula.logPdf(z, { scale: 'gaussian' }), await copula.logPdf(whole))).toBeLessThan(
      1e-7,
    );
    const far = await copula.logPdf([Array.from({ length: copula.dim }, () => 12)], { scale: 'gaussian' });
    expect(Number.isFinite(far[0])).toBe(true);
  }
});

test('tail dependence is the limit of C(q, q) / q', async () => {
  for (const [kind, parameters, rotation] of examples) {
    const copula = new FamilyCopula(kind, parameters, { rotation });
    const { lowerLower, upperUpper, lowerUpper, upperLower } = copula.tailDependence();
    const q = 1e-9;
    const [low, high, left, right] = await copula.cdf([
      [q, q],
      [1 - q, 1 - q],
      [q, 1 - q],
      [1 - q, q],
    ]);
    expect(Math.abs(low! / q - lowerLower)).toBeLessThan(2e-3);
    expect(Math.abs(2 + (high! - 1) / q - upperUpper)).toBeLessThan(2e-3);
    expect(Math.abs(1 - left! / q - lowerUpper)).toBeLessThan(2e-3);
    expect(Math.abs(1 - right! / q - upperLower)).toBeLessThan(2e-3);
    const swapped = copula.tailDependence(1, 0);
    expect(swapped.lowerUpper).toBe(upperLower);
  }
});

test('save and load keep everything', async () => {
  const copulas: ClassicalCopula[] = [
    new FamilyCopula('bb1', { theta: 0.5, delta: 1.5 }, { rotation: 270 }),
    new FamilyCopula('independence', {}, { dim: 3 }),
    await fitCopula(equicorrelated(300, 3, 0.5, 2), { kind: 'student' }),
  ];
  for (const [i, copula] of copulas.entries()) {
    const file = folder.file(`classical-${i}.safetensors`);
    await copula.save(file);
    using loaded = (await loadModel(file)) as ClassicalCopula;
    expect(loaded.constructor).toBe(copula.constructor);
    expect(loaded.info()).toEqual(copula.info());
    expect(loaded.aic).toBe(copula.aic);
    const u = await copula.sample(20, double);
    expect(await loaded.logPdf(u)).toEqual(await copula.logPdf(u));
    copula.dispose();
    await expect(copula.rosenblatt(u)).rejects.toMatchObject({ code: 'ERR_SKLAR_DISPOSED' });
  }
});

describe('bad input names the culprit', () => {
  const u = equicorrelated(50, 2, 0.5, 1);
  const wide = equicorrelated(50, 3, 0.5, 1);
  const rejects = (promise: Promise<unknown>, culprit: string) =>
    expect(promise).rejects.toMatchObject({
      code: expect.stringMatching(/_(VALUE|SHAPE)$/),
      message: expect.stringContaining(culprit),
    });

  test.each([
    ['clayton', { theta: 0 }, {}, 'theta'],
    ['gumbel', { theta: 0.5 }, {}, 'theta'],
    ['bb8', { theta: 2, delta: 1.5 }, {}, 'delta'],
    ['clayton', { theta: 2, delta: 1 }, {}, 'delta'],
    ['bb1', { theta: 2, delta: 1 }, { dim: 3 }, 'bb1'],
    ['frank', { theta: -2 }, { dim: 3 }, 'theta'],
    ['frank', { theta: 2 }, { rotation: 90 }, 'frank'],
    ['joe', { theta: 2 }, { dim: 3, rotation: 90 }, '90'],
    ['joe', { theta: 2 }, { rotation: 45 }, '45'],
    ['plaket', {}, {}, 'plaket'],
  ])('%s %j %j', (kind, parameters, options, culprit) => {
    expect(() => new FamilyCopula(kind as FamilyKind, parameters as never, options as never)).toThrow(
      culprit,
    );
  });

  test('of fits and functions', async () => {
    await rejects(fitCopula(u, { kind: 'bb1', method: 'tau' }), 'bb1');
    await rejects(fitCopula(wide, { kind: 'bb1' }), 'bb1');
    await rejects(fitCopula(u, { kind: 'clayton', rotation: 90, method: 'tau' }), 'tau');
    await rejects(fitCopula(u, { kind: 'clayton', rotation: 45 } as never), 'rotation');
    await rejects(fitCopula(u, { kind: 'student', hidden: 3 } as never), 'hidden');
    await rejects(fitCopula([[0, 1]], { kind: 'clayton' }), '8 rows');
    const copula = new FamilyCopula('clayton', { theta: 2 });
    await rejects(copula.cdf([[0.5, 1.5]]), 'column 2');
    await rejects(copula.logPdf([[0.5, 0]]), 'column 2');
    await rejects(copula.hfunc1([[0.5, 0.2, 0.1]]), 'hfunc1');
    await rejects(copula.sample(3, { solver: 'ab2' }), 'solver');
    await rejects(new FamilyCopula('clayton', { theta: 2 }, { dim: 3 }).hinv2([[0.5, 0.2, 0.1]]), 'hinv2');
    await rejects(
      new StudentCopula(Float64Array.of(1, 0, 0, 0, 1, 0, 0, 0, 1), 3, 4).cdf([[0.5, 0.2, 0.1]]),
      'cdf',
    );
    expect(() => new StudentCopula(pair(0.5), 2, 0)).toThrow('degrees');
    expect(() => parameterOfTau('amh', 0.5)).toThrow('amh');
    expect(() => copula.tau(0, 2)).toThrow('column');
  });
});

test('every kind fits rows of weak dependence, where families end', async () => {
  const rows = await new FamilyCopula('independence', {}).sample(300, { seed: 2, ...double });
  for (const kind of classicalKinds) {
    const fitted = (await fitCopula(rows, { kind })) as ClassicalCopula;
    expect(Math.abs(fitted.tau())).toBeLessThan(0.25);
    expect(Number.isFinite(fitted.logLikelihood)).toBe(true);
  }
  expect(Object.keys(families)).toHaveLength(classicalKinds.length - 2);
  // rows that are all but functions of one another
  const line = matrix(
    Float64Array.from({ length: 200 }, (_, i) => (Math.floor(i / 2) + 0.5) / 100),
    100,
    2,
  );
  for (const kind of ['clayton', 'gumbel', 'frank', 'joe', 'bb1', 'bb7', 'student'] as const) {
    expect(((await fitCopula(line, { kind })) as ClassicalCopula).tau()).toBeGreaterThan(0.9);
  }
});
