/** Densities over cells: blocks of levels in some columns, one level in each of the others. */
import { SklarError } from '../errors';
import { callNative } from '../native';
import type { DenseRows } from './inputs/rows';

/** Nodes of a cell that is a block in one column. */
const NODES = 32;

/** Points in a cell that is a block in more columns. */
export const CELL_POINTS = 256;

/**
 * @throws SklarError ERR_SKLAR_VALUE naming row and column where lower is above upper, or a single level has no density, or a
 *   number is none of the scale
 */
export function expectCells(lower: DenseRows, upper: DenseRows, gaussian: boolean): void {
  const [least, most] = gaussian ? [-Infinity, Infinity] : [0, 1];
  for (let k = 0; k < lower.data.length; k++) {
    const [from, to] = [lower.data[k]!, upper.data[k]!];
    if (from >= least && to <= most && (from < to || (from === to && from > least && to < most))) continue;
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      `expected cells between ${least} and ${most} whose lower end is not above the upper one, ` +
        `got ${from} to ${to} (row ${Math.floor(k / lower.columns) + 1}, column ${(k % lower.columns) + 1})`,
    );
  }
}

/** The rows with a block, and those without. */
export function splitCells(
  lower: Float64Array,
  upper: Float64Array,
  dim: number,
): { cells: number[]; points: number[] } {
  const cells: number[] = [];
  const points: number[] = [];
  for (let first = 0; first < lower.length; first += dim) {
    let j = 0;
    while (j < dim && lower[first + j] === upper[first + j]) j++;
    (j < dim ? cells : points).push(first / dim);
  }
  return { cells, points };
}

/** Both tails of levels: p and q = 1 - p, each exact where it is small. */
function tailsOf(values: Float64Array, gaussian: boolean): { p: Float64Array; q: Float64Array } {
  if (!gaussian) return { p: values, q: values.map((u) => 1 - u) };
  const flipped = values.map((z) => -z);
  return callNative((addon) => ({ p: addon.normalCdf(values), q: addon.normalCdf(flipped) }));
}

/** The scores of levels given by both tails. */
export function scoresOf(p: Float64Array, q: Float64Array): Float64Array {
  const tails = p.map((value, k) => Math.min(value, q[k]!));
  const scores = callNative((addon) => addon.normalQuantile(tails));
  return scores.map((z, k) => (p[k]! < q[k]! ? z : -z));
}

/** The logarithms of the widths in u of the blocks of each row, exact also where they lie deep in a tail. */
export function logWidths(
  lower: Float64Array,
  upper: Float64Array,
  dim: number,
  gaussian: boolean,
): Float64Array {
  const blocks: number[] = [];
  for (let k = 0; k < lower.length; k++) if (lower[k] !== upper[k]) blocks.push(k);
  const tails = (ends: Float64Array) =>
    tailsOf(
      Float64Array.from(blocks, (k) => ends[k]!),
      gaussian,
    );
  const [low, high] = [tails(lower), tails(upper)];
  const sums = new Float64Array(lower.length / dim);
  blocks.forEach((k, at) => (sums[Math.floor(k / dim)]! += Math.log(widthOf(low, high, at))));
  return sums;
}

type Tails = ReturnType<typeof tailsOf>;

function widthOf(low: Tails, high: Tails, k: number): number {
  if (high.p[k]! <= 0.5) return high.p[k]! - low.p[k]!;
  return low.q[k]! <= 0.5 ? low.q[k]! - high.q[k]! : 1 - low.p[k]! - high.q[k]!;
}

/** Nodes in (0, 1) and their weights, which sum to one, of the Gauss-Legendre rule. */
function gaussLegendre(count: number): { nodes: Float64Array; weights: Float64Array } {
  const nodes = new Float64Array(count);
  const weights = new Float64Array(count);
  for (let k = 0; k < count; k++) {
    let x = Math.cos((Math.PI * (k + 0.75)) / (count + 0.5));
    let slope = 0;
    for (let step = 0; step < 8; step++) {
      let [before, value] = [1, x];
      for (let n = 2; n <= count; n++) {
        [before, value] = [value, ((2 * n - 1) * x * value - (n - 1) * before) / n];
      }
      slope = (count * (x * value - before)) / (x * x - 1);
      x -= value / slope;
    }
    nodes[k] = (1 - x) / 2;
    weights[k] = 1 / ((1 - x * x) * slope * slope);
  }
  return { nodes, weights };
}

function primes(count: number): number[] {
  const found: number[] = [];
  for (let n = 2; found.length < count; n++) if (found.every((p) => n % p !== 0)) found.push(n);
  return found;
}

/** A rule on the unit cube: points x columns, and the logarithms of the weights. */
interface Rule {
  readonly points: Float64Array;
  readonly logWeights: Float64Array;
}

