import { availableParallelism } from 'node:os';

import { expectThreads } from '../devices';
import { type NativeRanks, type NativeSortedColumn, callNative, release, runJob } from '../native';
import { type ColumnRunOptions, columnKeys } from './column-jobs';
import type { Ties } from './level-columns';
import { type Seed, resolveSeed } from './random';
import type { Table } from './table';
import type { RowWeights } from './weights';
import { tell } from '../tell';

/** The values of a column, sorted. */
export interface SortedValues {
  /** All values in ascending order, -0 as 0. */
  readonly sorted: Float64Array;
  /** The different values in ascending order. */
  readonly values: Float64Array;
  /** For each of them, how many values are not above it. */
  readonly last: Float64Array;
  /** Of weighted rows; undefined: all count alike. */
  readonly weights?: SortedWeights | undefined;
}

/** Weights of sorted values. */
export interface SortedWeights {
  /** Of each of `sorted`. */
  readonly each: Float64Array;
  /** For each of the different values the weight of those that are not above it. */
  readonly upTo: Float64Array;
  /** See `RowWeights`. */
  readonly rows: number;
  readonly effective: number;
}

/** @param last see `SortedValues` */
export function sortedWeights(each: Float64Array, last: Float64Array): SortedWeights {
  const upTo = new Float64Array(last.length);
  let [sum, squares, i] = [0, 0, 0];
  for (let k = 0; k < last.length; k++) {
    for (; i < last[k]!; i++) {
      sum += each[i]!;
      squares += each[i]! * each[i]!;
    }
    upTo[k] = sum;
  }
  return { each, upTo, rows: sum, effective: (sum * sum) / squares };
}

/** Sorts finite values; those given are left as they are. */
export function sortValues(values: Float64Array, weights: RowWeights | null = null): SortedValues {
  return toSortedValues(callNative((addon) => addon.sortValues(values, weights && weights.each)));
}

function toSortedValues({ sorted, weights }: NativeSortedColumn): SortedValues {
  return ofSorted(sorted, weights);
}

/** @param weights of the values, in their order */
export function ofSorted(sorted: Float64Array, weights?: Float64Array | null): SortedValues {
  const isLast = (i: number) => sorted[i] !== sorted[i + 1];
  let distinct = 0;
  for (let i = 0; i < sorted.length; i++) if (isLast(i)) distinct++;
  const last = new Float64Array(distinct);
  const values = distinct === sorted.length ? sorted : new Float64Array(distinct);
  for (let i = 0, k = 0; i < sorted.length; i++) {
    if (!isLast(i)) continue;
    values[k] = sorted[i]!;
    last[k++] = i + 1;
  }
  return { sorted, values, last, ...(weights && { weights: sortedWeights(weights, last) }) };
}

/** The positions of finite values in ascending order, of equal ones in their order. */
export function orderOf(values: Float64Array): Uint32Array {
  return Uint32Array.from(values.keys()).sort((a, b) => values[a]! - values[b]! || a - b);
}

/** At most so many of the blocks of equal values: those at evenly spaced ranks, with the first and the last. */
export function evenlySpaced({ sorted, last }: SortedValues, most: number): Uint32Array {
  if (last.length <= most) return Uint32Array.from({ length: last.length }, (_, k) => k);
  const kept = new Uint32Array(most);
  let count = 0;
  for (let knot = 0, k = 0; knot < most; knot++) {
    const rank = 1 + Math.round((knot * (sorted.length - 1)) / (most - 1));
    while (last[k]! < rank) k++;
    if (count === 0 || kept[count - 1] !== k) kept[count++] = k;
  }
  return kept.slice(0, count);
}

/** Weights of rows, or of the cells of each column; null: all count alike. */
export type CellWeights = RowWeights | null | readonly (RowWeights | null)[];

/** How the training rows are to be ranked. */
export interface RankRule {
  readonly ties: Ties;
  readonly seed: Seed;
}

/** Values that are sorted at once, whatever share of the table they are. */
const FEW_VALUES = 2 ** 20;
/** Sorting takes three times the memory of a column, what is learned of it as much again. */
const MOST_SHARE = 1 / 8;

/** A column of a table, sorted. */
export interface SortedTableColumn {
  /** Its number. */
  readonly j: number;
  readonly values: SortedValues;
  /** Null: they were not wanted. */
  readonly ranks: NativeRanks | null;
}

/**
 * The columns of a table, sorted, so many at once that their memory is a part of that of the table: `releaseSorted` those that are done with.
 *
 * @param table of finite numbers, at least one row
 * @param rule how rows are to be ranked; null: not at all
 * @param weights of the rows
 */
export async function* sortedColumns(
  table: Table,
  rule: RankRule | null,
  weights: CellWeights,
  run: ColumnRunOptions = {},
): AsyncGenerator<SortedTableColumn, void> {
  const threads = expectThreads(run.threads);
  const width = table.names.length;
  const parallel = Math.min(threads || availableParallelism(), Math.floor(MOST_SHARE * width));
  const group = Math.max(1, parallel, Math.floor(FEW_VALUES / table.rows));
  for (let from = 0; from < width; from += group) {
    const numbers = Array.from({ length: Math.min(group, width - from) }, (_, k) => from + k);
    for (const some of alike(numbers, weights)) {
      const sorted = await sortColumns(table, some, rule, weightsOf(weights, some[0]!), run);
      for (const [k, column] of sorted.entries()) {
        yield { j: some[k]!, values: toSortedValues(column), ranks: column.ranks };
        tell(run.onProgress, (some[k]! + 1) / width);
      }
    }
  }
}

const weightsOf = (weights: CellWeights, j: number): RowWeights | null =>
  Array.isArray(weights) ? (weights as readonly (RowWeights | null)[])[j]! : (weights as RowWeights | null);

/** Stretches of neighbours with the same weights. */
function alike(numbers: readonly number[], weights: CellWeights): number[][] {
  const stretches: number[][] = [];
  for (const j of numbers) {
    const last = stretches.at(-1);
    if (last && weightsOf(weights, last[0]!) === weightsOf(weights, j)) last.push(j);
    else stretches.push([j]);
  }
  return stretches;
}

function sortColumns(
  table: Table,
  numbers: readonly number[],
  rule: RankRule | null,
  weights: RowWeights | null,
  { threads, signal }: ColumnRunOptions,
): Promise<NativeSortedColumn[]> {
  const keys = columnKeys(numbers.map((j) => table.names[j]!));
  const ranks = rule && { random: rule.ties === 'random', seed: resolveSeed(rule.seed), keys };
  const columns = numbers.map((j) => table.columns[j]!);
  return runJob(
    (addon) => addon.sortColumns(columns, ranks, expectThreads(threads), weights && weights.each),
    { signal },
  );
}

/** Gives back the memory of sorted values. */
export function releaseSorted({ sorted, values, last, weights }: SortedValues): void {
  release(sorted, last, ...(values === sorted ? [] : [values]));
  if (weights) release(weights.each, weights.upTo);
}
