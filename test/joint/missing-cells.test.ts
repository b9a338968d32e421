/** Tables in which it matters where cells are missing. */
import {
  GaussianCopula,
  StudentCopula,
  Table,
  TableSchema,
  fitJoint,
  kendall,
  loadJoint,
  normalQuantile,
  writeTable,
} from '../../lib';
import { Generator } from '../../lib/data/random';
import { sklar } from '../cli/support';
import { TemporaryFolder } from '../data/support';

const folder = new TemporaryFolder();
const ROWS = 1500;
const generator = new Generator(21);
const uniform = () => (generator.next() + 0.5) / 2 ** 32;
const each = <T>(make: (i: number) => T, rows = ROWS) => Array.from({ length: rows }, (_, i) => make(i));

/** The old do not tell their income, nor then what they save; who has no car has no model; the rest is chance. */
async function people(): Promise<Table> {
  const R = Float64Array.of(1, 0.5, 0.2, 0.5, 1, 0.6, 0.2, 0.6, 1);
  const { data } = await new GaussianCopula(R, 3).sample(ROWS, {
    scale: 'gaussian',
    dtype: 'float64',
    seed: 4,
  });
  const score = (i: number, j: number) => data[3 * i + j]!;
  const noise = normalQuantile(Float64Array.from({ length: ROWS }, uniform));
  const silent = each((i) => 0.8 * score(i, 0) + 0.6 * noise[i]! > 0.8);
  const car = each(() => uniform() < 0.7);
  return Table.fromColumns({
    age: each((i) => Math.round(10 * (50 + 12 * score(i, 0))) / 10),
    income: each((i) => (silent[i] ? null : Math.exp(10 + score(i, 1)))),
    savings: each((i) => (silent[i] ? null : 1000 * score(i, 2))),
    car,
    model: each((i) => (car[i] ? ['fiat', 'ford', 'opel'][Math.floor(3 * uniform())]! : null)),
    member: each(() => (uniform() < 0.3 ? 'x' : null)),
    weight: each((i) => (uniform() < 0.1 ? null : 70 + 10 * score(i, 2))),
  });
}

/** The share of rows in which a cell is missing among those of a kind. */
function share(table: Table, name: string, of: (row: number) => boolean): number {
  const rows = each((i) => i, table.rows).filter(of);
  return rows.filter((i) => Number.isNaN(table.column(name)[i])).length / rows.length;
}

test('whether a cell is missing is part of the model, with what it depends on', async () => {
  const table = await people();
  const joint = await fitJoint(table, { copula: { kind: 'gaussian' }, missing: 'model' });
  expect(joint.schema.indicators.map(({ columns, formula }) => [columns, formula !== null])).toEqual([
    [['income', 'savings'], false],
    [['model'], true],
    [['member'], false],
    [['weight'], false],
  ]);
  expect(joint.notes.map(({ message }) => message)).toContain(
    'columns "income", "savings", "model", "member" and "weight": whether cells are missing is part of the model',
  );
  const path = folder.file('m.safetensors');
  await joint.save(path);
  const sample = await (await loadJoint(path)).sample(6000);
  expect(sample.names).toEqual(table.names);
  for (const name of ['income', 'member', 'weight']) {
    for (const old of [true, false]) {
      const rows = (of: Table) => (i: number) => of.column('age')[i]! > 56 === old;
      const [data, drawn] = [share(table, name, rows(table)), share(sample, name, rows(sample))];
      expect(Math.abs(data - drawn)).toBeLessThan(0.07);
    }
  }
  for (let i = 0; i < sample.rows; i++) {
    expect(Number.isNaN(sample.column('savings')[i])).toBe(Number.isNaN(sample.column('income')[i]));
    expect(sample.text('model', i) === null).toBe(sample.text('car', i) === 'false');
  }
  const whole = await joint.sample(300, { complete: true });
  expect(whole.columns.every((values) => !values.some(Number.isNaN))).toBe(true);
  // scored with where the cells are missing, and filled
  const score = await joint.logPdf(table.take([0, 1, 2]));
  expect(score.every(Number.isFinite)).toBe(true);
  const { tables } = await joint.impute(table.take(each((i) => i, 50)));
  expect(tables[0]!.columns.every((values) => !values.some(Number.isNaN))).toBe(true);
  // a condition of its own
  const given = await joint.sampleConditional({ 'income and savings missing': true }, 2000);
  const age = given.table.column('age');
  expect(age.reduce((sum, value) => sum + value, 0) / age.length).toBeGreaterThan(54);
});

