import { types } from 'node:util';

import type { z } from 'zod';

import type { Matrix } from './types/matrix';

/**
 * What went wrong, as a stable string.
 *
 * - `ERR_SKLAR_VALUE`: an argument or a value in the data is not acceptable
 * - `ERR_SKLAR_SHAPE`: lengths, rows or columns do not fit together
 * - `ERR_SKLAR_FILE`: a file cannot be opened, read or written
 * - `ERR_SKLAR_FORMAT`: a file was read, but its content is damaged or not what its name says
 * - `ERR_SKLAR_DEVICE`: a device is missing, unusable or failed
 * - `ERR_SKLAR_MEMORY`: not enough memory on the host or the device
 * - `ERR_SKLAR_DIVERGED`: training or integration produced values that are not finite; of an integration, `state` holds
 *   where the rows stood before
 * - `ERR_SKLAR_ABORTED`: the work was cancelled
 * - `ERR_SKLAR_DISPOSED`: the object was used after it was closed or disposed
 * - `ERR_SKLAR_INTERNAL`: a fault of this library
 */
export type SklarErrorCode =
  | 'ERR_SKLAR_VALUE'
  | 'ERR_SKLAR_SHAPE'
  | 'ERR_SKLAR_FILE'
  | 'ERR_SKLAR_FORMAT'
  | 'ERR_SKLAR_DEVICE'
  | 'ERR_SKLAR_MEMORY'
  | 'ERR_SKLAR_DIVERGED'
  | 'ERR_SKLAR_ABORTED'
  | 'ERR_SKLAR_DISPOSED'
  | 'ERR_SKLAR_INTERNAL';

/** Where the rows of an integration stood before they left the finite numbers. Other rows are not in it. */
export interface LastGoodState {
  /**
   * Numbers of these rows, increasing: from 0 in the rows of the call, from `firstRow` where it has one. Of an ensemble's
   * sample among the draws of the member that the message names.
   */
  readonly rows: readonly number[];
  /** One for each: when it was finite last, in radians theta = acos e^-t of the ou process, else t of the reflection. */
  readonly times: Float64Array;
  /** rows.length x dim, Float64: their last finite states, on the `scale` of the call; margin maps are not applied. */
  readonly values: Matrix;
}

/**
 * Every error this library throws on purpose. `cause` holds the underlying error where there is one, `state` the last good
 * state of an integration that diverged (`integrate`, `sample`, `logPdf` by method `ode`).
 *
 * @example
 * ```ts
 * import { SklarError, kendall } from 'sklar';
 *
 * const failure: unknown = await kendall([[1, 2], [1, 3]]).catch((error: unknown) => error);
 * failure instanceof SklarError && failure.code; // => 'ERR_SKLAR_VALUE'
 * ```
 */
export class SklarError extends Error {
  /** What went wrong, for programs. */
  readonly code: SklarErrorCode;
  /** Of an integration that diverged. */
  readonly state?: LastGoodState;

  constructor(
    code: SklarErrorCode,
    message: string,
    options: { cause?: unknown; state?: LastGoodState | undefined } = {},
  ) {
    super(typeof message === 'string' ? message : describe(message), options);
    this.name = 'SklarError';
    this.code = code;
    if (options.state) this.state = options.state;
  }
}

const LONGEST_DESCRIPTION = 80;

function shorten(text: string): string {
  return text.length <= LONGEST_DESCRIPTION ? text : `${text.slice(0, LONGEST_DESCRIPTION - 3)}...`;
}

/**
 * What terminals obey in place of printing it, what changes the direction of the text after it, and what they do not show: control
 * characters, line and paragraph separators, marks of bidirectional text, signs without a width, tags.
 */
const UNPRINTABLE =
  // eslint-disable-next-line no-control-regex
  /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\u{e0000}-\u{e007f}]/gu;

/** Any text on one line that a terminal prints as it is, such characters as \\u001b: what JSON has for them, too. */
export function onOneLine(text: string): string {
  const escaped = (unit: string) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
  return text.replace(UNPRINTABLE, (character) => character.split('').map(escaped).join(''));
}

/** A short printable description of any value, for error messages; at most about 80 characters, on one line. */
export function describe(value: unknown): string {
  return onOneLine(description(value));
}

