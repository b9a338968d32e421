/** The type of a column of texts, decided from all of them. */
import { SklarError, describe } from '../../errors';
import { type Note, andWords, columnsNote } from '../../notes';
import { type MixedFormats, calendarFormat, findFormat, findMixedFormats } from './calendar';
import { CLOCK_FORMAT, ClockCounter, clockNote, clockOf } from './clocks';
import {
  type CensoredEnd,
  type ColumnType,
  type NumberStyle,
  type TypeName,
  beyondLimit,
  numberType,
} from './column-type';
import { durationNote, findDurations } from './durations';
import { type Numerals, mostNumerals, numberIn, readNumerals, signsOf, unitOf } from './numerals';
import { FORMED, isPlainNumber, isRounded, isVanished } from './plain-number';

/** The cells of a column of texts: the different texts, and how many cells have each. */
export interface Texts {
  readonly name: string;
  readonly texts: readonly string[];
  readonly counts: readonly number[];
}

/** What a column of texts turned out to be. */
export interface InferredColumn {
  readonly type: ColumnType;
  /** The number of each text, NaN: such cells are missing. */
  readonly values: Float64Array;
  readonly notes: readonly Note[];
}

const BOOLEANS = [
  ['false', 'true'],
  ['no', 'yes'],
  ['n', 'y'],
  ['f', 't'],
  ['off', 'on'],
] as const;

