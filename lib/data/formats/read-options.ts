import type { Note } from '../../notes';

export interface ReadTableOptions {
  /** Which columns to read, in this order; default all. */
  readonly columns?: readonly string[];
  /** Columns to leave out. */
  readonly exclude?: readonly string[];
  /** Stops reading; the promise then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /** CSV and TSV: whether the first line names the columns; default: decided by looking at the first lines. */
  readonly header?: boolean;
  /** CSV and TSV: the character between fields; default: tab for .tsv, else whichever of `, ; tab |` fits. */
  readonly delimiter?: string;
  /**
   * CSV and TSV: the decimal mark, `.` or `,`; default: `,` where fields between other delimiters have it and none has a
   * point, else `.`.
   */
  readonly decimal?: '.' | ',';
  /** Told what was decided about the file by looking at it. */
  readonly onNote?: ((note: Note) => void) | undefined;
}
