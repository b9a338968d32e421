import { types } from 'node:util';

import { z } from 'zod';

import { type OptionNames, SklarError, describe, expectInteger, expectOneOf, expectOptions } from '../errors';
import { expectThreads } from '../devices';
import {
  type ColumnHandle,
  type NativeRanks,
  type RanksHandle,
  callNative,
  release,
  runJob,
} from '../native';
import { type LevelBlocks, blocksOfRanks } from './level-blocks';
import { type ColumnRunOptions, columnRunOptions, findInfinite, nextTurn } from './column-jobs';
import { LevelColumns, type Ties } from './level-columns';
import { type Matrix, matrix } from '../matrix';
import type { Note } from '../notes';
import { type Seed, resolveSeed } from './random';
import {
  type CellWeights,
  type SortedValues,
  evenlySpaced,
  releaseSorted,
  sortedColumns,
} from './sorted-table';
import { type ColumnType, columnTypeSchema, kindOf, typeOf } from './columns/column-type';
import { Table, listNames } from './table';
import { type Weights, weightedTable } from './weights';

/** How ranks are learned. */
export interface PseudoObservationsOptions {
  /** Default `'random'`. */
  readonly ties?: Ties | undefined;
  /** Seed of the random ties, default 0. */
  readonly seed?: Seed | undefined;
  /** The number of distinct values kept of a column, at least 2; default 65,536. */
  readonly knots?: number | undefined;
  /**
   * Of the rows: finite, not negative, not all 0, in any unit. A row of weight 0 has no say; of the others the rank is the weight of
   * lower rows and half of its own and 1 (docs/mathematics.md, N.5). Default: all count alike.
   */
  readonly weights?: Weights | undefined;
}

const fitOptions: OptionNames<PseudoObservationsOptions & ColumnRunOptions> = {
  ...columnRunOptions,
  ties: true,
  seed: true,
  knots: true,
  weights: true,
};

const metaSchema = z.object({
  ties: z.enum(['random', 'average']),
  /** The seed as decimal digits. */
  seed: z.string().regex(/^\d{1,20}$/),
  /** The number of training rows. */
  rows: z.int().min(2),
  /** Whether they had weights; then `size` is their sum in the rows of a column that are not missing. */
  weighted: z.boolean().default(false),
  columns: z
    .array(
      z.object({
        name: z.string(),
        kind: z.enum(['float', 'integer']),
        /** Absent: what the kind alone says. */
        cells: columnTypeSchema.optional(),
        /** Rows in which it is not missing; absent: all. */
        known: z.int().min(2).optional(),
        size: z.number().positive().optional(),
        /** Whether some value occurs more than once. */
        tied: z.boolean(),
        /** Whether values between the stored ones were left out. */
        thinned: z.boolean(),
      }),
    )
    .min(2),
  determined: z.array(z.string()).default([]),
});

/** What `toTensors` says about the columns; plain JSON. */
export type PseudoObservationsMeta = z.infer<typeof metaSchema>;

/**
 * The empirical distribution of a column: its distinct values in ascending order, each with the block of ranks
 * (1 .. n) that its occurrences fill. When thinned, some values and their blocks are left out.
 */
interface Column {
  readonly name: string;
  readonly cells: ColumnType;
  readonly values: Float64Array;
  readonly first: Float64Array | Uint32Array;
  readonly last: Float64Array | Uint32Array;
  /** How many ranks there are: of the rows in which it is not missing, or the sum of their weights. */
  readonly size: number;
  readonly tied: boolean;
  readonly thinned: boolean;
}

const DEFAULT_KNOTS = 65_536;

/** A column from what is stored of it: without `last` each value has one rank, without `first` there are no gaps. */
function completeColumn(
  name: string,
  cells: ColumnType,
  values: Float64Array,
  last: Float64Array | undefined,
  first: Float64Array | undefined,
  thinned: boolean,
): Column {
  last ??= values.map((_, k) => k + 1);
  first ??= last.map((_, k) => (k === 0 ? 1 : last[k - 1]! + 1));
  const tied = last.some((rank, k) => rank > first[k]!);
  return { name, cells, values, first, last, size: last.at(-1)!, tied, thinned };
}

/**
 * The column with at most `knots` of its values. Of weighted rows a block goes from half a rank before its first row to half a rank
 * beyond its last one, and a value of one row has the rank in the middle of its weight.
 */
