/** What the fits of classical copulas have in common (docs/mathematics.md, M.5). */
import { z } from 'zod';
import { type RunRecord, runRecord } from '../../devices';
import { type OptionShape, SklarError } from '../../errors';
import { runJob } from '../../native';
import { type Note } from '../../notes';
import { hasMissing, withoutMissing } from '../correlation/ties';
import { parseOptions } from '../inputs/options';
import { type DenseRows, nativeWeights } from '../inputs/rows';
import { type Execution } from '../inputs/run';
import { type ClassicalTraining } from './classical';
import { type ClassicalKind, type Rotation, expectRotation, families, isFamily, rotations } from './families';
import { centred, kendallOf, merged, trainingRows } from './observations';

/** Options of `fitCopula` for the classical kinds but `empirical-beta` and `kernel`. */
export interface ClassicalOptions {
  /** Of families that a turn changes: degrees, counter-clockwise; beyond two columns 0 or 180. Default 0. */
  rotation?: Rotation | undefined;
  /**
   * `mle` (default): maximum pseudo-likelihood; for gaussian the correlation of the normal scores. `tau`: inversion of Kendall's
   * tau, of families with one parameter and the correlation of gaussian and student; it takes the place of `mle` where ranks blur
   * the dependence, and a note says so (docs/mathematics.md, M.5).
   */
  method?: 'mle' | 'tau' | undefined;
}

export const classicalOptionsSchema = z.strictObject({
  rotation: z
    .literal(rotations)
    .default(0)
    .describe('of a classical copula of two columns: 0, 90, 180 or 270'),
  method: z
    .enum(['mle', 'tau'])
    .default('mle')
    .describe("how a classical copula is estimated, tau by the inversion of Kendall's tau"),
} satisfies OptionShape<ClassicalOptions>);

export type Resolved = z.output<typeof classicalOptionsSchema>;

/** Checks the options of a classical kind that has them. @throws SklarError ERR_SKLAR_VALUE naming the option */
export function classicalOptions(kind: ClassicalKind, given: object): Resolved {
  const parsed = parseOptions(classicalOptionsSchema, given, `a ${kind} copula`);
  expectRotation(kind, parsed.rotation, parsed.rotation === 180 ? 3 : 2);
  if (parsed.method === 'tau' && isFamily(kind) && families[kind].parameters.length > 1) {
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      `expected method 'mle' for a ${kind} copula: tau does not determine its ${families[kind].parameters.length} parameters`,
    );
  }
  return parsed;
}

export const sum = (values: Float64Array) => values.reduce((total, value) => total + value, 0);

/** Variances of Kendall's tau, by its asymptotic normal law. */
export const tauVariance = (u: DenseRows, run: Execution) =>
  runJob((addon) => addon.kendallVariance(u.data, u.rows, u.columns, run.threads, nativeWeights(u)), {
    signal: run.signal,
  });

/** Pairs of rows that are tied in a column, at most, for tau to be that of the copula. */
const MOST_TIED_PAIRS = 0.01;

/** Kendall's tau of the rows, tau-b, where it is needed, and the rows as they enter likelihoods: without missing levels they take their place. */
export async function prepare(u: DenseRows, method: Resolved['method'], run: Execution) {
  const [dim, own] = [u.columns, centred(u, hasMissing(u) ? undefined : u.data)];
  // where there is more to say of levels than likelihoods and tau, missing ones are drawn
  const levels = await withoutMissing(own, run);
  let known: Promise<Float64Array> | undefined;
  const tau = () => (known ??= kendallOf(own, run));
  let dependence = 0;
  if (levels !== u) {
    // blocks are wide or narrow beside what the dependence leaves
    (await tau()).forEach((value, i) => {
      if (i % (dim + 1) > 0) dependence = Math.max(dependence, Math.abs(Math.sin((Math.PI / 2) * value)));
    });
  }
  if (method === 'tau') expectFewTies(u);
  const training = trainingRows(u, Math.min(dependence, 1), own);
  return { tau, ...training, levels, seen: merged(training.observations) };
}

/** @throws SklarError ERR_SKLAR_VALUE where so many values recur that tau-b is not the tau of the copula */
function expectFewTies({ blocks = [], names }: DenseRows): void {
  for (const [j, pairs] of blocks.entries()) {
    let share = 0;
    for (let k = 0; k < pairs.length; k += 2) share += (pairs[k + 1]! - pairs[k]!) ** 2;
    if (share <= MOST_TIED_PAIRS) continue;
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      `expected different values in a column for method 'tau', got ${(100 * share).toFixed(0)} % of the pairs of rows tied in ` +
        `${names?.[j] ?? `column ${j + 1}`}: Kendall's tau of such rows is not that of the copula, use method 'mle'`,
    );
  }
}

/** Maximum likelihood of ranks that blur the dependence (`isBlurred`), which another estimate may take the place of. */
const BLURRED = 'the ranks blur so strong a dependence, which draws maximum likelihood towards independence';

export const estimateText = (value: number) => String(Number(value.toPrecision(6)));

/** Says that one estimate has taken the place of another. */
export function replacedNote(what: string, tau: number, likelihood: number): Note {
  const values = `${estimateText(tau)} by Kendall's tau, in place of ${estimateText(likelihood)}`;
  return { code: 'fit', columns: [], message: `${BLURRED}: ${what} is ${values}` };
}

/** Says that estimates are left without standard errors. */
export function blurredNote(what: string): Note {
  return { code: 'fit', columns: [], message: `${BLURRED}: ${what}` };
}

/** A fit by tau; null where too many rows are tied. */
export async function fitByTau<C>(u: DenseRows, fit: () => Promise<C>): Promise<C | null> {
  try {
    expectFewTies(u);
  } catch {
    return null;
  }
  return fit();
}

export type Prepared = Awaited<ReturnType<typeof prepare>>;

/** The record of a fit. */
export const recordOf = (
  training: Omit<ClassicalTraining, keyof RunRecord>,
  notes: readonly Note[],
  run: Execution,
) => ({
  ...training,
  ...runRecord(run, 'float64'),
  ...(notes.length > 0 && { notes }),
});
