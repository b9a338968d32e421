/** Where the cells of a column stand in a picture: on a line of numbers or dates, or in bands, one for each label. */
import type * as Vega from 'vega' with { 'resolution-mode': 'import' };
import { z } from 'zod';

import { type ColumnType, cellText, labelsOf } from '../../data/columns/column-type';
import { Generator, shuffle } from '../../data/random';
import type { Table } from '../../data/table';
import { SklarError, describe } from '../../errors';
import { printable, shorten, tickText } from './text';
import { drawable } from './vega';
import { toDigits } from '../../notes';

/** A line that values stand on. */
export interface AxisScale {
  /** `asinh`: of (value - centre) / unit, which is linear near the centre and logarithmic far from it, on both sides. */
  readonly scale: 'linear' | 'logarithmic' | 'asinh';
  readonly centre: number;
  readonly unit: number;
  /** Days since 1970-01-01, seconds of a day, or seconds since 1970-01-01; default numbers. */
  readonly holds: 'number' | 'date' | 'time' | 'timestamp';
}

export const axisScaleSchema = z.object({
  scale: z.enum(['linear', 'logarithmic', 'asinh']),
  centre: z.number(),
  unit: z.number().positive(),
  holds: z.enum(['number', 'date', 'time', 'timestamp']),
});

/** A place on an axis that is named. */
export interface Tick {
  readonly at: number;
  readonly label: string;
}

/** The axis of a column of two tables. */
export interface Axis {
  readonly name: string;
  readonly values: readonly [Float64Array, Float64Array];
  /** The place of a value, NaN of a missing one; bands are 0, 1, ... */
  readonly at: (value: number) => number;
  readonly domain: readonly [number, number];
  readonly ticks: readonly Tick[];
  /** What the bands are; null: it is a line. */
  readonly bands: readonly string[] | null;
  /** Null of bands. */
  readonly line: AxisScale | null;
  /** Bounds of the bins of a histogram, as places. */
  readonly edges: readonly number[];
}

/** A range beyond so many interquartile ranges is one of heavy tails: of normal numbers it is 6 in 10,000 rows, of exponential ones 9. */
const HEAVY = 15;
const BINS = 24;
const LONGEST_LABEL = 24;

const LARGEST = Number.MAX_VALUE;

/** The place of a value on a line, and back. */
export function placeOf({ scale, centre, unit }: AxisScale): {
  at: (value: number) => number;
  back: (place: number) => number;
} {
  switch (scale) {
    case 'linear':
      return { at: (value) => value, back: (place) => place };
    case 'logarithmic':
      return { at: Math.log, back: Math.exp };
    case 'asinh':
      return {
        at: (value) => {
          const far = value - centre;
          return Math.asinh(Number.isFinite(far) ? far / unit : value / unit - centre / unit);
        },
        back: (place) => Math.max(-LARGEST, Math.min(LARGEST, centre + unit * Math.sinh(place))),
      };
  }
}

/** Finite numbers of both tables, in order. @throws SklarError ERR_SKLAR_VALUE */
function drawnValues(
  name: string,
  values: readonly [Float64Array, Float64Array],
  labels: readonly [string, string],
  logarithmic: boolean,
  missing: boolean,
): Float64Array {
  values.forEach((column, side) => {
    const bad = column.findIndex((value) =>
      Number.isNaN(value) ? !missing : Math.abs(value) === Infinity || (logarithmic && value <= 0),
    );
    if (bad < 0) return;
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      `expected finite numbers${logarithmic ? ' above 0' : ''} to draw, got ${column[bad]} ` +
        `(column ${describe(name)}, row ${bad + 1} of ${describe(labels[side])})`,
    );
  });
  const all = new Float64Array(values[0].length + values[1].length);
  all.set(values[0]);
  all.set(values[1], values[0].length);
  return all.filter((value) => !Number.isNaN(value)).sort();
}

/** The line that shows these values, in order: one with heavy tails bent, so that the others do not end in a corner. */
export function lineOf(sorted: Float64Array, type: ColumnType, logarithmic: boolean): AxisScale {
  const holds =
    type.type === 'date' || type.type === 'time' || type.type === 'timestamp' ? type.type : 'number';
  const linear = { scale: 'linear', centre: 0, unit: 1, holds } as const;
  if (logarithmic) return { ...linear, scale: 'logarithmic' };
  const n = sorted.length;
  if (n === 0 || holds !== 'number') return linear;
  const quantile = (q: number) => sorted[Math.min(n - 1, Math.floor(q * n))]!;
  const unit = quantile(0.75) - quantile(0.25);
  const range = sorted[n - 1]! - sorted[0]!;
  const heavy = unit > 0 && range > HEAVY * unit;
  // a double does not hold how wide the line is
  if (range === Infinity && !heavy) return { ...linear, scale: 'asinh', unit: LARGEST / 2 };
  return heavy ? { ...linear, scale: 'asinh', centre: quantile(0.5), unit } : linear;
}

/** Rows beyond the bands of a column of counts, at most; they are one band. */
const REST = 0.03;

