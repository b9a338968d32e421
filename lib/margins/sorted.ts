import { types } from 'node:util';

import { describe } from '../errors';
import { type Support, marginError } from './margin';

/** A column of training values, sorted. */
export interface SortedColumn {
  /** The name of the column, for messages. */
  readonly column: string;
  /** All values in ascending order. */
  readonly sorted: Float64Array;
  /** The different values in ascending order. */
  readonly values: Float64Array;
  /** For each of them, how many values are not above it. */
  readonly last: Float64Array;
}

/**
 * Sorts a column and checks that a margin can be learned from it.
 *
 * @throws SklarError ERR_SKLAR_VALUE naming the column: fewer than 2 rows, values that are not finite, a constant column
 */
export function sortedColumn(source: Float64Array, column: string, margin: string): SortedColumn {
  if (!types.isFloat64Array(source)) {
    throw marginError('a Float64Array', margin, column, source);
  }
  if (source.length < 2) throw marginError('at least 2 rows', margin, column, source.length);
  const bad = source.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) {
    throw marginError('finite numbers', margin, column, `${source[bad]} (row ${bad + 1})`);
  }
  const sorted = source.map((value) => value + 0).sort(); // makes -0 a 0
  const column_ = ofSorted(sorted, column);
  if (column_.values.length < 2) {
    throw marginError('values that vary', margin, column, `${describe(sorted[0])} in every row`);
  }
  return column_;
}

/** The different values of sorted ones. */
export function ofSorted(sorted: Float64Array, column: string): SortedColumn {
  const values = new Float64Array(sorted.length);
  const last = new Float64Array(sorted.length);
  let count = 0;
  for (let i = 0; i < sorted.length; i++) {
    if (i === 0 || sorted[i] !== values[count - 1]) values[count++] = sorted[i]!;
    last[count - 1] = i + 1;
  }
  return { column, sorted, values: values.slice(0, count), last: last.slice(0, count) };
}

/** How often the value number k occurs. */
export function countOf({ last }: SortedColumn, k: number): number {
  return last[k]! - (k === 0 ? 0 : last[k - 1]!);
}

/**
 * The support of a column: as given, or [0, Infinity) when no value is negative, or else the real line.
 *
 * @throws SklarError ERR_SKLAR_VALUE naming the column when values lie outside
 */
export function supportOf({ sorted, column }: SortedColumn, margin: string, given?: Support): Support {
  if (!given) return sorted[0]! >= 0 ? [0, Infinity] : [-Infinity, Infinity];
  const [lower, upper] = given;
  const outside = sorted[0]! < lower ? sorted[0]! : sorted.at(-1)!;
  if (outside >= lower && outside <= upper) return [lower, upper];
  throw marginError(`values between ${lower} and ${upper}`, margin, column, outside);
}
