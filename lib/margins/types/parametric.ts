import { SklarError } from '../../errors';
import { type MarginDefinition, callNative } from '../../native';
import { type Note, andWords, columnsNote } from '../../notes';
import { atomsOf } from '../basis/auto';
import { atomsNote, shareText, valueText } from '../basis/decisions';
import { type Family, type FamilyName, type Search, type Summary, families, familyNames } from './families';
import {
  Margin,
  type MarginState,
  type MarginSupport,
  expectParameter,
  mapNumbers,
  marginError,
} from '../basis/margin';
import { minimise } from '../basis/minimise';
import { resolutionOf, shortText } from '../basis/rounding';
import {
  type SortedColumn,
  countOf,
  effectiveSize,
  massOf,
  quantileOf,
  sizeOf,
  valueAt,
  withoutValues,
} from '../basis/sorted';
import type { Steps } from '../basis/steps';
import { inferSupport } from '../basis/support';
import { ZeroInflatedMargin } from './zero-inflated';

const FEWEST_ROWS = 8;
/** Of fewer different values hardly any law is likelier than another. */
const FEWEST_VALUES = 3;
/** The likelihood of more values is that of so many rows, at evenly spaced ranks with the first and the last. */
const MOST_VALUES = 20_000;
/** Atoms beside a law, the most frequent ones. */
const MOST_ATOMS = 5;
/** Smaller deviations are lost in the rounding of parameters such as a shape and a scale, whose product is the mean. */
const LEAST_DEVIATION = 1e-11;
/** A search goes on from its end while it gains as many nats a row, for so many rounds. */
const LEAST_GAIN = 1e-8;
const MOST_ROUNDS = 8;
/** What a law has beyond a plain end is told from there on. */
const LEAST_BEYOND = 1e-6;
/** Steps of this share of the spread are told, and let values at the ends of a domain lie beside them. */
const COARSE = 1e-3;

/** A distribution with a formula, fitted by maximum likelihood (docs/mathematics.md, N); `name` is that of its family. */
export class ParametricMargin extends Margin {
  readonly name: FamilyName;
  readonly support: MarginSupport;
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
   * Where values recur they are taken as rounded: the likelihood is that of the intervals of one step around them, which is
   * bounded where a density is not. Values that recur far more often than those around them have probabilities of their own
   * (`zero-inflated`, the law is that of the rest) where that is likelier and `pilesOf` keeps them.
   *
   * @throws SklarError ERR_SKLAR_VALUE naming the column: fewer than 8 rows or 3 different values, values the family cannot
   *   give, no maximum
   */
  static *fit(
    column: SortedColumn,
    wanted: FamilyName | 'parametric',
  ): Steps<ParametricMargin | ZeroInflatedMargin> {
    const { sorted, values } = column;
    if (sorted.length < FEWEST_ROWS) {
      throw marginError(`at least ${FEWEST_ROWS} rows`, wanted, column.column, sorted.length);
    }
    const step = values.length === sorted.length ? 0 : resolutionOf(column);
    const margin = yield* ParametricMargin.#fit(column, wanted, step);
    margin.notes = [...margin.notes, ...beyondNotes(column, margin)];
    return margin;
  }