test('by default that is so of columns whose cells are missing in dependence on others', async () => {
  const table = await people();
  const joint = await fitJoint(table, { copula: { kind: 'gaussian' } });
  expect(joint.schema.indicators.map(({ columns }) => columns)).toEqual([['income', 'savings'], ['model']]);
  expect(joint.schema.missing.map(({ columns }) => columns.map((j) => table.names[j]))).toEqual(
    expect.arrayContaining([['member'], ['member', 'weight'], [], ['weight']]),
  );
  const again = TableSchema.fromJSON(JSON.parse(JSON.stringify(joint.schema)));
  expect(again.toJSON()).toEqual(joint.schema.toJSON());
  const sample = await joint.sample(4000);
  for (let i = 0; i < sample.rows; i++) {
    expect(sample.text('model', i) === null).toBe(sample.text('car', i) === 'false');
  }
  const old = (i: number) => sample.column('age')[i]! > 56;
  expect(share(sample, 'income', old)).toBeGreaterThan(share(sample, 'income', (i) => !old(i)) + 0.1);
  for (const name of ['member', 'weight']) {
    const everywhere = (of: Table) => share(of, name, () => true);
    expect(Math.abs(everywhere(sample) - everywhere(table))).toBeLessThan(0.05);
  }
});

test('rules are those of cells that are there', async () => {
  const pclass = each(() => (uniform() < 0.3 ? 1 : 3));
  const table = Table.fromColumns({
    pclass: Int32Array.from(pclass),
    fare: each((i) => 40 / pclass[i]! + 10 * uniform()),
    // a deck is known of the first class, a class of all
    deck: each((i) =>
      pclass[i] === 1 && uniform() < 0.8 ? ['A', 'B', 'C'][Math.floor(3 * uniform())]! : null,
    ),
    // and there is another one without rules
    age: each(() => Math.round(20 + 40 * uniform())),
  });
  const joint = await fitJoint(table, { copula: { kind: 'gaussian' } });
  expect(joint.schema.rules.length).toBeGreaterThan(0);
  const sample = await joint.sample(4000);
  for (let i = 0; i < sample.rows; i++) {
    if (sample.text('deck', i) !== null) expect(sample.column('pclass')[i]).toBe(1);
  }
  const first = sample.column('pclass').filter((value) => value === 1).length / sample.rows;
  expect(Math.abs(first - 0.3)).toBeLessThan(0.05);
});

test('or cells are missing in the patterns of the data, whatever the values', async () => {
  const table = await people();
  const joint = await fitJoint(table, { copula: { kind: 'gaussian' }, missing: 'impute' });
  expect(joint.schema.indicators).toEqual([]);
  const sample = await joint.sample(4000);
  const old = (i: number) => sample.column('age')[i]! > 56;
  expect(Math.abs(share(sample, 'income', old) - share(sample, 'income', (i) => !old(i)))).toBeLessThan(0.06);
  // that only those with a car have a model of it is no rule that all have one
  const without = sample.column('car').filter((value) => value === 0).length / sample.rows;
  expect(Math.abs(without - 0.3)).toBeLessThan(0.05);
  // one value and missing cells
  expect(joint.schema.columns.find(({ name }) => name === 'member')).toMatchObject({ role: 'constant' });
  expect(Math.abs(share(sample, 'member', () => true) - 0.7)).toBeLessThan(0.05);
});

