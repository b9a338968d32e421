/** Weights of rows: docs/mathematics.md, N.5. */
import { types } from 'node:util';

import { SklarError, describe } from '../errors';
import { type Note, columnsNote } from '../notes';
import { Generator, type Seed, seedWords } from './random';
import { type Table, listNames } from './table';

/** One number for each row: finite, none negative, not all 0. Their unit does not matter. */
export type Weights = ArrayLike<number>;

/** Weights of rows that count: a row of weight 0 is left out before, and equal weights are none. */
export interface RowWeights {
  /** One for each row, above 0. */
  readonly each: Float64Array;
  /**
   * Their sum, which is the number of rows of ranks and frequencies: of weights that are whole multiples of the least the sum of
   * the multiples, as if each row were there so often; of others `effective`.
   */
  readonly rows: number;
  /** How many equal weights tell as much of a mean: (sum w)^2 / sum w^2 (Kish 1965). */
  readonly effective: number;
  /** Whether they are whole multiples of the least. */
  readonly counts: boolean;
}

/** Weights as they were given, checked. */
export interface ResolvedWeights {
  /** The rows that have a weight above 0, by number; null: all. */
  readonly kept: Uint32Array | null;
  /** Of these rows; null: they are equal. */
  readonly weights: RowWeights | null;
}

/** Multiples of the least weight beyond this are no numbers of rows. */
const MOST_MULTIPLE = 2 ** 20;
/** Of the greatest weight what any other counts at least. */
const LEAST_SHARE = 2 ** -30;
/** What rounding may make of a whole multiple, relative to it. */
const ROUNDING = 2 ** -48;

/**
 * Checks weights of so many rows.
 *
 * @param column what holds them, for messages
 * @throws SklarError ERR_SKLAR_VALUE naming the row, ERR_SKLAR_SHAPE for another number of them
 */
export function resolveWeights(given: Weights, rows: number, column?: string): ResolvedWeights {
  expectWeights(given, rows, column);
  const list = given as ArrayLike<unknown>;
  const kept = positiveRows(list, column);
  if (kept.length === 0) throw noWeight(column);
  const numbers = Uint32Array.from(kept);
  const weights = scaled(Float64Array.from(numbers, (row) => list[row] as number));
  return { kept: kept.length === rows ? null : numbers, weights };
}

/** Checks that there are so many. @throws SklarError ERR_SKLAR_VALUE, ERR_SKLAR_SHAPE */
export function expectWeights(given: Weights, rows: number, column?: string): void {
  if (!types.isTypedArray(given) && !Array.isArray(given)) {
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      `expected an array of numbers for ${wordsOf(column)}, got ${describe(given)}`,
    );
  }
  if ((given as ArrayLike<unknown>).length === rows) return;
  throw new SklarError(
    'ERR_SKLAR_SHAPE',
    `expected ${rows} weights, one for each row, got ${(given as ArrayLike<unknown>).length}`,
  );
}

const wordsOf = (column: string | undefined) =>
  column === undefined ? 'weights' : `the weights in column ${describe(column)}`;

/** The rows of a weight above 0, by number. @throws SklarError ERR_SKLAR_VALUE naming the row of what is no weight */
export function positiveRows(list: ArrayLike<unknown>, column?: string): number[] {
  const kept: number[] = [];
  for (let i = 0; i < list.length; i++) {
    const weight = list[i];
    if (typeof weight !== 'number' || !(weight >= 0 && weight < Infinity)) {
      const got = column !== undefined && Number.isNaN(weight) ? 'a cell without a number' : describe(weight);
      throw new SklarError(
        'ERR_SKLAR_VALUE',
        `expected finite numbers that are not negative for ${wordsOf(column)}, got ${got} (row ${i + 1})`,
      );
    }
    if (weight > 0) kept.push(i);
  }
  return kept;
}

