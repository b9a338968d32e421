/** Columns as functions of others: what they are, compute and say. */
import { z } from 'zod';

import { type ColumnType, cellRounding, cellText } from '../columns/column-type';
import { DAY, type DatePart, datePart, datePartNames, yearsBetween } from '../columns/days';
import { andWords } from '../../notes';

/**
 * A column as a function of others.
 *
 * - `linear`: offset + sum of factor x column, rounded as the column is; of times of day without whole days; of missing cells as of 0 where it is `ofEmpty`; at least and at most a number or another column, one of `of` with factor 0
 * - `product`: factor x product of column ^ power, rounded as the column is; where one has a scale of (1 + scale x column) ^ power, where it is `least` at least of max(least, column) ^ power
 * - `steps`: `to[k]` where another column has k of the numbers `at` reached
 * - `lookup`: the value `to` at each value `from` of another column; null: missing
 * - `years`: how many years the first date is behind the second, in whole ones: of so many `days`, or of the calendar where there are none
 * - `calendar`: a part of a date or a timestamp, or the value `to` at each value `from` of it
 * - `same`: the value `to` at each label of the second column; null: the value of the first one, or of labels that at its position in `codes`
 *
 * Where its source is missing a function is, too, but where steps or a look-up have a value for that: `missing`.
 */
export type Formula =
  | {
      readonly formula: 'linear';
      readonly of: readonly { readonly name: string; readonly factor: number }[];
      readonly offset: number;
      readonly ofEmpty?: true | undefined;
      readonly least?: number | string | undefined;
      readonly most?: number | string | undefined;
    }
  | {
      readonly formula: 'product';
      readonly of: readonly {
        readonly name: string;
        readonly power: number;
        readonly scale?: number | undefined;
        readonly least?: number | undefined;
      }[];
      readonly factor: number;
      readonly grid?: ValueGrid | undefined;
    }
  | {
      readonly formula: 'steps';
      readonly of: readonly { readonly name: string }[];
      readonly at: readonly number[];
      readonly to: readonly number[];
      readonly missing?: number | undefined;
    }
  | {
      readonly formula: 'lookup';
      readonly of: readonly { readonly name: string }[];
      readonly from: readonly number[];
      readonly to: readonly (number | null)[];
      readonly missing?: number | undefined;
    }
  | {
      readonly formula: 'years';
      readonly of: readonly DateSource[];
      readonly days?: number | undefined;
    }
  | {
      readonly formula: 'calendar';
      readonly of: readonly DateSource[];
      readonly part: DatePart;
      readonly from?: readonly number[] | undefined;
      readonly to?: readonly (number | null)[] | undefined;
    }
  | {
      readonly formula: 'same';
      readonly of: readonly { readonly name: string }[];
      readonly to: readonly (number | null)[];
      readonly codes?: readonly number[] | undefined;
    };

/** A column of dates, or of timestamps, which count seconds. */
export interface DateSource {
  readonly name: string;
  readonly seconds?: true | undefined;
}

/** A time of day within a day. */
export const withinDay = (seconds: number): number => ((seconds % DAY) + DAY) % DAY;

/** Numbers that are whole multiples of a step away from one. */
export interface ValueGrid {
  readonly from: number;
  readonly step: number;
}

export const gridSchema: z.ZodType<ValueGrid> = z.strictObject({
  from: z.number(),
  step: z.number().positive(),
});

/** The number that a cell of the type, or of the grid of its column, holds of a computed one that is not below 0. */
export function roundingTo(type: ColumnType, grid: ValueGrid | undefined): (value: number) => number {
  const round = cellRounding(type);
  if (!grid) return round;
  const { from, step } = grid;
  return (value) => {
    const near = from + step * Math.round((value - from) / step);
    // 0 is nothing, on any grid
    return value === 0 ? 0 : round(near < 0 ? near + step : near);
  };
}

/** A number, or the name of a column. */
export type Bound = number | string;

