import type { MarginSupport } from './margin';
import { resolutionOf } from './rounding';
import { ofSorted } from '../../data/sorted-table';
import { type SortedColumn, countOf, massOf } from './sorted';

/** The values that a measurement can be recorded as: origin + k step. */
export interface Grid {
  readonly origin: number;
  readonly step: number;
}

/** Fewer different values are levels of their own rather than a measurement. */
const FEWEST_VALUES = 30;
/** Of the values of the grid between the quartiles this share occurs at least. */
const OCCUPIED = 0.6;

/**
 * The grid on which the values of a column recur as rounded measurements do: there are 30 of them at least, and most values of
 * the grid between the quartiles occur, so that it is the resolution that limits their number; null for other columns, such as
 * codes and prices that end in 99.
 */
export function gridOf({ sorted, values, last }: SortedColumn): Grid | null {
  if (values.length < FEWEST_VALUES) return null;
  const step = resolutionOf({ values });
  const [lower, upper] = [0.25, 0.75].map((share) => sorted[Math.round(share * (sorted.length - 1))]!);
  const occurring = values.indexOf(upper!) - values.indexOf(lower!) + 1;
  const possible = Math.round((upper! - lower!) / step) + 1;
  if (occurring < OCCUPIED * possible || last.length > sorted.length / 2) return null;
  // beside an outlier whose own spacing is the step the others are in the same cells
  if (values.some((value, k) => k > 0 && value - values[k - 1]! < 0.75 * step)) return null;
  return { origin: values[0]!, step };
}

/** The column before it was rounded, as far as one can tell: equal values evenly spaced over their cell. */
export function spreadOver(column: SortedColumn, { step }: Grid): SortedColumn {
  const { values, weights } = column;
  const sorted = new Float64Array(column.sorted.length);
  let row = 0;
  for (let k = 0; k < values.length; k++) {
    const count = countOf(column, k);
    const mass = massOf(column, k);
    for (let i = 0, below = 0; i < count; i++, row++) {
      const weight = weights ? weights.each[row]! : 1;
      const value = values[k]! + step * ((below + weight / 2) / mass - 0.5);
      sorted[row] = row > 0 ? Math.max(sorted[row - 1]!, value) : value; // cells meet to within rounding
      below += weight;
    }
  }
  // far values, whose neighbours are further apart than the step, remain equal
  return { column: column.column, ...ofSorted(sorted, weights?.each) };
}

/** An end with so many rows at it, and at least half as many as its neighbours have on average, is one: the next cell is empty. */
const PLAIN_ROWS = 12;
const NEIGHBOURS = 3;

/** The ends where recorded values stop though their numbers do not fade; the number of rows there, null of no such end. */
export function plainEnds(column: SortedColumn): [number | null, number | null] {
  const most = column.values.length - 1;
  const rowsAt = (end: number, inwards: number): number | null => {
    const count = countOf(column, end);
    let near = 0;
    for (let k = 1; k <= NEIGHBOURS; k++) near += countOf(column, end + k * inwards) / NEIGHBOURS;
    return count >= PLAIN_ROWS && count >= near / 2 ? count : null;
  };
  return [rowsAt(0, 1), rowsAt(most, -1)];
}

/**
 * The ends that a measurement has, given those of its recorded values: cells of recorded ends reach beyond them, and begin
 * beside an end that is an atom.
 */
export function supportBefore(
  [lower, upper]: MarginSupport,
  { values }: Pick<SortedColumn, 'values'>,
  atoms: readonly number[],
  { step }: Grid,
): MarginSupport {
  const cell = (end: number, outermost: number): number => {
    if (atoms.includes(end)) return step / 2;
    return Math.abs(outermost - end) < step / 2 ? -step / 2 : 0;
  };
  return [lower + cell(lower, values[0]!), upper - cell(upper, values.at(-1)!)];
}
