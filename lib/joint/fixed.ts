import { Table } from '../data/table';
import { SklarError, describe, expectNumber } from '../errors';
import type { TableMargins } from '../margins/margins';

/**
 * The levels of given values, by column number: in the middle of a jump of F for margins of type `Margins`.
 *
 * @throws SklarError ERR_SKLAR_VALUE for columns that do not exist, values outside the support of the margin and fractions
 *   for columns of integers
 */
export async function levelsOfFixed(
  fixed: ReadonlyMap<string, number>,
  margins: TableMargins,
): Promise<Record<number, number>> {
  for (const [name, value] of fixed) {
    const j = margins.names.indexOf(name);
    if (j < 0) {
      throw new SklarError(
        'ERR_SKLAR_VALUE',
        `expected a column of ${margins.names.map(describe).join(', ')} for a fixed value, got ${describe(name)}`,
      );
    }
    expectNumber(value, `the fixed column ${describe(name)}`);
    const [least, most] = margins.supports[j]!;
    if (value < least || value > most) {
      throw new SklarError(
        'ERR_SKLAR_VALUE',
        `expected a value between ${least} and ${most}, where the margin is, for the fixed column ${describe(name)}, ` +
          `got ${value}`,
      );
    }
    if (margins.kinds[j] === 'integer' && !Number.isInteger(value)) {
      throw new SklarError(
        'ERR_SKLAR_VALUE',
        `expected an integer for the fixed column ${describe(name)}, a column of integers, got ${value}`,
      );
    }
  }
  const u = await margins.transform(fixedRow(fixed, margins), { ties: 'average' });
  const columns = Array.from(fixed.keys(), (name) => margins.names.indexOf(name));
  return Object.fromEntries(columns.map((j) => [j, u.data[j]!]));
}

/** One row with the fixed values; in other columns an end of the support, or 0. */
export function fixedRow(fixed: ReadonlyMap<string, number>, margins: TableMargins): Table {
  return new Table(
    margins.names,
    margins.names.map((name, j) => {
      const ends = margins.supports[j]!.filter(Number.isFinite);
      return Float64Array.of(fixed.get(name) ?? ends[0] ?? 0);
    }),
  );
}

/** The table with the fixed values in their columns, as they were given. */
export function withFixed(table: Table, fixed: ReadonlyMap<string, number>): Table {
  const columns = table.columns.map((column, j) => {
    const value = fixed.get(table.names[j]!);
    return value === undefined ? column : new Float64Array(table.rows).fill(value);
  });
  return new Table(table.names, columns, table.kinds);
}
