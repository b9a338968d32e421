/** Callbacks that return promises which are rejected. */
import process from 'node:process';

import { GaussianCopula, Table, compare, fitCopula, fitEnsemble, fitJoint } from '../../lib';

const r = Float64Array.of(1, 0.5, 0.5, 1);
const failure = new Error('nobody listens');
/** Typed as a listener, as a JavaScript user's would be taken. */
const rejected = (() => Promise.reject(failure)) as () => void;
const warned = jest.spyOn(process, 'emitWarning').mockReturnValue();
afterAll(() => warned.mockRestore());

test('a training ends with what its listener was rejected with', async () => {
  const u = await new GaussianCopula(r, 2).sample(300);
  const fit = { kind: 'cdc', hidden: 8, depth: 1, batch: 32, steps: 4000 } as const;
  await expect(fitCopula(u, { ...fit, onProgress: rejected })).rejects.toBe(failure);
  await expect(fitCopula(u, { ...fit, onEvent: rejected })).rejects.toBe(failure);
  for (const reason of [failure, undefined]) {
    // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- a user's may be none
    const onProgress = (() => Promise.reject(reason)) as () => void;
    await expect(fitEnsemble(u, { ...fit, models: 2, onProgress })).rejects.toBe(reason);
  }
  expect(warned).toHaveBeenCalledWith(expect.stringContaining('nobody listens'), { code: 'SKLAR_CALLBACK' });
});

test('work of several reports ends, work of one is done', async () => {
  const copula = new GaussianCopula(r, 2);
  const sample = await copula.sample(400);
  await expect(compare(sample, sample, { onProgress: rejected })).rejects.toBe(failure);
  const table = Table.fromMatrix(sample);
  const options = { copula: { kind: 'gaussian' } } as const;
  await expect(fitJoint(table, { ...options, onMarginsProgress: rejected })).rejects.toBe(failure);
  const notes: number[] = [];
  const kept = ((fraction: number) => Promise.resolve(notes.push(fraction))) as (fraction: number) => void;
  const joint = await fitJoint(table, { ...options, onMarginsProgress: kept });
  expect(notes.length).toBeGreaterThan(1);
  expect(joint.dim).toBe(2);
});
