import { SklarError } from '../../errors';
import type { Note } from '../../notes';
import type { ReadColumn } from '../columns/read-column';
import { Table } from '../table';
import { filesWords } from './table-files';
import { tell } from '../../tell';

/** What is done with the columns of files while these are open. */
export interface Use<T> {
  /** Whether the columns hold their cells, or are only asked for them again. */
  readonly keep: boolean;
  readonly use: (open: OpenColumns) => T | Promise<T>;
}

/** Anything that gives the cells of a column one by one. */
export interface CellSource {
  getItem(index: number): unknown;
}

/** Cells as they come: of each column numbers (null: missing, NaN: another text) or texts (null: missing). */
export interface CellChunk {
  readonly rows: number;
  readonly vectors: readonly CellSource[];
}

/** Columns of files, what they are, and their cells as often as they are asked for. */
export interface OpenColumns {
  readonly columns: readonly ReadColumn[];
  readonly rows: number;
  cells(): AsyncIterable<CellChunk>;
}

export function noRowsError(files: readonly string[]): SklarError {
  return new SklarError(
    'ERR_SKLAR_VALUE',
    `expected at least one row of data, got none (${filesWords(files)})`,
  );
}

/** Throws ERR_SKLAR_VALUE when there are no rows; tells what was decided about the columns. */
export function expectRows(
  { rows, columns }: OpenColumns,
  files: readonly string[],
  onNote: ((note: Note) => void) | undefined,
): void {
  if (rows === 0) throw noRowsError(files);
  for (const { notes } of columns) for (const note of notes) tell(onNote, note);
}

/** The table of columns that hold their cells. */
export function finishTable({ columns }: OpenColumns): Table {
  return new Table(
    columns.map(({ name }) => name),
    columns.map(({ values }) => values),
    columns.map(({ type }) => type),
  );
}
