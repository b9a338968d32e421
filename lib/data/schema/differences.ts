/** Columns that are modelled by what they are of another: a copula of both would blur how far they are apart, and where they are equal. */
import { z } from 'zod';

import { type ColumnType, cellText, kindOf, labelsOf, numberOfCell } from '../columns/column-type';
import { knownValues } from '../column-jobs';
import { type Table, freshName } from '../table';
import { DAY } from '../columns/days';
import { type Formula, type ValueGrid, gridSchema, roundingTo, withinDay } from './formula';
import { neverAbove } from './rules';

/**
 * How far a date of a row is behind another, or behind the day of a timestamp, in days of dates and in seconds of timestamps; how far a number is
 * from another, its share of it, or what a cell is where it is not the same as another: a column that a model has beside those of the table.
 */
export interface Difference {
  readonly name: string;
  /** The later column, which is computed again, and the other. */
  readonly of: readonly [string, string];
  /** What it is of the other: how far from it (default), which share, or which label where it is not the same. */
  readonly as?: 'share' | 'same' | undefined;
  /** Of a share: what all cells are whole multiples of beyond one of them, where that is more than a unit of their last decimal. */
  readonly grid?: ValueGrid | undefined;
  /** Where it is a label: all labels, in order; null where the cell is the same as the other. */
  readonly labels?: readonly (string | null)[] | undefined;
}

export const differenceSchema: z.ZodType<Difference> = z
  .strictObject({
    name: z.string(),
    of: z.tuple([z.string(), z.string()]),
    as: z.enum(['share', 'same']).optional(),
    grid: gridSchema.optional(),
    labels: z.array(z.string().nullable()).optional(),
  })
  .refine(({ as, labels }) => (as === 'same') === (labels !== undefined));

/** A difference varies by less than this share of what the dates do, or just by less where one is never before the other. */
const CLOSE = 0.25;

/**
 * The dates to be modelled by their difference from another, each with the closest of those before it. Of a row that has the date, the
 * other is there, too.
 *
 * @param names columns that are no functions of others, in the order of the table
 */
export function findDifferences(table: Table, names: readonly string[]): Difference[] {
  const found: Difference[] = [];
  for (const [j, name] of names.entries()) {
    const { type } = table.type(name);
    if (type !== 'date' && type !== 'timestamp' && type !== 'time') continue;
    const y = table.column(name);
    const own = deviation(y);
    let closest = Infinity;
    let from: string | null = null;
    for (const other of names.slice(0, j)) {
      if (table.type(other).type !== type) {
        // the day of a timestamp is a part of it, where it is none of another date
        const isDay = type === 'date' && table.type(other).type === 'timestamp';
        if (!isDay || found.some(({ of }) => of[0] === other)) continue;
      }
      const x = beforeOf([name, other], table);
      if (x.some((value, i) => Number.isNaN(value) && !Number.isNaN(y[i]))) continue;
      const apart = deviation(y.map((value, i) => apartOf(type, value, x[i]!)));
      const limit = apart > 0 && apart < own && neverAbove(x, y) ? own : CLOSE * own;
      if (apart > 0 && apart < Math.min(limit, closest)) [closest, from] = [apart, other];
    }
    if (from === null) continue;
    const label = freshName(`${name} - ${from}`, (taken) => table.names.includes(taken));
    found.push({ name: label, of: [name, from] });
  }
  return found;
}

/** How far a value is behind another; of times of day less than half a day, past midnight, too. */
const apartOf = (type: ColumnType['type'], value: number, before: number): number =>
  type === 'time' ? withinDay(value - before + DAY / 2) - DAY / 2 : value - before;

/** What a date is behind: another, or the day of a timestamp. */
function beforeOf([later, before]: Difference['of'], table: Table): Float64Array {
  const values = table.column(before);
  return isOfDays([later, before], table) ? values.map((value) => Math.floor(value / DAY)) : values;
}

/** Whether a date is behind the day of a timestamp. */
export const isOfDays = ([later, before]: Difference['of'], table: Table): boolean =>
  table.type(later).type === 'date' && table.type(before).type === 'timestamp';

/**
 * Each such date as a sum: of the first date of its chain and the differences between.
 *
 * @param made dates that are sums already
 */
export function sumsOf(
  differences: readonly Difference[],
  made: ReadonlyMap<string, Formula & { formula: 'linear' }>,
  table: Table,
): Map<string, Formula & { formula: 'linear' }> {
  const sums = new Map(made);
  for (const { name, of } of differences) {
    const [later, before] = of;
    const sum = sums.get(before) ?? { of: [{ name: before, factor: 1 }], offset: 0 };
    const start = isOfDays(of, table) ? inDays(sum) : sum;
    sums.set(later, {
      formula: 'linear',
      of: [...start.of, { name, factor: 1 }],
      offset: start.offset,
    });
  }
  return sums;
}

/** The day of a timestamp that is a sum of periods of days, and the rest. */
const inDays = ({ of, offset }: Pick<Formula & { formula: 'linear' }, 'of' | 'offset'>) => ({
  of: of.filter(({ factor }) => factor >= DAY).map(({ name, factor }) => ({ name, factor: factor / DAY })),
  offset: offset / DAY,
});

