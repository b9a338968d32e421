import { expectNumber } from '../../errors';
import { type KdeDefinition, callNative } from '../../native';
import { normalCdf } from '../../normal';
import { binLinearly, plugInBandwidth } from './bandwidth';
import {
  Margin,
  type MarginState,
  type MarginSupport,
  expectArray,
  expectParameter,
  mapNumbers,
  marginError,
  stateError,
} from '../basis/margin';
import { type SortedColumn, effectiveSize, quantileOf, sizeOf, supportOf, valueAt } from '../basis/sorted';
import type { Steps } from '../basis/steps';

const POINTS = 1024;
const FEWEST_ROWS = 8;
/** Bandwidths that the grid reaches beyond the data; there the tails begin. */
const REACH = 3;
/** The normal kernel falls there as an exponential tail of this share of the bandwidth. */
const TAIL_SHARE = 1 / 3;
/** What a bias of order h^4 allows, of the bandwidth that is right for one of order h^2. */
const WIDER = 1.4;
/** Of many rows that many blocks are each one value, and as many rows on either side stay alone. */
const BLOCKS = 16_384;
const OUTERMOST = 2000;
/** So many bandwidths from an end of the support the kernel is inside, in double precision. */
const INSIDE = 9;

type KdeParameters = Readonly<{
  rows: number;
  /** Bandwidth on the scale of y. */
  bandwidth: number;
  /** y = asinh((x - location) / scale) */
  location: number;
  scale: number;
  /** The grid of y. */
  from: number;
  step: number;
  /** Scales of the exponential tails in y. */
  lowerScale: number;
  upperScale: number;
}>;

/**
 * A kernel density estimate on the scale y = asinh((x - median) / interquartile range), which is linear in the middle and
 * logarithmic far out: in x the bandwidth grows with the distance, as long tails need.
 *
 * The kernel is normal; its bandwidth h in y is `bandwidth` or 1.4 times that of the direct plug-in rule of two stages. Near
 * an end of the support the estimate is that of Jones and Foster (1996), g = g0 exp(g1 / g0 - 1) with g0 the estimate divided
 * by the kernel's mass inside and g1 the one with the linear boundary kernel: positive, with a bias of order h^2 as in the
 * middle. The density is g(y) times the same estimate of rows with the weights 1 / g(y_i), which takes out that bias and leaves
 * one of order h^4 (Jones, Linton and Nielsen 1995), scaled to a mass of one.
 *
 * Of weighted rows the bandwidth is that of as many rows as they are worth, (sum w)^2 / sum w^2.
 *
 * It is tabulated at 1024 points from 3 bandwidths below to 3 above the data, or from or to the end of the support, and
 * linear between them in y; beyond follow exponential tails in y that continue it, with scale h / 3, the normal kernel's
 * there. Where values stop abruptly the grid ends at the last one, as if the support did, and the tail has a mass of
 * 1 / (n + 1). F is the integral of exactly this density, and the quantile its exact inverse.
 */
export class KdeMargin extends Margin {
  readonly name = 'kde';
  readonly support: MarginSupport;
  readonly parameters: KdeParameters;
  readonly #heights: Float64Array;

  /** @param heights density in y at the points of the grid, positive, with a whole that integrates to one */
  constructor(support: MarginSupport, parameters: KdeParameters, heights: Float64Array) {
    super();
    this.support = support;
    this.parameters = parameters;
    this.#heights = heights;
  }

