/** A picture of data beside samples: two grids of scatter plots with the same axes, drawn by Vega to SVG. */
import type * as Vega from 'vega' with { 'resolution-mode': 'import' };

import { type Table, expectTable, listNames } from '../../data/table';
import {
  type OptionNames,
  SklarError,
  describe,
  expectInteger,
  expectOneOf,
  expectTexts,
} from '../../errors';
import { type Axis, chooseRows, describeAxis, histogram } from './axis';
import { type Look, axisOf, panelMarks, scaleOf } from './panel';
import { formatCount } from './text';
import {
  DATA,
  FONT,
  INK,
  MODEL,
  drawChart,
  drawSvg,
  drawable,
  mark,
  words,
  expectChartOptions,
} from './vega';

/** What is drawn. */
export interface PairPlotOptions {
  /** Which columns, 2 to 8, in this order; default the first 5 of the data. */
  readonly columns?: readonly string[];
  /** Columns, all values above 0, whose axis is logarithmic; default none. */
  readonly logarithmic?: readonly string[];
  /** Default `'Data beside samples'`; of one grid alone, none. */
  readonly title?: string;
  /** What to call the two tables; default `['data', 'samples']`. */
  readonly labels?: readonly [string, string];
  /** Most rows drawn of each table, chosen at random but the same in every run; default 1000. */
  readonly maxPoints?: number;
  /** Both grids (default), or one alone, with the axes of both. */
  readonly show?: 'both' | 'data' | 'samples';
}

const pairPlotOptions: OptionNames<PairPlotOptions> = {
  columns: true,
  logarithmic: true,
  title: true,
  labels: true,
  maxPoints: true,
  show: true,
};

export const MOST_COLUMNS = 8;
const DEFAULT_COLUMNS = 5;

const COLOURS = [DATA, MODEL] as const;

const GAP = 8;
/** Room for the y axis of a grid. */
const LEFT = 72;
/** Room above the grids for what they show, and for a title. */
const LEGEND = 30;
const TITLE = 28;

/** @throws SklarError ERR_SKLAR_VALUE for a wrong number of columns, and logarithmic ones that are not drawn */
export function expectPairColumns(
  names: readonly string[],
  logarithmic: readonly string[] = [],
  most = MOST_COLUMNS,
): { names: readonly string[]; logarithmic: ReadonlySet<string> } {
  expectTexts(names, 'columns');
  expectTexts(logarithmic, 'logarithmic');
  if (names.length < 2 || names.length > most) {
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      `expected 2 to ${most} columns to draw, got ${names.length} (${listNames(names)})`,
    );
  }
  const strange = logarithmic.filter((name) => !names.includes(name));
  if (strange.length > 0) {
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      `expected names of drawn columns for logarithmic, got ${listNames(strange)} (drawn: ${listNames(names)})`,
    );
  }
  return { names, logarithmic: new Set(logarithmic) };
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
 *
 * @example
 * ```ts
 * import { FamilyCopula, Table, pairPlot } from 'sklar';
 *
 * const copula = new FamilyCopula('frank', { theta: 5 });
 * const data = Table.fromMatrix(await copula.sample(100, { seed: 1 }));
 * const samples = Table.fromMatrix(await copula.sample(100, { seed: 2 }));
 * (await pairPlot(data, samples)).startsWith('<svg'); // => true
 * ```
 */
export async function pairPlot(data: Table, samples: Table, options: PairPlotOptions = {}): Promise<string> {
  options = expectChartOptions(options, 'pairPlot', pairPlotOptions);
  expectTable(data, 'the data of pairPlot');
  expectTable(samples, 'the samples of pairPlot');
  const labels = expectTexts(options.labels ?? (['data', 'samples'] as const), 'labels');
  const count: number = labels.length;
  if (count !== 2) {
    throw new SklarError('ERR_SKLAR_SHAPE', `expected two labels for labels, got ${count}`);
  }
  const show = expectOneOf(options.show ?? 'both', 'show', ['both', 'data', 'samples'] as const);
  const title = options.title ?? (show === 'both' ? 'Data beside samples' : undefined);
  const maxPoints = expectInteger(options.maxPoints ?? 1000, 'maxPoints', { min: 1, max: 100_000 });
  const { names, logarithmic } = expectPairColumns(
    options.columns ?? data.names.slice(0, DEFAULT_COLUMNS),
    options.logarithmic,
  );
  const tables = [data.select(names), samples.select(names)] as const;
  tables.forEach((table, side) => {
    if (table.rows > 0) return;
    throw new SklarError(
      'ERR_SKLAR_SHAPE',
      `expected at least one row to draw, got none (${describe(labels[side])})`,
    );
  });
  const axes = names.map((name) =>
    describeAxis(name, tables, labels, {
      logarithmic: logarithmic.has(name),
      missing: false,
      bands: 6,
      ticks: 3,
    }),
  );
  const points = Math.min(data.rows, samples.rows, maxPoints);
  const shown = show === 'both' ? [0, 1] : [show === 'data' ? 0 : 1];
  return drawSvg(pictureSpec(axes, tables, shown, points, title, labels));
}

