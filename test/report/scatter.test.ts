import { Table, pairPlot } from '../../lib';
import { sklarError } from '../data/support';

function wave(rows: number, shift = 0, names = ['a', 'b', 'c']): Table {
  const columns = names.map((_, j) =>
    Float64Array.from({ length: rows }, (_, i) => 10 * Math.sin((i + shift) * (j + 1) * 0.7)),
  );
  return new Table(names, columns);
}

const count = (text: string, pattern: RegExp) => (text.match(pattern) ?? []).length;
const points = (svg: string, colour: string) =>
  count(
    svg,
    new RegExp(`<path transform="translate\\([^"]*" d="M[^"]*A[^"]*" fill="${colour}" fill-opacity`, 'g'),
  );

test('draws every pair of columns of both tables', async () => {
  const svg = await pairPlot(wave(40), wave(40, 3), { title: 'Waves', labels: ['sea', 'model'] });
  expect(svg).toMatch(/^<svg [^]*<\/svg>$/);
  expect(points(svg, '#2b7fc4')).toBe(3 * 40);
  expect(points(svg, '#dd6f12')).toBe(3 * 40);
  for (const text of ['Waves', 'sea, 40 rows', 'model, 40 rows']) expect(svg).toContain(`>${text}</text>`);
  // Each name stands below a column and beside a row, in both grids, but for the first, which has no row.
  expect(count(svg, />a<\/text>/g)).toBe(2);
  expect(count(svg, />b<\/text>/g)).toBe(4);
  expect(svg).not.toMatch(/NaN|undefined|Infinity/);
});

test('the same number of rows of each, the same ones every time', async () => {
  const data = wave(300);
  const samples = wave(120, 3);
  const svg = await pairPlot(data, samples, { columns: ['c', 'a'], maxPoints: 50 });
  expect(points(svg, '#2b7fc4')).toBe(50);
  expect(points(svg, '#dd6f12')).toBe(50);
  expect(svg).toContain('50 of 300 rows');
  expect(await pairPlot(data, samples, { columns: ['c', 'a'], maxPoints: 50 })).toBe(svg);
  expect(points(await pairPlot(data, samples), '#2b7fc4')).toBe(3 * 120);
});

test('the first five columns of many', async () => {
  const names = Array.from({ length: 9 }, (_, j) => `x${j}`);
  const svg = await pairPlot(wave(10, 0, names), wave(10, 1, names));
  expect(points(svg, '#2b7fc4')).toBe(10 * 10);
  expect(svg).not.toContain('>x5<');
});

test('both grids have the same axes, wide enough for both tables', async () => {
  const data = new Table(['a', 'b'], [Float64Array.of(0, 1, 2), Float64Array.of(0, 1, 2)]);
  const samples = new Table(['b', 'a'], [Float64Array.of(50, 90, 100), Float64Array.of(1, 2, 3)]);
  const svg = await pairPlot(data, samples);
  expect(count(svg, />100<\/text>/g)).toBeGreaterThanOrEqual(2);
  expect(count(svg, />100<\/text>/g) % 2).toBe(0);
});

test('names that mean something to XML, to Vega or to JavaScript', async () => {
  const names = ['<a> & "b"', 'constructor', '__proto__', "it's\n\u0000\ud800", '{"signal": "width"}'];
  const svg = await pairPlot(wave(10, 0, names), wave(10, 1, names), { title: '</svg><script>' });
  expect(svg).toContain('&lt;a&gt; &amp; "b"');
  expect(svg).toContain('>constructor\u200b</text>');
  expect(svg).not.toContain('<script>');
  // eslint-disable-next-line no-control-regex
  expect(svg).not.toMatch(/[\u0000\ud800]/u);
  expect(svg).not.toContain('NaN');
});

test('integers, constants, tiny and huge numbers, and logarithmic axes', async () => {
  const columns = [
    Float64Array.of(1, 2, 3, 3),
    Float64Array.of(5, 5, 5, 5),
    Float64Array.of(1e-12, 2e-12, 3e-12, 4e-12),
    Float64Array.of(1, 1e3, 2e9, 4e9),
    Float64Array.of(-1e300, 0, 1, 1e300),
  ];
  const table = new Table(['n', 'k', 'tiny', 'huge', 'wide'], columns, [
    'integer',
    'float',
    'float',
    'integer',
    'float',
  ]);
  const svg = await pairPlot(table, table, { logarithmic: ['tiny'] });
  expect(svg).not.toMatch(/NaN|undefined|Infinity/);
  expect(svg).toContain('>2B</text>');
});

test('what cannot be drawn', async () => {
  const data = wave(10);
  const bad = new Table(
    ['a', 'b', 'c'],
    [data.columns[0]!, data.columns[1]!, Float64Array.from({ length: 10 }, (_, i) => (i === 4 ? NaN : i))],
  );
  const cases: [() => Promise<string>, string[]][] = [
    [() => pairPlot(data, bad), ['"c"', 'NaN', 'row 5', '"samples"']],
    [() => pairPlot(bad, data, { labels: ['sea', 'x'] }), ['"c"', '"sea"']],
    [() => pairPlot(data, data, { columns: ['a'] }), ['2 to 8 columns', '"a"']],
    [() => pairPlot(data, data, { columns: ['a', 'z'] }), ['"z"']],
    [() => pairPlot(data, data.select(['a', 'b'])), ['"c"']],
    [() => pairPlot(data, data, { logarithmic: ['a'] }), ['above 0', '"a"', 'row 1']],
    [() => pairPlot(data, data, { columns: ['a', 'b'], logarithmic: ['c'] }), ['logarithmic', '"c"']],
    [() => pairPlot(data, data, { maxPoints: 0 }), ['maxPoints']],
  ];
  for (const [draw, culprits] of cases) {
    const { message } = await sklarError(draw, 'ERR_SKLAR_VALUE');
    for (const culprit of culprits) expect(message).toContain(culprit);
  }
  await sklarError(() => pairPlot(data, data.take([])), 'ERR_SKLAR_SHAPE');
});
