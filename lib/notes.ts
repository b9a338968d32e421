import { z } from 'zod';

/**
 * What a note is about, for programs.
 *
 * - `ties`: recurring values, whose likelihood is that of their blocks
 * - `atoms`: values that were given a probability of their own
 * - `support`: an end of a column's range that was inferred from the data
 * - `rounding`: a resolution that was inferred from the data
 * - `threshold`: where a tail of its own begins
 * - `shrinkage`: a correlation matrix drawn towards independence
 * - `bound`: an estimate that sits at the end of its box
 * - `determined`: a column that is a function of another one
 * - `normaliser`: a normaliser that is not known
 * - `file`: how a file was read
 * - `fit`: anything else about how a fit went
 */
export const noteCodes = [
  'ties',
  'atoms',
  'support',
  'rounding',
  'threshold',
  'shrinkage',
  'bound',
  'determined',
  'normaliser',
  'file',
  'fit',
] as const;

export const noteSchema = z.object({
  code: z.enum(noteCodes),
  columns: z.array(z.string()),
  message: z.string(),
});

/** Something about the data or a fit that was decided for the user, or that the user should know. */
export interface Note {
  readonly code: (typeof noteCodes)[number];
  /** Names of the columns concerned; empty: all, or none in particular. */
  readonly columns: readonly string[];
  /** One sentence without a full stop, which names the columns itself. */
  readonly message: string;
}

/** The notes that a stored record holds; what is none is left out. */
export function notesOf(stored: unknown): readonly Note[] {
  if (!Array.isArray(stored)) return [];
  return stored.filter((note): note is Note => noteSchema.safeParse(note).success);
}
