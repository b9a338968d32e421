/** Weights of a mixture of copulas by rows that they were not fitted to: docs/mathematics.md, N.7. */
import { logMeanExp } from '../kinds/ensemble';

/** How copulas score rows that they were not fitted to, in the same order. */
type Scores = readonly Float64Array[];

const MOST_ROUNDS = 1000;
/** Rounds end where no weight changes by more. */
const SETTLED = 1e-6;
/** So many rows more are scored alike by all copulas: of few rows none gets all of the weight. */
const PRIOR_ROWS = 1;
/** Parts of the rows that weights by the others are judged by. */
const PARTS = 5;

/**
 * The weights with which a mixture scores the rows best, by expectation maximisation.
 *
 * @param counts of the rows; default: all alike
 */
export function stackingWeights(scores: Scores, counts?: Float64Array): number[] {
  const members = scores.length;
  const rows = scores[0]!.length;
  const all = (counts?.reduce((sum, count) => sum + count, 0) ?? rows) + PRIOR_ROWS;
  const most = scores[0]!.map((_, i) => scores.reduce((max, own) => Math.max(max, own[i]!), -Infinity));
  const densities = scores.map((own) => own.map((value, i) => Math.exp(value - most[i]!)));
  let weights = new Array<number>(members).fill(1 / members);
  for (let round = 0; round < MOST_ROUNDS; round++) {
    const sums = new Array<number>(members).fill(PRIOR_ROWS / members);
    for (let i = 0; i < rows; i++) {
      const mixed = densities.reduce((sum, own, k) => sum + weights[k]! * own[i]!, 0);
      densities.forEach((own, k) => (sums[k]! += ((counts?.[i] ?? 1) * weights[k]! * own[i]!) / mixed));
    }
    const next = sums.map((sum) => sum / all);
    const change = Math.max(...next.map((weight, k) => Math.abs(weight - weights[k]!)));
    weights = next;
    if (change < SETTLED) break;
  }
  return weights;
}

/** How the mixture scores each row with weights by the rows of other parts, which are stretches. */
export function stackedScores(scores: Scores, counts?: Float64Array): Float64Array {
  const rows = scores[0]!.length;
  const out = new Float64Array(rows);
  for (let part = 0; part < PARTS; part++) {
    const [from, to] = [part, part + 1].map((k) => Math.floor((k * rows) / PARTS));
    const rest = <T extends Float64Array | undefined>(values: T) =>
      values?.filter((_, i) => i < from! || i >= to!) as T;
    const weights = stackingWeights(scores.map(rest), rest(counts));
    out.set(
      logMeanExp(
        scores.map((own) => own.subarray(from, to)),
        weights,
      ),
      from,
    );
  }
  return out;
}
