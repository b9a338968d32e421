/** The options that say how a table is read, and what was decided about it. */
import type { Command } from 'commander';

import { expectEncoding } from '../../data/formats/encoding';
import { type ReturnOptions, pricesOf, returnMethods, returnsNote, toReturns } from '../../data/returns';
import { type ReadTableOptions, readTable } from '../../data/formats/read-table';
import { filesWords, formatOf, tableFiles } from '../../data/formats/table-files';
import { type BatchesOptions, TableReader } from '../../data/formats/table-reader';
import type { TableSchema } from '../../data/schema/table-schema';
import { Table } from '../../data/table';
import type { RowWeights } from '../../data/weights';
import { takeWeighted } from '../../joint/joint';
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
  /** The column that holds the weights of the rows. */
  weights?: string | undefined;
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

/** Adds --weights. */
export function addWeightsOption(command: Command, more = ''): Command {
  return command.option(
    '--weights <column>',
    `the column that holds the weights of the rows, in any unit, none negative; it is set aside (default: all rows count alike${more})`,
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

/** What a command reads of a table. */
export interface CommandReading extends ReadTableOptions {
  /** Whose `columns` are read, where no option names them. */
  readonly columnsOf?: 'the model' | 'the data';
}

/** Reads, and says of columns that are not there who needs them. */
async function readFor<T>(columnsOf: CommandReading['columnsOf'], read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (columnsOf === undefined || !(error instanceof SklarError)) throw error;
    const message = error.message.replace(
      /^expected names of existing columns for columns, got /,
      `expected the columns of ${columnsOf}, got none called `,
    );
    throw message === error.message ? error : new SklarError(error.code, message, { cause: error });
  }
}

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
  options: CommandReading,
  schema?: TableSchema,
): Promise<Table> {
  const wanted = returnsAs(flags, schema);
  if (!wanted) return readFiles(files, flags, notes, options, schema);
  const { columns } = options;
  const needed = wanted.by !== null && columns ? { columns: [...columns, wanted.by] } : {};
  const prices = await readFiles(files, flags, notes, { ...options, ...needed }, schema);
  const made = returnsOf(prices, wanted, notes, flags.weights);
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
  options: CommandReading,
  schema?: TableSchema,
): Promise<TableBatches> {
  if (!returnsAs(flags, schema))
    return readFor(options.columnsOf, async () => {
      const reader = await TableReader.open(
        files,
        await readingOptions(files, flags, notes, options, schema),
      );
      if (schema) notes.push(...schema.leftNotes(reader));
      return reader;
    });
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

/** See `toReturns`; what was decided is added to `notes`. @param weights the column that holds them, whose numbers are no prices */
export function returnsOf(
  prices: Table,
  options: Pick<ReturnOptions, 'method' | 'columns'> & { readonly by?: string | null | undefined },
  notes: Note[],
  weights: string | undefined,
): ReturnType<typeof toReturns> {
  return toReturns(prices, {
    ...options,
    ...(weights !== undefined && !options.columns && { columns: pricesOf(prices.exclude([weights])) }),
    by: options.by ?? undefined,
    onNote: (note) => notes.push(note),
  });
}

/** Options of a reader that reads the column of weights, too. */
function withColumn(options: CommandReading, weights: string | undefined): CommandReading {
  const { columns, exclude } = options;
  if (weights === undefined) return options;
  return {
    ...options,
    ...(columns && { columns: [...new Set([...columns, weights])] }),
    ...(exclude && { exclude: exclude.filter((name) => name !== weights) }),
  };
}

/**
 * Reads with the column of weights that the flags name, or that a model has: where a file does not have the latter, without it.
 *
 * @param read reads as the flags say
 */
export async function readWithWeights<T>(
  files: string | readonly string[],
  flags: ReadingFlags,
  notes: Note[],
  options: CommandReading,
  schema: TableSchema | undefined,
  read: (flags: ReadingFlags, options: CommandReading) => Promise<T>,
): Promise<{ read: T; weights: string | undefined }> {
  const weights = flags.weights ?? schema?.weightsColumn ?? undefined;
  const known = notes.length;
  try {
    return { read: await read({ ...flags, weights }, withColumn(options, weights)), weights };
  } catch (error) {
    if (weights === undefined || (await hasColumn(files, flags, weights))) throw error;
    if (flags.weights !== undefined) throw noColumn(files, weights, error);
    notes.length = known;
    const table = await read({ ...flags, weights: undefined }, options);
    notes.push({
      code: 'weights',
      columns: [],
      message: `rows of ${filesWords([files].flat())} count alike, since they have no column ${describe(weights)} of weights`,
    });
    return { read: table, weights: undefined };
  }
}

async function hasColumn(
  files: string | readonly string[],
  flags: ReadingFlags,
  name: string,
): Promise<boolean> {
  try {
    const own = await readingOptions(files, { ...flags, types: undefined }, [], { columns: [name] });
    using reader = await TableReader.open(files, own);
    return reader.names.includes(name);
  } catch {
    return false;
  }
}

function noColumn(files: string | readonly string[], name: string, cause: unknown): SklarError {
  return new SklarError(
    'ERR_SKLAR_VALUE',
    `expected the name of a column of ${filesWords([files].flat())} for weights, got ${describe(name)}`,
    { cause },
  );
}

/**
 * A table as `readAs`, without the column of weights, and the rows that have one; what there is to say of them is added to `notes`.
 */
export async function readWeighted(
  files: string | readonly string[],
  flags: ReadingFlags,
  notes: Note[],
  options: CommandReading,
  schema?: TableSchema,
): Promise<{ table: Table; weights: RowWeights | null }> {
  const { read, weights } = await readWithWeights(files, flags, notes, options, schema, (own, of) =>
    readAs(files, own, notes, of, schema),
  );
  return weighted(read, weights, notes);
}

/** The rows that have a weight, without the column that holds them. */
export function weighted(
  table: Table,
  column: string | undefined,
  notes: Note[],
): Pick<ReturnType<typeof takeWeighted>, 'table' | 'weights' | 'kept'> {
  const taken = takeWeighted(table, column);
  notes.push(...taken.notes);
  return taken;
}

/** Reads a table as it is. */
export async function readFiles(
  files: string | readonly string[],
  flags: ReadingFlags,
  notes: Note[],
  options: CommandReading,
  schema?: TableSchema,
): Promise<Table> {
  const table = await readFor(options.columnsOf, async () =>
    Table.owned(await readTable(files, await readingOptions(files, flags, notes, options, schema))),
  );
  if (schema) notes.push(...schema.leftNotes(table));
  return table;
}

/** How a table is read as these flags say; what is decided about the files is added to `notes`. */
async function readingOptions(
  files: string | readonly string[],
  { header, delimiter, decimal, null: missing, encoding, types: wanted }: ReadingFlags,
  notes: Note[],
  { columnsOf: _, ...options }: CommandReading,
  schema?: TableSchema,
): Promise<ReadTableOptions> {
  // Parquet has dates of its own
  const [first] = await tableFiles(files);
  const formats = schema && formatOf(first!) !== 'parquet' ? Object.entries(schema.formats) : [];
  const known = formats.filter(
    ([name]) => options.columns?.includes(name) ?? schema?.neededNames.includes(name),
  );
  return {
    ...options,
    ...(header !== undefined && { header }),
    ...(delimiter !== undefined && { delimiter }),
    ...(decimal !== undefined && { decimal }),
    ...(missing !== undefined && { null: missing }),
    ...(encoding !== undefined && { encoding }),
    ...(wanted && { types: typesOf(wanted) }),
    ...(known.length > 0 && { formats: Object.fromEntries(known) }),
    onNote: (note) => notes.push({ ...note, message: asOptions(note.message) }),
  };
}
