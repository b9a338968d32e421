/** Which columns are exact functions of others: linear ones, products, steps, and look-ups of a value by another. */
import { type ColumnType, kindOf } from '../columns/column-type';
import { knownValues } from '../column-jobs';
import { Generator } from '../random';
import { Table } from '../table';
import { findOfDates } from './dates';
import {
  COARSE,
  LOOK_ROWS,
  MOST_VALUES,
  ROWS_A_COLUMN,
  completeRows,
  factorRange,
  countDifferent,
  finestFirst,
  isLinear,
  isThereWith,
  leastSquares,
  lookupOf,
  reproduces,
  shortIn,
  spreadOf,
  toleranceOf,
  whereMissing,
} from './fits';
import { type Bound, type Formula, type Linear, computeFormula, isBounded, withinDay } from './formula';
import { productFormula, productOfFew, sharesAmong, shareOfZeros, SELDOM } from './products';

/** Other columns that a function may be of. */
const MOST_COLUMNS = 60;
/** Of a factor such as 19 / 119. */
const MOST_DENOMINATOR = 5000;
/** Least squares of rounded columns may be off by so many times half a unit. */
const ROUNDED_FIT = 3;

/**
 * The columns that are functions of others, none of which depends on them, in the rows where both are there. Of columns that determine each
 * other the first number stays, else the first.
 *
 * @param names which columns are looked at, in order
 * @param settings.kept those that are to be functions of none
 * @param settings.least rows that each value of a look-up has at least
 * @param settings.ofEmpty whether sums may count missing cells as 0
 */
export function findFormulas(
  table: Table,
  names: readonly string[],
  {
    kept = [],
    least = 1,
    ofEmpty = false,
  }: { readonly kept?: readonly string[]; readonly least?: number; readonly ofEmpty?: boolean } = {},
): Map<string, Formula> {
  const found = findOfDates(table, names, { kept, least });
  const some = someRows(table);
  /** What is found in all rows, which is looked for where it is in some of them, too. */
  const searched = (name: string, search: (rows: Table) => Formula | null): Formula | null =>
    some === null || isSparse(some.column(name)) || search(some) !== null ? search(table) : null;
  const looked: string[] = [];
  for (const { name, values } of finestFirst(table, names)) {
    const isFree = !found.has(name) && !kept.includes(name);
    const sources = looked.filter((source) => !dependsOn(found, source, name));
    const formula = isFree ? findLookup(table, name, sources, { least }) : null;
    if (formula) found.set(name, formula);
    else if (isLookedUpBy(table, name, values)) looked.push(name);
  }
  const basis: string[] = [];
  for (const name of names) {
    if (found.has(name) || !isLinear(table.type(name))) continue;
    const formula = kept.includes(name)
      ? null
      : searched(
          name,
          (rows) =>
            (ofEmpty ? sumOfEmpty(rows, name, basis) : null) ??
            linearFormula(rows, name, basis) ??
            lineOfComputed(rows, name, found) ??
            sumWithLookups(rows, name, basis, found),
        );
    const span = formula && laterOfSpan(table, name, formula);
    if (span && !kept.includes(span.later) && !isFunctionOf(found, span.formula, span.later)) {
      found.set(span.later, span.formula);
      basis.splice(basis.indexOf(span.later), 1, name);
    } else if (formula && !isFunctionOf(found, formula, name)) found.set(name, formula);
    else basis.push(name);
  }
  const isFactor = (name: string) => isNumber(table.type(name));
  for (const { later, formula } of spansOfTimes(table, basis, basis.filter(isFactor))) {
    if (found.has(later) || kept.includes(later) || isFunctionOf(found, formula, later)) continue;
    found.set(later, formula);
  }
  for (const name of basis.filter((one) => isFactor(one) && !kept.includes(one))) {
    const formula = searched(name, (rows) => boundedFormula(rows, name, basis.filter(isFactor)));
    if (formula && !isFunctionOf(found, formula, name)) found.set(name, formula);
  }
  const targets = basis.filter((name) => isFactor(name) && !found.has(name)).slice(0, MOST_COLUMNS);
  // a price that the article determines is a factor, too, and so are hours beyond 40
  const priced = names.filter((name) => {
    const formula = isFactor(name) ? found.get(name) : undefined;
    return formula?.formula === 'lookup' || (formula?.formula === 'linear' && isBounded(formula));
  });
  const factors = [...targets, ...priced].slice(0, MOST_COLUMNS);
  const numbers = [...new Set([...factors, ...names.filter(isFactor)])];
  // of a product and its factors the product is what is computed, of quotients the finest, which rounding leaves to none else
  const finest = finestFirst(table, targets).map(({ name }) => name);
  const looks = {
    shares: sharesAmong(table, factors),
    // columns that are often 0 leave few rows: products are looked for without them first
    seldom: new Set(factors.filter((name) => shareOfZeros(table.column(name)) < SELDOM)),
  };
  /** How many functions were known when a column was found to be no product. */
  const none = new Map<string, number>();
  for (const quotients of [false, true]) {
    for (const name of quotients ? finest : targets) {
      if (found.has(name) || kept.includes(name) || none.get(name) === found.size) continue;
      const others = factors.filter((other) => other !== name && found.get(other)?.formula !== 'product');
      const independent = numbers.filter((other) => other !== name && !dependsOn(found, other, name));
      const formula = searched(
        name,
        (rows) => productFormula(rows, name, others, looks) ?? productOfFew(rows, name, independent),
      );
      if (!formula) none.set(name, found.size);
      if (formula?.formula !== 'product' || isFunctionOf(found, formula, name)) continue;
      if (quotients || formula.of.every(({ power }) => power > 0)) found.set(name, formula);
    }
  }
  return found;
}

