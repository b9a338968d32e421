/** Names of rows: what they look like, and new ones that look alike. */
import { z } from 'zod';

import { release } from '../../native';
import { greatestDivisor } from '../columns/plain-number';
import { type Seed, hashWords, seedWords } from '../random';

/**
 * How new names are made. None of the data is kept beside what all of them share.
 *
 * - `counted`: `prefix`, a number of at least `width` digits, `suffix`; numbers begin with `first` and are `step` apart, with a random
 *   part where that is more than 1, and whole multiples of `unit` (default 1) above `first`
 * - `uuid`: random UUIDs
 * - `of`: those of another column with something before and after: addresses of accounts, references of numbers
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
      readonly unit?: number | undefined;
    }
  | { readonly rule: 'uuid' }
  | {
      readonly rule: 'of';
      readonly name: string;
      readonly before: string;
      readonly after: string;
      /** Of numbers, with zeros before. */
      readonly width?: number | undefined;
      readonly lower?: true | undefined;
    }
  | {
      readonly rule: 'shapes';
      readonly shapes: readonly string[];
      readonly prefix?: string | undefined;
      readonly hex?: boolean | undefined;
    };

/** How names are made that are those of no other column. */
type OfOther = Extract<IdRule, { rule: 'of' }>;
type OwnRule = Exclude<IdRule, { rule: 'of' }>;