/** Labels, or values where they are few and recur; null: a line. At most so many: rare labels, and the greatest of counts, are one. */
export function bandsOf(
  type: ColumnType,
  sorted: Float64Array,
  most: number,
): { labels: string[]; bandOf: (value: number) => number } | null {
  const labels = labelsOf(type);
  const counts = new Map<number, number>();
  for (const value of sorted) {
    counts.set(value, (counts.get(value) ?? 0) + 1);
    if (counts.size > 4 * most && !labels) return null;
  }
  if (!labels && (5 * counts.size > sorted.length || /^(?:date|time)/.test(type.type))) return null;
  const values = [...counts.keys()];
  const frequent = labels ? values.toSorted((a, b) => counts.get(b)! - counts.get(a)! || a - b) : values;
  const kept = values.length > most ? frequent.slice(0, most - 1).sort((a, b) => a - b) : values;
  const places = new Map(kept.map((value, k) => [value, k]));
  const left = values.length - kept.length;
  const beyond = sorted.length - kept.reduce((sum, value) => sum + counts.get(value)!, 0);
  if (!labels && left > 0 && (type.type !== 'integer' || beyond > REST * sorted.length)) return null;
  const label = (value: number) => (labels ? printable(cellText(type, value)) : tickText(value));
  return {
    labels: [
      ...kept.map(label),
      ...(left === 0 ? [] : [labels ? `${left} others` : `${tickText(values[most - 1]!)} or more`]),
    ],
    bandOf: (value) => (Number.isNaN(value) ? NaN : (places.get(value) ?? kept.length)),
  };
}

export interface AxisOptions {
  readonly logarithmic: boolean;
  /** Whether cells may be missing. */
  readonly missing: boolean;
  /** Bands at most. */
  readonly bands: number;
  /** About so many on a line. */
  readonly ticks: number;
}

/** @throws SklarError ERR_SKLAR_VALUE for values that cannot be drawn */
export function describeAxis(
  name: string,
  tables: readonly [Table, Table],
  labels: readonly [string, string],
  { logarithmic, missing, bands: most, ticks }: AxisOptions,
): Axis {
  const values = [tables[0].column(name), tables[1].column(name)] as const;
  const type = tables[0].type(name);
  const sorted = drawnValues(name, values, labels, logarithmic, missing);
  const bands = logarithmic ? null : bandsOf(type, sorted, most);
  const shared = { name: printable(name), values };
  if (bands) {
    const count = bands.labels.length;
    return {
      ...shared,
      at: bands.bandOf,
      domain: [-0.5, count - 0.5],
      ticks: bands.labels.map((label, at) => ({ at, label: shorten(label, LONGEST_LABEL) })),
      bands: bands.labels,
      line: null,
      edges: Array.from({ length: count + 1 }, (_, k) => k - 0.5),
    };
  }
  const line = lineOf(sorted, type, logarithmic);
  const { at } = placeOf(line);
  const [low, high] = sorted.length > 0 ? [at(sorted[0]!), at(sorted.at(-1)!)] : [0, 1];
  const edges = binEdges(
    low,
    high,
    line.scale === 'linear' && tables.every((table) => table.kind(name) === 'integer'),
  );
  const domain = padded(Math.min(low, edges[0]!), Math.max(high, edges.at(-1)!));
  return { ...shared, at, domain, ticks: ticksOf(line, domain, ticks), bands: null, line, edges };
}

/** A little more than what is to be shown. */
export function padded(low: number, high: number): [number, number] {
  const pad = 0.03 * (high - low) || 0.5 * Math.max(Math.abs(low), 1);
  return [low - pad, high + pad];
}

/** Bounds of about 24 bins; bins of a column of integers hold the same number of integers each. */
export function binEdges(low: number, high: number, integer: boolean): number[] {
  if (high === low) return [low - 0.5, low + 0.5];
  if (!integer) return Array.from({ length: BINS + 1 }, (_, k) => low + (k / BINS) * (high - low));
  const width = Math.max(1, Math.ceil((high - low + 1) / BINS));
  const count = Math.ceil((high - low + 1) / width);
  return Array.from({ length: count + 1 }, (_, k) => low - 0.5 + k * width);
}

/** The share of `rows` in each bin; those beyond are counted in the outermost, NaN in none. */
export function histogram(places: Iterable<number>, edges: readonly number[], rows: number): number[] {
  const counts = new Array<number>(edges.length - 1).fill(0);
  const low = edges[0]!;
  const scale = counts.length / (edges.at(-1)! - low);
  for (const place of places) {
    if (Number.isNaN(place)) continue;
    counts[Math.max(0, Math.min(counts.length - 1, Math.floor((place - low) * scale)))]! += 1;
  }
  return counts.map((count) => count / Math.max(1, rows));
}