function thinnedColumn(name: string, cells: ColumnType, sorted: SortedValues, knots: number): Column {
  const { last, weights } = sorted;
  const kept = evenlySpaced(sorted, knots);
  const pick = (at: (k: number) => number) => (weights ? Float64Array.from(kept, at) : kept.map(at));
  const before = (of: Float64Array, k: number): number => (k === 0 ? 0 : of[k - 1]!);
  const single = (k: number): boolean => last[k]! - before(last, k) === 1;
  const end = (k: number, edge: number): number =>
    single(k) ? (before(weights!.upTo, k) + weights!.upTo[k]! + 1) / 2 : edge + 0.5;
  return {
    name,
    cells,
    values: Float64Array.from(kept, (k) => sorted.values[k]!),
    first: pick((k) => (weights ? end(k, before(weights.upTo, k)) : before(last, k) + 1)),
    last: pick((k) => (weights ? end(k, weights.upTo[k]!) : last[k]!)),
    size: weights ? weights.rows : last.at(-1)!,
    tied: sorted.values.length < sorted.sorted.length,
    thinned: kept.length < sorted.values.length,
  };
}

function levelsFor({ rows, names }: Table): Float64Array {
  try {
    return new Float64Array(rows * names.length);
  } catch (cause) {
    const message = `cannot allocate the ranks of ${rows} rows of ${names.length} columns`;
    throw new SklarError('ERR_SKLAR_MEMORY', message, { cause });
  }
}

/** Throws ERR_SKLAR_VALUE that names columns that are infinite or constant. */
export async function expectUsable(table: Table, signal: AbortSignal | undefined): Promise<void> {
  const { names, columns, rows } = table;
  if (names.length < 2) {
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      `expected at least 2 columns for a copula, got ${names.length}` +
        (names.length === 1 ? ` (${describe(names[0])})` : ''),
    );
  }
  if (rows < 2) {
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      `expected at least 2 rows of columns ${listNames(names)}, got ${rows}`,
    );
  }
  const infinite: string[] = [];
  const constant: string[] = [];
  for (const [j, values] of columns.entries()) {
    const first = values.find((value) => !Number.isNaN(value));
    if (findInfinite(values) >= 0) infinite.push(names[j]!);
    else if (values.every((value) => value === first || Number.isNaN(value))) constant.push(names[j]!);
    await nextTurn(signal);
  }
  if (infinite.length > 0) {
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      `expected finite numbers in every column, got infinite values in ${listNames(infinite)}; ` +
        `remove the rows, or leave the columns out with exclude: [${listNames(infinite)}]`,
    );
  }
  if (constant.length > 0) {
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      `expected columns that vary, got constant ones: ${listNames(constant)}; ` +
        `leave them out with exclude: [${listNames(constant)}]`,
    );
  }
}

const COPY = 'a copy';

/**
 * Finds columns that carry the same ranks. Columns come in one by one; the ranks of one whose hash was seen before are compared
 * row by row with those of the first column of that hash.
 */
class DuplicateFinder {
  readonly #seen = new Map<bigint, { readonly name: string; readonly ranks: NativeRanks }>();
  readonly #found: { name: string; how: string; of: string }[] = [];

  /** @param complete whether no cell is missing */
  add(name: string, ranks: NativeRanks, complete: boolean): void {
    const same = this.#seen.get(ranks.hash) ?? this.#seen.get(ranks.reversedHash);
    if (same === undefined) {
      this.#seen.set(ranks.hash, { name, ranks });
      return;
    }
    const relation = callNative((addon) => addon.ranksRelation(ranks.handle, same.ranks.handle));
    if (relation === 0) return;
    const equal = complete && relation === 1 && ranks.valuesHash === same.ranks.valuesHash;
    const how = equal ? COPY : relation === 1 ? 'an increasing function' : 'a decreasing function';
    this.#found.push({ name, how, of: same.name });
  }

