import { normalCdf, normalQuantile } from '../normal';
import { type Support, mapNumbers } from './margin';
import { betaI, gammaP, invert, logBeta, logGamma } from './special';

type Numbers = Float64Array;

/** A distribution with its parameters; functions of many values at once, inside the support. */
export interface Law {
  readonly support: Support;
  cdf(x: Numbers): Numbers;
  quantile(u: Numbers): Numbers;
  logPdf(x: Numbers): Numbers;
}

/** What a first guess is made from. */
export interface Summary {
  readonly mean: number;
  readonly deviation: number;
  readonly median: number;
  /** Interquartile range / 1.349, a robust standard deviation. */
  readonly spread: number;
  readonly rows: number;
}

export interface Family {
  readonly parameters: readonly string[];
  /** Parameters that are positive; their logarithms are what is searched. */
  readonly positive: readonly string[];
  /** All values must lie inside, its ends excluded but where `closed`. */
  readonly domain: Support;
  readonly closed?: boolean;
  start(summary: Summary): readonly number[];
  law(...parameters: number[]): Law;
}

const LINE: Support = [-Infinity, Infinity];
const HALF: Support = [0, Infinity];
const LOG_ROOT = Math.log(2 * Math.PI) / 2;

/** A law on the line from that of (x - location) / scale. */
function located(location: number, scale: number, standard: Law): Law {
  const logScale = Math.log(scale);
  const toStandard = (x: Numbers): Numbers => mapNumbers(x, (value) => (value - location) / scale);
  return {
    support: [location + scale * standard.support[0], location + scale * standard.support[1]],
    cdf: (x) => standard.cdf(toStandard(x)),
    quantile: (u) => mapNumbers(standard.quantile(u), (z) => location + scale * z),
    logPdf: (x) => mapNumbers(standard.logPdf(toStandard(x)), (log) => log - logScale),
  };
}

function lawOf(
  support: Support,
  cdf: (x: number) => number,
  quantile: (u: number) => number,
  logPdf: (x: number) => number,
): Law {
  return {
    support,
    cdf: (x) => mapNumbers(x, cdf),
    quantile: (u) => mapNumbers(u, quantile),
    logPdf: (x) => mapNumbers(x, logPdf),
  };
}

const standardNormal: Law = {
  support: LINE,
  cdf: normalCdf,
  quantile: normalQuantile,
  logPdf: (x) => mapNumbers(x, (z) => (-z * z) / 2 - LOG_ROOT),
};

/** The law of exp(x). */
function exponentiated(law: Law): Law {
  return {
    support: HALF,
    cdf: (x) => law.cdf(mapNumbers(x, Math.log)),
    quantile: (u) => mapNumbers(law.quantile(u), Math.exp),
    logPdf: (x) => {
      const y = mapNumbers(x, Math.log);
      return law.logPdf(y).map((log, i) => log - y[i]!);
    },
  };
}

/** log(1 + shape z) / shape */
function stretch(z: number, shape: number): number {
  return Math.abs(shape) < 1e-9 ? z : Math.log1p(shape * z) / shape;
}

function standardExtreme(shape: number): Law {
  const end = -1 / shape;
  const support: Support = shape > 0 ? [end, Infinity] : shape < 0 ? [-Infinity, end] : LINE;
  return lawOf(
    support,
    (z) => Math.exp(-Math.exp(-stretch(z, shape))),
    (u) => {
      const log = -Math.log(-Math.log(u));
      return Math.abs(shape) < 1e-9 ? log : Math.expm1(shape * log) / shape;
    },
    (z) => {
      const t = stretch(z, shape);
      return -(1 + shape) * t - Math.exp(-t);
    },
  );
}

function standardStudent(df: number): Law {
  const constant = -logBeta(0.5, df / 2) - Math.log(df) / 2;
  const logPdf = (z: number): number => constant - ((df + 1) / 2) * Math.log1p((z * z) / df);
  // The probability beyond |z|, exact far out.
  const beyond = (z: number): number => betaI(df / (df + z * z), df / 2, 0.5) / 2;
  return lawOf(
    LINE,
    (z) => (z < 0 ? beyond(z) : 1 - beyond(z)),
    (u) => {
      if (u === 0.5) return 0;
      const tail = Math.min(u, 1 - u);
      if (tail <= 0) return u === 0 ? -Infinity : u === 1 ? Infinity : NaN;
      const t = invert(
        (s) => -Math.log(beyond(Math.exp(s))),
        (s) => Math.exp(s + logPdf(Math.exp(s))) / beyond(Math.exp(s)),
        -Math.log(tail),
        0,
      );
      return u < 0.5 ? -Math.exp(t) : Math.exp(t);
    },
    logPdf,
  );
}

function gammaLaw(shape: number, scale: number): Law {
  const constant = -logGamma(shape);
  const logPdf = (z: number): number => constant + (shape - 1) * Math.log(z) - z;
  return located(
    0,
    scale,
    lawOf(
      HALF,
      (z) => gammaP(shape, z),
      (u) => {
        if (!(u > 0 && u < 1)) return u === 0 ? 0 : u === 1 ? Infinity : NaN;
        return Math.exp(
          invert(
            (t) => gammaP(shape, Math.exp(t)),
            (t) => Math.exp(t + logPdf(Math.exp(t))),
            u,
            Math.log(shape),
          ),
        );
      },
      (z) => (z === 0 && shape === 1 ? 0 : logPdf(z)),
    ),
  );
}

