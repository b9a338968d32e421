/** How often two columns are extreme together, in data and model. */
import { z } from 'zod';

import type { TailCurves } from '../../metrics/dependence';
import {
  type ChartOptions,
  chartOptions,
  DATA,
  INK,
  MODEL,
  drawChart,
  gridAxis,
  mark,
  expectChartOptions,
  expectPictured,
} from './vega';

/** What `tailPlot` draws: two columns. */
export interface TailNumbers {
  /** Their names. */
  readonly columns: readonly [string, string];
  /**
   * At increasing levels q of each tail: P(both below their quantile q) / q (`lower`, q up to 1/2), P(both above it) /
   * (1 - q) (`upper`, from 1/2 on), with standard errors; see `tailCurves`.
   */
  readonly points: readonly {
    readonly tail: 'lower' | 'upper';
    readonly q: number;
    readonly data: number;
    readonly dataError: number;
    readonly model: number;
    readonly modelError: number;
  }[];
}

const numbersSchema = z.object({
  columns: z.tuple([z.string(), z.string()]),
  points: z
    .array(
      z.object({
        tail: z.enum(['lower', 'upper']),
        q: z.number(),
        data: z.number(),
        dataError: z.number(),
        model: z.number(),
        modelError: z.number(),
      }),
    )
    .min(1),
});

const LEVELS = [0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5] as const;
/** Levels with fewer rows beyond them say nothing. */
const LEAST_ROWS = 5;

/** Levels of both tails that so many rows allow, increasing. */
export function tailLevels(rows: number): number[] {
  const lower = LEVELS.filter((q) => q === 0.5 || q * rows >= LEAST_ROWS);
  // 1 - 0.07 is not the nearest number to 0.93
  const upper = lower.slice(0, -1).map((q) => Number((1 - q).toFixed(2)));
  return [...lower, ...upper.reverse()];
}

/** The curves of columns i and j. */
export function tailNumbers(data: TailCurves, model: TailCurves, i: number, j: number): TailNumbers {
  const { columns, names } = data.lower[0]!;
  const at = i * columns + j;
  const tails = ['lower', 'upper'] as const;
  return {
    columns: [names![i]!, names![j]!],
    points: tails.flatMap((tail) =>
      data.q.flatMap((q, k) =>
        (tail === 'lower' ? q <= 0.5 : q >= 0.5)
          ? {
              tail,
              q,
              data: data[tail][k]!.data[at]!,
              dataError: data[`${tail}Error`][k]!.data[at]!,
              model: model[tail][k]!.data[at]!,
              modelError: model[`${tail}Error`][k]!.data[at]!,
            }
          : [],
      ),
    ),
  };
}

const SIZE = { width: 260, height: 190 };

/**
 * The tail curves of two columns: lower tail left, upper tail right, levels q evenly spaced along the list. Bands reach
 * two standard errors to each side; the dashed line is that of independent columns.
 *
 * @returns an SVG document
 * @throws SklarError ERR_SKLAR_FILE when the optional package vega is not installed
 *
 * @example
 * ```ts
 * import { FamilyCopula, Table, tailPlot, fitJoint, report } from 'sklar';
 *
 * const table = Table.fromMatrix(await new FamilyCopula('frank', { theta: 5 }).sample(100));
 * const joint = await fitJoint(table, { copula: { kind: 'frank' } });
 * const { numbers } = await report(joint, table, { rows: 100, skip: ['comparison', 'certificate', 'pairs'] });
 * (await tailPlot(numbers.tails![0]!)).startsWith('<svg'); // => true
 * ```
 */
export async function tailPlot(numbers: TailNumbers, options: ChartOptions = {}): Promise<string> {
  options = expectChartOptions(options, 'tailPlot', chartOptions);
  const { columns, points } = expectPictured(numbersSchema, numbers, 'tailPlot');
  const levels = [...new Set(points.map(({ q }) => q))];
  const labelled = [levels[0]!, 0.1, 0.25, 0.5, 0.75, 0.9, levels.at(-1)!];
  // of columns with many equal values more rows may lie beyond a quantile
  const most = Math.max(1, ...points.flatMap(({ data, model }) => [data, model]));
  const { width, height } = SIZE;
  const inside = (value: number) => Math.max(0, Math.min(most, value));
  const rows = points.map(({ tail, q, data, dataError, model, modelError }) => ({
    tail,
    q,
    data,
    model,
    dataLow: inside(data - 2 * dataError),
    dataHigh: inside(data + 2 * dataError),
    modelLow: inside(model - 2 * modelError),
    modelHigh: inside(model + 2 * modelError),
    independent: tail === 'lower' ? q : 1 - q,
  }));
  const line = (dataset: string, field: string, stroke: string, strokeDash: number[]) =>
    mark(
      'line',
      dataset,
      { x: 'q', y: field },
      { stroke, strokeWidth: stroke === INK ? 1 : 1.75, strokeDash },
    );
  const band = (dataset: string, field: string, fill: string) =>
    mark('area', dataset, { x: 'q', y: `${field}Low`, y2: `${field}High` }, { fill, fillOpacity: 0.2 });
  return drawChart({
    description: `Tail curves of ${columns.join(' and ')}, data beside model`,
    title: options.title,
    legend: [
      ['data', DATA],
      ['model', MODEL],
      ['independent', INK],
    ],
    width,
    height,
    data: ['lower', 'upper'].map((tail) => ({ name: tail, values: rows.filter((row) => row.tail === tail) })),
    scales: [
      { name: 'x', type: 'point', domain: levels, range: [0, width] },
      { name: 'y', type: 'linear', domain: [0, most], range: [height, 0] },
    ],
    axes: [
      {
        orient: 'bottom',
        scale: 'x',
        values: [...new Set(labelled)].filter((q) => levels.includes(q)),
        format: '~g',
        title: 'quantile q',
      },
      gridAxis('both extreme, given one', { tickCount: 5 }),
    ],
    marks: ['lower', 'upper'].flatMap((tail) => [
      band(tail, 'data', DATA),
      band(tail, 'model', MODEL),
      line(tail, 'independent', INK, [4, 3]),
      line(tail, 'data', DATA, [1, 0]),
      line(tail, 'model', MODEL, [1, 0]),
    ]),
  });
}