/** Texts that people and programs put where a number or a date is not known. */
const UNKNOWN =
  /^(?:\?+|-+|\.+|_+|\*+|n\.?\/?a\.?|#n\/a.*|#[\w/]+[!?]|<na>|nan|nat|null|none|nil|missing|unknown|not available|[-+]?inf(?:inity)?)$/i;

/** A share of the cells that are numbers beyond which other texts are taken for missing ones. */
const MOSTLY = 0.8;
/** So many different numbers make a column of numbers in spite of other texts. */
const FEWEST_NUMBERS = 10;
/** The same of dates and times in a table of few rows. */
const FEWEST_DATES = 3;

/** A share of different texts beyond which they name rows, where there are so many rows. */
const IDENTIFYING = 0.9;
const FEWEST_IDS = 20;

/** Digits of a time with a zero before it. */
const PADDED_CLOCK = /^(?:[01]\d|2[0-3])[0-5]\d$/;

const collator = new Intl.Collator('en', { numeric: true });

/** What was asked for: the name of a type, for dates and times with a format, as in `date:DD/MM/YYYY`. */
export interface WantedType {
  readonly type: TypeName;
  readonly format?: string | undefined;
  /** Another file has it: other texts are missing, and where they are more than half the texts decide. */
  readonly expected?: true | undefined;
}

/**
 * The type of a column of texts, and the number of each.
 *
 * @throws SklarError ERR_SKLAR_VALUE naming the column and a text, where they cannot have the wanted type, or are numbers that
 *   doubles do not hold and occur more than once
 */
export function inferType(column: Texts, wanted?: WantedType): InferredColumn {
  const expected = wanted?.expected ? asExpected(column, wanted) : null;
  if (expected) return expected;
  if (wanted && !wanted.expected) return asWanted(column, wanted);
  const { name, texts, counts } = column;
  const { known, words } = knownOf(texts);
  const pick = (values: Float64Array, chosen: readonly number[]) => spread(texts.length, values, chosen);
  const left = (chosen: readonly number[], what: string): Note[] => {
    const taken = new Set(chosen);
    const others = Array.from(texts.keys()).filter((k) => !taken.has(k));
    return others.length === 0 ? [] : [leftNote(column, others, what)];
  };
  if (words.length === 0)
    return { type: { type: 'number' }, values: pick(new Float64Array(), []), notes: left([], 'numbers') };
  const booleans = asBooleans(texts.map((text) => text.trim()));
  if (booleans) return { ...booleans, notes: [] };

  // digits after a zero, as in 02134, are a code, but with signs
  const coded = words.some((word) => /^0\d+$/.test(word)) && !isSigned(words);
  const plain = coded ? [] : known.filter((k) => isPlainNumber(texts[k]!));
  const cells = counts.reduce((sum, count) => sum + count, 0);
  const cellsOf = (chosen: readonly number[]) => chosen.reduce((sum, k) => sum + counts[k]!, 0);
  const padded = coded && words.every((word) => PADDED_CLOCK.test(word)) ? words.map(Number) : [];
  if (clockAmong(name, padded) !== null) {
    const values = Float64Array.from(padded, clockOf);
    return {
      type: { type: 'time', format: 'HHmm' },
      values: pick(values, known),
      notes: left(known, 'times of day'),
    };
  }
  const allPlain = plain.length === known.length;
  const plainly = {
    chosen: plain,
    values: Float64Array.from(plain, (k) => Number(texts[k]!)),
    style: formOf(plain.map((k) => texts[k]!.trim())),
  };
  const styled = coded || allPlain ? null : readStyled(column, known, words);
  const censored =
    coded || allPlain
      ? null
      : (readCensored(column, known, plainly) ?? (styled && readCensored(column, known, styled)));
  if (censored) {
    const { type, values, notes, chosen } = censored;
    return { type, values, notes: [...left(chosen, 'numbers'), ...notes] };
  }
  const isAll = styled?.chosen.length === known.length;
  const mostlyPlain = plain.length >= FEWEST_NUMBERS && cellsOf(plain) >= MOSTLY * cells;
  if (allPlain || (mostlyPlain && !isAll)) {
    const lost = plain.filter((k) => isRounded(texts[k]!) || isVanished(texts[k]!));
    if (lost.length === 0) {
      const { values } = plainly;
      const clock = clockAmong(name, values);
      if (clock !== null) {
        const type: ColumnType = { type: 'time', format: CLOCK_FORMAT };
        const notes = [...left(plain, 'times of day'), clockNote(name, clock)];
        return { type, values: pick(values.map(clockOf), plain), notes };
      }
      return { type: styledType(plainly), values: pick(values, plain), notes: left(plain, 'numbers') };
    }
    if (lost.some((k) => isVanished(texts[k]!))) throw lostError(column, lost);
    // more digits than doubles have make names, where they recur those of several rows
    const recur = cells > texts.length / IDENTIFYING;
    const named = asLabels(column, cells >= FEWEST_IDS && !recur ? 'id' : 'category');
    const text = `${describe(texts[lost[0]!])} and other integers beyond 2^53 would be rounded, so that they were taken for ${recur ? 'labels' : 'names'}`;
    return { ...named, notes: [columnsNote('schema', [name], text)] };
  } else {
    const mostly = (chosen: readonly number[], fewest = FEWEST_NUMBERS) =>
      chosen.length >= fewest && cellsOf(chosen) >= MOSTLY * cellsOf(known);
    const found = isAll ? null : findFormat(words);
    if (styled && !found && (isAll || mostly(styled.chosen))) {
      const { chosen, values, vanished } = styled;
      if (vanished.length > 0)
        throw lostError(
          column,
          vanished.map((k) => chosen[k]!),
        );
      return { type: styledType(styled), values: pick(values, chosen), notes: left(chosen, 'numbers') };
    }
    const durations = asDurations(column, known);
    if (durations) {
      const { chosen, type, values, notes } = durations;
      return { type, values: pick(values, chosen), notes: [...left(chosen, 'durations'), ...notes] };
    }
    const mixed = found
      ? null
      : findMixedFormats(
          words,
          known.map((k) => counts[k]!),
        );
    const ofFormats = known.filter((_, k) => mixed !== null && !Number.isNaN(mixed.values[k]));
    if (mixed?.ambiguous === null && cellsOf(ofFormats) >= MOSTLY * cellsOf(known)) {
      const { format, values } = mixed;
      return {
        type: { type: format.holds, format: format.format },
        values: pick(values, known),
        notes: [...left(ofFormats, 'dates or times'), mixedNote(name, mixed)],
      };
    }
    const dates = found ?? findFormat(words, { counts: known.map((k) => counts[k]!), share: MOSTLY });
    const dated = known.filter((_, k) => dates !== null && !Number.isNaN(dates.values[k]));
    // no other text is a date by chance: of few rows, few different ones are enough
    const shown = Math.min(FEWEST_NUMBERS, Math.max(FEWEST_DATES, cellsOf(dated) / 2));
    if (dates && (found || mostly(dated, shown))) {
      const { format, values, other } = dates;
      const type: ColumnType = { type: format.holds, format: format.format };
      const ambiguous =
        other === null
          ? []
          : [
              columnsNote(
                'schema',
                [name],
                `${describe(texts[dated[0]!]!.trim())} was read as ${format.format}; it could be ${other}`,
              ),
            ];
      return { type, values: pick(values, known), notes: [...left(dated, 'dates or times'), ...ambiguous] };
    }
  }
  const labels = asLabels(
    column,
    texts.length >= IDENTIFYING * cells && cells >= FEWEST_IDS ? 'id' : 'category',
  );
  const advice = coded
    ? null
    : adviceOf(
        words,
        known.map((k) => counts[k]!),
      );
  if (advice === null) return labels;
  const taken = labels.type.type === 'id' ? 'names of rows, which samples have others of' : 'labels';
  return {
    ...labels,
    notes: [columnsNote('schema', [name], `${advice[0]}, taken for ${taken}: ${advice[1]}`)],
  };
}

const mixedNote = (name: string, { format, others }: MixedFormats): Note =>
  columnsNote(
    'schema',
    [name],
    `dates are written as ${andWords([format, ...others].map((one) => one.format))}, in samples as ${format.format}`,
  );

/** Two numbers in a cell, as of a place. */
const PAIR = /^(?:point ?)?[([]?\s*[-+−]?\d+\.\d+°?[ns]?\s*[,;/ ]\s*[-+−]?\d+\.\d+°?[ew]?\s*[)\]]?$/i;
/** A unit among several has so many cells. */
const FEWEST_OF_UNIT = 3;

/** What texts are that are no labels by nature, and what can be done; null: there is nothing to say. */
function adviceOf(
  words: readonly string[],
  counts: readonly number[],
): [what: string, advice: string] | null {
  const cellsOf = (of: readonly number[]) => of.reduce((sum, k) => sum + counts[k]!, 0);
  const enough = MOSTLY * cellsOf(Array.from(words.keys()));
  const among = (isMeant: (word: string) => boolean) =>
    Array.from(words.keys()).filter((k) => isMeant(words[k]!));
  const pairs = among((word) => PAIR.test(word));
  if (pairs.length >= FEWEST_NUMBERS && cellsOf(pairs) >= enough)
    return [
      `pairs of numbers (${describe(words[pairs[0]!])})`,
      'two columns of one number each are modelled',
    ];
  const units = new Map<string, number[]>();
  words.forEach((word, k) => {
    const unit = unitOf(word);
    if (unit !== null) units.set(unit, [...(units.get(unit) ?? []), k]);
  });
  const several = [...units].filter(([, of]) => cellsOf(of) >= FEWEST_OF_UNIT);
  const amounts = several.flatMap(([, of]) => of);
  const isMeasured = amounts.some((k) => /\d[.,]\d/.test(words[k]!));
  if (several.length > 1 && isMeasured && amounts.length >= FEWEST_NUMBERS && cellsOf(amounts) >= enough) {
    const shown = several.slice(0, 3).map(([unit]) => describe(unit));
    return [
      `numbers in several currencies or units (${andWords(shown)})`,
      'a column of numbers in one, or one of numbers and one of units, are modelled',
    ];
  }
  const mixed = findMixedFormats(words, counts);
  const days = among(
    (word) => mixed !== null && [mixed.format, ...mixed.others].some((one) => !Number.isNaN(one.read(word))),
  );
  if (mixed && mixed.ambiguous !== null && cellsOf(days) > 0)
    return [
      `dates in several formats, of which ${describe(mixed.ambiguous)} can be read in two ways`,
      'write them in one format',
    ];
  return null;
}

/** A limit of detection or of quantification: `<0.5`, `> 100`, `<LOD`, `ND (0.5)`. */
const LIMITED =
  /^(?:[a-z.\s-]*\(?\s*)?(<=?|≤|>=?|≥)\s*(?:([^()]*\d[^()]*)|(lod|loq|lloq|uloq|mdl|mrl|pql|dl|rl|nwg|bg))\)?$/i;
/** Not detected, of which a limit may be said. */
const UNDETECTED =
  /^(?:nd|n\.\s?[dn]\.?|non[- ]?detect(?:ed|s)?|not detected|none detected|undetected|b(?:elow )?(?:m?dl|ld|lod|ml|rl|detection(?: limit)?))(?:\s*[(:=]\s*([^()]*\d[^()]*)\)?)?$/i;
/** There, and too little to be measured. */
const TRACE = /^(?:traces?|tr\.?|<?trace|T|b(?:elow )?(?:lo?q|ql|lloq))$/i;
const TOO_MUCH = /^(?:tntc|too numerous to count|(?:above|over) (?:range|limit)|uloq|a(?:uloq|lq))$/i;
/** The same letters stand for cells of which nothing is known. */
const MAY_BE_UNKNOWN = /^n\.?\s?[dn]\.?$/i;
/** Quantities that are told from none. */
const QUANTIFIED = /^(?:loq|lloq|pql|rl|bg)$/i;

const SIGN = /^[<≤>≥]/;

/** Texts of numbers beyond limits on a side that are kept at most, and those that a note lists. */
const MOST_LIMITS = 20;
const MOST_SHOWN = 4;

/** What stands for numbers beyond a limit. */
interface Beyond {
  readonly k: number;
  readonly text: string;
  readonly side: 'below' | 'above';
  /** Null: the text does not say it. */
  readonly limit: number | null;
  /** How far out it is beside others that say no limit: more is further. */
  readonly out: number;
}

function beyondIn(style: NumberStyle, text: string, k: number): Beyond | null {
  const found = (side: Beyond['side'], limit: number | null, out: number) =>
    limit !== null && Number.isNaN(limit) ? null : { k, text, side, limit, out };
  const [, sign, number, word] = LIMITED.exec(text) ?? [];
  if (sign !== undefined) {
    const side = /^[<≤]/.test(sign) ? ('below' as const) : ('above' as const);
    if (word === undefined) return found(side, numberIn(style, number!), 0);
    return found(side, null, side === 'below' && QUANTIFIED.test(word) ? -1 : 1);
  }
  const undetected = UNDETECTED.exec(text);
  if (undetected)
    return found('below', undetected[1] === undefined ? null : numberIn(style, undetected[1]), 1);
  if (TRACE.test(text)) return text === 't' ? null : found('below', null, -1);
  return TOO_MUCH.test(text) ? found('above', null, 1) : null;
}

/** Those of a side, the one next to the numbers first. */
function outwards(side: Beyond['side'], found: readonly Beyond[]): Beyond[] {
  const away = side === 'below' ? -1 : 1;
  return found
    .filter((one) => one.side === side)
    .sort((a, b) => a.out - b.out || away * ((a.limit ?? 0) - (b.limit ?? 0)) || (a.text < b.text ? -1 : 1));
}

/** The least power of ten that is no less. */
const powerAbove = (value: number): number => (value > 0 ? Number(`1e${Math.ceil(Math.log10(value))}`) : 0);

/**
 * The number beyond which those of texts on a side stand: the last limit, where no number is beyond it, else one that other numbers of the same law
 * would tell, too.
 */
function limitOf(
  side: Beyond['side'],
  beyond: readonly Beyond[],
  own: NumericType,
  numbers: Float64Array,
): number {
  const limits = beyond.flatMap(({ limit }) => limit ?? []);
  if (side === 'above') {
    const most = numbers.reduce((a, b) => Math.max(a, b), -Infinity);
    const last = limits.reduce((a, b) => Math.max(a, b), -Infinity);
    return last >= most ? last : Math.max(most, powerAbove(most));
  }
  const least = numbers.reduce((a, b) => Math.min(a, b), Infinity);
  const last = limits.reduce((a, b) => Math.min(a, b), Infinity);
  if (last <= least) return last;
  // above 0 the last text stands at 0
  return least < 0 ? -powerAbove(-least) : Math.min(least, -beyondLimit(own, 'below', 0, beyond.length - 1));
}

/** Numbers among the texts of a column. */
interface NumbersAmong {
  /** Which of the texts. */
  readonly chosen: readonly number[];
  readonly values: Float64Array;
  readonly style: NumberStyle;
}

/** The numbers in the style of most cells. */
function readStyled(
  { counts }: Texts,
  known: readonly number[],
  words: readonly string[],
): (NumbersAmong & Numerals) | null {
  const chosen = mostNumerals(
    words,
    known.map((k) => counts[k]!),
  );
  const numerals = readNumerals(chosen.map((k) => words[k]!));
  return numerals && { ...numerals, chosen: chosen.map((k) => known[k]!) };
}

/** What plain numbers show beside their value, as `+3.00` and `002.010` do. */
function formOf(texts: readonly string[]): NumberStyle {
  const isFormed = texts.some((text) => FORMED.test(text));
  return (isFormed && readNumerals(texts)?.style) || {};
}

/** Whether these are whole numbers of equal width, some of them with a sign. */
function isSigned(words: readonly string[]): boolean {
  const wholes = words.map((word) => /^([-+]?)(\d+)$/.exec(word));
  return (
    wholes.every((whole) => whole?.[2]!.length === wholes[0]?.[2]!.length) &&
    wholes.some((whole) => whole?.[1] !== '')
  );
}

type NumericType = ColumnType & { type: 'integer' | 'number' };

const styledType = ({ values, style }: NumbersAmong): NumericType => ({
  ...numericType(values),
  ...(Object.keys(style).length > 0 && { style }),
});

/**
 * The values of numbers of which some are known to be beyond a limit only: next to it, those of several limits beyond all numbers, in the order of
 * the limits; null: hardly any text is such.
 */
function readCensored(
  { name, texts, counts }: Texts,
  known: readonly number[],
  among: NumbersAmong,
): (InferredColumn & { readonly chosen: readonly number[] }) | null {
  const { chosen, values: numbers, style } = among;
  const taken = new Set(chosen);
  const cellsOf = (of: readonly number[]) => of.reduce((sum, k) => sum + counts[k]!, 0);
  if (chosen.length < FEWEST_NUMBERS) return null;
  if (chosen.some((k) => isRounded(texts[k]!) || isVanished(texts[k]!))) return null;
  const own = styledType(among);
  const isAmount = numbers.every((value) => value >= 0);
  const found = known.flatMap((k) => {
    const beyond = taken.has(k) ? null : beyondIn(style, texts[k]!.trim(), k);
    const isWord = beyond?.limit === null && !SIGN.test(beyond.text);
    return beyond && (isAmount || !isWord) ? [beyond] : [];
  });
  const isClear = own.type === 'number' || found.some(({ text }) => !MAY_BE_UNKNOWN.test(text));
  const cells = cellsOf(found.map(({ k }) => k));
  if (!isClear || cells === 0) return null;
  if (cells + cellsOf(chosen) < MOSTLY * cellsOf(known)) return null;
  const values = spread(texts.length, numbers, chosen);
  const censored: { below?: CensoredEnd; above?: CensoredEnd } = {};
  for (const side of ['below', 'above'] as const) {
    const beyond = outwards(side, found);
    if (beyond.length === 0) continue;
    const limit = limitOf(side, beyond, own, numbers);
    const [text, ...further] = [...new Set(beyond.map((one) => one.text))];
    if (further.length >= MOST_LIMITS) return null;
    const at = (one: Beyond) => (one.text === text ? 0 : 1 + further.indexOf(one.text));
    for (const one of beyond) values[one.k] = beyondLimit(own, side, limit, at(one));
    censored[side] = { limit, text: text!, ...(further.length > 0 && { further }) };
  }
  const isNext = (one: Beyond) => one.limit !== null && one.limit === censored[one.side]!.limit;
  const where = found.every(isNext) ? 'next to the limit, beyond all numbers' : 'beyond all numbers';
  const words = found.filter(({ text, limit }) => limit === null && !SIGN.test(text));
  const advice =
    words.length > 0 ? `; null: ${JSON.stringify(words.map(({ text }) => text))} makes them missing` : '';
  const shown = found.slice(0, MOST_SHOWN).map(({ text }) => describe(text));
  if (found.length > MOST_SHOWN) shown.push(`${found.length - MOST_SHOWN} more`);
  const text = `${cells} ${cells === 1 ? 'cell' : 'cells'} ${andWords(shown)} ${cells === 1 ? 'stands' : 'stand'} ${where}${advice}`;
  const all = [...chosen, ...found.map(({ k }) => k)];
  return { type: { ...own, censored }, values, notes: [columnsNote('schema', [name], text)], chosen: all };
}

/** The first of different numbers, where all are times of day; null: they are others. */
function clockAmong(name: string, values: Iterable<number>): number | null {
  const clocks = new ClockCounter();
  for (const value of values) clocks.push(value);
  return clocks.found(name) ? clocks.first! : null;
}

const numericType = (values: Float64Array): NumericType =>
  values.every(Number.isSafeInteger) ? ({ type: 'integer' } as const) : numberType(values);

/** The numbers of some of `count` texts, NaN of the others. */
function spread(count: number, values: Float64Array, chosen: readonly number[]): Float64Array {
  const all = new Float64Array(count).fill(NaN);
  chosen.forEach((k, i) => (all[k] = values[i]!));
  return all;
}

/** The texts that stand for something. */
function knownOf(texts: readonly string[]): { known: number[]; words: string[] } {
  const known = texts.flatMap((text, k) => (UNKNOWN.test(text.trim()) ? [] : [k]));
  return { known, words: known.map((k) => texts[k]!.trim()) };
}

function asBooleans(texts: readonly string[]): { type: ColumnType; values: Float64Array } | null {
  const lower = texts.map((text) => text.toLowerCase());
  const pair = BOOLEANS.find((words) => lower.every((text) => (words as readonly string[]).includes(text)));
  if (!pair) return null;
  const values = Float64Array.from(lower, (text) => Number(text === pair[1]));
  const label = (value: 0 | 1) => {
    const own = texts[values.indexOf(value)];
    if (own !== undefined) return own;
    const like = texts[0]!;
    return like === like.toUpperCase()
      ? pair[value].toUpperCase()
      : like.startsWith(like[0]!.toUpperCase())
        ? pair[value][0]!.toUpperCase() + pair[value].slice(1)
        : pair[value];
  };
  const labels = [label(0), label(1)] as const;
  return { type: { type: 'boolean', ...(labels.join() !== 'false,true' && { labels }) }, values };
}

function asLabels({ texts }: Texts, type: 'category' | 'id'): InferredColumn {
  const labels = [...texts].sort((a, b) => collator.compare(a, b) || (a < b ? -1 : 1));
  const position = new Map(labels.map((label, k) => [label, k]));
  return {
    type: { type, labels },
    values: Float64Array.from(texts, (text) => position.get(text)!),
    notes: [],
  };
}

/** Formats of columns without a cell. */
const PLAIN_FORMATS = {
  date: 'YYYY-MM-DD',
  time: 'HH:mm:ss',
  timestamp: 'YYYY-MM-DD HH:mm:ss',
} as const;

/** Durations, where nearly all texts are such, in seconds; null: they are not, or may be times of day. */
function asDurations(
  { name, texts, counts }: Texts,
  known: readonly number[],
  isAsked = false,
): (InferredColumn & { readonly chosen: readonly number[] }) | null {
  const words = known.map((k) => texts[k]!.trim());
  const own = known.map((k) => counts[k]!);
  const found = findDurations(name, words, own, isAsked);
  if (!found) return null;
  const { format, values } = found;
  const cellsOf = (of: readonly number[]) => of.reduce((sum, k) => sum + own[k]!, 0);
  const isAll = found.chosen.length === known.length;
  const isMost =
    found.chosen.length >= FEWEST_NUMBERS &&
    cellsOf(found.chosen) >= MOSTLY * cellsOf(Array.from(known.keys()));
  if (!isAll && !isMost) return null;
  const around = found.signs.map((sign) => ({ prefix: '', suffix: '', around: [sign, ''] as const }));
  const style = { duration: format.format, ...signsOf(around, values) };
  return {
    type: { ...numericType(values), style },
    values,
    chosen: found.chosen.map((k) => known[k]!),
    notes: [durationNote(name, words[found.chosen[0]!]!, format)],
  };
}

/** The column in the format that another file has; null: it is another one here. */
function asExpected(column: Texts, { type, format }: WantedType): InferredColumn | null {
  const { known, words } = knownOf(column.texts);
  const made = format === undefined ? null : calendarFormat(format);
  if (made?.holds !== type) return null;
  let read = Float64Array.from(words, (word) => made.read(word));
  const fits = known.filter((_, k) => !Number.isNaN(read[k]));
  if (2 * fits.length < known.length) return null;
  const notes: Note[] = [];
  const mixed =
    fits.length < known.length
      ? findMixedFormats(
          words,
          known.map((k) => column.counts[k]!),
        )
      : null;
  const all = mixed?.ambiguous === null ? [mixed.format, ...mixed.others] : [];
  if (mixed && all.some((one) => one.format === made.format) && all.every(({ holds }) => holds === type)) {
    read = Float64Array.from(words, (_, k) => (Number.isNaN(read[k]) ? mixed.values[k]! : read[k]!));
    notes.push(mixedNote(column.name, { ...mixed, format: made, others: all.filter((one) => one !== made) }));
  }
  const taken = new Set(known.filter((_, k) => !Number.isNaN(read[k])));
  const others = Array.from(column.texts.keys()).filter((k) => !taken.has(k));
  return {
    type: { type: made.holds, format: made.format },
    values: spread(column.texts.length, read, known),
    notes: others.length === 0 ? notes : [...notes, leftNote(column, others, 'dates or times')],
  };
}

function asWanted(column: Texts, { type, format }: WantedType): InferredColumn {
  const { name, texts } = column;
  if (type === 'category' || type === 'id') return asLabels(column, type);
  const misfit = (expected: string, text: string | undefined) =>
    new SklarError(
      'ERR_SKLAR_VALUE',
      `expected ${expected} in column ${describe(name)}, got ${text === undefined ? 'none' : describe(text)}`,
    );
  const { known, words } = knownOf(texts);
  const spreadOut = (values: Float64Array) => spread(texts.length, values, known);
  if (words.length === 0 && format === undefined) {
    const isPlain = type === 'boolean' || type === 'number' || type === 'integer';
    const empty: ColumnType = isPlain ? { type } : { type, format: PLAIN_FORMATS[type] };
    return { type: empty, values: spreadOut(new Float64Array(0)), notes: [] };
  }
  if (type === 'boolean') {
    const booleans = asBooleans(words.map((word) => (word === '0' ? 'false' : word === '1' ? 'true' : word)));
    if (!booleans)
      throw misfit('two words such as yes and no', words.find((word) => !asBooleans([word])) ?? words[0]);
    return { type: booleans.type, values: spreadOut(booleans.values), notes: [] };
  }
  if (type === 'number' || type === 'integer') {
    const numerals = readNumerals(words);
    const durations = numerals ? null : asDurations(column, known, true);
    if (durations?.chosen.length === known.length)
      return {
        ...durations,
        type: { ...durations.type, ...(type === 'integer' && { asked: true }) },
        values: spreadOut(durations.values),
        notes: [],
      };
    if (!numerals) throw misfit(`${type}s`, words.find((word) => !readNumerals([word])) ?? words[0]);
    const { values, style, vanished } = numerals;
    if (vanished.length > 0)
      throw lostError(
        column,
        vanished.map((k) => known[k]!),
      );
    const bad = type === 'integer' ? values.findIndex((value) => !Number.isSafeInteger(value)) : -1;
    if (bad >= 0) throw misfit('integers', words[bad]);
    const own: ColumnType = type === 'integer' ? { type, asked: true } : { ...numericType(values), type };
    return {
      type: { ...own, ...(Object.keys(style).length > 0 && { style }) },
      values: spreadOut(values),
      notes: [],
    };
  }
  if (format !== undefined) {
    const made = calendarFormat(format);
    if (made?.holds !== type) throw misfit(`a format of a ${type}`, format);
    const values = Float64Array.from(words, (word) => made.read(word));
    const bad = values.findIndex(Number.isNaN);
    if (bad >= 0) throw misfit(`cells of the format ${format}`, words[bad]);
    return { type: { type, format }, values: spreadOut(values), notes: [] };
  }
  const clocks = type === 'time' ? Float64Array.from(words, (word) => clockOf(Number(word))) : null;
  if (clocks && !clocks.some(Number.isNaN))
    return { type: { type: 'time', format: CLOCK_FORMAT }, values: spreadOut(clocks), notes: [] };
  const found = findFormat(words);
  if (found?.format.holds !== type) throw misfit(`a ${type} in every cell`, words[0]);
  return { type: { type, format: found.format.format }, values: spreadOut(found.values), notes: [] };
}

/** Cells that are taken for missing. */
function leftNote({ name, texts, counts }: Texts, others: readonly number[], what: string): Note {
  const cells = others.reduce((sum, k) => sum + counts[k]!, 0);
  const shown = others.slice(0, 3).map((k) => describe(texts[k]));
  if (others.length > shown.length) shown.push(`${others.length - shown.length} more`);
  return columnsNote(
    'missing',
    [name],
    `${cells} ${cells === 1 ? 'cell' : 'cells'} between ${what} (${shown.join(', ')}) ${cells === 1 ? 'was' : 'were'} taken for missing`,
  );
}

function lostError({ name, texts, counts }: Texts, lost: readonly number[]): SklarError {
  const first = texts[lost[0]!]!;
  const cells = lost.reduce((sum, k) => sum + counts[k]!, 0);
  const what = isRounded(first)
    ? `${cells === 1 ? 'an integer' : `${cells} integers`} beyond 2^53 that would be rounded`
    : `${cells === 1 ? 'a number' : `${cells} numbers`} below 5e-324 that would be 0`;
  return new SklarError(
    'ERR_SKLAR_VALUE',
    `expected numbers that doubles hold in column ${describe(name)}, got ${what} (${describe(first)}); ` +
      `leave the column out with exclude: [${describe(name)}], or give it the type category or id`,
  );
}
