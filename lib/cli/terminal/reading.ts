/** The options that say how a table is read, and what was decided about it. */
import type { Command } from 'commander';

import { expectEncoding } from '../../data/formats/encoding';
import { type ReturnOptions, returnMethods, returnsNote, toReturns } from '../../data/returns';
import { type ReadTableOptions, readTable } from '../../data/formats/read-table';
import { formatOf, tableFiles } from '../../data/formats/table-files';
import { type BatchesOptions, TableReader } from '../../data/formats/table-reader';
import type { TableSchema } from '../../data/schema/table-schema';
import type { Table } from '../../data/table';
import { type ColumnType, typeNames } from '../../data/columns/column-type';
import { SklarError, describe, expectOneOf } from '../../errors';
import type { Note } from '../../notes';
import { asOptions } from './failure';
import { BETWEEN_COMMAS, names } from './values';

/** What --returns takes. */
export const returnChoices = [...returnMethods, 'none'] as const;

export interface ReadingFlags {
  header?: boolean | undefined;
  delimiter?: string | undefined;
  decimal?: '.' | ',' | undefined;
  null?: string[] | undefined;
  encoding?: string | undefined;
  returns?: 'log' | 'simple' | 'none' | undefined;
  types?: Readonly<Record<string, string>> | string[] | undefined;
}

/** Adds --header, --no-header, --delimiter, --decimal, --null, --encoding, --types and --returns. */
export function addReadingOptions(command: Command): Command {
  return command
    .option('--header', 'the first line of CSV names the columns (default: decided by looking at it)')
    .option('--no-header', 'the first line of CSV is data')
    .option('--delimiter <character>', 'between fields of CSV; tab for a tab (default: what fits)', (text) =>
      /^(?:tab|\\t)$/i.test(text) ? '\t' : text,
    )
    .option('--decimal <character>', 'decimal mark in CSV: . or , (default: what fits)', (text) =>
      expectOneOf(text, '--decimal', ['.', ','] as const),
    )
    .option(
      '--null <texts>',
      `texts of missing cells in CSV, ${BETWEEN_COMMAS} (default: NA, N/A, NULL, null, None)`,
      names,
    )
    .option(
      '--encoding <name>',
      'of a text file: utf-8, utf-16le, windows-1252, ... (default: what a byte order mark says, else utf-8)',
      expectEncoding,
    )
    .option(
      '--types <column=type,...>',
      `types of columns: ${typeNames.join(', ')}; dates and times also with a format, as date:DD/MM/YYYY (default: what all cells fit)`,
      (text, previous: readonly string[] = []) => [...previous, text],
    )
    .option(
      '--returns <method>',
      'numbers above 0 are prices, of which returns are taken: log, simple, or none (default: none; of a model of returns its own)',
      (text) => expectOneOf(text, '--returns', returnChoices),
    );
}

/** `column=type` pairs of --types, or an object of a configuration file. */
function typesOf(types: NonNullable<ReadingFlags['types']>): Readonly<Record<string, string>> {
  if (!Array.isArray(types)) return types;
  const pairs = types.flatMap((text) => {
    // a comma is part of a format where no column=type follows it
    return text.split(/,(?=[^,]*=)/).map((pair) => {
      const end = pair.lastIndexOf('=');
      if (end > 0)
        return [
          pair
            .slice(0, end)
            .trim()
            .replace(/^"(.*)"$/s, '$1'),
          pair.slice(end + 1).trim(),
        ] as const;
      throw new SklarError('ERR_SKLAR_VALUE', `expected column=type for --types, got ${describe(pair)}`);
    });
  });
  return Object.fromEntries(pairs);
}

/** What a command says of the files it reads. */
export const TABLE_FILES = '.csv, .tsv, .json, .ndjson (also .gz) or .parquet';

/** Of an argument that may be several. */
export const MORE_FILES = `${TABLE_FILES}; several files, a folder or a "pattern*.csv" in quotes are one table`;

