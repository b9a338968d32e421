import { mkdirSync, readdirSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';

import { type Note, type ReadTableOptions, type SklarErrorCode, TableReader, readTable } from '../../lib';
import { TemporaryFolder, readBoth, sklarError, writeParquet } from './support';

const folder = new TemporaryFolder();
let folders = 0;

/** A new folder with these files. */
function folderOf(contents: Readonly<Record<string, string | Uint8Array>>): string {
  const name = `folder ${folders++}`;
  mkdirSync(folder.file(name));
  for (const [file, content] of Object.entries(contents)) {
    mkdirSync(path.dirname(folder.file(path.join(name, file))), { recursive: true });
    folder.file(path.join(name, file), content);
  }
  return folder.file(name);
}

async function readAll(source: string | readonly string[], options: ReadTableOptions = {}) {
  const notes: Note[] = [];
  const table = await readBoth(source, { ...options, onNote: (note) => notes.push(note) });
  const columns = Object.fromEntries(
    table.names.map((name) => [name, Array.from({ length: table.rows }, (_, i) => table.text(name, i))]),
  );
  return { table, columns, notes: notes.map(({ message }) => message) };
}

const MONTHS = { 'm1.csv': 'a,b\n1,x\n2,y\n', 'm2.csv': 'b,a\nz,2.5\nx,4\n' };
const JOINED = { a: ['1', '2', '2.5', '4'], b: ['x', 'y', 'z', 'x'] };

describe('several files are one table', () => {
  test.each([
    ['a folder', (at: string) => at],
    ['a pattern', (at: string) => path.join(at, 'm*.csv')],
    ['a pattern of one character', (at: string) => path.join(at, 'm?.csv')],
    ['a set of characters', (at: string) => path.join(at, 'm[1-3].csv')],
    ['any folders', (at: string) => path.join(path.dirname(at), '**', path.basename(at), '*.csv')],
    ['a list', (at: string) => [path.join(at, 'm1.csv'), path.join(at, 'm2.csv')]],
  ])('%s', async (_, sourceOf) => {
    const at = folderOf({ ...MONTHS, '.hidden.csv': 'c\n1\n', 'README.md': '# no table' });
    const { columns, notes } = await readAll(sourceOf(at));
    expect(columns).toEqual(JOINED);
    expect(notes).toContainEqual(
      `2 files were read as one table, in this order: ${JSON.stringify(path.join(at, 'm1.csv'))}, ${JSON.stringify(path.join(at, 'm2.csv'))}`,
    );
  });

  test('rows of a list are in its order, of a folder in that of the paths', async () => {
    const at = folderOf({ 'b.csv': 'x\n2\n', 'a.csv.gz': gzipSync('x\n1\n'), 'c.csv': 'x\n3\n' });
    expect((await readAll(at)).columns).toEqual({ x: ['1', '2', '3'] });
    const list = [path.join(at, 'c.csv'), path.join(at, 'a.csv.gz')];
    expect((await readAll(list)).columns).toEqual({ x: ['3', '1'] });
  });

  test('files without names of columns, with other delimiters, decimal commas and encodings', async () => {
    const at = folderOf({
      '1.csv': '1.5,2\n2.5,3\n',
      '2.csv': '7,8\n9,10\n',
    });
    expect((await readAll(at)).columns).toEqual({
      column1: ['1.5', '2.5', '7', '9'],
      column2: ['2', '3', '8', '10'],
    });
    const unlike = folderOf({
      '1.csv': 'name,x\nk\u00f6ln,1.5\n',
      '2.csv': Buffer.from('\ufeffname;x\nbern;2,5\n', 'utf16le'),
    });
    const { columns, notes } = await readAll(unlike);
    expect(columns).toEqual({ name: ['k\u00f6ln', 'bern'], x: ['1.5', '2.5'] });
    expect(notes).toContainEqual(
      expect.stringMatching(/2\.csv" was read as utf-16le, as its byte order mark says/),
    );
  });

  test('names that are numbers are names in every file', async () => {
    const at = folderOf({ '1.csv': '"2019","2020"\n1,2\n', '2.csv': '2020,2019\n3,4\n' });
    expect((await readAll(at)).columns).toEqual({ '2019': ['1', '4'], '2020': ['2', '3'] });
  });

  test('whole numbers and fractions in Parquet files are fractions; columns may be in another order', async () => {
    const at = folderOf({});
    await writeParquet(path.join(at, '1.parquet'), "SELECT 1::INTEGER AS x, DATE '2020-01-31' AS d");
    await writeParquet(path.join(at, '2.parquet'), "SELECT DATE '2020-02-29' AS d, 2.5::DOUBLE AS x");
    const { columns, table } = await readAll(at);
    expect(columns).toEqual({ x: ['1', '2.5'], d: ['2020-01-31', '2020-02-29'] });
    expect(table.type('x')).toEqual({ type: 'number', decimals: 1 });
  });

  test('JSON', async () => {
    const at = folderOf({ '1.json': '[{"a":1,"b":"x"}]', '2.ndjson': '{"b":"y"}\n{"a":2.5}\n' });
    expect((await readAll(at)).columns).toEqual({ a: ['1', null, '2.5'], b: ['x', 'y', null] });
  });

  test('of columns that were asked for only these must agree', async () => {
    const at = folderOf({ '1.csv': 'a,b\n1,2\n', '2.csv': 'c,a\n3,4\n' });
    expect((await readAll(at, { columns: ['a'] })).columns).toEqual({ a: ['1', '4'] });
  });

  test('what exists is a path, whatever characters are in it', async () => {
    const at = folderOf({ '[1].csv': 'x\n1\n', '1.csv': 'x\n2\n' });
    expect((await readAll(path.join(at, '[1].csv'))).columns).toEqual({ x: ['1'] });
    expect((await readAll(path.join(at, '[1]*.csv'))).columns).toEqual({ x: ['2'] });
  });

  test.each<[string, Record<string, string>, string, SklarErrorCode, RegExp]>([
    [
      'a column is not in the second',
      { '1.csv': 'a,b\n1,2\n', '2.csv': 'a\n3\n' },
      '',
      'ERR_SKLAR_SHAPE',
      /2\.csv" has no column "b", which ".*1\.csv" has$/,
    ],
    [
      'a column is only in the second',
      { '1.csv': 'a\n1\n', '2.csv': 'a,b\n3,4\n' },
      '',
      'ERR_SKLAR_SHAPE',
      /2\.csv" has the column "b", which ".*1\.csv" does not have$/,
    ],
    [
      'one has no names',
      { '1.csv': 'a,b\nx,2\n', '2.csv': '1,2\n3,4\n' },
      '',
      'ERR_SKLAR_SHAPE',
      /2\.csv" has no column "a"/,
    ],
    [
      'numbers in one, texts in another',
      { '1.csv': 'a\n1\n2\n', '2.csv': 'a\nlow\nhigh\n' },
      '',
      'ERR_SKLAR_SHAPE',
      /"a" has numbers in ".*1\.csv" and texts in ".*2\.csv"/,
    ],
    [
      'a key is in no object of the second',
      { '1.json': '[{"a":1,"b":2}]', '2.json': '[{"a":1}]' },
      '',
      'ERR_SKLAR_SHAPE',
      /2\.json" has no column "b"/,
    ],
    [
      'formats are mixed',
      { '1.csv': 'a\n1\n', '2.json': '[{"a":1}]' },
      '',
      'ERR_SKLAR_VALUE',
      /one format for a table, got csv and json/,
    ],
    [
      'one of them is empty',
      { '1.csv': 'a\n1\n', '2.csv': '' },
      '',
      'ERR_SKLAR_FORMAT',
      /empty file \(".*2\.csv"\)/,
    ],
    [
      'a row is short',
      { '1.csv': 'a,b\n1,2\n', '2.csv': 'a,b\n1\n' },
      '',
      'ERR_SKLAR_FORMAT',
      /got 1 \(line 2 of ".*2\.csv"\)/,
    ],
    ['the folder has no table', { 'notes.txt': 'a\n1\n' }, '', 'ERR_SKLAR_FILE', /no file in this folder/],
    ['nothing matches', { '1.csv': 'a\n1\n' }, '*.parquet', 'ERR_SKLAR_FILE', /no file matches this pattern/],
  ])('refuses them where %s', async (_, contents, pattern, code, message) => {
    const at = folderOf(contents);
    expect((await sklarError(() => readBoth(path.join(at, pattern)), code)).message).toMatch(message);
  });

  test('refuses Parquet columns of types that do not go together, a file twice, no file, sheets', async () => {
    const at = folderOf({});
    await writeParquet(path.join(at, '1.parquet'), "SELECT DATE '2020-01-31' AS d");
    await writeParquet(path.join(at, '2.parquet'), "SELECT 'x' AS d");
    const { message } = await sklarError(() => readBoth(at), 'ERR_SKLAR_SHAPE');
    expect(message).toMatch(/"d" is DATE in ".*1\.parquet" and VARCHAR in ".*2\.parquet"$/);
    const file = path.join(at, '1.parquet');
    await sklarError(() => readBoth([file, file]), 'ERR_SKLAR_VALUE');
    await sklarError(() => readBoth([]), 'ERR_SKLAR_VALUE');
    const sheet = await sklarError(() => readBoth('book.xlsx'), 'ERR_SKLAR_FILE');
    expect(sheet.message).toContain('save the sheet as CSV in UTF-8 first');
  });

  test('integers that a double does not hold are numbers beside others', async () => {
    const at = folderOf({ '1.csv': 'a\n1\n2\n', '2.csv': 'a\n9007199254740993\n' });
    const parquet = folderOf({});
    await writeParquet(path.join(parquet, '1.parquet'), 'SELECT unnest([1, 2])::INTEGER AS a');
    await writeParquet(path.join(parquet, '2.parquet'), 'SELECT 9007199254740993::BIGINT AS a');
    for (const source of [at, parquet]) {
      const { table, columns } = await readAll(source);
      expect(table.type('a').type).toBe('category');
      expect(columns).toEqual({ a: ['1', '2', '9007199254740993'] });
    }
  });

  test('a type that was asked for makes labels of both', async () => {
    const at = folderOf({ '1.csv': 'a\n1\n2\n', '2.csv': 'a\nlow\nhigh\n' });
    const { columns } = await readAll(at, { types: { a: 'category' } });
    expect(columns).toEqual({ a: ['1', '2', 'low', 'high'] });
  });
});

describe('encodings', () => {
  const text = 'stadt,preis\nK\u00f6ln,\u20ac 1.50\nBern,\u20ac 2.25\n';
  const windows = Buffer.from(text.replaceAll('\u20ac', '\x80'), 'latin1');
  const utf16be = Buffer.from(text, 'utf16le').swap16();

  test.each<[string, Uint8Array, string | undefined]>([
    ['UTF-8', Buffer.from(text), undefined],
    ['UTF-8 by name', Buffer.from(text), 'utf8'],
    ['UTF-8 with a byte order mark', Buffer.from(`\ufeff${text}`), 'utf-8'],
    ['windows-1252', windows, 'windows-1252'],
    ['windows-1252 as Latin-1', windows, 'latin1'],
    ['UTF-16LE', Buffer.from(text, 'utf16le'), 'utf-16le'],
    ['UTF-16LE by its byte order mark', Buffer.from(`\ufeff${text}`, 'utf16le'), undefined],
    ['UTF-16LE by its mark and by name', Buffer.from(`\ufeff${text}`, 'utf16le'), 'utf-16le'],
    ['UTF-16BE', utf16be, 'utf-16be'],
    ['UTF-16BE by its byte order mark', Buffer.concat([Buffer.of(0xfe, 0xff), utf16be]), undefined],
  ])('%s', async (name, bytes, encoding) => {
    for (const [ending, content] of [
      ['csv', bytes],
      ['csv.gz', gzipSync(bytes)],
    ] as const) {
      const file = folder.file(`${name.replaceAll(' ', '-')}.${ending}`, content);
      const { columns } = await readAll(file, encoding === undefined ? {} : { encoding });
      expect(columns).toEqual({ stadt: ['K\u00f6ln', 'Bern'], preis: ['\u20ac 1.50', '\u20ac 2.25'] });
    }
  });

  test('JSON and labels of other alphabets', async () => {
    const json = folder.file('objects.json', Buffer.from('[{"a":"\u00e9"}]', 'latin1'));
    expect((await readAll(json, { encoding: 'latin1' })).columns).toEqual({ a: ['\u00e9'] });
    const greek = folder.file('greek.csv', Buffer.concat([Buffer.from('a\n'), Buffer.of(0xe1, 0x0a)]));
    expect((await readAll(greek, { encoding: 'iso-8859-7' })).columns).toEqual({ a: ['\u03b1'] });
  });

  /** A text in UTF-8 of more than one piece that is read, with other bytes at the end. */
  const long = Buffer.concat([
    Buffer.from(`a,b\n${'\u00e9,1\n'.repeat(400_000)}`),
    Buffer.from('\xe9,2\n', 'latin1'),
  ]);

  test.each<[string, string, Uint8Array, ReadTableOptions, RegExp]>([
    [
      'Latin-1',
      'csv',
      Buffer.from('a,b\nx,1\ncaf\xe9,2\n', 'latin1'),
      {},
      /encoded as UTF-8, got byte 0xe9 at offset 11 \(line 3 of .*read it with encoding: "windows-1252"$/,
    ],
    [
      'Latin-1 after two-byte characters',
      'csv',
      Buffer.concat([Buffer.from('a\n\u00e9\u20ac'), Buffer.from('\xe9\n', 'latin1')]),
      {},
      /byte 0xe9 at offset 7 \(line 2 of/,
    ],
    [
      'Latin-1 far down',
      'csv',
      long,
      {},
      new RegExp(`byte 0xe9 at offset ${long.length - 4} \\(line 400002 of`),
    ],
    [
      'a character cut at the end',
      'csv',
      Buffer.concat([Buffer.from('a\nx'), Buffer.of(0xe2, 0x82)]),
      {},
      /byte 0xe2 at offset 3 \(line 2 of/,
    ],
    [
      'Latin-1 in JSON',
      'ndjson',
      Buffer.from('{"a":1}\n{"a":"\xe9"}\n', 'latin1'),
      {},
      /byte 0xe9 at offset 14 \(line 2 of/,
    ],
    [
      'UTF-16 without a mark',
      'csv',
      Buffer.from('a,b\n1,2\n', 'utf16le'),
      {},
      /byte 0x00 at offset 1 .*encoding: "utf-16le"$/,
    ],
    [
      'UTF-16BE without a mark',
      'csv',
      Buffer.from('a,b\n1,2\n', 'utf16le').swap16(),
      {},
      /byte 0x00 at offset 0 .*encoding: "utf-16be"$/,
    ],
    [
      'UTF-8 by its mark as another',
      'csv',
      Buffer.from('\ufeffa\n1\n'),
      { encoding: 'latin1' },
      /encoded as windows-1252, got the byte order mark of utf-8/,
    ],
    [
      'half a character of UTF-16',
      'csv',
      Buffer.from('\x61\0\n\0\x31', 'latin1'),
      { encoding: 'utf-16le' },
      /encoded as utf-16le, got bytes .* that are no such text/,
    ],
  ])('refuses %s, naming the place', async (name, ending, bytes, options, message) => {
    const file = folder.file(`bad-${name.replaceAll(' ', '-')}.${ending}`, bytes);
    expect((await sklarError(() => readBoth(file, options), 'ERR_SKLAR_FORMAT')).message).toMatch(message);
  });

  test('copies in UTF-8 are gone after reading, and after a failure', async () => {
    const copies = folderOf({});
    const tmpdir = jest.spyOn(os, 'tmpdir').mockReturnValue(copies);
    try {
      const good = folder.file('copied.csv', Buffer.from('a\n\xe9\n', 'latin1'));
      expect((await readTable(good, { encoding: 'latin1' })).text('a', 0)).toBe('\u00e9');
      const short = folder.file('short.csv', Buffer.from('a,b\n\xe9,1\n2\n', 'latin1'));
      const { message } = await sklarError(
        () => readTable(short, { encoding: 'latin1' }),
        'ERR_SKLAR_FORMAT',
      );
      expect(message).toMatch(/line 3 of ".*short\.csv"/);
      const odd = folder.file('odd.csv', Buffer.from([0x61]));
      await sklarError(() => readTable([good, odd], { encoding: 'utf-16le' }), 'ERR_SKLAR_FORMAT');
      expect(readdirSync(copies)).toEqual([]);
      const reader = await TableReader.open(good, { encoding: 'latin1' });
      expect(readdirSync(copies)).toHaveLength(1);
      reader.close();
      while (readdirSync(copies).length > 0) await setImmediate();
    } finally {
      tmpdir.mockRestore();
    }
  });

  test('refuses what is no encoding; options of CSV that other files do not have are told', async () => {
    const csv = folder.file('plain.csv', 'a\n1\n');
    await sklarError(() => readBoth(csv, { encoding: 'klingon' }), 'ERR_SKLAR_VALUE');
    const file = folder.file('plain.json', '[{"a":-999}]');
    const { notes } = await readAll(file, { null: ['-999'], delimiter: ';' });
    expect(notes).toEqual([
      expect.stringMatching(
        /plain\.json" was not read with delimiter: ";", which is for texts between delimiters/,
      ),
      expect.stringMatching(/plain\.json" was not read with null: \["-999"\]/),
    ]);
  });
});
