/** Means of log densities where some rows have density 0. */
import { readFileSync } from 'node:fs';

import { Table, fitJoint, meanOf, report, writeTable } from '../../lib';
import { TemporaryFolder } from '../data/support';
import { formatMean } from '../../lib/report/charts/text';
import { uniforms } from '../helpers/data';
import { exampleTable, sklar, sklarFails, sklarJson } from './support';

const folder = new TemporaryFolder();
const model = folder.file('model.safetensors');
const good = folder.file('good.csv');
const one = folder.file('one.csv');
const many = folder.file('many.csv');

const table = exampleTable(300);

/** The table with values that its margins do not have. */
function spoilt(rows: readonly number[]): Table {
  const columns = table.columns.map((values) => Float64Array.from(values));
  for (const row of rows) columns[1]![row - 1] = -3 - row;
  return new Table(table.names, columns, table.kinds);
}

beforeAll(async () => {
  const margins = { 'depth, m': { type: 'kde', support: [0, null] as [number, null] } } as const;
  using joint = await fitJoint(positive(), { copula: { kind: 'gaussian' as never }, margins });
  await joint.save(model);
  await writeTable(positive(), good);
  await writeTable(spoilt([17]), one);
  await writeTable(spoilt(Array.from({ length: 12 }, (_, k) => 2 * k + 1)), many);
});

function positive(): Table {
  const columns = table.columns.map((values, j) => (j === 1 ? values.map(Math.abs) : values));
  columns.forEach((values, j) => table.columns[j]!.set(values));
  return table;
}

test('score names the row, the column and the value, and gives the mean of the others', async () => {
  const { status, stdout } = await sklar(['score', model, one, '--scale', 'data']);
  expect(status).toBe(0);
  expect(stdout).toContain('1 of 300 rows has density 0');
  expect(stdout).toContain('row 17: "depth, m" is -20, where the margin has no mass');
  expect(stdout).toMatch(
    /mean log density of the other 299 of 300 rows on the data scale, in nats: -?\d+\.\d+ \+- \d/,
  );
  expect(stdout).not.toMatch(/NaN|Infinity \+-/);

  const found = await sklarJson(['score', model, one, '--scale', 'data']);
  expect(found.impossible).toEqual({
    count: 1,
    rows: [{ row: 17, columns: [{ column: 'depth, m', value: -20 }] }],
  });
  const clean = await sklarJson(['score', model, good, '--scale', 'data']);
  expect(clean.impossible).toBeUndefined();
  expect(Math.abs(found.meanLogPdf - clean.meanLogPdf)).toBeLessThan(0.1);
});

test('so it does on the copula scale, in the same words', async () => {
  const out = folder.file('levels.csv');
  const [onData, onCopula] = [
    await sklar(['score', model, one, '--scale', 'data']),
    await sklar(['score', model, one, '--out', out]),
  ];
  const without = (text: string) => text.split('\n').slice(0, 2);
  expect(without(onCopula.stdout)).toEqual(without(onData.stdout));
  expect(onCopula.stdout).toMatch(
    /mean log density of the other 299 of 300 rows, in nats: -?\d+\.\d+ \+- \d/,
  );
  expect(readFileSync(out, 'utf8').match(/-inf/g)).toHaveLength(1);

  const found = await sklarJson(['score', model, one]);
  const clean = await sklarJson(['score', model, good]);
  expect(found.impossible).toEqual((await sklarJson(['score', model, one, '--scale', 'data'])).impossible);
  expect(clean.impossible).toBeUndefined();
  expect(Math.abs(found.meanLogPdf - clean.meanLogPdf)).toBeLessThan(0.1);
});

