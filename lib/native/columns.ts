/** Columns to levels and back; ranks. */
import type { NativeJob } from './common';
import type { MarginHandle } from './margins';

declare const columnHandle: unique symbol;
/** What takes a column to the copula scale and back, in native memory; freed by the garbage collector. */
export interface ColumnHandle {
  readonly [columnHandle]: never;
}

declare const sortedHandle: unique symbol;
/** A sorted column in native memory; `sortedRelease` frees it, or else the garbage collector. */
export interface SortedHandle {
  readonly [sortedHandle]: never;
}

export interface NativeSortedColumn {
  /** -0 as 0. */
  sorted: Float64Array;
  /** Different values, and how many rows are not above each; null where no value occurs twice. */
  values: Float64Array | null;
  last: Float64Array | null;
  /** Of `sorted`; null: the rows have none. */
  weights: Float64Array | null;
  /** Of the ranks, where they were wanted, and of the ranks from the greatest value down. */
  hash: bigint;
  reversedHash: bigint;
}

export interface ColumnsAddon {
  marginColumn(margin: MarginHandle, rows: number, integer: boolean): ColumnHandle;
  /** See RankBlocks of native/margins/columns.hpp. */
  rankColumn(blocks: {
    values: Float64Array;
    first: Float64Array;
    last: Float64Array;
    rows: number;
    integer: boolean;
    thinned: boolean;
    weighted: boolean;
  }): ColumnHandle;
  /** Rows from `firstRow` on as rows x columns; with `random`, ties are broken by seed, key of the column and row. */
  columnLevels(
    columns: readonly ColumnHandle[],
    keys: Uint32Array,
    x: readonly Float64Array[],
    firstRow: number,
    random: boolean,
    seed: bigint,
    gaussian: boolean,
    threads: number,
  ): NativeJob<Float64Array>;
  columnValues(
    columns: readonly ColumnHandle[],
    levels: Float64Array,
    rows: number,
    gaussian: boolean,
    threads: number,
  ): NativeJob<Float64Array[]>;
  /** The scores just before and after each value as rows x columns, equal where it has no block of levels. */
  columnCells(
    columns: readonly ColumnHandle[],
    x: readonly Float64Array[],
    threads: number,
  ): NativeJob<{ lower: Float64Array; upper: Float64Array }>;
  /** The sum over the columns; `atoms` false: without values of positive probability. */
  columnLogPdf(
    margins: readonly MarginHandle[],
    x: readonly Float64Array[],
    atoms: boolean,
    threads: number,
  ): NativeJob<Float64Array>;
  /** `ranks` null: they are not wanted. `keys`: with the seed decide the order of equal values. */
  sortColumns(
    x: readonly Float64Array[],
    ranks: { random: boolean; seed: bigint; keys: Uint32Array } | null,
    threads: number,
    weights: Float64Array | null,
  ): NativeJob<SortedHandle[]>;
  sortedColumn(column: SortedHandle): NativeSortedColumn;
  sortValues(values: Float64Array, weights: Float64Array | null): NativeSortedColumn;
  /** Whether one is an increasing (1) or decreasing (-1) function of the other. */
  sortedRelation(a: SortedHandle, b: SortedHandle): 1 | -1 | 0;
  /** Rows begin .. end of rank / (rows + 1), (end - begin) x columns. */
  sortedLevels(
    columns: readonly SortedHandle[],
    begin: number,
    end: number,
    threads: number,
  ): NativeJob<Float64Array>;
  sortedRelease(column: SortedHandle): void;
  /** Frees the memory of an array, whose length is 0 then. */
  releaseArray(values: Float64Array | Uint32Array): void;
}
