import { chmodSync, lstatSync, mkdirSync, readFileSync, statSync, symlinkSync } from 'node:fs';
import path from 'node:path';

import { DuckDBInstance } from '@duckdb/node-api';
import fc from 'fast-check';

import { fromRows } from '../../lib/matrix';
import { readTable } from '../../lib/data/formats/read-table';
import { Table } from '../../lib/data/table';
import type { ColumnKind } from '../../lib/data/columns/column-type';
import { TableWriter, writeTable } from '../../lib/data/formats/write-table';
import { HOSTILE_NAMES, TemporaryFolder, sklarError } from './support';

const folder = new TemporaryFolder();
const FORMATS = ['csv', 'tsv', 'json', 'ndjson', 'jsonl', 'parquet'];

const small = new Table(
  ['x', 'n'],
  [Float64Array.of(0.1, -2.5e-300, 1e21), Float64Array.of(-1, 0, 2 ** 53 - 1)],
  ['float', 'integer'],
);

/** Every column of `got` has the values of `expected`, -0 and 0 being the same. */
function expectSameValues(got: Table, expected: Table): void {
  expect(got.rows).toBe(expected.rows);
  for (const name of expected.names) {
    const values = expected.column(name);
    expect(got.column(name).findIndex((value, i) => value !== values[i])).toBe(-1);
  }
}

