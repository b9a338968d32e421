/** What all pictures have in common: Vega, loaded when first needed, colours, the frame of a chart, the way to SVG. */
import type * as Vega from 'vega' with { 'resolution-mode': 'import' };
import type * as VegaInterpreter from 'vega-interpreter' with { 'resolution-mode': 'import' };

import type { z } from 'zod';

import { type OptionNames, SklarError, describe, expectOptions, expectText } from '../../errors';
import { escapeText, printable } from './text';

// Pairs that colour-blind people can tell apart, and a grey; each can be read on white and on black. A page that knows its
// ground may take other shades: `svg [fill="#2b7fc4"] { fill: ... }`.
export const DATA = '#2b7fc4';
export const MODEL = '#dd6f12';
export const POSITIVE = '#2e9e5b';
export const NEGATIVE = '#9a5fc9';
export const INK = '#7a7f87';
/** The ground of a heat map, and the numbers on it. */
export const PAPER = '#f6f7f9';
export const PRINT = '#1f2328';

export const FONT = 'Helvetica, Arial, sans-serif';

type Interpreter = typeof VegaInterpreter.expressionInterpreter;

/** @throws SklarError ERR_SKLAR_FILE when an optional package is not installed */
export async function loadVega(): Promise<typeof Vega & { expressionInterpreter: Interpreter }> {
  try {
    const vega = await import('vega');
    const { expressionInterpreter } = await import('vega-interpreter');
    return { ...vega, expressionInterpreter };
  } catch (cause) {
    throw new SklarError(
      'ERR_SKLAR_FILE',
      'cannot draw a picture: pictures are drawn by the optional packages vega and vega-interpreter, which are not ' +
        'installed or do not load here; run `npm install vega vega-interpreter`',
      { cause },
    );
  }
}

/** An SVG document that says to screen readers what `spec.description` says. */
export async function drawSvg(spec: Vega.Spec & { description: string }): Promise<string> {
  const { View, parse, expressionInterpreter } = await loadVega();
  // expressions are interpreted: as code they would need eval, which a process may forbid
  const runtime = parse(spec, undefined, { ast: true });
  const view = new View(runtime, { renderer: 'none', expr: expressionInterpreter });
  try {
    const label = escapeText(spec.description);
    return shortenNumbers(await view.toSVG()).replace(
      /^<svg /,
      () => `<svg role="img" aria-label="${label}" `,
    );
  } finally {
    view.finalize();
  }
}

