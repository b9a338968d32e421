/** Exported densities and networks of learned kinds, run by onnxruntime, beside `logPdf` and `logits`. */
import {
  type CdcCopula,
  type Copula,
  type FlowCopula,
  fitCopula,
  fitEnsemble,
  integrate,
  loadModel,
} from '../../lib';
import { toOnnx } from '../../lib/onnx/export';
import { writeModelFile } from '../../lib/model/model-file';
import { TemporaryFolder } from '../data/support';
import { crossed, uniforms } from '../helpers/data';
import { runOnnx, tensorOf, worstOf } from '../helpers/onnx';

const folder = new TemporaryFolder();
const next = uniforms(11);
/** Three columns: two cross, the third follows the first. */
const pairs = crossed(400, 0.9, 1);
const u = Array.from({ length: 400 }, (_, i) => {
  const [a, b] = [pairs.data[2 * i]!, pairs.data[2 * i + 1]!];
  return [a, b, 0.7 * a + 0.3 * next()];
});
const rows = u.slice(0, 30).concat([
  [1e-6, 1 - 1e-6, 0.5],
  [1e-5, 1e-5, 1e-5],
  [0.5, 1 - 1e-7, 0.9],
]);
const size = { hidden: 12, depth: 2, steps: 120, batch: 128 };

/** The same model with parameters in doubles, in which it is then computed. */
async function inDouble<C extends Copula>(copula: C): Promise<C> {
  const file = folder.file('double.safetensors');
  const { config, tensors } = copula.fileContent();
  const wide = new Map(
    Array.from(
      tensors,
      ([name, { shape, data }]) => [name, { shape, data: Float64Array.from(data) }] as const,
    ),
  );
  await writeModelFile(file, {
    document: {
      ...{ formatVersion: 1, kind: copula.kind, config, columns: null, margins: null },
      ...{ training: null, notes: [], libraryVersion: '0.2.0' },
    },
    tensors: wide,
  });
  return (await loadModel(file)) as C;
}

async function evaluate(copula: Copula, options = {}) {
  const { file } = await toOnnx(copula, options);
  return (await runOnnx([{ model: file, inputs: { u: tensorOf(rows) } }]))[0]!;
}

test.each([
  {},
  { guided: false },
  { activation: 'published', levels: 5, referenceTime: 2, depth: 1 },
] as const)('cdc %o', async (options) => {
  const copula = await inDouble(await fitCopula(u, { ...size, ...options }));
  expect(Object.keys(await evaluate(copula))).toEqual(['log_pdf']);
  await copula.estimateNormaliser({ particles: 64 });
  const { log_pdf, log_pdf_normalised } = await evaluate(copula);
  expect(worstOf(log_pdf!.data, await copula.logPdf(rows)).error).toBeLessThan(1e-11);
  const normalised = await copula.logPdf(rows, { normalised: true });
  expect(worstOf(log_pdf_normalised!.data, normalised).error).toBeLessThan(1e-11);
});

test.each([{}, { guided: false, members: 1 }] as const)('potential %o', async (options) => {
  const copula = await inDouble(await fitCopula(u, { ...size, ...options, kind: 'potential' }));
  await copula.estimateNormaliser({ particles: 64 });
  const { log_pdf, log_pdf_normalised } = await evaluate(copula);
  expect(worstOf(log_pdf!.data, await copula.logPdf(rows)).error).toBeLessThan(1e-11);
  const normalised = await copula.logPdf(rows, { normalised: true });
  expect(worstOf(log_pdf_normalised!.data, normalised).error).toBeLessThan(1e-11);
  await expect(toOnnx(copula, { what: 'network' })).rejects.toThrow('export its density');
});

test.each([
  { kind: 'flow' },
  { kind: 'flow', guided: false, members: 1 },
  { kind: 'flow', process: 'jacobi', cosines: 3 },
  { kind: 'reflection' },
  { kind: 'reflection', cosines: 2, members: 3, depth: 1 },
] as const)('density of %o', async (options) => {
  const copula = await inDouble<Copula>(await fitCopula(u, { ...size, ...options } as { kind: 'flow' }));
  // what `logPdf` comes to as its tolerance falls
  const expected = await copula.logPdf(rows, { atol: 1e-9 });
  expect(worstOf((await evaluate(copula)).log_pdf!.data, expected).error).toBeLessThan(5e-6);
  const few = worstOf((await evaluate(copula, { steps: 8 })).log_pdf!.data, expected).error;
  const twice = worstOf((await evaluate(copula, { steps: 16 })).log_pdf!.data, expected).error;
  expect(twice).toBeLessThan(few / 4); // of fourth order
});

