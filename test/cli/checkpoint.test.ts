import { spawnSync } from 'node:child_process';
import { existsSync, linkSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { loadModel, writeTable } from '../../lib';
import { main } from '../../lib/cli/main';
import { TemporaryFolder } from '../data/support';
import { Capture, exampleTable, sklar, sklarFails, sklarJson } from './support';

const program = path.resolve(__dirname, '..', '..', 'dist', 'cli', 'main.js');

const folder = new TemporaryFolder();
const data = folder.file('data.csv');
const quick = ['--hidden', 32, '--depth', 2, '--steps', 400, '--batch', 64];
beforeAll(() => writeTable(exampleTable(), data));

/** A fit, in a process where no file may be larger than so many KiB. */
function limited(kibibytes: number, ...argv: (string | number)[]) {
  return spawnSync(
    'bash',
    [
      '-c',
      `ulimit -f ${kibibytes}; exec "$0" "$@"`,
      process.execPath,
      program,
      'fit',
      data,
      ...argv.map(String),
    ],
    { encoding: 'utf8' },
  );
}

test('the checkpoint goes last: a model that cannot be saved leaves it, and the same command has the bits', async () => {
  const checkpoint = folder.file('last.checkpoint');
  const out = folder.file('last.safetensors');
  const argv = ['fit', data, '--out', out, '--checkpoint', checkpoint, ...quick];
  const whole = folder.file('whole.safetensors');
  await sklarJson(['fit', data, '--out', whole, ...quick]);

  // stopped when training is over and the normaliser is estimated
  const controller = new AbortController();
  const stderr = new (class extends Capture {
    override _write(chunk: Buffer, encoding: string, done: () => void): void {
      if (chunk.toString().startsWith('normaliser')) controller.abort();
      super._write(chunk, encoding, done);
    }
  })();
  const { signal } = controller;
  expect(await main([...argv.map(String), '--verbose'], { stdout: new Capture(), stderr, signal })).toBe(130);
  expect(stderr.text.split('\n').at(-2)).toContain(
    `the same command goes on from ${JSON.stringify(checkpoint)}`,
  );
  expect(existsSync(checkpoint)).toBe(true);
  expect(existsSync(out)).toBe(false);

  const { status, stderr: said } = await sklar(argv);
  expect({ status, said }).toEqual({
    status: 0,
    said: `the fit goes on after step 400 of 400, from ${JSON.stringify(checkpoint)}\n`,
  });
  expect(existsSync(checkpoint)).toBe(false);
  const rows = [
    [0.1, 0.2, 0.3],
    [0.5, 0.9, 0.7],
  ];
  const [a, b] = await Promise.all([loadModel(out), loadModel(whole)]);
  expect(await a.logPdf(rows)).toEqual(await b.logPdf(rows));
});

test('a checkpoint that does not fit on the disk is said at once, in the result and at the end', async () => {
  const checkpoint = folder.file('full.checkpoint');
  const out = folder.file('full.safetensors');
  await sklarJson(['fit', data, '--out', out, ...quick]);
  const fits = Math.ceil(statSync(out).size / 1024) + 8; // the model has room, the state of its training has not
  const argv = ['--out', out, '--checkpoint', checkpoint, ...quick];
  const plain = limited(fits, ...argv);
  const cannot = `cannot write ${JSON.stringify(checkpoint)}: it would be larger than a file may be here`;
  expect(plain).toMatchObject({
    status: 0,
    stderr: expect.stringContaining(`warning: ${cannot}; the fit goes on\n`),
  });
  expect(plain.stdout.split('\n')).toContain(`note: ${cannot}`);
  const json = limited(fits, ...argv, '--json');
  expect(json).toMatchObject({ status: 0, stderr: plain.stderr });
  expect(JSON.parse(json.stdout).notes).toContainEqual({ code: 'checkpoint', columns: [], message: cannot });
  expect(existsSync(out)).toBe(true);
  expect(existsSync(checkpoint)).toBe(false);

  // nor has the model
  const none = limited(1, ...argv);
  expect(none.status).toBe(4);
  expect(none.stderr).toContain(`warning: ${cannot}; the fit goes on\n`);
  expect(none.stderr.split('\n').at(-2)).toMatch(
    /^error: cannot write ".*full\.safetensors".*; cannot write ".*full\.checkpoint"/,
  );
});

test('a model that cannot be written leaves the checkpoint and says so', async () => {
  await writeTable(exampleTable(3000), data);
  const checkpoint = folder.file('kept.checkpoint');
  // rows of margins make the model larger than the state of its training
  const out = folder.file('kept.safetensors');
  const small = ['--out', out, '--checkpoint', checkpoint, '--hidden', 4, '--depth', 1, '--steps', 40];
  const { status, stderr } = limited(40, ...small, '--margins', 'empirical');
  expect({ status, stderr }).toEqual({
    status: 4,
    stderr: expect.stringContaining(
      `; the same command goes on from ${JSON.stringify(checkpoint)} [ERR_SKLAR_FILE]`,
    ),
  });
  expect(existsSync(checkpoint)).toBe(true);
});

test('a checkpoint that another fit has written to is no way back', async () => {
  const checkpoint = folder.file('shared.checkpoint');
  const log = folder.file('shared.jsonl');
  const argv = [
    'fit',
    data,
    '--out',
    folder.file('shared.safetensors'),
    '--checkpoint',
    checkpoint,
    ...quick,
  ];
  const config = folder.file('often.json', '{"checkpointSeconds": 0.05, "patience": 0}');
  const run = async (steps: number, isEnough: (said: string) => boolean, onLook = () => {}) => {
    const controller = new AbortController();
    const stderr = new Capture();
    const timer = setInterval(() => {
      onLook();
      if (isEnough(stderr.text)) controller.abort();
    }, 1);
    const all = [...argv, '--config', config, '--log', log, '--steps', steps].map(String);
    const { signal } = controller;
    expect(await main(all, { stdout: new Capture(), stderr, signal })).toBe(130);
    clearInterval(timer);
    return stderr.text.split('\n').at(-2)!;
  };
  expect(await run(1e7, () => existsSync(checkpoint))).toContain(
    `the same command goes on from ${JSON.stringify(checkpoint)}`,
  );
  const other = readFileSync(checkpoint);
  rmSync(checkpoint);

  rmSync(log);

  let planted = false;
  const said = await run(
    1e8,
    (text) => text.startsWith('warning'),
    () => {
      if (planted || !existsSync(log)) return;
      planted = true;
      writeFileSync(checkpoint, other);
    },
  );
  expect(said).toContain('it is the checkpoint of another fit');
  expect(said).not.toContain('goes on from');
  expect(readFileSync(checkpoint)).toEqual(other);
});

test('files of a fit are different ones, under whichever names: none takes the place of another', async () => {
  const out = folder.file('own.safetensors');
  const log = folder.file('own.jsonl');
  symlinkSync('.', folder.file('here'));
  linkSync(data, folder.file('hard.jsonl'));
  const before = readFileSync(data);
  const argv = ['fit', data, '--out', out, '--hidden', 4, '--depth', 1, '--steps', 4];
  for (const [more, ...culprits] of [
    [['--checkpoint', out], '--out', '--checkpoint'],
    [['--checkpoint', folder.file('here/own.safetensors')], '--out', '--checkpoint'],
    [['--checkpoint', log, '--log', log], '--log', '--checkpoint'],
    [['--checkpoint', folder.file('here/data.csv')], 'another file than the input', '--checkpoint'],
    [['--log', folder.file('hard.jsonl')], 'another file than the input', '--log'],
  ] as const) {
    await sklarFails([...argv, ...more], 4, 'ERR_SKLAR_FILE', ...culprits);
  }
  expect(readFileSync(data)).toEqual(before);
  const { status } = await sklar([...argv, '--log', log, '--checkpoint', folder.file('own.checkpoint')]);
  expect([status, existsSync(out), existsSync(log)]).toEqual([0, true, true]);
});
