/** Numbers that a file writes in ways that a double, or a careless reader, does not keep. */
import path from 'node:path';

import fc from 'fast-check';

import { type Note } from '../../lib';
import { sklar, sklarFails } from '../cli/support';
import { isRounded } from '../../lib/data/columns/plain-number';
import { names } from '../../lib/cli/terminal/values';
import { TemporaryFolder, readBoth, sklarError, writeParquet } from './support';

const folder = new TemporaryFolder();
let files = 0;
const write = (ending: string, content: string) => folder.file(`${files++}.${ending}`, content);

const parquet = (sql: string): Promise<string> => writeParquet(folder.file(`${files++}.parquet`), sql);

describe('integers beyond 2^53', () => {
  const lost = '9007199254740993';
  test.each([
    ['csv', `id,a\n1,2\n3,4\n${lost},5\n`],
    ['tsv', `id\ta\n1\t2\n3\t4\n-${lost}\t5\n`],
    ['csv', `id,a\n1,2\n3,4\n${lost}.0,5\n`],
    ['json', `[{"id":1,"a":2},{"id":3,"a":4},{"id":${lost},"a":5}]`],
    ['json', `[{"id":1,"a":2},{"id":3,"a":4},{"x":{"id":7},"s":"\\"id\\":1","id" : ${lost},"a":5}]`],
    ['ndjson', `{"id":1,"a":2}\n{"id":3,"a":4}\n{"a":5,"id":${lost}}\n`],
  ])('are names in %s, with all their digits: %j', async (ending, content) => {
    const notes: Note[] = [];
    const file = write(ending, content);
    const options = content.includes('"x"') ? { exclude: ['x', 's'] } : {};
    const table = await readBoth(file, { ...options, onNote: (note) => notes.push(note) });
    expect(table.type('id').type).toBe('category');
    expect(table.text('id', 2)).toContain(lost);
    expect(notes[0]!.message).toContain('integers beyond 2^53 would be rounded');
  });

  test('are labels where they recur as numbers do', async () => {
    const file = write('csv', `id,a\n1,2\n3,4\n${`${lost},5\n`.repeat(5)}`);
    const notes: Note[] = [];
    const table = await readBoth(file, { onNote: (note) => notes.push(note) });
    expect(table.type('id').type).toBe('category');
    expect(table.text('id', 6)).toBe(lost);
    expect(notes[0]!.message).toContain('so that they were taken for labels');
  });

  test.each([
    ['BIGINT', `${lost}`],
    ['UBIGINT', '18446744073709551615'],
    ['DECIMAL(38, 0)', '12345678901234567891'],
    ['DECIMAL(30, 2)', '12345678901234567891'],
  ])('are kept in Parquet: %s', async (type, value) => {
    const file = await parquet(`SELECT CAST(x AS ${type}) AS id, 1 AS a FROM (VALUES (1), (${value})) t(x)`);
    expect((await readBoth(file)).text('id', 1)).toContain(value);
  });

  test('are kept where a double holds them', async () => {
    const content = 'id,a\n9007199254740992,1\n18014398509481984,2\n1e300,3\n123456789012345678901234.5,4\n';
    const table = await readBoth(write('csv', content));
    expect([...table.column('id')]).toEqual([2 ** 53, 2 ** 54, 1e300, Number('123456789012345678901234.5')]);
    const json = await readBoth(write('ndjson', '{"id":18014398509481984}\n{"id":1e300}\n'));
    expect([...json.column('id')]).toEqual([2 ** 54, 1e300]);
    const file = await parquet('SELECT CAST(18014398509481984 AS BIGINT) AS id');
    expect([...(await readBoth(file)).column('id')]).toEqual([2 ** 54]);
  });

  test('isRounded agrees with exact arithmetic', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(10n ** 40n), max: 10n ** 40n }), (value) => {
        const [digits, number] = [String(value), Number(value)];
        // what a double is written as is not rounded
        expect(isRounded(digits)).toBe(BigInt(number) !== value && String(number) !== digits);
      }),
    );
    expect(isRounded('9_007_199_254_740_993')).toBe(false);
    expect(isRounded('1.5')).toBe(false);
  });
});

