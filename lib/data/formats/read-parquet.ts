import type { DuckDBResult } from '@duckdb/node-api';

import { SklarError, describe } from '../../errors';
import { decimalsOf, numberType } from '../columns/column-type';
import { expectDistinctNames, selectColumns, type Table } from '../table';
import { DuckDBSession } from './duckdb';
import { finishTable } from './finish-table';
import { type SqlColumn, readColumns } from './read-sql';
import { type ReadTableOptions, wantedTypes } from './read-options';

/** The columns of a type of DuckDB: what makes numbers of them, and what these stand for. */
function typeFor(type: string): Pick<SqlColumn, 'cast' | 'type'> {
  const number = (column: string) => `TRY_CAST(${column} AS DOUBLE)`;
  if (type === 'BOOLEAN') return { cast: number, type: () => ({ type: 'boolean' }) };
  if (/^(?:U?(?:TINY|SMALL|BIG|HUGE)INT|U?INTEGER|BIGNUM|DECIMAL\(\d+,\s*0\))$/.test(type))
    return { cast: number };
  if (/^(?:FLOAT|DOUBLE|DECIMAL\(.*\))$/.test(type)) {
    return {
      cast: number,
      type: numberType,
    };
  }
  if (type === 'DATE') {
    return {
      cast: (column) => `CASE WHEN isfinite(${column}) THEN epoch(${column}) / 86400 END`,
      type: () => ({ type: 'date', format: 'YYYY-MM-DD' }),
    };
  }
  if (/^TIME(?:_NS)?$/.test(type)) {
    return {
      cast: (column) => `epoch(${column})`,
      type: (values) => ({ type: 'time', format: `HH:mm:ss${fractionOf(values)}` }),
    };
  }
  if (/^TIMESTAMP/.test(type)) {
    const zone = type === 'TIMESTAMP WITH TIME ZONE' ? '[Z]' : '';
    return {
      cast: (column) =>
        `CASE WHEN isfinite(${column}) THEN epoch_us(${zone === '' ? `CAST(${column} AS TIMESTAMP)` : column}) / 1e6 END`,
      type: (values) => ({ type: 'timestamp', format: `YYYY-MM-DD HH:mm:ss${fractionOf(values)}${zone}` }),
    };
  }
  return { cast: 'text' };
}

function fractionOf(seconds: Float64Array): string {
  const decimals = decimalsOf(seconds) ?? 6;
  return decimals === 0 ? '' : `.${'S'.repeat(decimals <= 3 ? 3 : 6)}`;
}

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
    const wanted = wantedTypes(options.types, available, file);
    const columns = selectColumns(available, options, describe(file)).map((position): SqlColumn => {
      const name = available[position]!;
      const own = typeFor(types[position]!);
      const other = wanted.get(name);
      // what is asked for is made of texts, but numbers of numbers
      const numeric = own.cast !== 'text' && !/^(?:DATE|TIME|BOOLEAN)/.test(types[position]!);
      return { name, position, ...(other && !numeric ? { cast: 'text' } : own), wanted: other };
    });
    const [[rows] = []] = await session.rows('SELECT num_rows FROM parquet_file_metadata($1)', [
      session.pattern,
    ]);
    return finishTable(await readColumns(session, source, columns, file, Number(rows)), file, options.onNote);
  } finally {
    session.close();
  }
}
