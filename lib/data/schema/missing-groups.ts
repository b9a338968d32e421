/** Columns whose cells are missing in the same rows, and whether other columns say where. */
import type { Table } from '../table';

/** Columns whose cells are missing in the same rows. */
export interface MissingGroup {
  readonly columns: readonly string[];
  /** 1 where the cells are missing. */
  readonly is: Float64Array;
}

/** 1 where the cells of a column are missing. */
export const isMissing = (table: Table, name: string): Float64Array =>
  table.column(name).map((value) => Number(Number.isNaN(value)));

/** Classes that a column is cut into. */
const CLASSES = 10;
/** Missing cells, and those that are there, that a class is expected to have. */
const EXPECTED = 5;
/** The chance that a group that depends on nothing is taken for one that does. */
const LEVEL = 1e-3;

/**
 * The groups whose cells are missing in dependence on the values of other columns, or on whether those of such a group are: by the chi-square
 * tests of independence of all columns, at level 0.001 for all together (Bonferroni).
 *
 * @param names columns that may tell
 */
export function dependentGroups(
  table: Table,
  groups: readonly MissingGroup[],
  names: readonly string[],
): MissingGroup[] {
  const tests = groups.length * (names.length + groups.length);
  const depends = (group: MissingGroup, values: Float64Array) => isDependent(group.is, values, LEVEL / tests);
  const found = new Set(
    groups.filter((group) =>
      names.some((name) => !group.columns.includes(name) && depends(group, table.column(name))),
    ),
  );
  for (let before = -1; before < found.size;) {
    before = found.size;
    for (const group of groups) if ([...found].some((other) => depends(group, other.is))) found.add(group);
  }
  return groups.filter((group) => found.has(group));
}

/** Pearson's test of independence, in classes of the values that are there. */
export function isDependent(is: Float64Array, values: Float64Array, level: number): boolean {
  const order = Uint32Array.from(values.keys())
    .filter((i) => !Number.isNaN(values[i]))
    .sort((a, b) => values[a]! - values[b]!);
  const rows = order.length;
  const share = order.reduce((sum, i) => sum + is[i]!, 0) / rows;
  const least = Math.max(rows / CLASSES, EXPECTED / Math.min(share, 1 - share));
  if (!(2 * least <= rows)) return false;
  const classes: { rows: number; missing: number }[] = [];
  for (let from = 0, to: number; from < rows; from = to) {
    to = from + 1;
    while (to < rows && values[order[to]!] === values[order[from]!]) to++;
    const missing = order.subarray(from, to).reduce((sum, i) => sum + is[i]!, 0);
    const last = classes.at(-1);
    if (last && last.rows < least) {
      last.rows += to - from;
      last.missing += missing;
    } else classes.push({ rows: to - from, missing });
  }
  const rest = classes.at(-1)!;
  if (classes.length > 1 && rest.rows < least) {
    classes.pop();
    classes.at(-1)!.rows += rest.rows;
    classes.at(-1)!.missing += rest.missing;
  }
  const degrees = classes.length - 1;
  if (degrees === 0) return false;
  const square = classes.reduce(
    (sum, one) => sum + (one.missing - share * one.rows) ** 2 / (share * (1 - share) * one.rows),
    0,
  );
  // Wilson and Hilferty (1931); the normal tail is below that of Mills
  const spread = 2 / (9 * degrees);
  const z = (Math.cbrt(square / degrees) - 1 + spread) / Math.sqrt(spread);
  return z > 1 && Math.exp((-z * z) / 2) / (z * Math.sqrt(2 * Math.PI)) < level;
}
