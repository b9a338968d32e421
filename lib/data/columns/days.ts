/** Days: dates that are written as whole numbers, 20240131, and what the calendar says of them. */
import { calendarFormat } from './calendar';

export const DAY_FORMAT = 'YYYYMMDD';
const FIRST_DAY = 19_000_101;
const LAST_DAY = 21_001_231;
const FEWEST_DAYS = 3;

/** Days since 1970-01-01; NaN where the number is no date. */
export function dayOf(value: number): number {
  return value >= FIRST_DAY && value <= LAST_DAY ? calendarFormat(DAY_FORMAT)!.read(String(value)) : NaN;
}

/** Looks at numbers one after another whether all of them are dates. */
export class DayCounter {
  readonly #different = new Set<number>();
  #all = true;
  /** The first number. */
  first: number | undefined;

  push(value: number): void {
    if (!this.#all) return;
    const day = dayOf(value);
    if (Number.isNaN(day)) this.#all = false;
    else if (this.#different.size < FEWEST_DAYS) this.#different.add(day);
    this.first ??= value;
  }

  /** Whether all are, and enough different ones. */
  get found(): boolean {
    return this.#all && this.#different.size >= FEWEST_DAYS;
  }
}

/** Seconds. */
export const DAY = 86_400;

/** Parts of a point in time: numbers of the calendar, days of the week from Monday or Sunday on, and what begins or ends, as a date or a timestamp. */
const dateParts: Record<DatePart, (date: Date) => number> = {
  year: (date) => date.getUTCFullYear(),
  quarter: (date) => Math.floor(date.getUTCMonth() / 3) + 1,
  month: (date) => date.getUTCMonth() + 1,
  day: (date) => date.getUTCDate(),
  weekday: (date) => date.getUTCDay() || 7,
  'weekday from 0': (date) => (date.getUTCDay() + 6) % 7,
  'weekday from Sunday': (date) => date.getUTCDay(),
  'weekday from Sunday, 1': (date) => date.getUTCDay() + 1,
  'day of the year': (date) => dayNumber(date) - dayNumber(new Date(Date.UTC(date.getUTCFullYear(), 0))) + 1,
  // of the week that has the Thursday of the date's week (ISO 8601)
  week: (date) => {
    const thursday = new Date(1000 * DAY * (dayNumber(date) + 4 - (date.getUTCDay() || 7)));
    return Math.ceil(
      (dayNumber(thursday) - dayNumber(new Date(Date.UTC(thursday.getUTCFullYear(), 0))) + 1) / 7,
    );
  },
  hour: (date) => date.getUTCHours(),
  minute: (date) => date.getUTCMinutes(),
  'first day of the month': (date) => dayNumber(date) - date.getUTCDate() + 1,
  'last day of the month': (date) => lastOf(date, date.getUTCMonth()),
  'last day of the quarter': (date) => lastOf(date, 3 * Math.floor(date.getUTCMonth() / 3) + 2),
  'first day of the year': (date) => dayNumber(new Date(Date.UTC(date.getUTCFullYear(), 0))),
  'first day of the week': (date) => dayNumber(date) - ((date.getUTCDay() + 6) % 7),
  'start of the hour': (date) => Math.floor(date.getTime() / 3_600_000) * 3600,
  'start of the day': (date) => dayNumber(date) * DAY,
};

/** A part of a date or a timestamp; those that begin or end are dates themselves. */
export type DatePart =
  | 'year'
  | 'quarter'
  | 'month'
  | 'day'
  | 'weekday'
  | 'weekday from 0'
  | 'weekday from Sunday'
  | 'weekday from Sunday, 1'
  | 'day of the year'
  | 'week'
  | 'hour'
  | 'minute'
  | 'first day of the month'
  | 'last day of the month'
  | 'last day of the quarter'
  | 'first day of the year'
  | 'first day of the week'
  | 'start of the hour'
  | 'start of the day';
export const datePartNames = Object.keys(dateParts) as [DatePart, ...DatePart[]];

/** Whether a part is a date or a timestamp itself. */
export const isDatePart = (part: DatePart): boolean => /^(?:first|last|start)/.test(part);

const dayNumber = (date: Date): number => Math.floor(date.getTime() / 1000 / DAY);
const lastOf = (date: Date, month: number): number =>
  dayNumber(new Date(Date.UTC(date.getUTCFullYear(), month + 1, 0)));

/** A part of a point in time, in seconds since 1970-01-01. */
export function datePart(part: DatePart, seconds: number): number {
  return Number.isNaN(seconds) ? NaN : dateParts[part](new Date(1000 * seconds));
}

/**
 * Whole years between two points in time, in seconds.
 *
 * @param days of a year; undefined: by the calendar, in which who was born on February 29 is a year older on March 1
 */
export function yearsBetween(from: number, to: number, days: number | undefined): number {
  const [first, last] = [Math.floor(from / DAY), Math.floor(to / DAY)];
  if (days !== undefined) return Math.floor((last - first) / days);
  if (Number.isNaN(from + to)) return NaN;
  const [born, now] = [first, last].map((day) => new Date(1000 * DAY * day)) as [Date, Date];
  const inYear = (date: Date) => 100 * date.getUTCMonth() + date.getUTCDate();
  const years = now.getUTCFullYear() - born.getUTCFullYear();
  return inYear(now) < inYear(born) ? years - 1 : years;
}
