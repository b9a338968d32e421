import { types } from 'node:util';

import { SklarError, describe, expectInteger } from '../errors';
import { type Matrix, matrix } from '../matrix';

/** How a column was stored and is written back: whole numbers within +-(2^53 - 1), or floating point. */
export type ColumnKind = 'float' | 'integer';

/** The names in a message: `"a", "b"`, at most `limit` of them. */
export function listNames(names: readonly string[], limit = 20): string {
  const shown = names.slice(0, limit).map((name) => describe(name));
  if (names.length > limit) shown.push(`and ${names.length - limit} more`);
  return shown.join(', ');
}

/** Throws ERR_SKLAR_VALUE unless the names are texts and all different. */
export function expectDistinctNames(
  names: readonly unknown[],
  what: string,
): asserts names is readonly string[] {
  const seen = new Set<unknown>();
  names.forEach((name, j) => {
    if (typeof name !== 'string') {
      throw new SklarError(
        'ERR_SKLAR_VALUE',
        `expected texts for ${what}, got ${describe(name)} (column ${j + 1})`,
      );
    }
    if (seen.has(name)) {
      throw new SklarError(
        'ERR_SKLAR_VALUE',
        `expected different names for ${what}, got ${describe(name)} twice (again as column ${j + 1})`,
      );
    }
    seen.add(name);
  });
}

/**
 * The positions of the columns that remain after `columns` (which ones, in which order; default all in the order of
 * the table) and `exclude`.
 *
 * @throws SklarError ERR_SKLAR_VALUE for unknown or repeated names, or when nothing remains
 */
export function selectColumns(
  available: readonly string[],
  {
    columns,
    exclude = [],
  }: { columns?: readonly string[] | undefined; exclude?: readonly string[] | undefined },
  where: string,
): number[] {
  const position = new Map(available.map((name, j) => [name, j]));
  for (const [names, option] of [
    [columns ?? [], 'columns'],
    [exclude, 'exclude'],
  ] as const) {
    if (!Array.isArray(names)) {
      throw new SklarError(
        'ERR_SKLAR_VALUE',
        `expected an array of column names for ${option}, got ${describe(names)}`,
      );
    }
    expectDistinctNames(names as readonly unknown[], option);
    const unknown = (names as readonly string[]).filter((name) => !position.has(name));
    if (unknown.length > 0) {
      throw new SklarError(
        'ERR_SKLAR_VALUE',
        `expected names of existing columns for ${option}, got ${listNames(unknown)} ` +
          `(${where}; available: ${listNames(available, 50)})`,
      );
    }
  }
  const excluded = new Set(exclude);
  const remaining = (columns ?? available).filter((name) => !excluded.has(name));
  if (remaining.length === 0) {
    throw new SklarError('ERR_SKLAR_VALUE', `expected at least one column to remain, got none (${where})`);
  }
  return remaining.map((name) => position.get(name)!);
}

function isIntegerArray(values: unknown): boolean {
  return (
    types.isTypedArray(values) &&
    /^(?:Int|Uint)(?:8|16|32)(?:Clamped)?Array$/.test(values[Symbol.toStringTag])
  );
}

/**
 * Named columns of numbers, all of the same length. The columns are Float64Arrays whatever they were stored as;
 * `kinds` remembers which of them hold integers. A table does not copy the arrays it is made of, and nothing in this
 * library writes to them.
 *
 * @example
 * ```ts
 * import { Table } from 'sklar';
 *
 * const table = Table.fromColumns({ depth: [2.5, 3.1, 4], alarm: Int8Array.of(0, 0, 1) });
 * table.rows; // => 3
 * table.kind('alarm'); // => 'integer'
 * table.take([2, 0]).column('depth'); // => [4, 2.5]
 * ```
 */
export class Table {
  /** One a column, all different. */
  readonly names: readonly string[];
  /** The values, one array a column; not copies. */
  readonly columns: readonly Float64Array[];
  /** One a column. */
  readonly kinds: readonly ColumnKind[];
  /** How many. */
  readonly rows: number;
  readonly #position: ReadonlyMap<string, number>;

