/** Events of rows in the units of the data. */
import { type EventRow, FamilyCopula, type JointDistribution, Table, fitJoint } from '../../lib';
import { normals, uniforms } from '../helpers/data';

const few = { particles: 6000, moves: 6 };
let joint: JointDistribution;
let plain: JointDistribution;

beforeAll(async () => {
  const next = normals(4);
  const coin = uniforms(9);
  const rows = Array.from({ length: 3000 }, () => {
    const [a, e] = [next(), next()];
    const orders = a > 0.3 ? 1 + Math.floor(3 * coin()) : 0;
    return {
      score: 10 + 2 * a,
      wind: 5 + 0.8 * a + 0.6 * e,
      orders,
      amount: orders === 0 ? 0 : 20 * orders + 10 * coin(),
      region: ['north', 'south end', 'west'][Math.floor(3 * coin())]!,
      day: new Date(Date.UTC(2024, 0, 1 + Math.floor(365 * coin()))),
      open: coin() < 0.4,
    };
  });
  const column = (name: keyof (typeof rows)[0]) => rows.map((row) => row[name]);
  const table = Table.fromColumns({
    id: rows.map((_, i) => `A-${1000 + i}`),
    ...Object.fromEntries(
      (Object.keys(rows[0]!) as (keyof (typeof rows)[0])[]).map((name) => [name, column(name)]),
    ),
    double: rows.map(({ score }) => 2 * score),
    holes: rows.map(({ wind }, i) => (i % 7 === 0 ? null : wind + coin())),
  });
  joint = await fitJoint(table, { copula: { kind: 'gaussian' } });
  plain = await fitJoint(table.select(['score', 'wind']), {
    copula: { kind: 'gaussian' },
    margins: { score: 'normal', wind: 'normal' },
  });
});

test('conjunctions of ranges, rare ones, too', async () => {
  const margin = (name: string) => plain.margins.margin(name);
  for (const [score, wind] of [
    [12, 6],
    [15, 7.5],
    [17.5, 8.8],
  ] as const) {
    const tails = [
      margin('score').survival(Float64Array.of(score))[0]!,
      margin('wind').survival(Float64Array.of(wind))[0]!,
    ];
    const copula = plain.copula as unknown as FamilyCopula;
    // radially symmetric
    const truth = (await copula.cdf([tails]))[0]!;
    const words = await plain.probability(`score > ${score} and wind > ${wind}`, few);
    const row = await plain.probability(
      (one) => Math.min(Number(one.score) - score, 2 * (Number(one.wind) - wind)),
      few,
    );
    for (const { probability, standardError } of [words, row]) {
      expect(Math.abs(probability - truth)).toBeLessThan(4 * standardError);
      expect(Math.abs(probability / truth - 1)).toBeLessThan(0.2);
    }
  }
});

test.each([
  ['score > 13 and region = west', (row) => Number(row.score) > 13 && row.region === 'west'],
  ['not (score <= 14 or open = false)', (row) => Number(row.score) > 14 && row.open === true],
  ['double > 27 and orders >= 2', (row) => Number(row.double) > 27 && Number(row.orders) >= 2],
  ['wind > score and amount > 30', (row) => Number(row.wind) > Number(row.score) && Number(row.amount) > 30],
  [
    'day >= 2024-12-15 and score < 7',
    (row) => row.day instanceof Date && row.day >= new Date('2024-12-15') && Number(row.score) < 7,
  ],
  ['amount = 0 and wind > 6', (row) => row.amount === 0 && Number(row.wind) > 6],
  ['orders in (3, 1) and holes > 8', (row) => row.orders !== 0 && row.orders !== 2 && Number(row.holes) > 8],
  ['region != north and orders = 3', (row) => row.region !== 'north' && row.orders === 3],
] as [string, (row: EventRow) => boolean][])(
  '%s, in words and as a function that says yes or no',
  async (where, holds) => {
    const words = await joint.probability(where, { particles: 4000, moves: 4 });
    const counted = await joint.probability(holds, { particles: 1000, draws: 20_000 });
    expect(counted.method).toBe('monte-carlo');
    expect(Math.abs(words.probability - counted.probability)).toBeLessThan(
      4 * Math.hypot(words.standardError, counted.standardError),
    );
  },
);

