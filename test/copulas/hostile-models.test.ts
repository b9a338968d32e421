import { readModelFile, writeModelFile } from '../../lib/model/model-file';
import { type Copula, GaussianCopula, fitCopula, fitJoint, loadModel, Table } from '../../lib';
import { sklar } from '../cli/support';
import { TemporaryFolder } from '../data/support';

const folder = new TemporaryFolder();
const quick = { hidden: 8, depth: 1, steps: 10, batch: 32 };

/** The file with a tensor changed, signed anew. */
async function tampered(file: string, tensor: string, change: (data: Float32Array | Float64Array) => void) {
  const { document, tensors } = await readModelFile(file);
  const whole = tensors.get(tensor)!;
  const copy = whole.data.slice() as Float64Array;
  change(copy);
  const out = folder.file(`tampered-${Math.random()}.safetensors`);
  await writeModelFile(out, {
    document: document!,
    tensors: new Map([...tensors, [tensor, { ...whole, data: copy }]]),
  });
  return out;
}

test.each(['cdc', 'flow'] as const)('a guide that is no Cholesky factor is refused: %s', async (kind) => {
  const u = await new GaussianCopula(Float64Array.of(1, 0.6, 0.6, 1), 2).sample(200);
  const file = folder.file(`${kind}.safetensors`);
  await (await fitCopula(u, { kind, ...quick })).save(file);
  for (const change of [
    (l: Float64Array) => l.fill(NaN),
    (l: Float64Array) => l.fill(0),
    (l: Float64Array) => (l[3] = -l[3]!),
    (l: Float64Array) => (l[1] = 0.5),
    (l: Float64Array) => (l[2] = Infinity),
    (l: Float64Array) => (l[0] = 3),
  ]) {
    await expect(loadModel(await tampered(file, 'guide.cholesky', change as never))).rejects.toMatchObject({
      code: 'ERR_SKLAR_FORMAT',
      message: expect.stringMatching(/"guide\.cholesky".*tampered-/),
    });
  }
});

test('weights that overflow end in an error and never in NaN, of the API and the command line', async () => {
  const z = await new GaussianCopula(Float64Array.of(1, 0.6, 0.6, 1), 2).sample(200, { dtype: 'float64' });
  const table = Table.fromMatrix({ ...z, names: ['a', 'b'] });
  const { copula } = await fitJoint(table, { copula: { kind: 'cdc', ...quick } });
  const file = folder.file('whole.safetensors');
  await copula.save(file);
  const data = folder.file(
    'data.csv',
    `a,b\n${Array.from({ length: 20 }, (_, i) => `${z.data[2 * i]},${z.data[2 * i + 1]}`).join('\n')}\n`,
  );
  const { tensors } = await readModelFile(file);
  const weights = [...tensors.keys()].filter((name) => /weight|bias/.test(name));
  for (const tensor of weights) {
    const bad = await tampered(file, tensor, (values) => values.fill(3e38));
    const model = await loadModel(bad);
    const every = async (work: (model: Copula) => Promise<ArrayLike<number>>) => {
      const values = await work(model).catch((error: unknown) => {
        expect(error).toMatchObject({ name: 'SklarError', code: 'ERR_SKLAR_DIVERGED' });
        return [];
      });
      expect(Array.from(values).every(Number.isFinite)).toBe(true);
    };
    await every((m) => m.logPdf(z));
    await every(async (m) => (await m.sample(20)).data);
    await every(async (m) => (await m.sampleConditional({ 0: 0.3 }, 10)).rows.data);
    const { status, stdout } = await sklar(['score', bad, data, '--json']);
    if (status === 0) expect(stdout).not.toMatch(/NaN|Infinity|"meanLogPdf":null/);
    else expect(status).toBe(6);
  }
});

test('a density without a bound is infinite, and no other', async () => {
  const x = Float64Array.from({ length: 300 }, (_, i) => (-Math.log((i + 0.5) / 300)) ** 3);
  const table = new Table(['a', 'b'], [x, x.map((value, i) => value + (i % 7))]);
  const joint = await fitJoint(table, { copula: { kind: 'gaussian' }, margins: { a: 'weibull' } });
  const [first, second] = await joint.logPdf(
    new Table(['a', 'b'], [Float64Array.of(1, 0), Float64Array.of(1, 1)]),
  );
  expect(first).toBeLessThan(Infinity);
  expect(second).toBe(Infinity);
});