/** How returns are made of prices as these flags say, or as a model has them; null: they are not. */
function returnsAs({ returns: method }: ReadingFlags, schema: TableSchema | undefined) {
  if (method === undefined) return schema?.returns ?? null;
  return method === 'none' ? null : { method, by: null };
}

/**
 * Reads a table as these flags say, and makes returns of prices; what was decided is added to `notes`.
 *
 * @param schema of a table with the same columns, whose formats of dates the file has, and which is of returns or not
 */
export async function readAs(
  files: string | readonly string[],
  flags: ReadingFlags,
  notes: Note[],
  options: ReadTableOptions,
  schema?: TableSchema,
): Promise<Table> {
  const wanted = returnsAs(flags, schema);
  if (!wanted) return readFiles(files, flags, notes, options, schema);
  const { columns } = options;
  const needed = wanted.by !== null && columns ? { columns: [...columns, wanted.by] } : {};
  const prices = await readFiles(files, flags, notes, { ...options, ...needed }, schema);
  const made = returnsOf(prices, wanted, notes);
  notes.push(returnsNote(made.returns));
  return made.table;
}

/** The rows of a table, as often as they are asked for. */
export interface TableBatches extends Disposable {
  readonly names: readonly string[];
  readonly types: readonly ColumnType[];
  readonly rows: number;
  batches(options?: BatchesOptions): AsyncIterable<Table>;
}

/** As `readAs`, in batches of rows; of returns all are in memory, since a return takes two rows in the order of time. */
export async function openAs(
  files: string | readonly string[],
  flags: ReadingFlags,
  notes: Note[],
  options: ReadTableOptions,
  schema?: TableSchema,
): Promise<TableBatches> {
  if (!returnsAs(flags, schema))
    return TableReader.open(files, await readingOptions(files, flags, notes, options, schema));
  const table = await readAs(files, flags, notes, options, schema);
  const { names, types, rows } = table;
  return {
    names,
    types,
    rows,
    // eslint-disable-next-line @typescript-eslint/require-await -- as those of a file
    async *batches({ rows: most = rows } = {}) {
      for (let first = 0; first < rows; first += most) yield table.part(first, Math.min(rows, first + most));
    },
    [Symbol.dispose]() {},
  };
}

/** See `toReturns`; what was decided is added to `notes`. */
export function returnsOf(
  prices: Table,
  options: Pick<ReturnOptions, 'method' | 'columns'> & { readonly by?: string | null | undefined },
  notes: Note[],
): ReturnType<typeof toReturns> {
  return toReturns(prices, { ...options, by: options.by ?? undefined, onNote: (note) => notes.push(note) });
}

/** Reads a table as it is. */
export async function readFiles(
  files: string | readonly string[],
  flags: ReadingFlags,
  notes: Note[],
  options: ReadTableOptions,
  schema?: TableSchema,
): Promise<Table> {
  return readTable(files, await readingOptions(files, flags, notes, options, schema));
}

/** How a table is read as these flags say; what is decided about the files is added to `notes`. */
async function readingOptions(
  files: string | readonly string[],
  { header, delimiter, decimal, null: missing, encoding, types: wanted }: ReadingFlags,
  notes: Note[],
  options: ReadTableOptions,
  schema?: TableSchema,
): Promise<ReadTableOptions> {
  // Parquet has dates of its own
  const [first] = await tableFiles(files);
  const formats = schema && formatOf(first!) !== 'parquet' ? Object.entries(schema.formats) : [];
  const known = formats.filter(
    ([name]) => options.columns?.includes(name) ?? schema?.modelledNames.includes(name),
  );
  const types = { ...Object.fromEntries(known), ...(wanted && typesOf(wanted)) };
  return {
    ...options,
    ...(header !== undefined && { header }),
    ...(delimiter !== undefined && { delimiter }),
    ...(decimal !== undefined && { decimal }),
    ...(missing !== undefined && { null: missing }),
    ...(encoding !== undefined && { encoding }),
    ...(Object.keys(types).length > 0 && { types }),
    onNote: (note) => notes.push({ ...note, message: asOptions(note.message) }),
  };
}