/** Of a table of many rows some, at random; null: all are looked at. */
function someRows(table: Table): Table | null {
  if (table.rows <= 2 * LOOK_ROWS) return null;
  const generator = new Generator(1);
  const rows = Uint32Array.from({ length: LOOK_ROWS }, () => (generator.next() / 2 ** 32) * table.rows);
  return table.take(rows.sort());
}

/** Whether so few of some rows have a column that they do not tell what it is of. */
const isSparse = (values: Float64Array) => knownValues(values).length < values.length / 2;

const isLookedUpBy = (table: Table, name: string, values: number) =>
  kindOf(table.type(name)) === 'integer' && values <= MOST_VALUES;

/** Those of the columns that others can be looked up by, with the fewest values first. */
export function lookupSources(table: Table, names: readonly string[]): string[] {
  return finestFirst(table, names)
    .filter(({ name, values }) => isLookedUpBy(table, name, values))
    .map(({ name }) => name)
    .reverse();
}

/**
 * The column as a look-up by the first of these that determines it, or a line where it is one.
 *
 * @param settings.least rows that each value has at least
 * @param settings.filled whether it may have a value where the other is missing
 */
export function findLookup(
  table: Table,
  name: string,
  sources: readonly string[],
  { least = 1, filled = false }: { readonly least?: number; readonly filled?: boolean } = {},
): Formula | null {
  for (const source of sources) {
    const lookup = lookupFormula(table, name, source, least, filled);
    if (lookup) return (lookup.missing === undefined && lineFormula(table, name, source)) || lookup;
  }
  return null;
}

/** Whether a function has a column among its sources, or those of its sources. */
function isFunctionOf(found: ReadonlyMap<string, Formula>, formula: Formula, name: string): boolean {
  return formula.of.some((source) => source.name === name || dependsOn(found, source.name, name));
}

/** Whether a column is a function of another, by those that were found. */
export function dependsOn(found: ReadonlyMap<string, Formula>, name: string, other: string): boolean {
  const own = found.get(name);
  return own !== undefined && isFunctionOf(found, own, other);
}

/** Columns that change more often are no steps of another, but for those that have each of their values once. */
const MOST_STEPS = 50;
/** Of ages and months of service, which are steps of a date. */
const MOST_STEPS_ONCE = 1000;
/** Chance makes a column of steps with no more than this probability. */
const CHANCE = 1e-9;
/** A step lies where values are no further apart than so many times the median of as many spacings on either side. */
const WIDE = 20;
const NEIGHBOURS = 10;

