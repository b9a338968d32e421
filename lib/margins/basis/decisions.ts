/** What a margin decided for the user, in words. */
import { type Note, andWords, columnsNote, toDigits } from '../../notes';
import type { MarginSupport } from './margin';
import type { Evidence } from './support';

/** Atoms that a sentence lists, the most frequent ones. */
const LISTED = 3;
export function atomsNote(column: string, atoms: Float64Array, masses: Float64Array): Note {
  const byMass = Array.from(atoms.keys()).sort((a, b) => masses[b]! - masses[a]!);
  const listed = byMass.slice(0, LISTED).map((k) => `${valueText(atoms[k]!)} (${shareText(masses[k]!)})`);
  const more = atoms.length - listed.length;
  if (more > 0) listed.push(`${more} more`);
  const text =
    atoms.length === 1
      ? `the value ${listed[0]} has a probability of its own`
      : `the values ${andWords(listed)} have probabilities of their own`;
  return columnsNote('atoms', [column], text);
}

export function discreteNote(column: string, values: number): Note {
  return columnsNote('atoms', [column], `discrete, with the ${values} different values of the data`);
}

export function recordedNote(column: string, step: number): Note {
  return columnsNote('rounding', [column], `recorded to the nearest ${valueText(step)}`);
}

/** Of a model of the data that is not that of the data. @param distance Infinity: values of the data have no density */
export function farNote(column: string, model: string, distance: number): Note {
  const how =
    distance === Infinity
      ? 'has no density at values of the data'
      : `is up to ${toDigits(distance, 2)} standard deviations from the data's own distribution`;
  return columnsNote('fit', [column], `${model} ${how}, which the margins auto and empirical follow`);
}

/** Of a column that gets what `auto` makes of it. */
export function otherTypeNote(column: string, got: string, wanted: string, expected: string): Note {
  return columnsNote('type', [column], `${got} in place of ${wanted}, which asks for ${expected}`);
}

/** @param evidence for each end that was inferred from values that stop there */
export function supportNote(
  column: string,
  [lower, upper]: MarginSupport,
  evidence: readonly (Evidence | null)[],
): Note[] {
  const ends = [
    ...(Number.isFinite(lower) ? [endText('below', lower, evidence[0]!)] : []),
    ...(Number.isFinite(upper) ? [endText('above', upper, evidence[1]!)] : []),
  ];
  if (ends.length === 0) return [];
  return [
    columnsNote('support', [column], `no value ${ends.join(' or ')} in the data, so the model has none`),
  ];
}

function endText(side: string, limit: number, evidence: Evidence | null): string {
  const near = evidence ? ` (${evidence.rows} within ${toDigits(evidence.within, 2)} of it)` : '';
  return `${side} ${valueText(limit)}${near}`;
}

/** A value of the data without the digits that binary fractions add. */
export function valueText(value: number): string {
  return String(toDigits(value, 15));
}

export function shareText(share: number): string {
  return `${Number((100 * share).toPrecision(3))} %`;
}
