/** A picture of data beside samples: two grids of scatter plots with the same axes, drawn by Vega to SVG. */
import type * as Vega from 'vega' with { 'resolution-mode': 'import' };

import { Generator, shuffle } from '../data/random';
import { type Table, listNames } from '../data/table';
import { SklarError, describe, expectInteger } from '../errors';

export interface PairPlotOptions {
  /** Which columns, 2 to 6, in this order; default the first 5 of the data. */
  readonly columns?: readonly string[];
  /** Columns, all values above 0, whose axis is logarithmic; default none. */
  readonly logarithmic?: readonly string[];
  /** Default `'Data beside samples'`. */
  readonly title?: string;
  /** What to call the two tables; default `['data', 'samples']`. */
  readonly labels?: readonly [string, string];
  /** Most rows drawn of each table, chosen at random but the same in every run; default 1000. */
  readonly maxPoints?: number;
}

const MOST_COLUMNS = 6;
const DEFAULT_COLUMNS = 5;

// Blue and orange that colour-blind people can tell apart, and a grey; each can be read on white and on black.
const COLOURS = ['#2b7fc4', '#dd6f12'] as const;
const INK = '#7a7f87';
const FONT = 'Helvetica, Arial, sans-serif';

const GAP = 8;
/** Room for the y axis of a grid. */
const LEFT = 72;
/** Room between title and grids. */
const TOP = 58;

/** One column of both tables: the range of its axis and the histogram of each table. */
interface Axis {
  readonly name: string;
  readonly values: readonly [Float64Array, Float64Array];
  readonly domain: readonly [number, number];
  readonly logarithmic: boolean;
  /** Vega expression of the label of a tick. */
  readonly label: string;
  readonly bins: readonly [readonly Bin[], readonly Bin[]];
}

interface Bin {
  readonly from: number;
  readonly to: number;
  readonly share: number;
}

async function loadVega(): Promise<typeof Vega> {
  try {
    return await import('vega');
  } catch (cause) {
    throw new SklarError(
      'ERR_SKLAR_FILE',
      'cannot draw a picture: pictures are drawn by the optional package vega, which is not installed or does not ' +
        'load here; run `npm install vega`',
      { cause },
    );
  }
}

/**
 * Draws data beside samples: for each table a triangle of scatter plots, one for each pair of columns, with histograms
 * on its diagonal. Both triangles have the same axes and show the same number of rows, so what differs to the eye
 * differs in the tables. The background is transparent and the colours suit light and dark pages.
 *
 * @param data at least one row of finite numbers; columns that are not drawn may hold anything
 * @param samples has the columns drawn, found by name
 * @returns an SVG document
 * @throws SklarError ERR_SKLAR_VALUE for columns that do not exist, values that cannot be drawn and wrong options,
 *   ERR_SKLAR_SHAPE for tables without rows, ERR_SKLAR_FILE when the optional package vega is not installed
 */
export async function pairPlot(data: Table, samples: Table, options: PairPlotOptions = {}): Promise<string> {
  const { title = 'Data beside samples', labels = ['data', 'samples'] } = options;
  const maxPoints = expectInteger(options.maxPoints ?? 1000, 'maxPoints', { min: 1, max: 100_000 });
  const names = options.columns ?? data.names.slice(0, DEFAULT_COLUMNS);
  if (names.length < 2 || names.length > MOST_COLUMNS) {
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      `expected 2 to ${MOST_COLUMNS} columns to draw, got ${names.length} (${listNames(names)})`,
    );
  }
  const tables = [data.select(names), samples.select(names)] as const;
  tables.forEach((table, side) => {
    if (table.rows > 0) return;
    throw new SklarError(
      'ERR_SKLAR_SHAPE',
      `expected at least one row to draw, got none (${describe(labels[side])})`,
    );
  });
  const logarithmic = new Set(options.logarithmic);
  const strange = [...logarithmic].filter((name) => !names.includes(name));
  if (strange.length > 0) {
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      `expected names of drawn columns for logarithmic, got ${listNames(strange)} (drawn: ${listNames(names)})`,
    );
  }
  const axes = names.map((name) => describeAxis(name, tables, labels, logarithmic.has(name)));
  const points = Math.min(data.rows, samples.rows, maxPoints);
  const { View, parse } = await loadVega();
  const view = new View(parse(pictureSpec(axes, tables, points, printable(title), labels.map(printable))), {
    renderer: 'none',
  });
  try {
    return shortenNumbers(await view.toSVG());
  } finally {
    view.finalize();
  }
}

