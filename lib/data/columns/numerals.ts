/** Numbers as people write them: with currencies, units, thousands and decimal commas. */
import type { NumberStyle } from './column-type';

const CURRENCY = String.raw`[$€£¥₹₽₩₺₴₫฿]|(?:US|CA|AU|NZ|HK)\$|USD|EUR|GBP|CHF|JPY|CNY|INR|AUD|CAD|SEK|NOK|DKK|PLN|BRL|ZAR`;
const GROUPS = String.raw`,.'’ \u00a0\u202f`;
const NUMERAL = new RegExp(
  String.raw`^(\(?[-+−]?)((?:${CURRENCY})\s?)?([-+−]?)(\d(?:[\d${GROUPS}]*\d)?[.,]?|[.,]\d+)(e[-+]?\d+)?(\s?(?:%|‰|°C?|${CURRENCY}|[a-zµ]{1,4}(?:\/[a-z]{1,4})?[²³]?))?(\)?)$`,
  'iu',
);

interface Numeral {
  readonly negative: boolean;
  readonly prefix: string;
  readonly digits: string;
  readonly exponent: string;
  readonly suffix: string;
}

function numeralOf(text: string): Numeral | null {
  const match = NUMERAL.exec(text.trim());
  if (!match) return null;
  const [, before = '', prefix = '', sign = '', digits = '', exponent = '', suffix = '', after] = match;
  const bracket = before.startsWith('(');
  if (bracket !== (after === ')')) return null;
  const negative = bracket || /[-−]/.test(before + sign);
  return { negative, prefix, digits: digits.trim(), exponent, suffix };
}

/** What stands between thousands, and before decimals, in these digits; null: they do not agree. */
function marksOf(all: readonly string[]): { group: string; mark: '.' | ',' } | null {
  const separators = new Set(all.flatMap((digits) => digits.match(/[^\d]/g) ?? []));
  const grouped = (group: string, mark: string) => {
    const [g, m] = [group, mark].map((character) => character.replace(/[.'’]/g, '\\$&'));
    const form = new RegExp(`^(?:\\d{1,3}(?:${g}\\d{3})+|\\d+)?(?:${m}\\d*)?$`);
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

/** The values of texts that are all numbers written in one style, and which are so small that they are 0; null where they are not. */
export function readNumerals(
  texts: readonly string[],
): { values: Float64Array; style: NumberStyle; vanished: number[] } | null {
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
  const [fixed = 0] = places;
  return {
    values,
    vanished,
    style: {
      ...(first.prefix !== '' && { prefix: first.prefix }),
      ...(first.suffix !== '' && { suffix: first.suffix }),
      ...(group !== '' && { group }),
      ...(mark === ',' && { mark }),
      ...(places.size === 1 && fixed > 0 && { fixed }),
    },
  };
}
