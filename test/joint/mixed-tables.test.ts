/** Tables of texts, dates and missing cells: learned, drawn, scored. */
import { readFileSync } from 'node:fs';

import {
  GaussianCopula,
  JointDistribution,
  type Note,
  Table,
  fitJoint,
  inspectTable,
  loadJoint,
  readTable,
  writeTable,
} from '../../lib';
import { Generator } from '../../lib/data/random';
import { TemporaryFolder } from '../data/support';
import { sklar } from '../cli/support';
import { ordersTable } from '../helpers/orders';

const folder = new TemporaryFolder();
const ROWS = 1500;
const generator = new Generator(11);
const uniform = () => generator.next() / 2 ** 32;

const orders = () => ordersTable(ROWS, uniform);

test('from a file to a sample and back', async () => {
  const table = await orders();
  const file = folder.file('orders.csv');
  await writeTable(table, file);
  const model = folder.file('orders.safetensors');
  const { stdout } = await sklar(['fit', file, '--kind', 'gaussian', '--out', model]);
  expect(stdout).toContain('column "gross": = 1.19 x "amount"; it is computed again, not modelled');
  expect(stdout).toContain('"amount" is 0 where "count" is 0');
  expect(stdout).toMatch(/column "rating": \d+ % of the cells are missing/);
  for (const ending of ['csv', 'parquet', 'json']) {
    const out = folder.file(`sample.${ending}`);
    expect(await sklar(['sample', model, '--rows', 600, '--out', out])).toMatchObject({ status: 0 });
    const sample = await readTable(out);
    expect(sample.names).toEqual(table.names);
    expect(sample.types.map(({ type }) => type)).toEqual(
      (await readTable(file)).types.map(({ type }) => type),
    );
    let missing = 0;
    for (let i = 0; i < sample.rows; i++) {
      const [count, amount] = [sample.column('count')[i]!, sample.column('amount')[i]!];
      expect(count === 0).toBe(amount === 0);
      expect(Math.abs(sample.column('gross')[i]! - 1.19 * amount)).toBeLessThan(0.00501);
      if (sample.text('rating', i) === null) missing++;
    }
    expect(missing / sample.rows).toBeGreaterThan(0.13);
    expect(missing / sample.rows).toBeLessThan(0.27);
    expect(sample.text('unit', 3)).toBe('EUR');
  }
  const again = await sklar(['inspect', folder.file('sample.csv'), '--json']);
  const roles = (JSON.parse(again.stdout) as { columns: { role: string }[] }).columns.map(({ role }) => role);
  expect(roles).toEqual((await inspectTable(await readTable(file))).columns.map(({ role }) => role));
  expect((await sklar(['score', model, file])).stdout).toContain('mean log density');
  expect((await sklar(['compare', file, folder.file('sample.csv'), '--metrics', 'ks'])).status).toBe(0);
  const given = await sklar([
    'sample',
    model,
    '--rows',
    20,
    '--out',
    folder.file('given.csv'),
    '--given',
    'size=large,when=2020-06-01',
  ]);
  expect(given).toMatchObject({ status: 0 });
  expect(readFileSync(folder.file('given.csv'), 'utf8')).toMatch(/,large,2020-06-01,/);
});

test('samples do not depend on the size of batches, rules included', async () => {
  const joint = await fitJoint(await orders(), { copula: { kind: 'gaussian' } });
  const whole = await joint.sample(300, { seed: 4 });
  const parts: Table[] = [];
  for await (const part of joint.sampleStream(300, { seed: 4, batch: 37 })) parts.push(part);
  for (const name of whole.names) {
    const cells = parts.flatMap((part) => Array.from({ length: part.rows }, (_, i) => part.text(name, i)));
    expect(cells).toEqual(Array.from({ length: 300 }, (_, i) => whole.text(name, i)));
  }
  const path = folder.file('joint.safetensors');
  await joint.save(path);
  const loaded = await loadJoint(path);
  expect(loaded.schema.toJSON()).toEqual(joint.schema.toJSON());
  expect((await loaded.sample(5)).text('size', 2)).toBe((await joint.sample(5)).text('size', 2));
  const { table } = await joint.sampleConditional({ size: 'small', open: true }, 10);
  expect(table.text('size', 0)).toBe('small');
  expect(table.text('open', 9)).toBe('true');
  await expect(joint.sampleConditional({ size: 'tiny' }, 5)).rejects.toThrow(
    'expected one of "small", "medium", "large" for the fixed column "size", got "tiny"',
  );
});

