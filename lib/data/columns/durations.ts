/** Durations as texts: 75:10:05, 61:30, -00:05:00, and the seconds that they are. */
import { type Note, columnsNote } from '../../notes';

/**
 * A format of durations: `H`, `HH` or `HHH` hours, `m` or `mm` minutes, `ss` seconds, `S` their digits, `D days` before them; the hours in brackets
 * where short ones have none (`[H:]mm:ss`), and the digits where whole seconds have none (`H:mm:ss[.SSSSSS]`).
 */
export interface DurationFormat {
  readonly format: string;
  /** Seconds, never below 0; NaN: no such. */
  readonly read: (text: string) => number;
  readonly write: (seconds: number) => string;
  /** Of seconds. */
  readonly decimals: number;
  /** The least that whole ones are apart: 60 where they have no seconds. */
  readonly seconds: number;
}

const FORMAT = /^(D days )?(?:(\[H:\])|(H{1,3}):)?(m{1,2})(:ss)?(?:(\[)?([.,])(S{1,9})\]?)?$/;

const formats = new Map<string, DurationFormat>();

/** The format of a text such as `H:mm:ss`; null where it is none. */
export function durationFormat(format: string): DurationFormat | null {
  const known = formats.get(format);
  if (known) return known;
  const made = compile(format);
  if (made) formats.set(format, made);
  return made;
}

function compile(format: string): DurationFormat | null {
  const [, days, maybeHours, hours, minutes, seconds, maybe, mark = '', digits = ''] =
    FORMAT.exec(format) ?? [];
  if (minutes === undefined || (hours === undefined && seconds === undefined) || (digits && !seconds))
    return null;
  const withHours = maybeHours !== undefined || hours !== undefined;
  const fraction = digits === '' ? '' : `(?:\\${mark}(\\d{1,9}))${maybe ? '?' : ''}`;
  const whole = new RegExp(
    `^${days ? '(\\d+) days ' : '()'}${withHours ? `(?:(\\d+):)${hours ? '' : '?'}` : '()'}(\\d+)${seconds ? ':(\\d\\d)' : '()'}${fraction}$`,
  );
  const perSecond = 10 ** digits.length;
  const unit = seconds ? 1 : 60;
  return {
    format,
    decimals: digits.length,
    seconds: unit,
    read(text) {
      const match = whole.exec(text);
      if (!match) return NaN;
      const [day = 0, hour = 0, minute = 0, second = 0] = match.slice(1, 5).map((part) => Number(part || 0));
      const isWithin = match[2] ? match[3]!.length === 2 && minute < 60 : !(maybeHours && minute > 59);
      if (!isWithin || second > 59 || (days && hour > 23)) return NaN;
      const size = 86_400 * day + 3600 * hour + 60 * minute + second;
      return match[5] === undefined ? size : Number(`${size}.${match[5]}`);
    },
    write(size) {
      // in units, which are exact where fractions of seconds are not
      const units = Math.round((size / unit) * perSecond);
      const total = Math.floor(units / perSecond) * unit;
      const part = String(units % perSecond).padStart(digits.length, '0');
      const [day, rest] = days ? [Math.floor(total / 86_400), total % 86_400] : [0, total];
      const hour = withHours ? Math.floor(rest / 3600) : 0;
      const isShort = maybeHours !== undefined && hour === 0;
      const minute = String(Math.floor(rest / 60) - 60 * hour);
      return (
        (days ? `${day} days ` : '') +
        (withHours && !isShort ? `${String(hour).padStart(hours?.length ?? 1, '0')}:` : '') +
        minute.padStart(withHours && !isShort ? 2 : minutes.length, '0') +
        (seconds ? `:${String(total % 60).padStart(2, '0')}` : '') +
        (digits === '' || (maybe && /^0*$/.test(part)) ? '' : mark + part)
      );
    },
  };
}

/** A duration, with its sign before the rest. */
const CELL = /^([-+−]?)((?:(\d+) days )?(\d+):(\d{2})(?::(\d{2}))?(?:([.,])(\d{1,9}))?)$/;

/** Names of columns of durations. */
const NAMED =
  /(?:^|[^a-z])(?:duration|elapsed|laps?|split|pace|run ?time|up ?time|down ?time|dauer|laufzeit|dur[eé]e)(?![a-z])|[a-z](?:Duration|Elapsed|Lap)(?![a-z])/i;
