import { type RowsInput, namesOf, toDense } from '../copulas/inputs/rows';
import { type Execution, type RunOptions, beginRun } from '../copulas/inputs/run';
import { TableSchema } from '../data/schema/table-schema';
import { Table } from '../data/table';
import { SklarError, describe } from '../errors';

export interface NamedRows {
  data: Float64Array;
  rows: number;
  columns: number;
  names: readonly string[] | undefined;
}

/** Checks what every run has; rows are compared on the CPU. */
export const execution = (options: RunOptions): Execution =>
  beginRun(options, 'rows are compared on the CPU');

/** Rows of any scale: finite, at least two unless said otherwise. */
export function expectRows(input: RowsInput, what: string, least = 2): NamedRows {
  const dense = toDense(input, what);
  const { data, rows, columns } = dense;
  const names = namesOf(input);
  if (names && names.length !== columns) {
    throw new SklarError('ERR_SKLAR_SHAPE', `expected ${columns} names for ${what}, got ${names.length}`);
  }
  const bad = data.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) {
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      `expected finite values for ${what}, got ${data[bad]} (row ${Math.floor(bad / columns) + 1}, ` +
        `column ${nameOf(names, bad % columns)})`,
    );
  }
  if (rows < least || columns < 1) {
    throw new SklarError(
      'ERR_SKLAR_SHAPE',
      `expected at least ${least} ${least === 1 ? 'row' : 'rows'} and 1 column for ${what}, got ${rows} x ${columns}`,
    );
  }
  return { ...dense, names };
}

export function nameOf(names: readonly string[] | undefined, column: number): string {
  return names ? describe(names[column]) : String(column + 1);
}

/** A table as numbers: texts are their places among the labels that the columns of the data have, new ones behind them. */
export function codesOf(input: RowsInput, data: RowsInput): RowsInput {
  if (!Table.is(input) || !Table.is(data)) return input;
  const names = data.names.filter((name) => input.names.includes(name));
  const id = names.find((name) => data.type(name).type === 'id');
  if (id !== undefined) {
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      `expected columns that can be compared, got ${describe(id)}, which names rows: leave it out`,
    );
  }
  const own = data.select(names);
  return TableSchema.plain(own.names, own.types).asHere(input, names).numbers();
}