test('a rule that is never kept is named, with what to do', async () => {
  const base = Array.from({ length: 300 }, uniform);
  const names = Array.from({ length: 7 }, (_, k) => `c${k}`);
  const steps = names.map(() => base.map(() => 0.02 * uniform()));
  const ordered = Table.fromColumns(
    Object.fromEntries(
      names.map((name, k) => [
        name,
        base.map((value, i) => steps.slice(0, k).reduce((sum, step) => sum + step[i]!, value)),
      ]),
    ),
  );
  using fitted = await fitJoint(ordered, { copula: { kind: 'gaussian' } });
  const identity = new Float64Array(49).map((_, k) => Number(k % 8 === 0));
  using joint = new JointDistribution(new GaussianCopula(identity, 7), fitted.margins);
  await expect(joint.sample(20)).rejects.toThrow(
    /of 20 that break one after 500 draws each, .*"c\d" is at most "c\d": .*; fit without "c\d" or "c\d", or another kind/,
  );
});

test('a value that a rule is of keeps its share, whatever the model has learned', async () => {
  const rows = 3000;
  const kind = Array.from({ length: rows }, () => {
    const u = uniform();
    return u < 0.06 ? 'land' : u < 0.5 ? 'flat' : 'house';
  });
  const homes = Table.fromColumns({
    kind,
    // 0 where there is no building and nowhere else, and elsewhere, too
    area: kind.map((one) => (one === 'land' ? 0 : Math.round(400 + 1000 * uniform()) / 10)),
    baths: kind.map((one) => (one === 'land' || uniform() < 0.2 ? 0 : 1 + Math.floor(3 * uniform()))),
  });
  using fitted = await fitJoint(homes, { copula: { kind: 'gaussian' } });
  const independent = new GaussianCopula(Float64Array.of(1, 0, 0, 0, 1, 0, 0, 0, 1), 3);
  using joint = new JointDistribution(independent, fitted.margins);
  const shares = (table: Table) => {
    const is = (test: (i: number) => boolean) =>
      Array.from({ length: table.rows }, (_, i) => Number(test(i))).reduce((sum, one) => sum + one) /
      table.rows;
    return [
      is((i) => table.text('kind', i) === 'land'),
      is((i) => table.column('area')[i] === 0),
      is((i) => table.column('baths')[i] === 0),
    ];
  };
  const [land, area, baths] = shares(await joint.sample(rows)) as [number, number, number];
  const [ofData, , bathsOfData] = shares(homes) as [number, number, number];
  const error = 4 * Math.sqrt((ofData * (1 - ofData)) / rows);
  expect(Math.abs(land - ofData)).toBeLessThan(error);
  expect(area).toBe(land);
  // too often by those rows that were set
  expect(baths - bathsOfData).toBeLessThan(ofData + error);
  const { table } = await joint.sampleConditional({ kind: 'land' }, 50);
  expect(Array.from(table.column('area'))).toEqual(new Array(50).fill(0));
  await expect(joint.sampleConditional({ kind: 'land', area: 50 }, 5)).rejects.toThrow(
    '"area" is 0 where "kind" is land',
  );
});

