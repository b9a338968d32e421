import { SklarError, describe } from '../../errors';
import type { ReadColumn } from '../columns/read-column';
import { FORMED, isNumberText } from '../columns/plain-number';
import { MISSING } from './csv';
import { DuckDBSession } from './duckdb';
import { type TextSource, badUtf8Error, withTexts } from './encoding';
import { isGzip, readBytes } from './files';
import { type Use, expectRows } from './open-columns';
import { type SqlSource, readColumns } from './read-sql';
import { type ReadTableOptions, wantedTypes } from './read-options';
import { agreeingColumns, filesWords, readError } from './table-files';
import { defaultNames, expectDistinctNames, listNames, selectColumns } from '../table';
import { tell } from '../../tell';

const DELIMITERS = [',', ';', '\t', '|'];
/** DuckDB would read 32 MB at a time; a line, of 2 MB at most, has to fit. */
const BUFFER_BYTES = 1 << 22;
const HEAD_BYTES = 1 << 20;
const LONGEST_HEAD_BYTES = 1 << 26;
/** Characters in which a text in UTF-16 has zero bytes. */
const LONGEST_LOOK = 1000;

interface Field {
  readonly text: string;
  readonly quoted: boolean;
}

interface Layout {
  readonly delimiter: string;
  /** Blank lines before the first record. */
  readonly blankLines: number;
  readonly header: boolean;
  readonly decimalComma: boolean;
  readonly names: readonly string[];
  /** The first records of data. */
  readonly head: readonly (readonly Field[])[];
}

/** The beginning of the file, unpacked, as text; `complete` tells whether it is the whole file. */
async function readHead(
  { file, path }: TextSource,
  bytes: number,
): Promise<{ text: string; complete: boolean }> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of readBytes(path)) {
    parts.push(part);
    length += part.length;
    if (length > bytes) break;
  }
  const complete = length <= bytes;
  let text: string;
  try {
    // In stream mode an incomplete last character is not an error.
    text = new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(parts), { stream: !complete });
  } catch {
    throw await badUtf8Error(file);
  }
  const zero = text.slice(0, LONGEST_LOOK).indexOf('\0');
  if (zero < 0) return { text, complete };
  throw new SklarError(
    'ERR_SKLAR_FORMAT',
    `expected text encoded as UTF-8, got byte 0x00 at offset ${zero} (${describe(file)}); if it was saved as Unicode text, ` +
      `read it with encoding: "utf-16${zero % 2 === 1 ? 'le' : 'be'}"`,
  );
}

/** The first records of a text in the format of RFC 4180, at most `limit`, and the blank lines before them. */
function parseRecords(
  text: string,
  complete: boolean,
  delimiter: string,
  limit: number,
): { records: Field[][]; blankLines: number } {
  const records: Field[][] = [];
  let blankLines = 0;
  let record: Field[] = [];
  let position = 0;
  while (position < text.length && records.length < limit) {
    let value = '';
    const quoted = text[position] === '"';
    if (quoted) {
      for (;;) {
        const end = text.indexOf('"', position + 1);
        if (end < 0) return { records, blankLines };
        value += text.slice(position + 1, end);
        position = end + 1;
        if (text[position] !== '"') break;
        value += '"';
      }
    }
    let end = position;
    while (end < text.length && text[end] !== delimiter && text[end] !== '\n' && text[end] !== '\r') end++;
    value += text.slice(position, end);
    record.push({ text: value, quoted });
    position = end + 1;
    if (end < text.length && text[end] === delimiter) {
      if (position < text.length) continue;
      record.push({ text: '', quoted: false }); // the text ends with a delimiter
    }
    if (end >= text.length && !complete) break;
    if (text[end] === '\r' && text[end + 1] === '\n') position++;
    if (record.length > 1 || value !== '' || quoted) records.push(record);
    else if (records.length === 0) blankLines++;
    record = [];
  }
  return { records, blankLines };
}

function isNumber(field: Field): boolean {
  return isNumberText(field.text);
}

function isMissing({ text, quoted }: Field): boolean {
  return text === '' || (!quoted && MISSING.includes(text));
}

