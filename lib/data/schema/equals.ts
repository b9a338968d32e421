/** Columns that are equal to another in many rows: a price that is the list price but where there is a discount. */
import { release } from '../../native';
import { greatestDivisor } from '../columns/plain-number';
import { knownValues } from '../column-jobs';
import { type Table, freshName } from '../table';
import { type Difference, textsOf } from './differences';

/** Numbers are equal in this share of the rows at least, and in so many, but those with a value that so many rows of a column have. */
const EQUAL = 0.05;
const USUAL = 0.2;
const FEWEST_EQUAL = 30;
/** Numbers that are equal are so many times as frequent as those that are a unit apart: dependence alone makes those alike. */
const ABRUPT = 3;
/** Different numbers that others are equal to: of few ones a copula of levels knows. */
const FEWEST_LEVELS = 20;
/** The same of those that are never above the others, whose shares leave no room beyond. */
const FEWEST_ORDERED = 5;
/** Different whole numbers that counts may be apart. */
const FEW_APART = 12;
/** Larger multiples say more of what is close to 0 than of the number. */
const MOST_TIMES = 10;
/** Numbers that are not equal are closer than so many times those of other rows, or they are no amounts but names. */
const CLOSE = 0.5;
/** Labels, and numbers that are names, are the same in this share of the rows, and of what chance leaves (Cohen's kappa). */
const SAME = 0.5;
const FEWEST_NAMES = 3;
const MOST_NAMES = 1000;
/** In so many rows in which there is a cell the other may be missing: what it was of that is lost to the model. */
const MOST_LOST = 0.1;

/** Two columns that are often equal. */
interface Pair {
  readonly of: readonly [string, string];
  readonly share: number;
  readonly as: 'difference' | 'share' | 'same';
}

/**
 * The columns that are equal to another in many rows, each with the one that it is most often equal to. Where neither is below 0 a number is
 * modelled by its share of the other, of two that are ordered of the larger one, else by the difference; labels, and numbers that are
 * names, by whether they are the same.
 *
 * @param names columns that may be computed, in the order of the table
 * @param settings.others columns that are functions of others
 * @param settings.dependsOn whether one of those is a function of one that may be computed
 * @param settings.least rows that a label has at least where it is not the same
 */
export function findEquals(
  table: Table,
  names: readonly string[],
  {
    others,
    dependsOn,
    least,
  }: {
    readonly others: readonly string[];
    readonly dependsOn: (name: string, other: string) => boolean;
    readonly least: number;
  },
): Difference[] {
  const isNumber = (name: string) => /^(?:number|integer)$/.test(table.type(name).type);
  const numbers = [...others, ...names].filter(isNumber);
  const labelled = names.filter((name) => table.type(name).type === 'category');
  const usual = new Map(numbers.map((name) => [name, usualValues(table.column(name))]));
  const pairs = [
    ...pairsOf(numbers).flatMap((of) => pairOfNumbers(table, of, usual, least) ?? []),
    ...pairsOf(labelled).flatMap((of) => pairOfNames(table, of, least) ?? []),
  ];
  const found: Difference[] = [];
  const computed = new Map<string, string>();
  for (const { of, as } of pairs.sort((a, b) => b.share - a.share)) {
    const [later, before] = of;
    let root = before;
    while (computed.has(root) && root !== later) root = computed.get(root)!;
    if (!names.includes(later) || computed.has(later) || root === later) continue;
    if (isOftenLost(table, of) || dependsOn(root, later)) continue;
    computed.set(later, before);
    const sign = as === 'share' ? '/' : as === 'same' ? 'or' : '-';
    const name = freshName(`${later} ${sign} ${before}`, (taken) => table.names.includes(taken));
    found.push({
      name,
      of,
      ...(as === 'share' && { as, ...gridOf(table, later) }),
      ...(as === 'same' && { as, labels: labelsBeside(table, of) }),
    });
  }
  return found;
}

/** The grid of prices in whole thousands, or of such that end with .99. */
function gridOf(table: Table, name: string): Pick<Difference, 'grid'> {
  const type = table.type(name);
  const unit = type.type === 'integer' ? 1 : type.type === 'number' ? 10 ** -(type.decimals ?? NaN) : NaN;
  const known = knownValues(table.column(name));
  const from = known.find((value) => value !== 0) ?? NaN;
  // 0 is nothing of any
  const steps = known.map((value) => (value === 0 ? 0 : Math.round((value - from) / unit)));
  const step = steps.reduce((divisor, value) => greatestDivisor(divisor, Math.abs(value)), 0);
  return step > 1 ? { grid: { from, step: step * unit } } : {};
}

const pairsOf = (names: readonly string[]) =>
  names.flatMap((first, j) => names.slice(j + 1).map((second) => [first, second] as const));

function isOftenLost(table: Table, of: Pair['of']): boolean {
  const [y, x] = of.map((name) => table.column(name)) as [Float64Array, Float64Array];
  let [known, lost] = [0, 0];
  for (let i = 0; i < y.length; i++) {
    if (Number.isNaN(y[i])) continue;
    known++;
    lost += Number(Number.isNaN(x[i]));
  }
  return lost > MOST_LOST * known;
}

