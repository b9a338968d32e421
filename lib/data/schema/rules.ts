/** What holds in every row of a table and is no formula: cells that go together, and in an order. */
import { z } from 'zod';

import { release } from '../../native';
import { type ColumnType, cellText, labelsOf } from '../columns/column-type';
import { countBelow, knownValues } from '../column-jobs';
import type { Table } from '../table';
import { shortBetween } from './derived';

/** Where one column has a value, another has a value. */
export interface ImplicationRule {
  readonly where: { readonly name: string; readonly value: number };
  readonly then: { readonly name: string; readonly value: number };
}

/** The cell of one column is never above that of another. */
export interface OrderRule {
  readonly lower: string;
  readonly upper: string;
}

/** One of two columns has its usual value, or both do: no gain where there is a loss. */
export interface EitherRule {
  readonly either: readonly [
    { readonly name: string; readonly value: number },
    { readonly name: string; readonly value: number },
  ];
}

/** From a number on, or below it, another column has a value, there alone if so: no shipping costs from 40 on. */
export interface RangeRule {
  readonly beyond:
    { readonly name: string; readonly atLeast: number } | { readonly name: string; readonly below: number };
  readonly then: { readonly name: string; readonly value: number };
  readonly alone: boolean;
}

/** What holds in every row that has both cells. */
export type Rule = ImplicationRule | OrderRule | EitherRule | RangeRule;

const cellSchema = z.strictObject({ name: z.string(), value: z.number() });
export const ruleSchema: z.ZodType<Rule> = z.union([
  z.strictObject({ where: cellSchema, then: cellSchema }),
  z.strictObject({ lower: z.string(), upper: z.string() }),
  z.strictObject({ either: z.tuple([cellSchema, cellSchema]) }),
  z.strictObject({
    beyond: z.union([
      z.strictObject({ name: z.string(), atLeast: z.number() }),
      z.strictObject({ name: z.string(), below: z.number() }),
    ]),
    then: cellSchema,
    alone: z.boolean(),
  }),
]);

/** The two columns of a rule. */
export const namesOfRule = (rule: Rule): readonly [string, string] =>
  'where' in rule
    ? [rule.where.name, rule.then.name]
    : 'beyond' in rule
      ? [rule.beyond.name, rule.then.name]
      : 'either' in rule
        ? [rule.either[0].name, rule.either[1].name]
        : [rule.lower, rule.upper];

/** Whether cells of the two columns break a rule; missing ones do not. */
export function breaksRule(rule: Rule, x: number, y: number): boolean {
  if ('lower' in rule) return x > y;
  if ('either' in rule) {
    const [first, second] = rule.either;
    return x !== first.value && y !== second.value && !Number.isNaN(x + y);
  }
  if (Number.isNaN(y)) return false;
  if ('where' in rule) return x === rule.where.value && y !== rule.then.value;
  if (Number.isNaN(x)) return false;
  const isBeyond = 'below' in rule.beyond ? x < rule.beyond.below : x >= rule.beyond.atLeast;
  return isBeyond ? y !== rule.then.value : rule.alone && y === rule.then.value;
}

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

/**
 * The rules of the columns with these names.
 *
 * @param settings.ordered columns of which one may be never above another
 * @param settings.ofFormulas whether one never is since they are computed so
 * @param settings.measured columns of numbers whose thresholds are looked at
 */
export function findRules(
  table: Table,
  names: readonly string[],
  {
    ordered,
    ofFormulas,
    measured,
  }: {
    readonly ordered: readonly string[];
    readonly ofFormulas: (rule: OrderRule) => boolean;
    readonly measured: readonly string[];
  },
): Rule[] {
  const looked = names.slice(0, MOST_COLUMNS);
  const frequent = looked.flatMap((name) => frequentValues(name, table.column(name)));
  return [
    ...findImplications(table, frequent),
    ...findOrders(table, ordered.slice(0, MOST_COLUMNS), ofFormulas),
    ...findEither(table, looked),
    ...findRanges(table, measured.slice(0, MOST_COLUMNS), frequent),
  ];
}

