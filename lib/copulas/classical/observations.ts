/** What classical copulas are fitted to: levels where values differ, blocks of levels where they recur. */
import { blockOf } from '../../data/level-blocks';
import { type ClassicalDefinition, runJob } from '../../native';
import { normalQuantile } from '../../normal';
import { type Note } from '../../notes';
import { pickRows } from '../../matrix';
import {
  type DenseRows,
  completeLevels,
  effectiveRows,
  nativeWeights,
  sizeOf,
  takeColumns,
} from '../inputs/rows';
import { type Execution } from '../inputs/run';
import { hasMissing, missingNotes, tieNotes, weightNotes } from '../correlation/ties';

/** Rows of which each column has a level (lower equal to upper) or lies in the cell between them. */
export interface Observations {
  /** rows x columns, row-major. */
  readonly lower: Float64Array;
  readonly upper: Float64Array;
  readonly rows: number;
  readonly columns: number;
  /** How often each row occurs, or its weight; null: once. */
  readonly counts: Float64Array | null;
}

/** Training rows as they enter likelihoods. */
interface TrainingRows {
  /** Each level in a block at the middle of it: ranks with ties. */
  readonly levels: DenseRows;
  readonly observations: Observations;
  /** Columns with cells. */
  readonly tied: readonly number[];
  readonly notes: readonly Note[];
}

const levelsOf = (u: DenseRows): Observations => ({
  lower: u.data,
  upper: u.data,
  rows: u.rows,
  columns: u.columns,
  counts: nativeWeights(u),
});

/**
 * Kendall's tau of every pair of columns, columns x columns; tau-b where values recur, whose levels are to be `centred`; 0 of
 * columns that no two rows have.
 */
export async function kendallOf(u: DenseRows, run: Execution): Promise<Float64Array> {
  const { data, rows, columns } = u;
  if (!hasMissing(u)) {
    return runJob((addon) => addon.kendallTau(data, rows, columns, run.threads, nativeWeights(u)), {
      signal: run.signal,
    });
  }
  // each pair by the rows that have both
  const tau = Float64Array.from({ length: columns * columns }, (_, k) => Number(k % (columns + 1) === 0));
  for (let i = 0; i < columns; i++) {
    for (let j = i + 1; j < columns; j++) {
      const pair = completeLevels(takeColumns(u, [i, j]));
      if (pair.rows < 2) continue;
      const both = await kendallOf(pair, run);
      // columns that do not vary there have none
      tau[i * columns + j] = tau[j * columns + i] = Number.isFinite(both[1]) ? both[1]! : 0;
    }
  }
  return tau;
}

/**
 * The levels of rows, each in a block at the middle of it; those of an outermost block in the middle of its ranks.
 *
 * @param data where they go, `u.data` itself where nobody needs that any longer; default a copy
 */
export function centred(u: DenseRows, data?: Float64Array): DenseRows {
  const { blocks = [], columns } = u;
  if (!blocks.some((pairs) => pairs.length > 0)) return u;
  const edge = 0.5 / (sizeOf(u) + 1);
  data ??= u.data.slice();
  for (const [j, pairs] of blocks.entries()) {
    if (pairs.length === 0) continue;
    for (let at = j; at < data.length; at += columns) {
      const k = blockOf(pairs, data[at]!);
      if (k < 0) continue;
      data[at] = (Math.max(edge, pairs[2 * k]!) + Math.min(1 - edge, pairs[2 * k + 1]!)) / 2;
    }
  }
  return { ...u, data };
}

/**
 * Levels and cells of training rows. A block that is narrow on the Gaussian scale, by sqrt((1 - r^2) / sqrt(n)) at most, is
 * taken for the level at its middle, which moves an estimate by a tenth of its standard error (docs/mathematics.md, M.7).
 *
 * @param dependence the largest correlation that the rows may have, r
 * @param levels the rows, `centred`
 */
export function trainingRows(u: DenseRows, dependence: number, levels = centred(u)): TrainingRows {
  const { blocks = [], rows, columns } = u;
  const notes = [
    ...weightNotes(u),
    ...tieNotes(u, 'so that the copula is fitted to the probabilities of their blocks of ranks'),
    ...missingNotes(u, 'so that the copula is fitted to the probabilities of the others'),
  ];
  const narrow = Math.sqrt(Math.max(0, 1 - dependence ** 2) / Math.sqrt(effectiveRows(u)));
  const wide = Array.from({ length: columns }, (_, j) => {
    const z = normalQuantile(blocks[j] ?? new Float64Array());
    return Array.from({ length: z.length / 2 }, (_, k) => z[2 * k + 1]! - z[2 * k]! > narrow);
  });
  const missing = (j: number) => {
    for (let at = j; at < rows * columns; at += columns) if (Number.isNaN(u.data[at])) return true;
    return false;
  };
  const tied = Array.from(wide.keys()).filter((j) => wide[j]!.some(Boolean) || missing(j));
  if (tied.length === 0) return { levels, observations: levelsOf(levels), tied, notes };
  const lower = levels.data.slice();
  const upper = levels.data.slice();
  for (const j of tied) {
    for (let at = j; at < rows * columns; at += columns) {
      if (Number.isNaN(u.data[at])) {
        [lower[at], upper[at]] = [0, 1];
        continue;
      }
      const pairs = blocks[j] ?? new Float64Array();
      const k = blockOf(pairs, u.data[at]!);
      if (k < 0 || !wide[j]![k]) continue;
      lower[at] = pairs[2 * k]!;
      upper[at] = pairs[2 * k + 1]!;
    }
  }
  const counts = nativeWeights(u);
  return { levels, observations: { lower, upper, rows, columns, counts }, tied, notes };
}

