import {
  GaussianCopula,
  JointDistribution,
  Margins,
  PseudoObservations,
  Table,
  fitCopula,
  fitJoint,
  fromRows,
  loadJoint,
  loadModel,
} from '../../lib';
import { TemporaryFolder } from '../data/support';
import { normals } from '../helpers/data';
import { separation, wines } from '../helpers/wine';

const folder = new TemporaryFolder();

const RHO = 0.6;

/** Normal with standard deviation 2, exponential, and a coin that depends on both. */
function mixed(rows: number, seed: number): Table {
  const next = normals(seed);
  const columns = [new Float64Array(rows), new Float64Array(rows), new Float64Array(rows)];
  for (let i = 0; i < rows; i++) {
    const a = next();
    const b = RHO * a + Math.sqrt(1 - RHO * RHO) * next();
    columns[0]![i] = 10 + 2 * a;
    columns[1]![i] = Math.exp(b / 2);
    columns[2]![i] = Number(a + b + next() > 1);
  }
  return new Table(['level', 'flow', 'alarm'], columns, ['float', 'float', 'integer']);
}

const gaussian = { copula: { kind: 'gaussian' } } as const;
const mean = (x: ArrayLike<number>): number =>
  Array.from(x).reduce((sum, value) => sum + value, 0) / x.length;

describe('a joint distribution', () => {
  const table = mixed(3000, 1);
  let joint: JointDistribution;
  beforeAll(async () => {
    joint = await fitJoint(table, gaussian);
  });

  test('knows its columns', () => {
    expect([joint.dim, joint.names, joint.kinds]).toEqual([3, table.names, table.kinds]);
    expect(joint.margins.types).toEqual(['kde', 'gpd', 'discrete']);
    expect(joint.copula.margins).toBe(joint.margins);
  });

  test('the log density is that of the copula plus those of the margins', async () => {
    const few = mixed(50, 2);
    const log = await joint.logPdf(few);
    // of the coin the whole jump counts
    const { lower, upper } = await joint.margins.cells(few);
    const ofCopula = await joint.copula.logPdfCells(lower, upper, { scale: 'gaussian' });
    const ofMargins = await joint.margins.logPdf(few.select(['level', 'flow', 'alarm']), { atoms: false });
    log.forEach((value, i) => expect(value).toBe(ofCopula[i]! + ofMargins[i]!));
    // as rows in order, and as a table in another order with more columns
    expect(await joint.logPdf(few.toMatrix())).toEqual(log);
    const shuffled = Table.fromColumns(
      new Map(
        [...few.names]
          .reverse()
          .concat('other')
          .map((name) => [name, few.column(name === 'other' ? 'flow' : name)]),
      ),
    );
    expect(await joint.logPdf(shuffled)).toEqual(log);
    expect((await joint.logPdf([[10, -1, 0]]))[0]).toBe(-Infinity);
  });

  test('the density is near the true one', async () => {
    const two = await fitJoint(table.select(['level', 'flow']), { ...gaussian, margins: 'kde' });
    const fresh = mixed(2000, 3);
    const [x, y] = [fresh.column('level'), fresh.column('flow')];
    const truth = x.map((value, i) => {
      const a = (value - 10) / 2;
      const b = 2 * Math.log(y[i]!);
      const q = (a * a - 2 * RHO * a * b + b * b) / (1 - RHO * RHO);
      return -q / 2 - Math.log(2 * Math.PI * Math.sqrt(1 - RHO * RHO)) - Math.log(y[i]!);
    });
    expect(Math.abs(mean(await two.logPdf(fresh)) - mean(truth))).toBeLessThan(0.03);
  });

  test('samples have the names, kinds and frequencies of the data', async () => {
    const drawn = await joint.sample(4000, { seed: 5 });
    expect([drawn.names, drawn.kinds, drawn.rows]).toEqual([table.names, table.kinds, 4000]);
    expect(new Set(drawn.column('alarm'))).toEqual(new Set([0, 1]));
    for (const name of table.names) {
      const [a, b] = [drawn.column(name), table.column(name)];
      const deviation = Math.sqrt(mean(b.map((value) => (value - mean(b)) ** 2)));
      expect(Math.abs(mean(a) - mean(b)) / deviation).toBeLessThan(0.06);
    }
    const stream: number[] = [];
    for await (const batch of joint.sampleStream(4000, { seed: 5, batch: 999 }))
      stream.push(...batch.column('flow'));
    expect(Float64Array.from(stream)).toEqual(drawn.column('flow'));
  });

  test('conditions are in the units of the data', async () => {
    const { table: drawn, ...rest } = await joint.sampleConditional({ level: 14 }, 3000, { seed: 2 });
    expect(new Set(drawn.column('level'))).toEqual(new Set([14]));
    expect(drawn.kinds).toEqual(table.kinds);
    // log flow = b / 2 with b ~ N(2 rho, 1 - rho^2) given a = 2
    expect(Math.abs(mean(drawn.column('flow').map(Math.log)) - RHO)).toBeLessThan(0.06);
    expect(rest.logMarginalDensity).toBeCloseTo(
      joint.margins.margin('level').logPdf(Float64Array.of(14))[0]!,
      9,
    );
    const both = await joint.sampleConditional({ level: 14, alarm: 0 }, 2000);
    expect(new Set(both.table.column('alarm'))).toEqual(new Set([0]));
    expect(mean(both.table.column('flow'))).toBeLessThan(mean(drawn.column('flow')));
    for (const [fixed, culprit] of [
      [{ wind: 1 }, '"wind"'],
      [{ alarm: 7 }, '"alarm"'],
      [{ alarm: 0.5 }, 'integer'],
      [{ flow: -1 }, '"flow"'],
      [{ flow: NaN }, '"flow"'],
      [{}, '1 to 2 fixed columns'],
    ] as const) {
      await expect(joint.sampleConditional(fixed as Record<string, number>, 5)).rejects.toMatchObject({
        code: 'ERR_SKLAR_VALUE',
        message: expect.stringContaining(culprit),
      });
    }
  });

  test('F of a classical copula is its distribution function', async () => {
    using gaussian = await fitJoint(table, { copula: { kind: 'gaussian' } });
    const points = fromRows([
      [10, 1, Infinity],
      [10, 1, 0],
    ]);
    const exact = await gaussian.cdf(points);
    expect(exact.standardErrors).toEqual(Float64Array.of(0, 0));
    const counted = await gaussian.cdf(points, { samples: 40_000 });
    exact.values.forEach((value, i) => {
      expect(Math.abs(counted.values[i]! - value)).toBeLessThan(4 * counted.standardErrors[i]!);
    });
    await expect(gaussian.cdf(points, { steps: 3 })).rejects.toThrow('no solver');
  });

  test('F counts, with its error', async () => {
    const points = fromRows([
      [10, 1, 1],
      [10, Infinity, Infinity],
      [Infinity, Infinity, 0],
      [-1e6, 1, 1],
    ]);
    const { values, standardErrors } = await joint.cdf(points, { samples: 40_000 });
    // P(a < 0, b < 0) = 1/4 + asin(rho) / (2 pi)
    const shares = [0.25 + Math.asin(RHO) / (2 * Math.PI), 0.5, 1 - mean(table.column('alarm')), 0];
    shares.forEach((share, i) => expect(Math.abs(values[i]! - share)).toBeLessThan(0.02));
    expect(standardErrors[1]).toBeCloseTo(Math.sqrt(0.25 / 40_000), 6);
    expect(standardErrors[3]).toBeGreaterThan(0);
    await expect(joint.cdf([[NaN, 1, 1]])).rejects.toThrow('"level"');
  });

  test('one file holds all of it', async () => {
    const file = folder.file('joint.safetensors');
    await joint.save(file);
    const again = await loadJoint(file);
    const few = mixed(20, 7);
    expect(await again.logPdf(few)).toEqual(await joint.logPdf(few));
    expect((await again.sample(50, { seed: 3 })).columns).toEqual(
      (await joint.sample(50, { seed: 3 })).columns,
    );
    expect((await loadModel(file)).margins).toBeInstanceOf(Margins);
    again.dispose();
    await expect(again.sample(1)).rejects.toMatchObject({ code: 'ERR_SKLAR_DISPOSED' });
  });
});

