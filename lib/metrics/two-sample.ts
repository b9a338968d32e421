/** How far two samples are apart: docs/mathematics.md, G.3. */
import { type RowsInput } from '../copulas/inputs/rows';
import { type RunOptions, runOptions } from '../copulas/inputs/run';
import { Generator, type Seed, seedWords, shuffle, resolveSeed } from '../data/random';
import { defaultNames } from '../data/table';
import {
  type OptionNames,
  SklarError,
  describe,
  expectInteger,
  expectNumber,
  expectOneOf,
  expectOptions,
} from '../errors';
import { pickRows } from '../matrix';
import { runJob } from '../native';
import { meanOf } from '../mean';
import { cramerTail, kolmogorovTail } from './null-laws';
import { execution, expectRows } from './rows';

/** A number that says how far two samples are apart. */
export interface TwoSampleMetric {
  /** The distance, or the area under the curve. */
  readonly value: number;
  /** How far the value may be off; null where no formula tells. */
  readonly standardError: number | null;
  /** How often two samples of the same distribution are at least so far apart; null where it is not computed. */
  readonly pValue: number | null;
}

/** Both samples in one array: the first `first` rows are x, the others y. */
interface Samples {
  readonly data: Float64Array;
  readonly rows: number;
  readonly first: number;
  readonly dim: number;
  readonly names: readonly string[];
}

/** @param least rows of each */
export function expectSamples(x: RowsInput, y: RowsInput, what: string, least = 2): Samples {
  const a = expectRows(x, `the first sample of ${what}`);
  const b = expectRows(y, `the second sample of ${what}`);
  if (a.columns !== b.columns) {
    throw new SklarError(
      'ERR_SKLAR_SHAPE',
      `expected samples of the same columns for ${what}, got ${a.columns} and ${b.columns}`,
    );
  }
  if (Math.min(a.rows, b.rows) < least) {
    throw new SklarError(
      'ERR_SKLAR_SHAPE',
      `expected at least ${least} rows of each sample for ${what}, got ${a.rows} and ${b.rows}`,
    );
  }
  const data = new Float64Array(a.data.length + b.data.length);
  data.set(a.data);
  data.set(b.data, a.data.length);
  const names = a.names ?? b.names ?? defaultNames(a.columns);
  return { data, rows: a.rows + b.rows, first: a.rows, dim: a.columns, names };
}

/** Beyond it squares of differences, in sums over columns, may leave the finite numbers. */
const FARTHEST = 1e150;
/** Where all values are below it their squares may vanish. */
const NEAREST = 1e-100;

/**
 * The rows in a unit in which squares of distances are numbers, a power of two.
 *
 * @throws SklarError ERR_SKLAR_VALUE for rows whose distances a double does not hold; see `expectSamples`
 */
function expectNear(x: RowsInput, y: RowsInput, what: string): Samples & { readonly unit: number } {
  const samples = expectSamples(x, y, what);
  const { data, dim, names } = samples;
  const far = data.findIndex((value) => Math.abs(value) > FARTHEST);
  if (far < 0) {
    const greatest = data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    if (greatest === 0 || greatest > NEAREST) return { ...samples, unit: 1 };
    // the inverse of a unit below 2^-1022 is no number
    const unit = 2 ** Math.max(-1022, Math.floor(Math.log2(greatest)));
    return { ...samples, data: data.map((value) => value / unit), unit };
  }
  throw new SklarError(
    'ERR_SKLAR_VALUE',
    `expected numbers between ${-FARTHEST} and ${FARTHEST} for ${what}, got ${data[far]} (column ` +
      `${describe(names[far % dim])}); ranks and normal scores have no such limits`,
  );
}

/** The distance of one column of two samples. */
export interface ColumnMetric {
  /** Its name. */
  readonly column: string;
  /** The distance. */
  readonly value: number;
  /** Of this column alone. */
  readonly pValue: number;
}

/** The largest distance of a column, with a p-value that counts all columns (Bonferroni). */
export interface MarginMetric extends TwoSampleMetric {
  /** None. */
  readonly standardError: null;
  /** Of the worst column, times the number of columns. */
  readonly pValue: number;
  /** The column of the largest distance. */
  readonly worst: string;
  /** One for each column. */
  readonly columns: readonly ColumnMetric[];
}

