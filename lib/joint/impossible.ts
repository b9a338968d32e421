import { type ColumnRunOptions, completeRowsOf } from '../data/column-jobs';
import type { Table } from '../data/table';
import { SklarError, describe } from '../errors';
import { Margins, type TableMargins } from '../margins/margins';
import type { ImpossibleRows } from '../mean';

/** Rows of density 0, and why. */
export interface ImpossibleValues {
  readonly count: number;
  /** The first ones, from 1, with the columns whose margin has no mass at the value; none: the copula's density is 0. */
  readonly rows: readonly {
    readonly row: number;
    readonly columns: readonly { readonly column: string; readonly value: number }[];
  }[];
}

/** The columns of rows of density 0 in which the margin has no mass. */
export function impossibleValues(
  { count, rows }: ImpossibleRows,
  margins: Margins,
  table: Table,
): ImpossibleValues {
  const columnsOf = (row: number) =>
    margins.names.flatMap((column) => {
      const value = table.column(column)[row - 1]!;
      const [log] = margins.margin(column).logPdf(Float64Array.of(value));
      return log === -Infinity ? [{ column, value }] : [];
    });
  return { count, rows: rows.map((row) => ({ row, columns: columnsOf(row) })) };
}

/**
 * Says which column has the density at which that of a row is infinite, such as a gamma law of shape below 1 at 0.
 *
 * @param firstRow number of the first row, from 0
 * @throws SklarError ERR_SKLAR_DIVERGED naming the row and the column
 */
export function expectNoPole(values: Float64Array, margins: Margins, table: Table, firstRow: number): void {
  const row = values.indexOf(Infinity);
  if (row < 0) return;
  for (const column of margins.names) {
    const value = table.column(column)[row]!;
    const margin = margins.margin(column);
    if (margin.logPdf(Float64Array.of(value))[0] !== Infinity) continue;
    throw new SklarError(
      'ERR_SKLAR_DIVERGED',
      `the log density of row ${firstRow + row + 1} is Infinity: so is that of the ${margin.name} margin of column ` +
        `${describe(column)} at ${value}`,
    );
  }
}

/**
 * A sample whose values are all finite.
 *
 * @throws SklarError ERR_SKLAR_DIVERGED naming the column
 */
export function expectDrawn(table: Table): Table {
  table.columns.forEach((values, j) => {
    const bad = values.findIndex((value) => !Number.isFinite(value));
    if (bad < 0) return;
    throw new SklarError(
      'ERR_SKLAR_DIVERGED',
      `a value of column ${describe(table.names[j])} is ${values[bad]}: its margin leaves the finite numbers`,
    );
  });
  return table;
}

/**
 * The rows that have levels in all columns: none is missing, and no margin has density 0 at its value, where the level is that of
 * the next value that it has.
 */
export async function possibleRows(
  margins: TableMargins,
  table: Table,
  run: ColumnRunOptions,
): Promise<Table> {
  const logs = margins instanceof Margins ? await margins.logPdf(table, run) : null;
  const complete = completeRowsOf(table.select(margins.names).columns, table.rows);
  const possible = complete.filter((row) => logs?.[row] !== -Infinity);
  return possible.length === table.rows ? table : table.take(possible);
}
