import { SklarError } from '../../errors';
import type { Note } from '../../notes';
import type { ReadColumn } from '../columns/read-column';
import { Table } from '../table';
import { filesWords } from './table-files';

/** The table of columns that were read; throws ERR_SKLAR_VALUE when it has no rows. */
export function finishTable(
  columns: readonly ReadColumn[],
  files: readonly string[],
  onNote: ((note: Note) => void) | undefined,
): Table {
  if ((columns[0]?.values.length ?? 0) === 0) {
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      `expected at least one row of data, got none (${filesWords(files)})`,
    );
  }
  for (const { notes } of columns) for (const note of notes) onNote?.(note);
  return new Table(
    columns.map(({ name }) => name),
    columns.map(({ values }) => values),
    columns.map(({ type }) => type),
  );
}
