/** Where cells stand: heavy tails, dates, labels; and pairs of them. */
import { Table } from '../../lib';
import { bandsOf, describeAxis, lineOf, placeOf, ticksOf } from '../../lib/report/charts/axis';
import { drawPair } from '../../lib/report/charts/scatter';
import { Generator } from '../../lib/data/random';

const generator = new Generator(8);
const uniform = () => (generator.next() + 0.5) / 2 ** 32;
const normal = () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
const number = { type: 'number' } as const;
const line = (values: Float64Array, logarithmic = false) => lineOf(values.toSorted(), number, logarithmic);

test('heavy tails bend the axis, so that the middle half of the rows is seen; light ones do not', () => {
  const laws: [string, () => number, boolean][] = [
    ['normal', normal, false],
    ['exponential', () => -Math.log(uniform()), false],
    ['log-normal', () => Math.exp(0.5 * normal()), false],
    ['Student, 2 degrees of freedom', () => normal() / Math.sqrt(-Math.log(uniform())), true],
    ['Pareto', () => 1000 * uniform() ** -0.9, true],
    ['far from 0', () => 1e6 + normal() / uniform(), true],
  ];
  for (const [name, draw, bent] of laws) {
    const values = Float64Array.from({ length: 5000 }, draw);
    const axis = line(values);
    expect([name, axis.scale]).toEqual([name, bent ? 'asinh' : 'linear']);
    const { at, back } = placeOf(axis);
    const sorted = values.toSorted();
    const [low, high] = [at(sorted[0]!), at(sorted.at(-1)!)];
    expect((at(sorted[3750]!) - at(sorted[1250]!)) / (high - low)).toBeGreaterThan(0.05);
    for (const x of [sorted[0]!, sorted[2000]!, sorted.at(-1)!]) {
      expect(Math.abs(back(at(x)) - x)).toBeLessThan(1e-9 * (1 + Math.abs(x)));
    }
    const ticks = ticksOf(axis, [low, high], 5);
    expect(ticks.length).toBeGreaterThan(1);
    expect(ticks.length).toBeLessThan(12);
    const places = ticks.map((tick) => tick.at);
    expect(places).toEqual(places.toSorted((a, b) => a - b));
    for (const place of places) expect(place >= low && place <= high).toBe(true);
  }
});

test('ticks of numbers, dates and times', () => {
  const labels = (holds: 'number' | 'date' | 'time' | 'timestamp', low: number, high: number) =>
    ticksOf({ scale: 'linear', centre: 0, unit: 1, holds }, [low, high], 5).map(({ label }) => label);
  expect(labels('number', -0.02, 1.01)).toEqual(['0', '0.2', '0.4', '0.6', '0.8', '1']);
  expect(labels('number', -30_000, 25_000)).toEqual([
    '\u221230k',
    '\u221220k',
    '\u221210k',
    '0',
    '10k',
    '20k',
  ]);
  expect(labels('number', 1995, 2005)).toEqual(['1996', '1998', '2000', '2002', '2004']);
  const day = (text: string) => Date.parse(text) / 86_400_000;
  expect(labels('date', day('2020-02-03'), day('2023-05-06'))).toEqual(['2021', '2022', '2023']);
  expect(labels('date', day('2020-02-03'), day('2020-09-06'))).toEqual(['2020-04', '2020-07']);
  expect(labels('date', day('2020-02-03'), day('2020-02-06'))).toEqual([
    '2020-02-03',
    '2020-02-04',
    '2020-02-05',
    '2020-02-06',
  ]);
  expect(labels('time', 0, 86_399)).toEqual(['00:00', '06:00', '12:00', '18:00']);
  expect(labels('timestamp', 1e9, 1e9 + 7200)).toEqual([
    '09-09 02:00',
    '09-09 02:30',
    '09-09 03:00',
    '09-09 03:30',
  ]);
  expect(labels('date', -1e15, 1e15)).toEqual([]);
});

