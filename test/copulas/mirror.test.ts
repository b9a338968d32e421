// Turning and mirroring: c90(u, v) = c(v, 1 - u), c180(u, v) = c(1 - u, 1 - v), for everything that a copula computes, on the
// Gaussian scale, where both tails are equally fine.
import {
  type ClassicalCopula,
  type FamilyKind,
  type Rotation,
  FamilyCopula,
  GaussianCopula,
  StudentCopula,
  Table,
  fitJoint,
} from '../../lib';
import { type FamilyRule, families, familyKinds } from '../../lib/copulas/classical/families';
import { examples } from '../helpers/families';

const gaussian = { scale: 'gaussian' } as const;
const scores = [-900, -40, -37.6, -8.5, -2.1, -0.3, 0, 0.7, 3.2, 9, 37.4, 41, 800];
const points = scores.flatMap((a) => scores.map((b) => [a, b] as [number, number]));
const ends = [-Infinity, -9, -1, -0.2, 0.5, 0.6, 3, 8, Infinity];
const cells = ends
  .slice(1)
  .flatMap((b, i) =>
    ends.slice(1).map((d, j) => [ends[i]!, b, ends[j]!, d] as [number, number, number, number]),
  );
/** A level in the first column, a cell in the second. */
const edges = cells.filter(([a]) => Number.isFinite(a)).map(([a, , c, d]) => [a, a, c, d] as const);

interface Computed {
  logPdf: Float64Array;
  hfunc1: Float64Array;
  hfunc2: Float64Array;
  hinv1: Float64Array;
  hinv2: Float64Array;
}

async function computed(copula: ClassicalCopula, at: [number, number][]): Promise<Computed> {
  return {
    logPdf: await copula.logPdf(at, gaussian),
    hfunc1: await copula.hfunc1(at, gaussian),
    hfunc2: await copula.hfunc2(at, gaussian),
    hinv1: await copula.hinv1(at, gaussian),
    hinv2: await copula.hinv2(at, gaussian),
  };
}

const logCells = (copula: ClassicalCopula, at: readonly (readonly [number, number, number, number])[]) =>
  copula.logPdfCells(
    at.map(([a, , c]) => [a, c]),
    at.map(([, b, , d]) => [b, d]),
    gaussian,
  );

function expectClose(actual: Float64Array, expected: Float64Array, tolerance: (i: number) => number) {
  actual.forEach((value, i) => {
    const right = expected[i]!;
    expect(value).not.toBeNaN();
    if (value !== right) expect(Math.abs(value - right)).toBeLessThan(tolerance(i) * (1 + Math.abs(right)));
  });
}

/** At the points, to rounding: a score z has a level with 1e-16 of z^2, and what is made of it has no more. */
function expectSame(actual: Float64Array, expected: Float64Array, sign = 1, least = 1e-12) {
  const rounding = points.map(([a, b]) => least + 4e-16 * (a * a + b * b));
  const right = expected.map((value) => sign * value);
  expectClose(actual, right, (i) => rounding[i]!);
}

/** That of (-x, -y), of what is made of (x, y). */
async function expectMirrored(copula: ClassicalCopula, mirrored: ClassicalCopula, tolerance = 1e-12) {
  const own = await computed(copula, points);
  const other = await computed(
    mirrored,
    points.map(([a, b]) => [-a, -b]),
  );
  expectSame(other.logPdf, own.logPdf, 1, tolerance);
  for (const name of ['hfunc1', 'hfunc2', 'hinv1', 'hinv2'] as const) {
    expectSame(other[name], own[name], -1, tolerance);
  }
  for (const at of [cells, edges]) {
    const turned = at.map(([a, b, c, d]) => [-b, -a, -d, -c] as const);
    expectClose(await logCells(mirrored, turned), await logCells(copula, at), () => 1e-8);
  }
  // levels whose complements are doubles, too
  const levels = [2 ** -40, 0.0625, 0.375, 0.5, 0.8125, 1 - 2 ** -30];
  const grid = levels.flatMap((u) => levels.map((v) => [u, v] as const));
  const below = await copula.cdf(grid.map(([u, v]) => [u, v]));
  const above = await mirrored.cdf(grid.map(([u, v]) => [1 - u, 1 - v]));
  grid.forEach(([u, v], i) => {
    expect(Math.abs(above[i]! - (1 - u - v + below[i]!))).toBeLessThan(1e-13);
  });
}

const settings: [FamilyKind, Record<string, number>][] = [
  ...examples.map(([kind, parameters]) => [kind, parameters] as [FamilyKind, Record<string, number>]),
  ['independence', {}],
  ['bb2', { theta: 0.7, delta: 0.3 }],
  ['bb3', { theta: 1.4, delta: 0.5 }],
  ['bb4', { theta: 0.8, delta: 1.2 }],
  ['bb5', { theta: 1.3, delta: 0.8 }],
];