async function marginMetric(
  what: 'kolmogorovSmirnov' | 'cramerVonMises',
  x: RowsInput,
  y: RowsInput,
  options: RunOptions,
): Promise<MarginMetric> {
  options = expectOptions(options, what, runOptions);
  const run = execution(options);
  const { data, rows, first, dim, names } = expectSamples(x, y, what);
  const { kolmogorov, cramer } = await runJob(
    (addon) => addon.marginDistances(data, rows, first, dim, run.threads),
    { signal: run.signal },
  );
  const [values, tail] = what === 'kolmogorovSmirnov' ? [kolmogorov, kolmogorovTail] : [cramer, cramerTail];
  const columns = Array.from(values, (value, j) => ({
    column: names[j]!,
    value,
    pValue: tail(value, first, rows - first),
  }));
  const worst = columns.reduce((most, column) => (column.value > most.value ? column : most));
  return {
    value: worst.value,
    standardError: null,
    pValue: Math.min(1, dim * worst.pValue),
    worst: worst.column,
    columns,
  };
}

/**
 * The Kolmogorov-Smirnov distance sup |F - G| of each column of two samples. p-values are asymptotic, with the correction
 * of Stephens (1970): good from some tens of rows on; with ties they are too large.
 *
 * @param x n x dim
 * @param y m x dim, finite
 * @throws SklarError ERR_SKLAR_VALUE naming a value that is not finite, ERR_SKLAR_SHAPE for unequal columns
 *
 * @example
 * ```ts
 * import { kolmogorovSmirnov } from 'sklar';
 *
 * const { value, pValue, worst } = await kolmogorovSmirnov([[1, 5], [2, 6], [3, 7]], [[1, 8], [2, 9], [3, 10]]);
 * worst; // => 'column2'
 * value; // => 1
 * ```
 */
export function kolmogorovSmirnov(
  x: RowsInput,
  y: RowsInput,
  options: RunOptions = {},
): Promise<MarginMetric> {
  return marginMetric('kolmogorovSmirnov', x, y, options);
}

/**
 * The statistic T of Cramer and von Mises of each column of two samples (Anderson, 1962): n m / (n + m) times the mean
 * squared difference of the distribution functions, about 1/6 for equal distributions. p-values are asymptotic, with the
 * mean and variance of the samples' sizes. See `kolmogorovSmirnov`.
 *
 * @throws SklarError as `kolmogorovSmirnov`
 *
 * @example
 * ```ts
 * import { cramerVonMises } from 'sklar';
 *
 * const { value, pValue, worst } = await cramerVonMises([[1, 5], [2, 6], [3, 7]], [[1, 8], [2, 9], [3, 10]]);
 * worst; // => 'column2'
 * value; // => 0.528
 * ```
 */
export function cramerVonMises(x: RowsInput, y: RowsInput, options: RunOptions = {}): Promise<MarginMetric> {
  return marginMetric('cramerVonMises', x, y, options);
}

/** How a p-value is found. */
export interface PermutationOptions extends RunOptions {
  /** Relabellings of the rows that the p-value is from, which is at least 1 / (permutations + 1); 0: none. Default 199. */
  permutations?: number;
  /** Of the relabellings; default 1. */
  seed?: Seed;
  /** Told the share of the work that is done, up to 1. */
  onProgress?: ((fraction: number) => void) | undefined;
}

const pairOptions: OptionNames<PermutationOptions> = {
  ...runOptions,
  permutations: true,
  seed: true,
  onProgress: true,
};

const PERMUTATIONS = 199;

/**
 * `sign` times the mean over the pairs of x, plus that of y, minus twice that between them: sign -1 for distances, 1 for
 * kernels. With `biased` the pairs of a row with itself count, whose value is `diagonal`.
 */