describe('rows of a rare event', () => {
  test.each([
    ['score > 17 and wind > 7.5'],
    [(row: EventRow) => Math.min(Number(row.score) - 17, Number(row.wind) - 7.5)],
  ])('%s', async (event) => {
    const { table, acceptance, event: about } = await joint.sampleWhere(event, 300, { seed: 3, ...few });
    expect(about.drawn).toBe('subset-simulation');
    expect(acceptance).toBe(about.probability);
    expect(acceptance).toBeLessThan(1e-3);
    expect(table.names).toEqual(joint.schema.names);
    expect(Math.min(...table.column('score'))).toBeGreaterThanOrEqual(17);
    expect(Math.min(...table.column('wind'))).toBeGreaterThanOrEqual(7.5);
    // computed columns, rules and missing cells are as in any sample
    expect(table.column('double').every((x, i) => Math.abs(x - 2 * table.column('score')[i]!) < 1e-9)).toBe(
      true,
    );
    expect(table.column('amount').every((x, i) => (x === 0) === (table.column('orders')[i] === 0))).toBe(
      true,
    );
    const holes = table.column('holes').filter(Number.isNaN).length;
    expect(holes).toBeGreaterThan(15);
    expect(holes).toBeLessThan(90);
    expect(new Set(table.column('wind')).size).toBeGreaterThan(250);
    const again = await joint.sampleWhere(event, 300, { seed: 3, ...few, threads: 1 });
    expect(again.table.columns).toEqual(table.columns);
  });

  test('ranges of sampleConditional', async () => {
    const { table, method, logMarginalDensity, standardError, blockAcceptance, effectiveSampleSize } =
      await plain.sampleConditional({ score: { above: 17.2 }, wind: { above: 8.2 } }, 200, few);
    expect(method).toBe('subset-simulation');
    expect(standardError).toBe(0); // of a Gaussian copula it is known
    expect(Math.abs(Math.log(blockAcceptance!) - logMarginalDensity!)).toBeLessThan(0.3);
    expect(effectiveSampleSize).toBeGreaterThan(30);
    expect(Math.min(...table.column('score'))).toBeGreaterThan(17.2);
    expect(Math.min(...table.column('wind'))).toBeGreaterThan(8.2);
  });
});

test('given a single value', async () => {
  const { acceptance } = await joint.sampleWhere('wind = 6 and score > 13', 400);
  const { probability, standardError, evaluations, method } = await joint.probability(
    'wind = 6 and score > 13',
    { draws: 10_000 },
  );
  expect({ evaluations, method }).toEqual({ evaluations: 10_000, method: 'monte-carlo' });
  expect(Math.abs(probability - acceptance)).toBeLessThan(4 * standardError + 0.04);
});

test('other kinds: the same event by draws', async () => {
  const rows = Table.fromMatrix(await new FamilyCopula('clayton', { theta: 2 }).sample(600));
  const other = await fitJoint(rows, { copula: { kind: 'flow', hidden: 16, depth: 1, steps: 30 } });
  const event = (row: EventRow) => 0.05 - Number(row.column1) - Number(row.column2);
  const table = await other.sample(50_000, { seed: 5 });
  const [a, b] = [table.column('column1'), table.column('column2')];
  const share = a.reduce((hits, x, i) => hits + Number(x + b[i]! <= 0.05), 0) / 50_000;
  const { probability, standardError } = await other.probability(event, { particles: 3000, moves: 4 });
  expect(Math.abs(probability - share)).toBeLessThan(
    4 * Math.hypot(standardError, Math.sqrt(share / 50_000)),
  );
});

test('what cannot be an event', async () => {
  const call = (event: unknown) => joint.probability(event as never, few);
  await expect(call(5)).rejects.toMatchObject({
    code: 'ERR_SKLAR_VALUE',
    message: expect.stringContaining('condition in words') as string,
  });
  await expect(call('scores > 3')).rejects.toThrow('got "scores > 3"');
  await expect(call((row: EventRow) => Number(row.scores) - 3)).rejects.toThrow(
    'expected a column of "id", "score"',
  );
  await expect(call((row: EventRow) => Number(row.region))).rejects.toThrow(
    /expected a number, true or false from the event, got NaN at the row \{ id: .*region: (north|west|south end)/,
  );
  await expect(call((row: EventRow) => (row.day as unknown as { week(): number }).week())).rejects.toThrow(
    'the event threw at the row {',
  );
  const never = await joint.probability('score > 1000', few);
  expect(never.probability).toBe(0);
  expect(never.interval[1]).toBeGreaterThan(0);
  await expect(joint.sampleWhere((row) => Number(row.score) - 1000, 3, few)).rejects.toThrow(
    'the event, which 0 of',
  );
});