test.each([[[]], [['--scale', 'data']]])(
  'where every row is impossible there is no mean %j',
  async (scale) => {
    const all = folder.file('all.csv');
    await writeTable(spoilt([1, 2]).take(Uint32Array.of(0, 1)), all);
    const { status, stdout } = await sklar(['score', model, all, ...scale]);
    expect(status).toBe(0);
    expect(stdout).toBe(
      '2 of 2 rows have density 0, log density -Infinity\n' +
        '  row 1: "depth, m" is -4, where the margin has no mass\n' +
        '  row 2: "depth, m" is -5, where the margin has no mass\n' +
        'no row has a finite density, so that there is no mean log density\n',
    );
    expect(await sklarJson(['score', model, all, ...scale])).toMatchObject({
      rows: 2,
      meanLogPdf: null,
      standardError: null,
      impossible: { count: 2 },
    });
  },
);

test('a certificate is of the rows that are possible', async () => {
  const certificate = ['--certificate', '--sample-rows', '500', '--route-rows', '1000'];
  const found = await sklarJson(['score', model, many, ...certificate]);
  expect(found.impossible.count).toBe(12);
  expect(found.certificate.rows).toBe(288);
  // at levels of recurring values, which the score takes means over
  const [exact] = found.certificate.routes as { mean: number }[];
  expect(Math.abs(exact!.mean - found.meanLogPdf)).toBeLessThan(0.05);
});

test('many such rows are counted, the first ten named', async () => {
  const out = folder.file('scores.csv');
  const { stdout } = await sklar(['score', model, many, '--scale', 'data', '--out', out]);
  expect(stdout).toContain('12 of 300 rows have density 0');
  expect(stdout.match(/^ {2}row /gm)).toHaveLength(10);
  expect(stdout).toContain('  and 2 more');
  expect(readFileSync(out, 'utf8').match(/-inf/g)).toHaveLength(12);
});

test('meanOf', () => {
  expect(meanOf(Float64Array.of(1, 2, 3))).toEqual({ mean: 2, standardError: Math.sqrt(1 / 3) });
  expect(meanOf(Float64Array.of(1, -Infinity, 3))).toEqual({
    mean: 2,
    standardError: 1,
    impossible: { count: 1, rows: [2] },
  });
  expect(meanOf(Float64Array.of(-Infinity, -Infinity))).toEqual({
    mean: -Infinity,
    standardError: null,
    impossible: { count: 2, rows: [1, 2] },
  });
  expect(meanOf(Float64Array.of(-Infinity, 4), [7, 8])).toMatchObject({ mean: 4, impossible: { rows: [8] } });
});

test('what is printed of a mean over none', () => {
  expect(formatMean(meanOf(Float64Array.of(-Infinity, -Infinity)))).toBe(
    'none, since no row has a finite density (2 rows of density 0: 1, 2)',
  );
});

test('a report of data with such rows has numbers', async () => {
  const margins = { 'depth, m': { type: 'kde', support: [0, null] as [number, null] } } as const;
  using joint = await fitJoint(positive(), { copula: { kind: 'gaussian' as never }, margins });
  const { numbers, html } = await report(joint, spoilt([17]), {
    rows: 300,
    skip: ['pairs', 'tails', 'losses'],
    certificate: { sampleRows: 1000 },
  });
  expect(JSON.stringify(numbers.certificate)).not.toMatch(/NaN|null,"standardError":null/);
  expect(numbers.impossible).toEqual({
    count: 1,
    rows: [{ row: 17, columns: [{ column: 'depth, m', value: -20 }] }],
  });
  expect(html).toContain('1 of 300 rows has density 0');
});

test('score names the column of which a margin has an infinite density', async () => {
  const next = uniforms(4);
  const columns = [0, 1].map((k) => Float64Array.from({ length: 200 }, () => (k ? next() : next() ** 4)));
  using joint = await fitJoint(new Table(['small', 'other'], columns), {
    copula: { kind: 'gaussian' },
    margins: { small: 'gamma' },
  });
  const pole = folder.file('pole.safetensors');
  await joint.save(pole);
  const rows = folder.file('pole.csv');
  await writeTable(new Table(['small', 'other'], [Float64Array.of(0.1, 0), Float64Array.of(0.2, 0.3)]), rows);
  const words = 'the log density of row 2 is Infinity: so is that of the gamma margin of column "small" at 0';
  await sklarFails(['score', pole, rows, '--scale', 'data'], 6, 'ERR_SKLAR_DIVERGED', words);
});