describe('formats', () => {
  test('CSV', async () => {
    await writeTable(small, folder.file('small.csv'));
    expect(readFileSync(folder.file('small.csv'), 'utf8')).toBe(
      'x,n\n0.1,-1\n-2.5e-300,0\n1e+21,9007199254740991\n',
    );
  });

  test('TSV', async () => {
    await writeTable(small.take([0]), folder.file('small.tsv'));
    expect(readFileSync(folder.file('small.tsv'), 'utf8')).toBe('x\tn\n0.1\t-1\n');
  });

  test('JSON', async () => {
    await writeTable(small.take([0, 1]), folder.file('small.json'));
    const text = readFileSync(folder.file('small.json'), 'utf8');
    expect(text).toBe('[\n{"x":0.1,"n":-1},\n{"x":-2.5e-300,"n":0}\n]\n');
    await writeTable(small.take([]), folder.file('none.json'));
    expect(JSON.parse(readFileSync(folder.file('none.json'), 'utf8'))).toEqual([]);
  });

  test('NDJSON', async () => {
    await writeTable(small.take([0, 1]), folder.file('small.ndjson'));
    expect(readFileSync(folder.file('small.ndjson'), 'utf8')).toBe(
      '{"x":0.1,"n":-1}\n{"x":-2.5e-300,"n":0}\n',
    );
  });

  test('Parquet has the types of the kinds, as DuckDB sees them', async () => {
    const file = folder.file('small.parquet');
    await writeTable(small, file);
    const connection = await (await DuckDBInstance.create()).connect();
    const reader = await connection.runAndReadAll('SELECT * FROM read_parquet($1)', [file]);
    expect(reader.columnTypes().map(String)).toEqual(['DOUBLE', 'BIGINT']);
    expect(reader.getRows()).toEqual([
      [0.1, -1n],
      [-2.5e-300, 0n],
      [1e21, 2n ** 53n - 1n],
    ]);
    connection.closeSync();
  });

  test.each(FORMATS)('%s reads back as it was', async (format) => {
    const names = fc.uniqueArray(fc.string({ unit: 'grapheme' }), { minLength: 1, maxLength: 5 });
    const rows = fc.integer({ min: 1, max: 20 });
    let run = 0;
    await fc.assert(
      fc.asyncProperty(
        names,
        rows,
        fc.infiniteStream(fc.double({ noNaN: true, noDefaultInfinity: true })),
        async (names, rows, values) => {
          const next = (): number => values.next().value as number;
          const table = new Table(
            names,
            names.map((_, j) =>
              Float64Array.from({ length: rows }, () => (j === 1 ? Math.trunc(next() % 2 ** 53) : next())),
            ),
            names.map((_, j): ColumnKind => (j === 1 ? 'integer' : 'float')),
          );
          const file = folder.file(`round-trip-${run++}.${format}`);
          await writeTable(table, file);
          const back = await readTable(file, { header: true });
          expect([...back.names].sort()).toEqual([...names].sort());
          expectSameValues(back, table);
          if (format === 'parquet') {
            expect(back.names).toEqual(names);
            expect(back.kinds).toEqual(table.kinds);
          }
        },
      ),
      { numRuns: 40 },
    );
  });

  test.each(FORMATS)('%s keeps hostile names', async (format) => {
    const table = Table.fromColumns(HOSTILE_NAMES.map((name, j) => [name, [j, j + 0.5]] as const));
    const file = folder.file(`hostile.${format}`);
    await writeTable(table, file);
    const back = await readTable(file);
    expect(back.names).toEqual(HOSTILE_NAMES);
    expectSameValues(back, table);
    const picked = await readTable(file, {
      columns: ['__proto__', '', '"; DROP TABLE x; --'],
      exclude: [''],
    });
    expect(picked.names).toEqual(['__proto__', '"; DROP TABLE x; --']);
    expectSameValues(picked, table.select(picked.names));
  });

  test.each(['csv', 'tsv', 'parquet'])('%s keeps names that look like numbers', async (format) => {
    const table = Table.fromColumns([
      ['2019', [1, 2]],
      ['2020', [3, 4]],
      ['1e3', [5, 6]],
    ] as const);
    const file = folder.file(`years.${format}`);
    await writeTable(table, file);
    expect((await readTable(file)).names).toEqual(table.names);
  });

  test('values that are not finite', async () => {
    const table = Table.fromColumns({ x: [NaN, Infinity, -Infinity, 1] });
    await writeTable(table, folder.file('odd.csv'));
    expect(readFileSync(folder.file('odd.csv'), 'utf8')).toBe('x\n\ninf\n-inf\n1\n');
    await writeTable(table, folder.file('odd.parquet'));
    const connection = await (await DuckDBInstance.create()).connect();
    const reader = await connection.runAndReadAll('SELECT * FROM read_parquet($1)', [
      folder.file('odd.parquet'),
    ]);
    expect(reader.getColumns()).toEqual([[null, Infinity, -Infinity, 1]]);
    connection.closeSync();
    const error = await sklarError(() => writeTable(table, folder.file('odd.json')), 'ERR_SKLAR_VALUE');
    expect(error.message).toBe(
      'expected finite numbers for a JSON file, got Infinity (column "x", row 2); CSV and Parquet can hold it',
    );
  });

  test('Parquet of several row groups and of many columns', async () => {
    const long = new Table(
      ['x', 'n'],
      [
        Float64Array.from({ length: 1_200_000 }, (_, i) => i / 7),
        Float64Array.from({ length: 1_200_000 }, (_, i) => i - 5),
      ],
      ['float', 'integer'],
    );
    await writeTable(long, folder.file('long.parquet'));
    expectSameValues(await readTable(folder.file('long.parquet')), long);
    const wide = Table.fromMatrix(fromRows([Array.from({ length: 3000 }, (_, j) => j)]));
    await writeTable(wide, folder.file('wide.parquet'));
    const back = await readTable(folder.file('wide.parquet'));
    expect(back.names).toEqual(wide.names);
    expectSameValues(back, wide);
  });
});