test('labels are the data\u2019s own, rare ones and the greatest counts are one', () => {
  const type = { type: 'category', labels: [...'abcdefghij'] } as const;
  const cells = Float64Array.from([...'aaaabbbbbcccdddefghij'], (letter) =>
    'abcdefghij'.indexOf(letter),
  ).sort();
  expect(bandsOf(type, cells, 20)!.labels).toEqual([...'abcdefghij']);
  const few = bandsOf(type, cells, 5)!;
  expect(few.labels).toEqual(['a', 'b', 'c', 'd', '6 others']);
  expect([1, 7, NaN].map(few.bandOf)).toEqual([1, 4, NaN]);
  const counts = Float64Array.from({ length: 200 }, (_, i) => (i < 198 ? i % 4 : i)).sort();
  expect(bandsOf({ type: 'integer' }, counts, 5)!.labels).toEqual(['0', '1', '2', '3', '198 or more']);
  expect(
    bandsOf(
      { type: 'integer' },
      Float64Array.from({ length: 200 }, (_, i) => i % 9),
      5,
    ),
  ).toBeNull();
  expect(
    bandsOf(
      number,
      Float64Array.from({ length: 200 }, (_, i) => i / 7),
      12,
    ),
  ).toBeNull();
});

test('a pair: points of two lines, boxes of labels and numbers, cells of two columns of labels', async () => {
  const rows = 60;
  const table = Table.fromColumns({
    x: Array.from({ length: rows }, (_, i) => (i === 3 ? null : i * 1.37)),
    y: Array.from({ length: rows }, (_, i) => Math.sin(i)),
    colour: Array.from({ length: rows }, (_, i) => ['red', 'green'][i % 2]!),
    size: Array.from({ length: rows }, (_, i) => ['small', '<b>large', 'toString'][i % 3]!),
  });
  const draw = (a: string, b: string) => drawPair([table, table], [a, b], new Set(), 'data', 1000);
  const count = (svg: string, pattern: RegExp) => (svg.match(pattern) ?? []).length;
  const points = await draw('x', 'y');
  expect(points).toContain('data, 59 rows');
  expect(count(points, /<path transform="translate\([^"]*" d="M[^"]*A[^"]*" fill="#2b7fc4"/g)).toBe(59);
  for (const [a, b] of [
    ['x', 'colour'],
    ['colour', 'x'],
  ] as const) {
    const boxes = await draw(a, b);
    expect(count(boxes, /fill="#2b7fc4" fill-opacity="0.45"/g)).toBe(2);
    for (const label of ['red', 'green']) expect(boxes).toContain(`>${label}</text>`);
  }
  const cells = await draw('colour', 'size');
  expect(cells).toContain('>&lt;b&gt;large</text>');
  expect(cells).toContain('>toString\u200b</text>');
  // six combinations, equally frequent: a third each within a colour
  expect(count(cells, />33 %<\/text>/g)).toBe(6);
  for (const svg of [points, cells]) expect(svg).not.toMatch(/NaN|undefined|<b>/);
});

test('what cannot be drawn', () => {
  const holes = new Table(['a'], [Float64Array.of(1, NaN, 3)]);
  const options = { logarithmic: false, missing: false, bands: 8, ticks: 5 };
  expect(() => describeAxis('a', [holes, holes], ['data', 'samples'], options)).toThrow(
    'NaN (column "a", row 2',
  );
  expect(
    describeAxis('a', [holes, holes], ['data', 'samples'], { ...options, missing: true }).at(NaN),
  ).toBeNaN();
});

test('a line that is longer than a double holds has places and ticks', () => {
  const most = Number.MAX_VALUE;
  for (const values of [
    [-most, -0.5 * most, 0, 0.5 * most, most],
    [-most, -1, 0, 1, most],
  ]) {
    const tables = [Table.fromColumns({ x: values }), Table.fromColumns({ x: values })] as const;
    const options = { logarithmic: false, missing: false, bands: 2, ticks: 5 };
    const { at, domain, edges, line: of, ticks } = describeAxis('x', tables, ['data', 'samples'], options);
    const places = [...values.map(at), ...domain, ...edges, ...ticks.map((tick) => tick.at)];
    expect(places.every(Number.isFinite)).toBe(true);
    expect(edges.every((edge, k) => k === 0 || edge > edges[k - 1]!)).toBe(true);
    expect(edges.map(placeOf(of!).back).every(Number.isFinite)).toBe(true);
    expect(ticks.length).toBeGreaterThan(1);
    expect(ticks.map(({ label }) => label).join()).not.toMatch(/NaN|Inf/);
  }
});
