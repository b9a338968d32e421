/** Dates in years, weeks and days: what comes back every year is no function of the date that a copula could learn from few rows. */
import { z } from 'zod';

import type { ColumnType } from '../columns/column-type';
import { knownValues } from '../column-jobs';
import { type Table, freshName } from '../table';
import { DAY } from '../columns/days';
import { type Formula } from './formula';
import { isDependent } from './missing-groups';

/** A date as a number of periods and the rest: columns that a model has in its place. */
export interface Cycle {
  /** The date, which is computed again: `first` + sum of period x part. */
  readonly of: string;
  readonly first: number;
  /** Longest first; the last one is 1, of the rest. */
  readonly parts: readonly { readonly name: string; readonly period: number }[];
}

export const cycleSchema: z.ZodType<Cycle> = z.strictObject({
  of: z.string(),
  first: z.number(),
  parts: z.array(z.strictObject({ name: z.string(), period: z.number().positive() })).min(2),
});

/** Periods that data must have at least. */
const LEAST = 2;
const LEVEL = 1e-3;

/** The columns of dates that are the days of timestamps, with these. */
export function findDays(table: Table, names: readonly string[]): Map<string, string> {
  const of = (type: string) => names.filter((name) => table.type(name).type === type);
  const timestamps = of('timestamp');
  const found = new Map<string, string>();
  for (const name of of('date')) {
    const days = table.column(name);
    const timestamp = timestamps.find((other) =>
      table.column(other).every((value, i) => Object.is(Math.floor(value / DAY), days[i])),
    );
    if (timestamp !== undefined) found.set(name, timestamp);
  }
  return found;
}

/**
 * The dates on whose place in a year, week or day other columns depend, by tests of independence at level 0.001 for all of a table.
 *
 * @param inDays timestamps whose day other columns need
 */
export function findCycles(table: Table, names: readonly string[], inDays: ReadonlySet<string>): Cycle[] {
  const dates = names.filter((name) => /^(?:date|timestamp)$/.test(table.type(name).type));
  const others = names.filter((name) => !dates.includes(name));
  return dates.flatMap((of) => {
    const values = table.column(of);
    const known = knownValues(values);
    const unit = table.type(of).type === 'date' ? 1 : DAY;
    const least = known.reduce((a, b) => Math.min(a, b), Infinity);
    // days begin at midnight
    const first = Math.floor(least / unit) * unit;
    const span = known.reduce((a, b) => Math.max(a, b), -Infinity) - first;
    const depends = (period: number) =>
      period > 1 &&
      span >= LEAST * period &&
      others.some((name) =>
        follows(
          table,
          name,
          values.map((value) => (value - first) % period),
          LEVEL / (4 * others.length * dates.length),
        ),
      );
    const longer = [365, 7].map((days) => days * unit).find(depends);
    const periods = [
      ...(longer === undefined ? [] : [longer]),
      ...(unit === DAY && (inDays.has(of) || depends(DAY)) ? [DAY] : []),
    ];
    if (periods.length === 0) return [];
    const word = (period: number) => (period === 365 * unit ? 'year' : period === 7 * unit ? 'week' : 'day');
    const named = (text: string) => freshName(`${of}, ${text}`, (taken) => table.names.includes(taken));
    const parts = periods.map((period) => ({ name: named(word(period)), period }));
    return [{ of, first, parts: [...parts, { name: named(`in a ${word(periods.at(-1)!)}`), period: 1 }] }];
  });
}

/** Whether a column is as often large, or its most frequent label, at all phases. */
export function follows(table: Table, name: string, phase: Float64Array, level: number): boolean {
  const values = table.column(name);
  const known = knownValues(values).sort();
  const middle = known[known.length >> 1]!;
  const is = values.map((value) =>
    Number(table.type(name).type === 'category' ? value === middle : value > middle),
  );
  return isDependent(
    is,
    phase.map((at, i) => (Number.isNaN(values[i]) ? NaN : at)),
    level,
  );
}

/** Each such date as a sum of its parts. */
export function sumOfParts({ first, parts }: Cycle): Formula & { formula: 'linear' } {
  return {
    formula: 'linear',
    of: parts.map(({ name, period }) => ({ name, factor: period })),
    offset: first,
  };
}

/** The columns of the parts. */
export function partsOf(
  { of, first, parts }: Cycle,
  table: Table,
): { values: Float64Array; type: ColumnType }[] {
  let rest = table.column(of).map((value) => value - first);
  return parts.map(({ period }) => {
    const values = rest.map((value) => (period === 1 ? value : Math.floor(value / period)));
    rest = rest.map((value, i) => value - period * values[i]!);
    return {
      values,
      type: {
        type: values.every((value) => Number.isNaN(value) || Number.isInteger(value)) ? 'integer' : 'number',
      },
    };
  });
}
