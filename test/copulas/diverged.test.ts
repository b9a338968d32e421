import {
  CdcCopula,
  EnsembleCopula,
  FlowCopula,
  GaussianCopula,
  type LastGoodState,
  type Matrix,
  ReflectionCopula,
  SklarError,
  integrate,
  matrix,
  normalCdf,
} from '../../lib';
import { noiseTimes } from '../../lib/copulas/kinds/cdc';
import { type VelocityDefinition, callNative } from '../../lib/native';

/** What a failing call says of the rows that it lost. */
async function lost(call: Promise<unknown>): Promise<{ state: LastGoodState; message: string }> {
  try {
    await call;
  } catch (error) {
    if (error instanceof SklarError && error.code === 'ERR_SKLAR_DIVERGED' && error.state) {
      expect(error.state.values.rows).toBe(error.state.rows.length);
      expect(error.state.times).toHaveLength(error.state.rows.length);
      return { state: error.state, message: error.message };
    }
    throw error;
  }
  throw new Error('expected the call to fail');
}

const close = (a: ArrayLike<number>, b: ArrayLike<number>, digits = 6) => {
  expect(a).toHaveLength(b.length);
  for (let i = 0; i < a.length; i++) expect(a[i]!).toBeCloseTo(b[i]!, digits);
};

function velocityParameters(definition: VelocityDefinition): Float32Array {
  const last = callNative((addon) => addon.velocitySlices(definition)).at(-1)!;
  return new Float32Array(last.offset + last.rows * Math.max(last.columns, 1));
}

const sizes = { hiddenDim: 8, depth: 1, members: 1, cholesky: null } as const;

/** A flow that stands still until cos(theta) + y_0 / 10 > 0.8, where its velocity is infinite. */
function bursting(): FlowCopula {
  const definition = {
    process: 'ou',
    published: false,
    potential: false,
    dim: 2,
    frequencies: 0,
    activation: 'published',
    ...sizes,
  } as const;
  const parameters = velocityParameters(definition);
  const at = Object.fromEntries(
    callNative((addon) => addon.velocitySlices(definition)).map(({ name, offset }) => [name, offset]),
  );
  // the network reads y_0, y_1, sin(theta), cos(theta), ...
  parameters[at['backbone.input_proj.weight']!] = 0.1;
  parameters[at['backbone.input_proj.weight']! + 3] = 1;
  parameters[at['backbone.input_proj.bias']!] = -0.8;
  // ReLU of the first unit, into the second one, which the head reads
  parameters[at['backbone.resblocks.0.net.0.weight']!] = 1e20;
  parameters[at['backbone.resblocks.0.net.2.weight']! + sizes.hiddenDim] = 1;
  parameters[at['velocity_head.weight']! + 1] = 1e38;
  return FlowCopula.fromParts({
    definition,
    reference: Math.PI / 2,
    parameters,
    options: null,
    training: null,
  });
}

/** A CDC of which every number is NaN. */
function brokenCdc(): CdcCopula {
  const network = { inputDim: 3, hiddenDim: 8, depth: 1, outputDim: 6, activation: 'silu' } as const;
  const slice = callNative((addon) => addon.cdcSlices(network)).at(-1)!;
  return CdcCopula.fromParts({
    network,
    times: noiseTimes(6, 3),
    cholesky: Float64Array.from([1, 0, 0, 0.5, Math.sqrt(0.75), 0, 0, 0, 1]),
    correlation: null,
    parameters: new Float32Array(slice.offset + slice.rows).fill(NaN),
    options: null,
    training: null,
  });
}

