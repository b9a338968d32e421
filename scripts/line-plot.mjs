// Lines over logarithmic axes, drawn by Vega to SVG: transparent background, and colours that can be read on light and dark.
import { View, parse } from 'vega';

const INK = '#7a7f87';
const FONT = 'Helvetica, Arial, sans-serif';
const COLOURS = ['#2b7fc4', '#dd6f12', '#2e9e5b', '#a264c9', '#d6455b', '#9c7a3c', '#1f9aa6', '#d264a8', INK];
const SHAPES = ['circle', 'square', 'triangle-up', 'diamond', 'cross', 'triangle-down'];

const PANEL = { width: 330, height: 270 };
const LEFT = 66;
const GAP = 74;
const TOP = 34;
const LEGEND = 190;

const words = (text, x, y, { size = 11, weight = 'normal', fill = INK, align = 'left' } = {}) => ({
  type: 'text',
  encode: {
    enter: {
      x: { value: x },
      y: { value: y },
      text: { value: text },
      font: { value: FONT },
      fontSize: { value: size },
      fontWeight: { value: weight },
      fill: { value: fill },
      align: { value: align },
      baseline: { value: 'middle' },
    },
  },
});

/** How the series of a name look: the same in every panel. */
const styleOf = (names, dashed, name) => {
  const k = names.indexOf(name);
  return {
    colour: COLOURS[k % COLOURS.length],
    shape: SHAPES[k % SHAPES.length],
    dash: dashed.includes(name) ? [5, 3] : [1, 0],
  };
};

function line({ points }, { colour, shape, dash }, which) {
  const data = `points${which}`;
  const at = { x: { scale: 'x', field: 'x' }, y: { scale: 'y', field: 'y' } };
  const paint = { stroke: { value: colour }, strokeWidth: { value: 1.8 }, strokeDash: { value: dash } };
  return {
    data: { name: data, values: points },
    marks: [
      { type: 'line', aria: false, from: { data }, encode: { enter: { ...at, ...paint } } },
      {
        type: 'symbol',
        aria: false,
        from: { data },
        encode: {
          enter: { ...at, shape: { value: shape }, size: { value: 34 }, fill: { value: colour } },
        },
      },
    ],
  };
}

/** Powers of ten of the range of y, each second where there are many. */
function decades([low, high]) {
  const first = Math.ceil(Math.log10(low) - 1e-9);
  const last = Math.floor(Math.log10(high) + 1e-9);
  const each = last - first > 8 ? 2 : 1;
  return Array.from({ length: Math.floor((last - first) / each) + 1 }, (_, k) => 10 ** (first + k * each));
}

function panel({ title, yTitle, range, floor, series }, index, ticks, xTitle, style) {
  const lines = series.map((one, k) => line(one, style(one.name), k));
  const axis = {
    labelFont: FONT,
    titleFont: FONT,
    labelFontSize: 10,
    titleFontSize: 11,
    titleFontWeight: 'normal',
    labelColor: INK,
    titleColor: INK,
    tickColor: INK,
    domainColor: INK,
    gridColor: INK,
    gridOpacity: 0.22,
    grid: true,
  };
  const { width, height } = PANEL;
  return {
    type: 'group',
    encode: {
      enter: {
        x: { value: LEFT + index * (width + GAP) },
        y: { value: TOP },
        width: { value: width },
        height: { value: height },
      },
    },
    scales: [
      { name: 'x', type: 'log', domain: [ticks[0] * 0.85, ticks.at(-1) * 1.15], range: [0, width] },
      { name: 'y', type: 'log', domain: range, range: [height, 0] },
    ],
    axes: [
      { ...axis, orient: 'bottom', scale: 'x', gridScale: 'y', values: ticks, format: 'd', title: xTitle },
      {
        ...axis,
        orient: 'left',
        scale: 'y',
        gridScale: 'x',
        values: decades(range),
        title: yTitle,
        encode: { labels: { update: { text: { signal: "replace(format(datum.value, '.0e'), '+', '')" } } } },
      },
    ],
    marks: [
      words(title, 0, -14, { size: 12, weight: 'bold' }),
      {
        type: 'group',
        encode: { enter: { width: { value: width }, height: { value: height }, clip: { value: true } } },
        data: lines.map(({ data }) => data),
        marks: [
          ...(floor
            ? [
                {
                  type: 'rect',
                  encode: {
                    enter: {
                      x: { value: 0 },
                      x2: { value: width },
                      y: { scale: 'y', value: floor.y },
                      y2: { value: height },
                      fill: { value: INK },
                      fillOpacity: { value: 0.16 },
                    },
                  },
                },
                words(floor.text, width - 6, height - 10, { size: 10, align: 'right' }),
              ]
            : []),
          ...lines.flatMap(({ marks }) => marks),
        ],
      },
    ],
  };
}

/**
 * Panels side by side with one legend.
 *
 * @param panels { title, yTitle, range: [lowest, highest], floor?: { y, text }, series: [{ name, points: [{ x, y }] }] };
 *   what lies outside the range is cut off
 * @param dashed names of series drawn dashed
 * @returns an SVG document
 */
export async function linePlots({ title, panels, ticks, xTitle, dashed = [] }) {
  const names = [...new Set(panels.flatMap(({ series }) => series.map(({ name }) => name)))];
  const style = (name) => styleOf(names, dashed, name);
  const legendLeft = LEFT + panels.length * (PANEL.width + GAP) - GAP + 22;
  const spec = {
    $schema: 'https://vega.github.io/schema/vega/v6.json',
    description: title,
    width: legendLeft + LEGEND,
    height: TOP + PANEL.height + 40,
    padding: 6,
    marks: [
      ...panels.map((one, index) => panel(one, index, ticks, xTitle, style)),
      ...names.flatMap((name, k) => {
        const { colour, shape, dash } = style(name);
        const y = TOP + 10 + 20 * k;
        return [
          {
            type: 'rule',
            encode: {
              enter: {
                x: { value: legendLeft },
                x2: { value: legendLeft + 26 },
                y: { value: y },
                stroke: { value: colour },
                strokeWidth: { value: 1.8 },
                strokeDash: { value: dash },
              },
            },
          },
          {
            type: 'symbol',
            encode: {
              enter: {
                x: { value: legendLeft + 13 },
                y: { value: y },
                shape: { value: shape },
                size: { value: 34 },
                fill: { value: colour },
              },
            },
          },
          words(name, legendLeft + 33, y),
        ];
      }),
    ],
  };
  const view = new View(parse(spec), { renderer: 'none' });
  try {
    const svg = await view.toSVG();
    return `${svg.replace(/-?\d+\.\d{3,}/g, (number) => String(Number(Number(number).toFixed(2))))}\n`;
  } finally {
    view.finalize();
  }
}
