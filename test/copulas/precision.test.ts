// Families beside arbitrary precision where that is hard: peaked integrals, all four corners, turned ones too, both tails of the
// Gaussian scale, the ends of boxes. The fixture holds worst cases of `npm run precision` and hard ones beside them.
import { readFileSync } from 'node:fs';
import path from 'node:path';

import {
  type ClassicalCopula,
  type FamilyKind,
  type Rotation,
  FamilyCopula,
  GaussianCopula,
  StudentCopula,
  fitCopula,
  normalCdf,
  parameterOfTau,
} from '../../lib';
import { type FamilyRule, families, familyKinds, tauOf } from '../../lib/copulas/classical/families';
import { uniforms } from '../helpers/data';

interface Worst {
  kind: string;
  parameters: number[];
  rotation: Rotation;
  quantity: 'logPdf' | 'cdf' | 'hfunc1' | 'hfunc2' | 'hinv1' | 'hinv2' | 'tau' | 'parameterOfTau';
  point: [number, number] | null;
  exact: number;
  condition: number;
}

const worst = JSON.parse(
  readFileSync(path.join(__dirname, '..', 'fixtures', 'reference', 'precision.json'), 'utf8'),
) as Worst[];

function copulaOf(kind: string, parameters: readonly number[], rotation: Rotation = 0): ClassicalCopula {
  const correlation = Float64Array.of(1, parameters[0]!, parameters[0]!, 1);
  if (kind === 'gaussian') return new GaussianCopula(correlation, 2);
  if (kind === 'student') return new StudentCopula(correlation, 2, parameters[1]!);
  const rules: FamilyRule = families[kind as FamilyKind];
  return new FamilyCopula(
    kind as FamilyKind,
    Object.fromEntries(rules.parameters.map(({ name }, i) => [name, parameters[i]!])),
    { rotation },
  );
}

const relative = (actual: number, expected: number) => Math.abs(actual / expected - 1);

test('the fixture has every kind', () => {
  expect(new Set(worst.map(({ kind }) => kind)).size).toBe(familyKinds.length + 2);
});

test.each(
  worst.filter(({ quantity }) => !quantity.startsWith('hinv')).map((c) => [c.kind, c.quantity, c] as const),
)(
  'the worst case of %s: %s',
  async (_, quantity, { kind, parameters, rotation, point, exact, condition }) => {
    const copula = copulaOf(kind, parameters, rotation);
    if (quantity === 'tau') {
      expect(Math.abs(copula.tau() - exact)).toBeLessThan(1e-13);
    } else if (quantity === 'parameterOfTau') {
      const tau = tauOf(kind as FamilyKind, parameters);
      expect(
        Math.abs(tauOf(kind as FamilyKind, [parameterOfTau(kind as FamilyKind, tau)]) - tau),
      ).toBeLessThan(1e-13);
    } else {
      const [value] = await copula[quantity as 'logPdf']([point!]);
      const error =
        quantity === 'logPdf' ? Math.abs(value! - exact) / (1 + Math.abs(exact)) : relative(value!, exact);
      expect(error / (1 + condition)).toBeLessThan(2e-11);
    }
  },
);

test.each(
  worst.filter(({ quantity }) => quantity.startsWith('hinv')).map((c) => [c.kind, c.quantity, c] as const),
)(
  'the worst case of %s: %s leads back, as far as doubles can say',
  async (_, quantity, { kind, parameters, rotation, point }) => {
    const copula = copulaOf(kind, parameters, rotation);
    const [u, v] = point!;
    const first = quantity === 'hinv1';
    const [found] = first ? await copula.hinv1([point!]) : await copula.hinv2([point!]);
    const p = first ? v : u;
    const h = (x: number) => (first ? copula.hfunc1([[u, x]]) : copula.hfunc2([[x, v]]));
    // between the values a few units of the last place either side
    const [below] = await h(found! * (1 - 1e-15));
    const [above] = await h(Math.min(1, found! * (1 + 1e-15)));
    const slack = 1e-11 * Math.min(p, 1 - p) + 1e-16;
    expect(below!).toBeLessThanOrEqual(p + slack);
    expect(above!).toBeGreaterThanOrEqual(p - slack);
  },
);

const onScores = JSON.parse(
  readFileSync(path.join(__dirname, '..', 'fixtures', 'reference', 'precision-scores.json'), 'utf8'),
) as Worst[];

