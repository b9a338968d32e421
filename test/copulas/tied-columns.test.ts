// Columns of few values keep their dependence: the likelihood of blocks of levels, for every classical kind.
import path from 'node:path';

import {
  type ClassicalCopula,
  FamilyCopula,
  type FamilyKind,
  GaussianCopula,
  type Matrix,
  PseudoObservations,
  type Rotation,
  StudentCopula,
  type Table,
  fitBest,
  fitCopula,
  fitJoint,
  kendall,
  matrix,
  readTable,
} from '../../lib';
import type { LevelBlocks } from '../../lib/data/level-blocks';
import { Table as TableOf } from '../../lib/data/table';

const double = { dtype: 'float64' } as const;
const table = (name: string) =>
  readTable(path.join(__dirname, '..', 'fixtures', 'cases', 'discrete', `${name}.csv`));

const tauOf = async (rows: Table) => (await kendall(rows)).data[1]!;

describe.each([
  ['flag', 0.8, 0.544],
  ['rain', -0.8, -0.441],
  ['grade', 0.8, 0.617],
])('%s', (name, rho, tau) => {
  test.each(['gaussian', 'student'] as const)('%s', async (kind) => {
    using joint = await fitJoint(await table(name), { copula: { kind } });
    const found = (joint.copula as ClassicalCopula).parameters.rho!;
    expect(Math.abs(found - rho)).toBeLessThan(0.02);
    const error = (joint.copula as ClassicalCopula).standardErrors!.rho!;
    expect(error).toBeGreaterThan(0.003);
    expect(error).toBeLessThan(0.03);
    expect(Math.abs((await tauOf(await joint.sample(20_000, { seed: 5 }))) - tau)).toBeLessThan(0.02);
    const [note] = joint.notes.filter(({ code }) => code === 'ties');
    expect(note!.message).toMatch(/^column ".*": values recur, so that the copula is fitted to/);
    expect(note!.columns).toEqual([joint.names[0]]);
  });

  test.each(['kernel', 'empirical-beta'] as const)('%s: the dependence stays', async (kind) => {
    using joint = await fitJoint(await table(name), { copula: { kind } });
    expect(Math.abs((await tauOf(await joint.sample(20_000, { seed: 5 }))) - tau)).toBeLessThan(0.02);
    expect(joint.copula.notes.map(({ code }) => code)).toEqual(['ties']);
    // as of the values before they were cut
    expect(Math.abs((joint.copula as ClassicalCopula).tau() - (2 / Math.PI) * Math.asin(rho))).toBeLessThan(
      0.02,
    );
  });
});

/** The rows with each column cut: values up to the level share are the same. */
async function censored(copula: ClassicalCopula, rows: number, share: number, seed: number, upper = false) {
  const { data } = await copula.sample(rows, { seed, ...double });
  const columns = Array.from({ length: copula.dim }, (_, j) => {
    const column = Float64Array.from({ length: rows }, (__, i) => data[i * copula.dim + j]!);
    const limit = Float64Array.from(column).sort()[Math.floor((upper ? 1 - share : share) * rows)]!;
    return column.map((u) => (upper ? Math.min(u, limit) : Math.max(u, limit)));
  });
  return ranked(columns);
}

/** Each column in so many equally likely values. */
async function graded(copula: ClassicalCopula, rows: number, values: number, seed: number) {
  const { data } = await copula.sample(rows, { seed, ...double });
  return ranked(
    Array.from({ length: copula.dim }, (_, j) =>
      Float64Array.from({ length: rows }, (__, i) => Math.floor(values * data[i * copula.dim + j]!)),
    ),
  );
}

async function ranked(columns: Float64Array[], ties: 'random' | 'average' = 'random') {
  const ranks = await PseudoObservations.fit(
    new TableOf(
      columns.map((_, j) => `x${j + 1}`),
      columns,
    ),
    { ties },
  );
  return { u: ranks.transformTrain(), blocks: ranks.trainingBlocks() };
}

