/** Which columns are functions of dates: parts of one, such as the month, and years between two. */
import { type ColumnType, kindOf, labelsOf } from '../columns/column-type';
import { DAY, type DatePart, datePart, datePartNames, isDatePart, yearsBetween } from '../columns/days';
import type { Table } from '../table';
import { countDifferent, lookupOf } from './fits';
import type { DateSource, Formula } from './formula';

/** Dates that functions are looked for of. */
const MOST_DATES = 12;
/** Rows that tell a part. */
const FEWEST_ROWS = 20;
/** Parts of few values, by which labels and flags are looked up. */
const LOOKED_UP: readonly DatePart[] = ['weekday', 'month', 'hour', 'year'];
/** Days of a year by which ages are computed; undefined: the calendar's. */
const YEARS = [365.25, 365, 365.2425, undefined];
/** Different ages. */
const FEWEST_AGES = 10;

/**
 * The columns that are parts of a date or a timestamp, or looked up by one, or whole years from one to another.
 *
 * @param names which columns are looked at
 * @param settings.kept those that are to be functions of none
 * @param settings.least rows that each value of a look-up has at least
 */
export function findOfDates(
  table: Table,
  names: readonly string[],
  { kept, least }: { readonly kept: readonly string[]; readonly least: number },
): Map<string, Formula> {
  const dates = names.filter((name) => isDate(table.type(name))).slice(0, MOST_DATES);
  const seconds = new Map(dates.map((name) => [name, new Parts(secondsOf(table, name))]));
  const found = new Map<string, Formula>();
  for (const name of names.filter((one) => !kept.includes(one))) {
    const formula = partFormula(table, name, seconds, least) ?? yearsFormula(table, name, seconds);
    if (formula && !formula.of.some((source) => found.has(source.name))) found.set(name, formula);
  }
  return found;
}

/** Parts of the points in time of a column, each computed once. */
class Parts {
  readonly seconds: Float64Array;
  readonly #made = new Map<DatePart, Float64Array>();

  constructor(seconds: Float64Array) {
    this.seconds = seconds;
  }

  of(part: DatePart): Float64Array {
    const made = this.#made.get(part) ?? this.seconds.map((value) => datePart(part, value));
    this.#made.set(part, made);
    return made;
  }
}

const isDate = (type: ColumnType) => type.type === 'date' || type.type === 'timestamp';

function secondsOf(table: Table, name: string): Float64Array {
  const values = table.column(name);
  return table.type(name).type === 'date' ? values.map((day) => day * DAY) : values;
}

const sourceOf = (table: Table, name: string): DateSource => ({
  name,
  ...(table.type(name).type === 'timestamp' && { seconds: true as const }),
});

function partFormula(
  table: Table,
  name: string,
  dates: ReadonlyMap<string, Parts>,
  least: number,
): Formula | null {
  const type = table.type(name);
  const y = table.column(name);
  if (kindOf(type) !== 'integer' || y.length < FEWEST_ROWS) return null;
  const [ofDates, hasLabels] = [isDate(type), labelsOf(type) !== null];
  for (const [source, parts] of dates) {
    if (source === name) continue;
    const of = [sourceOf(table, source)];
    const isPart = (part: DatePart) =>
      isDatePart(part) === ofDates &&
      y.every((value, i) => Object.is(datePart(part, parts.seconds[i]!), value));
    const part = hasLabels ? undefined : datePartNames.find(isPart);
    if (part !== undefined) return { formula: 'calendar', of, part };
    if (ofDates) continue;
    for (const by of LOOKED_UP) {
      const lookup = lookupOf(parts.of(by), y, { least, filled: false });
      if (lookup) return { formula: 'calendar', of, part: by, from: lookup.from, to: lookup.to };
    }
  }
  return null;
}

function yearsFormula(table: Table, name: string, dates: ReadonlyMap<string, Parts>): Formula | null {
  const y = table.column(name);
  if (table.type(name).type !== 'integer' || dates.size < 2 || countDifferent(y) < FEWEST_AGES) return null;
  for (const [to, { seconds: last }] of dates) {
    for (const [from, { seconds: first }] of dates) {
      for (const days of YEARS) {
        if (!y.every((value, i) => Object.is(yearsBetween(first[i]!, last[i]!, days), value))) continue;
        const of = [sourceOf(table, to), sourceOf(table, from)];
        return { formula: 'years', of, ...(days !== undefined && { days }) };
      }
    }
  }
  return null;
}
