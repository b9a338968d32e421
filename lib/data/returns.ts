/** From prices to returns. */
import { z } from 'zod';

import { type OptionNames, SklarError, describe, expectOneOf, expectOptions } from '../errors';
import { type Note, columnWords, columnsNote } from '../notes';
import { Table, expectDistinctNames, expectTable, listNames } from './table';
import { tell } from '../tell';

/** `log`: log(p_t / p_(t-1)); `simple`: p_t / p_(t-1) - 1. */
export const returnMethods = ['log', 'simple'] as const;

/** See `toReturns`. */
export interface ReturnOptions {
  /** `log` (default): log(p_t / p_(t-1)), which add up in time; `simple`: p_t / p_(t-1) - 1, which add up across a portfolio. */
  readonly method?: 'log' | 'simple' | undefined;
  /** Columns of prices; default: all of numbers, none of which is 0 or less. */
  readonly columns?: readonly string[] | undefined;
  /** The column of dates that says the order of the rows; default: the only one, where there is one. */
  readonly by?: string | undefined;
  /** Told what was decided about the columns. */
  readonly onNote?: ((note: Note) => void) | undefined;
}

const returnOptions: OptionNames<ReturnOptions> = { method: true, columns: true, by: true, onNote: true };

/** How the rows of a model came from prices. */
export interface Returns {
  readonly method: 'log' | 'simple';
  /** Columns of prices. */
  readonly columns: readonly string[];
  /** The column of dates that said the order of the rows; null: they were in order. */
  readonly by: string | null;
}

export const returnsSchema = z.strictObject({
  method: z.enum(returnMethods),
  columns: z.array(z.string()).min(1),
  by: z.string().nullable(),
});

/** What the columns of a model of returns are, in words. */
export function returnsNote({ method, columns }: Returns): Note {
  return columnsNote('returns', columns, `${method} returns, not prices`);
}

/**
 * A table of returns of a table of prices, one row a time: row t has the returns from row t-1 to row t in place of the prices, so that
 * the first row is lost. A return is missing where one of its two prices is. Rows are put in the order of a column of dates, oldest
 * first, which is then left out, as other dates are; without one they are taken to be in that order. Other columns keep the cells of row t.
 *
 * @throws SklarError ERR_SKLAR_VALUE for prices of 0 or less, naming column and row, for a date that is there twice or missing, and where
 *   there are no prices; ERR_SKLAR_SHAPE for fewer than two rows
 *
 * @example
 * ```ts
 * import { Table, toReturns } from 'sklar';
 *
 * const prices = Table.fromColumns({ day: ['2024-01-03', '2024-01-02'], gold: [110, 100] });
 * const { table, returns } = toReturns(prices, { method: 'simple' });
 * table.names; // => ['gold']
 * table.column('gold'); // => [0.1]
 * returns.by; // => 'day'
 * ```
 */
