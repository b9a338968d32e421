import { type OptionNames, SklarError, describe, expectOneOf, expectOptions } from '../../errors';
import { expectPath, expectReadable } from './files';
import { readCsv } from './read-csv';
import { readJson } from './read-json';
import type { ReadTableOptions } from './read-options';
import { readParquet } from './read-parquet';
import type { Table } from '../table';

export type { ReadTableOptions };

const readOptions: OptionNames<ReadTableOptions> = {
  columns: true,
  exclude: true,
  signal: true,
  header: true,
  delimiter: true,
  decimal: true,
  nulls: true,
  types: true,
  onNote: true,
};

/**
 * Reads a table from a `.csv`, `.tsv`, `.json`, `.ndjson` or `.jsonl` file, each also with `.gz` (gzip) after it, or from a
 * `.parquet` file.
 *
 * Every column gets the `ColumnType` that all its cells fit, in Parquet that of the file: numbers (also with currencies, units and
 * thousands: `$1,234.50`), integers, booleans (also yes and no), dates, times, timestamps, categories, or ids, which are texts that
 * hardly recur. Missing cells (empty fields, NULL, `NA`, absent keys, NaN) are NaN; so are infinities and, in columns that are
 * mostly numbers or dates, texts such as `?`, which is told to `onNote`. Integers that a double would round, beyond 2^53, are
 * ids where they differ, else errors, as numbers are that would be 0, such as 1e-400.
 *
 * CSV is text in UTF-8 as in RFC 4180. Its first line names the columns where it holds texts above numbers, or numbers that
 * are hardly a row of the data: years or equal steps in order, unlike what is below them. What was decided so is told to
 * `onNote`. JSON is an array of objects, or objects one a line; there names that look like
 * whole numbers come first, as in any JavaScript object. A path is a path, whatever
 * characters are in it: no patterns, no addresses.
 *
 * @throws SklarError ERR_SKLAR_FILE when the file cannot be read, ERR_SKLAR_FORMAT when its content is not what its
 *   name says (damaged, empty, rows of different lengths), ERR_SKLAR_VALUE for columns that do not exist or have the same name,
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
export async function readTable(file: string, options: ReadTableOptions = {}): Promise<Table> {
  expectPath(file);
  expectOptions(options, 'readTable', readOptions);
  const { signal, delimiter } = options;
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
  const ending = /\.(?:(?:(csv|tsv)|(json|ndjson|jsonl))(?:\.gz)?|(parquet))$/i.exec(file);
  if (!ending) {
    throw new SklarError(
      'ERR_SKLAR_FILE',
      `expected a file name ending in .csv, .tsv, .json, .ndjson, .jsonl (or these with .gz) or .parquet, ` +
        `got ${describe(file)}`,
    );
  }
  if ((await expectReadable(file)) === 0) {
    throw new SklarError('ERR_SKLAR_FORMAT', `expected a table, got an empty file (${describe(file)})`);
  }
  const [, csv, json] = ending;
  try {
    return await (csv ? readCsv : json ? readJson : readParquet)(file, options);
  } catch (cause) {
    if (cause instanceof SklarError || signal?.aborted) throw cause;
    throw readError(cause, file);
  }
}

/** What DuckDB, the runtime or the file system reports, as a SklarError. */
function readError(cause: unknown, file: string): SklarError {
  // Messages of DuckDB go on with lists of options and possible fixes after the first line.
  const message = String((cause as Error | null)?.message ?? cause).split('\n', 1)[0]!;
  if (/^Out of Memory Error|Array buffer allocation failed|Invalid typed array length/.test(message)) {
    return new SklarError('ERR_SKLAR_MEMORY', `cannot read ${describe(file)}: not enough memory`, { cause });
  }
  if (/^(?:IO|Permission) Error/.test(message)) {
    return new SklarError('ERR_SKLAR_FILE', `cannot read ${describe(file)}: ${message}`, { cause });
  }
  if ((cause as Error | null)?.name !== 'Error') {
    return new SklarError('ERR_SKLAR_INTERNAL', `failed while reading ${describe(file)}: ${message}`, {
      cause,
    });
  }
  return new SklarError(
    'ERR_SKLAR_FORMAT',
    `expected a readable table, got an error (${describe(file)}): ${message}`,
    { cause },
  );
}
