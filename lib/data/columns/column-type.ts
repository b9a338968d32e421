/** What the cells of a column are, and the number that stands for each. */
import { z } from 'zod';

import { SklarError, describe } from '../../errors';
import { calendarFormat } from './calendar';
import { CLOCK_FORMAT } from './clocks';
import { type DurationFormat, durationFormat } from './durations';

/** How a column is held as numbers: whole ones within +-(2^53 - 1), or floating point. */
export type ColumnKind = 'float' | 'integer';

/** How numbers are written that have more than digits: `$1,234.50`, `12 %`, `1.234,5 €`, `(50.00)`, `+3.00`, `002.010`. */
export interface NumberStyle {
  /** Before the digits, after a sign. */
  readonly prefix?: string | undefined;
  /** After them. */
  readonly suffix?: string | undefined;
  /** Between thousands. */
  readonly group?: string | undefined;
  /** The decimal mark; default a point. */
  readonly mark?: '.' | ',' | undefined;
  /** So many decimals, zeros at the end included. */
  readonly fixed?: number | undefined;
  /** So many digits before the decimals at least, with zeros before. */
  readonly width?: number | undefined;
  /** What is before and after the digits of numbers below 0, default a minus, `prefix` and `suffix`: `($` and `)`. */
  readonly negative?: readonly [string, string] | undefined;
  /** The same of numbers above 0, default `prefix` and `suffix`: `+` and nothing. */
  readonly positive?: readonly [string, string] | undefined;
  /** The same of 0, default that of numbers above 0. */
  readonly zero?: readonly [string, string] | undefined;
  /** Of seconds the format of durations, as in `H:mm:ss`, in place of digits, decimals and thousands. */
  readonly duration?: string | undefined;
}

/** What stands for all numbers beyond a limit: `<0.5` below 0.5. */
export interface CensoredEnd {
  readonly limit: number;
  readonly text: string;
  /** Of several such texts the others, from the next one outwards: `<1` and `ND` beyond `<2`. */
  readonly further?: readonly string[] | undefined;
}

/** Numbers that are not known beyond a limit; cells beyond it stand next to it. */
export interface Censoring {
  readonly below?: CensoredEnd | undefined;
  readonly above?: CensoredEnd | undefined;
}

/**
 * What the cells of a column are. A cell is a number in a `Table`, NaN where it is missing:
 *
 * - `number`, `integer`: itself; `decimals` are those of the data, where they have few; `censored` where `<0.5` stands for all below 0.5
 * - `boolean`: 0 or 1, `labels` where the words are not false and true
 * - `category`: its position in `labels`
 * - `date`: days since 1970-01-01, `time`: seconds since midnight, `timestamp`: seconds since 1970-01-01; `format` as in
 *   `YYYY-MM-DD HH:mm:ss`
 * - `id`: its position in `labels`, or itself where there are none; names rows and is not modelled
 */
export type ColumnType =
  | {
      readonly type: 'number';
      readonly decimals?: number | undefined;
      readonly style?: NumberStyle | undefined;
      readonly censored?: Censoring | undefined;
    }
  | {
      readonly type: 'integer';
      readonly style?: NumberStyle | undefined;
      readonly censored?: Censoring | undefined;
      /** Whole numbers were asked for, so that they are not taken for names of rows. */
      readonly asked?: true | undefined;
    }
  | { readonly type: 'boolean'; readonly labels?: readonly [string, string] | undefined }
  | { readonly type: 'category'; readonly labels: readonly string[] }
  | { readonly type: 'date' | 'time' | 'timestamp'; readonly format: string }
  | { readonly type: 'id'; readonly labels?: readonly string[] | undefined };

/** The names of the types that a column can be given. */
export const typeNames = [
  'number',
  'integer',
  'boolean',
  'category',
  'date',
  'time',
  'timestamp',
  'id',
] as const;
export type TypeName = (typeof typeNames)[number];

const aroundSchema = z.tuple([z.string(), z.string()]).optional();
const styleSchema = z.strictObject({
  prefix: z.string().optional(),
  suffix: z.string().optional(),
  group: z.string().optional(),
  mark: z.enum(['.', ',']).optional(),
  fixed: z.int().min(0).max(20).optional(),
  width: z.int().min(2).max(40).optional(),
  negative: aroundSchema,
  positive: aroundSchema,
  zero: aroundSchema,
  duration: z
    .string()
    .refine((format) => durationFormat(format) !== null, 'a format of a duration')
    .optional(),
});
const endSchema = z
  .strictObject({ limit: z.number(), text: z.string(), further: z.array(z.string()).min(1).optional() })
  .optional();
