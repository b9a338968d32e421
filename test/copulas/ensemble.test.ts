import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

import {
  CdcCopula,
  type Copula,
  EnsembleCopula,
  type EnsembleProgress,
  FamilyCopula,
  GaussianCopula,
  exportOnnx,
  fitCopula,
  fitEnsemble,
  integrate,
  loadModel,
  totalCorrelation,
} from '../../lib';
import { noiseTimes } from '../../lib/copulas/kinds/cdc';
import { logMeanExp } from '../../lib/copulas/kinds/ensemble';
import { readModelFile, writeModelFile } from '../../lib/model/model-file';
import { callNative } from '../../lib/native';
import { crossed } from '../helpers/data';

const pair = (rho: number) => new GaussianCopula(Float64Array.of(1, rho, rho, 1), 2);
const three = (a: number, b: number, c: number) =>
  new GaussianCopula(Float64Array.of(1, a, b, a, 1, c, b, c, 1), 3);
/** Almost comonotone, almost countermonotone: a row tells which of the two it comes from. */
const opposite = () => new EnsembleCopula([pair(1 - 1e-12), pair(-1 + 1e-12)]);

let scratch: string;
beforeAll(() => {
  scratch = mkdtempSync(path.join(os.tmpdir(), 'sklar-ensemble-'));
});
afterAll(() => rmSync(scratch, { recursive: true }));

test('the log of a mean of exponentials', () => {
  const [a, b, c, d] = logMeanExp([
    Float64Array.of(0, -1000, -Infinity, 800),
    Float64Array.of(Math.log(3), -1001, -Infinity, -Infinity),
  ]);
  expect(a).toBeCloseTo(Math.log(2), 14);
  expect(b).toBeCloseTo(-1000 + Math.log((1 + Math.exp(-1)) / 2), 12);
  expect(c).toBe(-Infinity);
  expect(d).toBeCloseTo(800 - Math.log(2), 12);
});