export const idRuleSchema: z.ZodType<IdRule> = z.discriminatedUnion('rule', [
  z.strictObject({
    rule: z.literal('counted'),
    prefix: z.string(),
    suffix: z.string(),
    width: z.int().min(0).max(400),
    first: z.number(),
    step: z.number().min(1),
    unit: z.number().min(1).optional(),
  }),
  z.strictObject({ rule: z.literal('uuid') }),
  z.strictObject({
    rule: z.literal('of'),
    name: z.string(),
    before: z.string(),
    after: z.string(),
    width: z.int().min(2).max(400).optional(),
    lower: z.literal(true).optional(),
  }),
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
export function ruleOfTexts(texts: readonly string[]): OwnRule {
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
export function ruleOfNumbers(values: readonly number[] | Float64Array): OwnRule {
  return { ...countedFrom(values), prefix: '', suffix: '', width: 0 };
}

function countedFrom(values: readonly number[] | Float64Array) {
  const [least, most] = rangeOf(values);
  const step = values.length > 1 ? Math.max(1, (most - least) / (values.length - 1)) : 1;
  let unit = 0;
  for (const value of values) unit = greatestDivisor(unit, value - least);
  return { rule: 'counted' as const, first: least, step, ...(unit > 1 && { unit }) };
}

function rangeOf(values: Iterable<number>): [number, number] {
  let [least, most] = [Infinity, -Infinity];
  for (const value of values) {
    least = Math.min(least, value);
    most = Math.max(most, value);
  }
  return [least, most];
}

/** Columns of names: of any numbers that all differ. */
const CALLED =
  /^$|^(?:unnamed(?:: ?\d+)?|index|row(?:[ _]?(?:id|no|number|num))?|id|key|uuid|guid)$|(?:[ _-]|\b)(?:id|uuid|guid|key)$|[a-z](?:Id|ID|Key)$/i;
/** Last words of names of columns, as `order_no`: the same, but for those of a time or a count, as `week no`. */
const NUMBERS = wordsOf('no nr num number nummer numero code ref reference serial barcode sku isbn ean vin');
/** Last words of what rows are: where the numbers are also such as data would not be. */
const THINGS = [
  ...NUMBERS,
  ...wordsOf(
    '# index idx seq sequence row rows obs observation record entry line item order invoice ticket receipt case booking transaction txn trx ' +
      'claim policy account customer client user member patient visit encounter admission specimen sample batch lot shipment delivery ' +
      'parcel tracking voucher coupon document doc file job task issue request session event message report permit licence license loan ' +
      'contract passenger employee student vehicle bon beleg rechnung auftrag kunde',
  ),
];
/** Words of what is measured, whatever the numbers. */
const TIMES = wordsOf(
  'year years yr jahr month months week weeks day days date time hour hours minute minutes second seconds timestamp epoch age rank ranking ' +
    'season quarter',
);
/** Words of places, whose numbers and codes say where something is. */
const PLACES = wordsOf(
  'zip zipcode postal post postcode plz area region city house street dial ext extension',
);
/** The same as last words. */
const MEASURES = wordsOf(
  't x y z position pos place level grade score count counts total sum amount qty quantity visits km miles mileage odometer reading ' +
    'distance depth height width length weight temperature temp pressure frequency wavelength price cost salary income revenue size ' +
    'population step steps iteration round lap trial dose angle degrees tick frame cycle generation',
);
/** Words before `code` that say of what class something is. */
const CLASSES = wordsOf(
  'hs hts taric tariff commodity goods cpv cpc unspsc sic naics nace isic industry sector soc isco occupation icd cpt drg atc snomed loinc ' +
    'diagnosis procedure class category type group status state error exit response reason country currency language color colour ' +
    'department dept subject course',
);
const COUNTS = wordsOf('n no nr num number count total');

function wordsOf(name: string): string[] {
  const spaced = name.replace(/([a-z\d])([A-Z])/g, '$1 $2').toLowerCase();
  return spaced.split(/[^\p{L}\d#]+/u).filter((word) => word !== '');
}

const FEWEST_IDS = 10;
/** Independent draws would have none twice, and in order where they are, with no more than this probability. */
const CHANCE = 1e-9;
/** Numbers without a name that says so: in a range of so many times their number, of so many rows that dependence would show. */
const CLOSE = 2;
const FEWEST_SHOWN = 100;
/** Numbers that may be years. */
const YEARS = [1800, 2100] as const;

/** Why whole numbers name rows; `ifFree`: only where no other column depends on them; `ifPlain`: only where they do not encode one (`encodes`). */
export interface NamingNumbers {
  readonly why: string;
  readonly ifFree: boolean;
  readonly ifPlain: boolean;
}

/** Whether whole numbers, of which some may be missing, name rows; null: they do not. */
export function namingNumbers(name: string, column: Float64Array): NamingNumbers | null {
  const values = column.some(Number.isNaN) ? column.filter((value) => !Number.isNaN(value)) : column;
  const n = values.length;
  if (n < FEWEST_IDS || !allDiffer(values)) return null;
  const found = (why: string, ifFree = false) => ({ why, ifFree, ifPlain: true });
  if (CALLED.test(name)) return { ...found('all differ, as the name says'), ifPlain: false };
  const words = wordsOf(name);
  // lines of code are lines, and errors per code a rate
  const of = words.lastIndexOf('of');
  const last = words.at(of > 0 ? of - 1 : -1) ?? '';
  if (words.some((word) => TIMES.includes(word) || PLACES.includes(word)) || MEASURES.includes(last))
    return null;
  const isClass = last === 'code' && words.some((word) => CLASSES.includes(word));
  if (isClass || words.lastIndexOf('per') > 0) return null;
  const isCount = words.length > 1 && COUNTS.includes(words[0]!);
  const isNumber = (words.length > 1 && NUMBERS.includes(last)) || /.(?:nr|nummer)$/.test(last);
  if (isNumber && !isCount) return found('all differ, as the name says');
  const [least, most] = rangeOf(values);
  const range = most - least + 1;
  const rises = values.every((value, i) => i === 0 || value > values[i - 1]!);
  let chance = 0;
  for (let i = 0; i < n; i++) chance += Math.log1p(-i / range) - (rises ? Math.log(i + 1) : 0);
  if (chance > Math.log(CHANCE)) return null;
  const text = rises ? 'all differ, and rise from row to row' : 'all differ, as close together as they are';
  if (!isCount && THINGS.includes(last)) return found(text);
  const counts = rises && range === n && (least === 0 || least === 1);
  const mayBe = range <= CLOSE * n && n >= FEWEST_SHOWN && !(least >= YEARS[0] && most <= YEARS[1]);
  return counts || mayBe ? found(`${text}, and no other column depends on them`, true) : null;
}

/** Rows of a value that leading digits say, on average. */
const ROWS_OF_DIGITS = 5;

/**
 * Whether the leading digits of different whole numbers say what another column has, as those of rooms say the floor: in the order of the numbers
 * its values change only where leading digits do, which changes at random would with a probability below `level`.
 */
export function encodes(numbers: Float64Array, other: Float64Array, level: number): boolean {
  const rows = Array.from(numbers.keys()).filter((i) => !Number.isNaN(numbers[i]) && !Number.isNaN(other[i]));
  rows.sort((a, b) => numbers[a]! - numbers[b]!);
  if (rows.length < FEWEST_IDS || numbers[rows[0]!]! < 0) return false;
  const changes = (of: (row: number) => number) =>
    rows.flatMap((row, k) => (k > 0 && of(row) !== of(rows[k - 1]!) ? [k] : []));
  const own = changes((row) => other[row]!);
  if (own.length === 0) return false;
  for (let unit = 10; unit <= numbers[rows.at(-1)!]!; unit *= 10) {
    const allowed = new Set(changes((row) => Math.floor(numbers[row]! / unit)));
    if (ROWS_OF_DIGITS * (allowed.size + 1) > rows.length) continue;
    if (!own.every((k) => allowed.has(k))) continue;
    // of so many places for changes these would all be among those between leading digits
    let chance = 0;
    for (let k = 0; k < own.length; k++) chance += Math.log((allowed.size - k) / (rows.length - 1 - k));
    if (chance < Math.log(level)) return true;
  }
  return false;
}

/** Whether no value occurs twice. */
function allDiffer(values: Float64Array): boolean {
  const sorted = values.slice().sort();
  const differ = sorted.every((value, i) => value !== sorted[i + 1]);
  release(sorted);
  return differ;
}

/** The name of a row, by its number: numbers and UUIDs differ in different rows. */
export function idOf(rule: OwnRule, row: number, seed: Seed, column: number): string {
  const [low, high] = seedWords(seed);
  const word = (k: number) => hashWords(low, high, column, Math.floor(row / 2 ** 32), row >>> 0, k);
  const share = (k: number) => word(k) / 2 ** 32;
  switch (rule.rule) {
    case 'counted': {
      const unit = rule.unit ?? 1;
      const part = rule.step > unit ? share(0) * (1 - unit / rule.step) : 0;
      const number = rule.first + unit * Math.floor(((row + part) * rule.step) / unit);
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

/** The name that one of another column makes. */
export function nameOfOther({ before, after, width = 0, lower }: OfOther, name: string): string {
  return before + (lower ? name.toLowerCase() : name).padStart(width, '0') + after;
}

/** How the names of a column are made of those of another, in all rows that have both; null: they are not. */
export function ruleOfOther(
  other: string,
  theirs: readonly (string | null)[],
  names: readonly (string | null)[],
): IdRule | null {
  const rows = names.flatMap((name, i) => (name === null || theirs[i] === null ? [] : [i]));
  if (rows.length < FEWEST_NAMES) return null;
  const [first] = rows;
  const name = names[first!]!;
  for (const lower of [undefined, true] as const) {
    const part = lower ? theirs[first!]!.toLowerCase() : theirs[first!]!;
    for (let at = name.indexOf(part); at >= 0 && part !== ''; at = name.indexOf(part, at + 1)) {
      const after = name.slice(at + part.length);
      const [before, zeros] = [name.slice(0, at), /0*$/.exec(name.slice(0, at))![0].length];
      for (const padded of zeros > 0 ? [zeros, 0] : [0]) {
        const rule: OfOther = {
          rule: 'of',
          name: other,
          before: before.slice(0, before.length - padded),
          after,
          ...(padded > 0 && { width: padded + part.length }),
          ...(lower && { lower }),
        };
        if (rows.every((i) => nameOfOther(rule, theirs[i]!) === names[i])) return rule;
      }
    }
  }
  return null;
}

/** Rows in which names of two columns agree. */
const FEWEST_NAMES = 20;