async function pairMetric(
  { data, rows, first, dim }: Samples,
  kernel: { bandwidths: readonly number[]; sign: 1 | -1; diagonal: 0 | 1; biased: boolean },
  options: PermutationOptions,
): Promise<TwoSampleMetric> {
  const run = execution(options);
  const permutations = expectInteger(options.permutations ?? PERMUTATIONS, 'permutations', {
    min: 0,
    max: 10_000,
  });
  const seed = resolveSeed(options.seed ?? 1);
  const bandwidths = Float64Array.from(kernel.bandwidths);
  const { toFirst, toSecond, withinFirst, between } = await runJob(
    (addon, onProgress: (fraction: number) => void) =>
      addon.pairSums(data, rows, first, dim, run.threads, bandwidths, permutations, seed, onProgress),
    { signal: run.signal, onEvent: options.onProgress },
  );
  const n = first;
  const m = rows - first;
  const meanWithin = (sum: number, count: number) =>
    kernel.biased ? (2 * sum + count * kernel.diagonal) / (count * count) : (2 * sum) / (count * (count - 1));
  const statistic = (xx: number, yy: number, xy: number) =>
    kernel.sign * (meanWithin(xx, n) + meanWithin(yy, m) - (2 * xy) / (n * m));
  const sum = (values: Float64Array) => values.reduce((total, value) => total + value, 0);
  const xx = sum(toFirst.subarray(0, n)) / 2;
  const yy = sum(toSecond.subarray(n)) / 2;
  const xy = sum(toSecond.subarray(0, n));
  const value = statistic(xx, yy, xy);
  // Hoeffding's projections of the statistic on one row
  const ofX = toSecond.subarray(0, n).map((other, i) => other / m - toFirst[i]! / (n - 1));
  const ofY = toFirst.subarray(n).map((other, i) => other / n - toSecond[n + i]! / (m - 1));
  const standardError = 2 * Math.hypot(meanOf(ofX).standardError!, meanOf(ofY).standardError!);
  let beyond = 1;
  // the sums of a relabelling have another order, so equal values may differ in their last digits
  const least = value - (1e-12 * Math.abs(xx + yy + xy)) / (n * m);
  withinFirst.forEach((within, p) => {
    if (statistic(within, xx + yy + xy - within - between[p]!, between[p]!) >= least) beyond++;
  });
  return { value, standardError, pValue: permutations > 0 ? beyond / (permutations + 1) : null };
}

/** Which energy distance. */
export interface EnergyDistanceOptions extends PermutationOptions {
  /**
   * The mean over pairs of different rows, whose expectation is the distance of the distributions and which may be
   * negative. Default false: the energy distance of the two empirical distributions.
   */
  unbiased?: boolean;
}

/**
 * Energy distance 2 E|X - Y| - E|X - X'| - E|Y - Y'| (Szekely and Rizzo, 2013), with Euclidean distances: give the columns
 * a common scale. It is 0 for equal distributions only. The standard error is that of the first order of Hoeffding's
 * expansion: right for distributions that differ, too small for equal ones, for which the p-value, from random
 * relabellings, is exact. Time (n + m)^2 (dim + permutations / 2).
 *
 * @param x n x dim
 * @param y m x dim, finite, two rows at least of each
 * @throws SklarError ERR_SKLAR_VALUE naming a value that is not finite, ERR_SKLAR_SHAPE for unequal columns
 *
 * @example
 * ```ts
 * import { energyDistance } from 'sklar';
 *
 * const { value, pValue } = await energyDistance([[0], [1]], [[3], [4]], { permutations: 99 });
 * value; // => 5
 * ```
 */
export async function energyDistance(
  x: RowsInput,
  y: RowsInput,
  options: EnergyDistanceOptions = {},
): Promise<TwoSampleMetric> {
  options = expectOptions(options, 'energyDistance', { ...pairOptions, unbiased: true });
  const biased = !expectOneOf(options.unbiased ?? false, 'unbiased', [true, false]);
  const samples = expectNear(x, y, 'energyDistance');
  const metric = await pairMetric(samples, { bandwidths: [], sign: -1, diagonal: 0, biased }, options);
  const { unit } = samples;
  return { ...metric, value: metric.value * unit, standardError: metric.standardError! * unit };
}

/** Which kernels. */
export interface MmdOptions extends PermutationOptions {
  /** h of the kernels exp(-|x - y|^2 / (2 h^2)), whose mean is taken; default: the median heuristic, see `mmd`. */
  bandwidths?: readonly number[];
}

/** A maximum mean discrepancy with its kernels. */
export interface MmdMetric extends TwoSampleMetric {
  /** Of the kernels. */
  readonly bandwidths: readonly number[];
}

/** Rows whose distances the median heuristic looks at, at most. */
const MEDIAN_ROWS = 1000;

async function medianBandwidth({ data, rows, dim }: Samples, options: RunOptions): Promise<number> {
  const run = execution(options);
  const count = Math.min(rows, MEDIAN_ROWS);
  const chosen = pickRows(
    data,
    Array.from({ length: count }, (_, i) => Math.floor((i * rows) / count)),
    dim,
  );
  const medianOf = (of: Float64Array) =>
    runJob((addon) => addon.medianDistance(of, of.length / dim, dim), { signal: run.signal });
  const median = await medianOf(chosen);
  if (median > 0) return median;
  const different = new Map<string, Float64Array>();
  for (let i = 0; i < count; i++) {
    const row = chosen.slice(i * dim, (i + 1) * dim);
    different.set(row.join(), row);
  }
  // of equal rows alone all kernels say the same
  if (different.size < 2) return 1;
  return medianOf(Float64Array.from([...different.values()].flatMap((row) => Array.from(row))));
}

