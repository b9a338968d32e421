/** Rows as users give them and as the native code takes them. */
import { types } from 'node:util';

import { type Matrix, copyOf, fromRows, matrix, pickRows } from '../../matrix';
import type { LevelBlocks } from '../../data/level-blocks';
import { labelsOf } from '../../data/columns/column-type';
import { Table } from '../../data/table';
import { type RowWeights, repeatedRows, repetitions, takeWeights } from '../../data/weights';
import type { Seed } from '../../data/random';
import { SklarError, describe, expectOneOf, expectTexts } from '../../errors';
import type { Scale } from '../../types/scale';

/** The largest float below 1 and the smallest above 0 that a Float32 sample may take. */
const LARGEST = Math.fround(1 - 2 ** -24);
const SMALLEST = 2 ** -126;

export type { Scale };

/** @throws SklarError ERR_SKLAR_VALUE */
export function expectScale(scale: Scale = 'copula'): Scale {
  return expectOneOf<Scale>(scale, 'scale', ['copula', 'gaussian']);
}

/** @throws SklarError ERR_SKLAR_VALUE */
export function expectDtype(dtype: 'float32' | 'float64' = 'float32'): 'float32' | 'float64' {
  return expectOneOf(dtype, 'dtype', ['float32', 'float64'] as const);
}

/** Rows as the native code takes them: dense, row-major, double. */
export interface DenseRows {
  readonly data: Float64Array;
  readonly rows: number;
  readonly columns: number;
  /** Of training rows: the blocks of their recurring values; undefined: all values differ. */
  readonly blocks?: LevelBlocks | undefined;
  /** Of training rows: what messages call the columns. */
  readonly names?: readonly string[];
  /** Of training rows; undefined: all count alike. */
  readonly weights?: RowWeights | undefined;
}

/** The number of rows, or the sum of their weights, of which levels are ranks. */
export function sizeOf({ rows, weights }: DenseRows): number {
  return weights ? weights.rows : rows;
}

/** As how many equal rows they tell of a mean. */
export function effectiveRows({ rows, weights }: DenseRows): number {
  return weights ? weights.effective : rows;
}

/** What native code takes for the weights. */
export function nativeWeights({ weights }: DenseRows): Float64Array | null {
  return weights ? weights.each : null;
}

/** A sum over the rows, each as often as its weight says. */
export function weightedSum({ weights }: DenseRows, values: Float64Array): number {
  return values.reduce((total, value, i) => total + (weights ? weights.each[i]! * value : value), 0);
}

/** Values of rows that stand for weighted ones, at most. */
const MOST_REPEATED = 2 ** 24;

/**
 * Rows without weights in which each occurs about as often as its weight says (`repeatedRows`).
 *
 * @param total how many; default 16 for each where the weights are no numbers of rows
 */
export function repeated(u: DenseRows, seed: Seed, total?: number): DenseRows {
  if (!u.weights) return u;
  const rows = total ?? repetitions(u.weights, MOST_REPEATED / u.columns);
  return takeRows({ ...u, weights: undefined }, repeatedRows(u.weights, rows, seed));
}

/** The numbers of these rows, each about as often as its weight says: those of `repeated` rows, without a copy of them. */
export function repeatedNumbers(
  { weights, columns }: DenseRows,
  numbers: Uint32Array,
  seed: Seed,
): Uint32Array {
  if (!weights) return numbers;
  const total = repetitions(weights, MOST_REPEATED / columns);
  return repeatedRows(weights, total, seed).map((row) => numbers[row]!);
}

/** Rows of numbers: a matrix, a table, or an array of rows. */
export type RowsInput = Matrix | Table | readonly ArrayLike<number>[];

const lent = new WeakSet<object>();

/** Rows that nobody else changes or needs: `toDense` takes them without a copy, and a fit may move levels within their blocks. */
export function lend<T extends Matrix>(rows: T): T {
  lent.add(rows);
  return rows;
}

/**
 * The rows as doubles, a copy unless they are lent. `dim` is the expected number of columns, if there is one.
 *
 * @throws SklarError ERR_SKLAR_VALUE for other things and for tables with columns of texts; ERR_SKLAR_SHAPE
 */
