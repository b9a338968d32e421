/** Networks that learn from rows with missing levels: Monte Carlo EM. */
import { existsSync } from 'node:fs';

import {
  type Copula,
  type TrainEvent,
  type TrainProgress,
  FamilyCopula,
  fitCopula,
  fitEnsemble,
} from '../../lib';
import { TemporaryFolder } from '../data/support';
import { uniforms } from '../helpers/data';

const folder = new TemporaryFolder();
const small = { hidden: 16, depth: 1, steps: 120, batch: 256, patience: 0, anneal: 0 };
const points = [
  [0.1, 0.2, 0.15],
  [0.7, 0.6, 0.9],
];
const logPdf = async (copula: Copula) => copula.logPdf(points);
const messages = (copula: Copula) => copula.allNotes.map(({ message }) => message).join('\n');

/** Rows of a Clayton copula, cells of the second and the third column missing by chance. */
async function rowsOf(rows: number, share: number): Promise<number[][]> {
  const { data } = await new FamilyCopula('clayton', { theta: 3 }, { dim: 3 }).sample(rows, {
    dtype: 'float64',
    seed: 4,
  });
  const next = uniforms(9);
  return Array.from({ length: rows }, (_, i) =>
    [0, 1, 2].map((j) => (j > 0 && next() < share ? NaN : data[3 * i + j]!)),
  );
}

test('after draws from the nearest Gaussian copula, three turns of draws from the model itself', async () => {
  const u = await rowsOf(300, 0.4);
  const progress: TrainProgress[] = [];
  const events: TrainEvent[] = [];
  const copula = await fitCopula(u, {
    ...small,
    onProgress: (now) => progress.push(now),
    onEvent: (event) => events.push(event),
  });
  expect(messages(copula)).toContain('whose levels training draws from the model itself');
  expect(new Set(progress.map(({ steps }) => steps))).toEqual(new Set([240]));
  const steps = progress.map(({ step }) => step);
  expect(steps).toEqual([...steps].sort((a, b) => a - b));
  expect(progress.at(-1)).toMatchObject({ step: 240, secondsLeft: 0 });
  expect(events.filter(({ event }) => event === 'start').map(({ step }) => step)).toEqual([0, 120, 160, 200]);
  expect(events.filter(({ event }) => event === 'step').map(({ step }) => step)).toEqual(
    Array.from({ length: 240 }, (_, i) => i + 1),
  );
  expect(await logPdf(await fitCopula(u, small))).toEqual(await logPdf(copula));
});

test('an aborted turn is made anew, with the same bits', async () => {
  const u = await rowsOf(300, 0.4);
  const whole = await logPdf(await fitCopula(u, small));
  for (const last of [60, 130, 200]) {
    const checkpoint = folder.file(`${last}.checkpoint`);
    const controller = new AbortController();
    const stopped = fitCopula(u, {
      ...small,
      checkpoint,
      signal: controller.signal,
      onProgress: ({ step }) => step >= last && controller.abort(),
    });
    await expect(stopped).rejects.toMatchObject({ name: 'AbortError' });
    expect(existsSync(checkpoint)).toBe(true);
    expect(await logPdf(await fitCopula(u, { ...small, checkpoint }))).toEqual(whole);
    expect(existsSync(checkpoint)).toBe(false);
  }
});

test('every kind with a density, ensembles, columns whose values recur', async () => {
  const u = await rowsOf(120, 0.3);
  const grades = u.map(([a, b, c]) => [a!, b!, Math.ceil(4 * c!) / 4 - 0.125]);
  for (const kind of ['cdc', 'flow', 'reflection'] as const) {
    const copula = await fitCopula(kind === 'cdc' ? grades : u, { ...small, kind, steps: 40, batch: 1024 });
    expect(messages(copula)).toContain('from the model itself');
    expect((await logPdf(copula)).every(Number.isFinite)).toBe(true);
  }
  const ensemble = await fitEnsemble(u, { ...small, models: 2 });
  expect(ensemble.members.map((member) => messages(member).includes('from the model itself'))).toEqual([
    true,
    true,
  ]);
});

test('draws from the model that would take longer than the training are not made', async () => {
  const u = await rowsOf(400, 0.9);
  const progress: TrainProgress[] = [];
  const copula = await fitCopula(u, {
    ...small,
    kind: 'flow',
    steps: 20,
    onProgress: (now) => progress.push(now),
  });
  expect(messages(copula)).toContain('from the nearest Gaussian copula given the others');
  expect(progress.at(-1)).toMatchObject({ step: 20, steps: 20 });
  const published = await fitCopula(u, { ...small, kind: 'reflection', network: 'published', depth: 3 });
  expect(messages(published)).toContain('from the nearest Gaussian copula given the others');
});
