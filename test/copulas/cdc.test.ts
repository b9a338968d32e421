import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';

import { type CdcCopula, fitCopula, loadModel } from '../../lib';
import { callNative } from '../../lib/native';
import { crossed, equicorrelated } from '../helpers/data';

const small = { hidden: 32, depth: 2, steps: 300, batch: 256, validateEvery: 50 } as const;

let scratch: string;
beforeAll(() => {
  scratch = mkdtempSync(path.join(os.tmpdir(), 'sklar-cdc-'));
});
afterAll(() => rmSync(scratch, { recursive: true }));

const mean = (values: ArrayLike<number>) => Array.from(values).reduce((sum, x) => sum + x, 0) / values.length;

describe('a fitted cdc', () => {
  let copula: CdcCopula;
  const u = crossed(4000, 0.9, 1);
  const heldOut = crossed(2000, 0.9, 99);
  beforeAll(async () => {
    copula = await fitCopula(u, { ...small, steps: 800, names: ['a', 'b'] });
  });

  test('learns dependence that correlation does not see', async () => {
    const exact = (z: number, w: number) => {
      const part = (r: number) =>
        Math.exp(-(z * z - 2 * r * z * w + w * w) / (2 * (1 - r * r)) + (z * z + w * w) / 2) /
        Math.sqrt(1 - r * r);
      return Math.log(0.5 * part(0.9) + 0.5 * part(-0.9));
    };
    const z = callNative((addon) => addon.normalQuantile(heldOut.data as Float64Array));
    const truth = Array.from({ length: heldOut.rows }, (_, i) => exact(z[2 * i]!, z[2 * i + 1]!));
    const model = await copula.logPdf(heldOut);
    const gaussian = await (await fitCopula(u, { kind: 'gaussian' })).logPdf(heldOut);
    expect(mean(truth)).toBeGreaterThan(0.3);
    expect(Math.abs(mean(gaussian))).toBeLessThan(0.05);
    expect(Math.abs(mean(model) - mean(truth))).toBeLessThan(0.12);
  });

  test.each([{}, { noise: true }, { solver: 'heun' }] as const)(
    'samples have uniform margins and the dependence (%j)',
    async (options) => {
      const sample = await copula.sample(8000, { seed: 3, dtype: 'float64', ...options });
      for (let j = 0; j < 2; j++) {
        const column = Float64Array.from({ length: sample.rows }, (_, i) => sample.data[2 * i + j]!).sort();
        const distance = Math.max(...column.map((x, i) => Math.abs(x - (i + 0.5) / column.length)));
        expect(distance).toBeLessThan(0.04);
      }
      const z = callNative((addon) => addon.normalQuantile(sample.data as Float64Array));
      const products = Array.from({ length: sample.rows }, (_, i) => z[2 * i]! ** 2 * z[2 * i + 1]! ** 2);
      // E[z^2 w^2] = 1 + 2 rho^2 = 2.62 here, 1 under independence
      expect(mean(products)).toBeGreaterThan(2);
    },
  );

  test('margins are those of a copula, also where the integrator loses variance; the dependence is left alone', async () => {
    const variance = (values: ArrayLike<number>, j: number) => {
      const column = Array.from(values).filter((_, i) => i % 2 === j);
      return mean(column.map((x) => x * x)) - mean(column) ** 2;
    };
    for (const solver of ['ab2', 'exponential-em'] as const) {
      const options = { seed: 3, solver, steps: 5, scale: 'gaussian', dtype: 'float64' } as const;
      const uniform = await copula.sample(30_000, options);
      const raw = await copula.sample(30_000, { ...options, margins: 'raw' });
      for (let j = 0; j < 2; j++) {
        expect(Math.abs(variance(uniform.data, j) - 1)).toBeLessThan(0.03);
        const order = (data: ArrayLike<number>) =>
          Array.from({ length: 30_000 }, (_, i) => i).sort((a, b) => data[2 * a + j]! - data[2 * b + j]!);
        expect(order(uniform.data)).toEqual(order(raw.data));
      }
    }
    await expect(copula.sample(1, { margins: 'straight' as 'raw' })).rejects.toMatchObject({
      code: 'ERR_SKLAR_VALUE',
    });
  });

  test('the same seed gives the same bits for any threads and batches, and ranges join', async () => {
    const whole = await copula.sample(500, { seed: 7, threads: 1 });
    const two = await copula.sample(500, { seed: 7, threads: 2 });
    expect(Buffer.from(two.data.buffer).equals(Buffer.from(whole.data.buffer))).toBe(true);
    const parts: number[] = [];
    for await (const batch of copula.sampleStream(500, { seed: 7, batch: 77 })) parts.push(...batch.data);
    expect(parts).toEqual([...whole.data]);
    const tail = await copula.sample(100, { seed: 7, firstRow: 400 });
    expect([...tail.data]).toEqual([...whole.data].slice(800));
    const other = await copula.sample(500, { seed: 8 });
    expect(other.data).not.toEqual(whole.data);
    const scores = await Promise.all([1, 2].map((threads) => copula.logPdf(heldOut, { threads })));
    expect(scores[0]).toEqual(scores[1]);
  });

  test('save and load keep every bit', async () => {
    const file = path.join(scratch, 'model.safetensors');
    await copula.save(file);
    using loaded = await loadModel(file);
    expect(loaded.kind).toBe('cdc');
    expect(loaded.names).toEqual(['a', 'b']);
    expect(loaded.info()).toEqual(copula.info());
    expect(await loaded.logPdf(heldOut)).toEqual(await copula.logPdf(heldOut));
    expect(await loaded.sample(50, { seed: 2 })).toEqual(await copula.sample(50, { seed: 2 }));
  });

  test('a damaged file is refused', async () => {
    const file = path.join(scratch, 'whole.safetensors');
    await copula.save(file);
    const bytes = readFileSync(file);
    for (const at of [3, 20, 200, Math.floor(bytes.length / 2), bytes.length - 5]) {
      const damaged = Buffer.from(bytes);
      damaged[at]! ^= 4;
      const other = path.join(scratch, 'damaged.safetensors');
      writeFileSync(other, damaged);
      await expect(loadModel(other)).rejects.toMatchObject({ code: 'ERR_SKLAR_FORMAT' });
    }
  });

  test('the field is the gradient of the log density', async () => {
    const z = [
      [0.3, -0.7],
      [1.2, 0.9],
    ];
    for (const level of [0, 4]) {
      const field = await copula.field(z, { level });
      for (let i = 0; i < 2; i++) {
        for (let j = 0; j < 2; j++) {
          const h = 1e-2;
          const moved = (sign: number) =>
            z.map((row, r) => row.map((x, c) => (r === i && c === j ? x + sign * h : x)));
          const [up, down] = await Promise.all(
            [1, -1].map((sign) => copula.logPdfAtLevel(moved(sign), level)),
          );
          expect(field.data[2 * i + j]!).toBeCloseTo((up![i]! - down![i]!) / (2 * h), 2);
        }
      }
    }
  });

  test('options that do not fit are named', async () => {
    const cases: [object, RegExp][] = [
      [{ solver: 'rk9' }, /solver.*"rk9"/],
      [{ steps: 10, grid: 'levels' }, /at most 9 steps for 10 noise levels, got 10/],
      [{ steps: 0 }, /steps/],
      [{ solver: 'published' }, /finite referenceTime/],
      [{ solver: 'ab2', noise: true }, /noise/],
      [{ scale: 'log' }, /scale/],
      [{ seed: -1 }, /seed/],
      [{ threads: 1.5 }, /threads/],
      [{ device: 'tpu' }, /device/],
      [{ dtype: 'int8' }, /dtype/],
    ];
    for (const [options, message] of cases) {
      await expect(copula.sample(10, options)).rejects.toMatchObject({
        code: 'ERR_SKLAR_VALUE',
        message: expect.stringMatching(message),
      });
    }
    await expect(copula.sample(10, { device: 'cuda:999' })).rejects.toMatchObject({
      code: 'ERR_SKLAR_DEVICE',
    });
    await expect(copula.sample(-1)).rejects.toMatchObject({ code: 'ERR_SKLAR_VALUE' });
    await expect(copula.logPdf([[0.5, 0.5, 0.5]])).rejects.toMatchObject({ code: 'ERR_SKLAR_SHAPE' });
    await expect(
      copula.logPdf([
        [0.5, 0.5],
        [0.5, 1],
      ]),
    ).rejects.toMatchObject({
      code: 'ERR_SKLAR_VALUE',
      message: expect.stringMatching(/row 2, column 2/),
    });
    await expect(copula.logPdf([[0.5, NaN]])).rejects.toMatchObject({ code: 'ERR_SKLAR_VALUE' });
  });
});

