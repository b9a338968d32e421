import { expectInteger } from '../errors';
import { evenlySpaced } from '../data/sorted-table';
import type { MarginDefinition } from '../native';
import { Margin, type MarginState, type Support, expectArray, expectParameter, stateError } from './margin';
import { type SortedColumn, supportOf } from './sorted';

/** Different values kept of a column. */
const MOST_KNOTS = 65_536;

/**
 * The interpolated empirical distribution of n values: F is linear between the different values, and at each of them the
 * mean of its ranks / (n + 1); at the smallest and the largest it is 1 / (n + 1) and n / (n + 1).
 *
 * Beyond the data there is a mass of 1 / (n + 1) on each side, in an exponential tail whose scale is the mean excess of
 * the ceil(sqrt(n)) outermost values, cut off where the support ends. An end of the support that is in the data has no
 * tail; where it occurs c times, c > 1, it has probability (c + 0.5) / (n + 1): such zeros are zeros. Of more than 65,536
 * different values those at evenly spaced ranks are kept.
 *
 * The derivative of F would be rough. The density is that of F linearly interpolated at 2 n^(1/3) of its levels instead,
 * a histogram of equal masses, with the tails and the ends that have a probability.
 */
export class EmpiricalMargin extends Margin {
  readonly name = 'empirical';
  readonly support: Support;
  readonly parameters: { readonly rows: number; readonly lowerScale: number; readonly upperScale: number };
  override readonly hasAtoms: boolean;
  readonly #values: Float64Array;
  readonly #levels: Float64Array;

  constructor(
    support: Support,
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

  static fit(column: SortedColumn, given?: Support): EmpiricalMargin {
    const { sorted, values, last } = column;
    const rows = sorted.length;
    const support = supportOf(column, 'empirical', given);
    const kept = evenlySpaced(column, MOST_KNOTS);
    const top = values.length - 1;
    const levels = Float64Array.from(kept, (k) => {
      const first = k === 0 ? 1 : last[k - 1]! + 1;
      const recurs = last[k]! > first;
      if (k === 0 && values[0] === support[0]) return recurs ? (last[0]! + 0.5) / (rows + 1) : 0;
      if (k === top && values[top] === support[1]) return recurs ? (first - 0.5) / (rows + 1) : 1;
      if (k === 0 || k === top) return (k === 0 ? 1 : rows) / (rows + 1);
      return (first + last[k]!) / 2 / (rows + 1);
    });
    const outermost = Math.min(rows - 1, Math.ceil(Math.sqrt(rows)));
    let lowerScale = 0;
    let upperScale = 0;
    for (let i = 0; i < outermost; i++) {
      lowerScale += (sorted[outermost]! - sorted[i]!) / outermost;
      upperScale += (sorted[rows - 1 - i]! - sorted[rows - 1 - outermost]!) / outermost;
    }
    // All outermost values may be equal.
    const least = (sorted[rows - 1]! / 2 - sorted[0]! / 2) / rows;
    return new EmpiricalMargin(
      support,
      { rows, lowerScale: Math.max(lowerScale, least), upperScale: Math.max(upperScale, least) },
      Float64Array.from(kept, (k) => values[k]!),
      levels,
    );
  }

  static fromState(state: MarginState): EmpiricalMargin {
    const rows = expectInteger(expectParameter(state, 'rows', 1), 'the rows of a stored margin');
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
