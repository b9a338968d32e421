/** Conditions on ranges and in words. */
import { type JointDistribution, Table, fitJoint, normalCdf } from '../../lib';
import { normals, uniforms } from '../helpers/data';

let joint: JointDistribution;
const ROWS = 4000;

beforeAll(async () => {
  const next = normals(4);
  const coin = uniforms(9);
  const rows = Array.from({ length: ROWS }, () => {
    const [a, e] = [next(), next()];
    const orders = a > 0.3 ? 1 + Math.floor(3 * coin()) : 0;
    return {
      order: '',
      score: 10 + 2 * a,
      'wind speed': 5 + 0.8 * a + 0.6 * e,
      orders,
      amount: orders === 0 ? 0 : 20 * orders + 10 * coin(),
      region: ['north', 'south end', 'west'][Math.floor(3 * coin())]!,
      day: new Date(Date.UTC(2024, 0, 1 + Math.floor(365 * coin()))),
    };
  });
  const column = (name: keyof (typeof rows)[0]) => rows.map((row) => row[name]);
  joint = await fitJoint(
    Table.fromColumns({
      order: rows.map((_, i) => `A-${1000 + i}`),
      score: column('score'),
      'wind speed': column('wind speed'),
      orders: column('orders'),
      amount: column('amount'),
      double: rows.map(({ score }) => 2 * score),
      region: column('region'),
      day: column('day'),
    }),
    { copula: { kind: 'gaussian' } },
  );
});

const rowsOf = (table: Table) =>
  Array.from({ length: table.rows }, (_, i) =>
    Object.fromEntries(table.names.map((name) => [name, table.text(name, i)])),
  );

describe('ranges of sampleConditional', () => {
  test('lie in the range, with its probability', async () => {
    const { table, logMarginalDensity, blockAcceptance } = await joint.sampleConditional(
      { score: { above: 12 } },
      2000,
      { seed: 2 },
    );
    expect(Math.min(...table.column('score'))).toBeGreaterThan(12);
    const p = normalCdf(Float64Array.of(-1))[0]!;
    expect(Math.abs(Math.exp(logMarginalDensity!) - p)).toBeLessThan(0.02);
    expect(Math.abs(blockAcceptance! - p)).toBeLessThan(0.02);
    // E[a | a > 1] = phi(1) / P, of the other one .8 of it
    const mean = table.column('wind speed').reduce((sum, x) => sum + x / 2000, 0);
    const excess = Math.exp(-0.5) / Math.sqrt(2 * Math.PI) / p;
    expect(Math.abs(mean - 5 - 0.8 * excess)).toBeLessThan(0.1);
    // nothing else is different
    expect(new Set(table.names)).toEqual(new Set(joint.schema.names));
    expect(table.column('double').every((x, i) => Math.abs(x - 2 * table.column('score')[i]!) < 1e-9)).toBe(
      true,
    );
  });

  test('of two ends, of levels and ranges together, of dates, beyond the data', async () => {
    const between = await joint.sampleConditional(
      { score: { atLeast: 9, below: 9.5 }, orders: { atMost: 1 }, day: { atLeast: '2024-07-01' } },
      200,
    );
    for (const row of rowsOf(between.table)) {
      expect(Number(row.score)).toBeGreaterThanOrEqual(9);
      expect(Number(row.score)).toBeLessThan(9.5);
      expect(Number(row.orders)).toBeLessThanOrEqual(1);
      expect(row.day! >= '2024-07-01').toBe(true);
    }
    const both = await joint.sampleConditional({ 'wind speed': 6, score: { below: 10 } }, 100);
    expect(new Set(both.table.column('wind speed'))).toEqual(new Set([6]));
    expect(Math.max(...both.table.column('score'))).toBeLessThan(10);
    const all = await joint.sampleConditional({ score: { above: -1000 } }, 100);
    expect(all.blockAcceptance).toBe(1);
  });

  test('an atom belongs to >= and <=, not to > and <', async () => {
    const some = await joint.sampleConditional({ amount: { above: 0 } }, 300);
    expect(Math.min(...some.table.column('amount'))).toBeGreaterThan(0);
    const none = await joint.sampleConditional({ amount: { atMost: 0 } }, 300);
    expect(new Set(none.table.column('amount'))).toEqual(new Set([0]));
    expect(some.blockAcceptance! + none.blockAcceptance!).toBeCloseTo(1, 1);
  });

  test.each([
    [{ score: {} }, 'expected one of atLeast and above, one of atMost and below'],
    [{ score: { above: 1, atLeast: 2 } }, 'got above and atLeast'],
    [{ score: { from: 1 } }, 'from'],
    [{ score: { above: 'x' } }, 'expected a number for the fixed column "score", got "x"'],
    [{ region: { above: 'north' } }, 'whose labels have no order'],
    [{ amount: { below: 0 } }, 'in which the margin of the column "amount" has probability, got < 0'],
    [{ score: { above: 11, below: 9 } }, 'got > 11 and < 9'],
    [{ day: { above: 'soon' } }, 'expected a date for the fixed column "day", got "soon"'],
  ])('%j is refused', async (fixed, message) => {
    await expect(joint.sampleConditional(fixed as never, 10)).rejects.toThrow(message);
  });
});