describe('kernel and empirical beta copulas of rare and common flags', () => {
  const flags = async (truth: ClassicalCopula, share: number) => {
    const { data } = await truth.sample(2000, { seed: 11, ...double });
    const columns = [0, 1].map((j) =>
      Float64Array.from({ length: 2000 }, (_, i) => Number(data[2 * i + j]! > 1 - share)),
    );
    return new TableOf(['a', 'b'], columns);
  };
  test.each([
    ['gaussian', new GaussianCopula(Float64Array.of(1, 0.99, 0.99, 1), 2), 0.5],
    ['clayton', new FamilyCopula('clayton', { theta: 3 }), 0.5],
    ['clayton', new FamilyCopula('clayton', { theta: 3 }), 0.05],
    ['joe', new FamilyCopula('joe', { theta: 4 }, { rotation: 180 }), 0.5],
  ])('%s', async (_, truth, share) => {
    const rows = await flags(truth, share);
    const own = await tauOf(rows);
    for (const kind of ['kernel', 'empirical-beta'] as const) {
      using joint = await fitJoint(rows, { copula: { kind } });
      const tau = await tauOf(await joint.sample(20_000, { seed: 5 }));
      expect(Math.abs(tau - own)).toBeLessThan(0.02);
    }
  });

  test('a kernel that smooths them away says so', async () => {
    const rows = await flags(new GaussianCopula(Float64Array.of(1, 0.99, 0.99, 1), 2), 0.05);
    const own = await tauOf(rows);
    using joint = await fitJoint(rows, { copula: { kind: 'kernel' } });
    const { message } = joint.notes.find(({ code }) => code === 'fit')!;
    const [, drawn, said] = /draws of the kernel copula is ([\d.]+), that of the rows ([\d.]+)/.exec(
      message,
    )!;
    expect(Number(said)).toBeCloseTo(own, 3);
    expect(Number(drawn)).toBeLessThan(own - 0.02);
    expect(Math.abs((await tauOf(await joint.sample(20_000, { seed: 5 }))) - Number(drawn))).toBeLessThan(
      0.02,
    );
  });
});

test('gumbel with 62 % of either column equal: theta within two standard errors', async () => {
  const truth = new FamilyCopula('gumbel', { theta: 1.8 });
  for (const seed of [1, 2, 3]) {
    const { u, blocks } = await censored(truth, 4000, 0.62, seed);
    const fitted = await fitCopula(u, { kind: 'gumbel', blocks });
    const error = fitted.standardErrors!.theta!;
    expect(Math.abs(fitted.parameters.theta! - 1.8)).toBeLessThan(2 * error);
    expect(error).toBeLessThan(0.06);
  }
});

test.each([
  ['flag', 'flag', 1, 106.2],
  ['grade', 'grade', 3, 112.5],
])('%s: the mean of the other column given %s = %d', async (name, column, value, mean) => {
  using joint = await fitJoint(await table(name), { copula: { kind: 'gaussian' } });
  const { table: given } = await joint.sampleConditional({ [column]: value }, 20_000, { seed: 2 });
  const x = given.columns[1]!;
  expect(Math.abs(x.reduce((sum, one) => sum + one, 0) / x.length - mean)).toBeLessThan(0.5);
});

describe.each([
  ['clayton', { theta: 2 }, 0],
  ['clayton', { theta: 2 }, 90],
  ['gumbel', { theta: 2 }, 180],
  ['gumbel', { theta: 2 }, 270],
  ['frank', { theta: 5 }, 0],
  ['frank', { theta: -4 }, 0],
  ['joe', { theta: 2.5 }, 0],
  ['joe', { theta: 2.5 }, 270],
  ['amh', { theta: 0.8 }, 0],
  ['galambos', { theta: 1 }, 0],
  ['husler-reiss', { lambda: 1.5 }, 180],
  ['fgm', { theta: 0.7 }, 0],
  ['plackett', { theta: 8 }, 0],
] as [FamilyKind, Record<string, number>, Rotation][])(
  '%s %j rotated by %d',
  (kind, parameters, rotation) => {
    const truth = new FamilyCopula(kind, parameters, { rotation });
    const [name, value] = Object.entries(parameters)[0]!;

    test.each([
      ['half of either column equal', () => censored(truth, 2000, 0.5, 7)],
      ['the upper 40 % equal', () => censored(truth, 2000, 0.4, 8, true)],
      ['four grades', () => graded(truth, 2000, 4, 9)],
      ['two values', () => graded(truth, 3000, 2, 10)],
    ])('%s', async (_, make) => {
      const { u, blocks } = await make();
      const fitted = await fitCopula(u, { kind, rotation, blocks });
      const error = fitted.standardErrors![name]!;
      expect(Math.abs(fitted.parameters[name]! - value)).toBeLessThan(3.2 * error);
      expect(error).toBeLessThan(0.25 * Math.max(1, Math.abs(value)));
    });
  },
);