/** A value in so large a share of the rows is the usual one of a column. */
const USUAL = 0.5;
/** All rules of one of two usual values together are made by chance with no more than this probability: there are few to look at. */
const EITHER_CHANCE = 1e-4;

function findEither(table: Table, looked: readonly string[]): EitherRule[] {
  const usual = looked.flatMap((name) => {
    const values = table.column(name);
    const value = usualValue(values);
    return value === null ? [] : [{ name, value, values }];
  });
  const pairs = usual.flatMap((first, k) => usual.slice(k + 1).map((second) => [first, second] as const));
  return pairs
    .filter(([first, second]) => {
      let [x, y, known] = [0, 0, 0];
      for (let i = 0; i < table.rows; i++) {
        const [a, b] = [first.values[i]!, second.values[i]!];
        if (Number.isNaN(a + b)) continue;
        if (a !== first.value && b !== second.value) return false;
        known++;
        x += Number(a !== first.value);
        y += Number(b !== second.value);
      }
      return known * Math.log1p(-(x * y) / known ** 2) < Math.log(EITHER_CHANCE / pairs.length);
    })
    .map(([first, second]) => ({
      either: [
        { name: first.name, value: first.value },
        { name: second.name, value: second.value },
      ],
    }));
}

function findImplications(table: Table, frequent: readonly Frequent[]): ImplicationRule[] {
  const rules: ImplicationRule[] = [];
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
function isOfPresence(
  { where, then }: ImplicationRule,
  rules: readonly ImplicationRule[],
  table: Table,
): boolean {
  const [x, y] = [table.column(where.name), table.column(then.name)];
  if (!x.some((value, i) => Number.isNaN(value) && !Number.isNaN(y[i]) && y[i] !== then.value)) return false;
  const alike = rules.filter(
    (rule) =>
      rule.where.name === where.name && rule.then.name === then.name && rule.then.value === then.value,
  );
  const values = new Set(alike.map((rule) => rule.where.value));
  return x.every((value) => Number.isNaN(value) || values.has(value));
}

/** Rows on either side of a threshold, of which those beyond all have a value that at most half of the others have. */
const EDGE_ROWS = 30;
/** Different numbers beyond a threshold: of few ones implications say it. */
const FEWEST_BEYOND = 5;

/**
 * The thresholds from which on a column has one of its frequent values, where that begins abruptly: dependence alone has it become more frequent
 * by degrees.
 */
function findRanges(table: Table, measured: readonly string[], frequent: readonly Frequent[]): RangeRule[] {
  const ranges = measured.flatMap((name) => {
    const x = table.column(name);
    // a look at the outermost rows, before all are put in order
    const sorted = knownValues(x).sort();
    const [low, high] = [sorted[EDGE_ROWS - 1] ?? NaN, sorted.at(-EDGE_ROWS) ?? NaN];
    release(sorted);
    const ends = [(value: number) => value <= low, (value: number) => value >= high];
    const others = frequent.filter((one) => {
      const y = table.column(one.name);
      const isOther = (i: number) => y[i] !== one.value && !Number.isNaN(y[i]);
      return one.name !== name && ends.some((isOut) => !x.some((value, i) => isOut(value) && isOther(i)));
    });
    if (others.length === 0) return [];
    const ascending = Uint32Array.from(x.keys())
      .filter((i) => !Number.isNaN(x[i]))
      .sort((a, b) => x[a]! - x[b]!);
    return [ascending.toReversed(), ascending].flatMap((order, isBelow) =>
      others.flatMap(({ name: then, value }): RangeRule[] => {
        const edge = edgeOf(order, x, table.column(then), value);
        if (!edge) return [];
        const { inside, outside, alone } = edge;
        const beyond = isBelow
          ? { name, below: shortBetween(inside, outside) }
          : { name, atLeast: shortBetween(outside, inside) };
        return [{ beyond, then: { name: then, value }, alone }];
      }),
    );
  });
  // what goes with the number that decides has a threshold, too
  const isDecided = ({ then, alone }: RangeRule) =>
    !alone && ranges.some((one) => one.alone && one.then.name === then.name && one.then.value === then.value);
  return ranges.filter((rule) => !isDecided(rule));
}

/** The last number, of those in order, up to which all rows have a value, and the next one, and whether no other row has it; null: it does not end abruptly. */
function edgeOf(
  order: Uint32Array,
  x: Float64Array,
  y: Float64Array,
  value: number,
): { readonly inside: number; readonly outside: number; readonly alone: boolean } | null {
  const first = order.findIndex((i) => y[i] !== value && !Number.isNaN(y[i]));
  if (first < EDGE_ROWS) return null;
  let end = first; // of rows with equal numbers some have the value, some have not
  while (end > 0 && x[order[end - 1]!] === x[order[first]!]) end--;
  const inside = order.subarray(0, end);
  const outside = Array.from(order.subarray(end, end + EDGE_ROWS)).filter((i) => !Number.isNaN(y[i]));
  const having = (rows: readonly number[]) => rows.reduce((sum, i) => sum + Number(y[i] === value), 0);
  const near = Array.from(inside.subarray(Math.max(0, end - EDGE_ROWS)));
  const different = new Set(Array.from(inside, (i) => x[i])).size;
  const isAbrupt = having(near) === EDGE_ROWS && 2 * having(outside) <= outside.length;
  if (!isAbrupt || outside.length <= EDGE_ROWS / 2 || different < FEWEST_BEYOND) return null;
  return {
    inside: x[order[end - 1]!]!,
    outside: x[order[end]!]!,
    alone: order.subarray(end).every((i) => y[i] !== value),
  };
}

/** The value that so many rows have, of three at least: of two values implications say what goes with the other. */
function usualValue(values: Float64Array): number | null {
  const sorted = values.slice().sort();
  let [usual, different]: [number | null, number] = [null, 0];
  for (let from = 0, to: number; from < sorted.length; from = to) {
    to = from + 1;
    while (to < sorted.length && sorted[to] === sorted[from]) to++;
    if (to - from >= USUAL * sorted.length) usual = sorted[from]! + 0;
    different++;
  }
  release(sorted);
  return different > 2 ? usual : null;
}

function frequentValues(name: string, values: Float64Array): Frequent[] {
  const sorted = values.slice().sort();
  const found: Frequent[] = [];
  for (let from = 0, to: number; from < sorted.length; from = to) {
    to = from + 1;
    while (to < sorted.length && sorted[to] === sorted[from]) to++;
    if (to - from >= FEWEST_ROWS) found.push({ name, value: sorted[from]! + 0, rows: to - from });
  }
  release(sorted);
  // of equally frequent ones the first to be seen
  const first = new Map<number, number>();
  const left = new Set(found.map(({ value }) => value));
  for (let i = 0; left.size > 0; i++) if (left.delete(values[i]!)) first.set(values[i]!, i);
  return found.sort((a, b) => b.rows - a.rows || first.get(a.value)! - first.get(b.value)!).slice(0, VALUES);
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

/** What cells are measured in, so that one can be above another; null: labels. */
function measure(type: ColumnType): string | null {
  if (labelsOf(type) !== null) return null;
  return type.type === 'number' || type.type === 'integer' ? 'number' : type.type;
}

/** Whether values are numbers, dates or times, of which one is above another. */
export const isMeasured = (type: ColumnType): boolean => measure(type) !== null;

function findOrders(
  table: Table,
  looked: readonly string[],
  ofFormulas: (rule: OrderRule) => boolean,
): OrderRule[] {
  const columns = looked.flatMap((name) => {
    const of = measure(table.type(name));
    return of === null ? [] : [{ name, of, values: table.column(name) }];
  });
  const given: OrderRule[] = [];
  const found = columns.flatMap((lower) =>
    columns.flatMap((upper): OrderRule[] => {
      if (upper === lower || upper.of !== lower.of) return [];
      const rule = { lower: lower.name, upper: upper.name };
      if (!ofFormulas(rule)) return neverAbove(lower.values, upper.values) ? [rule] : [];
      given.push(rule);
      return [];
    }),
  );
  // columns that are equal, of which no copula draws rows
  const isEqual = (rule: OrderRule) =>
    found.some((other) => other.lower === rule.upper && other.upper === rule.lower);
  return withoutFollowing(
    found.filter((rule) => !isEqual(rule)),
    given,
  );
}

/** The orders but those that follow from another one and a given one: what is at most the net is at most the gross. */
function withoutFollowing(found: readonly OrderRule[], given: readonly OrderRule[]): OrderRule[] {
  const kept = new Set(found);
  const has = (lower: string, upper: string) =>
    [...kept].some((rule) => rule.lower === lower && rule.upper === upper);
  for (const rule of found.toReversed()) {
    const follows = given.some(
      ({ lower, upper }) =>
        (upper === rule.upper && has(rule.lower, lower)) || (lower === rule.lower && has(upper, rule.upper)),
    );
    if (follows) kept.delete(rule);
  }
  return [...kept];
}

/**
 * Whether no cell of a column is above that of another where the cells that they are computed from come from different rows: then chance does not
 * make it of such.
 */
export function holdsByChance(x: Float64Array, y: Float64Array): boolean {
  let [known, above] = [0, 0];
  for (let i = 0; i < x.length; i++) {
    if (Number.isNaN(x[i]! + y[i]!)) continue;
    known++;
    above += Number(x[i]! > y[i]!);
  }
  return !(known * Math.log1p(-above / known) < Math.log(CHANCE));
}

/** Whether no cell is above the other of its row, as independent ones would be. */
export function neverAbove(x: Float64Array, y: Float64Array): boolean {
  const rows: number[] = [];
  for (let i = 0; i < x.length; i++) {
    if (x[i]! > y[i]!) return false;
    if (!Number.isNaN(x[i]! + y[i]!)) rows.push(i);
  }
  const sorted = Float64Array.from(rows, (i) => y[i]!).sort();
  let above = 0;
  for (const i of rows) above += countBelow(sorted, x[i]!);
  return rows.length * Math.log1p(-above / rows.length ** 2) < Math.log(CHANCE);
}

/** The rows, by number, that break a rule. */
export function breakingRows(table: Table, rules: readonly Rule[]): number[] {
  const columns = rules.map((rule) => {
    const [first, second] = namesOfRule(rule);
    return { rule, x: table.column(first), y: table.column(second) };
  });
  return Array.from({ length: table.rows }, (_, i) => i).filter((i) =>
    columns.some(({ rule, x, y }) => breaksRule(rule, x[i]!, y[i]!)),
  );
}

/**
 * The implications that cells are set by, and the others: of two that are each other's converse (no order, no amount, and no amount, no order) the
 * first sets cells.
 */
export function partImplications(rules: readonly Rule[]): {
  setting: (ImplicationRule | RangeRule)[];
  converse: ImplicationRule[];
} {
  const alike = (a: { name: string; value: number }, b: { name: string; value: number }) =>
    a.name === b.name && a.value === b.value;
  const implications = rules.filter((rule) => 'where' in rule);
  const isConverse = (rule: ImplicationRule, k: number) =>
    implications.slice(0, k).some((one) => alike(one.where, rule.then) && alike(one.then, rule.where));
  return {
    setting: [
      ...implications.filter((rule, k) => !isConverse(rule, k)),
      ...rules.filter((rule) => 'beyond' in rule),
    ],
    converse: implications.filter(isConverse),
  };
}

/** In words: `"amount" is 0 where "orders" is 0`, `"returned" is at most "orders"`. */
export function ruleText(rule: Rule, type: (name: string) => ColumnType): string {
  if ('lower' in rule) return `${JSON.stringify(rule.lower)} is at most ${JSON.stringify(rule.upper)}`;
  const cell = ({ name, value }: { name: string; value: number }) =>
    `${JSON.stringify(name)} is ${cellText(type(name), value)}`;
  if ('either' in rule) return rule.either.map(cell).join(' or ');
  if ('where' in rule) return `${cell(rule.then)} where ${cell(rule.where)}`;
  const { name } = rule.beyond;
  const [number, words] =
    'below' in rule.beyond ? [rule.beyond.below, 'is below'] : [rule.beyond.atLeast, 'is at least'];
  const where = `${JSON.stringify(name)} ${words} ${cellText(type(name), number)}`;
  return `${cell(rule.then)} where ${where}${rule.alone ? ', and nowhere else' : ''}`;
}
