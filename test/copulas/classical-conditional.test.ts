// Rows given some columns: what the transform of Rosenblatt makes of the other columns must be independent and uniform.
import {
  type ClassicalCopula,
  EnsembleCopula,
  FamilyCopula,
  StudentCopula,
  Table,
  fitCopula,
  fitJoint,
  matrix,
  toRows,
} from '../../lib';
import { equicorrelated } from '../helpers/data';
import { examples } from '../helpers/families';
import { expectIndependentUniforms, expectUniform } from '../helpers/statistics';

const ROWS = 1500;
const double = { dtype: 'float64' } as const;

test.each([
  ...examples.map(([kind, parameters, rotation]) => [kind, parameters, rotation] as const),
  ['tawn', { psi1: 0.9, psi2: 0.4, theta: 3 }, 90] as const,
  ['tawn', { psi1: 0.9, psi2: 0.4, theta: 3 }, 270] as const,
  ['bb1', { theta: 0.8, delta: 1.4 }, 180] as const,
  ['student', { rho: -0.6, degrees: 3 }, 0] as const,
  ['kernel', {}, 0] as const,
])('%s %j rotated by %d, given either column', async (kind, parameters, rotation) => {
  let copula: ClassicalCopula;
  if (kind === 'kernel') copula = await fitCopula(equicorrelated(300, 2, 0.5, 1), { kind, bandwidth: 1 });
  else if (kind === 'student') {
    const { rho, degrees } = parameters as { rho: number; degrees: number };
    copula = new StudentCopula(Float64Array.of(1, rho, rho, 1), 2, degrees);
  } else copula = new FamilyCopula(kind, parameters, { rotation });
  for (const column of [0, 1] as const) {
    const sample = await copula.sampleConditional({ [column]: 0.83 }, ROWS, { seed: 4, ...double });
    const rows = toRows(sample.rows);
    expect(new Set(rows.map((row) => row[column]))).toEqual(new Set([0.83]));
    expectUniform(await (column === 0 ? copula.hfunc1(rows) : copula.hfunc2(rows)));
    expect(sample).toMatchObject({
      logMarginalDensity: 0,
      normalised: true,
      standardError: 0,
      effectiveSampleSize: ROWS,
      method: 'exact',
    });
  }
});

const r = Float64Array.of(1, 0.5, -0.3, 0.2, 0.5, 1, 0.2, -0.4, -0.3, 0.2, 1, 0.1, 0.2, -0.4, 0.1, 1);
const many: [string, () => Promise<ClassicalCopula> | ClassicalCopula][] = [
  ['student', () => new StudentCopula(r, 4, 3)],
  ['empirical-beta', () => fitCopula(equicorrelated(200, 4, 0.5, 3), { kind: 'empirical-beta' })],
  ...(['clayton', 'gumbel', 'frank', 'joe'] as const).map(
    (kind) =>
      [kind, () => new FamilyCopula(kind, { theta: 2.2 }, { dim: 4 })] as [string, () => ClassicalCopula],
  ),
  ['amh', () => new FamilyCopula('amh', { theta: 0.8 }, { dim: 4 })],
  ['turned clayton', () => new FamilyCopula('clayton', { theta: 2 }, { dim: 4, rotation: 180 })],
  ['independence', () => new FamilyCopula('independence', {}, { dim: 4 })],
];

describe.each(many)('%s of four columns', (_, make) => {
  test('given any of them, the density of the condition included', async () => {
    const copula = await make();
    const marginal = (columns: readonly number[]): ClassicalCopula =>
      'marginal' in copula
        ? (copula as StudentCopula).marginal(columns)
        : new FamilyCopula((copula as FamilyCopula).kind, copula.parameters, {
            dim: columns.length,
            rotation: (copula as FamilyCopula).rotation,
          });
    for (const fixed of [{ 2: 0.15 }, { 3: 0.9, 1: 0.4 }, { 0: 0.05, 3: 0.1, 2: 0.6 }]) {
      const given = Object.keys(fixed).map(Number);
      const values = Object.values(fixed);
      const { rows, logMarginalDensity } = await copula.sampleConditional(fixed, ROWS, {
        seed: 2,
        ...double,
      });
      const order = [...given, ...[0, 1, 2, 3].filter((j) => !given.includes(j))];
      const ordered = toRows(rows).map((row) => order.map((j) => row[j]!));
      const e = toRows(await marginal(order).rosenblatt(ordered)).map((row) => row.slice(given.length));
      expectIndependentUniforms(e);
      given.forEach((j, i) => expect(ordered[7]![order.indexOf(j)]).toBe(values[i]));
      if (given.length === 1) expect(logMarginalDensity).toBe(0);
      else expect(logMarginalDensity).toBeCloseTo((await marginal(given).logPdf([values]))[0]!, 12);
    }
  });

  test('the same rows for any number of threads, and far out on the Gaussian scale', async () => {
    const copula = await make();
    const options = { seed: 5, scale: 'gaussian', ...double } as const;
    const one = await copula.sampleConditional({ 1: -6, 2: 5 }, 600, { ...options, threads: 1 });
    expect(one.rows.data.every(Number.isFinite)).toBe(true);
    expect(await copula.sampleConditional({ 1: -6, 2: 5 }, 600, { ...options, threads: 3 })).toEqual(one);
    expect(toRows(one.rows)[3]!.slice(1, 3)).toEqual([-6, 5]);
  });
});