  static *#fit(
    column: SortedColumn,
    wanted: FamilyName | 'parametric',
    step: number,
  ): Steps<ParametricMargin | ZeroInflatedMargin> {
    const { sorted } = column;
    const { kept, left } = pilesOf(column);
    const whole = yield* fitBeside(column, left, wanted, step);
    const mixed =
      kept.length > 0 || whole instanceof SklarError
        ? yield* fitMixture(column, kept, left, wanted, step)
        : null;
    if (mixed && (whole instanceof SklarError || mixed.aic < whole.aic)) return mixed.margin;
    if (whole instanceof SklarError) throw whole;
    const beside = withoutValues(column, new Set(kept)).sorted.length;
    const isFree = wanted === 'parametric' && !mixed && kept.length > 0;
    if (isFree && beside < FEWEST_ROWS && aicOfValues(column) < whole.aic) {
      throw marginError(
        `at least ${FEWEST_ROWS} rows beside the values that recur (discrete takes fewer)`,
        wanted,
        column.column,
        `${beside} of ${sorted.length} rows`,
      );
    }
    return whole.margin;
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

/** What a law has beyond ends that the column makes plain, or that are atoms; laws have no ends but their own. */
function beyondNotes(column: SortedColumn, margin: Margin): Note[] {
  const { sorted } = column;
  const [lower, upper] = inferSupport(column).support;
  const atoms = new Set(atomsOf(column));
  const [least, most] = [sorted[0]!, sorted[sorted.length - 1]!];
  const low = atoms.has(least) ? least : lower;
  const high = atoms.has(most) ? most : upper;
  const shares = [
    ['below', low, margin.cdfBefore(Float64Array.of(low))[0]!],
    ['above', high, margin.survival(Float64Array.of(high))[0]!],
  ] as const;
  const parts = shares
    .filter(([, , share]) => share >= LEAST_BEYOND)
    .map(([side, end, share]) => `${shareText(share)} of its probability ${side} ${valueText(end)}`);
  if (parts.length === 0) return [];
  const ends = low === lower && high === upper ? '; auto and kde end there' : '';
  const text = `the ${lawOf(margin)} law has ${andWords(parts)}, where the data have no value${ends}`;
  return [columnsNote('fit', [column.column], text)];
}

function lawOf(margin: Margin): string {
  return margin instanceof ZeroInflatedMargin ? margin.rest.name : margin.name;
}

/** Of the law that gives each value the share of its rows. */
function aicOfValues(column: SortedColumn): number {
  const { last } = column;
  let entropy = 0;
  last.forEach((_, k) => {
    const share = massOf(column, k) / sizeOf(column);
    entropy -= share * Math.log(share);
  });
  return 2 * effectiveSize(column) * entropy + 2 * (last.length - 1);
}

interface Fit<M extends Margin> {
  readonly aic: number;
  readonly margin: M;
}

/** The law of least AIC, or why there is none. */
function* fitLaw(
  column: SortedColumn,
  wanted: FamilyName | 'parametric',
  step: number,
): Steps<Fit<ParametricMargin> | SklarError> {
  const { sorted, values } = column;
  const refused = (expected: string, got: string | number): SklarError =>
    marginError(expected, wanted, column.column, got);
  if (values.length < FEWEST_VALUES) {
    return refused(
      `at least ${FEWEST_VALUES} different values (discrete takes fewer)`,
      `${values.length} of ${sorted.length} rows`,
    );
  }
  let best: Fit<ParametricMargin> | undefined;
  let refusal: SklarError | undefined;
  for (const name of wanted === 'parametric' ? familyNames : [wanted]) {
    const found = yield* maximum(name, column, step, refused);
    if (found instanceof SklarError) {
      refusal ??= found;
      continue;
    }
    const { parameters, loss, bounds } = found;
    // Laws that have run to the end of their boxes are limits, most of them of simpler laws, which are candidates themselves.
    if (wanted === 'parametric' && bounds.length > 0) continue;
    const aic = 2 * parameters.length + 2 * loss * effectiveSize(column);
    if (best && best.aic <= aic) continue;
    const margin = new ParametricMargin(name, parameters);
    // of rounded values one may lie at an end where the law has no density or no bound of it
    const ends = margin.logPdf(Float64Array.of(sorted[0]!, sorted.at(-1)!));
    if (wanted === 'parametric' && !ends.every((log) => Number.isFinite(log))) continue;
    margin.notes = [...found.notes, ...bounds];
    best = { aic, margin };
  }
  if (best) return best;
  return refusal ?? refused('a likelihood with a maximum', 'none');
}

/**
 * The values that recur far more often than those around them. Kept as atoms are zeros, outermost values, and all of them where
 * they make up half of the rows: a law can say nothing of such a column. Others, inside a law and fewer, may stand for values
 * of that law that were not known; they are left to it.
 */
function pilesOf(column: SortedColumn): { kept: number[]; left: number[] } {
  const { sorted, values } = column;
  const rowsOf = (atom: number): number => countOf(column, values.indexOf(atom));
  const atoms = atomsOf(column)
    .sort((a, b) => rowsOf(b) - rowsOf(a))
    .slice(0, MOST_ATOMS)
    .sort((a, b) => a - b);
  const rows = atoms.reduce((sum, atom) => sum + rowsOf(atom), 0);
  const isKept = (atom: number): boolean =>
    atom === 0 || atom === values[0] || atom === values.at(-1) || 2 * rows >= sorted.length;
  return { kept: atoms.filter(isKept), left: atoms.filter((atom) => !isKept(atom)) };
}

/** A law of all rows, of a family that is chosen by those which are no pile: piles would favour peaked ones. */
function* fitBeside(
  column: SortedColumn,
  left: readonly number[],
  wanted: FamilyName | 'parametric',
  step: number,
): Steps<Fit<ParametricMargin> | SklarError> {
  if (left.length === 0) return yield* fitLaw(column, wanted, step);
  let name: FamilyName;
  if (wanted === 'parametric') {
    const others = yield* fitLaw(withoutValues(column, new Set(left)), wanted, step);
    if (others instanceof SklarError) return others;
    name = others.margin.name;
  } else {
    name = wanted;
  }
  const law = yield* fitLaw(column, name, step);
  if (law instanceof SklarError) return law;
  if (wanted === 'parametric' && law.margin.notes.some(({ code }) => code === 'bound')) {
    return marginError('a likelihood with a maximum', wanted, column.column, 'none');
  }
  const { values } = column;
  const piles = left.map(
    (value) => `${valueText(value)} (${shareText(massOf(column, values.indexOf(value)) / sizeOf(column))})`,
  );
  const many = piles.length > 1;
  const text = `${andWords(piles)} ${many ? 'recur' : 'recurs'} more often than a ${name} law says, and ${many ? 'have' : 'has'} no probability of ${many ? 'their' : 'its'} own as in auto and zero-inflated`;
  law.margin.notes = [...law.margin.notes, columnsNote('ties', [column.column], text)];
  return law;
}

/** A law beside atoms; null where too few other rows are left or they have no law. */
function* fitMixture(
  column: SortedColumn,
  kept: readonly number[],
  left: readonly number[],
  wanted: FamilyName | 'parametric',
  step: number,
): Steps<Fit<ZeroInflatedMargin> | null> {
  const { values } = column;
  let atoms = kept;
  let law: Fit<ParametricMargin> | SklarError | undefined;
  for (const [those, others] of [
    [kept, left],
    [[...kept, ...left].sort((a, b) => a - b), []],
  ] as const) {
    const rest = withoutValues(column, new Set(those));
    if (those.length === 0 || rest.sorted.length < FEWEST_ROWS) continue;
    atoms = those;
    law = yield* fitBeside(rest, others, wanted, step);
    if (!(law instanceof SklarError)) break;
  }
  if (!law || law instanceof SklarError) return null;
  const masses = Float64Array.from(atoms, (atom) => massOf(column, values.indexOf(atom)) / sizeOf(column));
  const margin = new ZeroInflatedMargin(Float64Array.from(atoms), masses, law.margin);
  margin.notes = [atomsNote(column.column, Float64Array.from(atoms), masses), ...law.margin.notes];
  const share = 1 - masses.reduce((sum, mass) => sum + mass, 0);
  const entropy = masses.reduce((sum, mass) => sum - mass * Math.log(mass), -share * Math.log(share));
  // They were sought among all values.
  const penalty = 2 * atoms.length * (1 + Math.log(values.length));
  return { aic: law.aic + 2 * effectiveSize(column) * entropy + penalty, margin };
}

interface Maximum {
  readonly parameters: number[];
  /** The negative logarithm of the likelihood, a row. */
  readonly loss: number;
  readonly notes: readonly Note[];
  readonly bounds: readonly Note[];
}

/** The parameters of the greatest likelihood, or why there are none. */
function* maximum(
  name: FamilyName,
  sortedColumn: SortedColumn,
  step: number,
  refused: (expected: string, got: string | number) => SklarError,
): Steps<Maximum | SklarError> {
  const { sorted, column } = sortedColumn;
  const family: Family = families[name];
  const isLine = family.location !== undefined;
  const unit = standardUnits(sortedColumn, isLine ? 'line' : family.domain[1] === 1 ? 'unit' : 'half');
  const summary = summarise(sortedColumn, unit.of);
  const { mean, deviation } = summary;
  const size = step / unit.size;
  const isCoarse = size > COARSE * Math.min(summary.spread, deviation);

  const [lower, upper] = family.domain;
  const reach = isCoarse ? step / 2 : 0;
  const outside = [sorted[0]!, sorted.at(-1)!].find((value) =>
    family.closed || reach > 0 ? value < lower || value > upper : value <= lower || value >= upper,
  );
  if (outside !== undefined) {
    return refused(
      `values ${family.closed ? 'from' : 'strictly between'} ${lower} ${family.closed ? 'to' : 'and'} ${upper}`,
      outside,
    );
  }
  if (!isLine && deviation < LEAST_DEVIATION * (upper === 1 ? Math.min(mean, 1 - mean) : mean)) {
    return refused(
      `a deviation of at least ${LEAST_DEVIATION} of the distance from ${upper === 1 && mean > 0.5 ? 1 : 0}`,
      deviation / mean,
    );
  }
  const search = family.search(summary);
  const rows = grouped(sortedColumn, unit.of);
  const found = yield* searchFrom(search, (parameters) =>
    callNative((addon) => addon.lawLoss(name, Float64Array.from(parameters), rows.values, rows.counts, size)),
  );
  if (!Number.isFinite(found.loss)) return refused('a likelihood with a maximum', 'none');

  const parameters = found.parameters.map((value, k) => {
    const key = family.parameters[k];
    if (key === family.location) return unit.origin + unit.size * value;
    if (key === family.scale) return unit.size * value;
    return key === family.log ? value + Math.log(unit.size) : value;
  });
  const ends = endsReached(search, found.coordinates);
  const keyOf = (k: number): string => search.coordinates[k]!.name ?? family.parameters[k]!;
  const peak = ends.find(({ degenerate }) => degenerate);
  if (peak) return refused('a likelihood with a maximum', `one that grows as ${keyOf(peak.k)} goes to 0`);
  if (
    !parameters.every(
      (value, k) =>
        Number.isFinite(value) && (!family.positive.includes(family.parameters[k]!) || value > 1e-306),
    )
  ) {
    return refused(
      'values in units in which the parameters are floating-point numbers',
      parameters.map(String).join(' and '),
    );
  }
  return {
    parameters,
    // densities are of y, whose unit is that of a family; probabilities of intervals have none
    loss: step > 0 ? found.loss : found.loss + Math.log(unit.size),
    notes: isCoarse
      ? [
          columnsNote(
            'rounding',
            [column],
            `values are multiples of ${shortText(step)}, and the likelihood is that of rounded ones`,
          ),
        ]
      : [],
    bounds: ends.map(({ k, end }) =>
      columnsNote(
        'bound',
        [column],
        `${keyOf(k)} of its ${name} margin is at the end of the range that is searched, ${shortText(end)}`,
      ),
    ),
  };
}

/** Nelder and Mead's search in the coordinates of a family, cut off at the ends of their ranges. */
function* searchFrom(
  { coordinates, starts, others = [], parametersOf = (at) => [...at] }: Search,
  lossOf: (parameters: readonly number[]) => number,
): Steps<{ coordinates: number[]; parameters: number[]; loss: number }> {
  const clamped = (at: readonly number[]): number[] =>
    at.map((value, k) => Math.min(coordinates[k]!.most, Math.max(coordinates[k]!.least, value)));
  const lossAt = (at: readonly number[]): number => {
    const loss = lossOf(parametersOf(at));
    return Number.isNaN(loss) ? Infinity : loss;
  };
  let best = { at: [] as number[], loss: Infinity };
  for (const list of others.length > 0 ? [starts, others] : [starts]) {
    const losses = list.map((start) => lossAt(clamped(start)));
    let at = clamped(list[losses.indexOf(Math.min(...losses))]!);
    let loss = Infinity;
    // Searches from the end of the one before, in case it came to rest too early.
    for (let round = 0, gain = Infinity; round < 2 || (gain > LEAST_GAIN && round < MOST_ROUNDS); round++) {
      const from = at;
      const moved = (x: readonly number[]): number[] =>
        clamped(
          x.map((value, k) => {
            const { unit } = coordinates[k]!;
            return unit === 'log' ? from[k]! * Math.exp(value) : from[k]! + unit * value;
          }),
        );
      const found = yield* minimise(
        (x) => lossAt(moved(x)),
        from.map(() => 0),
      );
      at = moved(found.x);
      gain = loss - found.value;
      loss = found.value;
    }
    if (best.at.length === 0 || loss < best.loss) best = { at, loss };
  }
  return { coordinates: best.at, parameters: parametersOf(best.at), loss: best.loss };
}

/** Which coordinates are at an end of their range. */
function endsReached(
  { coordinates }: Search,
  at: readonly number[],
): { k: number; end: number; degenerate: boolean }[] {
  const near = 1e-3;
  return coordinates.flatMap(({ unit, least, most, degenerate = false }, k) =>
    [least, most]
      .filter((end) => Number.isFinite(end) && (unit !== 'log' || end > 0))
      .filter((end) =>
        unit === 'log' ? Math.abs(Math.log(at[k]! / end)) < near : Math.abs(at[k]! - end) < near * unit,
      )
      .map((end) => ({ k, end, degenerate: degenerate && end === least })),
  );
}

/** Different values with how often they occur; of many those of evenly spaced rows. */
function grouped(
  column: SortedColumn,
  of: (value: number) => number,
): { values: Float64Array; counts: Float64Array } {
  const { values } = column;
  if (values.length <= MOST_VALUES) {
    return { values: mapNumbers(values, of), counts: values.map((_, k) => massOf(column, k)) };
  }
  const rows = Float64Array.from({ length: MOST_VALUES }, (_, k) => {
    const rank = (k * (sizeOf(column) - 1)) / (MOST_VALUES - 1);
    return of(valueAt(column, column.weights ? rank : Math.round(rank)));
  });
  return { values: rows, counts: new Float64Array(rows.length).fill(1) };
}

/**
 * Units of a search, in which neither offsets nor magnitudes matter: on a line (x - median) / spread, on a half line
 * x / median, with powers of two in place of spread and median so that nothing is rounded.
 */
function standardUnits(
  column: SortedColumn,
  domain: 'line' | 'half' | 'unit',
): { origin: number; size: number; of: (value: number) => number } {
  if (domain === 'unit') return { origin: 0, size: 1, of: (value) => value };
  const at = (level: number): number => quantileOf(column, level);
  if (domain === 'half') {
    const size = powerOfTwo(at(0.5) > 0 ? at(0.5) : column.sorted.at(-1)!);
    return { origin: 0, size, of: (value) => value / size };
  }
  const origin = at(0.5);
  // halves, since differences of great numbers overflow
  const half = (level: number): number => at(level) / 2 - origin / 2;
  const size = powerOfTwo(
    half(0.75) - half(0.25) > 0 ? half(0.75) - half(0.25) : Math.max(half(1), -half(0)),
  );
  return {
    origin,
    size,
    of: (value) => {
      const difference = value - origin;
      return Number.isFinite(difference) ? difference / size : (value / 2 - origin / 2) / (size / 2);
    },
  };
}

function powerOfTwo(value: number): number {
  return 2 ** Math.max(-1022, Math.min(1022, Math.floor(Math.log2(value))));
}

function summarise(column: SortedColumn, of: (value: number) => number): Summary {
  const { weights } = column;
  const sorted = mapNumbers(column.sorted, of);
  const at = (level: number): number => of(quantileOf(column, level));
  const [mean, deviation] = moments(sorted, weights);
  const spread = (at(0.75) - at(0.25)) / 1.349;
  const [logMean, logDeviation] = sorted[0]! > 0 ? moments(mapNumbers(sorted, Math.log), weights) : [0, 1];
  return {
    mean,
    deviation,
    median: at(0.5),
    spread: spread > 0 ? spread : deviation,
    logMean,
    logDeviation: logDeviation > 0 ? logDeviation : deviation / mean,
  };
}

/** Mean and standard deviation, of ascending numbers. */
function moments(sorted: Float64Array, weights: SortedColumn['weights']): readonly [number, number] {
  const rows = weights ? weights.rows : sorted.length;
  const weightOf = (i: number): number => (weights ? weights.each[i]! : 1);
  const largest = Math.max(-sorted[0]!, sorted.at(-1)!);
  let mean = 0;
  sorted.forEach((value, i) => (mean += (weightOf(i) * value) / rows));
  let variance = 0;
  sorted.forEach((value, i) => (variance += (weightOf(i) * ((value - mean) / largest) ** 2) / rows));
  return [mean, largest * Math.sqrt(variance)];
}
