import { Margins, type MarginsSpec, Table, fromRows } from '../../lib';
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
  const margins = Margins.fit(table, { seed: 3 });
  const column = (data: Float64Array, j: number): Float64Array =>
    Float64Array.from({ length: data.length / 4 }, (_, i) => data[4 * i + j]!);

  test('each column gets its own', () => {
    expect(margins.names.map((name) => margins.margin(name).name)).toEqual([
      'empirical',
      'zero-inflated',
      'discrete',
      'empirical',
    ]);
    expect(margins.supports).toEqual([
      [-Infinity, Infinity],
      [0, Infinity],
      [0, 4],
      [0, Infinity],
    ]);
    expect([margins.rows, margins.ties, margins.kinds]).toEqual([1500, 'random', table.kinds]);
  });

  test('levels are uniform, also in the jumps, and come back as the values', () => {
    const fresh = weather(1500, 2);
    const u = margins.transform(fresh);
    for (let j = 0; j < 4; j++) expect(uniformDistance(column(u.data, j))).toBeLessThan(0.07);
    const back = margins.inverse(margins.transform(table));
    expect(back.kinds).toEqual(table.kinds);
    expect(back.names).toEqual(table.names);
    table.columns.forEach((values, j) => {
      values.forEach((value, i) => expect(back.columns[j]![i]).toBeCloseTo(value, 9));
    });
  });

  test('random levels depend on the seed and the row alone', () => {
    const u = margins.transform(table);
    expect(margins.transform(table)).toEqual(u);
    expect(margins.transform(table.take([0, 1, 2])).data).toEqual(u.data.slice(0, 12));
    const other = margins.transform(table, { seed: 4 });
    expect(column(other.data, 0)).toEqual(column(u.data, 0));
    expect(column(other.data, 2)).not.toEqual(column(u.data, 2));
    const middle = column(margins.transform(table, { ties: 'average' }).data, 2);
    expect(new Set(middle).size).toBe(5);
  });

  test('values outside a support stay inside the cube', () => {
    const far = new Table(
      table.names,
      [[1e300], [-1], [9], [-5]].map((value) => Float64Array.from(value)),
    );
    const { data } = margins.transform(far);
    expect(data).toEqual(Float64Array.of(1 - 2 ** -53, 0.5 / 1501, 1500.5 / 1501, 0.5 / 1501));
    expect(margins.logPdf(far)[0]).toBe(-Infinity);
  });

  test('log densities add up', () => {
    const few = table.take([5, 6]);
    const parts = table.names.map((name) => margins.margin(name).logPdf(few.column(name)));
    margins.logPdf(few).forEach((sum, i) => {
      expect(sum).toBeCloseTo(
        parts.reduce((total, part) => total + part[i]!, 0),
        12,
      );
    });
  });

  test('integers stay integers, beyond the data too', () => {
    const ends = margins.inverse(
      fromRows([
        [0.5, 0, 0, 1e-12],
        [0.5, 0.99, 1, 1 - 1e-12],
      ]),
    );
    expect(ends.columns[3]!.every(Number.isSafeInteger)).toBe(true);
    expect([...ends.columns[2]!]).toEqual([0, 4]);
  });

  test('tensors keep everything', () => {
    const { meta, tensors } = margins.toTensors();
    const again = Margins.fromTensors(JSON.parse(JSON.stringify(meta)), tensors);
    expect(again.transform(table)).toEqual(margins.transform(table));
    expect(again.logPdf(table)).toEqual(margins.logPdf(table));
    expect(again.toTensors()).toEqual({ meta, tensors });
    const damaged: [unknown, Record<string, Float64Array>][] = [
      [{ ...meta, rows: 1 }, tensors],
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

test('margins by column', () => {
  const table = weather(300);
  const margins = Margins.fit(table, {
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
  expect(Margins.fit(table, { margins: 'empirical' }).margin('stations').name).toBe('empirical');
  const wrong: [MarginsSpec, string][] = [
    [{ wind: 'kde' }, '"wind"'],
    [{ rain: 'gauss' as 'kde' }, '"rain"'],
    ['gauss' as 'kde', '"temperature"'],
    [{ rain: { type: 'discrete', bandwidth: 1 } }, '"rain"'],
  ];
  for (const [spec, culprit] of wrong) {
    expect(() => Margins.fit(table, { margins: spec })).toThrow(
      expect.objectContaining({ code: 'ERR_SKLAR_VALUE', message: expect.stringContaining(culprit) }),
    );
  }
  expect(() => margins.transform(table.exclude(['rain']))).toThrow('rain');
  expect(() => margins.margin('wind')).toThrow('"wind"');
  expect(() => margins.inverse(fromRows([[0.5, 0.5]]))).toThrow('4 columns');
  expect(() => margins.inverse(fromRows([[0.5, 0.5, 2, 0.5]]))).toThrow('"stations"');
});
