import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { type ReadTableOptions, readTable } from '../../lib/data/formats/read-table';
import { TableReader } from '../../lib/data/formats/table-reader';
import { Table } from '../../lib/data/table';
import { SklarError, type SklarErrorCode } from '../../lib/errors';
import type { Note } from '../../lib/notes';

/** A folder for the files of a test file, removed after its tests. */
export class TemporaryFolder {
  readonly path = mkdtempSync(path.join(tmpdir(), 'sklar-test-'));

  constructor() {
    afterAll(() => rmSync(this.path, { recursive: true, force: true }));
  }

  /** The path of a file, which is written when there is content. */
  file(name: string, content?: string | Uint8Array): string {
    const file = path.join(this.path, name);
    if (content !== undefined) writeFileSync(file, content);
    return file;
  }

  list(): string[] {
    return readdirSync(this.path).sort();
  }
}

/** Reads a table at once, and sees that it is the same in batches: notes, types and numbers, or the same failure. */
export async function readBoth(
  source: string | readonly string[],
  options: ReadTableOptions = {},
): Promise<Table> {
  const outcome = async (work: (options: ReadTableOptions) => Promise<Table>) => {
    const notes: Note[] = [];
    try {
      return { table: await work({ ...options, onNote: (note) => notes.push(note) }), notes };
    } catch (error) {
      return { error, notes };
    }
  };
  const inBatches = await outcome(async ({ onNote, ...own }) => {
    using reader = await TableReader.open(source, { ...own, onNote });
    const columns = reader.names.map(() => new Float64Array(reader.rows));
    let done = 0;
    for await (const batch of reader.batches({ rows: reader.rows > 3000 ? 997 : 3 })) {
      expect(batch.types).toEqual(reader.types);
      batch.columns.forEach((values, j) => columns[j]!.set(values, done));
      done += batch.rows;
    }
    expect(done).toBe(reader.rows);
    return new Table(reader.names, columns, reader.types);
  });
  const atOnce = await outcome((own) => readTable(source, own));
  expect(inBatches.notes).toEqual(atOnce.notes);
  for (const note of atOnce.notes) options.onNote?.(note);
  if (!atOnce.table) {
    expect(inBatches.error).toEqual(atOnce.error);
    throw atOnce.error as Error;
  }
  if (inBatches.error) throw inBatches.error as Error;
  expect(inBatches.table).toEqual(atOnce.table);
  return atOnce.table;
}

/** Runs SQL of the test (not of a user) that writes a Parquet file, and gives its path. */
export async function writeParquet(file: string, sql: string): Promise<string> {
  const { DuckDBInstance } = await import('@duckdb/node-api');
  const connection = await (await DuckDBInstance.create()).connect();
  await connection.run(`COPY (${sql}) TO '${file}' (FORMAT parquet)`);
  connection.closeSync();
  return file;
}

/** The SklarError that the work throws or rejects with; fails when there is none or it is another error. */
export async function sklarError(work: () => unknown, code: SklarErrorCode): Promise<SklarError> {
  let thrown: unknown;
  try {
    await work();
  } catch (error) {
    thrown = error;
  }
  if (!(thrown instanceof SklarError)) {
    throw new Error(`expected a SklarError, got ${String(thrown)}`, { cause: thrown });
  }
  expect({ code: thrown.code, message: thrown.message }).toMatchObject({ code });
  return thrown;
}

/** Names that break code which puts them into SQL, paths, JSON or objects. */
export const HOSTILE_NAMES: readonly string[] = [
  '',
  '"; DROP TABLE x; --',
  "it's",
  'two\nlines',
  'carriage\rreturn',
  'tab\tbed',
  'comma,and;more|',
  '__proto__',
  'constructor',
  'toString',
  'a',
  'A',
  'a.b',
  '{"x": 1}',
  ' leading',
  'trailing ',
  'NA',
  'nan',
  '-1.5e3',
  'größe \u{1f600}',
  '\ufeffmark',
  '$1',
  '#1',
  '*',
];