/**
 * Whether the first record names the columns. It does when it has a text above a number, or no numbers at all, or
 * numbers in quotes above numbers without, or counts 0, 1, 2, ... as the headers of unnamed data frames do.
 */
function hasHeader([first = [], ...others]: readonly Field[][]): boolean {
  const named = first.some((field, j) => {
    const below = others.flatMap((record) => record[j] ?? []).filter((other) => !isMissing(other));
    if (isMissing(field)) return false;
    if (!isNumber(field)) return below.some(isNumber);
    return field.quoted && below.length > 0 && below.every((other) => !other.quoted);
  });
  const labels = first[0] && isMissing(first[0]) ? first.slice(1) : first;
  const counts = labels.length > 1 && labels.every((field, j) => field.text === String(j));
  return named || counts || !first.some(isNumber);
}

/** A first record of numbers is a row of the data with less than this chance, or else it names the columns. */
const LEAST_CHANCE = 0.01;

/**
 * Whether a first record of numbers names the columns: years in order, or three and more whole numbers in equal steps, that
 * would hardly be a row of these data, being whole where the others are not, or beyond all of them.
 */
function hasNumericHeader([first = [], ...others]: readonly Field[][]): boolean {
  if (first.length < 2 || !first.every(({ text }) => /^\d{1,9}$/.test(text))) return false;
  const labels = first.map(({ text }) => Number(text));
  const steps = labels.slice(1).map((label, j) => label - labels[j]!);
  const years =
    labels.every((label) => label >= 1500 && label <= 2200) &&
    (steps.every((step) => step > 0) || steps.every((step) => step < 0));
  const even = labels.length > 2 && steps[0] !== 0 && steps.every((step) => step === steps[0]);
  if (!years && !even) return false;
  let chance = 1;
  labels.forEach((label, j) => {
    const below = others.flatMap((record) => record[j] ?? []).filter((field) => !isMissing(field));
    const whole = below.filter(({ text }) => /^\s*[-+]?\d+\s*$/.test(text)).length;
    const values = below.map(({ text }) => Number(text));
    const beyond = values.every((value) => value > label) || values.every((value) => value < label);
    chance *= Math.min(
      (whole + 1) / (below.length + 2),
      years && beyond && below.length > 0 ? 2 / (below.length + 1) : 1,
    );
  });
  return chance <= LEAST_CHANCE;
}

function hasDecimalComma({ text }: Field): boolean {
  return /^\s*[-+]?\d*,\d+(?:e[-+]?\d+)?\s*$/i.test(text);
}

/** A field with a decimal comma, where some have it and none has a point. */
function findDecimalComma(records: readonly Field[][]): Field | undefined {
  const fields = records.flat();
  if (fields.some(({ text }) => text.includes('.') && isNumberText(text))) return undefined;
  return fields.find(hasDecimalComma);
}

/** The share of the fields below the first record that are numbers between these delimiters. */
function numericShare(records: readonly Field[][], delimiter: string): number {
  const fields = records.slice(1).flat();
  const good = fields.filter((field) => isNumber(field) || (delimiter !== ',' && hasDecimalComma(field)));
  return good.length / Math.max(1, fields.length);
}

function chooseDelimiter(text: string, complete: boolean): string {
  let best = ',';
  let bestScore = 0;
  for (const delimiter of DELIMITERS) {
    const { records } = parseRecords(text, complete, delimiter, 10);
    const fields = records[0]?.length ?? 0;
    if (fields < 2) continue;
    // Records of equal length speak for a delimiter more than any number of fields.
    const agreeing = records.filter((record) => record.length === fields).length / records.length;
    const score = agreeing + numericShare(records, delimiter) + 1 - 1 / fields;
    if (score > bestScore) {
      best = delimiter;
      bestScore = score;
    }
  }
  return best;
}

