import { availableParallelism } from 'node:os';

import { expectThreads } from '../devices';
import { type NativeSortedColumn, type SortedHandle, callNative, release, runJob } from '../native';
import { type ColumnRunOptions, columnKeys, rowBlocks } from './column-jobs';
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

function toSortedValues({ sorted, values, last, weights }: NativeSortedColumn): SortedValues {
  const upTo = last ?? Float64Array.from(sorted, (_, i) => i + 1);
  return {
    sorted,
    values: values ?? sorted,
    last: upTo,
    ...(weights && { weights: sortedWeights(weights, upTo) }),
  };
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

/** How the training rows are to be ranked. */
export interface RankRule {
  readonly ties: Ties;
  readonly seed: Seed;
}

/** Values that are sorted at once, whatever share of the table they are. */
const FEW_VALUES = 2 ** 20;
/** Sorting takes three times the memory of a column, what is learned of it as much again. */
const MOST_SHARE = 1 / 8;

/** Some columns of a table, sorted, in native memory until `dispose`; what is asked for is copied. */
export class SortedColumns implements Disposable {
  readonly table: Table;
  /** The number of the first one. */
  readonly from: number;
  /** The number behind the last one. */
  readonly to: number;
  readonly #columns: readonly SortedHandle[];

  /** @internal */
  constructor(table: Table, from: number, columns: readonly SortedHandle[]) {
    this.table = table;
    this.from = from;
    this.to = from + columns.length;
    this.#columns = columns;
  }

  /** The values of column j of the table. */
  column(j: number): SortedValues {
    return toSortedValues(this.#native(j));
  }

  /** The values of column j, with texts that columns share when they may be increasing (decreasing) functions of each other. */
  rankedColumn(j: number): { values: SortedValues; increasing: string; decreasing: string } {
    const column = this.#native(j);
    const values = toSortedValues(column);
    const key = (hash: bigint): string => `${values.values.length},${hash}`;
    return { values, increasing: key(column.hash), decreasing: key(column.reversedHash) };
  }

  /**
   * Writes rank / (rows + 1) of all rows into the columns of u, rows x columns of the table; of weighted ones the weight of lower rows in the
   * place of their number.
   */
  async writeLevels(u: Float64Array, run: ColumnRunOptions = {}): Promise<void> {
    const threads = expectThreads(run.threads);
    const { rows, names } = this.table;
    const [width, count] = [names.length, this.#columns.length];
    for (const [from, to] of rowBlocks(rows, width)) {
      const block = await runJob((addon) => addon.sortedLevels(this.#columns, from, to, threads), {
        signal: run.signal,
      });
      for (let k = 0; k < count; k++) {
        let at = from * width + this.from + k;
        for (let b = k; b < block.length; b += count, at += width) u[at] = block[b]!;
      }
      release(block);
    }
  }

  dispose(): void {
    for (const column of this.#columns) callNative((addon) => addon.sortedRelease(column));
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #native(j: number): NativeSortedColumn {
    return callNative((addon) => addon.sortedColumn(this.#columns[j - this.from]!));
  }
}

/**
 * The columns of a table, sorted, so many at once that their memory is a part of that of the table; those before are disposed of.
 *
 * @param table of finite numbers, at least one row
 * @param rule how rows are to be ranked; null: not at all
 * @param weights of the rows; null: all count alike
 */
export async function* sortedColumns(
  table: Table,
  rule: RankRule | null,
  weights: RowWeights | null,
  run: ColumnRunOptions = {},
): AsyncGenerator<SortedColumns, void> {
  const threads = expectThreads(run.threads);
  const width = table.names.length;
  const parallel = Math.min(threads || availableParallelism(), Math.floor(MOST_SHARE * width));
  const group = Math.max(1, parallel, Math.floor(FEW_VALUES / table.rows));
  for (let from = 0; from < width; from += group) {
    const numbers = Array.from({ length: Math.min(group, width - from) }, (_, k) => from + k);
    using sorted = new SortedColumns(table, from, await sortColumns(table, numbers, rule, weights, run));
    yield sorted;
    tell(run.onProgress, sorted.to / width);
  }
}

/** Whether column j is an increasing (1) or decreasing (-1) function of column k in the rows, or neither (0). */
export async function relationOf(
  table: Table,
  j: number,
  k: number,
  rule: RankRule,
  run: ColumnRunOptions = {},
): Promise<1 | -1 | 0> {
  const both = await sortColumns(table, [j, k], rule, null, run);
  try {
    return callNative((addon) => addon.sortedRelation(both[0]!, both[1]!));
  } finally {
    for (const column of both) callNative((addon) => addon.sortedRelease(column));
  }
}

function sortColumns(
  table: Table,
  numbers: readonly number[],
  rule: RankRule | null,
  weights: RowWeights | null,
  { threads, signal }: ColumnRunOptions,
): Promise<SortedHandle[]> {
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