test.each(onScores.map((c) => [c.kind, c.quantity, c] as const))(
  'on the Gaussian scale, the worst case of %s: %s',
  async (kind, quantity, { parameters, rotation, point, exact, condition }) => {
    const copula = copulaOf(kind, parameters, rotation);
    const gaussian = { scale: 'gaussian' } as const;
    const [value] = await copula[quantity as 'logPdf']([point!], gaussian);
    if (quantity === 'logPdf') {
      expect(Math.abs(value! - exact) / (1 + condition + Math.abs(exact))).toBeLessThan(2e-12);
    } else if (quantity.startsWith('hfunc')) {
      // the logarithm of the smaller tail
      expect(Math.abs(logTail(value!) - exact) / (1 + condition + Math.abs(exact))).toBeLessThan(2e-12);
    } else {
      const [a, b] = point!;
      const first = quantity === 'hinv1';
      const p = first ? b : a;
      const h = (z: number) =>
        first ? copula.hfunc1([[a, z]], gaussian) : copula.hfunc2([[z, b]], gaussian);
      const near = 1e-14 * (1 + Math.abs(value!));
      const [below] = await h(value! - near);
      const [above] = await h(value! + near);
      const slack = 1e-12 * (1 + Math.abs(p));
      expect(below!).toBeLessThanOrEqual(p + slack);
      expect(above!).toBeGreaterThanOrEqual(p - slack);
    }
  },
);

/** log Phi(-|z|): beyond 5 by its continued fraction */
function logTail(z: number): number {
  const size = Math.abs(z);
  if (size < 5) return Math.log(normalCdf(Float64Array.of(-size))[0]!);
  let fraction = size;
  for (let k = 200; k > 0; k--) fraction = size + k / fraction;
  return -0.5 * size * size - 0.5 * Math.log(2 * Math.PI) - Math.log(fraction);
}

test('amh with theta -1 has no density in a corner: h is a square there', async () => {
  // c = 2 (u + v) next to 0, turned: P(V <= v | U = u) = v (v + 2 u)
  const copula = copulaOf('amh', [-1], 180);
  for (const [x, y] of [
    [-9.035, -9.2625],
    [-8.5, -12],
    [-60, -59],
    [-700, -700],
  ] as const) {
    const [h] = await copula.hfunc1([[x, y]], { scale: 'gaussian' });
    const [logU, logV] = [logTail(x), logTail(y)];
    const top = Math.max(logU + Math.LN2, logV);
    const right = logV + top + Math.log(Math.exp(logU + Math.LN2 - top) + Math.exp(logV - top));
    expect(relative(logTail(h!), right)).toBeLessThan(1e-13);
  }
});

test('what is not found to its digits is an error that names the copula', () => {
  const steep = copulaOf('plackett', [1e300]);
  expect(() => steep.tau()).toThrow(
    expect.objectContaining({
      code: 'ERR_SKLAR_DIVERGED',
      message: expect.stringContaining('plackett copula of 2 columns, parameters 1e+300'),
    }),
  );
  expect(() => copulaOf('bb8', [1e200, 0.5], 90).tau()).toThrow(
    'bb8 copula of 2 columns, parameters 1e+200, 0.5, rotation 90',
  );
});

test('where log densities of bb2 and bb3 leave the doubles', async () => {
  const gaussian = { scale: 'gaussian' } as const;
  for (const [kind, parameters, last, first] of [
    ['bb2', [1, 1], -37.5, -37.7],
    ['bb2', [5, 1], -16.5, -16.7],
    ['bb3', [100, 1], -49, -50],
  ] as const) {
    const copula = copulaOf(kind, parameters);
    const [near, beyond, both] = await copula.logPdf(
      [
        [last, 0],
        [first, 0],
        [first, first],
      ],
      gaussian,
    );
    expect(near).toBeGreaterThan(-Number.MAX_VALUE);
    expect(near).toBeLessThan(-1e300);
    expect(beyond).toBe(-Infinity);
    expect(both).toBeGreaterThan(0);
  }
});

