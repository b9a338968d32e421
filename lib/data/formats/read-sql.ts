/** The part that CSV and Parquet have in common: columns by position from a source that DuckDB can read. */
import type { DuckDBValue } from '@duckdb/node-api';

import { SklarError, describe } from '../../errors';
import { type ReadColumn, columnOfNumbers, columnOfTexts } from '../columns/read-column';
import type { WantedType } from '../columns/infer-type';
import { NumberBuilder } from '../columns/number-builder';
import { THOUSANDS, VANISHED, isRounded } from '../columns/plain-number';
import { TextBuilder } from '../columns/text-builder';
import type { ColumnType } from '../columns/column-type';
import type { DuckDBSession } from './duckdb';

/** A table function call such as `read_parquet($1)` and its parameters. No user text may be part of `sql`. */
export interface SqlSource {
  readonly sql: string;
  readonly parameters: DuckDBValue[];
  /** The decimal mark of columns of texts; absent: columns have types. */
  readonly decimal?: '.' | ',';
}

/** A column to read. */
export interface SqlColumn {
  readonly name: string;
  /** Counted from 0. */
  readonly position: number;
  /** The SQL that makes a number of it, where it has a type; `text`: none does. Absent: a text that may be a number. */
  readonly cast?: 'text' | ((column: string) => string);
  /** What its numbers stand for, where its type says so. */
  readonly type?: ((values: Float64Array) => ColumnType) | undefined;
  readonly wanted?: WantedType | undefined;
}

/** What a cast makes of a column; NULL where that is nothing. */
function castOf({ position, cast }: SqlColumn, { decimal }: SqlSource): string {
  const column = `#${position + 1}`;
  if (typeof cast === 'function') return cast(column);
  const point = decimal === ',' ? `contains(${column}, '.') OR ` : '';
  const text = decimal === ',' ? `replace(${column}, ',', '.')` : column;
  const name = `contains(${column}, '_') AND NOT regexp_matches(${column}, '${THOUSANDS.source}')`;
  return `CASE WHEN ${point}${name} THEN NULL ELSE TRY_CAST(${text} AS DOUBLE) END`;
}

/** The value of a column as a number; NULL where it is none or, other than 0, would be 0. */
function numberOf(column: SqlColumn, source: SqlSource): string {
  const cast = castOf(column, source);
  return typeof column.cast === 'function'
    ? cast
    : `CASE WHEN ${cast} = 0 AND regexp_matches(#${column.position + 1}, '${VANISHED.source}') THEN NULL ELSE ${cast} END`;
}

/** Columns that one query takes beside what it makes of them: DuckDB plans wide aggregations slowly. */
const GROUP = 16;

function* groupsOf<T>(items: readonly T[]): Generator<T[]> {
  for (let first = 0; first < items.length; first += GROUP) yield items.slice(first, first + GROUP);
}

/**
 * Reads columns: those of numbers at once, others as texts in a second pass over the file.
 *
 * @param expectedRows the number of rows, where it is known: then less memory is needed
 * @throws SklarError ERR_SKLAR_FORMAT when there are other rows than expected; see `inferType`
 */
export async function readColumns(
  session: DuckDBSession,
  source: SqlSource,
  columns: readonly SqlColumn[],
  file: string,
  expectedRows?: number,
): Promise<ReadColumn[]> {
  const found = new Map<SqlColumn, ReadColumn>();
  const isText = ({ cast, wanted }: SqlColumn) =>
    cast === 'text' ||
    (cast === undefined && wanted !== undefined && !/^(?:number|integer)$/.test(wanted.type));
  const numbers = columns.filter((column) => !isText(column));
  const builders = numbers.map(() => new NumberBuilder(expectedRows));
  let rows = expectedRows;
  if (numbers.length > 0) {
    const expressions = numbers.map((column) => `coalesce(${numberOf(column, source)}, 'nan'::DOUBLE)`);
    const sql = `SELECT ${expressions.join(', ')} FROM ${source.sql}`;
    const result =
      expectedRows === undefined
        ? await session.run(sql, source.parameters)
        : await session.stream(sql, source.parameters);
    for await (const { rows: count, vectors } of session.chunks(result)) {
      builders.forEach((builder, j) => builder.append(vectors[j]!, count));
    }
    rows = builders[0]!.rows;
    expectRows(rows, expectedRows, file);
  }
  const texts = columns.filter(isText);
  const doubtful = numbers.filter((_, j) => builders[j]!.missing > 0 || builders[j]!.large);
  const withTexts = await columnsWithTexts(session, source, doubtful);
  for (const [j, column] of numbers.entries()) {
    if (withTexts.has(column)) texts.push(column);
    else found.set(column, columnOfNumbers(column.name, builders[j]!, column));
  }
  for (const group of groupsOf(texts)) {
    const cells = group.map(() => new TextBuilder());
    const result = await session.run(
      `SELECT ${group.map(({ position }) => `CAST(#${position + 1} AS VARCHAR)`).join(', ')} FROM ${source.sql}`,
      source.parameters,
    );
    for await (const { rows: count, vectors } of session.chunks(result)) {
      cells.forEach((builder, j) => {
        for (let i = 0; i < count; i++) builder.push(vectors[j]!.getItem(i) as string | null);
      });
    }
    cells.forEach((builder, j) => {
      rows ??= builder.rows;
      expectRows(builder.rows, rows, file);
      const column = group[j]!;
      found.set(column, columnOfTexts(column.name, builder, column.wanted));
    });
  }
  return columns.map((column) => found.get(column)!);
}

function expectRows(rows: number, expected: number | undefined, file: string): void {
  if (expected === undefined || rows === expected) return;
  throw new SklarError(
    'ERR_SKLAR_FORMAT',
    `expected ${expected} rows, got ${rows} before damaged data (${describe(file)})`,
  );
}

/** Of columns that have cells which are no numbers those that have texts there, or integers that a double does not hold. */
async function columnsWithTexts(
  session: DuckDBSession,
  source: SqlSource,
  columns: readonly SqlColumn[],
): Promise<Set<SqlColumn>> {
  const found = new Set<SqlColumn>();
  for (const group of groupsOf(columns)) {
    const inner = group.map(
      (column, k) =>
        `CAST(#${column.position + 1} AS VARCHAR) AS v${k}, ${numberOf(column, source)} AS x${k}`,
    );
    const outer = group.flatMap((_, k) => [
      `count(*) FILTER (trim(v${k}) <> '' AND x${k} IS NULL)`,
      `list(DISTINCT v${k}) FILTER (abs(x${k}) >= 9007199254740992 AND abs(x${k}) < 1e300)[:1000]`,
    ]);
    const [row = []] = await session.rows(
      `SELECT ${outer.join(', ')} FROM (SELECT ${inner.join(', ')} FROM ${source.sql})`,
      source.parameters,
    );
    group.forEach((column, k) => {
      const [count, large] = row.slice(2 * k, 2 * k + 2);
      const list = (large as { items?: readonly unknown[] } | null)?.items ?? [];
      if (Number(count) > 0 || list.some((text) => isRounded(String(text)))) found.add(column);
    });
  }
  return found;
}