/** The error of weights that are all 0. */
export function noWeight(column?: string): SklarError {
  return new SklarError(
    'ERR_SKLAR_VALUE',
    `expected some row of a weight above 0 for ${wordsOf(column)}, got none`,
  );
}

/** Positive numbers as `RowWeights`: the same for all multiples of them; null where they are equal. */
function scaled(positive: Float64Array): RowWeights | null {
  let [least, most] = [Infinity, 0];
  for (const weight of positive) [least, most] = [Math.min(least, weight), Math.max(most, weight)];
  if (most / least <= MOST_MULTIPLE) {
    const multiples = positive.map((weight) => Math.round(weight / least));
    if (multiples.every((times, i) => Math.abs(positive[i]! / least - times) <= ROUNDING * times)) {
      return least === most ? null : withSums(multiples, true);
    }
  }
  // in single precision, so that a factor of all of them does not show in the last digits, and none lost in a sum
  const shares = positive.map((weight) => Math.max(LEAST_SHARE, Math.fround(weight / most)));
  return shares.every((share) => share === 1) ? null : withSums(shares, false);
}

/** @param counts whether they are numbers of rows; others are scaled to their effective number */
function withSums(each: Float64Array, counts: boolean): RowWeights {
  let [sum, squares] = [0, 0];
  for (const weight of each) {
    sum += weight;
    squares += weight * weight;
  }
  const effective = (sum * sum) / squares;
  if (counts) return { each, rows: sum, effective, counts };
  return { each: each.map((weight) => weight * (effective / sum)), rows: effective, effective, counts };
}

/** Weights of the cells of a column. @param there the rows that have one */
export function cellWeightsOf(each: Float64Array, there: readonly number[]): RowWeights {
  const { effective } = withSums(
    Float64Array.from(there, (i) => each[i]!),
    false,
  );
  const sum = there.reduce((total, i) => total + each[i]!, 0);
  return {
    each: each.map((weight) => weight * (effective / sum)),
    rows: effective,
    effective,
    counts: false,
  };
}

/** The weights of the rows with these numbers. */
export function takeWeights(weights: RowWeights, rows: ArrayLike<number>): RowWeights {
  return withSums(
    Float64Array.from(rows, (row) => weights.each[row]!),
    weights.counts,
  );
}

/** Rows with their weights, and without those of weight 0. */
export function weightedTable(
  table: Table,
  given: Weights | undefined,
  column?: string,
): { table: Table; weights: RowWeights | null; kept: Uint32Array | null } {
  if (given === undefined) return { table, weights: null, kept: null };
  const { kept, weights } = resolveWeights(given, table.rows, column);
  return { table: kept ? table.take(kept) : table, weights, kept };
}

/**
 * The weights that a column of a table has, and the table without it.
 *
 * @throws SklarError ERR_SKLAR_VALUE naming row and column of a cell that is no weight
 */
export function weightsColumn(table: Table, column: string): { table: Table; weights: Float64Array } {
  if (!table.names.includes(column)) {
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      `expected the name of an existing column for weights, got ${describe(column)} (available: ${listNames(table.names, 50)})`,
    );
  }
  const weights = table.column(column);
  const { type } = table.type(column);
  if (type !== 'number' && type !== 'integer') {
    const texts = Array.from(weights, (_, row) => table.text(column, row));
    const other = texts.findIndex((text) => text !== null && Number.isNaN(Number(text)));
    const row = Math.max(0, other < 0 ? texts.findIndex((text) => text !== null) : other);
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      `expected numbers for the weights in column ${describe(column)}, got ` +
        `${texts[row] === null ? 'a cell without a number' : describe(texts[row])} (row ${row + 1})`,
    );
  }
  return { table: table.exclude([column]), weights };
}

/** How much weighted rows tell. */
export function weightsNote({ each, effective }: RowWeights): Note {
  const message = `rows count by their weights: ${each.length} of them tell as much as ${Number(effective.toPrecision(4))} equal ones`;
  return { code: 'weights', columns: [], message };
}

