import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { SklarError, type SklarErrorCode } from '../../lib/errors';

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
