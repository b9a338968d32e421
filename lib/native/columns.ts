/** Columns to levels and back; ranks. */
import type { NativeJob } from './common';
import type { MarginHandle } from './margins';

declare const columnHandle: unique symbol;
/** What takes a column to the copula scale and back, in native memory; freed by the garbage collector. */
export interface ColumnHandle {
  readonly [columnHandle]: never;
}

declare const ranksHandle: unique symbol;
/** The ranks of a column in native memory; `ranksRelease` frees them, or else the garbage collector. */
export interface RanksHandle {
  readonly [ranksHandle]: never;
}

/** See ColumnRanks of native/margins/sorted_column.hpp. */
export interface NativeRanks {
  handle: RanksHandle;
  hash: bigint;
  reversedHash: bigint;
  valuesHash: bigint;
}

export interface NativeSortedColumn {
  /** -0 as 0. */
  sorted: Float64Array;
  /** Of `sorted`; null: the rows have none. */
  weights: Float64Array | null;
  /** Null: they were not wanted. */
  ranks: NativeRanks | null;
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
  ): NativeJob<NativeSortedColumn[]>;
  sortValues(values: Float64Array, weights: Float64Array | null): NativeSortedColumn;
  /** Whether one is an increasing (1) or decreasing (-1) function of the other. */
  ranksRelation(a: RanksHandle, b: RanksHandle): 1 | -1 | 0;
  /** Writes rank / (rows + 1) to u, rows x columns. */
  ranksLevels(columns: readonly RanksHandle[], u: Float64Array, threads: number): NativeJob<void>;
  ranksRelease(ranks: RanksHandle): void;
  /** Frees the memory of an array, whose length is 0 then. */
  releaseArray(values: Float64Array | Uint32Array): void;
}
