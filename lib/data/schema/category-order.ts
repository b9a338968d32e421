/** The order of categories: a copula knows no other relation between values than which is the greater. */
import { type ColumnType, labelsOf } from '../columns/column-type';
import { knownValues } from '../column-jobs';
import type { Table } from '../table';

/** Words that have an order of their own. */
const SCALES = [
  'very low|low|medium low|medium|mid|moderate|medium high|high|very high|extreme',
  'none|minimal|minor|mild|slight|moderate|major|severe|critical',
  'xxs|xs|s|m|l|xl|xxl|xxxl',
  'tiny|small|medium|large|huge',
  'never|rarely|sometimes|occasionally|often|frequently|usually|always',
  'very poor|poor|fair|average|good|very good|excellent',
  'very bad|bad|neutral|good|very good',
  'strongly disagree|disagree|neutral|neither|agree|strongly agree',
  'very dissatisfied|dissatisfied|neutral|satisfied|very satisfied',
  'monday|tuesday|wednesday|thursday|friday|saturday|sunday',
  'mon|tue|wed|thu|fri|sat|sun',
  'january|february|march|april|may|june|july|august|september|october|november|december',
  'jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec',
  'spring|summer|autumn|fall|winter',
  'bronze|silver|gold|platinum|diamond',
  'child|teen|adult|senior',
  'primary|secondary|tertiary',
  'low|normal|high',
  'no|maybe|yes',
].map((words) => words.split('|'));

/** Labels for what nobody knows: they have no place in an order, and come last. */
const UNKNOWN = /^(?:n\/?a|unknown|missing|not (?:given|available|known|stated|applicable)|[-?.]*)$/;

/** An order that the labels have by themselves, by numbers that they begin with, or by words; null: none. */
export function ownOrder(labels: readonly string[]): number[] | null {
  const places = Array.from(labels.keys());
  const unknown = places.filter((k) => UNKNOWN.test(labels[k]!.trim().toLowerCase()));
  const known = places.filter((k) => !unknown.includes(k));
  const order = orderOfKnown(known.map((k) => labels[k]!));
  return order && [...order.map((k) => known[k]!), ...unknown];
}

function orderOfKnown(labels: readonly string[]): number[] | null {
  const plain = labels.map((label) => label.trim().toLowerCase());
  const scale = SCALES.find((words) => plain.every((label) => words.includes(label)));
  const keys = scale ? plain.map((label) => scale.indexOf(label)) : numbersIn(plain);
  if (keys === null) return null;
  return Array.from(labels.keys()).sort((a, b) => keys[a]! - keys[b]! || a - b);
}

/** The numbers by which labels are ordered that have the same words before them; null: other labels, such as the codes `I10` and `E11.9`. */
function numbersIn(labels: readonly string[]): number[] | null {
  const found = labels.map(numberIn);
  const same = found.every((one) => one !== null && one.before === found[0]!.before);
  return same ? found.map((one) => one!.number) : null;
}

/** `18-24`, `<5`, `65+`, `> 100`, `grade 3`, `3+`: the number by which such labels are ordered, and the words before it. */
function numberIn(label: string): { number: number; before: string } | null {
  const match = /^(<|≤|under |below |up to |>|≥|over |above )?(\D{0,12}?)(-?\d+(?:\.\d+)?)/.exec(label);
  if (!match) return null;
  const [, bound = '', before, number] = match;
  const beyond = /^(?:<|under|below)/.test(bound) ? -0.5 : /^(?:>|over|above)/.test(bound) ? 0.5 : 0;
  return { number: Number(number) + beyond, before: before!.trim() };
}

const ROUNDS = 8;
/** A label of few rows is drawn towards the mean of all by so many rows. */
const PRIOR_ROWS = 5;
const LOOK_ROWS = 20_000;

/**
 * The labels of each category in an order by which dependence is as monotone as it can be: that of the scores that correlate
 * most with the other columns (the first axis of the labels' mean ranks; of categories alone in turns, as in reciprocal
 * averaging, Hill 1973). Orders that labels have by themselves stay.
 *
 * @param names the columns that are modelled
 * @returns for each column of categories the positions of its labels in their new order
 */
