import { stat } from 'node:fs/promises';

import { type OptionNames, SklarError, expectInteger, expectOptions } from '../../errors';
import type { ReadColumn } from '../columns/read-column';
import type { ColumnType } from '../columns/column-type';
import { Table } from '../table';
import { fileError } from './files';
import type { OpenColumns } from './open-columns';
import { type ReadTableOptions, openTable, readOptions } from './read-table';
import { filesWords, tableFiles } from './table-files';

/** Rows of a batch by default. */
const BATCH_ROWS = 65_536;

const batchOptions: OptionNames<BatchesOptions> = { rows: true };

/** How the rows of a table come. */
export interface BatchesOptions {
  /** Rows of a table, but for the last one; default 65,536. */
  readonly rows?: number | undefined;
}

/**
 * Reads a table of any length in batches of rows, so that memory does not bound it. The files are read once to find out what their
 * columns are, all of them, as `readTable` does, and again for each turn through the rows: a batch has the types of the whole
 * table, and the numbers that `readTable` gives for the same rows. In memory are one batch, and the different texts of columns
 * that are no numbers.
 *
 * A reader that is not closed keeps the files open, and the copies in UTF-8 of texts in other encodings; leaving the scope of `using`
 * closes it.
 *
 * @example
 * ```ts
 * import { writeFile } from 'node:fs/promises';
 * import { TableReader } from 'sklar';
 *
 * await writeFile('rain.csv', 'day,rain\n1,0.2\n2,0\n3,14.5\n');
 * using reader = await TableReader.open('rain.csv', { exclude: ['day'] });
 * reader.rows; // => 3
 * let sum = 0;
 * for await (const table of reader.batches({ rows: 2 })) {
 *   for (const value of table.column('rain')) sum += value;
 * }
 * sum; // => 14.7
 * ```
 */
export class TableReader implements Disposable {
  /** The files, in the order of the rows. */
  readonly files: readonly string[];
  /** Of the columns, in order. */
  readonly names: readonly string[];
  /** What the cells of each column are. */
  readonly types: readonly ColumnType[];
  /** How many there are. */
  readonly rows: number;
  readonly #open: OpenColumns;
  readonly #state: string;
  readonly #signal: AbortSignal | undefined;
  readonly #release: () => void;
  #closed = false;
  #busy = false;

  private constructor(
    files: readonly string[],
    open: OpenColumns,
    state: string,
    signal: AbortSignal | undefined,
    release: () => void,
  ) {
    this.files = files;
    this.names = open.columns.map(({ name }) => name);
    this.types = open.columns.map(({ type }) => type);
    this.rows = open.rows;
    this.#open = open;
    this.#state = state;
    this.#signal = signal;
    this.#release = release;
  }

  /**
   * Finds out what the columns of a table are.
   *
   * @param source files, folders and patterns, see `readTable`
   * @throws SklarError as `readTable`
   */
  static async open(
    source: string | readonly string[],
    options: ReadTableOptions = {},
  ): Promise<TableReader> {
    expectOptions(options, 'TableReader.open', readOptions);
    const files = await tableFiles(source);
    const state = await stateOf(files);
    return new Promise((resolve, reject) => {
      openTable(files, options, {
        keep: false,
        // the files stay open until the reader is closed
        use: (open) =>
          new Promise<void>((release) => {
            resolve(new TableReader(files, open, state, options.signal, release));
          }),
      }).catch(reject);
    });
  }

  /**
   * The rows, from the first to the last.
   *
   * @throws SklarError ERR_SKLAR_FILE when a file has changed since it was opened, ERR_SKLAR_VALUE for a turn before the last
   *   one has ended, ERR_SKLAR_DISPOSED after `close`; as `readTable`
   */
  async *batches(options: BatchesOptions = {}): AsyncGenerator<Table, void> {
    expectOptions(options, 'TableReader.batches', batchOptions);
    const most = expectInteger(options.rows ?? BATCH_ROWS, 'the rows of a batch', { min: 1, max: 2 ** 24 });
    this.#expectOpen();
    if (this.#busy) {
      throw new SklarError(
        'ERR_SKLAR_VALUE',
        'expected one turn through the rows of a reader at a time, got another',
      );
    }
    this.#busy = true;
    try {
      yield* this.#batches(most);
    } catch (error) {
      this.#expectOpen(error);
      throw error;
    } finally {
      this.#busy = false;
    }
  }

  /** Lets go of the files. */
  close(): void {
    this.#closed = true;
    this.#release();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async *#batches(most: number): AsyncGenerator<Table, void> {
    const { columns } = this.#open;
    await this.#expectSame();
    let left = this.rows;
    let batch = this.#empty(Math.min(most, left));
    let filled = 0;
    for await (const { rows, vectors } of this.#open.cells()) {
      for (let from = 0; from < rows;) {
        const count = Math.min(rows - from, most - filled, left);
        if (count === 0) throw this.#changed();
        columns.forEach((column, j) => {
          this.#fill(column, batch[j]!.subarray(filled, filled + count), vectors[j]!, from);
        });
        from += count;
        filled += count;
        left -= count;
        if (filled < most && left > 0) continue;
        if (left === 0) await this.#expectSame();
        this.#signal?.throwIfAborted();
        yield new Table(this.names, batch, this.types);
        this.#expectOpen();
        batch = this.#empty(Math.min(most, left));
        filled = 0;
      }
    }
    if (left > 0) throw this.#changed();
  }

  #empty(rows: number): Float64Array[] {
    return this.names.map(() => new Float64Array(rows));
  }

  #fill(
    { cells }: ReadColumn,
    into: Float64Array,
    vector: { getItem(index: number): unknown },
    from: number,
  ): void {
    const numberOf = cells.numberOf as (cell: unknown) => number | undefined;
    for (let i = 0; i < into.length; i++) {
      const cell = vector.getItem(from + i);
      const number = cell === null ? NaN : numberOf(cell);
      if (number === undefined) throw this.#changed();
      into[i] = number;
    }
  }

  #expectOpen(cause?: unknown): void {
    if (!this.#closed) return;
    throw new SklarError('ERR_SKLAR_DISPOSED', 'expected an open table reader, got one that was closed', {
      cause,
    });
  }

  async #expectSame(): Promise<void> {
    if ((await stateOf(this.files)) !== this.#state) throw this.#changed();
  }

  #changed(): SklarError {
    return new SklarError(
      'ERR_SKLAR_FILE',
      `cannot read ${filesWords(this.files)}: ${this.files.length > 1 ? 'they have changed while they were' : 'it has changed while it was'} read`,
    );
  }
}

/** What differs when one of the files has been written to. */
async function stateOf(files: readonly string[]): Promise<string> {
  const states: string[] = [];
  for (const file of files) {
    try {
      const { size, mtimeMs, ino } = await stat(file);
      states.push([size, mtimeMs, ino].join());
    } catch (cause) {
      throw fileError(cause, 'read', file);
    }
  }
  return states.join(';');
}
