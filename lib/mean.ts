import { type Weights, resolveWeights } from './data/weights';
import { SklarError, expectNumbers, expectOneOf } from './errors';
import { expectDoubles } from './normal';

/** A mean over rows, and how far it may be off. */
export interface MeanOfRows {
  /** Of the rows that are not impossible; -Infinity where all are. */
  readonly mean: number;
  /** Standard error of the mean; null for a single row. */
  readonly standardError: number | null;
  /** Where the standard error is by blocks: rows in each. */
  readonly blockRows?: number;
  /** Of rows with different weights: as how many equal ones they tell of the mean, (sum w)^2 / sum w^2. */
  readonly effectiveRows?: number;
  /** Where there are any: the rows of density 0, whose log density is -Infinity. */
  readonly impossible?: ImpossibleRows;
}

/** Rows of density 0. */
export interface ImpossibleRows {
  /** How many. */
  readonly count: number;
  /** Numbers of the first ten, from 1. */
  readonly rows: readonly number[];
}

/** Of greater values sums of squares may leave the doubles. */
const GREATEST = 1e140;

/** Rows that are named. */
const MOST_NAMED = 10;

/**
 * The mean of log densities or other numbers of rows, without those that are -Infinity: one impossible row would hide all
 * others.
 *
 * @param rows numbers of the rows, from 0, where they are a part of the caller's
 * @param errors `rows` (default): the standard error of independent rows. `blocks`: of rows in the order of time, by overlapping batch
 *   means (Meketon and Schmeiser 1984), whose blocks are as long as the autocorrelation at lag 1 asks for (Andrews 1991, *Econometrica*
 *   59, 817, for Bartlett's window) and not shorter than n^(1/3)
 * @param weights of the rows, in any unit, none negative, not all 0; the mean is weighted, and a row of weight 0 has no say
 *   (docs/mathematics.md, N.5)
 * @returns mean and standard error in the unit of the values; NaN where there are none
 *
 * @example
 * ```ts
 * import { meanOf } from 'sklar';
 *
 * meanOf(Float64Array.of(1, 3, -Infinity)); // => { mean: 2, standardError: 1, impossible: { count: 1, rows: [3] } }
 * ```
 */
export function meanOf(
  values: Float64Array,
  rows?: ArrayLike<number>,
  errors: 'rows' | 'blocks' = 'rows',
  weights?: Weights,
): MeanOfRows {
  expectDoubles(values, 'the values of meanOf');
  const mean = new RunningMean(expectOneOf(errors, 'errors', ['rows', 'blocks'] as const));
  const numbers = rows === undefined ? undefined : expectNumbers(rows, 'the numbers of the rows');
  if (numbers && numbers.length !== values.length) {
    throw new SklarError(
      'ERR_SKLAR_SHAPE',
      `expected ${values.length} numbers of rows, got ${numbers.length}`,
    );
  }
  if (weights !== undefined) resolveWeights(weights, values.length);
  mean.add(values, numbers, weights);
  return mean.value();
}

/** The same of values that come in parts. */
export class RunningMean {
  readonly #named: number[] = [];
  /** Those that are possible, where the errors are by blocks: these need all of them. */
  readonly #parts: Float64Array[] | null;
  readonly #weightParts: Float64Array[] = [];
  /**
   * The sums of w, w x, and of w^2, w^2 (x - shift), w^2 (x - shift)^2, with the first value as shift, in a power of two as the unit of w: that of
   * the largest, whose square would leave the doubles.
   */
  readonly #weighted = { least: Infinity, most: 0, unit: 0, shift: 0, w: 0, wx: 0, ww: 0, wwx: 0, wwxx: 0 };
  /** The unit of all sums of values, a power of two: 1 but for values so great that their squares would leave the doubles. */
  #scale = 1;
  #rows = 0;
  /** Of weight 0. */
  #unweighted = 0;
  #count = 0;
  #sum = 0;
  /** Mean and sum of squared deviations so far, after Welford (1962). */
  #mean = 0;
  #squares = 0;

  constructor(errors: 'rows' | 'blocks' = 'rows') {
    this.#parts = errors === 'blocks' ? [] : null;
  }