describe('values that were wrong once', () => {
  test.each([
    ['galambos', [30], 0.967437],
    ['galambos', [40], 0.97544],
    ['galambos', [100], 0.99007],
    ['galambos', [1e4], 0.9999],
    ['husler-reiss', [60], 0.98131],
    ['husler-reiss', [100], 0.98876],
    ['husler-reiss', [1000], 0.99887],
    ['plackett', [500], 0.89706],
    ['plackett', [2000], 0.94675],
    ['plackett', [10751.8], 0.97657],
    ['plackett', [1e6], 0.99754],
    ['tawn', [0.9, 0.5, 100], 0.4714],
    ['tawn', [1, 1, 40], 0.975],
    ['bb2', [2, 1], 0.79817],
    ['bb3', [1.5, 1], 0.555877575015],
    ['bb3', [5, 5], 0.904663811978],
    ['bb3', [20, 0.1], 0.966660598535],
    ['bb3', [20, 1], 0.969731966333],
    ['bb3', [20, 5], 0.971894279075],
    ['bb3', [20, 20], 0.973742917341],
  ] as const)('tau of %s %j', (kind, parameters, tau) => {
    const digits = String(tau).length - 2;
    expect(Math.abs(tauOf(kind, parameters) - tau)).toBeLessThan(0.6 * 10 ** -digits);
  });

  test('parameters of tau', () => {
    expect(parameterOfTau('galambos', 0.99)).toBeCloseTo(99.28996, 4);
    expect(parameterOfTau('husler-reiss', 0.99)).toBeCloseTo(112.45056, 4);
    // 1 - 4/t (1 - (pi^2 / 6) / t) = 0.99
    expect(parameterOfTau('frank', 0.99)).toBeCloseTo(398.348245, 5);
    expect(parameterOfTau('plackett', 0.97656983108587)).toBeCloseTo(10751.8, 4);
    expect(parameterOfTau('clayton', 0.999)).toBeCloseTo(1998, 8);
    expect(() => parameterOfTau('gumbel', 0.99999)).toThrow('theta lies beyond 10000');
    expect(() => parameterOfTau('amh', 0.5)).toThrow('0.3333333');
  });

  test('corners', async () => {
    const gumbel = copulaOf('gumbel', [63.3], 180);
    expect(relative((await gumbel.hfunc1([[0.3, 0.2]]))[0]!, 1.265018005794442e-13)).toBeLessThan(1e-12);
    // hfunc2(.99, .9999) = 9.9e-20
    expect((await gumbel.hfunc2([[0.99, 0.9999]]))[0]! / 9.9487e-20).toBeCloseTo(1, 4);
    const bb3 = copulaOf('bb3', [20, 0.1]);
    expect((await bb3.hfunc1([[0.001, 0.5]]))[0]).toBe(1);
    expect(relative((await bb3.hinv1([[0.001, 0.9]]))[0]!, 0.001)).toBeLessThan(1e-14);
    expect((await copulaOf('bb2', [5, 1]).logPdf([[1e-4, 1e-4]]))[0]).toBeCloseTo(55.485185783171, 9);
    // survival Clayton, by its series at 0: C = u v (1 + theta)
    const [c] = await copulaOf('clayton', [2], 180).cdf([[1e-10, 1e-10]]);
    expect(relative(c!, 3e-20 * (1 - 2e-10))).toBeLessThan(1e-12);
  });
});

