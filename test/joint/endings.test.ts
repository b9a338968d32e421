/** The last digits of numbers: samples have those that stand out in the data. */
import { Table, fitJoint, loadJoint, readTable } from '../../lib';
import { findEndings } from '../../lib/data/columns/endings';
import { Generator } from '../../lib/data/random';
import { TemporaryFolder } from '../data/support';
import { writeFileSync } from 'node:fs';

const folder = new TemporaryFolder();
const generator = new Generator(5);
const uniform = () => (generator.next() + 0.5) / 2 ** 32;
const normal = () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
const amount = () => Math.exp(10.5 + 0.4 * normal());
const DAY = 86_400;
const workday = (): number => {
  const day = 18_000 + Math.floor(1500 * uniform());
  return [2, 3].includes(day % 7) ? workday() : day; // 1970-01-03 was a Saturday
};

const laws: Record<string, { value: () => number; type: 'number' | 'integer' | 'date' | 'timestamp' }> = {
  hundreds: { value: () => 100 * Math.round(amount() / 100), type: 'integer' },
  heaped: {
    value: () => (uniform() < 0.4 ? 1000 * Math.round(amount() / 1000) : Math.round(amount())),
    type: 'integer',
  },
  price: {
    value: () => Number((Math.floor(amount() / 300) + (uniform() < 0.7 ? 0.99 : 0.5)).toFixed(2)),
    type: 'number',
  },
  twelves: { value: () => 12 * Math.round(amount() / 100) - 7, type: 'integer' },
  day: { value: workday, type: 'date' },
  quarters: { value: () => 900 * Math.floor(1_700_000 + 3e4 * uniform()), type: 'timestamp' },
  none: { value: () => Math.round(amount()), type: 'integer' },
};
const formats = { date: 'YYYY-MM-DD', timestamp: 'YYYY-MM-DD HH:mm:ss' } as const;

const tableOf = (rows: number): Table =>
  new Table(
    Object.keys(laws),
    Object.values(laws).map(({ value }) => Float64Array.from({ length: rows }, value)),
    Object.values(laws).map(({ type }) =>
      type === 'date' || type === 'timestamp' ? { type, format: formats[type] } : { type },
    ),
  );

const share = (values: Float64Array, is: (value: number) => boolean) =>
  values.filter(is).length / values.length;

test.each([100, 800])('of %d rows samples have them as often', async (rows) => {
  const table = tableOf(rows);
  const joint = await fitJoint(table, { copula: { kind: 'gaussian' } });
  const sample = await joint.sample(4000, { seed: 3 });
  const of = (name: string) => sample.column(name);
  expect(share(of('hundreds'), (x) => x % 100 === 0)).toBe(1);
  expect(share(of('twelves'), (x) => x % 12 === 5)).toBe(1);
  expect(share(of('day'), (x) => [2, 3].includes(x % 7))).toBe(0);
  expect(share(of('quarters'), (x) => x % (DAY / 96) === 0)).toBe(1);
  const ends = (values: Float64Array, end: number) => share(values, (x) => Math.round(100 * x) % 100 === end);
  for (const end of [99, 50]) expect(ends(of('price'), end)).toBeCloseTo(ends(table.column('price'), end), 1);
  const round = (values: Float64Array) => share(values, (x) => x % 1000 === 0);
  expect(Math.abs(round(of('heaped')) - round(table.column('heaped')))).toBeLessThan(0.05);
  expect(round(of('none'))).toBeLessThan(0.02);
  // moved by little
  const median = (values: Float64Array) => values.toSorted()[values.length >> 1]!;
  for (const [j, { type }] of Object.values(laws).entries()) {
    if (type !== 'integer') continue;
    const [own, drawn] = [table.columns[j]!, sample.columns[j]!];
    expect(drawn.every((x) => x >= 0)).toBe(true);
    expect(Math.abs(median(drawn) / median(own) - 1)).toBeLessThan(0.15);
  }
  const texts = joint.margins.notes.filter(({ code }) => code === 'rounding').map(({ message }) => message);
  expect(texts.join('\n')).toContain('last digits of the data');

  const file = folder.file(`${rows}.safetensors`);
  await joint.save(file);
  expect((await (await loadJoint(file)).sample(50, { seed: 3 })).columns).toEqual(
    sample.take(Uint32Array.from({ length: 50 }, (_, i) => i)).columns,
  );
});

test('values with a probability of their own, and given ones, stay', async () => {
  const x = Float64Array.from({ length: 600 }, (_, i) => (i % 3 === 0 ? 7 : 50 * Math.round(amount() / 50)));
  const y = x.map((value) => value + 1e4 * normal());
  const joint = await fitJoint(new Table(['x', 'y'], [x, y], ['integer', 'float']), {
    copula: { kind: 'gaussian' },
  });
  const drawn = (await joint.sample(3000)).column('x');
  expect(share(drawn, (value) => value === 7)).toBeCloseTo(1 / 3, 1);
  expect(share(drawn, (value) => value !== 7 && value % 50 !== 0)).toBe(0);
  const { table } = await joint.sampleConditional({ x: 31_234 }, 20);
  expect([...new Set(table.column('x'))]).toEqual([31_234]);
});

test('durations without seconds, imputed cells', async () => {
  const lines = Array.from({ length: 200 }, (_, i) => {
    const minutes = Math.floor(amount() / 60);
    const text = `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, '0')}:00`;
    return `${i % 9 === 0 ? '' : text},${100 * Math.round(minutes / 10 + 3 * normal())}`;
  });
  const file = folder.file('durations.csv');
  writeFileSync(file, `lasted,paid\n${lines.join('\n')}\n`);
  const table = await readTable(file);
  const joint = await fitJoint(table, { copula: { kind: 'gaussian' }, missing: 'impute' });
  const { tables } = await joint.impute(table, { draws: 1 });
  expect(share(tables[0]!.column('lasted'), (seconds) => seconds % 60 === 0)).toBe(1);
});

test('what stands out by chance does not', () => {
  let found = 0;
  for (let k = 0; k < 300; k++) {
    const rows = 20 + 7 * k;
    const values = [...new Set(Array.from({ length: rows }, () => Math.round(amount())))].sort(
      (a, b) => a - b,
    );
    if (findEndings({ type: 'integer' }, Float64Array.from(values), new Float64Array(values.length).fill(1)))
      found++;
  }
  expect(found).toBe(0);
});