// each family turned another way: the same rotation of data and fit
test.each([
  ['bb1', { theta: 0.6, delta: 1.5 }, 0],
  ['bb6', { theta: 1.5, delta: 1.6 }, 90],
  ['bb7', { theta: 1.6, delta: 0.8 }, 180],
  ['bb8', { theta: 4, delta: 0.7 }, 270],
  ['tawn', { psi1: 0.6, psi2: 0.8, theta: 3 }, 90],
  ['tawn', { psi1: 0.6, psi2: 0.8, theta: 3 }, 180],
] as [FamilyKind, Record<string, number>, Rotation][])(
  '%s %j rotated by %d, half of either column equal: all parameters within two standard errors',
  async (kind, parameters, rotation) => {
    const truth = new FamilyCopula(kind, parameters, { rotation });
    const { u, blocks } = await censored(truth, 2000, 0.5, 1);
    const fitted = await fitCopula(u, { kind, rotation, blocks });
    expect(Math.abs(fitted.tau() - truth.tau())).toBeLessThan(0.05);
    for (const [name, value] of Object.entries(parameters)) {
      const error = fitted.standardErrors![name]!;
      expect(error).toBeGreaterThan(0);
      expect(Math.abs(fitted.parameters[name]! - value)).toBeLessThan(2 * error);
    }
  },
);

test('standard errors of a correlation are those of its spread', async () => {
  const truth = new GaussianCopula(Float64Array.of(1, 0.7, 0.7, 1), 2);
  const found: number[] = [];
  const errors: number[] = [];
  for (let seed = 1; seed <= 60; seed++) {
    const { u, blocks } = await graded(truth, 400, 3, seed);
    const { parameters, standardErrors } = await fitCopula(u, { kind: 'gaussian', blocks });
    found.push(parameters.rho!);
    errors.push(standardErrors!.rho!);
  }
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const spread = Math.sqrt(mean(found.map((value) => (value - mean(found)) ** 2)));
  expect(Math.abs(mean(found) - 0.7)).toBeLessThan((3 * spread) / Math.sqrt(60));
  expect(Math.abs(mean(errors) / spread - 1)).toBeLessThan(0.3);
});

test('of three columns, standard errors are those of the spread over tables', async () => {
  const r = Float64Array.of(1, 0.6, -0.3, 0.6, 1, 0.2, -0.3, 0.2, 1);
  const truth = new GaussianCopula(r, 3);
  const tables = 40;
  const found: number[][] = [];
  const errors: number[][] = [];
  for (let seed = 1; seed <= tables; seed++) {
    const { data } = await truth.sample(250, { seed, ...double });
    // two values, four grades, and as it is
    const columns = [2, 4, 0].map((values, j) =>
      Float64Array.from({ length: 250 }, (_, i) =>
        values > 0 ? Math.floor(values * data[3 * i + j]!) : data[3 * i + j]!,
      ),
    );
    const { u, blocks } = await ranked(columns);
    const { parameters, standardErrors } = await fitCopula(u, { kind: 'gaussian', blocks });
    found.push(Object.values(parameters));
    errors.push(Object.values(standardErrors!) as number[]);
  }
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  [0.6, -0.3, 0.2].forEach((value, k) => {
    const own = found.map((row) => row[k]!);
    const spread = Math.sqrt(mean(own.map((one) => (one - mean(own)) ** 2)));
    expect(Math.abs(mean(own) - value)).toBeLessThan((3.5 * spread) / Math.sqrt(tables));
    expect(Math.abs(mean(errors.map((row) => row[k]!)) / spread - 1)).toBeLessThan(0.35);
  });
});

test('the static fit is that of fitCopula', async () => {
  const { u, blocks } = await graded(new GaussianCopula(Float64Array.of(1, 0.8, 0.8, 1), 2), 1000, 3, 2);
  const [one, two] = [
    await fitCopula(u, { kind: 'gaussian', blocks }),
    await fitCopula(u, { kind: 'gaussian', blocks }),
  ];
  expect(one.correlation).toEqual(two.correlation);
  expect(one.notes).toEqual(two.notes);
  expect(Math.abs(one.parameters.rho! - 0.8)).toBeLessThan(0.04);
});

