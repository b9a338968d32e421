import { z } from 'zod';

import { describe } from './errors';

/**
 * What a note is about, for programs.
 *
 * - `ties`: recurring values, whose likelihood is that of their blocks
 * - `atoms`: values that were given a probability of their own
 * - `support`: an end of a column's range that was inferred from the data
 * - `rounding`: a resolution that was inferred from the data, or last digits
 * - `threshold`: where a tail of its own begins
 * - `shrinkage`: a correlation matrix drawn towards independence
 * - `type`: a type of margin that a column cannot have
 * - `bound`: an estimate that sits at the end of its box
 * - `determined`: a column that is a function of another one
 * - `normaliser`: a normaliser that is not known
 * - `file`: how a file was read
 * - `missing`: cells that hold nothing, or were taken for such
 * - `schema`: what the cells of a column were taken for, and columns that are not modelled
 * - `rules`: rows that broke a rule of the data, and were drawn anew
 * - `order`: rows that are like those before them
 * - `returns`: returns in the place of prices
 * - `weights`: rows that do not count alike
 * - `privacy`: what a private model holds in place of values of the data
 * - `checkpoint`: a state of the training that could not be written
 * - `log`: a log of the training that has an early end
 * - `fit`: anything else about how a fit went
 */
export const noteCodes = [
  'ties',
  'atoms',
  'support',
  'rounding',
  'threshold',
  'type',
  'shrinkage',
  'bound',
  'determined',
  'normaliser',
  'file',
  'missing',
  'schema',
  'rules',
  'order',
  'returns',
  'weights',
  'privacy',
  'checkpoint',
  'log',
  'fit',
] as const;

export const noteSchema = z.object({
  code: z.enum(noteCodes),
  columns: z.array(z.string()),
  message: z.string(),
});

/** Something about the data or a fit that was decided for the user, or that the user should know. */
export interface Note {
  /** What it is about, for programs; the guide has a table. */
  readonly code: (typeof noteCodes)[number];
  /** Names of the columns concerned; empty: all, or none in particular. */
  readonly columns: readonly string[];
  /** One sentence without a full stop, which names the columns itself. */
  readonly message: string;
}

/** `an ensemble`, `a cdc`. */
export const withArticle = (word: string): string => `${/^[aeiou]/.test(word) ? 'an' : 'a'} ${word}`;

/** The notes that a stored record holds; what is none is left out. */
export function notesOf(stored: unknown): readonly Note[] {
  if (!Array.isArray(stored)) return [];
  return stored.filter((note): note is Note => noteSchema.safeParse(note).success);
}

/** Names that a sentence lists at most. */
const LISTED = 8;

/** A note that begins with the names of its columns. */
export function columnsNote(code: Note['code'], columns: readonly string[], text: string): Note {
  return { code, columns, message: `${columnWords(columns.map(describe))}: ${text}` };
}

/** `column "a"`, `columns "a", "b" and "c"` */
export function columnWords(labels: readonly string[]): string {
  if (labels.length === 1) return `column ${labels[0]!}`;
  const listed = labels.slice(0, LISTED);
  if (labels.length > LISTED) listed.push(`${labels.length - LISTED} more`);
  return `columns ${andWords(listed)}`;
}

/** `a`, `a and b`, `a, b and c` */
export function andWords(items: readonly string[]): string {
  return items.length < 2 ? items.join() : `${items.slice(0, -1).join(', ')} and ${items.at(-1)!}`;
}

/** Notes of one code that say different things; what further ones are about is said in one. */
const MOST_NOTES = 3;

const ALSO: Partial<Record<Note['code'], string>> = {
  atoms: 'values with probabilities of their own, too',
  support: 'ends of the range read off the data, too',
  ties: 'recurring values, too',
  rounding: 'rounded values, too',
  threshold: 'tails of their own, too',
  type: 'other types of margins, too',
  bound: 'estimates at a bound, too',
  fit: 'margins that are not those of the data everywhere, too',
};

/** Notes of many columns, each by `columnsNote`: what is the same of several once, and of each code `most` and one more at most. */
export function groupNotes(notes: readonly Note[], most = MOST_NOTES): Note[] {
  const groups = new Map<string, { code: Note['code']; text: string; columns: string[] }>();
  for (const { code, columns, message } of notes) {
    const text = message.slice(columnWords(columns.map(describe)).length + 2);
    const group = groups.get(code + text);
    if (group) group.columns.push(...columns);
    else groups.set(code + text, { code, text, columns: [...columns] });
  }
  const grouped = [...groups.values()];
  return [...new Set(grouped.map(({ code }) => code))].flatMap((code) => {
    const alike = grouped.filter((group) => group.code === code);
    const shown = alike.length <= most + 1 ? alike.length : most;
    const others = new Set(alike.slice(shown).flatMap(({ columns }) => columns));
    const rest = [...new Set(notes.flatMap(({ columns }) => columns))].filter((name) => others.has(name));
    const also = rest.length > 0 ? [columnsNote(code, rest, ALSO[code] ?? code)] : [];
    return [...alike.slice(0, shown).map(({ columns, text }) => columnsNote(code, columns, text)), ...also];
  });
}

/** A value to so many digits, or as it is: the greatest numbers round to infinity. */
export function toDigits(value: number, digits: number): number {
  const rounded = Number(value.toPrecision(digits));
  return Number.isFinite(rounded) ? rounded : value;
}
