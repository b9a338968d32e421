// What classical copulas compute. Their fits: classical-fits.test.ts.
import {
  type ClassicalCopula,
  type FamilyKind,
  FamilyCopula,
  StudentCopula,
  fitCopula,
  loadModel,
  parameterOfTau,
  toRows,
} from '../../lib';
import { TemporaryFolder } from '../data/support';
import { equicorrelated } from '../helpers/data';
import { examples } from '../helpers/families';
import { expectIndependentUniforms, largest } from '../helpers/statistics';

const folder = new TemporaryFolder();
const pair = (rho: number) => Float64Array.of(1, rho, rho, 1);
const double = { dtype: 'float64' } as const;

describe.each(examples)('%s %j rotated by %d', (kind, parameters, rotation) => {
  const copula = new FamilyCopula(kind, parameters, { rotation });

  test('rosenblatt makes independent uniforms, and back', async () => {
    const u = await copula.sample(4000, { seed: 5, ...double });
    const e = await copula.rosenblatt(u);
    expectIndependentUniforms(toRows(e));
    const back = await copula.inverseRosenblatt(e);
    expect(largest(back.data, u.data)).toBeLessThan(1e-8);
  });

  test('h, its inverse and the cdf agree; sides give the limits', async () => {
    const u = toRows(await copula.sample(50, { seed: 2, ...double }));
    const h = await copula.hfunc1(u);
    expect(
      largest(
        await copula.hinv1(u.map(([a], i) => [a!, h[i]!])),
        u.map((row) => row[1]!),
      ),
    ).toBeLessThan(1e-8);
    const step = 1e-5;
    const [up, down] = await Promise.all(
      [step, -step].map((s) => copula.cdf(u.map(([a, b]) => [a! * (1 + s), b!]))),
    );
    h.forEach((value, i) => {
      const slope = (up![i]! - down![i]!) / (2 * step * u[i]![0]!);
      expect(Math.abs(slope - value)).toBeLessThan(1e-5);
    });
    expect(
      Array.from(
        await copula.cdf([
          [0, 0.3],
          [0.3, 0],
          [1, 0.3],
          [0.3, 1],
          [1, 1],
        ]),
      ),
    ).toEqual([0, 0, 0.3, 0.3, 1]);
    expect(
      Array.from(
        await copula.hfunc1([
          [0.4, 0],
          [0.4, 1],
        ]),
      ),
    ).toEqual([0, 1]);
    const edge = await copula.hfunc1([
      [0, 0.3],
      [1, 0.3],
    ]);
    const near = await copula.hfunc1([
      [1e-280, 0.3],
      [1 - 1e-16, 0.3],
    ]);
    edge.forEach((value, i) => expect(Math.abs(value - near[i]!)).toBeLessThan(0.1));
  });
});

test('samples do not depend on threads and batches, and the Gaussian scale keeps the tails', async () => {
  for (const copula of [
    new FamilyCopula('joe', { theta: 3 }, { dim: 5 }),
    new FamilyCopula('bb7', { theta: 2, delta: 1 }, { rotation: 90 }),
    new StudentCopula(pair(0.5), 2, 3),
  ]) {
    const whole = await copula.sample(700, { seed: 3, threads: 1, ...double });
    expect(await copula.sample(700, { seed: 3, threads: 3, ...double })).toEqual(whole);
    const tail = await copula.sample(300, { seed: 3, firstRow: 400, ...double });
    expect(tail.data).toEqual(whole.data.subarray(400 * copula.dim));
    const z = await copula.sample(700, { seed: 3, scale: 'gaussian', ...double });
    expect(largest(await copula.logPdf(z, { scale: 'gaussian' }), await copula.logPdf(whole))).toBeLessThan(
      1e-7,
    );
    const far = await copula.logPdf([Array.from({ length: copula.dim }, () => 12)], { scale: 'gaussian' });
    expect(Number.isFinite(far[0])).toBe(true);
  }
});

test('tail dependence is the limit of C(q, q) / q', async () => {
  for (const [kind, parameters, rotation] of examples) {
    const copula = new FamilyCopula(kind, parameters, { rotation });
    const { lowerLower, upperUpper, lowerUpper, upperLower } = copula.tailDependence();
    const q = 1e-9;
    const [low, high, left, right] = await copula.cdf([
      [q, q],
      [1 - q, 1 - q],
      [q, 1 - q],
      [1 - q, q],
    ]);
    expect(Math.abs(low! / q - lowerLower)).toBeLessThan(2e-3);
    expect(Math.abs(2 + (high! - 1) / q - upperUpper)).toBeLessThan(2e-3);
    expect(Math.abs(1 - left! / q - lowerUpper)).toBeLessThan(2e-3);
    expect(Math.abs(1 - right! / q - upperLower)).toBeLessThan(2e-3);
    const swapped = copula.tailDependence(1, 0);
    expect(swapped.lowerUpper).toBe(upperLower);
  }
});