test('how ties were ranked does not matter, and blocks are found where none are given', async () => {
  const truth = new GaussianCopula(Float64Array.of(1, 0.8, 0.8, 1), 2);
  const { data } = await truth.sample(1000, { seed: 2, ...double });
  const columns = [0, 1].map((j) =>
    Float64Array.from({ length: 1000 }, (_, i) => Math.max(0, data[2 * i + j]! - 0.6)),
  );
  const random = await ranked(columns);
  const average = await ranked(columns, 'average');
  for (const kind of ['gaussian', 'student', 'clayton', 'frank'] as const) {
    const fit = async (u: Matrix, blocks?: LevelBlocks) =>
      (await fitCopula(u, { kind, blocks })) as ClassicalCopula;
    const one = await fit(random.u, random.blocks);
    const two = await fit(average.u, average.blocks);
    const plain = await fit(average.u);
    expect(two.parameters).toEqual(one.parameters);
    expect(plain.parameters).toEqual(one.parameters);
    expect(plain.notes.map(({ code }) => code)).toContain('ties');
  }
});

describe('more columns', () => {
  const correlation = (dim: number) =>
    Float64Array.from({ length: dim * dim }, (_, at) => {
      const [i, j] = [Math.floor(at / dim), at % dim];
      return i === j ? 1 : 0.8 ** Math.abs(i - j);
    });
  /** Two columns of grades, one that is half zero, and others as they are. */
  async function mixed(copula: ClassicalCopula, rows: number, seed: number) {
    const { data } = await copula.sample(rows, { seed, ...double });
    return ranked(
      Array.from({ length: copula.dim }, (_, j) =>
        Float64Array.from({ length: rows }, (__, i) => {
          const u = data[i * copula.dim + j]!;
          return j === 0 ? Number(u > 0.7) : j === 1 ? Math.floor(4 * u) : j === 2 ? Math.max(0.5, u) : u;
        }),
      ),
    );
  }

  test('gaussian: every correlation within four standard errors', async () => {
    const r = correlation(5);
    const { u, blocks } = await mixed(new GaussianCopula(r, 5), 2000, 3);
    const fitted = await fitCopula(u, { kind: 'gaussian', blocks });
    Object.entries(fitted.parameters).forEach(([name, value]) => {
      const [i, j] = name.match(/\d/g)!.map((digit) => Number(digit) - 1) as [number, number];
      const error = fitted.standardErrors![name]!;
      expect(error).toBeLessThan(0.06);
      expect(Math.abs(value - r[i * 5 + j]!)).toBeLessThan(4 * error);
    });
    expect(Number.isFinite(fitted.logLikelihood)).toBe(true);
    expect(fitted.notes[0]!.message).toMatch(/^columns "x1", "x2" and "x3": values recur, /);
  });

  test('student: correlations within two standard errors, and degrees of freedom', async () => {
    const r = correlation(4);
    const { u, blocks } = await mixed(new StudentCopula(r, 4, 4), 1500, 4);
    const fitted = await fitCopula(u, { kind: 'student', blocks });
    Object.entries(fitted.parameters).forEach(([name, value]) => {
      if (name === 'degrees') return;
      const [i, j] = name.match(/\d/g)!.map((digit) => Number(digit) - 1) as [number, number];
      expect(Math.abs(value - r[i * 4 + j]!)).toBeLessThan(2 * fitted.standardErrors![name]!);
    });
    // without a standard error
    expect(fitted.degrees).toBeGreaterThan(2.8);
    expect(fitted.degrees).toBeLessThan(5.8);
  });

  test.each([
    ['clayton', 1.5, 0],
    ['gumbel', 1.7, 180],
    ['frank', 4, 0],
    ['joe', 2, 0],
  ] as const)('%s of three columns with grades', async (kind, theta, rotation) => {
    const truth = new FamilyCopula(kind, { theta }, { dim: 3, rotation });
    const { u, blocks } = await mixed(truth, 1500, 5);
    const fitted = await fitCopula(u, { kind, rotation, blocks });
    const error = fitted.standardErrors!.theta!;
    expect(Math.abs(fitted.parameters.theta! - theta)).toBeLessThan(3 * error);
    expect(error).toBeLessThan(0.25);
  });

  test('clayton of eight columns of grades, by pairs', async () => {
    const truth = new FamilyCopula('clayton', { theta: 1.5 }, { dim: 8 });
    const { u, blocks } = await graded(truth, 2000, 3, 5);
    const fitted = await fitCopula(u, { kind: 'clayton', blocks });
    expect(Math.abs(fitted.parameters.theta! - 1.5)).toBeLessThan(0.15);
    expect(fitted.standardErrors).toEqual({ theta: null });
  });
});

