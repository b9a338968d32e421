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
  const tables = [data, ...others].map((table) => schema.asHere(table, known));
  const often = oftenMissing(tables, known);
  if (often.length > 0) {
    notes.push(
      columnsNote('missing', often, 'missing in so many rows that hardly any is complete, not compared'),
    );
  }
  const chosen = known.filter((name) => !often.includes(name));
  const [first, ...rest] = tables.map((table) => completeRows(table.select(chosen), notes));
  return { data: first!, others: rest, notes };
}

/** With fewer complete rows of a table columns are left out. */
const FEWEST_COMPLETE = 20;

/** The columns without which so many rows of each table are complete, those that are missing most often. */
function oftenMissing(tables: readonly Table[], known: readonly string[]): string[] {
  const missing = (name: string) =>
    Math.max(...tables.map((table) => table.column(name).filter(Number.isNaN).length / table.rows));
  const worst = known
    .map((name) => ({ name, share: missing(name) }))
    .filter(({ share }) => share > 0)
    .sort((a, b) => b.share - a.share)
    .map(({ name }) => name);
  const enough = (left: readonly string[]) =>
    tables.every(
      (table) =>
        completeRowsOf(table.select(known.filter((name) => !left.includes(name))).columns, table.rows)
          .length >= Math.min(FEWEST_COMPLETE, table.rows),
    );
  let count = 0;
  while (count < worst.length && count < known.length - 1 && !enough(worst.slice(0, count))) count++;
  return worst.slice(0, count);
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