/** column ^ power, (1 + scale x column) ^ power, such as what a discount leaves or a tax adds, or max(least, column) ^ power: nights that are paid. */
export type Factor = (Formula & { readonly formula: 'product' })['of'][number];

const dateSourceSchema = z.strictObject({ name: z.string(), seconds: z.literal(true).optional() });

export const formulaSchema: z.ZodType<Formula> = z.discriminatedUnion('formula', [
  z.strictObject({
    formula: z.literal('linear'),
    of: z.array(z.strictObject({ name: z.string(), factor: z.number() })).min(1),
    offset: z.number(),
    ofEmpty: z.literal(true).optional(),
    least: z.union([z.number(), z.string()]).optional(),
    most: z.union([z.number(), z.string()]).optional(),
  }),
  z.strictObject({
    formula: z.literal('product'),
    of: z
      .array(
        z.strictObject({
          name: z.string(),
          power: z.int(),
          scale: z.number().optional(),
          least: z.number().optional(),
        }),
      )
      .min(1),
    factor: z.number(),
    grid: gridSchema.optional(),
  }),
  z.strictObject({
    formula: z.literal('steps'),
    of: z.array(z.strictObject({ name: z.string() })).length(1),
    at: z.array(z.number()).min(1),
    to: z.array(z.number()).min(2),
    missing: z.number().optional(),
  }),
  z.strictObject({
    formula: z.literal('lookup'),
    of: z.array(z.strictObject({ name: z.string() })).length(1),
    from: z.array(z.number()).min(1),
    to: z.array(z.number().nullable()).min(1),
    missing: z.number().optional(),
  }),
  z.strictObject({
    formula: z.literal('years'),
    of: z.array(dateSourceSchema).length(2),
    days: z.number().positive().optional(),
  }),
  z.strictObject({
    formula: z.literal('calendar'),
    of: z.array(dateSourceSchema).length(1),
    part: z.enum(datePartNames),
    from: z.array(z.number()).min(1).optional(),
    to: z.array(z.number().nullable()).min(1).optional(),
  }),
  z.strictObject({
    formula: z.literal('same'),
    of: z.array(z.strictObject({ name: z.string() })).length(2),
    to: z.array(z.number().nullable()).min(1),
    codes: z.array(z.number()).optional(),
  }),
]);

/** Whether a column is a function of dates, which says nothing of what depends on them. */
export const isOfDates = (formula: Formula | undefined): boolean =>
  formula?.formula === 'calendar' || formula?.formula === 'years';

export type Linear = Formula & { readonly formula: 'linear' };

export const isBounded = ({ least, most }: Linear): boolean => least !== undefined || most !== undefined;

/** The bounds of a row, in order. */
export function boundsAt(
  { least = -Infinity, most = Infinity }: Linear,
  at: (name: string) => number,
): [number, number] {
  const valueOf = (bound: Bound) => (typeof bound === 'string' ? at(bound) : bound);
  return [valueOf(least), valueOf(most)];
}

export const baseOf = ({ scale, least = -Infinity }: Pick<Factor, 'scale' | 'least'>, value: number) =>
  scale === undefined ? Math.max(least, value) : 1 + scale * value;

export function productOf(of: readonly Factor[], column: (name: string) => Float64Array): Float64Array {
  const columns = of.map((factor) => ({ factor, values: column(factor.name) }));
  return columns[0]!.values.map((_, i) =>
    columns.reduce((product, { factor, values }) => product * baseOf(factor, values[i]!) ** factor.power, 1),
  );
}

