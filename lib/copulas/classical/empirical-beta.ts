import { z } from 'zod';

import { blockOf } from '../../data/level-blocks';
import { Generator, shuffle } from '../../data/random';
import { orderOf } from '../../data/sorted-table';
import { runRecord } from '../../devices';
import { SklarError, expectInteger, expectNumbers } from '../../errors';
import { type ModelDocument, expectConfig } from '../../model/model-file';
import { type ClassicalDefinition } from '../../native';
import { type ModelContent, type ModelTensors, type TrainingRecord } from '../copula';
import { expectColumns } from '../correlation/correlation';
import { type DenseRows, repeated, sizeOf } from '../inputs/rows';
import { type Execution } from '../inputs/run';
import { ClassicalCopula } from './classical';
import { completedLevels, tieNotes, weightNotes } from '../correlation/ties';
import { tauNotes } from './tau-notes';

/** Ranks are stored as float32. */
const MOST_ROWS = 2 ** 24;
const NONE = new Float64Array(0);
/** Of rows that stand for weighted ones. */
const REPEATED_SEED = 1;

/**
 * The empirical beta copula (Segers, Sibuya and Tsukahara, 2017; docs/mathematics.md, M.3) of n rows of ranks: the mean over the rows of products of beta
 * distributions, u_j that of the order statistic of the row's rank among n uniform draws. Its margins are uniform, it has no
 * parameter to choose, and every function of it costs the number of its rows.
 *
 * @example
 * ```ts
 * import { EmpiricalBetaCopula } from 'sklar';
 *
 * const copula = new EmpiricalBetaCopula(Float64Array.of(1, 2, 2, 1, 3, 3), 2); // ranks of three rows
 * await copula.cdf([[0.5, 1]]); // => [0.5]
 * ```
 */
export class EmpiricalBetaCopula extends ClassicalCopula {
  readonly kind = 'empirical-beta';
  readonly dim: number;
  /** n x dim, row-major: in every column each of 1 .. n once. */
  readonly ranks: Float64Array;
  readonly parameters = {};
  /** @internal */
  protected readonly training: TrainingRecord | null;

  /**
   * @param ranks n x dim, row-major
   * @throws SklarError ERR_SKLAR_VALUE naming row and column where a column is not a permutation of 1 .. n
   */
  constructor(ranks: Float64Array, dim: number);
  /** @internal */
  constructor(ranks: Float64Array, dim: number, training: TrainingRecord | null);
  constructor(ranks: Float64Array, dim: number, training: TrainingRecord | null = null) {
    super();
    this.dim = expectInteger(dim, 'the number of columns', { min: 2, max: 65536 });
    ranks = this.ranks = expectNumbers(ranks, 'the ranks');
    this.training = training;
    const rows = expectInteger(ranks.length / dim, 'the number of rows of ranks', { min: 1, max: MOST_ROWS });
    for (let j = 0; j < dim; j++) {
      const taken = new Uint8Array(rows + 1);
      for (let i = 0; i < rows; i++) {
        const rank = ranks[i * dim + j]!;
        if (!Number.isInteger(rank) || rank < 1 || rank > rows || taken[rank]) {
          throw new SklarError(
            'ERR_SKLAR_VALUE',
            `expected every rank from 1 to ${rows} once in a column, got ${rank} (row ${i + 1}, column ${j + 1})`,
          );
        }
        taken[rank] = 1;
      }
    }
  }

