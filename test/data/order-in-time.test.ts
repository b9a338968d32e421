import { Generator, autoregression, normalNumbers } from './series';
import {
  type Note,
  type SplitMethod,
  Table,
  fitCopula,
  meanOf,
  serialDependence,
  splitRows,
  toReturns,
} from '../../lib';
import { serialNote } from '../../lib/data/serial-dependence';
import { timeOrder } from '../../lib/data/split';
import { sklarError } from './support';

type Mean = ReturnType<typeof meanOf>;

describe('splits in time', () => {
  test('the last rows, whatever the seed', () => {
    const { train, holdout } = splitRows(10, 0.3, 1, 'time');
    expect([...train]).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect([...holdout]).toEqual([7, 8, 9]);
    expect(splitRows(10, 0.3, 2, 'time')).toEqual({ train, holdout });
  });

  test('whole stretches, of all rows once', () => {
    for (const rows of [1, 2, 7, 50, 51, 999, 1000]) {
      const { train, holdout } = splitRows(rows, 0.2, 3, 'blocks');
      expect([...train, ...holdout].sort((a, b) => a - b)).toEqual(Array.from({ length: rows }, (_, i) => i));
      expect([...train]).toEqual([...train].sort((a, b) => a - b));
    }
    const { holdout } = splitRows(1000, 0.2, 3, 'blocks');
    expect(holdout).toHaveLength(200);
    const inner = [...holdout].filter((row) => holdout.includes(row + 1) || holdout.includes(row - 1));
    expect(inner).toHaveLength(200);
    expect([...holdout].filter((row) => !holdout.includes(row + 1)).length).toBeLessThanOrEqual(10);
    expect(splitRows(1000, 0.2, 4, 'blocks').holdout).not.toEqual(holdout);
    expect(splitRows(1000, 0, 4, 'blocks').holdout).toHaveLength(0);
  });

  test('rows that are not in the order of their dates are put in it', () => {
    const notes: Note[] = [];
    const table = Table.fromColumns({
      day: ['2024-01-03', null, '2024-01-01', '2024-01-02'],
      x: [3, 0, 1, 2],
    });
    const order = timeOrder(table, (note) => notes.push(note))!;
    expect([...order]).toEqual([1, 2, 3, 0]);
    expect(notes).toEqual([expect.objectContaining({ code: 'order', columns: ['day'] })]);
    expect([...splitRows(4, 0.25, 1, 'time', order).holdout]).toEqual([0]);
    expect(timeOrder(table.take(order), () => fail('nothing to say'))).toBeNull();
    expect(timeOrder(table.select(['x']), (note) => notes.push(note))).toBeNull();
    expect(notes.at(-1)!.message).toContain('no column of dates says so');
  });

  test('bad ones are refused', () =>
    sklarError(() => splitRows(10, 0.2, 1, 'last' as never), 'ERR_SKLAR_VALUE'));
});

test('a network stops training by the last rows, which it does not learn from', async () => {
  const generator = new Generator(9);
  const rows = Array.from({ length: 200 }, () =>
    [generator.next(), generator.next()].map((k) => (k + 0.5) / 2 ** 32),
  );
  const others = rows.map((row, i) => (i < 180 ? row : [row[1]! / 2, row[0]!]));
  const fit = async (u: number[][], split?: SplitMethod) => {
    const options = {
      kind: 'cdc',
      guided: false,
      hidden: 8,
      depth: 1,
      steps: 4,
      validateEvery: 4,
      batch: 64,
    } as const;
    const copula = await fitCopula(u, { ...options, validation: 0.1, ...(split && { split }) });
    return (
      await copula.logPdf([
        [0.3, 0.4],
        [0.9, 0.8],
      ])
    ).toString();
  };
  expect(await fit(others, 'time')).toBe(await fit(rows, 'time'));
  expect(await fit(others)).not.toBe(await fit(rows));
  expect(await fit(rows, 'random')).toBe(await fit(rows));
  await sklarError(() => fit(rows, 'last' as never), 'ERR_SKLAR_VALUE');
});

