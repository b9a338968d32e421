/** How large statistics of margins get when both samples come from the same continuous distribution. */

/** exp(-2 x) times nothing more matters beyond this. */
const NEGLIGIBLE = 40;

/**
 * P(D >= distance) for the Kolmogorov-Smirnov distance of samples of n and m rows: the limit law at
 * (sqrt k + 0.12 + 0.11 / sqrt k) distance, k = n m / (n + m) (Stephens, 1970). Too large, never too small, where there
 * are ties.
 */
export function kolmogorovTail(distance: number, n: number, m: number): number {
  const root = Math.sqrt((n * m) / (n + m));
  const x = (root + 0.12 + 0.11 / root) * distance;
  if (x < 0.2) return 1; // 1 to 12 digits, where the series no longer alternates fast
  let sum = 0;
  for (let k = 1; 2 * k * k * x * x < NEGLIGIBLE; k++) {
    sum += (k % 2 === 1 ? 2 : -2) * Math.exp(-2 * k * k * x * x);
  }
  return Math.min(1, Math.max(0, sum));
}

/** e^-q K_1/4(q): the trapezoidal rule on exp(-q (1 + cosh t)) cosh(t / 4), which converges as fast as a double can tell. */
function scaledBessel(q: number): number {
  const step = 1 / 32;
  let sum = 0.5 * Math.exp(-2 * q);
  for (let t = step; q * (Math.cosh(t) - 1) < NEGLIGIBLE; t += step) {
    sum += Math.exp(-q * (1 + Math.cosh(t))) * Math.cosh(t / 4);
  }
  return sum * step;
}

/** P(W >= x) of the limit law of the statistic of Cramer and von Mises (Csorgo and Faraway, 1996, equation 1.2). */
export function cramerLimitTail(x: number): number {
  if (x < 0.003) return 1;
  let cdf = 0;
  let ratio = Math.sqrt(Math.PI); // Gamma(k + 1/2) / Gamma(k + 1)
  for (let k = 0; ; ratio *= (k + 0.5) / (k + 1), k++) {
    const y = 4 * k + 1;
    const q = (y * y) / (16 * x);
    const term = ((ratio * Math.sqrt(y)) / (Math.PI ** 1.5 * Math.sqrt(x))) * scaledBessel(q);
    cdf += term;
    if (term < 1e-12) break;
  }
  return Math.min(1, Math.max(0, 1 - cdf));
}

/**
 * P(T >= statistic) for the two-sample statistic of Cramer and von Mises with n and m rows: the limit law, after T was
 * given its mean and variance (Anderson, 1962).
 */
export function cramerTail(statistic: number, n: number, m: number): number {
  const total = n + m;
  const product = n * m;
  const mean = (1 + 1 / total) / 6;
  const variance =
    ((total + 1) * (4 * product * total - 3 * (n * n + m * m) - 2 * product)) /
    (45 * total * total * 4 * product);
  return cramerLimitTail(1 / 6 + (statistic - mean) / Math.sqrt(45 * variance));
}