describe('numbers too small for a double', () => {
  test.each([
    ['csv', 'p,a\n0.5,1\n0,2\n3e-400,3\n', '3e-400'],
    ['csv', `p,a\n0.5,1\n0e-400,2\n-0.${'0'.repeat(400)}1,3\n`, '-0.0000'],
    ['csv', 'p;a\n0,5;1\n0,0;2\n1,5E-400;3\n', '1,5E-400'],
    ['json', '[{"p":0.5,"a":1},{"p":0e-400,"a":2},{"p":1e-400,"a":3}]', '1e-400'],
    ['ndjson', '{"p":0.5,"a":1}\n{"p":0.0,"a":2}\n{"a":3,"p":-2.5e-1000}\n', '-2.5e-1000'],
  ])('are no zeros in %s: %#', async (ending, content, text) => {
    const error = await sklarError(() => readBoth(write(ending, content)), 'ERR_SKLAR_VALUE');
    expect(error.message).toContain(`in column "p", got a number below 5e-324 that would be 0 ("${text}`);
  });

  test('the least ones are kept, and zeros', async () => {
    const texts = ['5e-324', '0', '-0.0', '0e-999', '3e-324', '.0e5'];
    const least = [5e-324, 0, -0, 0, 5e-324, 0];
    const csv = await readBoth(write('csv', `p,a\n${texts.map((text) => `${text},1.5`).join('\n')}\n`));
    expect([...csv.column('p')]).toEqual(least);
    const json = await readBoth(
      write('ndjson', texts.map((text) => `{"p":${text.replace(/^\./, '0.')}}`).join('\n')),
    );
    expect([...json.column('p')]).toEqual(least);
  });
});

test.each(['1_000', '-12_345.5', '1_2', '1_0000', '1.5_0', '1000_000', '1_000_0', '_1', '1_'])(
  '%s is a text, not a number',
  async (text) => {
    for (const content of [`a,b\n1,2\n${text},3\n`, `a;b\n1,5;2\n${text.replace('.', ',')};3\n`]) {
      const table = await readBoth(write('csv', content));
      expect(table.type('a').type).toBe('category');
      expect(table.text('a', 1)).toBe(text.replace('.', content.includes(';') ? ',' : '.'));
    }
    const cells = Array.from({ length: 20 }, (_, i) => `${i}.5,1`).join('\n');
    const notes: Note[] = [];
    const table = await readBoth(write('csv', `a,b\n${cells}\n${text},1\n`), {
      onNote: (note) => notes.push(note),
    });
    expect(table.column('a')[20]).toBeNaN();
    expect(notes[0]!.message).toContain(`1 cell between numbers ("${text}") was taken for missing`);
  },
);

