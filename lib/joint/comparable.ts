/** Tables side by side: the same numbers for the same cells. */
import { completeRowsOf } from '../data/column-jobs';
import type { TableSchema } from '../data/schema/table-schema';
import { type Table } from '../data/table';
import { SklarError } from '../errors';
import { type Note, columnsNote } from '../notes';

/** The modelled columns of a table and of others that are to be like it, in rows where no cell is missing. */
export function comparable(
  schema: TableSchema,
  data: Table,
  others: readonly Table[],
): { data: Table; others: Table[]; notes: Note[] } {
  const notes: Note[] = [];
  const known = schema.knownNames;
  const aside = schema.names.filter((name) => !known.includes(name));
  if (aside.length > 0) {
    notes.push(
      columnsNote('schema', aside, 'constant, names of rows or functions of other columns, not compared'),
    );
  }
  const [first, ...rest] = [data, ...others].map((table) => completeRows(schema.asHere(table, known), notes));
  return { data: first!, others: rest, notes };
}

/**
 * The rows in which no cell is missing; what was left out is added to `notes`.
 *
 * @throws SklarError ERR_SKLAR_VALUE where there is none
 */
export function completeRows(table: Table, notes: Note[]): Table {
  const rows = completeRowsOf(table.columns, table.rows);
  if (rows.length === table.rows) return table;
  const names = table.names.filter((name) => table.column(name).some(Number.isNaN));
  if (rows.length === 0) {
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      `expected rows without missing cells, got none: leave out columns such as ${JSON.stringify(names[0])}`,
    );
  }
  const left = table.rows - rows.length;
  const text = `cells are missing, so that ${left} of ${table.rows} rows were left out`;
  notes.push(columnsNote('missing', names, text));
  return table.take(rows);
}
