/** Two columns in a panel: points of numbers, boxes of numbers by label, shares of labels by label. */
import type * as Vega from 'vega' with { 'resolution-mode': 'import' };

import { type Axis, tickAxis } from './axis';
import { shareText } from './text';
import { FONT, PAPER, PRINT, mark } from './vega';

/** How the marks of a table look. */
export interface Look {
  readonly size: number;
  readonly opacity: number;
  readonly colour: string;
}

/** A scale of places, from left to right or up; bands from the top down. */
export function scaleOf(name: 'x' | 'y', { domain, bands }: Axis, length: number): Vega.Scale {
  const up = name === 'y' && !bands;
  return { name, type: 'linear', domain: [...domain], range: up ? [length, 0] : [0, length], zero: false };
}

/** Labels of bands are turned where they stand side by side. */
export function axisOf({ ticks, bands }: Axis, side: 'x' | 'y'): Partial<Vega.Axis> {
  const turned = bands && side === 'x' ? { labelAngle: -35, labelAlign: 'right' as const } : {};
  return {
    ...tickAxis(ticks),
    ...(bands && {
      ticks: false,
      labelOverlap: false,
      labelBound: false,
      labelLimit: side === 'x' ? 60 : 90,
    }),
    ...turned,
  };
}

/** Bands of fewer rows stay empty. */
const LEAST_BOX = 5;
const BOX = [0.05, 0.25, 0.5, 0.75, 0.95] as const;

/**
 * Two columns in a panel: points of two lines; of two columns of bands cells, as dark as the share of a row of cells (of the vertical
 * column's bands) in the band below; boxes of a line for each band.
 */
export function panelMarks(
  [across, up]: readonly [Axis, Axis],
  which: number,
  { x, y, dataset }: { x: string; y: string; dataset: string },
  panel: number,
  { size, opacity, colour }: Look,
): { data: Vega.Data[]; marks: Vega.Mark[] } {
  const name = `${x}${y}${which}`;
  if (!across.bands && !up.bands) {
    return {
      data: [],
      marks: [mark('symbol', dataset, { x, y }, { size, fill: colour, fillOpacity: opacity })],
    };
  }
  const places = (axis: Axis) => Array.from(axis.values[which]!, axis.at);
  const [ofX, ofY] = [places(across), places(up)];
  if (across.bands && up.bands) {
    const cells = heatCells(ofX, ofY, across.bands.length, up.bands.length);
    const numbered = panel / Math.max(across.bands.length, 1) > 34 && panel / up.bands.length > 16;
    return {
      data: [{ name, values: cells }],
      marks: [
        mark('rect', name, { x: 'x', x2: { scale: 'x', field: 'x2' }, y: 'y', y2: 'y2' }, { fill: PAPER }),
        mark(
          'rect',
          name,
          {
            x: { scale: 'x', field: 'x', offset: 0.5 },
            x2: { scale: 'x', field: 'x2', offset: -0.5 },
            y: { scale: 'y', field: 'y', offset: 0.5 },
            y2: { scale: 'y', field: 'y2', offset: -0.5 },
            fillOpacity: { field: 'opacity' },
          },
          { fill: colour },
        ),
        ...(numbered
          ? [
              {
                type: 'text' as const,
                aria: false,
                from: { data: name },
                encode: {
                  enter: {
                    x: { scale: 'x', field: 'xMiddle' },
                    y: { scale: 'y', field: 'yMiddle' },
                    text: { field: 'text' },
                    font: { value: FONT },
                    fontSize: { value: 10.5 },
                    fill: { value: PRINT },
                    align: { value: 'center' as const },
                    baseline: { value: 'middle' as const },
                  },
                },
              },
            ]
          : []),
      ],
    };
  }
  // the band's axis, and that of the numbers
  const [band, line] = across.bands ? (['x', 'y'] as const) : (['y', 'x'] as const);
  const count = (across.bands ?? up.bands)!.length;
  const [bands, values] = across.bands ? [ofX, ofY] : [ofY, ofX];
  const boxes = Array.from({ length: count }, (_, k) => {
    const own = values.filter((value, i) => bands[i] === k && !Number.isNaN(value)).sort((a, b) => a - b);
    const [low, first, middle, third, high] = BOX.map(
      (q) => own[Math.min(own.length - 1, Math.floor(q * own.length))],
    );
    return own.length < LEAST_BOX
      ? []
      : [{ at: k, from: k - 0.32, to: k + 0.32, low, first, middle, third, high }];
  }).flat();
  const across2 = `${band}2` as const;
  const along2 = `${line}2` as const;
  return {
    data: [{ name, values: boxes }],
    marks: [
      mark(
        'rule',
        name,
        { [band]: 'at', [line]: 'low', [along2]: { scale: line, field: 'high' } },
        { stroke: colour, strokeWidth: 1.25 },
      ),
      mark(
        'rect',
        name,
        {
          [band]: 'from',
          [across2]: { scale: band, field: 'to' },
          [line]: 'first',
          [along2]: { scale: line, field: 'third' },
        },
        { fill: colour, fillOpacity: 0.45 },
      ),
      mark(
        'rule',
        name,
        {
          [band]: 'from',
          [across2]: { scale: band, field: 'to' },
          [line]: 'middle',
        },
        { stroke: colour, strokeWidth: 2.5 },
      ),
    ],
  };
}

/** The shares of the second column's bands within each band of the first; NaN are left out. */
function heatCells(x: readonly number[], y: readonly number[], across: number, up: number): object[] {
  const counts = new Float64Array(across * up);
  const rows = new Float64Array(across);
  x.forEach((at, i) => {
    if (Number.isNaN(at) || Number.isNaN(y[i])) return;
    counts[at * up + y[i]!]! += 1;
    rows[at]! += 1;
  });
  return Array.from(counts, (count, k) => {
    const [at, above] = [Math.floor(k / up), k % up];
    const share = rows[at]! < LEAST_BOX ? 0 : count / rows[at]!;
    return {
      x: at - 0.5,
      x2: at + 0.5,
      y: above - 0.5,
      y2: above + 0.5,
      xMiddle: at,
      yMiddle: above,
      opacity: 0.72 * share,
      text: rows[at]! < LEAST_BOX ? '' : shareText(share),
    };
  });
}
