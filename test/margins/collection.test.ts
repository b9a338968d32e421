import { Margins, type MarginsSpec, Table, fitMargin, fromRows } from '../../lib';
import { uniforms } from '../helpers/data';
import { uniformDistance } from './support';

function weather(rows: number, seed = 1): Table {
  const next = uniforms(seed);
  const column = (f: () => number): Float64Array => Float64Array.from({ length: rows }, f);
  return new Table(
    ['temperature', 'rain', 'stations', 'count'],
    [
      column(() => 30 * (next() + next() - 1)),
      column(() => (next() < 0.5 ? 0 : -Math.log(next()))),
      column(() => Math.floor(5 * next())),
      column(() => Math.floor(1e6 * next() ** 2)),
    ],
    ['float', 'float', 'integer', 'integer'],
  );
}

describe('margins of a table', () => {
  const table = weather(1500);
  let margins: Margins;
  beforeAll(async () => {
    margins = await Margins.fit(table, { seed: 3 });
  });
  const column = (data: Float64Array, j: number): Float64Array =>
    Float64Array.from({ length: data.length / 4 }, (_, i) => data[4 * i + j]!);

  test('each column gets its own', () => {
    expect(margins.names.map((name) => margins.margin(name).name)).toEqual([
      'kde',
      'zero-inflated',
      'discrete',
      'kde',
    ]);
    expect(margins.supports).toEqual([
      [-Infinity, Infinity],
      [0, Infinity],
      [0, 4],
      [0, 1e6],
    ]);
    expect([margins.rows, margins.ties, margins.kinds]).toEqual([1500, 'random', table.kinds]);
  });

  test('levels are uniform, also in the jumps, and come back as the values', async () => {
    const fresh = weather(1500, 2);
    const u = await margins.transform(fresh);
    for (let j = 0; j < 4; j++) expect(uniformDistance(column(u.data, j))).toBeLessThan(0.07);
    const back = await margins.inverse(await margins.transform(table));
    expect(back.kinds).toEqual(table.kinds);
    expect(back.names).toEqual(table.names);
    table.columns.forEach((values, j) => {
      values.forEach((value, i) => expect(back.columns[j]![i]).toBeCloseTo(value, 9));
    });
  });

  test('columns of quantiles are the quantiles of each margin, in tails, gaps and at the ends', async () => {
    const next = uniforms(5);
    const normal = (): number => Math.sqrt(-2 * Math.log(next())) * Math.cos(2 * Math.PI * next());
    const of = (draw: () => number): Float64Array => Float64Array.from({ length: 1000 }, draw);
    const others = Table.fromColumns({
      heavy: of(() => Math.tan(Math.PI * (next() - 0.5))),
      hills: of(() => (next() < 0.5 ? -50 : 50) + normal()),
      // a grid too coarse, and one too far out, for sinh by its addition theorem
      decades: of(() => Math.exp(100 * normal())),
      least: of(() => 1e-300 * Math.exp(3 * normal())),
      hail: of(() => (next() < 0.9 ? [0, 5][Math.round(next())]! : 10 * next())),
    });
    const spec = { hail: 'zero-inflated', decades: 'kde', least: 'kde' } as const;
    const p = [1e-300, 1e-16, 1e-9, 1e-3].flatMap((q) => [q, 1 - q]);
    const levels = Float64Array.from([0, 1, ...p, ...Array.from({ length: 700 }, next)]);
    for (const all of [margins, await Margins.fit(others, { margins: spec })]) {
      const width = all.names.length;
      const data = Float64Array.from(
        { length: width * levels.length },
        (_, i) => levels[Math.floor(i / width)]!,
      );
      const values = await all.inverse({ data, rows: levels.length, columns: width });
      all.names.forEach((name, j) => {
        const single = all.margin(name).quantile(levels);
        const right = all.kinds[j] === 'integer' ? single.map((x) => Math.floor(x + 0.5)) : single;
        expect([name, values.columns[j]]).toEqual([name, right]);
      });
    }
  });

  test('random levels depend on the seed and the row alone', async () => {
    const u = await margins.transform(table);
    expect(await margins.transform(table)).toEqual(u);
    expect((await margins.transform(table.take([0, 1, 2]))).data).toEqual(u.data.slice(0, 12));
    const other = await margins.transform(table, { seed: 4 });
    expect(column(other.data, 0)).toEqual(column(u.data, 0));
    expect(column(other.data, 2)).not.toEqual(column(u.data, 2));
    const middle = column((await margins.transform(table, { ties: 'average' })).data, 2);
    expect(new Set(middle).size).toBe(5);
  });

  test('values outside a support stay inside the cube', async () => {
    const far = new Table(
      table.names,
      [[1e300], [-1], [9], [-5]].map((value) => Float64Array.from(value)),
    );
    const { data } = await margins.transform(far);
    expect(data).toEqual(Float64Array.of(1 - 2 ** -53, 0.5 / 1501, 1500.5 / 1501, 0.5 / 1501));
    expect((await margins.logPdf(far))[0]).toBe(-Infinity);
  });

  test('log densities add up', async () => {
    const few = table.take([5, 6]);
    const parts = table.names.map((name) => margins.margin(name).logPdf(few.column(name)));
    (await margins.logPdf(few)).forEach((sum, i) => {
      expect(sum).toBeCloseTo(
        parts.reduce((total, part) => total + part[i]!, 0),
        12,
      );
    });
  });

  test('integers stay integers, beyond the data too', async () => {
    const ends = await margins.inverse(
      fromRows([
        [0.5, 0, 0, 1e-12],
        [0.5, 0.99, 1, 1 - 1e-12],
      ]),
    );
    expect(ends.columns[3]!.every(Number.isSafeInteger)).toBe(true);
    expect([...ends.columns[2]!]).toEqual([0, 4]);
  });

  test('tensors keep everything', async () => {
    const { meta, tensors } = margins.toTensors();
    const again = Margins.fromTensors(JSON.parse(JSON.stringify(meta)), tensors);
    expect(await again.transform(table)).toEqual(await margins.transform(table));
    expect(await again.logPdf(table)).toEqual(await margins.logPdf(table));
    expect(again.toTensors()).toEqual({ meta, tensors });
    const damaged: [unknown, Record<string, Float64Array>][] = [
      [{ ...meta, rows: 0 }, tensors],
      [{ ...meta, seed: '99999999999999999999' }, tensors],
      [meta, {}],
      [{ ...meta, columns: [{ name: 'a', kind: 'float', margin: {} }] }, tensors],
    ];
    for (const [document, data] of damaged) {
      expect(() => Margins.fromTensors(document, data)).toThrow(
        expect.objectContaining({ code: 'ERR_SKLAR_FORMAT' }),
      );
    }
  });
});

