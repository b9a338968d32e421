import type { DuckDBResult } from '@duckdb/node-api';

import { SklarError, describe } from '../../errors';
import { numberOfDecimals } from '../columns/column-type';
import { expectDistinctNames, selectColumns } from '../table';
import { DuckDBSession } from './duckdb';
import { type Use, expectRows } from './open-columns';
import { tell } from '../../tell';
import { type SqlColumn, readColumns } from './read-sql';
import { type ReadTableOptions, wantedTypes } from './read-options';
import { agreeingColumns, filesWords, readError } from './table-files';

/** The columns of a type of DuckDB: what makes numbers of them, and what these stand for; `like`: types that go together. */
function typeFor(type: string): Pick<SqlColumn, 'cast' | 'exact' | 'type'> & { like: string } {
  const number = (column: string) => `TRY_CAST(${column} AS DOUBLE)`;
  if (type === 'BOOLEAN') return { like: type, cast: number, exact: true, type: () => ({ type: 'boolean' }) };
  if (/^(?:U?(?:TINY|SMALL)INT|U?INTEGER)$/.test(type)) return { like: 'number', cast: number, exact: true };
  if (/^(?:U?(?:BIG|HUGE)INT|BIGNUM|DECIMAL\(\d+,\s*0\))$/.test(type))
    return { like: 'number', cast: number };
  if (/^(?:FLOAT|DOUBLE|DECIMAL\(.*\))$/.test(type)) {
    const exact = /^(?:FLOAT|DOUBLE)$/.test(type);
    return { like: 'number', cast: number, exact, type: numberOfDecimals };
  }
  if (type === 'DATE') {
    return {
      like: type,
      cast: (column) => `CASE WHEN isfinite(${column}) THEN epoch(${column}) / 86400 END`,
      type: () => ({ type: 'date', format: 'YYYY-MM-DD' }),
    };
  }
  // writers such as pyarrow mark any time of a day as one of UTC
  if (/^TIME(?:_NS| WITH TIME ZONE)?$/.test(type)) {
    return {
      like: 'TIME',
      cast: (column) => `epoch(${column})`,
      type: (decimals) => ({ type: 'time', format: `HH:mm:ss${fractionOf(decimals)}` }),
    };
  }
  if (/^TIMESTAMP/.test(type)) {
    const zone = type === 'TIMESTAMP WITH TIME ZONE' ? '[Z]' : '';
    return {
      like: `TIMESTAMP${zone}`,
      cast: (column) =>
        `CASE WHEN isfinite(${column}) THEN epoch_us(${zone === '' ? `CAST(${column} AS TIMESTAMP)` : column}) / 1e6 END`,
      type: (decimals) => ({
        type: 'timestamp',
        format: `YYYY-MM-DD HH:mm:ss${fractionOf(decimals)}${zone}`,
      }),
    };
  }
  return { like: 'text', cast: 'text' };
}

/** A type in a note: of nested ones the outermost. */
function onlyHead(type: string): string {
  if (/\[\d*\]$/.test(type)) return 'lists';
  return (
    { STRUCT: 'structures', MAP: 'maps', UNION: 'unions', INTERVAL: 'intervals', BLOB: 'bytes' }[
      /^\w+/.exec(type)![0]
    ] ?? `values of type ${type}`
  );
}

function fractionOf(decimals = 6): string {
  return decimals === 0 ? '' : `.${'S'.repeat(decimals <= 3 ? 3 : 6)}`;
}

/**
 * The names of the columns as the file has them. DuckDB's own names of columns are made unique without regard to
 * case, so they cannot be used.
 */
async function columnNames(session: DuckDBSession, pattern: string): Promise<string[]> {
  // In hexadecimal, because the texts of @duckdb/node-api lose a byte order mark at their beginning.
  const elements = await session.rows('SELECT hex(name), num_children FROM parquet_schema($1)', [pattern]);
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

/** The columns of a file and their types. */
async function layoutOf(session: DuckDBSession, file: string, pattern: string) {
  const source = { sql: 'read_parquet($1, hive_partitioning = false)', parameters: [pattern] };
  const names = await columnNames(session, pattern);
  const types = columnTypes(await session.run(`SELECT * FROM ${source.sql} LIMIT 0`, source.parameters));
  if (types.length !== names.length) {
    throw new SklarError(
      'ERR_SKLAR_FORMAT',
      `expected a Parquet table, got an unknown schema (${describe(file)})`,
    );
  }
  expectDistinctNames(names, `the columns of ${describe(file)}`);
  const [[rows] = []] = await session.rows('SELECT num_rows FROM parquet_file_metadata($1)', [pattern]);
  return { file, names, types, source: { ...source, file, rows: Number(rows) } };
}

export async function readParquet<T>(
  files: readonly string[],
  options: ReadTableOptions,
  { keep, use }: Use<T>,
): Promise<T> {
  const session = await DuckDBSession.open(files, options.signal);
  try {
    const layouts: Awaited<ReturnType<typeof layoutOf>>[] = [];
    for (const [s, file] of files.entries()) {
      layouts.push(
        await layoutOf(session, file, session.patterns[s]!).catch((cause: unknown) => {
          throw options.signal?.aborted ? cause : readError(cause, [file]);
        }),
      );
    }
    const available = layouts[0]!.names;
    const wanted = wantedTypes(options, available, files);
    const chosen = selectColumns(available, options, filesWords(files)).map((j) => available[j]!);
    const names = layouts.map((layout) => layout.names);
    const columns = agreeingColumns(files, names, chosen, options).map(({ name, positions }): SqlColumn => {
      const types = positions.map((position, s) => layouts[s]!.types[position]!);
      const [own, ...others] = types.map(typeFor);
      const other = wanted.get(name);
      const unlike = other ? -1 : others.findIndex(({ like }) => like !== own!.like);
      if (unlike >= 0) {
        throw new SklarError(
          'ERR_SKLAR_SHAPE',
          `expected files with the same columns, but ${describe(name)} is ${types[0]} in ${describe(files[0])} and ` +
            `${types[unlike + 1]} in ${describe(files[unlike + 1])}`,
        );
      }
      // what is asked for is made of texts, but numbers of numbers
      const numeric = [own!, ...others].every(({ like }) => like === 'number');
      const type = [own!, ...others].find((of) => of.type)?.type;
      const exact = [own!, ...others].every((of) => of.exact);
      return {
        name,
        positions,
        ...(other && !numeric ? { cast: 'text' } : { cast: own!.cast, exact, type }),
        wanted: other,
      };
    });
    const sources = layouts.map(({ source, file }) => ({
      ...source,
      explain: (cause: unknown) =>
        Promise.resolve(options.signal?.aborted ? cause : readError(cause, [file])),
    }));
    for (const { name, positions, wanted: asked } of columns) {
      const type = layouts[0]!.types[positions[0]!]!;
      if (asked || typeFor(type).like !== 'text' || /^(?:VARCHAR|ENUM\(.*\)|UUID|JSON)$/s.test(type))
        continue;
      const message = `column ${describe(name)} holds ${onlyHead(type)}, which were taken for texts`;
      tell(options.onNote, { code: 'file', columns: [name], message });
    }
    const read = await readColumns(session, sources, columns, keep);
    expectRows(read, files, options.onNote);
    return await use(read);
  } finally {
    session.close();
  }
}
