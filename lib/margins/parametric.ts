import { type Family, type FamilyName, type Law, type Summary, families, familyNames } from './families';
import { Margin, type MarginState, type Support, expectParameter, mapNumbers, marginError } from './margin';
import type { SortedColumn } from './sorted';
import { minimise } from './special';

const FEWEST_ROWS = 8;
/** The likelihood of more rows is that of so many of them, at evenly spaced ranks with the first and the last. */
const MOST_ROWS = 20_000;

/** A distribution with a formula, fitted by maximum likelihood; `name` is that of its family. */
export class ParametricMargin extends Margin {
  readonly name: FamilyName;
  readonly support: Support;
  readonly parameters: Readonly<Record<string, number>>;
  readonly #law: Law;

  constructor(name: FamilyName, values: readonly number[]) {
    super();
    const family: Family = families[name];
    this.name = name;
    this.parameters = Object.fromEntries(family.parameters.map((key, k) => [key, values[k]!]));
    this.#law = family.law(...values);
    this.support = this.#law.support;
  }

  /**
   * Fits one family, or all that could have given the values, of which the least AIC wins.
   *
   * @throws SklarError ERR_SKLAR_VALUE naming the column: fewer than 8 rows, values the family cannot give, no maximum
   */
  static fit(column: SortedColumn, wanted: FamilyName | 'parametric'): ParametricMargin {
    const { sorted } = column;
    if (sorted.length < FEWEST_ROWS) {
      throw marginError(`at least ${FEWEST_ROWS} rows`, wanted, column.column, sorted.length);
    }
    const summary = summarise(sorted);
    const rows = thin(sorted);
    let best: { aic: number; margin: ParametricMargin } | undefined;
    for (const name of wanted === 'parametric' ? familyNames : [wanted]) {
      const family: Family = families[name];
      const [lower, upper] = family.domain;
      const outside = [sorted[0]!, sorted.at(-1)!].find((value) =>
        family.closed ? value < lower || value > upper : value <= lower || value >= upper,
      );
      if (outside !== undefined) {
        if (wanted === 'parametric') continue;
        throw marginError(
          `values ${family.closed ? 'from' : 'strictly between'} ${lower} ${family.closed ? 'to' : 'and'} ${upper}`,
          name,
          column.column,
          outside,
        );
      }
      const { parameters, loss } = maximum(family, rows, summary);
      if (!Number.isFinite(loss)) continue;
      const aic = 2 * parameters.length + 2 * loss * sorted.length;
      if (!best || aic < best.aic) best = { aic, margin: new ParametricMargin(name, parameters) };
    }
    if (best) return best.margin;
    throw marginError('a likelihood with a maximum', wanted, column.column, 'none');
  }

  static fromState(state: MarginState, name: FamilyName): ParametricMargin {
    const family: Family = families[name];
    const values = family.parameters.map((key) =>
      expectParameter(state, key, family.positive.includes(key) ? 0 : -Infinity),
    );
    return new ParametricMargin(name, values);
  }

  cdf(x: Float64Array): Float64Array {
    const [least, most] = this.support;
    const inside = mapNumbers(x, (value) => Math.min(most, Math.max(least, value)));
    const out = this.#law.cdf(inside);
    for (let i = 0; i < x.length; i++) {
      if (x[i]! <= least) out[i] = 0;
      else if (x[i]! >= most) out[i] = 1;
    }
    return out;
  }

  quantile(u: Float64Array): Float64Array {
    const out = this.#law.quantile(u);
    for (let i = 0; i < u.length; i++) {
      if (!(u[i]! > 0 && u[i]! < 1))
        out[i] = u[i] === 0 ? this.support[0] : u[i] === 1 ? this.support[1] : NaN;
    }
    return out;
  }

  logPdf(x: Float64Array): Float64Array {
    const [least, most] = this.support;
    const out = this.#law.logPdf(x);
    for (let i = 0; i < x.length; i++) if (x[i]! < least || x[i]! > most) out[i] = -Infinity;
    return out;
  }
}

/** The parameters of the greatest likelihood, and its negative logarithm a row. */
function maximum(
  family: Family,
  rows: Float64Array,
  summary: Summary,
): { parameters: number[]; loss: number } {
  const start = family.start(summary);
  const isPositive = family.parameters.map((key) => family.positive.includes(key));
  // Steps of the search are in the logarithm of positive parameters, and in deviations of a location.
  const unit = family.parameters.map((key) => (key === 'location' ? summary.spread : 1));
  const toParameters = (x: readonly number[]): number[] =>
    x.map((value, k) => (isPositive[k] ? start[k]! * Math.exp(value) : start[k]! + unit[k]! * value));
  const loss = (x: readonly number[]): number => {
    const log = family.law(...toParameters(x)).logPdf(rows);
    let sum = 0;
    for (const value of log) sum -= value;
    return sum / rows.length;
  };
  let found = minimise(
    loss,
    start.map(() => 0),
  );
  // A second search from the first one's end, in case it came to rest too early.
  found = minimise(loss, found.x);
  return { parameters: toParameters(found.x), loss: found.value };
}

function thin(sorted: Float64Array): Float64Array {
  if (sorted.length <= MOST_ROWS) return sorted;
  return Float64Array.from(
    { length: MOST_ROWS },
    (_, k) => sorted[Math.round((k * (sorted.length - 1)) / (MOST_ROWS - 1))]!,
  );
}

function summarise(sorted: Float64Array): Summary {
  const rows = sorted.length;
  const at = (level: number): number => sorted[Math.round(level * (rows - 1))]!;
  let mean = 0;
  for (const value of sorted) mean += value / rows;
  let variance = 0;
  for (const value of sorted) variance += (value - mean) ** 2 / rows;
  const deviation = Math.sqrt(variance);
  const spread = (at(0.75) - at(0.25)) / 1.349;
  return { mean, deviation, median: at(0.5), spread: spread > 0 ? spread : deviation, rows };
}