describe('members with formulas', () => {
  test('the density is the mean of theirs', async () => {
    const members = [pair(0.7), pair(-0.2), pair(0)];
    const u = crossed(200, 0.8, 3);
    const own = await Promise.all(members.map((member) => member.logPdf(u)));
    const ensemble = new EnsembleCopula(members);
    expect(ensemble).toMatchObject({ kind: 'ensemble', dim: 2, normalised: true, logNormaliser: 0 });
    expect(ensemble.capabilities.logPdf).toEqual(['exact', 'ode']);
    const values = await ensemble.logPdf(u);
    values.forEach((value, i) => {
      const mean = own.reduce((sum, part) => sum + Math.exp(part[i]!), 0) / 3;
      expect(value).toBeCloseTo(Math.log(mean), 13);
    });
    const ode = await ensemble.logPdf(u, { method: 'ode', solver: 'tsit5', rtol: 1e-8 });
    ode.forEach((value, i) => expect(value).toBeCloseTo(values[i]!, 5));
    expect(await totalCorrelation(ensemble, u)).toMatchObject({ fieldBound: null });
    expect((await ensemble.certify(u, { sampleRows: 2000 })).verdict).toMatchObject({
      routesAgree: { within: true },
      marginsUniform: true,
    });
  });

  test('every block of rows has one of each member, in orders of its own', async () => {
    const { data } = await opposite().sample(4000, { seed: 3, scale: 'gaussian' });
    const fromFirst = Array.from({ length: 4000 }, (_, i) => data[2 * i]! * data[2 * i + 1]! > 0);
    expect(fromFirst.every((first, i) => first !== fromFirst[i ^ 1])).toBe(true);
    const leads = fromFirst.filter((first, i) => i % 2 === 0 && first).length;
    expect(Math.abs(leads - 1000)).toBeLessThan(4 * Math.sqrt(500));
    // two rows of a block do not share their noise
    let correlation = 0;
    for (let i = 0; i < 4000; i += 2) correlation += (data[2 * i]! * data[2 * i + 2]!) / 2000;
    expect(Math.abs(correlation)).toBeLessThan(4 / Math.sqrt(2000));
  });

  test('a sample does not depend on batches or threads, and ranges of rows join', async () => {
    const ensemble = new EnsembleCopula([pair(0.9), pair(0), pair(-0.9)]);
    const whole = await ensemble.sample(100, { seed: 9, threads: 1 });
    for (const batch of [1, 30]) {
      const rows: number[] = [];
      for await (const part of ensemble.sampleStream(100, { seed: 9, batch })) rows.push(...part.data);
      expect(rows).toEqual(Array.from(whole.data));
    }
    const tail = await ensemble.sample(61, { seed: 9, firstRow: 39, threads: 2 });
    expect(tail.data).toEqual(whole.data.slice(2 * 39));
    expect((await ensemble.sample(100, { seed: 10 })).data).not.toEqual(whole.data);
    expect((await ensemble.sample(0)).rows).toBe(0);
  });

  test('a condition weighs the members', async () => {
    const members = [three(0.8, 0.5, 0.5), three(-0.8, -0.5, 0.5)];
    const ensemble = new EnsembleCopula(members);
    ensemble.names = ['x', 'y', 'z'];
    const given = { x: 1, y: 0.7 };
    const result = await ensemble.sampleConditional(given, 20_000, { scale: 'gaussian', seed: 4 });
    const parts = await Promise.all(
      members.map((member) => member.marginal([0, 1]).logPdf([[given.x, given.y]], { scale: 'gaussian' })),
    );
    expect(result.logMarginalDensity).toBeCloseTo(logMeanExp(parts)[0]!, 12);
    expect(result).toMatchObject({ normalised: true, standardError: 0, ancestors: null, method: 'exact' });
    // E(z | x, y) under a member: (b, c) R^-1 (x, y)
    const meanOf = (a: number, b: number, c: number) =>
      ((b - a * c) * given.x + (c - a * b) * given.y) / (1 - a * a);
    const weights = parts.map((part) => Math.exp(part[0]! - result.logMarginalDensity!) / 2);
    expect(weights[0]! + weights[1]!).toBeCloseTo(1, 12);
    const expected = weights[0]! * meanOf(0.8, 0.5, 0.5) + weights[1]! * meanOf(-0.8, -0.5, 0.5);
    const { data } = result.rows;
    let mean = 0;
    let fixed = true;
    for (let i = 0; i < 20_000; i++) {
      fixed &&= data[3 * i] === 1;
      mean += data[3 * i + 2]! / 20_000;
    }
    expect(fixed).toBe(true);
    expect(Math.abs(mean - expected)).toBeLessThan(5 / Math.sqrt(20_000));
    expect(result.effectiveSampleSize).toBeCloseTo(20_000 / (weights[0]! ** 2 + weights[1]! ** 2), 6);
  });

  test('a file keeps it', async () => {
    const ensemble = opposite();
    ensemble.names = ['a', 'b'];
    const file = path.join(scratch, 'gaussian.safetensors');
    await ensemble.save(file);
    const back = (await loadModel(file)) as EnsembleCopula;
    expect(back).toBeInstanceOf(EnsembleCopula);
    expect(back.names).toEqual(['a', 'b']);
    expect(back.members).toHaveLength(2);
    const u = crossed(50, 0.5, 1);
    expect(await back.logPdf(u)).toEqual(await ensemble.logPdf(u));
    expect(await back.sample(20)).toEqual(await ensemble.sample(20));
    const { tensors } = await readModelFile(file);
    expect([...tensors.keys()].sort()).toEqual(['models.0.correlation', 'models.1.correlation']);
  });

  test('also of classical copulas', async () => {
    const ensemble = new EnsembleCopula([1, 3].map((theta) => new FamilyCopula('clayton', { theta })));
    const file = path.join(scratch, 'clayton.safetensors');
    await ensemble.save(file);
    const u = crossed(50, 0.5, 1);
    expect(await (await loadModel(file)).logPdf(u)).toEqual(await ensemble.logPdf(u));
  });

  test('disposed with its members', async () => {
    const ensemble = opposite();
    ensemble.dispose();
    await expect(ensemble.logPdf([[0.5, 0.5]])).rejects.toMatchObject({ code: 'ERR_SKLAR_DISPOSED' });
    await expect(ensemble.members[0]!.sample(1)).rejects.toMatchObject({ code: 'ERR_SKLAR_DISPOSED' });
    expect(() => new EnsembleCopula(ensemble.members)).toThrow('was disposed');
    const file = path.join(scratch, 'disposed.onnx');
    await expect(exportOnnx(ensemble, file)).rejects.toMatchObject({ code: 'ERR_SKLAR_DISPOSED' });
  });

  test.each<[string, readonly unknown[], string, RegExp]>([
    ['none', [], 'ERR_SKLAR_VALUE', /none/],
    ['other dimensions', [pair(0), three(0, 0, 0)], 'ERR_SKLAR_SHAPE', /member 1/],
    ['ensembles', [opposite()], 'ERR_SKLAR_VALUE', /"ensemble" \(member 0\)/],
    ['no copulas', [pair(0), 5], 'ERR_SKLAR_VALUE', /5.*member 1/],
  ])('members: %s', (_what, members, code, message) => {
    const make = () => new EnsembleCopula(members as Copula[]);
    expect(make).toThrow(expect.objectContaining({ code, message: expect.stringMatching(message) }));
  });

  test.each<[string, readonly unknown[], string, RegExp]>([
    ['too few', [1], 'ERR_SKLAR_SHAPE', /got 1 for 2/],
    ['0', [1, 0], 'ERR_SKLAR_VALUE', /weight 1/],
    ['no number', [1, NaN], 'ERR_SKLAR_VALUE', /weight 1/],
  ])('weights: %s', (_what, weights, code, message) => {
    const make = () => new EnsembleCopula([pair(0), pair(0.5)], weights as number[]);
    expect(make).toThrow(expect.objectContaining({ code, message: expect.stringMatching(message) }));
  });

  test('other kinds with weights: density, rows, condition, file', async () => {
    const members = [pair(0.8), new FamilyCopula('clayton', { theta: 2 })] as const;
    const ensemble = new EnsembleCopula(members, [0.25, 0.75]);
    expect(ensemble.weights).toEqual([0.25, 0.75]);
    expect(new EnsembleCopula([pair(0), pair(0.1), pair(0.2)], [1, 1e-9, 1e6]).weights).toEqual([
      1 / 64,
      1 / 64,
      62 / 64,
    ]);
    expect(ensemble.info().config).toMatchObject({ member: 'gaussian, clayton', weights: [0.25, 0.75] });
    const u = crossed(50, 0.5, 1);
    const own = await Promise.all(members.map((member) => member.logPdf(u)));
    const values = await ensemble.logPdf(u);
    values.forEach((value, i) =>
      expect(Math.exp(value)).toBeCloseTo(0.25 * Math.exp(own[0]![i]!) + 0.75 * Math.exp(own[1]![i]!), 12),
    );
    // whole blocks have 16 and 48 rows of the members, whatever they are drawn in
    const whole = await ensemble.sample(640, { seed: 3 });
    const parts: number[] = [];
    for await (const part of ensemble.sampleStream(640, { seed: 3, batch: 100 })) parts.push(...part.data);
    expect(parts).toEqual(Array.from(whole.data));
    const mixture = new EnsembleCopula([pair(1 - 1e-12), pair(-1 + 1e-12)], [1, 3]);
    const { data } = await mixture.sample(640, { seed: 3, scale: 'gaussian' });
    for (let block = 0; block < 10; block++) {
      const first = Array.from({ length: 64 }, (_, i) => 2 * (64 * block + i)).filter(
        (i) => data[i]! * data[i + 1]! > 0,
      );
      expect(first).toHaveLength(16);
    }
    const given = await ensemble.sampleConditional({ 0: 0.3 }, 20_000, { seed: 1 });
    expect(given).toMatchObject({ method: 'exact', normalised: true });
    // the copula of one column has density 1 under both, so that its share is the weight
    expect(given.logMarginalDensity).toBeCloseTo(0, 12);
    const meanOf = async (copula: Copula) => {
      const { rows } = await copula.sampleConditional({ 0: 0.3 }, 20_000, { seed: 2 });
      return Array.from(rows.data).reduce((sum, value, i) => sum + (i % 2 ? value / 20_000 : 0), 0);
    };
    const expected = 0.25 * (await meanOf(members[0])) + 0.75 * (await meanOf(members[1]));
    expect(Math.abs((await meanOf(ensemble)) - expected)).toBeLessThan(0.01);
    const file = path.join(scratch, 'mixed.safetensors');
    await ensemble.save(file);
    const back = (await loadModel(file)) as EnsembleCopula;
    expect(back.weights).toEqual([0.25, 0.75]);
    expect(await back.logPdf(u)).toEqual(values);
    expect((await back.sample(100, { seed: 3 })).data).toEqual(whole.data.slice(0, 200));
  });

  test('rows and options are checked as everywhere', async () => {
    const ensemble = opposite();
    await expect(
      ensemble.logPdf([
        [0.5, 0.5],
        [0.5, 1],
      ]),
    ).rejects.toMatchObject({ code: 'ERR_SKLAR_VALUE', message: expect.stringMatching(/row 2, column 2/) });
    for (const options of [{ steps: 3 }, { seed: -1 }, { scale: 'log' }, { precision: 'fp16' }]) {
      await expect(ensemble.sample(5, options as object)).rejects.toMatchObject({ code: 'ERR_SKLAR_VALUE' });
    }
    await expect(ensemble.sample(5, { device: 'cuda' })).rejects.toMatchObject({ code: 'ERR_SKLAR_DEVICE' });
    await expect(ensemble.logPdf([[0.5, 0.5]], { method: 'bound' })).rejects.toMatchObject({
      code: 'ERR_SKLAR_VALUE',
    });
    await expect(integrate(ensemble as never, { rows: 1 })).rejects.toMatchObject({
      code: 'ERR_SKLAR_VALUE',
    });
  });
});