test('margins by column', async () => {
  const table = weather(300);
  const margins = await Margins.fit(table, {
    margins: { temperature: { type: 'kde', bandwidth: 0.3 }, count: 'discrete' },
    ties: 'average',
  });
  expect(margins.names.map((name) => margins.margin(name).name)).toEqual([
    'kde',
    'zero-inflated',
    'discrete',
    'discrete',
  ]);
  expect(margins.margin(0).parameters).toMatchObject({ bandwidth: 0.3 });
  expect((await Margins.fit(table, { margins: 'empirical' })).margin('stations').name).toBe('discrete');
  const wrong: [MarginsSpec, string][] = [
    [{ wind: 'kde' }, '"wind"'],
    [{ rain: 'gauss' as 'kde' }, '"rain"'],
    ['gauss' as 'kde', '"temperature"'],
    [{ rain: { type: 'discrete', bandwidth: 1 } }, '"rain"'],
  ];
  for (const [spec, culprit] of wrong) {
    await expect(Margins.fit(table, { margins: spec })).rejects.toMatchObject({
      code: 'ERR_SKLAR_VALUE',
      message: expect.stringContaining(culprit),
    });
  }
  await expect(margins.transform(table.exclude(['rain']))).rejects.toThrow('rain');
  expect(() => margins.margin('wind')).toThrow('"wind"');
  await expect(margins.inverse(fromRows([[0.5, 0.5]]))).rejects.toThrow('4 columns');
  await expect(margins.inverse(fromRows([[0.5, 0.5, 2, 0.5]]))).rejects.toThrow('"stations"');
});