describe('standard errors by blocks', () => {
  /** Of the mean of n values of an autoregression of order 1 with innovations of variance 1. */
  const exact = (phi: number, n: number) => {
    let sum = n;
    for (let k = 1; k < n; k++) sum += 2 * (n - k) * phi ** k;
    return Math.sqrt(sum / (1 - phi * phi)) / n;
  };

  test.each([
    [0, 0.1],
    [0.5, 0.15],
    [0.9, 0.3],
  ])('are those of an autoregression with coefficient %p', (phi, tolerance) => {
    const n = 4000;
    const generator = new Generator(1, Math.round(10 * phi));
    const errors = Array.from({ length: 40 }, () =>
      meanOf(autoregression(generator, n, phi), undefined, 'blocks'),
    );
    const mean = errors.reduce((sum, { standardError }) => sum + standardError!, 0) / errors.length;
    expect(Math.abs(mean / exact(phi, n) - 1)).toBeLessThan(tolerance);
    expect(errors[0]!.blockRows).toBeGreaterThanOrEqual(Math.ceil(Math.cbrt(n)));
    if (phi > 0)
      expect(meanOf(autoregression(generator, n, phi)).standardError!).toBeLessThan(0.7 * exact(phi, n));
  });

  test('of rows as before; impossible ones are left out', () => {
    const values = Float64Array.of(1, -Infinity, 2, 4, 3, 5, 1, 2);
    const { blockRows, ...rest } = meanOf(values, undefined, 'blocks');
    expect(blockRows).toBe(1); // of seven rows
    expect(rest).toEqual(meanOf(values));
  });
});

describe('rows that are like those before them', () => {
  const n = 2000;
  const generator = new Generator(5);
  const tableOf = (columns: Record<string, Float64Array>) => Table.fromColumns(columns);
  const day = Array.from({ length: n }, (_, i) => new Date(Date.UTC(2000, 0, 1 + i)));

  test('independent rows are not, of any marginal law', () => {
    let alarms = 0;
    for (let k = 0; k < 100; k++) {
      const x = normalNumbers(generator, 500);
      if (
        serialDependence(
          tableOf({
            x,
            heavy: normalNumbers(generator, 500).map((v) => v ** 5),
            flag: normalNumbers(generator, 500).map((v) => +(v > 1)),
          }),
        )
      )
        alarms++;
    }
    expect(alarms).toBeLessThanOrEqual(1);
  });

  test('a series in time is, and a date says so', () => {
    const x = autoregression(generator, n, 0.8);
    const found = serialDependence(tableOf({ noise: normalNumbers(generator, n), x }))!;
    expect(found).toMatchObject({ column: 'x', lag: 1, of: 'values', sortedBy: null, inTime: false });
    expect(found.autocorrelation).toBeCloseTo(0.8, 1);
    expect(serialNote(found).message).toMatch(/^rows are like .* if their order is one in time/);
    const dated = serialDependence(Table.fromColumns({ day, x }))!;
    expect(dated).toMatchObject({ sortedBy: 'day', inTime: true });
    expect(serialNote(dated).message).toMatch(
      /^rows are in the order of "day".*flatters the model; with split: "time"/,
    );
  });

  test('so are series of which the sizes go on, and those with missing cells', () => {
    const logs = autoregression(generator, n, 0.95);
    const x = normalNumbers(generator, n).map((value, i) => value * Math.exp(0.5 * logs[i]!));
    expect(serialDependence(tableOf({ x }))).toMatchObject({ of: 'sizes' });
    const gaps = autoregression(generator, n, 0.8).map((value, i) => (i % 3 === 0 ? NaN : value));
    expect(serialDependence(tableOf({ gaps }))!.autocorrelation).toBeGreaterThan(0.6);
  });

  test('a sorted table is, in words that fit it', () => {
    const x = normalNumbers(generator, n).sort();
    const y = x.map((value) => value + (generator.next() / 2 ** 32 - 0.5));
    const found = serialDependence(tableOf({ y, x }))!;
    expect(found).toMatchObject({ sortedBy: 'x', inTime: false });
    expect(serialNote(found).message).toMatch(/^rows are sorted by "x", .*nothing is wrong with that unless/);
    const order = Uint32Array.from({ length: n }, (_, i) => (i * 7919) % n);
    expect(serialDependence(tableOf({ y, x }).take(order))?.sortedBy ?? null).toBeNull();
  });

  test('many rows do not make much of little', () => {
    expect(serialDependence(tableOf({ x: autoregression(generator, 40_000, 0.05) }))).toBeNull();
  });
});

