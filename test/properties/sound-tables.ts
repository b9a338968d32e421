import fc from 'fast-check';

import { type JointDistribution, SklarError, Table, fitJoint } from '../../lib';
import { uniforms } from '../helpers/data';

/** What a column of a random table looks like: a transform of a uniform number. */
const shapes = {
  normal: (u: number, a: number) => a + normal(u),
  offset: (u: number, a: number) => 1e9 * (1 + Math.abs(a)) + normal(u),
  tiny: (u: number) => 1e-200 * normal(u),
  huge: (u: number) => 1e300 * (2 * u - 1),
  exponential: (u: number) => -Math.log(u),
  pareto: (u: number, a: number) => (1 - u) ** (-1 / (0.3 + Math.abs(a) / 10)),
  decades: (u: number) => 10 ** (300 * (2 * u - 1)),
  share: (u: number) => Math.sin((Math.PI * u) / 2) ** 2,
  coin: (u: number, a: number) => Number(u > 0.1 + 0.08 * Math.abs(a)),
  grade: (u: number) => Math.floor(4 * u),
  count: (u: number, a: number) => Math.floor(-Math.log(u) * (1 + Math.abs(a))),
  rounded: (u: number) => Math.round(10 * normal(u)) / 10,
  cents: (u: number) => Math.round(100 * Math.exp(3 * normal(u))) / 100,
  rain: (u: number, a: number) => Math.max(0, -Math.log(1 - u) - Math.abs(a) / 3),
  clusters: (u: number) => (u < 0.5 ? -1e8 : 1e8) + normal((2 * u) % 1 || 0.5),
  outlier: (u: number) => (u > 0.97 ? 1e12 : normal(u)),
  almostZero: (u: number) => (u < 0.05 ? 0.1 + 0.2 - 0.3 : 20 + normal(u)),
  capped: (u: number) => Math.min(100, 100 * u + 20 * u),
} as const;
type Shape = keyof typeof shapes;

/** A quick quantile of the standard normal law, good to two digits. */
function normal(u: number): number {
  return Math.log(u / (1 - u)) / 1.702;
}

const kinds = [
  'gaussian',
  'gaussian',
  'student',
  'independence',
  'clayton',
  'frank',
  'empirical-beta',
] as const;

const tables = fc.record({
  seed: fc.nat(),
  rows: fc.integer({ min: 8, max: 120 }),
  columns: fc.array(
    fc.record({
      shape: fc.constantFrom(...(Object.keys(shapes) as Shape[])),
      a: fc.integer({ min: -9, max: 9 }),
    }),
    { minLength: 2, maxLength: 4 },
  ),
  strength: fc.double({ min: -1, max: 1, noNaN: true }),
  kind: fc.constantFrom(...kinds),
});

function make({
  seed,
  rows,
  columns,
  strength,
}: typeof tables extends fc.Arbitrary<infer T> ? T : never): Table {
  const next = uniforms(seed);
  const data = columns.map(() => new Float64Array(rows));
  for (let i = 0; i < rows; i++) {
    const common = next();
    for (const [j, { shape, a }] of columns.entries()) {
      const own = next();
      const shared = next() < Math.abs(strength) ? (strength < 0 && j % 2 ? 1 - common : common) : own;
      data[j]![i] = shapes[shape](Math.min(1 - 1e-9, Math.max(1e-9, shared)), a);
    }
  }
  return new Table(
    columns.map(({ shape }, j) => `${shape}${j}`),
    data,
  );
}

/** Archimedean copulas of three and more tied columns take seconds a fit: they have tests of their own. */
function kindFor({ kind, columns }: { kind: (typeof kinds)[number]; columns: readonly unknown[] }) {
  return columns.length > 2 && (kind === 'clayton' || kind === 'frank') ? 'gaussian' : kind;
}

/** Refusals are allowed where they say which column or how many rows. */
function isRefusal(error: unknown, table: Table): boolean {
  return (
    error instanceof SklarError &&
    error.code === 'ERR_SKLAR_VALUE' &&
    (table.names.some((name) => error.message.includes(name)) || /\d+ rows/.test(error.message))
  );
}

/** Random tables of the seed: a fit is refused by name, or its samples and densities are sound. */
export async function expectSoundTables(runs: number, seed: number): Promise<void> {
  let fitted = 0;
  await fc.assert(
    fc.asyncProperty(tables, async (spec) => {
      const table = make(spec);
      let joint: JointDistribution;
      try {
        joint = await fitJoint(table, { copula: { kind: kindFor(spec) }, threads: 1 });
      } catch (error) {
        if (isRefusal(error, table)) return;
        throw error;
      }
      fitted++;
      using fit = joint;
      const sample = await fit.sample(64, { seed: spec.seed % 1000, threads: 1 });
      for (const [j, name] of fit.names.entries()) {
        const values = sample.column(name);
        const [least, most] = fit.margins.supports[j]!;
        for (const value of values) {
          if (!Number.isFinite(value) || value < least || value > most) {
            throw new Error(`sample ${value} of ${name} outside ${least} to ${most}`);
          }
        }
        const levels = Float64Array.from({ length: 201 }, (_, k) => k / 200);
        const quantiles = fit.margins.margin(j).quantile(levels);
        quantiles.forEach((value, k) => {
          if (Number.isNaN(value) || (k > 0 && value < quantiles[k - 1]!)) {
            throw new Error(`quantiles of ${name} do not increase at ${levels[k]!}`);
          }
        });
      }
      for (const [what, rows] of [
        ['training', table],
        ['sample', sample],
      ] as const) {
        const log = await fit.logPdf(rows, { threads: 1 });
        const bad = log.findIndex((value) => !Number.isFinite(value));
        if (bad >= 0) throw new Error(`log density ${log[bad]!} of ${what} row ${bad + 1}`);
      }
    }),
    // a table that fails is small enough, and shrinking takes many times as long
    { numRuns: runs, seed, endOnFailure: true },
  );
  // most tables are fitted, not refused
  expect(fitted).toBeGreaterThan(0.8 * runs);
}