  /** The copula of some of the columns, counted from 0, in their order here. */
  marginal(columns: readonly number[]): EmpiricalBetaCopula {
    const chosen = expectColumns(columns, 'columns', this.dim);
    return new EmpiricalBetaCopula(this.#of(chosen), chosen.length);
  }

  /** @internal */
  protected description() {
    return {
      parameters: this.ranks.length,
      config: { rows: this.ranks.length / this.dim },
      training: this.training,
    };
  }

  /** @internal */
  protected definition(): ClassicalDefinition {
    return definitionOfRanks(this.ranks, this.dim);
  }

  /** @internal */
  protected definitionOf(columns: readonly number[]): ClassicalDefinition {
    return definitionOfRanks(this.#of(columns), columns.length);
  }

  /** @internal */
  protected toModelContent(): ModelContent {
    const { dim, ranks, training } = this;
    return {
      config: { dim },
      training,
      tensors: new Map([['ranks', { shape: [ranks.length / dim, dim], data: Float32Array.from(ranks) }]]),
    };
  }

  #of(columns: readonly number[]): Float64Array {
    return ranksOf(this.ranks, this.dim, columns);
  }
}

function ranksOf(ranks: Float64Array, dim: number, columns: readonly number[]): Float64Array {
  return Float64Array.from(
    { length: (ranks.length / dim) * columns.length },
    (_, at) => ranks[Math.floor(at / columns.length) * dim + columns[at % columns.length]!]!,
  );
}

function definitionOfRanks(table: Float64Array, dim: number): ClassicalDefinition {
  return { family: 'empirical-beta', dim, parameters: new Float64Array(0), rotation: 0, factor: null, table };
}

/**
 * Equal ranks are told apart by levels that are drawn in their blocks (`completedLevels`), so that each row stays in its cell. Weighted rows
 * are as many as their weights count, those that are there more than once in random order among themselves.
 *
 * @throws SklarError ERR_SKLAR_VALUE naming column and rows of equal values that are no ranks
 */
export async function fitEmpiricalBeta(given: DenseRows, run: Execution): Promise<EmpiricalBetaCopula> {
  const u = repeated(given, REPEATED_SEED, Math.max(2, Math.min(MOST_ROWS, Math.round(sizeOf(given)))));
  const { rows, columns, blocks } = u;
  const [{ data }] = (await completedLevels(u, 1, run)) as [DenseRows];
  const ranks = new Float64Array(data.length);
  for (let j = 0; j < columns; j++) {
    const column = Float64Array.from({ length: rows }, (_, i) => data[i * columns + j]!);
    const order = orderOf(column);
    if (given.weights) shuffleEqual(order, column, j);
    order.forEach((row, k) => {
      const level = column[row]!;
      if (
        !given.weights &&
        k > 0 &&
        level === column[order[k - 1]!] &&
        blockOf(blocks?.[j] ?? NONE, level) < 0
      ) {
        throw new SklarError(
          'ERR_SKLAR_VALUE',
          `expected different values in a column for an empirical-beta copula, got ${level} in rows ` +
            `${order[k - 1]! + 1} and ${row + 1} of column ${j + 1}: rank them with ties 'random'`,
        );
      }
      ranks[row * columns + j] = k + 1;
    });
  }
  const notes = [
    ...weightNotes(given),
    ...tieNotes(
      u,
      'and equal ranks are told apart by levels of a Gaussian copula in their blocks, as the data do not say how they depend',
    ),
    ...(await tauNotes(
      'empirical-beta',
      u,
      (pair) => definitionOfRanks(ranksOf(ranks, columns, pair), 2),
      run,
    )),
  ];
  return new EmpiricalBetaCopula(ranks, columns, {
    rows,
    ...runRecord(run, 'float64'),
    ...(notes.length > 0 && { notes }),
  });
}

/** Puts rows of equal levels, copies of weighted ones, in random order. */
function shuffleEqual(order: Uint32Array, levels: Float64Array, column: number): void {
  const generator = new Generator(REPEATED_SEED, column);
  for (let first = 0, end = 0; first < order.length; first = end) {
    while (end < order.length && levels[order[end]!] === levels[order[first]!]) end++;
    shuffle(order, first, end, generator);
  }
}

const configSchema = z.object({ dim: z.int().min(2).max(65536) });

export function empiricalBetaFromFile(document: ModelDocument, tensors: ModelTensors): EmpiricalBetaCopula {
  const { dim } = expectConfig(configSchema, document);
  const ranks = tensors.get('ranks');
  if (!ranks) {
    throw new SklarError(
      'ERR_SKLAR_FORMAT',
      'expected a rows x dim tensor "ranks" in an empirical-beta model file',
    );
  }
  return new EmpiricalBetaCopula(Float64Array.from(ranks.data), dim, document.training);
}
