/** Dates that follow others closely: what a copula of both would blur is how far they are apart. */
import { z } from 'zod';

import { type ColumnType, kindOf } from '../columns/column-type';
import { knownValues } from '../column-jobs';
import type { Table } from '../table';
import { DAY } from './cycles';
import type { Formula } from './derived';
import { neverAbove } from './rules';

/**
 * How far a date of a row is behind another, or behind the day of a timestamp, in days of dates and in seconds of timestamps: a column that a
 * model has beside those of the table.
 */
export interface Difference {
  readonly name: string;
  /** The later column, which is computed again, and the other. */
  readonly of: readonly [string, string];
}

export const differenceSchema: z.ZodType<Difference> = z.strictObject({
  name: z.string(),
  of: z.tuple([z.string(), z.string()]),
});

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
    if (type !== 'date' && type !== 'timestamp') continue;
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
      const apart = deviation(y.map((value, i) => value - x[i]!));
      const limit = apart > 0 && apart < own && neverAbove(x, y) ? own : CLOSE * own;
      if (apart > 0 && apart < Math.min(limit, closest)) [closest, from] = [apart, other];
    }
    if (from === null) continue;
    let label = `${name} - ${from}`;
    while (table.names.includes(label)) label += "'";
    found.push({ name: label, of: [name, from] });
  }
  return found;
}

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
export function differenceOf({ of }: Difference, table: Table): { values: Float64Array; type: ColumnType } {
  const [later, before] = of;
  const other = beforeOf(of, table);
  return {
    values: table.column(later).map((value, i) => value - other[i]!),
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
