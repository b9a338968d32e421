/** The pictures say what the numbers say: positions and colours are read back from the SVG. */
import {
  type LossNumbers,
  type MarginNumbers,
  type TailNumbers,
  densityPlot,
  kendallHeatMap,
  lossPlot,
  matrix,
  quantilePlot,
  tailPlot,
} from '../../lib';
import { sklarError } from '../data/support';

const DATA = '#2b7fc4';
const MODEL = '#dd6f12';
const INK = '#7a7f87';

/** Vertices of the paths of a colour, in the order of the file. */
function pathsOf(svg: string, attribute: 'fill' | 'stroke', colour: string): [number, number][][] {
  const tags = [...svg.matchAll(/<path [^>]*>/g)].map(([tag]) => tag);
  return tags
    .filter((tag) => tag.includes(`${attribute}="${colour}"`) && !tag.includes('translate('))
    .map((tag) => {
      const d = / d="([^"]*)"/.exec(tag)![1]!;
      return [...d.matchAll(/[ML](-?[\d.e-]+),(-?[\d.e-]+)/g)].map(([, x, y]): [number, number] => [
        Number(x),
        Number(y),
      ]);
    });
}

/** Centres of the symbols of a colour. */
function symbolsOf(svg: string, colour: string): [number, number][] {
  const tags = [...svg.matchAll(/<path [^>]*>/g)].map(([tag]) => tag);
  return tags
    .filter((tag) => tag.includes(`fill="${colour}"`) && tag.includes('translate('))
    .map((tag) => /translate\((-?[\d.e-]+),(-?[\d.e-]+)\)/.exec(tag)!)
    .map(([, x, y]): [number, number] => [Number(x), Number(y)]);
}

const margin: MarginNumbers = {
  column: 'depth',
  type: 'kde',
  axis: { scale: 'linear', centre: 0, unit: 1, holds: 'number' },
  missing: { data: 0, model: 0 },
  bars: [],
  bins: [
    { from: 0, to: 1, data: 0.5, model: 0.4 },
    { from: 1, to: 2, data: 0.2, model: 0.4 },
    { from: 2, to: 3, data: 0.3, model: 0.2 },
  ],
  quantiles: [
    { level: 0.25, data: 0.5, model: 1, low: null, high: 2 },
    { level: 0.5, data: 1.5, model: 1.5, low: 1, high: 2.5 },
    { level: 0.75, data: 3, model: 2, low: 1.5, high: null },
  ],
};

describe('densityPlot', () => {
  test('bars as high as the shares of the data, a line as high as those of the model', async () => {
    const svg = await densityPlot(margin, { title: 'Depths' });
    expect(svg).toMatch(/^<svg role="img" aria-label="Histogram of depth, data beside sample" /);
    expect(svg).toContain('>Depths</text>');
    const bars = [...svg.matchAll(/<path [^>]*>/g)].filter(
      ([tag]) => tag.includes(`fill="${DATA}"`) && tag.includes('fill-opacity'),
    );
    expect(bars).toHaveLength(3);
    const tall = bars.map(([tag]) => Number(/v(-?[\d.]+)h/.exec(tag)![1]));
    expect(tall[1]! / tall[0]!).toBeCloseTo(0.2 / 0.5, 2);
    expect(tall[2]! / tall[0]!).toBeCloseTo(0.3 / 0.5, 2);
    const [line] = pathsOf(svg, 'stroke', MODEL);
    expect(line).toHaveLength(8);
    const base = line![0]![1];
    const ofModel = [1, 3, 5].map((k) => base - line![k]![1]);
    expect(ofModel[1]! / ofModel[0]!).toBeCloseTo(1, 6);
    expect(ofModel[2]! / ofModel[0]!).toBeCloseTo(0.5, 2);
    // both have one scale
    expect(ofModel[0]! / tall[0]!).toBeCloseTo(0.4 / 0.5, 2);
    expect(line![3]![0] - line![1]![0]).toBeCloseTo(line![5]![0] - line![3]![0], 1);
  });
});

describe('quantilePlot', () => {
  test('points right of and above one another as the quantiles are, on one scale each way', async () => {
    const svg = await quantilePlot(margin);
    const points = symbolsOf(svg, DATA).slice(-3);
    const [a, b, c] = points as [[number, number], [number, number], [number, number]];
    expect((c[0] - b[0]) / (b[0] - a[0])).toBeCloseTo((2 - 1.5) / (1.5 - 1), 2);
    expect((b[1] - c[1]) / (a[1] - b[1])).toBeCloseTo((3 - 1.5) / (1.5 - 0.5), 2);
    // the diagonal goes through the point where data and model are equal
    const [[from, to]] = pathsOf(svg, 'stroke', INK).filter((path) => path.length === 2) as [
      [[number, number], [number, number]],
    ];
    const share = (b[0] - from[0]) / (to[0] - from[0]);
    expect(from[1] + share * (to[1] - from[1])).toBeCloseTo(b[1], 1);
  });

  test('logarithmic axes, and a column of one value', async () => {
    const logarithmic = await quantilePlot({ ...margin, axis: { ...margin.axis, scale: 'logarithmic' } });
    const [a, b, c] = symbolsOf(logarithmic, DATA).slice(-3);
    expect((c![0] - b![0]) / (b![0] - a![0])).toBeCloseTo(Math.log(2 / 1.5) / Math.log(1.5), 1);
    const constant = margin.quantiles.map((one) => ({ ...one, data: 2, model: 2, low: 2, high: 2 }));
    expect(await quantilePlot({ ...margin, quantiles: constant })).not.toMatch(/NaN|undefined|Infinity/);
  });
});

