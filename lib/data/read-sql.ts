/** The part that CSV and Parquet have in common: numbers by position from a source that DuckDB can read. */
import type { DuckDBValue } from '@duckdb/node-api';

import { SklarError, describe } from '../errors';
import { ColumnBuilder, type ColumnProblems, type Problem, problemsError } from './column-builder';
import type { DuckDBSession } from './duckdb';

/** A table function call such as `read_parquet($1)` and its parameters. No user text may be part of `sql`. */
export interface SqlSource {
  readonly sql: string;
  readonly parameters: DuckDBValue[];
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
  const expressions = positions.map((j) => `coalesce(TRY_CAST(#${j + 1} AS DOUBLE), 'nan'::DOUBLE)`);
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
  return builders;
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
      `CAST(#${position + 1} AS VARCHAR) AS v${k}, TRY_CAST(#${position + 1} AS DOUBLE) AS x${k}`,
  );
  const outer = first.flatMap((_, k) => {
    const conditions = [
      `v${k} IS NULL`,
      `isnan(x${k})`,
      `isinf(x${k})`,
      `v${k} IS NOT NULL AND x${k} IS NULL`,
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
    (['missing', 'NaN', 'infinite', 'text'] as const).forEach((kind, i) => {
      const [count, at, example] = row.slice(3 * (4 * k + i));
      if (!count) return;
      const problem = { kind, count: Number(count), row: Number(at) };
      problems.push(kind === 'text' ? { ...problem, example: String(example) } : problem);
    });
    described.push({ name, problems });
  });
  return described;
}
