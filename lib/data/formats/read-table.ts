import { type OptionNames, SklarError, describe, expectOneOf, expectOptions } from '../../errors';
import { expectEncoding } from './encoding';
import { expectReadable } from './files';
import { type Use, finishTable } from './open-columns';
import { readCsv } from './read-csv';
import { readJson } from './read-json';
import type { ReadTableOptions } from './read-options';
import { readParquet } from './read-parquet';
import { filesWords, formatOf, readError, tableFiles } from './table-files';
import { type Table, listNames } from '../table';
import { tell } from '../../tell';

export type { ReadTableOptions };

export const readOptions: OptionNames<ReadTableOptions> = {
  columns: true,
  exclude: true,
  signal: true,
  header: true,
  delimiter: true,
  decimal: true,
  null: true,
  encoding: true,
  types: true,
  formats: true,
  onNote: true,
};

/** What says nothing of other files. */
const CSV_ALONE = ['header', 'delimiter', 'decimal', 'null'] as const;

/**
 * Reads a table from `.csv`, `.tsv`, `.json`, `.ndjson` or `.jsonl` files, each also with `.gz` (gzip) after it, or from
 * `.parquet` files.
 *
 * Several files, all files of a folder, or those that match a pattern (`data/*.csv`; also `?`, `[abc]`, and `**` for folders) are one
 * table: the rows of the first file, then those of the next, of folders and patterns in the order of their paths. Their columns must
 * have the same names, in any order; a column of whole numbers in one and fractions in another has fractions.
 *
 * Every column gets the `ColumnType` that all its cells fit, in Parquet that of the file: numbers (also with currencies, units and
 * thousands: `$1,234.50`), integers, booleans (also yes and no), dates, times, timestamps, categories, or ids, which are texts that
 * hardly recur. Missing cells (empty fields, NULL, `NA`, absent keys, NaN) are NaN; so are infinities and, in columns that are
 * mostly numbers or dates, texts such as `?`, which is told to `onNote`. Integers that a double would round, beyond 2^53, are
 * ids where they differ, else errors, as numbers are that would be 0, such as 1e-400.
 *
 * CSV is text as in RFC 4180, in UTF-8 where nothing else is said or marked; bytes that are none are refused. Its first line names the columns where it holds texts above numbers, or numbers that
 * are hardly a row of the data: years or equal steps in order, unlike what is below them. What was decided so is told to
 * `onNote`. JSON is an array of objects, or objects one a line; there names that look like
 * whole numbers come first, as in any JavaScript object. What exists is a path, whatever characters are in it; there are no addresses.
 *
 * @throws SklarError ERR_SKLAR_FILE when the file cannot be read, ERR_SKLAR_FORMAT when its content is not what its
 *   name says (damaged, empty, rows of different lengths, bytes that are no text), ERR_SKLAR_SHAPE for files with different columns, ERR_SKLAR_VALUE for columns that do not exist or have the same name,
 *   cells that do not have the type that is wanted, and when there are no rows, ERR_SKLAR_MEMORY
 *
 * @example
 * ```ts
 * import { writeFile } from 'node:fs/promises';
 * import { readTable } from 'sklar';
 *
 * await writeFile('rain.csv', 'day,rain\n1,0.2\n2,0\n3,14.5\n');
 * const table = await readTable('rain.csv', { exclude: ['day'] });
 * table.column('rain'); // => [0.2, 0, 14.5]
 * table.type('rain'); // => { type: 'number', decimals: 1 }
 * ```
 */
export async function readTable(
  source: string | readonly string[],
  options: ReadTableOptions = {},
): Promise<Table> {
  expectOptions(options, 'readTable', readOptions);
  return openTable(source, options, { keep: true, use: finishTable });
}

/** Opens files, has their columns used, and closes them; see `readTable`. */
export async function openTable<T>(
  source: string | readonly string[],
  options: ReadTableOptions,
  use: Use<T>,
): Promise<T> {
  const { signal, delimiter, encoding } = options;
  if (delimiter !== undefined && !(typeof delimiter === 'string' && /^[^"\r\n\0]$/.test(delimiter))) {
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      `expected one character for delimiter, not a quote or a line break, got ${describe(delimiter)}`,
    );
  }
  if (options.decimal !== undefined) expectOneOf(options.decimal, 'decimal', ['.', ','] as const);
  if (options.header !== undefined) expectOneOf(options.header, 'header', [true, false]);
  if (options.decimal === ',' && delimiter === ',') {
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      'expected a decimal mark other than the delimiter, got "," for both',
    );
  }
  signal?.throwIfAborted();
  const files = await tableFiles(source);
  const format = formatOf(files[0]!);
  for (const file of files) {
    if ((await expectReadable(file)) === 0)
      throw new SklarError('ERR_SKLAR_FORMAT', `expected a table, got an empty file (${describe(file)})`);
  }
  const unused = [
    ...(format === 'csv' ? [] : CSV_ALONE),
    ...(format === 'parquet' ? (['encoding'] as const) : []),
  ];
  for (const name of unused.filter((option) => options[option] !== undefined)) {
    const message = `${filesWords(files)} was not read with ${name}: ${JSON.stringify(options[name])}, which is for texts between delimiters`;
    tell(options.onNote, { code: 'file', columns: [], message });
  }
  if (files.length > 1) {
    const message = `${files.length} files were read as one table, in this order: ${listNames(files, 10)}`;
    tell(options.onNote, { code: 'file', columns: [], message });
  }
  try {
    const read = { csv: readCsv, json: readJson, parquet: readParquet }[format];
    return await read(
      files,
      encoding === undefined ? options : { ...options, encoding: expectEncoding(encoding) },
      use,
    );
  } catch (cause) {
    if (signal?.aborted) throw cause;
    throw readError(cause, files);
  }
}
