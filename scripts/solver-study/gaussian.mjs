// Solvers on a Gaussian copula whose columns all correlate by rho: the field is linear there, so what a solver does on a
// fixed grid is a matrix and noise, and both are functions of the correlation matrix. Such a function is given by its values
// at the two eigenvalues of that matrix.
import { ScriptError } from '../tools.mjs';

/** Eigenvalues of the correlation matrix and how often each is there. */
const equicorrelated = (rho, dim) => [
  { lambda: 1 + (dim - 1) * rho, times: 1 },
  { lambda: 1 - rho, times: dim - 1 },
];

/** Values at the two eigenvalues of a matrix with one value on the diagonal and one off it. */
const valuesAt = (diagonal, off, dim) => [diagonal + (dim - 1) * off, diagonal - off];

/** Means on and off the diagonal. */
function halves(matrix, dim) {
  let diagonal = 0;
  let all = 0;
  for (let i = 0; i < dim; i++) {
    diagonal += matrix[i * dim + i];
    for (let j = 0; j < dim; j++) all += matrix[i * dim + j];
  }
  return [diagonal / dim, (all - diagonal) / (dim * (dim - 1))];
}

/** What a solver multiplies the start by, exactly: the images of unit vectors, less that of 0 with the same noise. */
export async function linearMap(run, dim, options) {
  // one row for each call, so that each meets the noise of row 0
  const image = async (column) => {
    const data = Float64Array.from({ length: dim }, (_, i) => (i === column ? 1 : 0));
    return (await run({ start: { rows: 1, columns: dim, data }, ...options })).values.data;
  };
  const still = await image(-1);
  const matrix = new Float64Array(dim * dim);
  for (let j = 0; j < dim; j++) {
    (await image(j)).forEach((x, i) => {
      matrix[i * dim + j] = x - still[i];
    });
  }
  const [diagonal, off] = halves(matrix, dim);
  const odd = matrix.findIndex((x, i) => Math.abs(x - (i % (dim + 1) === 0 ? diagonal : off)) > 1e-10);
  if (odd >= 0)
    throw new ScriptError(`the map of ${JSON.stringify(options)} is no function of the correlations`);
  return valuesAt(diagonal, off, dim);
}

/** Variances of the noise at the two eigenvalues, from rows that started at 0, pooled over the columns. */
export function noiseVariances(rows, dim) {
  const second = new Float64Array(dim * dim);
  const count = rows.length / dim;
  for (let r = 0; r < count; r++) {
    for (let i = 0; i < dim; i++) {
      for (let j = i; j < dim; j++) second[i * dim + j] += rows[r * dim + i] * rows[r * dim + j];
    }
  }
  for (let i = 0; i < dim; i++) for (let j = 0; j < i; j++) second[i * dim + j] = second[j * dim + i];
  return { count, variances: valuesAt(...halves(second, dim).map((x) => x / count), dim) };
}

/**
 * KL(true || sampled) in nats, of samples with variance map^2 + noise along each eigenvector, and its standard error from the
 * rows that the noise was estimated from; their bias of second order is taken off.
 */
export function klOf(rho, dim, map, noise) {
  let kl = 0;
  let variance = 0;
  equicorrelated(rho, dim).forEach(({ lambda, times }, k) => {
    const added = noise?.variances[k] ?? 0;
    const sampled = map[k] ** 2 + added;
    const off = (sampled - lambda) / lambda;
    // where the two terms cancel, their series
    const own =
      Math.abs(off) < 1e-4
        ? off * off * (0.5 - (2 / 3) * off + 0.75 * off * off)
        : Math.log1p(off) - off / (1 + off);
    kl += 0.5 * times * own;
    if (!noise) return;
    // what an estimate of the noise adds to the mean of a convex function of it
    const excess = (added / sampled) ** 2 / (2 * noise.count);
    kl -= excess;
    const slope = 0.5 * times * (1 / sampled - lambda / sampled ** 2);
    variance += (slope * added) ** 2 * (2 / (noise.count * times)) + 2 * excess ** 2;
  });
  return { kl, standardError: Math.sqrt(variance) };
}

/**
 * KL(true || sampled) of the published sampler with exact fields on its own grid of steps + 1 levels up to t = 3, by the
 * recursion of the variances (docs/mathematics.md, A.8); its clipping at 6 left out.
 */
export function published(rho, dim, steps) {
  const last = Math.exp(-6);
  const w = Array.from({ length: steps + 1 }, (_, k) => 1 - (k / steps) * (1 - last));
  const kl = (noisy) =>
    equicorrelated(rho, dim).reduce((sum, { lambda, times }) => {
      let variance = 1;
      for (let k = steps; k > 0; k--) {
        const h = 0.5 * Math.log(w[k - 1] / w[k]);
        // the reference level is taken for independence
        const slope = k === steps ? 0 : 1 - 1 / (1 + w[k] * (lambda - 1));
        variance *= (Math.exp(-h) + 2 * Math.sinh(h) * slope) ** 2;
        if (noisy && k > 1) variance += 1 - w[k] / w[k - 1];
      }
      return sum + 0.5 * times * (lambda / variance - 1 + Math.log(variance / lambda));
    }, 0);
  const digits = (x) => Number(x.toPrecision(4));
  return { evaluations: steps, noisy: digits(kl(true)), meanOnly: digits(kl(false)) };
}