/** What a look-up or steps make of a value. */
function valueAt(
  formula: Omit<Formula & { formula: 'lookup' }, 'of'> | Omit<Formula & { formula: 'steps' }, 'of'>,
): (value: number) => number {
  const { missing = NaN } = formula;
  if (formula.formula === 'lookup') {
    const { from } = formula;
    const to = new Map(from.map((value, k) => [value, formula.to[k] ?? NaN]));
    // numbers that no row of the data had are looked up as the nearest, labels are not
    const areNumbers = from.some((value, k) => value !== k);
    const nearest = (value: number) =>
      from.reduce((best, one) => (Math.abs(one - value) < Math.abs(best - value) ? one : best));
    return (value) =>
      Number.isNaN(value) ? missing : (to.get(value) ?? (areNumbers ? to.get(nearest(value))! : NaN));
  }
  const { at, to } = formula;
  return (value) =>
    Number.isNaN(value) ? missing : to[at.filter((threshold) => threshold <= value).length]!;
}

/** The column that a formula makes of others. */
export function computeFormula(
  formula: Formula,
  type: ColumnType,
  column: (name: string) => Float64Array,
): Float64Array {
  if (formula.formula === 'lookup' || formula.formula === 'steps') {
    return column(formula.of[0]!.name).map(valueAt(formula));
  }
  if (formula.formula === 'same') {
    const [before, own] = formula.of.map(({ name }) => column(name));
    const { to, codes } = formula;
    return own!.map((label, i) => {
      const other = codes?.[before![i]!] ?? before![i]!;
      const value = to[label];
      if (value === undefined || value === null) return Number.isNaN(label) ? NaN : other;
      // of a label that is not the same, the one beside it
      return value === other ? (to[label + 1] ?? to[label - 1] ?? to[label + 2] ?? value) : value;
    });
  }
  if (formula.formula === 'years' || formula.formula === 'calendar') {
    const [first, second] = formula.of.map(({ name, seconds }) =>
      seconds ? column(name) : column(name).map((day) => day * DAY),
    );
    if (formula.formula === 'years')
      return first!.map((to, i) => yearsBetween(second![i]!, to, formula.days));
    const { part, from, to } = formula;
    const mapped = from && to ? valueAt({ formula: 'lookup', from, to }) : (value: number) => value;
    return first!.map((seconds) => mapped(datePart(part, seconds)));
  }
  const round = roundingTo(type, formula.formula === 'product' ? formula.grid : undefined);
  if (formula.formula === 'product') {
    return productOf(formula.of, column).map((product) => round(formula.factor * product));
  }
  const sources = new Map(formula.of.map(({ name }) => [name, column(name)]));
  const first = sources.get(formula.of[0]!.name)!;
  return first.map((_, i) => {
    const at = (name: string) => {
      const value = sources.get(name)![i]!;
      return formula.ofEmpty && Number.isNaN(value) ? 0 : value;
    };
    const sum = formula.of.reduce((part, { name, factor }) => part + factor * at(name), formula.offset);
    const [least, most] = boundsAt(formula, at);
    const value = round(Math.min(Math.max(sum, least), most));
    return type.type === 'time' ? withinDay(value) : value;
  });
}

/** The source, by position, that makes a function of this type have a value, given the others; NaN where there is none, or more than one. */
export function solveFormula(
  formula: Exclude<Formula, { formula: 'lookup' | 'steps' | 'years' | 'calendar' | 'same' }>,
  { type }: ColumnType,
  value: number,
  known: readonly number[],
  missing: number,
): number {
  if (formula.formula === 'linear') {
    const { of, offset } = formula;
    const others = of.reduce(
      (sum, { factor }, k) => (k === missing ? sum : sum + factor * known[k]!),
      offset,
    );
    const { name, factor } = of[missing]!;
    if (factor === 0) return value < others === (formula.most === name) && value !== others ? value : NaN;
    const [least, most] = boundsAt(formula, (source) => known[of.findIndex((one) => one.name === source)]!);
    const rest = type === 'time' ? withinDay(value - others) : value - others;
    return value > least && value < most ? rest / factor : NaN;
  }
  const { of, factor } = formula;
  const others = of.reduce(
    (product, one, k) => (k === missing ? product : product * baseOf(one, known[k]!) ** one.power),
    factor,
  );
  const { power, scale, least = -Infinity } = of[missing]!;
  const base = (value / others) ** (1 / power);
  if (base <= least) return NaN;
  const solved = scale === undefined ? base : (base - 1) / scale;
  return Number.isFinite(solved) ? solved : NaN;
}

