// Fits of elliptical copulas and of families of many columns, and where families end.
import {
  type ClassicalCopula,
  type FamilyKind,
  FamilyCopula,
  GaussianCopula,
  StudentCopula,
  classicalKinds,
  fitCopula,
  matrix,
  toRows,
} from '../../lib';
import { families } from '../../lib/copulas/classical/families';
import { equicorrelated } from '../helpers/data';
import { expectIndependentUniforms, largest } from '../helpers/statistics';

const pair = (rho: number) => Float64Array.of(1, rho, rho, 1);
const double = { dtype: 'float64' } as const;

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

test('every kind fits rows of weak dependence, where families end', async () => {
  const rows = await new FamilyCopula('independence', {}).sample(300, { seed: 2, ...double });
  for (const kind of classicalKinds) {
    const fitted = (await fitCopula(rows, { kind })) as ClassicalCopula;
    expect(Math.abs(fitted.tau())).toBeLessThan(0.25);
    expect((await fitted.logPdf(rows)).every(Number.isFinite)).toBe(true);
  }
  expect(Object.keys(families)).toHaveLength(classicalKinds.length - 4);
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
