import { writeFile } from 'node:fs/promises';

import { loadJoint, readTable, writeTable } from '../../lib';
import { TemporaryFolder } from '../data/support';
import { uniforms } from '../helpers/data';
import { wines } from '../helpers/wine';
import { sklar, sklarFails, sklarJson } from './support';

const folder = new TemporaryFolder();
const data = folder.file('wines.csv');
const model = folder.file('wines.safetensors');
const table = wines(400, 1);
const fit = ['fit', data, '--out', model, '--kind', 'gaussian'];

beforeAll(() => writeTable(table, data));

test('fit chooses margins, and samples are in the units of the data', async () => {
  const { margins } = (await sklarJson(fit)) as { margins: string[] };
  expect(margins).toEqual(['rounded', 'rounded', 'rounded', 'rounded', 'kde', 'rounded', 'discrete']);
  const out = folder.file('drawn.csv');
  await sklarJson(['sample', model, '--rows', 300, '--out', out, '--seed', 3]);
  const drawn = await readTable(out);
  expect([drawn.names, drawn.rows]).toEqual([table.names, 300]);
  expect(drawn.kind('quality')).toBe('integer');
  // as the data are rounded
  expect(drawn.column('alcohol').every((value) => value === Math.round(10 * value) / 10)).toBe(true);
  expect((await (await loadJoint(model)).sample(300, { seed: 3 })).column('density')).toEqual(
    drawn.column('density'),
  );
  expect(await sklarJson(['info', model])).toMatchObject({ margins: { types: margins, ties: 'random' } });
  expect((await sklar(['info', model])).stdout).toMatch(
    /margins {5}\d rounded, .*1 kde.*of 320 rows, ties random/,
  );
});

test('a condition is in the units of the data', async () => {
  const out = folder.file('given.csv');
  const { given } = await sklarJson([
    'sample',
    model,
    '--rows',
    20,
    '--out',
    out,
    '--given',
    'quality=7,density=0.996',
  ]);
  expect(given).toEqual({ quality: 7, density: 0.996 });
  expect(new Set((await readTable(out)).column('density'))).toEqual(new Set([0.996]));
});

test('margins by column, by option or configuration', async () => {
  const byOption = await sklarJson([
    ...fit,
    '--margins',
    'density=empirical,quality=kde',
    '--margins',
    'alcohol=kde',
  ]);
  // values that recur far more often than those around them are atoms of a kernel estimate
  expect(byOption.margins.filter((_: string, j: number) => j > 3)).toEqual([
    'empirical',
    'zero-inflated',
    'discrete',
  ]);
  const config = folder.file(
    'config.json',
    JSON.stringify({ margins: { density: { type: 'kde', support: [0.9, null], bandwidth: 0.2 } } }),
  );
  await sklarJson([...fit, '--config', config]);
  const joint = await loadJoint(model);
  expect(joint.margins.margin('density').parameters).toMatchObject({ bandwidth: 0.2 });
  expect(joint.margins.supports[4]).toEqual([0.9, Infinity]);
  const { margins } = await sklarJson([...fit, '--margins', 'empirical']);
  expect(new Set(margins)).toEqual(new Set(['empirical', 'zero-inflated']));
  await sklarFails([...fit, '--margins', 'density=gauss'], 3, 'ERR_SKLAR_VALUE', 'density', 'gauss');
  await sklarFails(
    [...fit, '--margins', 'density=zero-inflated'],
    3,
    'ERR_SKLAR_VALUE',
    'density',
    'zero-inflated',
  );
});

test('score tells the density on the data scale when asked', async () => {
  await sklarJson(fit);
  const out = folder.file('scores.csv');
  const onData = await sklarJson(['score', model, data, '--scale', 'data', '--out', out]);
  const expected = await (await loadJoint(model)).logPdf(table);
  expect((await readTable(out)).column('log_pdf')).toEqual(expected);
  expect(onData).toMatchObject({ scale: 'data', rows: 400 });
  const onCopula = await sklarJson(['score', model, data]);
  expect(onCopula.scale).toBe('copula');
  expect(onCopula.meanLogPdf).not.toBeCloseTo(onData.meanLogPdf, 3);
  expect((await sklar(['score', model, data, '--scale', 'data'])).stdout).toContain('on the data scale');
});

test('a mistyped option of a margin names the column', async () => {
  const config = folder.file('typo.json');
  await writeFile(config, JSON.stringify({ margins: { density: { type: 'kde', bandwith: 1 } } }));
  await sklarFails(
    [...fit, '--config', config],
    3,
    'ERR_SKLAR_VALUE',
    '"density"',
    '"bandwith"',
    '"bandwidth"',
  );
});

test('of few rows none is held out', async () => {
  const small = folder.file('small.csv');
  await writeFile(small, 'a,b\n1,2\n3,5\n2,9\n');
  const { stdout } = await sklar(['fit', small, '--out', folder.file('small.safetensors')]);
  expect(stdout).toContain('independent columns (2), learned from 3 rows');
  expect(stdout).toContain('too few to hold some out: all are learned from');
});

