/** Dates and times of day as texts: formats, what they read and what they write. */

/** Seconds of a day. */
const DAY = 86_400;

const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
] as const;

interface Parts {
  year: number;
  month: number;
  day: number;
  hour: number;
  minute: number;
  second: number;
  /** Seconds that the clock is ahead of UTC. */
  offset: number;
  afternoon: boolean | null;
}

interface Token {
  readonly pattern: string;
  read(text: string, parts: Parts): void;
  write(parts: Parts): string;
}

const two = (value: number) => String(value).padStart(2, '0');

function digits(pattern: string, part: keyof Parts, write: (parts: Parts) => string): Token {
  return {
    pattern,
    read: (text, parts) => Object.assign(parts, { [part]: Number(text) }),
    write,
  };
}

/** Two digits: 1970 to 2069. */
const shortYear = (text: string) => (Number(text) < 70 ? 2000 : 1900) + Number(text);

const monthNames = (length: number): Token => ({
  pattern: MONTHS.map((name) => name.slice(0, length)).join('|'),
  read(text, parts) {
    const wanted = text.toLowerCase();
    parts.month = 1 + MONTHS.findIndex((name) => name.slice(0, length).toLowerCase() === wanted);
  },
  write: ({ month }) => MONTHS[month - 1]!.slice(0, length),
});

const hour12 = ({ hour }: Parts) => ((hour + 11) % 12) + 1;

/** What a format is made of; the longest first. */
const TOKENS: Readonly<Record<string, Token>> = {
  YYYY: digits('\\d{4}', 'year', ({ year }) => String(year).padStart(4, '0')),
  MMMM: monthNames(9),
  MMM: monthNames(3),
  YY: {
    pattern: '\\d{2}',
    read(text, parts) {
      parts.year = shortYear(text);
    },
    write: ({ year }) => two(year % 100),
  },
  MM: digits('\\d{2}', 'month', ({ month }) => two(month)),
  DD: digits('\\d{2}', 'day', ({ day }) => two(day)),
  HH: digits('\\d{2}', 'hour', ({ hour }) => two(hour)),
  hh: digits('\\d{2}', 'hour', (parts) => two(hour12(parts))),
  mm: digits('\\d{2}', 'minute', ({ minute }) => two(minute)),
  ss: digits('\\d{2}', 'second', ({ second }) => two(Math.floor(second))),
  M: digits('\\d{1,2}', 'month', ({ month }) => String(month)),
  D: digits('\\d{1,2}', 'day', ({ day }) => String(day)),
  H: digits('\\d{1,2}', 'hour', ({ hour }) => String(hour)),
  h: digits('\\d{1,2}', 'hour', (parts) => String(hour12(parts))),
  Q: {
    pattern: '[1-4]',
    read(text, parts) {
      parts.month = 3 * Number(text) - 2;
    },
    write: ({ month }) => String(Math.ceil(month / 3)),
  },
  A: {
    pattern: '[AP]M',
    read(text, parts) {
      parts.afternoon = text.toUpperCase() === 'PM';
    },
    write: ({ hour }) => (hour < 12 ? 'AM' : 'PM'),
  },
  Z: {
    pattern: 'Z|[+-]\\d{2}:?\\d{2}',
    read(text, parts) {
      const [, sign, hours, minutes] = /^([+-])(\d{2}):?(\d{2})$/.exec(text) ?? [];
      parts.offset =
        sign === undefined ? 0 : Number(`${sign}1`) * 60 * (60 * Number(hours) + Number(minutes));
    },
    write: () => 'Z',
  },
};
const TOKEN = /\[([^\]]*)\]|Y{4}|M{3,4}|YY|MM|DD|HH|hh|mm|ss|S+|[MDHhQAZ]/g;

/**
 * A format of dates and times: YYYY, YY, MMMM (January), MMM (Jan), MM, M, DD, D, Q (quarter), HH, H, hh, h with A (AM, PM), mm,
 * ss, S (tenths; SSS milliseconds), Z (Z or +01:00; written as Z, in UTC), texts in [brackets]; other characters stand for
 * themselves. Hmm alone is a whole number: 5, 930, 2400.
 */
