/** Tables with too few rows or columns to learn a dependence from. */
import { type JointDistribution, Table, compare, fitJoint, loadJoint } from '../../lib';
import { TemporaryFolder } from '../data/support';
import { uniforms } from '../helpers/data';

const folder = new TemporaryFolder();

async function reloaded(joint: JointDistribution): Promise<JointDistribution> {
  const file = folder.file('model.safetensors');
  await joint.save(file);
  return loadJoint(file);
}

test('of one column the model is its margin', async () => {
  const next = uniforms(1);
  const x = Array.from({ length: 300 }, () => 100 * next() ** 2);
  const table = Table.fromColumns({ id: x.map((_, i) => `A-${i}`), x, y: x.map((value) => 2 * value + 1) });
  const joint = await reloaded(await fitJoint(table));
  expect([joint.copula.kind, joint.names]).toEqual(['gaussian', ['x']]);
  expect(joint.notes.map(({ message }) => message).join()).toContain('"x" is all that is modelled');
  expect(await joint.logPdf(table)).toEqual(joint.margins.margin('x').logPdf(Float64Array.from(x)));
  const sample = await joint.sample(400);
  expect(sample.names).toEqual(['id', 'x', 'y']);
  expect(sample.column('y')).toEqual(sample.column('x').map((value) => 2 * value + 1));
  const { metrics } = await compare(table.select(['x']), sample.select(['x']));
  expect(metrics.ks!.sample.pValue).toBeGreaterThan(0.01);
});

test('what is not modelled at all is put back', async () => {
  const table = Table.fromColumns({
    id: Int32Array.from({ length: 30 }, (_, i) => i + 1),
    unit: Array.from({ length: 30 }, () => 'mm'),
    nothing: Array.from({ length: 30 }, () => null),
  });
  const joint = await reloaded(await fitJoint(table, { copula: { kind: 'flow' } }));
  const sample = await joint.sample(3);
  expect([0, 1, 2].map((i) => sample.names.map((name) => sample.text(name, i)))).toEqual([
    ['1', 'mm', null],
    ['2', 'mm', null],
    ['3', 'mm', null],
  ]);
  expect(await joint.logPdf(table)).toEqual(new Float64Array(30));
  const holes = Table.fromColumns({ unit: ['mm', null, 'mm', null, 'mm', null, 'mm', null, 'mm'] });
  const some = await (await fitJoint(holes)).sample(200);
  const missing = some.column('unit').filter(Number.isNaN).length;
  expect(missing).toBeGreaterThan(50);
  expect(missing).toBeLessThan(150);
});

test('few rows have independent columns', async () => {
  const rows = Table.fromColumns({ a: [1, 3, 2], b: [2, 5, 9], c: ['x', 'y', 'x'] });
  const joint = await reloaded(await fitJoint(rows));
  expect(joint.notes.map(({ message }) => message)).toContain(
    'too few rows to tell dependence from chance (3, of at least 8): the columns are independent in the model',
  );
  expect(joint.copula.info().parameters).toBe(3);
  expect((await joint.sample(5)).names).toEqual(['a', 'b', 'c']);
  const one = await (await fitJoint(rows.take([1]))).sample(2);
  expect(['a', 'b', 'c'].map((name) => one.text(name, 1))).toEqual(['3', '5', 'y']);
  await expect(fitJoint(rows.take([]))).rejects.toMatchObject({ code: 'ERR_SKLAR_SHAPE' });
});
