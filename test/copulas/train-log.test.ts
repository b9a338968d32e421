/** What a fit tells while it trains: every step, every look at the validation rows, where it goes on. */
import { spawnSync } from 'node:child_process';
import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';

import {
  type CdcCopula,
  type SklarError,
  type TrainEvent,
  type TrainStepEvent,
  type TrainValidationEvent,
  fitCopula,
  fitEnsemble,
} from '../../lib';
import { TemporaryFolder } from '../data/support';
import { crossed } from '../helpers/data';

const root = path.resolve(__dirname, '..', '..');
const folder = new TemporaryFolder();
const u = crossed(600, 0.9, 1);
const options = { hidden: 16, depth: 1, steps: 120, batch: 64, validateEvery: 10, patience: 2, anneal: 40 };

const linesOf = (file: string) =>
  readFileSync(file, 'utf8')
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as TrainEvent);
const stepsOf = (events: readonly TrainEvent[]) =>
  events.filter((event): event is TrainStepEvent => event.event === 'step');
const looksOf = (events: readonly TrainEvent[]) =>
  events.filter((event): event is TrainValidationEvent => event.event === 'validation');
const logPdf = (copula: CdcCopula) => copula.logPdf(crossed(50, 0.9, 5));
/** What is the same in every run. */
const timeless = (events: readonly TrainEvent[]) =>
  events.map((event) => ({ ...event, seconds: 0, time: undefined }));

test('the log has every step and every look, and the model the bits that it has without', async () => {
  const log = folder.file('whole.jsonl', 'what was there before\n');
  const told: TrainEvent[] = [];
  const logged = await fitCopula(u, { ...options, log, onEvent: (event) => told.push(event) });
  const plain = await fitCopula(u, options);
  expect(await logPdf(logged)).toEqual(await logPdf(plain));

  const events = linesOf(log);
  expect(events).toEqual(JSON.parse(JSON.stringify(told)));
  const { training } = plain.info() as { training: Record<string, number | object[]> };
  const steps = stepsOf(events);
  expect(steps.map(({ step }) => step)).toEqual(
    Array.from({ length: Number(training.steps) }, (_, i) => i + 1),
  );
  for (const step of steps) {
    expect(step.loss).toBeCloseTo(0.2 * step.crossEntropy + step.squaredError, 12); // docs/mathematics.md, A.6
    expect(step.gradientNorm).toBeGreaterThan(0);
  }
  expect(steps[0]!.learningRate).toBeCloseTo(1e-3 / 100, 12); // the first of 100 steps of warm-up
  expect(steps.every(({ seconds }, i) => i === 0 || seconds >= steps[i - 1]!.seconds)).toBe(true);

  const looks = looksOf(events);
  expect(looks.filter(({ step }) => step % 10 === 0)).toHaveLength(Math.floor(steps.length / 10));
  const best = looks.filter((look) => look.best).at(-1)!;
  expect(best.loss).toBe(Math.min(...looks.map(({ loss }) => loss)));
  expect([best.step, best.loss]).toEqual([training.bestStep, training.validationLoss]);
  expect(events[0]).toMatchObject({
    event: 'start',
    step: 0,
    steps: 120,
    rows: training.rows,
    validationRows: training.validationRows,
    options: { hidden: 16, batch: 64, crossEntropyWeight: 0.2 },
    seed: '1',
    device: 'cpu',
  });
  expect(events.at(-1)).toMatchObject({
    event: 'end',
    step: training.steps,
    bestStep: training.bestStep,
    validationLoss: training.validationLoss,
  });
});

test('the means of steps are what progress and history tell', async () => {
  const told: TrainEvent[] = [];
  const copula = await fitCopula(u, {
    ...options,
    kind: 'flow',
    steps: 250, // history has every second step
    validation: 0,
    onEvent: (event) => told.push(event),
  });
  const { history } = copula.info().training as { history: { step: number; loss: number }[] };
  const steps = stepsOf(told);
  for (const [i, { step, loss }] of history.entries()) {
    const since = steps.slice(history[i - 1]?.step ?? 0, step);
    expect(since.reduce((sum, each) => sum + each.loss, 0) / since.length).toBeCloseTo(loss, 10);
  }
  expect(looksOf(told)).toEqual([]);
});