const censoredSchema = z.strictObject({ below: endSchema, above: endSchema }).optional();
const calendarSchema = <T extends 'date' | 'time' | 'timestamp'>(type: T) =>
  z.strictObject({
    type: z.literal(type),
    format: z.string().refine((format) => calendarFormat(format)?.holds === type, `a format of a ${type}`),
  });

/** Of a model file or a schema file. */
export const columnTypeSchema: z.ZodType<ColumnType> = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('number'),
    decimals: z.int().min(0).max(20).optional(),
    style: styleSchema.optional(),
    censored: censoredSchema,
  }),
  z.strictObject({
    type: z.literal('integer'),
    style: styleSchema.optional(),
    censored: censoredSchema,
    asked: z.literal(true).optional(),
  }),
  z.strictObject({ type: z.literal('boolean'), labels: z.tuple([z.string(), z.string()]).optional() }),
  z.strictObject({ type: z.literal('category'), labels: z.array(z.string()) }),
  calendarSchema('date'),
  calendarSchema('time'),
  calendarSchema('timestamp'),
  z.strictObject({ type: z.literal('id'), labels: z.array(z.string()).optional() }),
]);

const FLOAT: ColumnType = { type: 'number' };
const INTEGER: ColumnType = { type: 'integer' };

/** The type that a kind alone stands for. */
export function typeOf(type: ColumnKind | ColumnType): ColumnType {
  return type === 'float' ? FLOAT : type === 'integer' ? INTEGER : type;
}

/**
 * Returns the type, where it is one; of labels no copy is made.
 *
 * @throws SklarError ERR_SKLAR_VALUE naming `where`
 */
export function expectType(type: ColumnKind | ColumnType, where: string): ColumnType {
  if (type === 'float' || type === 'integer') return typeOf(type);
  if (isType(type)) return type;
  throw new SklarError(
    'ERR_SKLAR_VALUE',
    `expected 'float', 'integer' or an object such as { type: 'number' } for the type of ${where}, got ${describe(type)}`,
  );
}

/** What `columnTypeSchema` asks, of many labels in a moment. */
function isType(type: unknown): boolean {
  if (typeof type !== 'object' || type === null) return false;
  const { labels, ...rest } = type as { labels?: unknown };
  if (labels === undefined) return columnTypeSchema.safeParse(rest).success;
  if (!Array.isArray(labels) || !labels.every((label) => typeof label === 'string')) return false;
  return columnTypeSchema.safeParse({ ...rest, labels: labels.slice(0, 3) }).success;
}

/** How the numbers of a type are held. */
export function kindOf(type: ColumnType): ColumnKind {
  switch (type.type) {
    case 'number':
      return 'float';
    case 'id':
      return type.labels ? 'integer' : 'float';
    case 'time':
    case 'timestamp':
      return calendarFormat(type.format)!.decimals > 0 ? 'float' : 'integer';
    default:
      return 'integer';
  }
}

/** The labels of a type whose cells are positions in them. */
export function labelsOf(type: ColumnType): readonly string[] | null {
  if (type.type === 'category' || type.type === 'id') return type.labels ?? null;
  return type.type === 'boolean' ? (type.labels ?? ['false', 'true']) : null;
}

/** Whether cells are written as `String` writes their numbers. */
export function isNumeric(type: ColumnType): boolean {
  if (type.type === 'number' || type.type === 'integer') return !type.style && !type.censored;
  return type.type === 'id' && !type.labels;
}

/** What a cell is as JSON, without quotes where it is a number. */
export function jsonText(type: ColumnType, value: number): string {
  switch (type.type) {
    case 'boolean':
      return type.labels ? JSON.stringify(cellText(type, value)) : value === 0 ? 'false' : 'true';
    case 'number':
    case 'integer': {
      // currencies and thousands are how numbers are shown, durations are texts
      const text = type.style?.duration === undefined ? censoredText(type, value) : cellText(type, value);
      return text === null ? String(value) : JSON.stringify(text);
    }
    case 'time':
      return type.format === CLOCK_FORMAT ? cellText(type, value) : JSON.stringify(cellText(type, value));
    default:
      return JSON.stringify(cellText(type, value));
  }
}

