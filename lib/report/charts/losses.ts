/** How the losses of a training went. */
import { z } from 'zod';

import type { Copula } from '../../copulas/copula';
import { EnsembleCopula } from '../../copulas/kinds/ensemble';
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

/** What `lossPlot` draws: the training of one network. */
export interface LossNumbers {
  /** The step whose parameters were kept; null where none is named. */
  readonly bestStep: number | null;
  /** At each report of the training. */
  readonly points: readonly {
    readonly step: number;
    readonly loss: number;
    /** Of the validation rows at the latest look; null before the first. */
    readonly validationLoss: number | null;
  }[];
}

const lossesSchema = z
  .array(
    z.object({
      bestStep: z.number().nullable(),
      points: z
        .array(z.object({ step: z.number(), loss: z.number(), validationLoss: z.number().nullable() }))
        .min(1),
    }),
  )
  .min(1);

const recordSchema = z.object({
  bestStep: z.number().nullable().default(null),
  history: z
    .array(z.object({ step: z.number(), loss: z.number(), validationLoss: z.number().nullable() }))
    .min(2),
});

/** The history of every network of the model; none where the file holds none. */
export function lossNumbers(copula: Copula): LossNumbers[] {
  const networks = copula instanceof EnsembleCopula ? copula.members : [copula];
  return networks.flatMap((network) => {
    const { data } = recordSchema.safeParse(network.info().training);
    return data ? { bestStep: data.bestStep, points: data.history } : [];
  });
}

const SIZE = { width: 560, height: 240 };

/**
 * Training and validation loss over the steps, one pair of lines for each network; a vertical line marks the step whose
 * parameters were kept. The axis is logarithmic where the losses allow it and differ much.
 *
 * @param losses at least one network
 * @returns an SVG document
 * @throws SklarError ERR_SKLAR_FILE when the optional package vega is not installed
 *
 * @example
 * ```ts
 * import { lossPlot } from 'sklar';
 *
 * const points = [1, 2, 3].map((step) => ({ step, loss: 1 / step, validationLoss: null }));
 * (await lossPlot([{ bestStep: 3, points }])).startsWith('<svg'); // => true
 * ```
 */
export async function lossPlot(losses: readonly LossNumbers[], options: ChartOptions = {}): Promise<string> {
  options = expectChartOptions(options, 'lossPlot', chartOptions);
  losses = expectPictured(lossesSchema, losses, 'lossPlot');
  const { width, height } = SIZE;
  const series = losses.flatMap(({ points }, k) => [
    {
      name: `training${k}`,
      colour: DATA,
      values: points.map(({ step, loss: value }) => ({ step, value })),
    },
    {
      name: `validation${k}`,
      colour: MODEL,
      // a look that lasts until the next one is one point
      values: points.flatMap(({ step, validationLoss: value }, i) =>
        value === null || value === points[i - 1]?.validationLoss ? [] : { step, value },
      ),
    },
  ]);
  const values = series.flatMap((one) => one.values.map(({ value }) => value));
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const logarithmic = least > 0 && most > 8 * least;
  const pad = 0.04 * (most - least) || 0.5;
  const last = Math.max(...losses.map(({ points }) => points.at(-1)!.step));
  const marked = losses.flatMap(({ bestStep }) => (bestStep === null || bestStep > last ? [] : bestStep));
  return drawChart({
    description: `Training loss and validation loss over ${last} steps`,
    title: options.title,
    legend: [
      ['training', DATA],
      ['validation', MODEL],
      ...(marked.length > 0 ? ([['kept step', INK]] as const) : []),
    ],
    width,
    height,
    data: [
      ...series.map(({ name, values }) => ({ name, values })),
      { name: 'kept', values: marked.map((step) => ({ step })) },
    ],
    scales: [
      { name: 'x', type: 'linear', domain: [0, last], range: [0, width] },
      {
        name: 'y',
        type: logarithmic ? 'log' : 'linear',
        domain: logarithmic ? [least / 1.05, most * 1.05] : [least - pad, most + pad],
        range: [height, 0],
        zero: false,
      },
    ],
    axes: [
      { orient: 'bottom', scale: 'x', title: 'step', tickCount: 6, format: '~s' },
      gridAxis('loss', { tickCount: 5, format: '.3~g' }),
    ],
    marks: [
      mark(
        'rule',
        'kept',
        { x: 'step', y: { value: 0 }, y2: { value: height } },
        { stroke: INK, strokeDash: [4, 3] },
      ),
      ...series.flatMap(({ name, colour }) => [
        mark(
          'line',
          name,
          { x: 'step', y: 'value' },
          { stroke: colour, strokeWidth: 1.75, strokeOpacity: losses.length > 1 ? 0.6 : 1 },
        ),
        // looks at the validation rows are few
        mark('symbol', name, { x: 'step', y: 'value' }, { size: colour === MODEL ? 12 : 0, fill: colour }),
      ]),
    ],
  });
}