export interface CalendarFormat {
  readonly format: string;
  /** Of dates days since 1970-01-01, of times seconds since midnight, of both together seconds since 1970-01-01; NaN: no such. */
  read: (text: string) => number;
  write: (value: number) => string;
  /** Digits of the seconds. */
  readonly decimals: number;
  readonly holds: 'date' | 'time' | 'timestamp';
}

const formats = new Map<string, CalendarFormat>();

/** The format of a text such as `YYYY-MM-DD`; null where it has neither a year nor an hour. */
export function calendarFormat(format: string): CalendarFormat | null {
  const known = formats.get(format);
  if (known) return known;
  const made = compile(format);
  if (made) formats.set(format, made);
  return made;
}

/** A time as a whole number, 5 at five past midnight; 2400 is the end of the day. */
const CLOCK: CalendarFormat = {
  format: 'Hmm',
  decimals: 0,
  holds: 'time',
  read(text) {
    const digits = /^(\d{1,4})(?:\.0*)?$/.exec(text)?.[1];
    const [hour, minute] = [Math.floor(Number(digits) / 100), Number(digits) % 100];
    return minute < 60 && (hour < 24 || digits === '2400') ? 3600 * hour + 60 * minute : NaN;
  },
  write(value) {
    const minutes = Math.floor(value / 60);
    const inDay = minutes === 1440 ? minutes : ((minutes % 1440) + 1440) % 1440;
    return String(100 * Math.floor(inDay / 60) + (inDay % 60));
  },
};

function compile(format: string): CalendarFormat | null {
  if (format === CLOCK.format) return CLOCK;
  let [pattern, end, decimals] = ['', 0, 0];
  const tokens: Token[] = [];
  const pieces: (string | Token)[] = [];
  const literal = (text: string) => {
    pattern += text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
    pieces.push(text);
  };
  const take = (token: Token) => {
    pattern += `(${token.pattern})`;
    tokens.push(token);
    pieces.push(token);
  };
  for (const match of format.matchAll(TOKEN)) {
    literal(format.slice(end, match.index));
    end = match.index + match[0].length;
    if (match[1] !== undefined) literal(match[1]);
    else if (match[0].startsWith('S')) {
      decimals = match[0].length;
      take(fraction(decimals));
    } else take(TOKENS[match[0]]!);
  }
  literal(format.slice(end));
  const has = (...names: string[]) => names.some((name) => tokens.includes(TOKENS[name]!));
  const dated = has('YYYY', 'YY');
  const timed = has('HH', 'H', 'hh', 'h');
  if (!dated && !timed) return null;
  const whole = new RegExp(`^${pattern}$`, 'i');
  const holds = dated ? (timed ? 'timestamp' : 'date') : 'time';
  return {
    format,
    decimals,
    holds,
    read(text) {
      const match = whole.exec(text);
      if (!match) return NaN;
      const parts: Parts = {
        year: 1970,
        month: 1,
        day: 1,
        hour: 0,
        minute: 0,
        second: 0,
        offset: 0,
        afternoon: null,
      };
      tokens.forEach((token, k) => token.read(match[k + 1]!, parts));
      return valueOf(parts, holds);
    },
    write(value) {
      const parts = partsOf(value, holds, decimals);
      return pieces.map((piece) => (typeof piece === 'string' ? piece : piece.write(parts))).join('');
    },
  };
}

function fraction(count: number): Token {
  return {
    pattern: '\\d{1,9}',
    read(text, parts) {
      parts.second += Number(`0.${text}`);
    },
    write: ({ second }) => (second % 1).toFixed(count).slice(2),
  };
}

function valueOf(parts: Parts, holds: CalendarFormat['holds']): number {
  const { year, month, day, minute, second, offset, afternoon } = parts;
  if (afternoon !== null && (parts.hour < 1 || parts.hour > 12)) return NaN;
  const hour = afternoon === null ? parts.hour : (parts.hour % 12) + (afternoon ? 12 : 0);
  if (hour > 23 || minute > 59 || second >= 60 || month < 1 || month > 12) return NaN;
  // years before 100 are what they say
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return NaN;
  const days = date.getTime() / (1000 * DAY);
  if (holds === 'date') return days;
  const time = 3600 * hour + 60 * minute + second;
  return holds === 'time' ? time : days * DAY + time - offset;
}

