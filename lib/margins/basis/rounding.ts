import type { SortedColumn } from './sorted';
import { toDigits } from '../../notes';

/** Differences of values that are this many spacings of floating-point numbers apart, or fewer, are no grid. */
const FINEST = 64;

/**
 * The greatest step of which all differences of a column's values are multiples, to within the precision of
 * floating-point numbers (a Euclidean algorithm); the spacing of these numbers at the greatest value where the values are on
 * no grid.
 */
export function resolutionOf({ values }: Pick<SortedColumn, 'values'>): number {
  const first = values[0]!;
  const spacing = spacingAt(Math.max(Math.abs(first), Math.abs(values.at(-1)!)));
  // the smallest gap is few steps, most often one: where a search begins with many, errors multiply
  let step = Infinity;
  for (let k = 1; k < values.length; k++) step = Math.min(step, values[k]! - values[k - 1]!);
  /** How many steps the step was measured over. */
  let over = 1;
  for (let k = 1; k < values.length; k++) {
    const difference = values[k]! - first;
    const count = Math.round(difference / step);
    let error = 4 * spacing * (1 + count / over);
    if (!(error < step / 8)) return spacing;
    let rest = Math.abs(difference - count * step);
    if (rest <= error) {
      if (count > over) [step, over] = [difference / count, count];
      continue;
    }
    while (rest > error) {
      const times = Math.round(step / rest);
      [step, rest] = [rest, Math.abs(step - times * rest)];
      error *= 1 + times;
    }
    over = 1;
    if (!(error < step / 8 && step > FINEST * spacing)) return spacing;
  }
  return Math.max(step, spacing);
}

/** The distance of neighbouring floating-point numbers. */
function spacingAt(value: number): number {
  const exponent = Math.max(-1022, Math.floor(Math.log2(value)));
  return Math.max(Number.MIN_VALUE, 2 ** (exponent - 52));
}

/** A number in the words of a note. @param scale what its digits are to tell apart, where that is less than the number */
export function shortText(value: number, scale = Math.abs(value)): string {
  const digits = 6 + Math.max(0, Math.ceil(Math.log10(Math.abs(value) / scale) || 0));
  return String(toDigits(value, Math.min(17, digits)));
}