  /** Throws ERR_SKLAR_VALUE when there are copies. */
  expectNoCopies(): void {
    const copies = this.#found.filter(({ how }) => how === COPY);
    if (copies.length === 0) return;
    const list = copies.slice(0, 20).map(({ name, of }) => `${describe(name)} is ${COPY} of ${describe(of)}`);
    if (copies.length > list.length) list.push(`and ${copies.length - list.length} more`);
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      `expected different columns, got copies: ${list.join(', ')}; ` +
        `leave them out with exclude: [${listNames(copies.map(({ name }) => name))}]`,
    );
  }

  /** One sentence for each column that is a monotone function of another one without being its copy. */
  sentences(): string[] {
    return this.#found.map(({ name, how, of }) => `${describe(name)} is ${how} of ${describe(of)}`);
  }
}

/**
 * The empirical margins of training rows: turns values x into pseudo-observations u = rank / (n + 1) in (0, 1), where
 * n is the number of training rows in which the column is not missing, and back. Missing values are NaN on either scale.
 *
 * `transform`: a value that occurs in the training rows gets a rank of its block of equal values, by the rule for
 * ties. A value strictly between two training values gets the linear interpolation of their nearest ranks. A value
 * beyond the data gets 0.5 / (n + 1) below the smallest and (n + 0.5) / (n + 1) above the largest training value.
 *
 * `inverse`: the empirical quantile that undoes `transform`. A u inside the block of a training value gives that
 * value, so training values come back exactly. A u between two blocks gives the linear interpolation of their values,
 * or the value that is nearer in rank when both values are tied (columns of few distinct values get no new ones), or
 * when the column is of kind `'integer'`. A u beyond the first or last block gives the smallest or largest value.
 *
 * Of a column with more distinct values than `knots` only those at evenly spaced ranks are kept. The pseudo-observations
 * of the training rows themselves do not suffer from that; other values that were left out are interpolated, which
 * changes u by less than 1 / (knots - 1), and integers are rounded instead of taken from the data.
 *
 * @example
 * ```ts
 * import { PseudoObservations, Table } from 'sklar';
 *
 * const ranks = await PseudoObservations.fit(Table.fromColumns({ a: [3, 1, 2], b: [10, 20, 30] }));
 * ranks.transformTrain().data; // => [0.75, 0.25, 0.25, 0.5, 0.5, 0.75]
 * (await ranks.transform(Table.fromColumns({ a: [2.5], b: [99] }))).data; // => [0.625, 0.875]
 * ```
 */
export class PseudoObservations extends LevelColumns {
  /** The number of training rows. */
  readonly rows: number;
  /**
   * One sentence for each column that is a monotone function of another one in the training rows. Such
   * columns are allowed, but their copula is singular: its density exists only as far as it is regularised.
   */
  readonly determined: readonly string[];
  readonly #columns: readonly Column[];
  readonly #weighted: boolean;
  #training: Float64Array | undefined;
  #blocks: LevelBlocks | undefined;

  private constructor(
    rows: number,
    ties: Ties,
    seed: bigint,
    columns: readonly Column[],
    weighted: boolean,
    training: Float64Array | undefined,
    determined: readonly string[] = [],
    blocks?: LevelBlocks,
  ) {
    super(columns, ties, seed);
    this.rows = rows;
    this.#weighted = weighted;
    this.determined = determined;
    this.#columns = columns;
    this.#training = training;
    this.#blocks = blocks;
  }

  /**
   * Learns the margins of training rows.
   *
   * @param table at least 2 rows and 2 columns of finite numbers
   * @throws SklarError ERR_SKLAR_VALUE that names the columns: fewer than 2 rows or columns, values that are not
   *   finite, constant columns, columns that are copies of each other; naming the row of a weight that is none
   */
  static async fit(
    table: Table,
    options: PseudoObservationsOptions & ColumnRunOptions = {},
  ): Promise<PseudoObservations> {
    options = expectOptions(options, 'PseudoObservations.fit', fitOptions);
    const { weights: given, ...rest } = options;
    const settled = Table.settled(table, 'PseudoObservations.fit');
    const { table: counted, weights, kept } = weightedTable(settled, given);
    const own = await PseudoObservations.fitColumns(counted, weights, rest);
    if (kept) await own.#addRows(settled, kept, { threads: options.threads, signal: options.signal });
    return own;
  }

