import { types } from 'node:util';

import { SklarError, describe } from '../../errors';
import { type ReadColumn, columnOfTexts } from './read-column';
import { type ColumnType, decimalsOf } from './column-type';
import { TextBuilder } from './text-builder';

/** A cell of a table as JavaScript has it; null and undefined are missing. */
export type Cell = number | boolean | string | Date | null | undefined;

/** A Date that is none is NaN. */
const isMissing = (cell: Cell): cell is null | undefined =>
  cell === null || cell === undefined || (cell instanceof Date && Number.isNaN(cell.getTime()));

const isWholeArray = (values: unknown) =>
  types.isTypedArray(values) && /^(?:Int|Uint)(?:8|16|32)(?:Clamped)?Array$/.test(values[Symbol.toStringTag]);

/**
 * The column of cells as JavaScript has them.
 *
 * @throws SklarError ERR_SKLAR_VALUE for other values, naming the row
 */
export function columnOfValues(name: string, cells: ArrayLike<Cell>): Pick<ReadColumn, 'values' | 'type'> {
  const column = (values: Float64Array, type: ColumnType) => ({ values, type });
  const isWords = types.isBigInt64Array(cells) || types.isBigUint64Array(cells);
  if (isWords || !(types.isTypedArray(cells) || Array.isArray(cells))) {
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      `expected an array of cells for column ${describe(name)}, got ${describe(cells)}`,
    );
  }
  if (types.isTypedArray(cells)) {
    const values = types.isFloat64Array(cells) ? cells : Float64Array.from(cells as ArrayLike<number>);
    return column(values, { type: isWholeArray(cells) ? 'integer' : 'number' });
  }
  const list = Array.from(cells as ArrayLike<Cell>);
  const different = new Set(
    list.map((cell, i) => {
      if (isMissing(cell)) return 'missing';
      if (cell instanceof Date) return 'date';
      if (/^(?:number|boolean|string)$/.test(typeof cell)) return typeof cell;
      throw new SklarError(
        'ERR_SKLAR_VALUE',
        `expected a number, boolean, text, Date or null in column ${describe(name)}, got ${describe(cell)} (row ${i + 1})`,
      );
    }),
  );
  different.delete('missing');
  const numbersOf = (number: (cell: NonNullable<Cell>) => number) =>
    Float64Array.from(list, (cell) => (isMissing(cell) ? NaN : number(cell)));
  if (different.size === 0 || (different.size === 1 && different.has('number'))) {
    return column(numbersOf(Number), { type: 'number' });
  }
  if (different.size === 1 && different.has('boolean')) return column(numbersOf(Number), { type: 'boolean' });
  if (different.size === 1 && different.has('date')) {
    const seconds = numbersOf((cell) => (cell as Date).getTime() / 1000);
    const days = seconds.map((value) => value / 86_400);
    if (days.every((value) => Number.isNaN(value) || Number.isInteger(value))) {
      return column(days, { type: 'date', format: 'YYYY-MM-DD' });
    }
    const fraction = decimalsOf(seconds) === 0 ? '' : '.SSS';
    return column(seconds, { type: 'timestamp', format: `YYYY-MM-DD[T]HH:mm:ss${fraction}[Z]` });
  }
  const texts = new TextBuilder();
  for (const cell of list) {
    texts.push(
      isMissing(cell) || Number.isNaN(cell) ? null : cell instanceof Date ? cell.toISOString() : String(cell),
    );
  }
  return columnOfTexts(name, texts);
}
