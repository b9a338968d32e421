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
// All sets are their own mirror images, so that what is computed of a copula once is compared with itself in other places.
const mirrored = (above: readonly number[]) => [...above.map((x) => -x).reverse(), ...above];
const scores = [...mirrored([0.3, 2.1, 8.5, 37.4, 37.6, 41, 900]), 0].sort((a, b) => a - b);
const points = scores.flatMap((a) => scores.map((b) => [a, b] as const));
const ends = mirrored([0.2, 0.3, 1, 8, Infinity]);
const intervals = ends.slice(1).map((end, i) => [ends[i]!, end] as const);
const cells = intervals.flatMap((first) => intervals.map((second) => [first, second] as const));
/** A level in the first column, a cell in the second. */
const edges = ends
  .slice(1, -1)
  .flatMap((level) => intervals.map((second) => [[level, level] as const, second] as const));
// levels whose complements are doubles, too
const levels = [2 ** -40, 0.0625, 0.375, 0.5, 0.625, 0.9375, 1 - 2 ** -40];
const grid = levels.flatMap((u) => levels.map((v) => [u, v] as const));

async function computed(copula: ClassicalCopula) {
  const logCells = (at: typeof cells) =>
    copula.logPdfCells(
      at.map(([first, second]) => [first[0], second[0]]),
      at.map(([first, second]) => [first[1], second[1]]),
      gaussian,
    );
  return {
    logPdf: await copula.logPdf(points, gaussian),
    hfunc1: await copula.hfunc1(points, gaussian),
    hfunc2: await copula.hfunc2(points, gaussian),
    hinv1: await copula.hinv1(points, gaussian),
    hinv2: await copula.hinv2(points, gaussian),
    cells: await logCells(cells),
    edges: await logCells(edges),
    cdf: await copula.cdf(grid),
  };
}
type Computed = Awaited<ReturnType<typeof computed>>;

function expectClose(actual: Float64Array, expected: Float64Array, tolerance: (i: number) => number) {
  const wrong = Array.from(actual, (value, i) => ({ i, value, right: expected[i]! })).filter(
    ({ i, value, right }) =>
      value !== right && !(Math.abs(value - right) < tolerance(i) * (1 + Math.abs(right))),
  );
  expect(wrong).toEqual([]);
}

/** At the points, to rounding: a score z has a level with 1e-16 of z^2, and what is made of it has no more. */
function expectSame(actual: Float64Array, expected: Float64Array, sign = 1, least = 1e-12) {
  const rounding = points.map(([a, b]) => least + 4e-16 * (a * a + b * b));
  const right = expected.map((value) => sign * value);
  expectClose(actual, right, (i) => rounding[i]!);
}

/** Values at (x, y), in a square of places, as those at (-x, -y), (y, -x) and (y, x). */
const turnedBack = (values: Float64Array) => values.toReversed();
function quarterBack(values: Float64Array): Float64Array {
  const size = Math.sqrt(values.length);
  return values.map((_, k) => values[(k % size) * size + size - 1 - Math.floor(k / size)]!);
}
function exchanged(values: Float64Array): Float64Array {
  const size = Math.sqrt(values.length);
  return values.map((_, k) => values[(k % size) * size + Math.floor(k / size)]!);
}

/** That of (-x, -y), of what is made of (x, y). */
function expectMirrored(own: Computed, other: Computed, tolerance = 1e-12) {
  expectSame(turnedBack(other.logPdf), own.logPdf, 1, tolerance);
  for (const name of ['hfunc1', 'hfunc2', 'hinv1', 'hinv2'] as const) {
    expectSame(turnedBack(other[name]), own[name], -1, tolerance);
  }
  for (const name of ['cells', 'edges'] as const) {
    expectClose(turnedBack(other[name]), own[name], () => 1e-8);
  }
  const above = turnedBack(other.cdf);
  grid.forEach(([u, v], i) => {
    expect(Math.abs(above[i]! - (1 - u - v + own.cdf[i]!))).toBeLessThan(1e-13);
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
  const known = new Map<Rotation, Promise<Computed>>();
  const turned = (rotation: number): Promise<Computed> => {
    const turn = rules.rotates ? ((rotation % 360) as Rotation) : 0;
    const found = known.get(turn) ?? computed(new FamilyCopula(kind, parameters, { rotation: turn }));
    known.set(turn, found);
    return found;
  };

  // frank, fgm, plackett and independence are their own mirror images
  test.each(rules.rotates ? ([0, 90] as const) : ([0] as const))('mirrored from %d', async (rotation) => {
    expectMirrored(await turned(rotation), await turned(rotation + 180));
  });

  if (rules.rotates) {
    test.each([0, 90, 180, 270] as const)('a quarter turn from %d', async (rotation) => {
      // C'(u, v) = P(U' <= u, V' <= v) of (U', V') = (1 - V, U)
      const own = await turned(rotation);
      const quarter = await turned(rotation + 90);
      expectSame(quarter.logPdf, quarterBack(own.logPdf));
      expectSame(quarter.hfunc1, quarterBack(own.hfunc2));
      expectSame(quarter.hfunc2, quarterBack(own.hfunc1), -1);
      // of (a, p): the b with h1'(a, b) = p is the one with h2(b, -a) = p
      expectSame(quarter.hinv1, quarterBack(own.hinv2));
      // of (p, b): the a with h2'(a, b) = p is the one with h1(b, -a) = -p
      expectSame(quarter.hinv2, quarterBack(own.hinv1), -1);
      expectClose(quarter.cells, quarterBack(own.cells), () => 1e-8);
    });
  }

  if (kind !== 'tawn') {
    test('columns may be exchanged', async () => {
      const own = await turned(0);
      expectSame(exchanged(own.logPdf), own.logPdf);
      expectSame(exchanged(own.hfunc2), own.hfunc1);
      expectSame(exchanged(own.hinv2), own.hinv1);
    });
  }
});

test.each([-0.95, 0.3, 0.999])(
  'gaussian and student of correlation %d are their own mirror images',
  async (rho) => {
    const correlation = Float64Array.of(1, rho, rho, 1);
    const copulas = [1, 4.5, 200].map((degrees) => new StudentCopula(correlation, 2, degrees));
    for (const copula of [new GaussianCopula(correlation, 2), ...copulas]) {
      const own = await computed(copula);
      expectMirrored(own, own, 1e-10);
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