describe('returns of prices', () => {
  const prices = Table.fromColumns({
    day: ['2024-01-03', '2024-01-02', '2024-01-04', '2024-01-05'],
    gold: [110, 100, 121, 60.5],
    tin: [20, 10, null, 40],
    spread: [-1, 2, 3, 4],
    mood: ['up', 'down', 'up', 'up'],
  });

  test('are put in order, and say what was done', () => {
    const notes: Note[] = [];
    const { table, returns } = toReturns(prices, { onNote: (note) => notes.push(note) });
    expect(table.names).toEqual(['gold', 'tin', 'spread', 'mood']);
    expect(returns).toEqual({ method: 'log', columns: ['gold', 'tin'], by: 'day' });
    [Math.log(1.1), Math.log(1.1), Math.log(0.5)].forEach((value, i) =>
      expect(table.column('gold')[i]).toBeCloseTo(value, 14),
    );
    expect([...table.column('tin')]).toEqual([Math.log(2), NaN, NaN]);
    expect([...table.column('spread')]).toEqual([-1, 3, 4]);
    expect(table.text('mood', 0)).toBe('up');
    expect(table.type('gold')).toEqual({ type: 'number' });
    expect(notes.map(({ message }) => message)).toEqual([
      'column "day": rows were sorted for returns, oldest "day" first'.replace('column "day": ', ''),
      'column "day": left out of the returns; "day" gave the order of the rows',
      'columns "spread" and "mood": no prices, which are numbers above 0; cells of the later row were kept',
      'columns "gold" and "tin": 2 returns are missing, where one of two prices is',
    ]);
  });

  test('simple ones, of columns that are named, without dates', () => {
    const notes: Note[] = [];
    const table = Table.fromColumns({ a: [1, 2, 3], b: [5, 5, 10] });
    const made = toReturns(table, { method: 'simple', columns: ['b'], onNote: (note) => notes.push(note) });
    expect([...made.table.column('b')]).toEqual([0, 1]);
    expect([...made.table.column('a')]).toEqual([2, 3]);
    expect(made.returns).toEqual({ method: 'simple', columns: ['b'], by: null });
    expect(notes[0]!.message).toContain('oldest first, since no column of dates says so');
  });

  test.each<[string, Record<string, (string | number | null)[]>, object, RegExp]>([
    [
      'a price of 0 that was asked for',
      { a: [1, 0, 2] },
      { columns: ['a'] },
      /above 0 in column "a", got 0 \(row 2\)/,
    ],
    ['texts', { a: ['x', 'y', 'x'] }, { columns: ['a'] }, /column "a", got cells of type category/],
    ['nothing positive', { a: [-1, 2, 3] }, {}, /a column of numbers above 0/],
    [
      'a date twice',
      { d: ['2024-01-01', '2024-01-01', '2024-01-02'], s: ['A', 'B', 'A'], p: [1, 2, 3] },
      {},
      /got "2024-01-01" twice: make a column of prices for each of "s" first/,
    ],
    ['a missing date', { d: ['2024-01-01', null, '2024-01-02'], p: [1, 2, 3] }, {}, /none in row 2/],
    ['a column that is not there', { p: [1, 2, 3] }, { columns: ['q'] }, /existing column, got "q"/],
  ])('refuses %s', async (_, columns, options, message) => {
    const error = await sklarError(() => toReturns(Table.fromColumns(columns), options), 'ERR_SKLAR_VALUE');
    expect(error.message).toMatch(message);
  });

  test('refuses a single row', () =>
    sklarError(() => toReturns(Table.fromColumns({ p: [1] })), 'ERR_SKLAR_SHAPE'));
});

test('means of weights of any size', () => {
  const values = Float64Array.of(1, 2, 3, 5);
  for (const errors of ['rows', 'blocks'] as const) {
    const plain = meanOf(values, undefined, errors, [1, 2, 2, 4]);
    for (const unit of [2 ** -1000, 2 ** 600, 2 ** 1000]) {
      const scaled = [1, 2, 2, 4].map((weight) => weight * unit);
      expect(meanOf(values, undefined, errors, scaled)).toEqual(plain);
    }
  }
  expect(meanOf(values, undefined, 'rows', [1e200, 1, 1e200, 1]).mean).toBe(2);
});

test('means of values of any size', () => {
  const values = autoregression(new Generator(3, 0), 60, 0.6);
  const weights = values.map((value) => 1 + value * value);
  for (const scale of [2 ** 500, 2 ** 1015]) {
    // small ones come first, so that the unit changes on the way
    const mixed = Float64Array.of(1, -1e200, ...values.map((value) => value * scale));
    const right = Float64Array.of(1 / scale, -1e200 / scale, ...values);
    const both = Float64Array.of(1, 2, ...weights);
    for (const errors of ['rows', 'blocks'] as const) {
      for (const given of [undefined, both]) {
        const [great, usual] = [mixed, right].map((of) => meanOf(of, undefined, errors, given)) as [
          Mean,
          Mean,
        ];
        expect(great.mean / scale).toBeCloseTo(usual.mean, 12);
        expect(great.standardError! / scale).toBeCloseTo(usual.standardError!, 12);
      }
    }
  }
});

test('returns of prices whose ratio is no number', async () => {
  const prices = Table.fromColumns({ gold: [1e-300, 1e300, 1e-300, 2e-300] });
  const returns = toReturns(prices, { method: 'log' }).table.column('gold');
  expect(returns[0]).toBeCloseTo(600 * Math.log(10), 9);
  expect(returns[1]).toBeCloseTo(-600 * Math.log(10), 9);
  const { message } = await sklarError(() => toReturns(prices, { method: 'simple' }), 'ERR_SKLAR_VALUE');
  expect(message).toContain('in column "gold", got 1e+300 / 1e-300 (row 2)');
});
