import { spawn } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  lstatSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { type CdcCopula, fitCopula } from '../../lib';
import { crossed } from '../helpers/data';

const root = path.resolve(__dirname, '..', '..');

const options = { hidden: 32, depth: 2, steps: 400, batch: 256, validateEvery: 20, patience: 2, anneal: 100 };

let scratch: string;
beforeAll(() => {
  scratch = mkdtempSync(path.join(os.tmpdir(), 'sklar-checkpoint-'));
});
afterAll(() => rmSync(scratch, { recursive: true }));

const logPdf = async (copula: CdcCopula) => copula.logPdf(crossed(100, 0.9, 5));
const historyOf = (copula: CdcCopula) => (copula.info().training as { history: unknown }).history;

test('a fit that is aborted again and again ends with the bits of one that was not', async () => {
  const u = crossed(2000, 0.9, 1);
  const whole = await fitCopula(u, options);
  const checkpoint = path.join(scratch, 'resumed.checkpoint');
  let resumed: CdcCopula | undefined;
  let fits = 0;
  for (; !resumed; fits++) {
    const controller = new AbortController();
    let from: number | undefined;
    try {
      resumed = await fitCopula(u, {
        ...options,
        checkpoint,
        signal: controller.signal,
        onProgress: ({ step }) => {
          from ??= step;
          if (step > from + 60) controller.abort(new Error('enough for today'));
        },
      });
    } catch (error) {
      expect((error as Error).message).toBe('enough for today');
      expect(existsSync(checkpoint)).toBe(true);
    }
  }
  expect(fits).toBeGreaterThan(1);
  expect(existsSync(checkpoint)).toBe(false);
  expect(await logPdf(resumed)).toEqual(await logPdf(whole));
  expect(historyOf(resumed)).toHaveLength((historyOf(whole) as unknown[]).length);
});

test('a fit neither writes over the checkpoint of another one that runs at the same time, nor removes it', async () => {
  const u = crossed(2000, 0.9, 1);
  const other = path.join(scratch, 'elsewhere.checkpoint');
  const controller = new AbortController();
  const onProgress = () => controller.abort(new Error('enough'));
  const { signal } = controller;
  await expect(fitCopula(u, { ...options, seed: 2, checkpoint: other, signal, onProgress })).rejects.toThrow(
    'enough',
  );
  const checkpoint = path.join(scratch, 'shared.checkpoint');
  const failures: string[] = [];
  await fitCopula(u, {
    ...options,
    // so long that it writes again after its first report
    steps: 4000,
    patience: 0,
    checkpoint,
    checkpointSeconds: 0.001,
    // as if both had begun where there was none
    onProgress: () => {
      if (failures.length === 0) copyFileSync(other, checkpoint);
    },
    onCheckpointError: ({ message }) => failures.push(message),
  });
  expect(failures[0]).toContain('shared.checkpoint": it is the checkpoint of another fit');
  expect(readFileSync(checkpoint)).toEqual(readFileSync(other));
});

test('a process that is killed leaves a checkpoint to go on from', async () => {
  const checkpoint = path.join(scratch, 'killed.checkpoint');
  const fit = { ...options, steps: 2000, validation: 0 };
  const child = spawn(
    process.execPath,
    [
      '-e',
      `const { fitCopula } = require(${JSON.stringify(path.join(root, 'dist'))});
       const u = JSON.parse(process.argv[1]);
       fitCopula(u, { ...${JSON.stringify(fit)}, checkpoint: process.argv[2], checkpointSeconds: 0.05 });`,
      JSON.stringify(Array.from({ length: 300 }, (_, i) => Array.from(row(i)))),
      checkpoint,
    ],
    { stdio: 'inherit' },
  );
  const ended = new Promise((resolve) => child.on('exit', resolve));
  while (!existsSync(checkpoint) && child.exitCode === null) await sleep(20);
  child.kill('SIGKILL');
  await ended;
  expect(statSync(checkpoint).size).toBeGreaterThan(1000);
  const rows = Array.from({ length: 300 }, (_, i) => row(i));
  const steps: number[] = [];
  const resumed = await fitCopula(rows, { ...fit, checkpoint, onProgress: ({ step }) => steps.push(step) });
  expect(steps[0]).toBeGreaterThan(1);
  expect(await logPdf(resumed)).toEqual(await logPdf(await fitCopula(rows, fit)));

  function row(i: number) {
    const { data } = crossed(300, 0.9, 7);
    return data.subarray(2 * i, 2 * i + 2);
  }
});

test('the checkpoint of another fit is refused and kept', async () => {
  const checkpoint = path.join(scratch, 'other.checkpoint');
  const u = crossed(500, 0.9, 1);
  const abort = new AbortController();
  await expect(
    fitCopula(u, {
      ...options,
      checkpoint,
      signal: abort.signal,
      onProgress: ({ step }) => step > 10 && abort.abort(new Error('stop')),
    }),
  ).rejects.toThrow('stop');
  for (const [rows, other] of [
    [u, { seed: 2 }],
    [u, { hidden: 16 }],
    [crossed(500, 0.9, 2), {}],
  ] as const) {
    await expect(fitCopula(rows, { ...options, ...other, checkpoint })).rejects.toMatchObject({
      code: 'ERR_SKLAR_VALUE',
      message: expect.stringContaining('other rows, options, seed or version'),
    });
  }
  expect(existsSync(checkpoint)).toBe(true);
  await expect(fitCopula(u, { ...options, checkpoint, checkpointSeconds: 0 })).rejects.toMatchObject({
    code: 'ERR_SKLAR_VALUE',
    message: expect.stringContaining('checkpointSeconds'),
  });
});

test('a checkpoint that cannot be written is an error before the work', async () => {
  const progress = jest.fn();
  await expect(
    fitCopula(crossed(500, 0.9, 1), {
      ...options,
      checkpoint: path.join(scratch, 'no', 'such', 'folder'),
      onProgress: progress,
    }),
  ).rejects.toMatchObject({ code: 'ERR_SKLAR_FILE' });
  expect(progress).not.toHaveBeenCalled();
});

test('the log of a fit is not removed with its checkpoint', async () => {
  const file = path.join(scratch, 'both.jsonl');
  await expect(
    fitCopula(crossed(500, 0.9, 1), { ...options, checkpoint: file, log: `${scratch}/./both.jsonl` }),
  ).rejects.toMatchObject({
    code: 'ERR_SKLAR_FILE',
    message: expect.stringContaining('different files for log and checkpoint'),
  });
});

test('what a checkpoint that is a symbolic link leads to is removed, the link stays', async () => {
  const target = path.join(scratch, 'target.checkpoint');
  const link = path.join(scratch, 'link.checkpoint');
  symlinkSync(target, link);
  await fitCopula(crossed(500, 0.9, 1), {
    ...options,
    checkpoint: link,
    checkpointSeconds: 0.001,
    onProgress: () => undefined,
  });
  expect(lstatSync(link).isSymbolicLink()).toBe(true);
  expect(existsSync(target)).toBe(false);
});
