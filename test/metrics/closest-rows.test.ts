/** Distances to the closest training row (docs/mathematics.md, G.3). */
import { FamilyCopula, Table, closestRows, compare } from '../../lib';
import { Generator } from '../../lib/data/random';

const generator = new Generator(5);
const uniform = () => generator.next() / 2 ** 32;

function mixed(rows: number): Table {
  return Table.fromColumns({
    a: Float64Array.from({ length: rows }, uniform),
    b: Float64Array.from({ length: rows }, () => Math.round(8 * uniform())),
    soil: Array.from({ length: rows }, () => ['sand', 'clay', 'peat'][generator.below(3)]!),
    wet: Array.from({ length: rows }, () => uniform() < 0.4),
  });
}

test('the least of all distances, by definition', async () => {
  const training = mixed(700);
  // the same labels in the same order
  const others = new Table(
    training.names,
    mixed(90).columns.map((values, j) => (j === 2 ? values.map((code) => (code + 1) % 3) : values)),
    training.types,
  );
  const level = (j: number, x: number) => {
    const of = training.columns[j]!;
    const [less, equal] = [of.filter((y) => y < x).length, of.filter((y) => y === x).length];
    return (less + equal / 2 + 0.5) / (of.length + 1);
  };
  const points = (table: Table) =>
    Array.from({ length: table.rows }, (_, i) =>
      table.columns.map((values, j) => (j < 2 ? level(j, values[i]!) : values[i]!)),
    );
  const base = points(training);
  const expected = points(others).map((row) =>
    Math.min(
      ...base.map(
        (other) =>
          row.reduce((sum, x, j) => sum + (j < 2 ? Math.abs(x - other[j]!) : Number(x !== other[j])), 0) / 4,
      ),
    ),
  );
  const found = await closestRows(training, others, { threads: 2 });
  expected.forEach((distance, i) => expect(found[i]).toBeCloseTo(distance, 9));
  expect(await closestRows(training, others, { threads: 1 })).toEqual(found);
  const own = await closestRows(training, training.take([3, 600]));
  expect(Array.from(own)).toEqual([0, 0]);
});

test('compare tells copies of training rows from new ones', async () => {
  const copula = new FamilyCopula('frank', { theta: 5 });
  const [training, data, sample] = await Promise.all(
    [1, 2, 3].map((seed) => copula.sample(1500, { seed, dtype: 'float64' })),
  );
  const options = { metrics: ['ks' as const], train: training! };
  const fair = (await compare(data!, sample!, options)).closest!;
  expect(fair.training).toBe(1500);
  expect(fair.sample.copies).toBe(0);
  expect(Math.abs(fair.nearer.value - 0.5)).toBeLessThan(3 * fair.nearer.standardError);
  // half of the sample is copied, with noise in the last digits or without
  const copied = {
    ...sample!,
    data: Float64Array.from(sample!.data, (x, at) =>
      at % 4 < 2 ? training!.data[at]! + (at % 8 < 4 ? 0 : 1e-9) : x,
    ),
  };
  const found = (await compare(data!, copied, options)).closest!;
  expect(found.sample.copies).toBeCloseTo(0.25, 2);
  expect(found.data.copies).toBe(0);
  expect(found.nearer.value).toBeGreaterThan(0.7);
  expect(found.sample.low).toBe(0);
  expect((await compare(data!, sample!, { metrics: ['ks'] })).closest).toBeNull();
});

test('refuses other columns', async () => {
  await expect(
    closestRows(
      [
        [1, 2],
        [3, 4],
      ],
      [[1], [2]],
    ),
  ).rejects.toThrow('expected 2 columns');
  await expect(
    closestRows(
      [
        [1, 2],
        [3, NaN],
      ],
      [[1, 2]],
    ),
  ).rejects.toThrow('the training rows of closestRows, got NaN');
});
