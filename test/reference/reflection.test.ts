// The production reflection copula against the published class, run in float64 with automatic differentiation.
// SKLAR_REFERENCE_DIR may name another folder with files of the same form.
import { readFileSync } from 'node:fs';
import path from 'node:path';

import { integrate } from '../../lib';
import { type ModelTensors } from '../../lib/copulas/copula';
import { gatherParameters } from '../../lib/copulas/kinds/parameters';
import { reflectionFromPublishedWeights } from '../../lib/copulas/kinds/reflection';
import { type RealArray, type VelocityDefinition, callNative } from '../../lib/native';

type Nested = number[] | number[][];
interface Case {
  inputDim: number;
  hiddenDim: number;
  numLayers: number;
  tMax: number;
  parameters: Record<string, Nested>;
  training: {
    u0: number[][];
    v0: number[][];
    t: number[];
    ut: number[][];
    vt: number[][];
    prediction: number[][];
    loss: number;
    gradients: Record<string, Nested>;
  };
  eulerSampler: { times: number[]; trajectory: number[][][] };
  fold: { x: number[]; v: number[]; position: number[]; velocity: number[] };
}

const folder = process.env.SKLAR_REFERENCE_DIR ?? path.join(__dirname, '..', 'fixtures', 'reference');
const cases = JSON.parse(readFileSync(path.join(folder, 'reflection.json'), 'utf8')) as Case[];

const flat = (values: Nested | number[][][]): number[] => (values as unknown[]).flat(3) as number[];
const device = { device: 'cpu', precision: 'fp32', threads: 1 } as const;

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
      const definition: VelocityDefinition = {
        process: 'reflection',
        published: true,
        dim: c.inputDim,
        frequencies: 0,
        hiddenDim: c.hiddenDim,
        depth: c.numLayers,
        activation: 'silu',
        members: 1,
        cholesky: null,
      };
      const slices = callNative((addon) => addon.velocitySlices(definition));
      const parameters: RealArray = gatherParameters(slices, tensorsOf(c.parameters, kind));

      test('the reflected path, the network, the loss and every gradient', () => {
        const { training } = c;
        const step = callNative((addon) =>
          addon.velocityStep({
            definition,
            parameters,
            rows: training.t.length,
            start: Float64Array.from(flat(training.u0)),
            noise: Float64Array.from(flat(training.v0)),
            times: Float64Array.from(training.t),
            device,
          }),
        );
        expect(relativeError(step.state, flat(training.ut))).toBeLessThan(tolerance);
        expect(relativeError(step.target, flat(training.vt))).toBeLessThan(tolerance);
        expect(relativeError(step.output, flat(training.prediction))).toBeLessThan(tolerance);
        expect(Math.abs(step.loss - training.loss)).toBeLessThan(tolerance * training.loss);
        const gradient = gatherParameters(slices, tensorsOf(training.gradients, Float64Array));
        expect(relativeError(step.gradient, gradient)).toBeLessThan(tolerance);
      });

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

test('fold and the velocity it turns around', () => {
  for (const { fold } of cases) {
    // free flight from the origin for time 1 ends at the position x, whatever the fold
    const definition = {
      process: 'reflection',
      published: true,
      dim: 1,
      frequencies: 0,
      hiddenDim: 1,
      depth: 2,
    } as const;
    const full: VelocityDefinition = { ...definition, activation: 'silu', members: 1, cholesky: null };
    const slices = callNative((addon) => addon.velocitySlices(full));
    const last = slices.at(-1)!;
    fold.x.forEach((x, i) => {
      const step = callNative((addon) =>
        addon.velocityStep({
          definition: full,
          parameters: new Float64Array(last.offset + last.rows),
          rows: 1,
          start: Float64Array.of(x - fold.v[i]!),
          noise: Float64Array.of(fold.v[i]!),
          times: Float64Array.of(1),
          device,
        }),
      );
      expect(step.state[0]).toBeCloseTo(fold.position[i]!, 12);
      expect(step.target[0]).toBeCloseTo(fold.velocity[i]!, 12);
    });
  }
});
