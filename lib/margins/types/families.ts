import type { MarginSupport } from '../basis/margin';

/** What a first guess is made from, of values in units in which their median or their spread is about 1. */
export interface Summary {
  readonly mean: number;
  readonly deviation: number;
  readonly median: number;
  /** Interquartile range / 1.349, a robust standard deviation. */
  readonly spread: number;
  /** Of the logarithms, where all values are positive. */
  readonly logMean: number;
  readonly logDeviation: number;
}

/** A number that is searched: in multiples of a unit, or by its logarithm. */
interface Coordinate {
  /** Where it is no parameter. */
  readonly name?: string;
  readonly unit: number | 'log';
  readonly least: number;
  readonly most: number;
  /** What is at `least` has no maximum. */
  readonly degenerate?: boolean;
}

/** Where the likelihood of a family is searched; coordinates are the parameters unless `parametersOf` says otherwise. */
export interface Search {
  readonly coordinates: readonly Coordinate[];
  /** The likeliest of them is where the search begins. */
  readonly starts: readonly (readonly number[])[];
  /** The likeliest of these is where another search begins, of likelihoods that may have two maxima. */
  readonly others?: readonly (readonly number[])[];
  readonly parametersOf?: (coordinates: readonly number[]) => number[];
}

/** How a family is fitted; its formulas are in native/margins/laws.cpp, parameters in the same order. */
export interface Family {
  readonly parameters: readonly string[];
  readonly positive: readonly string[];
  /** Which parameters move with the values, which are multiplied with them; `log` moves with their logarithms. */
  readonly location?: string;
  readonly scale?: string;
  readonly log?: string;
  /** All values must lie inside, its ends excluded but where `closed`. */
  readonly domain: MarginSupport;
  readonly closed?: boolean;
  search(summary: Summary): Search;
}

const LINE: MarginSupport = [-Infinity, Infinity];
const HALF: MarginSupport = [0, Infinity];
/** Scales below this share of the spread are a peak at single values. */
const NARROWEST = 1e-3;

const real = (unit: number, least = -Infinity, most = Infinity): Coordinate => ({ unit, least, most });
const positive = (least: number, most: number): Coordinate => ({ unit: 'log', least, most });
/** Of values whose deviation may be many orders smaller than what they are near. */
const centre = (name: string, value: number, deviation: number): Coordinate =>
  deviation < 0.3 * value ? { name, ...real(deviation, 0) } : { name, ...positive(0, Infinity) };
const scaleOf = ({ spread, deviation }: Summary, most = Infinity): Coordinate => ({
  unit: 'log',
  least: NARROWEST * Math.min(spread, deviation),
  most,
  degenerate: true,
});

/** Median, deviation, skew / shape and shape of heavy tails and of nearly normal ones, skewed to one side. */
const johnsonStarts = ({ median, spread, deviation }: Summary, sign: number): number[][] => [
  [median, spread, 0.5 * sign, 2],
  [median, spread, 0.5 * sign, 0.7],
  [median, deviation, 3 * sign, 10],
];

