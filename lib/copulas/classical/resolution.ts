/** Whether a fitted dependence is finer than ranks resolve (docs/mathematics.md, M.5). */
import { type ClassicalDefinition, runJob } from '../../native';
import { type DenseRows, sizeOf } from '../inputs/rows';
import { type Execution } from '../inputs/run';

/** Rows that are looked at, evenly spaced. */
const MOST_ROWS = 1000;
/** Of a normal density c with the standard deviation s the mean of c^2 is 1 / (this s^2). */
const SPREADS = 2 * Math.PI * Math.sqrt(3);
/** A bias of so many standard errors leaves intervals at the level 0.95 with a probability of 0.90. */
const MOST_BIAS = 2 / 3;

/**
 * Whether levels are ranks of these rows: multiples of 1 / (n + 1), or odd ones of 1 / (2 n), ties at the mean of theirs. Levels
 * from known margins are blurred by none.
 */
export function areRanks(u: DenseRows): boolean {
  const size = sizeOf(u);
  return [size + 1, size].some((parts) =>
    u.data.every((level) => Math.abs(2 * parts * level - Math.round(2 * parts * level)) < 1e-6),
  );
}

/** Two columns of rows, some of many. */
export function pairOf({ data, rows, columns }: DenseRows, i: number, j: number): Float64Array {
  const every = Math.max(1, Math.floor(rows / MOST_ROWS));
  const pair = new Float64Array(2 * Math.ceil(rows / every));
  for (let row = 0, at = 0; row < rows; row += every) {
    pair[at++] = data[row * columns + i]!;
    pair[at++] = data[row * columns + j]!;
  }
  return pair;
}

/**
 * Whether ranks of so many rows blur a copula of two columns so much that maximum likelihood is off by more than two thirds of its
 * standard error. Where the density is c, V given U has a standard deviation s of about 1 / (c sqrt(2 pi sqrt 3)); the ranks of a row
 * differ by n (V - U) and a binomial number, that of rows below in one column and not in the other, of variance n D. So s^2 grows
 * by the share D / (n s^2), s by half of it, beside a relative standard error of 1 / sqrt(n). Of independent columns, c = 1, ranks are
 * independent, too, however few: what counts is c^2 - 1.
 *
 * @param pair rows x 2 levels, of which the means are taken
 * @param rows that were ranked
 */
export async function isBlurred(
  definition: ClassicalDefinition,
  pair: Float64Array,
  rows: number,
  run: Execution,
): Promise<boolean> {
  const count = pair.length / 2;
  const shares = (
    await runJob((addon) => addon.classicalLogPdf(definition, pair, false, count, run.threads), {
      signal: run.signal,
    })
  ).map((log) => (SPREADS * Math.max(0, Math.expm1(2 * log))) / rows);
  const bias = (between: (i: number) => number) =>
    (0.5 * Math.sqrt(rows) * shares.reduce((sum, share, i) => sum + Math.min(1, share * between(i)), 0)) /
    count;
  if (bias(() => 0.5) <= MOST_BIAS) return false;
  const cdf = await runJob((addon) => addon.classicalCdf(definition, pair, count, run.threads), {
    signal: run.signal,
  });
  return (
    bias((i) => {
      const [u, v] = [pair[2 * i]!, pair[2 * i + 1]!];
      return Math.max(0, u * (1 - u) + v * (1 - v) - 2 * Math.abs(cdf[i]! - u * v));
    }) > MOST_BIAS
  );
}