describe('sampleWhere', () => {
  test.each([
    ['orders > 0 or score < 9', (row) => Number(row.orders) > 0 || Number(row.score) < 9],
    [
      "region = 'south end' and not score >= 10",
      (row) => row.region === 'south end' && Number(row.score) < 10,
    ],
    [
      'region = south end AND wind speed>5',
      (row) => row.region === 'south end' && Number(row['wind speed']) > 5,
    ],
    ['"wind speed" < score and orders in (1, 2)', (row) => row.orders === '1' || row.orders === '2'],
    ['double > 20 and day >= 2024-06-01', (row) => Number(row.double) > 20 && row.day! >= '2024-06-01'],
    ['(region != west or orders == 0) and amount<>0', (row) => row.region !== 'west' && row.amount !== '0'],
  ] as [string, (row: Record<string, string>) => boolean][])('%s', async (where, holds) => {
    const { table, acceptance } = await joint.sampleWhere(where, 200, { seed: 3 });
    expect(table.rows).toBe(200);
    expect(table.names).toEqual(joint.schema.names);
    for (const row of rowsOf(table)) expect(holds(row as Record<string, string>)).toBe(true);
    const share =
      rowsOf(await joint.sample(4000, { seed: 8 })).filter((row) => holds(row as never)).length / 4000;
    if (!where.includes('in (')) expect(Math.abs(acceptance - share)).toBeLessThan(0.08);
    const again = await joint.sampleWhere(where, 200, { seed: 3, threads: 1 });
    expect(again.table.columns).toEqual(table.columns);
  });

  test('single values are given, the rest is rejection', async () => {
    const { table, acceptance } = await joint.sampleWhere('wind speed = 6 and score > 11', 100);
    expect(new Set(table.column('wind speed'))).toEqual(new Set([6]));
    expect(Math.min(...table.column('score'))).toBeGreaterThan(11);
    expect(acceptance).toBeGreaterThan(0.5);
    // rules of the data hold
    expect(table.column('amount').every((x, i) => x !== 0 || table.column('orders')[i] === 0)).toBe(true);
  });

  test.each([
    ['', 'expected a column of'],
    ['score', 'after "score"'],
    ['score > ', 'expected a value for "score"'],
    ['score > high', 'expected a number for the column "score", got "high"'],
    ['score > 1 orders', 'expected and, or, or the end'],
    ['(score > 1', 'expected a closing parenthesis'],
    ['scores > 1', 'got "scores > 1"'],
    ['region > north', 'whose labels have no order'],
    ['region = east', 'expected one of "'],
    ['order = A-1', 'which names rows and is made anew'],
    ['score in 1', 'expected values in parentheses'],
    ['score > 1000', 'expected a condition with enough probability'],
  ])('%j is refused', async (where, message) => {
    await expect(joint.sampleWhere(where, 10)).rejects.toThrow(message);
  });
});
