import { types as checks } from 'node:util';

import { SklarError, describe, expectInteger, expectList, expectNumbers } from '../errors';
import { type Matrix, copyOf, expectMatrix, matrix } from '../matrix';
import {
  type ColumnKind,
  type ColumnType,
  cellText,
  expectType,
  kindOf,
  labelsOf,
} from './columns/column-type';
import { type Cell, columnOfValues } from './columns/column-of-values';

/** The names in a message: `"a", "b"`, at most `limit` of them. */
export function listNames(names: readonly string[], limit = 20): string {
  const shown = names.slice(0, limit).map((name) => describe(name));
  if (names.length > limit) shown.push(`and ${names.length - limit} more`);
  return shown.join(', ');
}

/** Returns the names if they are texts and all different; throws ERR_SKLAR_VALUE otherwise. */
export function expectDistinctNames(names: readonly unknown[], what: string): readonly string[] {
  const seen = new Set<unknown>();
  Array.from(expectList(names, what)).forEach((name, j) => {
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
  return names as readonly string[];
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

/**
 * Named columns, all of the same length. Each is a Float64Array of numbers that stand for its cells as its `ColumnType` says, NaN
 * where a cell is missing. A table does not copy the arrays it is made of, and nothing in this library writes to them. What takes time takes
 * a copy of the table as it is when it is called: what is written to its arrays later changes nothing.
 *
 * @example
 * ```ts
 * import { Table } from 'sklar';
 *
 * const table = Table.fromColumns({ depth: [2.5, 3.1, null], soil: ['sand', 'clay', 'sand'] });
 * table.rows; // => 3
 * table.column('soil'); // => [1, 0, 1]
 * table.text('depth', 2); // => null
 * table.text('soil', 0); // => 'sand'
 * table.type('soil').type; // => 'category'
 * ```
 */
export class Table {
  /** One a column, all different. */
  readonly names: readonly string[];
  /** The numbers of the cells, one array a column; not copies. */
  readonly columns: readonly Float64Array[];
  /** What the cells of each column are. */
  readonly types: readonly ColumnType[];
  /** How the numbers of each column are held. */
  readonly kinds: readonly ColumnKind[];
  /** How many. */
  readonly rows: number;
  readonly #position: ReadonlyMap<string, number>;
  /** Whether nobody outside this library has its arrays. */
  #settled = false;

  /**
   * @param names one name a column, all different; any text will do
   * @param columns Float64Arrays of equal length
   * @param types what the cells of each column are, or the kind of its numbers alone; default numbers
   * @throws SklarError ERR_SKLAR_SHAPE when lengths do not fit together, ERR_SKLAR_VALUE for repeated names, wrong
   *   types, or values that are no cells of their type
   */
  constructor(
    names: readonly string[],
    columns: readonly Float64Array[],
    types?: readonly (ColumnKind | ColumnType)[],
  ) {
    names = expectDistinctNames(names, 'the columns of a table');
    types ??= names.map(() => 'float');
    for (const [list, what] of [
      [columns, 'columns'],
      [types, 'types'],
    ] as const) {
      if (expectList<unknown>(list, `the ${what} of a table`).length !== names.length) {
        throw new SklarError(
          'ERR_SKLAR_SHAPE',
          `expected ${names.length} ${what} for ${names.length} names, got ${list.length}`,
        );
      }
    }
    const rows = columns[0]?.length ?? 0;
    this.types = Array.from(types, (type, j) => expectType(type, `column ${describe(names[j])}`));
    this.kinds = this.types.map(kindOf);
    Array.from(columns).forEach((values, j) => {
      const where = `column ${describe(names[j])}`;
      if (!checks.isFloat64Array(values)) {
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
      if (this.kinds[j] !== 'integer') return;
      const most = labelsOf(this.types[j]!)?.length;
      const bad = values.findIndex(
        (value) =>
          !Number.isNaN(value) &&
          (!Number.isSafeInteger(value) || (most !== undefined && (value < 0 || value >= most))),
      );
      if (bad >= 0) {
        const expected = most === undefined ? 'integers' : `positions among ${most} labels`;
        throw new SklarError(
          'ERR_SKLAR_VALUE',
          `expected ${expected} in ${where}, got ${describe(values[bad])} (row ${bad + 1})`,
        );
      }
    });
    this.names = [...names];
    this.columns = [...columns];
    this.rows = rows;
    this.#position = new Map(names.map((name, j) => [name, j]));
  }

  /**
   * A table from named columns: an object, a Map or any iterable of [name, cells]. (An object lists names that look
   * like whole numbers first, in ascending order: use a Map to keep another order.) Typed arrays are numbers, of type `'integer'`
   * from Int8Array to Uint32Array; Float64Arrays are kept, others copied. Other arrays hold numbers, booleans, texts and Dates
   * (numbers alone are of type `'number'`); null, undefined and NaN are missing cells. Texts get the type that they would have
   * in a file.
   */
  static fromColumns(
    columns: Readonly<Record<string, ArrayLike<Cell>>> | Iterable<readonly [string, ArrayLike<Cell>]>,
  ): Table {
    const entries = entriesOf(columns);
    const read = entries.map(([name, cells]) => columnOfValues(name, cells));
    return new Table(
      entries.map(([name]) => name),
      read.map(({ values }) => values),
      read.map(({ type }) => type),
    );
  }

  /** A table with the columns of a matrix, named by it or else `column1`, `column2`, ... */
  static fromMatrix(source: Matrix, types?: readonly (ColumnKind | ColumnType)[]): Table {
    const { data, rows, columns, names = defaultNames(columns) } = expectMatrix(source, 'a table');
    const values = Array.from({ length: columns }, () => new Float64Array(rows));
    values.forEach((column, j) => {
      for (let i = 0, k = j; i < rows; i++, k += columns) column[i] = data[k]!;
    });
    return new Table(names, values, types);
  }

  /**
   * The values of the column of that name, of length `rows`; not a copy.
   *
   * @throws SklarError ERR_SKLAR_VALUE when there is no such column
   */
  column(name: string): Float64Array {
    return this.#whole(this.#expectPosition(name));
  }

  /** What the cells of the column of that name are. */
  type(name: string): ColumnType {
    return this.types[this.#expectPosition(name)]!;
  }

  /** How the numbers of the column of that name are held. */
  kind(name: string): ColumnKind {
    return this.kinds[this.#expectPosition(name)]!;
  }

  /** A cell as a text, as a file has it; null where it is missing. @param row counted from 0 */
  text(name: string, row: number): string | null {
    const j = this.#expectPosition(name);
    expectInteger(row, 'a row', { min: 0, max: this.rows - 1 });
    const value = this.columns[j]![row]!;
    return Number.isNaN(value) ? null : cellText(this.types[j]!, value);
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
    const rows = expectNumbers(rowIndices, 'row indices');
    for (const row of rows) expectInteger(row, 'a row index', { min: 0, max: this.rows - 1 });
    const columns = this.columns.map((_, j) => {
      const source = this.#whole(j);
      return rows.map((row) => source[row]!);
    });
    return new Table(this.names, columns, this.types);
  }

  /** @internal The rows from `from` to before `to`, without a copy. */
  part(from: number, to: number): Table {
    if (from === 0 && to === this.rows) return this;
    return this.#alike(
      this.names,
      this.columns.map((_, j) => this.#whole(j).subarray(from, to)),
      this.types,
    );
  }

  /** @internal The columns as plain numbers, whatever they stand for. */
  numbers(): Table {
    return new Table(this.names, this.columns);
  }

  /** A row-major copy, rows x columns, with the names. */
  toMatrix(): Matrix & { readonly data: Float64Array } {
    const width = this.columns.length;
    const data = new Float64Array(this.rows * width);
    this.columns.forEach((_, j) => {
      const values = this.#whole(j);
      for (let i = 0, k = j; i < values.length; i++, k += width) data[k] = values[i]!;
    });
    return matrix(data, this.rows, width, this.names);
  }

  /** @internal Whether it is one that the constructor made. */
  static is(value: unknown): value is Table {
    return typeof value === 'object' && value !== null && #position in value;
  }

  #expectPosition(name: string): number {
    const position = this.#position.get(name);
    if (position !== undefined) return position;
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      `expected the name of an existing column, got ${describe(name)} (available: ${listNames(this.names, 50)})`,
    );
  }

  /** @internal The table, whose arrays nobody outside this library has. */
  static owned(table: Table): Table {
    table.#settled = true;
    return table;
  }

  /**
   * What a job that takes time works on: what `view` makes of a table, with arrays that nobody can change or transfer any more. These are
   * copies, but of a table that is such a one.
   *
   * @throws SklarError ERR_SKLAR_VALUE naming `what` where it is no table; ERR_SKLAR_SHAPE for arrays that were transferred
   * @internal
   */
  static settled(table: Table, what: string, view: (whole: Table) => Table = (whole) => whole): Table {
    const seen = view(expectTable(table, what));
    if (table.#settled) return Table.owned(seen);
    const columns = seen.columns.map((_, j) => copyOf(seen.#whole(j)));
    return Table.owned(new Table(seen.names, columns, seen.types));
  }

  /** The array of column j, which may have been transferred since the table was made. */
  #whole(j: number): Float64Array {
    const values = this.columns[j]!;
    if (values.length === this.rows) return values;
    throw new SklarError(
      'ERR_SKLAR_SHAPE',
      `expected ${this.rows} rows in column ${describe(this.names[j])}, got ${values.length}: its array was transferred, or its ` +
        'buffer resized, since the table was made',
    );
  }

  /** A table of parts of the arrays of this one. */
  #alike(...parts: ConstructorParameters<typeof Table>): Table {
    const table = new Table(...parts);
    table.#settled = this.#settled;
    return table;
  }

  #pick(positions: readonly number[]): Table {
    return this.#alike(
      positions.map((j) => this.names[j]!),
      positions.map((j) => this.#whole(j)),
      positions.map((j) => this.types[j]!),
    );
  }
}

/** Returns `value` if it is a table; throws ERR_SKLAR_VALUE naming `what` otherwise. */
export function expectTable(value: Table, what: string): Table {
  if (Table.is(value)) return value;
  throw new SklarError('ERR_SKLAR_VALUE', `expected a table for ${what}, got ${describe(value)}`);
}

function entriesOf(
  columns: Parameters<(typeof Table)['fromColumns']>[0],
): (readonly [string, ArrayLike<Cell>])[] {
  if (typeof columns !== 'object' || columns === null || ArrayBuffer.isView(columns)) {
    throw new SklarError('ERR_SKLAR_VALUE', `expected named columns for a table, got ${describe(columns)}`);
  }
  if (!(Symbol.iterator in columns)) return Object.entries(columns);
  return Array.from(columns, (entry) => {
    if (Array.isArray(entry) && entry.length === 2) return entry;
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      `expected pairs of a name and cells for a table, got ${describe(entry)}`,
    );
  });
}

/** Names for columns that have none: `column1`, `column2`, ... */
export function defaultNames(columns: number): string[] {
  return Array.from({ length: columns }, (_, j) => `column${j + 1}`);
}

/** The name, with a prime for each time that it is taken already. */
export function freshName(name: string, isTaken: (name: string) => boolean): string {
  let fresh = name;
  while (isTaken(fresh)) fresh += "'";
  return fresh;
}
