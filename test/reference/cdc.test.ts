// The production training step, scores and sampler against the published classes, run in float64 with automatic
// differentiation. SKLAR_REFERENCE_DIR may name another folder with files of the same form.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

import { cdcFromPublishedWeights } from '../../lib/copulas/kinds/cdc';
import { loadModel } from '../../lib';
import { type ModelTensors } from '../../lib/copulas/copula';
import { writeSafetensors } from '../../lib/model/safetensors';
import { type NetworkShape, type RealArray, callNative } from '../../lib/native';

type Nested = number[] | number[][];
interface Batch {
  x0: number[][];
  tIdx: number[];
  noise: number[][];
}
interface Case {
  inputDim: number;
  hiddenDim: number;
  depth: number;
  numTimesteps: number;
  tMax: number;
  ceWeight: number;
  timeSteps: number[];
  correlation: number[][] | null;
  parameters: Record<string, Nested>;
  training: Batch & {
    logits: number[][];
    denoiser: number[][];
    xt: number[][];
    crossEntropy: number;
    mse: number;
    loss: number;
    gradients: Record<string, Nested>;
  };
  logDensity: { z: number[][]; value: number[] };
  deterministicSampler: { start: number[][]; clip: number; trajectory: number[][][] };
  adam: {
    lr: number;
    betas: [number, number];
    eps: number;
    clipNorm: number;
    steps: (Batch & { loss: number; gradNorm: number })[];
    parametersAfter: Record<string, Nested>;
  };
}

const folder = process.env.SKLAR_REFERENCE_DIR ?? path.join(__dirname, '..', 'fixtures', 'reference');
const cases = JSON.parse(readFileSync(path.join(folder, 'cdc.json'), 'utf8')) as Case[];

const flat = (values: Nested | number[][][]): number[] => (values as unknown[]).flat(3) as number[];

/** Largest error relative to the largest magnitude of the expected values. */
function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  expect(actual.length).toBe(expected.length);
  let scale = 0;
  let error = 0;
  for (let i = 0; i < expected.length; i++) {
    scale = Math.max(scale, Math.abs(expected[i]!));
    error = Math.max(error, Math.abs(actual[i]! - expected[i]!));
    if (!Number.isFinite(actual[i]!)) return Infinity;
  }
  return scale === 0 ? error : error / scale;
}

/** Rows with an inner level first: only they take part in the second-order passes. */
function arrange(c: Case, batch: Batch, Real: Float32ArrayConstructor | Float64ArrayConstructor) {
  const inner = (k: number) => k !== 0 && k !== c.numTimesteps - 1;
  const order = [...batch.tIdx.keys()].sort(
    (a, b) => Number(inner(batch.tIdx[b]!)) - Number(inner(batch.tIdx[a]!)) || a - b,
  );
  const share = 1 / order.length;
  return {
    order,
    batch: {
      x0: Real.from(flat(order.map((i) => batch.x0[i]!))) as RealArray,
      noise: Real.from(flat(order.map((i) => batch.noise[i]!))) as RealArray,
      level: Int32Array.from(order, (i) => batch.tIdx[i]!),
      active: batch.tIdx.filter(inner).length,
      shares: Float64Array.of(share, share, share, share),
    },
  };
}

function setUp(c: Case, Real: Float32ArrayConstructor | Float64ArrayConstructor) {
  const network: NetworkShape = {
    inputDim: c.inputDim,
    hiddenDim: c.hiddenDim,
    depth: c.depth,
    outputDim: c.numTimesteps,
    activation: 'published',
  };
  const slices = callNative((addon) => addon.cdcSlices(network));
  const last = slices.at(-1)!;
  const parameters = new Real(last.offset + last.rows) as RealArray;
  for (const { name, offset } of slices) parameters.set(flat(c.parameters[name]!), offset);
  const tensors: ModelTensors = new Map();
  for (const { name, rows, columns } of slices) {
    tensors.set(name, {
      shape: columns ? [rows, columns] : [rows],
      data: Real.from(flat(c.parameters[name]!)),
    });
  }
  const { lr, betas, eps, clipNorm } = c.adam;
  const run = (batches: Batch[]) =>
    callNative((addon) =>
      addon.cdcTrainingSteps({
        network,
        times: Float64Array.from(c.timeSteps),
        covariance: c.correlation && Float64Array.from(flat(c.correlation)),
        parameters,
        device: { device: 'cpu', precision: 'fp32', threads: 2 },
        batch: batches[0]!.tIdx.length,
        crossEntropyWeight: c.ceWeight,
        adam: {
          learningRate: lr,
          finalFraction: 1,
          warmup: 0,
          decaySteps: 0,
          beta1: betas[0],
          beta2: betas[1],
          epsilon: eps,
          clipNorm,
          weightDecay: 0,
          emaDecay: 0,
        },
        batches: batches.map((b) => arrange(c, b, Real).batch),
      }),
    );
  const copula = () =>
    cdcFromPublishedWeights(tensors, {
      times: c.timeSteps,
      ...(c.correlation ? { correlation: flat(c.correlation) } : {}),
    });
  return { slices, tensors, run, copula };
}

