/** What tells whether a column is a function of others: rows, tolerances, least squares. */
import { release } from '../../native';
import { type ColumnType, kindOf, labelsOf } from '../columns/column-type';
import { knownValues } from '../column-jobs';
import { type Table } from '../table';

/** A function of several columns is looked for in so many rows first. */
export const LOOK_ROWS = 2000;
/** Rows for each column that a function may have, so that chance makes none. */
export const ROWS_A_COLUMN = 4;
/** Of a rounded column: half a unit may be this share of its standard deviation. */
const FINE = 1 / 200;

/** A column with numbers that sums and multiples make sense of. */
export const isLinear = (type: ColumnType) => labelsOf(type) === null && type.type !== 'id';

/** The columns with how many different values they have: a column is determined by one that has as many or more. */
export function finestFirst(table: Table, names: readonly string[]): { name: string; values: number }[] {
  const columns = names.map((name) => ({
    name,
    values: countDifferent(table.column(name)),
    // others are looked up by whole numbers, rather than by labels, and not by fractions
    last: kindOf(table.type(name)) !== 'integer' ? 2 : Number(!isLinear(table.type(name))),
  }));
  return columns.sort((a, b) => b.values - a.values || a.last - b.last);
}

/** How many different values there are, in the memory of a copy: a set of a million takes many times that. */
export function countDifferent(values: Float64Array): number {
  const sorted = knownValues(values).sort();
  let count = 0;
  for (let i = 0; i < sorted.length; i++) if (i === 0 || sorted[i] !== sorted[i - 1]) count++;
  release(sorted);
  return count;
}

/** Whether a column is there wherever another is, which is missing where one of its sources is. */
export function isThereWith(source: Float64Array, y: Float64Array): boolean {
  for (let i = 0; i < source.length; i++) if (source[i] !== source[i] && y[i] === y[i]) return false;
  return true;
}

/** Half a unit of the last digit that a column has, where that is fine; else what doubles lose. */
export function toleranceOf(type: ColumnType, values: Float64Array, fine = FINE): number {
  let [count, mean, square, most] = [0, 0, 0, 0];
  for (const value of values) {
    if (Number.isNaN(value)) continue;
    count++;
    const step = value - mean;
    mean += step / count;
    square += step * (value - mean);
    most = Math.max(most, Math.abs(value));
  }
  const exact = 1e-9 * most;
  const decimals = type.type === 'number' ? type.decimals : kindOf(type) === 'integer' ? 0 : undefined;
  if (decimals === undefined) return exact;
  const half = 0.5000001 * 10 ** -decimals;
  return half <= fine * Math.sqrt(square / Math.max(1, count - 1)) ? Math.max(half, exact) : exact;
}

export function reproduces(
  columns: readonly Float64Array[],
  factors: readonly number[],
  offset: number,
  y: Float64Array,
  tolerance: number,
  apart = false,
): boolean {
  let seen = 0;
  for (let i = 0; i < y.length; i++) {
    let value = offset;
    for (let k = 0; k < columns.length; k++) value += factors[k]! * columns[k]![i]!;
    if (!apart && Number.isNaN(value) !== Number.isNaN(y[i])) return false;
    if (Number.isNaN(value + y[i]!)) continue;
    if (Math.abs(value - y[i]!) > tolerance) return false;
    seen++;
  }
  return seen >= Math.max(8, apart ? Math.min(y.length / 2, Math.max(APART_ROWS, y.length / 10)) : 0);
}

/** Rows in which a column and what it is of are there: one of ten, so many of few. */
const APART_ROWS = 50;

/** Rows in which the values of all columns count (default: those that are there), at most so many, evenly spread. */
export function completeRows(
  columns: readonly Float64Array[],
  most: number,
  counts = (value: number) => !Number.isNaN(value),
): number[] {
  const holes = columns.filter((values) => !values.every(counts));
  const isComplete = (i: number) => holes.every((values) => counts(values[i]!));
  const rows = columns[0]!.length;
  let complete = 0;
  for (let i = 0; i < rows; i++) if (isComplete(i)) complete++;
  const taken = Math.min(complete, most);
  const found: number[] = [];
  for (let i = 0, k = 0; found.length < taken; i++) {
    if (isComplete(i) && k++ === Math.floor((found.length * complete) / taken)) found.push(i);
  }
  return found;
}

export function spreadOf(values: Float64Array, rows: readonly number[]): number {
  let [least, most] = [Infinity, -Infinity];
  for (const i of rows) {
    least = Math.min(least, values[i]!);
    most = Math.max(most, values[i]!);
  }
  return most - least;
}