test('every family is here', () => {
  expect(new Set(settings.map(([kind]) => kind))).toEqual(new Set(familyKinds));
});

describe.each(settings)('%s %j', (kind, parameters) => {
  const rules: FamilyRule = families[kind];
  const turned = (rotation: Rotation) =>
    new FamilyCopula(kind, parameters, { rotation: rules.rotates ? rotation : 0 });

  // frank, fgm, plackett and independence are their own mirror images
  test.each(rules.rotates ? ([0, 90] as const) : ([0] as const))('mirrored from %d', async (rotation) => {
    await expectMirrored(turned(rotation), turned((rotation + 180) as Rotation));
  });

  if (rules.rotates) {
    test.each([0, 90, 180, 270] as const)('a quarter turn from %d', async (rotation) => {
      // C'(u, v) = P(U' <= u, V' <= v) of (U', V') = (1 - V, U)
      const copula = turned(rotation);
      const quarter = turned(((rotation + 90) % 360) as Rotation);
      const own = await computed(
        copula,
        points.map(([a, b]) => [b, -a]),
      );
      const other = await computed(quarter, points);
      expectSame(other.logPdf, own.logPdf);
      expectSame(other.hfunc1, own.hfunc2);
      expectSame(other.hfunc2, own.hfunc1, -1);
      // of (a, p): the b with h1'(a, b) = p is the one with h2(b, -a) = p
      expectSame(
        other.hinv1,
        await copula.hinv2(
          points.map(([a, p]) => [p, -a]),
          gaussian,
        ),
      );
      expectSame(
        other.hinv2,
        await copula.hinv1(
          points.map(([p, b]) => [b, -p]),
          gaussian,
        ),
        -1,
      );
      expectClose(
        await logCells(quarter, cells),
        await logCells(
          copula,
          cells.map(([a, b, c, d]) => [c, d, -b, -a] as const),
        ),
        () => 1e-8,
      );
    });
  }

  if (kind !== 'tawn') {
    test('columns may be exchanged', async () => {
      const copula = turned(0);
      const own = await computed(copula, points);
      const other = await computed(
        copula,
        points.map(([a, b]) => [b, a]),
      );
      expectSame(other.logPdf, own.logPdf);
      expectSame(other.hfunc2, own.hfunc1);
      expectSame(other.hinv2, own.hinv1);
    });
  }
});

test.each([-0.95, 0.3, 0.999])(
  'gaussian and student of correlation %d are their own mirror images',
  async (rho) => {
    const correlation = Float64Array.of(1, rho, rho, 1);
    const normal = new GaussianCopula(correlation, 2);
    await expectMirrored(normal, normal, 1e-10);
    for (const degrees of [1, 4.5, 200]) {
      const student = new StudentCopula(correlation, 2, degrees);
      await expectMirrored(student, student, 1e-10);
    }
  },
);

test.each([
  ['gaussian', 0, 0],
  ['student', 0, 0],
  ['gumbel', 0, 180],
  ['gumbel', 90, 270],
] as const)(
  '%s rotated by %d: mirrored rows have a mirrored distribution',
  async (kind, rotation, opposite) => {
    const sign = rotation === 90 ? -1 : 1;
    const u = await new FamilyCopula('gumbel', { theta: 2 }).sample(400, {
      seed: 5,
      ...gaussian,
      dtype: 'float64',
    });

    const columns = [
      Float64Array.from({ length: 400 }, (_, i) => Math.exp(u.data[2 * i]!)),
      Float64Array.from({ length: 400 }, (_, i) => sign * Math.sinh(u.data[2 * i + 1]!)),
    ];
    const fit = (data: Float64Array[], turn: Rotation) =>
      fitJoint(new Table(['a', 'b'], data), {
        copula: kind === 'gumbel' ? { kind, rotation: turn } : { kind },
      });
    const joint = await fit(columns, rotation);
    const mirroredColumns = columns.map((column) => column.map((x) => -x));
    const mirrored = await fit(mirroredColumns, opposite);
    const [own, other] = [joint.copula, mirrored.copula].map((copula) => copula as ClassicalCopula);
    for (const [name, value] of Object.entries(own!.parameters)) {
      expect(Math.abs(other!.parameters[name]! / value - 1)).toBeLessThan(1e-5);
    }
    expect(Math.abs(other!.logLikelihood! - own!.logLikelihood!)).toBeLessThan(1e-6);
    const log = await joint.logPdf(new Table(['a', 'b'], columns));
    const logMirrored = await mirrored.logPdf(new Table(['a', 'b'], mirroredColumns));
    log.forEach((value, i) => {
      expect(Math.abs(value - logMirrored[i]!)).toBeLessThan(1e-4 * (1 + Math.abs(value)));
    });
  },
);
