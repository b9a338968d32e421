import type { MarginSupport } from './margin';
import { type SortedColumn } from './sorted';

/** The range of a column, and which ends of it were inferred from values that stop there. */
export interface InferredSupport {
  readonly support: MarginSupport;
  /** For each end: values that stop short of it, and within which distance; null where nothing was inferred. */
  readonly evidence: readonly [Evidence | null, Evidence | null];
}

export interface Evidence {
  readonly rows: number;
  readonly within: number;
}

/** With fewer rows no end is plain. */
const FEWEST_ROWS = 16;
/** Numbers as round as the end are this many times further apart than values at such an end are from it. */
const ROUND = 10;
/** Of the expected number of values between the end and the greatest one, what is exceeded with a probability below 1 %. */
const FURTHEST = 5;
/** What normal values exceed with a probability of 0.005, and of 0.05 (on both sides: 0.0025); see `inferSupport`. */
const PLAIN = 1.08;
const PLAIN_TOGETHER = 0.86;
/** Limits that are round though not in the decimal system: of hours, minutes and angles. */
const STEPS = [12, 24, 60, 90, 180, 360, Math.PI / 2, Math.PI, 2 * Math.PI];

/**
 * The range that the values of a column make plain.
 *
 * An end L above is inferred where both are so:
 *
 * - The density does not fade before L. Of the k = min(n / 2, 3 sqrt(n)) greatest values the mean of (x - u) / (L - u), with u
 *   the next smaller one, is 1/2 where the density is constant up to L, 1 / (1 + a) where it falls as (L - x)^(a - 1); of
 *   normal values with a maximum at L it is less than 0.17 + 1.08 n^(-1/4) with a probability of 0.995, and than
 *   0.17 + 0.86 n^(-1/4) with one of 0.95, which is enough where both ends are so.
 * - L is round and near: L is a multiple of 1, 2 or 5 times a power of ten, of 12, 24, 60, 90, 180, 360 or pi / 2, these multiples being at
 *   least 10 times as far apart as the maximum would be from an end there, (5 / k)^(1 / a) (L - u) at most.
 *
 * Below likewise. Otherwise a column without negative values begins at 0, one without positive values ends there.
 */
export function inferSupport({ sorted }: Pick<SortedColumn, 'sorted'>): InferredSupport {
  const rows = sorted.length;
  const [least, most] = [sorted[0]!, sorted[rows - 1]!];
  const [below, above] = [(i: number) => -sorted[i]!, (i: number) => sorted[rows - 1 - i]!];
  let lower = endOf(below, rows, PLAIN);
  let upper = endOf(above, rows, PLAIN);
  if (!lower || !upper) {
    const both = [endOf(below, rows, PLAIN_TOGETHER), endOf(above, rows, PLAIN_TOGETHER)] as const;
    if (both[0] && both[1]) [lower, upper] = both;
  }
  // The signs say this alone.
  if (lower?.end === 0) lower = null;
  if (upper?.end === 0) upper = null;
  return {
    support: [
      lower ? 0 - lower.end : least >= 0 ? 0 : -Infinity,
      upper ? upper.end : most <= 0 ? 0 : Infinity,
    ],
    evidence: [lower, upper],
  };
}

/** For each end whether the density does not fade before the outermost value, as it does not before an end. */
export function stopsAbruptly({ sorted }: Pick<SortedColumn, 'sorted'>): [boolean, boolean] {
  const rows = sorted.length;
  return [
    edgeOf((i) => -sorted[i]!, rows, PLAIN) !== null,
    edgeOf((i) => sorted[rows - 1 - i]!, rows, PLAIN) !== null,
  ];
}

/** Where there may be an upper end of n values in descending order. */
interface Edge {
  readonly k: number;
  readonly threshold: number;
  readonly mean: number;
  readonly furthest: number;
}

function edgeOf(value: (i: number) => number, rows: number, plain: number): Edge | null {
  if (rows < FEWEST_ROWS) return null;
  const k = Math.floor(Math.min(rows / 2, 3 * Math.sqrt(rows)));
  const threshold = value(k);
  let mean = 0;
  for (let i = 0; i < k; i++) mean += (value(i) - threshold) / k;
  const fading = 0.17 + plain * rows ** -0.25;
  const furthest = threshold + mean / fading;
  if (!(mean > 0) || !(furthest >= value(0)) || !Number.isFinite(furthest)) return null;
  return { k, threshold, mean, furthest };
}

/** The upper end of n values in descending order, with the values near it. */
function endOf(
  value: (i: number) => number,
  rows: number,
  plain: number,
): (Evidence & { end: number }) | null {
  const edge = edgeOf(value, rows, plain);
  if (!edge) return null;
  const { k, threshold, mean, furthest } = edge;
  const most = value(0);
  const round = roundest(most, furthest);
  if (!round) return null;
  const { end, step } = round;
  const length = end - threshold;
  const exponent = Math.max(1, length / mean - 1);
  const reach = length * (FURTHEST / k) ** (1 / exponent);
  if (end - most > reach || step < ROUND * reach) return null;
  const within = length / 10;
  let near = 0;
  while (near < k && value(near) >= end - within) near++;
  return { end, rows: near, within };
}

/** The roundest number of an interval: a multiple of the greatest step that has one there. */
function roundest(from: number, to: number): { end: number; step: number } | null {
  const multiple = (step: number): number => {
    const end = Math.ceil(from / step - 1e-12) * step;
    return Number.isInteger(step) || step < 1 ? Number(end.toPrecision(14)) : end;
  };
  const size = Math.ceil(Math.log10(Math.max(Math.abs(from), Math.abs(to), Number.MIN_VALUE)));
  const least = Math.floor(Math.log10(Math.max(to - from, 1e-15 * Math.abs(to), 1e-300)));
  const steps = [...STEPS];
  for (let power = size; power >= least; power--) {
    for (const digit of [5, 2, 1]) steps.push(Number(`${digit}e${power}`));
  }
  steps.sort((a, b) => b - a);
  for (const step of steps) {
    const end = multiple(step);
    if (end >= from && end <= to && Number.isFinite(end)) return { end: end + 0, step };
  }
  return null;
}