/**
 * Adds the columns that are steps of others, which may be functions themselves; a look-up by numbers, which are not all in the data, gives
 * way to one.
 *
 * @param names which columns are looked at, in order
 * @param found by name
 * @param kept those that are to be functions of none
 * @param filled those that may have a value where the column of whose steps they are is missing
 */
export function addSteps(
  table: Table,
  names: readonly string[],
  found: Map<string, Formula>,
  kept: readonly string[],
  filled: readonly string[] = [],
): void {
  const measured = names.filter((name) => isLinear(table.type(name))).slice(0, MOST_COLUMNS);
  for (const name of names) {
    const known = found.get(name);
    if (kept.includes(name) || (known && known.formula !== 'lookup')) continue;
    if (countDifferent(table.column(name)) > MOST_STEPS_ONCE) continue;
    const looked = known ? known.of.map((source) => source.name) : measured;
    for (const source of looked.filter((other) => other !== name && measured.includes(other))) {
      const tests = measured.length * names.length;
      const formula = stepFormula(table, name, source, tests, filled.includes(name));
      if (!formula || isFunctionOf(found, formula, name)) continue;
      if (known?.formula === 'lookup' && 2 * formula.to.length > known.from.length) continue;
      found.set(name, formula);
      break;
    }
  }
}

function stepFormula(
  table: Table,
  name: string,
  source: string,
  tests: number,
  filled: boolean,
): (Formula & { formula: 'steps' }) | null {
  const [x, y] = [table.column(source), table.column(name)];
  const rows = completeRows([x, y], LOOK_ROWS);
  if (!stepsIn(x, y, rows, tests)) return null;
  for (let i = 0; i < x.length; i++) if (Number.isNaN(y[i]) && !Number.isNaN(x[i])) return null;
  const missing = whereMissing(x, y, filled);
  const steps = missing && stepsIn(x, y, completeRows([x, y], Infinity), tests);
  return steps && { formula: 'steps', of: [{ name: source }], ...steps, ...missing };
}

/**
 * Where y changes as x rises, and its values between; null where equal x have different y, where x has gaps at the changes but 0 (then it is x
 * that depends on y), or changes are so many that chance makes them.
 */
function stepsIn(
  x: Float64Array,
  y: Float64Array,
  rows: readonly number[],
  tests: number,
): { at: number[]; to: number[] } | null {
  const order = Uint32Array.from(rows).sort((a, b) => x[a]! - x[b]!);
  const [at, to]: [number[], number[]] = [[], []];
  const counts = new Map<number, number>();
  const different: number[] = [];
  const changed: number[] = []; // first of the different values after a change
  for (const i of order) {
    counts.set(y[i]!, (counts.get(y[i]!) ?? 0) + 1);
    const before = different.at(-1);
    if (x[i] !== before) different.push(x[i]!);
    if (y[i] === to.at(-1)) continue;
    if (x[i] === before || to.length === MOST_STEPS_ONCE) return null;
    if (before !== undefined) {
      at.push(shortBetween(before, x[i]!));
      changed.push(different.length - 1);
    }
    to.push(y[i]!);
  }
  if (to.length > Math.max(MOST_STEPS, counts.size)) return null;
  if (counts.size < 2 || changed.some((k, j) => at[j] !== 0 && isGap(different, k))) return null;
  const [n, changes] = [order.length, at.length];
  let all = logFactorial(n);
  for (const count of counts.values()) all -= logFactorial(count);
  const few =
    logFactorial(n - 1) -
    logFactorial(changes) -
    logFactorial(n - 1 - changes) +
    Math.log(counts.size) +
    changes * Math.log(counts.size - 1);
  return few - all + Math.log(tests) < Math.log(CHANCE) ? { at, to } : null;
}

/** Whether ascending numbers are much further apart before the one with this index than around it. */
function isGap(ascending: readonly number[], at: number): boolean {
  const spacings: number[] = [];
  for (let k = Math.max(1, at - NEIGHBOURS); k <= at + NEIGHBOURS && k < ascending.length; k++)
    if (k !== at) spacings.push(ascending[k]! - ascending[k - 1]!);
  const median = spacings.sort((a, b) => a - b)[spacings.length >> 1] ?? Infinity;
  return ascending[at]! - ascending[at - 1]! > WIDE * median;
}