test('ensembles of them weigh their members by the density of the condition', async () => {
  const members = [1, 4].map((theta) => new FamilyCopula('clayton', { theta }, { dim: 3 }));
  const densities = await Promise.all(
    [1, 4].map(async (theta) => (await new FamilyCopula('clayton', { theta }).pdf([[0.1, 0.7]]))[0]!),
  );
  const { rows, logMarginalDensity } = await new EnsembleCopula(members).sampleConditional(
    { 0: 0.1, 2: 0.7 },
    4000,
    { seed: 3, ...double },
  );
  expect(logMarginalDensity).toBeCloseTo(Math.log((densities[0]! + densities[1]!) / 2), 12);
  const ordered = toRows(rows).map(([a, b, c]) => [a!, c!, b!]);
  const [first, second] = await Promise.all(members.map((member) => member.rosenblatt(ordered)));
  // the law of column 1 is that of the members, weighted
  const share = densities[0]! / (densities[0]! + densities[1]!);
  expectUniform(
    ordered.map((_, i) => share * first!.data[3 * i + 2]! + (1 - share) * second!.data[3 * i + 2]!),
  );
});

test('in the units of the data', async () => {
  const table = Table.fromMatrix(
    matrix(equicorrelated(300, 2, 0.6, 4).data.map(Math.log), 300, 2, ['a', 'b']),
  );
  const joint = await fitJoint(table, { copula: { kind: 'student' }, margins: 'empirical' });
  const drawn = await joint.sampleConditional({ b: -0.5 }, 50, { seed: 2 });
  expect(new Set(drawn.table.column('b'))).toEqual(new Set([-0.5]));
  expect(Number.isFinite(drawn.logMarginalDensity)).toBe(true);
});

test('names, and what cannot be', async () => {
  const copula = await fitCopula(matrix(equicorrelated(60, 3, 0.5, 1).data, 60, 3, ['a', 'b', 'c']), {
    kind: 'student',
  });
  const { rows } = await copula.sampleConditional({ c: 0.9 }, 5);
  expect(rows.names).toEqual(['a', 'b', 'c']);
  for (const [fixed, options, culprit] of [
    [{ d: 0.5 }, {}, 'd'],
    [{ a: 1.5 }, {}, 'a'],
    [{ a: 0.1, b: 0.2, c: 0.3 }, {}, '1 to 2 fixed columns'],
    [{ a: 0.5 }, { particles: 100 }, 'particles'],
    [{ a: 0.5 }, { method: 'smc' }, 'method'],
  ] as const) {
    await expect(copula.sampleConditional(fixed as never, 5, options)).rejects.toMatchObject({
      code: 'ERR_SKLAR_VALUE',
      message: expect.stringContaining(culprit),
    });
  }
});

test.each([
  ...examples.map(([kind, parameters, rotation]) => [kind, parameters, rotation] as const),
  ['student', { rho: 0.5, degrees: 1 }, 0] as const,
  ['student', { rho: -0.7, degrees: 30 }, 0] as const,
])('%s %j rotated by %d, given a score of 1000', async (kind, parameters, rotation) => {
  const { rho, degrees } = parameters as { rho: number; degrees: number };
  const copula: ClassicalCopula =
    kind === 'student'
      ? new StudentCopula(Float64Array.of(1, rho, rho, 1), 2, degrees)
      : new FamilyCopula(kind, parameters, { rotation });
  const gaussian = { scale: 'gaussian' } as const;
  // the same draws lie behind each of them
  const draws = async (given: number) => {
    const { rows } = await copula.sampleConditional({ 0: given }, 40, { seed: 4, ...double, ...gaussian });
    return copula.hfunc1(rows, gaussian);
  };
  const near = await draws(0.1);
  for (const given of [-1000, -45, 45, 1000]) {
    (await draws(given)).forEach((score, i) => {
      // the last digit of a score moves its level by 1e-16 of its square
      expect(Math.abs(score - near[i]!)).toBeLessThan(1e-9 * (1 + Math.abs(near[i]!)));
    });
  }
});

test('more columns, given a score of 1000', async () => {
  for (const make of [
    () => new FamilyCopula('clayton', { theta: 2 }, { dim: 3 }),
    () => new FamilyCopula('gumbel', { theta: 2 }, { dim: 3, rotation: 180 }),
    () => new StudentCopula(Float64Array.of(1, 0.5, 0.2, 0.5, 1, 0.3, 0.2, 0.3, 1), 3, 1),
  ]) {
    for (const given of [-1000, 1000]) {
      const { rows } = await make().sampleConditional({ 0: given }, 20, { ...double, scale: 'gaussian' });
      expect(rows.data.every((value) => Math.abs(value) < 1100)).toBe(true);
    }
  }
});
