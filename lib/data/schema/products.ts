/** Which columns are products of others: price x quantity, weight / height^2, net x (1 - discount). */
import { release } from '../../native';
import { Table } from '../table';
import {
  COARSE,
  LOOK_ROWS,
  ROWS_A_COLUMN,
  completeRows,
  countDifferent,
  factorRange,
  finestFirst,
  isThereWith,
  leastSquares,
  reproduces,
  shortIn,
  toleranceOf,
} from './fits';
import { type Factor, type Formula, baseOf, productOf } from './formula';

/** Powers of a product. */
const MOST_POWER = 3;
/** Columns that are 0 in fewer rows than this share. */
export const SELDOM = 0.1;
/** Rows that a product must be right in. */
const PRODUCT_ROWS = 50;

/** Rows whose logarithms are looked at. */
const LOG_ROWS = 600;

/** Different values of a quotient. */
const FEWEST_QUOTIENTS = 50;

/** Columns whose shares are looked at for what they leave or add. */
const MOST_SHARES = 10;

/**
 * The column as a product of whole powers of others, such as price x quantity, weight / height^2 and net x (1 - discount): powers are those
 * of least squares of logarithms, where these are near whole numbers.
 */
export function productFormula(
  table: Table,
  name: string,
  factors: readonly string[],
  looks: { readonly shares: readonly Share[]; readonly seldom: ReadonlySet<string> },
): (Formula & { formula: 'product' }) | null {
  const y = table.column(name);
  const sources = factors.filter((source) => isThereWith(table.column(source), y));
  const found = productOfSources(table, name, sources, looks, false);
  const isApart = sources.length < factors.length || y.some(Number.isNaN);
  return found ?? (isApart ? productOfSources(table, name, factors, looks, true) : null);
}

function productOfSources(
  table: Table,
  name: string,
  sources: readonly string[],
  { shares, seldom }: { readonly shares: readonly Share[]; readonly seldom: ReadonlySet<string> },
  apart: boolean,
): (Formula & { formula: 'product' }) | null {
  const y = table.column(name);
  const few = sources.filter((source) => seldom.has(source));
  const looks = (few.length < sources.length ? [few, sources] : [sources]).map((chosen) => {
    const columns = [...chosen.map((source) => table.column(source)), y];
    return { chosen, rows: completeRows(columns, LOG_ROWS, (value) => Math.abs(value) > 0) };
  });
  const tolerance = toleranceOf(table.type(name), y, COARSE);
  const own = shares.filter((share) => sources.includes(share.name)).slice(0, MOST_SHARES);
  for (const sign of own.length > 0 ? [0, -1, 1] : [0]) {
    const terms = sign === 0 ? [] : own.map(({ unit, ...share }) => ({ ...share, scale: sign * unit }));
    for (const { chosen, rows } of looks) {
      const columns = chosen.map((source) => ({ name: source }));
      const formula = productOfTerms(table, name, [...columns, ...terms], rows, { tolerance, apart });
      if (formula) return formula;
    }
  }
  return null;
}

interface Share {
  readonly name: string;
  readonly unit: number;
}

/** The columns that are shares of one or of a hundred, those of few values first, with what makes them shares of one. */
export function sharesAmong(table: Table, names: readonly string[]): Share[] {
  const bounded = names.filter((name) => table.column(name).every((value) => !(value < 0 || value > 100)));
  return finestFirst(table, bounded)
    .reverse()
    .map(({ name }) => ({ name, unit: table.column(name).some((value) => value > 1) ? 0.01 : 1 }))
    .filter(({ name, unit }) => unit < 1 || table.type(name).type === 'number');
}