/** About so many round values on a line, at their places. */
export function ticksOf(line: AxisScale, [low, high]: readonly [number, number], count: number): Tick[] {
  const { at, back } = placeOf(line);
  if (line.holds !== 'number') return calendarTicks(line.holds, low, high, count);
  if (line.scale === 'linear')
    return roundValues(low, high, count).map((x) => ({ at: x, label: tickText(x) }));
  const [least, most] = [back(low), back(high)];
  const powers = Array.from({ length: 41 }, (_, k) => 10 ** (k - 20));
  const candidates = [
    0,
    ...powers.flatMap((x) => [x, -x]).sort((a, b) => Math.abs(b) - Math.abs(a)),
    ...powers.flatMap((x) => [5 * x, -5 * x, 2 * x, -2 * x]),
    ...roundValues(least, most, count),
    ...roundValues(back(low + 0.25 * (high - low)), back(low + 0.75 * (high - low)), 3),
  ].filter((x) => Number.isFinite(x) && x >= least && x <= most);
  const found: Tick[] = [];
  const apart = (high - low) / (1.4 * count);
  for (const x of candidates) {
    const place = at(x);
    if (found.length > 1.5 * count || found.some((tick) => Math.abs(tick.at - place) < apart)) continue;
    found.push({ at: place, label: tickText(x) });
  }
  return found.sort((a, b) => a.at - b.at);
}

/** Multiples of 1, 2 or 5 times a power of ten. */
function roundValues(low: number, high: number, count: number): number[] {
  const parts = Math.max(1, count);
  const rough = high / parts - low / parts;
  if (!(rough > 0) || !Number.isFinite(rough)) return Number.isFinite(low) ? [low] : [];
  const power = 10 ** Math.floor(Math.log10(rough));
  // the nearest of them, as ratios go
  const times = rough / power;
  const step = power * (times > Math.sqrt(50) ? 10 : times > Math.sqrt(10) ? 5 : times > Math.SQRT2 ? 2 : 1);
  const first = Math.ceil(low / step);
  const number = Math.floor(high / step) - first + 1;
  // by the step's own digits: 3 x 0.1 is not 0.3
  return Array.from({ length: Math.min(50, number) }, (_, k) => toDigits((first + k) * step, 12));
}

const DAY = 86_400;
/** Seconds, and months of those that are not all equally long. */
const CALENDAR_STEPS: readonly (readonly [seconds: number, months: number])[] = [
  ...[1, 5, 15, 60, 300, 900, 1800, 3600, 10_800, 21_600, 43_200, DAY, 2 * DAY, 7 * DAY, 14 * DAY].map(
    (seconds) => [seconds, 0] as const,
  ),
  ...[1, 3, 6, 12, 24, 60, 120, 240, 600, 1200, 6000].map(
    (months) => [months * 30.44 * DAY, months] as const,
  ),
];

function calendarTicks(
  holds: 'date' | 'time' | 'timestamp',
  low: number,
  high: number,
  count: number,
): Tick[] {
  const unit = holds === 'date' ? DAY : 1;
  const [from, to] = [low * unit, high * unit];
  // beyond what a calendar has
  if (!(Math.max(-from, to) < 8e12)) return [];
  const least = holds === 'date' ? DAY : 1;
  const steps = CALENDAR_STEPS.filter(([seconds]) => seconds >= least);
  const [seconds, months] = steps.find(([one]) => (to - from) / one <= count) ?? steps.at(-1)!;
  const text = (at: number) => {
    const iso = new Date(1000 * at).toISOString();
    if (holds === 'time') return iso.slice(11, seconds < 60 ? 19 : 16);
    if (months > 0) return iso.slice(0, months >= 12 ? 4 : 7);
    return seconds >= DAY ? iso.slice(0, 10) : `${iso.slice(5, 10)} ${iso.slice(11, seconds < 60 ? 19 : 16)}`;
  };
  const places: number[] = [];
  if (months > 0) {
    const start = new Date(1000 * from);
    const first = Math.floor((12 * start.getUTCFullYear() + start.getUTCMonth()) / months) * months;
    for (let month = first; places.length < 60; month += months) {
      const at = new Date(0).setUTCFullYear(Math.floor(month / 12), month % 12, 1) / 1000;
      if (at > to || !Number.isFinite(at)) break;
      if (at >= from) places.push(at);
    }
  } else {
    for (let k = Math.ceil(from / seconds); k * seconds <= to; k++) places.push(k * seconds);
  }
  return places.map((at) => ({ at: at / unit, label: text(at) }));
}

/** The numbers of `count` rows at random, but the same in every run. */
export function chooseRows(rows: number, count: number): Uint32Array {
  const order = Uint32Array.from({ length: rows }, (_, i) => i);
  if (count < rows) shuffle(order, 0, rows, new Generator(rows, count));
  return order.subarray(0, count);
}

/** A text as an expression of Vega. */
const quoted = (text: string) =>
  JSON.stringify(drawable(text)).replace(
    /[^\x20-\x7e]/g,
    (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );

/** The ticks for an axis of Vega. */
export function tickAxis(ticks: readonly Tick[]): Partial<Vega.Axis> {
  const places = ticks.map(({ at }) => at);
  const labels = ticks.map(({ label }) => quoted(label)).join(',');
  const text = { signal: `[${labels}][indexof([${places.join(',')}], datum.value)]` };
  return { values: places, encode: { labels: { update: { text } } } };
}
