import { types } from 'node:util';

import { z } from 'zod';

import { SklarError, describe, expectInteger, expectOneOf } from '../errors';
import { argsort } from './argsort';
import { type Matrix, matrix } from './matrix';
import { Generator, type Seed, hashText, hashWords, seedWords, shuffle } from './random';
import { interpolate, lowerBound, lowerBoundNear, position } from './search';
import { type ColumnKind, Table, listNames } from './table';

/** What equal values of a column get: a random one of their ranks each, or all the mean of their ranks. */
export type Ties = 'random' | 'average';

export interface PseudoObservationsOptions {
  /** Default `'random'`. */
  readonly ties?: Ties;
  /** Seed of the random ties, default 0. */
  readonly seed?: Seed;
  /** The number of distinct values kept of a column, at least 2; default 65,536. */
  readonly knots?: number;
}

const metaSchema = z.object({
  ties: z.enum(['random', 'average']),
  /** The seed as decimal digits. */
  seed: z.string().regex(/^\d{1,20}$/),
  /** The number of training rows. */
  rows: z.int().min(2),
  columns: z
    .array(
      z.object({
        name: z.string(),
        kind: z.enum(['float', 'integer']),
        /** Whether some value occurs more than once. */
        tied: z.boolean(),
        /** Whether values between the stored ones were left out. */
        thinned: z.boolean(),
      }),
    )
    .min(2),
});

/** What `toTensors` says about the columns; plain JSON. */
export type PseudoObservationsMeta = z.infer<typeof metaSchema>;

/**
 * The empirical distribution of a column: its distinct values in ascending order, each with the block of ranks
 * (1 .. n) that its occurrences fill. When thinned, some values and their blocks are left out.
 */
interface Column {
  readonly name: string;
  readonly kind: ColumnKind;
  readonly values: Float64Array;
  readonly first: Float64Array;
  readonly last: Float64Array;
  readonly tied: boolean;
  readonly thinned: boolean;
}

const DEFAULT_KNOTS = 65_536;

/**
 * The distinct values of a column and their blocks of ranks, none left out; and for each row, which of the distinct
 * values it has, counted from 0 in ascending order.
 */
function sortColumn(
  name: string,
  kind: ColumnKind,
  source: Float64Array,
): { column: Column; denseRanks: Uint32Array } {
  const rows = source.length;
  const { sorted, order } = argsort(source);
  const denseRanks = new Uint32Array(rows);
  const values = new Float64Array(rows);
  const last = new Float64Array(rows);
  let count = 0;
  for (let i = 0; i < rows; i++) {
    const value = sorted[i]!;
    if (i === 0 || value !== values[count - 1]) values[count++] = value;
    last[count - 1] = i + 1;
    denseRanks[order[i]!] = count - 1;
  }
  const column = completeColumn(name, kind, values.slice(0, count), last.slice(0, count), undefined, false);
  return { column, denseRanks };
}

/** A column from what is stored of it: without `last` each value has one rank, without `first` there are no gaps. */
function completeColumn(
  name: string,
  kind: ColumnKind,
  values: Float64Array,
  last: Float64Array | undefined,
  first: Float64Array | undefined,
  thinned: boolean,
): Column {
  last ??= values.map((_, k) => k + 1);
  first ??= last.map((_, k) => (k === 0 ? 1 : last[k - 1]! + 1));
  const tied = last.some((rank, k) => rank > first[k]!);
  return { name, kind, values, first, last, tied, thinned };
}

/** The column with at most `knots` of its values: those at evenly spaced ranks, with the smallest and the largest. */
function thin(column: Column, rows: number, knots: number): Column {
  const { values, first, last } = column;
  if (values.length <= knots) return column;
  const kept: number[] = [];
  for (let knot = 0, k = 0; knot < knots; knot++) {
    const rank = 1 + Math.round((knot * (rows - 1)) / (knots - 1));
    while (last[k]! < rank) k++;
    if (kept.at(-1) !== k) kept.push(k);
  }
  const pick = (source: Float64Array): Float64Array => Float64Array.from(kept, (k) => source[k]!);
  return { ...column, values: pick(values), first: pick(first), last: pick(last), thinned: true };
}

/**
 * Two linear 32-bit hashes of dense ranks r_i, sum of w_i r_i with random words w_i, and the same of the reversed
 * ranks (m - 1 - r_i). Columns that are increasing functions of each other have equal dense ranks.
 */
