import type { DuckDBResult } from '@duckdb/node-api';

import { SklarError, describe } from '../../errors';
import { finishTable } from './column-builder';
import { DuckDBSession } from './duckdb';
import { type SqlSource, readNumbers } from './read-sql';
import type { ReadTableOptions } from './read-options';
import { type ColumnKind, type Table, expectDistinctNames, selectColumns } from '../table';

const INTEGERS = /^(?:U?(?:TINY|SMALL|BIG|HUGE)INT|U?INTEGER|BIGNUM|BOOLEAN|DECIMAL\(\d+,\s*0\))$/;
const FLOATS = /^(?:FLOAT|DOUBLE|DECIMAL\(.*\))$/;
const TEXTS = /^(?:VARCHAR|UUID|ENUM.*)$/;
const TIMES = /^(?:DATE|TIME|INTERVAL)/;

/**
 * The names of the columns as the file has them. DuckDB's own names of columns are made unique without regard to
 * case, so they cannot be used.
 */
async function columnNames(session: DuckDBSession): Promise<string[]> {
  // In hexadecimal, because the texts of @duckdb/node-api lose a byte order mark at their beginning.
  const elements = await session.rows('SELECT hex(name), num_children FROM parquet_schema($1)', [
    session.pattern,
  ]);
  const names: string[] = [];
  // The schema is a tree, listed depth first below its root; `pending` counts the children still to come at each depth.
  const pending: number[] = [];
  for (const [name, children] of elements.slice(1)) {
    if (pending.length === 0) names.push(Buffer.from(name as string, 'hex').toString());
    else pending[pending.length - 1]!--;
    pending.push(Number(children ?? 0));
    while (pending.at(-1) === 0) pending.pop();
  }
  return names;
}

/** Throws ERR_SKLAR_VALUE unless the selected columns hold numbers. */
async function expectNumericTypes(
  session: DuckDBSession,
  source: SqlSource,
  columns: readonly { name: string; position: number; type: string }[],
  file: string,
): Promise<void> {
  const bad = columns.filter(({ type }) => !INTEGERS.test(type) && !FLOATS.test(type));
  const [first] = bad;
  if (first === undefined) return;
  const list = bad.map(({ name }) => describe(name)).join(', ');
  const what = TEXTS.test(first.type) ? 'text' : TIMES.test(first.type) ? 'dates or times' : 'other values';
  const [example] = await session.rows(
    `SELECT r, v FROM (SELECT row_number() OVER () AS r, CAST(#${first.position + 1} AS VARCHAR) AS v ` +
      `FROM ${source.sql}) WHERE v IS NOT NULL LIMIT 1`,
    source.parameters,
  );
  const value = example ? `, first ${describe(example[1])} in row ${String(example[0])}` : '';
  throw new SklarError(
    'ERR_SKLAR_VALUE',
    `expected numbers in every column, got ${what} in column ${describe(first.name)} (type ${first.type}${value}; ` +
      `${describe(file)}); leave such columns out with exclude: [${list}]`,
  );
}

function columnTypes(result: DuckDBResult): string[] {
  return result.columnTypes().map(String);
}

export async function readParquet(file: string, options: ReadTableOptions): Promise<Table> {
  const session = await DuckDBSession.open(file, options.signal);
  try {
    const source = { sql: 'read_parquet($1, hive_partitioning = false)', parameters: [session.pattern] };
    const available = await columnNames(session);
    const types = columnTypes(await session.run(`SELECT * FROM ${source.sql} LIMIT 0`, source.parameters));
    if (types.length !== available.length) {
      throw new SklarError(
        'ERR_SKLAR_FORMAT',
        `expected a Parquet table, got an unknown schema (${describe(file)})`,
      );
    }
    expectDistinctNames(available, `the columns of ${describe(file)}`);
    const positions = selectColumns(available, options, describe(file));
    const columns = positions.map((position) => ({
      position,
      name: available[position]!,
      type: types[position]!,
    }));
    await expectNumericTypes(session, source, columns, file);

    const [[rows] = []] = await session.rows('SELECT num_rows FROM parquet_file_metadata($1)', [
      session.pattern,
    ]);
    const names = columns.map(({ name }) => name);
    const builders = await readNumbers(session, source, positions, names, file, Number(rows));
    const kinds = columns.map(({ type }, j): ColumnKind =>
      INTEGERS.test(type) && builders[j]!.integer ? 'integer' : 'float',
    );
    return finishTable(names, builders, kinds, file);
  } finally {
    session.close();
  }
}
