import { readFileSync } from 'node:fs';

import { TemporaryFolder } from '../data/support';
import { exampleTable, sklar, sklarFails, sklarJson } from './support';
import { writeTable } from '../../lib';

const folder = new TemporaryFolder();

test('several files, a pattern and a folder are one table', async () => {
  const table = exampleTable(120);
  const part = (from: number, to: number) =>
    table.take(Array.from({ length: to - from }, (_, i) => from + i));
  const [first, second] = [folder.file('part-1.csv'), folder.file('part-2.csv')];
  await writeTable(part(0, 50), first);
  await writeTable(part(50, 120), second);
  const pattern = folder.file('part-*.csv');
  const inspected = await sklarJson(['inspect', first, second]);
  expect(inspected.rows).toBe(120);
  expect(await sklarJson(['inspect', pattern])).toEqual(inspected);

  const model = folder.file('m.safetensors');
  const fitted = await sklarJson(['fit', pattern, '--kind', 'gaussian', '--out', model]);
  expect(fitted.rows).toEqual({ train: 96, holdout: 24 });
  expect(fitted.notes).toContainEqual(
    expect.objectContaining({
      code: 'file',
      message: expect.stringMatching(/^2 files were read as one table/),
    }),
  );
  expect((await sklarJson(['score', model, first, second])).rows).toBe(120);
  // an output does not take the place of a file that a pattern stands for
  await sklarFails(
    ['score', model, pattern, '--out', second],
    4,
    'ERR_SKLAR_FILE',
    'another file than the input',
  );
  await sklarFails(
    ['inspect', folder.file('none-*.csv')],
    4,
    'ERR_SKLAR_FILE',
    'no file matches this pattern',
  );
});

test('messages about files are in the words of the command line', async () => {
  const cafes = folder.file('cafes.csv', Buffer.from('name,seats\ncaf\xe9,20\nbar,10\npub,31\n', 'latin1'));
  await sklarFails(
    ['inspect', cafes],
    4,
    'ERR_SKLAR_FORMAT',
    'offset 14',
    'read it with --encoding windows-1252',
  );
  const { columns } = await sklarJson(['inspect', cafes, '--encoding', 'windows-1252']);
  expect(columns).toHaveLength(2);
  await sklarFails(
    ['inspect', cafes, '--encoding', 'klingon'],
    3,
    'ERR_SKLAR_VALUE',
    'for --encoding, got "klingon"',
  );
  await sklarFails(
    ['inspect', cafes, '--encoding', 'latin1', '--types', 'seat=id'],
    3,
    'ERR_SKLAR_VALUE',
    'for --types, got "seat"',
  );

  const [one, two] = [folder.file('1.csv', 'grade\n1\n2\n'), folder.file('2.csv', 'grade\nlow\nhigh\n')];
  await sklarFails(
    ['inspect', one, two],
    3,
    'ERR_SKLAR_SHAPE',
    '"grade" has numbers in',
    'with --types grade=category',
  );

  const json = folder.file('x.json', '[{"a":-999},{"a":1}]');
  const { stdout } = await sklar(['inspect', json, '--null', '-999', '--no-header']);
  expect(stdout).toMatch(/was not read with --no-header/);
  expect(stdout).toMatch(/was not read with --null -999/);
});

test('--null and --encoding in a configuration file', async () => {
  const data = folder.file(
    'config.csv',
    Buffer.from(
      `caf\xe9,n\n${Array.from({ length: 60 }, (_, i) => `${(i * 37) % 61},${i % 9 === 0 ? -999 : (i * 23) % 59}`).join('\n')}\n`,
      'latin1',
    ),
  );
  const config = folder.file(
    'config.json',
    JSON.stringify({ null: ['-999'], encoding: 'latin1', kind: 'gaussian' }),
  );
  const model = folder.file('config.safetensors');
  const fitted = await sklarJson(['fit', data, '--config', config, '--out', model]);
  expect(fitted.columns).toEqual(['caf\u00e9', 'n']);
  expect(readFileSync(model).includes('-999')).toBe(false);
});