describe.each([
  ['float64', Float64Array, 1e-9],
  ['float32', Float32Array, 2e-4],
] as const)('%s', (_, Real, tolerance) => {
  describe.each(cases.map((c, i) => [i, c] as const))('cdc case %i', (_, c) => {
    const { slices, tensors, run, copula } = setUp(c, Real);

    test('training step: noised rows, logits, denoiser, losses, every gradient', () => {
      const { order } = arrange(c, c.training, Real);
      const step = run([c.training])[0]!;
      const inOrder = (values: number[][]) => flat(order.map((i) => values[i]!));
      const x = Array.from(step.x).filter((_, i) => i % (c.inputDim + 1) !== c.inputDim);
      expect(relativeError(x, inOrder(c.training.xt))).toBeLessThan(tolerance);
      expect(relativeError(step.logits, inOrder(c.training.logits))).toBeLessThan(tolerance);
      expect(relativeError(step.denoised, inOrder(c.training.denoiser))).toBeLessThan(tolerance);
      expect(relativeError([step.crossEntropy], [c.training.crossEntropy])).toBeLessThan(tolerance);
      expect(relativeError([step.squaredError], [c.training.mse])).toBeLessThan(tolerance);
      expect(
        relativeError([c.ceWeight * step.crossEntropy + step.squaredError], [c.training.loss]),
      ).toBeLessThan(tolerance);
      for (const { name, offset, rows, columns } of slices) {
        const gradient = step.gradient.subarray(offset, offset + rows * Math.max(columns, 1));
        expect([name, relativeError(gradient, flat(c.training.gradients[name]!)) < tolerance]).toEqual([
          name,
          true,
        ]);
      }
    });

    test('Adam steps with clipping', () => {
      const steps = run(c.adam.steps);
      steps.forEach((step, i) => {
        const expected = c.adam.steps[i]!;
        expect(
          relativeError([c.ceWeight * step.crossEntropy + step.squaredError], [expected.loss]),
        ).toBeLessThan(tolerance);
        expect(relativeError([step.gradientNorm], [expected.gradNorm])).toBeLessThan(tolerance);
      });
      const after = steps.at(-1)!.parameters;
      for (const { name, offset, rows, columns } of slices) {
        const actual = after.subarray(offset, offset + rows * Math.max(columns, 1));
        expect([name, relativeError(actual, flat(c.adam.parametersAfter[name]!)) < tolerance]).toEqual([
          name,
          true,
        ]);
      }
    });

    test('log density of a file of published weights', async () => {
      const scratch = mkdtempSync(path.join(os.tmpdir(), 'sklar-reference-'));
      try {
        const file = path.join(scratch, 'published.safetensors');
        await writeSafetensors(file, tensors, {});
        using model = await loadModel(file, {
          published: { times: c.timeSteps, ...(c.correlation ? { correlation: flat(c.correlation) } : {}) },
        });
        const values = await model.logPdf(c.logDensity.z, { scale: 'gaussian' });
        expect(relativeError(values, c.logDensity.value)).toBeLessThan(tolerance);
      } finally {
        rmSync(scratch, { recursive: true });
      }
    });

    test('trajectory of the deterministic published sampler', async () => {
      const { start, trajectory } = c.deterministicSampler;
      using model = copula();
      const end = await model.transport(start, { solver: 'published' });
      expect(relativeError(end.data, flat(trajectory.at(-1)!))).toBeLessThan(tolerance);
    });
  });
});
