/** Are rows like those before them? */
import { describe } from '../errors';
import type { Note } from '../notes';
import { type Table, expectTable } from './table';

/** What shows that rows depend on those before them. */
export interface SerialDependence {
  /** The column where it is strongest. */
  readonly column: string;
  /** Rows between. */
  readonly lag: number;
  /** Of the normal scores, or of how far they are from 0. */
  readonly autocorrelation: number;
  /** `sizes`: values are large when those before were, whatever their signs, as returns are. */
  readonly of: 'values' | 'sizes';
  /** A column that the rows are sorted by; null: there is none. */
  readonly sortedBy: string | null;
  /** Whether that is one of dates. */
  readonly inTime: boolean;
}

/** Rows that are looked at, from the first. */
const MOST_ROWS = 50_000;
const MOST_LAGS = 10;
/** Autocorrelations below this leave a held-out row next to nothing of its neighbours. */
const LEAST = 0.1;
/** The chance of a false alarm for independent rows. */
const LEVEL = 1e-3;

/**
 * Whether rows depend on those before them: the strongest autocorrelation at lags 1 to 10 of the normal scores of each column, and of
 * their distances from 0, where it is beyond what independent rows show (level 0.001 for all columns and lags together) and at least 0.1, so
 * that many rows do not make much of little. Columns of dates are left out; one by which rows are sorted is named. Rows that are
 * sorted by any column are alike in this sense, without an order in time.
 *
 * @returns null: none is seen
 *
 * @example
 * ```ts
 * import { Table, serialDependence } from 'sklar';
 *
 * const day = Array.from({ length: 200 }, (_, i) => i);
 * const table = Table.fromColumns({ warmth: day.map((i) => Math.sin(i / 20)), dice: day.map((i) => (i * 7919) % 211) });
 * serialDependence(table)?.column; // => 'warmth'
 * ```
 */
export function serialDependence(table: Table): SerialDependence | null {
  const rows = Math.min(expectTable(table, 'serialDependence').rows, MOST_ROWS);
  const lags = Math.min(MOST_LAGS, Math.floor(rows / 10));
  const isDate = (name: string) => /^(?:date|timestamp)$/.test(table.type(name).type);
  const looked = table.names.filter((name) => !isDate(name) && table.type(name).type !== 'id');
  let best: Omit<SerialDependence, 'sortedBy' | 'inTime'> | null = null;
  for (const column of looked) {
    const scores = normalScores(table.column(column).subarray(0, rows));
    for (const of of ['values', 'sizes'] as const) {
      const series = of === 'values' ? scores : centred(scores.map(Math.abs));
      for (let lag = 1; lag <= lags; lag++) {
        const { r, pairs } = autocorrelation(series, lag);
        const x = Math.abs(r) * Math.sqrt(pairs);
        // twice the normal tail is below this (Mills)
        const p = x > 1 ? (2 * Math.exp((-x * x) / 2)) / (x * Math.sqrt(2 * Math.PI)) : 1;
        if (Math.abs(r) < LEAST || p * 2 * looked.length * lags > LEVEL) continue;
        if (!best || Math.abs(r) > Math.abs(best.autocorrelation) + 1e-9)
          best = { column, lag, autocorrelation: r, of };
      }
    }
  }
  if (!best) return null;
  const sorted = table.names.filter((name) => isSorted(table.column(name).subarray(0, rows)));
  const date = sorted.find(isDate);
  return { ...best, sortedBy: date ?? sorted[0] ?? null, inTime: date !== undefined };
}

function likeWords({ column, lag, autocorrelation: r, of }: SerialDependence): string {
  return `rows are like those before them (${of === 'values' ? '' : 'sizes of '}${describe(column)}: autocorrelation ${r.toFixed(2)} at lag ${lag})`;
}

