// Scores and the sampler against the published classes, run in float64 (the training step: test/native/reference_test.cpp).
// SKLAR_REFERENCE_DIR may name another folder with files of the same form.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

import { cdcFromPublishedWeights } from '../../lib/copulas/kinds/cdc';
import { loadModel } from '../../lib';
import { type ModelTensors } from '../../lib/copulas/copula';
import { writeSafetensors } from '../../lib/model/safetensors';

type Nested = number[] | number[][];
interface Case {
  timeSteps: number[];
  correlation: number[][] | null;
  parameters: Record<string, Nested>;
  logDensity: { z: number[][]; value: number[] };
  deterministicSampler: { start: number[][]; clip: number; trajectory: number[][][] };
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

/** The published weights of a case. */
function weights(c: Case, Real: Float32ArrayConstructor | Float64ArrayConstructor): ModelTensors {
  return new Map(
    Object.entries(c.parameters).map(([name, values]) => [
      name,
      {
        shape: Array.isArray(values[0]) ? [values.length, values[0].length] : [values.length],
        data: Real.from(flat(values)),
      },
    ]),
  );
}

describe.each([
  ['float64', Float64Array, 1e-9],
  ['float32', Float32Array, 2e-4],
] as const)('%s', (_, Real, tolerance) => {
  describe.each(cases.map((c, i) => [i, c] as const))('cdc case %i', (_, c) => {
    const tensors = weights(c, Real);

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
      using model = cdcFromPublishedWeights(tensors, {
        times: c.timeSteps,
        ...(c.correlation ? { correlation: flat(c.correlation) } : {}),
      });
      const end = await model.transport(start, { solver: 'published' });
      expect(relativeError(end.data, flat(trajectory.at(-1)!))).toBeLessThan(tolerance);
    });
  });
});