/**
 * One column: Gauss and Legendre. More: multiples of the roots of primes modulo 1 (Richtmyer, 1951), folded so that what
 * they sum is periodic; Genz and Bretz (2009), section 4.2.
 */
function ruleOf(columns: number, count: number): Rule {
  if (columns === 1) {
    const { nodes, weights } = gaussLegendre(Math.min(count, NODES));
    return { points: nodes, logWeights: weights.map(Math.log) };
  }
  const roots = primes(columns).map(Math.sqrt);
  const points = new Float64Array(count * columns);
  for (let k = 0; k < count; k++) {
    roots.forEach((root, j) => {
      const t = ((k + 0.5) * root) % 1;
      points[k * columns + j] = Math.abs(2 * t - 1);
    });
  }
  return { points, logWeights: new Float64Array(count).fill(-Math.log(count)) };
}

/**
 * log of the integral of a density over each cell, in u over the blocks and at the levels of the other columns: the width of the
 * blocks times the mean of the density over them, by a rule that is the same for all rows. Its points are evenly spread in the
 * levels of a normal law of variance 2, not 1, and weighted accordingly, which keeps the integrand bounded in corners where the
 * density of a copula is not.
 *
 * @param density of rows on the Gaussian scale, in the batches that this asks for
 * @param batch rows of a batch
 */
export async function integrateCells(
  lower: Float64Array,
  upper: Float64Array,
  dim: number,
  gaussian: boolean,
  count: number,
  batch: number,
  density: (z: Float64Array, rows: number) => Promise<Float64Array>,
): Promise<Float64Array> {
  const rows = lower.length / dim;
  const out = logWidths(lower, upper, dim, gaussian);
  const blocks = Array.from({ length: rows }, (_, row) => {
    const columns: number[] = [];
    for (let j = 0; j < dim; j++) if (lower[row * dim + j] !== upper[row * dim + j]) columns.push(j);
    return columns;
  });
  const rules = new Map<number, Rule>();
  for (let first = 0; first < rows;) {
    // as many rows of one number of blocks as fit
    const { length: columns } = blocks[first]!;
    if (!rules.has(columns)) rules.set(columns, ruleOf(columns, count));
    const { points, logWeights } = rules.get(columns)!;
    const size = logWeights.length;
    const most = Math.max(1, Math.floor(batch / size));
    let end = first + 1;
    while (end < rows && end - first < most && blocks[end]!.length === columns) end++;

    const levels = scoresAt(lower.subarray(first * dim, end * dim), gaussian);
    const low = tailsOf(levels.map(narrowed), true);
    const high = tailsOf(scoresAt(upper.subarray(first * dim, end * dim), gaussian).map(narrowed), true);
    const p = new Float64Array((end - first) * size * columns);
    const q = new Float64Array(p.length);
    let at = 0;
    for (let row = first; row < end; row++) {
      for (let k = 0; k < size; k++) {
        blocks[row]!.forEach((j, c) => {
          const from = (row - first) * dim + j;
          const [t, width] = [points[k * columns + c]!, widthOf(low, high, from)];
          p[at] = low.p[from]! + t * width;
          q[at++] = high.q[from]! + (1 - t) * width;
        });
      }
    }
    const inside = scoresOf(p, q);
    const z = new Float64Array((end - first) * size * dim);
    const logs = new Float64Array((end - first) * size);
    at = 0;
    for (let point = 0; point < logs.length; point++) {
      const row = Math.floor(point / size);
      z.set(levels.subarray(row * dim, (row + 1) * dim), point * dim);
      logs[point] = logWeights[point % size]!;
      for (const j of blocks[first + row]!) {
        const score = inside[at++]! * Math.SQRT2;
        z[point * dim + j] = score;
        logs[point]! -= score ** 2 / 4;
      }
    }
    const log = await density(z, logs.length);
    for (let row = 0; row < end - first; row++) {
      const part = [row * size, (row + 1) * size] as const;
      const weights = logs.subarray(...part);
      out[first + row]! +=
        logSumExp(log.subarray(...part), weights) - logSumExp(new Float64Array(size), weights);
    }
    first = end;
  }
  return out;
}

/** A score on the scale of the points. */
const narrowed = (z: number): number => z * Math.SQRT1_2;

function scoresAt(levels: Float64Array, gaussian: boolean): Float64Array {
  if (gaussian) return levels;
  const { p, q } = tailsOf(levels, false);
  return scoresOf(p, q);
}

/** log of the sum of exp(values + weights). */
function logSumExp(values: Float64Array, weights: Float64Array): number {
  let most = -Infinity;
  for (let k = 0; k < values.length; k++) most = Math.max(most, values[k]! + weights[k]!);
  if (!Number.isFinite(most)) return most;
  let sum = 0;
  for (let k = 0; k < values.length; k++) sum += Math.exp(values[k]! + weights[k]! - most);
  return most + Math.log(sum);
}
