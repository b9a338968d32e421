import { SklarError, expectInteger, expectNumber, expectNumbers, expectOneOf } from '../errors';
import { release } from '../native';
import { type Note, columnsNote } from '../notes';
import { Table } from './table';
import { Generator, type Seed, seedWords, shuffle } from './random';
import { tell } from '../tell';

/** How rows are held out; see `splitRows`. */
export const splitMethods = ['random', 'time', 'blocks'] as const;

/** How rows are held out; see `splitRows`. */
export type SplitMethod = (typeof splitMethods)[number];

/** Stretches that `blocks` cuts the rows into. */
const BLOCKS = 50;

/**
 * Splits the row numbers 0 .. rows-1 into training and held-out rows, both in order. The same arguments give the same split on every
 * machine.
 *
 * @param rows number of rows, at least 1
 * @param holdoutFraction share of held-out rows, in [0, 1). The number is rounded, but at least one row stays for
 *   training, and a fraction above 0 holds out at least one row when there are two or more.
 * @param method `random` (default): rows at random, for rows that are independent of one another. `time`: the last ones, whatever the
 *   seed. `blocks`: of 50 stretches of equal length (with fewer rows of single rows) whole ones at random, so that few held-out
 *   rows have neighbours among the training rows
 * @param order the rows in the order of time, where they are not; both parts are then in this order
 * @throws SklarError ERR_SKLAR_VALUE
 *
 * @example
 * ```ts
 * import { splitRows } from 'sklar';
 *
 * const { train, holdout } = splitRows(10, 0.2, 1);
 * train.length; // => 8
 * holdout.length; // => 2
 * splitRows(10, 0.2, 1, 'time').holdout; // => [8, 9]
 * ```
 */
export function splitRows(
  rows: number,
  holdoutFraction: number,
  seed: Seed,
  method: SplitMethod = 'random',
  order: ArrayLike<number> | null = null,
): { train: Uint32Array; holdout: Uint32Array } {
  expectInteger(rows, 'the number of rows', { min: 1, max: 0xffffffff });
  expectNumber(holdoutFraction, 'holdoutFraction', { min: 0, below: 1 });
  expectOneOf(method, 'the split', splitMethods);
  const words = seedWords(seed);
  const times = order === null ? null : expectNumbers(order, 'the order of the rows');
  if (times && times.length !== rows) {
    throw new SklarError(
      'ERR_SKLAR_SHAPE',
      `expected the order of ${rows} rows for the split, got ${times.length}`,
    );
  }
  times?.forEach((row) => expectInteger(row, 'a row of the order', { min: 0, max: rows - 1 }));

  /** What is held out or not as a whole: rows, or stretches of them. */
  const units = method === 'blocks' ? Math.min(rows, BLOCKS) : rows;
  const least = holdoutFraction > 0 ? 1 : 0;
  const heldOut = Math.min(units - 1, Math.max(least, Math.round(units * holdoutFraction)));
  const drawn = new Uint32Array(units);
  for (let i = 0; i < units; i++) drawn[i] = method === 'time' ? units - 1 - i : i;
  if (method !== 'time') shuffle(drawn, 0, units, new Generator(...words));
  const edge = (unit: number) => Math.floor((unit * rows) / units);
  const rowsOf = (chosen: Uint32Array): Uint32Array => {
    chosen.sort();
    const found =
      units === rows
        ? chosen
        : Uint32Array.from(
            Array.from(chosen, (unit) =>
              Array.from({ length: edge(unit + 1) - edge(unit) }, (_, i) => edge(unit) + i),
            ).flat(),
          );
    return times ? found.map((row) => times[row]!) : found;
  };
  return { train: rowsOf(drawn.slice(heldOut)), holdout: rowsOf(drawn.slice(0, heldOut)) };
}

/** As `take` of each of the parts, of a table that nobody uses any longer: it gives its memory back column by column. */
export function divideTable({ names, columns, types }: Table, parts: readonly ArrayLike<number>[]): Table[] {
  const taken = parts.map((): Float64Array[] => []);
  for (const source of columns) {
    parts.forEach((rows, k) => {
      const values = new Float64Array(rows.length);
      for (let i = 0; i < rows.length; i++) values[i] = source[rows[i]!]!;
      taken[k]!.push(values);
    });
    release(source);
  }
  return taken.map((own) => new Table(names, own, types));
}

/**
 * The rows of a table in the order of its only column of dates, oldest first, those without a date before all others; null: they are
 * in that order, or nothing says which it is.
 */
export function timeOrder(table: Table, onNote: (note: Note) => void): Uint32Array | null {
  const dates = table.names.filter((name) => /^(?:date|timestamp)$/.test(table.type(name).type));
  if (dates.length !== 1) {
    const message = `rows were taken to be in the order of time, since ${dates.length === 0 ? 'no column' : 'no single column'} of dates says so`;
    tell(onNote, { code: 'order', columns: dates, message });
    return null;
  }
  const times = table.column(dates[0]!).map((time) => (Number.isNaN(time) ? -Infinity : time));
  const order = Uint32Array.from(times.keys()).sort((a, b) =>
    times[a] === times[b] ? a - b : times[a]! - times[b]!,
  );
  if (order.every((row, i) => row === i)) return null;
  tell(onNote, columnsNote('order', dates, 'rows were put in its order, oldest first, to be split'));
  return order;
}