export function toDense(input: RowsInput, what: string, dim?: number): DenseRows {
  let m: Matrix;
  let own = true;
  if (Table.is(input)) m = expectNumbers(input, what).toMatrix();
  else if (Array.isArray(input)) m = fromRows(input as readonly ArrayLike<number>[]);
  else if (typeof input === 'object' && input !== null && 'data' in input) {
    const { data, rows, columns } = input;
    m = matrix(data, rows, columns);
    own = lent.has(input);
  } else {
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      `expected a matrix, a table or an array of rows for ${what}, got ${describe(input)}`,
    );
  }
  if (dim !== undefined && m.columns !== dim) {
    throw new SklarError('ERR_SKLAR_SHAPE', `expected ${dim} columns for ${what}, got ${m.columns}`);
  }
  const data = own && types.isFloat64Array(m.data) ? m.data : copyOf(m.data);
  return { data, rows: m.rows, columns: m.columns };
}

/** The names of the columns of rows that `toDense` takes, a copy; undefined: they have none. */
export function namesOf(input: RowsInput): readonly string[] | undefined {
  const { names } = input as { names?: readonly string[] };
  return names === undefined ? undefined : [...expectTexts(names, 'the names of the columns')];
}

/** @throws SklarError ERR_SKLAR_VALUE naming a column of texts, whose numbers are places in its own list of labels */
function expectNumbers(table: Table, what: string): Table {
  const name = table.names.find(
    (one) => /^(?:category|id)$/.test(table.type(one).type) && labelsOf(table.type(one)),
  );
  if (name === undefined) return table;
  throw new SklarError(
    'ERR_SKLAR_VALUE',
    `expected numbers for ${what}, got the texts of column ${describe(name)} (${table.type(name).type}): ` +
      'fitJoint, joint distributions and compare take such tables',
  );
}

/** The rows with these numbers, in their order. */
export function takeRows(u: DenseRows, indices: ArrayLike<number>): DenseRows {
  return {
    ...u,
    data: pickRows(u.data, indices, u.columns),
    rows: indices.length,
    ...(u.weights && { weights: takeWeights(u.weights, indices) }),
  };
}

/** The rows without missing levels. */
export function completeLevels(u: DenseRows): DenseRows {
  const { data, rows, columns } = u;
  if (!data.some(Number.isNaN)) return u;
  const complete = Array.from({ length: rows }, (_, i) => i).filter(
    (i) => !data.subarray(i * columns, (i + 1) * columns).some(Number.isNaN),
  );
  return takeRows(u, complete);
}

/** The columns with these numbers, without their blocks. */
export function takeColumns(
  { data, rows, columns, weights }: DenseRows,
  chosen: readonly number[],
): DenseRows {
  const taken = new Float64Array(rows * chosen.length);
  for (let i = 0; i < rows; i++) {
    chosen.forEach((column, j) => (taken[i * chosen.length + j] = data[i * columns + column]!));
  }
  return { data: taken, rows, columns: chosen.length, ...(weights && { weights }) };
}

/**
 * Returns results of so many numbers a row that are finite or, where that is allowed, -Infinity.
 *
 * @param first number of the first row, from 0
 * @throws SklarError ERR_SKLAR_DIVERGED naming the row
 */
export function expectFinite<A extends Float32Array | Float64Array>(
  values: A,
  columns: number,
  what: string,
  { first = 0, orImpossible = false } = {},
): A {
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (Number.isFinite(value) || (orImpossible && value === -Infinity)) continue;
    throw new SklarError(
      'ERR_SKLAR_DIVERGED',
      `${what} of row ${first + Math.floor(i / columns) + 1} is ${value}: the model leaves the finite numbers there`,
    );
  }
  return values;
}

/** Rounding to single precision may reach 0 or 1, which are outside the copula's domain. */
export function toFloat32(values: Float64Array, scale: Scale): Float32Array {
  const rounded = Float32Array.from(values);
  if (scale === 'copula') {
    for (let i = 0; i < rounded.length; i++) {
      const value = rounded[i]!;
      if (value >= 1) rounded[i] = LARGEST;
      else if (value <= 0) rounded[i] = SMALLEST;
    }
  }
  return rounded;
}
