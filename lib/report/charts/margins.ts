/** The margin of a column: its histogram in data and model, and their quantiles against each other. */
import { z } from 'zod';

import { matrix } from '../../matrix';
import type { Table } from '../../data/table';
import { Margins, type TableMargins } from '../../margins/margins';
import { normalCdf } from '../../normal';
import { describeAxis, labelExpression } from './axis';
import {
  type ChartOptions,
  chartOptions,
  DATA,
  INK,
  MODEL,
  drawChart,
  drawable,
  gridAxis,
  mark,
  expectChartOptions,
  expectPictured,
} from './vega';

/** What `densityPlot` and `quantilePlot` draw. */
export interface MarginNumbers {
  /** Its name. */
  readonly column: string;
  /** The type of the model's margin; `ranks` of a model that keeps those of its training rows. */
  readonly type: string;
  /** Whether the axes of its pictures are. */
  readonly logarithmic: boolean;
  /** Neighbouring intervals, and the share of the data and of the model in each; the outermost hold what lies beyond. */
  readonly bins: readonly {
    readonly from: number;
    readonly to: number;
    readonly data: number;
    readonly model: number;
  }[];
  /**
   * Quantiles of data and model at increasing levels, evenly spaced on the Gaussian scale. Between `low` and `high`, the
   * model's at level -+ sqrt(log(2 / 0.05) / (2 rows)), lie all those of `rows` independent rows of the model with a
   * probability of 0.95 at least (Dvoretzky, Kiefer and Wolfowitz; Massart, 1990); null: no bound on that side.
   */
  readonly quantiles: readonly {
    readonly level: number;
    readonly data: number;
    readonly model: number;
    readonly low: number | null;
    readonly high: number | null;
  }[];
}

const numbersSchema = z.object({
  column: z.string(),
  type: z.string(),
  logarithmic: z.boolean(),
  bins: z.array(z.object({ from: z.number(), to: z.number(), data: z.number(), model: z.number() })).min(1),
  quantiles: z
    .array(
      z.object({
        level: z.number(),
        data: z.number(),
        model: z.number(),
        low: z.number().nullable(),
        high: z.number().nullable(),
      }),
    )
    .min(1),
});

/** The model's share of a bin is counted in so many of its quantiles. */
const LEVELS = 4096;
const MOST_QUANTILES = 121;
const MISSED = 0.05;

/** The quantiles of every margin at these levels. */
function quantilesAt(margins: TableMargins, levels: Float64Array): Promise<Table> {
  const dim = margins.names.length;
  const u = new Float64Array(levels.length * dim);
  levels.forEach((level, i) => u.fill(level, i * dim, (i + 1) * dim));
  return margins.inverse(matrix(u, levels.length, dim));
}

/** Ranks, from 1, whose levels (rank - 1/2) / rows are about evenly spaced on the Gaussian scale, with the outermost. */
function spacedRanks(rows: number): number[] {
  if (rows <= MOST_QUANTILES) return Array.from({ length: rows }, (_, i) => i + 1);
  // the level of the largest is about 1 - 1 / (2 rows)
  const end = Math.sqrt(2 * Math.log(rows));
  const z = Float64Array.from(
    { length: MOST_QUANTILES },
    (_, i) => end * ((2 * i) / (MOST_QUANTILES - 1) - 1),
  );
  const ranks = Array.from(normalCdf(z), (level) =>
    Math.max(1, Math.min(rows, Math.round(level * rows + 0.5))),
  );
  return [...new Set([1, ...ranks, rows])];
}

/**
 * What the pictures of these columns show.
 *
 * @param samples decides with the data how far the axes reach
 */
export async function marginNumbers(
  data: Table,
  samples: Table,
  margins: TableMargins,
  columns: readonly string[],
  logarithmic: ReadonlySet<string>,
): Promise<MarginNumbers[]> {
  const { rows } = data;
  const ranks = spacedRanks(rows);
  const levels = Float64Array.from(ranks, (rank) => (rank - 0.5) / rows);
  const reach = Math.sqrt(Math.log(2 / MISSED) / (2 * rows));
  const model = await quantilesAt(margins, levels);
  const shifted = (shift: number) =>
    quantilesAt(
      margins,
      levels.map((level) => Math.max(0, Math.min(1, level + shift))),
    );
  const [low, high] = [await shifted(-reach), await shifted(reach)];
  const many = await quantilesAt(
    margins,
    Float64Array.from({ length: LEVELS }, (_, i) => (i + 0.5) / LEVELS),
  );
  return columns.map((column): MarginNumbers => {
    const axis = describeAxis(column, [data, samples], ['data', 'samples'], logarithmic.has(column));
    const ofModel = axis.binsOf(many.column(column));
    const sorted = data.column(column).toSorted();
    return {
      column,
      type: margins instanceof Margins ? margins.margin(column).name : 'ranks',
      logarithmic: axis.logarithmic,
      bins: axis.bins[0].map(({ from, to, share }, k) => ({
        from,
        to,
        data: share,
        model: ofModel[k]!.share,
      })),
      quantiles: ranks.map((rank, i) => {
        const level = levels[i]!;
        return {
          level,
          data: sorted[rank - 1]!,
          model: model.column(column)[i]!,
          low: level > reach ? low.column(column)[i]! : null,
          high: level < 1 - reach ? high.column(column)[i]! : null,
        };
      }),
    };
  });
}

const SIZE = { width: 260, height: 180 };