function betaLaw(a: number, b: number): Law {
  const constant = -logBeta(a, b);
  const logistic = (t: number): number => 1 / (1 + Math.exp(-t));
  const logPdf = (x: number): number => constant + (a - 1) * Math.log(x) + (b - 1) * Math.log1p(-x);
  return lawOf(
    [0, 1],
    (x) => betaI(x, a, b),
    (u) => {
      if (!(u > 0 && u < 1)) return u === 0 ? 0 : u === 1 ? 1 : NaN;
      const t = invert(
        (s) => betaI(logistic(s), a, b),
        (s) => Math.exp(logPdf(logistic(s)) + Math.log(logistic(s)) + Math.log(logistic(-s))),
        u,
        Math.log(a / b),
      );
      return logistic(t);
    },
    logPdf,
  );
}

/** The distributions that `parametric` chooses from. */
export const families = {
  normal: {
    parameters: ['mean', 'deviation'],
    positive: ['deviation'],
    domain: LINE,
    start: ({ mean, deviation }) => [mean, deviation],
    law: (mean: number, deviation: number) => located(mean, deviation, standardNormal),
  },
  'student-t': {
    parameters: ['location', 'scale', 'df'],
    positive: ['scale', 'df'],
    domain: LINE,
    start: ({ median, spread }) => [median, spread, 5],
    law: (location: number, scale: number, df: number) => located(location, scale, standardStudent(df)),
  },
  /** asinh((x - location) / scale) shape + skew is standard normal: any skewness, tails heavier than normal ones. */
  'johnson-su': {
    parameters: ['location', 'scale', 'skew', 'shape'],
    positive: ['scale', 'shape'],
    domain: LINE,
    start: ({ median, spread }) => [median, 2 * spread, 0, 2],
    law: (location: number, scale: number, skew: number, shape: number) => {
      const score = (z: number): number => skew + shape * Math.asinh(z);
      return located(location, scale, {
        support: LINE,
        cdf: (z) => normalCdf(mapNumbers(z, score)),
        quantile: (u) => mapNumbers(normalQuantile(u), (s) => Math.sinh((s - skew) / shape)),
        logPdf: (z) =>
          mapNumbers(
            z,
            (value) => Math.log(shape) - score(value) ** 2 / 2 - LOG_ROOT - Math.log1p(value * value) / 2,
          ),
      });
    },
  },
  logistic: {
    parameters: ['location', 'scale'],
    positive: ['scale'],
    domain: LINE,
    start: ({ median, spread }) => [median, spread / 1.7],
    law: (location: number, scale: number) =>
      located(
        location,
        scale,
        lawOf(
          LINE,
          (z) => 1 / (1 + Math.exp(-z)),
          (u) => Math.log(u) - Math.log1p(-u),
          (z) => -Math.abs(z) - 2 * Math.log1p(Math.exp(-Math.abs(z))),
        ),
      ),
  },
  gumbel: {
    parameters: ['location', 'scale'],
    positive: ['scale'],
    domain: LINE,
    start: ({ mean, deviation }) => [mean - 0.45 * deviation, 0.78 * deviation],
    law: (location: number, scale: number) => located(location, scale, standardExtreme(0)),
  },
  'generalised-extreme-value': {
    parameters: ['location', 'scale', 'shape'],
    positive: ['scale'],
    domain: LINE,
    start: ({ mean, deviation }) => [mean - 0.45 * deviation, 0.78 * deviation, 0.01],
    law: (location: number, scale: number, shape: number) => located(location, scale, standardExtreme(shape)),
  },
  'log-normal': {
    parameters: ['mean', 'deviation'],
    positive: ['deviation'],
    domain: HALF,
    start: ({ mean, deviation, median }) => [
      Math.log(median),
      Math.sqrt(Math.log1p((deviation / mean) ** 2)),
    ],
    law: (mean: number, deviation: number) => exponentiated(located(mean, deviation, standardNormal)),
  },
  exponential: {
    parameters: ['scale'],
    positive: ['scale'],
    domain: HALF,
    closed: true,
    start: ({ mean }) => [mean],
    law: (scale: number) =>
      located(
        0,
        scale,
        lawOf(
          HALF,
          (z) => -Math.expm1(-z),
          (u) => -Math.log1p(-u),
          (z) => -z,
        ),
      ),
  },
  gamma: {
    parameters: ['shape', 'scale'],
    positive: ['shape', 'scale'],
    domain: HALF,
    start: ({ mean, deviation }) => [(mean / deviation) ** 2, deviation ** 2 / mean],
    law: gammaLaw,
  },
  weibull: {
    parameters: ['shape', 'scale'],
    positive: ['shape', 'scale'],
    domain: HALF,
    start: ({ mean, deviation }) => [(mean / deviation) ** 1.086, mean],
    law: (shape: number, scale: number) =>
      located(
        0,
        scale,
        lawOf(
          HALF,
          (z) => -Math.expm1(-(z ** shape)),
          (u) => (-Math.log1p(-u)) ** (1 / shape),
          (z) => (z === 0 && shape === 1 ? 0 : Math.log(shape) + (shape - 1) * Math.log(z) - z ** shape),
        ),
      ),
  },
  beta: {
    parameters: ['a', 'b'],
    positive: ['a', 'b'],
    domain: [0, 1],
    start: ({ mean, deviation }) => {
      const total = Math.max(0.1, (mean * (1 - mean)) / deviation ** 2 - 1);
      return [mean * total, (1 - mean) * total];
    },
    law: betaLaw,
  },
} as const satisfies Record<string, Family>;

export type FamilyName = keyof typeof families;
export const familyNames = Object.keys(families) as FamilyName[];