function pictureSpec(
  axes: readonly Axis[],
  tables: readonly [Table, Table],
  shown: readonly number[],
  points: number,
  title: string | undefined,
  labels: readonly string[],
): Vega.Spec & { description: string } {
  const panel = Math.round(Math.max(116, Math.min(220, 520 / axes.length)));
  const side = axes.length * panel + (axes.length - 1) * GAP;
  // The more points, the smaller and fainter.
  const size = Math.max(4, Math.min(20, 270 / Math.sqrt(points)));
  const opacity = Math.round(100 * Math.max(0.2, Math.min(0.65, 13 / Math.sqrt(points)))) / 100;
  const top = title === undefined ? LEGEND : LEGEND + TITLE;
  const grids = shown.map((which, place): Vega.Mark => {
    const table = tables[which]!;
    const rows = chooseRows(table.rows, points);
    const values = Array.from(rows, (row) =>
      Object.fromEntries(axes.map((axis, j) => [`c${j}`, axis.at(axis.values[which]![row]!)])),
    );
    const colour = COLOURS[which]!;
    const cells = axes.flatMap((_, i) =>
      axes
        .slice(0, i + 1)
        .map((_, j) => cell(axes, i, j, which, panel, { size, opacity, colour, dataset: `rows${which}` })),
    );
    return {
      type: 'group',
      encode: { enter: { x: { value: LEFT + place * (side + LEFT + 16) }, y: { value: top } } },
      data: [{ name: `rows${which}`, values }],
      marks: [...header(labels[which]!, points, table.rows, colour), ...cells],
    };
  });
  return {
    $schema: 'https://vega.github.io/schema/vega/v6.json',
    description:
      `${title ?? shown.map((which) => labels[which]).join(' beside ')}: ` +
      `scatter plots of ${axes.map(({ name }) => name).join(', ')}`,
    width: shown.length * (side + LEFT + 16) - 16,
    height: top + side,
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
      ...(title === undefined
        ? []
        : [
            words(title, LEFT, 14, {
              size: 16,
              weight: 'bold',
              limit: shown.length * (side + LEFT) - LEFT,
            }),
          ]),
      ...grids,
    ],
  };
}

/** A title in one line, or in two of about equal length where one is too short. */
function wrap(text: string, width: number): string | string[] {
  // The width that Vega itself assumes where it cannot measure: 0.8 of the font size each.
  if (text.length * 8 <= width) return drawable(text);
  const middle = text.length / 2;
  const spaces = [...text.matchAll(/ +/g)].map((match) => match.index);
  const at = spaces.sort((a, b) => Math.abs(a - middle) - Math.abs(b - middle))[0];
  return at ? [text.slice(0, at), text.slice(at).trimStart()].map(drawable) : drawable(text);
}

/** What a grid shows, and in which colour: the legend. */
function header(label: string, points: number, rows: number, colour: string): Vega.Mark[] {
  const shown =
    points === rows ? `${formatCount(rows)} rows` : `${formatCount(points)} of ${formatCount(rows)} rows`;
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
    words(`${label}, ${shown}`, 18, -14, { size: 13, weight: 'bold', fill: colour }),
  ];
}

