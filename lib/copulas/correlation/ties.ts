/** Columns whose values recur: their levels stand for blocks, in which training draws them afresh. */
import { type LevelBlocks, blockOf } from '../../data/level-blocks';
import { type NativeTies, callNative, runJob } from '../../native';
import { weightsNote } from '../../data/weights';
import { normalCdf, normalQuantile } from '../../normal';
import { type Note, columnWords, columnsNote } from '../../notes';
import { normalScoresCorrelation, positiveDefinite } from './correlation';
import { LEAST_SHRINKAGE } from './shrinkage';
import { type DenseRows, effectiveRows, repeated, takeRows } from '../inputs/rows';
import { type Execution } from '../inputs/run';

/** Sweeps of the Gibbs sampler: from the given levels to those that draws start from, and of each draw. */
const SETTLING_SWEEPS = 20;
const SWEEPS = 2;

/** Of the stochastic EM algorithm, on at most so many rows: the guide need not be exact. */
const ROUNDS = 100;
const MOST_ROWS = 10_000;
/** Of the rows that stand for weighted ones. */
const GUIDE_SEED = 1;

/** Whether some levels of the rows are missing. */
export function hasMissing({ data }: DenseRows): boolean {
  return data.some(Number.isNaN);
}

/** The blocks of rows some of whose levels recur or are missing; null: each has one of its own. */
function blocksOf(u: DenseRows): LevelBlocks | null {
  const { blocks = Array.from({ length: u.columns }, () => new Float64Array()) } = u;
  return blocks.some((pairs) => pairs.length > 0) || hasMissing(u) ? blocks : null;
}

/** What a native training job is told of recurring and missing values; null: there are none. */
export function nativeTies(u: DenseRows): NativeTies | null {
  const blocks = blocksOf(u);
  return blocks && { blocks, settlingSweeps: SETTLING_SWEEPS, sweeps: SWEEPS };
}

/** The sum of the cubes of the blocks' shares is what random levels within them take off the variance of the ranks. */
const COARSE = 1e-3;

/** The columns whose ranks say nearly all: those of different values, and of many that recur. */
export function fineColumns({ blocks, columns }: DenseRows): number[] {
  return Array.from({ length: columns }, (_, j) => j).filter((j) => {
    const pairs = blocks?.[j] ?? [];
    let lost = 0;
    for (let k = 0; k < pairs.length; k += 2) lost += (pairs[k + 1]! - pairs[k]!) ** 3;
    return lost < COARSE;
  });
}

/** The blocks, and what lies between them. */
function withGaps(pairs: Float64Array): Float64Array {
  const edges = [0, ...pairs, 1];
  const all: number[] = [];
  for (let k = 0; k + 1 < edges.length; k++)
    if (edges[k + 1]! > edges[k]!) all.push(edges[k]!, edges[k + 1]!);
  return Float64Array.from(all);
}

/**
 * Correlation matrix (dim x dim, row-major) of the Gaussian copula that is nearest to the rows: that of their normal scores,
 * or, where few values recur often, of scores that were drawn inside their blocks (docs/mathematics.md, A.10).
 */
export async function guideCorrelation(u: DenseRows, run: Execution): Promise<Float64Array> {
  const fine = fineColumns(u);
  if (fine.length === u.columns && !hasMissing(u)) return normalScoresCorrelation(u, run);
  const blocks = blocksOf(u)!.map((pairs, j) => (fine.includes(j) ? new Float64Array() : withGaps(pairs)));
  const step = Math.ceil(u.rows / MOST_ROWS);
  const some = u.weights
    ? repeated(u, GUIDE_SEED, MOST_ROWS)
    : takeRows(
        u,
        Uint32Array.from({ length: Math.floor(u.rows / step) }, (_, i) => i * step),
      );
  const options = { blocks, rounds: ROUNDS, shrinkage: LEAST_SHRINKAGE, seed: 1n };
  return runJob((addon) => addon.tiedCorrelation(some.data, some.rows, some.columns, options, run.threads), {
    signal: run.signal,
  });
}

/** Turns of the search for the laws of columns with missing levels, and rounds in each but the last. */
const TURNS = 8;
const TURN_ROUNDS = 20;

