/** A mean over rows, and how far it may be off. */
export interface MeanOfRows {
  /** Of the rows that are not impossible; -Infinity where all are. */
  readonly mean: number;
  /** Standard error of the mean; null for a single row. */
  readonly standardError: number | null;
  /** Where the standard error is by blocks: rows in each. */
  readonly blockRows?: number;
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
): MeanOfRows {
  let sum = 0;
  let count = 0;
  const named: number[] = [];
  for (let i = 0; i < values.length; i++) {
    if (values[i] !== -Infinity) {
      sum += values[i]!;
      count++;
    } else if (named.length < MOST_NAMED) named.push((rows ? rows[i]! : i) + 1);
  }
  if (count === 0 && values.length > 0) {
    return { mean: -Infinity, standardError: null, impossible: { count: values.length, rows: named } };
  }
  const mean = sum / count;
  const deviations = values.filter((value) => value !== -Infinity).map((value) => value - mean);
  const blockRows = errors === 'blocks' ? blockLength(deviations) : 1;
  return {
    mean,
    standardError: count > 1 ? batchError(deviations, blockRows) : null,
    ...(errors === 'blocks' && { blockRows }),
    ...(count < values.length && { impossible: { count: values.length - count, rows: named } }),
  };
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

/** The standard error of a mean by means of all blocks of so many neighbours; of blocks of one row that of independent rows. */
function batchError(deviations: Float64Array, length: number): number {
  const n = deviations.length;
  let squares = 0;
  let sum = 0;
  for (let i = 0; i < n; i++) {
    sum = length === 1 ? deviations[i]! : sum + deviations[i]! - (i >= length ? deviations[i - length]! : 0);
    if (i >= length - 1) squares += (sum / length) ** 2;
  }
  return Math.sqrt((length * squares) / (n - length) / (n - length + 1));
}