/** The panel of column j (across) and column i (up); a histogram when they are the same. */
function cell(
  axes: readonly Axis[],
  i: number,
  j: number,
  which: number,
  panel: number,
  { dataset, ...look }: Look & { dataset: string },
): Vega.Mark {
  const across = axes[j]!;
  const up = axes[i]!;
  const diagonal = i === j;
  const shares = [0, 1].map((side) => {
    const places = Array.from(across.values[side]!, across.at);
    return histogram(places, across.edges, places.length);
  });
  const last = i === axes.length - 1;
  const bins = shares[which]!.map((share, k) => ({
    from: across.edges[k]!,
    to: across.edges[k + 1]!,
    share,
  }));
  const { data, marks } = diagonal
    ? {
        data: [{ name: `bins${which}`, values: bins }],
        marks: [
          mark(
            'rect',
            `bins${which}`,
            {
              x: 'from',
              x2: { scale: 'x', field: 'to', offset: -0.5 },
              y: 'share',
              y2: { scale: 'y', value: 0 },
            },
            { fill: look.colour, fillOpacity: 0.75 },
          ),
        ],
      }
    : panelMarks([across, up], which, { x: `c${j}`, y: `c${i}`, dataset }, panel, look);
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
    data: [...data],
    scales: [
      scaleOf('x', across, panel),
      diagonal
        ? {
            name: 'y',
            type: 'linear',
            domain: [0, 1.05 * Math.max(...shares.flat())],
            range: [panel, 0],
          }
        : scaleOf('y', up, panel),
    ],
    axes: [
      ...(last
        ? [
            {
              orient: 'bottom' as const,
              scale: 'x',
              title: wrap(across.name, panel),
              ...axisOf(across, 'x'),
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
              ...axisOf(up, 'y'),
              minExtent: 36,
              maxExtent: LEFT - 16,
            },
          ]
        : []),
    ],
    marks,
  };
}

const PAIR = { width: 270, height: 250 };

/**
 * One pair of columns of data or samples, as large as a telephone is wide; both have the axes of both.
 *
 * @param tables data and samples
 */
export async function drawPair(
  tables: readonly [Table, Table],
  columns: readonly [string, string],
  logarithmic: ReadonlySet<string>,
  show: 'data' | 'samples',
  maxPoints: number,
): Promise<string> {
  const described = columns.map((name) =>
    describeAxis(name, tables, ['data', 'samples'], {
      logarithmic: logarithmic.has(name),
      missing: true,
      bands: 8,
      ticks: 4,
    }),
  );
  // labels can be read where they stand one below the other
  const [across, up] = described[0]!.bands && !described[1]!.bands ? described.toReversed() : described;
  const which = show === 'data' ? 0 : 1;
  const axes = [across!, up!] as const;
  const present = Array.from({ length: tables[which].rows }, (_, row) => row).filter((row) =>
    axes.every((axis) => !Number.isNaN(axis.values[which][row])),
  );
  const chosen = chooseRows(present.length, Math.min(present.length, maxPoints));
  const values = Array.from(chosen, (k) => ({
    x: axes[0].at(axes[0].values[which][present[k]!]!),
    y: axes[1].at(axes[1].values[which][present[k]!]!),
  }));
  const isPoints = !axes[0].bands && !axes[1].bands;
  const { width, height } = PAIR;
  const look = {
    size: Math.max(6, Math.min(24, 420 / Math.sqrt(chosen.length))),
    opacity: Math.max(0.2, Math.min(0.65, 13 / Math.sqrt(chosen.length))),
    colour: COLOURS[which],
  };
  const { data, marks } = panelMarks(axes, which, { x: 'x', y: 'y', dataset: 'rows' }, width, look);
  const rows = isPoints ? chosen.length : present.length;
  return drawChart({
    description: `${isPoints ? 'Points' : 'Shares'} of ${columns.join(' and ')} in ${show}`,
    title: undefined,
    legend: [[`${show}, ${formatCount(rows)} rows`, COLOURS[which]]],
    width,
    height,
    data: [{ name: 'rows', values }, ...(data as { name: string; values: object[] }[])],
    scales: [scaleOf('x', axes[0], width), scaleOf('y', axes[1], height)],
    axes: [
      {
        orient: 'bottom',
        scale: 'x',
        title: drawable(axes[0].name),
        grid: isPoints,
        ...axisOf(axes[0], 'x'),
      },
      {
        orient: 'left',
        scale: 'y',
        title: drawable(axes[1].name),
        grid: !axes[1].bands,
        minExtent: 34,
        ...axisOf(axes[1], 'y'),
      },
    ],
    marks,
  });
}