/** Cells of a row at most. */
export function mostCells({ lower, upper, columns }: Observations): number {
  let most = 0;
  for (let first = 0; first < lower.length; first += columns) {
    let count = 0;
    for (let j = 0; j < columns; j++) if (lower[first + j] !== upper[first + j]) count++;
    most = Math.max(most, count);
  }
  return most;
}

/** The first of equal rows that are cells in all columns, every other row, and the place of each row among these. */
function distinct({ lower, upper, rows, columns }: Observations): { kept: number[]; places: Uint32Array } {
  const known = new Map<string, number>();
  const kept: number[] = [];
  const places = Uint32Array.from({ length: rows }, (_, i) => {
    const ends = [lower, upper].map((of) => of.subarray(i * columns, (i + 1) * columns)) as [
      Float64Array,
      Float64Array,
    ];
    if (ends[0].every((value, j) => value !== ends[1][j])) {
      const key = ends.join();
      const at = known.get(key);
      if (at !== undefined) return at;
      known.set(key, kept.length);
    }
    return kept.push(i) - 1;
  });
  return { kept, places };
}

/** Rows that are cells in all columns once, with their number. */
export function merged(rows: Observations): Observations {
  if (rows.lower === rows.upper) return rows;
  const { kept, places } = distinct(rows);
  if (kept.length === rows.rows) return rows;
  const counts = new Float64Array(kept.length);
  places.forEach((at, i) => (counts[at]! += rows.counts?.[i] ?? 1));
  return { ...pick(rows, kept), counts };
}

/** What each row has, found once for equal rows of cells. */
export async function ofDistinct(
  rows: Observations,
  find: (rows: Observations) => Promise<Float64Array>,
): Promise<Float64Array> {
  if (rows.lower === rows.upper) return find(rows);
  const { kept, places } = distinct(rows);
  const found = await find(pick(rows, kept));
  return Float64Array.from(places, (at) => found[at]!);
}

/** The rows with these numbers. */
export function pick(rows: Observations, numbers: readonly number[]): Observations {
  const { columns } = rows;
  const lower = pickRows(rows.lower, numbers, columns);
  const counts = rows.counts && Float64Array.from(numbers, (row) => rows.counts![row]!);
  return {
    lower,
    upper: rows.lower === rows.upper ? lower : pickRows(rows.upper, numbers, columns),
    rows: numbers.length,
    columns,
    counts,
  };
}

/** Every k-th row, so that about as many are left as decide where to look, and how sure to be. */
export function thinned(rows: Observations, most = 1000): Observations {
  const every = Math.max(1, Math.floor(rows.rows / most));
  if (every === 1) return rows;
  return pick(
    rows,
    Array.from({ length: Math.ceil(rows.rows / every) }, (_, i) => i * every),
  );
}

/** All pairs of columns, one below the other, as rows of two. */
export function stackedPairs(rows: Observations): Observations {
  const { columns } = rows;
  const pairs: [number, number][] = [];
  for (let i = 0; i < columns; i++) for (let j = i + 1; j < columns; j++) pairs.push([i, j]);
  const stack = (from: Float64Array) => {
    const to = new Float64Array(2 * pairs.length * rows.rows);
    let at = 0;
    for (const [i, j] of pairs) {
      for (let first = 0; first < from.length; first += columns) {
        to[at++] = from[first + i]!;
        to[at++] = from[first + j]!;
      }
    }
    return to;
  };
  return {
    lower: stack(rows.lower),
    upper: stack(rows.upper),
    rows: pairs.length * rows.rows,
    columns: 2,
    counts:
      rows.counts &&
      Float64Array.from({ length: pairs.length * rows.rows }, (_, k) => rows.counts![k % rows.rows]!),
  };
}

/** Log densities of rows; where a column has a cell, times the probability of it. */
export function logDensities(
  definition: ClassicalDefinition,
  { lower, upper, rows }: Observations,
  run: Execution,
): Promise<Float64Array> {
  return runJob(
    (addon) =>
      lower === upper
        ? addon.classicalLogPdf(definition, lower, false, rows, run.threads)
        : addon.classicalLogCells(definition, lower, upper, false, rows, run.threads),
    { signal: run.signal },
  );
}

/** The log-likelihood of the rows. */
export async function likelihoodOf(
  definition: ClassicalDefinition,
  rows: Observations,
  run: Execution,
): Promise<number> {
  const values = await logDensities(definition, rows, run);
  return values.reduce((total, value, i) => total + (rows.counts?.[i] ?? 1) * value, 0);
}