/** The column of a difference. */
export function differenceOf(one: Difference, table: Table): { values: Float64Array; type: ColumnType } {
  const { of, as } = one;
  const [later, before] = of;
  if (as === 'same') return ownLabels(one, table);
  const other = beforeOf(of, table);
  if (as === 'share') {
    const round = roundingTo(table.type(later), one.grid);
    return {
      values: table.column(later).map((value, i) => shortShare(value, other[i]!, round)),
      type: { type: 'number' },
    };
  }
  return {
    values: table.column(later).map((value, i) => apartOf(table.type(later).type, value, other[i]!)),
    type: {
      type:
        kindOf(table.type(later)) === 'integer' &&
        (isOfDays(of, table) || kindOf(table.type(before)) === 'integer')
          ? 'integer'
          : 'number',
    },
  };
}

function deviation(values: Float64Array): number {
  const known = knownValues(values);
  const mean = known.reduce((sum, value) => sum + value, 0) / known.length;
  return Math.sqrt(known.reduce((sum, value) => sum + (value - mean) ** 2, 0) / known.length);
}

/** The share of a number that rounding makes the value, of the fewest digits: a discount of a tenth leaves .9 of all prices. */
function shortShare(value: number, of: number, round: (value: number) => number): number {
  if (value === of) return 1;
  const exact = value / of;
  if (!Number.isFinite(exact)) return NaN;
  for (let digits = 1; digits < 17; digits++) {
    const short = Number(exact.toPrecision(digits));
    if (short !== 1 && round(of * short) === value) return short;
  }
  return exact;
}

/** The labels of cells that are not the same as another. */
function ownLabels({ of, labels }: Difference, table: Table): { values: Float64Array; type: ColumnType } {
  const [later, before] = of;
  const all = labelTexts(of, labels!);
  const position = new Map(all.map((label, k) => [label, k]));
  const [y, x] = [textsOf(table, later), textsOf(table, before)];
  const values = table.column(later).map((_, i) => {
    if (y(i) === null || x(i) === null) return NaN;
    if (y(i) === x(i)) return labels!.indexOf(null);
    const text = y(i)!;
    if (!position.has(text)) position.set(text, all.push(text) - 1);
    return position.get(text)!;
  });
  return { values, type: { type: 'category', labels: all } };
}

/** The texts of the cells; null: missing. */
export function textsOf(table: Table, name: string): (i: number) => string | null {
  const [type, values] = [table.type(name), table.column(name)];
  return (i) => (Number.isNaN(values[i]) ? null : cellText(type, values[i]!));
}

/** The labels with a word for that of the other column. */
function labelTexts([, before]: Difference['of'], labels: readonly (string | null)[]): string[] {
  const same = freshName(`= ${before}`, (taken) => labels.includes(taken));
  return labels.map((label) => label ?? same);
}

/**
 * How a number, or labels, are computed of what they are of another column.
 *
 * @param before the type of that
 * @param later its own type
 * @returns with its type: of labels that with all labels of the other
 */
export function ofOther(
  { name, of, as, grid, labels }: Difference,
  before: ColumnType,
  later: ColumnType,
): { formula: Formula; type: ColumnType } {
  const sources = [of[1], name];
  if (as === 'share') {
    const powers = sources.map((one) => ({ name: one, power: 1 }));
    return { formula: { formula: 'product', of: powers, factor: 1, ...(grid && { grid }) }, type: later };
  }
  if (as !== 'same') {
    const factors = sources.map((one) => ({ name: one, factor: 1 }));
    return { formula: { formula: 'linear', of: factors, offset: 0 }, type: later };
  }
  const [own, other] = [labelsOf(later), labelsOf(before)];
  const all = [...new Set([...(own ?? []), ...(other ?? [])])];
  const numberOf = (label: string) => (own ? all.indexOf(label) : numberOfCell(later, label));
  return {
    formula: {
      formula: 'same',
      of: sources.map((one) => ({ name: one })),
      to: labels!.map((label) => (label === null ? null : numberOf(label))),
      ...(other && { codes: other.map(numberOf) }),
    },
    type: own ? { type: 'category', labels: all } : later,
  };
}

/** How the later column, of this type, is made of them, in words. */
export function relationText({ of: [, before], as }: Difference, { type }: ColumnType): string {
  const other = JSON.stringify(before);
  if (as === 'same') return `often the same as ${other}: whether, and what else it is, is modelled`;
  if (as === 'share') return `often equal to ${other}: its share of that is modelled`;
  const isNumber = type === 'number' || type === 'integer';
  return `${isNumber ? `often equal to ${other}` : `close behind ${other}`}: how far is modelled`;
}

/** What it says, in words. */
export function differenceText({ of, as }: Difference): string {
  const [later, before] = of.map((name) => JSON.stringify(name));
  if (as === 'same') return `whether ${later} is the same as ${before}, and what else it is`;
  return as === 'share' ? `the share that ${later} is of ${before}` : `how far ${later} is from ${before}`;
}
