/** A mean over rows, and how far it may be off. */
export interface MeanOfRows {
  /** Of the rows that are not impossible; -Infinity where all are. */
  readonly mean: number;
  /** Standard error of the mean; null for a single row. */
  readonly standardError: number | null;
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
 * @returns mean and standard error in the unit of the values; NaN where there are none
 *
 * @example
 * ```ts
 * import { meanOf } from 'sklar';
 *
 * meanOf(Float64Array.of(1, 3, -Infinity)); // => { mean: 2, standardError: 1, impossible: { count: 1, rows: [3] } }
 * ```
 */
export function meanOf(values: Float64Array, rows?: ArrayLike<number>): MeanOfRows {
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
  let squares = 0;
  for (const value of values) if (value !== -Infinity) squares += (value - mean) ** 2;
  return {
    mean,
    standardError: count > 1 ? Math.sqrt(squares / (count - 1) / count) : null,
    ...(count < values.length && { impossible: { count: values.length - count, rows: named } }),
  };
}
