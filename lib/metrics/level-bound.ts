import { type CdcCopula } from '../copulas/kinds/cdc';
import { type Execution } from '../copulas/inputs/run';
import { matrix } from '../matrix';
import { runJob } from '../native';

/** Rows handled at once. */
const BATCH_ROWS = 16_384;

/** Keeps the noise apart from that of samples of the same seed. */
const NOISE_SEED = 0x66696f6e2d6c7662n;

/** Standard deviation of the noise with which the divergence at data is found, by a central difference. */
const DATA_STEP = 0.05;

/**
 * Weights of the values at increasing nodes in their integral from the first node to the last: between two nodes the
 * cubic through the four nearest.
 */
export function cubicWeights(nodes: readonly number[]): number[] {
  const weights = nodes.map(() => 0);
  const most = Math.min(4, nodes.length);
  for (let i = 0; i + 1 < nodes.length; i++) {
    const first = Math.max(0, Math.min(i - 1, nodes.length - most));
    const middle = (nodes[i]! + nodes[i + 1]!) / 2;
    const half = (nodes[i + 1]! - nodes[i]!) / 2;
    // two Gauss points integrate a cubic exactly
    for (const x of [middle - half / Math.sqrt(3), middle + half / Math.sqrt(3)]) {
      for (let k = first; k < first + most; k++) {
        let basis = half;
        for (let m = first; m < first + most; m++)
          if (m !== k) basis *= (x - nodes[m]!) / (nodes[k]! - nodes[m]!);
        weights[k]! += basis;
      }
    }
  }
  return weights;
}

/** L^-1 applied to each row of x, in place. */
function solveLower(l: Float64Array, x: Float64Array, dim: number): void {
  for (let at = 0; at < x.length; at += dim)
    for (let i = 0; i < dim; i++) {
      let sum = x[at + i]!;
      for (let j = 0; j < i; j++) sum -= l[i * dim + j]! * x[at + j]!;
      x[at + i] = sum / l[i * dim + i]!;
    }
}

/**
 * What the field of a CDC alone says of the log density of rows: docs/mathematics.md, D.3, in the clock w,
 *
 *     log c(z) >= integral of f over w from 0 to 1,   f = E[2 <G, g*> - |G|^2 | z] / (2 w),   f(0) = 0,
 *
 * with f at the noise levels and cubics between them. Noise is antithetic, so nothing grows towards data; at data
 * itself, where E<G, g*> = <G, z> - div G, the divergence is a difference along the noise. A guided model is taken in
 * its own coordinates y = L^-1 z, and the guide's log density is added.
 *
 * What the cubics miss is small beside the noise: with the exact field of a Gaussian copula, without a guide and at ten
 * levels, 1e-5 nats for three columns at correlation 0.5, 0.006 of 0.83 for two at 0.9. A guide makes f smaller still.
 *
 * @param z rows x dim on the Gaussian scale
 * @param draws of noise for each row and level
 * @returns one value a row; their mean estimates the bound of the total correlation
 */
export async function levelBound(
  copula: CdcCopula,
  z: Float64Array,
  draws: number,
  seed: bigint,
  run: Execution,
): Promise<Float64Array> {
  const { dim, times, guide } = copula;
  const rows = z.length / dim;
  const w = Array.from(times, (t) => Math.exp(-2 * t));
  // the classifier's own field is 0 at its reference: the exact f(0) = 0 stands in its place
  const levels = times.length - 1;
  const weights = cubicWeights([0, ...w.slice(0, levels).reverse()])
    .slice(1)
    .reverse();
  const factor = guide ?? Float64Array.from({ length: dim * dim }, (_, i) => (i % (dim + 1) === 0 ? 1 : 0));
  const out = new Float64Array(rows);
  for (let first = 0; first < rows; first += BATCH_ROWS) {
    const count = Math.min(BATCH_ROWS, rows - first);
    const part = out.subarray(first, first + count);
    const z0 = z.subarray(first * dim, (first + count) * dim);
    const y0 = Float64Array.from(z0);
    if (guide) {
      solveLower(guide, y0, dim);
      for (let i = 0; i < count; i++)
        for (let j = 0, at = i * dim; j < dim; j++, at++)
          part[i]! += (z0[at]! ** 2 - y0[at]! ** 2) / 2 - Math.log(guide[j * dim + j]!);
    }
    for (let level = 0; level < levels; level++) {
      for (let draw = 0; draw < draws; draw++) {
        const stream = BigInt((level * draws + draw) * rows + first);
        const coloured = await runJob(
          (addon) => addon.gaussianSample(factor, dim, count, seed ^ NOISE_SEED, stream, true, run.threads),
          { signal: run.signal },
        );
        const noise = Float64Array.from(coloured);
        if (guide) solveLower(guide, noise, dim);
        const alpha = Math.sqrt(w[level]!);
        const sigma = level === 0 ? DATA_STEP : Math.sqrt(1 - w[level]!);
        const centre = level === 0 ? 1 : alpha;
        const states = new Float64Array(2 * count * dim);
        for (let k = 0; k < count * dim; k++) {
          states[k] = centre * z0[k]! + sigma * coloured[k]!;
          states[count * dim + k] = centre * z0[k]! - sigma * coloured[k]!;
        }
        const { data } = await copula.field(matrix(states, 2 * count, dim), {
          ...run,
          level,
        });
        const gradient = guide ? toGuided(data, states, guide, dim) : data;
        const share = weights[level]! / (2 * w[level]! * draws);
        for (let i = 0; i < count; i++) {
          let along = 0; // <G, g*>, the mean of both signs
          let square = 0;
          for (let k = i * dim; k < (i + 1) * dim; k++) {
            const plus = gradient[k]!;
            const minus = gradient[count * dim + k]!;
            const y = y0[k]!;
            along +=
              (alpha * y * (plus + minus) - ((alpha * alpha) / sigma) * noise[k]! * (plus - minus)) / 2;
            square += (plus * plus + minus * minus) / 2;
          }
          part[i]! += share * (2 * along - square);
        }
      }
    }
  }
  return out;
}

/** grad_y F of the guided coordinates from G = grad_z log c: L^T (G - z) + L^-1 z. */
function toGuided(g: ArrayLike<number>, z: Float64Array, l: Float64Array, dim: number): Float64Array {
  const out = Float64Array.from(z);
  solveLower(l, out, dim);
  for (let at = 0; at < z.length; at += dim)
    for (let i = 0; i < dim; i++)
      for (let k = i; k < dim; k++) out[at + i]! += l[k * dim + i]! * (g[at + k]! - z[at + k]!);
  return out;
}
