import { SklarError, describe, expectOptions, expectList } from '../../errors';
import { quoteName, quoteText } from './csv';
import { AtomicFile, expectPath } from './files';
import { type Matrix, expectMatrix } from '../../matrix';
import { ParquetWriter } from './parquet-writer';
import {
  type ColumnKind,
  type ColumnType,
  cellText,
  isNumeric,
  jsonText,
  kindOf,
  labelsOf,
  expectType,
} from '../columns/column-type';
import { Table, expectDistinctNames, expectTable } from '../table';

type Values = (row: number, column: number) => number;

/** One way of writing rows to an open file. */
interface RowWriter {
  append(rows: number, value: Values, types: readonly ColumnType[]): Promise<void>;
  end(): Promise<void>;
}

/** The fixed texts of a text format: a row is `before[0]`, a number, `before[1]`, a number, ..., `after`. */
interface TextLayout {
  readonly head: string;
  readonly before: readonly string[];
  readonly after: string;
  /** Between two rows. */
  readonly separator: string;
  readonly tail: string;
  readonly notFinite: 'written' | 'refused';
  /** A cell that is missing. */
  readonly missing: string;
  /** The cells of a column that are not plain numbers. */
  readonly cell: (type: ColumnType) => (value: number) => string;
}

function csvLayout(names: readonly string[], delimiter: string): TextLayout {
  return {
    head: `${names.map(quoteName).join(delimiter)}\n`,
    before: names.map((_, j) => (j === 0 ? '' : delimiter)),
    after: '\n',
    separator: '',
    tail: '',
    notFinite: 'written',
    missing: '',
    cell: (type) => (value) => quoteText(cellText(type, value), delimiter),
  };
}

function jsonLayout(names: readonly string[], array: boolean): TextLayout {
  return {
    head: array ? '[\n' : '',
    before: names.map((name, j) => `${j === 0 ? '{' : ','}${JSON.stringify(name)}:`),
    after: array ? '}' : '}\n',
    separator: array ? ',\n' : '',
    tail: array ? '\n]\n' : '',
    notFinite: 'refused',
    missing: 'null',
    cell: (type) => (value) => jsonText(type, value),
  };
}

class TextWriter implements RowWriter {
  readonly #file: AtomicFile;
  readonly #names: readonly string[];
  readonly #layout: TextLayout;
  #types: readonly ColumnType[] = [];
  /** Of each column what writes its cells; null: String does. */
  #cells: readonly (((value: number) => string) | null)[] = [];
  #text: string;
  #rows = 0;

  constructor(file: AtomicFile, names: readonly string[], layout: TextLayout) {
    this.#file = file;
    this.#names = names;
    this.#layout = layout;
    this.#text = layout.head;
  }