test('tau is refused where many rows are tied, and taken where few are', async () => {
  const truth = new FamilyCopula('clayton', { theta: 2 });
  const { u, blocks } = await censored(truth, 500, 0.5, 1);
  for (const kind of ['clayton', 'gaussian', 'student'] as const) {
    await expect(
      fitCopula(u, { kind, method: 'tau', blocks, names: ['rain', 'snow'] } as { kind: typeof kind }),
    ).rejects.toMatchObject({
      code: 'ERR_SKLAR_VALUE',
      message: expect.stringMatching(/tied in rain.*'mle'/),
    });
  }
  const few = await censored(truth, 500, 0.02, 1);
  const { parameters } = await fitCopula(few.u, { kind: 'clayton', method: 'tau', blocks: few.blocks });
  expect(Math.abs(parameters.theta! - 2)).toBeLessThan(0.5);
});

test('estimates at an end of their range say so', async () => {
  const rows: Matrix = await new GaussianCopula(Float64Array.of(1, 0.5, 0.5, 1), 2).sample(500, {
    seed: 1,
    ...double,
  });
  const student = await fitCopula(rows, { kind: 'student' });
  if (student.degrees > 299) expect(student.notes.map(({ code }) => code)).toEqual(['bound']);
  const { data } = await new FamilyCopula('independence', {}).sample(300, { seed: 3, ...double });
  const opposed = matrix(
    Float64Array.from(data, (value, at) => (at % 2 === 0 ? value : 1 - data[at - 1]! * 0.99 - 0.005)),
    300,
    2,
  );
  const clayton = await fitCopula(opposed, { kind: 'clayton' });
  expect(clayton.notes.map(({ code }) => code)).toEqual(['bound']);
  // and others do not, whatever the length of their range
  for (const dim of [2, 3]) {
    const truth = new FamilyCopula('frank', { theta: 2 }, { dim });
    const frank = await fitCopula(await truth.sample(500, { seed: 1, ...double }), { kind: 'frank' });
    expect(Math.abs(frank.parameters.theta! - 2)).toBeLessThan(1);
    expect(frank.notes).toEqual([]);
  }
  expect(clayton.notes[0]!.message).toContain('theta of the clayton copula');
});

test('candidates are compared by the probability of blocks', async () => {
  const truth = new FamilyCopula('clayton', { theta: 2 });
  const { u, blocks } = await graded(truth, 1200, 4, 5);
  const { ranking: found, copula } = await fitBest(u, {
    blocks,
    folds: 3,
    candidates: [
      { kind: 'clayton' },
      { kind: 'gaussian' },
      { kind: 'gumbel' },
      { kind: 'independence' },
      { kind: 'kernel' },
    ],
  });
  expect(found[0]!.candidate.kind).toBe('clayton');
  const [independence] = found.filter(({ candidate }) => candidate.kind === 'independence');
  // 4 x 4 cells of 1/16
  expect(Math.abs(independence!.meanLogPdf! + Math.log(16))).toBeLessThan(0.01);
  expect(Math.abs((copula as FamilyCopula).parameters.theta! - 2)).toBeLessThan(0.4);
});

test('an empirical beta copula of average ranks tells them apart at random, and says so', async () => {
  const truth = new GaussianCopula(Float64Array.of(1, 0.8, 0.8, 1), 2);
  const { data } = await truth.sample(400, { seed: 2, ...double });
  const grades = await ranked(
    [0, 1].map((j) => Float64Array.from({ length: 400 }, (_, i) => Math.floor(3 * data[2 * i + j]!))),
    'average',
  );
  const fitted = await fitCopula(grades.u, { kind: 'empirical-beta' });
  expect(fitted.notes.map(({ code }) => code)).toEqual(['ties']);
});