describe('TableWriter', () => {
  test.each(FORMATS)('appends tables and matrices to %s', async (format) => {
    const file = folder.file(`pieces.${format}`);
    const writer = await TableWriter.open(file, ['x', 'n'], { types: ['float', 'integer'] });
    await writer.append(small);
    await writer.append(fromRows([[0.25, 7]]));
    await writer.append({ data: Float32Array.of(0.5, 8, 0.75, 9), rows: 2, columns: 2, names: ['x', 'n'] });
    await writer.append(small.take([]));
    expect(folder.list()).not.toContain(path.basename(file));
    await writer.close();
    const back = await readTable(file);
    expect([...back.column('x')]).toEqual([0.1, -2.5e-300, 1e21, 0.25, 0.5, 0.75]);
    expect([...back.column('n')]).toEqual([-1, 0, 2 ** 53 - 1, 7, 8, 9]);
    expect(back.kinds).toEqual(['float', 'integer']);
  });

  const temporary = (): string[] => folder.list().filter((name) => name.startsWith('.sklar-'));

  test.each(FORMATS)('a failed or aborted %s leaves what was there before', async (format) => {
    const file = folder.file(`kept.${format}`, 'before');
    const aborted = await TableWriter.open(file, ['x']);
    await aborted.append(fromRows([[1]]));
    expect(temporary()).toHaveLength(1);
    await aborted.abort();
    await aborted.abort();
    const failed = await TableWriter.open(file, ['x'], { types: ['integer'] });
    await sklarError(() => failed.append(fromRows([[1], [1.5]])), 'ERR_SKLAR_VALUE');
    await sklarError(() => failed.append(fromRows([[1]])), 'ERR_SKLAR_DISPOSED');
    await sklarError(() => failed.close(), 'ERR_SKLAR_DISPOSED');
    expect(temporary()).toEqual([]);
    expect(readFileSync(file, 'utf8')).toBe('before');
  });

  test('a writer that leaves its scope leaves no file', async () => {
    const writer = await TableWriter.open(folder.file('scope.csv'), ['x']);
    await writer[Symbol.asyncDispose]();
    expect(folder.list()).not.toContain('scope.csv');
    const closed = await TableWriter.open(folder.file('scope.csv'), ['x']);
    await closed.append(fromRows([[1]]));
    await closed.close();
    await closed[Symbol.asyncDispose]();
    expect(folder.list()).toContain('scope.csv');
    expect(temporary()).toEqual([]);
  });

  test('a writer that is aborted amid a call says so, and leaves what was there before', async () => {
    const file = folder.file('amid.csv', 'before');
    const rows = fromRows(Array.from({ length: 100_000 }, (_, i) => [Math.sin(i)]));
    for (const work of [
      (writer: TableWriter) => writer.append(rows),
      (writer: TableWriter) => writer.close(),
    ]) {
      const writer = await TableWriter.open(file, ['x']);
      const refused = sklarError(() => work(writer), 'ERR_SKLAR_DISPOSED');
      await writer.abort();
      await refused;
    }
    expect(temporary()).toEqual([]);
    expect(readFileSync(file, 'utf8')).toBe('before');
  });

  test('calls must not overlap', async () => {
    const writer = await TableWriter.open(folder.file('overlap.csv'), ['x']);
    const first = writer.append(fromRows([[1]]));
    await sklarError(() => writer.append(fromRows([[2]])), 'ERR_SKLAR_VALUE');
    await first;
    await writer.close();
    expect([...(await readTable(folder.file('overlap.csv'))).column('x')]).toEqual([1]);
  });

  test('refuses columns of another table', async () => {
    const open = (): Promise<TableWriter> => TableWriter.open(folder.file('shape.csv'), ['x', 'n']);
    const narrow = await sklarError(async () => (await open()).append(fromRows([[1]])), 'ERR_SKLAR_SHAPE');
    expect(narrow.message).toBe('expected 2 columns, got 1');
    const other = await sklarError(
      async () => (await open()).append(small.select(['n', 'x'])),
      'ERR_SKLAR_SHAPE',
    );
    expect(other.message).toBe('expected "x" as column 1, got "n"');
    expect(temporary()).toEqual([]);
  });

  test.each<
    [string, () => Promise<unknown>, 'ERR_SKLAR_FILE' | 'ERR_SKLAR_VALUE' | 'ERR_SKLAR_SHAPE', string]
  >([
    [
      'an unknown ending',
      () => writeTable(small, folder.file('x.xlsx')),
      'ERR_SKLAR_FILE',
      'file name ending in .csv',
    ],
    ['no ending', () => writeTable(small, folder.file('csv')), 'ERR_SKLAR_FILE', 'file name ending in .csv'],
    ['no name', () => writeTable(small, ''), 'ERR_SKLAR_VALUE', 'expected a path for the file, got ""'],
    [
      'a folder that does not exist',
      () => writeTable(small, folder.file('no/x.csv')),
      'ERR_SKLAR_FILE',
      'its folder does not exist',
    ],
    [
      'repeated names',
      () => TableWriter.open(folder.file('x.csv'), ['a', 'a']),
      'ERR_SKLAR_VALUE',
      '"a" twice',
    ],
    ['no names', () => TableWriter.open(folder.file('x.csv'), []), 'ERR_SKLAR_SHAPE', 'at least one name'],
    [
      'too few types',
      () => TableWriter.open(folder.file('x.csv'), ['a'], { types: [] }),
      'ERR_SKLAR_SHAPE',
      '0 types',
    ],
    [
      'half a character',
      () => TableWriter.open(folder.file('x.csv'), ['\ud800']),
      'ERR_SKLAR_VALUE',
      'valid Unicode',
    ],
  ])('refuses %s', async (_, work, code, message) => {
    expect((await sklarError(work, code)).message).toContain(message);
  });
});

