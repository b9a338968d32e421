/**
 * DuckDB as a reader of files. A session is an in-memory database that may read these files and nothing else:
 * no network, no extensions to download, no other path. SQL texts hold no names of files or columns: files are
 * parameters, columns are taken by position (`#1`, `#2`, ...).
 */
import { availableParallelism } from 'node:os';
import path from 'node:path';

import type {
  DuckDBConnection,
  DuckDBInstance,
  DuckDBResult,
  DuckDBValue,
  DuckDBVector,
} from '@duckdb/node-api';

import { SklarError, describe } from '../../errors';
import { native } from '../../native';

/** Each thread has buffers of its own, and more of them do not read faster than rows are taken. */
const MOST_THREADS = 4;

/** Columns from which on their number counts more than that of the rows. */
const WIDE = 100;

type DuckDBModule = typeof import('@duckdb/node-api');

function loadDuckDB(file: string): DuckDBModule {
  try {
    // `import` would parse all of it for the names of its exports, which takes longer than to run it
    // eslint-disable-next-line @typescript-eslint/no-require-imports
    return require('@duckdb/node-api') as DuckDBModule;
  } catch (cause) {
    throw new SklarError(
      'ERR_SKLAR_FILE',
      `cannot read ${describe(file)}: CSV and Parquet files are read with the optional package @duckdb/node-api, ` +
        'which is not installed or does not load here; run `npm install @duckdb/node-api`',
      { cause },
    );
  }
}

/**
 * The path as DuckDB's file functions must be given it. They take paths for glob patterns, so each special
 * character is put in a character class. They also split a pattern at every backslash, even where a backslash
 * is a part of a name; such a name is matched by `?`, and the list of allowed paths keeps it from matching another.
 */
function literalPattern(file: string): string {
  if (!/[*?[]/.test(file)) return file;
  const pattern = file.replace(/[*?[]/g, '[$&]');
  return path.sep === '/' ? pattern.replaceAll('\\', '?') : pattern;
}

/** A read-only DuckDB session for some files; call `close` when done. */
export class DuckDBSession {
  /** What to give the file functions of DuckDB as the path, one a file. */
  readonly patterns: readonly string[];
  readonly #instance: DuckDBInstance;
  readonly #connection: DuckDBConnection;
  readonly #signal: AbortSignal | undefined;
  readonly #interrupt = (): void => this.#connection.interrupt();
  #running = 0;
  #closed = false;

  private constructor(
    instance: DuckDBInstance,
    connection: DuckDBConnection,
    patterns: readonly string[],
    signal: AbortSignal | undefined,
  ) {
    this.#instance = instance;
    this.#connection = connection;
    this.patterns = patterns;
    this.#signal = signal;
    signal?.addEventListener('abort', this.#interrupt, { once: true });
  }

  /**
   * @param signal interrupts a running query when it aborts; queries then reject with the signal's reason
   * @param columns how many a query may take
   */
  static async open(files: readonly string[], signal?: AbortSignal, columns = 0): Promise<DuckDBSession> {
    const { DuckDBInstance, listValue } = loadDuckDB(files[0]!);
    // has the memory of DuckDB's buffers given back to the system, too
    native();
    const absolute = files.map((file) => path.resolve(file));
    const patterns = absolute.map(literalPattern);
    const instance = await DuckDBInstance.create(':memory:', {
      autoinstall_known_extensions: 'false',
      autoload_known_extensions: 'false',
      threads: String(Math.min(MOST_THREADS, availableParallelism())),
    });
    const connection = await instance.connect();
    await connection.run('SET allowed_paths = $1', [listValue([...absolute, ...patterns])]);
    // looking for what expressions have in common costs the square of their number, and gains a fifth for long files
    if (columns > WIDE) await connection.run("SET disabled_optimizers = 'common_subexpressions'");
    await connection.run('SET enable_external_access = false');
    await connection.run('SET lock_configuration = true');
    return new DuckDBSession(instance, connection, patterns, signal);
  }

  /** Runs a query to its end; the result is held in memory. */
  async run(sql: string, parameters: DuckDBValue[]): Promise<DuckDBResult> {
    return this.#abortable(() => this.#connection.run(sql, parameters));
  }

  /**
   * Runs a query while its chunks are fetched, so that the result need not fit into memory. An error after the first
   * rows only ends such a result early, without being reported: the caller must know how many rows to expect.
   */
  async stream(sql: string, parameters: DuckDBValue[]): Promise<DuckDBResult> {
    return this.#abortable(() => this.#connection.stream(sql, parameters));
  }

  /** All rows of a small result. */
  async rows(sql: string, parameters: DuckDBValue[]): Promise<DuckDBValue[][]> {
    return (await this.run(sql, parameters)).getRows();
  }

  /** The chunks of a result: at most a few thousand rows each, as one vector a column. */
  async *chunks(result: DuckDBResult): AsyncGenerator<{ rows: number; vectors: DuckDBVector[] }> {
    for (;;) {
      const chunk = await this.#abortable(() => result.fetchChunk());
      this.#signal?.throwIfAborted();
      if (chunk === null || chunk.rowCount === 0) return;
      const vectors = Array.from({ length: chunk.columnCount }, (_, j) => chunk.getColumnVector(j));
      yield { rows: chunk.rowCount, vectors };
    }
  }

  /** Ends what runs; DuckDB's own close would take its memory away under it. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#signal?.removeEventListener('abort', this.#interrupt);
    if (this.#running > 0) this.#interrupt();
    else this.#release();
  }

  #release(): void {
    this.#connection.closeSync();
    this.#instance.closeSync();
  }

  async #abortable<T>(work: () => Promise<T>): Promise<T> {
    this.#signal?.throwIfAborted();
    if (this.#closed) throw new Error('the session was closed');
    this.#running++;
    try {
      return await work();
    } catch (error) {
      this.#signal?.throwIfAborted();
      throw error;
    } finally {
      if (--this.#running === 0 && this.#closed) this.#release();
    }
  }
}
