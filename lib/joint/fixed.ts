import type { Cell } from '../data/columns/column-of-values';
import { numberOfCell, labelsOf } from '../data/columns/column-type';
import { Table, listNames } from '../data/table';
import { SklarError, describe, expectNumber } from '../errors';
import { PseudoObservations } from '../data/pseudo-observations';
import type { TableMargins } from '../margins/margins';
import type { Condition } from './block-sample';

/** Of normal scores of a condition: beyond, copulas do not tell levels next to 0 and 1 apart. */
const FARTHEST = 1000;

/**
 * The numbers of cells as a user gives them.
 *
 * @throws SklarError ERR_SKLAR_VALUE for cells that a column does not have
 */
export function numbersOfCells(
  cells: Readonly<Record<string, Cell>>,
  margins: TableMargins,
): ReadonlyMap<string, number> {
  return new Map(
    Object.entries(cells).map(([name, cell]) => {
      const type = margins.columnTypes[margins.names.indexOf(name)];
      if (!type || type.type === 'number' || type.type === 'integer') {
        return [name, typeof cell === 'string' ? numberOfCell({ type: 'number' }, cell) : (cell as number)];
      }
      const value = numberOfCell(type, cell);
      if (!Number.isNaN(value)) return [name, value];
      const labels = labelsOf(type);
      const expected = labels ? `one of ${listNames(labels)}` : `a ${type.type}`;
      throw new SklarError(
        'ERR_SKLAR_VALUE',
        `expected ${expected} for the fixed column ${describe(name)}, got ${describe(cell)}`,
      );
    }),
  );
}

/**
 * The condition that columns have given values: a level, or the block of levels of a value of positive probability.
 *
 * @throws SklarError ERR_SKLAR_VALUE for columns that do not exist, values outside the support of the margin or between those
 *   of a discrete one, fractions for columns of integers, and normal scores beyond 1,000
 */
export async function conditionOf(
  fixed: ReadonlyMap<string, number>,
  margins: TableMargins,
): Promise<Condition> {
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
  const { lower, upper } = await margins.cells(fixedRow(fixed, margins));
  const columns = Array.from(fixed.keys(), (name) => margins.names.indexOf(name));
  const condition = {
    columns,
    lower: Float64Array.from(columns, (j) => lower.data[j]!),
    upper: Float64Array.from(columns, (j) => upper.data[j]!),
  };
  columns.forEach((j, i) => {
    const [least, most] = [condition.lower[i]!, condition.upper[i]!];
    if (least === most && Math.abs(least) > FARTHEST) {
      const name = margins.names[j]!;
      throw new SklarError(
        'ERR_SKLAR_VALUE',
        `expected a normal score between ${-FARTHEST} and ${FARTHEST} for the fixed column ${describe(name)}, ` +
          `got ${Number(least.toPrecision(5))} (of the value ${fixed.get(name)})`,
      );
    }
  });
  columns.forEach((j, i) => {
    if (margins instanceof PseudoObservations || margins.types[j] !== 'discrete') return;
    if (condition.lower[i] !== condition.upper[i]) return;
    const name = margins.names[j]!;
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      `expected a value that occurs in the training rows for the fixed column ${describe(name)}, whose margin is discrete, ` +
        `got ${fixed.get(name)}`,
    );
  });
  return condition;
}

/** A condition in words, of the columns that have a block. */
export function describeBlocks(fixed: ReadonlyMap<string, number>, { lower, upper }: Condition): string {
  return Array.from(fixed)
    .filter((_, i) => lower[i] !== upper[i])
    .map(([name, value]) => `${describe(name)} = ${value}`)
    .join(', ');
}

/** One row with the fixed values; in other columns an end of the support, or 0. */
export function fixedRow(fixed: ReadonlyMap<string, number>, margins: TableMargins): Table {
  return new Table(
    margins.names,
    margins.names.map((name, j) => {
      const [end = 0] = margins.supports[j]!.filter(Number.isFinite);
      return Float64Array.of(fixed.get(name) ?? (margins.kinds[j] === 'integer' ? Math.round(end) : end));
    }),
    margins.columnTypes,
  );
}

/** The table with the fixed values in their columns, as they were given. */
export function withFixed(table: Table, fixed: ReadonlyMap<string, number>): Table {
  const columns = table.columns.map((column, j) => {
    const value = fixed.get(table.names[j]!);
    return value === undefined ? column : new Float64Array(table.rows).fill(value);
  });
  return new Table(table.names, columns, table.types);
}