/**
 * The histogram of a column of the data, and that of the model's margin as a line over it.
 *
 * @returns an SVG document
 * @throws SklarError ERR_SKLAR_FILE when the optional package vega is not installed
 *
 * @example
 * ```ts
 * import { FamilyCopula, Table, densityPlot, fitJoint, report } from 'sklar';
 *
 * const table = Table.fromMatrix(await new FamilyCopula('frank', { theta: 5 }).sample(100));
 * const joint = await fitJoint(table, { copula: { kind: 'frank' } });
 * const { numbers } = await report(joint, table, { rows: 100, skip: ['comparison', 'certificate', 'pairs'] });
 * (await densityPlot(numbers.margins![0]!)).startsWith('<svg'); // => true
 * ```
 */
export async function densityPlot(numbers: MarginNumbers, options: ChartOptions = {}): Promise<string> {
  options = expectChartOptions(options, 'densityPlot', chartOptions);
  const { column, bins, logarithmic } = expectPictured(numbersSchema, numbers, 'densityPlot');
  const domain = [bins[0]!.from, bins.at(-1)!.to] as const;
  const outline = [
    { x: domain[0], share: 0 },
    ...bins.flatMap(({ from, to, model: share }) => [
      { x: from, share },
      { x: to, share },
    ]),
    { x: domain[1], share: 0 },
  ];
  const tallest = Math.max(...bins.flatMap(({ data, model }) => [data, model]));
  const { width, height } = SIZE;
  return drawChart({
    description: `Histogram of ${column}, data beside model`,
    title: options.title,
    legend: [
      ['data', DATA],
      ['model', MODEL],
    ],
    width,
    height,
    data: [
      { name: 'bins', values: bins },
      { name: 'outline', values: outline },
    ],
    scales: [
      {
        name: 'x',
        type: logarithmic ? 'log' : 'linear',
        domain: [...domain],
        range: [0, width],
        zero: false,
      },
      { name: 'y', type: 'linear', domain: [0, 1.06 * tallest], range: [height, 0] },
    ],
    axes: [
      {
        orient: 'bottom',
        scale: 'x',
        title: drawable(column),
        tickCount: 5,
        encode: { labels: { update: { text: { signal: labelExpression(domain) } } } },
      },
      gridAxis('share of rows', { tickCount: 4, format: '~%', minExtent: 34 }),
    ],
    marks: [
      mark(
        'rect',
        'bins',
        {
          x: 'from',
          x2: { scale: 'x', field: 'to', offset: -0.75 },
          y: 'data',
          y2: { scale: 'y', value: 0 },
        },
        { fill: DATA, fillOpacity: 0.45 },
      ),
      mark('line', 'outline', { x: 'x', y: 'share' }, { stroke: MODEL, strokeWidth: 1.75 }),
    ],
  });
}

/**
 * Quantiles of a column of the data over those of the model's margin, with the band of `MarginNumbers.quantiles`: points
 * on the diagonal are where they should be.
 *
 * @returns an SVG document
 * @throws SklarError ERR_SKLAR_FILE when the optional package vega is not installed
 *
 * @example
 * ```ts
 * import { FamilyCopula, Table, quantilePlot, fitJoint, report } from 'sklar';
 *
 * const table = Table.fromMatrix(await new FamilyCopula('frank', { theta: 5 }).sample(100));
 * const joint = await fitJoint(table, { copula: { kind: 'frank' } });
 * const { numbers } = await report(joint, table, { rows: 100, skip: ['comparison', 'certificate', 'pairs'] });
 * (await quantilePlot(numbers.margins![0]!)).startsWith('<svg'); // => true
 * ```
 */
export async function quantilePlot(numbers: MarginNumbers, options: ChartOptions = {}): Promise<string> {
  options = expectChartOptions(options, 'quantilePlot', chartOptions);
  const { column, quantiles, logarithmic } = expectPictured(numbersSchema, numbers, 'quantilePlot');
  const all = quantiles.flatMap(({ data, model }) => [data, model]);
  const [least, most] = [Math.min(...all), Math.max(...all)];
  const pad = logarithmic ? (most / least) ** 0.03 : 0.03 * (most - least) || 0.5;
  const domain = logarithmic
    ? ([least / Math.max(pad, 1.01), most * Math.max(pad, 1.01)] as const)
    : ([least - pad, most + pad] as const);
  const inside = (value: number | null, open: number) =>
    value === null ? open : Math.max(domain[0], Math.min(domain[1], value));
  const points = quantiles.map(({ data, model, low, high }) => ({
    data,
    model,
    low: inside(low, domain[0]),
    high: inside(high, domain[1]),
  }));
  const { width, height } = SIZE;
  const type = logarithmic ? ('log' as const) : ('linear' as const);
  const encode = { labels: { update: { text: { signal: labelExpression(domain) } } } };
  return drawChart({
    description: `Quantiles of ${column}, data over model`,
    title: options.title,
    legend: [
      ['data', DATA],
      ['95 % band', INK],
    ],
    width,
    height,
    data: [
      { name: 'points', values: points },
      { name: 'diagonal', values: domain.map((at) => ({ at })) },
    ],
    scales: [
      { name: 'x', type, domain: [...domain], range: [0, width], zero: false },
      { name: 'y', type, domain: [...domain], range: [height, 0], zero: false },
    ],
    axes: [
      { orient: 'bottom', scale: 'x', title: 'model', tickCount: 5, grid: true, encode },
      { orient: 'left', scale: 'y', title: 'data', tickCount: 4, grid: true, minExtent: 34, encode },
    ],
    marks: [
      mark('area', 'points', { x: 'model', y: 'low', y2: 'high' }, { fill: INK, fillOpacity: 0.2 }),
      mark('line', 'diagonal', { x: 'at', y: 'at' }, { stroke: INK, strokeDash: [4, 3] }),
      mark('symbol', 'points', { x: 'model', y: 'data' }, { size: 16, fill: DATA, fillOpacity: 0.8 }),
    ],
  });
}
