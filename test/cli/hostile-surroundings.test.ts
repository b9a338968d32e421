// Full devices, pipes, control characters, and what killed processes leave behind.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { GaussianCopula, Table, fitCopula, writeTable } from '../../lib';
import { readModelFile, writeModelFile } from '../../lib/model/model-file';
import { TemporaryFolder } from '../data/support';
import { sklar, sklarFails } from './support';

const folder = new TemporaryFolder();
const model = folder.file('model.safetensors');
const program = path.resolve(__dirname, '..', '..', 'dist', 'cli', 'main.js');
// a terminal's commands, then what it does not show, or what turns the text after it
const HIDDEN = '\u200b\u200e\u2028\u2060\u2066\u2069\ufeff\u061c\u{e0041}';
const RED = `\u001b[31m\u009b2J\u202e${HIDDEN}`;

beforeAll(async () => {
  const u = await new GaussianCopula(Float64Array.of(1, 0.6, 0.6, 1), 2).sample(100);
  const copula = await fitCopula(u, { kind: 'gaussian', names: [`${RED}a`, 'b'] });
  await copula.save(model);
});

const CONTROL =
  // eslint-disable-next-line no-control-regex
  /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\u{e0000}-\u{e007f}]/u;

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
  await sklarFails(['inspect', '-'], 4, 'ERR_SKLAR_FILE', 'standard input is not read');
  const standardInput = spawnSync(process.execPath, [program, 'inspect', '/dev/stdin'], {
    input: 'x,y\n1,2\n',
    encoding: 'utf8',
  });
  expect(standardInput.status).toBe(4);
  expect(standardInput.stderr).toContain('"/dev/stdin": it is a');

  const some = folder.file('some');
  mkdirSync(some);
  writeFileSync(path.join(some, 'rows.csv'), 'x,y\n1,2\n2,1\n3,5\n');
  execFileSync('mkfifo', [path.join(some, 'pipe.csv')]);
  await sklarFails(['inspect', path.join(some, '*.csv')], 4, 'ERR_SKLAR_FILE', 'pipe.csv', 'it is a pipe');
  symlinkSync('nowhere', path.join(some, 'link.csv'));
  await sklarFails(['inspect', path.join(some, 'l*.csv')], 4, 'ERR_SKLAR_FILE', 'link.csv', 'does not exist');

  const data = folder.file(
    'rows.csv',
    'x,y\n1,2\n2,1\n3,5\n4,3\n5,8\n6,7\n7,9\n8,10\n9,4\n10,12\n11,9\n12,14\n',
  );
  const fit = ['fit', data, '--kind', 'cdc', '--steps', 2, '--out', folder.file('y.safetensors')];
  for (const option of ['--config', '--from', '--checkpoint']) {
    await sklarFails([...fit, option, pipe], 4, 'ERR_SKLAR_FILE', 'pipe.csv', 'it is a pipe');
  }
  const log = folder.file('pipe.jsonl');
  execFileSync('mkfifo', [log]);
  await sklarFails([...fit, '--log', log], 4, 'ERR_SKLAR_FILE', 'pipe.jsonl', 'a pipe');
});

test('what a pipe is written to reaches who reads it, or is refused', async () => {
  const pipe = folder.file('out.csv');
  execFileSync('mkfifo', [pipe]);
  const sample = ['sample', model, '--rows', 3, '--out', pipe];
  await sklarFails(sample, 4, 'ERR_SKLAR_FILE', 'out.csv', 'nobody reads it');
  const reader = spawn('cat', [pipe]);
  let text = '';
  reader.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
  // `cat` has the pipe open a moment after it was started
  let outcome = await sklar(sample);
  while (outcome.stderr.includes('nobody reads it')) outcome = await sklar(sample);
  await once(reader, 'close');
  expect(outcome.status).toBe(0);
  expect(text.trim().split('\n')).toHaveLength(4);
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

test('a folder that vanishes during the fit is named', async () => {
  const place = folder.file('vanishing');
  mkdirSync(place);
  const u = await new GaussianCopula(Float64Array.of(1, 0.6, 0.6, 1), 2).sample(100);
  const checkpoint = path.join(place, 'run.checkpoint');
  const failures: string[] = [];
  const copula = await fitCopula(u, {
    steps: 50,
    hidden: 8,
    depth: 1,
    checkpoint,
    checkpointSeconds: 0.001,
    onProgress: () => rmSync(place, { recursive: true, force: true }),
    onCheckpointError: ({ message }) => failures.push(message),
  });
  expect(failures[0]).toBe(`cannot write ${JSON.stringify(checkpoint)}: its folder does not exist`);
  await expect(copula.save(path.join(place, 'model.safetensors'))).rejects.toThrow(
    'its folder does not exist',
  );
});
