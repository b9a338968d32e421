// Dependence that ranks blur: maximum likelihood gives way to Kendall's tau, or says that it has no standard error.
import {
  type ClassicalCopula,
  type CopulaKind,
  type FamilyKind,
  FamilyCopula,
  GaussianCopula,
  PseudoObservations,
  StudentCopula,
  Table,
  fitCopula,
  loadModel,
} from '../../lib';
import { pseudoObservations } from '../helpers/data';
import { TemporaryFolder } from '../data/support';

const folder = new TemporaryFolder();

/** Ranks of the rows, as data would have them; from the Gaussian scale, where both tails are told apart. */
async function ranked(truth: ClassicalCopula, rows: number, seed: number) {
  const { data, columns } = await truth.sample(rows, { seed, dtype: 'float64', scale: 'gaussian' });
  return pseudoObservations(
    Array.from({ length: columns }, (_, j) =>
      Float64Array.from({ length: rows }, (_row, i) => data[columns * i + j]!),
    ),
  );
}

const blurNotes = ({ notes }: ClassicalCopula) =>
  notes.filter(({ message }) => message.startsWith('the ranks blur'));
const fit = async (u: Parameters<typeof fitCopula>[0], kind: CopulaKind, options = {}) =>
  (await fitCopula(u, { kind: kind as 'gumbel', ...options })) as ClassicalCopula;
const pair = (r: number) => Float64Array.of(1, r, r, 1);

test.each([
  ['gumbel', 'theta', 100, 0],
  ['gumbel', 'theta', 100, 180],
  ['clayton', 'theta', 1000, 90],
  ['husler-reiss', 'lambda', 100, 0],
  ['frank', 'theta', -1000, 0],
  ['joe', 'theta', 100, 0],
  ['galambos', 'theta', 100, 0],
  ['plackett', 'theta', 1e5, 0],
] as [FamilyKind, string, number, 0 | 90 | 180][])(
  '%s with %s %d, turned by %d: intervals hold the truth',
  async (kind, name, value, rotation) => {
    const truth = new FamilyCopula(kind, { [name]: value }, { rotation });
    let held = 0;
    const sets = 12;
    for (let seed = 1; seed <= sets; seed++) {
      const u = await ranked(truth, 2000, seed);
      const fitted = await fit(u, kind, { rotation });
      const [note] = blurNotes(fitted);
      expect(note).toMatchObject({ code: 'fit' });
      const found = fitted.parameters[name]!;
      expect(note!.message).toMatch(
        new RegExp(
          `: ${name} of the ${kind} copula is ${String(Number(found.toPrecision(6))).replace(/[+.]/g, '\\$&')} by Kendall's tau, in place of -?[\\de.+]+$`,
        ),
      );
      expect(fitted.info().training).toMatchObject({ method: 'tau' });
      if (seed === 1) {
        const byTau = await fit(u, kind, { rotation, method: 'tau' });
        expect(byTau.parameters).toEqual(fitted.parameters);
        expect(byTau.standardErrors).toEqual(fitted.standardErrors);
        expect(blurNotes(byTau)).toEqual([]);
      }
      held += Number(Math.abs(found - value) < 1.96 * fitted.standardErrors![name]!);
    }
    // of 12 intervals at the level 0.95 fewer than 9 hold it once in 500 times
    expect(held).toBeGreaterThanOrEqual(9);
  },
);

test.each([
  ['gumbel', { theta: 5 }],
  ['clayton', { theta: 10 }],
  ['frank', { theta: 30 }],
  ['joe', { theta: 10 }],
  ['galambos', { theta: 5 }],
  ['husler-reiss', { lambda: 10 }],
  ['plackett', { theta: 100 }],
  ['amh', { theta: 0.9 }],
  ['fgm', { theta: 1 }],
  ['tawn', { psi1: 0.7, psi2: 0.6, theta: 3 }],
  ['bb1', { theta: 1, delta: 2 }],
  ['bb8', { theta: 4, delta: 0.7 }],
] as [FamilyKind, Record<string, number>][])(
  '%s %j is not blurred by 2,000 ranks',
  async (kind, parameters) => {
    const fitted = await fit(await ranked(new FamilyCopula(kind, parameters), 2000, 3), kind);
    expect(blurNotes(fitted)).toEqual([]);
    expect(fitted.info().training).toMatchObject({ method: 'mle' });
  },
);

test('gumbel with theta 5: intervals of maximum likelihood hold the truth', async () => {
  let held = 0;
  const sets = 30;
  for (let seed = 1; seed <= sets; seed++) {
    const fitted = await fit(await ranked(new FamilyCopula('gumbel', { theta: 5 }), 2000, seed), 'gumbel');
    expect(blurNotes(fitted)).toEqual([]);
    held += Number(Math.abs(fitted.parameters.theta! - 5) < 1.96 * fitted.standardErrors!.theta!);
  }
  // once in 1,000 times fewer
  expect(held).toBeGreaterThanOrEqual(24);
});

test('a dependence beyond the range of a family is at its end', async () => {
  const fitted = await fit(await ranked(new FamilyCopula('clayton', { theta: 1e5 }), 500, 1), 'clayton');
  expect(fitted.parameters.theta).toBe(1e4);
  expect(fitted.standardErrors).toEqual({ theta: null });
  expect(fitted.notes.map(({ code }) => code)).toEqual(['bound', 'fit']);
});

