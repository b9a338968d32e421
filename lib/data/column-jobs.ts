/** Whole columns to the copula scale and back, in native jobs over blocks of rows. */
import { setImmediate } from 'node:timers/promises';
import { types as checks } from 'node:util';

import { expectThreads } from '../devices';
import { type OptionNames, SklarError, describe, expectOneOf } from '../errors';
import { type ColumnHandle, release, runJob } from '../native';
import { type Matrix, matrix } from '../matrix';
import { type Seed, hashText, resolveSeed } from './random';
import type { Scale } from '../types/scale';
import type { ColumnType } from './columns/column-type';
import { Table } from './table';
import { tell } from '../tell';

/** How work on the columns of a table runs. It leaves the event loop free. */
export interface ColumnRunOptions {
  /** 0 (default): one for each processor. Results do not depend on it. */
  readonly threads?: number | undefined;
  /** Aborting ends the work within a fraction of a second and rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Told the share of the work that is done, up to 1. */
  readonly onProgress?: ((fraction: number) => void) | undefined;
}

/** The cells of rows on the Gaussian scale, both rows x columns: equal where F does not jump. */
export interface RowCells {
  /** Scores just before the jumps. */
  readonly lower: Matrix & { readonly data: Float64Array };
  /** Scores at the values. */
  readonly upper: Matrix & { readonly data: Float64Array };
}

export const columnRunOptions: OptionNames<ColumnRunOptions> = {
  threads: true,
  signal: true,
  onProgress: true,
};

/** Values that one job takes: their copies to and from native memory take a few milliseconds of the event loop. */
const BLOCK_VALUES = 2 ** 21;

/** The rows [from, to) of each job on a table. */
export function* rowBlocks(rows: number, columns: number): Generator<readonly [from: number, to: number]> {
  const block = Math.max(1, Math.floor(BLOCK_VALUES / Math.max(1, columns)));
  for (let from = 0; from < rows; from += block) yield [from, Math.min(rows, from + block)];
}

/** Whether a table takes more than one job, so that some of its rows are read after others are done. */
export function isLong(rows: number, columns: number): boolean {
  return rows * columns > BLOCK_VALUES;
}

/** Lets the event loop go round between two columns; rejects with the signal's reason when it has been aborted. */
export async function nextTurn(signal: AbortSignal | undefined): Promise<void> {
  await setImmediate();
  signal?.throwIfAborted();
}

/** What gives each column draws of its own under one seed. */
export function columnKeys(names: readonly string[]): Uint32Array {
  return Uint32Array.from(names, hashText);
}

/** The position of the first value that is not finite, or -1. */
export function findNotFinite(values: Float64Array): number {
  for (let i = 0; i < values.length; i++) if (!Number.isFinite(values[i])) return i;
  return -1;
}

/** The position of the first infinite value, or -1; NaN is a missing one. */
export function findInfinite(values: Float64Array): number {
  for (let i = 0; i < values.length; i++) if (Math.abs(values[i]!) === Infinity) return i;
  return -1;
}

/** Whether there are two different values. */
export function varies(values: Float64Array): boolean {
  return values.some((value) => value !== values[0]);
}

/** How many of ascending values are below one. */
export function countBelow(sorted: Float64Array, value: number): number {
  let [from, to] = [0, sorted.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if (sorted[middle]! < value) from = middle + 1;
    else to = middle;
  }
  return from;
}

/** A copy of the values that are not missing. (`filter` would hold each as an object meanwhile.) */
export function knownValues(values: Float64Array): Float64Array {
  let count = 0;
  for (let i = 0; i < values.length; i++) if (!Number.isNaN(values[i])) count++;
  const known = new Float64Array(count);
  count = 0;
  for (let i = 0; i < values.length; i++) if (!Number.isNaN(values[i])) known[count++] = values[i]!;
  return known;
}

/** The rows, by number, in which no column is missing. */
export function completeRowsOf(columns: readonly Float64Array[], rows: number): Uint32Array {
  const holes = columns.filter((values) => values.some(Number.isNaN));
  const complete = new Uint32Array(rows);
  let count = 0;
  for (let i = 0; i < rows; i++) if (!holes.some((values) => Number.isNaN(values[i]))) complete[count++] = i;
  return complete.subarray(0, count);
}

/**
 * The rows [from, to) of the columns, without a copy.
 *
 * @throws SklarError ERR_SKLAR_VALUE naming the first column with an infinite value
 */