test('a value that two columns have in the same rows alone keeps its share in both, whatever the model has learned', async () => {
  const rows = 4000;
  const draws = (make: (i: number) => number) => Array.from({ length: rows }, (_, i) => make(i));
  const sales = draws(() => (uniform() < 0.6 ? 0 : 1 + Math.floor(3 * uniform() ** 2)));
  const change = draws(() => (uniform() < 0.3 ? 0 : uniform() - 0.4));
  const shop = Table.fromColumns({
    sales,
    revenue: sales.map((count) => (count === 0 ? 0 : Math.round(count * (500 + 4000 * uniform())) / 100)),
    // with their common value in the middle, and at the upper end
    change,
    direction: change.map((value) => (value === 0 ? 0 : value + uniform() - 0.5)),
    grade: sales.map((count) => (count === 0 ? 9 : Math.floor(9 * uniform()))),
  });
  using fitted = await fitJoint(shop, { copula: { kind: 'gaussian' } });
  for (const rho of [0, 0.8]) {
    const correlations = Float64Array.from({ length: 25 }, (_, k) => (k % 6 === 0 ? 1 : rho));
    using joint = new JointDistribution(new GaussianCopula(correlations, 5), fitted.margins);
    const drawn = await joint.sample(20_000);
    const zeros = (table: Table, name: string, value = 0) =>
      table.column(name).reduce((sum, one) => sum + Number(one === value), 0) / table.rows;
    for (const name of ['sales', 'revenue', 'change', 'direction']) {
      expect(Math.abs(zeros(drawn, name) - zeros(shop, name))).toBeLessThan(0.012);
    }
    expect(zeros(drawn, 'revenue')).toBe(zeros(drawn, 'sales'));
    expect(zeros(drawn, 'direction')).toBe(zeros(drawn, 'change'));
    expect(zeros(drawn, 'grade', 9)).toBe(zeros(drawn, 'sales'));
    const quantiles = (table: Table) => {
      const positive = table.column('revenue').filter((value) => value > 0);
      const sorted = positive.sort();
      return [0.1, 0.5, 0.9, 0.99].map((level) => sorted[Math.floor(level * sorted.length)]!);
    };
    const own = quantiles(shop);
    quantiles(drawn).forEach((value, k) =>
      expect(Math.abs(value / own[k]! - 1)).toBeLessThan(rho ? 0.1 : 0.06),
    );
  }
});

test('rows given cells keep the rules of the data and have all columns', async () => {
  const joint = await fitJoint(await orders(), { copula: { kind: 'gaussian' } });
  const { table } = await joint.sampleConditional({ open: true, rating: { above: -1 } }, 400, { seed: 3 });
  const where = await joint.sampleWhere("open = true and size != 'small'", 400, { seed: 3 });
  for (const rows of [table, where.table]) {
    expect(rows.names).toEqual(joint.schema.names);
    const zeros = rows.column('count').filter((value) => value === 0).length;
    expect(zeros).toBeGreaterThan(50);
    for (let i = 0; i < rows.rows; i++) {
      const amount = rows.column('amount')[i]!;
      expect(rows.column('count')[i] === 0).toBe(amount === 0);
      expect(Math.round(100 * amount) / 100).toBe(amount);
      expect(Math.abs(rows.column('gross')[i]! - 1.19 * amount)).toBeLessThan(0.00501);
    }
    expect(new Set(Array.from({ length: rows.rows }, (_, i) => rows.text('id', i))).size).toBe(rows.rows);
  }
  await expect(joint.sampleConditional({ gross: 100 }, 5)).rejects.toThrow(
    /got "gross", which is computed from others \(= 1\.19 x "amount"\); a condition .* can be on all columns/,
  );
  await expect(joint.sampleConditional({ id: 'A-1' }, 5)).rejects.toThrow('got "id", which names rows');
  await expect(joint.sampleConditional({ none: 1 }, 5)).rejects.toThrow('for a fixed value, got "none"');
});

