/** Numbers as people write them: with currencies, units, thousands and decimal commas. */
import type { NumberStyle } from './column-type';
import { durationFormat } from './durations';

const CURRENCY = String.raw`[$€£¥₹₽₩₺₴₫฿]|(?:US|CA|AU|NZ|HK)\$|USD|EUR|GBP|CHF|JPY|CNY|INR|AUD|CAD|SEK|NOK|DKK|PLN|BRL|ZAR`;
const GROUPS = String.raw`,.'’ \u00a0\u202f`;
const NUMERAL = new RegExp(
  String.raw`^(\(?[-+−]?)((?:${CURRENCY})\s?)?(\(?[-+−]?)(\d(?:[\d${GROUPS}]*\d)?[.,]?|[.,]\d+)(e[-+]?\d+)?(\)?)(\s?(?:%|‰|°C?|${CURRENCY}|[a-zµ]{1,4}(?:\/[a-z]{1,4})?[²³]?))?(\)|[-−])?$`,
  'iu',
);

interface Numeral {
  readonly negative: boolean;
  readonly prefix: string;
  readonly digits: string;
  readonly exponent: string;
  readonly suffix: string;
  /** What is before and after the digits. */
  readonly around: readonly [string, string];
}

function numeralOf(text: string): Numeral | null {
  const match = NUMERAL.exec(text.trim());
  if (!match) return null;
  const [
    ,
    before = '',
    prefix = '',
    sign = '',
    digits = '',
    exponent = '',
    close = '',
    suffix = '',
    end = '',
  ] = match;
  const around = [before + prefix + sign, close + suffix + end] as const;
  const [open, shut] = around.map((text) => text.split(/[()]/).length - 1);
  if (open !== shut || open! > 1) return null;
  const signs = (before + sign + end).match(/[-+−]/g) ?? [];
  if (signs.length > 1) return null;
  const negative = open === 1 || signs.some((one) => one !== '+');
  return { negative, prefix, digits: digits.trim(), exponent, suffix, around };
}

/** The currency or the unit of a number; null: it is none, or has none. */
export function unitOf(text: string): string | null {
  const numeral = numeralOf(text);
  const unit = numeral ? (numeral.prefix + numeral.suffix).trim() : '';
  return unit === '' ? null : unit;
}