/**
 * Squared maximum mean discrepancy of a Gaussian kernel, the unbiased estimator, which may be negative (Gretton et al.,
 * 2012, lemma 6). Bandwidth by default: the median distance of all pairs among both samples, of 1000 rows taken evenly
 * where there are more, of different rows where most are equal. Scale, standard error, p-value and time as of `energyDistance`.
 *
 * @param x n x dim
 * @param y m x dim, finite, two rows at least of each
 * @throws SklarError as `energyDistance`; ERR_SKLAR_VALUE for bandwidths that are not positive
 *
 * @example
 * ```ts
 * import { mmd } from 'sklar';
 *
 * const { value, bandwidths } = await mmd([[0], [1]], [[3], [4]], { bandwidths: [1] });
 * value; // => 1.134
 * ```
 */
export async function mmd(x: RowsInput, y: RowsInput, options: MmdOptions = {}): Promise<MmdMetric> {
  options = expectOptions(options, 'mmd', { ...pairOptions, bandwidths: true });
  const samples = expectNear(x, y, 'mmd');
  const given: unknown = options.bandwidths;
  if (given !== undefined && !(Array.isArray(given) && given.length > 0)) {
    throw new SklarError('ERR_SKLAR_VALUE', `expected a list of bandwidths, got ${describe(given)}`);
  }
  const bandwidths = options.bandwidths
    ? options.bandwidths.map((h) => expectNumber(h, 'a bandwidth', { above: 0 }) / samples.unit)
    : [await medianBandwidth(samples, options)];
  const metric = await pairMetric(samples, { bandwidths, sign: 1, diagonal: 1, biased: false }, options);
  return { ...metric, bandwidths: options.bandwidths ?? bandwidths.map((h) => h * samples.unit) };
}

/** Which directions and order. */
export interface SlicedWassersteinOptions extends RunOptions {
  /** Random directions; default 100. */
  directions?: number;
  /** 1 (default) or 2. */
  order?: 1 | 2;
  /** Of the directions; default 1. */
  seed?: Seed;
  /** Told the share of the work that is done, up to 1. */
  onProgress?: ((fraction: number) => void) | undefined;
}

const slicedOptions: OptionNames<SlicedWassersteinOptions> = {
  ...runOptions,
  directions: true,
  order: true,
  seed: true,
  onProgress: true,
};

/**
 * Sliced Wasserstein distance (E W_p(X theta, Y theta)^p)^(1/p) over directions theta uniform on the sphere (Bonneel et
 * al., 2015), each W_p exact by sorting. The standard error is that of the directions alone. Give the columns a common
 * scale.
 *
 * @param x n x dim
 * @param y m x dim, finite
 * @returns in the units of the columns
 * @throws SklarError ERR_SKLAR_VALUE naming a value that is not finite, ERR_SKLAR_SHAPE for unequal columns
 *
 * @example
 * ```ts
 * import { slicedWasserstein } from 'sklar';
 *
 * const { value } = await slicedWasserstein([[0], [1]], [[3], [4]]);
 * value; // => 3
 * ```
 */
export async function slicedWasserstein(
  x: RowsInput,
  y: RowsInput,
  options: SlicedWassersteinOptions = {},
): Promise<TwoSampleMetric> {
  options = expectOptions(options, 'slicedWasserstein', slicedOptions);
  const run = execution(options);
  const order = expectOneOf(options.order ?? 1, 'order', [1, 2]);
  const directions = expectInteger(options.directions ?? 100, 'directions', { min: 2, max: 2 ** 20 });
  const seed = resolveSeed(options.seed ?? 1);
  const { data, rows, first, dim, unit } = expectNear(x, y, 'slicedWasserstein');
  const powers = await runJob(
    (addon, onProgress: (fraction: number) => void) =>
      addon.slicedWasserstein(data, rows, first, dim, run.threads, directions, order, seed, onProgress),
    { signal: run.signal, onEvent: options.onProgress },
  );
  const { mean, standardError } = meanOf(powers);
  const value = order === 1 ? mean : Math.sqrt(mean);
  const slope = order === 1 || value === 0 ? 1 : 2 * value;
  return { value: value * unit, standardError: (standardError! / slope) * unit, pValue: null };
}