test('a model as it is trained, in single precision', async () => {
  const cdc = await fitCopula(u, size);
  expect(worstOf((await evaluate(cdc)).log_pdf!.data, await cdc.logPdf(rows)).error).toBeLessThan(1e-5);
  const flow = await fitCopula(u, { kind: 'flow', ...size });
  // rounding on the way through the flow is that of `logPdf`; the graph computes in doubles
  const expected = await flow.logPdf(rows, { atol: 1e-7 });
  expect(worstOf((await evaluate(flow)).log_pdf!.data, expected).error).toBeLessThan(2e-4);
});

test('an ensemble is the mean of its members, each with its normaliser', async () => {
  const cdcs = await fitEnsemble(u, { ...size, models: 2 });
  await expect(toOnnx(cdcs)).rejects.toMatchObject({
    code: 'ERR_SKLAR_VALUE',
    message: expect.stringContaining('call estimateNormaliser first'),
  });
  await cdcs.estimateNormaliser({ particles: 64 });
  const outputs = await evaluate(cdcs);
  expect(Object.keys(outputs)).toEqual(['log_pdf']);
  expect(worstOf(outputs.log_pdf!.data, await cdcs.logPdf(rows)).error).toBeLessThan(1e-5);
  await expect(toOnnx(cdcs, { what: 'network' })).rejects.toMatchObject({
    code: 'ERR_SKLAR_VALUE',
    message: expect.stringContaining('export its members one by one'),
  });
});

test('networks: logits of a cdc, velocities of flows, also published ones', async () => {
  const z = [
    [0.3, -1, 2],
    [0, 0.5, -0.4],
  ];
  const cdc: CdcCopula = await inDouble(await fitCopula(u, { ...size, guided: false }));
  const { file, inputs, outputs } = await toOnnx(cdc, { what: 'network' });
  expect([inputs, outputs]).toEqual([['y'], ['logits']]);
  const [{ logits }] = (await runOnnx([{ model: file, inputs: { y: tensorOf(z) } }])) as [
    Record<string, any>,
  ];
  expect(logits.shape).toEqual([2, 10]);
  expect(worstOf(logits.data as number[], (await cdc.logits(z)).data).error).toBeLessThan(1e-12);

  for (const options of [
    { kind: 'flow', guided: false, members: 2 },
    { kind: 'flow', process: 'jacobi', cosines: 2 },
    { kind: 'reflection' },
    { kind: 'reflection', network: 'published', depth: 3, members: 2 },
  ] as const) {
    const copula = await inDouble<FlowCopula>(
      await fitCopula(u, { ...size, ...options } as { kind: 'flow' }),
    );
    const network = await toOnnx(copula, { what: 'network' });
    expect([network.inputs, network.outputs]).toEqual([['y', 'time'], ['velocity']]);
    const cube = options.kind === 'reflection' || 'process' in options;
    const start = cube ? rows.slice(3, 6) : z;
    const { reference } = copula.info().config as { reference: number };
    const velocity = async (y: number[], time: number) =>
      (
        await runOnnx([
          {
            model: network.file,
            inputs: { y: { data: y, shape: [y.length / 3, 3] }, time: { data: [time], shape: [] } },
          },
        ])
      )[0]!.velocity!.data;
    // one step of the classical Runge-Kutta method, from the reference to data
    const y = start.flat();
    const moved = (along: number[], length: number) => y.map((from, i) => from - length * along[i]!);
    const k1 = await velocity(y, reference);
    const k2 = await velocity(moved(k1, reference / 2), reference / 2);
    const k3 = await velocity(moved(k2, reference / 2), reference / 2);
    const k4 = await velocity(moved(k3, reference), 0);
    const mean = k1.map((k, i) => (k + 2 * k2[i]! + 2 * k3[i]! + k4[i]!) / 6);
    const { values } = await integrate(copula, {
      ...{ start, solver: 'rk4', steps: 1, scale: cube ? 'copula' : 'gaussian' },
    });
    expect(worstOf(moved(mean, reference), values.data).error).toBeLessThan(1e-9);
  }
});