/** @param options of a file after the first one with the names of that as `columns` */
async function findLayout(source: TextSource, options: ReadTableOptions): Promise<Layout> {
  const { file } = source;
  for (const bytes of [HEAD_BYTES, LONGEST_HEAD_BYTES]) {
    const { text, complete } = await readHead(source, bytes);
    const delimiter =
      options.delimiter ?? (/\.tsv(?:\.gz)?$/i.test(file) ? '\t' : chooseDelimiter(text, complete));
    const { records, blankLines } = parseRecords(text, complete, delimiter, 100);
    if (records.length < 2 && !complete) continue;
    const [first] = records;
    if (first === undefined) {
      throw new SklarError(
        'ERR_SKLAR_FORMAT',
        `expected a header and rows of data, got none (${describe(file)})`,
      );
    }
    const comma = delimiter === ',' || options.decimal ? undefined : findDecimalComma(records);
    const decimalComma = options.decimal === ',' || comma !== undefined;
    const plain = decimalComma
      ? records.map((record) =>
          record.map((field) =>
            hasDecimalComma(field) ? { ...field, text: field.text.replace(',', '.') } : field,
          ),
        )
      : records;
    const texts = first.map((field) => field.text);
    // what is no list is refused where columns are chosen
    const wanted: readonly string[] = Array.isArray(options.columns) ? options.columns : [];
    const named = wanted.length > 0 && wanted.every((name) => texts.includes(name));
    const numeric = !named && first.every(isNumber) && hasNumericHeader(plain);
    const header = options.header ?? (named || numeric || hasHeader(plain));
    const names = header ? texts : defaultNames(first.length);
    const note = (message: string) => tell(options.onNote, { code: 'file', columns: [], message });
    if (options.header === undefined && numeric) {
      note(
        `the first line of ${describe(file)} was taken for the names of the columns: ${listNames(names, 10)}`,
      );
    }
    if (options.header === undefined && !header) {
      note(
        `the first line of ${describe(file)} was taken for data, since it holds numbers: ` +
          `the columns are called ${listNames(names, 10)}`,
      );
    }
    if (comma) {
      note(
        `decimal commas were read in ${describe(file)}: ${describe(comma.text)} as ${comma.text.trim().replace(',', '.')}`,
      );
    }
    return { delimiter, blankLines, header, decimalComma, names, head: header ? plain.slice(1) : plain };
  }
  throw new SklarError(
    'ERR_SKLAR_FORMAT',
    `expected lines of text, got one too long to read (${describe(file)})`,
  );
}

/** Reads a gzip file to its end: DuckDB takes the end of damaged or cut data for the end of the table. */
async function verifyGzip(file: string, signal: AbortSignal | undefined): Promise<void> {
  const pieces = readBytes(file, signal);
  while (!(await pieces.next()).done);
}

/** DuckDB's errors about the shape of a CSV file, in our words. */
async function csvError(cause: unknown, file: string): Promise<unknown> {
  const { message } = cause as Error;
  if (message.includes('utf-8')) return badUtf8Error(file);
  if (message.includes('state machine reached an invalid state')) {
    return new SklarError(
      'ERR_SKLAR_FORMAT',
      `expected CSV as in RFC 4180, got line breaks of different kinds or misplaced quotes (${describe(file)})`,
      { cause },
    );
  }
  const line = /CSV Error on Line: (\d+)/.exec(message)?.[1];
  const fields = /Expected Number of Columns: (\d+) Found: (\d+)/.exec(message);
  if (line === undefined) return cause;
  const where = `(line ${line} of ${describe(file)})`;
  if (fields) {
    const [, expected, found] = fields;
    return new SklarError(
      'ERR_SKLAR_FORMAT',
      `expected ${expected} fields in every row, got ${found} ${where}`,
      {
        cause,
      },
    );
  }
  if (message.includes('unterminated quote')) {
    return new SklarError('ERR_SKLAR_FORMAT', `expected a quote to end its field, got none ${where}`, {
      cause,
    });
  }
  return cause;
}

/** The decimals that all numbers of a column have, where some end with zeros: money. */
function fixedDecimals(fields: readonly string[]): number | undefined {
  const numbers = fields.filter(isNumberText);
  const decimals = new Set(numbers.map((text) => /^[-+]?\d+\.(\d+)$/.exec(text)?.[1]?.length));
  const [fixed] = decimals;
  return decimals.size === 1 && numbers.some((text) => text.endsWith('0')) ? fixed : undefined;
}

