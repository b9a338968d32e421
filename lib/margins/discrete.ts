import { lowerBound } from '../data/search';
import {
  Margin,
  type MarginState,
  type Support,
  expectArray,
  expectParameter,
  mapNumbers,
  stateError,
} from './margin';
import { type SortedColumn } from './sorted';

/**
 * The values of a column with their frequencies, and no others. With n rows a value that occurs c times has probability
 * c / (n + 1): the block of ranks r to s of its occurrences is the interval from (r - 1/2) / (n + 1) to (s + 1/2) / (n + 1).
 * What remains is the probability of values never seen, 1 / (n + 1), half of it below and half above the data; the
 * quantile gives the smallest and the largest value there, `logPdf` gives every value never seen log(1 / (n + 1)).
 */
export class DiscreteMargin extends Margin {
  readonly name = 'discrete';
  readonly support: Support;
  readonly parameters: { readonly rows: number };
  override readonly hasAtoms = true;
  readonly #values: Float64Array;
  /** For each value, how many rows are not above it. */
  readonly #last: Float64Array;

  constructor(values: Float64Array, last: Float64Array) {
    super();
    this.#values = values;
    this.#last = last;
    this.parameters = { rows: last.at(-1)! };
    this.support = [values[0]!, values.at(-1)!];
  }

  static fit({ values, last }: SortedColumn): DiscreteMargin {
    return new DiscreteMargin(values, last);
  }

  static fromState(state: MarginState): DiscreteMargin {
    const values = expectArray(state, 'values', { least: 2, strictly: true });
    const last = expectArray(state, 'last', { length: values.length, strictly: true });
    const rows = expectParameter(state, 'rows', 0);
    if (!last.every((rank) => Number.isSafeInteger(rank) && rank > 0) || last.at(-1) !== rows) {
      throw stateError(state, 'numbers of rows "last"');
    }
    return new DiscreteMargin(values, last);
  }

  cdf(x: Float64Array): Float64Array {
    return this.#cumulative(x, true);
  }

  override cdfBefore(x: Float64Array): Float64Array {
    return this.#cumulative(x, false);
  }

  quantile(u: Float64Array): Float64Array {
    const size = this.parameters.rows + 1;
    const top = this.#values.length - 1;
    return mapNumbers(u, (level) =>
      level >= 0 && level <= 1
        ? // ranks are whole numbers: those just above the end of a block are rounding
          this.#values[Math.min(top, lowerBound(this.#last, level * size - 0.5 - 1e-15 * size))]!
        : NaN,
    );
  }

  logPdf(x: Float64Array): Float64Array {
    const values = this.#values;
    const size = this.parameters.rows + 1;
    return mapNumbers(x, (value) => {
      if (Number.isNaN(value)) return NaN;
      const k = lowerBound(values, value);
      const count = values[k] === value ? this.#last[k]! - (k === 0 ? 0 : this.#last[k - 1]!) : 1;
      return Math.log(count / size);
    });
  }

  protected override arrays() {
    return { values: this.#values, last: this.#last };
  }

  #cumulative(x: Float64Array, itself: boolean): Float64Array {
    const values = this.#values;
    const last = this.#last;
    const size = this.parameters.rows + 1;
    const [least, most] = this.support;
    return mapNumbers(x, (value) => {
      if (Number.isNaN(value)) return NaN;
      if (value < least) return 0;
      if (value > most) return 1;
      const k = lowerBound(values, value);
      const rank = itself && values[k] === value ? last[k]! : k === 0 ? 0 : last[k - 1]!;
      return (rank + 0.5) / size;
    });
  }
}