test('save and load keep everything', async () => {
  const copulas: ClassicalCopula[] = [
    new FamilyCopula('bb1', { theta: 0.5, delta: 1.5 }, { rotation: 270 }),
    new FamilyCopula('independence', {}, { dim: 3 }),
    await fitCopula(equicorrelated(300, 3, 0.5, 2), { kind: 'student' }),
  ];
  for (const [i, copula] of copulas.entries()) {
    const file = folder.file(`classical-${i}.safetensors`);
    await copula.save(file);
    using loaded = (await loadModel(file)) as ClassicalCopula;
    expect(loaded.constructor).toBe(copula.constructor);
    expect(loaded.info()).toEqual(copula.info());
    expect(loaded.aic).toBe(copula.aic);
    const u = await copula.sample(20, double);
    expect(await loaded.logPdf(u)).toEqual(await copula.logPdf(u));
    copula.dispose();
    await expect(copula.rosenblatt(u)).rejects.toMatchObject({ code: 'ERR_SKLAR_DISPOSED' });
  }
});

describe('bad input names the culprit', () => {
  const u = equicorrelated(50, 2, 0.5, 1);
  const wide = equicorrelated(50, 3, 0.5, 1);
  const rejects = (promise: Promise<unknown>, culprit: string) =>
    expect(promise).rejects.toMatchObject({
      code: expect.stringMatching(/_(VALUE|SHAPE)$/),
      message: expect.stringContaining(culprit),
    });

  test.each([
    ['clayton', { theta: 0 }, {}, 'theta'],
    ['gumbel', { theta: 0.5 }, {}, 'theta'],
    ['bb8', { theta: 2, delta: 1.5 }, {}, 'delta'],
    ['clayton', { theta: 2, delta: 1 }, {}, 'delta'],
    ['bb1', { theta: 2, delta: 1 }, { dim: 3 }, 'bb1'],
    ['frank', { theta: -2 }, { dim: 3 }, 'theta'],
    ['frank', { theta: 2 }, { rotation: 90 }, 'frank'],
    ['joe', { theta: 2 }, { dim: 3, rotation: 90 }, '90'],
    ['joe', { theta: 2 }, { rotation: 45 }, '45'],
    ['plaket', {}, {}, 'plaket'],
  ])('%s %j %j', (kind, parameters, options, culprit) => {
    expect(() => new FamilyCopula(kind as FamilyKind, parameters as never, options as never)).toThrow(
      culprit,
    );
  });

  test('of fits and functions', async () => {
    await rejects(fitCopula(u, { kind: 'bb1', method: 'tau' }), 'bb1');
    await rejects(fitCopula(wide, { kind: 'bb1' }), 'bb1');
    await rejects(fitCopula(u, { kind: 'clayton', rotation: 90, method: 'tau' }), 'tau');
    await rejects(fitCopula(u, { kind: 'clayton', rotation: 45 } as never), 'rotation');
    await rejects(fitCopula(u, { kind: 'student', hidden: 3 } as never), 'hidden');
    await rejects(fitCopula([[0, 1]], { kind: 'clayton' }), '8 rows');
    const copula = new FamilyCopula('clayton', { theta: 2 });
    await rejects(copula.cdf([[0.5, 1.5]]), 'column 2');
    await rejects(copula.logPdf([[0.5, 0]]), 'column 2');
    await rejects(copula.hfunc1([[0.5, 0.2, 0.1]]), 'hfunc1');
    await rejects(copula.sample(3, { solver: 'ab2' }), 'solver');
    await rejects(new FamilyCopula('clayton', { theta: 2 }, { dim: 3 }).hinv2([[0.5, 0.2, 0.1]]), 'hinv2');
    expect(() => new StudentCopula(pair(0.5), 2, 0)).toThrow('degrees');
    expect(() => parameterOfTau('amh', 0.5)).toThrow('amh');
    expect(() => copula.tau(0, 2)).toThrow('column');
  });
});