function description(value: unknown): string {
  if (typeof value === 'string') return shorten(JSON.stringify(value));
  if (typeof value === 'number') return Object.is(value, -0) ? '-0' : String(value);
  if (typeof value === 'bigint') return shorten(`${value}n`);
  if (typeof value === 'function') return shorten(`function ${value.name || '(anonymous)'}`);
  if (typeof value === 'symbol') return shorten(value.toString());
  if (value === null || typeof value !== 'object') return String(value);
  if (types.isProxy(value)) return 'a proxy'; // which would be asked what it is
  if (types.isTypedArray(value)) return `${value[Symbol.toStringTag]}(${value.length})`;
  if (types.isAnyArrayBuffer(value)) return `ArrayBuffer(${value.byteLength} bytes)`;
  if (types.isNativeError(value)) {
    return shorten(`${String(value.name)}: ${String(value.message)}`.replace(/\s+/g, ' '));
  }
  if (Array.isArray(value)) return `an array of length ${value.length}`;
  const { constructor } = (Object.getPrototypeOf(value) ?? {}) as { constructor?: unknown };
  const name = typeof constructor === 'function' ? (constructor.name as unknown) : '';
  return typeof name !== 'string' || name === '' || name === 'Object'
    ? 'an object'
    : shorten(`an object of class ${name}`);
}

/** The range part of a message: " between 1 and 5", " of at least 1", "" and so on. */
function describeRange({ min, max, above, below }: NumberRange): string {
  if (min !== undefined && max !== undefined) return ` between ${min} and ${max}`;
  const parts: string[] = [];
  if (min !== undefined) parts.push(`of at least ${min}`);
  if (above !== undefined) parts.push(`above ${above}`);
  if (max !== undefined) parts.push(`of at most ${max}`);
  if (below !== undefined) parts.push(`below ${below}`);
  return parts.length === 0 ? '' : ` ${parts.join(' and ')}`;
}

function inRange(value: number, { min, max, above, below }: NumberRange): boolean {
  return (
    (min === undefined || value >= min) &&
    (max === undefined || value <= max) &&
    (above === undefined || value > above) &&
    (below === undefined || value < below)
  );
}

/** Bounds of a number: `min` and `max` belong to the range, `above` and `below` do not. */
export interface NumberRange {
  readonly min?: number;
  readonly max?: number;
  readonly above?: number;
  readonly below?: number;
}

/** Returns `value` if it is a safe integer inside the range; throws ERR_SKLAR_VALUE naming `name` otherwise. */
export function expectInteger(value: unknown, name: string, range: NumberRange = {}): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && inRange(value, range)) return value;
  throw new SklarError(
    'ERR_SKLAR_VALUE',
    `expected an integer${describeRange(range)} for ${name}, got ${describe(value)}`,
  );
}

/** Returns `value` if it is a finite number inside the range; throws ERR_SKLAR_VALUE naming `name` otherwise. */
export function expectNumber(value: unknown, name: string, range: NumberRange = {}): number {
  if (typeof value === 'number' && Number.isFinite(value) && inRange(value, range)) return value;
  throw new SklarError(
    'ERR_SKLAR_VALUE',
    `expected a finite number${describeRange(range)} for ${name}, got ${describe(value)}`,
  );
}

/** Returns `value` if it is one of `choices`; throws ERR_SKLAR_VALUE that lists them otherwise. */
export function expectOneOf<T extends string | number | boolean>(
  value: unknown,
  name: string,
  choices: readonly T[],
): T {
  if ((choices as readonly unknown[]).includes(value)) return value as T;
  const list = choices
    .map((choice) => (typeof choice === 'string' ? `'${choice}'` : String(choice)))
    .join(', ');
  throw new SklarError('ERR_SKLAR_VALUE', `expected one of ${list} for ${name}, got ${describe(value)}`);
}

/** Returns `value` if it is an array; throws ERR_SKLAR_VALUE naming `name` otherwise. */
export function expectList<T>(value: readonly T[], name: string): readonly T[] {
  if (Array.isArray(value)) return value as readonly T[];
  throw new SklarError('ERR_SKLAR_VALUE', `expected an array for ${name}, got ${describe(value)}`);
}

/** Returns `value` if it is a text; throws ERR_SKLAR_VALUE naming `name` otherwise. */
export function expectText(value: unknown, name: string): string {
  if (typeof value === 'string') return value;
  throw new SklarError('ERR_SKLAR_VALUE', `expected a text for ${name}, got ${describe(value)}`);
}

/** Returns `values` if they are an array of texts; throws ERR_SKLAR_VALUE naming `name` otherwise. */
export function expectTexts<T extends readonly string[]>(values: T, name: string): T {
  for (const value of expectList(values, name)) expectText(value, `each of ${name}`);
  return values;
}

/** Returns `value` if it is an object with fields, and no array; throws ERR_SKLAR_VALUE naming `name` otherwise. */
export function expectObject<T extends object>(value: T, name: string): T {
  if (isObject(value)) return value;
  throw new SklarError('ERR_SKLAR_VALUE', `expected an object for ${name}, got ${describe(value)}`);
}

/** Maps, sets, promises and their like hold what they hold elsewhere than in fields. */
function isObject(value: unknown): boolean {
  return (
    typeof value === 'object' &&
    value !== null &&
    (types.isProxy(value) || Object.prototype.toString.call(value) === '[object Object]')
  );
}