test('or they are refused, by name and number', async () => {
  const table = Table.fromColumns({
    a: [1, 2, 3, 4, 5, 6, 7, 8],
    b: [1, null, 3, 5, 4, 8, null, 6],
    c: each((i) => (i > 0 ? i : null), 8),
  });
  const text = 'expected no missing cells, got 2 in "b", 1 in "c"';
  await expect(fitJoint(table, { missing: 'error' })).rejects.toThrow(text);
  expect(() => TableSchema.infer(table, { missing: 'drop' as 'error' })).toThrow(
    "'auto', 'impute', 'model', 'error'",
  );
  const file = folder.file('few.csv');
  await writeTable(table, file);
  const out = folder.file('few.safetensors');
  expect(await sklar(['fit', file, '--out', out, '--missing', 'error'])).toMatchObject({
    stderr: `error: ${text} [ERR_SKLAR_VALUE]\n`,
  });
});

test('on the command line: fit, sample, score, report', async () => {
  const file = folder.file('people.csv');
  await writeTable((await people()).part(0, 500), file);
  const model = folder.file('cli.safetensors');
  const fit = await sklar([
    'fit',
    file,
    '--kind',
    'gaussian',
    '--missing',
    'model',
    '--exclude',
    'model',
    '--out',
    model,
  ]);
  expect(fit.stdout).toContain('whether cells are missing is part of the model');
  expect((await sklar(['score', model, file])).stdout).toContain('mean log density of 500 rows');
  const page = folder.file('page.html');
  const report = await sklar(['report', model, file, '--out', page, '--skip', 'certificate', '--json']);
  expect(report.stderr).toBe('');
  const { numbers } = JSON.parse(report.stdout) as { numbers: { kendall: { columns: string[] } } };
  // weight is a function of savings
  expect(numbers.kendall.columns).toEqual(['age', 'income', 'savings', 'car']);
  expect((await sklar(['sample', model, '--rows', 50, '--out', folder.file('s.csv')])).status).toBe(0);
});

test.each([
  ['by chance', () => uniform() < 0.3],
  ['by the first column', (a: number) => uniform() < (a > 0.3 ? 0.75 : 0.05)],
])('the correlation is that of all rows where cells are missing %s', async (_, isMissing) => {
  const R = Float64Array.of(1, 0.7, 0.4, 0.7, 1, 0.5, 0.4, 0.5, 1);
  const rows = 2000;
  const { data } = await new GaussianCopula(R, 3).sample(rows, {
    scale: 'gaussian',
    dtype: 'float64',
    seed: 3,
  });
  const column = (j: number) => Float64Array.from({ length: rows }, (_, i) => data[3 * i + j]!);
  const holes = (j: number) => column(j).map((value, i) => (isMissing(data[3 * i]!) ? NaN : value));
  const grades = (values: Float64Array) => values.map((value) => Math.round(value));
  for (const last of [holes(2), grades(holes(2))]) {
    const table = Table.fromColumns({ a: column(0), b: holes(1), c: last });
    const { copula } = await fitJoint(table, {
      copula: { kind: 'gaussian' },
      margins: { a: 'normal', b: 'normal' },
      missing: 'impute',
    });
    const all = Table.fromColumns({ a: column(0), b: column(1), c: column(2) });
    const whole = await fitJoint(all, { copula: { kind: 'gaussian' }, margins: 'normal' });
    for (const k of [1, 2, 5]) {
      const [found, complete] = [copula, whole.copula].map((one) => (one as GaussianCopula).correlation[k]!);
      expect(Math.abs(found! - complete!)).toBeLessThan((2 * (1 - R[k]! ** 2)) / Math.sqrt(rows));
    }
  }
});