function withStyle(value: number, decimals: number | undefined, style: NumberStyle): string {
  const { prefix = '', suffix = '', group = '', mark = '.', fixed, width = 0 } = style;
  const places = fixed ?? decimals;
  const size = Math.abs(value);
  const digitsOf = () => {
    const [whole = '', part] = (places === undefined ? String(size) : size.toFixed(places)).split('.');
    const padded = whole.padStart(width, '0');
    const grouped = group === '' ? padded : padded.replace(/\B(?=(?:\d{3})+(?!\d))/g, group);
    return grouped + (part === undefined ? '' : mark + part);
  };
  const digits = durationOf(style)?.write(size) ?? digitsOf();
  const plain = [prefix, suffix] as const;
  const [before, after] = !/[1-9]/.test(digits)
    ? (style.zero ?? style.positive ?? plain)
    : value < 0
      ? (style.negative ?? [`-${prefix}`, suffix])
      : (style.positive ?? plain);
  return before + digits + after;
}

const durationOf = ({ duration }: NumberStyle): DurationFormat | null =>
  duration === undefined ? null : durationFormat(duration);

/** Decimals of numbers that have more than those of people. */
const MANY = 9;

type Numeric = ColumnType & { type: 'number' | 'integer' };
type Side = 'below' | 'above';

/** The `k`-th number, from 0, beyond a limit of these numbers. */
export function beyondLimit(type: Numeric, side: Side, limit: number, k = 0): number {
  const away = side === 'below' ? -1 : 1;
  if (type.type === 'integer') return away < 0 ? Math.ceil(limit) - 1 - k : Math.floor(limit) + 1 + k;
  const decimals = decimalsBeyond(type, limit);
  return Number((limit + away * (k + 1) * 10 ** -decimals).toFixed(decimals));
}

const decimalsBeyond = (type: Numeric, limit: number): number =>
  type.type === 'integer' ? 0 : Math.max(type.decimals ?? MANY, decimalsOf(Float64Array.of(limit)) ?? 0);

/** The texts of an end, the one next to the numbers first. */
const textsOf = ({ text, further = [] }: CensoredEnd): readonly string[] => [text, ...further];

/** Where a number lies beyond a limit; null: it is known. */
function beyondOf(type: ColumnType, value: number): { side: Side; end: CensoredEnd; k: number } | null {
  if (!('censored' in type) || !type.censored) return null;
  const { below, above } = type.censored;
  const side = below && value < below.limit ? 'below' : above && value > above.limit ? 'above' : null;
  if (side === null) return null;
  const end = type.censored[side]!;
  const most = end.further?.length ?? 0;
  const steps = most === 0 ? 0 : Math.abs(value - beyondLimit(type, side, end.limit));
  const k = Math.min(most, Math.round(steps * 10 ** decimalsBeyond(type, end.limit)));
  return { side, end, k };
}

/** The text of a number beyond a limit; null: it is known. */
export function censoredText(type: ColumnType, value: number): string | null {
  const beyond = beyondOf(type, value);
  return beyond && textsOf(beyond.end)[beyond.k]!;
}

/** The number of a text that stands for those beyond a limit; NaN: it is none. */
export function censoredNumber(type: ColumnType, text: string): number {
  if (!('censored' in type) || !type.censored) return NaN;
  for (const side of ['below', 'above'] as const) {
    const end = type.censored[side];
    const k = end ? textsOf(end).indexOf(text) : -1;
    if (k >= 0) return beyondLimit(type, side, end!.limit, k);
  }
  return NaN;
}

/** The numbers of all texts that stand for those beyond a limit. */
export function censoredNumbers(type: ColumnType): number[] {
  if (!('censored' in type) || !type.censored) return [];
  const ends = Object.values(type.censored) as (CensoredEnd | undefined)[];
  return ends.flatMap((end) => (end ? textsOf(end) : [])).map((text) => censoredNumber(type, text));
}

/** The text of a cell that is not missing. Numbers are written so that they read back as the same doubles. */
export function cellText(type: ColumnType, value: number): string {
  const censored = censoredText(type, value);
  if (censored !== null) return censored;
  switch (type.type) {
    case 'number':
      return type.style && Number.isFinite(value)
        ? withStyle(value, type.decimals, type.style)
        : String(value);
    case 'integer':
      return type.style ? withStyle(value, 0, type.style) : String(value);
    case 'date':
    case 'time':
    case 'timestamp':
      return calendarFormat(type.format)!.write(value);
    default:
      return labelsOf(type)?.[value] ?? String(value);
  }
}

