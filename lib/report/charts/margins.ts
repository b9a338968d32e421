/** The margin of a column: its shares or its histogram in data and model, and their quantiles against each other. */
import type * as Vega from 'vega' with { 'resolution-mode': 'import' };
import { z } from 'zod';

import { matrix } from '../../matrix';
import type { Table } from '../../data/table';
import { Margins, type TableMargins } from '../../margins/margins';
import type { MarginState } from '../../margins/basis/margin';
import { SklarError, describe } from '../../errors';
import { normalCdf } from '../../normal';
import {
  type AxisScale,
  axisScaleSchema,
  bandsOf,
  binEdges,
  histogram,
  lineOf,
  padded,
  placeOf,
  tickAxis,
  ticksOf,
} from './axis';
import { shareText, shorten, printable, tickText } from './text';
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
  words,
  expectChartOptions,
  expectPictured,
} from './vega';

/** Shares of a part of the rows, in data and model. */
export interface ShareNumbers {
  readonly data: number;
  readonly model: number;
}

/** What `densityPlot` and `quantilePlot` draw. All shares are of all rows, of the data and of the sample. */
export interface MarginNumbers {
  /** Its name. */
  readonly column: string;
  /** The type of the model's margin; `ranks` of a model that keeps those of its training rows. */
  readonly type: string;
  /** The axes of its pictures. */
  readonly axis: AxisScale;
  /** Rows without a cell. */
  readonly missing: ShareNumbers;
  /**
   * What has a share of its own: the labels or values of a column that has no others (rare labels as one), else values that recur,
   * such as the zeros of rain.
   */
  readonly bars: readonly (ShareNumbers & { readonly label: string })[];
  /** All other values: neighbouring intervals, of which the outermost hold what lies beyond; none where there are no others. */
  readonly bins: readonly (ShareNumbers & { readonly from: number; readonly to: number })[];
  /**
   * Quantiles of data and model at increasing levels, evenly spaced on the Gaussian scale, of the rows with a cell; none of a column of
   * bars alone. Between `low` and `high`, the model's at level -+ sqrt(log(2 / 0.05) / (2 rows)), lie all those of `rows` independent
   * rows of the model with a probability of 0.95 at least (Dvoretzky, Kiefer and Wolfowitz; Massart, 1990); null: no bound on that side.
   */
  readonly quantiles: readonly {
    readonly level: number;
    readonly data: number;
    readonly model: number;
    readonly low: number | null;
    readonly high: number | null;
  }[];
}

const shares = { data: z.number(), model: z.number() };
const numbersSchema = z.object({
  column: z.string(),
  type: z.string(),
  axis: axisScaleSchema,
  missing: z.object(shares),
  bars: z.array(z.object({ label: z.string(), ...shares })),
  bins: z.array(z.object({ from: z.number(), to: z.number(), ...shares })),
  quantiles: z.array(
    z.object({
      level: z.number(),
      data: z.number(),
      model: z.number(),
      low: z.number().nullable(),
      high: z.number().nullable(),
    }),
  ),
});

/** Bars of a column of labels, and of values that recur beside others. */
const MOST_BARS = { labels: 12, atoms: 3 };
const LEAST_ATOM = 0.01;
const MOST_QUANTILES = 121;
const MISSED = 0.05;

