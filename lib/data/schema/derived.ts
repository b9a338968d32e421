/** Columns that are exact functions of others: linear ones, and look-ups of a value by another. */
import { z } from 'zod';

import { type ColumnType, kindOf, labelsOf, roundedTo } from '../columns/column-type';
import { completeRowsOf } from '../column-jobs';
import type { Table } from '../table';

/**
 * A column as a function of others.
 *
 * - `linear`: offset + sum of factor x column, rounded as the column is
 * - `lookup`: the value `to` at each value `from` of another column; null: missing
 */
export type Formula =
  | {
      readonly formula: 'linear';
      readonly of: readonly { readonly name: string; readonly factor: number }[];
      readonly offset: number;
    }
  | {
      readonly formula: 'lookup';
      readonly of: readonly { readonly name: string }[];
      readonly from: readonly number[];
      readonly to: readonly (number | null)[];
    };

export const formulaSchema: z.ZodType<Formula> = z.discriminatedUnion('formula', [
  z.strictObject({
    formula: z.literal('linear'),
    of: z.array(z.strictObject({ name: z.string(), factor: z.number() })).min(1),
    offset: z.number(),
  }),
  z.strictObject({
    formula: z.literal('lookup'),
    of: z.array(z.strictObject({ name: z.string() })).length(1),
    from: z.array(z.number()).min(1),
    to: z.array(z.number().nullable()).min(1),
  }),
]);

/** A function of several columns is looked for in so many rows first. */
const LOOK_ROWS = 2000;
/** Rows for each column that a function may have, so that chance makes none. */
const ROWS_A_COLUMN = 4;
/** Other columns that a function may be of. */
const MOST_COLUMNS = 60;
/** Of a rounded column: half a unit may be this share of its standard deviation. */
const FINE = 1 / 200;
/** Rows for each value of a column that others are looked up by. */
const ROWS_A_VALUE = 5;
const MOST_VALUES = 1000;

/** A column with numbers that sums and multiples make sense of. */
const isLinear = (type: ColumnType) => labelsOf(type) === null && type.type !== 'id';

/**
 * The columns that are functions of earlier ones which are none, in the rows where both are there.
 *
 * @param names which columns are looked at, in order
 */
export function findFormulas(table: Table, names: readonly string[]): Map<string, Formula> {
  const found = new Map<string, Formula>();
  const basis: string[] = [];
  const looked: string[] = [];
  for (const name of names) {
    const type = table.type(name);
    const formula =
      (isLinear(type) ? linearFormula(table, name, basis) : null) ??
      looked.map((source) => lookupFormula(table, name, source)).find((lookup) => lookup !== null);
    if (formula) {
      found.set(name, formula);
      continue;
    }
    if (isLinear(type)) basis.push(name);
    if (kindOf(type) === 'integer') looked.push(name);
  }
  return found;
}

/** Half a unit of the last digit that a column has, where that is fine; else what doubles lose. */
function toleranceOf(type: ColumnType, values: Float64Array): number {
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
  return half <= FINE * Math.sqrt(square / Math.max(1, count - 1)) ? Math.max(half, exact) : exact;
}

function linearFormula(table: Table, name: string, basis: readonly string[]): Formula | null {
  const y = table.column(name);
  const tolerance = toleranceOf(table.type(name), y);
  for (const source of basis) {
    const line = lineOf(table.column(source), y);
    if (!line) continue;
    const nice = withFewDigits([source], [line.factor], line.offset, table, name, tolerance);
    if (nice) return nice;
  }
  const sources = basis.slice(0, MOST_COLUMNS);
  if (sources.length < 2) return null;
  const rows = completeRows([y, ...sources.map((source) => table.column(source))], LOOK_ROWS);
  if (rows.length < ROWS_A_COLUMN * (sources.length + 2)) return null;
  let chosen = sources;
  let fit = leastSquares(table, rows, name, chosen);
  if (!fit || fit.error > tolerance) return null;
  // columns that add less than can be seen are none of its sources
  for (const source of sources) {
    if (chosen.length < 2) break;
    const spread = spreadOf(table.column(source), rows);
    if (Math.abs(fit.factors[chosen.indexOf(source)] ?? 0) * spread > 4 * tolerance) continue;
    const fewer = chosen.filter((other) => other !== source);
    const again = leastSquares(table, rows, name, fewer);
    if (!again || again.error > tolerance) continue;
    [chosen, fit] = [fewer, again];
  }
  return withFewDigits(chosen, fit.factors, fit.offset, table, name, tolerance);
}

/** The formula with as few digits as reproduce the column in all rows; null where no digits do. */
function withFewDigits(
  sources: readonly string[],
  factors: readonly number[],
  offset: number,
  table: Table,
  name: string,
  tolerance: number,
): Formula | null {
  const columns = sources.map((source) => table.column(source));
  const y = table.column(name);
  for (const digits of [2, 3, 4, 6, 9, 15]) {
    const short = factors.map((factor) => Number(factor.toPrecision(digits)));
    // what rounding the factors takes off is not the offset's to give
    const rest = digits < 15 ? Number(offset.toPrecision(digits)) : offset;
    for (const constant of digits < 15 ? [0, rest] : [rest]) {
      if (reproduces(columns, short, constant, y, tolerance)) {
        return {
          formula: 'linear',
          of: sources.map((source, k) => ({ name: source, factor: short[k]! })),
          offset: constant,
        };
      }
    }
  }
  return null;
}

