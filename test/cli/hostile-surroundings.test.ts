// Full devices, pipes, control characters, and what killed processes leave behind.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { GaussianCopula, Table, fitCopula, writeTable } from '../../lib';
import { readModelFile, writeModelFile } from '../../lib/model/model-file';
import { TemporaryFolder } from '../data/support';
import { sklar, sklarFails } from './support';

const folder = new TemporaryFolder();
const model = folder.file('model.safetensors');
const program = path.resolve(__dirname, '..', '..', 'dist', 'cli', 'main.js');
const RED = '\u001b[31m\u009b2J\u202e';

beforeAll(async () => {
  const u = await new GaussianCopula(Float64Array.of(1, 0.6, 0.6, 1), 2).sample(100);
  const copula = await fitCopula(u, { kind: 'gaussian', names: [`${RED}a`, 'b'] });
  await copula.save(model);
});

// eslint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/;

test('no control character of a model or a table reaches the terminal', async () => {
  const { document, tensors } = await readModelFile(model);
  const hostile = folder.file('hostile.safetensors');
  const training = { ...document!.training, deviceName: RED, [RED]: RED };
  const notes = [{ code: 'fit', columns: [], message: `${RED}\nnote` }];
  await writeModelFile(hostile, { document: { ...document!, training, notes }, tensors });
  for (const argv of [
    ['info', hostile],
    ['info', hostile, '--json'],
  ]) {
    const { status, stdout, stderr } = await sklar(argv);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).not.toMatch(CONTROL);
  }
  expect(JSON.parse((await sklar(['info', hostile, '--json'])).stdout).columns).toEqual([`${RED}a`, 'b']);
  const data = folder.file('data.csv', 'x,b\n0.1,0.2\n');
  for (const argv of [
    ['score', model, data],
    ['score', model, `${RED}.csv`],
    ['fit', data, '--out', folder.file('x.safetensors'), '--columns', RED],
    ['fit', data, `--${RED}`],
  ]) {
    const { status, stderr } = await sklar(argv);
    expect(status).not.toBe(0);
    expect(stderr).not.toMatch(CONTROL);
  }
});

test('a device that is full is said, with an exit status', () => {
  for (const more of [[], ['--json']]) {
    const { status, stderr } = spawnSync(
      'bash',
      ['-c', 'exec "$0" "$@" > /dev/full', process.execPath, program, 'info', model, ...more],
      { encoding: 'utf8' },
    );
    expect({ status, stderr }).toEqual({
      status: 4,
      stderr: 'error: cannot write "stdout": no space left on the device [ERR_SKLAR_FILE]\n',
    });
  }
});

test('pipes and devices are refused by name, and not waited for', async () => {
  const pipe = folder.file('pipe.csv');
  execFileSync('mkfifo', [pipe]);
  await sklarFails(
    ['fit', pipe, '--out', folder.file('y.safetensors')],
    4,
    'ERR_SKLAR_FILE',
    'pipe.csv',
    'it is a pipe',
  );
  await sklarFails(['info', '/dev/zero'], 4, 'ERR_SKLAR_FILE', '/dev/zero', 'it is a device');
});

test('what a killed process has left is removed, what others write is not', async () => {
  const place = folder.file('place');
  execFileSync('mkdir', [place]);
  // a process that is killed while it writes
  const script = `const { TableWriter } = require(${JSON.stringify(path.join(program, '..', '..'))} + '/data/formats/write-table.js');
    TableWriter.open(process.argv[1] + '/t.csv', ['a']).then(() => process.kill(process.pid, 'SIGKILL'));`;
  spawnSync(process.execPath, ['-e', script, place]);
  const left = readdirSync(place).filter((name) => name.endsWith('.tmp'));
  expect(left).toHaveLength(1);
  const [, host] = /^\.sklar-([0-9a-f]{8})-\d+-/.exec(left[0]!)!;
  const alive = path.join(place, `.sklar-${host}-${process.ppid}-0123456789abcdef.tmp`);
  const elsewhere = path.join(place, '.sklar-00000000-1-0123456789abcdef.tmp');
  const old = path.join(place, '.sklar-0123456789abcdef.tmp');
  for (const file of [alive, elsewhere, old, path.join(place, '.sklar-mine.tmp')]) writeFileSync(file, '');
  utimesSync(old, new Date(0), new Date(0));
  await writeTable(Table.fromColumns({ a: [1, 2] }), path.join(place, 'new.csv'));
  expect(existsSync(path.join(place, left[0]!))).toBe(false);
  expect([alive, elsewhere, old].map((file) => existsSync(file))).toEqual([true, true, false]);
  expect(existsSync(path.join(place, '.sklar-mine.tmp'))).toBe(true);
});