export function orderCategories(table: Table, names: readonly string[]): Map<string, number[]> {
  const orders = new Map<string, number[]>();
  const free: string[] = [];
  for (const name of names) {
    const type = table.type(name);
    if (type.type !== 'category') continue;
    const own = ownOrder(type.labels);
    orders.set(name, own ?? Array.from(type.labels.keys()));
    if (!own && type.labels.length > 2) free.push(name);
  }
  if (free.length === 0) return orders;
  const step = Math.max(1, Math.ceil(table.rows / LOOK_ROWS));
  const rows = Array.from({ length: Math.ceil(table.rows / step) }, (_, k) => k * step);
  const scores = new Map<string, Float64Array>();
  const score = (name: string) => {
    const order = orders.get(name);
    const rank = order && inverseOf(order);
    const values = Float64Array.from(rows, (i) => {
      const value = table.column(name)[i]!;
      return rank && !Number.isNaN(value) ? rank[value]! : value;
    });
    scores.set(name, standardRanks(values));
  };
  names.forEach(score);
  // without numbers the first order is that of how frequent labels are
  for (let round = 0; round < ROUNDS; round++) {
    let changed = false;
    for (const name of free) {
      const others = names.filter((other) => other !== name).map((other) => scores.get(other)!);
      const codes = Float64Array.from(rows, (i) => table.column(name)[i]!);
      const order = orderOf(codes, labelsOf(table.type(name))!.length, others, orders.get(name)!);
      changed ||= order.some((label, k) => label !== orders.get(name)![k]);
      orders.set(name, order);
      score(name);
    }
    if (!changed) break;
  }
  return orders;
}

/** Mid-ranks between -1 and 1, 0 where missing, of variance 1. */
function standardRanks(values: Float64Array): Float64Array {
  const known = knownValues(values).sort();
  const below = new Map<number, number>();
  for (let first = 0, end = 1; first < known.length; first = end++) {
    while (end < known.length && known[end] === known[first]) end++;
    below.set(known[first]!, (first + end) / known.length - 1);
  }
  const ranks = values.map((value) => below.get(value) ?? 0);
  const size = Math.sqrt(ranks.reduce((sum, rank) => sum + rank * rank, 0) / Math.max(1, known.length)) || 1;
  return ranks.map((rank) => rank / size);
}

/** The order of labels along the first axis of their mean scores in the other columns. */
function orderOf(
  codes: Float64Array,
  labels: number,
  others: readonly Float64Array[],
  before: readonly number[],
): number[] {
  const counts = new Float64Array(labels);
  for (const code of codes) if (!Number.isNaN(code)) counts[code]!++;
  const means = others.map((column) => {
    const sums = new Float64Array(labels);
    codes.forEach((code, i) => {
      if (!Number.isNaN(code)) sums[code]! += column[i]!;
    });
    return sums.map((sum, k) => sum / (counts[k]! + PRIOR_ROWS));
  });
  // the first axis by power iteration, from the column that tells the labels apart best
  const spread = means.map((column) => column.reduce((sum, mean, k) => sum + counts[k]! * mean * mean, 0));
  const strongest = spread.indexOf(Math.max(...spread));
  if (!(spread[strongest]! > 0)) return [...before];
  let axis = means.map((_, j) => Number(j === strongest));
  let along = new Float64Array(labels);
  for (let turn = 0; turn < 50; turn++) {
    along = new Float64Array(labels);
    means.forEach((column, j) => column.forEach((mean, k) => (along[k]! += axis[j]! * mean)));
    const next = means.map((column) =>
      column.reduce((sum, mean, k) => sum + counts[k]! * mean * along[k]!, 0),
    );
    const size = Math.hypot(...next) || 1;
    axis = next.map((value) => value / size);
  }
  // a stable sort: labels alike stay in the order that they had
  return [...before].sort((a, b) => along[a]! - along[b]!);
}

/** The type with its labels in another order, and the new position of each. */
export function reordered(
  type: ColumnType & { type: 'category' },
  order: readonly number[],
): { type: ColumnType; position: Float64Array } {
  const labels = order.map((label) => type.labels[label]!);
  return { type: { type: 'category', labels }, position: inverseOf(order) };
}

/** The place of each label in an order. */
function inverseOf(order: readonly number[]): Float64Array {
  const position = new Float64Array(order.length);
  order.forEach((label, k) => (position[label] = k));
  return position;
}