describe('rows that leave the finite numbers are handed out where they stood last', () => {
  // y_0 of the rows: the first never bursts
  const start = matrix(Float64Array.from([-2.5, 1, -1, 0.5, 0.3, -0.7, 1.5, 2]), 4, 2);
  const steps = 20;
  const angles = Array.from({ length: steps + 1 }, (_, i) => (Math.PI / 2) * (1 - i / steps));
  const lastTimes = [-1, 0.3, 1.5].map((y) => angles.find((theta) => Math.cos(theta) + y / 10 > 0.8)!);
  const onCopulaScale: Matrix = matrix(normalCdf(start.data as Float64Array), 4, 2);

  test.each(['gaussian', 'copula'] as const)('by integrate, on the %s scale', async (scale) => {
    const from = scale === 'gaussian' ? start : onCopulaScale;
    const options = { solver: 'euler', clock: 'theta', steps, scale, start: from } as const;
    const { state, message } = await lost(integrate(bursting(), options));
    expect(state.rows).toEqual([1, 2, 3]);
    close(state.times, lastTimes, 12);
    close(state.values.data, from.data.subarray(2));
    expect(message).toMatch(/3 rows, first in row 1, between the times 0\.39/);
    const shifted = await lost(integrate(bursting(), { ...options, firstRow: 10 }));
    expect(shifted.state.rows).toEqual([11, 12, 13]);
  });

  test('with steps of their own', async () => {
    const options = { solver: 'tsit5', rtol: 1e-3, clock: 'theta', scale: 'gaussian', start } as const;
    const { state } = await lost(integrate(bursting(), options));
    state.rows.forEach((row, i) => {
      close(state.values.data.subarray(2 * i, 2 * i + 2), start.data.subarray(2 * row, 2 * row + 2));
      expect(Math.cos(state.times[i]!)).toBeCloseTo(0.8 - start.data[2 * row]! / 10, 3);
    });
  });

  test('by the log density along the flow, in any batch', async () => {
    const rows = new Float64Array(2 * 9002).fill(normalCdf(Float64Array.of(-3))[0]!);
    rows.set([0.6, 0.7], 2 * 9000);
    const { state } = await lost(bursting().logPdf(matrix(rows, 9002, 2), { method: 'ode', steps: 4 }));
    expect(state.rows).toEqual([9000]);
    expect(state.times[0]).toBe(0);
    close(state.values.data, [0.6, 0.7]);
    await expect(bursting().logPdf(start, { method: 'bound', scale: 'gaussian' })).rejects.toMatchObject({
      code: 'ERR_SKLAR_DIVERGED',
      message: expect.stringMatching(/bound is not finite, first in row [0-3]/),
    });
  });

  test('by sample, of its own rows or of the pilot sample', async () => {
    const raw = await lost(bursting().sample(300, { margins: 'raw', seed: 4, firstRow: 50 }));
    expect(Math.min(...raw.state.rows)).toBeGreaterThanOrEqual(50);
    expect(Math.max(...raw.state.rows)).toBeLessThan(350);
    const pilot = await lost(bursting().sample(10));
    expect(pilot.message).toMatch(/^the pilot sample/);
    for (const { state } of [raw, pilot]) {
      expect(Math.min(...state.values.data)).toBeGreaterThan(0);
      expect(Math.max(...state.values.data)).toBeLessThan(1);
    }
    const gaussian = await lost(bursting().sample(10, { scale: 'gaussian' }));
    expect(Math.min(...gaussian.state.values.data)).toBeLessThan(-1);
  });
});

test('a reflection and every sampler of a cdc do the same', async () => {
  const definition = {
    process: 'reflection',
    published: false,
    potential: false,
    dim: 3,
    frequencies: 2,
    activation: 'silu',
    ...sizes,
  } as const;
  const reflection = ReflectionCopula.fromParts({
    definition,
    reference: 0.9,
    parameters: velocityParameters(definition).fill(NaN),
    options: null,
    training: null,
  });
  const start = matrix(Float64Array.from([0.2, 0.5, 0.9, 0.4, 0.1, 0.6]), 2, 3);
  const { state } = await lost(integrate(reflection, { start }));
  expect(state.rows).toEqual([0, 1]);
  close(state.values.data, start.data);
  close(state.times, [0.9, 0.9], 12);
  const back = await lost(integrate(reflection, { start, direction: 'likelihood' }));
  close(back.state.values.data, start.data);
  close(back.state.times, [0, 0], 12);

  const cdc = brokenCdc();
  const z = matrix(Float64Array.from([0.2, 0.5, -0.9, 0.4, -0.1, 0.6]), 2, 3);
  for (const solver of ['ab2', 'exponential-em', 'tsit5', 'shark', 'published', 'published-noisy'] as const) {
    const { state: last } = await lost(cdc.sample(2, { solver, margins: 'raw', scale: 'gaussian' }));
    expect(last.rows).toEqual([0, 1]);
    expect([...last.values.data].every(Number.isFinite)).toBe(true);
    if (solver !== 'ab2') continue;
    // colour and back
    close((await lost(integrate(cdc, { start: z, scale: 'gaussian' }))).state.values.data, z.data, 5);
  }
});

