import { type CdcCopula, type IntegrateOptions, fitCopula, integrate, solverNames } from '../../lib';
import { resolveIntegration } from '../../lib/copulas/fields/solvers';
import { equicorrelated } from '../helpers/data';

const mean = (values: ArrayLike<number>) => Array.from(values).reduce((sum, x) => sum + x, 0) / values.length;

let copula: CdcCopula;
const u = equicorrelated(2500, 3, 0.6, 1);
beforeAll(async () => {
  copula = await fitCopula(u, { hidden: 32, depth: 2, steps: 250, batch: 256, validateEvery: 50 });
}, 60_000);

describe('integrate', () => {
  test.each(solverNames)('%s draws rows with the dependence of the model', async (solver) => {
    const options: IntegrateOptions = { solver, rows: 2000, threads: 1, seed: 5, scale: 'gaussian' };
    const result = await integrate(copula, options);
    expect(result.values).toMatchObject({ rows: 2000, columns: 3 });
    expect(result.accepted).toBeGreaterThan(0);
    expect(result.mostEvaluations).toBeGreaterThanOrEqual(result.evaluations);
    const { data } = result.values;
    for (const [i, j] of [
      [0, 1],
      [1, 2],
    ] as const) {
      const products = Array.from({ length: 2000 }, (_, r) => data[3 * r + i]! * data[3 * r + j]!);
      expect(Math.abs(mean(products) - 0.6)).toBeLessThan(0.12);
    }
    // the same bits for any threads, and ranges of rows join
    const tail = await integrate(copula, { ...options, rows: 40, firstRow: 1960, threads: 2 });
    expect([...tail.values.data]).toEqual([...data.subarray(1960 * 3)]);
    // and by sample, whose margins are then made uniform
    const sample = await copula.sample(50, {
      solver,
      margins: 'raw',
      seed: 5,
      scale: 'gaussian',
      dtype: 'float64',
    });
    expect([...sample.data]).toEqual([...data.subarray(0, 150)]);
  });

  test('the likelihood is normalised, goes back where it came from, and its probes say how sure they are', async () => {
    const fresh = equicorrelated(200, 3, 0.6, 2);
    const there = await integrate(copula, {
      direction: 'likelihood',
      start: fresh,
      steps: 24,
      threads: 1,
      scale: 'copula',
    });
    const exact = await (await fitCopula(u, { kind: 'gaussian' })).logPdf(fresh);
    expect(Math.abs(mean(there.logPdf!) - mean(exact))).toBeLessThan(0.08);
    expect(there.standardError).toBeUndefined();
    const back = await integrate(copula, { solver: 'rk4', start: there.values, steps: 24, threads: 1 });
    for (let i = 0; i < 600; i++) expect(back.values.data[i]!).toBeCloseTo(fresh.data[i]!, 2);
    for (const trace of ['rademacher', 'gaussian', 'hutch++'] as const) {
      const probed = await integrate(copula, {
        direction: 'likelihood',
        start: fresh,
        steps: 24,
        threads: 1,
        trace,
        probes: trace === 'hutch++' ? 6 : 8,
      });
      // of two estimates the error itself is uncertain: its t distribution has far tails
      const scores = Array.from(
        probed.logPdf!,
        (x, i) => (x - there.logPdf![i]!) / (probed.standardError![i]! + 1e-4),
      );
      expect(scores.filter((z) => Math.abs(z) > 4).length).toBeLessThan(trace === 'hutch++' ? 50 : 12);
      expect(Math.abs(mean(probed.logPdf!) - mean(there.logPdf!))).toBeLessThan(0.05);
    }
    // c(u) integrates to one: its mean over independent uniform rows
    const grid = equicorrelated(3000, 3, 0, 3);
    const density = await integrate(copula, {
      direction: 'likelihood',
      solver: 'ab2',
      start: grid,
      threads: 1,
    });
    expect(Math.abs(mean(density.logPdf!.map(Math.exp)) - 1)).toBeLessThan(0.1);
  });

  test('adaptive steps, correctors, eta, clocks, grids and the Brownian tree', async () => {
    const run = (options: IntegrateOptions) =>
      integrate(copula, { rows: 100, threads: 1, scale: 'gaussian', ...options });
    const loose = await run({ solver: 'tsit5', rtol: 1e-2 });
    const tight = await run({ solver: 'tsit5', rtol: 1e-4, atol: 1e-4 });
    expect(tight.evaluations).toBeGreaterThan(loose.evaluations);
    const corrected = await run({
      solver: 'exponential-em',
      steps: 6,
      correctorSteps: 2,
      correctorSize: 0.1,
    });
    expect(corrected.evaluations).toBe(18);
    expect((await run({ solver: 'ab2', steps: 30 })).evaluations).toBe(30);
    expect((await run({ solver: 'heun', clock: 'theta', grid: 'w', steps: 7 })).evaluations).toBe(14);
    const plain = await run({ solver: 'ddim', steps: 9 });
    expect((await run({ solver: 'ddim', steps: 9, eta: 0.7 })).values.data).not.toEqual(plain.values.data);
    // on one Brownian path a finer grid ends nearby; on draws of its own it does not
    const distance = async (brownian: 'steps' | 'tree') => {
      const [coarse, fine] = await Promise.all(
        [80, 160].map((steps) => run({ solver: 'shark', steps, brownian })),
      );
      return Math.sqrt(mean(coarse!.values.data.map((x, i) => (x - fine!.values.data[i]!) ** 2)));
    };
    expect(await distance('tree')).toBeLessThan(0.1);
    expect(await distance('steps')).toBeGreaterThan(0.5);
  });

  test('aborting stops it', async () => {
    const controller = new AbortController();
    const long = integrate(copula, {
      solver: 'euler',
      steps: 100_000,
      rows: 2000,
      signal: controller.signal,
    });
    setTimeout(() => controller.abort('enough'), 200);
    await expect(long).rejects.toBe('enough');
  });

  test('options that do not fit are named', async () => {
    const cases: [object, RegExp][] = [
      [{ rows: 1, solver: 'rk9' }, /solver/],
      [{ rows: 1, solver: 'ab2', rtol: 1e-3 }, /fixed grid: rtol and atol/],
      [{ rows: 1, solver: 'tsit5', rtol: 1e-3, steps: 5 }, /either tolerances/],
      [{ rows: 1, solver: 'heun', eta: 0.5 }, /eta belongs to solver 'ddim'/],
      [{ rows: 1, solver: 'heun', brownian: 'tree' }, /brownian/],
      [{ rows: 1, solver: 'shark', rtol: 1e-2, brownian: 'steps' }, /tree/],
      [{ rows: 1, steps: 1e9 }, /steps/],
      [{ rows: 1, steps: 0 }, /steps/],
      [{ rows: 1, solver: 'ddim', clock: 'w' }, /no clock/],
      [{ rows: 1, clock: 'time' }, /clock 'time'/],
      [{ rows: 1, grid: 'quadratic' }, /quadratic/],
      [{ rows: 1, grid: 'levels', steps: 12 }, /at most 9 steps/],
      [{ rows: 1, correctorSize: 0.1 }, /correctorSteps/],
      [{ rows: 1, solver: 'tsit5', correctorSteps: 1 }, /fixed grid/],
      [{ rows: 1, noise: true, solver: 'ab2' }, /noise/],
      [{ rows: 1, solver: 'published' }, /solver/],
      [{ rows: 1, trace: 'gaussian' }, /trace belongs to a likelihood/],
      [{ rows: 1, probes: 3 }, /probes belongs to a likelihood/],
      [{ rows: 1, colour: 'red' }, /"colour"/],
      [{}, /neither/],
      [{ rows: 1, start: [[0.5, 0.5, 0.5]] }, /both/],
      [{ direction: 'likelihood', rows: 5 }, /start/],
      [{ direction: 'likelihood', start: [[0.5, 0.5, 0.5]], solver: 'ddim' }, /no likelihood/],
      [{ direction: 'likelihood', start: [[0.5, 0.5, 1]] }, /column 3/],
      [{ direction: 'sideways', rows: 1 }, /direction/],
    ];
    for (const [options, message] of cases) {
      await expect(integrate(copula, options as IntegrateOptions)).rejects.toMatchObject({
        code: 'ERR_SKLAR_VALUE',
        message: expect.stringMatching(message),
      });
    }
    await expect(integrate(copula, { start: [[0.5, 0.5]] })).rejects.toMatchObject({
      code: 'ERR_SKLAR_SHAPE',
    });
    await expect(integrate({} as CdcCopula, { rows: 1 })).rejects.toMatchObject({ code: 'ERR_SKLAR_VALUE' });
    const gaussian = await fitCopula(u, { kind: 'gaussian' });
    await expect(gaussian.sample(1, { eta: 1 })).rejects.toMatchObject({ code: 'ERR_SKLAR_VALUE' });
  });
});

