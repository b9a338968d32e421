import { expectInteger } from '../errors';
import { interpolate, lowerBound, position } from '../data/search';
import {
  Margin,
  type MarginState,
  type Support,
  expectArray,
  expectParameter,
  mapNumbers,
  stateError,
} from './margin';
import { type SortedColumn, supportOf } from './sorted';
import { ExponentialTail } from './tail';

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
  readonly #lower: ExponentialTail;
  readonly #upper: ExponentialTail;
  /** The probabilities of the ends of the support. */
  readonly #atLeast: number;
  readonly #atMost: number;
  /** Edges of the histogram, and the log density between them. */
  readonly #edges: Float64Array;
  readonly #logHeights: Float64Array;

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
    this.#lower = new ExponentialTail(levels[0]!, parameters.lowerScale, values[0]! - support[0]);
    this.#upper = new ExponentialTail(1 - levels.at(-1)!, parameters.upperScale, support[1] - values.at(-1)!);
    this.#atLeast = values[0] === support[0] ? levels[0]! : 0;
    this.#atMost = values.at(-1) === support[1] ? 1 - levels.at(-1)! : 0;
    this.hasAtoms = this.#atLeast > 0 || this.#atMost > 0;
    const bins = Math.min(values.length - 1, Math.max(1, Math.round(2 * Math.cbrt(parameters.rows))));
    const edges = [0];
    for (let bin = 1; bin <= bins; bin++) {
      const level = interpolate(bin / bins, levels[0]!, levels.at(-1)!);
      const k = Math.min(values.length - 1, lowerBound(levels, level));
      if (k > edges.at(-1)!) edges.push(k);
    }
    this.#edges = Float64Array.from(edges, (k) => values[k]!);
    this.#logHeights = Float64Array.from(edges.slice(1), (k, bin) => {
      const from = edges[bin]!;
      return Math.log(levels[k]! - levels[from]!) - Math.log(values[k]! - values[from]!);
    });
  }

  static fit(column: SortedColumn, given?: Support): EmpiricalMargin {
    const { sorted, values, last } = column;
    const rows = sorted.length;
    const support = supportOf(column, 'empirical', given);
    const kept = evenlySpaced(last, rows);
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

  cdf(x: Float64Array): Float64Array {
    return this.#cumulative(x, true);
  }

  override cdfBefore(x: Float64Array): Float64Array {
    return this.#cumulative(x, false);
  }

  #cumulative(x: Float64Array, itself: boolean): Float64Array {
    const values = this.#values;
    const levels = this.#levels;
    const [least, most] = this.support;
    return mapNumbers(x, (value) => {
      if (value === least) return itself ? this.#atLeast : 0;
      if (value === most) return itself ? 1 : 1 - this.#atMost;
      const k = lowerBound(values, value);
      if (k === values.length) return 1 - this.#upper.beyond(value - values[k - 1]!);
      if (k === 0) return Number.isNaN(value) ? NaN : this.#lower.beyond(values[0]! - value);
      return interpolate(position(value, values[k - 1]!, values[k]!), levels[k - 1]!, levels[k]!);
    });
  }

  quantile(u: Float64Array): Float64Array {
    const values = this.#values;
    const levels = this.#levels;
    const top = values.length - 1;
    const [least, most] = this.support;
    return mapNumbers(u, (level) => {
      if (!(level > 0 && level < 1)) return level === 0 ? least : level === 1 ? most : NaN;
      if (level < levels[0]!) return Math.max(least, values[0]! - this.#lower.distance(level));
      if (level > levels[top]!) return Math.min(most, values[top]! + this.#upper.distance(1 - level));
      const k = Math.max(1, lowerBound(levels, level));
      return interpolate(position(level, levels[k - 1]!, levels[k]!), values[k - 1]!, values[k]!);
    });
  }

  logPdf(x: Float64Array): Float64Array {
    const edges = this.#edges;
    const top = edges.length - 1;
    const [least, most] = this.support;
    return mapNumbers(x, (value) => {
      if (Number.isNaN(value)) return NaN;
      if (value < least || value > most) return -Infinity;
      if (value === least && this.#atLeast > 0) return Math.log(this.#atLeast);
      if (value === most && this.#atMost > 0) return Math.log(this.#atMost);
      if (value < edges[0]!) return this.#lower.logPdf(edges[0]! - value);
      if (value > edges[top]!) return this.#upper.logPdf(value - edges[top]!);
      return this.#logHeights[Math.max(0, lowerBound(edges, value) - 1)]!;
    });
  }

  protected override arrays() {
    return { values: this.#values, levels: this.#levels };
  }
}

/** The numbers of at most MOST_KNOTS blocks of ranks, at evenly spaced ranks, with the first and the last. */
function evenlySpaced(last: Float64Array, rows: number): Uint32Array {
  if (last.length <= MOST_KNOTS) return Uint32Array.from(last, (_, k) => k);
  const kept: number[] = [];
  for (let knot = 0, k = 0; knot < MOST_KNOTS; knot++) {
    const rank = 1 + Math.round((knot * (rows - 1)) / (MOST_KNOTS - 1));
    while (last[k]! < rank) k++;
    if (kept.at(-1) !== k) kept.push(k);
  }
  return Uint32Array.from(kept);
}
