/** Probabilities of events, and rows given them. */
import {
  ClosedFormCopula,
  type Copula,
  EnsembleCopula,
  FamilyCopula,
  GaussianCopula,
  StudentCopula,
  fitCopula,
  normalCdf,
} from '../../lib';
import { studentQuantile } from '../../lib/copulas/events/event';

const equal = (dim: number, rho: number) =>
  new Float64Array(dim * dim).map((_, k) => (k % (dim + 1) === 0 ? 1 : rho));
const phi = (z: number) => normalCdf(Float64Array.of(z))[0]!;
const sum = (row: Float64Array) => row.reduce((total, value) => total + value, 0);
/** All columns at most t, on the copula scale. */
const below = (t: number) => (row: Float64Array) => Math.log(t) - Math.log(Math.max(...row));
const above = (t: number) => (row: Float64Array) => Math.log(t) - Math.log(1 - Math.min(...row));

const few = { particles: 8000, moves: 6 };
const student = (dim: number) => new StudentCopula(equal(dim, 0.5), dim, 4);
const mixture = ClosedFormCopula.gaussianMixture({
  weights: [0.7, 0.3],
  correlations: [equal(2, 0.8), equal(2, -0.4)],
});

describe('rare events, beside distribution functions', () => {
  test.each<[string, Copula, number, () => Promise<ArrayLike<number>>]>([
    ...[3e-2, 3.5e-3, 3.6e-4, 3.9e-5].map((t): [string, Copula, number, () => Promise<ArrayLike<number>>] => [
      'student',
      student(2),
      t,
      () => student(2).cdf([[t, t]]),
    ]),
    // by quadrature over the common factor and the denominator
    ['student of 10 columns', student(10), 3e-2, () => Promise.resolve([6.672150350515e-4])],
    ['student of 10 columns', student(10), 6e-4, () => Promise.resolve([8.912859651387e-6])],
    [
      'clayton of 5 columns',
      new FamilyCopula('clayton', { theta: 2 }, { dim: 5 }),
      1e-4,
      () =>
        new FamilyCopula('clayton', { theta: 2 }, { dim: 5 }).cdf([Array.from({ length: 5 }, () => 1e-4)]),
    ],
    [
      'a mixture in closed form',
      mixture,
      1e-3,
      async () => {
        const [one, other] = [0.8, -0.4].map((rho) =>
          new GaussianCopula(equal(2, rho), 2).cdf([[1e-3, 1e-3]]),
        );
        return [0.7 * (await one!)[0]! + 0.3 * (await other!)[0]!];
      },
    ],
    [
      'an ensemble',
      new EnsembleCopula(
        [new GaussianCopula(equal(2, 0.5), 2), new FamilyCopula('clayton', { theta: 1 })],
        [1, 3],
      ),
      1e-4,
      async () => {
        const at = [[1e-4, 1e-4]];
        const gaussian = (await new GaussianCopula(equal(2, 0.5), 2).cdf(at))[0]!;
        return [gaussian / 4 + 0.75 * (await new FamilyCopula('clayton', { theta: 1 }).cdf(at))[0]!];
      },
    ],
  ])('%s, all at most %#', async (_, copula, t, cdf) => {
    const truth = (await cdf())[0]!;
    const particles = copula.dim === 10 ? 16_000 : 8000;
    const estimate = await copula.probability(below(t), { ...few, particles });
    const { probability, standardError, interval, effectiveSampleSize } = estimate;
    expect(estimate.method).toBe('subset-simulation');
    expect(Math.abs(probability / truth - 1)).toBeLessThan(0.15);
    expect(Math.abs(probability - truth)).toBeLessThan(4 * standardError);
    expect(interval[0]).toBeLessThan(probability);
    expect(interval[1]).toBeGreaterThan(probability);
    expect(effectiveSampleSize).toBeCloseTo((probability * (1 - probability)) / standardError ** 2, 3);
    expect(estimate.evaluations).toBeLessThan(2 * particles * (1 + 6 * estimate.levels) + 1);
  });

  test('both tails of a Gumbel copula, which are not alike', async () => {
    const copula = new FamilyCopula('gumbel', { theta: 2 });
    const t = 5e-5;
    // 1 - 2 (1 - t) + C(1 - t, 1 - t), C(u, u) = u^sqrt(2)
    const upper = 2 * t + Math.expm1(Math.SQRT2 * Math.log1p(-t));
    const estimate = await copula.probability(above(t), few);
    expect(Math.abs(estimate.probability / upper - 1)).toBeLessThan(0.15);
    const low = await copula.probability(below(1e-3), few);
    expect(Math.abs(low.probability / 1e-3 ** Math.SQRT2 - 1)).toBeLessThan(0.15);
  });

  test('a sum of columns, far beyond what draws meet', async () => {
    const copula = new GaussianCopula(equal(4, 0.3), 4);
    const deviation = Math.sqrt(4 + 12 * 0.3);
    for (const c of [3, 4.5, 6.5]) {
      const { probability, standardError } = await copula.probability((row) => sum(row) - c * deviation, {
        scale: 'gaussian',
        ...few,
      });
      expect(Math.abs(probability / phi(-c) - 1)).toBeLessThan(0.2);
      expect(Math.abs(probability - phi(-c))).toBeLessThan(4 * standardError);
    }
  });

  test('kernels of ranks', async () => {
    const copula = await fitCopula(await student(2).sample(300, { dtype: 'float64' }), {
      kind: 'empirical-beta',
    });
    const truth = (await (copula as unknown as FamilyCopula).cdf([[2e-3, 2e-3]]))[0]!;
    const { probability, standardError } = await copula.probability(below(2e-3), few);
    expect(Math.abs(probability - truth)).toBeLessThan(4 * standardError);
    expect(standardError).toBeLessThan(truth / 3);
  });
});