  async append(rows: number, value: Values, types: readonly ColumnType[]): Promise<void> {
    if (this.#types !== types) {
      this.#types = types;
      this.#cells = types.map((type) => (isNumeric(type) ? null : this.#layout.cell(type)));
    }
    const { before, after, separator } = this.#layout;
    let text = this.#text;
    for (let i = 0; i < rows; i++) {
      if (this.#rows > 0) text += separator;
      for (let j = 0; j < before.length; j++) {
        const number = value(i, j);
        // String() gives the shortest decimal that reads back as the same double.
        text +=
          before[j]! +
          (Number.isFinite(number)
            ? (this.#cells[j]?.(number) ?? String(number))
            : this.#notFinite(number, j));
      }
      text += after;
      this.#rows++;
      if (text.length > 1 << 20) {
        await this.#file.write(Buffer.from(text));
        text = '';
      }
    }
    this.#text = text;
  }

  async end(): Promise<void> {
    await this.#file.write(Buffer.from(this.#text + this.#layout.tail));
  }

  #notFinite(number: number, j: number): string {
    if (Number.isNaN(number)) return this.#layout.missing;
    if (this.#layout.notFinite === 'refused') {
      throw new SklarError(
        'ERR_SKLAR_VALUE',
        `expected finite numbers for a JSON file, got ${number} ` +
          `(column ${describe(this.#names[j])}, row ${this.#rows + 1}); CSV and Parquet can hold it`,
      );
    }
    return number > 0 ? 'inf' : '-inf';
  }
}

const FORMATS: Readonly<
  Record<string, (file: AtomicFile, names: readonly string[], types: readonly ColumnType[]) => RowWriter>
> = {
  csv: (file, names) => new TextWriter(file, names, csvLayout(names, ',')),
  tsv: (file, names) => new TextWriter(file, names, csvLayout(names, '\t')),
  json: (file, names) => new TextWriter(file, names, jsonLayout(names, true)),
  ndjson: (file, names) => new TextWriter(file, names, jsonLayout(names, false)),
  jsonl: (file, names) => new TextWriter(file, names, jsonLayout(names, false)),
  parquet: (file, names, types) => new ParquetWriter(file, names, types),
};

/** The format that the ending of a file name stands for; throws ERR_SKLAR_FILE that lists the known ones. */
export function expectFormat(file: string): string {
  const ending = /\.([a-z]+)$/i.exec(expectPath(file))?.[1]?.toLowerCase() ?? '';
  if (Object.hasOwn(FORMATS, ending)) return ending;
  const known = Object.keys(FORMATS).map((name) => `.${name}`);
  throw new SklarError(
    'ERR_SKLAR_FILE',
    `expected a file name ending in ${known.join(', ')}, got ${describe(file)}`,
  );
}

/** How a table is written. */
export interface TableWriterOptions {
  /** What the cells of each column are, or the kind of its numbers alone; default numbers. */
  readonly types?: readonly (ColumnKind | ColumnType)[];
}

/**
 * Writes a table piece by piece, so that it need not fit into memory. The format follows from the ending of the file
 * name: `.csv`, `.tsv`, `.json` (an array of objects), `.ndjson` and `.jsonl` (an object a line) or `.parquet`.
 *
 * The file appears under its name when `close` succeeds; until then a file that was there before stays as it is. After
 * a failure, or `abort`, nothing is left behind. Calls must not overlap: await each.
 *
 * @example
 * ```ts
 * import { TableWriter, fromRows } from 'sklar';
 *
 * const writer = await TableWriter.open('losses.csv', ['step', 'loss']);
 * await writer.append(fromRows([[1, 0.9], [2, 0.7]]));
 * await writer.append(fromRows([[3, 0.6]]));
 * await writer.close();
 * ```
 */
export class TableWriter {
  /** Of the columns. */
  readonly names: readonly string[];
  /** Of the columns. */
  readonly types: readonly ColumnType[];
  readonly #file: AtomicFile;
  readonly #writer: RowWriter;
  #state: 'open' | 'busy' | 'ended' = 'open';

  private constructor(
    file: AtomicFile,
    writer: RowWriter,
    names: readonly string[],
    types: readonly ColumnType[],
  ) {
    this.#file = file;
    this.#writer = writer;
    this.names = names;
    this.types = types;
  }

  /**
   * @param names one name a column, all different
   * @throws SklarError ERR_SKLAR_FILE when the file cannot be created or its ending is unknown, ERR_SKLAR_VALUE and
   *   ERR_SKLAR_SHAPE for wrong names or types
   */
  static async open(
    file: string,
    names: readonly string[],
    options: TableWriterOptions = {},
  ): Promise<TableWriter> {
    options = expectOptions(options, 'TableWriter.open', { types: true });
    const format = expectFormat(file);
    expectDistinctNames(names, 'the columns of a table');
    const types = expectList(options.types ?? names.map(() => 'float' as const), 'types');
    if (names.length === 0 || types.length !== names.length) {
      throw new SklarError(
        'ERR_SKLAR_SHAPE',
        `expected at least one name and as many types, got ${names.length} names and ${types.length} types`,
      );
    }
    const unwritable = names.find((name) => Buffer.from(name).toString() !== name);
    if (unwritable !== undefined) {
      throw new SklarError('ERR_SKLAR_VALUE', `expected names in valid Unicode, got ${describe(unwritable)}`);
    }
    const cells = types.map((type, j) => expectType(type, `column ${describe(names[j])}`));
    const atomic = await AtomicFile.open(file);
    return new TableWriter(atomic, FORMATS[format]!(atomic, names, cells), [...names], cells);
  }

  /**
   * Appends the rows of a table (same names in the same order) or of a matrix (as many columns).
   *
   * @throws SklarError ERR_SKLAR_SHAPE when the columns are others, ERR_SKLAR_VALUE for values the format or the kind
   *   of the column cannot hold, ERR_SKLAR_FILE when writing fails, ERR_SKLAR_DISPOSED after `close` or `abort`.
   *   A failure aborts the file.
   */
  async append(data: Table | Matrix): Promise<void> {
    await this.#exclusively(async () => {
      const given = Table.is(data) ? data : expectMatrix(data, 'the rows to append');
      this.#expectColumns(given);
      const value: Values =
        'data' in given
          ? (row, column) => given.data[row * given.columns + column]!
          : (row, column) => given.columns[column]![row]!;
      this.#expectIntegers(given.rows, value);
      await this.#writer.append(given.rows, value, this.#typesOf(given));
      this.#expectOpen();
      this.#state = 'open';
    });
  }