  /**
   * @param options.bandwidth on the scale of y
   * @param options.share of the default bandwidth
   * @param options.scale where y = 0, and how far from there its scale is linear; default median and interquartile range
   * @param options.abrupt whether the values stop abruptly below and above
   * @throws SklarError ERR_SKLAR_VALUE naming the column: fewer than 8 rows, values outside the support
   */
  static *fit(
    column: SortedColumn,
    given?: MarginSupport,
    options: {
      bandwidth?: number | undefined;
      share?: number;
      scale?: KdeScale | undefined;
      abrupt?: readonly [boolean, boolean];
    } = {},
  ): Steps<KdeMargin> {
    const { sorted } = column;
    const rows = sorted.length;
    if (rows < FEWEST_ROWS) throw marginError(`at least ${FEWEST_ROWS} rows`, 'kde', column.column, rows);
    const support = supportOf(column, 'kde', given);
    const { location, scale } = options.scale ?? usualScale(column);
    if (!reaches({ location, scale }, column)) {
      throw marginError(
        'values of a finite range',
        'kde',
        column.column,
        `${sorted[0]} to ${sorted[rows - 1]}`,
      );
    }
    const size = sizeOf(column);
    const { values, weights } = thinned(column);
    const toY = (value: number): number => Math.asinh((value - location) / scale);
    const y = mapNumbers(values, toY);
    yield;
    const [least, most] = [y[0]!, y[y.length - 1]!];
    const [low, high] = quartiles(column);
    const bandwidth =
      options.bandwidth === undefined
        ? WIDER *
          (options.share ?? 1) *
          plugInBandwidth(
            effectiveCounts(column, binLinearly(y, weights, least, (most - least) / (POINTS - 1), POINTS)),
            (most - least) / (POINTS - 1),
            spreadOf(y, weights, toY(high) - toY(low)),
          )
        : expectNumber(options.bandwidth, `the bandwidth of column ${JSON.stringify(column.column)}`, {
            above: 0,
          });
    yield;
    const ends = support.map(toY) as [number, number];
    const [below, above] = options.abrupt ?? [false, false];
    let from = Math.max(ends[0], below ? least : least - REACH * bandwidth);
    let to = Math.min(ends[1], above ? most : most + REACH * bandwidth);
    // A grid that ends less than a step before the support does ends there, too: no tail has room between.
    const coarse = (to - from) / (POINTS - 1);
    if (from - ends[0] < coarse) from = ends[0];
    if (ends[1] - to < coarse) to = ends[1];
    const step = (to - from) / (POINTS - 1);
    // A narrower kernel would fall between the points of the grid.
    const h = Math.max(bandwidth, step);
    const heights = estimate(binLinearly(y, weights, from, step, POINTS), step, h, [
      below || from === ends[0] ? 0 : Infinity,
      above || to === ends[1] ? 0 : Infinity,
    ]);
    yield;
    const inside = step * heights.reduce((sum, height) => sum + height, 0);
    const scaleOf = (abrupt: boolean, height: number): number =>
      abrupt ? inside / height / (size + 1) : TAIL_SHARE * h;
    const parameters = {
      rows: size,
      bandwidth: h,
      location,
      scale,
      from,
      step,
      lowerScale: scaleOf(below, heights[0]!),
      upperScale: scaleOf(above, heights[POINTS - 1]!),
    };
    const total = integrate(support, parameters, heights);
    return new KdeMargin(
      support,
      parameters,
      heights.map((height) => height / total),
    );
  }

  static fromState(state: MarginState): KdeMargin {
    const bandwidth = expectParameter(state, 'bandwidth', 0);
    // version 0.1.0 has no scales of tails
    const tailOf = (key: string): number =>
      Object.hasOwn(state.parameters, key) ? expectParameter(state, key, 0) : TAIL_SHARE * bandwidth;
    const parameters = {
      rows: expectParameter(state, 'rows', 0),
      bandwidth,
      location: expectParameter(state, 'location'),
      scale: expectParameter(state, 'scale', 0),
      from: expectParameter(state, 'from'),
      step: expectParameter(state, 'step', 0),
      lowerScale: tailOf('lowerScale'),
      upperScale: tailOf('upperScale'),
    };
    const heights = expectArray(state, 'heights', { least: 2 });
    if (!heights.every((height) => height > 0)) throw stateError(state, 'positive numbers "heights"');
    if (Math.abs(integrate(state.support, parameters, heights) - 1) > 1e-9) {
      throw stateError(state, '"heights" of a density that integrates to one');
    }
    return new KdeMargin(state.support, parameters, heights);
  }

