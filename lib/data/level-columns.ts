import { type OptionNames, expectOptions } from '../errors';
import type { ColumnHandle } from '../native';
import {
  type RowCells,
  type ColumnRunOptions,
  cellsOf,
  columnRunOptions,
  isLong,
  levelsOf,
  valuesOf,
} from './column-jobs';
import { type Matrix, copyOf, expectMatrix } from '../matrix';
import type { Scale } from '../types/scale';
import { type Seed } from './random';
import { type ColumnKind, type ColumnType, kindOf, roundedTo } from './columns/column-type';
import { TableSchema } from './schema/table-schema';
import { Table, expectTable } from './table';

/** What equal values of a column get: a random level of their block each, or all its middle, the mean of their ranks. */
export type Ties = 'random' | 'average';

/** How values become levels. */
export interface TransformOptions extends ColumnRunOptions {
  /** Of the random levels, default that of `fit`. A row's result depends on its position in the table but not on other rows. */
  readonly seed?: Seed | undefined;
  /** Default that of `fit`. */
  readonly ties?: Ties | undefined;
  /** `gaussian`: z, the standard normal quantiles of u, which keep 1 - u as exactly as u; default `copula`. */
  readonly scale?: Scale | undefined;
}

/** How levels become values. */
export interface InverseOptions extends ColumnRunOptions {
  /** Of the levels; default `copula`. */
  readonly scale?: Scale | undefined;
}
const inverseOptions: OptionNames<InverseOptions> = { ...columnRunOptions, scale: true };
const transformOptions: OptionNames<TransformOptions> = { ...inverseOptions, seed: true, ties: true };

/** The distribution functions of the columns of a table: from values to levels and back. */
export abstract class LevelColumns {
  /** Of the columns, in order. */
  readonly names: readonly string[];
  /** What the cells of the columns are. */
  readonly columnTypes: readonly ColumnType[];
  /** How their numbers are held: integers or not. */
  readonly kinds: readonly ColumnKind[];
  /** What equal values get by default. */
  readonly ties: Ties;
  /** @internal */
  protected readonly seed: bigint;
  #handles: readonly ColumnHandle[] | undefined;
  #schema: TableSchema | undefined;

  protected constructor(
    columns: readonly { readonly name: string; readonly cells: ColumnType }[],
    ties: Ties,
    seed: bigint,
  ) {
    this.names = columns.map(({ name }) => name);
    this.columnTypes = columns.map(({ cells }) => cells);
    this.kinds = this.columnTypes.map(kindOf);
    this.ties = ties;
    this.seed = seed;
  }

  /**
   * Pseudo-observations u = F(x), rows x d, strictly between 0 and 1, NaN of missing values. Columns are found by name; others
   * in the table are ignored.
   *
   * @throws SklarError ERR_SKLAR_VALUE for missing columns and infinite values
   */
  async transform(
    table: Table,
    options: TransformOptions = {},
  ): Promise<Matrix & { readonly data: Float64Array }> {
    options = expectOptions(options, `${this.constructor.name}.transform`, transformOptions);
    const { seed = this.seed, ties = this.ties, scale = 'copula', ...run } = options;
    const random = ties === 'random';
    const own = this.own(table, `${this.constructor.name}.transform`);
    return levelsOf(this.#native(), own, { ...run, seed, random, scale });
  }

  /**
   * Quantiles: the table whose column j has the quantiles of margin j at column j of `u`, rounded to the decimals of its type.
   *
   * @param u rows x d, in [0, 1]
   * @throws SklarError ERR_SKLAR_SHAPE when it has another number of columns, ERR_SKLAR_VALUE for levels outside
   */
  async inverse(u: Matrix, options: InverseOptions = {}): Promise<Table> {
    options = expectOptions(options, `${this.constructor.name}.inverse`, inverseOptions);
    const { scale = 'copula', ...run } = options;
    const levels = copyOfLong(expectMatrix(u, `${this.constructor.name}.inverse`));
    const table = await valuesOf(this.#native(), levels, this.names, this.columnTypes, { ...run, scale });
    return rounded(table);
  }

  /**
   * The cells of rows on the Gaussian scale, rows x d twice: from where F stands just before a value to where it stands at it
   * in columns where F jumps there, once the same number in others; all scores of a missing value. What `Copula.logPdfCells`
   * takes.
   *
   * @throws SklarError ERR_SKLAR_VALUE for missing columns and infinite values
   */
  async cells(table: Table, run: ColumnRunOptions = {}): Promise<RowCells> {
    run = expectOptions(run, `${this.constructor.name}.cells`, columnRunOptions);
    return cellsOf(this.#native(), this.own(table, `${this.constructor.name}.cells`), run);
  }

  /** @internal */
  protected abstract makeHandles(): readonly ColumnHandle[];

  /** @internal The columns, as the numbers that their types have; of more rows than one job takes a copy. */
  protected own(table: Table, what: string): Table {
    const schema = (this.#schema ??= TableSchema.plain(this.names, this.columnTypes));
    const view = (whole: Table) => schema.modelled(whole.select(this.names));
    return isLong(expectTable(table, what).rows, this.names.length)
      ? Table.settled(table, what, view)
      : view(table);
  }

  #native(): readonly ColumnHandle[] {
    this.#handles ??= this.makeHandles();
    return this.#handles;
  }
}

/** Of more rows than one job takes a copy: later ones are read when the first are done. */
const copyOfLong = (u: Matrix): Matrix => (isLong(u.rows, u.columns) ? { ...u, data: copyOf(u.data) } : u);

/** The table with the numbers that cells of its types can have. */
function rounded(table: Table): Table {
  const rules = table.types.map(roundedTo);
  if (rules.every((rule) => rule === null)) return table;
  const columns = table.columns.map((values, j) => {
    const rule = rules[j];
    return rule ? values.map(rule) : values;
  });
  return new Table(table.names, columns, table.types);
}
