/** The options that say how a table is read, and what was decided about it. */
import type { Command } from 'commander';

import { type ReadTableOptions, readTable } from '../../data/formats/read-table';
import type { Table } from '../../data/table';
import { expectOneOf } from '../../errors';
import type { Note } from '../../notes';

export interface ReadingFlags {
  header?: boolean | undefined;
  delimiter?: string | undefined;
  decimal?: '.' | ',' | undefined;
}

/** Adds --header, --no-header, --delimiter and --decimal. */
export function addReadingOptions(command: Command): Command {
  return command
    .option('--header', 'the first line of CSV names the columns (default: decided by looking at it)')
    .option('--no-header', 'the first line of CSV is data')
    .option('--delimiter <character>', 'between fields of CSV; tab for a tab (default: what fits)', (text) =>
      /^(?:tab|\\t)$/i.test(text) ? '\t' : text,
    )
    .option('--decimal <character>', 'decimal mark in CSV: . or , (default: what fits)', (text) =>
      expectOneOf(text, '--decimal', ['.', ','] as const),
    );
}

/** Reads a table as these flags say; what was decided about the file is added to `notes`. */
export function readAs(
  file: string,
  { header, delimiter, decimal }: ReadingFlags,
  notes: Note[],
  options: ReadTableOptions,
): Promise<Table> {
  return readTable(file, {
    ...options,
    ...(header !== undefined && { header }),
    ...(delimiter !== undefined && { delimiter }),
    ...(decimal !== undefined && { decimal }),
    onNote: (note) => notes.push(note),
  });
}
