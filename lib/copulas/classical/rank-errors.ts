import { orderOf } from '../../data/sorted-table';
import { type DenseRows } from '../rows';
import { type Box, derivatives, freeVariables, inverseOf } from './optimise';

/** Log densities of the rows of u under these parameters. */
export type RowDensity = (values: readonly number[], u: DenseRows) => Promise<Float64Array>;

/** Distance of two values of u that a derivative is taken from, as a share of the distance from the side. */
const STEP = 1e-4;

const sum = (values: Float64Array) => values.reduce((total, value) => total + value, 0);

/**
 * Standard errors of a maximum of the pseudo-likelihood, u being ranks: Genest, Ghoudi and Rivest (1995). With the scores s_i of the
 * rows, each has its share s_i + sum over columns j of the mean over rows k with u_kj >= u_ij of ds_k / du_j in what the estimate
 * is off by; the variance is that of the shares between inverses of minus the Hessian. A parameter at its bound is held there and
 * gets null.
 *
 * @param some the rows that the shares are taken from, all or a part
 */
export async function rankErrors(
  logPdf: RowDensity,
  u: DenseRows,
  some: DenseRows,
  box: Box,
  values: readonly number[],
): Promise<(number | null)[]> {
  const { steps, free } = freeVariables(box, values);
  const likelihood = async (at: readonly number[]) => sum(await logPdf(at, u));
  const { bend } = await derivatives(likelihood, values, steps, free);
  const shares: Float64Array[] = [];
  for (const i of free) {
    const scores = async (rows: DenseRows) => {
      const at = (sign: number) => values.map((value, k) => (k === i ? value + sign * steps[i]! : value));
      const up = await logPdf(at(1), rows);
      const down = await logPdf(at(-1), rows);
      return up.map((value, row) => (value - down[row]!) / (2 * steps[i]!));
    };
    const share = await scores(some);
    for (let j = 0; j < some.columns; j++) await addRankShare(share, some, j, scores);
    shares.push(share);
  }
  const inverse = inverseOf(bend);
  const scale = u.rows / some.rows;
  return values.map((_, i) => {
    const row = inverse[free.indexOf(i)];
    if (!row) return null;
    const influence = Float64Array.from({ length: some.rows }, (__, k) =>
      row.reduce((total, element, a) => total + element * shares[a]![k]!, 0),
    );
    const mean = sum(influence) / some.rows;
    const error = Math.sqrt(scale * sum(influence.map((value) => (value - mean) ** 2)));
    return error > 0 && Number.isFinite(error) ? error : null;
  });
}

async function addRankShare(
  share: Float64Array,
  { data, rows, columns }: DenseRows,
  j: number,
  scores: (rows: DenseRows) => Promise<Float64Array>,
): Promise<void> {
  const column = Float64Array.from({ length: rows }, (_, k) => data[k * columns + j]!);
  const move = column.map((value) => STEP * Math.min(value, 1 - value));
  const moved = (sign: number) => {
    const there = Float64Array.from(data);
    column.forEach((value, k) => (there[k * columns + j] = value + sign * move[k]!));
    return scores({ data: there, rows, columns });
  };
  const [up, down] = [await moved(1), await moved(-1)];
  let above = 0;
  for (const k of orderOf(column).reverse()) {
    above += (up[k]! - down[k]!) / (2 * move[k]!);
    share[k]! += above / rows;
  }
}
