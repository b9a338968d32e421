/** Tables with too few rows or columns to learn a dependence from. */
import { type JointDistribution, Table, compare, fitJoint, loadJoint, report } from '../../lib';
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
  const value = joint.margins.margin('x').quantile(Float64Array.of(0.4))[0]!;
  const given = await joint.sampleConditional({ x: value }, 3);
  expect(given.table.column('y')).toEqual(new Float64Array(3).fill(2 * value + 1));
  expect(given.logMarginalDensity).toBeCloseTo(
    joint.margins.margin('x').logPdf(Float64Array.of(value))[0]!,
    9,
  );
  await expect(report(joint, table)).rejects.toMatchObject({
    code: 'ERR_SKLAR_VALUE',
    message: expect.stringContaining(
      'at least 2 columns to report on their dependence, got one of "x" alone',
    ),
  });
  const above = await joint.sampleConditional({ x: { above: 60 } }, 500);
  expect(above.table.column('x').every((x) => x > 60)).toBe(true);
});

test('rows of which all columns are given are these, with the density of the model', async () => {
  const next = uniforms(7);
  const a = Array.from({ length: 200 }, () => next());
  const table = Table.fromColumns({ a, b: a.map((x) => x + next()), c: a.map(() => Math.floor(3 * next())) });
  const joint = await fitJoint(table, { copula: { kind: 'gaussian' } });
  const row = { a: 0.4, b: 0.9, c: 1 };
  const { table: rows, logMarginalDensity } = await joint.sampleConditional({ a: 0.4, b: 0.9, c: 1 }, 4);
  expect(['a', 'b', 'c'].map((name) => rows.column(name)[3])).toEqual(Object.values(row));
  expect(Number.isFinite(logMarginalDensity)).toBe(true);
  const two = await fitJoint(table.select(['a', 'b']), { copula: { kind: 'gaussian' } });
  const both = await two.sampleConditional({ a: 0.4, b: 0.9 }, 2);
  const [log] = await two.logPdf(Table.fromColumns({ a: [0.4], b: [0.9] }));
  expect(both.logMarginalDensity).toBeCloseTo(log!, 9);
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
    'too few rows to tell dependence from chance (3, of at least 9): the columns are independent in the model',
  );
  expect(joint.copula.info().parameters).toBe(3);
  expect((await joint.sample(5)).names).toEqual(['a', 'b', 'c']);
  const one = await (await fitJoint(rows.take([1]))).sample(2);
  expect(['a', 'b', 'c'].map((name) => one.text(name, 1))).toEqual(['3', '5', 'y']);
  await expect(fitJoint(rows.take([]))).rejects.toMatchObject({ code: 'ERR_SKLAR_SHAPE' });
});
