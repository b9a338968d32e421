/** Text files of any encoding as files in UTF-8, which is what is read. */
import { isUtf8 } from 'node:buffer';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { SklarError, describe } from '../../errors';
import type { Note } from '../../notes';
import { fileError, readBytes } from './files';
import { tell } from '../../tell';

/** Of the Encoding Standard, by its first bytes. */
const MARKS: readonly (readonly [encoding: string, mark: Buffer])[] = [
  ['utf-8', Buffer.of(0xef, 0xbb, 0xbf)],
  ['utf-16le', Buffer.of(0xff, 0xfe)],
  ['utf-16be', Buffer.of(0xfe, 0xff)],
];

/**
 * The name of an encoding, given one of its labels in the Encoding Standard, such as `latin1`.
 *
 * @throws SklarError ERR_SKLAR_VALUE
 */
export function expectEncoding(label: unknown): string {
  try {
    return new TextDecoder(String(label)).encoding;
  } catch (cause) {
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      `expected the name of an encoding, such as utf-8, utf-16le or windows-1252, for encoding, got ${describe(label)}`,
      { cause },
    );
  }
}

/** What windows-1252 has at 0x80 to 0x9f; some versions of Node.js decode it as ISO-8859-1. */
const WINDOWS =
  '\u20ac\x81\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039\u0152\x8d\u017d\x8f' +
  '\x90\u2018\u2019\u201c\u201d\u2022\u2013\u2014\u02dc\u2122\u0161\u203a\u0153\x9d\u017e\u0178';

/** Decodes one piece after another; throws a TypeError at bytes that are none of the encoding. */
function decoderOf(encoding: string): (piece?: Buffer) => string {
  if (encoding === 'windows-1252') {
    return (piece) =>
      (piece?.toString('latin1') ?? '').replace(/[\x80-\x9f]/g, (c) => WINDOWS[c.charCodeAt(0) - 0x80]!);
  }
  const decoder = new TextDecoder(encoding, { fatal: true });
  return (piece) => decoder.decode(piece, { stream: piece !== undefined });
}

/** Where a file stops being UTF-8, and what to do. The offset is that of the text, which gzip has packed. */
export async function badUtf8Error(file: string, signal?: AbortSignal): Promise<SklarError> {
  const LF = 0x0a;
  let rest: Buffer = Buffer.alloc(0);
  let offset = 0;
  let line = 1;
  let bad: Buffer | undefined;
  for await (const piece of readBytes(file, signal)) {
    const bytes = Buffer.concat([rest, piece]);
    const end = bytes.lastIndexOf(LF) + 1;
    const lines = bytes.subarray(0, end);
    rest = bytes.subarray(end);
    if (!isUtf8(lines)) {
      bad = lines;
      break;
    }
    offset += end;
    for (const byte of lines) if (byte === LF) line++;
  }
  bad ??= rest;
  for (let end = bad.indexOf(LF) + 1; end > 0 && isUtf8(bad.subarray(0, end)); end = bad.indexOf(LF) + 1) {
    offset += end;
    line++;
    bad = bad.subarray(end);
  }
  let at = 0;
  while (at < bad.length) {
    const length = [1, 2, 3, 4].find((n) => at + n <= bad.length && isUtf8(bad.subarray(at, at + n)));
    if (length === undefined) break;
    at += length;
  }
  const byte = bad[at];
  return new SklarError(
    'ERR_SKLAR_FORMAT',
    `expected text encoded as UTF-8, got byte 0x${byte?.toString(16) ?? '??'} at offset ${offset + at} ` +
      `(line ${line} of ${describe(file)}); if it was saved by Excel on Windows, or as Latin-1, read it with encoding: "windows-1252"`,
  );
}

/** A text file in UTF-8 with the text of another one, or that itself. */
interface Utf8File extends AsyncDisposable {
  /** Where it is. */
  readonly path: string;
}

/**
 * The text of a file in UTF-8: the file itself, or where its encoding is another one a copy that lasts until it is disposed.
 *
 * @param wanted an encoding, see `expectEncoding`; undefined: what a byte order mark says, else UTF-8
 * @throws SklarError ERR_SKLAR_FORMAT where the bytes are no text of that encoding
 */
export async function asUtf8(
  file: string,
  wanted: string | undefined,
  onNote?: (note: Note) => void,
  signal?: AbortSignal,
): Promise<Utf8File> {
  const [first = Buffer.alloc(0)] = await head(file, signal);
  const marked = MARKS.find(([, mark]) => first.subarray(0, mark.length).equals(mark))?.[0];
  const encoding = wanted ?? marked ?? 'utf-8';
  if (marked !== undefined && encoding !== marked) {
    throw new SklarError(
      'ERR_SKLAR_FORMAT',
      `expected text encoded as ${encoding}, got the byte order mark of ${marked} (${describe(file)})`,
    );
  }
  if (encoding === 'utf-8') return { path: file, [Symbol.asyncDispose]: () => Promise.resolve() };
  if (wanted === undefined) {
    const message = `${describe(file)} was read as ${encoding}, as its byte order mark says`;
    tell(onNote, { code: 'file', columns: [], message });
  }
  const folder = await mkdtemp(path.join(tmpdir(), 'sklar-text-'));
  const remove = () => rm(folder, { recursive: true, force: true });
  const copy = path.join(folder, 'text.csv');
  try {
    const handle = await open(copy, 'wx', 0o600);
    try {
      const decode = decoderOf(encoding);
      let offset = 0;
      const next = async (piece?: Buffer) => {
        let text: string;
        try {
          text = decode(piece);
        } catch (cause) {
          const bytes = piece ? `${offset} to ${offset + piece.length - 1}` : `to its end, ${offset},`;
          throw new SklarError(
            'ERR_SKLAR_FORMAT',
            `expected text encoded as ${encoding}, got bytes ${bytes} that are no such text (${describe(file)})`,
            { cause },
          );
        }
        offset += piece?.length ?? 0;
        await handle.writeFile(text).catch((cause: unknown) => {
          throw fileError(cause, 'write', copy);
        });
      };
      for await (const piece of readBytes(file, signal)) await next(piece);
      await next();
    } finally {
      await handle.close();
    }
  } catch (error) {
    await remove();
    throw error;
  }
  return { path: copy, [Symbol.asyncDispose]: remove };
}

/** A text to read: its file, and where it is in UTF-8. */
export interface TextSource {
  readonly file: string;
  readonly path: string;
}

/** Has the texts of files used in UTF-8, and removes the copies that were made; see `asUtf8`. */
export async function withTexts<T>(
  files: readonly string[],
  {
    encoding,
    onNote,
    signal,
  }: {
    readonly encoding?: string | undefined;
    readonly onNote?: ((note: Note) => void) | undefined;
    readonly signal?: AbortSignal | undefined;
  },
  use: (sources: readonly TextSource[]) => Promise<T>,
): Promise<T> {
  const texts: Utf8File[] = [];
  try {
    for (const file of files) texts.push(await asUtf8(file, encoding, onNote, signal));
    return await use(texts.map(({ path }, s) => ({ file: files[s]!, path })));
  } finally {
    for (const text of texts) await text[Symbol.asyncDispose]();
  }
}

async function head(file: string, signal: AbortSignal | undefined): Promise<Buffer[]> {
  for await (const piece of readBytes(file, signal)) return [piece];
  return [];
}