function reproduces(
  columns: readonly Float64Array[],
  factors: readonly number[],
  offset: number,
  y: Float64Array,
  tolerance: number,
): boolean {
  let seen = 0;
  for (let i = 0; i < y.length; i++) {
    let value = offset;
    for (let k = 0; k < columns.length; k++) value += factors[k]! * columns[k]![i]!;
    if (Number.isNaN(value) !== Number.isNaN(y[i])) return false;
    if (Number.isNaN(value)) continue;
    if (Math.abs(value - y[i]!) > tolerance) return false;
    seen++;
  }
  return seen >= 8;
}

/** The line through the first two rows that are there, far apart; null where one of the columns does not vary. */
function lineOf(x: Float64Array, y: Float64Array): { factor: number; offset: number } | null {
  let [least, most] = [-1, -1];
  for (let i = 0; i < x.length; i++) {
    if (Number.isNaN(x[i]! + y[i]!)) continue;
    if (least < 0 || x[i]! < x[least]!) least = i;
    if (most < 0 || x[i]! > x[most]!) most = i;
  }
  if (least < 0 || x[least] === x[most] || y[least] === y[most]) return null;
  const factor = (y[most]! - y[least]!) / (x[most]! - x[least]!);
  return { factor, offset: y[least]! - factor * x[least]! };
}

/** Rows in which all columns are there, at most so many, evenly spread. */
function completeRows(columns: readonly Float64Array[], most: number): number[] {
  const rows = completeRowsOf(columns, columns[0]!.length);
  if (rows.length <= most) return rows;
  return Array.from({ length: most }, (_, k) => rows[Math.floor((k * rows.length) / most)]!);
}

function spreadOf(values: Float64Array, rows: readonly number[]): number {
  let [least, most] = [Infinity, -Infinity];
  for (const i of rows) {
    least = Math.min(least, values[i]!);
    most = Math.max(most, values[i]!);
  }
  return most - least;
}

/** By Householder reflections, of columns that are centred and scaled; null where they do not determine it. */
function leastSquares(
  table: Table,
  rows: readonly number[],
  name: string,
  sources: readonly string[],
): { factors: number[]; offset: number; error: number } | null {
  const n = rows.length;
  const centred = [...sources, name].map((column) => {
    const values = Float64Array.from(rows, (i) => table.column(column)[i]!);
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
    if (norm < 1e-9) return null;
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
  for (const i of rows) {
    let value = offset;
    sources.forEach((source, j) => (value += factors[j]! * table.column(source)[i]!));
    error = Math.max(error, Math.abs(value - table.column(name)[i]!));
  }
  return { factors, offset, error };
}

function lookupFormula(table: Table, name: string, source: string): Formula | null {
  const [x, y] = [table.column(source), table.column(name)];
  const at = new Map<number, number>();
  const different = new Set<number>();
  let rows = 0;
  for (let i = 0; i < x.length; i++) {
    if (Number.isNaN(x[i])) {
      if (!Number.isNaN(y[i])) return null;
      continue;
    }
    rows++;
    const value = at.get(x[i]!);
    if (value === undefined) {
      at.set(x[i]!, y[i]!);
      if (at.size > MOST_VALUES) return null;
      if (!Number.isNaN(y[i])) different.add(y[i]!);
    } else if (!Object.is(value, y[i])) return null;
  }
  if (rows < ROWS_A_VALUE * at.size || different.size < 2) return null;
  const pairs = [...at].sort((a, b) => a[0] - b[0]);
  return {
    formula: 'lookup',
    of: [{ name: source }],
    from: pairs.map(([from]) => from),
    to: pairs.map(([, to]) => (Number.isNaN(to) ? null : to)),
  };
}

/** The column that a formula makes of others. */
export function computeFormula(
  formula: Formula,
  type: ColumnType,
  column: (name: string) => Float64Array,
): Float64Array {
  if (formula.formula === 'lookup') {
    const at = new Map(formula.from.map((from, k) => [from, formula.to[k] ?? NaN]));
    return column(formula.of[0]!.name).map((value) => at.get(value) ?? NaN);
  }
  const sources = formula.of.map(({ name }) => column(name));
  const round = kindOf(type) === 'integer' ? Math.round : (roundedTo(type) ?? ((value: number) => value));
  return sources[0]!.map((_, i) =>
    round(formula.of.reduce((sum, { factor }, k) => sum + factor * sources[k]![i]!, formula.offset)),
  );
}

/** In words: `1.19 x net`. */
export function formulaText(formula: Formula): string {
  if (formula.formula === 'lookup') return `determined by ${JSON.stringify(formula.of[0]!.name)}`;
  const terms = formula.of.map(
    ({ name, factor }, k) =>
      `${factor < 0 ? (k === 0 ? '-' : ' - ') : k === 0 ? '' : ' + '}${Math.abs(factor) === 1 ? '' : `${Math.abs(factor)} x `}${JSON.stringify(name)}`,
  );
  const { offset } = formula;
  const rest = offset === 0 ? '' : ` ${offset < 0 ? '-' : '+'} ${Math.abs(offset)}`;
  const [only] = formula.of;
  if (formula.of.length === 1 && only!.factor === 1 && offset === 0)
    return `a copy of ${JSON.stringify(only!.name)}`;
  return `= ${terms.join('')}${rest}`;
}