describe('kendallHeatMap', () => {
  const tau = matrix(Float64Array.of(1, 0.5, -0.25, 0.5, 1, 0.001, -0.25, 0.001, 1), 3, 3, [
    'a',
    'b',
    '<c> & "d"',
  ]);
  const cellsOf = (svg: string) =>
    [...svg.matchAll(/<path [^>]*fill="(#2e9e5b|#9a5fc9)" fill-opacity="([\d.]+)"/g)].map(
      ([, fill, opacity]) => [fill, Number(opacity)] as const,
    );

  test('colour says the sign, opacity the size, numbers both', async () => {
    const svg = await kendallHeatMap(tau, { title: 'Of data' });
    const cells = cellsOf(svg).slice(0, 6);
    expect(cells.map(([fill]) => fill === '#2e9e5b')).toEqual([true, false, true, true, false, true]);
    expect(cells[0]![1] / cells[1]![1]).toBeCloseTo(2, 3);
    expect(cells[0]![1]).toBeCloseTo(0.36, 6);
    for (const text of ['0.50', '\u22120.25', '0.00', 'Of data']) expect(svg).toContain(`>${text}</text>`);
    expect(svg).not.toContain('>1.00<');
    expect(svg).toContain('&lt;c&gt; &amp; "d"');
    const half = cellsOf(await kendallHeatMap(tau, { limit: 0.5 })).slice(0, 6);
    expect(half[0]![1]).toBeCloseTo(0.72, 6);
  });

  test('many columns have no numbers, and what cannot be drawn', async () => {
    const svg = await kendallHeatMap(matrix(new Float64Array(400).fill(0.3), 20, 20));
    expect(svg).toContain('>column20</text>');
    expect(svg).not.toContain('>0.30</text>');
    await sklarError(() => kendallHeatMap(matrix(new Float64Array(6), 2, 3)), 'ERR_SKLAR_SHAPE');
    await sklarError(() => kendallHeatMap(tau, { limit: 0 }), 'ERR_SKLAR_VALUE');
  });
});

test('tailPlot: both tails of data and model, and independence', async () => {
  const point = (tail: 'lower' | 'upper', q: number, data: number, model: number) => ({
    tail,
    q,
    data,
    dataError: 0.05,
    model,
    modelError: 0.1,
  });
  const numbers: TailNumbers = {
    columns: ['a', 'b'],
    points: [
      point('lower', 0.1, 0.4, 0.2),
      point('lower', 0.5, 0.7, 0.6),
      point('upper', 0.5, 0.7, 0.6),
      point('upper', 0.9, 0.5, 0.1),
    ],
  };
  const svg = await tailPlot(numbers);
  const height = 190;
  const levels = (colour: string) =>
    pathsOf(svg, 'stroke', colour).map((line) => line.map(([, y]) => Number((1 - y / height).toFixed(3))));
  expect(levels(DATA)).toEqual([
    [0.4, 0.7],
    [0.7, 0.5],
  ]);
  expect(levels(MODEL)).toEqual([
    [0.2, 0.6],
    [0.6, 0.1],
  ]);
  expect(levels(INK).slice(0, 2)).toEqual([
    [0.1, 0.5],
    [0.5, 0.1],
  ]);
});

describe('lossPlot', () => {
  const losses: LossNumbers = {
    bestStep: 20,
    points: [
      { step: 0, loss: 3, validationLoss: null },
      { step: 10, loss: 2, validationLoss: 2.5 },
      { step: 20, loss: 1, validationLoss: 1.5 },
      { step: 30, loss: 1, validationLoss: 1.5 },
      { step: 40, loss: 1, validationLoss: 1.75 },
    ],
  };
  const height = 240;

  test('every report of the training, every look at the validation rows', async () => {
    const svg = await lossPlot([losses]);
    const [training] = pathsOf(svg, 'stroke', DATA);
    const [validation] = pathsOf(svg, 'stroke', MODEL);
    expect(training!.map(([x]) => x)).toEqual([0, 140, 280, 420, 560]);
    expect(validation!.map(([x]) => x)).toEqual([140, 280, 560]);
    // from 1 - 0.08 to 3 + 0.08
    const value = (y: number) => 0.92 + (1 - y / height) * 2.16;
    expect(training!.map(([, y]) => Number(value(y).toFixed(2)))).toEqual([3, 2, 1, 1, 1]);
    expect(validation!.map(([, y]) => Number(value(y).toFixed(2)))).toEqual([2.5, 1.5, 1.75]);
    expect(svg).toContain('>kept step</text>');
  });

  test('several networks, losses of other sizes, no validation', async () => {
    const plain = losses.points.map(({ step, loss }) => ({ step, loss: 100 ** loss, validationLoss: null }));
    const svg = await lossPlot([losses, { bestStep: null, points: plain }]);
    expect(pathsOf(svg, 'stroke', DATA)).toHaveLength(2);
    expect(svg).not.toMatch(/NaN|undefined|Infinity/);
    const negative = plain.map((point) => ({ ...point, loss: -point.step }));
    expect(await lossPlot([{ bestStep: null, points: negative }])).not.toMatch(/NaN|undefined|Infinity/);
  });
});
