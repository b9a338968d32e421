/** The part that CSV and Parquet have in common: columns by position from files that DuckDB can read, one below the other. */
import type { DuckDBValue } from '@duckdb/node-api';

import { SklarError, describe } from '../../errors';
import {
  type ReadColumn,
  asLabels,
  columnOfNumberTexts,
  columnOfNumbers,
  columnOfTexts,
  numberText,
} from '../columns/read-column';
import type { WantedType } from '../columns/infer-type';
import { NumberBuilder } from '../columns/number-builder';
import { VANISHED, WHOLE, isNumberText, isPlainNumber } from '../columns/plain-number';
import { TextBuilder } from '../columns/text-builder';
import type { ColumnType } from '../columns/column-type';
import type { DuckDBSession } from './duckdb';
import type { CellChunk, OpenColumns } from './open-columns';

/** A file: a table function call such as `read_parquet($1)` and its parameters. No user text may be part of `sql`. */
export interface SqlSource {
  readonly file: string;
  readonly sql: string;
  readonly parameters: DuckDBValue[];
  /** The decimal mark of columns of texts; absent: columns have types. */
  readonly decimal?: '.' | ',';
  /** The number of rows, where it is known without reading the file. */
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
  /** Whether a double holds every value of its type: NaN is then a missing cell. */
  readonly exact?: boolean | undefined;
  /** What its numbers stand for, given their decimals, where its type says so. */
  readonly type?: ((decimals: number | undefined) => ColumnType) | undefined;
  readonly wanted?: WantedType | undefined;
}

const columnAt = (position: number) => `#${position + 1}`;

/** The text and the number of column k of a query that `cellOf` looks at. */
function readOf({ cast }: SqlColumn, column: string, k: number, { decimal }: SqlSource): string {
  if (typeof cast === 'function') return `${column} AS t${k}, ${cast(column)} AS x${k}`;
  // DuckDB casts 1_2 to 12
  const name = `contains(${column}, '_')${decimal === ',' ? ` OR contains(${column}, '.')` : ''}`;
  const text = decimal === ',' ? `replace(${column}, ',', '.')` : column;
  return `${column} AS t${k}, CASE WHEN ${name} THEN NULL ELSE TRY_CAST(${text} AS DOUBLE) END AS x${k}`;
}

/**
 * The number of column k; NULL where nothing stands there, NaN where its text has to be looked at: it is none, would be 0 without
 * being it, or is an integer that a double may not hold.
 */
function cellOf({ cast }: SqlColumn, k: number): string {
  const [text, number] = [`t${k}`, `x${k}`];
  const typed = typeof cast === 'function';
  return (
    `CASE WHEN ${number} IS NULL THEN CASE WHEN ${text} IS NULL${typed ? '' : ` OR trim(${text}) = ''`} THEN NULL ELSE 'nan'::DOUBLE END ` +
    `WHEN isnan(${number}) THEN NULL ` +
    (typed
      ? ''
      : `WHEN ${number} = 0 AND regexp_matches(${text}, '${VANISHED.source}') THEN 'nan'::DOUBLE `) +
    `WHEN abs(${number}) >= 9007199254740992 AND abs(${number}) < 1e300 AND regexp_matches(CAST(${text} AS VARCHAR), '${WHOLE.source}') ` +
    `THEN 'nan'::DOUBLE ELSE ${number} END`
  );
}

/** A query for cells: numbers of the first columns, texts of the others. */
function queryOf(
  numbers: readonly SqlColumn[],
  texts: readonly SqlColumn[],
  s: number,
  source: SqlSource,
): string {
  const inner: string[] = [];
  const outer: string[] = [];
  /** A value of the source, which is taken as it is where nothing else is looked at: planning two levels of columns takes longer. */
  const takeAll = numbers.every(({ exact }) => exact);
  const take = (value: string, name: string) => {
    if (!takeAll) inner.push(`${value} AS ${name}`);
    outer.push(takeAll ? value : name);
  };
  for (const [k, column] of numbers.entries()) {
    const { cast, exact, positions } = column;
    const at = columnAt(positions[s]!);
    if (exact && typeof cast === 'function') take(cast(at), `x${k}`);
    else {
      inner.push(readOf(column, at, k, source));
      outer.push(cellOf(column, k));
    }
  }
  for (const [k, { positions }] of texts.entries()) {
    take(`CAST(${columnAt(positions[s]!)} AS VARCHAR)`, `v${k}`);
  }
  const from = takeAll ? source.sql : `(SELECT ${inner.join(', ')} FROM ${source.sql})`;
  return `SELECT ${outer.join(', ')} FROM ${from}`;
}

/**
 * Reads columns: those of numbers at once, others as texts in a second pass over the files.
 *
 * @param keep false: their cells are looked at, and asked for again later
 * @throws SklarError ERR_SKLAR_FORMAT when there are other rows than expected, ERR_SKLAR_SHAPE for a column that has numbers alone in
 *   one file and texts alone in another; see `inferType`
 */