/** log n!, by Stirling's series. */
const logFactorial = (n: number) =>
  n < 2 ? 0 : (n + 0.5) * Math.log(n) - n + 0.5 * Math.log(2 * Math.PI) + 1 / (12 * n);

/** The number with the fewest digits above the first and not above the second. */
export function shortBetween(below: number, upTo: number): number {
  for (let digits = -15; digits <= 15; digits++) {
    const unit = Number(`1e${-digits}`);
    for (const next of [1, 2]) {
      const short = Number(((Math.floor(below / unit) + next) * unit).toPrecision(15));
      if (short > below && short <= upTo) return short;
    }
  }
  return upTo;
}

/** The column as a linear function of one other; `apart`: cells of either may be missing where the other is there. */
function lineFormula(table: Table, name: string, source: string, apart = false): Formula | null {
  if (!isLinear(table.type(name)) || !isLinear(table.type(source))) return null;
  const [x, y] = [table.column(source), table.column(name)];
  const line = lineOf(x, y);
  if (!line) return null;
  const tolerance = toleranceOf(table.type(name), y);
  const formula = withFewDigits([source], [line.factor], line.offset, table, name, { tolerance, apart });
  if (formula) return formula;
  // the ends are rounded, too: all rows together tell a factor such as .19 / 1.19
  const rows = completeRows([x, y], LOOK_ROWS);
  const isNear = (i: number) =>
    Math.abs(line.offset + line.factor * x[i]! - y[i]!) <= 2 * ROUNDED_FIT * tolerance;
  if (!rows.every(isNear)) return multipleFormula(table, name, source, apart);
  const fit = leastSquares(table, rows, name, [source]);
  const rounded = withFewDigits([source], fit.factors, fit.offset, table, name, { tolerance, apart });
  if (rounded) return rounded;
  const most = rows.reduce((max, i) => Math.max(max, Math.abs(x[i]!)), 0);
  const factor = simplestFraction(fit.factors[0]!, tolerance / most);
  const of = [{ name: source, factor }];
  return reproduces([x], [factor], 0, y, tolerance, apart)
    ? { formula: 'linear', of, offset: 0 }
    : multipleFormula(table, name, source, apart);
}

/** The column as a multiple of another, by the factors that are right in all rows: units, such as miles in kilometres. */
function multipleFormula(table: Table, name: string, source: string, apart: boolean): Formula | null {
  const [x, y] = [table.column(source), table.column(name)];
  const tolerance = toleranceOf(table.type(name), y, COARSE);
  const range = factorRange([x], [1], y, tolerance);
  if (!range || (range[0] <= 1 && range[1] >= 1)) return null;
  const factor = shortIn(range);
  return reproduces([x], [factor], 0, y, tolerance, apart)
    ? { formula: 'linear', of: [{ name: source, factor }], offset: 0 }
    : null;
}

/** The fraction of the least denominator that is so close to a number, by the Stern-Brocot tree; the number itself where that is large. */
function simplestFraction(value: number, error: number): number {
  const sign = Math.sign(value);
  const size = Math.abs(value);
  const whole = Math.floor(size);
  let [low, high] = [
    [whole, 1],
    [whole + 1, 1],
  ] as [[number, number], [number, number]];
  for (;;) {
    const [p, q] = [low[0] + high[0], low[1] + high[1]];
    if (q > MOST_DENOMINATOR) return value;
    if (Math.abs(p / q - size) <= error) return (sign * p) / q;
    if (p / q < size) low = [p, q];
    else high = [p, q];
  }
}

