import { callNative } from '../../native';
import { mapNumbers } from '../basis/margin';
import { minimise } from '../basis/minimise';
import { type SortedColumn, sizeOf, valueAt } from '../basis/sorted';
import type { Steps } from '../basis/steps';

/** Shapes below have a likelihood that grows without bound at the largest value. */
const LEAST_SHAPE = -1;
/** Of fewer excesses a likelihood is too often greatest where the law ends at the largest of them. */
const LEAST_SHAPE_OF_FEW = -0.5;
const MANY = 30;
/** Cramer-von Mises statistic that exceedances of the fitted law pass with probability 0.1 (Choulakian and Stephens 2001). */
const CRITICAL = 0.124;
const LEVELS = [0.7, 0.75, 0.8, 0.85, 0.9, 0.925, 0.95, 0.97, 0.98, 0.99];
const FEWEST = 30;
/** Values are rounded where their step is at least this share of the mean excess. */
const COARSE = 1e-3;

/** Of more values so many, evenly spaced in order, tell of a heavy tail. */
const MOST_LOOKED = 100_000;
/** Shapes so many standard errors below 0 are those of exponential tails. */
const NEAR_EXPONENTIAL = 2;

/** The law of excesses y: the share (1 + shape y / scale)^(-1 / shape) of them is above y. */
export interface GeneralisedPareto {
  readonly scale: number;
  readonly shape: number;
}

export interface ParetoFit extends GeneralisedPareto {
  /** The Cramer-von Mises distance of the excesses from the law. */
  readonly distance: number;
  /** The end of the range of shapes that the estimate is at. */
  readonly bound: number | null;
}

/**
 * Maximum likelihood of a generalised Pareto law, by its profile in theta = shape / scale (Grimshaw 1993); of rounded
 * excesses that of the intervals of one step around them, from there on. Shapes are at least -1, of fewer than 30 excesses
 * -0.5.
 *
 * @param excesses positive numbers in ascending order, at least 2 different ones, with their weights; null: all count alike
 * @param step of which the values are multiples; 0 where none recurs
 */
export function* fitPareto({ excesses, weights }: Excesses, step = 0): Steps<ParetoFit> {
  const rows = excesses.length;
  const least = rows < MANY ? LEAST_SHAPE_OF_FEW : LEAST_SHAPE;
  const exact = callNative((addon) => addon.paretoFit(excesses, least, weights));
  let { scale, shape, distance } = exact;
  if (isCoarse(excesses, step)) {
    ({ scale, shape } = yield* fitRounded({ excesses, weights }, step, least, exact));
    distance = distanceOf({ excesses, weights }, step, { scale, shape });
  }
  const bound = shape < least + 1e-3 ? least : null;
  // At a shape of -1 the law is uniform up to the largest value, and would end a little further on.
  if (bound === LEAST_SHAPE) scale *= 1 + 1 / rows;
  return { scale, shape, distance, bound };
}

function isCoarse(excesses: Float64Array, step: number): boolean {
  const mean = excesses.reduce((sum, y) => sum + y / excesses.length, 0);
  return step > COARSE * mean;
}

function* fitRounded(
  { excesses, weights }: Excesses,
  step: number,
  least: number,
  start: GeneralisedPareto,
): Steps<GeneralisedPareto> {
  const values = Float64Array.from(new Set(excesses));
  const counts = new Float64Array(values.length);
  let k = 0;
  excesses.forEach((y, i) => {
    if (y !== values[k]) k++;
    counts[k]! += weights ? weights[i]! : 1;
  });
  // In units of the first scale; shapes of 10 have no mean, nor would their root have one.
  const at = ([x, y]: readonly number[]) => ({
    scale: Math.exp(x!),
    shape: Math.min(10, Math.max(least, start.shape + y!)),
  });
  const y = mapNumbers(values, (value) => value / start.scale);
  const loss = (x: readonly number[]): number => {
    const { scale, shape } = at(x);
    return callNative((addon) =>
      addon.lawLoss('generalised-pareto', Float64Array.of(scale, shape), y, counts, step / start.scale),
    );
  };
  const { x } = yield* minimise(loss, [0, 0]);
  const { scale, shape } = at(x);
  return { scale: scale * start.scale, shape };
}