test('and so is that of a Student copula', async () => {
  const R = Float64Array.of(1, 0.7, 0.4, 0.7, 1, 0.5, 0.4, 0.5, 1);
  const [rows, samples] = [1500, 6];
  const own = new Generator(12);
  const chance = () => (own.next() + 0.5) / 2 ** 32;
  const fitted = async (columns: Float64Array[]) => {
    const joint = await fitJoint(new Table(['a', 'b', 'c'], columns), {
      copula: { kind: 'student' },
      margins: 'normal',
      missing: 'impute',
    });
    return (joint.copula as StudentCopula).correlation;
  };
  const off = new Float64Array(9);
  for (let seed = 0; seed < samples; seed++) {
    const { data } = await new StudentCopula(R, 3, 4).sample(rows, {
      scale: 'gaussian',
      dtype: 'float64',
      seed,
    });
    const column = (j: number) => Float64Array.from({ length: rows }, (_, i) => data[3 * i + j]!);
    const whole = await fitted([0, 1, 2].map(column));
    const holes = [0, 1, 2].map((j) =>
      column(j).map((value, i) => (j > 0 && chance() < (data[3 * i]! > 0.3 ? 0.75 : 0.05) ? NaN : value)),
    );
    const found = await fitted(holes);
    found.forEach((value, k) => (off[k]! += (value - whole[k]!) / samples));
  }
  // pairs of columns alone are .11, .06 and .05 below
  for (const k of [1, 2, 5]) expect(Math.abs(off[k]!)).toBeLessThan(0.03);
});

test('with impute, margins and ranks are those of all rows where what is missing depends on others', async () => {
  const rows = 2000;
  const own = new Generator(5);
  const chance = () => (own.next() + 0.5) / 2 ** 32;
  const truth = new GaussianCopula(Float64Array.of(1, 0.7, 0.5, 0.7, 1, 0.6, 0.5, 0.6, 1), 3);
  const { data } = await truth.sample(rows, { dtype: 'float64', seed: 8 });
  const level = (j: number) => Float64Array.from({ length: rows }, (_, i) => data[3 * i + j]!);
  const whole = Table.fromColumns({
    age: level(0),
    income: level(1).map((u) => -1000 * Math.log(1 - u)),
    children: level(2).map((u) => Math.floor(5 * u ** 2)),
  });
  const missing = level(0).map((u) => Number(chance() < (u > 0.6 ? 0.7 : 0.05)));
  const holes = new Table(
    whole.names,
    whole.columns.map((values, j) => values.map((value, i) => (j > 0 && missing[i] ? NaN : value))),
    whole.types,
  );
  const mean = (values: Float64Array) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const spread = (values: Float64Array) => Math.sqrt(mean(values.map((x) => (x - mean(values)) ** 2)));
  const complete = await kendall(whole);
  for (const copula of [{ kind: 'gaussian' }, { kind: 'empirical-beta' }] as const) {
    const joint = await fitJoint(holes, { copula, missing: 'impute' });
    const note = joint.notes.find(({ message }) =>
      message.includes('margins and ranks are those of all rows'),
    );
    expect(note?.columns).toEqual(['income', 'children']);
    const drawn = await joint.sample(8000, { seed: 2, complete: true });
    for (const name of ['income', 'children']) {
      const [all, found] = [whole.column(name), drawn.column(name)];
      const known = holes.column(name).filter((value) => !Number.isNaN(value));
      const error = spread(all) / Math.sqrt(known.length);
      // the cells that are there alone are six and more off
      expect(mean(all) - mean(known)).toBeGreaterThan(6 * error);
      expect(Math.abs(mean(all) - mean(found))).toBeLessThan(3 * error);
    }
    const tau = await kendall(drawn);
    // standard errors are .015 and less
    for (const k of [1, 2, 5]) expect(Math.abs(tau.data[k]! - complete.data[k]!)).toBeLessThan(0.035);
  }
  // weights of rows go into those of the cells
  const weighted = await fitJoint(holes, {
    copula: { kind: 'gaussian' },
    missing: 'impute',
    weights: level(0).map((u) => 1 + u),
  });
  const income = (await weighted.sample(8000, { seed: 3, complete: true })).column('income');
  const heavier = level(0).map((u) => 1 + u);
  const wanted = mean(whole.column('income').map((x, i) => x * heavier[i]!)) / mean(heavier);
  expect(Math.abs(mean(income) / wanted - 1)).toBeLessThan(0.08);
});