test('both tails of the Gaussian scale, to 1000 deviations', async () => {
  const at = async (copula: ClassicalCopula, row: number[]) =>
    (await copula.logPdf([row], { scale: 'gaussian' }))[0]!;
  expect(await at(copulaOf('independence', []), [1000, -1000])).toBe(0);
  // frank, plackett, amh, fgm and bb8 have limits in their corners
  const frank = Math.log(5 / (1 - Math.exp(-5)));
  for (const far of [8, 38, 1000]) {
    expect(await at(copulaOf('frank', [5]), [far, far])).toBeCloseTo(frank, 9);
    expect(await at(copulaOf('frank', [5]), [-far, -far])).toBeCloseTo(frank, 9);
    expect(await at(copulaOf('plackett', [5]), [far, far])).toBeCloseTo(Math.log(5), 9);
    expect(Math.abs((await at(copulaOf('fgm', [0.8]), [far, -far])) - Math.log1p(-0.8))).toBeLessThan(1e-9);
  }
  expect((await copulaOf('frank', [5]).logPdf([[5e-324, 5e-324]]))[0]).toBeCloseTo(frank, 9);
  expect((await copulaOf('amh', [0.5]).logPdf([[5e-324, 5e-324]]))[0]).toBeCloseTo(Math.log(2), 9);
  expect(await at(copulaOf('amh', [0.5]), [-1000, -1000])).toBeCloseTo(Math.log(2), 6);
  // clayton's diagonal: (1 + theta) 2^(-1/theta - 2) / u, u the lower tail
  for (const theta of [0.5, 3]) {
    const z = -1000;
    const logU =
      -0.5 * z * z - Math.log(-z) - 0.5 * Math.log(2 * Math.PI) + Math.log1p(-1 / z ** 2 + 3 / z ** 4);
    const right = Math.log1p(theta) - (1 / theta + 2) * Math.LN2 - logU;
    expect(relative(await at(copulaOf('clayton', [theta]), [z, z]), right)).toBeLessThan(1e-12);
    expect(relative(await at(copulaOf('clayton', [theta], 180), [-z, -z]), right)).toBeLessThan(1e-12);
  }
  // gaussian: its formula; student with many degrees is no different from student with few in being finite
  const rho = 0.5;
  const formula = (x: number, y: number) =>
    -0.5 * Math.log(1 - rho ** 2) - (rho ** 2 * (x * x + y * y) - 2 * rho * x * y) / (2 * (1 - rho ** 2));
  expect(relative(await at(copulaOf('gaussian', [rho]), [1000, 900]), formula(1000, 900))).toBeLessThan(
    1e-12,
  );
  for (const degrees of [1, 4, 1e6]) {
    const student = copulaOf('student', [rho, degrees]);
    const [lower, upper] = [await at(student, [-1000, -999]), await at(student, [1000, 999])];
    expect(Number.isFinite(lower)).toBe(true);
    expect(upper).toBe(lower);
  }
  // t with one degree: C is homogeneous in the corner, c(u, u) = a / u
  const cauchy = copulaOf('student', [rho, 1]);
  const [near, far] = await cauchy.logPdf([
    [1e-200, 1e-200],
    [1e-300, 1e-300],
  ]);
  expect(far! - near!).toBeCloseTo(100 * Math.LN10, 9);
});

test('tail dependence by textbook formulas, over whole boxes', () => {
  const next = uniforms(11);
  // lower and upper; Joe (2014), chapter 4
  const one = (l: (p: number) => number, u: (p: number) => number) => (p: readonly number[]) =>
    [l(p[0]!), u(p[0]!)] as const;
  const none = () => 0;
  const formulas: Record<string, (p: readonly number[]) => readonly [number, number]> = {
    independence: () => [0, 0],
    clayton: one((t) => 2 ** (-1 / t), none),
    gumbel: one(none, (t) => -2 * Math.expm1((1 / t - 1) * Math.LN2)),
    frank: () => [0, 0],
    joe: one(none, (t) => -2 * Math.expm1((1 / t - 1) * Math.LN2)),
    amh: () => [0, 0],
    bb1: ([t, d]) => [2 ** (-1 / (t! * d!)), -2 * Math.expm1((1 / d! - 1) * Math.LN2)],
    bb2: () => [1, 0],
    bb3: ([t]) => [1, -2 * Math.expm1((1 / t! - 1) * Math.LN2)],
    bb4: ([t, d]) => [(2 - 2 ** (-1 / d!)) ** (-1 / t!), 2 ** (-1 / d!)],
    bb5: ([t, d]) => [0, 2 - (2 - 2 ** (-1 / d!)) ** (1 / t!)],
    bb6: ([t, d]) => [0, -2 * Math.expm1((1 / (t! * d!) - 1) * Math.LN2)],
    bb7: ([t, d]) => [2 ** (-1 / d!), -2 * Math.expm1((1 / t! - 1) * Math.LN2)],
    bb8: () => [0, 0],
    galambos: one(none, (t) => 2 ** (-1 / t)),
    'husler-reiss': one(none, (t) => 2 * normalCdf(Float64Array.of(-1 / t))[0]!),
    tawn: ([a, b, t]) => {
      const [low, high] = [Math.min(a!, b!), Math.max(a!, b!)];
      return [0, low + high - high * (1 + (low / high) ** t!) ** (1 / t!)];
    },
    fgm: () => [0, 0],
    plackett: () => [0, 0],
  };
  expect(new Set(Object.keys(formulas))).toEqual(new Set(familyKinds));
  for (const kind of familyKinds) {
    const rules: FamilyRule = families[kind];
    for (let i = 0; i < 40; i++) {
      const parameters = rules.parameters.map(({ box: [low, high], scale }) =>
        scale === 'linear'
          ? low + (high - low) * next()
          : scale.log +
            Math.exp(Math.log(low - scale.log) + next() * Math.log((high - scale.log) / (low - scale.log))),
      );
      const [lower, upper] = formulas[kind]!(parameters);
      const rotation = rules.rotates ? ([0, 90, 180, 270] as const)[i % 4]! : 0;
      const { lowerLower, lowerUpper, upperLower, upperUpper } = copulaOf(
        kind,
        parameters,
        rotation,
      ).tailDependence();
      const own = {
        0: [lowerLower, upperUpper, lowerUpper, upperLower],
        // (U, V) = (1 - V', U'), counter-clockwise
        90: [upperLower, lowerUpper, lowerLower, upperUpper],
        180: [upperUpper, lowerLower, lowerUpper, upperLower],
        270: [lowerUpper, upperLower, lowerLower, upperUpper],
      }[rotation];
      expect(Math.abs(own[0]! - lower)).toBeLessThan(1e-12);
      expect(Math.abs(own[1]! - upper)).toBeLessThan(1e-12);
      expect(own.slice(2)).toEqual([0, 0]);
    }
  }
});

