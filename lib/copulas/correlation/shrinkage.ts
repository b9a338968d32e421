/** How far a correlation matrix is drawn towards independence, from its number of rows: docs/mathematics.md, M.5. */

/** A matrix without any shrinkage has no density where it is singular; well-conditioned data do not feel this much. */
export const LEAST_SHRINKAGE = 1e-5;
/** Of the standard error of the least eigenvalue, what it may be moved by, where it is none of rounding. */
const LEAST_SHARE = 0.1;
const ROUNDING = 1e-9;

/** Beyond it nothing is left of the matrix. */
const MOST_SHRINKAGE = 0.9999;

/** What one parameter more must gain to be believed, in nats of the rows together, as by Akaike's criterion. */
const GAIN = 1;

/** Of more columns so many are looked at: how strongly they are drawn together is the same for a part of them. */
const MOST_COLUMNS = 512;

/** Steps of the search on the log-odds of the shrinkage. */
const STEPS = 120;

/**
 * The shrinkage a of (1 - a) R + a I under which each row is best scored by the correlations of all others: the least one
 * whose leave-one-out Gaussian log-likelihood is within one nat of the largest.
 *
 * Hoffbeck and Landgrebe (1996) take a row out by a change of rank one; with every row at the mean Mahalanobis distance
 * (Theiler, 2012) the criterion depends on the eigenvalues of R alone, through the determinants and traces of a
 * tridiagonal matrix here. The mean of the rows is fitted too, so that they count as one less.
 *
 * @param correlation dim x dim, row-major, unit diagonal; an estimate that is not positive definite will do
 * @param rows that it was estimated from, possibly a fraction
 */
export function chooseShrinkage(correlation: Float64Array, dim: number, rows: number): number {
  const count = Math.min(dim, MOST_COLUMNS);
  const columns = Array.from({ length: count }, (_, k) => Math.floor((k * dim) / count));
  const part = Float64Array.from(
    columns.flatMap((i) => columns.map((j) => (i === j ? 1 : correlation[i * dim + j]!))),
  );
  const bands = tridiagonal(part, count);
  const n = Math.max(2, rows - 1);
  const score = (logOdds: number) => logLikelihood(bands, n, 1 / (1 + Math.exp(-logOdds)));
  const [first, last] = [LEAST_SHRINKAGE, MOST_SHRINKAGE].map((a) => Math.log(a / (1 - a))) as [
    number,
    number,
  ];
  const at = (k: number) => first + ((last - first) * k) / STEPS;
  const scores = Array.from({ length: STEPS + 1 }, (_, k) => score(at(k)));
  const enough = scores.reduce((most, value) => Math.max(most, value), -Infinity) - GAIN;
  const k = scores.findIndex((value) => value >= enough);
  const least = leastOf(bands);
  if (k <= 0)
    return count < dim ? Math.max(LEAST_SHRINKAGE, least) : Math.max(leastShrinkage(bands, n), least);
  let [low, high] = [at(k - 1), at(k)];
  for (let i = 0; i < 30; i++) {
    const middle = 0.5 * (low + high);
    if (score(middle) >= enough) high = middle;
    else low = middle;
  }
  return Math.max(1 / (1 + Math.exp(-high)), least);
}

/** 1e-5, or less where that would be felt: the least eigenvalue e has the standard error e sqrt(2 / n). */
function leastShrinkage({ diagonal, below }: Bands, n: number): number {
  let [low, high] = [0, 1];
  for (let i = 0; i < 60; i++) {
    const middle = 0.5 * (low + high);
    if (isPositive(diagonal, below, -middle)) low = middle;
    else high = middle;
  }
  return low > ROUNDING ? Math.min(LEAST_SHRINKAGE, LEAST_SHARE * low * Math.sqrt(2 / n)) : LEAST_SHRINKAGE;
}

