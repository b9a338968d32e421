/** `sklar export --onnx`. */
import { existsSync, readFileSync } from 'node:fs';

import { loadModel } from '../../lib';
import { TemporaryFolder } from '../data/support';
import { runOnnx, tensorOf, worstOf } from '../helpers/onnx';
import { COLUMNS, sklar, sklarFails, sklarJson, writeExamples } from './support';

const folder = new TemporaryFolder();
let files: Awaited<ReturnType<typeof writeExamples>>;
beforeAll(async () => {
  files = await writeExamples(folder);
});
const rows = [
  [0.2, 0.3, 0.4],
  [0.999, 0.001, 0.5],
];
const evaluate = async (file: string) =>
  (await runOnnx([{ model: readFileSync(file), inputs: { u: tensorOf(rows) } }]))[0]!;

test('writes the density of a model, and says what it takes and gives', async () => {
  const out = folder.file('gaussian.onnx');
  const result = await sklarJson(['export', files.gaussian, '--onnx', out]);
  expect(result).toEqual({
    ...{ kind: 'gaussian', dim: 3, columns: [...COLUMNS], what: 'density' },
    ...{ inputs: ['u'], outputs: ['log_pdf'], bytes: readFileSync(out).length, file: out },
  });
  const model = await loadModel(files.gaussian);
  expect(worstOf((await evaluate(out)).log_pdf!.data, await model.logPdf(rows)).error).toBeLessThan(1e-12);

  const plain = await sklar(['export', files.gaussian, '--onnx', out]);
  expect(plain.stdout).toMatch(
    /^density of a gaussian copula of 3 columns: from u to log_pdf, \d+ KiB\nwrote .*gaussian\.onnx\n$/,
  );
});

test('a cdc without an estimate of its normaliser says so; its network', async () => {
  const out = folder.file('cdc.onnx');
  const { stdout } = await sklar(['export', files.cdc, '--onnx', out]);
  expect(stdout).toContain('log_pdf is unnormalised: the model has no estimate of its normaliser\n');
  const model = await loadModel(files.cdc);
  expect(worstOf((await evaluate(out)).log_pdf!.data, await model.logPdf(rows)).error).toBeLessThan(1e-5);
  expect(await sklarJson(['export', files.cdc, '--onnx', out, '--what', 'network'])).toMatchObject({
    inputs: ['y'],
    outputs: ['logits'],
  });
});

test('what cannot be exported is named, and leaves no file', async () => {
  const out = folder.file('none.onnx');
  await sklarFails(
    ['export', files.gaussian, '--onnx', out, '--what', 'network'],
    3,
    'ERR_SKLAR_VALUE',
    'the network of a gaussian copula cannot be exported to ONNX',
  );
  await sklarFails(
    ['export', files.cdc, '--onnx', out, '--steps', 5],
    3,
    'ERR_SKLAR_VALUE',
    '--steps',
    'cdc',
  );
  await sklarFails(['export', files.cdc, '--onnx', 'model.pb'], 4, 'ERR_SKLAR_FILE', '--onnx', '.onnx');
  await sklarFails(['export', files.data, '--onnx', out], 4, 'ERR_SKLAR_FORMAT', 'data.csv');
  expect(existsSync(out)).toBe(false);
});
