import { z } from 'zod';

import { Generator } from '../../data/random';
import { type RunRecord, runRecord } from '../../devices';
import { type OptionShape, SklarError, describe } from '../../errors';
import { type ModelDocument, expectConfig } from '../../model/model-file';
import { type ClassicalDefinition, callNative, runJob } from '../../native';
import { type Note, andWords } from '../../notes';
import {
  correlationParameters,
  normalScoresCorrelation,
  positiveDefinite,
  shrinkageNotes,
} from '../correlation/correlation';
import { withoutMissing } from '../correlation/ties';
import { GaussianCopula } from './gaussian';
import { parseOptions } from '../inputs/options';
import { type DenseRows } from '../inputs/rows';
import { type Execution } from '../inputs/run';
import { type ClassicalCopula, type ClassicalTraining } from './classical';
import { fitEmpiricalBeta } from './empirical-beta';
import {
  type ClassicalKind,
  type FamilyKind,
  type ParameterRule,
  type Rotation,
  definitionOf,
  expectRotation,
  families,
  isFamily,
  parameterOfTau,
  parameterRules,
  rotations,
  tauOf,
} from './families';
import { FamilyCopula } from './family';
import { fitKernel, kernelOptionsSchema } from './kernel';
import {
  type Observations,
  centred,
  kendallOf,
  likelihoodOf,
  logDensities,
  merged,
  mostCells,
  stackedPairs,
  thinned,
  trainingRows,
} from './observations';
import { type Box, maximiseBrent, maximiseNewton, maximiseSimplex, standardErrors } from './optimise';
import { rankErrors } from './rank-errors';
import { areRanks, isBlurred, pairOf } from './resolution';
import { StudentCopula } from './student';

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
type Resolved = z.output<typeof classicalOptionsSchema>;

/** Where the degrees of freedom of a Student copula are looked for, as logarithms. */
const DEGREES = [Math.log(1), Math.log(300)] as const;

/** Checks the options of a classical kind, and gives what fits it (docs/mathematics.md, M.5). */
export function classicalFitter(
  kind: ClassicalKind,
  options: object,
): (u: DenseRows, run: Execution) => Promise<ClassicalCopula> {
  const what = `a ${kind} copula`;
  if (kind === 'empirical-beta') {
    parseOptions(z.strictObject({}), options, what);
    return fitEmpiricalBeta;
  }
  if (kind === 'kernel') {
    const parsed = parseOptions(kernelOptionsSchema, options, what);
    return (u, run) => fitKernel(u, parsed, run);
  }
  const parsed = parseOptions(classicalOptionsSchema, options, what);
  expectRotation(kind, parsed.rotation, parsed.rotation === 180 ? 3 : 2);
  if (parsed.method === 'tau' && isFamily(kind) && families[kind].parameters.length > 1) {
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      `expected method 'mle' for a ${kind} copula: tau does not determine its ${families[kind].parameters.length} parameters`,
    );
  }
  return (u, run) => {
    expectRotation(kind, parsed.rotation, u.columns);
    if (kind === 'gaussian') return fitGaussian(u, parsed, run);
    if (kind === 'student') return fitStudent(u, parsed, run);
    return fitFamily(kind, u, parsed, run);
  };
}

const sum = (values: Float64Array) => values.reduce((total, value) => total + value, 0);

/** Variances of Kendall's tau, by its asymptotic normal law. */
const tauVariance = (u: DenseRows, run: Execution) =>
  runJob((addon) => addon.kendallVariance(u.data, u.rows, u.columns, run.threads), { signal: run.signal });

/** sin(pi tau / 2) of every pair. */
const tauCorrelation = (tau: Float64Array, columns: number) =>
  tau.map((value, i) => (i % (columns + 1) === 0 ? 1 : Math.sin((Math.PI / 2) * value)));

/** Correlation of the normal scores, drawn towards independence. */
async function correlationOfScores(u: DenseRows, run: Execution) {
  return positiveDefinite(await normalScoresCorrelation(u, run), u.columns, u.rows);
}

/**
 * A correlation matrix estimated pair by pair, drawn no less than that of the normal scores, whose eigenvalues have less
 * noise.
 */