/** Positions to a hundredth of a pixel: the file becomes a third of its size. */
function shortenNumbers(svg: string): string {
  return svg.replace(/(translate\(|\bd=")[^)"]*/g, (attribute) =>
    attribute.replace(/-?\d+\.\d{3,}/g, (number) => String(Number(Number(number).toFixed(2)))),
  );
}

/** A text that Vega takes as it is: `constructor` and its like it mistakes for names of its own. */
export function drawable(text: string): string {
  const plain = printable(text);
  return plain in {} ? `${plain}\u200b` : plain;
}

/** A channel of a mark that is no position of a field on its scale: as Vega takes it. */
type Channel = string | { readonly [name: string]: unknown };

/** Marks of the rows of a dataset: the fields that are their positions on the scales x and y, and how they look. */
export function mark(
  type: 'area' | 'line' | 'rect' | 'rule' | 'symbol',
  data: string,
  at: Partial<Record<'x' | 'x2' | 'y' | 'y2' | 'fillOpacity', Channel>>,
  look: Readonly<Record<string, unknown>>,
): Vega.Mark {
  const positions = Object.entries(at).map(([channel, field]) => [
    channel,
    typeof field === 'string' ? { scale: channel[0], field } : field,
  ]);
  const values = Object.entries(look).map(([channel, value]) => [channel, { value }]);
  const enter = Object.fromEntries([...positions, ...values]) as object;
  return { type, aria: false, from: { data }, encode: { enter } } as Vega.Mark;
}

/** The axis on the left, of which its grid alone is drawn. */
export function gridAxis(title: string, more: Partial<Vega.Axis>): Vega.Axis {
  return { orient: 'left', scale: 'y', title, grid: true, domain: false, ticks: false, ...more };
}

export interface WordsOptions {
  size?: number;
  weight?: 'normal' | 'bold';
  fill?: string;
  align?: 'left' | 'center' | 'right';
  /** Pixels after which the text is cut off. */
  limit?: number;
}

/** A text mark. */
export function words(
  text: string,
  x: number,
  y: number,
  { size = 11, weight = 'normal', fill = INK, align = 'left', limit }: WordsOptions = {},
): Vega.Mark {
  return {
    type: 'text',
    encode: {
      enter: {
        x: { value: x },
        y: { value: y },
        text: { value: drawable(text) },
        font: { value: FONT },
        fontSize: { value: size },
        fontWeight: { value: weight },
        fill: { value: fill },
        align: { value: align },
        ...(limit !== undefined && { limit: { value: limit } }),
      },
    },
  };
}

/** What stands above a picture. */
export interface ChartOptions {
  /** A line above the picture; default none. */
  readonly title?: string | undefined;
}

export const chartOptions: OptionNames<ChartOptions> = { title: true };

/** Checks the options of a picture, and `title` among them. @throws SklarError ERR_SKLAR_VALUE */
export function expectChartOptions<T extends ChartOptions>(
  options: T,
  name: string,
  known: OptionNames<T> | OptionNames<ChartOptions>,
): T {
  options = expectOptions(options, name, known);
  if (options.title !== undefined) expectText(options.title, 'title');
  return options;
}

/** Checks the numbers that a picture is drawn from. @throws SklarError ERR_SKLAR_VALUE naming what is none of them */
export function expectPictured<T>(schema: z.ZodType<T>, numbers: T, name: string): T {
  const parsed = schema.safeParse(numbers);
  if (parsed.success) return parsed.data;
  const { path, message } = parsed.error.issues[0]!;
  throw new SklarError(
    'ERR_SKLAR_VALUE',
    `expected the numbers of a report for ${name}, got ${describe(numbers)} (${[...path.map(String), message].join(': ')})`,
  );
}

/** One panel with axes. */
export interface Chart extends Pick<Vega.Spec, 'scales' | 'axes' | 'marks'> {
  readonly data: readonly { readonly name: string; readonly values: readonly object[] }[];
  /** What it shows, for screen readers. */
  readonly description: string;
  readonly title: string | undefined;
  readonly width: number;
  readonly height: number;
  /** Room around the panel, where Vega's guess at the widths of texts would leave too much. */
  readonly padding?: {
    readonly left: number;
    readonly right: number;
    readonly top: number;
    readonly bottom: number;
  };
  /** What the colours mean: squares above the panel; a legend of its own has 24 pixels there. */
  readonly legend: readonly (readonly [label: string, colour: string])[];
}

export function drawChart({ description, title, legend, data, padding, ...panel }: Chart): Promise<string> {
  let x = 0;
  const keys = legend.flatMap(([label, colour]): Vega.Mark[] => {
    const left = x;
    // no font is measured here: a letter is about half as wide as it is high
    x += 30 + 5.8 * label.length;
    return [
      {
        type: 'symbol',
        encode: {
          enter: {
            x: { value: left + 5 },
            y: { value: -15 },
            size: { value: 64 },
            shape: { value: 'square' },
            fill: { value: colour },
          },
        },
      },
      words(label, left + 14, -11),
    ];
  });
  return drawSvg({
    $schema: 'https://vega.github.io/schema/vega/v6.json',
    ...panel,
    // Vega writes into the rows that it is given
    data: data.map(({ name, values }) => ({
      name,
      values: values.map((row) => ({ ...row })),
    })),
    description,
    padding: padding ?? 6,
    autosize: padding ? 'none' : 'pad',
    config: {
      axis: {
        labelFont: FONT,
        titleFont: FONT,
        labelFontSize: 11,
        titleFontSize: 11,
        titleFontWeight: 'normal',
        labelColor: INK,
        titleColor: INK,
        tickColor: INK,
        domainColor: INK,
        gridColor: INK,
        gridOpacity: 0.2,
        tickSize: 4,
        labelPadding: 4,
        labelOverlap: 'greedy',
        labelSeparation: 6,
        titleLimit: panel.width,
      },
    },
    marks: [
      ...(title === undefined
        ? []
        : [words(title, 0, -32, { size: 14, weight: 'bold', limit: panel.width })]),
      ...keys,
      ...(panel.marks ?? []),
    ],
  });
}
