/** Which kinds were tried for a model, and how they fared: what `kind: 'auto'` writes down. */
import { z } from 'zod';

const mean = z.number().nullable();

const candidateSchema = z.object({
  candidate: z.looseObject({ kind: z.string() }),
  outcome: z.enum(['chosen', 'judged', 'dropped', 'failed', 'no time']),
  rows: z.number(),
  meanLogPdf: mean,
  standardError: mean,
  behind: z.object({ mean: z.number(), standardError: mean }).nullable(),
  seconds: z.number(),
  error: z.string().nullable(),
});

const selectionSchema = z.object({
  by: z.enum(['validation', 'folds']),
  rows: z.number(),
  folds: z.number(),
  errors: z.enum(['rows', 'blocks']),
  seconds: z.number(),
  candidates: z.array(candidateSchema),
});

/** How a candidate of `kind: 'auto'` fared. */
export interface SelectedCandidate {
  /** Its kind and its options. */
  readonly candidate: { readonly kind: string; readonly [option: string]: unknown };
  /**
   * `chosen`: the model is of it. `judged`: it scored all rows. `dropped`: after some of the folds it was so far behind that the others
   * would not have told otherwise. `failed`: see `error`. `no time`: `minutes` were over before it could be tried.
   */
  readonly outcome: 'chosen' | 'judged' | 'dropped' | 'failed' | 'no time';
  /** Rows that it scored, none of which it was fitted to. */
  readonly rows: number;
  /** Mean log density of these rows, in nats, normalised; null: there is none. */
  readonly meanLogPdf: number | null;
  /** Of that mean. */
  readonly standardError: number | null;
  /** Mean of what the best candidate's log density is above, row by row, and its standard error. */
  readonly behind: { readonly mean: number; readonly standardError: number | null } | null;
  /** What it took. */
  readonly seconds: number;
  /** Why it failed. */
  readonly error: string | null;
}

/** How the kind of a model was chosen by `kind: 'auto'`. */
export interface Selection {
  /** `validation`: by the rows that training keeps apart; `folds`: by all rows, each fold by copulas of the others. */
  readonly by: 'validation' | 'folds';
  /** Rows that candidates were judged by. */
  readonly rows: number;
  /** Parts of the rows that were scored in turns; 1 by validation rows. */
  readonly folds: number;
  /** Whether standard errors are of independent rows, or of rows in the order of time by blocks; see `meanOf`. */
  readonly errors: 'rows' | 'blocks';
  /** What all took. */
  readonly seconds: number;
  /** In the order in which they were tried, the simplest first. */
  readonly candidates: readonly SelectedCandidate[];
}

/** What a model file says of it; null where it says nothing that can be read. */
export function selectionOf(value: unknown): Selection | null {
  const parsed = selectionSchema.safeParse(value);
  return parsed.success ? parsed.data : null;
}