  /** Completes the file and gives it its name. */
  async close(): Promise<void> {
    await this.#exclusively(async () => {
      await this.#writer.end();
      await this.#file.commit();
      this.#state = 'ended';
    });
  }

  /** Gives up: removes what was written. Does nothing after `close` or `abort`. */
  async abort(): Promise<void> {
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    await this.#file.abort();
  }

  /** The same as `abort`: a writer that leaves its scope without `close` leaves no file. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.abort();
  }

  async #exclusively(work: () => Promise<void>): Promise<void> {
    if (this.#state === 'busy') {
      throw new SklarError(
        'ERR_SKLAR_VALUE',
        'expected the last call of the table writer to be awaited, got another',
      );
    }
    this.#expectOpen();
    this.#state = 'busy';
    try {
      await work();
    } catch (error) {
      this.#expectOpen(error); // not aborted meanwhile
      await this.abort();
      throw error;
    }
  }

  #expectOpen(cause?: unknown): void {
    if (this.#state !== 'ended') return;
    throw new SklarError(
      'ERR_SKLAR_DISPOSED',
      'expected an open table writer, got one that was closed or aborted',
      { cause },
    );
  }

  /** Labels are those of the rows: others may have others. */
  #typesOf(data: Table | Matrix): readonly ColumnType[] {
    if ('data' in data || data.types.every((type, j) => type === this.types[j])) return this.types;
    return this.types.map((type, j) => (labelsOf(type) && labelsOf(data.types[j]!) ? data.types[j]! : type));
  }

  #expectColumns(data: Table | Matrix): void {
    const names = data.names;
    const columns = 'data' in data ? data.columns : data.columns.length;
    if (columns !== this.names.length) {
      throw new SklarError('ERR_SKLAR_SHAPE', `expected ${this.names.length} columns, got ${columns}`);
    }
    const other = names?.findIndex((name, j) => name !== this.names[j]) ?? -1;
    if (other >= 0) {
      throw new SklarError(
        'ERR_SKLAR_SHAPE',
        `expected ${describe(this.names[other])} as column ${other + 1}, got ${describe(names![other])}`,
      );
    }
  }

  #expectIntegers(rows: number, value: Values): void {
    this.types.forEach((type, j) => {
      if (kindOf(type) !== 'integer') return;
      for (let i = 0; i < rows; i++) {
        const number = value(i, j);
        if (Number.isSafeInteger(number) || Number.isNaN(number)) continue;
        throw new SklarError(
          'ERR_SKLAR_VALUE',
          `expected integers in column ${describe(this.names[j])}, got ${describe(number)} (row ${i + 1})`,
        );
      }
    });
  }
}

/**
 * Writes a whole table; see `TableWriter` for formats and guarantees. Numbers are written so that they read back as
 * the same doubles.
 *
 * @throws SklarError ERR_SKLAR_FILE when writing fails, ERR_SKLAR_VALUE for values the format cannot hold
 *
 * @example
 * ```ts
 * import { Table, readTable, writeTable } from 'sklar';
 *
 * await writeTable(Table.fromColumns({ a: [1.5, 2], b: [3, 4] }), 'two.parquet');
 * (await readTable('two.parquet')).names; // => ['a', 'b']
 * ```
 */
export async function writeTable(table: Table, file: string): Promise<void> {
  const { names, types } = expectTable(table, 'writeTable');
  const writer = await TableWriter.open(file, names, { types });
  await writer.append(table);
  await writer.close();
}