/** What stands between thousands, and before decimals, in these digits; null: they do not agree. */
function marksOf(all: readonly string[]): { group: string; mark: '.' | ',' } | null {
  const separators = new Set(all.flatMap((digits) => digits.match(/[^\d]/g) ?? []));
  const grouped = (group: string, mark: string) => {
    const [g, m] = [group, mark].map((character) => character.replace(/[.'’]/g, '\\$&'));
    const form = new RegExp(`^(?:[1-9]\\d{0,2}(?:${g}\\d{3})+|\\d+)?(?:${m}\\d*)?$`);
    return all.every((digits) => form.test(digits));
  };
  if (separators.size === 0) return { group: '', mark: '.' };
  const others = [...separators].filter((separator) => separator !== '.' && separator !== ',');
  if (others.length > 1) return null;
  const [other] = others;
  const candidates: { group: string; mark: '.' | ',' }[] = other
    ? [
        { group: other, mark: '.' },
        { group: other, mark: ',' },
      ]
    : [
        ...(separators.has(',') ? [{ group: ',', mark: '.' as const }] : []),
        { group: '', mark: separators.has(',') ? ',' : '.' },
        ...(separators.has('.') ? [{ group: '.', mark: ',' as const }] : []),
      ];
  return candidates.find(({ group, mark }) => grouped(group === '' ? 'x' : group, mark)) ?? null;
}

/** Digits before the decimals where zeros stand before some, and none has fewer digits; 0: there are none. */
function widthOf(numerals: readonly Numeral[]): number {
  const wholes = numerals.map(({ digits }) => digits.split(/[.,]/)[0]!);
  const least = wholes.reduce((shortest, whole) => Math.min(shortest, whole.length), Infinity);
  const padded = wholes.filter((whole) => /^0\d/.test(whole));
  return padded.length > 0 && padded.every((whole) => whole.length === least) ? least : 0;
}

/** What is around the digits of numbers with signs, where all of a sign have the same and it is not the usual. */
export function signsOf(
  numerals: readonly Pick<Numeral, 'prefix' | 'suffix' | 'around'>[],
  values: Float64Array,
): Pick<NumberStyle, 'negative' | 'positive' | 'zero'> {
  const { prefix, suffix } = numerals[0]!;
  const of = (isMeant: (value: number) => boolean, usual: readonly [string, string]) => {
    const own = numerals.flatMap(({ around }, k) => (isMeant(values[k]!) ? [around] : []));
    const [first] = own;
    if (!first || first.join('0') === usual.join('0')) return undefined;
    return own.every((around) => around.join('0') === first.join('0')) ? first : undefined;
  };
  const negative = of((value) => value < 0, [`-${prefix}`, suffix]);
  const positive = of((value) => value > 0, [prefix, suffix]);
  const zero = of((value) => value === 0, positive ?? [prefix, suffix]);
  return { ...(negative && { negative }), ...(positive && { positive }), ...(zero && { zero }) };
}

/** Numbers written in one style. */
export interface Numerals {
  readonly values: Float64Array;
  readonly style: NumberStyle;
  /** Which are so small that they are 0. */
  readonly vanished: readonly number[];
}

/** Which texts are numbers, of several currencies or units those of the one that most cells have. */
export function mostNumerals(texts: readonly string[], counts: readonly number[]): number[] {
  const styles = new Map<string, { chosen: number[]; cells: number }>();
  texts.forEach((text, k) => {
    const numeral = numeralOf(text);
    if (!numeral) return;
    const key = `${numeral.prefix}0${numeral.suffix}`;
    const one = styles.get(key) ?? { chosen: [], cells: 0 };
    styles.set(key, one);
    one.chosen.push(k);
    one.cells += counts[k]!;
  });
  let most = { chosen: [] as number[], cells: 0 };
  for (const one of styles.values()) if (one.cells > most.cells) most = one;
  return most.chosen;
}

/** The number that a text is in a style, with its currency or unit or without; NaN: it is none. */
export function numberIn(style: NumberStyle, text: string): number {
  if (style.duration !== undefined) {
    const [, sign, size = ''] = /^([-+−]?)(.*)$/s.exec(text.trim()) ?? [];
    const seconds = durationFormat(style.duration)!.read(size);
    return sign === '-' || sign === '−' ? -seconds : seconds;
  }
  const numeral = numeralOf(text);
  if (!numeral) return NaN;
  const { negative, prefix, digits, exponent, suffix } = numeral;
  const isOwn = (part: string, own = '') => part === '' || part.trim() === own.trim();
  if (!isOwn(prefix, style.prefix) || !isOwn(suffix, style.suffix)) return NaN;
  const mark = style.mark ?? '.';
  const group = mark === '.' ? /[,'’ \u00a0\u202f](?=\d{3}(?!\d))/gu : /[.'’ \u00a0\u202f](?=\d{3}(?!\d))/gu;
  const value = Number(digits.replace(group, '').replace(mark, '.') + exponent);
  return negative ? -value : value;
}

/** The values of texts that are all numbers written in one style; null where they are not. */
export function readNumerals(texts: readonly string[]): Numerals | null {
  const numerals: Numeral[] = [];
  for (const text of texts) {
    const numeral = numeralOf(text);
    if (!numeral) return null;
    numerals.push(numeral);
  }
  const first = numerals[0];
  if (!first || numerals.some(({ prefix, suffix }) => prefix !== first.prefix || suffix !== first.suffix))
    return null;
  const marks = marksOf(numerals.map(({ digits }) => digits));
  if (!marks) return null;
  const { group, mark } = marks;
  const places = new Set<number>();
  const values = Float64Array.from(numerals, ({ negative, digits, exponent }) => {
    const plain = (group === '' ? digits : digits.replaceAll(group, '')).replace(mark, '.');
    places.add((plain.split('.')[1] ?? '').length);
    const value = Number(plain + exponent);
    return negative ? -value : value;
  });
  if (values.some((value) => !Number.isFinite(value))) return null;
  const vanished = Array.from(values.keys()).filter(
    (k) => values[k] === 0 && /[1-9]/.test(numerals[k]!.digits),
  );
  const fixed = places.size === 1 ? [...places][0]! : 0;
  // of whole numbers 2- may be a grade
  if (fixed === 0 && numerals.some(({ around: [, after] }) => /[-−]$/.test(after))) return null;
  const width = group === '' ? widthOf(numerals) : 0;
  return {
    values,
    vanished,
    style: {
      ...(first.prefix !== '' && { prefix: first.prefix }),
      ...(first.suffix !== '' && { suffix: first.suffix }),
      ...(group !== '' && { group }),
      ...(mark === ',' && { mark }),
      ...(fixed > 0 && { fixed }),
      ...(width > 0 && { width }),
      ...signsOf(numerals, values),
    },
  };
}
