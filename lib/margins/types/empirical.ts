import { evenlySpaced } from '../../data/sorted-table';
import type { MarginDefinition } from '../../native';
import {
  Margin,
  type MarginState,
  type MarginSupport,
  expectArray,
  expectParameter,
  stateError,
} from '../basis/margin';
import { type SortedColumn, cumulative, sizeOf, supportOf, valueAt } from '../basis/sorted';

/** Different values kept of a column. */
const MOST_KNOTS = 65_536;

/**
 * The interpolated empirical distribution of n values (of weighted ones n is `RowWeights.rows`): F is linear between the different values, and at each of them the
 * mean of its ranks / (n + 1); at the smallest and the largest it is 1 / (n + 1) and n / (n + 1).
 *
 * Beyond the data there is a mass of 1 / (n + 1) on each side, in an exponential tail whose scale is the mean excess of
 * the ceil(sqrt(n)) outermost values, cut off where the support ends. An end of the support that is in the data has no
 * tail; where it occurs c times, c > 1, it has probability (c + 0.5) / (n + 1): such zeros are zeros. Of more than 65,536
 * different values those at evenly spaced ranks are kept, and those on either side of a gap (a wide spacing, see below).
 *
 * The derivative of F would be rough. The density is that of F linearly interpolated at 2 n^(1/3) of its values instead,
 * a histogram of nearly equal masses, with the tails and the ends that have a probability; a tail that the end of the
 * support cuts off within its scale is one with the bin next to it. A spacing between neighbours in a bin of k spacings that
 * is wider than 1 - (0.001 / k)^(1 / (k - 1)) of it, which one of k uniform ones is with a probability below 0.001, is a bin
 * of its own, so that outliers and gaps between clusters leave the density of other values alone.
 */
export class EmpiricalMargin extends Margin {
  readonly name = 'empirical';
  readonly support: MarginSupport;
  readonly parameters: { readonly rows: number; readonly lowerScale: number; readonly upperScale: number };
  override readonly hasAtoms: boolean;
  readonly #values: Float64Array;
  readonly #levels: Float64Array;

  constructor(
    support: MarginSupport,
    parameters: { rows: number; lowerScale: number; upperScale: number },
    values: Float64Array,
    levels: Float64Array,
  ) {
    super();
    this.support = support;
    this.parameters = parameters;
    this.#values = values;
    this.#levels = levels;
    this.hasAtoms =
      (values[0] === support[0] && levels[0]! > 0) || (values.at(-1) === support[1] && levels.at(-1)! < 1);
  }

  static fit(column: SortedColumn, given?: MarginSupport): EmpiricalMargin {
    const { sorted, values, last, weights } = column;
    const rows = sizeOf(column);
    const upTo = cumulative(column);
    const support = supportOf(column, 'empirical', given);
    const kept = withGaps(evenlySpaced(column, MOST_KNOTS), values);
    const top = values.length - 1;
    const levels = Float64Array.from(kept, (k) => {
      const first = k === 0 ? 1 : upTo[k - 1]! + 1;
      const recurs = last[k]! > (k === 0 ? 1 : last[k - 1]! + 1);
      if (k === 0 && values[0] === support[0]) return recurs ? (upTo[0]! + 0.5) / (rows + 1) : 0;
      if (k === top && values[top] === support[1]) return recurs ? (first - 0.5) / (rows + 1) : 1;
      const middle = (first + upTo[k]!) / 2;
      // a weight below that of a row leaves its half of it
      if (k === 0 || k === top) return (k === 0 ? Math.min(1, middle) : Math.max(rows, middle)) / (rows + 1);
      return middle / (rows + 1);
    });
    const outermost = Math.min(rows - 1, Math.ceil(Math.sqrt(rows)));
    const [low, high] = [valueAt(column, outermost), valueAt(column, rows - 1 - outermost)];
    let lowerScale = 0;
    let upperScale = 0;
    const weightOf = (i: number): number => (weights ? weights.each[i]! : 1);
    // halves, since differences of great values overflow
    for (let i = 0; sorted[i]! < low; i++)
      lowerScale += (weightOf(i) * (low / 2 - sorted[i]! / 2)) / outermost;
    for (let i = sorted.length - 1; sorted[i]! > high; i--) {
      upperScale += (weightOf(i) * (sorted[i]! / 2 - high / 2)) / outermost;
    }
    const doubled = (half: number): number => Math.min(2 * half, Number.MAX_VALUE);
    // All outermost values may be equal.
    const spacing = (k: number): number => doubled(values[k + 1]! / 2 - values[k]! / 2) || Number.MIN_VALUE;
    return new EmpiricalMargin(
      support,
      {
        rows,
        lowerScale: doubled(lowerScale) || spacing(0),
        upperScale: doubled(upperScale) || spacing(top - 1),
      },
      Float64Array.from(kept, (k) => values[k]!),
      levels,
    );
  }

  static fromState(state: MarginState): EmpiricalMargin {
    const rows = expectParameter(state, 'rows', 1);
    const lowerScale = expectParameter(state, 'lowerScale', 0);
    const upperScale = expectParameter(state, 'upperScale', 0);
    const values = expectArray(state, 'values', { least: 2, strictly: true });
    const levels = expectArray(state, 'levels', { length: values.length, strictly: true });
    const { support } = state;
    if (levels[0]! < 0 || levels.at(-1)! > 1 || values[0]! < support[0] || values.at(-1)! > support[1]) {
      throw stateError(state, 'levels between 0 and 1 and values in the support');
    }
    return new EmpiricalMargin(support, { rows, lowerScale, upperScale }, values, levels);
  }

  protected override arrays() {
    return { values: this.#values, levels: this.#levels };
  }

  protected override definition(): MarginDefinition {
    return {
      kind: 'empirical',
      support: Float64Array.from(this.support),
      ...this.parameters,
      values: this.#values,
      levels: this.#levels,
    };
  }
}

/** The positions of kept values, and of both neighbours of the widest spacing between two of them where it is wide. */
function withGaps(kept: Uint32Array, values: Float64Array): Uint32Array {
  if (kept.length === values.length) return kept;
  const all: number[] = [0];
  for (let i = 1; i < kept.length; i++) {
    const [from, to] = [kept[i - 1]!, kept[i]!];
    let widest = from;
    let width = 0;
    for (let k = from; k < to; k++) {
      const spacing = values[k + 1]! / 2 - values[k]! / 2;
      if (spacing > width) [widest, width] = [k, spacing];
    }
    if (to - from > 2 && width > wideShare(to - from) * (values[to]! / 2 - values[from]! / 2)) {
      if (widest > from) all.push(widest);
      if (widest + 1 < to) all.push(widest + 1);
    }
    all.push(to);
  }
  return Uint32Array.from(all);
}

/** One of k uniform spacings takes a greater share of their sum with a probability below 0.001. */
function wideShare(k: number): number {
  return 1 - (0.001 / k) ** (1 / (k - 1));
}
