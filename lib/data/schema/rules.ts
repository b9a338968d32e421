/** What holds in every row of a table and is no formula: cells that go together. */
import { z } from 'zod';

import { type ColumnType, cellText } from '../columns/column-type';
import type { Table } from '../table';

/** What holds in every row: where one column has a value, another has a value. */
export interface Rule {
  readonly where: { readonly name: string; readonly value: number };
  readonly then: { readonly name: string; readonly value: number };
}

const cellSchema = z.strictObject({ name: z.string(), value: z.number() });
export const ruleSchema: z.ZodType<Rule> = z.strictObject({ where: cellSchema, then: cellSchema });

/** Values of a column that rules are looked for of: the most frequent ones, of so many rows at least. */
const VALUES = 5;
const FEWEST_ROWS = 30;
/** A rule that chance would make with more than this probability is none. */
const CHANCE = 1e-9;
const MOST_COLUMNS = 100;

interface Frequent {
  readonly name: string;
  readonly value: number;
  readonly rows: number;
}

/** The rules of the columns with these names. */
export function findRules(table: Table, names: readonly string[]): Rule[] {
  const looked = names.slice(0, MOST_COLUMNS);
  const frequent = looked.flatMap((name) => frequentValues(name, table.column(name)));
  const rules: Rule[] = [];
  for (const where of frequent) {
    for (const then of frequent) {
      if (where.name !== then.name && implies(table, where, then)) {
        rules.push({
          where: { name: where.name, value: where.value },
          then: { name: then.name, value: then.value },
        });
      }
    }
  }
  return rules.filter((rule) => !isOfPresence(rule, rules, table));
}

/**
 * Whether a rule says no more than that the cell is there: it holds for all values of the column, and not where the column is
 * missing (no car, no model of a car).
 */
function isOfPresence({ where, then }: Rule, rules: readonly Rule[], table: Table): boolean {
  const [x, y] = [table.column(where.name), table.column(then.name)];
  if (!x.some((value, i) => Number.isNaN(value) && !Number.isNaN(y[i]) && y[i] !== then.value)) return false;
  const alike = rules.filter(
    (rule) =>
      rule.where.name === where.name && rule.then.name === then.name && rule.then.value === then.value,
  );
  const values = new Set(alike.map((rule) => rule.where.value));
  return x.every((value) => Number.isNaN(value) || values.has(value));
}

function frequentValues(name: string, values: Float64Array): Frequent[] {
  const counts = new Map<number, number>();
  for (const value of values) if (!Number.isNaN(value)) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts]
    .filter(([, rows]) => rows >= FEWEST_ROWS)
    .sort((a, b) => b[1] - a[1])
    .slice(0, VALUES)
    .map(([value, rows]) => ({ name, value, rows }));
}

function implies(table: Table, where: Frequent, then: Frequent): boolean {
  const [x, y] = [table.column(where.name), table.column(then.name)];
  let [both, known] = [0, 0];
  for (let i = 0; i < x.length; i++) {
    if (Number.isNaN(y[i])) continue;
    known++;
    if (x[i] !== where.value) continue;
    if (y[i] !== then.value) return false;
    both++;
  }
  return both >= FEWEST_ROWS && both * Math.log(then.rows / known) < Math.log(CHANCE);
}

/** The rows, by number, that break a rule. */
export function breakingRows(table: Table, rules: readonly Rule[]): number[] {
  const breaks = rules.map((rule): ((i: number) => boolean) => {
    const [x, y] = [table.column(rule.where.name), table.column(rule.then.name)];
    return (i) => x[i] === rule.where.value && y[i] !== rule.then.value;
  });
  return Array.from({ length: table.rows }, (_, i) => i).filter((i) => breaks.some((broken) => broken(i)));
}

/** In words: `"amount" is 0 where "orders" is 0`. */
export function ruleText(rule: Rule, type: (name: string) => ColumnType): string {
  const cell = ({ name, value }: { name: string; value: number }) =>
    `${JSON.stringify(name)} is ${cellText(type(name), value)}`;
  return `${cell(rule.then)} where ${cell(rule.where)}`;
}
