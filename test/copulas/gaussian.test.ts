import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Worker } from 'node:worker_threads';

import { ClosedFormCopula, GaussianCopula, fitCopula, loadModel, matrix } from '../../lib';
import { equicorrelated } from '../helpers/data';

test('log density equals the formula', async () => {
  const rho = 0.6;
  const copula = new GaussianCopula(Float64Array.of(1, rho, rho, 1), 2);
  const z = [
    [0.5, -1.2],
    [2, 2.1],
    [0, 0],
  ];
  const values = await copula.logPdf(z, { scale: 'gaussian' });
  z.forEach(([x, y], i) => {
    const q = (rho * rho * (x! ** 2 + y! ** 2) - 2 * rho * x! * y!) / (2 * (1 - rho * rho));
    expect(values[i]).toBeCloseTo(-0.5 * Math.log(1 - rho * rho) - q, 12);
  });
});

test('fit recovers the correlation, sampling returns it, save keeps it', async () => {
  const u = equicorrelated(20_000, 4, 0.6, 2);
  const copula = await fitCopula(u, { kind: 'gaussian' });
  expect(copula.correlation[1]).toBeCloseTo(0.6, 1);
  expect(copula.normalised).toBe(true);
  const again = await fitCopula(await copula.sample(20_000, { seed: 5, dtype: 'float64' }), {
    kind: 'gaussian',
  });
  again.correlation.forEach((r, i) => expect(Math.abs(r - copula.correlation[i]!)).toBeLessThan(0.03));
  const scratch = mkdtempSync(path.join(os.tmpdir(), 'sklar-gaussian-'));
  const file = path.join(scratch, 'g.safetensors');
  await copula.save(file);
  using loaded = await loadModel(file);
  expect(await loaded.logPdf(u)).toEqual(await copula.logPdf(u));
  rmSync(scratch, { recursive: true });
});

test('single-precision samples stay inside (0, 1)', async () => {
  const copula = new GaussianCopula(Float64Array.of(1, 0.5, 0.5, 1), 2);
  const { data } = await copula.sample(200_000, { seed: 1 });
  expect(data.every((value) => value > 0 && value < 1)).toBe(true);
});

describe('given some columns', () => {
  const correlation = Float64Array.of(1, 0.7, 0.3, 0.7, 1, -0.2, 0.3, -0.2, 1);
  const copula = new GaussianCopula(correlation, 3);

  test('the conditional law and the density of the condition', async () => {
    const [a, b] = [1.1, -0.4];
    const n = 40_000;
    const sample = await copula.sampleConditional({ 0: a, 2: b }, n, { scale: 'gaussian', dtype: 'float64' });
    const at = (j: number) => Array.from({ length: n }, (_, i) => sample.rows.data[3 * i + j]!);
    expect(new Set(at(0))).toEqual(new Set([a]));
    expect(new Set(at(2))).toEqual(new Set([b]));
    // of z_1 given z_0 and z_2, by Cramer's rule
    const determinant = 1 - 0.3 ** 2;
    const [p, q] = [(0.7 + 0.3 * 0.2) / determinant, (-0.2 - 0.3 * 0.7) / determinant];
    const variance = 1 - (0.7 * p - 0.2 * q);
    const y = at(1);
    const mean = y.reduce((sum, x) => sum + x, 0) / n;
    const squares = y.reduce((sum, x) => sum + (x - mean) ** 2, 0) / n;
    expect(Math.abs(mean - (p * a + q * b))).toBeLessThan(4.5 * Math.sqrt(variance / n));
    expect(Math.abs(squares / variance - 1)).toBeLessThan(4.5 * Math.sqrt(2 / n));
    const [marginal] = await copula.marginal([0, 2]).logPdf(matrix(Float64Array.of(a, b), 1, 2), {
      scale: 'gaussian',
    });
    expect(sample.logMarginalDensity).toBeCloseTo(marginal!, 12);
    expect(sample).toMatchObject({
      method: 'exact',
      normalised: true,
      standardError: 0,
      effectiveSampleSize: n,
      ancestors: null,
      acceptance: null,
      rHat: null,
      polishEffectiveSampleSize: null,
    });
  });

  test('the copula scale, seeds and threads', async () => {
    const draw = (seed: number, threads: number) =>
      copula.sampleConditional({ 1: 0.25 }, 5000, { seed, threads });
    const one = await draw(1, 1);
    expect(await draw(1, 3)).toEqual(one);
    expect((await draw(2, 1)).rows.data).not.toEqual(one.rows.data);
    expect(one.rows.data).toBeInstanceOf(Float32Array);
    expect(one.rows.data.every((value) => value > 0 && value < 1)).toBe(true);
    expect(one.rows.data[3 * 4999 + 1]).toBe(0.25);
    expect(Math.abs(one.logMarginalDensity!)).toBeLessThan(1e-12);
  });

  test.each([
    [{ 0: 0.5 }, { method: 'smc' }, "'exact'"],
    [{ 0: 0.5 }, { particles: 100 }, 'particles'],
    [{ 0: 1.5 }, {}, '"0"'],
    [{ height: 0.5 }, {}, '"height"'],
    [{}, {}, 'got 0'],
  ])('refuses %j with %j', async (fixed, options, culprit) => {
    await expect(copula.sampleConditional(fixed, 3, options as never)).rejects.toMatchObject({
      code: 'ERR_SKLAR_VALUE',
      message: expect.stringContaining(culprit),
    });
  });

  test('other kinds say that they cannot', async () => {
    const tiny = { hidden: 8, depth: 1, steps: 2, batch: 32 };
    const others = [
      ClosedFormCopula.gaussianMixture({ weights: [1], correlations: [correlation] }),
      await fitCopula(equicorrelated(200, 2, 0.5, 1), { kind: 'flow', process: 'jacobi', ...tiny }),
    ];
    for (const other of others) {
      await expect(other.sampleConditional({ 0: 0.5 }, 3)).rejects.toMatchObject({
        code: 'ERR_SKLAR_VALUE',
        message: expect.stringMatching(new RegExp(`^a ${other.kind} copula .* 'cdc', .* or a classical one`)),
      });
      other.dispose();
      await expect(other.sampleConditional({ 0: 0.5 }, 3)).rejects.toMatchObject({
        code: 'ERR_SKLAR_DISPOSED',
      });
    }
  });
});

