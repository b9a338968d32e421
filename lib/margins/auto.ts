import { type SortedColumn, countOf, withoutValues } from './sorted';

/** A value of at least this share of the rows, and of this many, is an atom. */
const ATOM_SHARE = 0.05;
const ATOM_ROWS = 10;
/** Atoms of a mixture; a column with more of them is discrete. */
const MOST_ATOMS = 5;
/** Continuous columns have more different values than this share of their rows. */
const DISTINCT_SHARE = 0.5;
/** With fewer rows a kernel estimate is closer to the truth than ranks; with more it makes no difference that matters. */
const KDE_ROWS = 1000;
/** The rest of a mixture is learned from at least as many rows. */
const REST_ROWS = 8;

/** The values that occur so often that they are atoms, in ascending order. */
export function atomsOf(column: SortedColumn): number[] {
  const least = Math.max(ATOM_ROWS, ATOM_SHARE * column.sorted.length);
  const atoms: number[] = [];
  if (column.values.length === column.sorted.length) return atoms;
  for (let k = 0; k < column.values.length; k++) {
    if (countOf(column, k) >= least) atoms.push(column.values[k]!);
  }
  return atoms;
}

/** The margin of a continuous column. Zeros that pile up where its support ends are smeared by a kernel. */
export function continuousMarginOf({ sorted, values, last }: SortedColumn): 'kde' | 'empirical' {
  const piles = values[0] === 0 && last[0]! > 1;
  return sorted.length < KDE_ROWS && !piles ? 'kde' : 'empirical';
}

/**
 * What `auto` makes of a column, integers and others alike:
 *
 * - its atoms are the values of at least 5 % of the rows and 10 rows;
 * - where more than half of the values that are no atoms are different, the column is continuous: `zero-inflated` with 1
 *   to 5 atoms, else `kde` below 1,000 rows, unless 0 is its least value and recurs, and `empirical` from there;
 * - else its values recur, by their nature or because they were rounded: `discrete`.
 */
export function chooseMargin(column: SortedColumn): 'discrete' | 'zero-inflated' | 'kde' | 'empirical' {
  const atoms = atomsOf(column);
  const rest = atoms.length === 0 ? column : withoutValues(column, new Set(atoms));
  const rows = rest.sorted.length;
  if (rows < REST_ROWS || atoms.length > MOST_ATOMS || rest.values.length <= DISTINCT_SHARE * rows)
    return 'discrete';
  return atoms.length > 0 ? 'zero-inflated' : continuousMarginOf(rest);
}