  /**
   * @param rows numbers of the rows, from 0; default: they go on from the last part
   * @param weights of the rows, none negative; default: 1
   */
  add(values: Float64Array, rows?: ArrayLike<number>, weights?: ArrayLike<number>): void {
    const sums = this.#weighted;
    for (let i = 0; i < values.length; i++) {
      const weight = weights ? weights[i]! : 1;
      if (weight === 0) {
        this.#unweighted++;
        continue;
      }
      if (values[i] === -Infinity) {
        if (this.#named.length < MOST_NAMED) this.#named.push((rows ? rows[i]! : this.#rows + i) + 1);
        continue;
      }
      const size = Math.abs(values[i]!);
      if (size > GREATEST * this.#scale && size < Infinity) this.#scaleBy(2 ** Math.floor(Math.log2(size)));
      const value = values[i]! / this.#scale;
      if (this.#count === 0) sums.shift = value;
      sums.least = Math.min(sums.least, weight);
      sums.most = Math.max(sums.most, weight);
      if (weight > sums.unit) this.#measureIn(2 ** Math.floor(Math.log2(weight)));
      const own = weight / sums.unit;
      sums.w += own;
      sums.wx += own * value;
      sums.ww += own * own;
      sums.wwx += own * own * (value - sums.shift);
      sums.wwxx += (own * (value - sums.shift)) ** 2;
      this.#count++;
      this.#sum += value;
      const deviation = value - this.#mean;
      this.#mean += deviation / this.#count;
      this.#squares += deviation * (value - this.#mean);
    }
    this.#rows += values.length;
    const counts = (value: number, i: number) => value !== -Infinity && (!weights || weights[i] !== 0);
    this.#parts?.push(values.filter(counts));
    if (this.#parts) {
      this.#weightParts.push(
        weights
          ? Float64Array.from(weights).filter((_, i) => counts(values[i]!, i))
          : new Float64Array(values.filter(counts).length).fill(1),
      );
    }
  }

  #scaleBy(scale: number): void {
    const sums = this.#weighted;
    const factor = this.#scale / scale;
    for (const key of ['shift', 'wx', 'wwx'] as const) sums[key] *= factor;
    sums.wwxx *= factor ** 2;
    this.#sum *= factor;
    this.#mean *= factor;
    this.#squares *= factor ** 2;
    this.#scale = scale;
  }

  #measureIn(unit: number): void {
    const sums = this.#weighted;
    const factor = sums.unit / unit;
    sums.w *= factor;
    sums.wx *= factor;
    sums.ww *= factor ** 2;
    sums.wwx *= factor ** 2;
    sums.wwxx *= factor ** 2;
    sums.unit = unit;
  }

  /** The rows of density 0 so far. */
  get impossible(): ImpossibleRows {
    return { count: this.#rows - this.#unweighted - this.#count, rows: [...this.#named] };
  }

  /** The rows that have a weight so far. */
  get counted(): number {
    return this.#rows - this.#unweighted;
  }

  value(): MeanOfRows {
    const { impossible } = this;
    const { least, most, unit, shift, w, wx, ww, wwx, wwxx } = this.#weighted;
    if (this.#count === 0 && this.counted > 0) return { mean: -Infinity, standardError: null, impossible };
    const weighted = least < most;
    const effective = (w * w) / ww;
    const mean = weighted ? wx / w : this.#sum / this.#count;
    const deviations = this.#parts && this.#deviations(mean, weighted ? this.#count / w / unit : null);
    const blockRows = deviations ? blockLength(deviations) : 1;
    const ofRows = () => {
      if (!weighted) return Math.sqrt(this.#squares / (this.#count - 1) / this.#count);
      const squares = wwxx - 2 * (mean - shift) * wwx + (mean - shift) ** 2 * ww;
      return Math.sqrt((Math.max(0, squares) / (w * w)) * (effective / (effective - 1)));
    };
    const error = () => (deviations && blockRows > 1 ? batchError(deviations, blockRows) : ofRows());
    return {
      mean: mean * this.#scale,
      standardError: this.#count > 1 ? error() * this.#scale : null,
      ...(deviations && { blockRows }),
      ...(weighted && { effectiveRows: effective }),
      ...(impossible.count > 0 && { impossible }),
    };
  }

  /** From the mean, times the weights in that unit; null: they are equal. */
  #deviations(mean: number, unit: number | null): Float64Array {
    const all = new Float64Array(this.#count);
    let done = 0;
    this.#parts!.forEach((part, k) => {
      const weights = this.#weightParts[k]!;
      part.forEach(
        (value, i) => (all[done++] = (unit === null ? 1 : unit * weights[i]!) * (value / this.#scale - mean)),
      );
    });
    return all;
  }
}

/** Of blocks for the mean of a series, given its deviations from it. */
function blockLength(deviations: Float64Array): number {
  const n = deviations.length;
  let [squares, products] = [0, 0];
  for (let i = 0; i < n; i++) {
    squares += deviations[i]! ** 2;
    if (i > 0) products += deviations[i]! * deviations[i - 1]!;
  }
  const r = squares > 0 ? Math.max(-0.97, Math.min(0.97, products / squares)) : 0;
  const alpha = (2 * r) ** 2 / ((1 - r) * (1 + r)) ** 2;
  const wanted = Math.max(Math.cbrt(n), 1.1447 * Math.cbrt(alpha * n));
  return Math.max(1, Math.min(Math.ceil(wanted), Math.floor(n / 4)));
}

/** The standard error of a mean by means of all blocks of so many neighbours, more than one. */
function batchError(deviations: Float64Array, length: number): number {
  const n = deviations.length;
  let squares = 0;
  let sum = 0;
  for (let i = 0; i < n; i++) {
    sum += deviations[i]! - (i >= length ? deviations[i - length]! : 0);
    if (i >= length - 1) squares += (sum / length) ** 2;
  }
  return Math.sqrt((length * squares) / (n - length) / (n - length + 1));
}