function partsOf(value: number, holds: CalendarFormat['holds'], decimals: number): Parts {
  const unit = 10 ** decimals;
  const seconds = holds === 'date' ? Math.round(value) * DAY : Math.round(value * unit) / unit;
  const days = Math.floor(seconds / DAY);
  const date = new Date(days * DAY * 1000);
  // in units, which are exact where fractions of seconds since 1970 are not
  const time = Math.round((seconds - days * DAY) * unit);
  return {
    year: date.getUTCFullYear(),
    month: date.getUTCMonth() + 1,
    day: date.getUTCDate(),
    hour: Math.floor(time / unit / 3600) % 24,
    minute: Math.floor(time / unit / 60) % 60,
    second: (time % (60 * unit)) / unit,
    offset: 0,
    afternoon: null,
  };
}

/** Of a format that months or quarters end, the date written is that of their first day. */
const DATES = [
  'YYYY-MM-DD',
  'YYYY/MM/DD',
  'YYYY.MM.DD',
  'DD.MM.YYYY',
  'D.M.YYYY',
  'MM/DD/YYYY',
  'M/D/YYYY',
  'DD/MM/YYYY',
  'D/M/YYYY',
  'DD-MM-YYYY',
  'MM-DD-YYYY',
  'YYYY-M-D',
  'YYYY/M/D',
  'DD.MM.YY',
  'MM/DD/YY',
  'M/D/YY',
  'DD/MM/YY',
  'D/M/YY',
  'DD MMM YYYY',
  'D MMM YYYY',
  'DD-MMM-YYYY',
  'D-MMM-YYYY',
  'DD-MMM-YY',
  'D-MMM-YY',
  'DD MMMM YYYY',
  'D MMMM YYYY',
  'MMM DD, YYYY',
  'MMM D, YYYY',
  'MMMM DD, YYYY',
  'MMMM D, YYYY',
  'MMM DD YYYY',
  'MMM D YYYY',
  'YYYYMMDD',
  'YYYY-MM',
  'YYYY/MM',
  'MM/YYYY',
  'MM.YYYY',
  'MMM YYYY',
  'MMMM YYYY',
  'MMM-YY',
  'YYYY-[Q]Q',
  'YYYY[Q]Q',
  'YYYY [Q]Q',
  '[Q]Q YYYY',
] as const;

/** Formats that fit a text, whatever its digits mean. */
function candidatesOf(text: string, offsets: boolean): string[] {
  const clock =
    /^(|.*?\S)([T ]?)(\d{1,2})(:\d{2})(:\d{2})?(?:\.(\d{1,9}))?( ?[AP]M)?( ?(?:Z|UTC|[+-]\d{2}:?\d{2}))?$/i.exec(
      text,
    );
  const datesOf = (date: string) =>
    DATES.filter((format) => !Number.isNaN(calendarFormat(format)!.read(date)));
  if (!clock) return datesOf(text);
  const [, date = '', separator = '', hour = '', , seconds, digitsOf, half, zone = ''] = clock;
  if (date !== '' && separator === '') return datesOf(text);
  const hours = half ? ['hh', 'h'] : ['HH', 'H'];
  // a zone that all share stands in the format; where they differ, all become UTC
  const zoneFormat = zone === '' ? '' : offsets ? `${zone.startsWith(' ') ? ' ' : ''}Z` : `[${zone}]`;
  const rest =
    `:mm${seconds === undefined ? '' : ':ss'}${digitsOf === undefined ? '' : `.${'S'.repeat(digitsOf.length)}`}` +
    `${half === undefined ? '' : `${half.startsWith(' ') ? ' ' : ''}A`}${zoneFormat}`;
  const times = hours.filter((token) => token.length === 1 || hour.length === 2).map((token) => token + rest);
  if (date === '') return times;
  return datesOf(date).flatMap((one) =>
    times.map((time) => `${one}${separator === 'T' ? '[T]' : ' '}${time}`),
  );
}

export interface FoundFormat {
  readonly format: CalendarFormat;
  /** NaN: another text. */
  readonly values: Float64Array;
  /** Another format that reads the same texts, to other values. */
  readonly other: string | null;
}

/** Texts that are looked at for formats where not all need to fit. */
const MOST_PROBES = 10;

/**
 * The format that reads most texts, of several the one that writes them as they are.
 *
 * @param texts different ones
 * @param most how many cells have each text, and the share of them that it must read at least; default all
 */
