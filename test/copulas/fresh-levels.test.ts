/** Networks on columns of few values: levels within blocks of equal values are drawn afresh for every batch. */
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

import {
  PseudoObservations,
  Table,
  fitCopula,
  fitEnsemble,
  fitJoint,
  kendall,
  matrix,
  readTable,
} from '../../lib';
import { crossed } from '../helpers/data';

const kinds = ['cdc', 'flow', 'reflection'] as const;

test('tau-b of samples of a cdc is that of a flag beside a number; fresh-levels.long.test.ts has more', async () => {
  const table = await readTable(path.resolve(__dirname, '..', 'fixtures', 'cases', 'discrete', 'flag.csv'));
  const network = { hidden: 32, depth: 2, steps: 800, batch: 512, learningRate: 3e-3, validateEvery: 100 };
  const joint = await fitJoint(table, { copula: { kind: 'cdc', ...network } });
  const sample = await joint.sample(20_000, { seed: 2 });
  expect(Math.abs((await kendall(sample)).data[1]! - 0.544)).toBeLessThan(0.02);
});

/** A rounded column beside one of different values. */
async function halves(rows: number, seed: number) {
  const { data } = crossed(rows, 0.9, seed);
  const values = data.map((u, i) => (i % 2 ? u : Math.round(2 * u)));
  const ranks = await PseudoObservations.fit(Table.fromMatrix(matrix(values, rows, 2, ['half', 'x'])));
  return { u: ranks.transformTrain(), blocks: ranks.trainingBlocks() };
}
const bits = { hidden: 16, depth: 1, steps: 150, batch: 128, validateEvery: 20, patience: 2, anneal: 30 };
const probe = crossed(50, 0.5, 9);

describe.each(kinds)('the bits of a %s on recurring values', (kind) => {
  test('are the same for any number of threads', async () => {
    const { u, blocks } = await halves(600, 4);
    const fit = async (threads: number) => {
      const copula = await fitCopula(u, { kind, ...bits, blocks, threads });
      return copula.logPdf(probe, { threads: 1 });
    };
    expect(await fit(2)).toEqual(await fit(1));
  });

  test('are the same after a resumed checkpoint', async () => {
    const scratch = mkdtempSync(path.join(os.tmpdir(), 'sklar-ties-'));
    try {
      const { u, blocks } = await halves(600, 4);
      const options = { kind, ...bits, blocks, checkpoint: path.join(scratch, 'ties.checkpoint') };
      const controller = new AbortController();
      const aborted = fitCopula(u, {
        ...options,
        signal: controller.signal,
        onProgress: ({ step }) => {
          if (step > 40) controller.abort(new Error('enough for today'));
        },
      });
      await expect(aborted).rejects.toThrow('enough for today');
      let from = 0;
      const resumed = await fitCopula(u, { ...options, onProgress: ({ step }) => (from ||= step) });
      expect(from).toBeGreaterThan(40);
      const whole = await fitCopula(u, { kind, ...bits, blocks });
      expect(await resumed.logPdf(probe)).toEqual(await whole.logPdf(probe));
    } finally {
      rmSync(scratch, { recursive: true });
    }
  });
});

test('a member of an ensemble is what it is alone', async () => {
  const { u, blocks } = await halves(300, 5);
  const options = { kind: 'flow' as const, ...bits, steps: 60, blocks };
  const ensemble = await fitEnsemble(u, { ...options, models: 2 });
  const alone = await fitCopula(u, { ...options, seed: 2 });
  expect(await ensemble.members[1]!.logPdf(probe)).toEqual(await alone.logPdf(probe));
});

test('a note names the columns with recurring values', async () => {
  const { u, blocks } = await halves(300, 5);
  const copula = await fitCopula(u, { ...bits, steps: 5, blocks });
  expect(copula.notes).toEqual([
    {
      code: 'ties',
      columns: ['half'],
      message:
        'column "half": values recur, so that training draws their levels afresh within their blocks of ranks in every batch',
    },
  ]);
  expect((await fitCopula(crossed(300, 0.9, 1), { ...bits, steps: 5 })).notes).toEqual([]);
});