/** Where weights came from, and what is done with it and with rows that have none. @param rows how many there were */
export function weightsNotes({ kept, weights }: ResolvedWeights, rows: number, column?: string): Note[] {
  const none = kept ? rows - kept.length : 0;
  const parts = [
    ...(column === undefined ? [] : ['holds the weights of the rows, and is not modelled']),
    ...(none === 0 ? [] : [`${none} of ${rows} rows have the weight 0 and were left out`]),
    ...(weights ? [] : ['all weights are equal, as if there were none']),
  ];
  if (parts.length === 0) return [];
  const text = parts.join('; ');
  return [
    column === undefined
      ? { code: 'weights', columns: [], message: text }
      : columnsNote('weights', [column], text),
  ];
}

/** Copies of a row on average, at most. */
const COPIES = 16;

/** How many rows stand for weighted ones: as many as they are, where these are numbers of rows, else 16 for each; both at most. */
export function repetitions({ each, rows, counts }: RowWeights, most: number): number {
  const room = Math.max(each.length, Math.min(Math.floor(most), COPIES * each.length));
  return counts && rows <= room ? rows : room;
}

/**
 * So many rows by number, in order, each about so often as its weight says: exactly where the weights are numbers of rows with this sum,
 * else by a systematic draw, which is off by less than one copy and not at all on average.
 */
export function repeatedRows({ each, rows, counts }: RowWeights, total: number, seed: Seed): Uint32Array {
  const exact = counts && rows === total;
  const start = exact ? 0.5 : (new Generator(...seedWords(seed)).next() + 0.5) / 2 ** 32;
  const drawn = new Uint32Array(total);
  let [row, below] = [0, 0];
  for (let k = 0; k < total; k++) {
    const at = ((k + start) / total) * rows;
    while (row + 1 < each.length && below + each[row]! <= at) below += each[row++]!;
    drawn[k] = row;
  }
  return drawn;
}

/**
 * The rows that are left when each stays with a probability in proportion to its weight: a sample of the weighted rows for all that takes no
 * weights, such as metrics of two samples and pictures. As many as sum w / max w on average, of equal weights all.
 *
 * @param weights one for each row, finite, none negative, not all 0, in any unit
 * @param seed default 1
 * @returns numbers of rows, ascending, for `Table.take`
 * @throws SklarError ERR_SKLAR_VALUE naming the row of what is no weight
 *
 * @example
 * ```ts
 * import { drawByWeight } from 'sklar';
 *
 * drawByWeight([2, 0, 2]); // => [0, 2]
 * drawByWeight([1, 1000, 1000]); // hardly ever with row 0
 * ```
 */
export function drawByWeight(weights: Weights, seed: Seed = 1): Uint32Array {
  const size = types.isTypedArray(weights) || Array.isArray(weights) ? weights.length : 0;
  const { kept, weights: counted } = resolveWeights(weights, size);
  const rows = kept ?? Uint32Array.from({ length: size }, (_, i) => i);
  return counted ? thinnedRows(counted, seed).map((row) => rows[row]!) : rows;
}

/** What is said of rows that were drawn by their weights. */
export function thinnedNote(left: number, rows: number): Note {
  const message = `${left} of ${rows} rows were drawn, each with a probability in proportion to its weight`;
  return { code: 'weights', columns: [], message };
}

/** Rows by number of which each stays with a probability that its weight is a multiple of: a sample of the weighted rows without weights. */
export function thinnedRows({ each }: RowWeights, seed: Seed): Uint32Array {
  let most = 0;
  for (const weight of each) most = Math.max(most, weight);
  const generator = new Generator(...seedWords(seed), 0x77656967);
  const rows = Array.from(each.keys());
  return Uint32Array.from(rows.filter((row) => (generator.next() + 0.5) / 2 ** 32 < each[row]! / most));
}