/** Numbers whose texts all have the same decimals keep them. */
function withFixed(column: ReadColumn, fields: readonly string[]): ReadColumn {
  const { type } = column;
  if ('style' in type && type.style) return column;
  if (type.type === 'integer' && fields.some((text) => text.includes('.'))) {
    const fixed = fixedDecimals(fields);
    return fixed === undefined
      ? column
      : { ...column, type: { type: 'number', decimals: 0, style: { fixed } } };
  }
  if (type.type !== 'number' || type.decimals === undefined) return column;
  const fixed = fixedDecimals(fields);
  return fixed === undefined || fixed < type.decimals
    ? column
    : { ...column, type: { ...type, style: { fixed } } };
}

export function readCsv<T>(files: readonly string[], options: ReadTableOptions, use: Use<T>): Promise<T> {
  return withTexts(files, options, (sources) => readSources(sources, files, options, use));
}

async function readSources<T>(
  sources: readonly TextSource[],
  files: readonly string[],
  options: ReadTableOptions,
  { keep, use }: Use<T>,
): Promise<T> {
  const layouts: Layout[] = [];
  for (const source of sources) {
    const [first] = layouts;
    const like = first && {
      ...options,
      ...(first.header ? { columns: first.names } : { header: false }),
      onNote: undefined,
    };
    const layout = await findLayout(source, like ?? options);
    expectDistinctNames(layout.names, `the columns of ${describe(source.file)}`);
    layouts.push(layout);
  }
  const available = layouts[0]!.names;
  const wanted = wantedTypes(options, available, files);
  const missing = ['', ...(options.null ?? MISSING)];
  for (const { path } of sources) if (isGzip(path)) await verifyGzip(path, options.signal);

  const session = await DuckDBSession.open(
    sources.map(({ path }) => path),
    options.signal,
    available.length,
  );
  try {
    // Everything is read as text and cast, so a text far down a column of numbers is found.
    const inputs = layouts.map((layout, s): SqlSource => {
      const { delimiter, blankLines, header, decimalComma, names } = layout;
      const { file, path } = sources[s]!;
      const types = names.map((_, j) => `'c${j}': 'VARCHAR'`).join(', ');
      return {
        file,
        sql:
          `read_csv($1, delim = $2, header = $3, skip = $4, compression = $5, columns = {${types}}, ` +
          `nullstr = [${missing.map(sqlText).join(', ')}], quote = '"', escape = '"', auto_detect = false, strict_mode = true, ` +
          `null_padding = false, hive_partitioning = false, allow_quoted_nulls = false, buffer_size = ${BUFFER_BYTES})`,
        parameters: [session.patterns[s]!, delimiter, header, blankLines, isGzip(path) ? 'gzip' : 'none'],
        decimal: decimalComma ? ',' : '.',
        explain: async (cause) =>
          options.signal?.aborted ? cause : readError(await csvError(cause, file), [file]),
      };
    });
    const chosen = selectColumns(available, options, filesWords(files)).map((j) => available[j]!);
    const names = layouts.map((layout) => layout.names);
    const columns = agreeingColumns(files, names, chosen, options).map(({ name, positions }) => {
      const fields = layouts.flatMap(({ head }, s) =>
        head
          .flatMap((record) => record[positions[s]!] ?? [])
          .flatMap((field) => (isMissing(field) ? [] : [field.text.trim()])),
      );
      // codes such as 02134 would lose their zeros as numbers, others what is written beside them
      const formed = fields.some((text) => FORMED.test(text));
      return { name, positions, fields, ...(formed && { cast: 'text' as const }), wanted: wanted.get(name) };
    });
    const read = await readColumns(session, inputs, columns, keep);
    const open = {
      ...read,
      columns: read.columns.map((column, j) => withFixed(column, columns[j]!.fields)),
    };
    expectRows(open, files, options.onNote);
    return await use(open);
  } finally {
    session.close();
  }
}

const sqlText = (text: string) => `'${text.replaceAll("'", "''")}'`;