test('the margins in a table, ranges and properties of samples', async () => {
  const next = uniforms(3);
  const rows = Array.from({ length: 800 }, () => {
    const a = next();
    const wet = next() < 0.5;
    return {
      age: 18 + Math.floor(47 * a),
      rain: wet ? Math.round(-80 * Math.log(next())) / 10 : 0,
      flow: 10 + 5 * a + next(),
      region: ['north', 'west'][Math.floor(2 * next())]!,
    };
  });
  const file = folder.file('mixed.csv');
  const out = folder.file('mixed.safetensors');
  const drawn = folder.file('mixed-drawn.csv');
  await writeFile(
    file,
    ['age,rain,flow,region', ...rows.map((row) => Object.values(row).join(','))].join('\n'),
  );
  const shown = await sklar(['fit', file, '--out', out, '--kind', 'gaussian', '--margins', 'flow=gpd']);
  for (const line of [
    /^margins$/m,
    /^ {2}column +type +atoms +from +to +tails$/m,
    /^ {2}age +rounded to 1 +18 +64$/m,
    /^ {2}rain +rounded to 0.1 +0 \([45]\d(\.\d)? %\) +0 +exponential above [\d.]+$/m,
    /^ {2}flow +gpd .*Pareto above [\d.]+ \(shape -?[\d.]+\)$/m,
    /^ {2}region +discrete +2 values/m,
  ]) {
    expect(shown.stdout).toMatch(line);
  }
  expect((await sklar(['info', out])).stdout).toMatch(/^ {2}age +rounded to 1 +18 +64$/m);

  const sample = ['sample', out, '--rows', 200, '--out', drawn];
  const ranged = await sklar([...sample, '--given', 'age>=30,age<40', '--given', 'rain>0']);
  expect(ranged.stderr).toBe('');
  expect(ranged.stdout).toMatch(/^log probability of the condition, in nats: -\d\.\d{4}/);
  const table = await readTable(drawn);
  expect(table.column('age').every((value) => value >= 30 && value < 40)).toBe(true);
  expect(Math.min(...table.column('rain'))).toBeGreaterThan(0);

  const where = await sklar([...sample, '--where', 'region = west and (age > 50 or rain = 0)']);
  expect(where.stdout).toMatch(/^[\d.]+ % of the draws have the property\nwrote 200 rows/);
  const kept = await readTable(drawn);
  for (let i = 0; i < 200; i++) {
    expect(kept.text('region', i)).toBe('west');
    expect(kept.column('age')[i]! > 50 || kept.column('rain')[i] === 0).toBe(true);
  }
  const refused = (...argv: string[]) => [...sample, ...argv];
  await sklarFails(refused('--where', 'ages > 3'), 3, 'ERR_SKLAR_VALUE', 'ages > 3', '"age"');
  await sklarFails(refused('--where', 'age > 3', '--given', 'age=4'), 3, 'ERR_SKLAR_VALUE', '--given');
  await sklarFails(refused('--where', 'age > 3', '--scale', 'copula'), 3, 'ERR_SKLAR_VALUE', '--scale');
  await sklarFails(refused('--given', 'age>x'), 3, 'ERR_SKLAR_VALUE', '"age"', '"x"');
  await sklarFails(refused('--given', 'age>3,age>=4'), 3, 'ERR_SKLAR_VALUE', '"age" again');
  await sklarFails(refused('--given', 'age>0.5', '--scale', 'copula'), 3, 'ERR_SKLAR_VALUE', 'a range');
});

test('the probability of an event, and rows of a rare one', async () => {
  const few = ['--particles', 4000, '--seed', 2];
  const common = await sklarJson(['probability', model, '--where', 'alcohol > 11 and quality >= 6', ...few]);
  expect(common).toMatchObject({ kind: 'gaussian', method: 'monte-carlo', levels: 0 });
  expect(common.probability).toBeGreaterThan(0.05);
  const where = 'alcohol > 14 and density < 0.99 and quality <= 5';
  const shown = await sklar(['probability', model, '--where', where, ...few]);
  expect(shown.stderr).toBe('');
  expect(shown.stdout).toMatch(
    /^probability [\d.e-]+ \+- [\d.e-]+ \(95 %: [\d.e-]+ to [\d.e-]+\)\nby subset simulation, \d+ levels; .*\n\d+ rows, /,
  );
  const never = await sklar(['probability', model, '--where', 'density < 0', ...few]);
  expect(never.stdout).toMatch(/^no row of the event was met: its probability is at most [\d.e-]+ \(95 %\)/);
  await sklarFails(['probability', model, '--where', 'alcohols > 3'], 3, 'ERR_SKLAR_VALUE', 'alcohols > 3');
  await sklarFails(['probability', model], 2, 'ERR_SKLAR_USAGE', '--where');

  const out = folder.file('rare.csv');
  const drawn = await sklar(['sample', model, '--rows', 100, '--out', out, '--where', where]);
  expect(drawn.stdout).toMatch(
    /^too few draws have the property .* worth \d+ independent ones\nprobability [\d.e-]+ \+- .*\nwrote 100 rows/,
  );
  const rows = await readTable(out);
  expect(Math.min(...rows.column('alcohol'))).toBeGreaterThan(14);
  expect(Math.max(...rows.column('quality'))).toBeLessThanOrEqual(5);
});
