/** The part that CSV and Parquet have in common: numbers by position from a source that DuckDB can read. */
import type { DuckDBValue } from '@duckdb/node-api';

import { SklarError, describe } from '../../errors';
import {
  ColumnBuilder,
  type ColumnProblems,
  type Problem,
  VANISHED,
  isRounded,
  problemsError,
} from './column-builder';
import { THOUSANDS } from './csv';
import type { DuckDBSession } from './duckdb';

/** A table function call such as `read_parquet($1)` and its parameters. No user text may be part of `sql`. */
export interface SqlSource {
  readonly sql: string;
  readonly parameters: DuckDBValue[];
  /** The decimal mark of columns of texts; absent: columns are of numbers. */
  readonly decimal?: '.' | ',';
}

/** What a cast makes of a column; NULL where that is nothing. */
function castOf(position: number, { decimal }: SqlSource): string {
  const column = `#${position + 1}`;
  if (decimal === undefined) return `TRY_CAST(${column} AS DOUBLE)`;
  const point = decimal === ',' ? `contains(${column}, '.') OR ` : '';
  const text = decimal === ',' ? `replace(${column}, ',', '.')` : column;
  const name = `contains(${column}, '_') AND NOT regexp_matches(${column}, '${THOUSANDS.source}')`;
  return `CASE WHEN ${point}${name} THEN NULL ELSE TRY_CAST(${text} AS DOUBLE) END`;
}

/** The value of a column as a number; NULL where it is none or, other than 0, would be 0. */
function numberOf(position: number, source: SqlSource): string {
  const cast = castOf(position, source);
  return source.decimal === undefined
    ? cast
    : `CASE WHEN ${cast} = 0 AND regexp_matches(#${position + 1}, '${VANISHED.source}') THEN NULL ELSE ${cast} END`;
}

/**
 * Reads columns as numbers.
 *
 * @param positions which columns of the source, counted from 0
 * @param expectedRows the number of rows, where it is known: then less memory is needed
 * @throws SklarError ERR_SKLAR_FORMAT when there are other rows than expected, ERR_SKLAR_VALUE when a value is missing,
 *   not a number or not finite
 */
export async function readNumbers(
  session: DuckDBSession,
  source: SqlSource,
  positions: readonly number[],
  names: readonly string[],
  file: string,
  expectedRows?: number,
): Promise<ColumnBuilder[]> {
  const builders = positions.map(() => new ColumnBuilder(expectedRows));
  const expressions = positions.map((j) => `coalesce(${numberOf(j, source)}, 'nan'::DOUBLE)`);
  const sql = `SELECT ${expressions.join(', ')} FROM ${source.sql}`;
  const result =
    expectedRows === undefined
      ? await session.run(sql, source.parameters)
      : await session.stream(sql, source.parameters);
  for await (const { rows, vectors } of session.chunks(result)) {
    builders.forEach((builder, j) => builder.append(vectors[j]!, rows));
  }
  const rows = builders[0]!.rows;
  if (expectedRows !== undefined && rows !== expectedRows) {
    throw new SklarError(
      'ERR_SKLAR_FORMAT',
      `expected ${expectedRows} rows, got ${rows} before damaged data (${describe(file)})`,
    );
  }
  const bad = builders.flatMap((builder, j) => (builder.finite ? [] : [j]));
  if (bad.length > 0) {
    const where = bad.map((j) => ({ name: names[j]!, position: positions[j]! }));
    throw problemsError(await findProblems(session, source, where), file);
  }
  const rounded: ColumnProblems[] = [];
  for (const [j, builder] of builders.entries()) {
    if (!builder.large) continue;
    const problem = await findRounded(session, source, positions[j]!);
    if (problem) rounded.push({ name: names[j]!, problems: [problem] });
  }
  if (rounded.length > 0) throw problemsError(rounded, file);
  return builders;
}

/** The integers of a column that a double does not hold, found in a second pass over the file. */
async function findRounded(
  session: DuckDBSession,
  source: SqlSource,
  position: number,
): Promise<Problem | null> {
  const column = `#${position + 1}`;
  const result = await session.run(
    `SELECT r, v FROM (SELECT row_number() OVER () AS r, CAST(${column} AS VARCHAR) AS v, ` +
      `${numberOf(position, source)} AS x FROM ${source.sql}) WHERE abs(x) >= 9007199254740992`,
    source.parameters,
  );
  let found: Problem | null = null;
  for await (const { rows, vectors } of session.chunks(result)) {
    const [numbers, texts] = vectors as [(typeof vectors)[0], (typeof vectors)[0]];
    for (let i = 0; i < rows; i++) {
      const example = String(texts.getItem(i));
      if (!isRounded(example)) continue;
      const first: Problem = found ?? { kind: 'rounded', count: 0, row: Number(numbers.getItem(i)), example };
      found = { ...first, count: first.count + 1 };
    }
  }
  return found;
}

/** What is wrong with these columns, found in a second pass over the file. */
async function findProblems(
  session: DuckDBSession,
  source: SqlSource,
  columns: readonly { name: string; position: number }[],
): Promise<ColumnProblems[]> {
  const described: ColumnProblems[] = [];
  const group = 16; // columns a pass: DuckDB plans wide aggregations slowly, and a message lists only a few columns
  const first = columns.slice(0, group);
  const inner = first.map(
    ({ position }, k) =>
      `CAST(#${position + 1} AS VARCHAR) AS v${k}, ${numberOf(position, source)} AS x${k}, ` +
      `${castOf(position, source)} AS y${k}`,
  );
  const outer = first.flatMap((_, k) => {
    const conditions = [
      `v${k} IS NULL`,
      `isnan(x${k})`,
      `isinf(x${k})`,
      `v${k} IS NOT NULL AND y${k} IS NULL`,
      `y${k} IS NOT NULL AND x${k} IS NULL`,
    ];
    return conditions.map(
      (condition) =>
        `count(*) FILTER (${condition}), min(r) FILTER (${condition}), arg_min(v${k}, r) FILTER (${condition})`,
    );
  });
  const [row = []] = await session.rows(
    `SELECT ${outer.join(', ')} FROM (SELECT row_number() OVER () AS r, ${inner.join(', ')} FROM ${source.sql})`,
    source.parameters,
  );
  columns.forEach(({ name }, k) => {
    const problems: Problem[] = [];
    (['missing', 'NaN', 'infinite', 'text', 'vanished'] as const).forEach((kind, i) => {
      const [count, at, example] = row.slice(3 * (5 * k + i));
      if (!count) return;
      const problem = { kind, count: Number(count), row: Number(at) };
      const shown = kind === 'text' || kind === 'vanished';
      problems.push(shown ? { ...problem, example: String(example) } : problem);
    });
    described.push({ name, problems });
  });
  return described;
}