/** A column without missing cells as a sum of some that have such, which count as 0: what is open of an invoice, debit and credit. */
function sumOfEmpty(table: Table, name: string, basis: readonly string[]): Formula | null {
  const hasEmpty = (source: string) => table.column(source).some(Number.isNaN);
  if (hasEmpty(name) || !basis.some(hasEmpty)) return null;
  const { names, columns, types } = table.select([...basis, name]);
  const zeros = new Table(
    names,
    columns.map((values) => values.map((value) => (Number.isNaN(value) ? 0 : value))),
    types,
  );
  const formula = linearOf(zeros, name, basis, false);
  return formula?.formula === 'linear' && formula.of.some((source) => hasEmpty(source.name))
    ? { ...formula, ofEmpty: true }
    : null;
}

/** Functions of cells that are missing where the column is come first. */
const linearFormula = (table: Table, name: string, basis: readonly string[]): Formula | null =>
  linearOf(table, name, basis, false) ?? linearOf(table, name, basis, true);

/** A line of a column that is computed itself: the tax in a sum of rounded amounts. */
function lineOfComputed(table: Table, name: string, found: ReadonlyMap<string, Formula>): Formula | null {
  for (const [source, { formula }] of found) {
    const line = formula === 'linear' ? lineFormula(table, name, source) : null;
    if (line) return line;
  }
  return null;
}

/** A sum of columns of which some are looked up: a charge and what the tariff adds. */
function sumWithLookups(
  table: Table,
  name: string,
  basis: readonly string[],
  found: ReadonlyMap<string, Formula>,
): Formula | null {
  const looked = [...found].flatMap(([one, { formula }]) =>
    formula === 'lookup' && isNumber(table.type(one)) && !dependsOn(found, one, name) ? [one] : [],
  );
  return looked.length === 0 ? null : linearFormula(table, name, [...basis, ...looked]);
}

function linearOf(table: Table, name: string, basis: readonly string[], apart: boolean): Formula | null {
  const y = table.column(name);
  const others = basis.filter((source) => isThereWith(table.column(source), y));
  if (apart && others.length === basis.length && !y.some(Number.isNaN)) return null;
  const tolerance = toleranceOf(table.type(name), y);
  for (const source of basis) {
    const line = lineFormula(table, name, source, apart);
    if (line) return line;
  }
  const sources = (apart ? basis : others).slice(0, MOST_COLUMNS);
  // of how far two dates are apart, and what either is made of, it is the dates that are meant
  for (const pair of isDateLike(table.type(name)) ? [] : pairsOfDates(table, sources)) {
    const span = linearOfSources(table, name, pair, { tolerance, apart });
    if (span) return span;
  }
  return linearOfSources(table, name, sources, { tolerance, apart });
}

const isNumber = ({ type }: ColumnType) => type === 'number' || type === 'integer';
const isDateLike = ({ type }: ColumnType) => type === 'date' || type === 'timestamp' || type === 'time';

/** Columns of dates of one type, two at a time. */
function pairsOfDates(table: Table, names: readonly string[]): [string, string][] {
  const dates = names.filter((name) => isDateLike(table.type(name))).slice(0, MOST_SPANNED);
  return dates.flatMap((later, k) =>
    dates
      .slice(0, k)
      .flatMap((earlier): [string, string][] =>
        table.type(later).type === table.type(earlier).type ? [[earlier, later]] : [],
      ),
  );
}

/** Least squares of all of them, of which those that add nothing are left out. */
function linearOfSources(
  table: Table,
  name: string,
  sources: readonly string[],
  { tolerance, apart }: { readonly tolerance: number; readonly apart: boolean },
): Formula | null {
  const y = table.column(name);
  if (sources.length < 2) return null;
  const rows = completeRows([y, ...sources.map((source) => table.column(source))], LOOK_ROWS);
  if (rows.length < ROWS_A_COLUMN * (sources.length + 2)) return null;
  let chosen = sources;
  let fit = leastSquares(table, rows, name, chosen);
  // rounding moves the factors, which few digits put right
  if (fit.error > ROUNDED_FIT * tolerance) return null;
  // columns that add less than can be seen are none of its sources
  for (const source of sources) {
    if (chosen.length < 2) break;
    const spread = spreadOf(table.column(source), rows);
    if (Math.abs(fit.factors[chosen.indexOf(source)] ?? 0) * spread > 4 * tolerance) continue;
    const fewer = chosen.filter((other) => other !== source);
    const again = leastSquares(table, rows, name, fewer);
    if (again.error > ROUNDED_FIT * tolerance) continue;
    [chosen, fit] = [fewer, again];
  }
  return withFewDigits(chosen, fit.factors, fit.offset, table, name, { tolerance, apart });
}

