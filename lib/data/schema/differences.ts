/** Dates that follow others closely: what a copula of both would blur is how far they are apart. */
import { z } from 'zod';

import { type ColumnType, kindOf } from '../columns/column-type';
import { knownValues } from '../column-jobs';
import type { Table } from '../table';
import type { Formula } from './derived';

/** How far a date of a row is behind another, in days of dates and in seconds of timestamps: a column that a model has beside those of the table. */
export interface Difference {
  readonly name: string;
  /** The later column, which is computed again, and the other. */
  readonly of: readonly [string, string];
}

export const differenceSchema: z.ZodType<Difference> = z.strictObject({
  name: z.string(),
  of: z.tuple([z.string(), z.string()]),
});

/** A difference varies by less than this share of what the dates do. */
const CLOSE = 0.25;

/**
 * The dates to be modelled by their difference from another, each with the closest of those before it. Of a row that has the date, the
 * other is there, too.
 *
 * @param names columns that are modelled and that no function needs
 */
export function findDifferences(table: Table, names: readonly string[]): Difference[] {
  const found: Difference[] = [];
  for (const [j, name] of names.entries()) {
    const { type } = table.type(name);
    if (type !== 'date' && type !== 'timestamp') continue;
    const own = deviation(table.column(name));
    let closest = CLOSE * own;
    let from: string | null = null;
    for (const other of names.slice(0, j)) {
      if (table.type(other).type !== type) continue;
      const [x, y] = [table.column(other), table.column(name)];
      if (x.some((value, i) => Number.isNaN(value) && !Number.isNaN(y[i]))) continue;
      const apart = deviation(y.map((value, i) => value - x[i]!));
      if (apart < closest) [closest, from] = [apart, other];
    }
    if (from === null) continue;
    let label = `${name} - ${from}`;
    while (table.names.includes(label)) label += "'";
    found.push({ name: label, of: [name, from] });
  }
  return found;
}

/**
 * Each such date as a sum: of the first date of its chain and the differences between.
 *
 * @param made dates that are sums already
 */
export function sumsOf(
  differences: readonly Difference[],
  made: ReadonlyMap<string, Formula & { formula: 'linear' }>,
): Map<string, Formula & { formula: 'linear' }> {
  const sums = new Map(made);
  for (const { name, of } of differences) {
    const [later, before] = of;
    const start = sums.get(before) ?? { of: [{ name: before, factor: 1 }], offset: 0 };
    sums.set(later, {
      formula: 'linear',
      of: [...start.of, { name, factor: 1 }],
      offset: start.offset,
    });
  }
  return sums;
}

/** The column of a difference. */
export function differenceOf(
  { of: [later, before] }: Difference,
  table: Table,
): { values: Float64Array; type: ColumnType } {
  const other = table.column(before);
  return {
    values: table.column(later).map((value, i) => value - other[i]!),
    type: {
      type:
        kindOf(table.type(later)) === 'integer' && kindOf(table.type(before)) === 'integer'
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