describe('missing cells', () => {
  const holes = async (share: number) => {
    const copula = new GaussianCopula(Float64Array.of(1, 0.7, 0.2, 0.7, 1, -0.3, 0.2, -0.3, 1), 3);
    const { data } = await copula.sample(2000, { dtype: 'float64', scale: 'gaussian', seed: 9 });
    const column = (j: number) =>
      Float64Array.from({ length: 2000 }, (_, i) => (uniform() < share ? NaN : data[3 * i + j]!));
    return Table.fromColumns({ a: column(0), b: column(1), c: column(2) });
  };

  test.each(['gaussian', 'student'] as const)(
    '%s has the correlation of the cells that are there',
    async (kind) => {
      const joint = await fitJoint(await holes(0.3), { copula: { kind } });
      const { correlation } = joint.copula as GaussianCopula;
      expect(Math.abs(correlation[1]! - 0.7)).toBeLessThan(0.05);
      expect(Math.abs(correlation[2]! - 0.2)).toBeLessThan(0.1);
      expect(Math.abs(correlation[5]! + 0.3)).toBeLessThan(0.1);
    },
  );

  test('rows are scored by the cells that they have', async () => {
    const joint = await fitJoint(await holes(0.1), { copula: { kind: 'gaussian' }, margins: 'normal' });
    const [both, left, none] = await joint.logPdf(
      Table.fromColumns({ a: [0.5, 0.5, null], b: [0.2, 0.2, null], c: [1, null, null] }),
    );
    const marginal = await fitJoint(await holes(0), { copula: { kind: 'gaussian' }, margins: 'normal' });
    expect(left).toBeGreaterThan(both!);
    expect(none).toBeCloseTo(0, 6);
    const { correlation } = joint.copula as GaussianCopula;
    const rho = correlation[1]!;
    const margin = (name: string) => joint.margins.margin(name);
    const z = (['a', 'b'] as const).map((name, k) => {
      const { parameters } = margin(name);
      return ([0.5, 0.2][k]! - parameters.mean!) / parameters.deviation!;
    });
    const q = (z[0]! ** 2 + z[1]! ** 2 - 2 * rho * z[0]! * z[1]!) / (1 - rho * rho);
    const logPdf = -Math.log(2 * Math.PI) - 0.5 * Math.log(1 - rho * rho) - q / 2;
    const scales = (['a', 'b'] as const).map((name) =>
      Math.log(joint.margins.margin(name).parameters.deviation!),
    );
    expect(left).toBeCloseTo(logPdf - scales[0]! - scales[1]!, 5);
    expect(marginal.dim).toBe(3);
  });

  test.each(['cdc', 'flow', 'reflection'] as const)('%s draws them while it learns', async (kind) => {
    const notes = (joint: { notes: readonly Note[] }) => joint.notes.map(({ message }) => message).join('\n');
    const joint = await fitJoint(await holes(0.2), { copula: { kind, hidden: 16, depth: 1, steps: 150 } });
    expect(notes(joint)).toMatch(
      /of the cells are missing, (so that training draws|whose levels training draws)/,
    );
    const sample = await joint.sample(2000, { complete: true });
    const [a, b] = [sample.column('a'), sample.column('b')];
    const mean = (values: Float64Array) => values.reduce((sum, value) => sum + value, 0) / values.length;
    const [ma, mb] = [mean(a), mean(b)];
    const covariance = (x: Float64Array, mx: number, y: Float64Array, my: number) =>
      mean(x.map((value, i) => (value - mx) * (y[i]! - my)));
    const r = covariance(a, ma, b, mb) / Math.sqrt(covariance(a, ma, a, ma) * covariance(b, mb, b, mb));
    // levels that know nothing of the other cells would leave 0.45
    expect(Math.abs(r - 0.7)).toBeLessThan(0.12);
    expect(sample.columns.every((values) => values.every(Number.isFinite))).toBe(true);
  });
});

test('a table is inspected whose complete rows have a column of one value', async () => {
  const each = <T>(make: (i: number) => T) => Array.from({ length: 60 }, (_, i) => make(i));
  const homes = Table.fromColumns({
    fee: each((i) => (i % 2 === 0 ? 0 : 100 * uniform())),
    // missing where there is a fee
    plot: each((i) => (i % 2 === 0 ? 500 * uniform() : null)),
    area: each(() => 90 * uniform()),
  });
  const { columns, complete } = await inspectTable(homes);
  expect(complete).toBe(30);
  expect(columns.map(({ role }) => role)).toEqual(['modelled', 'modelled', 'modelled']);
});

test('rows that were drawn anew to keep a rule are told of', async () => {
  const low = Array.from({ length: 400 }, () => 10 * uniform());
  const table = Table.fromColumns({ low, high: low.map((value) => value + 5 * uniform()) });
  using joint = await fitJoint(table, { copula: { kind: 'independence' } });
  const told: Note[] = [];
  const onNote = (note: Note) => told.push(note);
  await joint.sample(300, { onNote });
  for await (const part of joint.sampleStream(300, { batch: 64, onNote })) expect(part.rows).toBeLessThan(65);
  expect(told).toHaveLength(2);
  expect(told[0]).toMatchObject({ code: 'rules', columns: ['low', 'high'] });
  expect(told[0]!.message).toMatch(
    /^[23]\d % of the rows broke a rule of the data, most of them that "low" is at most "high"/,
  );
  const path = folder.file('rules.safetensors');
  await joint.save(path);
  const drawn = await sklar(['sample', path, '--rows', 200, '--out', folder.file('rules.csv'), '--json']);
  expect(JSON.parse(drawn.stdout).notes).toMatchObject([{ code: 'rules', columns: ['low', 'high'] }]);
  told.length = 0;
  using learned = await fitJoint(table, { copula: { kind: 'gaussian' } });
  await learned.sample(300, { onNote });
  const share = told.length === 0 ? 0 : Number.parseFloat(told[0]!.message);
  expect(share).toBeLessThan(25);
});
