/** The part that CSV and Parquet have in common: columns by position from files that DuckDB can read, one below the other. */
import type { DuckDBValue } from '@duckdb/node-api';

import { SklarError, describe } from '../../errors';
import { type ReadColumn, columnOfNumbers, columnOfTexts } from '../columns/read-column';
import type { WantedType } from '../columns/infer-type';
import { NumberBuilder } from '../columns/number-builder';
import { THOUSANDS, VANISHED, isRounded } from '../columns/plain-number';
import { TextBuilder } from '../columns/text-builder';
import type { ColumnType } from '../columns/column-type';
import type { DuckDBSession } from './duckdb';

/** A file: a table function call such as `read_parquet($1)` and its parameters. No user text may be part of `sql`. */
export interface SqlSource {
  readonly file: string;
  readonly sql: string;
  readonly parameters: DuckDBValue[];
  /** The decimal mark of columns of texts; absent: columns have types. */
  readonly decimal?: '.' | ',';
  /** The number of rows, where it is known: then less memory is needed. */
  readonly rows?: number;
  /** An error of DuckDB in other words. */
  readonly explain?: (cause: unknown) => Promise<unknown>;
}

/** A column to read. */
export interface SqlColumn {
  readonly name: string;
  /** Where it is in each source, counted from 0. */
  readonly positions: readonly number[];
  /** The SQL that makes a number of it, where it has a type; `text`: none does. Absent: a text that may be a number. */
  readonly cast?: 'text' | ((column: string) => string) | undefined;
  /** What its numbers stand for, where its type says so. */
  readonly type?: ((values: Float64Array) => ColumnType) | undefined;
  readonly wanted?: WantedType | undefined;
}

/** What a cast makes of a column; NULL where that is nothing. */
function castOf({ cast }: SqlColumn, column: string, { decimal }: SqlSource): string {
  if (typeof cast === 'function') return cast(column);
  const point = decimal === ',' ? `contains(${column}, '.') OR ` : '';
  const text = decimal === ',' ? `replace(${column}, ',', '.')` : column;
  const name = `contains(${column}, '_') AND NOT regexp_matches(${column}, '${THOUSANDS.source}')`;
  return `CASE WHEN ${point}${name} THEN NULL ELSE TRY_CAST(${text} AS DOUBLE) END`;
}

/** The value of a column as a number; NULL where it is none or, other than 0, would be 0. */
function numberOf(column: SqlColumn, position: string, source: SqlSource): string {
  const cast = castOf(column, position, source);
  return typeof column.cast === 'function'
    ? cast
    : `CASE WHEN ${cast} = 0 AND regexp_matches(${position}, '${VANISHED.source}') THEN NULL ELSE ${cast} END`;
}

/** Columns that one query takes beside what it makes of them: DuckDB plans wide aggregations slowly. */
const GROUP = 16;

function* groupsOf<T>(items: readonly T[]): Generator<T[]> {
  for (let first = 0; first < items.length; first += GROUP) yield items.slice(first, first + GROUP);
}

const positionOf = (column: SqlColumn, source: number) => `#${column.positions[source]! + 1}`;

/**
 * Reads columns: those of numbers at once, others as texts in a second pass over the files.
 *
 * @throws SklarError ERR_SKLAR_FORMAT when there are other rows than expected, ERR_SKLAR_SHAPE for a column that has numbers alone in
 *   one file and texts alone in another; see `inferType`
 */