/** The Gaussian copula of all rows, and where each column's scores are in it. */
export interface ObservedLaw {
  readonly correlation: Float64Array;
  /** Of all rows, on the scale of the scores of the cells that are there. */
  readonly means: Float64Array;
  readonly deviations: Float64Array;
}

/**
 * The Gaussian copula of all rows, where levels are ranks of those that are there: these are not a sample of the
 * column where what is missing depends on other columns. The scores of a column are taken for normal with a mean and a deviation of its own in all
 * rows, which are estimated in turns with the correlations, by stochastic EM given all that is there (docs/mathematics.md, M.7). Columns of
 * few values have a mean alone.
 */
export async function observedLaw(given: DenseRows, run: Execution): Promise<ObservedLaw> {
  const u = repeated(given, GUIDE_SEED);
  const { rows, columns } = u;
  const fine = fineColumns(u);
  const edges = edgesOf(u, fine);
  const scores = normalQuantile(u.data);
  const holes = Array.from({ length: columns }, (_, j) => j).filter((j) =>
    Array.from({ length: rows }, (_, i) => u.data[i * columns + j]!).some(Number.isNaN),
  );
  const means = new Float64Array(columns);
  const deviations = new Float64Array(columns).fill(1);
  for (let turn = 1; ; turn++) {
    const { blocks, levels } = standardised(edges, scores, { means, deviations });
    const options = {
      blocks,
      rounds: turn === TURNS ? ROUNDS : TURN_ROUNDS,
      shrinkage: LEAST_SHRINKAGE,
      seed: BigInt(turn),
    };
    const found = await runJob(
      (addon) => addon.tiedCorrelation(levels, rows, columns, options, run.threads),
      { signal: run.signal },
    );
    if (turn === TURNS) return { correlation: found, means, deviations };
    const { correlation } = positiveDefinite(found, columns, effectiveRows(given));
    const factor = callNative((addon) => addon.cholesky(correlation, columns));
    const draw = { blocks, factor, sweeps: SETTLING_SWEEPS, seed: BigInt(turn) };
    const drawn = normalQuantile(
      await runJob((addon) => addon.tiedLevels(levels, rows, columns, draw, run.threads), {
        signal: run.signal,
      }),
    );
    for (const j of holes) {
      let [sum, squares] = [0, 0];
      for (let at = j; at < drawn.length; at += columns) {
        sum += drawn[at]!;
        squares += drawn[at]! ** 2;
      }
      const mean = sum / rows;
      means[j]! += deviations[j]! * mean;
      if (fine.includes(j)) deviations[j]! *= Math.sqrt(squares / rows - mean * mean);
    }
  }
}

/** Ends of the blocks that are not fine, as scores. */
function edgesOf(u: DenseRows, fine: readonly number[]): Float64Array[] {
  return blocksOf(u)!.map((pairs, j) =>
    normalQuantile(fine.includes(j) ? new Float64Array() : withGaps(pairs)),
  );
}

/** Blocks and levels in all rows. */
function standardised(
  edges: readonly Float64Array[],
  scores: Float64Array,
  { means, deviations }: Pick<ObservedLaw, 'means' | 'deviations'>,
): { blocks: Float64Array[]; levels: Float64Array } {
  const standard = (values: Float64Array, columnOf: (at: number) => number) =>
    normalCdf(values.map((z, at) => (z - means[columnOf(at)]!) / deviations[columnOf(at)]!));
  return {
    blocks: edges.map((ends, j) => standard(ends, () => j)),
    levels: standard(scores, (at) => at % edges.length),
  };
}