/** Names may hold anything; XML may not. */
function printable(text: string): string {
  // eslint-disable-next-line no-control-regex
  return text.replace(/[\u0000-\u001f\u007f-\u009f\ufffe\uffff]+/g, ' ').replace(/\p{Surrogate}/gu, '\ufffd');
}

function describeAxis(
  name: string,
  tables: readonly [Table, Table],
  labels: readonly [string, string],
  logarithmic: boolean,
): Axis {
  const values = [tables[0].column(name), tables[1].column(name)] as const;
  let low = Infinity;
  let high = -Infinity;
  values.forEach((column, side) => {
    for (let i = 0; i < column.length; i++) {
      const value = column[i]!;
      if (!Number.isFinite(value) || (logarithmic && value <= 0)) {
        throw new SklarError(
          'ERR_SKLAR_VALUE',
          `expected finite numbers${logarithmic ? ' above 0' : ''} to draw, got ${value} ` +
            `(column ${describe(name)}, row ${i + 1} of ${describe(labels[side])})`,
        );
      }
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
  });
  const forward = logarithmic ? Math.log : (value: number) => value;
  const back = logarithmic ? Math.exp : (value: number) => value;
  const integer = !logarithmic && tables.every((table) => table.kind(name) === 'integer');
  const edges = binEdges(forward(low), forward(high), integer);
  const pad = 0.03 * (forward(high) - forward(low)) || 0.5 * Math.max(Math.abs(forward(low)), 1);
  const bins = values.map((column) => histogram(column.map(forward), edges, back));
  return {
    name: printable(name),
    values,
    domain: [
      back(Math.min(forward(low) - pad, edges[0]!)),
      back(Math.max(forward(high) + pad, edges.at(-1)!)),
    ],
    logarithmic,
    label: labelExpression(Math.max(Math.abs(low), Math.abs(high))),
    bins: [bins[0]!, bins[1]!],
  };
}

/** Years and small numbers as they are, large ones as 20k, 3M or 1B, and huge ones as 1e+20. */
function labelExpression(largest: number): string {
  if (largest >= 1e4 && largest < 1e13) return "replace(format(datum.value, '~s'), 'G', 'B')";
  return "format(datum.value, '.4~g')";
}

/** Edges of about 24 bins; bins of a column of integers hold the same number of integers each. */
function binEdges(low: number, high: number, integer: boolean): number[] {
  if (high === low) return [low - 0.5, low + 0.5];
  const wanted = 24;
  if (!integer) return Array.from({ length: wanted + 1 }, (_, k) => low + (k / wanted) * (high - low));
  const width = Math.max(1, Math.ceil((high - low + 1) / wanted));
  const count = Math.ceil((high - low + 1) / width);
  return Array.from({ length: count + 1 }, (_, k) => low - 0.5 + k * width);
}

function histogram(values: Float64Array, edges: readonly number[], back: (value: number) => number): Bin[] {
  const counts = new Array<number>(edges.length - 1).fill(0);
  const low = edges[0]!;
  const scale = counts.length / (edges.at(-1)! - low);
  for (const value of values) {
    counts[Math.max(0, Math.min(counts.length - 1, Math.floor((value - low) * scale)))]! += 1;
  }
  return counts.map((count, k) => ({
    from: back(edges[k]!),
    to: back(edges[k + 1]!),
    share: count / values.length,
  }));
}

/** The numbers of the rows to draw. */
function chooseRows(rows: number, count: number): Uint32Array {
  const order = Uint32Array.from({ length: rows }, (_, i) => i);
  if (count < rows) shuffle(order, 0, rows, new Generator(rows, count));
  return order.subarray(0, count);
}

function pictureSpec(
  axes: readonly Axis[],
  tables: readonly [Table, Table],
  points: number,
  title: string,
  labels: readonly string[],
): Vega.Spec {
  const panel = Math.round(Math.max(116, Math.min(220, 520 / axes.length)));
  const side = axes.length * panel + (axes.length - 1) * GAP;
  // The more points, the smaller and fainter.
  const size = Math.max(4, Math.min(20, 270 / Math.sqrt(points)));
  const opacity = Math.round(100 * Math.max(0.2, Math.min(0.65, 13 / Math.sqrt(points)))) / 100;
  const grids = tables.map((table, which): Vega.Mark => {
    const rows = chooseRows(table.rows, points);
    const values = Array.from(rows, (row) =>
      Object.fromEntries(axes.map((axis, j) => [`c${j}`, axis.values[which]![row]!])),
    );
    const colour = COLOURS[which]!;
    const cells = axes.flatMap((_, i) =>
      axes
        .slice(0, i + 1)
        .map((_, j) => cell(axes, i, j, which, panel, { size, opacity, colour, dataset: `rows${which}` })),
    );
    return {
      type: 'group',
      encode: { enter: { x: { value: LEFT + which * (side + LEFT + 16) }, y: { value: TOP } } },
      data: [{ name: `rows${which}`, values }],
      marks: [...header(labels[which]!, points, table.rows, colour), ...cells],
    };
  });
  return {
    $schema: 'https://vega.github.io/schema/vega/v6.json',
    description: `${title}: scatter plots of ${axes.map(({ name }) => name).join(', ')}`,
    width: 2 * (side + LEFT) + 16,
    height: TOP + side,
    padding: 12,
    config: {
      axis: {
        labelFont: FONT,
        titleFont: FONT,
        labelFontSize: 10,
        titleFontSize: 10,
        titleFontWeight: 'bold',
        labelColor: INK,
        titleColor: INK,
        tickColor: INK,
        domain: false,
        tickSize: 4,
        labelPadding: 3,
        // Labels of neighbouring panels must not meet.
        labelBound: 6,
        labelFlush: false,
        labelOverlap: 'greedy',
        labelSeparation: 6,
        titleLimit: panel + GAP,
      },
    },
    marks: [
      {
        type: 'text',
        encode: {
          enter: {
            x: { value: LEFT },
            y: { value: 14 },
            text: { value: title },
            font: { value: FONT },
            fontSize: { value: 16 },
            fontWeight: { value: 'bold' },
            fill: { value: INK },
            limit: { value: 2 * side + LEFT },
          },
        },
      },
      ...grids,
    ],
  };
}

/** A title in one line, or in two of about equal length where one is too short. */
function wrap(text: string, width: number): string | string[] {
  // The width that Vega itself assumes where it cannot measure: 0.8 of the font size each.
  if (text.length * 8 <= width) return text;
  const middle = text.length / 2;
  const spaces = [...text.matchAll(/ +/g)].map((match) => match.index);
  const at = spaces.sort((a, b) => Math.abs(a - middle) - Math.abs(b - middle))[0];
  return at ? [text.slice(0, at), text.slice(at).trimStart()] : text;
}

/** What a grid shows, and in which colour: the legend. */
function header(label: string, points: number, rows: number, colour: string): Vega.Mark[] {
  const count = (number: number) => number.toLocaleString('en-US');
  const shown = points === rows ? `${count(rows)} rows` : `${count(points)} of ${count(rows)} rows`;
  const text = (value: string, dx: number, weight: 'bold' | 'normal'): Vega.Mark => ({
    type: 'text',
    encode: {
      enter: {
        x: { value: dx },
        y: { value: -14 },
        text: { value },
        font: { value: FONT },
        fontSize: { value: 13 },
        fontWeight: { value: weight },
        fill: { value: weight === 'bold' ? colour : INK },
      },
    },
  });
  return [
    {
      type: 'symbol',
      encode: {
        enter: {
          x: { value: 6 },
          y: { value: -18 },
          size: { value: 80 },
          fill: { value: colour },
        },
      },
    },
    text(`${label}, ${shown}`, 18, 'bold'),
  ];
}

/** The panel of column j (across) and column i (up); a histogram when they are the same. */
function cell(
  axes: readonly Axis[],
  i: number,
  j: number,
  which: number,
  panel: number,
  { size, opacity, colour, dataset }: { size: number; opacity: number; colour: string; dataset: string },
): Vega.Mark {
  const across = axes[j]!;
  const up = axes[i]!;
  const diagonal = i === j;
  const tallest = Math.max(...across.bins.flat().map(({ share }) => share));
  const last = i === axes.length - 1;
  const scaleType = (axis: Axis) => (axis.logarithmic ? 'log' : 'linear');
  const ticks = panel > 150 ? 5 : 3;
  return {
    type: 'group',
    encode: {
      enter: {
        x: { value: j * (panel + GAP) },
        y: { value: i * (panel + GAP) },
        width: { value: panel },
        height: { value: panel },
        stroke: { value: INK },
        strokeOpacity: { value: diagonal ? 0 : 0.35 },
      },
    },
    scales: [
      {
        name: 'x',
        type: scaleType(across),
        domain: [...across.domain],
        range: [0, panel],
        zero: false,
      },
      diagonal
        ? { name: 'y', type: 'linear', domain: [0, 1.05 * tallest], range: [panel, 0] }
        : { name: 'y', type: scaleType(up), domain: [...up.domain], range: [panel, 0], zero: false },
    ],
    axes: [
      ...(last
        ? [
            {
              orient: 'bottom' as const,
              scale: 'x',
              title: wrap(across.name, panel),
              encode: { labels: { update: { text: { signal: across.label } } } },
              tickCount: ticks,
              titlePadding: 6,
            },
          ]
        : []),
      ...(j === 0 && i > 0
        ? [
            {
              orient: 'left' as const,
              scale: 'y',
              title: wrap(up.name, panel),
              encode: { labels: { update: { text: { signal: up.label } } } },
              tickCount: ticks,
              minExtent: 36,
            },
          ]
        : []),
    ],
    marks: diagonal
      ? [
          {
            type: 'rect',
            aria: false,
            from: { data: `bins${which}` },
            encode: {
              enter: {
                x: { scale: 'x', field: 'from' },
                x2: { scale: 'x', field: 'to', offset: -0.5 },
                y: { scale: 'y', field: 'share' },
                y2: { scale: 'y', value: 0 },
                fill: { value: colour },
                fillOpacity: { value: 0.75 },
              },
            },
          },
        ]
      : [
          {
            type: 'symbol',
            aria: false,
            from: { data: dataset },
            encode: {
              enter: {
                x: { scale: 'x', field: `c${j}` },
                y: { scale: 'y', field: `c${i}` },
                size: { value: size },
                fill: { value: colour },
                fillOpacity: { value: opacity },
              },
            },
          },
        ],
    ...(diagonal && { data: [{ name: `bins${which}`, values: [...across.bins[which]!] }] }),
  };
}

/** Positions to a hundredth of a pixel: the file becomes a third of its size. */
function shortenNumbers(svg: string): string {
  return svg.replace(/(translate\(|\bd=")[^)"]*/g, (attribute) =>
    attribute.replace(/-?\d+\.\d{3,}/g, (number) => String(Number(Number(number).toFixed(2)))),
  );
}
