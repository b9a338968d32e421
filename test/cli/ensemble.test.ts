// `sklar fit --models`, and what the other commands make of an ensemble.
import { type EnsembleCopula, loadModel, readTable, writeTable } from '../../lib';
import { TemporaryFolder } from '../data/support';
import { COLUMNS, QUICK, exampleTable, sklar, sklarFails, sklarJson } from './support';

const folder = new TemporaryFolder();
let data: string;
let model: string;
beforeAll(async () => {
  data = folder.file('data.csv');
  model = folder.file('model.safetensors');
  await writeTable(exampleTable(), data);
});

test('fit trains, judges and saves it', async () => {
  const argv = ['fit', data, '--out', model, ...QUICK, '--levels', 4, '--models', 2, '--device', 'cpu'];
  const document = await sklarJson(argv);
  expect(document).toMatchObject({
    kind: 'ensemble',
    member: 'cdc',
    models: 2,
    dim: 3,
    columns: COLUMNS,
    steps: 12,
    bestStep: null,
    device: 'cpu',
    precision: 'fp32',
    holdout: {
      normalised: true,
      logNormaliser: 0,
      logNormaliserStandardError: expect.any(Number),
    },
  });
  expect(document.holdout.normalisedMeanLogPdf).toBe(document.holdout.meanLogPdf);
  const copula = (await loadModel(model)) as EnsembleCopula;
  expect(copula.members).toHaveLength(2);
  expect(copula.logNormaliser).toBe(0);
  const { stdout } = await sklar(argv);
  expect(stdout).toMatch(/^ensemble of 2 cdc copulas of 3 columns, learned from 320 rows/);
  expect(stdout).not.toContain('unnormalised');
});

test('score, sample and info', async () => {
  const scores = await sklarJson(['score', model, data]);
  expect(scores).toMatchObject({ kind: 'ensemble', rows: 400, normalised: true, logNormaliser: 0 });
  const out = folder.file('sample.csv');
  expect(await sklarJson(['sample', model, '--rows', 21, '--out', out])).toMatchObject({ rows: 21 });
  expect((await readTable(out)).names).toEqual(COLUMNS);
  const given = folder.file('given.csv');
  const conditional = await sklarJson([
    'sample',
    model,
    '--rows',
    9,
    '--out',
    given,
    '--given',
    'wind speed=5',
  ]);
  expect(conditional).toMatchObject({ kind: 'ensemble', normalised: true, method: 'smc' });
  expect((await readTable(given)).column('wind speed')).toEqual(new Float64Array(9).fill(5));
  const info = await sklarJson(['info', model]);
  expect(info).toMatchObject({
    kind: 'ensemble',
    config: { models: 2, member: 'cdc' },
    training: { steps: 12 },
  });
});

test.each<[(string | number)[], string]>([
  [['--models', 0], '--models'],
  [['--models', 'two'], '--models'],
  [['--models', 2, '--kind', 'gaussian'], 'gaussian'],
])('%j', async (options, culprit) => {
  const out = folder.file('bad.safetensors');
  await sklarFails(['fit', data, '--out', out, ...options], 3, 'ERR_SKLAR_VALUE', culprit);
});

test('splits in a configuration belong to models', async () => {
  const config = folder.file('config.json', JSON.stringify({ splits: 'same' }));
  const out = folder.file('bad.safetensors');
  await sklarFails(['fit', data, '--out', out, '--config', config], 3, 'ERR_SKLAR_VALUE', 'splits', 'models');
});