/** The quantiles of a margin at these levels. */
async function quantilesAt(
  margins: TableMargins,
  column: string,
  levels: Float64Array,
): Promise<Float64Array> {
  const dim = margins.names.length;
  const u = new Float64Array(levels.length * dim);
  levels.forEach((level, i) => u.fill(level, i * dim, (i + 1) * dim));
  return (await margins.inverse(matrix(u, levels.length, dim))).column(column);
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

async function quantilesOf(
  sorted: Float64Array,
  margins: TableMargins,
  column: string,
): Promise<MarginNumbers['quantiles']> {
  const rows = sorted.length;
  if (rows === 0) return [];
  const ranks = spacedRanks(rows);
  const levels = Float64Array.from(ranks, (rank) => (rank - 0.5) / rows);
  const reach = Math.sqrt(Math.log(2 / MISSED) / (2 * rows));
  const at = (shift: number) =>
    quantilesAt(
      margins,
      column,
      levels.map((level) => Math.max(0, Math.min(1, level + shift))),
    );
  const [model, low, high] = [await at(0), await at(-reach), await at(reach)];
  return ranks.map((rank, i) => {
    const level = levels[i]!;
    return {
      level,
      data: sorted[rank - 1]!,
      model: model[i]!,
      low: level > reach ? low[i]! : null,
      high: level < 1 - reach ? high[i]! : null,
    };
  });
}

/** The values with most of the probability that recur beside others, in order. */
function atomsOf({ arrays, parts }: MarginState): number[] {
  const { atoms, masses } = arrays;
  if (!atoms || !masses) return Object.values(parts).flatMap(atomsOf);
  return Array.from(atoms.keys())
    .filter((k) => masses[k]! >= LEAST_ATOM)
    .sort((a, b) => masses[b]! - masses[a]!)
    .slice(0, MOST_BARS.atoms)
    .map((k) => atoms[k]!)
    .sort((a, b) => a - b);
}

/** What the pictures of these columns show. @param samples as the data: rows as they are drawn, with missing cells */
export async function marginNumbers(
  data: Table,
  samples: Table,
  margins: TableMargins,
  columns: readonly string[],
  logarithmic: ReadonlySet<string>,
): Promise<MarginNumbers[]> {
  const found: MarginNumbers[] = [];
  for (const column of columns) {
    const margin = margins instanceof Margins ? margins.margin(column) : null;
    const type = data.type(column);
    const [own, drawn] = [data.column(column), samples.column(column)];
    const share = (of: (value: number) => boolean): ShareNumbers => ({
      data: own.filter(of).length / own.length,
      model: drawn.filter(of).length / drawn.length,
    });
    const sorted = [own, drawn].map((values) => values.filter((value) => !Number.isNaN(value)).sort());
    const both = Float64Array.from([...sorted[0]!, ...sorted[1]!]).sort();
    const bands = logarithmic.has(column) ? null : bandsOf(type, both, MOST_BARS.labels);
    const shared = {
      column,
      type: margin?.name ?? 'ranks',
      missing: share(Number.isNaN),
    };
    if (bands) {
      const bars = bands.labels.map((label, k) => ({
        label,
        ...share((value) => bands.bandOf(value) === k),
      }));
      const axis = { scale: 'linear', centre: 0, unit: 1, holds: 'number' } as const;
      found.push({ ...shared, axis, bars, bins: [], quantiles: [] });
      continue;
    }
    const atoms = margin ? atomsOf(margin.state()) : [];
    const isRest = (value: number) => !Number.isNaN(value) && !atoms.includes(value);
    const rest = both.filter(isRest);
    const axis = lineOf(rest, type, logarithmic.has(column));
    const { at, back } = placeOf(axis);
    const integer =
      axis.scale === 'linear' && [data, samples].every((table) => table.kind(column) === 'integer');
    const edges = rest.length === 0 ? [] : binEdges(at(rest[0]!), at(rest.at(-1)!), integer);
    const binned = (values: Float64Array) =>
      edges.length === 0 ? [] : histogram(values.filter(isRest).map(at), edges, values.length);
    const [ofData, ofModel] = [binned(own), binned(drawn)];
    found.push({
      ...shared,
      axis,
      bars: atoms.map((atom) => ({ label: tickText(atom), ...share((value) => value === atom) })),
      bins: ofData.map((part, k) => ({
        from: back(edges[k]!),
        to: back(edges[k + 1]!),
        data: part,
        model: ofModel[k]!,
      })),
      quantiles: await quantilesOf(sorted[0]!, margins, column),
    });
  }
  return found;
}

const SIZE = { width: 290, height: 200 };
/** Of a value or of missing cells beside a histogram. */
const SLOT = 44;
/** For the axis between them. */
const GAP = 44;
/** Of a bar of labels, with what it says. */
const BAR = { height: 34, label: 104 };

const key = [
  ['data', DATA],
  ['sample', MODEL],
] as const;

/** What has a share of its own, missing cells last. */
const barsOf = ({ bars, missing }: Pick<MarginNumbers, 'bars' | 'missing'>) =>
  missing.data > 0 || missing.model > 0 ? [...bars, { label: 'missing', ...missing }] : bars;

/** Bars of labels, one below the other, data above model. */
function drawBars(numbers: MarginNumbers, title: string | undefined): Promise<string> {
  const bars = barsOf(numbers).map(({ label, data, model }, k) => ({
    y: k * BAR.height,
    label: shorten(printable(label), 18),
    data,
    model,
    text: shareText(data),
    modelText: shareText(model),
  }));
  const width = SIZE.width - BAR.label;
  const height = bars.length * BAR.height;
  const most = Math.max(...bars.flatMap(({ data, model }) => [data, model])) || 1;
  const side = (field: 'data' | 'model', offset: number, fill: string, text: string): Vega.Mark[] => [
    mark(
      'rect',
      'bars',
      { x: { scale: 'x', value: 0 }, x2: { scale: 'x', field }, y: { field: 'y', offset } },
      { height: 11, fill, fillOpacity: 0.75 },
    ),
    textMark('bars', text, { x: { scale: 'x', field, offset: 5 }, y: { field: 'y', offset: offset + 6 } }),
  ];
  return drawChart({
    description: `Shares of ${numbers.column}, data beside sample`,
    title,
    legend: key,
    width,
    height,
    padding: { left: BAR.label, right: 6, top: title === undefined ? 30 : 52, bottom: 6 },
    data: [{ name: 'bars', values: bars }],
    scales: [{ name: 'x', type: 'linear', domain: [0, 1.24 * most], range: [0, width] }],
    axes: [],
    marks: [
      textMark('bars', 'label', { x: { value: -8 }, y: { field: 'y', offset: 15 } }, 'right'),
      ...side('data', 3, DATA, 'text'),
      ...side('model', 16, MODEL, 'modelText'),
    ],
  });
}

/** Texts of the rows of a dataset. */
function textMark(
  dataset: string,
  field: string,
  at: Record<'x' | 'y', object>,
  align: 'left' | 'right' | 'center' = 'left',
): Vega.Mark {
  const look = words('', 0, 0, { align }).encode!.enter as object;
  const enter = {
    ...look,
    ...at,
    text: { field },
    baseline: { value: 'middle' },
    limit: { value: BAR.label },
  };
  return { type: 'text', aria: false, from: { data: dataset }, encode: { enter } } as Vega.Mark;
}

/**
 * The shares of the labels of a column in data and sample; of a column of numbers or dates its histogram, that of the sample as a line over
 * it, with values that recur and missing cells on the left of it.
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
  numbers = expectPictured(numbersSchema, numbers, 'densityPlot');
  const { column, bins, axis } = numbers;
  if (bins.length === 0) return drawBars(numbers, options.title);
  const { at } = placeOf(axis);
  const slots = barsOf(numbers).map((bar, k) => ({
    ...bar,
    label: shorten(printable(bar.label), 8),
    x: k * SLOT + 8,
    x2: (k + 1) * SLOT - 8,
    middle: (k + 0.5) * SLOT,
  }));
  const left = slots.length === 0 ? 0 : slots.length * SLOT + GAP;
  const places = bins.map(({ from, to, ...share }) => ({ ...share, from: at(from), to: at(to) }));
  const domain = [places[0]!.from, places.at(-1)!.to] as const;
  const outline = [
    { x: domain[0], share: 0 },
    ...places.flatMap(({ from, to, model: share }) => [
      { x: from, share },
      { x: to, share },
    ]),
    { x: domain[1], share: 0 },
  ];
  const tallest = (of: readonly ShareNumbers[]) =>
    1.06 * Math.max(...of.flatMap(({ data, model }) => [data, model])) || 1;
  const { width, height } = SIZE;
  const slotBars = (of: 'data' | 'model', look: Parameters<typeof mark>[3]) =>
    mark(
      'rect',
      'slots',
      {
        x: { field: 'x' },
        x2: { field: 'x2' },
        y: { scale: 'ySlots', field: of },
        y2: { scale: 'ySlots', value: 0 },
      },
      look,
    );
  const aside: Vega.Mark[] = [
    slotBars('data', { fill: DATA, fillOpacity: 0.45 }),
    slotBars('model', { stroke: MODEL, strokeWidth: 1.75 }),
    textMark('slots', 'label', { x: { field: 'middle' }, y: { value: height + 13 } }, 'center'),
  ];
  return drawChart({
    description: `Histogram of ${column}, data beside sample`,
    title: options.title,
    legend: key,
    width,
    height,
    data: [
      { name: 'bins', values: places },
      { name: 'outline', values: outline },
      ...(slots.length > 0 ? [{ name: 'slots', values: slots }] : []),
    ],
    scales: [
      { name: 'x', type: 'linear', domain: [...domain], range: [left, width], zero: false },
      { name: 'y', type: 'linear', domain: [0, tallest(bins)], range: [height, 0] },
      { name: 'ySlots', type: 'linear', domain: [0, tallest(slots)], range: [height, 0] },
    ],
    axes: [
      {
        orient: 'bottom',
        scale: 'x',
        title: drawable(column),
        ...tickAxis(ticksOf(axis, domain, left > 0 ? 4 : 5)),
      },
      ...(slots.length > 0
        ? [
            gridAxis('share of rows', {
              scale: 'ySlots',
              tickCount: 4,
              format: '~%',
              grid: false,
              minExtent: 34,
            }),
            gridAxis('', { tickCount: 4, format: '~%', grid: false, offset: -left }),
          ]
        : [gridAxis('share of rows', { tickCount: 4, format: '~%', minExtent: 34 })]),
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
      ...(slots.length > 0 ? aside : []),
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
  const { column, quantiles, axis } = expectPictured(numbersSchema, numbers, 'quantilePlot');
  if (quantiles.length === 0) {
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      `expected a column of more than single values for quantilePlot, got ${describe(column)}`,
    );
  }
  const { at } = placeOf(axis);
  const places = quantiles.flatMap(({ data, model }) => [at(data), at(model)]);
  const domain = padded(Math.min(...places), Math.max(...places));
  const inside = (value: number | null, open: number) =>
    value === null ? open : Math.max(domain[0], Math.min(domain[1], at(value)));
  const points = quantiles.map(({ data, model, low, high }) => ({
    data: at(data),
    model: at(model),
    low: inside(low, domain[0]),
    high: inside(high, domain[1]),
  }));
  const { width, height } = SIZE;
  const ticks = tickAxis(ticksOf(axis, domain, 4));
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
      { name: 'x', type: 'linear', domain, range: [0, width], zero: false },
      { name: 'y', type: 'linear', domain, range: [height, 0], zero: false },
    ],
    axes: [
      { orient: 'bottom', scale: 'x', title: 'model', grid: true, ...ticks },
      { orient: 'left', scale: 'y', title: 'data', grid: true, minExtent: 34, ...ticks },
    ],
    marks: [
      mark('area', 'points', { x: 'model', y: 'low', y2: 'high' }, { fill: INK, fillOpacity: 0.2 }),
      mark('line', 'diagonal', { x: 'at', y: 'at' }, { stroke: INK, strokeDash: [4, 3] }),
      mark('symbol', 'points', { x: 'model', y: 'data' }, { size: 16, fill: DATA, fillOpacity: 0.8 }),
    ],
  });
}