describe('files', () => {
  test('a folder is no file', async () => {
    mkdirSync(folder.file('folder.csv'));
    const error = await sklarError(() => writeTable(small, folder.file('folder.csv')), 'ERR_SKLAR_FILE');
    expect(error.message).toContain('it is a directory');
  });

  test('a replaced file keeps its permissions, a symbolic link stays one', async () => {
    const target = folder.file('target.csv', 'before');
    chmodSync(target, 0o600);
    const link = folder.file('link.csv');
    symlinkSync(target, link);
    await writeTable(small, link);
    expect(lstatSync(link).isSymbolicLink()).toBe(true);
    expect(statSync(target).mode & 0o777).toBe(0o600);
    expect(readFileSync(target, 'utf8')).toMatch(/^x,n\n/);
  });

  test('where a symbolic link leads to nothing yet, that is written, and the link stays', async () => {
    mkdirSync(folder.file('later'));
    symlinkSync('later/second.csv', folder.file('first.csv'));
    symlinkSync('third.csv', folder.file('later/second.csv'));
    await writeTable(small, folder.file('first.csv'));
    for (const link of ['first.csv', 'later/second.csv'])
      expect(lstatSync(folder.file(link)).isSymbolicLink()).toBe(true);
    expectSameValues(await readTable(folder.file('later/third.csv')), small);
    symlinkSync('circle.csv', folder.file('circle.csv'));
    const error = await sklarError(() => writeTable(small, folder.file('circle.csv')), 'ERR_SKLAR_FILE');
    expect(error.message).toContain('too many symbolic links');
  });

  test('any name will do', async () => {
    for (const name of [
      "it's [a] *?.csv",
      'größe \u{1f600}.parquet',
      `${'n'.repeat(240)}.json`,
      '.csv',
      ' .csv',
    ]) {
      await writeTable(small, folder.file(name));
      expectSameValues(await readTable(folder.file(name)), small);
    }
  });

  const full = process.platform === 'linux' ? test : test.skip;
  full('a full device is an error', async () => {
    const link = folder.file('full.csv');
    symlinkSync('/dev/full', link);
    const error = await sklarError(() => writeTable(small, link), 'ERR_SKLAR_FILE');
    expect(error.message).toContain('no space left on the device');
  });
});