/**
 * The numbers of an array or typed array, a copy.
 *
 * @throws SklarError ERR_SKLAR_VALUE naming `name` for anything else, and for what is no number in it; ERR_SKLAR_SHAPE where there are more than
 *   arrays can hold
 */
export function expectNumbers(values: ArrayLike<number>, name: string): Float64Array {
  const isWords = types.isBigInt64Array(values) || types.isBigUint64Array(values);
  // of an array that was transferred none are left
  if (types.isTypedArray(values) && !isWords)
    return values.length === 0 ? new Float64Array(0) : new Float64Array(values);
  const given = values as unknown;
  const { length } = (typeof given === 'object' && given !== null ? given : {}) as { length?: unknown };
  if (isWords || !Number.isSafeInteger(length) || (length as number) < 0) {
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      `expected an array of numbers for ${name}, got ${describe(values)}`,
    );
  }
  const count = length as number;
  const numbers: number[] = [];
  for (let i = 0; i < count; i++) {
    const value: unknown = values[i];
    if (typeof value !== 'number') {
      throw new SklarError(
        'ERR_SKLAR_VALUE',
        `expected numbers for ${name}, got ${describe(value)} (number ${i + 1})`,
      );
    }
    numbers.push(value);
  }
  return Float64Array.from(numbers);
}

/** The names of the options T, none left out; those of value `boolean` are true or false. */
export type OptionNames<T> = Readonly<Record<keyof T, unknown>>;

/** The shape of a schema for the options T: each of them, and no other, with a type that T allows. */
export type OptionShape<T> = { readonly [K in keyof T]-?: z.ZodType<unknown, T[K]> };

/**
 * Checks that `options` is an object whose keys are all known, and what is the same of all functions: callbacks (`onProgress` and others
 * that begin with `on`), `signal`, and options that are true or false. What other values are is for others to check.
 *
 * @param name of the function that takes them
 * @returns a copy: what the caller changes later changes nothing
 * @throws SklarError ERR_SKLAR_VALUE naming the unknown option, the one that was meant, and those that there are
 */
export function expectOptions<T extends object>(
  options: T,
  name: string,
  known: Readonly<Record<string, unknown>>,
): T {
  if (!isObject(options)) {
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      `expected an object of options for ${name}, got ${describe(options)}`,
    );
  }
  const given = { ...options };
  const unknown = Object.keys(given).filter((key) => !Object.hasOwn(known, key));
  if (unknown.length > 0) throw unknownOptions(unknown, name, Object.keys(known));
  for (const [key, value] of Object.entries(given)) {
    if (value === undefined || value === null) continue; // null: others say where it is one too many
    const expected = /^on[A-Z]/.test(key)
      ? typeof value === 'function' || 'a function'
      : key === 'signal'
        ? isSignal(value) || 'an AbortSignal'
        : known[key] !== 'boolean' || typeof value === 'boolean' || 'true or false';
    if (expected === true) continue;
    throw new SklarError('ERR_SKLAR_VALUE', `expected ${expected} for ${key}, got ${describe(value)}`);
  }
  return given;
}

/** Not `instanceof`: it may come from another realm. */
function isSignal(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { aborted, throwIfAborted, addEventListener } = value as Partial<AbortSignal>;
  return (
    typeof aborted === 'boolean' &&
    typeof throwIfAborted === 'function' &&
    typeof addEventListener === 'function'
  );
}

/** The error of options that `name` does not have. */
export function unknownOptions(
  unknown: readonly string[],
  name: string,
  known: readonly string[],
): SklarError {
  const list = unknown.map(describe).join(', ');
  const meant = unknown.flatMap((key) => nearest(key, known) ?? []);
  const hint = meant.length > 0 ? `; did you mean ${[...new Set(meant)].map(describe).join(', ')}?` : '';
  const all = known.length > 0 ? [...known].sort().join(', ') : 'none';
  return new SklarError(
    'ERR_SKLAR_VALUE',
    `unknown option${unknown.length > 1 ? 's' : ''} ${list} of ${name}${hint} (options: ${all})`,
  );
}

/** The name that a mistyped one stands for, if any is near enough. */
function nearest(text: string, names: readonly string[]): string | undefined {
  const lower = text.toLowerCase();
  const far = names.map((name) => ({ name, distance: editDistance(lower, name.toLowerCase()) }));
  const best = far.reduce((a, b) => (b.distance < a.distance ? b : a), { name: '', distance: Infinity });
  return best.distance <= Math.max(1, Math.floor(text.length / 3)) ? best.name : undefined;
}

/** Insertions, deletions, replacements and swaps of neighbours that lead from a to b. */
function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let distance = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        distance = Math.min(distance, before[j - 2]! + 1);
      }
      row.push(distance);
    }
    [before, last] = [last, row];
  }
  return last[b.length]!;
}
