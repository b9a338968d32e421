/** Kendall's tau of all pairs as a heat map. */
import type * as Vega from 'vega' with { 'resolution-mode': 'import' };

import { type Matrix, expectMatrix } from '../../matrix';
import { defaultNames } from '../../data/table';
import { SklarError, expectNumber } from '../../errors';
import { printable, shorten } from './text';
import {
  type ChartOptions,
  chartOptions,
  INK,
  NEGATIVE,
  PAPER,
  POSITIVE,
  PRINT,
  drawChart,
  words,
  expectChartOptions,
} from './vega';

/** How a heat map is coloured. */
export interface HeatMapOptions extends ChartOptions {
  /** What is drawn in full colour; default 1. */
  readonly limit?: number;
}

/** In full colour, numbers can still be read. */
const OPACITY = 0.72;
/** Numbers are written into the cells of so many columns. */
const MOST_NUMBERED = 10;
const SIDE = 300;
const LONGEST_NAME = 18;

/**
 * A square of cells for each pair of columns, green where they go together and purple where they go apart, the stronger
 * the more. The diagonal is left out.
 *
 * @param tau columns x columns, as `kendall` gives it, or a difference of two of them; NaN is left out
 * @returns an SVG document
 * @throws SklarError ERR_SKLAR_SHAPE for a matrix that is not square, ERR_SKLAR_FILE when the optional package vega is not
 *   installed
 *
 * @example
 * ```ts
 * import { fromRows, kendall, kendallHeatMap } from 'sklar';
 *
 * const rows = fromRows([[1, 2], [2, 1], [3, 3]], ['depth', 'wind']);
 * (await kendallHeatMap(await kendall(rows))).startsWith('<svg'); // => true
 * ```
 */
export async function kendallHeatMap(tau: Matrix, options: HeatMapOptions = {}): Promise<string> {
  options = expectChartOptions(options, 'kendallHeatMap', { ...chartOptions, limit: true });
  const limit = expectNumber(options.limit ?? 1, 'limit', { above: 0 });
  const { data, rows, columns: count, names: own } = expectMatrix(tau, 'kendallHeatMap');
  if (own && own.length !== count) {
    throw new SklarError('ERR_SKLAR_SHAPE', `expected ${count} names to draw, got ${own.length}`);
  }
  if (rows !== count || count < 1) {
    throw new SklarError('ERR_SKLAR_SHAPE', `expected a square matrix to draw, got ${rows} x ${count}`);
  }
  const names = (own ?? defaultNames(count)).map((name) => shorten(printable(name), LONGEST_NAME));
  const cell = SIDE / count;
  const cells = Array.from(data, (value, k) => ({
    x: (k % count) * cell,
    y: Math.floor(k / count) * cell,
    value,
    fill: value < 0 ? NEGATIVE : POSITIVE,
    opacity: OPACITY * Math.min(1, Math.abs(value) / limit),
    // -0.00 would be a sign without a number
    text: Math.abs(value) < 0.005 ? '0.00' : value.toFixed(2).replace('-', '\u2212'),
  })).filter(({ value }, k) => k % (count + 1) !== 0 && !Number.isNaN(value));
  const middle = (j: number) => (j + 0.5) * cell;
  const size = Math.max(6, Math.min(11, 0.8 * cell));
  // a letter is about half as wide as it is high
  const room = 0.58 * size * Math.max(...names.map((name) => name.length));
  return drawChart({
    description: `Kendall's tau of ${count} columns${options.title === undefined ? '' : `, ${options.title}`}`,
    title: options.title,
    legend: [],
    width: SIDE,
    height: SIDE,
    padding: {
      left: Math.max(24, 14 + room),
      right: 6,
      top: options.title === undefined ? 28 : 50,
      bottom: 14 + 0.75 * room,
    },
    data: [{ name: 'cells', values: cells }],
    scales: [],
    axes: [],
    marks: [
      {
        type: 'rect',
        encode: {
          enter: { width: { value: SIDE }, height: { value: SIDE }, fill: { value: PAPER } },
        },
      },
      {
        type: 'rect',
        aria: false,
        from: { data: 'cells' },
        encode: {
          enter: {
            x: { field: 'x', offset: 0.5 },
            y: { field: 'y', offset: 0.5 },
            width: { value: cell - 1 },
            height: { value: cell - 1 },
            fill: { field: 'fill' },
            fillOpacity: { field: 'opacity' },
          },
        },
      },
      ...(count > MOST_NUMBERED ? [] : [numbers(cell)]),
      ...names.flatMap((name, j): Vega.Mark[] => [
        words(name, -8, middle(j) + size / 3, { size, align: 'right' }),
        turned(name, middle(j), size),
      ]),
      ...legend(limit),
    ],
  });
}

function numbers(cell: number): Vega.Mark {
  return {
    type: 'text',
    aria: false,
    from: { data: 'cells' },
    encode: {
      enter: {
        x: { field: 'x', offset: cell / 2 },
        y: { field: 'y', offset: cell / 2 },
        text: { field: 'text' },
        font: { value: 'Helvetica, Arial, sans-serif' },
        fontSize: { value: Math.min(12, 0.36 * cell) },
        fill: { value: PRINT },
        align: { value: 'center' },
        baseline: { value: 'middle' },
      },
    },
  };
}

/** The name of a column below it, upwards to the right. */
function turned(name: string, x: number, size: number): Vega.Mark {
  const mark = words(name, x + size / 3, SIDE + 10, { size, align: 'right' });
  return {
    ...mark,
    encode: { enter: { ...mark.encode!.enter, angle: { value: -45 } } },
  } as Vega.Mark;
}

/** The colours from -limit to limit, above the map. */
function legend(limit: number): Vega.Mark[] {
  const steps = 24;
  const width = 110;
  const left = 30;
  const ends = [-limit, limit].map((end) => String(Number(end.toPrecision(2))).replace('-', '\u2212'));
  const strip = (x: number, wide: number, paint: object): Vega.Mark => ({
    type: 'rect',
    encode: {
      enter: { x: { value: x }, y: { value: -20 }, width: { value: wide }, height: { value: 10 }, ...paint },
    },
  });
  const shades = Array.from({ length: steps }, (_, k) => {
    const value = (2 * (k + 0.5)) / steps - 1;
    return strip(left + (k * width) / steps, width / steps, {
      fill: { value: value < 0 ? NEGATIVE : POSITIVE },
      fillOpacity: { value: OPACITY * Math.abs(value) },
    });
  });
  return [
    words(ends[0]!, left - 6, -11, { align: 'right' }),
    words(ends[1]!, left + width + 6, -11),
    strip(left, width, { fill: { value: PAPER } }),
    ...shades,
    strip(left, width, { stroke: { value: INK }, strokeOpacity: { value: 0.5 } }),
  ];
}