describe('models that were trained', () => {
  const u = crossed(600, 0.9, 1);
  const quick = { hidden: 8, depth: 1, steps: 40, batch: 128, device: 'cpu' } as const;
  const options = { ...quick, levels: 4 };
  const cells = 64;
  const centres = Array.from({ length: cells * cells }, (_, i) => [
    ((i % cells) + 0.5) / cells,
    (Math.floor(i / cells) + 0.5) / cells,
  ]);

  const rows = crossed(50, 0.9, 2);
  const progress: EnsembleProgress[] = [];
  let ensemble: EnsembleCopula;
  beforeAll(async () => {
    ensemble = await fitEnsemble(u, {
      ...options,
      models: 2,
      seed: 5,
      names: ['a', 'b'],
      onProgress: (report) => progress.push(report),
    });
  });

  test('an ensemble of CDCs is a copula; its models are those of the seeds', async () => {
    expect(ensemble.names).toEqual(['a', 'b']);
    expect(progress.at(-1)).toMatchObject({ model: 1, models: 2, steps: 80 });
    progress.forEach((report, i) => expect(report.step).toBeGreaterThan(progress[i - 1]?.step ?? 0));
    expect(ensemble.info().training).toMatchObject({ models: 2, device: 'cpu', precision: 'fp32' });

    const alone = await fitCopula(u, { ...options, seed: 6 });
    expect(await ensemble.members[1]!.logPdf(rows)).toEqual(await alone.logPdf(rows));

    expect(ensemble.logNormaliser).toBeNull();
    const { standardError } = await ensemble.estimateNormaliser({ particles: 1024 });
    expect(ensemble.logNormaliser).toBe(0);
    const errors = ensemble.members.map((member) => (member as CdcCopula).logNormaliserStandardError!);
    expect(standardError).toBeCloseTo(Math.hypot(...errors) / 2, 15);
    const own = await Promise.all(ensemble.members.map((m) => m.logPdf(rows, { normalised: true })));
    const values = await ensemble.logPdf(rows);
    logMeanExp(own).forEach((value, i) => expect(values[i]).toBeCloseTo(value, 12));
    expect(await ensemble.logPdf(rows, { normalised: true })).toEqual(values);
    const mass = (await ensemble.logPdf(centres)).reduce((sum, value) => sum + Math.exp(value), 0);
    expect(Math.abs(mass / cells ** 2 - 1)).toBeLessThan(4 * standardError + 0.02);

    const file = path.join(scratch, 'cdc.safetensors');
    await ensemble.save(file);
    const back = await loadModel(file);
    expect(await back.logPdf(rows)).toEqual(values);
    expect(await back.sample(30, { seed: 2 })).toEqual(await ensemble.sample(30, { seed: 2 }));
    expect(back.info()).toEqual(ensemble.info());
    const conditional = await back.sampleConditional({ b: 0.3 }, 20, { particles: 128, seed: 2 });
    expect(conditional).toMatchObject({ normalised: true, method: 'smc' });
    expect(conditional.rows.names).toEqual(['a', 'b']);
    // the density of one column is 1
    expect(Math.abs(conditional.logMarginalDensity!)).toBeLessThan(1);
    await expect(back.sampleConditional({ b: 0.3 }, 20, { method: 'replacement' })).rejects.toMatchObject({
      code: 'ERR_SKLAR_VALUE',
      message: expect.stringContaining("'replacement'"),
    });
  });

  test('the same validation rows, or others', async () => {
    const same = await fitEnsemble(u, { ...options, models: 2, seed: 5, splits: 'same' });
    const scores = (copula: EnsembleCopula, k: number) => copula.members[k]!.logPdf(rows);
    expect(await scores(same, 0)).toEqual(await scores(ensemble, 0));
    expect(await scores(same, 1)).not.toEqual(await scores(ensemble, 1));
  });

  test('an ensemble of flows', async () => {
    const flows = await fitEnsemble(u, { ...quick, kind: 'flow', members: 1, steps: 10, models: 1 });
    expect(flows.capabilities.logPdf).toEqual(['ode']);
    expect(flows.normalisable).toBeNull();
    expect(await flows.logPdf(rows)).toEqual(await flows.members[0]!.logPdf(rows));
    const given = await flows.sampleConditional({ 0: 0.5 }, 5, { particles: 64, steps: 8 });
    expect(given).toMatchObject({ method: 'twisted', normalised: true });
    await expect(flows.sampleConditional({ 0: 0.5 }, 5, { method: 'smc' })).rejects.toMatchObject({
      code: 'ERR_SKLAR_VALUE',
    });
  });

  test('networks beside a formula', async () => {
    const flow = await fitCopula(u, { ...quick, kind: 'flow', members: 1, steps: 10 });
    const cdc = await fitCopula(u, { ...options });
    using mixture = new EnsembleCopula([pair(0.5), cdc, flow], [1, 2, 5]);
    expect(mixture.capabilities).toMatchObject({ logPdf: ['classifier', 'ode', 'exact'], field: false });
    const values = await mixture.logPdf(rows);
    const own = await Promise.all(mixture.members.map((member) => member.logPdf(rows, { normalised: true })));
    logMeanExp(own, [1, 2, 5]).forEach((value, i) => expect(values[i]).toBeCloseTo(value, 10));
    const ode = await mixture.logPdf(rows, { method: 'ode', steps: 16 });
    expect(ode.every((value, i) => Math.abs(value - values[i]!) < 2)).toBe(true);
    const cells = await mixture.logPdfCells([[0.2, 0.4]], [[0.2, 0.5]]);
    const ofCells = await Promise.all(
      mixture.members.map((member) => member.logPdfCells([[0.2, 0.4]], [[0.2, 0.5]], { normalised: true })),
    );
    expect(cells[0]!).toBeCloseTo(logMeanExp(ofCells, [1, 2, 5])[0]!, 10);
    const given = await mixture.sampleConditional({ 0: 0.5 }, 50, { particles: 64 });
    expect(given.rows.rows).toBe(50);
    expect(Math.abs(given.logMarginalDensity!)).toBeLessThan(1);
  });

  test('a fit that is aborted goes on from its checkpoints and leaves none', async () => {
    const checkpoint = path.join(scratch, 'run');
    const fit = { ...options, models: 2, checkpoint, checkpointSeconds: 0.01, validation: 0 };
    const abort = new AbortController();
    await expect(
      fitEnsemble(u, {
        ...fit,
        signal: abort.signal,
        onProgress: ({ model, step }) => model === 1 && step > 50 && abort.abort(new Error('enough')),
      }),
    ).rejects.toThrow('enough');
    expect(existsSync(`${checkpoint}.0`) && existsSync(`${checkpoint}.1`)).toBe(true);
    const steps: number[] = [];
    const resumed = await fitEnsemble(u, { ...fit, onProgress: ({ step }) => steps.push(step) });
    expect(steps.filter((step) => step > 40 && step <= 50)).toEqual([]);
    const whole = await fitCopula(u, { ...options, validation: 0, seed: 2 });
    expect(await resumed.members[1]!.logPdf(rows)).toEqual(await whole.logPdf(rows));
    expect(readdirSync(scratch).filter((name) => name.startsWith('run'))).toEqual([]);
  });

  test.each<[object, RegExp]>([
    [{}, /models/],
    [{ models: 0 }, /models/],
    [{ models: 2.5 }, /models/],
    [{ models: 2, splits: 'none' }, /splits/],
    [{ models: 2, kind: 'gaussian' }, /gaussian/],
    [{ models: 2, kind: 'frank' }, /frank/],
    [{ models: 2, kind: 'reflection', network: 'published' }, /density/],
    [{ models: 2, seed: 2n ** 64n - 1n }, /seed/],
    [{ models: 2, hidden: 0 }, /hidden/],
    [{ models: 2, device: 'tpu' }, /device/],
  ])('%j is refused before any work', async (bad, message) => {
    await expect(fitEnsemble(u, bad as { models: number })).rejects.toMatchObject({
      code: 'ERR_SKLAR_VALUE',
      message: expect.stringMatching(message),
    });
  });

  test('damaged files', async () => {
    const network = { inputDim: 2, hiddenDim: 4, depth: 1, outputDim: 4, activation: 'silu' } as const;
    const last = callNative((addon) => addon.cdcSlices(network)).at(-1)!;
    const parts = {
      network,
      times: noiseTimes(4, Infinity),
      cholesky: null,
      correlation: null,
      parameters: new Float32Array(last.offset + last.rows),
      options: null,
      training: null,
    };
    const file = path.join(scratch, 'whole.safetensors');
    await new EnsembleCopula([CdcCopula.fromParts(parts), CdcCopula.fromParts(parts)]).save(file);
    const { document, tensors } = await readModelFile(file);
    const damaged = path.join(scratch, 'damaged.safetensors');
    const { members } = document!.config as { members: object[] };
    for (const [config, message] of [
      [{ members: [] }, /members/],
      [{ members: [...members, { ...members[0], kind: 'ensemble' }] }, /members\.2\.kind/],
      [{ members: [...members, members[0]] }, /lacks the tensor/],
    ] as const) {
      await writeModelFile(damaged, { document: { ...document!, config }, tensors });
      await expect(loadModel(damaged)).rejects.toMatchObject({
        code: 'ERR_SKLAR_FORMAT',
        message: expect.stringMatching(message),
      });
    }
  });
});