export function finiteRows({ names, columns }: Table, from: number, to: number): Float64Array[] {
  return columns.map((values, j) => {
    const part = values.subarray(from, to);
    const bad = findInfinite(part);
    if (bad < 0) return part;
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      `expected finite numbers in every column, got ${part[bad]} (column ${describe(names[j])}, row ${from + bad + 1})`,
    );
  });
}

export function expectLevelScale(scale: Scale): Scale {
  return expectOneOf<Scale>(scale, 'scale', ['copula', 'gaussian']);
}

/**
 * The levels of the values of a table, rows x columns.
 *
 * @param columns one for each column of the table
 * @returns NaN where a value is missing
 * @throws SklarError ERR_SKLAR_VALUE for infinite values
 */
export async function levelsOf(
  columns: readonly ColumnHandle[],
  table: Table,
  {
    random,
    seed,
    scale,
    ...run
  }: ColumnRunOptions & { readonly random: boolean; readonly seed: Seed; readonly scale: Scale },
): Promise<Matrix & { readonly data: Float64Array }> {
  const threads = expectThreads(run.threads);
  const width = columns.length;
  const keys = columnKeys(table.names);
  const bits = resolveSeed(seed);
  const gaussian = expectLevelScale(scale) === 'gaussian';
  const u = new Float64Array(table.rows * width);
  for (const [from, to] of rowBlocks(table.rows, width)) {
    const x = finiteRows(table, from, to);
    const block = await runJob(
      (addon) => addon.columnLevels(columns, keys, x, from, random, bits, gaussian, threads),
      { signal: run.signal },
    );
    u.set(block, from * width);
    release(block);
    tell(run.onProgress, to / table.rows);
  }
  return matrix(u, table.rows, width, table.names);
}

/**
 * The cells of the values of a table: per column the scores z just before and after the jump of F at the value, infinite where
 * nothing lies beyond, and equal where F does not jump; all scores where it is missing.
 *
 * @param columns one for each column of the table
 * @throws SklarError ERR_SKLAR_VALUE for infinite values
 */
export async function cellsOf(
  columns: readonly ColumnHandle[],
  table: Table,
  run: ColumnRunOptions,
): Promise<RowCells> {
  const threads = expectThreads(run.threads);
  const width = columns.length;
  const lower = new Float64Array(table.rows * width);
  const upper = new Float64Array(table.rows * width);
  for (const [from, to] of rowBlocks(table.rows, width)) {
    const x = finiteRows(table, from, to);
    const block = await runJob((addon) => addon.columnCells(columns, x, threads), { signal: run.signal });
    lower.set(block.lower, from * width);
    upper.set(block.upper, from * width);
    release(block.lower, block.upper);
    tell(run.onProgress, to / table.rows);
  }
  return {
    lower: matrix(lower, table.rows, width, table.names),
    upper: matrix(upper, table.rows, width, table.names),
  };
}

/**
 * The values at given levels.
 *
 * @param u rows x columns
 * @throws SklarError ERR_SKLAR_SHAPE for another number of columns, ERR_SKLAR_VALUE for levels outside [0, 1], or NaN on the
 *   Gaussian scale
 */
export async function valuesOf(
  columns: readonly ColumnHandle[],
  u: Matrix,
  names: readonly string[],
  types: readonly ColumnType[],
  { scale, ...run }: ColumnRunOptions & { readonly scale: Scale },
): Promise<Table> {
  const threads = expectThreads(run.threads);
  const gaussian = expectLevelScale(scale) === 'gaussian';
  const [least, most] = gaussian ? [-Infinity, Infinity] : [0, 1];
  const width = columns.length;
  if (u.columns !== width) {
    throw new SklarError(
      'ERR_SKLAR_SHAPE',
      `expected ${width} columns for ${width} margins, got ${u.columns}`,
    );
  }
  const values = names.map(() => new Float64Array(u.rows));
  for (const [from, to] of rowBlocks(u.rows, width)) {
    const part = u.data.subarray(from * width, to * width);
    for (let k = 0; k < part.length; k++) {
      if (part[k]! >= least && part[k]! <= most) continue;
      throw new SklarError(
        'ERR_SKLAR_VALUE',
        `expected levels between ${least} and ${most}, got ${part[k]} ` +
          `(column ${describe(names[k % width])}, row ${from + Math.floor(k / width) + 1})`,
      );
    }
    const levels = checks.isFloat64Array(part) ? part : new Float64Array(part);
    const block = await runJob((addon) => addon.columnValues(columns, levels, to - from, gaussian, threads), {
      signal: run.signal,
    });
    block.forEach((column, j) => values[j]!.set(column, from));
    release(...block);
    tell(run.onProgress, to / u.rows);
  }
  return new Table(names, values, types);
}
