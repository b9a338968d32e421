import type { Support } from './margin';

/** What a first guess is made from. */
export interface Summary {
  readonly mean: number;
  readonly deviation: number;
  readonly median: number;
  /** Interquartile range / 1.349, a robust standard deviation. */
  readonly spread: number;
  readonly rows: number;
}

/** How a family is fitted; its formulas are in native/margins/laws.cpp, parameters in the same order. */
export interface Family {
  readonly parameters: readonly string[];
  /** Parameters that are positive; their logarithms are what is searched. */
  readonly positive: readonly string[];
  /** All values must lie inside, its ends excluded but where `closed`. */
  readonly domain: Support;
  readonly closed?: boolean;
  start(summary: Summary): readonly number[];
}

const LINE: Support = [-Infinity, Infinity];
const HALF: Support = [0, Infinity];

/** The distributions that `parametric` chooses from. */
export const families = {
  normal: {
    parameters: ['mean', 'deviation'],
    positive: ['deviation'],
    domain: LINE,
    start: ({ mean, deviation }) => [mean, deviation],
  },
  'student-t': {
    parameters: ['location', 'scale', 'df'],
    positive: ['scale', 'df'],
    domain: LINE,
    start: ({ median, spread }) => [median, spread, 5],
  },
  /** asinh((x - location) / scale) shape + skew is standard normal: any skewness, tails heavier than normal ones. */
  'johnson-su': {
    parameters: ['location', 'scale', 'skew', 'shape'],
    positive: ['scale', 'shape'],
    domain: LINE,
    start: ({ median, spread }) => [median, 2 * spread, 0, 2],
  },
  logistic: {
    parameters: ['location', 'scale'],
    positive: ['scale'],
    domain: LINE,
    start: ({ median, spread }) => [median, spread / 1.7],
  },
  gumbel: {
    parameters: ['location', 'scale'],
    positive: ['scale'],
    domain: LINE,
    start: ({ mean, deviation }) => [mean - 0.45 * deviation, 0.78 * deviation],
  },
  'generalised-extreme-value': {
    parameters: ['location', 'scale', 'shape'],
    positive: ['scale'],
    domain: LINE,
    start: ({ mean, deviation }) => [mean - 0.45 * deviation, 0.78 * deviation, 0.01],
  },
  'log-normal': {
    parameters: ['mean', 'deviation'],
    positive: ['deviation'],
    domain: HALF,
    start: ({ mean, deviation, median }) => [
      Math.log(median),
      Math.sqrt(Math.log1p((deviation / mean) ** 2)),
    ],
  },
  exponential: {
    parameters: ['scale'],
    positive: ['scale'],
    domain: HALF,
    closed: true,
    start: ({ mean }) => [mean],
  },
  gamma: {
    parameters: ['shape', 'scale'],
    positive: ['shape', 'scale'],
    domain: HALF,
    start: ({ mean, deviation }) => [(mean / deviation) ** 2, deviation ** 2 / mean],
  },
  weibull: {
    parameters: ['shape', 'scale'],
    positive: ['shape', 'scale'],
    domain: HALF,
    start: ({ mean, deviation }) => [(mean / deviation) ** 1.086, mean],
  },
  beta: {
    parameters: ['a', 'b'],
    positive: ['a', 'b'],
    domain: [0, 1],
    start: ({ mean, deviation }) => {
      const total = Math.max(0.1, (mean * (1 - mean)) / deviation ** 2 - 1);
      return [mean * total, (1 - mean) * total];
    },
  },
} as const satisfies Record<string, Family>;

export type FamilyName = keyof typeof families;
export const familyNames = Object.keys(families) as FamilyName[];