const middle = ({ scale, box: [low, high] }: FamilyRule['parameters'][number]) =>
  scale === 'linear' ? 0.5 * (low + high) : scale.log + Math.sqrt((low - scale.log) * (high - scale.log));

test.each(familyKinds)('%s is finite and in range at the ends of its box', async (kind) => {
  const rules: FamilyRule = families[kind];
  let settings: number[][] = [[]];
  for (const own of rules.parameters) {
    settings = settings.flatMap((head) =>
      [own.box[0], middle(own), own.box[1]].map((value) => [...head, value]),
    );
  }
  const z = [-1000, -100, -40, -38, -37.5, -2, 0.3, 37.5, 38, 40, 100, 1000].flatMap((a, _, all) =>
    all.map((b) => [a, b]),
  );
  const u = [5e-324, 2.9e-316, 1e-310, 1e-20, 0.3, 1 - 2 ** -53].flatMap((a, _, all) =>
    all.map((b) => [a, b]),
  );
  for (const parameters of settings) {
    for (const rotation of rules.rotates ? ([0, 270] as const) : ([0] as const)) {
      const copula = copulaOf(kind, parameters, rotation);
      // densities of bb2 and bb3 fall like e^(-e^..): their logarithms are beyond doubles there
      const least = kind === 'bb2' || kind === 'bb3' ? -Infinity : -Number.MAX_VALUE;
      const density = [...(await copula.logPdf(z, { scale: 'gaussian' })), ...(await copula.logPdf(u))];
      expect(density.every((value) => value >= least && value < Infinity)).toBe(true);
      for (const name of ['cdf', 'hfunc1', 'hfunc2', 'hinv1', 'hinv2'] as const) {
        expect((await copula[name](u)).every((value) => value >= 0 && value <= 1)).toBe(true);
      }
      expect(Math.abs(copula.tau())).toBeLessThanOrEqual(1);
      for (const value of Object.values(copula.tailDependence())) {
        expect(value >= -1e-15 && value <= 1).toBe(true);
      }
    }
  }
});

test.each([
  ['clayton', { theta: 100 }],
  ['gumbel', { theta: 100 }],
  ['joe', { theta: 100 }],
  ['galambos', { theta: 100 }],
  ['husler-reiss', { lambda: 100 }],
  ['frank', { theta: 400 }],
  ['plackett', { theta: 50_000 }],
  ['bb1', { theta: 40, delta: 5 }],
  ['bb7', { theta: 50, delta: 50 }],
] as const)('a fit finds %s %j again', async (kind, parameters) => {
  const u = await new FamilyCopula(kind, parameters).sample(400, { seed: 1, dtype: 'float64' });
  const fitted = await fitCopula(u, { kind });
  for (const [name, right] of Object.entries(parameters)) {
    const error = fitted.standardErrors![name]!;
    expect(Math.abs(fitted.parameters[name]! - right)).toBeLessThan(4 * error);
    expect(error).toBeLessThan(right);
  }
});
