/**
 * A model file: a safetensors file whose metadata hold a JSON document under `sklar`. What the document says about the
 * model itself (`config`, `margins`, `training`) is checked by the code of that kind of model, not here.
 */
import { z } from 'zod';

import { SklarError, describe } from '../errors';
import { expectCleanKeys } from './json';
import { type Tensor, readSafetensors, writeSafetensors } from './safetensors';

/** The version of the document that this code writes, and the newest it can read. */
export const MODEL_FORMAT_VERSION = 1;

const DOCUMENT = 'sklar';

const jsonObject = z.record(z.string(), z.unknown());

// Loose, so that a later release can add to the document without a new version.
const documentSchema = z.looseObject({
  formatVersion: z.literal(MODEL_FORMAT_VERSION),
  kind: z.string().min(1),
  config: jsonObject,
  columns: z.array(z.string()).nullable(),
  margins: jsonObject.nullable(),
  training: jsonObject.nullable(),
  notes: z.array(z.unknown()).optional(),
  selection: jsonObject.optional(),
  libraryVersion: z.string(),
});

export interface ModelDocument {
  readonly formatVersion: typeof MODEL_FORMAT_VERSION;
  /** Which model: `'cdc'`, `'reflection'`, `'flow'`, ... */
  readonly kind: string;
  readonly config: Readonly<Record<string, unknown>>;
  /** The names of the columns, or null for a copula of columns without names. */
  readonly columns: readonly string[] | null;
  /** What describes the margins beside their tensors, or null for a copula alone. */
  readonly margins: Readonly<Record<string, unknown>> | null;
  /** Rows, steps, seed, losses and so on, or null for a model that was not trained. */
  readonly training: Readonly<Record<string, unknown>> | null;
  /** What else is to be known of the model; files of 0.1.0 have none. */
  readonly notes?: readonly unknown[] | undefined;
  /** How its kind was chosen, where it was. */
  readonly selection?: Readonly<Record<string, unknown>> | undefined;
  /** The version of this library that wrote the file. */
  readonly libraryVersion: string;
}

export interface ModelFile {
  /** null for a safetensors file that holds weights only, such as published ones. */
  readonly document: ModelDocument | null;
  readonly tensors: ReadonlyMap<string, Tensor>;
}

/** Checks a parsed document; `where` ends the message. */
function expectDocument(value: unknown, where: string): ModelDocument {
  const record = typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  const { formatVersion, libraryVersion } = record;
  if (typeof formatVersion === 'number' && formatVersion > MODEL_FORMAT_VERSION) {
    const writer = typeof libraryVersion === 'string' ? ` written by sklar ${describe(libraryVersion)}` : '';
    throw new SklarError(
      'ERR_SKLAR_FORMAT',
      `expected a model file of format version ${MODEL_FORMAT_VERSION}, got version ${formatVersion}${writer}; ` +
        `update sklar to read it (${where})`,
    );
  }
  const result = documentSchema.safeParse(value);
  if (result.success) return result.data;
  const issues = result.error.issues.map(
    ({ path, message }) => `${path.join('.') || 'document'}: ${message}`,
  );
  throw new SklarError(
    'ERR_SKLAR_FORMAT',
    `expected a model document, got one with ${issues.join('; ')} (${where})`,
    {
      cause: result.error,
    },
  );
}

/**
 * The config of a document as its kind wants it.
 *
 * @throws SklarError ERR_SKLAR_FORMAT naming what is damaged
 */
export function expectConfig<S extends z.ZodType>(schema: S, document: ModelDocument): z.output<S> {
  const parsed = schema.safeParse(document.config);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  throw new SklarError(
    'ERR_SKLAR_FORMAT',
    `the model's config is damaged: ${issue.path.join('.')}: ${issue.message}`,
  );
}

/** JSON of a value that has nothing in it that JSON would drop or change. */
function toJson(document: ModelDocument): string {
  return JSON.stringify(document, (key, value: unknown) => {
    const lost =
      (typeof value === 'number' && !Number.isFinite(value)) ||
      ['bigint', 'function', 'symbol'].includes(typeof value) ||
      ArrayBuffer.isView(value) ||
      key === '__proto__';
    if (!lost) return value;
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      `expected values that JSON can hold in a model document, got ${describe(value)} for ${describe(key)}`,
    );
  });
}

/**
 * Writes a model file; it appears when it is complete, and a failure leaves the file that was there before.
 *
 * @throws SklarError ERR_SKLAR_VALUE for a document or tensors that cannot be stored, ERR_SKLAR_FORMAT for a document
 *   that could not be read back, ERR_SKLAR_SHAPE, ERR_SKLAR_FILE
 */
export async function writeModelFile(
  file: string,
  { document, tensors }: { document: ModelDocument; tensors: ReadonlyMap<string, Omit<Tensor, 'dtype'>> },
): Promise<void> {
  const text = toJson(expectDocument(document, 'to be written'));
  await writeSafetensors(file, tensors, { [DOCUMENT]: text });
}

/**
 * Reads a model file, or a plain safetensors file (then `document` is null). A model file must have the checksum with
 * which it was written.
 *
 * @throws SklarError ERR_SKLAR_FILE when it cannot be read, ERR_SKLAR_FORMAT when it is damaged, not such a file or of
 *   a newer version, ERR_SKLAR_MEMORY
 */
export async function readModelFile(file: string): Promise<ModelFile> {
  const { metadata, tensors, verified } = await readSafetensors(file);
  if (!Object.hasOwn(metadata, DOCUMENT)) return { document: null, tensors };
  if (!verified) {
    throw new SklarError(
      'ERR_SKLAR_FORMAT',
      `expected a checksum in a model file, got none: it is damaged or was changed (${describe(file)})`,
    );
  }
  const text = metadata[DOCUMENT]!;
  let value: unknown;
  try {
    value = JSON.parse(text);
    expectCleanKeys(text);
  } catch (cause) {
    throw new SklarError(
      'ERR_SKLAR_FORMAT',
      `expected a JSON document in the metadata, got ${describe(cause)} (${describe(file)})`,
      { cause },
    );
  }
  return { document: expectDocument(value, describe(file)), tensors };
}
