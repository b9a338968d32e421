import { type MarginDefinition, callNative } from '../native';
import { type Family, type FamilyName, type Summary, families, familyNames } from './families';
import { Margin, type MarginState, type Support, expectParameter, marginError } from './margin';
import { minimise } from './minimise';
import type { SortedColumn } from './sorted';
import type { Steps } from './steps';

const FEWEST_ROWS = 8;
/** The likelihood of more rows is that of so many of them, at evenly spaced ranks with the first and the last. */
const MOST_ROWS = 20_000;

/** A distribution with a formula, fitted by maximum likelihood; `name` is that of its family. */
export class ParametricMargin extends Margin {
  readonly name: FamilyName;
  readonly support: Support;
  readonly parameters: Readonly<Record<string, number>>;

  constructor(name: FamilyName, values: readonly number[]) {
    super();
    const family: Family = families[name];
    this.name = name;
    this.parameters = Object.fromEntries(family.parameters.map((key, k) => [key, values[k]!]));
    const [least, most] = callNative((addon) => addon.marginSupport(this.handle));
    this.support = [least!, most!];
  }

  /**
   * Fits one family, or all that could have given the values, of which the least AIC wins.
   *
   * @throws SklarError ERR_SKLAR_VALUE naming the column: fewer than 8 rows, values the family cannot give, no maximum
   */
  static *fit(column: SortedColumn, wanted: FamilyName | 'parametric'): Steps<ParametricMargin> {
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
      const { parameters, loss } = yield* maximum(name, rows, summary);
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

  protected override definition(): MarginDefinition {
    return {
      kind: 'law',
      family: this.name,
      parameters: Float64Array.from(Object.values(this.parameters)),
    };
  }
}

/** The parameters of the greatest likelihood, and its negative logarithm a row. */
function* maximum(
  name: FamilyName,
  rows: Float64Array,
  summary: Summary,
): Steps<{ parameters: number[]; loss: number }> {
  const family: Family = families[name];
  const start = family.start(summary);
  const isPositive = family.parameters.map((key) => family.positive.includes(key));
  // Steps of the search are in the logarithm of positive parameters, and in deviations of a location.
  const unit = family.parameters.map((key) => (key === 'location' ? summary.spread : 1));
  const toParameters = (x: readonly number[]): number[] =>
    x.map((value, k) => (isPositive[k] ? start[k]! * Math.exp(value) : start[k]! + unit[k]! * value));
  const loss = (x: readonly number[]): number =>
    callNative((addon) => addon.lawLoss(name, Float64Array.from(toParameters(x)), rows));
  let found = yield* minimise(
    loss,
    start.map(() => 0),
  );
  // A second search from the first one's end, in case it came to rest too early.
  found = yield* minimise(loss, found.x);
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