describe('grids', () => {
  const cdc = { process: 'ou', reference: Math.PI / 2, levels: [0, 0.1, 0.5, Infinity] } as const;
  const cube = { process: 'reflection', reference: 0.9, levels: null } as const;
  const nodes = (options: object, problem: typeof cdc | typeof cube = cdc) => [
    ...resolveIntegration(options, problem).nodes,
  ];
  const w = (angles: number[]) => angles.map((a) => Math.cos(a) ** 2);

  test('start at the reference, end at data, and are uniform in what they say', () => {
    const levels = w(nodes({ solver: 'ab2' }));
    [0, Math.exp(-1), Math.exp(-0.2), 1].forEach((x, i) => expect(levels[i]).toBeCloseTo(x, 12));
    w(nodes({ solver: 'ab2', steps: 4 })).forEach((x, i) => expect(x).toBeCloseTo(i / 4, 12));
    expect(nodes({ solver: 'rk4', steps: 2 })).toEqual([Math.PI / 2, Math.PI / 4, 0]);
    const time = nodes({ solver: 'euler-maruyama', steps: 4 }).map((a) => -Math.log(Math.cos(a)));
    [3, 2, 1, 0].forEach((t, i) => expect(time[i + 1]).toBeCloseTo(t, 10));
    const tangents = nodes({ solver: 'dpmpp-2m', steps: 3 }).map(Math.tan);
    [20, Math.sqrt(0.4), 0.02, 0].forEach((x, i) => expect(tangents[i]).toBeCloseTo(x, 10));
    nodes({ steps: 3 }, cube).forEach((t, i) => expect(t).toBeCloseTo(0.9 * (1 - i / 3) ** 2, 14));
    const back = [...resolveIntegration({ steps: 2 }, cdc, 'likelihood').nodes];
    expect(back).toEqual([0, Math.PI / 4, Math.PI / 2]);
    for (const solver of solverNames) {
      for (const steps of [1, 2, 7]) {
        const all = nodes({ solver, steps });
        expect(all).toHaveLength(steps + 1);
        expect(all.at(-1)).toBe(0);
        expect(all.every((x, i) => i === 0 || x < all[i - 1]!)).toBe(true);
      }
    }
  });

  test('what does not fit the reflection process is refused', () => {
    for (const options of [{ solver: 'ddim' }, { solver: 'shark' }, { clock: 'w' }, { grid: 'w' }]) {
      expect(() => resolveIntegration(options as object, cube)).toThrow(/reflection/);
    }
  });

  test('equal keys mean equal laws', () => {
    const key = (options: object) => resolveIntegration(options, cdc).key;
    expect(key({ solver: 'ab2', steps: 3 })).toBe('ab2.3');
    const keys = [
      { steps: 3, clock: 'theta' },
      { steps: 3, grid: 'theta' },
      { solver: 'ddim', steps: 3 },
      { solver: 'ddim', steps: 3, eta: 0.5 },
      { solver: 'tsit5' },
      { solver: 'tsit5', rtol: 1e-3 },
      { solver: 'exponential-em', steps: 3, correctorSteps: 1 },
    ].map(key);
    expect(new Set(keys).size).toBe(keys.length);
    expect(key({ solver: 'shark', brownian: 'tree' })).toBe(key({ solver: 'shark' }));
  });
});