/** By Householder reflections, of columns that are centred and scaled; those that others determine in these rows have the factor 0. */
export function leastSquares(
  table: Table,
  rows: readonly number[],
  name: string,
  sources: readonly string[],
): { factors: number[]; offset: number; error: number } {
  const n = rows.length;
  const centred = [...sources, name].map((column) => {
    const whole = table.column(column);
    const values = Float64Array.from(rows, (i) => whole[i]!);
    const mean = values.reduce((sum, value) => sum + value, 0) / n;
    const shifted = values.map((value) => value - mean);
    const scale = Math.sqrt(shifted.reduce((sum, value) => sum + value * value, 0)) || 1;
    return { mean, scale, values: shifted.map((value) => value / scale) };
  });
  const target = centred.at(-1)!;
  const y = target.values.slice();
  const q = centred.slice(0, -1).map(({ values }) => values.slice());
  const k = sources.length;
  const diagonal = new Float64Array(k);
  for (let j = 0; j < k; j++) {
    let norm = 0;
    for (let i = j; i < n; i++) norm += q[j]![i]! ** 2;
    norm = Math.sqrt(norm);
    if (norm < 1e-9) {
      const others = leastSquares(
        table,
        rows,
        name,
        sources.filter((_, l) => l !== j),
      );
      return { ...others, factors: others.factors.toSpliced(j, 0, 0) };
    }
    const head = q[j]![j]!;
    const alpha = head > 0 ? -norm : norm;
    diagonal[j] = alpha;
    const v = q[j]!.slice(j);
    v[0]! -= alpha;
    const vv = v.reduce((sum, value) => sum + value * value, 0);
    for (const column of [...q.slice(j + 1), y]) {
      let dot = 0;
      for (let i = j; i < n; i++) dot += v[i - j]! * column[i]!;
      const factor = (2 * dot) / vv;
      for (let i = j; i < n; i++) column[i]! -= factor * v[i - j]!;
    }
  }
  const beta = new Float64Array(k);
  for (let j = k - 1; j >= 0; j--) {
    let sum = y[j]!;
    for (let l = j + 1; l < k; l++) sum -= q[l]![j]! * beta[l]!;
    beta[j] = sum / diagonal[j]!;
  }
  const factors = Array.from(beta, (value, j) => (value * target.scale) / centred[j]!.scale);
  const offset = target.mean - factors.reduce((sum, factor, j) => sum + factor * centred[j]!.mean, 0);
  let error = 0;
  const of = sources.map((source) => table.column(source));
  const own = table.column(name);
  for (const i of rows) {
    let value = offset;
    for (let j = 0; j < of.length; j++) value += factors[j]! * of[j]![i]!;
    error = Math.max(error, Math.abs(value - own[i]!));
  }
  return { factors, offset, error };
}

/** Rows for each value of a column that others are looked up by. */
const ROWS_A_VALUE = 5;
export const MOST_VALUES = 1000;

/** The value of y at each of x; null: there is more than one, or hardly more rows than values. */
export function lookupOf(
  x: Float64Array,
  y: Float64Array,
  { least, filled }: { readonly least: number; readonly filled: boolean },
): { readonly from: number[]; readonly to: (number | null)[]; readonly missing?: number } | null {
  const at = new Map<number, number>();
  const counts = new Map<number, number>();
  const different = new Set<number>();
  let rows = 0;
  for (let i = 0; i < x.length; i++) {
    if (Number.isNaN(x[i])) {
      if (!filled && !Number.isNaN(y[i])) return null;
      continue;
    }
    rows++;
    counts.set(x[i]!, (counts.get(x[i]!) ?? 0) + 1);
    const value = at.get(x[i]!);
    if (value === undefined) {
      at.set(x[i]!, y[i]!);
      if (at.size > MOST_VALUES) return null;
      if (!Number.isNaN(y[i])) different.add(y[i]!);
    } else if (!Object.is(value, y[i])) return null;
  }
  const missing = whereMissing(x, y, filled);
  if (missing?.missing !== undefined) different.add(missing.missing);
  if (!missing || rows < ROWS_A_VALUE * at.size || different.size < 2) return null;
  for (const count of counts.values()) if (count < least) return null;
  const pairs = [...at].sort((a, b) => a[0] - b[0]);
  return {
    from: pairs.map(([from]) => from),
    to: pairs.map(([, to]) => (Number.isNaN(to) ? null : to)),
    ...missing,
  };
}

/** What a function has where its source is missing: nothing, or the one value that it is filled with; null: it is no function. */
export function whereMissing(
  x: Float64Array,
  y: Float64Array,
  filled: boolean,
): { readonly missing?: number } | null {
  const values = new Set(y.filter((_, i) => Number.isNaN(x[i])));
  const [value = NaN] = values;
  if (values.size > 1 || (!filled && !Number.isNaN(value))) return null;
  return Number.isNaN(value) ? {} : { missing: value };
}

/** A product, or a multiple, rounded so coarsely is still told from chance, since it has no coefficients but one. */
export const COARSE = 1 / 10;
/** The factor of a product is known to this share of it, or no product is. */
const FACTOR_WIDTH = 0.01;

/** Between which the factor of a product is that is y in all rows; null: none is, or it could be almost any. */
export function factorRange(
  bases: readonly Float64Array[],
  powers: readonly number[],
  y: Float64Array,
  tolerance: number,
): readonly [number, number] | null {
  let [low, high] = [-Infinity, Infinity];
  for (let i = 0; i < y.length; i++) {
    if (Number.isNaN(y[i]) || bases.some((base) => Number.isNaN(base[i]))) continue;
    let product = 1;
    for (let k = 0; k < bases.length; k++) product *= bases[k]![i]! ** powers[k]!;
    if (!Number.isFinite(product)) return null;
    if (product === 0) {
      if (Math.abs(y[i]!) > tolerance) return null;
      continue;
    }
    const [a, b] = [(y[i]! - tolerance) / product, (y[i]! + tolerance) / product];
    low = Math.max(low, Math.min(a, b));
    high = Math.min(high, Math.max(a, b));
    if (low > high) return null;
  }
  return high - low <= FACTOR_WIDTH * Math.abs(low + high) && low * high > 0 ? [low, high] : null;
}

/** The number with the fewest digits in a range. */
export function shortIn([low, high]: readonly [number, number]): number {
  const middle = (low + high) / 2;
  for (let digits = 1; digits < 15; digits++) {
    const short = Number(middle.toPrecision(digits));
    if (short >= low && short <= high) return short;
  }
  return middle;
}