test.each([
  ['bb1', { theta: 10, delta: 40 }],
  ['tawn', { psi1: 0.9, psi2: 0.6, theta: 100 }],
] as [FamilyKind, Record<string, number>][])(
  '%s %j has no standard errors, and says so',
  async (kind, parameters) => {
    const fitted = await fit(await ranked(new FamilyCopula(kind, parameters), 1000, 1), kind);
    expect(Object.values(fitted.standardErrors!).every((error) => error === null)).toBe(true);
    expect(blurNotes(fitted)[0]!.message).toMatch(
      /have no standard errors, and its Kendall's tau is \d\.\d+, that of the rows \d\.\d+$/,
    );
  },
);

describe.each(['gaussian', 'student'] as const)('%s', (kind) => {
  const truthOf = (r: Float64Array, dim: number) =>
    kind === 'gaussian' ? new GaussianCopula(r, dim) : new StudentCopula(r, dim, 5);

  test.each([0.999, -0.9999])('rho %d of two columns', async (rho) => {
    let held = 0;
    const sets = kind === 'gaussian' ? 12 : 4;
    for (let seed = 1; seed <= sets; seed++) {
      const fitted = await fit(await ranked(truthOf(pair(rho), 2), 1000, seed), kind);
      expect(blurNotes(fitted)[0]!.message).toMatch(
        /: rho is -?0\.99\d+ by Kendall's tau, in place of -?0\.99\d+$/,
      );
      held += Number(Math.abs(fitted.parameters.rho! - rho) < 1.96 * fitted.standardErrors!.rho!);
    }
    expect(held).toBeGreaterThanOrEqual(Math.floor(0.75 * sets));
  });

  test('of three columns the pair that is blurred is named', async () => {
    const r = Float64Array.of(1, 0.9995, 0.5, 0.9995, 1, 0.5, 0.5, 0.5, 1);
    const u = await ranked(truthOf(r, 3), 1000, 1);
    const fitted = await fit(u, kind, { names: ['a', 'b', 'c'] });
    const [note] = blurNotes(fitted);
    expect(note!.message).toMatch(
      /: rho of "a" and "b" is 0\.99\d+, by Kendall's tau it would be 0\.999\d+; its standard error is not known$/,
    );
    const { standardErrors } = fitted;
    if (kind === 'gaussian') {
      expect(standardErrors!['rho(1,2)']).toBeNull();
      expect(standardErrors!['rho(1,3)']).toBeGreaterThan(0);
    } else expect(standardErrors).toEqual({ degrees: null });
    expect(
      blurNotes(
        await fit(
          await ranked(truthOf(Float64Array.of(1, 0.9, 0.5, 0.9, 1, 0.5, 0.5, 0.5, 1), 3), 1000, 1),
          kind,
        ),
      ),
    ).toEqual([]);
  });
});

test.each([8, 9, 20])('%d rows of independent columns are not blurred', async (rows) => {
  for (let seed = 1; seed <= 5; seed++) {
    const u = await ranked(new FamilyCopula('independence', {}, { dim: 6 }), rows, seed);
    // correlations of so few rows are drawn towards independence
    expect(blurNotes(await fit(u, 'gaussian'))).toEqual([]);
  }
});

test('where values recur maximum likelihood stays, without a standard error', async () => {
  const truth = new FamilyCopula('gumbel', { theta: 60 });
  const { data } = await truth.sample(600, { seed: 2, dtype: 'float64', scale: 'gaussian' });
  const columns = [0, 1].map((j) =>
    Float64Array.from({ length: 600 }, (_, i) => Math.max(-0.5, data[2 * i + j]!)),
  );
  const margins = await PseudoObservations.fit(Table.fromColumns({ x: columns[0]!, y: columns[1]! }), {
    seed: 1,
  });
  const fitted = await fit(margins.transformTrain(), 'gumbel', { blocks: margins.trainingBlocks() });
  expect(blurNotes(fitted)).toHaveLength(1);
  expect(fitted.standardErrors).toEqual({ theta: null });
});

test('levels that are no ranks are not blurred', async () => {
  const truth = new FamilyCopula('gumbel', { theta: 100 });
  const u = await truth.sample(1000, { seed: 4, dtype: 'float64' });
  const fitted = await fit(u, 'gumbel');
  expect(blurNotes(fitted)).toEqual([]);
  expect(Math.abs(fitted.parameters.theta! - 100)).toBeLessThan(3 * fitted.standardErrors!.theta!);
  const { data } = await ranked(truth, 1000, 4);
  const middles = { data: data.map((level) => (level * 1001 - 0.5) / 1000), rows: 1000, columns: 2 };
  expect(blurNotes(await fit(middles, 'gumbel'))).toHaveLength(1);
});

test('a file keeps the note; rows in one order have no standard error', async () => {
  const u = await ranked(new FamilyCopula('gumbel', { theta: 100 }), 500, 1);
  const fitted = await fit(u, 'gumbel');
  const file = folder.file('blurred.safetensors');
  await fitted.save(file);
  using loaded = await loadModel(file);
  expect(loaded.notes).toEqual(fitted.notes);

  const x = Float64Array.from({ length: 100 }, (_, i) => i);
  const same = pseudoObservations([x, x]);
  for (const kind of ['gaussian', 'gumbel'] as const) {
    const one = await fit(same, kind);
    expect(Object.values(one.standardErrors!)).toEqual([null]);
    expect(blurNotes(one)).toHaveLength(1);
  }
});
