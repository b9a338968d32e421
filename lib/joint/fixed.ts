import type { Cell } from '../data/columns/column-of-values';
import type { RowCells } from '../data/column-jobs';
import { type ColumnType, numberOfCell, labelsOf } from '../data/columns/column-type';
import { formulaText } from '../data/schema/formula';
import { Table, listNames } from '../data/table';
import { type OptionNames, SklarError, describe, expectNumber, expectOptions, expectObject } from '../errors';
import { Margins, type TableMargins } from '../margins/margins';
import type { Condition } from './block-sample';
import { narrowBlocksAsLevels } from './narrow-blocks';

/** Of normal scores of a condition: beyond, copulas do not tell levels next to 0 and 1 apart. */
const FARTHEST = 1000;

/** A range of cells of a column; at least one end. */
export interface CellRange {
  readonly atLeast?: Cell;
  readonly above?: Cell;
  readonly atMost?: Cell;
  readonly below?: Cell;
}

/** What a column is held to: a value, or a range of them. */
export type Held = number | { readonly [end in keyof CellRange]?: number };
/** Columns held to something, by name. */
export type HeldColumns = ReadonlyMap<string, Held>;

const endNames: OptionNames<CellRange> = { atLeast: true, above: true, atMost: true, below: true };

/**
 * The numbers of cells as a user gives them, and of ranges of cells.
 *
 * @throws SklarError ERR_SKLAR_VALUE for cells that a column does not have, ranges without an end or with two on one side, and
 *   ranges of labels
 */
export function numbersOfCells(
  cells: Readonly<Record<string, Cell | CellRange>>,
  margins: TableMargins,
): HeldColumns {
  return new Map(
    Object.entries(expectObject(cells, 'the fixed columns')).map(([name, cell]): [string, Held] => {
      const at = margins.names.indexOf(name);
      if (at < 0) throw notModelled(name, margins);
      const type = margins.columnTypes[at];
      if (typeof cell !== 'object' || cell === null || cell instanceof Date) {
        return [name, numberOf(name, type, cell)];
      }
      const range = expectOptions(cell, `the range of the column ${describe(name)}`, endNames);
      const ends = Object.entries(range).filter(([, end]) => end !== undefined) as [keyof CellRange, Cell][];
      const sides = new Set(ends.map(([end]) => (end === 'atLeast' || end === 'above' ? 'lower' : 'upper')));
      if (ends.length === 0 || sides.size < ends.length) {
        throw new SklarError(
          'ERR_SKLAR_VALUE',
          `expected one of atLeast and above, one of atMost and below, or both, for the column ${describe(name)}, ` +
            `got ${ends.map(([end]) => end).join(' and ') || 'neither'}`,
        );
      }
      if (type && labelsOf(type)) {
        throw new SklarError(
          'ERR_SKLAR_VALUE',
          `expected one of ${listNames(labelsOf(type)!)} for the fixed column ${describe(name)}, whose labels have no ` +
            'order, got a range',
        );
      }
      return [name, Object.fromEntries(ends.map(([end, one]) => [end, numberOf(name, type, one)]))];
    }),
  );
}

/** A column that is not there, or that is made of others. */
function notModelled(name: string, margins: TableMargins): SklarError {
  const schema = margins instanceof Margins ? margins.schema : null;
  const own = schema?.columns.find((column) => column.name === name);
  const names = margins.names.map(describe).join(', ');
  if (!schema || !own) {
    return new SklarError(
      'ERR_SKLAR_VALUE',
      `expected a column of ${names} for a fixed value, got ${describe(name)}`,
    );
  }
  const why =
    own.role === 'derived'
      ? `is computed from others (${formulaText(own.formula, schema.columns)})`
      : own.role === 'constant'
        ? 'is the same in all rows'
        : 'names rows';
  return new SklarError(
    'ERR_SKLAR_VALUE',
    `expected a column that is modelled for a fixed value (${names}), got ${describe(name)}, which ${why}; a condition ` +
      '(sampleWhere, --where) can be on all columns',
  );
}

function numberOf(name: string, type: ColumnType | undefined, cell: Cell): number {
  const numeric = !type || type.type === 'number' || type.type === 'integer';
  if (numeric && typeof cell === 'number') return cell;
  const value = numberOfCell(numeric ? { type: 'number' } : type, cell);
  if (!Number.isNaN(value)) return value;
  const labels = type && labelsOf(type);
  const expected = labels ? `one of ${listNames(labels)}` : `a ${numeric ? 'number' : type.type}`;
  throw new SklarError(
    'ERR_SKLAR_VALUE',
    `expected ${expected} for the fixed column ${describe(name)}, got ${describe(cell)}`,
  );
}

/**
 * The condition that columns have given values or lie in ranges: a level, the block of levels of a value of positive
 * probability, or that of a range.
 *
 * @throws SklarError ERR_SKLAR_VALUE for columns that do not exist, values outside the support of the margin or between those
 *   of a discrete one, fractions for columns of integers, normal scores beyond 1,000, and ranges without probability
 */