/** The nearest number that a cell of the type can have. */
export function roundedTo(type: ColumnType): ((value: number) => number) | null {
  const decimals =
    type.type === 'number'
      ? type.decimals
      : type.type === 'time' || type.type === 'timestamp'
        ? calendarFormat(type.format)!.decimals
        : undefined;
  const duration = 'style' in type && type.style ? durationOf(type.style) : null;
  const places = duration ? Math.min(decimals ?? MANY, duration.decimals) : decimals;
  const unit = places === undefined ? null : 10 ** places;
  const seconds = duration?.seconds ?? 1;
  // a quotient of whole numbers is the double nearest to the decimal
  const round = (value: number) =>
    unit !== null && Math.abs(value) * unit < 2 ** 52
      ? (Math.round((value / seconds) * unit) / unit) * seconds
      : value;
  if (!('censored' in type) || !type.censored) return unit === null ? null : round;
  return (value) => {
    const beyond = beyondOf(type, value);
    return beyond ? beyondLimit(type, beyond.side, beyond.end.limit, beyond.k) : round(value);
  };
}

/** The number that a cell of the type holds of a computed one. */
export const cellRounding = (type: ColumnType): ((value: number) => number) => {
  const round = roundedTo(type) ?? ((value: number) => value);
  return kindOf(type) === 'integer' ? (value) => round(Math.round(value)) : round;
};

/** Decimals of values that have at most so many, all of them; undefined: more. */
const MOST_DECIMALS = 9;

/** Counts how many decimals are enough for each of the values that it is shown. */
export class DecimalCounter {
  #decimals: number | undefined = 0;
  #unit = 1;

  push(value: number): void {
    if (this.#decimals === undefined || !Number.isFinite(value)) return;
    while (Math.round(value * this.#unit) / this.#unit !== value) {
      if (++this.#decimals > MOST_DECIMALS || Math.abs(value) * this.#unit > 2 ** 49) {
        this.#decimals = undefined;
        return;
      }
      this.#unit = 10 ** this.#decimals;
    }
  }

  /** Undefined where they are too many to be those of people. */
  get decimals(): number | undefined {
    return this.#decimals;
  }
}

/** How many decimals are enough for each of the values; undefined where they are too many to be those of people. */
export function decimalsOf(values: Float64Array): number | undefined {
  const counter = new DecimalCounter();
  for (const value of values) counter.push(value);
  return counter.decimals;
}

/** The type of numbers with the decimals that they have. */
export function numberType(values: Float64Array): ColumnType & { type: 'number' } {
  return numberOfDecimals(decimalsOf(values));
}

/** The type of numbers with such decimals. */
export function numberOfDecimals(decimals: number | undefined): ColumnType & { type: 'number' } {
  return { type: 'number', ...(decimals !== undefined && { decimals }) };
}

/**
 * The number of a cell as a user gives it: a number, a label, a date as the column writes it, as YYYY-MM-DD or a Date.
 *
 * @returns NaN where the type has no such cell
 */
export function numberOfCell(type: ColumnType, cell: unknown): number {
  if (typeof cell === 'number')
    return labelsOf(type) && type.type !== 'boolean' ? labelIndex(type, String(cell)) : cell;
  if (typeof cell === 'boolean')
    return type.type === 'boolean' ? Number(cell) : labelIndex(type, String(cell));
  if (cell instanceof Date) {
    const seconds = cell.getTime() / 1000;
    return type.type === 'timestamp' ? seconds : type.type === 'date' ? Math.floor(seconds / 86_400) : NaN;
  }
  if (typeof cell !== 'string') return NaN;
  switch (type.type) {
    case 'date':
    case 'time':
    case 'timestamp': {
      const usual = {
        date: ['YYYY-MM-DD'],
        time: ['HH:mm', 'HH:mm:ss'],
        timestamp: ['YYYY-MM-DD', 'YYYY-MM-DD HH:mm:ss', 'YYYY-MM-DD[T]HH:mm:ss[Z]'],
      };
      for (const format of [type.format, ...usual[type.type]]) {
        const made = calendarFormat(format)!;
        const value = made.read(cell);
        if (!Number.isNaN(value))
          return type.type === 'timestamp' && made.holds === 'date' ? value * 86_400 : value;
      }
      return NaN;
    }
    case 'boolean':
    case 'category':
    case 'id':
      return labelIndex(type, cell);
    default:
      return cell.trim() === '' ? NaN : Number(cell);
  }
}

function labelIndex(type: ColumnType, text: string): number {
  const labels = labelsOf(type) ?? [];
  const exact = labels.indexOf(text);
  if (exact >= 0) return exact;
  const words = type.type === 'boolean' ? { false: 0, true: 1, '0': 0, '1': 1 } : {};
  return (words as Record<string, number>)[text.toLowerCase()] ?? NaN;
}