/** @param complete rows in which the columns are there and not 0; shares are there wherever the product is */
function productOfTerms(
  table: Table,
  name: string,
  terms: readonly Omit<Factor, 'power'>[],
  complete: readonly number[],
  { tolerance, apart }: { readonly tolerance: number; readonly apart: boolean },
): (Formula & { formula: 'product' }) | null {
  if (terms.length < 2) return null;
  const y = table.column(name);
  const bases = [
    ...terms.map((term) => {
      const values = table.column(term.name);
      return (i: number) => baseOf(term, values[i]!);
    }),
    (i: number) => y[i]!,
  ];
  const rows = complete.filter((i) => bases.every((base) => base(i) !== 0));
  if (rows.length < Math.max(PRODUCT_ROWS, ROWS_A_COLUMN * (terms.length + 2))) return null;
  const logs = bases.map((base) => Float64Array.from(rows, (i) => Math.log(Math.abs(base(i)))));
  const names = bases.map((_, k) => String(k));
  const fit = leastSquares(
    new Table(names, logs),
    Array.from(rows.keys()),
    names.at(-1)!,
    names.slice(0, -1),
  );
  const of = terms
    .map((term, k) => ({ ...term, power: Math.round(fit.factors[k]!) }))
    .filter(({ power }) => power !== 0)
    .sort((a, b) => Number(a.power < 0) - Number(b.power < 0));
  if (of.length < 2 || of.some(({ power }) => Math.abs(power) > MOST_POWER)) return null;
  // of a discount of few values and what it leaves it is the discount that is data
  if (of.some(({ power }) => power < 0) && countDifferent(y) < FEWEST_QUOTIENTS) return null;
  if (new Set(of.map((factor) => factor.name)).size < of.length) return null;
  const product = productOf(of, (source) => table.column(source));
  const largest = rows.reduce(
    (best, i) => (Math.abs(product[i]!) > Math.abs(product[best]!) ? i : best),
    rows[0]!,
  );
  const exact = y[largest]! / product[largest]!;
  const factor = [2, 3, 4, 6, 9, 15]
    .map((digits) => Number(exact.toPrecision(digits)))
    .find((short) => reproduces([product], [short], 0, y, tolerance, apart));
  release(product);
  return factor === undefined ? null : { formula: 'product', of, factor };
}

export const shareOfZeros = (values: Float64Array) =>
  values.reduce((zeros, value) => zeros + Number(value === 0), 0) / values.length;

/** Columns that products of few are looked for among. */
const MOST_FACTORS = 25;
const POWERS: Readonly<Record<number, readonly (readonly number[])[]>> = {
  2: [
    [1, 1],
    [1, -1],
    [-1, 1],
    [1, -2],
    [-2, 1],
  ],
  3: [
    [1, 1, 1],
    [1, 1, -1],
    [1, -1, 1],
    [-1, 1, 1],
  ],
};
/**
 * The column as a product of two or three others, each tried with each: where columns are functions of each other, as a price with and without
 * tax, or half of them are 0, least squares of logarithms of all tell nothing. Counts may count as 1 at least: max(1, nights) x rate.
 */
export function productOfFew(
  table: Table,
  name: string,
  names: readonly string[],
): (Formula & { formula: 'product' }) | null {
  const y = table.column(name);
  const sources = names.filter((source) => isThereWith(table.column(source), y)).slice(0, MOST_FACTORS);
  const rows = completeRows([y, ...sources.map((source) => table.column(source))], LOOK_ROWS);
  const own = Float64Array.from(rows, (i) => y[i]!);
  if (own.filter((value) => value !== 0).length < PRODUCT_ROWS) return null;
  const tolerance = toleranceOf(table.type(name), y, COARSE);
  const counts = sources.filter((source) => {
    const values = table.column(source);
    const isCount = (value: number) => Number.isNaN(value) || (value >= 0 && Number.isInteger(value));
    return values.includes(0) && values.every(isCount) && values.some((value) => value > 1);
  });
  const terms = [
    ...sources.map((source): Omit<Factor, 'power'> => ({ name: source })),
    ...counts.map((source) => ({ name: source, least: 1 })),
  ].map((term) => ({
    term,
    values: Float64Array.from(rows, (i) => baseOf(term, table.column(term.name)[i]!)),
  }));
  const isQuotient = countDifferent(y) >= FEWEST_QUOTIENTS;
  for (const count of [2, 3]) {
    for (const chosen of subsets(terms, count)) {
      for (const powers of POWERS[count]!) {
        if (!isQuotient && powers.some((power) => power < 0)) continue;
        const range = factorRange(
          chosen.map(({ values }) => values),
          powers,
          own,
          tolerance,
        );
        if (!range) continue;
        const of = chosen.map(({ term }, k) => ({ ...term, power: powers[k]! }));
        of.sort((a, b) => Number(a.power < 0) - Number(b.power < 0));
        const factor = shortIn(range);
        const product = productOf(of, (source) => table.column(source));
        const holds = reproduces([product], [factor], 0, y, tolerance);
        release(product);
        if (holds) return { formula: 'product', of, factor };
      }
    }
  }
  return null;
}

/** So many of the items, each once, in order. */
function* subsets<T>(items: readonly T[], count: number, from = 0): Generator<T[]> {
  if (count === 0) yield [];
  else
    for (let k = from; k + count <= items.length; k++)
      for (const rest of subsets(items, count - 1, k + 1)) yield [items[k]!, ...rest];
}
