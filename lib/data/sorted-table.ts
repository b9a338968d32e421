import { availableParallelism } from 'node:os';

import { expectThreads } from '../devices';
import { type NativeSortedColumn, type SortedHandle, callNative, runJob } from '../native';
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

/** Values sorted by one job: enough for every thread, and few enough that a copy of them takes no time to notice. */
const JOB_VALUES = 2 ** 22;

/**
 * The columns of a table, each sorted once for all that learns from them. They stay in native memory until `dispose`;
 * what is asked for is copied.
 */
export class SortedTable implements Disposable {
  readonly table: Table;
  /** How rows were ranked; null: not at all. */
  readonly rule: RankRule | null;
  /** Of the rows; null: all count alike. */
  readonly weights: RowWeights | null;
  readonly #columns: readonly SortedHandle[];

  private constructor(
    table: Table,
    rule: RankRule | null,
    weights: RowWeights | null,
    columns: readonly SortedHandle[],
  ) {
    this.table = table;
    this.rule = rule;
    this.weights = weights;
    this.#columns = columns;
  }

  /** @param table of finite numbers, at least one row */
  static async of(
    table: Table,
    rule: RankRule | null,
    weights: RowWeights | null,
    run: ColumnRunOptions = {},
  ): Promise<SortedTable> {
    const threads = expectThreads(run.threads);
    const ranks = rule && { random: rule.ties === 'random', seed: resolveSeed(rule.seed) };
    const keys = columnKeys(table.names);
    const width = table.names.length;
    const group = Math.max(threads || availableParallelism(), Math.floor(JOB_VALUES / table.rows));
    const columns: SortedHandle[] = [];
    for (let from = 0; from < width; from += group) {
      const to = Math.min(width, from + group);
      const sorted = await runJob(
        (addon) =>
          addon.sortColumns(
            table.columns.slice(from, to),
            ranks && { ...ranks, keys: keys.slice(from, to) },
            threads,
            weights && weights.each,
          ),
        { signal: run.signal },
      );
      columns.push(...sorted);
      tell(run.onProgress, to / width);
    }
    return new SortedTable(table, rule, weights, columns);
  }

  /** The values of column j. */
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

  /** Whether column j is an increasing (1) or decreasing (-1) function of column k in these rows, or neither (0). */
  relation(j: number, k: number): 1 | -1 | 0 {
    return callNative((addon) => addon.sortedRelation(this.#columns[j]!, this.#columns[k]!));
  }

  /** rank / (rows + 1) of all rows, rows x columns; of weighted ones the weight of lower rows in the place of their number. */
  async levels(run: ColumnRunOptions = {}): Promise<Float64Array> {
    const threads = expectThreads(run.threads);
    const { rows } = this.table;
    const width = this.#columns.length;
    const u = new Float64Array(rows * width);
    for (const [from, to] of rowBlocks(rows, width)) {
      const block = await runJob((addon) => addon.sortedLevels(this.#columns, from, to, threads), {
        signal: run.signal,
      });
      u.set(block, from * width);
      tell(run.onProgress, to / rows);
    }
    return u;
  }

  dispose(): void {
    for (const column of this.#columns) callNative((addon) => addon.sortedRelease(column));
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #native(j: number): NativeSortedColumn {
    return callNative((addon) => addon.sortedColumn(this.#columns[j]!));
  }
}
