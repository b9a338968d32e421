/** Dates that are written as whole numbers, 20240131. */
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
