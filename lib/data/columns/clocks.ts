/** Times of day that are written as whole numbers: 930, 1445, 2359. */
import { type Note, columnsNote } from '../../notes';
import { greatestDivisor } from './plain-number';

export const CLOCK_FORMAT = 'Hmm';

/** Numbers of any other kind all end below 60 with no more than this probability, of columns that are called after times with the second. */
const CHANCE = 1e-9;
const CHANCE_NAMED = 1e-4;
const NAMED =
  /(?:^|[^a-z])(?:time|clock|hhmm|uhrzeit|zeit|heure|hora|dep|arr|departure|arrival|start|end|begin|opens?|closes?)(?![a-z])|[a-z]Time(?![a-z])/i;
const FEWEST_HOURS = 3;
/** Minutes that follow one another in the hour would all be missing with no more than this probability, if all were alike: of weeks and of rooms some are. */
const CHANCE_OF_GAP = 1e-3;
const LATEST_MINUTE = 45;

/** Seconds since midnight, at the end of the day at most; NaN where the number is no time. */
export function clockOf(value: number): number {
  const isClock = Number.isInteger(value) && value >= 0 && value <= 2400 && value % 100 < 60;
  return isClock ? 3600 * Math.floor(value / 100) + 60 * (value % 100) : NaN;
}

/** Looks at numbers one after another whether all of them are times of day. */
export class ClockCounter {
  readonly #different = new Set<number>();
  #all = true;
  /** The first number. */
  first: number | undefined;

  push(value: number): void {
    if (!this.#all) return;
    if (Number.isNaN(clockOf(value))) this.#all = false;
    else this.#different.add(value);
    this.first ??= value;
  }

  /**
   * Whether all are, of several hours and late minutes, and other numbers would hardly be: those that are rounded to what divides these fall into
   * the same share of each hundred. Numbers below 100 say nothing.
   */
  found(name: string): boolean {
    if (!this.#all) return false;
    const told = [...this.#different].filter((value) => value >= 100);
    const hours = new Set(told.map((value) => Math.floor(value / 100)));
    const latest = told.reduce((most, value) => Math.max(most, value % 100), 0);
    const grid = told.reduce((divisor, value) => greatestDivisor(divisor, value % 100), 60);
    const unit = told.reduce((divisor, value) => greatestDivisor(divisor, value), 100);
    const share = Math.ceil(60 / unit) / (100 / unit);
    const isNamed = NAMED.test(name);
    const chance = isNamed ? CHANCE_NAMED : CHANCE;
    return (
      hours.size >= FEWEST_HOURS &&
      latest >= Math.min(LATEST_MINUTE, 60 - grid) &&
      told.length * Math.log(share) < Math.log(chance) &&
      (isNamed || !hasGap(told, grid))
    );
  }
}

/** Whether minutes are missing, of an hour of so many units, that would hardly be missing from so many times. */
function hasGap(told: readonly number[], unit: number): boolean {
  const minutes = [...new Set(told.map((value) => value % 100))].sort((a, b) => a - b);
  const gaps = minutes.map((minute, k) => (minutes[k + 1] ?? minutes[0]! + 60) - minute - unit);
  const longest = gaps.reduce((a, b) => Math.max(a, b), 0);
  const chance = Math.log(60 / unit) + told.length * Math.log1p(-longest / 60);
  return chance < Math.log(CHANCE_OF_GAP);
}

/** What was decided, by the first number. */
export const clockNote = (name: string, first: number): Note =>
  columnsNote('schema', [name], `${first} was read as a time of day, ${CLOCK_FORMAT}`);
