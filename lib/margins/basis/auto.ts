import type { Margin } from './margin';
import { type SortedColumn, countOf, cumulative, effectiveSize, sizeOf } from './sorted';

/** A value of at least this share of the rows, and of this many, is an atom. */
const ATOM_SHARE = 0.05;
const ATOM_ROWS = 10;
/** Fewer rows than these never stand out. */
const LEAST_ROWS = 3;
/** Different values on either side that a value is compared with. */
const NEIGHBOURS = 25;
/** The same where values are rounded, which have as many rows as the next ones. */
const NEXT_ROUNDED = 3;
/** Continuous columns have more different values than this share of their rows. */
const DISTINCT_SHARE = 0.5;
/** The rest of a mixture is learned from at least as many rows. */
const REST_ROWS = 8;

/**
 * The values that have a probability of their own, in ascending order: those of at least 5 % of the rows and 10 rows, and
 * those of at least 3 rows that recur far more often than the values around them. Of continuous values that were rounded,
 * the numbers of rows are Poisson numbers (of those that occur at all: at least one), with a mean m that the 25 different
 * values on either side tell; m + 5 sqrt(m) + 3 is exceeded with a probability below 1e-6.
 */
export function atomsOf(column: SortedColumn): number[] {
  const { sorted, values } = column;
  if (values.length === sorted.length) return [];
  const frequent = Math.max(ATOM_ROWS, ATOM_SHARE * sorted.length);
  return valuesWhere(column, (k) => countOf(column, k) >= frequent || standsOut(column, k, NEIGHBOURS));
}

function valuesWhere({ values }: SortedColumn, wanted: (k: number) => boolean): number[] {
  const found: number[] = [];
  for (let k = 0; k < values.length; k++) if (wanted(k)) found.push(values[k]!);
  return found;
}

/**
 * The same of values that recur because they were rounded: those that recur far more often than the values around them and half
 * as often again as the three on either side, however frequent all of them are.
 */
export function atomsOfRounded(column: SortedColumn): number[] {
  return valuesWhere(
    column,
    (k) => standsOut(column, k, NEIGHBOURS) && standsOut(column, k, NEXT_ROUNDED, 1.5),
  );
}

function standsOut(column: SortedColumn, k: number, neighbours: number, factor = 1): boolean {
  const count = countOf(column, k);
  if (count < LEAST_ROWS) return false;
  const { values, last } = column;
  const from = Math.max(0, k - neighbours);
  const to = Math.min(values.length - 1, k + neighbours);
  const around = last[to]! - (from === 0 ? 0 : last[from - 1]!) - count;
  const mean = meanOfPositive(around / Math.max(1, to - from));
  return count >= Math.max(factor * mean, mean + 5 * Math.sqrt(mean) + 3);
}

/** The mean m of a Poisson law whose positive numbers have this mean: m = mean (1 - e^-m). */
function meanOfPositive(mean: number): number {
  if (mean <= 1) return 0;
  let m = mean;
  for (let step = 0; step < 30; step++) m = mean * -Math.expm1(-m);
  return m;
}

/** Whether a kernel can estimate a continuous column. Zeros that pile up where its support ends are smeared. */
export function isForKernels({ sorted, values, last }: SortedColumn): boolean {
  const piles = values[0] === 0 && last[0]! > 1;
  return sorted.length >= REST_ROWS && !piles;
}

/**
 * Whether the values of a column recur, by their nature or because they were rounded, so that it is `discrete`: at most half
 * of those beside the atoms are different, or hardly any are beside them.
 *
 * @param rest the column without its atoms
 */
export function recurs(column: SortedColumn, rest: SortedColumn): boolean {
  const rows = rest.sorted.length;
  return (
    rows < Math.min(REST_ROWS, column.sorted.length / 2) ||
    rest.values.length < 2 ||
    rest.values.length <= DISTINCT_SHARE * rows
  );
}

/** Values that tell how far a margin is from the data. */
const COMPARED = 2000;

/**
 * How far a margin is from the data: at each value the middle of its jump of F, F itself where it has none, from that of the
 * data's own F, on the scale asin(sqrt(F)), in standard deviations of the latter, which are 1 / (2 sqrt(n)) everywhere there.
 * Infinity where a value has no density.
 */
export function distanceFrom(column: SortedColumn, margin: Margin): number {
  const { sorted, values, last } = column;
  const rows = sorted.length;
  const weight = cumulative(column);
  const size = sizeOf(column);
  const angle = (level: number): number => Math.asin(Math.sqrt(Math.min(1, Math.max(0, level))));
  const middle = (k: number): number => ((k === 0 ? 0 : weight[k - 1]!) + weight[k]!) / 2 / size;
  // all, or so many whose rows are evenly spaced on that scale
  let compared: number[];
  if (rows <= COMPARED) compared = Array.from(values.keys());
  else {
    const ranks = Array.from({ length: COMPARED }, (_, i) =>
      Math.round((rows - 1) * Math.sin((Math.PI / 2) * (i / (COMPARED - 1))) ** 2),
    );
    let k = 0;
    compared = [
      ...new Set(
        ranks.map((rank) => {
          while (last[k]! <= rank) k++;
          return k;
        }),
      ),
    ];
  }
  const x = Float64Array.from(compared, (k) => values[k]!);
  if (!margin.logPdf(x).every((log) => log > -Infinity)) return Infinity;
  const [below, upTo] = [margin.cdfBefore(x), margin.cdf(x)];
  let most = 0;
  compared.forEach((k, i) => {
    most = Math.max(most, Math.abs(angle((below[i]! + upTo[i]!) / 2) - angle(middle(k))));
  });
  return 2 * Math.sqrt(effectiveSize(column)) * most;
}
