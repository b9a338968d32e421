/** Shapes below have a likelihood that grows without bound at the largest value. */
const LEAST_SHAPE = -0.5;
const GRID = 60;
const GOLDEN = (Math.sqrt(5) - 1) / 2;
/** Cramer-von Mises statistic that exceedances of the fitted law pass with probability 0.1 (Choulakian and Stephens 2001). */
const CRITICAL = 0.124;
const LEVELS = [0.7, 0.75, 0.8, 0.85, 0.9, 0.925, 0.95, 0.97, 0.98, 0.99];
const FEWEST = 30;

export interface GeneralisedPareto {
  readonly scale: number;
  readonly shape: number;
}

/** log(1 + shape y) / shape, of a y in scales; y itself at shape 0. */
function stretched(y: number, shape: number): number {
  return Math.abs(shape) < 1e-12 ? y : Math.log1p(shape * y) / shape;
}

/** The share of excesses above y: (1 + shape y / scale)^(-1 / shape); 0 beyond the end. */
export function paretoBeyond(y: number, { scale, shape }: GeneralisedPareto): number {
  return 1 + (shape * y) / scale <= 0 ? 0 : Math.exp(-stretched(y / scale, shape));
}

/** The excess that this share exceeds. */
export function paretoExcess(share: number, { scale, shape }: GeneralisedPareto): number {
  const log = -Math.log(share);
  return scale * (Math.abs(shape) < 1e-12 ? log : Math.expm1(shape * log) / shape);
}

export function paretoLogPdf(y: number, { scale, shape }: GeneralisedPareto): number {
  return 1 + (shape * y) / scale <= 0
    ? -Infinity
    : -Math.log(scale) - (1 + shape) * stretched(y / scale, shape);
}

/**
 * Maximum likelihood of a generalised Pareto law, by its profile in theta = shape / scale (Grimshaw 1993): given theta the
 * shape is the mean of log(1 + theta y). Shapes are at least -0.5.
 *
 * @param excesses positive numbers, at least 2 different ones
 */
export function fitPareto(excesses: Float64Array): GeneralisedPareto {
  const n = excesses.length;
  let mean = 0;
  let most = 0;
  for (const y of excesses) {
    mean += y / n;
    most = Math.max(most, y);
  }
  const shapeAt = (theta: number): number => {
    let sum = 0;
    for (const y of excesses) sum += Math.log1p((theta * y) / mean);
    return sum / n;
  };
  /** The negative log likelihood of a row, up to a constant. */
  const loss = (theta: number): number => {
    if (Math.abs(theta) < 1e-6) return 0;
    const shape = shapeAt(theta);
    return shape < LEAST_SHAPE ? Infinity : Math.log(shape / theta) + shape;
  };
  // In units of the mean theta lies above the negative inverse of the largest excess.
  const least = -mean / most;
  const at = (t: number): number => least + Math.exp(t);
  const [from, to] = [Math.log(-least * 1e-6), Math.log(1e3)];
  const step = (to - from) / GRID;
  let best = 0;
  for (let k = 1; k <= GRID; k++) if (loss(at(from + k * step)) < loss(at(from + best * step))) best = k;
  let [a, b] = [from + (best - 1) * step, from + (best + 1) * step];
  for (let k = 0; k < 60; k++) {
    const [c, d] = [b - GOLDEN * (b - a), a + GOLDEN * (b - a)];
    if (loss(at(c)) < loss(at(d))) b = d;
    else a = c;
  }
  const theta = at((a + b) / 2);
  if (!(loss(theta) < 0)) return { scale: mean, shape: 0 };
  const shape = shapeAt(theta);
  return { scale: (shape / theta) * mean, shape };
}

/** The Cramer-von Mises distance of ascending excesses from the law. */
function cramerVonMises(sorted: Float64Array, law: GeneralisedPareto): number {
  const n = sorted.length;
  return sorted.reduce(
    (sum, y, i) => sum + (1 - paretoBeyond(y, law) - (2 * i + 1) / (2 * n)) ** 2,
    1 / (12 * n),
  );
}

/** The values of sorted ones above a threshold, less the threshold. */
export function excessesOf(sorted: Float64Array, threshold: number): Float64Array {
  return sorted.filter((value) => value > threshold).map((value) => value - threshold);
}

/**
 * The threshold of an upper tail: the lowest of the empirical quantiles at 0.7 to 0.99 with at least 30 values above it,
 * whose excesses a generalised Pareto law fits (Cramer-von Mises, at the level 0.1); where none does, the highest of them.
 * Undefined when no quantile has so many values above it.
 */
export function chooseThreshold(sorted: Float64Array): number | undefined {
  let found: number | undefined;
  for (const level of LEVELS) {
    const threshold = sorted[Math.floor(level * (sorted.length - 1))]!;
    const excesses = excessesOf(sorted, threshold);
    if (excesses.length < FEWEST || excesses[0] === excesses.at(-1)) break;
    found = threshold;
    if (cramerVonMises(excesses, fitPareto(excesses)) < CRITICAL) break;
  }
  return found;
}
