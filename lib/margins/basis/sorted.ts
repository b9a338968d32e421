import { types } from 'node:util';

import { findNotFinite, varies } from '../../data/column-jobs';
import { type SortedValues, sortValues, sortedWeights } from '../../data/sorted-table';
import { type RowWeights } from '../../data/weights';
import { describe } from '../../errors';
import { type MarginSupport, marginError } from './margin';

/** A column of training values, sorted. */
export interface SortedColumn extends SortedValues {
  /** The name of the column, for messages. */
  readonly column: string;
}

/**
 * Checks that a margin can be learned from a column.
 *
 * @throws SklarError ERR_SKLAR_VALUE naming the column: fewer than 2 rows, values that are not finite, a constant column
 */
export function expectLearnable(source: Float64Array, column: string, margin: string): void {
  if (!types.isFloat64Array(source)) {
    throw marginError('a Float64Array', margin, column, source);
  }
  if (source.length < 2) throw marginError('at least 2 rows', margin, column, source.length);
  const bad = findNotFinite(source);
  if (bad >= 0) {
    throw marginError('finite numbers', margin, column, `${source[bad]} (row ${bad + 1})`);
  }
  if (!varies(source)) {
    throw marginError('values that vary', margin, column, `${describe(source[0]! + 0)} in every row`);
  }
}

/** Sorts a column; see `expectLearnable`. @param weights of the values; null: all count alike */
export function sortedColumn(
  source: Float64Array,
  column: string,
  margin: string,
  weights: RowWeights | null,
): SortedColumn {
  expectLearnable(source, column, margin);
  return { column, ...sortValues(source, weights) };
}

/** The number of rows, or the sum of their weights. */
export function sizeOf({ sorted, weights }: Pick<SortedColumn, 'sorted' | 'weights'>): number {
  return weights ? weights.rows : sorted.length;
}

/** As how many rows they tell of a mean; see `RowWeights.effective`. */
export function effectiveSize({ sorted, weights }: Pick<SortedColumn, 'sorted' | 'weights'>): number {
  return weights ? weights.effective : sorted.length;
}

/** Of each of the different values how many rows are not above it, or their weight. */
export function cumulative({ last, weights }: Pick<SortedColumn, 'last' | 'weights'>): Float64Array {
  return weights ? weights.upTo : last;
}

/** The number of rows that have the value number k, or their weight. */
export function massOf(column: SortedColumn, k: number): number {
  const upTo = cumulative(column);
  return upTo[k]! - (k === 0 ? 0 : upTo[k - 1]!);
}

/** The value of so high a rank, from 0; of weighted rows the first with more weight than that up to it. */
export function valueAt(column: Pick<SortedColumn, 'sorted' | 'values' | 'weights'>, rank: number): number {
  const { sorted, values, weights } = column;
  if (!weights) return sorted[rank]!;
  let [low, high] = [0, values.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (weights.upTo[middle]! > rank) high = middle;
    else low = middle + 1;
  }
  return values[low]!;
}

/** The value at a level. */
export function quantileOf(
  column: Pick<SortedColumn, 'sorted' | 'values' | 'weights'>,
  level: number,
): number {
  return valueAt(column, Math.round(level * (sizeOf(column) - 1)));
}

/** The column without these values, which are few. */
export function withoutValues(column: SortedColumn, without: ReadonlySet<number>): SortedColumn {
  const { sorted, values, last, weights } = column;
  const blocks = Array.from(without, (value) => values.indexOf(value)).filter((k) => k >= 0);
  blocks.sort((a, b) => a - b);
  const gone = blocks.reduce((rows, k) => rows + countOf(column, k), 0);
  const out = {
    sorted: new Float64Array(sorted.length - gone),
    values: new Float64Array(values.length - blocks.length),
    last: new Float64Array(values.length - blocks.length),
  };
  const each = weights && new Float64Array(out.sorted.length);
  // What lies between two of them stays together.
  let rows = 0;
  let count = 0;
  let from = 0;
  for (const to of [...blocks, values.length]) {
    const begin = from === 0 ? 0 : last[from - 1]!;
    const end = to === 0 ? 0 : last[to - 1]!;
    out.sorted.set(sorted.subarray(begin, end), rows);
    each?.set(weights!.each.subarray(begin, end), rows);
    out.values.set(values.subarray(from, to), count);
    for (let k = from; k < to; k++) out.last[count + k - from] = last[k]! - begin + rows;
    rows += end - begin;
    count += to - from;
    from = to + 1;
  }
  return { column: column.column, ...out, ...(each && { weights: sortedWeights(each, out.last) }) };
}

/** How often the value number k occurs. */
export function countOf({ last }: SortedColumn, k: number): number {
  return last[k]! - (k === 0 ? 0 : last[k - 1]!);
}

/**
 * The support of a column: as given, or [0, Infinity) when no value is negative, (-Infinity, 0] when none is positive, or
 * else the real line.
 *
 * @throws SklarError ERR_SKLAR_VALUE naming the column when values lie outside
 */
export function supportOf(
  { sorted, column }: SortedColumn,
  margin: string,
  given?: MarginSupport,
): MarginSupport {
  if (!given) return [sorted[0]! >= 0 ? 0 : -Infinity, sorted.at(-1)! <= 0 ? 0 : Infinity];
  const [lower, upper] = given;
  const outside = sorted[0]! < lower ? sorted[0]! : sorted.at(-1)!;
  if (outside >= lower && outside <= upper) return [lower, upper];
  throw marginError(`values between ${lower} and ${upper}`, margin, column, outside);
}