test('bad matrices and options are named', async () => {
  expect(() => new GaussianCopula(Float64Array.of(1, 0.5, 0.4, 1), 2)).toThrow(/row 2, column 1/);
  expect(() => new GaussianCopula(Float64Array.of(1, 0.9, -0.9, 0.9, 1, 0.9, -0.9, 0.9, 1), 3)).toThrow(
    /not positive definite/,
  );
  const copula = new GaussianCopula(Float64Array.of(1, 0.5, 0.5, 1), 2);
  await expect(copula.sample(3, { solver: 'ab2' })).rejects.toMatchObject({ code: 'ERR_SKLAR_VALUE' });
  await expect(
    fitCopula(equicorrelated(50, 2, 0.5, 1), { kind: 'gaussian', hidden: 3 } as never),
  ).rejects.toMatchObject({
    code: 'ERR_SKLAR_VALUE',
    message: expect.stringMatching(/hidden/),
  });
});

describe('worker threads', () => {
  const addon = JSON.stringify(path.resolve(__dirname, '..', '..'));
  const train = `
    const native = require('node-gyp-build')(${addon});
    const u = Float64Array.from({ length: 4000 }, (_, i) => ((i * 7919) % 4001 + 0.5) / 4001);
    const job = native.cdcTrain({
      network: { inputDim: 2, hiddenDim: 64, depth: 2, outputDim: 5, activation: 'silu' },
      times: Float64Array.of(0, 0.2, 0.5, 1, Infinity), rows: 2000, validationRows: 0, ties: null,
      models: [{ training: u, validation: null, cholesky: null, completion: null, seed: 1n, snapshot: null }],
      device: { device: 'cpu', precision: 'fp32', threads: 2 }, steps: STEPS, batch: 128,
      stratifiedLevels: true, crossEntropyWeight: 0.2,
      adam: { learningRate: 1e-3, finalLearningRate: 1, warmup: 0, steps: 0, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, clipNorm: 1, weightDecay: 0, emaDecay: 0 },
      validateEvery: 0, patience: 0, anneal: 0, validationDraws: 1, reportEvery: 1, checkpointSeconds: 0, watchSteps: false, lookFirst: false,
    }, () => {});
    const { parentPort } = require('node:worker_threads');`;
  const resolve = (code: string) =>
    new Worker(
      `const { createRequire } = require('node:module'); { const require = createRequire(${addon} + '/package.json'); ${code} }`,
      { eval: true },
    );

  test('a job runs in a worker', async () => {
    const worker = resolve(
      `${train.replace('STEPS', '20')} job.promise.then((r) => parentPort.postMessage(r[0].steps));`,
    );
    const steps = await new Promise((done, fail) => worker.once('message', done).once('error', fail));
    expect(steps).toBe(20);
    await worker.terminate();
  });

  test.each(['terminate', 'exit'])('an environment may end while a job runs (%s)', async (how) => {
    const worker = resolve(
      `${train.replace('STEPS', '1000000')} job.promise.catch(() => {}); setTimeout(() => { parentPort.postMessage('ready'); ${how === 'exit' ? 'process.exit(0)' : ''} }, 100);`,
    );
    const ended = new Promise((done) => worker.once('exit', done));
    await new Promise((done, fail) => worker.once('message', done).once('error', fail));
    if (how === 'terminate') await worker.terminate();
    await ended;
  });
});