test('an ensemble names the member', async () => {
  const ensemble = new EnsembleCopula([bursting(), bursting()]);
  const rows = matrix(Float64Array.from([0.2, 0.5, 0.9, 0.4]), 2, 2);
  const density = await lost(ensemble.logPdf(rows));
  expect(density.message).toMatch(/\(member 0\)$/);
  expect(density.state.rows).toEqual([0, 1]);
  close(density.state.values.data, rows.data);
  const raw = await lost(ensemble.sample(300, { margins: 'raw', firstRow: 50 }));
  expect(raw.message).toMatch(/\(member 0\)$/);
  // of every two rows the member draws one
  expect(Math.min(...raw.state.rows)).toBeGreaterThanOrEqual(25);
  expect(Math.max(...raw.state.rows)).toBeLessThan(175);
});

test('a certificate says what failed, and goes on', async () => {
  const rows = matrix(Float64Array.from([0.2, 0.5, 0.9, 0.4, 0.1, 0.6]), 3, 2);
  const options = { sampleRows: 1000 };
  const failed = await bursting().certify(rows, options);
  expect(failed).toMatchObject({
    normalisedBy: 'flow',
    routes: [
      { method: 'ode', failure: expect.stringContaining('3 rows'), mean: null, nfe: null },
      { method: 'bound', failure: expect.stringContaining('bound is not finite') },
    ],
    margins: {
      uniform: { failure: expect.stringContaining('pilot'), worst: null, within: false },
      raw: { failure: expect.stringContaining('integration') },
    },
    verdict: {
      routesAgree: { method: null, largestDifference: null, within: false },
      marginsUniform: false,
      rawMarginsUniform: false,
      failed: ['ode', 'bound', 'sample', 'raw sample'],
    },
  });
  expect(JSON.parse(JSON.stringify(failed))).toEqual(failed);
  const cube = matrix(Float64Array.from([0.2, 0.5, 0.9, 0.4, 0.1, 0.6]), 2, 3);
  const cdc = await brokenCdc().certify(cube, options);
  expect(cdc).toMatchObject({ logNormaliser: null, normalisedBy: null });
  expect(cdc.routes[0]!.failure).toMatch(/^the normaliser could not be estimated/);
  expect(cdc.verdict.failed).toEqual(['normaliser', 'classifier', 'ode', 'bound', 'sample', 'raw sample']);

  // the others stand: a formula beside a bad field, a good field beside a bad formula
  const correlation = Float64Array.from([1, 0.5, 0.5, 1]);
  class BadField extends GaussianCopula {
    override fieldHandle() {
      return bursting().fieldHandle();
    }
  }
  const formula = await new BadField(correlation, 2).certify(rows, options);
  expect(formula.routes[0]).toMatchObject({ method: 'exact', failure: null, mean: expect.any(Number) });
  expect(formula.verdict).toMatchObject({
    routesAgree: { method: null, within: false },
    marginsUniform: true,
    failed: ['ode', 'bound'],
  });
  const ensemble = new EnsembleCopula([new GaussianCopula(correlation, 2), new BadField(correlation, 2)]);
  const mixed = await ensemble.certify(rows, options);
  expect(mixed.routes).toMatchObject([
    { method: 'exact', failure: null },
    { method: 'ode', failure: expect.stringMatching(/\(member 1\)$/) },
  ]);
  expect(mixed.verdict).toMatchObject({ marginsUniform: true, failed: ['ode'] });
  const broken = await new EnsembleCopula([brokenCdc()]).certify(cube, options);
  expect(broken.verdict.failed).toEqual(['normaliser', 'classifier', 'ode', 'sample', 'raw sample']);
  class BadFormula extends GaussianCopula {
    protected override logPdfRows({ x }: { x: Float64Array }) {
      return Promise.resolve(new Float64Array(x.length / 2).fill(NaN));
    }
  }
  const field = await new BadFormula(correlation, 2).certify(rows, options);
  expect(field.routes[0]!.failure).toBe('the log density is NaN, first in row 0');
  expect(field.routes[1]).toMatchObject({ method: 'ode', difference: null });
  expect(field.routes[2]!.difference).not.toBeNull();
  expect(field.verdict).toMatchObject({ routesAgree: { method: 'bound', within: false }, failed: ['exact'] });
});
