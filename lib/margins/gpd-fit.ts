import { callNative } from '../native';
import type { Steps } from './steps';

/** Shapes below have a likelihood that grows without bound at the largest value. */
const LEAST_SHAPE = -0.5;
/** Cramer-von Mises statistic that exceedances of the fitted law pass with probability 0.1 (Choulakian and Stephens 2001). */
const CRITICAL = 0.124;
const LEVELS = [0.7, 0.75, 0.8, 0.85, 0.9, 0.925, 0.95, 0.97, 0.98, 0.99];
const FEWEST = 30;

/** The law of excesses y: the share (1 + shape y / scale)^(-1 / shape) of them is above y. */
export interface GeneralisedPareto {
  readonly scale: number;
  readonly shape: number;
}

/**
 * Maximum likelihood of a generalised Pareto law, by its profile in theta = shape / scale (Grimshaw 1993). Shapes are at
 * least -0.5.
 *
 * @param excesses positive numbers in ascending order, at least 2 different ones
 * @returns the law, and the Cramer-von Mises distance of the excesses from it
 */
export function fitPareto(excesses: Float64Array): GeneralisedPareto & { readonly distance: number } {
  return callNative((addon) => addon.paretoFit(excesses, LEAST_SHAPE));
}

/** The values of sorted ones above a threshold, less the threshold. */
export function excessesOf(sorted: Float64Array, threshold: number): Float64Array {
  let first = sorted.length;
  while (first > 0 && sorted[first - 1]! > threshold) first--;
  const excesses = sorted.slice(first);
  for (let i = 0; i < excesses.length; i++) excesses[i]! -= threshold;
  return excesses;
}

/**
 * The threshold of an upper tail: the lowest of the empirical quantiles at 0.7 to 0.99 with at least 30 values above it,
 * whose excesses a generalised Pareto law fits (Cramer-von Mises, at the level 0.1); where none does, the highest of them.
 * Undefined when no quantile has so many values above it.
 */
export function* chooseThreshold(sorted: Float64Array): Steps<number | undefined> {
  let found: number | undefined;
  for (const level of LEVELS) {
    yield;
    const threshold = sorted[Math.floor(level * (sorted.length - 1))]!;
    const excesses = excessesOf(sorted, threshold);
    if (excesses.length < FEWEST || excesses[0] === excesses.at(-1)) break;
    found = threshold;
    if (fitPareto(excesses).distance < CRITICAL) break;
  }
  return found;
}