/**
 * In words: `1.19 x net`.
 *
 * @param columns those whose types are known, of which thresholds are written
 */
export function formulaText(
  formula: Formula,
  columns: readonly { readonly name: string; readonly type: ColumnType }[],
): string {
  const typeOf = (name: string) => columns.find((column) => column.name === name)?.type;
  if (formula.formula === 'lookup') return `determined by ${JSON.stringify(formula.of[0]!.name)}`;
  if (formula.formula === 'years') {
    const [to, from] = formula.of.map(({ name }) => JSON.stringify(name));
    return `= whole years from ${from} to ${to}`;
  }
  if (formula.formula === 'calendar')
    return `${formula.to ? 'determined by the' : '= the'} ${formula.part} of ${JSON.stringify(formula.of[0]!.name)}`;
  if (formula.formula === 'same') {
    const [before, own] = formula.of.map(({ name }) => JSON.stringify(name));
    return `= ${before}, or what ${own} says`;
  }
  if (formula.formula === 'steps') {
    const { name } = formula.of[0]!;
    const type = typeOf(name);
    const at = formula.at.map((value) => (type ? cellText(type, value) : String(value)));
    const shown = at.length > 5 ? [...at.slice(0, 4), `${at.length - 4} more`] : at;
    return `determined by ${JSON.stringify(name)}, steps at ${andWords(shown)}`;
  }
  if (formula.formula === 'product') {
    const powers = formula.of.map(
      (source, k) =>
        `${source.power < 0 ? (k === 0 ? '1 / ' : ' / ') : k === 0 ? '' : ' x '}${baseText(source)}${Math.abs(source.power) === 1 ? '' : `^${Math.abs(source.power)}`}`,
    );
    return `= ${formula.factor === 1 ? '' : `${formula.factor} x `}${powers.join('')}`;
  }
  const terms = formula.of
    .filter(({ factor }) => factor !== 0)
    .map(
      ({ name, factor }, k) =>
        `${factor < 0 ? (k === 0 ? '-' : ' - ') : k === 0 ? '' : ' + '}${Math.abs(factor) === 1 ? '' : `${Math.abs(factor)} x `}${JSON.stringify(name)}`,
    );
  const { offset } = formula;
  const rest = offset === 0 ? '' : ` ${offset < 0 ? '-' : '+'} ${Math.abs(offset)}`;
  const [only] = formula.of;
  if (formula.of.length === 1 && !isBounded(formula)) {
    const { name, factor } = only!;
    const type = typeOf(name);
    if (factor === 1 && offset === 0) return `a copy of ${JSON.stringify(name)}`;
    if (factor === -1 && type?.type === 'date')
      return `= days from ${JSON.stringify(name)} to ${cellText(type, offset)}`;
  }
  const bounds = [
    ['at least', formula.least],
    ['at most', formula.most],
  ].flatMap(([word, bound]) => (bound === undefined ? [] : [`, ${word} ${JSON.stringify(bound)}`]));
  return `= ${terms.join('')}${rest}${bounds.join('')}${formula.ofEmpty ? ', missing cells as 0' : ''}`;
}

/** In words: `(1 - "discount")`, `max(1, "nights")`. */
function baseText({ name, scale, least }: Factor): string {
  const column = JSON.stringify(name);
  if (least !== undefined) return `max(${least}, ${column})`;
  if (scale === undefined) return column;
  const share = Math.abs(scale) === 1 ? column : `${column} / ${Math.round(1 / Math.abs(scale))}`;
  return `(1 ${scale < 0 ? '-' : '+'} ${share})`;
}
