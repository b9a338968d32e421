/** Fits of Gaussian and Student copulas (docs/mathematics.md, M.5 and M.7). */
import { Generator } from '../../data/random';
import { describe } from '../../errors';
import { type ClassicalDefinition, callNative, release, runJob } from '../../native';
import { type Note } from '../../notes';
import {
  correlationParameters,
  normalScoresCorrelation,
  positiveDefinite,
  shrinkageNotes,
} from '../correlation/correlation';
import { hasMissing, observedLaw } from '../correlation/ties';
import { GaussianCopula } from './gaussian';
import { type DenseRows, effectiveRows, lend, nativeWeights, sizeOf, weightedSum } from '../inputs/rows';
import { type Execution } from '../inputs/run';
import { type Observations, kendallOf, likelihoodOf, logDensities, thinned } from './observations';
import { type Box, maximiseBrent, standardErrors } from './optimise';
import { rankErrors } from './rank-errors';
import { areRanks, isBlurred, pairOf } from './resolution';
import { StudentCopula } from './student';
import {
  type Resolved,
  sum,
  tauVariance,
  prepare,
  estimateText,
  replacedNote,
  blurredNote,
  fitByTau,
  type Prepared,
  recordOf,
} from './fit';

/** Where the degrees of freedom of a Student copula are looked for, as logarithms. */
const DEGREES = [Math.log(1), Math.log(300)] as const;

/** sin(pi tau / 2) of every pair. */
const tauCorrelation = (tau: Float64Array, columns: number) =>
  tau.map((value, i) => (i % (columns + 1) === 0 ? 1 : Math.sin((Math.PI / 2) * value)));

/** Correlation of the normal scores, drawn towards independence. */
async function correlationOfScores(u: DenseRows, run: Execution) {
  return positiveDefinite(await normalScoresCorrelation(u, run), u.columns, effectiveRows(u));
}

/**
 * A correlation matrix estimated pair by pair, drawn no less than that of the normal scores, whose eigenvalues have less
 * noise.
 */
async function shrunkPairs(raw: Float64Array, levels: DenseRows, run: Execution) {
  const { columns } = levels;
  const least = columns === 2 ? 0 : (await correlationOfScores(levels, run)).shrinkage;
  return positiveDefinite(raw, columns, effectiveRows(levels), least);
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
    return isBlurred(definition, pairOf(levels, i, j), effectiveRows(levels), run);
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
  const tau = (await kendallOf({ ...levels, data, columns: 2 }, run))[1]!;
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

const ellipticalDefinition = (r: Float64Array, dim: number, degrees: number): ClassicalDefinition => ({
  family: degrees === Infinity ? 'gaussian' : 'student',
  dim,
  parameters: degrees === Infinity ? new Float64Array(0) : Float64Array.of(degrees),
  rotation: 0,
  factor: callNative((addon) => addon.cholesky(r, dim)),
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
  { lower, upper, rows, columns, counts }: Observations,
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
        counts,
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
export async function fitGaussian(
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
    spread = raw.map((r) => (1 - r * r) / Math.sqrt(effectiveRows(u)));
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
    if (hasMissing(u)) raw = (await observedLaw(u, run)).correlation;
  }
  const { correlation, shrinkage } =
    method === 'tau' || tied.length > 0
      ? await shrunkPairs(raw, levels, run)
      : positiveDefinite(raw, dim, effectiveRows(u));
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
      : weightedSum(u, await new GaussianCopula(correlation, dim).logPdf(lend(levels), run));
  if (levels.data !== u.data) release(levels.data);
  const record = recordOf(
    { rows: u.rows, method, logLikelihood, standardErrors: errors },
    [...notes, ...shrinkageNotes(shrinkage, effectiveRows(u), dim), ...blur],
    run,
  );
  return new GaussianCopula(correlation, dim, { ...record, shrinkage });
}

/** @param replaced rho of maximum likelihood, which that of tau takes the place of */
export async function fitStudent(
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
        addon.classicalFitStudent(
          degrees,
          correlation,
          shrinkage,
          levels.data,
          u.rows,
          dim,
          run.threads,
          nativeWeights(u),
        ),
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
    const shrunk = shrinkageNotes(shrinkage, effectiveRows(u), dim).length > 0;
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
  if (paired && hasMissing(u)) {
    // what pairs of columns that are there lose to all rows is about the same of a Gaussian copula
    const ofPairs = await pairFits(Infinity, correlation, true, pairs, prepared.observations, run);
    const gaussian = withPairs(correlation, dim, ofPairs);
    const { correlation: all } = await observedLaw(u, run);
    correlation = correlation.map((r, k) => {
      const moved = r + all[k]! - gaussian[k]!;
      return k % (dim + 1) === 0 ? 1 : Math.max(-MOST_CORRELATION, Math.min(MOST_CORRELATION, moved));
    });
  }
  if (paired) ({ correlation, shrinkage } = await shrunkPairs(correlation, levels, run));
  const logLikelihood = await likelihoodOf(ellipticalDefinition(correlation, dim, degrees), seen, run);
  const record = recordOf(
    { rows: u.rows, method, logLikelihood, standardErrors: errors },
    [...notes, ...shrinkageNotes(shrinkage, effectiveRows(u), dim), ...degreesNotes(degrees), ...blur],
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

/**
 * Copies of few rows of ranks with each value anywhere in the block of its rank. Ranks as such end at 1 / (n + 1): new rows
 * go farther out, where heavy tails make them improbable.
 */
function spreadRows(u: DenseRows): Observations {
  const copies = Math.ceil(1000 / u.rows);
  const generator = new Generator(0x73707265);
  const data = new Float64Array(copies * u.data.length);
  for (let at = 0; at < data.length; at++) {
    const rank = u.data[at % u.data.length]! * (sizeOf(u) + 1);
    const level = (rank - 1 + (generator.next() + 0.5) / 2 ** 32) / sizeOf(u);
    data[at] = Math.min(Math.max(level, 1e-9), 1 - 1e-9);
  }
  const counts =
    u.weights && Float64Array.from({ length: copies * u.rows }, (_, i) => u.weights!.each[i % u.rows]!);
  return { lower: data, upper: data, rows: copies * u.rows, columns: u.columns, counts: counts ?? null };
}