const bits = (values: Float64Array): Buffer =>
  Buffer.from(values.buffer, values.byteOffset, values.byteLength);

test('many rows: any number of threads gives the same, work is reported and can be stopped', async () => {
  const rows = 530_000; // more than one block of rows
  const next = uniforms(5);
  const x = Float64Array.from({ length: rows }, () => next());
  const table = Table.fromColumns({
    x,
    rain: x.map((value) => Math.max(0, value - 0.5)),
    tenths: x.map((value) => Math.floor(10 * value)),
    sum: x.map((value, i) => value + x[(i + 1) % rows]!),
  });
  const fractions: number[] = [];
  const run = { onProgress: (fraction: number) => fractions.push(fraction) };
  const one = await Margins.fit(table, { ...run, threads: 1 });
  const two = await Margins.fit(table, { threads: 3 });
  expect(fractions).toEqual([...fractions].sort((a, b) => a - b));
  expect(fractions.at(-1)).toBeCloseTo(1, 12);
  const [tensors, again] = [one.toTensors().tensors, two.toTensors().tensors];
  for (const [name, data] of Object.entries(tensors))
    expect(bits(again[name]!).equals(bits(data))).toBe(true);

  fractions.length = 0;
  const u = await one.transform(table, { ...run, threads: 1 });
  expect(fractions).toHaveLength(2);
  expect(bits((await two.transform(table, { threads: 3 })).data).equals(bits(u.data))).toBe(true);
  const last = table.take([rows - 1]);
  expect((await one.transform(last)).data[0]).toBe(u.data[4 * (rows - 1)]);
  const back = await one.inverse(u, { threads: 3 });
  expect(bits(back.column('tenths')).equals(bits(table.column('tenths')))).toBe(true);
  expect((await one.logPdf(table))[rows - 1]).toBe((await one.logPdf(last))[0]);

  for (const work of [
    (signal: AbortSignal) => Margins.fit(table, { signal }),
    (signal: AbortSignal) => one.transform(table, { signal }),
    (signal: AbortSignal) => one.inverse(u, { signal }),
    (signal: AbortSignal) => one.logPdf(table, { signal }),
  ]) {
    const controller = new AbortController();
    setImmediate(() => controller.abort(new Error('enough')));
    await expect(work(controller.signal)).rejects.toThrow('enough');
  }
});

test('a search for the greatest likelihood leaves the event loop free and can be stopped', async () => {
  const table = weather(3000).select(['temperature']);
  let turns = 0;
  const count = (): void => {
    turns++;
    next = setImmediate(count);
  };
  let next = setImmediate(count);
  const margins = await Margins.fit(table, { margins: 'parametric' });
  clearImmediate(next);
  expect(turns).toBeGreaterThan(100);
  expect(margins.margin(0).toJSON()).toEqual(fitMargin(table.columns[0]!, 'parametric').toJSON());
  const controller = new AbortController();
  setTimeout(() => controller.abort(new Error('enough')), 5);
  const work = Margins.fit(table, { margins: 'parametric', signal: controller.signal });
  await expect(work).rejects.toThrow('enough');
});

test('the first of January 1970 is no end of dates', async () => {
  const days = Array.from({ length: 60 }, (_, i) => new Date(Date.UTC(1970, 0, 5 + 11 * i)));
  const margins = await Margins.fit(Table.fromColumns({ day: days, other: days.map((_, i) => i ** 2) }));
  expect(margins.margin('day').support).toEqual([-Infinity, Infinity]);
  const ofDays = margins.notes.filter(({ columns }) => columns.includes('day'));
  expect(ofDays.map(({ code }) => code)).not.toContain('support');
});