  protected override arrays() {
    return { heights: this.#heights };
  }

  protected override definition(): KdeDefinition {
    return definitionOf(this.support, this.parameters, this.#heights);
  }
}

/** y = asinh((x - location) / scale) */
export type KdeScale = Pick<KdeParameters, 'location' | 'scale'>;

/** Median and interquartile range; a quarter of the range of values that are nearly all alike. */
export function usualScale(column: SortedColumn): KdeScale {
  const { sorted } = column;
  const middle = (sizeOf(column) - 1) / 2;
  const [lower, upper] = quartiles(column);
  const spread = upper - lower;
  const [low, high] = [valueAt(column, Math.floor(middle)), valueAt(column, Math.ceil(middle))];
  return {
    location: low / 2 + high / 2,
    scale: spread > 0 ? spread : (sorted.at(-1)! - sorted[0]!) / 4,
  };
}

/** Whether y is finite at all values of a column. */
export function reaches({ location, scale }: KdeScale, { sorted }: SortedColumn): boolean {
  const ends = [sorted[0]!, sorted[sorted.length - 1]!];
  return Number.isFinite(scale) && ends.every((end) => Number.isFinite((end - location) / scale));
}

/** The scales that are logarithmic in the distance from an end of the support, from the nearest value inside on. */
export function logarithmicScales({ values }: SortedColumn, [lower, upper]: MarginSupport): KdeScale[] {
  const scales = [
    { location: lower, scale: (values[0]! > lower ? values[0]! : values[1]!) - lower },
    { location: upper, scale: upper - (values.at(-1)! < upper ? values.at(-1)! : values.at(-2)!) },
  ];
  return scales.filter(({ location, scale }) => Number.isFinite(location) && scale > 0);
}

function definitionOf(
  support: MarginSupport,
  { location, scale, from, step, lowerScale, upperScale }: KdeParameters,
  heights: Float64Array,
): KdeDefinition {
  return {
    kind: 'kde',
    support: Float64Array.from(support),
    location,
    scale,
    from,
    step,
    lowerScale,
    upperScale,
    heights,
  };
}

/** The integral of the density and its tails. */
function integrate(support: MarginSupport, parameters: KdeParameters, heights: Float64Array): number {
  return callNative((addon) => addon.kdeIntegral(definitionOf(support, parameters, heights)));
}

/**
 * Values that stand for one row or several. Of many rows blocks of neighbours are their middle value; the same of values and
 * of their negatives.
 */
function thinned({ sorted, weights: own }: SortedColumn): {
  values: Float64Array;
  weights: Float64Array | null;
} {
  const rows = sorted.length;
  const size = 2 * Math.floor(rows / (2 * BLOCKS)) + 1;
  if (size === 1) return { values: sorted, weights: own?.each ?? null };
  let blocks = Math.floor((rows - 2 * OUTERMOST) / size);
  if ((rows - blocks) % 2 !== 0) blocks--;
  const alone = (rows - blocks * size) / 2;
  const values = new Float64Array(2 * alone + blocks);
  values.set(sorted.subarray(0, alone));
  for (let k = 0; k < blocks; k++) values[alone + k] = sorted[alone + k * size + (size - 1) / 2]!;
  values.set(sorted.subarray(rows - alone), alone + blocks);
  const weights = new Float64Array(values.length).fill(1).fill(size, alone, alone + blocks);
  if (own) {
    for (let k = 0, row = 0; k < weights.length; k++) {
      const end = row + weights[k]!;
      for (weights[k] = 0; row < end; row++) weights[k]! += own.each[row]!;
    }
  }
  return { values, weights };
}

/** As many values as weighted ones are worth, in the same bins: the bandwidth is that of so many rows. */
function effectiveCounts(column: SortedColumn, counts: Float64Array): Float64Array {
  const share = effectiveSize(column) / sizeOf(column);
  return share === 1 ? counts : counts.map((count) => count * share);
}

/** The same of values and of their negatives. */
function quartiles(column: SortedColumn): [number, number] {
  if (column.weights) return [quantileOf(column, 0.25), quantileOf(column, 0.75)];
  const { sorted } = column;
  const quarter = Math.round(0.25 * (sorted.length - 1));
  return [sorted[quarter]!, sorted[sorted.length - 1 - quarter]!];
}

/**
 * The smaller of the standard deviation and what it would be of a normal distribution with these quartiles.
 *
 * @param range between the quartiles
 */
function spreadOf(values: Float64Array, weights: Float64Array | null, range: number): number {
  const rows = weights ? weights.reduce((sum, weight) => sum + weight, 0) : values.length;
  let mean = 0;
  for (let i = 0; i < values.length; i++) mean += (weights ? weights[i]! : 1) * values[i]!;
  mean /= rows;
  let variance = 0;
  for (let i = 0; i < values.length; i++) {
    const deviation = values[i]! - mean;
    variance += (weights ? weights[i]! : 1) * deviation * deviation;
  }
  variance /= rows - 1;
  return range > 0 ? Math.min(range / 1.349, Math.sqrt(variance)) : Math.sqrt(variance);
}

/**
 * The estimate with its bias taken out, at the points of a grid, positive and not scaled.
 *
 * @param gaps 0 where an end of the grid is one of the support, else Infinity
 */
function estimate(
  counts: Float64Array,
  step: number,
  h: number,
  gaps: readonly [number, number],
): Float64Array {
  const pilot = smooth(counts, step, h, gaps);
  // Where rows are the pilot has their own kernels.
  const weighted = counts.map((count, i) => (count > 0 ? count / pilot[i]! : 0));
  const correction = smooth(weighted, step, h, gaps);
  const heights = pilot.map((height, i) => height * correction[i]!);
  // Gaps without any data keep a trace of density, so that F increases.
  const least = heights.reduce((sum, height) => sum + height, 0) * 1e-12;
  return heights.map((height) => Math.max(height, least));
}

/**
 * A sum of kernels at the points of a grid, corrected at the ends of the support.
 *
 * @param gaps 0 where an end of the grid is one of the support, else Infinity
 */
function smooth(
  counts: Float64Array,
  step: number,
  h: number,
  gaps: readonly [number, number],
): Float64Array {
  const points = counts.length;
  const reach = Math.min(points - 1, Math.ceil((8 * h) / step));
  const density = (z: number): number => Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI);
  const kernel = Float64Array.from({ length: reach + 1 }, (_, lag) => density((lag * step) / h));
  // In bandwidths, the distances from each point to the ends of the support.
  const below = Float64Array.from({ length: points }, (_, i) =>
    gaps[0] === 0 ? (-i * step) / h : -Infinity,
  );
  const above = Float64Array.from(below, (_, i) =>
    gaps[1] === 0 ? ((points - 1 - i) * step) / h : Infinity,
  );
  const [inBelow, inAbove] = [normalCdf(below), normalCdf(above)];
  const edge = (z: number): number => (Number.isFinite(z) ? z * density(z) : 0);
  const heights = new Float64Array(points);
  for (let i = 0; i < points; i++) {
    const first = Math.max(0, i - reach);
    const last = Math.min(points - 1, i + reach);
    let s0 = 0;
    for (let j = first; j <= last; j++) s0 += counts[j]! * kernel[j < i ? i - j : j - i]!;
    if (below[i]! < -INSIDE && above[i]! > INSIDE) {
      heights[i] = s0;
      continue;
    }
    let lags = 0;
    for (let j = first; j <= last; j++) lags += counts[j]! * kernel[j < i ? i - j : j - i]! * (j - i);
    const s1 = (lags * step) / h;
    // Moments of the kernel inside the support.
    const [a, b] = [below[i]!, above[i]!];
    const m0 = inAbove[i]! - inBelow[i]!;
    const m1 = density(a) - density(b);
    const m2 = m0 + edge(a) - edge(b);
    const simple = s0 / m0;
    const linear = (m2 * s0 - m1 * s1) / (m0 * m2 - m1 * m1);
    heights[i] = s0 > 0 ? simple * Math.exp(linear / simple - 1) : 0;
  }
  return heights;
}
