import { chmodSync, mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';

import { AtomicFile } from '../../lib/data/formats/files';
import { ParquetWriter } from '../../lib/data/formats/parquet-writer';
import { type ReadTableOptions, readTable } from '../../lib/data/formats/read-table';
import { TableReader } from '../../lib/data/formats/table-reader';
import { Table } from '../../lib/data/table';
import { writeTable } from '../../lib/data/formats/write-table';
import type { SklarErrorCode } from '../../lib/errors';
import { TemporaryFolder, readBoth, sklarError, writeParquet } from './support';

const folder = new TemporaryFolder();
let files = 0;

/** Writes the content to a new file and reads it as a table, at once and in batches. */
async function read(
  ending: string,
  content: string | Uint8Array,
  options?: ReadTableOptions,
): Promise<Table> {
  return readBoth(folder.file(`${files++}.${ending}`, content), options);
}

/** The table as rows, with names, for short expectations. */
function plain(table: Table): unknown {
  return {
    names: table.names,
    kinds: table.kinds.map((kind) => kind[0]).join(''),
    columns: table.columns.map((values) => [...values]),
  };
}

const parquet = (sql: string): Promise<string> => writeParquet(folder.file(`${files++}.parquet`), sql);

type Refusal = readonly [what: string, content: string | Uint8Array, code: SklarErrorCode, message: string];

describe('CSV', () => {
  test.each<[string, string | Uint8Array, unknown, ReadTableOptions?]>([
    ['a plain file', 'a,b\n1,2.5\n3,4\n', { names: ['a', 'b'], kinds: 'if', columns: [[1, 3], [2.5, 4]] }], // prettier-ignore
    ['no line break at the end', 'a,b\n1,2', { names: ['a', 'b'], kinds: 'ii', columns: [[1], [2]] }],
    ['CRLF', 'a,b\r\n1,2\r\n', { names: ['a', 'b'], kinds: 'ii', columns: [[1], [2]] }],
    ['CR', 'a,b\r1,2\r', { names: ['a', 'b'], kinds: 'ii', columns: [[1], [2]] }],
    ['blank lines', '\n\na,b\n\n1,2\n\n', { names: ['a', 'b'], kinds: 'ii', columns: [[1], [2]] }],
    ['a byte order mark', '\ufeffa,b\n1,2\n', { names: ['a', 'b'], kinds: 'ii', columns: [[1], [2]] }],
    ['semicolons', 'a;b,c\n1;2\n', { names: ['a', 'b,c'], kinds: 'ii', columns: [[1], [2]] }],
    ['tabs', 'a\tb c\n1\t2\n', { names: ['a', 'b c'], kinds: 'ii', columns: [[1], [2]] }],
    ['one column', 'a\n1\n2\n', { names: ['a'], kinds: 'i', columns: [[1, 2]] }],
    ['quotes', '"a,""x""","b\nc"\n"1","2"\n', { names: ['a,"x"', 'b\nc'], kinds: 'ii', columns: [[1], [2]] }],
    ['forms of numbers', 'a\n+1\n-.5\n 2 \n1e3\n1E-2\n', { names: ['a'], kinds: 'f', columns: [[1, -0.5, 2, 1000, 0.01]] }], // prettier-ignore
    ['no header', '1.5,2\n3.5,4\n', { names: ['column1', 'column2'], kinds: 'fi', columns: [[1.5, 3.5], [2, 4]] }], // prettier-ignore
    ['unnamed columns of a data frame', ',0,1\n7,1,2\n', { names: ['', '0', '1'], kinds: 'iii', columns: [[7], [1], [2]] }], // prettier-ignore
    ['quoted numbers as header', '"2019","2020"\n1,2\n', { names: ['2019', '2020'], kinds: 'ii', columns: [[1], [2]] }], // prettier-ignore
    ['all numbers in quotes', '"1","2"\n"3","4"\n', { names: ['column1', 'column2'], kinds: 'ii', columns: [[1, 3], [2, 4]] }], // prettier-ignore
    ['numbers as header, if told', '2019,2020\n1,2\n', { names: ['2019', '2020'], kinds: 'ii', columns: [[1], [2]] }, { header: true }], // prettier-ignore
    ['another delimiter, if told', 'a b\n1 2\n', { names: ['a', 'b'], kinds: 'ii', columns: [[1], [2]] }, { delimiter: ' ' }], // prettier-ignore
    ['selected columns in their order', 'a,b,c\n1,x,3\n', { names: ['c', 'a'], kinds: 'ii', columns: [[3], [1]] }, { columns: ['c', 'a'] }], // prettier-ignore
    ['excluded columns', 'a,b,c\n1,x,3\n', { names: ['a', 'c'], kinds: 'ii', columns: [[1], [3]] }, { exclude: ['b'] }], // prettier-ignore
  ])('reads %s', async (...[, content, expected, options]) => {
    expect(plain(await read('csv', content, options))).toEqual(expected);
  });

  test('reads TSV, and gzip of either', async () => {
    const expected = { names: ['a,b', 'c'], kinds: 'ii', columns: [[1], [2]] };
    expect(plain(await read('tsv', 'a,b\tc\n1\t2\n'))).toEqual(expected);
    expect(plain(await read('TSV.GZ', gzipSync('a,b\tc\n1\t2\n')))).toEqual(expected);
    const parts = Buffer.concat([gzipSync('a,b\n1,2\n'), gzipSync('3,4\n')]);
    expect((await read('csv.gz', parts)).rows).toBe(2);
  });

  test('reads doubles exactly', async () => {
    const numbers = [0.1, 1 / 3, 5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, 123456789.12345679];
    expect([...(await read('csv', `x\n${numbers.join('\n')}\n`)).column('x')]).toEqual(numbers);
  });

  test('reads many columns and rows', async () => {
    const names = Array.from({ length: 1100 }, (_, j) => `name ${j}`);
    const wide = await read('csv', `${names.join(',')}\n${names.map((_, j) => j / 2).join(',')}\n`);
    expect(wide.names).toEqual(names);
    expect([...wide.columns.map((values) => values[0])]).toEqual(names.map((_, j) => j / 2));
    const rows = Array.from({ length: 300_000 }, (_, i) => `${i},${i / 4}`);
    const long = await read('csv', `i,x\n${rows.join('\n')}\n`);
    expect(long.rows).toBe(300_000);
    expect(long.column('i').every((value, i) => value === i)).toBe(true);
    expect(long.column('x').every((value, i) => value === i / 4)).toBe(true);
  });

  const deep = Array.from({ length: 100_000 }, (_, i) => `${i},${i}`);

  test.each<Refusal>([
    ['an empty file', '', 'ERR_SKLAR_FORMAT', 'got an empty file'],
    ['blank lines only', '\n\n\n', 'ERR_SKLAR_FORMAT', 'expected a header and rows of data, got none'],
    ['a header only', 'a,b\n', 'ERR_SKLAR_VALUE', 'expected at least one row of data, got none'],
    ['repeated names', 'a,b,a\n1,2,3\n', 'ERR_SKLAR_VALUE', 'got "a" twice (again as column 3)'],
    ['a short row', 'a,b\n1,2\n3\n', 'ERR_SKLAR_FORMAT', 'expected 2 fields in every row, got 1 (line 3 of'],
    [
      'a long row',
      'a,b\n1,2\n3,4,5\n',
      'ERR_SKLAR_FORMAT',
      'expected 2 fields in every row, got 3 (line 3 of',
    ],
    ['an open quote', 'a,b\n1,"2\n3,4\n', 'ERR_SKLAR_FORMAT', 'expected a quote to end its field, got none'],
    ['an open quote in the header', '"a,b\n1,2\n', 'ERR_SKLAR_FORMAT', 'expected a header and rows of data'],
    ['mixed line breaks', 'a,b\r\n1,2\n3,4\r\n', 'ERR_SKLAR_FORMAT', 'line breaks of different kinds'],
    ['Latin-1', Buffer.from('a,b\n1,\xe9\n', 'latin1'), 'ERR_SKLAR_FORMAT', 'encoded as UTF-8'],
    [
      'bytes that are not UTF-8 far down',
      Buffer.concat([
        Buffer.from(`a,b\n${deep.join('\n')}\n${deep.join('\n')}\n1,`),
        Buffer.from([0xff, 0x0a]),
      ]),
      'ERR_SKLAR_FORMAT',
      'encoded as UTF-8',
    ],
    [
      'a short row far down',
      `a,b\n${deep.join('\n')}\n1\n`,
      'ERR_SKLAR_FORMAT',
      'expected 2 fields in every row, got 1 (line 100002 of',
    ],
  ])('refuses %s', async (_, content, code, message) => {
    expect((await sklarError(() => read('csv', content), code)).message).toContain(message);
  });

  test('refuses damaged gzip data, which DuckDB would read up to the damage', async () => {
    const packed = gzipSync(`a,b\n${deep.join('\n')}\n`);
    expect((await read('csv.gz', packed)).rows).toBe(100_000);
    const cut = await sklarError(
      () => read('csv.gz', packed.subarray(0, packed.length / 2)),
      'ERR_SKLAR_FORMAT',
    );
    expect(cut.message).toContain('expected gzip data, got data that end too early');
    for (const position of [packed.length >> 1, packed.length - 6]) {
      const damaged = Buffer.from(packed);
      damaged[position]! ^= 0x10;
      await sklarError(() => read('csv.gz', damaged), 'ERR_SKLAR_FORMAT');
    }
    await sklarError(() => read('csv.gz', 'a,b\n1,2\n'), 'ERR_SKLAR_FORMAT');
  });

  test.each(['', ',,', '"', '\n', 7 as any])('refuses the delimiter %p', async (delimiter) => {
    await sklarError(() => read('csv', 'a,b\n1,2\n', { delimiter }), 'ERR_SKLAR_VALUE');
  });
});

describe('JSON', () => {
  const expected = { names: ['a', 'b'], kinds: 'if', columns: [[1, 2], [2.5, 3]] }; // prettier-ignore

  test.each([
    ['an array', 'json', '[{"a": 1, "b": 2.5}, {"a": 2, "b": 3}]'],
    ['an array with spaces and a mark', 'json', '\ufeff [ {"a":1,"b":2.5}\n,\r\n\t{"b":3,"a":2} ] \n'],
    ['objects one a line', 'ndjson', '{"a":1,"b":2.5}\n{"a":2,"b":3}'],
    ['objects one a line in .json', 'json', '{"a":1,"b":2.5}\n{"a":2,"b":3}\n'],
    ['objects one a line in .jsonl', 'jsonl', '{"a":1,\n"b":2.5}\n\n{"a":2,"b":3}\n'],
  ])('reads %s', async (_, ending, content) => {
    expect(plain(await read(ending, content))).toEqual(expected);
    expect(plain(await read(`${ending}.gz`, gzipSync(content)))).toEqual(expected);
  });

  test('reads booleans as 0 and 1, and any names', async () => {
    const table = await read('json', '[{"":true,"__proto__":false,"a\\"}{":-1e-3}]', { exclude: [] });
    expect(plain(table)).toEqual({
      names: ['', '__proto__', 'a"}{'],
      kinds: 'iif',
      columns: [[1], [0], [-0.001]],
    });
  });

  test('selects and excludes', async () => {
    const content = '[{"a":1,"b":"x","c":null,"d":4}]';
    expect((await read('json', content, { columns: ['d', 'a'] })).names).toEqual(['d', 'a']);
    expect((await read('json', content, { exclude: ['b', 'c'] })).names).toEqual(['a', 'd']);
  });

  test('reads files of many pieces', async () => {
    const rows = Array.from({ length: 100_000 }, (_, i) => `{"i":${i},"text \\\\ \\" { é":${i / 8}}`);
    for (const [ending, content] of [
      ['json', `[${rows.join(', ')}]`],
      ['ndjson', rows.join('\n')],
    ] as const) {
      const table = await read(ending, content);
      expect(table.rows).toBe(100_000);
      expect(table.column('i').every((value, i) => value === i)).toBe(true);
      expect(table.column('text \\ " { é').every((value, i) => value === i / 8)).toBe(true);
    }
  });

  test.each<Refusal>([
    ['an empty file', '', 'ERR_SKLAR_FORMAT', 'got an empty file'],
    ['an empty array', '[]', 'ERR_SKLAR_VALUE', 'expected at least one row of data'],
    ['only spaces', ' \n', 'ERR_SKLAR_VALUE', 'expected at least one row of data'],
    ['objects without keys', '[{}, {}]', 'ERR_SKLAR_VALUE', 'expected at least one column'],
    ['numbers', '[1, 2]', 'ERR_SKLAR_FORMAT', 'got "1" (before the first object of'],
    ['arrays', '[[1, 2]]', 'ERR_SKLAR_FORMAT', 'got "[" (before the first object of'],
    ['an open array', '[{"a":1}', 'ERR_SKLAR_FORMAT', 'got the end of the file (after object 1 of'],
    ['an open object', '{"a":1}{"a"', 'ERR_SKLAR_FORMAT', 'got the end of the file (after object 1 of'],
    ['a comma too many', '[{"a":1},]', 'ERR_SKLAR_FORMAT', 'got "]" (after object 1 of'],
    ['a comma too early', '[,{"a":1}]', 'ERR_SKLAR_FORMAT', 'got "," (before the first object of'],
    ['a comma missing', '[{"a":1}{"a":2}]', 'ERR_SKLAR_FORMAT', 'got "{" (after object 1 of'],
    ['commas between lines', '{"a":1},\n{"a":2}', 'ERR_SKLAR_FORMAT', 'got "," (after object 1 of'],
    ['something after the array', '[{"a":1}] [', 'ERR_SKLAR_FORMAT', 'got "[" (after object 1 of'],
    ['two arrays', '[{"a":1}] {"a":1}', 'ERR_SKLAR_FORMAT', 'got "{" (after object 1 of'],
    ['an object that is no JSON', '[{"a":1}, {a:1}]', 'ERR_SKLAR_FORMAT', '(object 2 of'],
    ['NaN', '[{"a":NaN}]', 'ERR_SKLAR_FORMAT', 'expected JSON, got SyntaxError'],
    ['Latin-1', Buffer.from('[{"\xe9":1}]', 'latin1'), 'ERR_SKLAR_FORMAT', 'encoded as UTF-8'],
  ])('refuses %s', async (_, content, code, message) => {
    expect((await sklarError(() => read('json', content), code)).message).toContain(message);
  });

  test('refuses damaged gzip data', async () => {
    const packed = gzipSync('[{"a":1}]');
    await sklarError(() => read('json.gz', packed.subarray(0, -9)), 'ERR_SKLAR_FORMAT');
  });
});

describe('Parquet', () => {
  test('turns all types of numbers into numbers', async () => {
    const file = await parquet(
      `SELECT 1::TINYINT AS a, 2::UINTEGER AS b, -3::BIGINT AS c, 4::HUGEINT AS d, 5.25::DECIMAL(10, 2) AS e,
       6::DECIMAL(5, 0) AS f, 0.1::FLOAT AS g, 0.1::DOUBLE AS h, true AS i, 9007199254740991::BIGINT AS j`,
    );
    const table = await readTable(file);
    expect(table.columns.map((values) => values[0])).toEqual([
      1,
      2,
      -3,
      4,
      5.25,
      6,
      Math.fround(0.1),
      0.1,
      1,
      9007199254740991,
    ]);
    // DuckDB stores HUGEINT as DOUBLE
    expect(table.kinds.map((kind) => kind[0]).join('')).toBe('iiiffiffii');
  });

  test('reads many rows in their order, of some columns', async () => {
    const file = await parquet(
      'SELECT i, i / 2 AS half, i::VARCHAR AS word, -i AS minus FROM range(500000) t(i)',
    );
    const table = await readTable(file, { columns: ['minus', 'half'] });
    expect(table.names).toEqual(['minus', 'half']);
    expect(table.rows).toBe(500_000);
    expect(table.column('minus').every((value, i) => value === -i)).toBe(true);
    expect(table.column('half').every((value, i) => value === i / 2)).toBe(true);
  });

  test('finds columns behind nested ones', async () => {
    const file = await parquet(
      `SELECT 1 AS a, {'x': 1, 'y': {'z': [1, 2]}} AS s, 2 AS b, MAP {'k': 1} AS m, [3] AS l, 4 AS c`,
    );
    const table = await readTable(file, { exclude: ['s', 'm', 'l'] });
    expect(plain(table)).toEqual({ names: ['a', 'b', 'c'], kinds: 'iii', columns: [[1], [2], [4]] });
    // what is nested is a text, which a note says
    const notes: string[] = [];
    const onNote = ({ message }: { message: string }) => notes.push(message);
    expect((await readTable(file, { onNote })).names).toEqual(['a', 's', 'b', 'm', 'l', 'c']);
    expect(notes).toEqual(
      ['"s" holds structures', '"m" holds maps', '"l" holds lists'].map(
        (what) => `column ${what}, which were taken for texts`,
      ),
    );
  });

  test('says which types are taken for texts, unless it is asked for', async () => {
    const file = await parquet(
      `SELECT to_days(i::INT) AS span, ('ab' || i)::BLOB AS bytes, 'x' AS word, uuid() AS one, i AS n FROM range(9) t(i)`,
    );
    const said = async (options: ReadTableOptions) => {
      const columns: string[] = [];
      await readTable(file, { ...options, onNote: (note) => columns.push(...note.columns) });
      return columns;
    };
    expect(await said({})).toEqual(['span', 'bytes']);
    expect(await said({ types: { span: 'category' }, exclude: ['bytes'] })).toEqual([]);
  });

  test('times of a day that are marked as of UTC are times of a day', async () => {
    const file = await parquet(`SELECT '12:30:00.25+02'::TIMETZ AS at, 1 AS n FROM range(3)`);
    const table = await readTable(file);
    expect(table.type('at')).toEqual({ type: 'time', format: 'HH:mm:ss.SSS' });
    expect(Array.from(table.column('at'))).toEqual([37_800.25, 37_800.25, 37_800.25]);
    expect(table.text('at', 0)).toBe('10:30:00.250');
  });

  test('keeps names that differ in case only, and refuses equal ones', async () => {
    const write = async (names: string[]): Promise<string> => {
      const file = folder.file(`${files++}.parquet`);
      const output = await AtomicFile.open(file);
      const writer = new ParquetWriter(output, names, [{ type: 'number' }, { type: 'number' }]);
      await writer.append(1, (_, j) => j, [{ type: 'number' }, { type: 'number' }]);
      await writer.end();
      await output.commit();
      return file;
    };
    expect(plain(await readTable(await write(['a', 'A'])))).toMatchObject({
      names: ['a', 'A'],
      columns: [[0], [1]],
    });
    const file = await write(['a', 'a']);
    const error = await sklarError(() => readTable(file), 'ERR_SKLAR_VALUE');
    expect(error.message).toContain('got "a" twice (again as column 2)');
  });

  test.each([['SELECT 1 AS x WHERE false', 'expected at least one row of data, got none']])(
    'refuses the values of %s',
    async (sql, message) => {
      const file = await parquet(sql);
      expect((await sklarError(() => readTable(file), 'ERR_SKLAR_VALUE')).message).toContain(message);
    },
  );

  test('refuses damage between the rows', async () => {
    const sql = 'SELECT (i * 7919) % 1000 AS a, i % 13 AS b FROM range(500000) t(i)';
    const damaged = readFileSync(await parquet(sql));
    damaged.fill(0x5a, Math.floor(damaged.length * 0.6), Math.floor(damaged.length * 0.7));
    const file = folder.file('damaged.parquet', damaged);
    // which of the damaged pages is met first is up to DuckDB's threads, so that two reads may differ in their message
    await sklarError(() => readTable(file), 'ERR_SKLAR_FORMAT');
    await sklarError(async () => {
      using reader = await TableReader.open(file);
      for await (const { rows } of reader.batches()) expect(rows).toBeGreaterThan(0);
    }, 'ERR_SKLAR_FORMAT');
  });

  test('refuses what is no Parquet', async () => {
    const whole = readFileSync(await parquet('SELECT i AS x, random() AS y FROM range(1000) t(i)'));
    const contents: Uint8Array[] = [Buffer.from('PAR1'), Buffer.alloc(1000, 7), Buffer.from('a,b\n1,2\n')];
    for (const length of [4, 100, whole.length - 8, whole.length - 1])
      contents.push(whole.subarray(0, length));
    const badFooter = Buffer.from(whole);
    badFooter.fill(0xff, whole.length - 40, whole.length - 8);
    contents.push(badFooter);
    for (const content of contents) await sklarError(() => read('parquet', content), 'ERR_SKLAR_FORMAT');
  });
});

describe('columns', () => {
  test.each<[string, ReadTableOptions, string]>([
    ['unknown', { columns: ['a', 'x', 'y'] }, 'for columns, got "x", "y" ('],
    ['unknown in another case', { columns: ['A'] }, 'available: "a", "b"'],
    ['unknown and excluded', { exclude: ['z'] }, 'for exclude, got "z" ('],
    ['repeated', { columns: ['a', 'a'] }, 'got "a" twice'],
    ['none', { columns: [] }, 'expected at least one column to remain'],
    ['all excluded', { exclude: ['b', 'a'] }, 'expected at least one column to remain'],
    ['not a list', { columns: 'a' as any }, 'expected an array of column names for columns, got "a"'],
    ['not texts', { columns: [1 as any] }, 'expected texts for columns, got 1'],
  ])('that are %s are refused in every format', async (_, options, message) => {
    const table = Table.fromColumns({ a: [1], b: [2] });
    for (const ending of ['csv', 'json', 'parquet']) {
      const file = folder.file(`columns.${ending}`);
      await writeTable(table, file);
      expect((await sklarError(() => readTable(file, options), 'ERR_SKLAR_VALUE')).message).toContain(
        message,
      );
    }
  });
});

describe('files', () => {
  const table = Table.fromColumns({ x: [1, 2], y: [3, 4] });

  test.each(['csv', 'json', 'parquet'])(
    'a missing %s, a folder and a file without permission',
    async (ending) => {
      const missing = await sklarError(() => readTable(folder.file(`missing.${ending}`)), 'ERR_SKLAR_FILE');
      expect(missing.message).toContain('it does not exist');
      mkdirSync(folder.file(`folder.${ending}`));
      const directory = await sklarError(() => readTable(folder.file(`folder.${ending}`)), 'ERR_SKLAR_FILE');
      expect(directory.message).toContain('no file in this folder');
      if (process.getuid?.() === 0) return; // root may read everything
      const secret = folder.file(`secret.${ending}`, 'x\n1\n');
      chmodSync(secret, 0);
      const denied = await sklarError(() => readTable(secret), 'ERR_SKLAR_FILE');
      expect(denied.message).toContain('permission denied');
    },
  );

  test.each(['x.xlsx', 'x', 'x.parquet.gz', 'csv', 'https://example.org/x', 'x.csv.zip'])(
    '%p is not a known ending',
    async (name) => {
      await sklarError(() => readTable(folder.file(name)), 'ERR_SKLAR_FILE');
    },
  );

  test.each(['', 'a\0.csv', 3 as any, null as any])('%p is not a path', async (name) => {
    await sklarError(() => readTable(name), 'ERR_SKLAR_VALUE');
  });

  // Each beside files that it would match as a pattern.
  const names = [
    'a*', 'a?', '[ab]', '[!a]', '[', ']', '**', 'a{b,c}', '~', '$HOME', '%41', "it's", '"quoted"', 'two\nlines', 'a;b', '--',
    ' ', 'größe \u{1f600}', 's3:', 'year=2020', '-', "');DROP TABLE x;--", 'a\\b', 'a\\b*',
  ]; // prettier-ignore

  test.each(['csv', 'csv.gz', 'json', 'parquet'])('any name of a %s means that file', async (ending) => {
    const plainEnding = ending.replace('.gz', '');
    const content = async (source: Table): Promise<Buffer> => {
      const file = folder.file(`content.${plainEnding}`);
      await writeTable(source, file);
      const bytes = readFileSync(file);
      return ending.endsWith('.gz') ? gzipSync(bytes) : bytes;
    };
    const right = await content(table);
    const wrong = await content(table.select(['x']));
    const root = folder.file(`names-${ending}`);
    mkdirSync(root);
    for (const decoy of ['a', 'b', 'ab', 'abc', 'ac'])
      folder.file(path.join(`names-${ending}`, `${decoy}.${ending}`), wrong);
    for (const name of process.platform === 'win32' ? [] : names) {
      const file = path.join(root, `${name}.${ending}`);
      folder.file(path.relative(folder.path, file), right);
      expect([name, (await readTable(file)).names]).toEqual([name, ['x', 'y']]);
      // The same as the name of a folder, with a column-like name inside.
      const inner = path.join(root, `${name} folder`, 'z=1');
      mkdirSync(inner, { recursive: true });
      folder.file(path.relative(folder.path, path.join(inner, `f.${ending}`)), right);
      expect((await readTable(path.join(inner, `f.${ending}`))).names).toEqual(['x', 'y']);
    }
  });

  test('a relative path', async () => {
    const file = folder.file('relative.csv');
    await writeTable(table, file);
    expect((await readTable(path.relative(process.cwd(), file))).rows).toBe(2);
  });
});

describe('signal', () => {
  test('rejects with the reason, before and during reading', async () => {
    const rows = Array.from({ length: 400_000 }, (_, i) => `${i},${i / 3},${i / 7}`);
    const files = [
      folder.file('signal.csv', `a,b,c\n${rows.join('\n')}\n`),
      folder.file('signal.ndjson', rows.map((row) => `{"a":${row.split(',')[1]}}`).join('\n')),
      await parquet('SELECT i AS a, random() AS b FROM range(3000000) t(i)'),
    ];
    for (const file of files) {
      const reason = new Error('enough');
      await expect(readTable(file, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
      const controller = new AbortController();
      const reading = readTable(file, { signal: controller.signal });
      setTimeout(() => controller.abort(reason), 30);
      await expect(reading).rejects.toBe(reason);
      expect((await readTable(file)).rows).toBeGreaterThan(0);
    }
  });
});

describe('DuckDB', () => {
  test('is asked for by name when it is missing', async () => {
    await jest.isolateModulesAsync(async () => {
      jest.doMock('@duckdb/node-api', () => {
        throw new Error("Cannot find module '@duckdb/node-api'");
      });
      const isolated = jest.requireActual<{ readTable: typeof readTable }>(
        '../../lib/data/formats/read-table',
      );
      const file = folder.file('needs-duckdb.csv', 'a\n1\n');
      await expect(isolated.readTable(file)).rejects.toMatchObject({
        code: 'ERR_SKLAR_FILE',
        message: expect.stringContaining('npm install @duckdb/node-api'),
      });
      const json = folder.file('needs-nothing.json', '[{"a":1}]');
      expect((await isolated.readTable(json)).rows).toBe(1);
    });
    jest.dontMock('@duckdb/node-api');
  });
});