/** Whether a tridiagonal matrix with something added to its diagonal is positive definite. */
function isPositive(diagonal: Float64Array, below: Float64Array, shift: number): boolean {
  let pivot = 1;
  return diagonal.every((value, i) => {
    const off = i === 0 ? 0 : below[i - 1]!;
    pivot = value + shift - (off * off) / pivot;
    return pivot > 0;
  });
}

/**
 * Of a matrix whose least eigenvalue e is below 0, which is noise of the size of e at least: what brings it to |e|, since a
 * smaller one would count as a dependence. 0 for others.
 */
function leastOf({ diagonal, below }: Bands): number {
  if (isPositive(diagonal, below, ROUNDING)) return 0;
  let [low, high] = [0, diagonal.length];
  for (let i = 0; i < 40; i++) {
    const middle = 0.5 * (low + high);
    if (isPositive(diagonal, below, middle)) high = middle;
    else low = middle;
  }
  return (2 * high) / (1 + 2 * high);
}

interface Bands {
  readonly diagonal: Float64Array;
  /** The element below diagonal element i at i. */
  readonly below: Float64Array;
}

/** Of n rows together, in nats up to a constant; -Infinity where a matrix is not positive definite. */
function logLikelihood({ diagonal, below }: Bands, n: number, shrinkage: number): number {
  const share = (1 - shrinkage) / (n - 1); // of one row
  let pivot = 1;
  let slope = 0; // of the pivot by the shrinkage
  let logDeterminant = 0;
  let inverseTrace = 0;
  for (let i = 0; i < diagonal.length; i++) {
    const off = i === 0 ? 0 : n * share * below[i - 1]!;
    slope = 1 + ((off * off) / (pivot * pivot)) * slope;
    pivot = n * share * diagonal[i]! + shrinkage - (off * off) / pivot;
    if (!(pivot > 0)) return -Infinity;
    logDeterminant += Math.log(pivot);
    inverseTrace += slope / pivot;
  }
  const distance = (diagonal.length - shrinkage * inverseTrace) / (n * share);
  const lost = 1 - share * distance;
  if (!(lost > 0)) return -Infinity;
  return -0.5 * n * (logDeterminant + distance / lost + Math.log(lost));
}

/** An orthogonally similar tridiagonal matrix, by Householder's reflections; `a` (dim x dim) is overwritten. */
function tridiagonal(a: Float64Array, dim: number): Bands {
  const below = new Float64Array(Math.max(0, dim - 1));
  const p = new Float64Array(dim);
  for (let k = 0; k + 2 < dim; k++) {
    const row = k * dim;
    let square = 0;
    for (let j = k + 1; j < dim; j++) square += a[row + j]! ** 2;
    const head = a[row + k + 1]!;
    const tail = square - head * head;
    if (tail <= 0) {
      below[k] = head;
      continue;
    }
    // v, the vector of the reflection, takes the place of the row
    const length = head > 0 ? -Math.sqrt(square) : Math.sqrt(square);
    below[k] = length;
    a[row + k + 1] = head - length;
    const v = a.subarray(row, row + dim);
    const scale = 2 / (tail + v[k + 1]! ** 2);
    let inner = 0;
    for (let i = k + 1; i < dim; i++) {
      let sum = 0;
      for (let j = k + 1, at = i * dim + j; j < dim; j++, at++) sum += a[at]! * v[j]!;
      p[i] = scale * sum;
      inner += p[i]! * v[i]!;
    }
    const half = 0.5 * scale * inner;
    for (let i = k + 1; i < dim; i++) p[i]! -= half * v[i]!;
    for (let i = k + 1; i < dim; i++) {
      const [vi, pi] = [v[i]!, p[i]!];
      for (let j = k + 1, at = i * dim + j; j < dim; j++, at++) a[at]! -= vi * p[j]! + pi * v[j]!;
    }
  }
  if (dim > 1) below[dim - 2] = a[(dim - 2) * dim + dim - 1]!;
  return { diagonal: Float64Array.from({ length: dim }, (_, i) => a[i * (dim + 1)]!), below };
}
