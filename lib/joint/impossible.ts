import type { ColumnRunOptions } from '../data/column-jobs';
import type { Table } from '../data/table';
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

/** The rows at whose values no margin has density 0: those of others have levels, of the next values where it has some. */
export async function possibleRows(
  margins: TableMargins,
  table: Table,
  run: ColumnRunOptions,
): Promise<Table> {
  if (!(margins instanceof Margins)) return table;
  const logs = await margins.logPdf(table, run);
  const possible = Array.from(logs.keys()).filter((row) => logs[row] !== -Infinity);
  return possible.length === table.rows ? table : table.take(possible);
}