/** Two columns of numbers, in the order of the table. */
function pairOfNumbers(
  table: Table,
  [first, second]: readonly [string, string],
  usual: ReadonlyMap<string, ReadonlySet<number>>,
  least: number,
): Pair | null {
  const [x, y] = [table.column(first), table.column(second)];
  const counts = (i: number) => !usual.get(first)!.has(x[i]! + 0) && !usual.get(second)!.has(y[i]! + 0);
  const share = shareOfEqual(x, y, counts);
  if (share === null) return null;
  const isBelow = (low: Float64Array, high: Float64Array) => low.every((value, i) => !(value > high[i]!));
  const isOrdered = isBelow(x, y) || isBelow(y, x);
  const levels = new Set(x.filter((value, i) => value === y[i] && counts(i))).size;
  if (!isOrdered && !isClose(x, y)) {
    const areWhole = [x, y].every((values) => values.every((value) => !(value % 1)));
    return areWhole ? pairOfNames(table, [first, second], least) : null;
  }
  if (levels < (isOrdered ? FEWEST_ORDERED : FEWEST_LEVELS)) return null;
  const [later, whole, of] = isBelow(x, y)
    ? [x, y, [first, second] as const]
    : [y, x, [second, first] as const];
  const isShare =
    later.every((value, i) => !(value < 0 || whole[i]! < 0 || value > MOST_TIMES * whole[i]!)) &&
    !areFewApart(later, whole);
  return { of, share, as: isShare ? 'share' : 'difference' };
}

/** Two columns of labels or names, in the order of the table. */
function pairOfNames(table: Table, [first, second]: readonly [string, string], least: number): Pair | null {
  const [x, y] = [textsOf(table, first), textsOf(table, second)];
  const counts = {
    x: new Map<string, number>(),
    y: new Map<string, number>(),
    own: new Map<string, number>(),
  };
  const count = (of: Map<string, number>, text: string) => of.set(text, (of.get(text) ?? 0) + 1);
  const both = new Set<string>();
  let [known, equal] = [0, 0];
  for (let i = 0; i < table.rows; i++) {
    const [a, b] = [x(i), y(i)];
    if (a === null || b === null) continue;
    known++;
    count(counts.x, a);
    count(counts.y, b);
    if (a !== b) {
      count(counts.own, b);
      continue;
    }
    equal++;
    both.add(a);
  }
  if (counts.y.size > MOST_NAMES || [...counts.own.values()].some((rows) => rows < least)) return null;
  const chance =
    [...counts.x].reduce((sum, [text, rows]) => sum + rows * (counts.y.get(text) ?? 0), 0) / known;
  const isSame = equal >= SAME * known && equal - chance >= SAME * (known - chance) && equal < known;
  if (!isSame || equal < FEWEST_EQUAL || both.size < FEWEST_NAMES) return null;
  return { of: [second, first], share: equal / known, as: 'same' };
}

/** The labels of a column where it is not the same as the other, which comes first, as null. */
function labelsBeside(table: Table, [later, before]: Pair['of']): (string | null)[] {
  const [y, x] = [textsOf(table, later), textsOf(table, before)];
  const found = new Set<string>();
  for (let i = 0; i < table.rows; i++) {
    const [a, b] = [y(i), x(i)];
    if (a !== null && b !== null && a !== b) found.add(a);
  }
  return [null, ...found];
}

/** Whether numbers are few whole ones apart, as counts of which some are lost: shares of small and of large ones would not be. */
function areFewApart(later: Float64Array, whole: Float64Array): boolean {
  const [apart, shares] = [new Set<number>(), new Set<number>()];
  for (let i = 0; i < later.length; i++) {
    if (Number.isNaN(later[i]! + whole[i]!)) continue;
    if (later[i]! % 1 || whole[i]! % 1) return false;
    apart.add(later[i]! - whole[i]!);
    shares.add(later[i]! / whole[i]!);
    if (apart.size > FEW_APART) return false;
  }
  return shares.size > 2 * apart.size;
}

/** Whether numbers of a row that are not equal are closer than those of different rows. */
function isClose(x: Float64Array, y: Float64Array): boolean {
  const rows = Array.from(x.keys()).filter((i) => !Number.isNaN(x[i]! + y[i]!) && x[i] !== y[i]);
  const middle = (apart: Float64Array) => apart.sort()[apart.length >> 1]!;
  const own = Float64Array.from(rows, (i) => Math.abs(y[i]! - x[i]!));
  const half = rows.length >> 1;
  const others = Float64Array.from(rows, (i, k) => Math.abs(y[i]! - x[rows[(k + half) % rows.length]!]!));
  return middle(own) < CLOSE * middle(others);
}

/** The share of the rows, among those that count, in which two columns are equal where nothing but that makes so many; null: that may be chance. */
function shareOfEqual(x: Float64Array, y: Float64Array, counts: (i: number) => boolean): number | null {
  let [known, equal, least] = [0, 0, Infinity];
  for (let i = 0; i < x.length; i++) {
    if (Number.isNaN(x[i]! + y[i]!) || !counts(i)) continue;
    known++;
    if (x[i] === y[i]) equal++;
    else least = Math.min(least, Math.abs(x[i]! - y[i]!));
  }
  if (equal < FEWEST_EQUAL || equal < EQUAL * known || equal === known) return null;
  const near = [0, 0];
  for (let i = 0; i < x.length; i++) {
    const apart = y[i]! - x[i]!;
    // decimals are no binary fractions
    if (counts(i) && apart !== 0 && Math.abs(apart) < 1.5 * least) near[Number(apart > 0)]!++;
  }
  return equal > ABRUPT * Math.max(...near) ? equal / known : null;
}

/** The values that this share of the rows has at least. */
function usualValues(values: Float64Array): ReadonlySet<number> {
  const sorted = knownValues(values).sort();
  const usual = new Set<number>();
  for (let from = 0, to: number; from < sorted.length; from = to) {
    to = from + 1;
    while (to < sorted.length && sorted[to] === sorted[from]) to++;
    if (to - from >= USUAL * sorted.length) usual.add(sorted[from]! + 0);
  }
  release(sorted);
  return usual;
}
