/** `sklar fit --log` and `--from`. */
import { mkdirSync, readFileSync, rmSync } from 'node:fs';

import { loadModel, writeTable } from '../../lib';
import { main } from '../../lib/cli/main';
import { TemporaryFolder } from '../data/support';
import { COLUMNS, Capture, QUICK, exampleTable, sklar, sklarFails, sklarJson } from './support';

const folder = new TemporaryFolder();
const data = folder.file('data.csv');
const model = folder.file('model.safetensors');
const table = exampleTable();
beforeAll(async () => {
  await writeTable(table, data);
  await sklarJson(['fit', data, '--out', model, ...QUICK]);
});

const linesOf = (file: string): any[] =>
  readFileSync(file, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);

test('--log writes a line for each step, and the model is the same', async () => {
  const log = folder.file('run.jsonl');
  const out = folder.file('logged.safetensors');
  await sklarJson(['fit', data, '--out', out, ...QUICK, '--log', log]);
  const events = linesOf(log);
  expect(events.map(({ event }): unknown => event)).toEqual([
    'start',
    ...Array.from({ length: 6 }, () => 'step'),
    'validation',
    'end',
  ]);
  expect(events.slice(1, 7).map(({ step }): unknown => step)).toEqual([1, 2, 3, 4, 5, 6]);
  expect(Object.keys(events[1])).toEqual(
    'event,step,loss,crossEntropy,squaredError,gradientNorm,learningRate,seconds'.split(','),
  );
  const rows = [[0.2, 0.5, 0.7]];
  const [a, b] = await Promise.all([loadModel(out), loadModel(model)]);
  expect(await a.logPdf(rows)).toEqual(await b.logPdf(rows));

  for (const option of ['--log', '--checkpoint']) {
    await sklarFails(
      ['fit', data, '--out', out, '--kind', 'clayton', option, log],
      3,
      'ERR_SKLAR_VALUE',
      `${option} belongs to kinds that a network learns in steps, not to clayton`,
    );
  }
  const gaussian = folder.file('gaussian.safetensors');
  await sklar(['fit', data, '--out', gaussian, '--kind', 'gaussian']);
  await sklarFails(
    ['fit', data, '--out', out, '--from', gaussian],
    3,
    'ERR_SKLAR_VALUE',
    '--from belongs to kinds that a network learns in steps, not to gaussian',
  );
  await sklarFails(['fit', data, '--out', out, '--log', 'run.txt'], 4, 'ERR_SKLAR_FILE', '--log', '.jsonl');
});

test('a log that ends early is said at once and in the result', async () => {
  const log = folder.file('lost.jsonl');
  const stderr = new (class extends Capture {
    override _write(chunk: Buffer, encoding: string, done: () => void): void {
      if (chunk.toString().startsWith('fit ')) {
        rmSync(log, { recursive: true });
        mkdirSync(log, { recursive: true });
      }
      super._write(chunk, encoding, done);
    }
  })();
  const stdout = new Capture();
  const argv = ['fit', data, '--out', folder.file('lost.safetensors'), ...QUICK, '--log', log, '--verbose'];
  expect(await main(argv.map(String), { stdout, stderr })).toBe(0);
  const cannot = `cannot write ${JSON.stringify(log)}: it is a directory`;
  expect(stderr.text).toContain(`warning: ${cannot}; the log ends here, the fit goes on\n`);
  expect(stdout.text.split('\n')).toContain(`note: ${cannot}`);
});

test('--from trains a model further: its kind, its network and its guide', async () => {
  const out = folder.file('further.safetensors');
  const log = folder.file('further.jsonl');
  const still = ['--steps', 1, '--batch', 32, '--learning-rate', 1e-30];
  const config = folder.file('still.json', JSON.stringify({ warmup: 0, emaDecay: 0 }));
  const result = await sklarJson([
    ...['fit', data, '--out', out, '--from', model, '--log', log],
    ...[...still, '--config', config],
  ]);
  expect(result).toMatchObject({ kind: 'cdc', from: model, steps: 1 });
  const rows = [
    [0.1, 0.2, 0.3],
    [0.5, 0.9, 0.7],
  ];
  const [a, b] = await Promise.all([loadModel(out), loadModel(model)]);
  expect(await a.logPdf(rows)).toEqual(await b.logPdf(rows));
  const { options } = linesOf(log)[0];
  expect(options).toMatchObject({ hidden: 8, depth: 1 });
  expect(linesOf(log)[1]).toMatchObject({ event: 'validation', step: 0, best: true });

  const { stdout } = await sklar(['fit', data, '--out', out, '--from', model, ...still]);
  expect(stdout).toContain(`, starting from ${JSON.stringify(model)}\n`);
});

test('--from goes on with an ensemble, whose kind and number it has', async () => {
  const flows = folder.file('flows.safetensors');
  const small = ['--hidden', 8, '--depth', 1, '--steps', 2, '--batch', 32];
  await sklarJson(['fit', data, '--out', flows, '--kind', 'reflection', '--models', 2, ...small]);
  const out = folder.file('flows-further.safetensors');
  const further = ['fit', data, '--out', out, '--from', flows, '--steps', 1, '--batch', 32];
  expect(await sklarJson(further)).toMatchObject({ models: 2, member: 'reflection' });
  await sklarFails([...further, '--kind', 'cdc'], 3, 'ERR_SKLAR_VALUE', 'got "reflection"');
  await sklarFails([...further, '--models', 3], 3, 'ERR_SKLAR_VALUE', 'an ensemble of 3 models', 'of 2');
});

test('what a model to start from does not fit is named', async () => {
  const out = folder.file('never.safetensors');
  const argv = ['fit', data, '--out', out, '--from', model];
  await sklarFails([...argv, '--hidden', 16], 3, 'ERR_SKLAR_VALUE', 'expected 8 for hidden', 'got 16');
  await sklarFails(
    [...argv, '--columns', `${COLUMNS[0]},${COLUMNS[2]}`],
    3,
    'ERR_SKLAR_SHAPE',
    'expected 2 columns of the model to start from',
    'got 3',
  );
  const other = folder.file('other.csv');
  await writeTable(table.select([COLUMNS[0], COLUMNS[2], COLUMNS[1]]), other);
  await sklarFails(
    ['fit', other, '--out', out, '--from', model],
    3,
    'ERR_SKLAR_VALUE',
    'got "count" where it has "depth, m" (column 2)',
  );
  await sklarFails(['fit', data, '--out', out, '--from', data], 4, 'ERR_SKLAR_FORMAT', 'data.csv');
  await sklarFails(
    ['fit', data, '--out', out, '--from', folder.file('none.safetensors')],
    4,
    'ERR_SKLAR_FILE',
    'none.safetensors',
  );
});