function hashRanks(ranks: Uint32Array, distinct: number): { increasing: string; decreasing: string } {
  let hash1 = 0;
  let hash2 = 0;
  let weights1 = 0;
  let weights2 = 0;
  const generator = new Generator(ranks.length);
  for (let i = 0; i < ranks.length; i++) {
    const weight1 = generator.next();
    const weight2 = generator.next();
    hash1 = (hash1 + Math.imul(weight1, ranks[i]!)) >>> 0;
    hash2 = (hash2 + Math.imul(weight2, ranks[i]!)) >>> 0;
    weights1 = (weights1 + weight1) >>> 0;
    weights2 = (weights2 + weight2) >>> 0;
  }
  const reversed1 = (Math.imul(weights1, distinct - 1) - hash1) >>> 0;
  const reversed2 = (Math.imul(weights2, distinct - 1) - hash2) >>> 0;
  return { increasing: `${distinct},${hash1},${hash2}`, decreasing: `${distinct},${reversed1},${reversed2}` };
}

/** The ranks of the training rows of a column over (n + 1), written to column `j` of the row-major `u`. */
function writeTrainingRanks(
  u: Float64Array,
  j: number,
  width: number,
  dense: Uint32Array,
  { first, last, tied }: Column,
  ties: Ties,
  generator: Generator,
): void {
  const rows = dense.length;
  if (tied && ties === 'random') {
    // The ranks of each block in random order, handed out to its rows one after another.
    const order = new Uint32Array(rows);
    for (let i = 0; i < rows; i++) order[i] = i + 1;
    const next = Uint32Array.from(first, (rank) => rank - 1);
    first.forEach((rank, k) => shuffle(order, rank - 1, last[k]!, generator));
    for (let i = 0; i < rows; i++) u[i * width + j] = order[next[dense[i]!]!++]! / (rows + 1);
  } else {
    for (let i = 0; i < rows; i++) u[i * width + j] = (first[dense[i]!]! + last[dense[i]!]!) / 2 / (rows + 1);
  }
}

function expectUsable(table: Table): void {
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
  const infinite = names.filter((_, j) => !columns[j]!.every(Number.isFinite));
  if (infinite.length > 0) {
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      `expected finite numbers in every column, got missing, NaN or infinite values in ${listNames(infinite)}; ` +
        `remove the rows, or leave the columns out with exclude: [${listNames(infinite)}]`,
    );
  }
  const constant = names.filter((_, j) => columns[j]!.every((value) => value === columns[j]![0]));
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
 * Finds columns that carry the same ranks. Columns come in one by one with their dense ranks; a column whose hash was
 * seen before is compared value by value with the first column of that hash.
 */
class DuplicateFinder {
  readonly #table: Table;
  readonly #seen = new Map<string, number>();
  readonly #found: { name: string; how: string; of: string }[] = [];

  constructor(table: Table) {
    this.#table = table;
  }

