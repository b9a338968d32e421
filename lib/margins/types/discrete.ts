import type { MarginDefinition } from '../../native';
import {
  Margin,
  type MarginState,
  type MarginSupport,
  expectArray,
  expectParameter,
  stateError,
} from '../basis/margin';
import { type SortedColumn, cumulative } from '../basis/sorted';

/**
 * The values of a column with their frequencies, and no others. With n rows a value that occurs c times has probability
 * c / (n + 1): the block of ranks r to s of its occurrences is the interval from (r - 1/2) / (n + 1) to (s + 1/2) / (n + 1).
 * The blocks of the smallest and the largest value reach to 0 and 1, so that the probabilities sum to one. F is constant between
 * values and no sample has others; `logPdf` gives a value never seen that of one row, log(1 / (n + 1)), beside the sum, so that
 * a new count or grade among the rows that are scored is unlikely and not impossible. Of weighted rows c is the weight.
 */
export class DiscreteMargin extends Margin {
  readonly name = 'discrete';
  readonly support: MarginSupport;
  readonly parameters: { readonly rows: number };
  override readonly hasAtoms = true;
  readonly #values: Float64Array;
  /** For each value, how many rows are not above it, or their weight. */
  readonly #last: Float64Array;

  constructor(values: Float64Array, last: Float64Array) {
    super();
    this.#values = values;
    this.#last = last;
    this.parameters = { rows: last.at(-1)! };
    this.support = [values[0]!, values.at(-1)!];
  }

  static fit(column: SortedColumn): DiscreteMargin {
    return new DiscreteMargin(column.values.slice(), cumulative(column).slice());
  }

  static fromState(state: MarginState): DiscreteMargin {
    const values = expectArray(state, 'values', { least: 1, strictly: true });
    const last = expectArray(state, 'last', { length: values.length, strictly: true });
    const rows = expectParameter(state, 'rows', 0);
    if (!last.every((rank) => rank > 0) || last.at(-1) !== rows) {
      throw stateError(state, 'numbers of rows "last"');
    }
    return new DiscreteMargin(values, last);
  }

  protected override arrays() {
    return { values: this.#values, last: this.#last };
  }

  protected override definition(): MarginDefinition {
    return { kind: 'discrete', ...this.arrays() };
  }
}
