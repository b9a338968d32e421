// Every bivariate family against textbook formulas evaluated at 50 digits, corners included (the conventions are those of
// make_bivariate). SKLAR_REFERENCE_DIR may name another folder with a file of the same form.
import { readFileSync } from 'node:fs';
import path from 'node:path';

import { type ClassicalCopula, FamilyCopula, GaussianCopula, StudentCopula, parameterOfTau } from '../../lib';
import {
  type FamilyKind,
  type FamilyRule,
  type Rotation,
  families,
  tauOf,
} from '../../lib/copulas/classical/families';

type Values = readonly (number | null)[];
interface Case {
  family: string;
  parameters: number[];
  rotation: Rotation;
  tau: number | null;
  beta: number;
  pdf: Values;
  cdf: Values;
  hfunc1: Values;
  hfunc2: Values;
  hinv1: Values;
  hinv2: Values;
}

const folder = process.env.SKLAR_REFERENCE_DIR ?? path.join(__dirname, '..', 'fixtures', 'reference');
const { points, cases, tauToParameter } = JSON.parse(
  readFileSync(path.join(folder, 'bicop-exact.json'), 'utf8'),
) as {
  points: number[][];
  cases: Case[];
  tauToParameter: { family: string; tau: number; parameter: number }[];
};

const ourNames: Record<string, string> = { indep: 'independence', huslerReiss: 'husler-reiss' };

function copulaOf({ family, parameters: p, rotation }: Case): ClassicalCopula {
  const kind = ourNames[family] ?? family;
  if (kind === 'gaussian') return new GaussianCopula(Float64Array.of(1, p[0]!, p[0]!, 1), 2);
  if (kind === 'student') return new StudentCopula(Float64Array.of(1, p[0]!, p[0]!, 1), 2, p[1]!);
  const { parameters }: FamilyRule = families[kind as FamilyKind];
  return new FamilyCopula(
    kind as FamilyKind,
    Object.fromEntries(parameters.map(({ name }, i) => [name, p[i]!])),
    { rotation },
  );
}

function worst(actual: Float64Array, expected: Values, relative: boolean): number {
  expect(actual.length).toBe(expected.length);
  return expected.reduce<number>((most, value, i) => {
    if (value === null || actual[i] === value) return most;
    const error = Math.abs(actual[i]! - value) / (relative ? Math.abs(value) : 1);
    return error > most || Number.isNaN(error) ? error : most;
  }, 0);
}

test('the file has all that is expected of it', () => {
  expect(points).toHaveLength(37);
  expect(cases.length).toBeGreaterThanOrEqual(133);
});

test.each(cases.map((c) => [`${c.family} ${c.parameters.join(' ')} rotated by ${c.rotation}`, c] as const))(
  '%s',
  async (_, c) => {
    const copula = copulaOf(c);
    expect(worst(await copula.pdf(points), c.pdf, true)).toBeLessThan(1e-10);
    expect(worst(await copula.cdf(points), c.cdf, false)).toBeLessThan(1e-14);
    expect(worst(await copula.hfunc1(points), c.hfunc1, false)).toBeLessThan(1e-10);
    expect(worst(await copula.hfunc2(points), c.hfunc2, false)).toBeLessThan(1e-10);
    expect(worst(await copula.hinv1(points), c.hinv1, false)).toBeLessThan(1e-9);
    expect(worst(await copula.hinv2(points), c.hinv2, false)).toBeLessThan(1e-9);
    const [middle] = await copula.cdf([[0.5, 0.5]]);
    expect(Math.abs(4 * middle! - 1 - c.beta)).toBeLessThan(1e-13);
    if (c.tau !== null) expect(Math.abs(copula.tau() - c.tau)).toBeLessThan(1e-13);
  },
);

test.each(tauToParameter.map((t) => [t.family, t.tau, t.parameter] as const))(
  'the parameter of %s with tau %d',
  (family, tau, parameter) => {
    if (family === 'gaussian') return;
    const found = parameterOfTau(family as FamilyKind, tau);
    expect(Math.abs(found / parameter - 1)).toBeLessThan(1e-11);
    expect(Math.abs(tauOf(family as FamilyKind, [found]) - tau)).toBeLessThan(1e-13);
  },
);
