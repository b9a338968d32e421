/** Special functions that the parametric margins need and the native core does not have. */

/** Lanczos coefficients of Godfrey for g = 607 / 128: about 1e-15 relative. */
const LANCZOS = [
  0.9999999999999971, 57.15623566586292, -59.59796035547549, 14.136097974741746, -0.4919138160976202,
  3.399464998481189e-5, 4.652362892704858e-5, -9.837447530487956e-5, 0.0001580887032249125,
  -0.00021026444172410488, 0.00021743961811521265, -0.0001643181065367639, 8.441822398385275e-5,
  -2.6190838401581408e-5, 3.6899182659531625e-6,
];
const MOST_TERMS = 100_000;
const TINY = 1e-300;

/** log Gamma(a), a > 0. */
export function logGamma(a: number): number {
  const base = a + 607 / 128 - 0.5;
  let sum = LANCZOS[0]!;
  for (let k = 1; k < LANCZOS.length; k++) sum += LANCZOS[k]! / (a + (k - 1));
  return Math.log(Math.sqrt(2 * Math.PI) * sum) + (a - 0.5) * Math.log(base) - base;
}

/** log B(a, b). */
export function logBeta(a: number, b: number): number {
  return logGamma(a) + logGamma(b) - logGamma(a + b);
}

/** A continued fraction b0 + a1 / (b1 + a2 / (b2 + ...)) by the modified Lentz algorithm. */
function continuedFraction(b0: number, term: (k: number) => readonly [a: number, b: number]): number {
  let f = b0 === 0 ? TINY : b0;
  let c = f;
  let d = 0;
  for (let k = 1; k < MOST_TERMS; k++) {
    const [a, b] = term(k);
    d = b + a * d;
    d = 1 / (d === 0 ? TINY : d);
    c = b + a / c;
    if (c === 0) c = TINY;
    f *= c * d;
    if (Math.abs(c * d - 1) < 1e-16) break;
  }
  return f;
}

/** The regularised incomplete gamma function P(a, x), by its series below a + 1 and its continued fraction above. */
export function gammaP(a: number, x: number): number {
  if (x <= 0) return 0;
  if (x === Infinity) return 1;
  const front = Math.exp(a * Math.log(x) - x - logGamma(a));
  if (x < a + 1) {
    let term = 1 / a;
    let sum = term;
    for (let k = 1; k < MOST_TERMS && term > sum * 1e-17; k++) sum += term *= x / (a + k);
    return Math.min(1, front * sum);
  }
  return 1 - front / continuedFraction(x + 1 - a, (k) => [k * (a - k), x + 2 * k + 1 - a]);
}

/** The regularised incomplete beta function I_x(a, b), by its continued fraction on the side where it is short. */
export function betaI(x: number, a: number, b: number): number {
  if (!(x > 0)) return x <= 0 ? 0 : NaN;
  if (x >= 1) return 1;
  if (x > (a + 1) / (a + b + 2)) return 1 - betaI(1 - x, b, a);
  const front = Math.exp(a * Math.log(x) + b * Math.log1p(-x) - logBeta(a, b)) / a;
  return (
    front /
    continuedFraction(1, (k) => {
      const m = Math.floor(k / 2);
      const top = k % 2 === 0 ? m * (b - m) : -(a + m) * (a + b + m);
      return [(top * x) / ((a + k - 1) * (a + k)), 1];
    })
  );
}

/**
 * Solves f(t) = target for an increasing f with derivative `slope`, by Newton steps inside a bracket that is widened from
 * `start` first.
 */
export function invert(
  f: (t: number) => number,
  slope: (t: number) => number,
  target: number,
  start: number,
): number {
  let low = start;
  let high = start;
  for (let step = 1; f(low) > target && step < 1e4; step *= 2) low -= step;
  for (let step = 1; f(high) < target && step < 1e4; step *= 2) high += step;
  let t = (low + high) / 2;
  for (let k = 0; k < 200; k++) {
    const difference = f(t) - target;
    if (difference > 0) high = t;
    else low = t;
    const newton = t - difference / slope(t);
    const next = newton > low && newton < high ? newton : (low + high) / 2;
    if (Math.abs(next - t) <= 1e-15 * Math.max(1, Math.abs(t))) return next;
    t = next;
  }
  return t;
}

/** Minimises a function of a few variables (Nelder and Mead 1965). */
export function minimise(
  f: (x: readonly number[]) => number,
  start: readonly number[],
): { x: number[]; value: number } {
  const d = start.length;
  const vertex = (x: readonly number[]): { x: number[]; value: number } => {
    const value = f(x);
    return { x: [...x], value: Number.isNaN(value) ? Infinity : value };
  };
  let simplex = [vertex(start)];
  for (let j = 0; j < d; j++) simplex.push(vertex(start.map((value, k) => (k === j ? value + 0.2 : value))));
  for (let round = 0; round < 400 * d; round++) {
    simplex.sort((a, b) => a.value - b.value);
    const [best, worst] = [simplex[0]!, simplex[d]!];
    const width = Math.max(...worst.x.map((value, k) => Math.abs(value - best.x[k]!)));
    if (worst.value - best.value < 1e-12 * (1 + Math.abs(best.value)) && width < 1e-7) break;
    const centre = start.map((_, k) => simplex.slice(0, d).reduce((sum, { x }) => sum + x[k]! / d, 0));
    const along = (share: number) => vertex(centre.map((value, k) => value + share * (worst.x[k]! - value)));
    const reflected = along(-1);
    let next = reflected;
    if (reflected.value < best.value) {
      const expanded = along(-2);
      if (expanded.value < reflected.value) next = expanded;
    } else if (reflected.value >= simplex[d - 1]!.value) {
      next = along(reflected.value < worst.value ? -0.5 : 0.5);
      if (next.value >= Math.min(worst.value, reflected.value)) {
        simplex = simplex.map(({ x }) => vertex(x.map((value, k) => (value + best.x[k]!) / 2)));
        continue;
      }
    }
    simplex[d] = next;
  }
  simplex.sort((a, b) => a.value - b.value);
  return simplex[0]!;
}