export async function conditionOf(held: HeldColumns, margins: TableMargins): Promise<Condition> {
  for (const [name, value] of held) {
    const j = margins.names.indexOf(name);
    if (j < 0) throw notModelled(name, margins);
    if (typeof value === 'number') expectInMargin(name, value, j, margins);
    else
      for (const end of Object.values(value)) expectNumber(end, `an end of the range of ${describe(name)}`);
  }
  const exact = await cellsAt(held, margins, (value) => (typeof value === 'number' ? value : undefined));
  if (margins instanceof Margins) narrowBlocksAsLevels(exact, margins);
  const from = await cellsAt(held, margins, (value) =>
    typeof value === 'number' ? undefined : (value.atLeast ?? value.above),
  );
  const to = await cellsAt(held, margins, (value) =>
    typeof value === 'number' ? undefined : (value.atMost ?? value.below),
  );
  const ends = Array.from(held, ([name, value]): [number, number] => {
    const j = margins.names.indexOf(name);
    if (typeof value === 'number') {
      const [least, most] = [exact.lower.data[j]!, exact.upper.data[j]!];
      expectLevel(name, value, [least, most], margins);
      return [least, most];
    }
    const [least, most] = margins.supports[j]!;
    const isJump = ({ lower, upper }: RowCells) => lower.data[j] !== upper.data[j];
    const low = value.atLeast ?? value.above ?? -Infinity;
    const high = value.atMost ?? value.below ?? Infinity;
    // where F has an end without a jump a score is only next to infinity
    const lower =
      low === -Infinity || low < least || (low === least && !isJump(from))
        ? -Infinity
        : (value.above === undefined ? from.lower : from.upper).data[j]!;
    const upper =
      high === Infinity || high > most || (high === most && !isJump(to))
        ? Infinity
        : (value.below === undefined ? to.upper : to.lower).data[j]!;
    if (low <= most && high >= least && lower < upper) return [lower, upper];
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      `expected a range in which the margin of the column ${describe(name)} has probability, got ${rangeText(value)} ` +
        `(it has its values between ${least} and ${most})`,
    );
  });
  return {
    columns: Array.from(held.keys(), (name) => margins.names.indexOf(name)),
    lower: Float64Array.from(ends, ([lower]) => lower),
    upper: Float64Array.from(ends, ([, upper]) => upper),
  };
}

function expectInMargin(name: string, value: number, j: number, margins: TableMargins): void {
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

function expectLevel(
  name: string,
  value: number,
  [least, most]: readonly [number, number],
  margins: TableMargins,
): void {
  if (least !== most) return;
  if (Math.abs(least) > FARTHEST) {
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      `expected a normal score between ${-FARTHEST} and ${FARTHEST} for the fixed column ${describe(name)}, ` +
        `got ${Number(least.toPrecision(5))} (of the value ${value})`,
    );
  }
  if (!(margins instanceof Margins) || margins.margin(name).name !== 'discrete') return;
  throw new SklarError(
    'ERR_SKLAR_VALUE',
    `expected a value that occurs in the training rows for the fixed column ${describe(name)}, whose margin is discrete, ` +
      `got ${value}`,
  );
}

/** A condition in words, of the columns that have a block. */
export function describeBlocks(held: HeldColumns, { lower, upper }: Condition): string {
  return Array.from(held)
    .filter((_, i) => lower[i] !== upper[i])
    .map(
      ([name, value]) => `${describe(name)} ${typeof value === 'number' ? `= ${value}` : rangeText(value)}`,
    )
    .join(', ');
}

function rangeText(range: Exclude<Held, number>): string {
  const signs = { atLeast: '>=', above: '>', atMost: '<=', below: '<' } as const;
  return Object.entries(range)
    .map(([end, value]) => `${signs[end as keyof CellRange]} ${value}`)
    .join(' and ');
}

/** The cells of one row with these values; in other columns an end of the support, or 0. */
export function cellsAt(
  held: HeldColumns,
  margins: TableMargins,
  valueOf: (held: Held) => number | undefined,
): Promise<RowCells> {
  const row = margins.names.map((name, j) => {
    const [end = 0] = margins.supports[j]!.filter(Number.isFinite);
    const value = held.has(name) ? valueOf(held.get(name)!) : undefined;
    return Float64Array.of(value ?? (margins.kinds[j] === 'integer' ? Math.round(end) : end));
  });
  return margins.cells(new Table(margins.names, row, margins.columnTypes));
}

/** The table with the fixed values in their columns, as they were given. */
export function withFixed(table: Table, held: HeldColumns): Table {
  const columns = table.columns.map((column, j) => {
    const value = held.get(table.names[j]!);
    return typeof value !== 'number' ? column : new Float64Array(table.rows).fill(value);
  });
  return new Table(table.names, columns, table.types);
}