describe('decimal commas', () => {
  const values = [[12.504, 13.396], [9.159, 8.451]]; // prettier-ignore
  test.each([
    ['a header, detected', 'temp;druck\n12,504;9,159\n13,396;8,451\n', undefined],
    ['no header, detected', '12,504;9,159\n13,396;8,451\n', undefined],
    ['tabs, detected', 'temp\tdruck\n12,504\t9,159\n13,396\t8,451\n', undefined],
    ['as told', 'temp|druck\n12,504|9,159\n13,396|8,451\n', { decimal: ',' as const, delimiter: '|' }],
    [
      'in quotes between commas, as told',
      'a;b\n"12,504";"9,159"\n"13,396";"8,451"\n',
      { decimal: ',' as const },
    ],
  ])('%s', async (_, content, options) => {
    const notes: Note[] = [];
    const file = write('csv', content);
    const table = await readBoth(file, { ...options, onNote: (note) => notes.push(note) });
    expect(table.columns.map((column) => [...column])).toEqual(values);
    expect(notes.some(({ message }) => message.includes('decimal commas'))).toBe(options === undefined);
  });

  test('the case file', async () => {
    const file = path.join(__dirname, '../fixtures/cases/header/decimal-comma-semicolon.csv');
    const table = await readBoth(file);
    expect(table.names).toEqual(['temp', 'druck']);
    expect(table.column('temp')[0]).toBe(12.504);
    const model = folder.file('comma.safetensors');
    const { stdout } = await sklar(['fit', file, '--kind', 'gaussian', '--out', model]);
    expect(stdout.match(/^note: decimal commas were read in .*"12,504" as 12.504$/gm)).toHaveLength(1);
    expect((await sklar(['score', model, file, '--delimiter', ';', '--decimal', ','])).status).toBe(0);
  });

  test('each column has its own where there are points, too', async () => {
    const table = await readBoth(write('csv', 'a;b\n1,5;2.5\n0,25;3\n'));
    expect([...table.column('a'), ...table.column('b')]).toEqual([1.5, 0.25, 2.5, 3]);
    expect(table.text('a', 1)).toBe('0,25');
    await sklarError(
      () => readBoth(write('csv', 'a,b\n1,2\n'), { decimal: ',', delimiter: ',' }),
      'ERR_SKLAR_VALUE',
    );
    await sklarError(
      () => readBoth(write('csv', 'a,b\n1,2\n'), { decimal: ';' as never }),
      'ERR_SKLAR_VALUE',
    );
  });
});

test('a quoted list of names is read as it was written', () => {
  expect(names('a,b')).toEqual(['a', 'b']);
  expect(names('"a,b",c')).toEqual(['a,b', 'c']);
  expect(names('c,"say ""x"", y"', ['z'])).toEqual(['z', 'c', 'say "x", y']);
  expect(names('"odd"name,b')).toEqual(['"odd"name', 'b']);
  fc.assert(
    fc.property(fc.array(fc.string(), { minLength: 1 }), (list) => {
      expect(names(list.map((name) => `"${name.replaceAll('"', '""')}"`).join(','))).toEqual(list);
    }),
  );
});

test('names with commas, quotes and equals signs on the command line', async () => {
  const header = '"depth, m",b,"say ""x""","e=1"';
  const rows = Array.from({ length: 30 }, (_, i) =>
    [i % 7, (i * 5) % 11, (i * 3) % 13, (i * 11) % 30].join(','),
  ).join('\n');
  const file = write('csv', `${header}\n${rows}\n`);
  const model = folder.file('names.safetensors');
  const fit = ['fit', file, '--kind', 'gaussian', '--out', model, '--json'];
  const left = async (...exclude: string[]) => {
    const { stdout } = await sklar([...fit, ...exclude.flatMap((list) => ['--exclude', list])]);
    return (JSON.parse(stdout) as { columns: string[] }).columns;
  };
  expect(await left('"depth, m",b')).toEqual(['say "x"', 'e=1']);
  expect(await left('"depth, m"', 'b')).toEqual(['say "x"', 'e=1']);
  expect(await left('"say ""x"""')).toEqual(['depth, m', 'b', 'e=1']);
  const margins = await sklar([...fit, '--margins', '"depth, m"=kde,e=1=empirical']);
  expect(JSON.parse(margins.stdout).margins.slice(0, 1)).toEqual(['kde']);
  const out = folder.file('given.csv');
  const sample = await sklar(['sample', model, '--rows', 5, '--out', out, '--given', '"depth, m"=3,e=1=4']);
  expect(sample).toMatchObject({ status: 0 });
});

test('messages of the command line are in its words', async () => {
  const file = write('csv', `a,"b, c",d\n${'1,1e-400,3\n'.repeat(20)}`);
  const message = await sklarFails(
    ['fit', file, '--kind', 'gaussian', '--out', folder.file('no.safetensors')],
    3,
    'ERR_SKLAR_VALUE',
  );
  expect(message).toContain(`leave the column out with --exclude '"b, c"'`);
  const unknown = await sklarFails(
    ['fit', file, '--exclude', 'x', '--out', folder.file('no.safetensors')],
    3,
    'ERR_SKLAR_VALUE',
  );
  expect(unknown).toContain('for --exclude, got "x"');
});
