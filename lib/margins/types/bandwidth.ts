/**
 * Sums over all pairs of n values on a grid, (1 / n^2) sum_ij phi_g^(r)(x_i - x_j), phi_g the normal density of standard
 * deviation g: the estimate of the integral psi_r of f^(r) f.
 */
function pairFunctional(counts: Float64Array, step: number, g: number, derivative: 4 | 6): number {
  const reach = Math.min(counts.length - 1, Math.ceil((8 * g) / step));
  let total = 0;
  let sum = 0;
  for (let lag = 0; lag <= reach; lag++) {
    const z2 = ((lag * step) / g) ** 2;
    const hermite = derivative === 4 ? z2 * z2 - 6 * z2 + 3 : z2 * z2 * z2 - 15 * z2 * z2 + 45 * z2 - 15;
    const weight = (hermite * Math.exp(-z2 / 2)) / (Math.sqrt(2 * Math.PI) * g ** (derivative + 1));
    let pairs = 0;
    for (let i = lag; i < counts.length; i++) pairs += counts[i]! * counts[i - lag]!;
    sum += (lag === 0 ? 1 : 2) * weight * pairs;
  }
  for (const count of counts) total += count;
  return sum / (total * total);
}

/**
 * The bandwidth of a kernel density estimate with normal kernel: the direct plug-in rule of two stages (Sheather and Jones
 * 1991; Wand and Jones 1995, section 3.6), from binned values. It minimises the asymptotic mean integrated squared error,
 * with the functionals of the unknown density estimated, and the first of them taken from a normal density.
 *
 * @param counts values in each bin
 * @param step width of a bin
 * @param scale spread of the values, such as the smaller of standard deviation and interquartile range / 1.349
 */
export function plugInBandwidth(counts: Float64Array, step: number, scale: number): number {
  const n = counts.reduce((sum, count) => sum + count, 0);
  const root = Math.sqrt(2 * Math.PI);
  const psi8 = 105 / (32 * Math.sqrt(Math.PI) * scale ** 9);
  const g6 = (30 / (root * psi8 * n)) ** (1 / 9);
  const psi6 = pairFunctional(counts, step, g6, 6);
  const g4 = (-6 / (root * psi6 * n)) ** (1 / 7);
  const psi4 = pairFunctional(counts, step, g4, 4);
  const bandwidth = (1 / (2 * Math.sqrt(Math.PI) * psi4 * n)) ** (1 / 5);
  // The functionals have the wrong sign only for values that are nearly all alike.
  return Number.isFinite(bandwidth) ? bandwidth : 1.06 * scale * n ** (-1 / 5);
}

/**
 * Values spread over the two nearest points of a grid, each by its distance to the other (linear binning).
 *
 * @param weights one for each value; null: all are 1
 */
export function binLinearly(
  values: Float64Array,
  weights: Float64Array | null,
  from: number,
  step: number,
  points: number,
): Float64Array {
  const counts = new Float64Array(points);
  for (let i = 0; i < values.length; i++) {
    const weight = weights ? weights[i]! : 1;
    const at = Math.min(points - 1, Math.max(0, (values[i]! - from) / step));
    const k = Math.min(points - 2, Math.floor(at));
    counts[k]! += weight * (k + 1 - at);
    counts[k + 1]! += weight * (at - k);
  }
  return counts;
}