/** Dates that are looked at two at a time. */
const MOST_SPANNED = 8;

/** A bound is met in this share of the rows at least. */
const BOUND = 0.02;
/** Rows that meet no bound, and their different values. */
const INNER_ROWS = 50;
const INNER_VALUES = 10;
/** Columns that are looked at as bounds on a side. */
const MOST_BOUNDS = 3;

/**
 * The column as a linear function that a bound cuts off: hours beyond 40, what an insurance pays of a claim, the lesser of two amounts.
 *
 * @param basis columns that it may be computed from
 */
function boundedFormula(table: Table, name: string, basis: readonly string[]): Formula | null {
  const y = table.column(name);
  const tolerance = toleranceOf(table.type(name), y);
  const sources = basis.filter((source) => source !== name);
  const sides = ([-1, 1] as const).map((sign): (Bound | undefined)[] => {
    const end = y.reduce((last, value) => (sign * value > sign * last ? value : last), -sign * Infinity);
    const isMet = (bound: (i: number) => number) => {
      let [met, known] = [0, 0];
      for (let i = 0; i < y.length; i++) {
        const value = bound(i);
        if (Number.isNaN(value + y[i]!)) continue;
        if (sign * (y[i]! - value) > 0) return false;
        known++;
        met += Number(y[i] === value);
      }
      return met >= BOUND * known && met + INNER_ROWS <= known;
    };
    const columns = sources.filter((source) => isMet((i) => table.column(source)[i]!));
    return [undefined, ...(isMet(() => end) ? [end] : []), ...columns.slice(0, MOST_BOUNDS)];
  });
  for (const least of sides[0]!) {
    for (const most of sides[1]!) {
      const bounds = [least, most].filter((bound) => bound !== undefined);
      if (bounds.length === 0) continue;
      const values = bounds.map((bound) => (typeof bound === 'string' ? table.column(bound) : bound));
      const isInner = (i: number) =>
        values.every((bound) => Math.abs(y[i]! - (typeof bound === 'number' ? bound : bound[i]!)) > 0);
      const inner = Array.from(y.keys()).filter(isInner);
      if (inner.length < INNER_ROWS || new Set(inner.map((i) => y[i])).size < INNER_VALUES) continue;
      const every = Math.ceil(inner.length / LOOK_ROWS);
      const part = table.select([...sources, name]).take(inner.filter((_, k) => k % every === 0));
      const line = linearFormula(part, name, sources);
      if (line?.formula !== 'linear') continue;
      const columns = bounds.filter((bound) => typeof bound === 'string');
      if (line.of.some((source) => columns.includes(source.name))) continue;
      const formula: Linear = {
        ...line,
        of: [...line.of, ...columns.map((column) => ({ name: column, factor: 0 }))],
        ...(least !== undefined && { least }),
        ...(most !== undefined && { most }),
      };
      // before it is rounded: halves are rounded up or down
      const made = computeFormula(formula, { type: 'number' }, (source) => table.column(source));
      const apart = made.map((value, i) => Math.abs(value - y[i]!));
      const there = apart.filter((value) => !Number.isNaN(value)).length;
      if (2 * there >= y.length && !apart.some((value) => value > tolerance)) return formula;
    }
  }
  return null;
}

/**
 * Of a number that says how far two dates are apart it is the later date that is computed, which a copula of both dates would blur; null: it is
 * no such number, or does not give the date to its last digit.
 */
function laterOfSpan(
  table: Table,
  name: string,
  formula: Formula,
): { readonly later: string; readonly formula: Formula } | null {
  if (formula.formula !== 'linear' || formula.of.length !== 2) return null;
  if (isDateLike(table.type(name)) || !formula.of.every((one) => isDateLike(table.type(one.name))))
    return null;
  const [earlier, later] = formula.of.toSorted((a, b) => a.factor - b.factor) as [
    (typeof formula.of)[number],
    (typeof formula.of)[number],
  ];
  if (earlier.factor !== -later.factor) return null;
  const back = withFewDigits(
    [earlier.name, name],
    [1, 1 / later.factor],
    -formula.offset / later.factor,
    table,
    later.name,
    { tolerance: toleranceOf(table.type(later.name), table.column(later.name)), apart: false },
  );
  return back && { later: later.name, formula: back };
}

