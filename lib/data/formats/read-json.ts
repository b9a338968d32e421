import { isUtf8 } from 'node:buffer';

import { SklarError, describe } from '../../errors';
import {
  type ReadColumn,
  asLabels,
  columnOfNumbers,
  columnOfTexts,
  numberText,
} from '../columns/read-column';
import type { WantedType } from '../columns/infer-type';
import { NumberBuilder } from '../columns/number-builder';
import { isRounded, isVanished } from '../columns/plain-number';
import { TextBuilder } from '../columns/text-builder';
import { type TextSource, badUtf8Error, withTexts } from './encoding';
import { type CellChunk, type Use, expectRows, noRowsError } from './open-columns';
import { readBytes } from './files';
import { type ReadTableOptions, wantedTypes } from './read-options';
import { agreeingColumns, filesWords } from './table-files';
import { selectColumns } from '../table';

const LONGEST_RECORD = 1 << 26;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

/**
 * Cuts a stream of bytes into the texts of its top-level objects: `[{...}, {...}]`, or objects one after another as
 * in NDJSON. Inside an object only strings and braces are looked at; the objects themselves are left to JSON.parse.
 */
class RecordSplitter {
  readonly #file: string;
  readonly #take: (record: Buffer) => void;
  #pending: Buffer = Buffer.alloc(0);
  #scanned = 0;
  #depth = 0;
  #inString = false;
  #records = 0;
  #form: 'unknown' | 'array' | 'lines' | 'ended' = 'unknown';
  #needsComma = false;
  #afterComma = false;

  constructor(file: string, take: (record: Buffer) => void) {
    this.#file = file;
    this.#take = take;
  }