  /**
   * @param names one name a column, all different; any text will do
   * @param columns Float64Arrays of equal length
   * @param kinds one kind a column, default `'float'` for all
   * @throws SklarError ERR_SKLAR_SHAPE when lengths do not fit together, ERR_SKLAR_VALUE for repeated names, wrong
   *   types, or values that are not integers in a column of kind `'integer'`
   */
  constructor(
    names: readonly string[],
    columns: readonly Float64Array[],
    kinds: readonly ColumnKind[] = names.map(() => 'float'),
  ) {
    expectDistinctNames(names, 'the columns of a table');
    for (const [list, what] of [
      [columns, 'columns'],
      [kinds, 'kinds'],
    ] as const) {
      if (list.length !== names.length) {
        throw new SklarError(
          'ERR_SKLAR_SHAPE',
          `expected ${names.length} ${what} for ${names.length} names, got ${list.length}`,
        );
      }
    }
    const rows = columns[0]?.length ?? 0;
    columns.forEach((values, j) => {
      const where = `column ${describe(names[j])}`;
      if (!types.isFloat64Array(values)) {
        throw new SklarError(
          'ERR_SKLAR_VALUE',
          `expected a Float64Array for ${where}, got ${describe(values)}`,
        );
      }
      if (values.length !== rows) {
        throw new SklarError(
          'ERR_SKLAR_SHAPE',
          `expected ${rows} rows in every column, got ${values.length} (${where})`,
        );
      }
      if (kinds[j] !== 'integer') return;
      const bad = values.findIndex((value) => !Number.isSafeInteger(value));
      if (bad >= 0) {
        throw new SklarError(
          'ERR_SKLAR_VALUE',
          `expected integers in ${where}, got ${describe(values[bad])} (row ${bad + 1})`,
        );
      }
    });
    this.names = [...names];
    this.columns = [...columns];
    this.kinds = [...kinds];
    this.rows = rows;
    this.#position = new Map(names.map((name, j) => [name, j]));
  }

  /**
   * A table from named columns: an object, a Map or any iterable of [name, values]. (An object lists names that look
   * like whole numbers first, in ascending order: use a Map to keep another order.) Columns given as Int8Array to
   * Uint32Array are of kind `'integer'`, all others of kind `'float'`. Float64Arrays are kept, others copied.
   */
  static fromColumns(
    columns: Readonly<Record<string, ArrayLike<number>>> | Iterable<readonly [string, ArrayLike<number>]>,
  ): Table {
    const entries: (readonly [string, ArrayLike<number>])[] =
      Symbol.iterator in columns ? [...columns] : Object.entries(columns);
    return new Table(
      entries.map(([name]) => name),
      entries.map(([, values]) => (types.isFloat64Array(values) ? values : Float64Array.from(values))),
      entries.map(([, values]) => (isIntegerArray(values) ? 'integer' : 'float')),
    );
  }

  /** A table with the columns of a matrix, named by it or else `column1`, `column2`, ... */
  static fromMatrix(source: Matrix, kinds?: readonly ColumnKind[]): Table {
    const { data, rows, columns, names = defaultNames(columns) } = source;
    const values = Array.from({ length: columns }, () => new Float64Array(rows));
    values.forEach((column, j) => {
      for (let i = 0, k = j; i < rows; i++, k += columns) column[i] = data[k]!;
    });
    return new Table(names, values, kinds);
  }

  /**
   * The values of the column of that name, of length `rows`; not a copy.
   *
   * @throws SklarError ERR_SKLAR_VALUE when there is no such column
   */
  column(name: string): Float64Array {
    return this.columns[this.#expectPosition(name)]!;
  }

  /** The kind of the column of that name. */
  kind(name: string): ColumnKind {
    return this.kinds[this.#expectPosition(name)]!;
  }

  /** The table of these columns, in this order; values are shared, not copied. */
  select(names: readonly string[]): Table {
    return this.#pick(selectColumns(this.names, { columns: names }, 'the table'));
  }

  /** The table without these columns; values are shared, not copied. */
  exclude(names: readonly string[]): Table {
    return this.#pick(selectColumns(this.names, { exclude: names }, 'the table'));
  }

  /**
   * A new table of these rows (counted from 0), in this order; a row may be taken more than once.
   *
   * @throws SklarError ERR_SKLAR_VALUE when a row does not exist
   */
  take(rowIndices: ArrayLike<number>): Table {
    const count = rowIndices.length;
    for (let i = 0; i < count; i++)
      expectInteger(rowIndices[i], 'a row index', { min: 0, max: this.rows - 1 });
    const columns = this.columns.map((source) => {
      const values = new Float64Array(count);
      for (let i = 0; i < count; i++) values[i] = source[rowIndices[i]!]!;
      return values;
    });
    return new Table(this.names, columns, this.kinds);
  }

  /** A row-major copy, rows x columns, with the names. */
  toMatrix(): Matrix & { readonly data: Float64Array } {
    const width = this.columns.length;
    const data = new Float64Array(this.rows * width);
    this.columns.forEach((values, j) => {
      for (let i = 0, k = j; i < values.length; i++, k += width) data[k] = values[i]!;
    });
    return matrix(data, this.rows, width, this.names);
  }

  #expectPosition(name: string): number {
    const position = this.#position.get(name);
    if (position !== undefined) return position;
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      `expected the name of an existing column, got ${describe(name)} (available: ${listNames(this.names, 50)})`,
    );
  }

  #pick(positions: readonly number[]): Table {
    return new Table(
      positions.map((j) => this.names[j]!),
      positions.map((j) => this.columns[j]!),
      positions.map((j) => this.kinds[j]!),
    );
  }
}

/** Names for columns that have none: `column1`, `column2`, ... */
export function defaultNames(columns: number): string[] {
  return Array.from({ length: columns }, (_, j) => `column${j + 1}`);
}