/** Seconds of what a duration may be counted in. */
const DURATIONS = [60, 1, 3600, 1e-3];

/** The times that are others and a duration later, past midnight, too. */
function spansOfTimes(table: Table, names: readonly string[], numbers: readonly string[]) {
  const times = names.filter((name) => table.type(name).type === 'time');
  return times.flatMap((later) => {
    const y = table.column(later);
    const spans = times.flatMap((earlier) => numbers.map((number) => ({ earlier, number })));
    for (const { earlier, number } of spans.filter((span) => span.earlier !== later)) {
      const [x, z] = [table.column(earlier), table.column(number)];
      if (!isThereWith(x, y) || !isThereWith(z, y)) continue;
      const factor = DURATIONS.find((unit) => {
        const isLater = (value: number, i: number) =>
          Number.isNaN(value) === Number.isNaN(x[i]! + z[i]!) &&
          (Number.isNaN(value) || withinDay(x[i]! + unit * z[i]!) === value);
        return y.every(isLater);
      });
      if (factor === undefined) continue;
      const of = [
        { name: earlier, factor: 1 },
        { name: number, factor },
      ];
      return [{ later, formula: { formula: 'linear', of, offset: 0 } as const }];
    }
    return [];
  });
}

/** The formula with as few digits as reproduce the column in all rows; null where no digits do. */
function withFewDigits(
  sources: readonly string[],
  factors: readonly number[],
  offset: number,
  table: Table,
  name: string,
  { tolerance, apart }: { readonly tolerance: number; readonly apart: boolean },
): Formula | null {
  const columns = sources.map((source) => table.column(source));
  const y = table.column(name);
  for (const digits of [2, 3, 4, 6, 9, 15]) {
    const short = factors.map((factor) => Number(factor.toPrecision(digits)));
    if (short.every((factor) => factor === 0)) continue;
    // what rounding the factors takes off is not the offset's to give
    const rest = digits < 15 ? Number(offset.toPrecision(digits)) : offset;
    for (const constant of digits < 15 ? [0, rest] : [rest]) {
      if (reproduces(columns, short, constant, y, tolerance, apart)) {
        return {
          formula: 'linear',
          of: sources.map((source, k) => ({ name: source, factor: short[k]! })),
          offset: constant,
        };
      }
    }
  }
  return null;
}

/** Whether the column is missing in other rows than those in which one of the sources of its function is. */
export function isMissingApart(table: Table, name: string, of: readonly string[]): boolean {
  const sources = of.map((source) => table.column(source));
  return table
    .column(name)
    .some((value, i) => Number.isNaN(value) !== sources.some((source) => Number.isNaN(source[i])));
}

/** The line through the first two rows that are there, far apart; null where one of the columns does not vary. */
function lineOf(x: Float64Array, y: Float64Array): { factor: number; offset: number } | null {
  let [least, most] = [-1, -1];
  for (let i = 0; i < x.length; i++) {
    if (Number.isNaN(x[i]! + y[i]!)) continue;
    if (least < 0 || x[i]! < x[least]!) least = i;
    if (most < 0 || x[i]! > x[most]!) most = i;
  }
  if (least < 0 || x[least] === x[most] || y[least] === y[most]) return null;
  const factor = (y[most]! - y[least]!) / (x[most]! - x[least]!);
  return { factor, offset: y[least]! - factor * x[least]! };
}

function lookupFormula(
  table: Table,
  name: string,
  source: string,
  least: number,
  filled: boolean,
): (Formula & { formula: 'lookup' }) | null {
  const lookup = lookupOf(table.column(source), table.column(name), { least, filled });
  return lookup && { formula: 'lookup', of: [{ name: source }], ...lookup };
}