async function shrunkPairs(raw: Float64Array, levels: DenseRows, run: Execution) {
  const { rows, columns } = levels;
  const least = columns === 2 ? 0 : (await correlationOfScores(levels, run)).shrinkage;
  return positiveDefinite(raw, columns, rows, least);
}

/** Of the correlations sin(pi tau / 2), by the delta method. */
async function correlationErrors(correlation: Float64Array, u: DenseRows, run: Execution) {
  const { pairs } = await tauVariance(u, run);
  const errors = correlation.map((r, i) => (Math.PI / 2) * Math.sqrt(Math.max(0, 1 - r * r) * pairs[i]!));
  // rows in one order say nothing of how far a correlation is from 1
  return finiteOrNull(
    correlationParameters(
      errors.map((error) => (error > 0 ? error : NaN)),
      u.columns,
    ),
  );
}

/** Pairs of rows that are tied in a column, at most, for tau to be that of the copula. */
const MOST_TIED_PAIRS = 0.01;

/** Kendall's tau of the rows, tau-b, where it is needed, and the rows as they enter likelihoods. */
async function prepare(u: DenseRows, method: Resolved['method'], run: Execution) {
  const [dim, own] = [u.columns, centred(u)];
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
  const training = trainingRows(u, Math.min(dependence, 1));
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
const estimateText = (value: number) => String(Number(value.toPrecision(6)));

/** Says that one estimate has taken the place of another. */
function replacedNote(what: string, tau: number, likelihood: number): Note {
  const values = `${estimateText(tau)} by Kendall's tau, in place of ${estimateText(likelihood)}`;
  return { code: 'fit', columns: [], message: `${BLURRED}: ${what} is ${values}` };
}

/** Says that estimates are left without standard errors. */
function blurredNote(what: string): Note {
  return { code: 'fit', columns: [], message: `${BLURRED}: ${what}` };
}

/** A fit by tau; null where too many rows are tied. */
async function fitByTau<C>(u: DenseRows, fit: () => Promise<C>): Promise<C | null> {
  try {
    expectFewTies(u);
  } catch {
    return null;
  }
  return fit();
}

/** Correlations of rows in one order are 1, which no density has. */
const NEAR_ONE = 1 - 1e-9;

/** The pairs of columns that ranks blur, those of the largest |rho| first, and what there is to say. */
async function blurredPairs(
  correlation: Float64Array,
  degrees: number,
  levels: DenseRows,
  run: Execution,
): Promise<{ pairs: (readonly [number, number])[]; notes: Note[] }> {
  const { columns: dim, rows, names } = levels;
  const size = ([i, j]: readonly [number, number]) => Math.abs(correlation[i * dim + j]!);
  const isOne = ([i, j]: readonly [number, number]) => {
    const r = Math.max(-NEAR_ONE, Math.min(NEAR_ONE, correlation[i * dim + j]!));
    const definition = ellipticalDefinition(Float64Array.of(1, r, r, 1), 2, degrees);
    return isBlurred(definition, pairOf(levels, i, j), rows, run);
  };
  let strongest: readonly [number, number] = [0, 1];
  for (let i = 0; i < dim; i++) {
    for (let j = i + 1; j < dim; j++) if (size([i, j]) > size(strongest)) strongest = [i, j];
  }
  if (!(await isOne(strongest))) return { pairs: [], notes: [] };
  const every = pairsOf(dim);
  const all = Array.from({ length: every.length / 2 }, (_, k) => [every[2 * k]!, every[2 * k + 1]!] as const);
  all.sort((a, b) => size(b) - size(a));
  // the stronger a dependence, the more it is blurred
  let [low, high] = [1, all.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (await isOne(all[middle]!)) low = middle + 1;
    else high = middle;
  }
  const pairs = all.slice(0, low);
  const [i, j] = pairs[0]!;
  const of = [i, j].map((k) => describe(names?.[k] ?? `column ${k + 1}`)).join(' and ');
  const data = Float64Array.from(
    { length: 2 * rows },
    (_, at) => levels.data[(at >> 1) * dim + (at % 2 ? j : i)]!,
  );
  const tau = (await kendallOf({ data, rows, columns: 2 }, run))[1]!;
  const others = pairs.length - 1;
  const unknown =
    others > 0
      ? `its standard error and ${others > 1 ? `those of ${others} more pairs` : 'that of 1 more pair'} are not known`
      : 'its standard error is not known';
  const text =
    `rho of ${of} is ${estimateText(correlation[i * dim + j]!)}, by Kendall's tau it would be ` +
    `${estimateText(Math.sin((Math.PI / 2) * tau))}; ${unknown}`;
  return { pairs, notes: [blurredNote(text)] };
}

type Prepared = Awaited<ReturnType<typeof prepare>>;

/** The record of a fit. */
const recordOf = (
  training: Omit<ClassicalTraining, keyof RunRecord>,
  notes: readonly Note[],
  run: Execution,
) => ({
  ...training,
  ...runRecord(run, 'float64'),
  ...(notes.length > 0 && { notes }),
});

const ellipticalDefinition = (r: Float64Array, dim: number, degrees: number): ClassicalDefinition => ({
  family: degrees === Infinity ? 'gaussian' : 'student',
  dim,
  parameters: degrees === Infinity ? new Float64Array(0) : Float64Array.of(degrees),
  rotation: 0,
  factor: callNative((addon) => addon.cholesky(r, dim)).factor,
});

/** A pair of columns with so large a correlation would be one. */
const MOST_CORRELATION = 1 - 1e-6;
/** The degrees of freedom are chosen by so many rows of pairs, and so many rows of each pair at least. */
const MOST_PAIR_ROWS = 4e6;
const LEAST_PAIR_ROWS = 1000;
/** About where they lie is found by so many values. */
const MOST_VALUES = 40_000;
/** Fewer rows than this are spread over the blocks of their ranks. */
const FEW_ROWS = 200;

interface PairFits {
  /** First and second column in turns. */
  readonly pairs: Uint32Array;
  readonly correlation: Float64Array;
  readonly logLikelihood: number;
  readonly information: Float64Array;
}

/** Maximum likelihood of the correlations of pairs of columns, or their likelihood at those given. */
async function pairFits(
  degrees: number,
  start: Float64Array,
  search: boolean,
  pairs: Uint32Array,
  { lower, upper, rows, columns }: Observations,
  run: Execution,
): Promise<PairFits> {
  const fits = await runJob(
    (addon) =>
      addon.classicalFitPairs(
        degrees,
        start,
        search,
        MOST_CORRELATION,
        lower,
        upper,
        pairs,
        rows,
        columns,
        run.threads,
      ),
    { signal: run.signal },
  );
  return { ...fits, pairs, logLikelihood: sum(fits.logLikelihood) };
}

function pairsOf(dim: number, wanted: (i: number, j: number) => boolean = () => true): Uint32Array {
  const pairs: number[] = [];
  for (let i = 0; i < dim; i++) for (let j = i + 1; j < dim; j++) if (wanted(i, j)) pairs.push(i, j);
  return Uint32Array.from(pairs);
}

/** About so many pairs, or all, each column in as many of them as the others: those of columns not too far apart in a circle. */
function somePairs(dim: number, most: number): Uint32Array {
  const reach = Math.max(1, Math.floor(most / dim));
  return pairsOf(dim, (i, j) => Math.min(j - i, dim - (j - i)) <= reach);
}

/** Puts the correlations of pairs into a matrix. */
function withPairs(matrix: Float64Array, dim: number, { pairs, correlation }: PairFits): Float64Array {
  const out = Float64Array.from(matrix);
  correlation.forEach((r, k) => {
    const [i, j] = [pairs[2 * k]!, pairs[2 * k + 1]!];
    out[i * dim + j] = out[j * dim + i] = r;
  });
  return out;
}

/**
 * Standard errors of correlations of pairs from the information of each. Margins that are ranks leave (1 - rho^2) / sqrt(n) of a
 * pair without ties, where known ones would leave sqrt(1 + rho^2) times less: the same factor is taken for those with ties.
 */
function pairErrors(
  { pairs, correlation, information }: PairFits,
  dim: number,
  into: Float64Array,
): Float64Array {
  correlation.forEach((r, k) => {
    const [i, j] = [pairs[2 * k]!, pairs[2 * k + 1]!];
    const error = Math.abs(r) < MOST_CORRELATION ? Math.sqrt((1 + r * r) / information[k]!) : NaN;
    into[i * dim + j] = into[j * dim + i] = error;
  });
  return into;
}

const finiteOrNull = (errors: Readonly<Record<string, number>>): Record<string, number | null> =>
  Object.fromEntries(
    Object.entries(errors).map(([name, value]) => [name, Number.isFinite(value) ? value : null]),
  );

/** Standard errors of rho, and of the degrees of freedom unless they are infinite, of two columns. */
async function twoColumnErrors(
  rho: number,
  degrees: number,
  { seen, observations }: Prepared,
  run: Execution,
): Promise<Record<string, number | null>> {
  const normal = degrees === Infinity;
  const box: Box = normal ? [[-1, 1]] : [[-1, 1], DEGREES.map(Math.exp) as [number, number]];
  const found = await rankErrors(
    ([r, n = Infinity], rows) =>
      logDensities(ellipticalDefinition(Float64Array.of(1, r!, r!, 1), 2, n), rows, run),
    seen,
    thinned(observations),
    observations.rows,
    box,
    normal ? [rho] : [rho, degrees],
  );
  return { rho: found[0]!, ...(!normal && { degrees: found[1]! }) };
}

/** @param replaced rho of maximum likelihood, which that of tau takes the place of */
async function fitGaussian(
  u: DenseRows,
  { method, rotation }: Resolved,
  run: Execution,
  replaced: number | null = null,
): Promise<GaussianCopula> {
  const dim = u.columns;
  const prepared = await prepare(u, method, run);
  const { tau, levels, seen, tied, notes } = prepared;
  let raw: Float64Array;
  let spread: Float64Array | null = null;
  if (method === 'tau') raw = tauCorrelation(await tau(), dim);
  else {
    // of the normal scores: efficient, and not changed by the ranks (Klaassen and Wellner 1997) unless they blur it
    raw = await normalScoresCorrelation(levels, run);
    spread = raw.map((r) => (1 - r * r) / Math.sqrt(u.rows));
    if (tied.length > 0) {
      const pairs = pairsOf(dim, (i, j) => tied.includes(i) || tied.includes(j));
      const fits = await pairFits(
        Infinity,
        tauCorrelation(await tau(), dim),
        true,
        pairs,
        prepared.observations,
        run,
      );
      raw = withPairs(raw, dim, fits);
      spread = pairErrors(fits, dim, spread);
    }
  }
  const { correlation, shrinkage } =
    method === 'tau' || tied.length > 0
      ? await shrunkPairs(raw, levels, run)
      : positiveDefinite(raw, dim, u.rows);
  const blur = replaced === null ? [] : [replacedNote('rho', correlation[1]!, replaced)];
  let errors: Record<string, number | null>;
  if (spread) {
    const blurred = areRanks(u) ? await blurredPairs(correlation, Infinity, levels, run) : null;
    if (blurred && blurred.pairs.length > 0) {
      const options = { method: 'tau', rotation } as const;
      const byTau = dim === 2 ? await fitByTau(u, () => fitGaussian(u, options, run, correlation[1])) : null;
      if (byTau) return byTau;
      blur.push(...blurred.notes);
      for (const [i, j] of blurred.pairs) spread[i * dim + j] = spread[j * dim + i] = NaN;
    }
    errors =
      dim === 2 && blur.length === 0 && tied.length > 0
        ? await twoColumnErrors(raw[1]!, Infinity, prepared, run)
        : finiteOrNull(correlationParameters(spread, dim));
  } else errors = await correlationErrors(raw, levels, run);
  const definition = ellipticalDefinition(correlation, dim, Infinity);
  const logLikelihood =
    tied.length > 0
      ? await likelihoodOf(definition, seen, run)
      : sum(await new GaussianCopula(correlation, dim).logPdf(levels, run));
  const record = recordOf(
    { rows: u.rows, method, logLikelihood, standardErrors: errors },
    [...notes, ...shrinkageNotes(shrinkage, u.rows, dim), ...blur],
    run,
  );
  return new GaussianCopula(correlation, dim, { ...record, shrinkage });
}

/** @param replaced rho of maximum likelihood, which that of tau takes the place of */
async function fitStudent(
  u: DenseRows,
  { method, rotation }: Resolved,
  run: Execution,
  replaced: number | null = null,
): Promise<StudentCopula> {
  const dim = u.columns;
  const prepared = await prepare(u, method, run);
  const { tau, levels, seen, tied, notes } = prepared;
  const paired = tied.length > 0 && method === 'mle';
  const start =
    paired || method === 'tau'
      ? await shrunkPairs(tauCorrelation(await tau(), dim), levels, run)
      : await correlationOfScores(levels, run);
  let { correlation, shrinkage } = start;
  const pairs = pairsOf(dim);
  const search = async (degrees: number) => {
    const fits = await pairFits(degrees, correlation, true, pairs, prepared.observations, run);
    correlation = withPairs(correlation, dim, fits);
    return fits;
  };
  const given = (degrees: number, rows: Observations) =>
    likelihoodOf(ellipticalDefinition(correlation, dim, degrees), rows, run);
  // of the best correlation for these degrees of freedom
  const profile = async (degrees: number) => {
    if (method === 'tau') return given(degrees, seen);
    if (paired) return (await search(degrees)).logLikelihood;
    const fit = await runJob(
      (addon) =>
        addon.classicalFitStudent(degrees, correlation, shrinkage, levels.data, u.rows, dim, run.threads),
      { signal: run.signal },
    );
    ({ correlation } = fit);
    return fit.logLikelihood;
  };
  let degrees: number;
  if (paired && dim === 2) {
    degrees = Math.exp((await maximiseBrent((x) => profile(Math.exp(x)), DEGREES, Math.log(8), 1e-3)).x);
  } else if (paired) {
    const some = thinned(
      prepared.observations,
      Math.max(LEAST_PAIR_ROWS, MOST_PAIR_ROWS / (pairs.length / 2)),
    );
    const few = somePairs(dim, Math.ceil(MOST_PAIR_ROWS / some.rows));
    correlation = withPairs(
      correlation,
      dim,
      await pairFits(8, correlation, true, few, prepared.observations, run),
    );
    const likelihood = async (x: number) =>
      (await pairFits(Math.exp(x), correlation, false, few, some, run)).logLikelihood;
    degrees = Math.exp((await maximiseBrent(likelihood, DEGREES, Math.log(8), 1e-3)).x);
  } else {
    const shrunk = shrinkageNotes(shrinkage, u.rows, dim).length > 0;
    const rows = shrunk && u.rows < FEW_ROWS ? spreadRows(levels) : seen;
    const some = thinned(rows, Math.max(100, MOST_VALUES / dim));
    const first = method === 'tau' ? rows : some;
    degrees = Math.exp(
      await alternate(
        (x) => given(Math.exp(x), first),
        (x) => given(Math.exp(x), rows),
        (x) => profile(Math.exp(x)),
        method === 'tau',
      ),
    );
  }
  const range = DEGREES.map(Math.exp) as [number, number];
  let errors: Record<string, number | null>;
  const fits = paired ? await search(degrees) : null;
  if (!paired) await profile(degrees);
  const blur: Note[] = [];
  if (replaced !== null) blur.push(replacedNote('rho', correlation[1]!, replaced));
  const blurred =
    method === 'mle' && areRanks(u) ? await blurredPairs(correlation, degrees, levels, run) : null;
  if (blurred && blurred.pairs.length > 0) {
    const options = { method: 'tau', rotation } as const;
    const rho = correlation[1]!;
    const byTau = dim === 2 ? await fitByTau(u, () => fitStudent(u, options, run, rho)) : null;
    if (byTau) return byTau;
    blur.push(...blurred.notes);
    const spread = fits ? pairErrors(fits, dim, new Float64Array(dim * dim)) : new Float64Array(dim * dim);
    for (const [i, j] of blurred.pairs) spread[i * dim + j] = spread[j * dim + i] = NaN;
    errors = { ...(fits && finiteOrNull(correlationParameters(spread, dim))), degrees: null };
  } else if (fits) {
    errors =
      dim === 2
        ? await twoColumnErrors(correlation[1]!, degrees, prepared, run)
        : {
            ...finiteOrNull(correlationParameters(pairErrors(fits, dim, new Float64Array(dim * dim)), dim)),
            degrees: null,
          };
  } else {
    if (method === 'mle' && dim === 2)
      errors = await twoColumnErrors(correlation[1]!, degrees, prepared, run);
    else {
      const [nu] = await standardErrors(([n]) => profile(n!), [range], [degrees]);
      errors = { ...(method === 'tau' && (await correlationErrors(correlation, levels, run))), degrees: nu! };
    }
  }
  if (paired) ({ correlation, shrinkage } = await shrunkPairs(correlation, levels, run));
  const logLikelihood = await likelihoodOf(ellipticalDefinition(correlation, dim, degrees), seen, run);
  const record = recordOf(
    { rows: u.rows, method, logLikelihood, standardErrors: errors },
    [...notes, ...shrinkageNotes(shrinkage, u.rows, dim), ...degreesNotes(degrees), ...blur],
    run,
  );
  return new StudentCopula(correlation, dim, degrees, { ...record, shrinkage });
}

/** Says that the degrees of freedom sit at an end of where they are looked for. */
function degreesNotes(degrees: number): Note[] {
  const [least, most] = DEGREES.map((x) => Math.round(Math.exp(x))) as [number, number];
  const message =
    degrees > most * 0.999
      ? `degrees of freedom are at ${most}, the upper end of their range: the rows look gaussian`
      : degrees < least * 1.001
        ? `degrees of freedom are at ${least}, the lower end of their range: the tails are heavier than it allows`
        : null;
  return message === null ? [] : [{ code: 'bound', columns: [], message }];
}

/**
 * The logarithm of the degrees of freedom: their maximum for a correlation and the best correlation for them in turns,
 * until they come to rest. The first maximum is looked for everywhere, those after it are vertices of parabolas.
 *
 * @param rough the likelihood of a part of the rows
 * @param follow finds the best correlation
 * @param once whether the correlation is to stay
 */
async function alternate(
  rough: (x: number) => Promise<number>,
  likelihood: (x: number) => Promise<number>,
  follow: (x: number) => Promise<number>,
  once: boolean,
): Promise<number> {
  const [low, high] = DEGREES;
  let { x } = await maximiseBrent(rough, DEGREES, Math.log(8), once ? 1e-5 : 1e-3);
  for (let turn = 0; !once && turn < 100; turn++) {
    await follow(x);
    const step = 1e-3;
    const at = Math.min(Math.max(x, low + step), high - step);
    const [below, here, above] = [
      await likelihood(at - step),
      await likelihood(at),
      await likelihood(at + step),
    ];
    const bend = below - 2 * here + above;
    const vertex = bend < 0 ? at - (0.5 * step * (above - below)) / bend : above > below ? high : low;
    // far from it a parabola is no more than a direction
    const next = Math.min(Math.max(vertex, low, x - 0.5), high, x + 0.5);
    const moved = Math.abs(next - x);
    x = next;
    if (moved < 1e-4) break;
  }
  return x;
}

/** Kendall's tau of the rows as the unrotated family would have it; of many columns the mean over pairs. */
function turnedTau(tau: Float64Array, dim: number, rotation: Rotation): number {
  let total = 0;
  for (let i = 0; i < dim; i++) for (let j = 0; j < i; j++) total += tau[i * dim + j]!;
  const mean = total / ((dim * (dim - 1)) / 2);
  return rotation === 90 || rotation === 270 ? -mean : mean;
}

const toFree = ({ scale }: ParameterRule, value: number) =>
  scale === 'linear' ? value : Math.log(value - scale.log);
const fromFree = ({ scale }: ParameterRule, x: number) => (scale === 'linear' ? x : scale.log + Math.exp(x));
const freeBox = (rule: ParameterRule) => rule.box.map((edge) => toFree(rule, edge)) as [number, number];

/** Beyond two columns rows with more cells than this are too many corners: pairs of columns take their place. */
const MOST_CELLS = 6;

/** @param replaced the parameter of maximum likelihood, which that of tau takes the place of */
async function fitFamily(
  kind: FamilyKind,
  u: DenseRows,
  { rotation, method }: Resolved,
  run: Execution,
  replaced: number | null = null,
): Promise<FamilyCopula> {
  const dim = u.columns;
  const rules = parameterRules(kind, dim);
  const { tau, levels, observations, seen, notes } = await prepare(u, method, run);
  const blur: Note[] = [];
  // exchangeable: every pair has the same parameter
  const composite = dim > 2 && mostCells(observations) > MOST_CELLS;
  const rows = composite ? merged(stackedPairs(observations)) : seen;
  const of = (part: Observations) => (values: readonly number[]) =>
    likelihoodOf(definitionOf(kind, part.columns, values, rotation), part, run);
  let values: number[];
  let errors: Record<string, number | null> | null = null;
  if (rules.length === 0) values = [];
  else if (method === 'tau') {
    const turned = turnedTau(await tau(), dim, rotation);
    values = [replaced === null ? parameterOfTau(kind, turned) : parameterNearTau(kind, rules[0]!, turned)];
    if (replaced !== null) {
      blur.push(replacedNote(`${rules[0]!.name} of the ${kind} copula`, values[0]!, replaced));
    }
    errors = { [rules[0]!.name]: await errorOfTau(kind, rules[0]!, values[0]!, levels, run) };
  } else {
    values =
      rules.length === 1
        ? await maximiseOne(kind, rules[0]!, of(rows), turnedTau(await tau(), dim, rotation))
        : await maximiseMany(rules, of(rows), of(merged(thinned(observations))));
    const blurred =
      areRanks(u) &&
      (await isBlurred(definitionOf(kind, 2, values, rotation), pairOf(levels, 0, 1), u.rows, run));
    if (blurred && rules.length === 1) {
      const options = { rotation, method: 'tau' } as const;
      const byTau = await fitByTau(u, () => fitFamily(kind, u, options, run, values[0]));
      if (byTau) return byTau;
    }
    if (blurred) {
      const names = andWords(rules.map(({ name }) => name));
      const many = rules.length > 1;
      const own = estimateText(tauOf(kind, values));
      const ofRows = estimateText(turnedTau(await tau(), dim, rotation));
      blur.push(
        blurredNote(
          `${names} of the ${kind} copula ${many ? 'have' : 'has'} no standard ${many ? 'errors' : 'error'}, and its Kendall's tau ` +
            `is ${own}, that of the rows ${ofRows}`,
        ),
      );
    }
    const found =
      composite || blurred
        ? rules.map(() => null)
        : await rankErrors(
            (at, some) => logDensities(definitionOf(kind, dim, at, rotation), some, run),
            seen,
            thinned(observations),
            u.rows,
            rules.map(({ box }) => box),
            values,
          );
    errors = Object.fromEntries(rules.map(({ name }, i) => [name, found[i]!]));
  }
  const logLikelihood = await of(seen)(values);
  const record = recordOf(
    { rows: u.rows, method, logLikelihood, standardErrors: errors },
    [...notes, ...boundNotes(kind, rules, values), ...blur],
    run,
  );
  const parameters = Object.fromEntries(rules.map(({ name }, i) => [name, values[i]!]));
  return new FamilyCopula(kind, parameters, { dim, rotation, training: record });
}

/** `parameterOfTau`, or the end of the range that is searched where tau lies beyond. */
function parameterNearTau(kind: FamilyKind, { box: [least, most] }: ParameterRule, tau: number): number {
  if (tau >= tauOf(kind, [most])) return most;
  return tau <= tauOf(kind, [least]) ? least : parameterOfTau(kind, tau);
}

/** Says which parameters sit at an end of where they are looked for. */
function boundNotes(kind: FamilyKind, rules: readonly ParameterRule[], values: readonly number[]): Note[] {
  return rules.flatMap((rule, i): Note[] => {
    const [low, high] = freeBox(rule);
    const x = toFree(rule, values[i]!);
    // a range of 1e4 is no measure of how near to its lower end an estimate of 2 is
    const near = (at: number) =>
      1e-3 * (rule.scale === 'linear' ? Math.min(high - low, Math.max(1, Math.abs(at))) : high - low);
    const end = x - low < near(low) ? 0 : high - x < near(high) ? 1 : null;
    if (end === null) return [];
    const message =
      `${rule.name} of the ${kind} copula is at ${rule.box[end]}, the ${end === 0 ? 'lower' : 'upper'} end of its range: ` +
      'its maximum may lie beyond';
    return [{ code: 'bound', columns: [], message }];
  });
}

/** Standard error of the parameter that tau gives, by the delta method; null at a bound. */
async function errorOfTau(
  kind: FamilyKind,
  rule: ParameterRule,
  value: number,
  u: DenseRows,
  run: Execution,
) {
  const [low, high] = freeBox(rule);
  const x = toFree(rule, value);
  const step = 1e-4 * Math.max(1, Math.abs(x));
  if (!(x - step > low && x + step < high)) return null;
  const [below, above] = [x - step, x + step].map((at) => fromFree(rule, at)) as [number, number];
  const slope = (tauOf(kind, [above]) - tauOf(kind, [below])) / (above - below);
  const error = Math.sqrt((await tauVariance(u, run)).mean) / Math.abs(slope);
  return error > 0 && Number.isFinite(error) ? error : null;
}

/**
 * Copies of few rows of ranks with each value anywhere in the block of its rank. Ranks as such end at 1 / (n + 1): new rows
 * go farther out, where heavy tails make them improbable.
 */
function spreadRows(u: DenseRows): Observations {
  const copies = Math.ceil(1000 / u.rows);
  const generator = new Generator(0x73707265);
  const data = new Float64Array(copies * u.data.length);
  for (let at = 0; at < data.length; at++) {
    const rank = u.data[at % u.data.length]! * (u.rows + 1);
    const level = (rank - 1 + (generator.next() + 0.5) / 2 ** 32) / u.rows;
    data[at] = Math.min(Math.max(level, 1e-9), 1 - 1e-9);
  }
  return { lower: data, upper: data, rows: copies * u.rows, columns: u.columns, counts: null };
}

async function maximiseOne(
  kind: FamilyKind,
  rule: ParameterRule,
  likelihood: (values: readonly number[]) => Promise<number>,
  tau: number,
): Promise<number[]> {
  const box = freeBox(rule);
  let start = 0.5 * (box[0] + box[1]);
  try {
    start = toFree(rule, parameterOfTau(kind, tau));
  } catch (error) {
    if (!(error instanceof SklarError)) throw error; // the family does not reach that tau
  }
  const { x } = await maximiseBrent((value) => likelihood([fromFree(rule, value)]), box, start);
  return [fromFree(rule, x)];
}

/** From the best of a coarse grid uphill by a part of the rows, then by all of them. */
async function maximiseMany(
  rules: readonly ParameterRule[],
  likelihood: (values: readonly number[]) => Promise<number>,
  rough: (values: readonly number[]) => Promise<number>,
): Promise<number[]> {
  const box = rules.map(freeBox);
  const toValues = (x: readonly number[]) => x.map((value, i) => fromFree(rules[i]!, value));
  let starts: number[][] = [[]];
  for (const own of rules) {
    const { scale } = own;
    const [low, high] = own.box;
    const choices =
      scale === 'linear'
        ? [0.25, 0.6, 0.9].map((share) => low + share * (high - low))
        : [0.15, 0.7, 3].map((distance) => scale.log + distance);
    starts = starts.flatMap((head) => choices.map((value) => [...head, toFree(own, value)]));
  }
  let best = { x: starts[0]!, value: -Infinity };
  for (const x of starts) {
    const value = await rough(toValues(x));
    if (value > best.value) best = { x, value };
  }
  const near = await maximiseSimplex((x) => rough(toValues(x)), box, best.x, { tolerance: 1e-3 });
  const objective = (x: readonly number[]) => likelihood(toValues(x));
  const x =
    (await maximiseNewton(objective, box, near.x)) ??
    (await maximiseSimplex(objective, box, near.x, { size: 0.1, rounds: 2 })).x;
  return toValues(x);
}

const configSchema = z.object({
  dim: z.int().min(2).max(65536),
  parameters: z.record(z.string(), z.number()),
  rotation: z.literal(rotations),
});

export function familyFromFile(kind: FamilyKind, document: ModelDocument): FamilyCopula {
  const { dim, parameters, rotation } = expectConfig(configSchema, document);
  return new FamilyCopula(kind, parameters, { dim, rotation, training: document.training });
}