export function findFormat(
  texts: readonly string[],
  most?: { readonly counts: readonly number[]; readonly share: number },
): FoundFormat | null {
  if (texts.length === 0) return null;
  const longest = texts.reduce((a, b) => (b.length > a.length ? b : a));
  const step = Math.ceil(texts.length / MOST_PROBES);
  const probes = most ? texts.filter((_, k) => k % step === 0) : [];
  const cells = most ? most.counts.reduce((sum, count) => sum + count, 0) : 0;
  const mayLeave = most ? cells - Math.ceil(most.share * cells) : 0;
  const found: { format: CalendarFormat; values: Float64Array; left: number; kept: number }[] = [];
  for (const text of new Set([longest, texts[0]!, ...probes])) {
    for (const offsets of [false, true]) {
      for (const name of candidatesOf(text, offsets)) {
        const format = calendarFormat(name);
        if (!format || found.some((one) => one.format === format)) continue;
        const values = new Float64Array(texts.length);
        let kept = 0;
        let left = 0;
        const fits = texts.every((one, k) => {
          values[k] = format.read(one);
          if (Number.isNaN(values[k])) left += most?.counts[k] ?? 1;
          else if (format.write(values[k]) === one) kept++;
          return left <= mayLeave;
        });
        if (fits) found.push({ format, values, left, kept });
      }
    }
    if (!most && found.length > 0) break;
  }
  if (found.length === 0) return null;
  const best = found.reduce((a, b) => (b.left < a.left || (b.left === a.left && b.kept > a.kept) ? b : a));
  const other = found.find(
    ({ values, left, kept }) =>
      left === best.left &&
      kept === best.kept &&
      values.some((value, k) => !Object.is(value, best.values[k])),
  );
  return { format: best.format, values: best.values, other: other?.format.format ?? null };
}

/** Dates in several formats, each of which has one reading. */
export interface MixedFormats {
  /** What most cells have, and how the others are read. */
  readonly format: CalendarFormat;
  readonly others: readonly CalendarFormat[];
  /** NaN: another text. */
  readonly values: Float64Array;
  /** A text that these formats, or one more, read in two ways. */
  readonly ambiguous: string | null;
}

/** Formats of a column at most. */
const MOST_FORMATS = 4;

/**
 * The formats that read texts between them, the most frequent one first; null: there are not several.
 *
 * @param texts different ones
 * @param counts how many cells have each
 */
export function findMixedFormats(texts: readonly string[], counts: readonly number[]): MixedFormats | null {
  const found: CalendarFormat[] = [];
  let ambiguous: string | null = null;
  let left = Array.from(texts.keys());
  while (left.length > 0 && found.length < MOST_FORMATS) {
    const rest = left.map((k) => texts[k]!);
    const next = findFormat(rest, { counts: left.map((k) => counts[k]!), share: 0 });
    if (!next || next.format.holds === 'time') break;
    if (next.other !== null) ambiguous ??= rest.find((_, k) => !Number.isNaN(next.values[k]))!;
    else found.push(next.format);
    left = left.filter((_, k) => Number.isNaN(next.values[k]));
  }
  if (found.length === 0 || (found.length === 1 && ambiguous === null)) return null;
  const isTimed = found.some(({ holds }) => holds === 'timestamp');
  const read = (format: CalendarFormat, text: string) =>
    format.read(text) * (isTimed && format.holds === 'date' ? DAY : 1);
  const cells = new Map(found.map((format) => [format, 0]));
  const values = Float64Array.from(texts, (text, k) => {
    const readings = found.flatMap((format) => {
      const value = read(format, text);
      return Number.isNaN(value) ? [] : [{ format, value }];
    });
    const [first] = readings;
    if (!first) return NaN;
    if (readings.some(({ value }) => value !== first.value)) {
      ambiguous ??= text;
      return NaN;
    }
    cells.set(first.format, cells.get(first.format)! + counts[k]!);
    return first.value;
  });
  const [format, ...others] = found
    .filter(({ holds }) => !isTimed || holds === 'timestamp')
    .sort((a, b) => cells.get(b)! - cells.get(a)!);
  const dates = found.filter(({ holds }) => isTimed && holds === 'date');
  return { format: format!, others: [...others, ...dates], values, ambiguous };
}