/** The distributions that `parametric` chooses from. */
export const families = {
  normal: {
    parameters: ['mean', 'deviation'],
    positive: ['deviation'],
    location: 'mean',
    scale: 'deviation',
    domain: LINE,
    search: (summary) => ({
      coordinates: [real(summary.deviation), scaleOf(summary)],
      starts: [[summary.mean, summary.deviation]],
    }),
  },
  'student-t': {
    parameters: ['location', 'scale', 'df'],
    positive: ['scale', 'df'],
    location: 'location',
    scale: 'scale',
    domain: LINE,
    search: (summary) => ({
      coordinates: [real(summary.spread), scaleOf(summary, 1e3 * summary.spread), positive(0.2, 1e6)],
      starts: [
        [summary.median, summary.spread, 5],
        [summary.median, summary.spread / 2, 1],
      ],
    }),
  },
  /** asinh((x - location) / scale) shape + skew is standard normal: any skewness, tails heavier than normal ones. */
  'johnson-su': {
    parameters: ['location', 'scale', 'skew', 'shape'],
    positive: ['scale', 'shape'],
    location: 'location',
    scale: 'scale',
    domain: LINE,
    // by median, deviation there and skew / shape: locations and scales of laws near normal ones run away together
    search: (summary) => ({
      coordinates: [
        real(summary.spread),
        scaleOf(summary),
        { name: 'skew / shape', ...real(1, -12, 12) },
        { name: 'shape', ...positive(0.1, 1e3) },
      ],
      starts: johnsonStarts(summary, 1),
      others: johnsonStarts(summary, -1),
      parametersOf: ([median, deviation, turn, shape]) => {
        const scale = (deviation! * shape!) / Math.cosh(turn!);
        return [median! + scale * Math.sinh(turn!), scale, turn! * shape!, shape!];
      },
    }),
  },
  logistic: {
    parameters: ['location', 'scale'],
    positive: ['scale'],
    location: 'location',
    scale: 'scale',
    domain: LINE,
    search: (summary) => ({
      coordinates: [real(summary.spread), scaleOf(summary)],
      starts: [
        [summary.median, summary.spread / 1.7],
        [summary.mean, summary.deviation / 1.8],
      ],
    }),
  },
  gumbel: {
    parameters: ['location', 'scale'],
    positive: ['scale'],
    location: 'location',
    scale: 'scale',
    domain: LINE,
    search: (summary) => ({
      coordinates: [real(summary.spread), scaleOf(summary)],
      starts: gumbelStarts(summary),
    }),
  },
  'generalised-extreme-value': {
    parameters: ['location', 'scale', 'shape'],
    positive: ['scale'],
    location: 'location',
    scale: 'scale',
    domain: LINE,
    search: (summary) => ({
      // a shape of -1 is a density that jumps at its end, and below it the likelihood has no bound
      coordinates: [real(summary.spread), scaleOf(summary), real(1, -0.95, 10)],
      starts: gumbelStarts(summary).flatMap((start) => [
        [...start, 0],
        [...start, 0.3],
        [...start, -0.2],
      ]),
    }),
  },
  'log-normal': {
    parameters: ['mean', 'deviation'],
    positive: ['deviation'],
    log: 'mean',
    domain: HALF,
    search: ({ logMean, logDeviation }) => ({
      coordinates: [real(logDeviation), { ...positive(NARROWEST * logDeviation, 700), degenerate: true }],
      starts: [[logMean, logDeviation]],
    }),
  },
  exponential: {
    parameters: ['scale'],
    positive: ['scale'],
    scale: 'scale',
    domain: HALF,
    closed: true,
    search: (summary) => ({ coordinates: [positive(0, Infinity)], starts: [[summary.mean]] }),
  },
  gamma: {
    parameters: ['shape', 'scale'],
    positive: ['shape', 'scale'],
    scale: 'scale',
    domain: HALF,
    // by mean and shape, which are orthogonal
    search: ({ mean, deviation, logDeviation }) => ({
      coordinates: [centre('mean', mean, deviation), { name: 'shape', ...positive(1e-3, 1e24) }],
      starts: [
        [mean, (mean / deviation) ** 2],
        [mean, logDeviation > 1 ? 1 / logDeviation : 1 / logDeviation ** 2],
      ],
      parametersOf: ([of, shape]) => [shape!, of! / shape!],
    }),
  },
  weibull: {
    parameters: ['shape', 'scale'],
    positive: ['shape', 'scale'],
    scale: 'scale',
    domain: HALF,
    search: ({ mean, deviation, logMean, logDeviation }) => {
      const shape = 1.28 / logDeviation;
      return {
        coordinates: [positive(1e-3, 1e13), centre('scale', mean, deviation)],
        starts: [
          [(mean / deviation) ** 1.086, mean],
          [shape, Math.exp(logMean + 0.577 / shape)],
        ],
      };
    },
  },
  beta: {
    parameters: ['a', 'b'],
    positive: ['a', 'b'],
    domain: [0, 1],
    // by mean and a + b
    search: ({ mean, deviation }) => ({
      coordinates: [
        { name: 'mean', ...real(Math.min(deviation, mean / 2, (1 - mean) / 2), 0, 1) },
        { name: 'a + b', ...positive(2e-3, 1e25) },
      ],
      starts: [[mean, Math.max(0.1, (mean * (1 - mean)) / deviation ** 2 - 1)]],
      parametersOf: ([of, total]) => [of! * total!, (1 - of!) * total!],
    }),
  },
} as const satisfies Record<string, Family>;

function gumbelStarts({ mean, deviation, median, spread }: Summary): number[][] {
  return [
    [mean - 0.45 * deviation, 0.78 * deviation],
    [median - 0.28 * spread, 0.78 * spread],
  ];
}

export type FamilyName = keyof typeof families;
export const familyNames = Object.keys(families) as FamilyName[];