  /** Gives rows without a weight the levels that they have among the others. */
  async #addRows(table: Table, kept: Uint32Array, run: ColumnRunOptions): Promise<void> {
    const width = this.names.length;
    const counted = this.#training!;
    const { data } = await this.transform(table, run);
    kept.forEach((row, i) => data.set(counted.subarray(i * width, (i + 1) * width), row * width));
    this.#training = data;
    release(counted);
  }

  /**
   * The same, of rows of a settled table that all count, with their weights; those of cells are for `transformTrain` alone.
   *
   * @param isLast whether nobody uses the table any longer: it gives its memory back column by column
   * @internal
   */
  static async fitColumns(
    table: Table,
    weights: CellWeights,
    options: Omit<PseudoObservationsOptions, 'weights'> & ColumnRunOptions = {},
    isLast = false,
  ): Promise<PseudoObservations> {
    options = expectOptions(options, 'PseudoObservations.fitColumns', fitOptions);
    const { ties = 'random', seed: given = 0, knots = DEFAULT_KNOTS, onProgress, ...run } = options;
    expectOneOf<Ties>(ties, 'ties', ['random', 'average']);
    const seed = resolveSeed(given);
    expectInteger(knots, 'knots', { min: 2 });
    await expectUsable(table, run.signal);
    const duplicates = new DuplicateFinder();
    const columns: Column[] = [];
    const blocks: Float64Array[] = [];
    const handles: RanksHandle[] = [];
    const sorting = sortedColumns(table, { ties, seed }, weights, { ...run, onProgress });
    for await (const { j, values, ranks } of sorting) {
      const name = table.names[j]!;
      duplicates.add(name, ranks!, values.sorted.length === table.rows);
      columns.push(thinnedColumn(name, table.types[j]!, values, knots));
      blocks.push(blocksOfRanks(values.last, values.weights?.upTo));
      handles.push(ranks!.handle);
      releaseSorted(values);
      if (isLast) release(table.columns[j]!);
      await nextTurn(run.signal);
    }
    duplicates.expectNoCopies();
    // all at once, when values are gone
    const u = levelsFor(table);
    await runJob((addon) => addon.ranksLevels(handles, u, expectThreads(run.threads)), run);
    for (const handle of handles) callNative((addon) => addon.ranksRelease(handle));
    return new PseudoObservations(
      table.rows,
      ties,
      seed,
      columns,
      weights !== null,
      u,
      duplicates.sentences(),
      blocks,
    );
  }

  /**
   * The pseudo-observations of the training rows, n x d. Available after `fit` until `forgetTraining`.
   *
   * @throws SklarError ERR_SKLAR_DISPOSED when they are not there (any more)
   */
  transformTrain(): Matrix & { readonly data: Float64Array } {
    if (this.#training === undefined) {
      throw new SklarError(
        'ERR_SKLAR_DISPOSED',
        'expected the training rows, which are kept between fit and forgetTraining, got margins without them',
      );
    }
    const width = this.names.length;
    return matrix(this.#training, this.#training.length / width, width, this.names);
  }

  /** The smallest and the largest training value of each column. */
  get supports(): readonly (readonly [number, number])[] {
    return this.#columns.map(({ values }) => [values[0]!, values.at(-1)!]);
  }

  /**
   * The blocks of levels of the training rows that recur; what `fitCopula` takes beside them. Available as `transformTrain`.
   *
   * @throws SklarError ERR_SKLAR_DISPOSED when they are not there (any more)
   */
  trainingBlocks(): LevelBlocks {
    if (this.#blocks) return this.#blocks;
    throw new SklarError(
      'ERR_SKLAR_DISPOSED',
      'expected the training rows, which are kept between fit and forgetTraining, got margins without them',
    );
  }

  /** What there is to say about the columns: `determined`. */
  get notes(): readonly Note[] {
    return this.determined.map((sentence) => ({
      code: 'determined',
      columns: [],
      message: `${sentence}: the copula is singular`,
    }));
  }

  /** Frees the pseudo-observations of the training rows; the margins stay. */
  forgetTraining(): void {
    this.#training = undefined;
    this.#blocks = undefined;
  }

  /** @internal What a model file needs: JSON, and tensors of Float64 named by column number. */
  toTensors(): { meta: PseudoObservationsMeta; tensors: Record<string, Float64Array> } {
    const tensors: Record<string, Float64Array> = {};
    const { ties, rows, determined } = this;
    const weighted = this.#weighted;
    const columns = this.#columns.map(({ name, cells, values, first, last, size, tied, thinned }, j) => {
      tensors[`${j}.values`] = values;
      if (tied || thinned || weighted) tensors[`${j}.last`] = Float64Array.from(last);
      if ((tied && thinned) || weighted) tensors[`${j}.first`] = Float64Array.from(first);
      const own = weighted ? { size } : size < rows && { known: size };
      return { name, kind: kindOf(cells), cells, ...own, tied, thinned };
    });
    return {
      meta: { ties, seed: String(this.seed), rows, weighted, columns, determined: [...determined] },
      tensors,
    };
  }

  /**
   * The inverse of `toTensors`.
   *
   * @param meta checked here, so it may come straight from a file
   * @throws SklarError ERR_SKLAR_FORMAT when the parts do not fit together
   * @internal
   */
  static fromTensors(meta: unknown, tensors: Readonly<Record<string, Float64Array>>): PseudoObservations {
    const parsed = metaSchema.safeParse(meta);
    if (!parsed.success) {
      throw new SklarError('ERR_SKLAR_FORMAT', `expected a description of margins, got ${describe(meta)}`, {
        cause: parsed.error,
      });
    }
    const { ties, seed, rows, weighted, determined } = parsed.data;
    if (BigInt(seed) >= 1n << 64n) {
      throw new SklarError(
        'ERR_SKLAR_FORMAT',
        `expected a 64-bit seed of the margins, got ${describe(seed)}`,
      );
    }
    const columns = parsed.data.columns.map(({ name, kind, cells, known, size, tied, thinned }, j) => {
      const tensor = (part: string): Float64Array => {
        const data = Object.hasOwn(tensors, `${j}.${part}`) ? tensors[`${j}.${part}`] : undefined;
        if (types.isFloat64Array(data)) return data;
        throw new SklarError(
          'ERR_SKLAR_FORMAT',
          `expected a tensor of Float64 for margin ${describe(name)}, got ${describe(data)} ("${j}.${part}")`,
        );
      };
      const values = tensor('values');
      const last = tied || thinned || weighted ? tensor('last') : undefined;
      const first = weighted ? tensor('first') : !thinned ? undefined : tied ? tensor('first') : last;
      const column = {
        ...completeColumn(name, cells ?? typeOf(kind), values, last, first, thinned),
        ...(weighted && { size: size ?? rows }),
        tied,
      };
      expectConsistent(column, weighted ? null : Math.min(rows, known ?? rows));
      return column;
    });
    return new PseudoObservations(rows, ties, BigInt(seed), columns, weighted, undefined, determined);
  }

  /** @internal */
  protected override makeHandles(): readonly ColumnHandle[] {
    return this.#columns.map(({ values, first, last, size, cells, thinned }) =>
      callNative((addon) =>
        addon.rankColumn({
          values,
          first: Float64Array.from(first),
          last: Float64Array.from(last),
          rows: size,
          integer: kindOf(cells) === 'integer',
          thinned,
          weighted: this.#weighted,
        }),
      ),
    );
  }
}