test('standard errors are as large as the spread of other seeds', async () => {
  const copula = student(2);
  const estimates = await Promise.all(
    Array.from({ length: 16 }, (_, k) =>
      copula.probability(below(1e-3), { particles: 2000, moves: 4, seed: 20 + k }),
    ),
  );
  const mean = estimates.reduce((total, { probability }) => total + probability / 16, 0);
  const spread = Math.sqrt(
    estimates.reduce((total, { probability }) => total + (probability - mean) ** 2 / 15, 0),
  );
  const told = Math.sqrt(estimates.reduce((total, { standardError }) => total + standardError ** 2 / 16, 0));
  expect(spread / told).toBeGreaterThan(0.6);
  expect(spread / told).toBeLessThan(1.6);
  const truth = (await copula.cdf([[1e-3, 1e-3]]))[0]!;
  const covered = estimates.filter(({ interval: [low, high] }) => low <= truth && truth <= high).length;
  expect(covered).toBeGreaterThanOrEqual(13);
});

describe('networks', () => {
  const quick = { hidden: 16, depth: 1, steps: 30, batch: 64, seed: 4 };
  test.each([
    { kind: 'cdc', ...quick, levels: 20 },
    { kind: 'flow', ...quick },
    { kind: 'reflection', ...quick },
    { kind: 'reflection', ...quick, depth: 2, network: 'published' },
  ] as const)('%j: of the law of their samples', async (spec) => {
    const u = await new FamilyCopula('clayton', { theta: 3 }).sample(500);
    const copula = await fitCopula(u, spec);
    const { data } = await copula.sample(100_000, { dtype: 'float64', seed: 9 });
    const most = Float64Array.from({ length: 100_000 }, (_, i) =>
      Math.max(data[2 * i]!, data[2 * i + 1]!),
    ).sort();
    const share = 0.003;
    const event = (row: Float64Array) => most[share * 100_000]! - Math.max(...row);
    const { probability, standardError, method } = await copula.probability(event, {
      particles: 3000,
      moves: 4,
    });
    expect(method).toBe('subset-simulation');
    expect(Math.abs(probability - share)).toBeLessThan(
      4 * Math.hypot(standardError, Math.sqrt(share / 100_000)),
    );
  });
});

describe('events without levels', () => {
  test('are counted, with exact bounds', async () => {
    const copula = new GaussianCopula(equal(2, 0.5), 2);
    const event = (row: Float64Array) => row[0]! < 0.01 && row[1]! < 0.01;
    const truth = (await copula.cdf([[0.01, 0.01]]))[0]!;
    const { probability, standardError, interval, method, levels, acceptance } =
      await copula.probability(event);
    expect({ method, levels, acceptance }).toEqual({ method: 'monte-carlo', levels: 0, acceptance: null });
    expect(Math.abs(probability - truth)).toBeLessThan(4 * standardError);
    expect(standardError).toBeCloseTo(Math.sqrt(truth / 2 ** 18), 5);
    expect(interval[0]).toBeLessThan(truth);
    expect(interval[1]).toBeGreaterThan(truth);
  });

  test('that no draw has say so', async () => {
    const copula = new GaussianCopula(equal(2, 0.5), 2);
    const none = await copula.probability(() => false, { draws: 30_000 });
    expect(none).toMatchObject({ probability: 0, method: 'monte-carlo', evaluations: 30_000 });
    expect(none.standardError).toBeGreaterThan(0);
    expect(none.interval[0]).toBe(0);
    expect(none.interval[1]).toBeCloseTo(3.84 / 30_000, 6);
    // levels that end before the event
    const short = await copula.probability((row) => Math.min(row[0]!, 0.9999) - 1, few);
    expect(short.probability).toBe(0);
    expect(short.interval[1]).toBeGreaterThan(0);
    expect(short.interval[1]).toBeLessThan(1e-3);
    const least = await copula.probability((row) => row[0]! - 2, { ...few, least: 1e-3 });
    expect(least.interval).toEqual([0, 1e-3]);
    await expect(copula.sampleWhere(() => false, 5)).rejects.toThrow('the event, which 0 of ');
  });

  test('that all draws have', async () => {
    const { probability, interval } = await student(2).probability(() => 0, few);
    expect(probability).toBe(1);
    expect(interval[1]).toBe(1);
  });
});