  add(j: number, dense: Uint32Array, column: Column): void {
    const { increasing, decreasing } = hashRanks(dense, column.values.length);
    const same = this.#seen.get(increasing) ?? this.#seen.get(decreasing);
    if (same !== undefined) {
      const { names, columns } = this.#table;
      const { column: other, denseRanks: otherRanks } = sortColumn(names[same]!, 'float', columns[same]!);
      const top = other.values.length - 1;
      const name = names[j]!;
      const of = names[same]!;
      if (dense.every((rank, i) => columns[j]![i] === columns[same]![i] && rank === otherRanks[i])) {
        this.#found.push({ name, how: COPY, of });
      } else if (dense.every((rank, i) => rank === otherRanks[i])) {
        this.#found.push({ name, how: 'an increasing function', of });
      } else if (dense.every((rank, i) => rank === top - otherRanks[i]!)) {
        this.#found.push({ name, how: 'a decreasing function', of });
      }
      return;
    }
    this.#seen.set(increasing, j);
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
 * n is the number of training rows, and back.
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
 */
export class PseudoObservations {
  /** The number of training rows. */
  readonly rows: number;
  readonly names: readonly string[];
  readonly kinds: readonly ColumnKind[];
  readonly ties: Ties;
  /**
   * After `fit`: one sentence for each column that is a monotone function of another one in the training rows. Such
   * columns are allowed, but their copula is singular: its density exists only as far as it is regularised.
   */
  readonly determined: readonly string[];
  readonly #seed: readonly [number, number];
  readonly #columns: readonly Column[];
  #training: Float64Array | undefined;

  private constructor(
    rows: number,
    ties: Ties,
    seed: readonly [number, number],
    columns: readonly Column[],
    training: Float64Array | undefined,
    determined: readonly string[] = [],
  ) {
    this.rows = rows;
    this.ties = ties;
    this.determined = determined;
    this.names = columns.map((column) => column.name);
    this.kinds = columns.map((column) => column.kind);
    this.#seed = seed;
    this.#columns = columns;
    this.#training = training;
  }

  /**
   * Learns the margins of training rows.
   *
   * @param table at least 2 rows and 2 columns of finite numbers
   * @throws SklarError ERR_SKLAR_VALUE that names the columns: fewer than 2 rows or columns, values that are not
   *   finite, constant columns, columns that are copies of each other
   */
  static fit(table: Table, options: PseudoObservationsOptions = {}): PseudoObservations {
    const ties = expectOneOf<Ties>(options.ties ?? 'random', 'ties', ['random', 'average']);
    const seed = seedWords(options.seed ?? 0);
    const knots = expectInteger(options.knots ?? DEFAULT_KNOTS, 'knots', { min: 2 });
    expectUsable(table);

    const width = table.names.length;
    const u = new Float64Array(table.rows * width);
    const duplicates = new DuplicateFinder(table);
    const columns = table.names.map((name, j) => {
      const source = table.columns[j]!;
      const { column, denseRanks: dense } = sortColumn(name, table.kinds[j]!, source);
      duplicates.add(j, dense, column);
      writeTrainingRanks(u, j, width, dense, column, ties, new Generator(...seed, hashText(name)));
      return thin(column, table.rows, knots);
    });
    duplicates.expectNoCopies();
    return new PseudoObservations(table.rows, ties, seed, columns, u, duplicates.sentences());
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
    return matrix(this.#training, this.rows, this.names.length, this.names);
  }

  /** The smallest and the largest training value of each column. */
  get supports(): readonly (readonly [number, number])[] {
    return this.#columns.map(({ values }) => [values[0]!, values.at(-1)!]);
  }

  /** Frees the pseudo-observations of the training rows; the margins stay. */
  forgetTraining(): void {
    this.#training = undefined;
  }

  /**
   * Pseudo-observations of any rows, rows x d. Columns are found by name; others in the table are ignored.
   *
   * @param options.seed seed of the random ties, default that of `fit`; a row's result depends on its position in the
   *   table but not on other rows
   * @param options.ties default that of `fit`
   * @throws SklarError ERR_SKLAR_VALUE for missing columns and values that are not finite
   */
  transform(
    table: Table,
    options: { readonly seed?: Seed; readonly ties?: Ties } = {},
  ): Matrix & { readonly data: Float64Array } {
    const seed = options.seed === undefined ? this.#seed : seedWords(options.seed);
    const ties = options.ties ?? this.ties;
    const selected = table.select(this.names);
    const width = this.names.length;
    const u = new Float64Array(table.rows * width);
    this.#columns.forEach((column, j) => {
      const source = selected.columns[j]!;
      const key = hashText(column.name);
      for (let i = 0; i < source.length; i++) {
        const x = source[i]!;
        if (!Number.isFinite(x)) {
          throw new SklarError(
            'ERR_SKLAR_VALUE',
            `expected finite numbers in every column, got ${x} (column ${describe(column.name)}, row ${i + 1})`,
          );
        }
        u[i * width + j] = this.#rank(column, x, ties, seed, key, i) / (this.rows + 1);
      }
    });
    return matrix(u, table.rows, width, this.names);
  }

  /**
   * Values at given levels: the table whose column j has the quantiles of margin j at column j of `u`.
   *
   * @param u rows x d, in [0, 1]
   * @throws SklarError ERR_SKLAR_SHAPE when it has another number of columns, ERR_SKLAR_VALUE for levels outside
   */
  inverse(u: Matrix): Table {
    const width = this.names.length;
    if (u.columns !== width) {
      throw new SklarError(
        'ERR_SKLAR_SHAPE',
        `expected ${width} columns for ${width} margins, got ${u.columns}`,
      );
    }
    const values = this.#columns.map((column, j) => {
      const quantiles = new Float64Array(u.rows);
      for (let i = 0; i < u.rows; i++) {
        const level = u.data[i * width + j]!;
        if (!(level >= 0 && level <= 1)) {
          throw new SklarError(
            'ERR_SKLAR_VALUE',
            `expected levels between 0 and 1, got ${level} (column ${describe(column.name)}, row ${i + 1})`,
          );
        }
        quantiles[i] = this.#quantile(column, level);
      }
      return quantiles;
    });
    return new Table(this.names, values, this.kinds);
  }

  /** What a model file needs: JSON, and tensors of Float64 named by column number. */
  toTensors(): { meta: PseudoObservationsMeta; tensors: Record<string, Float64Array> } {
    const tensors: Record<string, Float64Array> = {};
    const columns = this.#columns.map(({ name, kind, values, first, last, tied, thinned }, j) => {
      tensors[`${j}.values`] = values;
      if (tied || thinned) tensors[`${j}.last`] = last;
      if (tied && thinned) tensors[`${j}.first`] = first;
      return { name, kind, tied, thinned };
    });
    const [low, high] = this.#seed;
    const seed = String((BigInt(high) << 32n) | BigInt(low));
    return { meta: { ties: this.ties, seed, rows: this.rows, columns }, tensors };
  }

  /**
   * The inverse of `toTensors`.
   *
   * @param meta checked here, so it may come straight from a file
   * @throws SklarError ERR_SKLAR_FORMAT when the parts do not fit together
   */
  static fromTensors(meta: unknown, tensors: Readonly<Record<string, Float64Array>>): PseudoObservations {
    const parsed = metaSchema.safeParse(meta);
    if (!parsed.success) {
      throw new SklarError('ERR_SKLAR_FORMAT', `expected a description of margins, got ${describe(meta)}`, {
        cause: parsed.error,
      });
    }
    const { ties, seed, rows } = parsed.data;
    if (BigInt(seed) >= 1n << 64n) {
      throw new SklarError(
        'ERR_SKLAR_FORMAT',
        `expected a 64-bit seed of the margins, got ${describe(seed)}`,
      );
    }
    const columns = parsed.data.columns.map(({ name, kind, tied, thinned }, j) => {
      const tensor = (part: string): Float64Array => {
        const data = Object.hasOwn(tensors, `${j}.${part}`) ? tensors[`${j}.${part}`] : undefined;
        if (types.isFloat64Array(data)) return data;
        throw new SklarError(
          'ERR_SKLAR_FORMAT',
          `expected a tensor of Float64 for margin ${describe(name)}, got ${describe(data)} ("${j}.${part}")`,
        );
      };
      const values = tensor('values');
      const last = tied || thinned ? tensor('last') : undefined;
      const first = !thinned ? undefined : tied ? tensor('first') : last;
      const column = { ...completeColumn(name, kind, values, last, first, thinned), tied };
      expectConsistent(column, rows);
      return column;
    });
    return new PseudoObservations(rows, ties, seedWords(BigInt(seed)), columns, undefined);
  }

  /** The rank, from 0.5 to n + 0.5, of x in a column. */
  #rank(
    column: Column,
    x: number,
    ties: Ties,
    seed: readonly [number, number],
    key: number,
    row: number,
  ): number {
    const { values, first, last } = column;
    const k = lowerBound(values, x);
    if (k === values.length) return this.rows + 0.5;
    if (values[k] === x) {
      const low = first[k]!;
      const high = last[k]!;
      if (low === high) return low;
      if (ties === 'average') return (low + high) / 2;
      const fraction = hashWords(seed[0], seed[1], key, row) / 4294967296;
      return low + Math.floor(fraction * (high - low + 1));
    }
    if (k === 0) return 0.5;
    const fraction = position(x, values[k - 1]!, values[k]!);
    return last[k - 1]! + fraction * (first[k]! - last[k - 1]!);
  }

  #quantile(column: Column, level: number): number {
    const { values, first, last, kind, thinned } = column;
    const size = this.rows + 1;
    let rank = level * size;
    // rank / (n + 1) * (n + 1) may miss the whole number by rounding.
    const whole = Math.round(rank);
    if (Math.abs(rank - whole) <= 2 * Number.EPSILON * size) rank = whole;

    // The first block that does not end below the rank. Blocks are nearly evenly spaced, but for large ones.
    const guess = Math.floor(level * (values.length - 1));
    const k = lowerBoundNear(last, rank, guess);
    if (k === values.length) return values[k - 1]!;
    if (k === 0 || rank >= first[k]!) return values[k]!;
    const below = last[k - 1]!;
    const fraction = (rank - below) / (first[k]! - below);
    const lower = values[k - 1]!;
    const upper = values[k]!;
    const bothTied = below > first[k - 1]! && last[k]! > first[k]!;
    if (!thinned && (kind === 'integer' || bothTied)) return fraction < 0.5 ? lower : upper;
    const value = interpolate(fraction, lower, upper);
    return kind === 'integer' ? Math.round(value) : value;
  }
}

/** Throws ERR_SKLAR_FORMAT unless the stored values ascend and their blocks of ranks lie in order in 1 .. rows. */
function expectConsistent({ name, kind, values, first, last }: Column, rows: number): void {
  const count = values.length;
  let good = count >= 2 && first.length === count && last.length === count;
  for (let k = 0; good && k < count; k++) {
    const value = values[k]!;
    good =
      (kind === 'integer' ? Number.isSafeInteger(value) : Number.isFinite(value)) &&
      (k === 0 || value > values[k - 1]!) &&
      Number.isInteger(first[k]) &&
      Number.isInteger(last[k]) &&
      first[k]! > (k === 0 ? 0 : last[k - 1]!) &&
      last[k]! >= first[k]!;
  }
  if (good && first[0] === 1 && last[count - 1] === rows) return;
  throw new SklarError(
    'ERR_SKLAR_FORMAT',
    `expected ascending values and ranks up to ${rows} for margin ${describe(name)}, got others`,
  );
}
