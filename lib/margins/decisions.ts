/** What a margin decided for the user, in words. */
import { describe } from '../errors';
import type { Note } from '../notes';
import type { Support } from './margin';
import type { Evidence } from './support';

/** Atoms that a sentence lists, the most frequent ones. */
const LISTED = 3;
/** Notes of one code about single columns; further ones become one that names their columns. */
const MOST_NOTES = 3;
const NAMED = 10;

export function atomsNote(column: string, atoms: Float64Array, masses: Float64Array): Note {
  const byMass = Array.from(atoms.keys()).sort((a, b) => masses[b]! - masses[a]!);
  const listed = byMass.slice(0, LISTED).map((k) => `${atoms[k]} (${share(masses[k]!)})`);
  const more = atoms.length - listed.length;
  if (more > 0) listed.push(`${more} more`);
  const which =
    atoms.length === 1
      ? `the value ${listed[0]} has a probability`
      : `the values ${and(listed)} have probabilities`;
  return {
    code: 'atoms',
    columns: [column],
    message: `column ${describe(column)}: ${which} of ${atoms.length === 1 ? 'its' : 'their'} own`,
  };
}

export function discreteNote(column: string, values: number): Note {
  return {
    code: 'atoms',
    columns: [column],
    message: `column ${describe(column)}: its ${values} different values recur, and no others have a probability`,
  };
}

/** Of a kernel estimate that was asked for though it is not that of the data. */
export function farNote(column: string, distance: number): Note {
  return {
    code: 'fit',
    columns: [column],
    message:
      `column ${describe(column)}: its kernel estimate is up to ${Number(distance.toPrecision(2))} standard deviations from the ` +
      "data's own distribution, which the margins auto and empirical follow",
  };
}

/** @param evidence for each end that was inferred from values that stop there */
export function supportNote(
  column: string,
  [lower, upper]: Support,
  evidence: readonly (Evidence | null)[],
): Note[] {
  const ends = [
    Number.isFinite(lower) && end('below', lower, evidence[0]!),
    Number.isFinite(upper) && end('above', upper, evidence[1]!),
  ].filter((text) => text !== false);
  if (ends.length === 0) return [];
  const taken = ends.length === 1 ? 'which is taken as its end' : 'which are taken as its ends';
  return [
    {
      code: 'support',
      columns: [column],
      message: `column ${describe(column)}: ${ends.join(', ')}, ${taken}`,
    },
  ];
}

function end(side: string, limit: number, evidence: Evidence | null): string {
  const near = evidence ? ` and ${evidence.rows} within ${Number(evidence.within.toPrecision(2))} of it` : '';
  return `no value ${side} ${limit}${near}`;
}

function share(mass: number): string {
  return `${Number((100 * mass).toPrecision(3))} %`;
}

function and(items: readonly string[]): string {
  return `${items.slice(0, -1).join(', ')} and ${items.at(-1)}`;
}

/** Notes of many columns: of each code the first three as they are, of the others only which columns they are about. */
export function groupNotes(notes: readonly Note[]): Note[] {
  return [...new Set(notes.map(({ code }) => code))].flatMap((code) => {
    const alike = notes.filter((note) => note.code === code);
    if (alike.length <= MOST_NOTES + 1) return alike;
    const rest = alike.slice(MOST_NOTES);
    const told = new Set(alike.slice(0, MOST_NOTES).flatMap((note) => note.columns));
    const columns = [...new Set(rest.flatMap((note) => note.columns))].filter((name) => !told.has(name));
    if (columns.length === 0) return alike;
    const named = columns.slice(0, NAMED).map(describe);
    if (columns.length > NAMED) named.push(`${columns.length - NAMED} more`);
    const message = `${WHAT[code] ?? code}: so also in ${columns.length} other ${columns.length > 1 ? 'columns' : 'column'}, ${named.length > 1 ? and(named) : named[0]!}`;
    return [...alike.slice(0, MOST_NOTES), { code, columns, message }];
  });
}

const WHAT: Partial<Record<Note['code'], string>> = {
  atoms: 'values with probabilities of their own',
  support: 'ends of the range',
  ties: 'recurring values',
  rounding: 'rounded values',
  threshold: 'tails of their own',
  bound: 'estimates at a bound',
};
