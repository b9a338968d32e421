// The sampler of reflection copulas against the published class, run in float64 (paths and the training step:
// test/native/reference_test.cpp).
// SKLAR_REFERENCE_DIR may name another folder with files of the same form.
import { readFileSync } from 'node:fs';
import path from 'node:path';

import { integrate } from '../../lib';
import { type ModelTensors } from '../../lib/copulas/copula';
import { reflectionFromPublishedWeights } from '../../lib/copulas/kinds/reflection';

type Nested = number[] | number[][];
interface Case {
  inputDim: number;
  hiddenDim: number;
  numLayers: number;
  tMax: number;
  parameters: Record<string, Nested>;
  eulerSampler: { times: number[]; trajectory: number[][][] };
}

const folder = process.env.SKLAR_REFERENCE_DIR ?? path.join(__dirname, '..', 'fixtures', 'reference');
const cases = JSON.parse(readFileSync(path.join(folder, 'reflection.json'), 'utf8')) as Case[];

const flat = (values: Nested | number[][][]): number[] => (values as unknown[]).flat(3) as number[];

/** Largest error relative to the largest magnitude of the expected values. */
function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  expect(actual.length).toBe(expected.length);
  let scale = 0;
  let error = 0;
  for (let i = 0; i < expected.length; i++) {
    scale = Math.max(scale, Math.abs(expected[i]!));
    error = Math.max(error, Math.abs(actual[i]! - expected[i]!));
  }
  return error / (scale || 1);
}

function tensorsOf(values: Record<string, Nested>, kind: typeof Float64Array | typeof Float32Array) {
  const tensors: ModelTensors = new Map();
  for (const [name, value] of Object.entries(values)) {
    const shape = Array.isArray(value[0]) ? [value.length, value[0].length] : [value.length];
    tensors.set(name, { shape, data: kind.from(flat(value)) });
  }
  return tensors;
}

describe.each([
  ['float64', Float64Array, 1e-10],
  ['float32', Float32Array, 2e-4],
] as const)('published reflection copulas in %s', (_, kind, tolerance) => {
  describe.each(cases.map((c) => [`d = ${c.inputDim}, ${c.hiddenDim} x ${c.numLayers}`, c] as const))(
    '%s',
    (_name, c) => {
      test('the published sampler: Euler steps, folded', async () => {
        const { times, trajectory } = c.eulerSampler;
        const copula = reflectionFromPublishedWeights(tensorsOf(c.parameters, kind), { tMax: c.tMax });
        const steps = times.length - 1;
        times.forEach((t, i) => expect(t).toBeCloseTo((c.tMax * (steps - i)) / steps, 12));
        const { values } = await integrate(copula, {
          solver: 'euler',
          grid: 'time',
          steps,
          start: trajectory[0]!,
        });
        expect(relativeError(values.data, flat(trajectory.at(-1)!))).toBeLessThan(tolerance);
      });
    },
  );
});
