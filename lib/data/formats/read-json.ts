import { isUtf8 } from 'node:buffer';

import { SklarError, describe } from '../../errors';
import { type ReadColumn, columnOfNumbers, columnOfTexts } from '../columns/read-column';
import type { WantedType } from '../columns/infer-type';
import { NumberBuilder } from '../columns/number-builder';
import { isRounded, isVanished } from '../columns/plain-number';
import { TextBuilder } from '../columns/text-builder';
import { finishTable } from './finish-table';
import { asUtf8, badUtf8Error } from './encoding';
import { readBytes } from './files';
import { type ReadTableOptions, wantedTypes } from './read-options';
import { agreeingColumns, filesWords } from './table-files';
import { type Table, selectColumns } from '../table';

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

/** One column while its rows arrive: of numbers until a cell is something else. */
class JsonColumn {
  readonly #numbers = new NumberBuilder();
  #texts: TextBuilder | null = null;
  #booleans = true;

  get rows(): number {
    return this.#texts?.rows ?? this.#numbers.rows;
  }

  /** Fills the rows that had no such key. */
  fillTo(rows: number): void {
    while (this.rows < rows) this.#missing();
  }

  /** @param textOf the value as the file has it */
  push(value: unknown, textOf: () => string): void {
    if (value === null) {
      this.#missing();
      return;
    }
    if (typeof value !== 'boolean') this.#booleans = false;
    if (typeof value === 'number' && this.#texts === null) {
      const text = value === 0 || (Number.isInteger(value) && !Number.isSafeInteger(value)) ? textOf() : '';
      if (text !== '' && (isVanished(text) || isRounded(text))) this.#toTexts().push(text);
      else this.#numbers.push(value);
      return;
    }
    const text =
      typeof value === 'number'
        ? textOf() || String(value)
        : typeof value === 'string'
          ? value
          : nestedText(value);
    this.#toTexts().push(text);
  }

  finish(name: string, wanted: WantedType | undefined): ReadColumn {
    if (this.#texts === null) return columnOfNumbers(name, this.#numbers, { wanted });
    const column = columnOfTexts(name, this.#texts, wanted);
    // words in quotes are categories, booleans are not in quotes
    return column.type.type === 'boolean' && this.#booleans
      ? { ...column, type: { type: 'boolean' } }
      : column;
  }

  #missing(): void {
    if (this.#texts) this.#texts.push(null);
    else this.#numbers.push(NaN);
  }

  #toTexts(): TextBuilder {
    if (this.#texts === null) {
      this.#texts = new TextBuilder();
      for (const value of this.#numbers.finish())
        this.#texts.push(Number.isNaN(value) ? null : String(value));
    }
    return this.#texts;
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
function numberText(object: string, wanted: string): string {
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

export async function readJson(files: readonly string[], options: ReadTableOptions): Promise<Table> {
  const names: string[] = [];
  const columns: JsonColumn[] = [];
  const position = new Map<string, number>();
  /** Keys of the file that is being read. */
  const seen = new Set<string>();
  let rows = 0;
  let file = files[0]!;
  /** Rows of the files before. */
  let before = 0;

  const take = (bytes: Buffer): void => {
    const where = `(object ${rows - before + 1} of ${describe(file)})`;
    if (!isUtf8(bytes)) throw new NoUtf8();
    const text = bytes.toString();
    let record: Record<string, unknown>;
    try {
      record = JSON.parse(text) as Record<string, unknown>;
    } catch (cause) {
      throw new SklarError('ERR_SKLAR_FORMAT', `expected JSON, got ${describe(cause)} ${where}`, { cause });
    }
    const keys = Object.keys(record);
    // a key twice, or values with colons of their own
    if (colonsOf(text) > keys.length) expectDifferentKeys(text, where);
    // a zero is looked up in the text only where it may stand for a smaller number
    const mayVanish = /e-\d{3}|0{300}/i.test(text);
    for (let k = 0; k < keys.length; k++) {
      const key = keys[k]!;
      let j = names[k] === key ? k : position.get(key);
      if (j === undefined) {
        j = names.push(key) - 1;
        position.set(key, j);
        columns.push(new JsonColumn());
      }
      seen.add(key);
      const column = columns[j]!;
      column.fillTo(rows);
      const value = record[key];
      column.push(value, () => (value === 0 && !mayVanish ? '' : numberText(text, key)));
    }
    rows++;
  };

  const keys: string[][] = [];
  for (file of files) {
    before = rows;
    seen.clear();
    await using text = await asUtf8(file, options.encoding, options.onNote, options.signal);
    const splitter = new RecordSplitter(file, take);
    try {
      for await (const bytes of readBytes(text.path, options.signal)) splitter.push(bytes);
    } catch (cause) {
      throw cause instanceof NoUtf8 ? await badUtf8Error(file, options.signal) : cause;
    }
    splitter.end();
    if (rows === before) {
      throw new SklarError(
        'ERR_SKLAR_VALUE',
        `expected at least one row of data, got none (${describe(file)})`,
      );
    }
    keys.push([...seen]);
  }
  columns.forEach((column) => column.fillTo(rows));

  const wanted = wantedTypes(options.types, names, files);
  const positions = selectColumns(names, options, filesWords(files));
  const chosen = positions.map((j) => names[j]!);
  if (files.length > 1) agreeingColumns(files, keys, chosen, options);
  const read = positions.map((j) => columns[j]!.finish(names[j]!, wanted.get(names[j]!)));
  return finishTable(read, files, options.onNote);
}
