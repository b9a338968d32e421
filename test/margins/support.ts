import type { Margin } from '../../lib';
import { normals, uniforms } from '../helpers/data';

export type Draw = (seed: number) => () => number;

/** Simple generators of known distributions, by inversion or by definition. */
export const draws = {
  normal: normals,
  uniform: uniforms,
  exponential: (seed) => {
    const next = uniforms(seed);
    return () => -Math.log(next());
  },
  lognormal: (seed) => {
    const next = normals(seed);
    return () => Math.exp(next());
  },
  cauchy: (seed) => {
    const next = uniforms(seed);
    return () => Math.tan(Math.PI * (next() - 0.5));
  },
  /** Of shape k: the sum of k exponential numbers. */
  gamma3: (seed) => {
    const next = uniforms(seed);
    return () => -Math.log(next() * next() * next());
  },
  /** Two far hills. */
  bimodal: (seed) => {
    const next = normals(seed);
    const coin = uniforms(seed + 1);
    return () => (coin() < 0.3 ? -10 : 10) + next();
  },
} satisfies Record<string, Draw>;

export function sample(draw: Draw, rows: number, seed: number): Float64Array {
  const next = draw(seed);
  return Float64Array.from({ length: rows }, () => next());
}

/** The Kolmogorov-Smirnov distance of levels from uniform ones. */
export function uniformDistance(levels: Float64Array): number {
  const sorted = Float64Array.from(levels).sort();
  const n = sorted.length;
  return sorted.reduce((most, u, i) => Math.max(most, u - i / n, (i + 1) / n - u), 0);
}

/** The distance that two empirical distributions of one law keep, at the level 0.001. */
export function criticalDistance(rows: number, trainingRows: number): number {
  return 1.95 * Math.sqrt(1 / rows + 1 / trainingRows);
}

/** Levels of values, random in the jumps. */
export function levelsOf(margin: Margin, x: Float64Array, seed = 99): Float64Array {
  const next = uniforms(seed);
  const before = margin.cdfBefore(x);
  return margin.cdf(x).map((level, i) => before[i]! + next() * (level - before[i]!));
}

/** The integral of a margin's density by the trapezoidal rule over quantiles, which lie where it is large. */
export function integral(margin: Margin, points = 20_000): number {
  const x = margin.quantile(Float64Array.from({ length: points }, (_, i) => (i + 0.5) / points));
  const density = margin.logPdf(x).map(Math.exp);
  let sum = 0;
  for (let i = 1; i < points; i++) sum += ((density[i]! + density[i - 1]!) / 2) * (x[i]! - x[i - 1]!);
  return sum;
}