test('training with the same seed gives the same bits for 1 and 2 threads', async () => {
  const u = equicorrelated(600, 4, 0.5, 5);
  const fits = await Promise.all(
    [1, 2].map((threads) => fitCopula(u, { ...small, steps: 60, seed: 11, threads })),
  );
  const scores = await Promise.all(fits.map((copula) => copula.logPdf(u)));
  expect(scores[0]).toEqual(scores[1]);
  const other = await fitCopula(u, { ...small, steps: 60, seed: 12 });
  expect(await other.logPdf(u)).not.toEqual(scores[0]);
});

test('guided on gaussian data is the gaussian copula', async () => {
  const u = equicorrelated(3000, 5, 0.7, 8);
  const fresh = equicorrelated(3000, 5, 0.7, 9);
  const [cdc, gaussian] = [await fitCopula(u, small), await fitCopula(u, { kind: 'gaussian' })];
  expect(Math.abs(mean(await cdc.logPdf(fresh)) - mean(await gaussian.logPdf(fresh)))).toBeLessThan(0.05);
});

test('published settings train, and the published sampler contracts as the mathematics says', async () => {
  const u = equicorrelated(1000, 2, 0.2, 3);
  const copula = await fitCopula(u, {
    ...small,
    guided: false,
    activation: 'published',
    referenceTime: 3,
    levelSampling: 'published',
  });
  const variance = async (options: object) => {
    const { data } = await copula.sample(20_000, { scale: 'gaussian', dtype: 'float64', ...options });
    return mean(data.map((z) => z * z));
  };
  expect(await variance({ solver: 'published' })).toBeLessThan(0.1);
  expect(await variance({ solver: 'published', noise: true })).toBeLessThan(0.95);
  expect(Math.abs((await variance({})) - 1)).toBeLessThan(0.05);
});