  push(chunk: Buffer): void {
    const bytes = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    let start = 0; // of the record being read
    let i = this.#scanned;
    if (
      this.#form === 'unknown' &&
      bytes.length >= 3 &&
      bytes[0] === 0xef &&
      bytes[1] === 0xbb &&
      bytes[2] === 0xbf
    )
      i = 3; // byte order mark
    for (; i < bytes.length; i++) {
      const byte = bytes[i]!;
      if (this.#inString) {
        if (byte === BACKSLASH) i++;
        else if (byte === QUOTE) this.#inString = false;
      } else if (this.#depth > 0) {
        if (byte === QUOTE) this.#inString = true;
        else if (byte === OPEN_BRACE) this.#depth++;
        else if (byte === CLOSE_BRACE && --this.#depth === 0) {
          this.#records++;
          this.#take(bytes.subarray(start, i + 1));
          this.#needsComma = this.#form === 'array';
          this.#afterComma = false;
        }
      } else if (byte === OPEN_BRACE && !this.#needsComma && this.#form !== 'ended') {
        if (this.#form === 'unknown') this.#form = 'lines';
        this.#depth = 1;
        start = i;
      } else this.#between(byte);
    }
    // A backslash at the very end skips the first byte of the next chunk.
    this.#pending = this.#depth > 0 ? bytes.subarray(start) : Buffer.alloc(0);
    this.#scanned = this.#depth > 0 ? i - start : i - bytes.length;
    if (this.#pending.length > LONGEST_RECORD) this.#fail('a record that is too long');
  }

  /** Call at the end of the stream. */
  end(): void {
    if (this.#depth > 0 || this.#form === 'array') this.#fail('the end of the file');
  }

  /** Handles a byte outside all records. */
  #between(byte: number): void {
    if (isSpace(byte)) return;
    if (byte === OPEN_BRACKET && this.#form === 'unknown') this.#form = 'array';
    else if (byte === CLOSE_BRACKET && this.#form === 'array' && !this.#afterComma) this.#form = 'ended';
    else if (byte === COMMA && this.#needsComma) {
      this.#needsComma = false;
      this.#afterComma = true;
    } else this.#fail(byte < 0x80 ? describe(String.fromCharCode(byte)) : `byte 0x${byte.toString(16)}`);
  }

  #fail(what: string): never {
    throw new SklarError(
      'ERR_SKLAR_FORMAT',
      `expected objects, as an array or one a line, got ${what} ` +
        `(${this.#records === 0 ? 'before the first object' : `after object ${this.#records}`} of ${describe(this.#file)})`,
    );
  }
}

/** A cell: a number, null where it is missing, else its text. */
type Cell = number | string | null;

/** @param textOf the value as the file has it */
function cellOf(value: unknown, textOf: () => string): Cell {
  if (value === null || typeof value === 'string') return value;
  if (typeof value !== 'number') return nestedText(value);
  const text = value === 0 || (Number.isInteger(value) && !Number.isSafeInteger(value)) ? textOf() : '';
  return text !== '' && (isVanished(text) || isRounded(text)) ? text : value;
}

const textOfCell = (cell: Cell) => (typeof cell === 'number' ? numberText(cell) : cell);

/** One column while its rows arrive: of numbers until a cell is something else. */
class JsonColumn {
  readonly #numbers: NumberBuilder;
  readonly #keep: boolean;
  #texts: TextBuilder | null = null;
  #booleans = true;

  constructor(keep: boolean) {
    this.#keep = keep;
    this.#numbers = new NumberBuilder(0, keep);
  }

  get rows(): number {
    return this.#texts?.rows ?? this.#numbers.rows;
  }

  /** Whether it is a column of texts. */
  get text(): boolean {
    return this.#texts !== null;
  }

  /** Makes it a column of texts. */
  beText(): TextBuilder {
    if (this.#texts === null) {
      this.#texts = new TextBuilder(0, this.#keep);
      // what is not kept is read again
      for (const value of this.#numbers.finish()) this.#texts.push(numberText(value));
      this.#texts.fillTo(this.#numbers.rows);
    }
    return this.#texts;
  }

  /** Fills the rows that had no such key. */
  fillTo(rows: number): void {
    while (this.rows < rows) this.push(null, null);
  }

  /** @param value what the cell was made of */
  push(cell: Cell, value: unknown): void {
    if (typeof value !== 'boolean' && value !== null) this.#booleans = false;
    if (this.#texts === null && typeof cell !== 'string') this.#numbers.push(cell);
    else this.beText().push(textOfCell(cell));
  }

  finish(name: string, wanted: WantedType | undefined): ReadColumn {
    if (this.#texts === null) return columnOfNumbers(name, this.#numbers, { wanted });
    const column = columnOfTexts(name, this.#texts, wanted);
    // words in quotes are categories, booleans are not in quotes
    return column.type.type === 'boolean' && this.#booleans
      ? { ...column, type: { type: 'boolean' } }
      : column;
  }
}

/** What is nested as a text; of too many levels to write, what it is. */
function nestedText(value: unknown): string {
  try {
    return JSON.stringify(value);
  } catch {
    return describe(value);
  }
}

/** The keys of an object in its text, each as often as it stands there, with the first token of its value. */
function* membersOf(object: string): Generator<[key: string, token: string]> {
  let depth = 0;
  let key: string | null = null;
  for (const [token] of object.matchAll(/"(?:[^"\\]|\\.)*"|[-+.\w]+|[{}[\],:]/g)) {
    if (depth === 1 && key !== null && token !== ':' && token !== ',') {
      yield [key, token];
      key = null;
    } else if (depth === 1 && key === null && token.startsWith('"')) key = JSON.parse(token) as string;
    if (token === '{' || token === '[') depth++;
    else if (token === '}' || token === ']') depth--;
  }
}

/** The number of a key as the text of an object has it: JSON.parse has rounded it. */
function numeral(object: string, wanted: string): string {
  let found = '';
  for (const [key, token] of membersOf(object)) if (key === wanted) found = token;
  return found;
}

/** JSON.parse keeps the last of equal keys in silence. */
function expectDifferentKeys(object: string, where: string): void {
  const seen = new Set<string>();
  for (const [key] of membersOf(object)) {
    if (seen.has(key)) {
      throw new SklarError('ERR_SKLAR_VALUE', `expected different keys, got ${describe(key)} twice ${where}`);
    }
    seen.add(key);
  }
}

function colonsOf(text: string): number {
  let count = 0;
  for (let at = text.indexOf(':'); at >= 0; at = text.indexOf(':', at + 1)) count++;
  return count;
}

/** An object that is no text in UTF-8. */
class NoUtf8 extends Error {}

/** What an object has for one of its keys, and the cell that it makes. */
type Member = (key: string) => { readonly cell: Cell; readonly value: unknown };

type Take = (keys: readonly string[], member: Member) => void;

/** Reads the objects of a file; yields after each piece of it. */
async function* readObjects(
  { file, path }: TextSource,
  signal: AbortSignal | undefined,
  take: Take,
): AsyncGenerator<void> {
  let rows = 0;
  const splitter = new RecordSplitter(file, (bytes) => {
    const where = () => `(object ${rows + 1} of ${describe(file)})`;
    if (!isUtf8(bytes)) throw new NoUtf8();
    const text = bytes.toString();
    let record: Record<string, unknown>;
    try {
      record = JSON.parse(text) as Record<string, unknown>;
    } catch (cause) {
      throw new SklarError('ERR_SKLAR_FORMAT', `expected JSON, got ${describe(cause)} ${where()}`, { cause });
    }
    const keys = Object.keys(record);
    // a key twice, or values with colons of their own
    if (colonsOf(text) > keys.length) expectDifferentKeys(text, where());
    // a zero is looked up in the text only where it may stand for a smaller number
    let mayVanish: boolean | undefined;
    const isZero = (value: unknown) => value === 0 && !(mayVanish ??= /e-\d{3}|0{300}/i.test(text));
    take(keys, (key) => {
      const value = record[key];
      return {
        value,
        cell: cellOf(value, () => (isZero(value) ? '' : numeral(text, key))),
      };
    });
    rows++;
  });
  try {
    for await (const bytes of readBytes(path, signal)) {
      splitter.push(bytes);
      yield;
    }
  } catch (cause) {
    throw cause instanceof NoUtf8 ? await badUtf8Error(file, signal) : cause;
  }
  splitter.end();
}

/** Reads all objects of a file. */
async function takeObjects(source: TextSource, signal: AbortSignal | undefined, take: Take): Promise<void> {
  const objects = readObjects(source, signal, take);
  while (!(await objects.next()).done);
}

export function readJson<T>(files: readonly string[], options: ReadTableOptions, use: Use<T>): Promise<T> {
  return withTexts(files, options, (sources) => readSources(sources, files, options, use));
}

async function readSources<T>(
  sources: readonly TextSource[],
  files: readonly string[],
  options: ReadTableOptions,
  { keep, use }: Use<T>,
): Promise<T> {
  const { signal } = options;
  const names: string[] = [];
  const columns: JsonColumn[] = [];
  const position = new Map<string, number>();
  /** Keys of each file. */
  const keysOf: string[][] = [];
  let rows = 0;
  for (const source of sources) {
    const before = rows;
    const seen = new Set<string>();
    await takeObjects(source, signal, (keys, member) => {
      for (let k = 0; k < keys.length; k++) {
        const key = keys[k]!;
        let j = names[k] === key ? k : position.get(key);
        if (j === undefined) {
          j = names.push(key) - 1;
          position.set(key, j);
          columns.push(new JsonColumn(keep));
        }
        seen.add(key);
        const column = columns[j]!;
        column.fillTo(rows);
        const { cell, value } = member(key);
        column.push(cell, value);
      }
      rows++;
    });
    if (rows === before) throw noRowsError([source.file]);
    keysOf.push([...seen]);
  }
  columns.forEach((column) => column.fillTo(rows));

  const wanted = wantedTypes(options, names, files);
  const positions = selectColumns(names, options, filesWords(files));
  const chosen = positions.map((j) => names[j]!);
  if (files.length > 1) agreeingColumns(files, keysOf, chosen, options);
  if (!keep) await readTexts(sources, signal, names, wanted, columns);
  const open = {
    columns: positions.map((j) => columns[j]!.finish(names[j]!, wanted.get(names[j]!))),
    rows,
    cells: () => cellsOf(sources, signal, open.columns),
  };
  expectRows(open, files, options.onNote);
  return use(open);
}

/** Columns of texts that hold no cells are read once more, as such from their first cell on. */
async function readTexts(
  sources: readonly TextSource[],
  signal: AbortSignal | undefined,
  names: readonly string[],
  wanted: ReadonlyMap<string, WantedType>,
  columns: JsonColumn[],
): Promise<void> {
  const texts = new Map(
    names.flatMap((name, j) => {
      if (!columns[j]!.text && !asLabels(wanted.get(name))) return [];
      const column = new JsonColumn(false);
      column.beText();
      columns[j] = column;
      return [[name, column]];
    }),
  );
  if (texts.size === 0) return;
  let rows = 0;
  for (const source of sources) {
    await takeObjects(source, signal, (keys, member) => {
      for (const key of keys) {
        const column = texts.get(key);
        if (!column) continue;
        column.fillTo(rows);
        const { cell, value } = member(key);
        column.push(cell, value);
      }
      rows++;
    });
  }
  for (const column of texts.values()) column.fillTo(rows);
}

/** The cells of columns, in pieces of the files. */
async function* cellsOf(
  sources: readonly TextSource[],
  signal: AbortSignal | undefined,
  columns: readonly ReadColumn[],
): AsyncGenerator<CellChunk> {
  const wanted = new Map(columns.map(({ name }, j) => [name, j]));
  let items: Cell[][] = columns.map(() => []);
  let rows = 0;
  for (const source of sources) {
    const objects = readObjects(source, signal, (keys, member) => {
      for (const key of keys) {
        const j = wanted.get(key);
        if (j === undefined) continue;
        const { cell } = member(key);
        const text = columns[j]!.cells.as === 'text';
        items[j]![rows] = text ? textOfCell(cell) : typeof cell === 'string' ? NaN : cell;
      }
      rows++;
    });
    while (!(await objects.next()).done) {
      const vectors = items.map((cells) => ({ getItem: (i: number) => cells[i] ?? null }));
      if (rows > 0) yield { rows, vectors };
      items = columns.map(() => []);
      rows = 0;
    }
  }
}
