// Tables and models that cannot be used: a code, an exit status, one line that names the culprit, and no file.
import { readFileSync } from 'node:fs';

import { TemporaryFolder } from '../data/support';
import { QUICK, sklar, sklarFails, writeExamples } from './support';

const folder = new TemporaryFolder();
const model = folder.file('model.safetensors');

/** A CSV text of `rows` rows; each column is a function of the row number. */
function csv(rows: number, columns: Record<string, (row: number) => string | number>): string {
  const lines = [Object.keys(columns).join(',')];
  for (let i = 0; i < rows; i++)
    lines.push(
      Object.values(columns)
        .map((value) => value(i))
        .join(','),
    );
  return `${lines.join('\n')}\n`;
}
const a = (row: number) => (row * 37) % 101;
const b = (row: number) => (row * 53) % 103;

describe('sklar fit', () => {
  afterEach(() => expect(folder.list().filter((name) => !/^bad\./.test(name))).toEqual([]));
  const at = (row: number, value: string) => (i: number) => (i === row ? value : b(i));

  test.each<[string, string, number, string, string[]]>([
    ['an empty file', '', 4, 'ERR_SKLAR_FORMAT', ['bad.csv', 'empty']],
    ['a header alone', 'a,b\n', 3, 'ERR_SKLAR_VALUE', ['bad.csv', 'row']],
    ['a name twice', csv(50, { a, b }).replace('a,b', 'a,a'), 3, 'ERR_SKLAR_VALUE', ['"a"', 'twice']],
    ['ragged rows', csv(50, { a, b }) + '1\n', 4, 'ERR_SKLAR_FORMAT', ['bad.csv', '52']],
  ])('%s', async (_, text, status, code, culprits) => {
    const data = folder.file('bad.csv', text);
    await sklarFails(['fit', data, '--out', model, ...QUICK], status, code, ...culprits);
  });

  test.each<[string, string, string]>([
    [
      'text',
      csv(50, { a, b: at(20, 'high') }),
      'column "b": 1 cell between numbers ("high") was taken for missing',
    ],
    ['infinity', csv(50, { a, b: at(20, '-inf') }), 'column "b": 1 infinite cell was taken for missing'],
    ['a gap', csv(50, { a, b: at(20, '') }), 'column "b": 2.5 % of the cells are missing'],
    ['a constant column', csv(50, { a, b, c: () => 4 }), 'column "c": all cells are the same'],
    ['a column twice', csv(50, { a, b, c: a }), 'column "c": a copy of "a"'],
    ['one row', csv(1, { a, b }), 'no column is left to model'],
    ['few rows', csv(7, { a, b }), 'too few rows to tell dependence from chance (7, of at least 8)'],
    ['one column', csv(50, { a }), '"a" is all that is modelled'],
  ])('%s is taken, and said', async (_, text, note) => {
    const data = folder.file('bad.csv', text);
    const out = folder.file('bad.safetensors');
    const { status, stdout } = await sklar(['fit', data, '--kind', 'gaussian', '--out', out]);
    expect({ status, stdout }).toEqual({ status: 0, stdout: expect.stringContaining(note) });
  });

  test('a file that does not exist', async () => {
    const argv = ['fit', folder.file('none.csv'), '--out', model];
    await sklarFails(argv, 4, 'ERR_SKLAR_FILE', 'none.csv', 'does not exist');
  });

  test('a file of unknown ending', async () => {
    await sklarFails(['fit', folder.file('none.xls'), '--out', model], 4, 'ERR_SKLAR_FILE', 'none.xls');
  });

  test('a file that is not what its name says', async () => {
    const data = folder.file('bad.parquet', csv(50, { a, b }));
    await sklarFails(['fit', data, '--out', model], 4, 'ERR_SKLAR_FORMAT', 'bad.parquet');
  });

  test.each([
    ['--columns', 'a,height'],
    ['--exclude', 'height'],
  ])('an unknown column in %s', async (option, names) => {
    const data = folder.file('bad.csv', csv(50, { a, b }));
    await sklarFails(
      ['fit', data, '--out', model, option, names],
      3,
      'ERR_SKLAR_VALUE',
      option.slice(2),
      'height',
    );
  });

  test('a failed fit leaves the old model', async () => {
    const old = folder.file('bad.safetensors', 'the old model');
    const data = folder.file('bad.csv', csv(50, { a, b: at(20, '-1') }));
    const asked = ['--kind', 'gaussian', '--margins', 'b=log-normal'];
    await sklarFails(['fit', data, '--out', old, ...asked], 3, 'ERR_SKLAR_VALUE', '"b"');
    expect(readFileSync(old, 'utf8')).toBe('the old model');
  });

  test.each<[string, string, number, string, string[]]>([
    ['not JSON', 'steps: 5', 4, 'ERR_SKLAR_FORMAT', []],
    ['thousands of levels', '['.repeat(50_000) + ']'.repeat(50_000), 4, 'ERR_SKLAR_FORMAT', ['levels deep']],
    ['a key twice', '{"steps": 1, "steps": 2}', 4, 'ERR_SKLAR_FORMAT', ['"steps"']],
    ['not an object', '[1]', 3, 'ERR_SKLAR_VALUE', []],
    ['an unknown option', '{"width": 5}', 3, 'ERR_SKLAR_VALUE', ['"width"']],
    ['an option out of range', '{"emaDecay": 1}', 3, 'ERR_SKLAR_VALUE', ['emaDecay']],
    ['an option of a wrong type', '{"hidden": "wide"}', 3, 'ERR_SKLAR_VALUE', ['hidden', '"wide"']],
    ['a bad seed', '{"seed": -1}', 3, 'ERR_SKLAR_VALUE', ['seed']],
    ['an unknown kind', '{"kind": "vine"}', 3, 'ERR_SKLAR_VALUE', ['kind', '"vine"']],
  ])('a configuration with %s', async (_, text, status, code, culprits) => {
    const data = folder.file('bad.csv', csv(50, { a, b }));
    const config = folder.file('bad.json', text);
    await sklarFails(
      ['fit', data, '--out', model, '--config', config],
      status,
      code,
      'bad.json',
      ...culprits,
    );
  });

  test('a configuration that does not exist', async () => {
    const data = folder.file('bad.csv', csv(50, { a, b }));
    const argv = ['fit', data, '--out', model, '--config', folder.file('none.json')];
    await sklarFails(argv, 4, 'ERR_SKLAR_FILE', 'none.json');
  });
});

