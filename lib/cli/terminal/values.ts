/** Values of options: from text to what the library takes, with errors that name the option. */
import type { z } from 'zod';

import { VANISHED } from '../../data/columns/plain-number';
import type { Seed } from '../../data/random';
import { SklarError, describe, expectInteger, expectNumber, type NumberRange } from '../../errors';

/** A number in decimal or scientific notation; NaN for anything else, such as '', '0x10', '1_000', and '1e-400', which is not 0. */
function toNumber(text: string): number {
  if (!/^[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?$/i.test(text)) return NaN;
  const number = Number(text);
  return number === 0 && VANISHED.test(text) ? NaN : number;
}

/** The number that the text stands for, or the text itself, so that a message shows what the user wrote. */
export function numberOrText(text: string): number | string {
  const number = toNumber(text);
  return Number.isNaN(number) ? text : number;
}

/** A parser of whole numbers for an option such as `--rows`. */
export function integer(option: string, range: NumberRange): (text: string) => number {
  return (text) => expectInteger(numberOrText(text), option, range);
}

/** A parser of numbers. */
export function number(option: string, range: NumberRange): (text: string) => number {
  return (text) => expectNumber(numberOrText(text), option, range);
}

/** A parser of numbers for an option whose range a schema knows; of several kinds' ranges `told` is the one to tell. */
export function fromSchema(option: string, schema: z.ZodType, told = schema): (text: string) => number {
  return (text) => {
    const value = numberOrText(text);
    const result = schema.safeParse(value);
    if (result.success) return result.data as number;
    const { message } = told.safeParse(value).error!.issues[0]!;
    throw new SklarError('ERR_SKLAR_VALUE', `bad value for ${option}: ${message}, got ${describe(value)}`);
  };
}

/** A parser of 64-bit seeds. */
export function seed(option: string): (text: string) => Seed {
  return (text) => {
    if (/^\d{1,20}$/.test(text) && BigInt(text) < 1n << 64n) return BigInt(text);
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      `expected an integer from 0 to 2^64 - 1 for ${option}, got ${describe(text)}`,
    );
  };
}

/** How names are written, for --help. */
export const BETWEEN_COMMAS = 'between commas, a name with commas in "quotes"';

/** A parser of names between commas, in quotes as in CSV where they hold commas; repeating the option adds more. */
export function names(text: string, previous: readonly string[] = []): string[] {
  const found = [...previous];
  for (let rest = text; ;) {
    const quoted = quotedName(rest);
    const end = quoted && /^\s*(?:,|$)/.exec(quoted.rest);
    const next = quoted && end ? quoted.rest.trimStart() : rest;
    const comma = quoted && end ? next.indexOf(',') : rest.indexOf(',');
    found.push(quoted && end ? quoted.name : comma < 0 ? rest : rest.slice(0, comma));
    if (comma < 0) return found;
    rest = next.slice(comma + 1);
  }
}

/** A name in quotes as in CSV at the beginning of a text, and what follows it; null: there is none. */
export function quotedName(text: string): { name: string; rest: string } | null {
  const quoted = /^\s*"((?:[^"]|"")*)"/.exec(text);
  return quoted && { name: quoted[1]!.replaceAll('""', '"'), rest: text.slice(quoted[0].length) };
}
