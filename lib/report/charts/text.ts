/** Numbers and names as people read them, on the command line, in pictures and on pages. */
import { describe } from '../../errors';
import type { ImpossibleValues } from '../../joint/impossible';
import type { ImpossibleRows, MeanOfRows } from '../../mean';
import type { Note } from '../../notes';
import { toDigits } from '../../notes';

/** Names may hold anything; XML may not. */
export function printable(text: string): string {
  // eslint-disable-next-line no-control-regex
  return text.replace(/[\u0000-\u001f\u007f-\u009f\ufffe\uffff]+/g, ' ').replace(/\p{Surrogate}/gu, '\ufffd');
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Any text as content of an element or a quoted attribute of HTML or XML. */
export function escapeText(text: string): string {
  return printable(text).replace(/[&<>"']/g, (character) => ENTITIES[character]!);
}

export function formatMean({ mean, standardError, impossible }: MeanOfRows): string {
  if (impossible && !Number.isFinite(mean)) {
    return `none, since no row has a finite density (${impossibleWords(impossible)})`;
  }
  const value =
    standardError === null ? mean.toFixed(4) : `${mean.toFixed(4)} +- ${standardError.toFixed(4)}`;
  return impossible ? `${value} (without ${impossibleWords(impossible)})` : value;
}

/** Behind a unit: of standard errors that are not of independent rows. */
export function errorWords({ blockRows, effectiveRows }: MeanOfRows): string {
  const worth =
    effectiveRows === undefined ? '' : `, weighted, worth ${Number(effectiveRows.toPrecision(4))} equal rows`;
  return worth + (blockRows === undefined ? '' : `, standard errors by blocks of ${blockRows} rows`);
}

/** `3 rows of density 0: 4, 17, 20` */
export function impossibleWords({ count, rows }: ImpossibleRows): string {
  const list = `${rows.join(', ')}${rows.length < count ? ', ...' : ''}`;
  return count === 1 ? `row ${list}, of density 0` : `${formatCount(count)} rows of density 0: ${list}`;
}

/** How many of the rows have density 0, and the first of them with the values that have no mass. */
export function impossibleLines({ count, rows }: ImpossibleValues, all: number): string[] {
  return [
    `${count} of ${all} rows ${count === 1 ? 'has' : 'have'} density 0, log density -Infinity`,
    ...rows.map(({ row, columns }) => {
      const values = columns.map(({ column, value }) => `${describe(column)} is ${value}`);
      const why =
        values.length === 0 ? 'by the copula' : `${values.join(', ')}, where the margin has no mass`;
      return `  row ${row}: ${why}`;
    }),
    ...(rows.length < count ? [`  and ${count - rows.length} more`] : []),
  ];
}

/** What must stand beside a log density that is known up to a constant only. */
export function normalisationNote(normalised: boolean): string {
  return normalised ? '' : ' (unnormalised)';
}

export interface LogNormaliser {
  readonly logZ: number;
  readonly standardError: number;
}

export function formatLogNormaliser({ logZ, standardError }: LogNormaliser): string {
  return `log Z ${logZ.toFixed(4)} +- ${standardError.toFixed(4)}`;
}

export function formatDuration(seconds: number): string {
  if (!Number.isFinite(seconds)) return '?';
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 60) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

export function shorten(name: string, most: number): string {
  return name.length <= most ? name : `${name.slice(0, most - 1)}\u2026`;
}

/** Years and small numbers as they are, large ones as 20k, 3M or 2B, and huge ones as 1e+20. */
export function tickText(value: number): string {
  const size = Math.abs(value);
  const [unit, letter] =
    size >= 1e15 || size < 1e4
      ? [1, '']
      : size >= 1e12
        ? [1e12, 'T']
        : size >= 1e9
          ? [1e9, 'B']
          : size >= 1e6
            ? [1e6, 'M']
            : [1e3, 'k'];
  return `${toDigits(value / unit, 4)}${letter}`.replace(/^-/, '\u2212').replace('e-', 'e\u2212');
}

/** A share as people say it: 12 %, 0.3 %, below 0.1 %. */
export function shareText(share: number): string {
  const percent = 100 * share;
  if (percent > 0 && percent < 0.1) return '< 0.1 %';
  return `${percent >= 10 || percent === 0 ? Math.round(percent) : Number(percent.toFixed(1))} %`;
}

/** 12345 as 12,345. */
export function formatCount(count: number): string {
  return count.toLocaleString('en-US');
}

/** `3 empirical, 1 discrete` */
export function countTypes(types: readonly string[]): string {
  return [...new Set(types)]
    .map((type) => `${types.filter((other) => other === type).length} ${type}`)
    .join(', ');
}

/**
 * The plain values of a record, then those of the records in it with the name of that before them, but of `options`; lists
 * such as the history of losses are left out, and a name counts once.
 */
export function plainValues(record: unknown): Map<string, string | number | boolean> {
  const found = new Map<string, string | number | boolean>();
  const add = (at: object, before: string): void => {
    const entries = Object.entries(at) as [string, unknown][];
    for (const [key, part] of entries) {
      if (part === null || part === undefined || typeof part === 'object' || found.has(before + key))
        continue;
      found.set(before + key, part as string | number | boolean);
    }
    for (const [key, part] of entries) {
      if (typeof part !== 'object' || part === null || Array.isArray(part)) continue;
      add(part, key === 'options' ? before : `${before}${key}.`);
    }
  };
  if (typeof record === 'object' && record !== null) add(record, '');
  return found;
}

/** Notes that are printed. */
const MOST_NOTES = 20;

/** Each note once, and how many more there are. */
export function noteTexts(notes: readonly Note[]): string[] {
  const messages = [...new Set(notes.map(({ message }) => message))];
  const shown = messages.slice(0, MOST_NOTES);
  const left = messages.length - shown.length;
  return left > 0 ? [...shown, `and ${formatCount(left)} more notes`] : shown;
}

/** The same for the command line. */
export function noteLines(notes: readonly Note[]): string[] {
  return noteTexts(notes).map((message) => `note: ${message}`);
}

/** A table of texts: the first line is its head; a line of two cells where others have more goes across. */
export interface TextTable {
  readonly cells: readonly (readonly string[])[];
  /** Columns that hold words, which stand left; numbers stand right. */
  readonly words: readonly number[];
}

/** The same as lines of equal columns. */
export function textLines({ cells, words }: TextTable): string[] {
  const across = (line: readonly string[]) => line.length < cells[0]!.length;
  const widths = cells[0]!.map((_, k) =>
    Math.max(...cells.map((line) => (k > 0 && across(line) ? 0 : line[k]!.length))),
  );
  return cells.map((line) =>
    `  ${line
      .map((text, k) =>
        words.includes(k) || across(line) ? text.padEnd(widths[k]!) : text.padStart(widths[k]!),
      )
      .join('  ')}`.trimEnd(),
  );
}
