/** How far the dependence of two samples is apart, pair by pair. */
import { type RowsInput } from '../copulas/inputs/rows';
import { type RunOptions, runOptions } from '../copulas/inputs/run';
import { type Matrix, matrix } from '../matrix';
import { SklarError, describe, expectNumber, expectOptions } from '../errors';
import { kendall, tailCurves } from './dependence';
import { type TwoSampleMetric, expectSamples } from './two-sample';

/** Differences of a measure of pairs of columns. */
export interface PairMetric extends TwoSampleMetric {
  /** None. */
  readonly standardError: null;
  /** None. */
  readonly pValue: null;
  /** The mean absolute difference; `value` is the largest. */
  readonly mean: number;
  /** The pair of the largest. */
  readonly worst: readonly [string, string];
}

/** Throws ERR_SKLAR_VALUE naming a column that has one value only. */
export function expectVarying(
  values: Float64Array,
  names: readonly string[],
  what: string,
  whose: string,
): void {
  const dim = names.length;
  for (let j = 0; j < dim; j++) {
    let k = j;
    while (k < values.length && values[k] === values[j]) k += dim;
    if (k < values.length) continue;
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      `expected columns that vary for ${what}, but column ${describe(names[j])} of ${whose} is constant`,
    );
  }
}

/** Throws ERR_SKLAR_SHAPE for a single column. */
export function expectTwoColumns(dim: number, what: string): void {
  if (dim >= 2) return;
  throw new SklarError('ERR_SKLAR_SHAPE', `expected at least 2 columns for ${what}, got ${dim}`);
}

/** Both samples, with two columns at least, all of which vary. */
function expectPairs(
  x: RowsInput,
  y: RowsInput,
  what: string,
): { names: readonly string[]; parts: Matrix[] } {
  const { data, rows, first, dim, names } = expectSamples(x, y, what);
  expectTwoColumns(dim, what);
  const part = (begin: number, end: number, which: string): Matrix => {
    const values = data.subarray(begin * dim, end * dim);
    expectVarying(values, names, what, `the ${which} sample`);
    return matrix(values, end - begin, dim);
  };
  return { names, parts: [part(0, first, 'first'), part(first, rows, 'second')] };
}

interface Difference {
  readonly value: number;
  readonly sum: number;
  readonly count: number;
  readonly worst: readonly [string, string];
}

/** Over the pairs i < j of two symmetric matrices. */
function differenceOf(a: Matrix, b: Matrix, names: readonly string[]): Difference {
  const dim = names.length;
  let value = -1;
  let sum = 0;
  let worst: readonly [string, string] = ['', ''];
  for (let i = 0; i < dim; i++)
    for (let j = i + 1; j < dim; j++) {
      const difference = Math.abs(a.data[i * dim + j]! - b.data[i * dim + j]!);
      sum += difference;
      if (difference <= value) continue;
      value = difference;
      worst = [names[i]!, names[j]!];
    }
  return { value, sum, count: (dim * (dim - 1)) / 2, worst };
}

/**
 * Largest and mean absolute difference of Kendall's tau (`kendall`) over all pairs of columns of two samples (docs/mathematics.md, G).
 *
 * @param x n x dim
 * @param y m x dim, finite, dim at least 2
 * @throws SklarError ERR_SKLAR_VALUE naming a column that is constant or a value that is not finite
 *
 * @example
 * ```ts
 * import { kendallError } from 'sklar';
 *
 * const { value, worst } = await kendallError([[1, 2], [2, 1], [3, 3]], [[1, 1], [2, 2], [3, 3]]);
 * value; // => 0.667
 * worst; // => ['column1', 'column2']
 * ```
 */
export async function kendallError(
  x: RowsInput,
  y: RowsInput,
  options: RunOptions = {},
): Promise<PairMetric> {
  options = expectOptions(options, 'kendallError', runOptions);
  const { names, parts } = expectPairs(x, y, 'kendallError');
  return kendallDifference(await kendall(parts[0]!, options), await kendall(parts[1]!, options), names);
}

/** `kendallError` of two matrices of Kendall's tau. */
export function kendallDifference(a: Matrix, b: Matrix, names: readonly string[]): PairMetric {
  const { value, sum, count, worst } = differenceOf(a, b, names);
  return { value, standardError: null, pValue: null, mean: sum / count, worst };
}

/** Differences of tail curves. */
export interface TailMetric extends PairMetric {
  /** Where the largest difference is: both columns below their quantile q, or above it. */
  readonly tail: 'lower' | 'upper';
  /** The level of the largest difference. */
  readonly q: number;
}

/** Which levels. */
export interface TailErrorOptions extends RunOptions {
  /** Levels of the upper tail, between 1/2 and 1; the lower tail is looked at 1 - q. Default 0.9, 0.95, 0.99. */
  q?: readonly number[];
}

/**
 * Largest and mean absolute difference of the tail curves (`tailCurves`) over all pairs of columns of two samples, both
 * tails and all levels. See `kendallError`.
 *
 * @throws SklarError as `kendallError`; ERR_SKLAR_VALUE for levels outside (1/2, 1)
 *
 * @example
 * ```ts
 * import { FamilyCopula, tailError } from 'sklar';
 *
 * const x = await new FamilyCopula('gumbel', { theta: 2 }).sample(1000);
 * const y = await new FamilyCopula('frank', { theta: 5.7 }).sample(1000); // the same tau, no tail dependence
 * (await tailError(x, y, { q: [0.9] })).tail; // => 'upper'
 * ```
 */
export async function tailError(
  x: RowsInput,
  y: RowsInput,
  options: TailErrorOptions = {},
): Promise<TailMetric> {
  options = expectOptions(options, 'tailError', { ...runOptions, q: true });
  const { q: given, ...run } = options;
  const { names, parts } = expectPairs(x, y, 'tailError');
  if (given !== undefined && !(Array.isArray(given) && given.length > 0)) {
    throw new SklarError('ERR_SKLAR_VALUE', `expected a list of levels for q, got ${describe(given)}`);
  }
  const q = (given ?? [0.9, 0.95, 0.99]).map((level) =>
    expectNumber(level, 'a level q', { above: 0.5, below: 1 }),
  );
  const levels = [...q, ...q.map((level) => 1 - level)];
  const a = await tailCurves(parts[0]!, { ...run, q: levels });
  const b = await tailCurves(parts[1]!, { ...run, q: levels });
  const differences = levels.map((level, k) => {
    const tail = k < q.length ? ('upper' as const) : ('lower' as const);
    return { tail, q: level, ...differenceOf(a[tail][k]!, b[tail][k]!, names) };
  });
  const most = differences.reduce((far, next) => (next.value > far.value ? next : far));
  const total = differences.reduce((sum, difference) => sum + difference.sum, 0);
  return {
    value: most.value,
    standardError: null,
    pValue: null,
    mean: total / (most.count * levels.length),
    worst: most.worst,
    tail: most.tail,
    q: most.q,
  };
}