describe('rows of an event', () => {
  test('are independent while enough draws are of it', async () => {
    const { rows, event } = await student(2).sampleWhere((row) => row[0]! - 0.9, 500, { seed: 3 });
    expect(event).toMatchObject({ drawn: 'rejection', effectiveRows: 500, method: 'monte-carlo' });
    for (let i = 0; i < 1000; i += 2) expect(rows.data[i]!).toBeGreaterThanOrEqual(0.9);
  });

  test('of a rare one have its law', async () => {
    const copula = new GaussianCopula(equal(4, 0.3), 4);
    const deviation = Math.sqrt(4 + 12 * 0.3);
    const c = 4.8;
    const { rows, event } = await copula.sampleWhere((row) => sum(row) - c * deviation, 3000, {
      scale: 'gaussian',
      particles: 8000,
    });
    expect(event.drawn).toBe('subset-simulation');
    expect(event.effectiveRows).toBeGreaterThan(60);
    const sums = Array.from(
      { length: 3000 },
      (_, i) => sum(rows.data.subarray(4 * i, 4 * i + 4) as Float64Array) / deviation,
    );
    expect(Math.min(...sums)).toBeGreaterThanOrEqual(c);
    // E[s | s > c] = phi(c) / Phi(-c), of each column a share of it
    const mean = Math.exp((-c * c) / 2) / Math.sqrt(2 * Math.PI) / phi(-c);
    expect(Math.abs(sums.reduce((total, one) => total + one / 3000, 0) - mean)).toBeLessThan(0.03);
    const share = (1 + 3 * 0.3) / deviation;
    const first = (rows.data as Float32Array).reduce(
      (total, value, k) => total + (k % 4 === 0 ? value / 3000 : 0),
      0,
    );
    expect(Math.abs(first - share * mean)).toBeLessThan(0.15);
  });
});

test('the same seed gives the same bits, for any number of threads', async () => {
  const options = { particles: 2000, moves: 3, seed: 5 };
  const one = await student(3).probability(below(2e-3), { ...options, threads: 1 });
  expect(await student(3).probability(below(2e-3), { ...options, threads: 3 })).toEqual(one);
  expect((await student(3).probability(below(2e-3), { ...options, seed: 6 })).probability).not.toBe(
    one.probability,
  );
  const draw = async (threads: number) =>
    (await student(3).sampleWhere(below(1e-4), 50, { ...options, threads })).rows.data;
  expect(await draw(1)).toEqual(await draw(3));
});

test('what is no event, and what events throw', async () => {
  const copula = student(2);
  const call = (event: unknown, options = {}) => copula.probability(event as never, options);
  await expect(call('a > 1')).rejects.toMatchObject({
    code: 'ERR_SKLAR_VALUE',
    message: expect.stringContaining('expected a function of a row') as string,
  });
  await expect(call(() => NaN)).rejects.toMatchObject({
    code: 'ERR_SKLAR_VALUE',
    message: expect.stringContaining('got NaN at the row (0.') as string,
  });
  await expect(call(() => Promise.resolve(1))).rejects.toMatchObject({ code: 'ERR_SKLAR_VALUE' });
  const cause = new TypeError('no such thing');
  await expect(
    call(() => {
      throw cause;
    }),
  ).rejects.toMatchObject({
    code: 'ERR_SKLAR_VALUE',
    cause,
    message: expect.stringContaining('no such thing') as string,
  });
  await expect(call(() => 1, { islands: 3 })).rejects.toThrow('between 4 and 4096 for islands, got 3');
  await expect(call(() => 1, { particles: 10 })).rejects.toThrow('for particles, got 10');
  await expect(call(() => 1, { moves: 0 })).rejects.toThrow('for moves');
  await expect(call(() => 1, { least: 2 })).rejects.toThrow('for least');
  await expect(call(() => 1, { scale: 'data' })).rejects.toThrow('data');
  await expect(call(() => 1, { signal: AbortSignal.abort() })).rejects.toMatchObject({ name: 'AbortError' });
  const stop = new AbortController();
  let calls = 0;
  const slow = (row: Float64Array) => {
    if (++calls === 9000) stop.abort();
    return below(1e-9)(row);
  };
  await expect(call(slow, { ...few, signal: stop.signal })).rejects.toMatchObject({ name: 'AbortError' });
});

test('progress goes up to 1', async () => {
  const told: number[] = [];
  await student(2).probability(below(1e-3), { ...few, onProgress: ({ fraction }) => told.push(fraction) });
  expect(told.at(-1)).toBe(1);
  expect([...told].sort((a, b) => a - b)).toEqual(told);
});

test("quantiles of Student's distribution", () => {
  expect(studentQuantile(3)).toBeCloseTo(3.1824, 1);
  expect(studentQuantile(9)).toBeCloseTo(2.2622, 3);
  expect(studentQuantile(1e6)).toBeCloseTo(1.96, 4);
});