/** Names of columns of hours and minutes. */
const IN_HOURS =
  /(?:^|[^a-z])(?:hours?|hrs?|hh ?mm|stunden|std|work(?:ed)?|shift|overtime|flight|sleep)(?![a-z])|[a-z]Hours?(?![a-z])/i;
/** The end of a day is a time of it. */
const END_OF_DAY = /^24:00(?::00)?$/;
/** +05:30 is where clocks stand, not how long it takes. */
const OFFSET = /^[-+−](?:0\d|1[0-4]):(?:00|15|30|45)$/;
/** A share of cells beyond a day; fewer may be slips among times of day. */
const BEYOND_DAY = 0.01;

/** Durations among the texts of a column. */
export interface Durations {
  readonly format: DurationFormat;
  /** Which of the texts. */
  readonly chosen: readonly number[];
  /** Seconds. */
  readonly values: Float64Array;
  /** Before the digits. */
  readonly signs: readonly string[];
}

/**
 * The durations among texts: written as times of a day and beyond it, below 0, of minutes and seconds with fractions, with hours in some alone, or in
 * a column that is called so; null: there are none, or they are times of day.
 *
 * @param isAsked whether numbers were asked for
 */
export function findDurations(
  name: string,
  texts: readonly string[],
  counts: readonly number[],
  isAsked = false,
): Durations | null {
  const cells = texts.flatMap((text, k) => {
    const match = CELL.exec(text);
    if (!match) return [];
    const [, sign = '', digits = '', days, first = '', second = '', third, mark, fraction] = match;
    return [{ k, sign, digits, days, first, second, third, mark, fraction }];
  });
  if (cells.length === 0 || cells.every(({ k }) => OFFSET.test(texts[k]!))) return null;
  const count = (of: typeof cells) => of.reduce((sum, { k }) => sum + counts[k]!, 0);
  const beyond = cells.filter(({ digits, first }) => Number(first) > 23 && !END_OF_DAY.test(digits));
  const isTold =
    isAsked ||
    NAMED.test(name) ||
    count(beyond) >= BEYOND_DAY * count(cells) ||
    cells.some(({ sign, days, third, fraction }) => {
      return sign !== '' || days !== undefined || (third === undefined && fraction !== undefined);
    }) ||
    new Set(cells.map(({ third }) => third === undefined)).size > 1;
  if (!isTold) return null;
  const format = formatOf(cells, name);
  if (!format) return null;
  const kept = cells.filter(({ digits }) => !Number.isNaN(format.read(digits)));
  return {
    format,
    chosen: kept.map(({ k }) => k),
    values: Float64Array.from(kept, ({ sign, digits }) => (/[-−]/.test(sign) ? -1 : 1) * format.read(digits)),
    signs: kept.map(({ sign }) => sign),
  };
}

interface Cell {
  readonly days: string | undefined;
  readonly first: string;
  readonly third: string | undefined;
  readonly mark: string | undefined;
  readonly fraction: string | undefined;
}

/** The format of most of the cells. */
function formatOf(cells: readonly Cell[], name: string): DurationFormat | null {
  const short = cells.filter(({ third }) => third === undefined);
  const long = cells.filter(({ third }) => third !== undefined);
  const widthOf = (of: readonly Cell[]) => {
    const least = of.reduce((width, { first }) => Math.min(width, first.length), 3);
    return least === 3 && !of.some(({ first }) => first.startsWith('0')) ? 2 : least;
  };
  const days = cells.some((cell) => cell.days !== undefined) ? 'D days ' : '';
  const places = cells.map(({ fraction = '' }) => fraction.length);
  const digits = places.reduce((a, b) => Math.max(a, b), 0);
  const mark = cells.find((cell) => cell.mark !== undefined)?.mark ?? '.';
  const part = digits === 0 ? '' : `${mark}${'S'.repeat(digits)}`;
  const fraction = part !== '' && places.includes(0) ? `[${part}]` : part;
  const inHours = part === '' && IN_HOURS.test(name);
  const body =
    short.length === 0
      ? `${'H'.repeat(widthOf(long))}:mm:ss`
      : long.length > 0
        ? `[H:]${'m'.repeat(Math.min(2, widthOf(short)))}:ss`
        : inHours
          ? `${'H'.repeat(widthOf(short))}:mm`
          : `${'m'.repeat(Math.min(2, widthOf(short)))}:ss`;
  return durationFormat(days + body + fraction);
}

/** What was decided, by the first text. */
export const durationNote = (name: string, text: string, { format }: DurationFormat): Note =>
  columnsNote('schema', [name], `${JSON.stringify(text)} was read as a duration, ${format}`);
