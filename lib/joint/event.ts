/** Events of rows of a table: functions of a row, and conditions in words with the way that rows are from them (docs/mathematics.md, O). */
import { type EventOf, levelOf } from '../copulas/events/event';
import type { Cell } from '../data/columns/column-of-values';
import { type ColumnType, cellText, isNumeric } from '../data/columns/column-type';
import { type Table, listNames } from '../data/table';
import { SklarError, describe } from '../errors';
import type { Margins } from '../margins/margins';
import type { Matrix } from '../matrix';
import { cellsAt } from './fixed';
import { type Comparison, type Condition, negated, test } from './where';

/** A row of a table: its cells by the names of the columns, numbers, texts, booleans and dates (times of day as texts); null: missing. */
export type EventRow = Readonly<Record<string, Exclude<Cell, undefined>>>;

/** The levels of rows, by number: at least 0 in an event. */
export type RowLevels = (z: Matrix, rows: Table) => (row: number) => number;

/** Of a function of a row. */
export function levelsOfFunction(event: EventOf<EventRow>): RowLevels {
  return (_, table) => {
    const { view, show, text } = viewOf(table);
    return (i) => {
      show(i);
      return levelOf(event, view, text);
    };
  };
}

/** One object that shows a row at a time: cells that nobody reads cost nothing. */
function viewOf(table: Table): { view: EventRow; show: (row: number) => void; text: () => string } {
  let at = 0;
  const cells = Object.create(null) as Record<string, Cell>;
  table.names.forEach((name, j) => {
    const values = table.columns[j]!;
    const type = table.types[j]!;
    Object.defineProperty(cells, name, { enumerable: true, get: () => cellOf(type, values[at]!) });
  });
  const view = new Proxy(cells, {
    get: (own, name) => {
      if (typeof name === 'symbol' || name in own) return own[name as string];
      throw new SklarError(
        'ERR_SKLAR_VALUE',
        `expected a column of ${listNames(table.names)} in the event, got ${describe(name)}`,
      );
    },
  }) as EventRow;
  const text = () =>
    `{ ${table.names.map((name) => `${name}: ${table.text(name, at) ?? 'missing'}`).join(', ')} }`;
  return { view, show: (row) => (at = row), text };
}

function cellOf(type: ColumnType, value: number): Cell {
  if (Number.isNaN(value)) return null;
  if (isNumeric(type)) return value;
  switch (type.type) {
    case 'boolean':
      return value === 1;
    case 'date':
      return new Date(value * 86_400_000);
    case 'timestamp':
      return new Date(value * 1000);
    default:
      return cellText(type, value);
  }
}

/** How far a row is from what a condition asks for: 0 and less where it has it, as far as scores tell. */
type Distance = (row: number) => number;
type Guide = (z: Matrix, rows: Table) => Distance;

/**
 * Of a condition in words. Levels in between are distances on the scale of the normal scores of the columns, or in deviations of what is compared:
 * the farthest of conditions that are asked for together, the nearest of alternatives.
 */
export async function levelsOfCondition(condition: Condition, margins: Margins): Promise<RowLevels> {
  const guide = await guideOf(condition, margins);
  return (z, table) => {
    const holds = test(condition, table);
    const distance = guide(z, table);
    return (i) => (holds(i) ? Infinity : Math.min(-distance(i), -Number.MIN_VALUE));
  };
}

async function guideOf(condition: Condition, margins: Margins): Promise<Guide> {
  if ('not' in condition) return guideOf(negated(condition.not), margins);
  if ('compare' in condition) {
    return (await scoreGuide(condition.compare, margins)) ?? differenceGuide(condition.compare);
  }
  const [parts, worst] = 'all' in condition ? [condition.all, Math.max] : [condition.any, Math.min];
  const guides = await Promise.all(parts.map((part) => guideOf(part, margins)));
  return (z, table) => {
    const distances = guides.map((guide) => guide(z, table));
    return (i) => distances.reduce((so, distance) => worst(so, distance(i)), distances[0]!(i));
  };
}

/** Of a modelled column beside a value: the score, and the block of scores of the value; null: there are none. */
async function scoreGuide({ left, operator, right }: Comparison, margins: Margins): Promise<Guide | null> {
  const j = margins.names.indexOf(left);
  if (j < 0 || typeof right !== 'number') return null;
  const cells = await cellsAt(new Map([[left, right]]), margins, () => right);
  const [lower, upper] = [cells.lower.data[j]!, cells.upper.data[j]!];
  const away: Readonly<Record<Comparison['operator'], (score: number) => number>> = {
    '>': (score) => upper - score,
    '>=': (score) => lower - score,
    '<': (score) => score - lower,
    '<=': (score) => score - upper,
    '=': (score) => Math.max(lower - score, score - upper),
    '!=': (score) => Math.min(score - lower, upper - score),
  };
  const distance = away[operator];
  return ({ data, columns }) =>
    (i) =>
      distance(data[i * columns + j]!);
}

/** Of other columns, and of two: the difference, in its deviations among the first rows. */
function differenceGuide({ left, operator, right }: Comparison): Guide {
  let scale: number | null = null;
  const sign = operator === '>' || operator === '>=' ? -1 : 1;
  return (_, table) => {
    const x = table.column(left);
    const y = typeof right === 'string' ? table.column(right) : null;
    const difference = (i: number) => x[i]! - (y ? y[i]! : (right as number));
    scale ??= deviationOf(Float64Array.from({ length: table.rows }, (_, i) => difference(i)));
    const unit = scale;
    if (operator === '!=') return () => 0;
    return (i) => {
      const one = difference(i) / unit;
      const distance = operator === '=' ? Math.abs(one) : sign * one;
      return Number.isNaN(distance) ? Infinity : distance;
    };
  };
}

/** Half of what the middle 68 % are apart; 1 where these are all the same. */
function deviationOf(values: Float64Array): number {
  const sorted = values.filter((value) => !Number.isNaN(value)).sort();
  const at = (share: number) => sorted[Math.floor(share * (sorted.length - 1))] ?? 0;
  return (at(0.84) - at(0.16)) / 2 || 1;
}
