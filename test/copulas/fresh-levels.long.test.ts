/** Kendall's tau-b of samples of networks that learned columns of few values. */
import path from 'node:path';

import { FamilyCopula, type Matrix, type Table, fitJoint, kendall, matrix, readTable } from '../../lib';

const cases = path.resolve(__dirname, '..', 'fixtures', 'cases', 'discrete');
const tauOf = async (rows: Table | Matrix) => (await kendall(rows)).data[1]!;

const kinds = ['cdc', 'flow', 'reflection'] as const;
/** A reflection has no guide: its network learns all of the dependence. */
const small = (kind: (typeof kinds)[number]) => {
  const steps = kind === 'reflection' ? 2500 : 800;
  return { kind, hidden: 32, depth: 2, steps, batch: 512, learningRate: 3e-3, validateEvery: 100 };
};

describe.each(kinds)('tau-b of samples of a %s', (kind) => {
  test.each([
    ['flag.csv', 0.544],
    ['rain.csv', -0.441],
    ['grade.csv', 0.617],
  ])('is that of %s', async (file, tau) => {
    const table = await readTable(path.join(cases, file));
    const joint = await fitJoint(table, { copula: small(kind) });
    const sample = await joint.sample(20_000, { seed: 2 });
    expect(Math.abs((await tauOf(table)) - tau)).toBeLessThan(0.001);
    expect(Math.abs((await tauOf(sample)) - tau)).toBeLessThan(0.02);
  });

  test('is that of pairs that are zero together', async () => {
    const { data } = await new FamilyCopula('gumbel', { theta: 1.8 }).sample(4000, { seed: 3 });
    const zeros = matrix(
      Float64Array.from(data, (u) => (u < 0.62 ? 0 : -Math.log1p(-u))),
      4000,
      2,
    );
    const joint = await fitJoint(zeros, { copula: small(kind) });
    const sample = await joint.sample(20_000, { seed: 2 });
    expect(Math.abs((await tauOf(sample)) - (await tauOf(zeros)))).toBeLessThan(0.02);
  });
});
