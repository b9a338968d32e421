/** Names of rows: what they look like, and new ones that look alike. */
import { z } from 'zod';

import { type Seed, hashWords, seedWords } from '../random';

/**
 * How new names are made. None of the data is kept beside what all of them share.
 *
 * - `counted`: `prefix`, a number of at least `width` digits, `suffix`; numbers begin with `first` and are `step` apart, with a random
 *   part where that is more than 1
 * - `uuid`: random UUIDs
 * - `shapes`: `prefix` and texts in which 0 stands for a digit, a and A for letters, others for themselves; `hex`: all are hexadecimal digits
 */
export type IdRule =
  | {
      readonly rule: 'counted';
      readonly prefix: string;
      readonly suffix: string;
      readonly width: number;
      readonly first: number;
      readonly step: number;
    }
  | { readonly rule: 'uuid' }
  | {
      readonly rule: 'shapes';
      readonly shapes: readonly string[];
      readonly prefix?: string | undefined;
      readonly hex?: boolean | undefined;
    };

export const idRuleSchema: z.ZodType<IdRule> = z.discriminatedUnion('rule', [
  z.strictObject({
    rule: z.literal('counted'),
    prefix: z.string(),
    suffix: z.string(),
    width: z.int().min(0).max(400),
    first: z.number(),
    step: z.number().min(1),
  }),
  z.strictObject({ rule: z.literal('uuid') }),
  z.strictObject({
    rule: z.literal('shapes'),
    shapes: z.array(z.string()).min(1),
    prefix: z.string().optional(),
    hex: z.boolean().optional(),
  }),
]);

const HASH = /^[\da-f]{16,}$/;
const UUID = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/i;

/** Shapes kept at most. */
const MOST_SHAPES = 200;

/** The rule of different texts. */
export function ruleOfTexts(texts: readonly string[]): IdRule {
  if (texts.every((text) => UUID.test(text))) return { rule: 'uuid' };
  const [, prefix = '', digits, suffix = ''] = /^(.*?\D|)(\d{1,15})(\D*)$/s.exec(texts[0]!) ?? [];
  if (digits !== undefined) {
    const numbers = texts.map((text) => {
      const middle = text.slice(prefix.length, text.length - suffix.length);
      const fits = text.startsWith(prefix) && text.endsWith(suffix) && /^\d{1,15}$/.test(middle);
      return fits ? { value: Number(middle), width: middle.length } : null;
    });
    if (numbers.every((number) => number !== null)) {
      const width = numbers.reduce((least, number) => Math.min(least, number.width), Infinity);
      return {
        ...countedFrom(numbers.map(({ value }) => value)),
        prefix,
        suffix,
        width,
      };
    }
  }
  const hex = texts.every((text) => HASH.test(text));
  const start = hex ? '' : commonPrefix(texts);
  const counts = new Map<string, number>();
  for (const text of texts) {
    const shape = text
      .slice(start.length)
      .replace(/\d/g, '0')
      .replace(/\p{Ll}/gu, 'a')
      .replace(/\p{Lu}/gu, 'A');
    counts.set(shape, (counts.get(shape) ?? 0) + 1);
  }
  const frequent = [...counts].sort((a, b) => b[1] - a[1]).slice(0, MOST_SHAPES);
  const shapes = frequent.map(([shape]) => shape);
  return { rule: 'shapes', shapes, ...(start && { prefix: start }), ...(hex && { hex }) };
}

/** What all texts begin with, without digits at its end, which are those of a number, or half a character. */
function commonPrefix(texts: readonly string[]): string {
  let prefix = texts[0]!;
  for (const text of texts) while (!text.startsWith(prefix)) prefix = prefix.slice(0, -1);
  return prefix.replace(/\d+$|[\ud800-\udbff]$/, '');
}

/** The rule of different whole numbers. */
export function ruleOfNumbers(values: readonly number[] | Float64Array): IdRule {
  return { ...countedFrom(values), prefix: '', suffix: '', width: 0 };
}

function countedFrom(values: readonly number[] | Float64Array) {
  let [least, most] = [Infinity, -Infinity];
  for (const value of values) {
    least = Math.min(least, value);
    most = Math.max(most, value);
  }
  const step = values.length > 1 ? Math.max(1, (most - least) / (values.length - 1)) : 1;
  return { rule: 'counted' as const, first: least, step };
}

/** The name of a row, by its number: numbers and UUIDs differ in different rows. */
export function idOf(rule: IdRule, row: number, seed: Seed, column: number): string {
  const [low, high] = seedWords(seed);
  const word = (k: number) => hashWords(low, high, column, Math.floor(row / 2 ** 32), row >>> 0, k);
  const share = (k: number) => word(k) / 2 ** 32;
  switch (rule.rule) {
    case 'counted': {
      const part = rule.step > 1 ? share(0) * (1 - 1 / rule.step) : 0;
      const number = rule.first + Math.floor((row + part) * rule.step);
      return rule.prefix + String(number).padStart(rule.width, '0') + rule.suffix;
    }
    case 'uuid': {
      const hex = [0, 1, 2, 3].map((k) => word(k).toString(16).padStart(8, '0')).join('');
      const variant = '89ab'[word(4) % 4]!;
      return [
        hex.slice(0, 8),
        hex.slice(8, 12),
        `4${hex.slice(13, 16)}`,
        variant + hex.slice(17, 20),
        hex.slice(20),
      ].join('-');
    }
    case 'shapes': {
      const shape = rule.shapes[word(0) % rule.shapes.length]!;
      if (rule.hex) return Array.from(shape, (_, k) => (word(k + 1) % 16).toString(16)).join('');
      const made = [...shape]
        .map((character, k) =>
          character === '0'
            ? String(word(k + 1) % 10)
            : character === 'a' || character === 'A'
              ? String.fromCharCode(character.charCodeAt(0) + (word(k + 1) % 26))
              : character,
        )
        .join('');
      return (rule.prefix ?? '') + made;
    }
  }
}
