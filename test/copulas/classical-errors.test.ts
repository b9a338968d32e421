// Standard errors of fits to ranks: how often an interval of two of them holds the truth, and how they compare with the spread.
import {
  type ClassicalCopula,
  FamilyCopula,
  GaussianCopula,
  StudentCopula,
  type FamilyKind,
  fitCopula,
} from '../../lib';
import { pseudoObservations } from '../helpers/data';

const SETS = 100;
const double = { dtype: 'float64' } as const;

/** Ranks of the rows, as data would have them. */
const ranked = ({ data, rows }: { data: ArrayLike<number>; rows: number }) =>
  pseudoObservations([0, 1].map((j) => Float64Array.from({ length: rows }, (_, i) => data[2 * i + j]!)));

/** Of 100 intervals at the level 0.95 from 88 on hold the truth but once in 600 times. */
const expectCoverage = (held: number, least = 88) => {
  expect(held).toBeGreaterThanOrEqual(least);
};

describe.each([
  ['clayton', { theta: 3 }, 0],
  ['frank', { theta: 4 }, 0],
  ['gumbel', { theta: 1.6 }, 180],
] as [FamilyKind, { theta: number }, 0 | 180][])('%s %j rotated by %d', (kind, { theta }, rotation) => {
  test.each(['tau', 'mle'] as const)('%s', async (method) => {
    const truth = new FamilyCopula(kind, { theta }, { rotation });
    let held = 0;
    let sum = 0;
    let squares = 0;
    let errors = 0;
    for (let seed = 1; seed <= SETS; seed++) {
      const u = ranked(await truth.sample(150, { seed, ...double }));
      const { parameters, standardErrors } = await fitCopula(u, { kind, rotation, method });
      const [found, error] = [parameters.theta!, standardErrors!.theta!];
      held += Number(Math.abs(found - theta) < 1.96 * error);
      sum += found;
      squares += found * found;
      errors += error;
    }
    expectCoverage(held);
    const spread = Math.sqrt(squares / SETS - (sum / SETS) ** 2);
    expect(Math.abs(errors / SETS / spread - 1)).toBeLessThan(0.25);
  });
});

test.each(['gaussian', 'student'] as const)('the correlation of a %s copula by tau', async (kind) => {
  const r = Float64Array.of(1, 0.6, 0.6, 1);
  const truth = kind === 'gaussian' ? new GaussianCopula(r, 2) : new StudentCopula(r, 2, 5);
  let held = 0;
  const sets = kind === 'gaussian' ? SETS : 30;
  for (let seed = 1; seed <= sets; seed++) {
    const u = ranked(await truth.sample(150, { seed, ...double }));
    const fitted: ClassicalCopula =
      kind === 'gaussian'
        ? await fitCopula(u, { kind, method: 'tau' })
        : await fitCopula(u, { kind, method: 'tau' });
    held += Number(Math.abs(fitted.parameters.rho! - 0.6) < 1.96 * fitted.standardErrors!.rho!);
    if (seed === 1 && kind === 'student')
      expect(Object.keys(fitted.standardErrors!)).toEqual(['rho', 'degrees']);
  }
  expectCoverage(held, Math.floor(sets * 0.86));
});

test('of many columns, from the mean of tau over the pairs', async () => {
  const truth = new FamilyCopula('clayton', { theta: 1 }, { dim: 4 });
  let held = 0;
  for (let seed = 1; seed <= SETS; seed++) {
    const fitted = await fitCopula(await truth.sample(150, { seed, ...double }), {
      kind: 'clayton',
      method: 'tau',
    });
    held += Number(Math.abs(fitted.parameters.theta! - 1) < 1.96 * fitted.standardErrors!.theta!);
  }
  expectCoverage(held);
  const correlation = await fitCopula(await truth.sample(150, { seed: 1, ...double }), {
    kind: 'gaussian',
    method: 'tau',
  });
  expect(Object.keys(correlation.standardErrors!)).toEqual(Object.keys(correlation.parameters));
});