export async function readColumns(
  session: DuckDBSession,
  sources: readonly SqlSource[],
  columns: readonly SqlColumn[],
): Promise<ReadColumn[]> {
  const found = new Map<SqlColumn, ReadColumn>();
  const isText = ({ cast, wanted }: SqlColumn) =>
    cast === 'text' ||
    (cast === undefined && wanted !== undefined && !/^(?:number|integer)$/.test(wanted.type));
  const numbers = columns.filter((column) => !isText(column));
  const counted = sources.every(({ rows }) => rows !== undefined);
  const expected = counted ? sources.reduce((sum, { rows }) => sum + rows!, 0) : undefined;
  const builders = numbers.map(() => new NumberBuilder(expected));
  /** Rows of each source, where something has been read. */
  const rows = sources.map((source) => source.rows);
  /** Cells of each source that are numbers, by column. */
  const numeric = sources.map(() => new Map<SqlColumn, number>());
  for (const [s, source] of numbers.length > 0 ? sources.entries() : []) {
    const expressions = numbers.map(
      (column) => `coalesce(${numberOf(column, positionOf(column, s), source)}, 'nan'::DOUBLE)`,
    );
    const before = builders.map((builder) => builder.rows - builder.missing);
    const start = builders[0]!.rows;
    await explained(source, async () => {
      const sql = `SELECT ${expressions.join(', ')} FROM ${source.sql}`;
      const result =
        source.rows === undefined
          ? await session.run(sql, source.parameters)
          : await session.stream(sql, source.parameters);
      for await (const { rows: count, vectors } of session.chunks(result)) {
        builders.forEach((builder, j) => builder.append(vectors[j]!, count));
      }
    });
    builders.forEach((builder, j) => {
      numeric[s]!.set(numbers[j]!, builder.rows - builder.missing - before[j]!);
    });
    rows[s] = expectRows(builders[0]!.rows - start, rows[s], source);
  }
  const texts = columns.filter(isText);
  const doubtful = numbers.filter((_, j) => builders[j]!.missing > 0 || builders[j]!.large);
  /** Of each source. */
  const withTexts: ReadonlyMap<SqlColumn, number>[] = [];
  for (const [s, source] of sources.entries())
    withTexts.push(await explained(source, () => columnsWithTexts(session, source, s, doubtful)));
  for (const [j, column] of numbers.entries()) {
    if (withTexts.some((of) => of.has(column))) texts.push(column);
    else found.set(column, columnOfNumbers(column.name, builders[j]!, column));
  }
  for (const group of groupsOf(texts)) {
    const cells = group.map(() => new TextBuilder());
    for (const [s, source] of sources.entries()) {
      const start = cells[0]!.rows;
      await explained(source, async () => {
        const result = await session.run(
          `SELECT ${group.map((column) => `CAST(${positionOf(column, s)} AS VARCHAR)`).join(', ')} FROM ${source.sql}`,
          source.parameters,
        );
        for await (const { rows: count, vectors } of session.chunks(result)) {
          cells.forEach((builder, j) => {
            for (let i = 0; i < count; i++) builder.push(vectors[j]!.getItem(i) as string | null);
          });
        }
      });
      rows[s] = expectRows(cells[0]!.rows - start, rows[s], source);
    }
    cells.forEach((builder, j) => {
      const column = group[j]!;
      const read = columnOfTexts(column.name, builder, column.wanted);
      if (/^(?:category|id)$/.test(read.type.type) && column.wanted === undefined) {
        expectAlike(column, sources, numeric, withTexts);
      }
      found.set(column, read);
    });
  }
  return columns.map((column) => found.get(column)!);
}

async function explained<T>({ explain }: SqlSource, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw explain ? await explain(cause) : cause;
  }
}

function expectRows(rows: number, expected: number | undefined, { file }: SqlSource): number {
  if (expected === undefined || rows === expected) return rows;
  throw new SklarError(
    'ERR_SKLAR_FORMAT',
    `expected ${expected} rows, got ${rows} before damaged data (${describe(file)})`,
  );
}

/** Refuses a column of texts that has numbers alone in one file and texts alone in another: they are not the same thing. */
function expectAlike(
  column: SqlColumn,
  sources: readonly SqlSource[],
  numeric: readonly ReadonlyMap<SqlColumn, number>[],
  withTexts: readonly ReadonlyMap<SqlColumn, number>[],
): void {
  const holds = sources.map(
    (_, s) => [numeric[s]!.get(column) ?? 0, withTexts[s]!.get(column) ?? 0] as const,
  );
  const a = holds.findIndex(([numbers, texts]) => numbers > 0 && texts === 0);
  const b = holds.findIndex(([numbers, texts]) => numbers === 0 && texts > 0);
  if (a < 0 || b < 0) return;
  throw new SklarError(
    'ERR_SKLAR_SHAPE',
    `expected files with the same columns, but ${describe(column.name)} has numbers in ${describe(sources[a]!.file)} and texts in ` +
      `${describe(sources[b]!.file)}; with types: ${describe(`${column.name}=category`)} both are labels`,
  );
}

/**
 * Of columns that have cells which are no numbers those that have texts there, with their number, or integers that a double does not
 * hold.
 */
async function columnsWithTexts(
  session: DuckDBSession,
  source: SqlSource,
  s: number,
  columns: readonly SqlColumn[],
): Promise<Map<SqlColumn, number>> {
  const found = new Map<SqlColumn, number>();
  for (const group of groupsOf(columns)) {
    const inner = group.map((column, k) => {
      const position = positionOf(column, s);
      return `CAST(${position} AS VARCHAR) AS v${k}, ${numberOf(column, position, source)} AS x${k}`;
    });
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
      if (Number(count) > 0 || list.some((text) => isRounded(String(text)))) found.set(column, Number(count));
    });
  }
  return found;
}