export async function readColumns(
  session: DuckDBSession,
  sources: readonly SqlSource[],
  columns: readonly SqlColumn[],
  keep: boolean,
): Promise<OpenColumns> {
  const counted: number[] = [];
  for (const source of sources) counted.push(source.rows ?? (await countRows(session, source)));
  const rows = counted.reduce((sum, count) => sum + count, 0);
  /** Chunks of all sources: numbers of the first columns, texts of the others. */
  async function* cells(
    numbers: readonly SqlColumn[],
    texts: readonly SqlColumn[],
  ): AsyncGenerator<CellChunk & { source: number }> {
    for (const [s, source] of sources.entries()) {
      const sql = queryOf(numbers, texts, s, source);
      let done = 0;
      const result = await explained(source, () => session.stream(sql, source.parameters));
      for await (const chunk of session.chunks(result)) {
        done += chunk.rows;
        yield { ...chunk, source: s };
      }
      if (done === counted[s]) continue;
      // a stream ends where it fails, without a word: the same query, run to its end, says why
      await explained(source, () => session.run(sql, source.parameters));
      throw new SklarError(
        'ERR_SKLAR_FORMAT',
        `expected ${counted[s]} rows, got ${done} before damaged data (${describe(source.file)})`,
      );
    }
  }

  const found = new Map<SqlColumn, ReadColumn>();
  const isText = ({ cast, wanted }: SqlColumn) => cast === 'text' || (cast === undefined && asLabels(wanted));
  const numbers = columns.filter((column) => !isText(column));
  const texts = columns.filter(isText);
  if (numbers.length > 0) {
    const builders = numbers.map(() => new NumberBuilder(rows, keep));
    const labels = numbers.map(({ wanted }) => (asLabels(wanted) ? new TextBuilder(rows, keep) : null));
    for await (const { rows: count, vectors } of cells(numbers, [])) {
      builders.forEach((builder, j) => builder.append(vectors[j]!, count));
      labels.forEach((builder, j) => {
        for (let i = 0; builder && i < count; i++) {
          const value = vectors[j]!.getItem(i) as number | null;
          builder.push(value === null ? null : numberText(value));
        }
      });
    }
    for (const [j, column] of numbers.entries()) {
      const [builder, own] = [builders[j]!, labels[j]];
      if (builder.others > 0 && !column.exact) texts.push(column);
      else if (own) found.set(column, columnOfNumberTexts(column.name, own, builder.infinite, column.wanted));
      else found.set(column, columnOfNumbers(column.name, builder, column));
    }
  }
  if (texts.length > 0) {
    const builders = texts.map(() => new TextBuilder(rows, keep));
    const contents = texts.map((column) =>
      sources.length > 1 && !isText(column) && !column.wanted ? sources.map(() => new Content()) : null,
    );
    for await (const { rows: count, vectors, source } of cells([], texts)) {
      builders.forEach((builder, j) => {
        const content = contents[j]?.[source];
        for (let i = 0; i < count; i++) {
          const text = vectors[j]!.getItem(i) as string | null;
          builder.push(text);
          content?.push(text, sources[source]!);
        }
      });
    }
    texts.forEach((column, j) => {
      const read = columnOfTexts(column.name, builders[j]!, column.wanted);
      const content = contents[j];
      if (content && /^(?:category|id)$/.test(read.type.type)) expectAlike(column, sources, content);
      found.set(column, read);
    });
  }
  const read = columns.map((column) => found.get(column)!);
  return {
    columns: read,
    rows,
    async *cells() {
      const isNumber = (_: SqlColumn, j: number) => read[j]!.cells.as === 'number';
      const [first, others] = [columns.filter(isNumber), columns.filter((column, j) => !isNumber(column, j))];
      const order = columns.map((column) => [...first, ...others].indexOf(column));
      for await (const { rows: count, vectors } of cells(first, others)) {
        yield { rows: count, vectors: order.map((k) => vectors[k]!) };
      }
    },
  };
}

/** How many rows a file has, which has to be known to tell the end of a stream from a failure. */
async function countRows(session: DuckDBSession, source: SqlSource): Promise<number> {
  const [[count] = []] = await explained(source, () =>
    session.rows(`SELECT count(*) FROM ${source.sql}`, source.parameters),
  );
  return Number(count);
}

async function explained<T>({ explain }: SqlSource, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw explain ? await explain(cause) : cause;
  }
}

/** Whether a file has numbers, and texts that are none, in a column. */
class Content {
  numbers = false;
  texts = false;

  push(text: string | null, { decimal }: SqlSource): void {
    if ((this.numbers && this.texts) || text === null || text.trim() === '') return;
    const number = decimal === ',' ? text.replace(',', '.') : text;
    if (isPlainNumber(number)) this.numbers = true;
    else if (!isNumberText(number)) this.texts = true;
  }
}

/** Refuses a column of texts that has numbers alone in one file and texts alone in another: they are not the same thing. */
function expectAlike({ name }: SqlColumn, sources: readonly SqlSource[], contents: readonly Content[]): void {
  const a = contents.findIndex(({ numbers, texts }) => numbers && !texts);
  const b = contents.findIndex(({ numbers, texts }) => !numbers && texts);
  if (a < 0 || b < 0) return;
  throw new SklarError(
    'ERR_SKLAR_SHAPE',
    `expected files with the same columns, but ${describe(name)} has numbers in ${describe(sources[a]!.file)} and texts in ` +
      `${describe(sources[b]!.file)}; with types: ${describe(`${name}=category`)} both are labels`,
  );
}