/** Missing levels drawn from the law of all rows given the others, on the scale of those that are there; NaN elsewhere. */
export async function drawMissing(
  u: DenseRows,
  { correlation: found, means, deviations }: ObservedLaw,
  seed: number,
  run: Execution,
): Promise<Float64Array> {
  const { rows, columns } = u;
  const { blocks, levels } = standardised(edgesOf(u, fineColumns(u)), normalQuantile(u.data), {
    means,
    deviations,
  });
  const { correlation } = positiveDefinite(found, columns, effectiveRows(u));
  const factor = callNative((addon) => addon.cholesky(correlation, columns));
  const options = { blocks, factor, sweeps: SETTLING_SWEEPS, seed: BigInt(seed) };
  const drawn = await runJob((addon) => addon.tiedLevels(levels, rows, columns, options, run.threads), {
    signal: run.signal,
  });
  const z = normalQuantile(drawn.map((level, at) => (Number.isNaN(levels[at]) ? level : NaN)));
  return normalCdf(z.map((score, at) => means[at % columns]! + deviations[at % columns]! * score));
}

/**
 * The rows with levels drawn in their blocks from the Gaussian copula that is nearest, several times. Uniform levels would have
 * cliffs at the edges of blocks, which smoothing takes for weaker dependence (docs/mathematics.md, A.10).
 *
 * @returns one for each draw; the rows themselves, once, where they have no blocks
 */
export async function completedLevels(u: DenseRows, draws: number, run: Execution): Promise<DenseRows[]> {
  const { rows, columns } = u;
  const blocks = blocksOf(u);
  if (!blocks) return [u];
  const { correlation } = positiveDefinite(await guideCorrelation(u, run), columns, effectiveRows(u));
  const factor = callNative((addon) => addon.cholesky(correlation, columns));
  const completed: DenseRows[] = [];
  for (let draw = 0; draw < draws; draw++) {
    const options = { blocks, factor, sweeps: SETTLING_SWEEPS, seed: BigInt(draw) };
    const data = await runJob((addon) => addon.tiedLevels(u.data, rows, columns, options, run.threads), {
      signal: run.signal,
    });
    completed.push({ ...u, data });
  }
  return completed;
}

/** The rows with missing levels drawn from the Gaussian copula that is nearest. */
export async function withoutMissing(u: DenseRows, run: Execution): Promise<DenseRows> {
  if (!hasMissing(u)) return u;
  const [completed] = await completedLevels(u, 1, run);
  return { ...u, data: u.data.map((level, at) => (Number.isNaN(level) ? completed!.data[at]! : level)) };
}

/** Fewer recurring rows of a column go without saying. */
const NOTED_SHARE = 0.01;

/** The note about columns with missing cells, if there are any. @param done what was done with them */
export function missingNotes({ data, rows, columns, names }: DenseRows, done: string): Note[] {
  const counts = new Float64Array(columns);
  data.forEach((level, at) => {
    if (Number.isNaN(level)) counts[at % columns]!++;
  });
  const missing = Array.from(counts.keys()).filter((j) => counts[j]! > 0);
  if (missing.length === 0) return [];
  const most = Math.max(...counts) / rows;
  const share = `${Number((100 * most).toPrecision(2))} %`;
  const text = `${missing.length === 1 ? share : `up to ${share}`} of the cells are missing, ${done}`;
  if (names) {
    return [
      columnsNote(
        'missing',
        missing.map((j) => names[j]!),
        text,
      ),
    ];
  }
  return [
    { code: 'missing', columns: [], message: `${columnWords(missing.map((j) => String(j + 1)))}: ${text}` },
  ];
}

/** The note about weights of the rows, if they have any. */
export function weightNotes({ weights }: DenseRows): Note[] {
  return weights ? [weightsNote(weights)] : [];
}

/** The note about columns with recurring values, if there are any, and what was done with them. */
export function tieNotes({ blocks = [], rows, columns, data, names }: DenseRows, done: string): Note[] {
  const tied = Array.from(blocks.keys()).filter((j) => {
    let count = 0;
    for (let i = 0; i < rows; i++) if (blockOf(blocks[j]!, data[i * columns + j]!) >= 0) count++;
    return count > 0 && count >= NOTED_SHARE * rows;
  });
  if (tied.length === 0) return [];
  const text = `values recur, ${done}`;
  if (names) {
    return [
      columnsNote(
        'ties',
        tied.map((j) => names[j]!),
        text,
      ),
    ];
  }
  return [{ code: 'ties', columns: [], message: `${columnWords(tied.map((j) => String(j + 1)))}: ${text}` }];
}