/** The Cramer-von Mises distance of rounded excesses: levels of a block of equal ones and of its interval have the middle. */
function distanceOf(
  { excesses, weights }: Excesses,
  step: number,
  { scale, shape }: GeneralisedPareto,
): number {
  const rows = excesses.length;
  const law = callNative((addon) =>
    addon.marginCreate({
      kind: 'law',
      family: 'generalised-pareto',
      parameters: Float64Array.of(scale, shape),
    }),
  );
  const levels = (shift: number): Float64Array =>
    callNative((addon) =>
      addon.marginCdf(
        law,
        mapNumbers(excesses, (y) => y + shift),
      ),
    );
  const [before, after] = [levels(-step / 2), levels(step / 2)];
  const own = weights ?? new Float64Array(rows).fill(1);
  let [size, squares] = [0, 0];
  for (const weight of own) [size, squares] = [size + weight, squares + weight * weight];
  let sum = squares / (12 * size * size);
  for (let first = 0, next = 0, below = 0; first < rows; first = next) {
    let weight = 0;
    while (next < rows && excesses[next] === excesses[first]) weight += own[next++]!;
    const expected = (before[first]! + after[first]!) / 2;
    sum += ((weight * size) / squares) * (expected - (2 * below + weight) / (2 * size)) ** 2;
    below += weight;
  }
  return sum;
}

/** Values above a threshold, less it, and their weights; null: all count alike. */
export interface Excesses {
  readonly excesses: Float64Array;
  readonly weights: Float64Array | null;
}

/** Sorted values of a tail. */
export type TailValues = Pick<SortedColumn, 'sorted' | 'values' | 'weights'>;

export function excessesOf({ sorted, weights }: TailValues, threshold: number): Excesses {
  let first = sorted.length;
  while (first > 0 && sorted[first - 1]! > threshold) first--;
  const excesses = sorted.slice(first);
  for (let i = 0; i < excesses.length; i++) excesses[i]! -= threshold;
  return { excesses, weights: weights ? weights.each.slice(first) : null };
}

/**
 * The threshold of an upper tail: above the lowest of the empirical quantiles at 0.7 to 0.99, and above all atoms, with at
 * least 30 values above it whose excesses a generalised Pareto law fits (Cramer-von Mises, at the level 0.1); where none does,
 * the highest of them. It lies between two neighbouring values, where rounded ones begin to become the greater of them.
 * Undefined when there is none with so many values above it.
 *
 * @param atom the greatest value that has a probability of its own; -Infinity where there is none
 */
export function* chooseThreshold(column: TailValues, step: number, atom: number): Steps<number | undefined> {
  const { values } = column;
  let found: number | undefined;
  for (const level of LEVELS) {
    yield;
    const value = Math.max(atom, valueAt(column, Math.floor(level * (sizeOf(column) - 1))));
    const next = values[values.indexOf(value) + 1];
    if (next === undefined) break;
    const middle = value / 2 + next / 2;
    const threshold = step > 0 ? Math.max(middle, next - step / 2) : middle;
    if (threshold === found) continue;
    const beyond = excessesOf(column, threshold < next ? threshold : value);
    const { excesses } = beyond;
    if (excesses.length < FEWEST || excesses[0] === excesses.at(-1)) break;
    found = threshold < next ? threshold : value;
    const { distance } = yield* fitPareto(beyond, step);
    if (distance < CRITICAL) break;
  }
  return found;
}

/**
 * The upper tail of a column where it is exponential or heavier, which kernels, who know it by its outermost values, blur: a generalised Pareto
 * law beyond the threshold of `chooseThreshold`. Null where none fits, where it has no mean, or where its shape is below 0 by more than two
 * standard errors, (1 + shape) / sqrt(n) (Smith 1987); nearer to 0 it is exponential.
 */
export function* heavyTail(
  all: TailValues,
): Steps<(GeneralisedPareto & { threshold: number; mass: number }) | null> {
  const column = thinned(all);
  const threshold = yield* chooseThreshold(column, 0, -Infinity);
  if (threshold === undefined) return null;
  const beyond = excessesOf(column, threshold);
  const { excesses } = beyond;
  const weights = beyond.weights ?? new Float64Array(excesses.length).fill(1);
  const [size, squares, sum] = [0, 1, 2].map((k) =>
    weights.reduce((total, w, i) => total + (k === 0 ? w : k === 1 ? w * w : w * excesses[i]!), 0),
  ) as [number, number, number];
  let law: GeneralisedPareto & { distance: number } = yield* fitPareto(beyond);
  if (law.shape < (-NEAR_EXPONENTIAL * (1 + law.shape) * Math.sqrt(squares)) / size) return null;
  if (law.shape < 0) {
    const exponential = { scale: sum / size, shape: 0 };
    law = { ...exponential, distance: distanceOf(beyond, 0, exponential) };
  }
  if (law.distance >= CRITICAL || law.shape > 1) return null;
  return { threshold, scale: law.scale, shape: law.shape, mass: size / sizeOf(column) };
}

function thinned(column: TailValues): TailValues {
  const stride = Math.ceil(column.sorted.length / MOST_LOOKED);
  if (stride === 1 || column.weights) return column;
  const sorted = column.sorted.filter((_, i) => i % stride === stride >> 1);
  return { sorted, values: Float64Array.from(new Set(sorted)), weights: column.weights };
}
