import { orderOf } from '../../data/sorted-table';
import { type Observations, ofDistinct } from './observations';
import { type Box, derivatives, freeVariables, inverseOf } from './optimise';

/** Log densities of the rows under these parameters. */
export type RowDensity = (values: readonly number[], u: Observations) => Promise<Float64Array>;

/** Distance of two values of u that a derivative is taken from, as a share of the distance from the side. */
const STEP = 1e-4;

const sum = (values: Float64Array) => values.reduce((total, value) => total + value, 0);
const weightOf = ({ counts }: Observations, row: number) => (counts ? counts[row]! : 1);

/**
 * Standard errors of a maximum of the pseudo-likelihood, u being ranks: Genest, Ghoudi and Rivest (1995). With the scores s_i of the
 * rows, each has its share s_i + sum over columns j of the mean over rows k with u_kj >= u_ij of ds_k / du_j in what the estimate
 * is off by; the variance is that of the shares between inverses of minus the Hessian. Of a cell both ends are ranks: the upper
 * counts the rows up to it, the lower those below it. Of weighted rows means and sums are weighted, and a share counts with its
 * weight. A parameter at its bound is held there and gets null.
 *
 * @param u the training rows, equal ones merged or not
 * @param some the rows that the shares are taken from, all or a part, none merged
 * @param rows the number of training rows
 */
export async function rankErrors(
  logPdf: RowDensity,
  u: Observations,
  some: Observations,
  rows: number,
  box: Box,
  values: readonly number[],
): Promise<(number | null)[]> {
  const { steps, free } = freeVariables(box, values);
  const likelihood = async (at: readonly number[]) =>
    (await logPdf(at, u)).reduce((total, value, i) => total + (u.counts?.[i] ?? 1) * value, 0);
  const { bend } = await derivatives(likelihood, values, steps, free);
  const shares: Float64Array[] = [];
  for (const i of free) {
    const at = (sign: number) => values.map((value, k) => (k === i ? value + sign * steps[i]! : value));
    const scores = (of: Observations) =>
      ofDistinct(of, async (rows) => {
        const up = await logPdf(at(1), rows);
        const down = await logPdf(at(-1), rows);
        return up.map((value, row) => (value - down[row]!) / (2 * steps[i]!));
      });
    const share = await scores(some);
    for (let j = 0; j < some.columns; j++) await addRankShares(share, some, j, scores);
    shares.push(share);
  }
  const inverse = inverseOf(bend);
  const scale = rows / some.rows;
  const size = some.counts ? sum(some.counts) : some.rows;
  return values.map((_, i) => {
    const row = inverse[free.indexOf(i)];
    if (!row) return null;
    const influence = Float64Array.from({ length: some.rows }, (__, k) =>
      row.reduce((total, element, a) => total + element * shares[a]![k]!, 0),
    );
    const mean = sum(influence.map((value, k) => weightOf(some, k) * value)) / size;
    const error = Math.sqrt(
      scale * sum(influence.map((value, k) => (weightOf(some, k) * (value - mean)) ** 2)),
    );
    return error > 0 && Number.isFinite(error) ? error : null;
  });
}

/** Adds to each row the mean, over all rows, of the derivative of the score by those ends in column j that it counts for. */
async function addRankShares(
  share: Float64Array,
  u: Observations,
  j: number,
  scores: (rows: Observations) => Promise<Float64Array>,
): Promise<void> {
  const { rows, columns } = u;
  const size = u.counts ? sum(u.counts) : rows;
  const column = (of: Float64Array) => Float64Array.from({ length: rows }, (_, k) => of[k * columns + j]!);
  const [lower, upper] = [column(u.lower), column(u.upper)];
  const isLevel = lower.map((value, k) => Number(value === upper[k]));
  const slopes = async (ends: Float64Array, moves: { lower: boolean; upper: boolean }) => {
    const step = ends.map((value) => STEP * Math.min(value, 1 - value));
    const moved = (sign: number) => {
      const shifted = (of: Float64Array, all: boolean) => {
        const there = Float64Array.from(of);
        for (let k = 0; k < rows; k++) if (all || isLevel[k]) there[k * columns + j]! += sign * step[k]!;
        return there;
      };
      const below = shifted(u.lower, moves.lower);
      return scores({
        ...u,
        lower: below,
        upper: u.lower === u.upper ? below : shifted(u.upper, moves.upper),
      });
    };
    const [up, down] = [await moved(1), await moved(-1)];
    return step.map((size, k) => (size > 0 ? (up[k]! - down[k]!) / (2 * size) : 0));
  };
  const byUpper = await slopes(upper, { lower: false, upper: true });
  const hasCells = isLevel.includes(0);
  const byLower = hasCells ? await slopes(lower, { lower: true, upper: false }) : null;
  // a row counts for the upper ends at or above its own, and for the lower ends of cells above it
  const order = orderOf(upper).reverse();
  let above = 0;
  let beyond = 0;
  for (let first = 0, end = 0; first < rows; first = end) {
    while (end < rows && upper[order[end]!] === upper[order[first]!]) {
      above += weightOf(u, order[end]!) * byUpper[order[end]!]!;
      end++;
    }
    for (let k = first; k < end; k++) share[order[k]!]! += (above + beyond) / size;
    for (let k = first; byLower && k < end; k++) {
      if (!isLevel[order[k]!]) beyond += weightOf(u, order[k]!) * byLower[order[k]!]!;
    }
  }
}
