/** What holds in every row of a table and is no formula: cells that go together, and columns that one is never above. */
import { z } from 'zod';

import { type ColumnType, cellText, labelsOf } from '../columns/column-type';
import type { Table } from '../table';

/** What holds in every row: where one column has a value another has a value, or one column is never above another. */
export type Rule =
  | {
      readonly rule: 'implies';
      readonly where: { readonly name: string; readonly value: number };
      readonly then: { readonly name: string; readonly value: number };
    }
  | { readonly rule: 'order'; readonly below: string; readonly above: string };

const cellSchema = z.strictObject({ name: z.string(), value: z.number() });
export const ruleSchema: z.ZodType<Rule> = z.discriminatedUnion('rule', [
  z.strictObject({ rule: z.literal('implies'), where: cellSchema, then: cellSchema }),
  z.strictObject({ rule: z.literal('order'), below: z.string(), above: z.string() }),
]);

/** Values of a column that rules are looked for of: the most frequent ones, of so many rows at least. */
const VALUES = 5;
const FEWEST_ROWS = 30;
/** A rule that chance would make with more than this probability is none. */
const CHANCE = 1e-9;
/** Of rows whose columns were shuffled this share at least would break an order. */
const BROKEN = 0.05;
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
          rule: 'implies',
          where: { name: where.name, value: where.value },
          then: { name: then.name, value: then.value },
        });
      }
    }
  }
  for (const below of looked) {
    for (const above of looked)
      if (below !== above && isOrdered(table, below, above)) rules.push({ rule: 'order', below, above });
  }
  return rules;
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

const isComparable = (a: ColumnType, b: ColumnType) =>
  a.type === b.type && labelsOf(a) === null && a.type !== 'id';

function isOrdered(table: Table, below: string, above: string): boolean {
  if (!isComparable(table.type(below), table.type(above))) return false;
  const [x, y] = [table.column(below), table.column(above)];
  let known = 0;
  let equal = 0;
  for (let i = 0; i < x.length; i++) {
    if (Number.isNaN(x[i]! + y[i]!)) continue;
    if (x[i]! > y[i]!) return false;
    if (x[i] === y[i]) equal++;
    known++;
  }
  if (known < FEWEST_ROWS || equal === known) return false;
  // rows of one column beside other rows of the other
  let broken = 0;
  const shift = Math.max(1, Math.floor(0.382 * x.length));
  for (let i = 0; i < x.length; i++) if (x[i]! > y[(i + shift) % x.length]!) broken++;
  return broken >= BROKEN * known && known * Math.log(1 - broken / known) < Math.log(CHANCE);
}

/** The rows, by number, that break a rule. */
export function breakingRows(table: Table, rules: readonly Rule[]): number[] {
  const breaks = rules.map((rule): ((i: number) => boolean) => {
    if (rule.rule === 'order') {
      const [x, y] = [table.column(rule.below), table.column(rule.above)];
      return (i) => x[i]! > y[i]!;
    }
    const [x, y] = [table.column(rule.where.name), table.column(rule.then.name)];
    return (i) => x[i] === rule.where.value && y[i] !== rule.then.value;
  });
  return Array.from({ length: table.rows }, (_, i) => i).filter((i) => breaks.some((broken) => broken(i)));
}

/** In words: `"amount" is 0 where "orders" is 0`. */
export function ruleText(rule: Rule, type: (name: string) => ColumnType): string {
  if (rule.rule === 'order')
    return `${JSON.stringify(rule.below)} is never above ${JSON.stringify(rule.above)}`;
  const cell = ({ name, value }: { name: string; value: number }) =>
    `${JSON.stringify(name)} is ${cellText(type(name), value)}`;
  return `${cell(rule.then)} where ${cell(rule.where)}`;
}