/**
 * Throws ERR_SKLAR_FORMAT unless the stored values ascend and their blocks of ranks lie in order in 1 .. rows.
 *
 * @param rows null: they had weights
 */
function expectConsistent({ name, cells, values, first, last, size }: Column, rows: number | null): void {
  const count = values.length;
  let good = count >= 2 && first.length === count && last.length === count;
  for (let k = 0; good && k < count; k++) {
    const value = values[k]!;
    good =
      (kindOf(cells) === 'integer' ? Number.isSafeInteger(value) : Number.isFinite(value)) &&
      (k === 0 || value > values[k - 1]!) &&
      (rows === null || (Number.isInteger(first[k]) && Number.isInteger(last[k]))) &&
      (k === 0 || first[k]! > last[k - 1]! || (rows === null && first[k] === last[k - 1])) &&
      last[k]! >= first[k]!;
  }
  const [least, most] = [first[0]!, last[count - 1]!];
  if (
    good &&
    (rows === null ? least >= 0.5 && most <= (size + 0.5) * (1 + 1e-9) : least === 1 && most === rows)
  ) {
    return;
  }
  throw new SklarError(
    'ERR_SKLAR_FORMAT',
    `expected ascending values and ranks up to ${size} for margin ${describe(name)}, got others`,
  );
}
