/** First lines of numbers: names of the columns, or data. */
import path from 'node:path';

import { type Note, readTable } from '../../lib';
import { sklar, sklarJson } from '../cli/support';
import { TemporaryFolder } from './support';

const folder = new TemporaryFolder();
let files = 0;

/** A first line over rows of numbers that do not repeat. */
function lines(
  first: string,
  value: (i: number, j: number) => number | string,
  rows = 40,
  delimiter = ',',
): string {
  const width = first.split(delimiter).length;
  const body = Array.from({ length: rows }, (_, i) =>
    Array.from({ length: width }, (__, j) => value(i, j)).join(delimiter),
  );
  return [first, ...body].join('\n');
}

const decimals = (i: number, j: number) => (10 + Math.sin(7 * i + 3 * j) * 5).toFixed(2).replace(/0$/, '1');
const counts = (i: number, j: number) => (i * 7 + j * 3) % 23;

async function look(content: string, options = {}) {
  const notes: Note[] = [];
  const file = folder.file(`${files++}.csv`, content);
  const table = await readTable(file, { ...options, onNote: (note) => notes.push(note) });
  return { names: table.names, rows: table.rows, notes: notes.map(({ message }) => message) };
}

test.each([
  ['years over decimals', lines('1991,1992,1993', decimals)],
  ['two years over decimals', lines('1991,1992', decimals)],
  ['years over counts', lines('2019,2020,2021', counts)],
  ['years that fall', lines('2021,2020,2019', decimals)],
  ['years with gaps', lines('1990,2000,2010,2015', decimals)],
  ['equal steps over decimals', lines('10,20,30,40', decimals)],
  ['years over decimal commas', lines('1991;1992;1993', (i, j) => decimals(i, j).replace('.', ','), 40, ';')],
])('%s are names, and it is said', async (_, content) => {
  const { names, rows, notes } = await look(content);
  expect(names).toEqual(content.split('\n')[0]!.split(/[,;]/));
  expect(rows).toBe(40);
  expect(notes[0]).toContain('was taken for the names of the columns');
});

test.each([
  ['decimals', lines('10.5,11.25,9.5', decimals)],
  ['a start of whole numbers', lines('0,1,5', decimals)],
  ['years among years', lines('1990,1995', (i, j) => 1991 + i + 3 * j)],
  ['whole numbers over whole numbers', lines('4,9,2', counts)],
  ['equal steps among whole numbers', lines('1,2,3', counts)],
])('%s are data, and it is said', async (_, content) => {
  const { names, rows, notes } = await look(content);
  expect(names[0]).toBe('column1');
  expect(rows).toBe(41);
  expect(notes).toEqual([expect.stringContaining('was taken for data')]);
});

test('what is told is done without a word', async () => {
  const content = lines('1991,1992,1993', decimals);
  expect(await look(content, { header: false })).toEqual({
    names: ['column1', 'column2', 'column3'],
    rows: 41,
    notes: [],
  });
  expect(await look(content, { header: true })).toMatchObject({ rows: 40, notes: [] });
  expect(await look(lines('4,9,2', counts), { columns: ['9', '2'] })).toMatchObject({ names: ['9', '2'] });
});

test.each([
  ['a byte order mark', '\ufeffa,b\n1,2\n3,4\n', ['a', 'b'], 2],
  ['CRLF and empty lines', '\r\na,b\r\n1,2\r\n\r\n3,4\r\n', ['a', 'b'], 2],
  ['spaces, quotes and equals signs', ' a ,"say ""x""",e=1\n1,2,3\n', [' a ', 'say "x"', 'e=1'], 1],
  ['thousands in underscores', 'a,b\n1_000,2\n', ['a', 'b'], 1],
])('%s', async (_, content, names, rows) => {
  expect(await look(content)).toEqual({ names, rows, notes: [] });
});

test('objects with a key twice are refused, whose values JSON.parse would drop', async () => {
  const nested = '{"x":{"a":1},"s":"\\"a\\":1","a":2}';
  await expect(readTable(folder.file('twice.json', '[{"a":1,"b":3,"a":2}]'))).rejects.toMatchObject({
    code: 'ERR_SKLAR_VALUE',
    message: expect.stringMatching(/^expected different keys, got "a" twice \(object 1 of ".*twice.json"\)$/),
  });
  const later = '{"a":1,"b":3}\n{"a":1,"b":":","c":{"a":2}}\n{"b":1,"a":2,"b":1}\n';
  await expect(readTable(folder.file('later.ndjson', later), { columns: ['a'] })).rejects.toMatchObject({
    message: expect.stringMatching(/^expected different keys, got "b" twice \(object 3 of /),
  });
  const { names } = await readTable(folder.file('once.ndjson', `${nested}\n`), { columns: ['a'] });
  expect(names).toEqual(['a']);
});

test('the case file on the command line', async () => {
  const file = path.join(__dirname, '../fixtures/cases/header/years-header.csv');
  const model = folder.file('years.safetensors');
  const fit = ['fit', file, '--kind', 'gaussian', '--out', model];
  const result = await sklarJson(fit);
  expect(result.columns).toEqual(['1991', '1992', '1993']);
  expect(result.rows.train + result.rows.holdout).toBe(60);
  expect(result.notes[0]).toMatchObject({ code: 'file' });
  expect((await sklar(fit)).stdout.match(/^note: the first line of/gm)).toHaveLength(1);
  expect((await sklarJson(['info', model])).columns).toEqual(['1991', '1992', '1993']);
  expect((await sklarJson(['score', model, file])).rows).toBe(60);
  expect((await sklarJson([...fit, '--no-header'])).columns).toEqual(['column1', 'column2', 'column3']);
});