test('a fit that goes on appends to its log, after the last whole line, and says from which step', async () => {
  const whole = folder.file('uninterrupted.jsonl');
  await fitCopula(u, { ...options, log: whole });
  const log = folder.file('resumed.jsonl');
  const checkpoint = folder.file('resumed.checkpoint');
  const controller = new AbortController();
  await expect(
    fitCopula(u, {
      ...options,
      log,
      checkpoint,
      signal: controller.signal,
      onEvent: (event) => event.step > 30 && controller.abort(new Error('enough')),
    }),
  ).rejects.toThrow('enough');
  expect(existsSync(checkpoint)).toBe(true);
  const before = linesOf(log);
  appendFileSync(log, '{"event":"step","st'); // what a kill leaves
  const resumed: object[] = [];
  await fitCopula(u, { ...options, log, checkpoint, onResume: (where) => resumed.push(where) });
  const all = linesOf(log);
  const at = all.findIndex(({ event }) => event === 'resume');
  const { step } = all[at]!;
  expect(step).toBeGreaterThan(30);
  expect(resumed).toEqual([{ step, steps: 120, checkpoint }]);
  expect(all.slice(0, at)).toEqual(before);
  // a fast fit has ended when it hears that it is to stop
  const until = before.filter(({ event, step: its }) => its <= step && event !== 'end');
  const kept = [...until, ...all.slice(at + 1)];
  expect(timeless(kept)).toEqual(timeless(linesOf(whole)));
});

test('the log of a killed process has whole lines; a fit without checkpoint begins it anew', async () => {
  const log = folder.file('killed.jsonl');
  const script = `
    const { fitCopula } = require(${JSON.stringify(path.join(root, 'dist'))});
    const u = Array.from({ length: 300 }, (_, i) => [(i + 0.5) / 300, (((i * 7) % 300) + 0.5) / 300]);
    fitCopula(u, { hidden: 16, depth: 1, steps: 1e6, batch: 32, validation: 0, log: ${JSON.stringify(log)},
      onEvent: ({ step }) => step > 200 && process.kill(process.pid, 'SIGKILL') });`;
  expect(spawnSync(process.execPath, ['-e', script]).signal).toBe('SIGKILL');
  const steps = stepsOf(linesOf(log)).map(({ step }) => step);
  expect(steps.length).toBeGreaterThan(200);
  expect(steps).toEqual(steps.map((_, i) => i + 1));
  await fitCopula(u, { ...options, steps: 3, log });
  expect(linesOf(log).map(({ event }) => event)).toEqual([
    'start',
    'step',
    'step',
    'step',
    'validation',
    'end',
  ]);
});

test('models of an ensemble are told apart', async () => {
  const log = folder.file('ensemble.jsonl');
  await fitEnsemble(u, { ...options, steps: 5, models: 2, log });
  const events = linesOf(log);
  for (const model of [0, 1]) {
    const own = events.filter((event) => event.model === model);
    expect(stepsOf(own).map(({ step }) => step)).toEqual([1, 2, 3, 4, 5]);
    expect(own[0]).toMatchObject({ event: 'start', seed: String(1 + model) });
    expect(own.at(-1)!.event).toBe('end');
  }
});

test('a loss that is not finite is in the log', async () => {
  const log = folder.file('diverged.jsonl');
  const wild = { ...options, learningRate: 10, warmup: 0, clipNorm: 0, beta2: 0, epsilon: 1e-300 };
  const failure = await fitCopula(u, { ...wild, steps: 4000, patience: 0, validation: 0, log }).catch(
    (error: SklarError) => error,
  );
  expect(failure).toMatchObject({ code: 'ERR_SKLAR_DIVERGED' });
  const last = stepsOf(linesOf(log)).at(-1)!;
  expect((failure as SklarError).message).toContain(`at step ${last.step} `);
});

test('a log that cannot be written is an error before the first step, later a warning', async () => {
  const onProgress = jest.fn();
  for (const log of [folder.file('no/such/folder.jsonl'), folder.file('.')]) {
    await expect(fitCopula(u, { ...options, log, onProgress })).rejects.toMatchObject({
      code: 'ERR_SKLAR_FILE',
    });
  }
  expect(onProgress).not.toHaveBeenCalled();
  await expect(fitCopula(u, { ...options, log: 3 as never })).rejects.toMatchObject({
    code: 'ERR_SKLAR_VALUE',
  });
  for (const option of ['log', 'checkpoint']) {
    await expect(fitCopula(u, { kind: 'gaussian', [option]: folder.file('x.jsonl') })).rejects.toMatchObject({
      code: 'ERR_SKLAR_VALUE',
      message: `${option} belongs to kinds that a network learns in steps, not to gaussian`,
    });
  }

  const log = folder.file('replaced.jsonl');
  const errors: SklarError[] = [];
  const copula = await fitCopula(u, {
    ...options,
    log,
    onLogError: (error) => errors.push(error),
    onEvent: ({ step }) => {
      if (step !== 20 || !existsSync(log)) return;
      rmSync(log, { recursive: true });
      mkdirSync(log);
    },
  });
  expect(copula.kind).toBe('cdc');
  expect(errors.map(({ code }) => code)).toEqual(['ERR_SKLAR_FILE']);
});

test('an exception of onEvent ends the fit', async () => {
  const onEvent = () => {
    throw new Error('I have seen enough');
  };
  await expect(fitCopula(u, { ...options, onEvent })).rejects.toThrow('I have seen enough');
});