export function toReturns(prices: Table, options: ReturnOptions = {}): { table: Table; returns: Returns } {
  options = expectOptions(options, 'toReturns', returnOptions);
  const { columns: wanted, onNote } = options;
  const method = expectOneOf(options.method ?? 'log', 'the method of returns', returnMethods);
  expectTable(prices, 'the prices of toReturns');
  if (prices.rows < 2) {
    throw new SklarError(
      'ERR_SKLAR_SHAPE',
      `expected at least two rows of prices for returns, got ${prices.rows}`,
    );
  }
  const isDate = (name: string) => /^(?:date|timestamp)$/.test(prices.type(name).type);
  const dates = prices.names.filter(isDate);
  const by = options.by ?? (dates.length === 1 ? dates[0]! : null);
  const columns = wanted ?? pricesOf(prices);
  expectDistinctNames(columns, 'the columns of prices');
  if (columns.length === 0) {
    throw new SklarError('ERR_SKLAR_VALUE', 'expected a column of numbers above 0 for returns, got none');
  }
  const order =
    by === null ? Uint32Array.from({ length: prices.rows }, (_, i) => i) : orderBy(prices, by, onNote);
  for (const name of columns) {
    const values = prices.column(name);
    const bad = values.findIndex((value) => !Number.isNaN(value) && !(value > 0));
    const { type } = prices.type(name);
    const numeric = type === 'number' || type === 'integer';
    if (bad < 0 && numeric) continue;
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      `expected prices above 0 in column ${describe(name)}, got ${numeric ? `${values[bad]} (row ${bad + 1})` : `cells of type ${type}`}`,
    );
  }
  const priced = new Set(columns);
  const left = prices.names.filter((name) => isDate(name) && !priced.has(name));
  const others = prices.names.filter((name) => !priced.has(name) && !left.includes(name));
  if (left.length > 0) {
    const words =
      by === null
        ? 'left out of the returns'
        : `left out of the returns; ${describe(by)} gave the order of the rows`;
    tell(onNote, columnsNote('returns', left, words));
  }
  if (by === null) {
    const message =
      'rows were taken to be in the order of time, oldest first, since no column of dates says so';
    tell(onNote, { code: 'returns', columns: [], message });
  }
  if (others.length > 0) {
    tell(
      onNote,
      columnsNote(
        'returns',
        others,
        'no prices, which are numbers above 0; cells of the later row were kept',
      ),
    );
  }
  const names = prices.names.filter((name) => !left.includes(name));
  const later = prices.take(order.subarray(1));
  let missing = 0;
  const made = names.map((name) => {
    if (!priced.has(name)) return later.column(name);
    const values = prices.column(name);
    return Float64Array.from({ length: prices.rows - 1 }, (_, i) => {
      const [before, after] = [values[order[i]!]!, values[order[i + 1]!]!];
      const ratio = after / before;
      if (Number.isNaN(ratio)) missing++;
      if (method === 'log') {
        return ratio > 0 && ratio < Infinity ? Math.log(ratio) : Math.log(after) - Math.log(before);
      }
      if (ratio < Infinity || Number.isNaN(ratio)) return ratio - 1;
      throw new SklarError(
        'ERR_SKLAR_VALUE',
        `expected simple returns that are numbers in column ${describe(name)}, got ${after} / ${before} ` +
          `(row ${order[i + 1]! + 1}); log returns have no such limit`,
      );
    });
  });
  if (missing > 0) {
    const message = `${missing} ${missing === 1 ? 'return is' : 'returns are'} missing, where one of two prices is`;
    tell(onNote, {
      code: 'returns',
      columns: [...columns],
      message: `${columnWords(columns.map(describe))}: ${message}`,
    });
  }
  const types = names.map((name) => (priced.has(name) ? ({ type: 'number' } as const) : prices.type(name)));
  return { table: new Table(names, made, types), returns: { method, columns: [...columns], by } };
}

/** @internal Columns of numbers above 0. */
export function pricesOf(table: Table): string[] {
  return table.names.filter((name) => {
    const { type } = table.type(name);
    const values = table.column(name);
    return (
      (type === 'number' || type === 'integer') &&
      values.every((value) => Number.isNaN(value) || value > 0) &&
      values.some((value) => value > 0)
    );
  });
}

/** The rows in the order of a column of dates, oldest first. */
function orderBy(table: Table, by: string, onNote: ReturnOptions['onNote']): Uint32Array {
  const times = table.column(by);
  const absent = times.findIndex(Number.isNaN);
  if (absent >= 0) {
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      `expected a date in every row of column ${describe(by)} for returns, got none in row ${absent + 1}`,
    );
  }
  const order = Uint32Array.from(times.keys()).sort((a, b) => times[a]! - times[b]!);
  const twice = order.findIndex((row, i) => i > 0 && times[row] === times[order[i - 1]!]);
  if (twice >= 0) {
    const names = table.names.filter((name) => /^(?:category|id)$/.test(table.type(name).type));
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      `expected one row for each date in column ${describe(by)} for returns, got ${describe(table.text(by, order[twice]!))} twice` +
        (names.length > 0 ? `: make a column of prices for each of ${listNames(names, 3)} first` : ''),
    );
  }
  if (order.some((row, i) => row !== i)) {
    const descending = order.every((row, i) => row === table.rows - 1 - i);
    const message = `rows were ${descending ? 'turned round' : 'sorted'} for returns, oldest ${describe(by)} first`;
    tell(onNote, { code: 'returns', columns: [by], message });
  }
  return order;
}