describe('jobs', () => {
  const u = equicorrelated(2000, 10, 0.5, 4);
  const long = { hidden: 512, depth: 6, steps: 100_000 } as const;

  test('abort rejects with the reason, within a fraction of a second, and leaves no thread', async () => {
    const threads = () =>
      process.platform === 'linux'
        ? Number(/Threads:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))![1])
        : 0;
    await expect(fitCopula(u, { ...small, steps: 3 })).resolves.toBeDefined();
    const before = threads();
    const controller = new AbortController();
    const reason = new Error('enough');
    let aborted = 0;
    const fit = fitCopula(u, {
      ...long,
      signal: controller.signal,
      threads: 2,
    });
    setTimeout(() => {
      aborted = performance.now();
      controller.abort(reason);
    }, 1500);
    await expect(fit).rejects.toBe(reason);
    const answer = performance.now() - aborted;
    // 200 ms on a machine of its own; tests must not depend on how busy this one is
    expect(answer).toBeLessThan(2000);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(threads()).toBeLessThanOrEqual(before);
  });

  test('an aborted signal stops a job before it starts', async () => {
    await expect(fitCopula(u, { ...long, signal: AbortSignal.abort('no') })).rejects.toBe('no');
  });

  test('an exception in onProgress ends the fit with it', async () => {
    const error = new Error('from the callback');
    const fit = fitCopula(u, {
      ...small,
      steps: 100_000,
      onProgress: () => {
        throw error;
      },
    });
    await expect(fit).rejects.toBe(error);
  });

  test('progress counts up and the event loop stays free', async () => {
    const steps: number[] = [];
    let files = 0;
    let running = true;
    const loop = (async () => {
      while (running) {
        await stat(__filename);
        files++;
      }
    })();
    await fitCopula(u, { ...small, steps: 200, onProgress: (progress) => steps.push(progress.step) });
    running = false;
    await loop;
    expect(files).toBeGreaterThan(10);
    expect(steps.length).toBeGreaterThan(0);
    expect(steps.every((step, i) => i === 0 || step > steps[i - 1]!)).toBe(true);
  });

  test('a diverging training says so', async () => {
    const fit = fitCopula(u, {
      ...small,
      learningRate: 10,
      clipNorm: 0,
      warmup: 0,
      steps: 300,
      crossEntropyWeight: 1e6,
      patience: 0,
    });
    await fit.then(
      (copula) => expect(copula.info().kind).toBe('cdc'),
      (error: unknown) => expect(error).toMatchObject({ code: 'ERR_SKLAR_DIVERGED' }),
    );
  });

  test('disposed models reject', async () => {
    const copula = await fitCopula(u, { ...small, steps: 3 });
    copula.dispose();
    await expect(copula.sample(1)).rejects.toMatchObject({ code: 'ERR_SKLAR_DISPOSED' });
    await expect(copula.logPdf(u)).rejects.toMatchObject({ code: 'ERR_SKLAR_DISPOSED' });
    await expect(copula.save('nowhere.safetensors')).rejects.toMatchObject({ code: 'ERR_SKLAR_DISPOSED' });
  });
});

test('bad fits are named', async () => {
  const u = equicorrelated(50, 3, 0.5, 6);
  const cases: [unknown, object, string, RegExp][] = [
    [u, { hidden: 0 }, 'VALUE', /hidden/],
    [u, { levels: 2 }, 'VALUE', /levels/],
    [u, { steps: -5 }, 'VALUE', /steps/],
    [u, { batch: 1e99 }, 'VALUE', /batch/],
    [u, { learningRate: NaN }, 'VALUE', /learningRate/],
    [u, { stepz: 3 }, 'VALUE', /stepz/],
    [u, { kind: 'vine' }, 'VALUE', /kind/],
    [u, { names: ['a'] }, 'SHAPE', /3 names/],
    [u, { validation: 1 }, 'VALUE', /validation/],
    [[[0.5], [0.6]], {}, 'SHAPE', /2 columns/],
    [[[0.5, 0.5]], {}, 'SHAPE', /8 rows/],
    [[[0.5, 0.5], [0.5]], {}, 'SHAPE', /row 2/],
    ['table', {}, 'VALUE', /"table"/],
    [
      Array.from({ length: 20 }, (_, i) => [i / 10, 0.5]),
      {},
      'VALUE',
      /strictly between 0 and 1.*row 1, column 1/,
    ],
    [Array.from({ length: 20 }, (_, i) => [(i + 1) / 21, 0.5]), {}, 'VALUE', /column 2 is constant/],
  ];
  for (const [rows, options, code, message] of cases) {
    await expect(fitCopula(rows as never, options as never)).rejects.toMatchObject({
      code: `ERR_SKLAR_${code}`,
      message: expect.stringMatching(message),
    });
  }
});