describe('models', () => {
  const other = new TemporaryFolder();
  let files: Awaited<ReturnType<typeof writeExamples>>;
  beforeAll(async () => {
    files = await writeExamples(other);
  });

  /** Every command that reads a model must refuse this one. */
  async function refused(name: string, content: Uint8Array | undefined, status: number, code: string) {
    const damaged = other.file(name, content);
    const before = other.list();
    await sklarFails(['info', damaged], status, code, name);
    await sklarFails(['score', damaged, files.data], status, code, name);
    await sklarFails(['sample', damaged, '--rows', 5, '--out', other.file('x.csv')], status, code, name);
    expect(other.list()).toEqual(before);
  }

  test('missing', () => refused('none.safetensors', undefined, 4, 'ERR_SKLAR_FILE'));
  test('empty', () => refused('empty.safetensors', new Uint8Array(0), 4, 'ERR_SKLAR_FORMAT'));
  test('something else', () => refused('table.safetensors', readFileSync(files.data), 4, 'ERR_SKLAR_FORMAT'));

  test.each([7, 100, 0.5, -1])('cut at %d', async (cut) => {
    const bytes = readFileSync(files.cdc);
    const length = cut < 0 ? bytes.length + cut : cut < 1 ? Math.floor(cut * bytes.length) : cut;
    await refused('cut.safetensors', bytes.subarray(0, length), 4, 'ERR_SKLAR_FORMAT');
  });

  test.each([0.2, 0.5, 0.99])('with a bit flipped at %d of its length', async (where) => {
    const bytes = Buffer.from(readFileSync(files.cdc));
    bytes[Math.floor(where * bytes.length)]! ^= 4;
    await refused('flipped.safetensors', bytes, 4, 'ERR_SKLAR_FORMAT');
  });

  test('data that lack columns of the model', async () => {
    const data = other.file('lacking.csv', 'wind speed,count\n1.5,2\n2.5,3\n');
    await sklarFails(['score', files.cdc, data], 3, 'ERR_SKLAR_VALUE', '"depth, m"', 'lacking.csv');
  });

  test('data of another dimension for a model without names', async () => {
    const data = other.file('narrow.csv', 'a,b\n0.5,0.25\n0.1,0.2\n');
    await sklarFails(['score', files.bare, data], 3, 'ERR_SKLAR_SHAPE', '3 columns', 'got 2');
  });

  test('data that are not on the copula scale for a model without margins', async () => {
    const data = other.file('wide.csv', 'a,b,c\n0.5,0.25,0.1\n0.1,1.2,0.5\n');
    await sklarFails(['score', files.bare, data], 3, 'ERR_SKLAR_VALUE', '1.2');
  });

  test('data with text in a column of the model', async () => {
    const text = readFileSync(files.data, 'utf8').replace(/\n[^,\n]+,/g, '\nfast,');
    const data = other.file('text.csv', text);
    await sklarFails(['score', files.cdc, data], 3, 'ERR_SKLAR_VALUE', '"wind speed"', '"fast"');
  });
});