/** What it means for standard errors and p-values of a comparison. */
export function dependentRowsNote(found: SerialDependence): Note {
  const { column, sortedBy, inTime } = found;
  const sorted = sortedBy === null || inTime ? '' : `, since they are sorted by ${describe(sortedBy)}`;
  const message =
    `${likeWords(found)}${sorted}: p-values and standard errors are those of independent rows` +
    (sorted === '' ? ', and are too small where rows depend on each other' : ', which sorted rows may be');
  return { code: 'order', columns: [column], message };
}

/** What the dependence of rows means for rows that are held out at random. */
export function serialNote(found: SerialDependence): Note {
  const { column, sortedBy, inTime } = found;
  const like = likeWords(found);
  const flatters =
    'those held out at random have neighbours among those learned from, which flatters the model';
  const instead = 'with split: "time" the last rows are held out, with split: "blocks" whole stretches';
  const message = inTime
    ? `rows are in the order of ${sortedBy === null ? 'time' : describe(sortedBy)}, and ${like}: ${flatters}; ${instead}`
    : sortedBy === null
      ? `${like}: if their order is one in time, ${flatters}; ${instead}`
      : `rows are sorted by ${describe(sortedBy)}, so that ${like}: nothing is wrong with that unless it is an order in time; then ${flatters}; ${instead}`;
  return { code: 'order', columns: [column], message };
}

/** Van der Waerden scores of the cells that are there, equal ones with their mean rank, with mean 0; NaN where a cell is missing. */
function normalScores(values: Float64Array): Float64Array {
  const order = Uint32Array.from(values.keys())
    .filter((i) => !Number.isNaN(values[i]))
    .sort((a, b) => values[a]! - values[b]!);
  const scores = new Float64Array(values.length).fill(NaN);
  for (let from = 0, to: number; from < order.length; from = to) {
    to = from + 1;
    while (to < order.length && values[order[to]!] === values[order[from]!]) to++;
    const score = quantile((from + to) / 2 / order.length);
    for (let k = from; k < to; k++) scores[order[k]!] = score;
  }
  return centred(scores);
}

/** Of the standard normal law, to 5e-4, which ranks do not need to be better (Abramowitz and Stegun, 26.2.23). */
function quantile(u: number): number {
  const t = Math.sqrt(-2 * Math.log(Math.min(u, 1 - u)));
  const z =
    t -
    (2.515517 + 0.802853 * t + 0.010328 * t * t) /
      (1 + 1.432788 * t + 0.189269 * t * t + 0.001308 * t * t * t);
  return u < 0.5 ? -z : z;
}

function centred(values: Float64Array): Float64Array {
  let [sum, count] = [0, 0];
  for (const value of values) if (!Number.isNaN(value)) [sum, count] = [sum + value, count + 1];
  return values.map((value) => value - sum / count);
}

/** Over the pairs of rows that both have a cell. */
function autocorrelation(series: Float64Array, lag: number): { r: number; pairs: number } {
  let [squares, cells, products, pairs] = [0, 0, 0, 0];
  for (let i = 0; i < series.length; i++) {
    const value = series[i]!;
    if (Number.isNaN(value)) continue;
    squares += value * value;
    cells++;
    const before = i >= lag ? series[i - lag]! : NaN;
    if (Number.isNaN(before)) continue;
    products += value * before;
    pairs++;
  }
  // of few missing cells nothing changes; where pairs are fewer, their mean is what counts
  const r = squares > 1e-12 * cells && pairs > 0 ? products / pairs / (squares / cells) : 0;
  return { r, pairs };
}

/** Whether cells never fall, or never rise, and change more often than once. */
function isSorted(values: Float64Array): boolean {
  let [rises, falls, last] = [0, 0, NaN];
  for (const value of values) {
    if (Number.isNaN(value)) continue;
    if (value > last) rises++;
    else if (value < last) falls++;
    last = value;
  }
  return Math.min(rises, falls) === 0 && Math.max(rises, falls) > 1;
}