/** How a classifier is asked. */
export interface ClassifierAucOptions extends RunOptions {
  /** Parts of the rows, each scored by a fit to the others; default 5. */
  folds?: number;
  /** Of the parts; default 1. */
  seed?: Seed;
}

/** Neighbours whose labels are a feature. */
const NEIGHBOURS = 20;

/**
 * P(a < b) + P(a = b) / 2 for a of `low` and b of `high`, and its variance (DeLong, DeLong and Clarke-Pearson, 1988).
 */
export function areaUnderCurve(low: Float64Array, high: Float64Array): { area: number; variance: number } {
  const placements = (values: Float64Array, others: Float64Array) => {
    let less = 0;
    let notMore = 0;
    return values.map((value) => {
      while (less < others.length && others[less]! < value) less++;
      while (notMore < others.length && others[notMore]! <= value) notMore++;
      return (less + notMore) / (2 * others.length);
    });
  };
  const [a, b] = [Float64Array.from(low).sort(), Float64Array.from(high).sort()];
  const ofHigh = meanOf(placements(b, a));
  const ofLow = meanOf(placements(a, b));
  return { area: ofHigh.mean, variance: ofHigh.standardError! ** 2 + ofLow.standardError! ** 2 };
}

/**
 * How well a classifier tells y from x: the area under its ROC curve on rows that it has not seen, 0.5 for equal
 * distributions, 1 where every row can be told (Lopez-Paz and Oquab, 2017). Each column is put on the Gaussian scale by its
 * ranks in both samples together; the classifier is a logistic regression on the columns, their squares, all products of two
 * and the log-odds of the 20 nearest neighbours, so it sees differences of location, spread and correlation, and others
 * where rows lie dense enough. The value is the mean over the folds, with the standard error of DeLong et al. (1988), which
 * counts the held-out rows but not that the folds share training rows: for equal distributions values spread up to half as
 * much again. Time about (n + m)^2 dim.
 *
 * @param x n x dim
 * @param y m x dim, finite, two rows at least of each for each fold
 * @throws SklarError ERR_SKLAR_VALUE naming a value that is not finite, ERR_SKLAR_SHAPE for unequal columns or few rows
 *
 * @example
 * ```ts
 * import { FamilyCopula, classifierAuc } from 'sklar';
 *
 * const copula = new FamilyCopula('frank', { theta: 5 });
 * const [x, y] = [await copula.sample(200, { seed: 1 }), await copula.sample(200, { seed: 2 })];
 * const { value, standardError } = await classifierAuc(x, y); // about 0.5
 * ```
 */
export async function classifierAuc(
  x: RowsInput,
  y: RowsInput,
  options: ClassifierAucOptions = {},
): Promise<TwoSampleMetric> {
  options = expectOptions(options, 'classifierAuc', { ...runOptions, folds: true, seed: true });
  const run = execution(options);
  const folds = expectInteger(options.folds ?? 5, 'folds', { min: 2, max: 100 });
  const words = seedWords(options.seed ?? 1);
  const { data, rows, first, dim } = expectSamples(x, y, 'classifierAuc', 2 * folds);
  // in random order, so that equally near neighbours are of either sample
  const order = Uint32Array.from({ length: rows }, (_, i) => i);
  shuffle(order, 0, rows, new Generator(...words));
  const values = pickRows(data, order, dim);
  const labels = new Int32Array(rows);
  const fold = new Int32Array(rows);
  const count: [number, number] = [0, 0];
  order.forEach((row, i) => {
    const label = row < first ? 0 : 1;
    labels[i] = label;
    fold[i] = count[label]++ % folds;
  });
  const z = await runJob((addon) => addon.normalScores(values, rows, values, rows, dim, run.threads), {
    signal: run.signal,
  });
  // a prior under which the quadratic part has variance 1, however many coefficients it has
  const ridge = 2 * dim + (dim * (dim - 1)) / 2;
  const scores = await runJob(
    (addon) => addon.classifierScores(z, rows, dim, labels, fold, folds, ridge, NEIGHBOURS, run.threads),
    { signal: run.signal },
  );
  let sum = 0;
  let variance = 0;
  for (let k = 0; k < folds; k++) {
    const of = (label: number) => scores.filter((_, i) => fold[i] === k && labels[i] === label);
    const part = areaUnderCurve(of(0), of(1));
    sum += part.area;
    variance += part.variance;
  }
  return { value: sum / folds, standardError: Math.sqrt(variance) / folds, pValue: null };
}