test('what has no margins is no joint distribution', async () => {
  const table = mixed(50, 1);
  const ranks = await PseudoObservations.fit(table);
  const file = folder.file('ranks.safetensors');
  await (await fitCopula(ranks.transformTrain(), { kind: 'gaussian', margins: ranks })).save(file);
  await expect(loadJoint(file)).rejects.toMatchObject({
    code: 'ERR_SKLAR_VALUE',
    message: expect.stringMatching(/ranks.*ranks\.safetensors/),
  });
  const copula = new GaussianCopula(Float64Array.of(1, 0, 0, 1), 2);
  const margins = await Margins.fit(table);
  expect(() => new JointDistribution(copula, margins)).toThrow(
    expect.objectContaining({ code: 'ERR_SKLAR_SHAPE' }),
  );
  await expect(fitJoint(table, { ...gaussian, margins: { wind: 'kde' } })).rejects.toThrow('"wind"');
  // @ts-expect-error: no option of that kind
  await expect(fitJoint(table, { copula: { kind: 'gaussian', steps: 3 } })).rejects.toThrow('steps');
});

test('rows without names get some', async () => {
  const next = normals(1);
  const joint = await fitJoint(
    Array.from({ length: 40 }, () => [next(), next()]),
    gaussian,
  );
  expect(joint.names).toEqual(['column1', 'column2']);
});

test('two small classifiers find it hard to tell a sample from a table of wines', async () => {
  const table = wines(1600, 1);
  const joint = await fitJoint(table, {
    copula: { kind: 'cdc', steps: 300, hidden: 64, depth: 2, batch: 256 },
  });
  const { logistic, neighbours } = separation(wines(1000, 2), await joint.sample(1000));
  expect(logistic).toBeLessThan(0.65);
  expect(neighbours).toBeLessThan(0.65);
  // They can tell: columns drawn apart from one another give themselves away.
  const apart = new Table(
    table.names,
    table.columns.map((column, j) => column.map((_, i) => column[(i + 37 * j) % column.length]!)),
  ).take(Array.from({ length: 1000 }, (_, i) => i));
  expect(separation(wines(1000, 2), apart).logistic).toBeGreaterThan(0.8);
});
