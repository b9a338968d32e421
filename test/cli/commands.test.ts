// What each command does when all is well.
import { readFileSync, writeFileSync } from 'node:fs';

import {
  type CdcCopula,
  PseudoObservations,
  fitCopula,
  kendall,
  loadModel,
  readTable,
  spearman,
  splitRows,
  totalCorrelation,
  writeTable,
} from '../../lib';
import { sampleGivenBlocks } from '../../lib/joint/block-sample';
import { copulaLogPdf } from '../../lib/joint/copula-density';
import { conditionOf } from '../../lib/joint/fixed';
import { TemporaryFolder } from '../data/support';
import { COLUMNS, QUICK, exampleTable, sklar, sklarFails, sklarJson, writeExamples } from './support';

const folder = new TemporaryFolder();
let files: Awaited<ReturnType<typeof writeExamples>>;
beforeAll(async () => {
  files = await writeExamples(folder);
});

describe('sklar fit', () => {
  test('prints one document: the judgement of rows the model has not seen', async () => {
    const out = folder.file('fitted.safetensors');
    const document = await sklarJson(['fit', files.data, '--out', out, ...QUICK, '--split-seed', 3]);
    expect(document).toEqual({
      kind: 'cdc',
      dim: 3,
      columns: COLUMNS,
      margins: ['kde', 'gpd', 'discrete'],
      rows: { train: 320, holdout: 80 },
      steps: 6,
      bestStep: expect.any(Number),
      seconds: expect.any(Number),
      stepMilliseconds: expect.any(Number),
      device: expect.stringMatching(/^(?:cpu|cuda:0)$/),
      deviceName: expect.any(String),
      precision: expect.stringMatching(/^(?:fp32|mixed)$/),
      holdout: {
        meanLogPdf: expect.any(Number),
        standardError: expect.any(Number),
        normalised: false,
        logNormaliser: expect.any(Number),
        logNormaliserStandardError: expect.any(Number),
        normalisedMeanLogPdf: expect.any(Number),
        gaussianMeanLogPdf: expect.any(Number),
        gaussianStandardError: expect.any(Number),
      },
      model: out,
      notes: expect.any(Array),
    });

    // The same by hand, through the library.
    const { train, holdout } = splitRows(400, 0.2, 3);
    const ranks = await PseudoObservations.fit(files.table.take(train), { seed: 1 });
    const u = ranks.transformTrain();
    const unseen = files.table.take(holdout);
    const heldOut = await ranks.transform(unseen);
    const mean = (values: Float64Array) => values.reduce((sum, value) => sum + value, 0) / values.length;
    const blocks = ranks.trainingBlocks();
    const gaussian = await fitCopula(u, { kind: 'gaussian', blocks });
    const margins = (await loadModel(out)).margins!;
    expect(document.holdout.gaussianMeanLogPdf).toBeCloseTo(
      mean(await copulaLogPdf(gaussian, margins, unseen)),
      12,
    );
    const cdc = await fitCopula(u, { hidden: 8, depth: 1, steps: 6, batch: 32, blocks });
    expect(document.holdout.meanLogPdf).toBeCloseTo(mean(await copulaLogPdf(cdc, margins, unseen)), 6);
    const loaded = (await loadModel(out)) as CdcCopula;
    expect(loaded.names).toEqual(COLUMNS);
    expect(loaded.margins!.rows).toBe(320);
    const { logNormaliser, logNormaliserStandardError, normalisedMeanLogPdf, meanLogPdf } = document.holdout;
    expect([loaded.logNormaliser, loaded.logNormaliserStandardError]).toEqual([
      logNormaliser,
      logNormaliserStandardError,
    ]);
    expect(logNormaliser).toBe((await cdc.estimateNormaliser()).logZ);
    expect(normalisedMeanLogPdf).toBeCloseTo(meanLogPdf - logNormaliser, 12);
    expect(Array.from(await loaded.logPdf(heldOut))).toEqual(Array.from(await cdc.logPdf(heldOut)));
  });

  test('classical kinds, with their options', async () => {
    const out = folder.file('clayton.safetensors');
    const fit = ['fit', files.data, '--out', out, '--exclude', COLUMNS[2]];
    const byTau = await sklarJson([...fit, '--kind', 'frank', '--method', 'tau']);
    expect(byTau).toMatchObject({ kind: 'frank', holdout: { normalised: true } });
    const document = await sklarJson([...fit, '--kind', 'clayton', '--rotation', 180]);
    expect(document).toMatchObject({ kind: 'clayton', dim: 2 });
    const info = await sklarJson(['info', out]);
    expect(info).toMatchObject({
      config: { theta: expect.any(Number), rotation: 180 },
      training: { method: 'mle', rows: 320, logLikelihood: expect.any(Number) },
    });
    const sampled = await sklar(['sample', out, '--rows', 5, '--out', folder.file('clayton.csv')]);
    expect(sampled).toMatchObject({ status: 0, stderr: '' });
    const student = await sklarJson(['fit', files.data, '--out', out, '--kind', 'student']);
    expect(student).toMatchObject({ kind: 'student', dim: 3 });
    expect(await sklarJson(['score', out, files.data])).toMatchObject({ normalised: true });
  });

  test('copulas without a family, and rows given some columns', async () => {
    const out = folder.file('free.safetensors');
    const rows = folder.file('free.json');
    const fit = ['fit', files.data, '--out', out];
    const kernel = await sklarJson([...fit, '--kind', 'kernel', '--bandwidth', 1.5, '--exclude', COLUMNS[2]]);
    expect(kernel).toMatchObject({ kind: 'kernel', dim: 2, holdout: { normalised: true } });
    expect(await sklarJson(['info', out])).toMatchObject({ config: { bandwidth: 1.5 } });
    const tooMany = await sklar([...fit, '--kind', 'kernel']);
    expect(tooMany).toMatchObject({
      status: 3,
      stderr: expect.stringContaining('expected 2 columns for a kernel'),
    });
    for (const kind of ['student', 'empirical-beta']) {
      await sklarJson([...fit, '--kind', kind]);
      const given = `${COLUMNS[1]}=0.25`;
      const sample = ['sample', out, '--rows', 6, '--scale', 'copula', '--given', given, '--out', rows];
      expect(await sklarJson(sample)).toMatchObject({ kind, method: 'exact', logMarginalDensity: 0 });
      const drawn = JSON.parse(readFileSync(rows, 'utf8')) as Record<string, number>[];
      expect(drawn.map((row) => row[COLUMNS[1]])).toEqual(new Array(6).fill(0.25));
    }
  });

  test('says in words that the density of a CDC is unnormalised', async () => {
    const out = folder.file('words.safetensors');
    const { status, stdout, stderr } = await sklar(['fit', files.data, '--out', out, ...QUICK]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(
      /^cdc copula of 3 columns, learned from 320 rows in .* \(6 steps, the best at \d\)\n/,
    );
    expect(stdout).toMatch(/\n {2}cdc +-?\d\.\d{4} \+- \d\.\d{4} \(unnormalised\)\n/);
    expect(stdout).toMatch(/\n {2}normalised -?\d\.\d{4} \(log Z -?\d\.\d{4} \+- \d\.\d{4}\)\n/);
    expect(stdout).toMatch(/\n {2}gaussian +-?\d\.\d{4} \+- \d\.\d{4}\n/);
    expect(stdout).toMatch(/words\.safetensors\n$/);
  });

  test('a Gaussian copula', async () => {
    const out = folder.file('fitted-gaussian.safetensors');
    const document = await sklarJson(['fit', files.data, '--out', out, '--kind', 'gaussian']);
    expect(document).toMatchObject({ kind: 'gaussian', steps: 0, stepMilliseconds: null });
    expect(document).toMatchObject({ device: 'cpu', precision: 'fp64' });
    expect(document.holdout).toMatchObject({ normalised: true, logNormaliser: 0 });
    expect(document.holdout.normalisedMeanLogPdf).toBe(document.holdout.meanLogPdf);
    expect(document.holdout.meanLogPdf).toBe(document.holdout.gaussianMeanLogPdf);
    const { stdout } = await sklar(['fit', files.data, '--out', out, '--kind', 'gaussian']);
    expect(stdout).not.toContain('unnormalised');
  });

  test('without held-out rows there is no judgement', async () => {
    const out = folder.file('all.safetensors');
    const document = await sklarJson(['fit', files.data, '--out', out, '--holdout', 0, ...QUICK]);
    expect(document).toMatchObject({ rows: { train: 400, holdout: 0 }, holdout: null });
    const { stdout } = await sklar(['fit', files.data, '--out', out, '--holdout', 0, ...QUICK]);
    expect(stdout).not.toContain('log density');
  });

  test('chooses columns, whose names may hold commas in a configuration only', async () => {
    const out = folder.file('columns.safetensors');
    const two = await sklarJson(['fit', files.data, '--out', out, '--columns', 'count,wind speed', ...QUICK]);
    expect(two).toMatchObject({ dim: 2, columns: ['count', 'wind speed'] });
    const repeated = ['--columns', 'count', '--columns', 'wind speed'];
    expect(await sklarJson(['fit', files.data, '--out', out, ...repeated, ...QUICK])).toMatchObject({
      columns: ['count', 'wind speed'],
    });
    const config = folder.file('columns.json', JSON.stringify({ exclude: ['depth, m'] }));
    expect(await sklarJson(['fit', files.data, '--out', out, '--config', config, ...QUICK])).toMatchObject({
      columns: ['wind speed', 'count'],
    });
  });

  test('options of a configuration file hold unless the command line says otherwise', async () => {
    const out = folder.file('configured.safetensors');
    const config = folder.file(
      'config.json',
      JSON.stringify({
        steps: 4,
        hidden: 8,
        depth: 1,
        batch: 16,
        levels: 5,
        guided: true,
        validation: 0.25,
        holdout: 0.5,
        seed: '18446744073709551615',
        ties: 'average',
        threads: 1,
      }),
    );
    const argv = ['--config', config, '--steps', 3, '--no-guided'];
    const document = await sklarJson(['fit', files.data, '--out', out, ...argv]);
    expect(document).toMatchObject({ rows: { train: 200, holdout: 200 }, steps: 3 });
    const { config: network, training, margins } = await sklarJson(['info', out]);
    expect(network).toMatchObject({ hidden: 8, depth: 1, levels: 5, guided: false });
    expect(training).toMatchObject({ rows: 150, validationRows: 50, seed: '18446744073709551615' });
    expect(margins).toMatchObject({ rows: 200, ties: 'average' });
  });

  test('the seed decides the model, the split seed the rows', async () => {
    const out = folder.file('seeds.safetensors');
    const fit = async (...argv: (string | number)[]) => {
      const { holdout } = await sklarJson(['fit', files.data, '--out', out, ...QUICK, ...argv]);
      return [holdout.meanLogPdf, holdout.gaussianMeanLogPdf] as [number, number];
    };
    const first = await fit();
    expect(await fit('--seed', 1, '--split-seed', 0, '--threads', 1)).toEqual(first);
    expect((await fit('--seed', 2))[0]).not.toBe(first[0]);
    expect((await fit('--split-seed', 2))[1]).not.toBe(first[1]);
  });
});

describe('sklar score', () => {
  test('columns are found by name, and each row gets its log density', async () => {
    const copula = await loadModel(files.cdc);
    const expected = await copulaLogPdf(copula, copula.margins!, files.table);
    const shuffled = files.table.select(['count', 'depth, m', 'wind speed']);
    const data = folder.file('shuffled.csv');
    await writeTable(shuffled, data);
    // A column that the model does not know may hold anything.
    const lines = readFileSync(data, 'utf8').trim().split('\n');
    folder.file('shuffled.csv', lines.map((line, i) => `${line},${i === 0 ? 'note' : 'x'}\n`).join(''));

    for (const name of ['scores.csv', 'scores.parquet', 'scores.json', 'scores.ndjson']) {
      const out = folder.file(name);
      const document = await sklarJson(['score', files.cdc, data, '--out', out]);
      expect(document).toMatchObject({ kind: 'cdc', rows: 400, normalised: false, out });
      const scores = await readTable(out);
      expect(scores.names).toEqual(['log_pdf']);
      expect(Array.from(scores.column('log_pdf'))).toEqual(Array.from(expected));
      const mean = expected.reduce((sum, value) => sum + value, 0) / 400;
      const variance = expected.reduce((sum, value) => sum + (value - mean) ** 2, 0) / 399;
      expect(document.meanLogPdf).toBeCloseTo(mean, 12);
      expect(document.standardError).toBeCloseTo(Math.sqrt(variance / 400), 12);
    }
  });

  test('in words', async () => {
    expect((await sklar(['score', files.cdc, files.data])).stdout).toMatch(
      /^mean log density of 400 rows, in nats: -?\d+\.\d{4} \+- \d\.\d{4} \(unnormalised\)\nnormalised: -?\d+\.\d{4} \(log Z -?\d\.\d{4} \+- \d\.\d{4}\)\n$/,
    );
    expect((await sklar(['score', files.gaussian, files.data])).stdout).not.toContain('unnormalised');
  });

  test('the normaliser of the file, or an estimate that leaves the file as it is', async () => {
    const file = folder.file('estimated.safetensors');
    const copula = (await loadModel(files.cdc)) as CdcCopula;
    const { logZ, standardError } = await copula.estimateNormaliser();
    const estimated = await sklarJson(['score', files.cdc, files.data]);
    expect(estimated).toMatchObject({ logNormaliser: logZ, logNormaliserStandardError: standardError });
    expect(estimated.normalisedMeanLogPdf).toBeCloseTo(estimated.meanLogPdf - logZ, 12);
    expect(((await loadModel(files.cdc)) as CdcCopula).logNormaliser).toBeNull();
    const other = await copula.estimateNormaliser({ seed: 9, particles: 64 });
    await copula.save(file);
    expect(await sklarJson(['score', file, files.data])).toMatchObject({ logNormaliser: other.logZ });
    expect((await sklar(['info', file])).stdout).toMatch(/density +unnormalised, log Z /);
  });

  test('one row has no standard error', async () => {
    const data = folder.file('one.csv');
    await writeTable(files.table.take([3]), data);
    expect(await sklarJson(['score', files.cdc, data])).toMatchObject({ rows: 1, standardError: null });
    expect((await sklar(['score', files.cdc, data])).stdout.split('\n')[0]).not.toContain('+-');
  });
});

describe('sklar sample', () => {
  test('the data scale: the columns of the data, in their order, and their values', async () => {
    const copula = await loadModel(files.cdc);
    const u = await copula.sample(50, { seed: 5, dtype: 'float64' });
    const expected = await copula.margins!.inverse(u);
    for (const name of ['rows.csv', 'rows.parquet', 'rows.ndjson']) {
      const out = folder.file(name);
      const document = await sklarJson(['sample', files.cdc, '--rows', 50, '--seed', 5, '--out', out]);
      expect(document).toMatchObject({ rows: 50, columns: COLUMNS, scale: 'data', out });
      const table = await readTable(out);
      expect(table.names).toEqual(COLUMNS);
      expect(table.kind('count')).toBe('integer');
      expect(table.columns.map((column) => Array.from(column))).toEqual(
        expected.columns.map((column) => Array.from(column)),
      );
      for (const value of table.column('count')) expect(files.table.column('count')).toContain(value);
    }
  });

  test('the other scales, and a model without margins', async () => {
    const out = folder.file('u.csv');
    await sklarJson(['sample', files.cdc, '--rows', 50, '--scale', 'copula', '--out', out]);
    const u = await readTable(out);
    for (const column of u.columns) {
      for (const value of column) expect(value > 0 && value < 1).toBe(true);
    }
    await sklarJson(['sample', files.cdc, '--rows', 50, '--scale', 'gaussian', '--out', out]);
    const z = await readTable(out);
    expect(z.names).toEqual(COLUMNS);
    expect(z.columns[0]!.some((value) => value < 0)).toBe(true);
    expect(z.columns[0]!.map((value, i) => Math.sign(value) - Math.sign(u.columns[0]![i]! - 0.5))).toEqual(
      new Float64Array(50),
    );
    const bare = await sklarJson(['sample', files.bare, '--rows', 5, '--out', out]);
    expect(bare).toMatchObject({ scale: 'copula', columns: ['column1', 'column2', 'column3'] });
  });

  test('solvers and steps make a difference; more rows do not change the first', async () => {
    const read = async (...argv: (string | number)[]) => {
      const out = folder.file('solver.csv');
      await sklarJson(['sample', files.cdc, '--out', out, '--scale', 'gaussian', ...argv]);
      return Array.from((await readTable(out)).columns[0]!);
    };
    const plain = await read('--rows', 20);
    expect(await read('--rows', 20, '--solver', 'ab2', '--steps', 9)).toEqual(plain);
    expect((await read('--rows', 25)).slice(0, 20)).toEqual(plain);
    expect(await read('--rows', 20, '--solver', 'heun')).not.toEqual(plain);
    expect(await read('--rows', 20, '--steps', 3)).not.toEqual(plain);
    const noisy = await read('--rows', 20, '--noise');
    expect(noisy).not.toEqual(plain);
    expect(await read('--rows', 20, '--solver', 'exponential-em')).toEqual(noisy);
  });

  test('more rows than one batch', async () => {
    const out = folder.file('many.parquet');
    const argv = ['sample', files.gaussian, '--rows', 150_000, '--out', out];
    const { stdout, stderr, status } = await sklar([...argv, '--verbose']);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^wrote 150000 rows of 3 columns on the data scale to .*many\.parquet in /);
    expect(stderr).toMatch(/sample 43% {2}.* left {2}.* rows\/s\n(.*\n)*sample 100%/);
    const table = await readTable(out);
    expect(table.rows).toBe(150_000);
    // Batches continue one another: no two of them begin alike.
    const [first] = table.columns;
    expect(first!.slice(0, 20)).not.toEqual(first!.slice(65_536, 65_556));
  });
});

describe('sklar sample --given', () => {
  const draw = async (...argv: (string | number)[]) => {
    const out = folder.file('given.csv');
    const document = await sklarJson(['sample', files.cdc, '--rows', 40, '--out', out, ...argv]);
    return { document, table: await readTable(out) };
  };

  test('rows in the units of the data that have the given values, whose names may hold commas', async () => {
    const { document, table } = await draw('--given', 'depth, m=0.12, count=3', '--seed', 4);
    expect(document).toEqual({
      kind: 'cdc',
      rows: 40,
      columns: COLUMNS,
      scale: 'data',
      given: { 'depth, m': 0.12, count: 3 },
      method: 'smc',
      logMarginalDensity: expect.any(Number),
      normalised: false,
      standardError: expect.any(Number),
      effectiveSampleSize: null,
      ancestors: expect.any(Number),
      acceptance: expect.any(Number),
      rHat: expect.any(Number),
      polishEffectiveSampleSize: expect.any(Number),
      blockAcceptance: expect.any(Number),
      seconds: expect.any(Number),
      out: folder.file('given.csv'),
    });
    expect(table.names).toEqual(COLUMNS);
    expect(table.kind('count')).toBe('integer');
    expect(new Set(table.column('depth, m'))).toEqual(new Set([0.12]));
    expect(new Set(table.column('count'))).toEqual(new Set([3]));
    expect(new Set(table.column('wind speed')).size).toBeGreaterThan(20);

    // The same by hand, through the library.
    const copula = await loadModel(files.cdc);
    const given = new Map([
      ['depth, m', 0.12],
      ['count', 3],
    ]);
    const condition = await conditionOf(given, copula.margins!);
    const byHand = await sampleGivenBlocks(copula, condition, 40, { seed: 4 }, () => '');
    const expected = await copula.margins!.inverse(byHand.rows, { scale: 'gaussian' });
    expect(Array.from(table.column('wind speed'))).toEqual(Array.from(expected.column('wind speed')));
    expect(document.blockAcceptance).toBe(byHand.blockAcceptance);
    // repeating the option adds columns
    const repeated = await draw('--given', 'depth, m=0.12', '--given', 'count=3', '--seed', 4);
    expect(repeated.table.columns).toEqual(table.columns);
  });

  test('other scales and methods, and in words', async () => {
    const u = await draw('--given', 'count=0.25', '--scale', 'copula', '--method', 'replacement');
    expect(u.document).toMatchObject({ method: 'replacement', logMarginalDensity: null });
    expect(new Set(u.table.column('count'))).toEqual(new Set([0.25]));
    for (const value of u.table.column('wind speed')) expect(value > 0 && value < 1).toBe(true);
    const twisted = await draw('--given', 'count=0.25', '--scale', 'copula', '--method', 'twisted');
    expect(twisted.document).toMatchObject({ method: 'twisted', rHat: null, ancestors: expect.any(Number) });
    const z = await draw('--given', 'count=-1.5', '--scale', 'gaussian');
    expect(new Set(z.table.column('count'))).toEqual(new Set([-1.5]));
    const out = folder.file('given.csv');
    const { stdout } = await sklar(['sample', files.cdc, '--rows', 5, '--out', out, '--given', 'count=2']);
    expect(stdout).toMatch(
      /^log density of the condition, in nats: -?\d\.\d{4} \+- 0\.0000\nranges and values of positive probability: \d+\.\d % of the draws are in them\neffective sample size 5\nwrote 5 rows/,
    );
  });
});

test('sklar sample --given of a gaussian model', async () => {
  const out = folder.file('given.csv');
  const argv = ['sample', files.gaussian, '--rows', 30, '--out', out, '--given', 'depth, m=0.12,count=3'];
  const document = await sklarJson(argv);
  expect(document).toMatchObject({
    kind: 'gaussian',
    method: 'exact',
    given: { 'depth, m': 0.12, count: 3 },
    normalised: true,
    standardError: 0,
    effectiveSampleSize: 30,
    ancestors: null,
    rHat: null,
  });
  const table = await readTable(out);
  expect(new Set(table.column('count'))).toEqual(new Set([3]));
  expect(new Set(table.column('wind speed')).size).toBeGreaterThan(20);
  expect((await sklar(argv)).stdout).toMatch(
    /^log density of the condition, in nats: -?\d\.\d{4} \+- 0\.0000\nranges and values of positive probability: \d+\.\d % of the draws are in them\neffective sample size 30\nwrote 30 rows/,
  );
});

describe('sklar info, devices and report', () => {
  test('info tells what a model file holds', async () => {
    const document = await sklarJson(['info', files.cdc]);
    expect(document).toMatchObject({
      kind: 'cdc',
      dim: 3,
      normalised: false,
      columns: COLUMNS,
      config: { hidden: 8, depth: 1, levels: 10, guided: true },
      training: { steps: 6, seed: '1' },
      margins: {
        rows: 400,
        ties: 'random',
        kinds: ['float', 'float', 'integer'],
        types: ['ranks', 'ranks', 'ranks'],
      },
    });
    const { stdout } = await sklar(['info', files.cdc]);
    expect(stdout).toContain('density     unnormalised\n');
    expect(stdout).toContain('columns     "wind speed", "depth, m", "count"\n');
    expect(stdout).toMatch(/\n {2}hidden +8\n/);
    expect(stdout).not.toContain('[object');
    expect(await sklarJson(['info', files.bare])).toMatchObject({ columns: null, margins: null });
    expect((await sklar(['info', files.bare])).stdout).toContain('without names');
  });

  test('info measures the dependence of a sample', async () => {
    const plain = await sklarJson(['info', files.gaussian]);
    expect(plain).not.toHaveProperty('measures');
    for (const model of [files.gaussian, files.cdc]) {
      const argv = ['info', model, '--measures', '--rows', 500, '--seed', 3];
      const { measures } = await sklarJson(argv);
      const copula = await loadModel(model);
      const z = await copula.sample(500, { seed: 3, dtype: 'float64', scale: 'gaussian' });
      const tau = await kendall(z);
      expect(measures.kendall.flat()).toEqual(Array.from(tau.data));
      expect(measures.spearman.flat()).toEqual(Array.from((await spearman(z)).data));
      expect(measures).toMatchObject({ rows: 500, columns: COLUMNS, tails: [0.95, 0.99] });
      expect(measures.totalCorrelation).toEqual(await totalCorrelation(copula, z, { scale: 'gaussian' }));
      expect(measures.totalCorrelation.fieldBound.standardError).toBeGreaterThan(0);
      const [first, second, third] = measures.strongest;
      expect(Math.abs(first.kendall)).toBe(Math.max(...[1, 2, 5].map((i) => Math.abs(tau.data[i]!))));
      expect(Math.abs(second.kendall)).toBeGreaterThanOrEqual(Math.abs(third.kendall));
      expect(first.upper).toHaveLength(2);
      const { stdout } = await sklar(argv);
      expect(stdout).toContain('measures of 500 sampled rows\n');
      expect(stdout).toMatch(/\n {2}wind speed +1\.000 +-?0\.\d{3} +-?0\.\d{3}\n/);
      expect(stdout).toMatch(/\n {2}mean log density {2}-?\d+\.\d{4} \+- \d/);
      expect(stdout.includes('(unnormalised)\n')).toBe(model === files.cdc);
      expect(stdout).toMatch(/\(a lower bound\)\n$/);
    }
  });

  test('devices tells what there is', async () => {
    const document = await sklarJson(['devices']);
    expect(document).toMatchObject({
      cpu: { cores: expect.any(Number) },
      cuda: { usable: expect.any(Boolean) },
    });
    expect((await sklar(['devices'])).stdout).toContain(document.cpu.name);
  });

  test('report draws a picture', async () => {
    const out = folder.file('picture.svg');
    const argv = ['report', files.cdc, files.data, '--out', out, '--rows', 30, '--logarithmic', 'wind speed'];
    expect(await sklarJson([...argv, '--title', 'Wind & depth'])).toEqual({
      kind: 'cdc',
      rows: 30,
      out,
      notes: [],
    });
    const svg = readFileSync(out, 'utf8');
    expect(svg).toMatch(/^<svg /);
    expect(svg).toContain('Wind &amp; depth');
    expect(svg).toContain('30 of 400 rows');
  });

  test('report writes a page', async () => {
    const out = folder.file('page.html');
    const argv = ['report', files.cdc, files.data, '--out', out, '--rows', 100, '--title', 'Wind & depth'];
    const sizes = ['--skip', 'pairs,tails', '--route-rows', 4, '--sample-rows', 100, '--seed', 5];
    const columns = ['--columns', 'wind speed,count', '--logarithmic', 'wind speed'];
    const document = await sklarJson([...argv, ...sizes, ...columns]);
    expect(document).toMatchObject({
      kind: 'cdc',
      rows: 100,
      out,
      numbers: {
        rows: { data: 400, used: 100, sample: 100 },
        seed: '5',
        pairs: null,
        tails: null,
        absent: { pairs: 'left out as asked', tails: 'left out as asked' },
        certificate: { routeRows: 4, margins: { rows: 100, seed: '5' } },
        comparison: { seed: '5' },
      },
    });
    expect(document.numbers.margins).toMatchObject([
      { column: 'wind speed', axis: { scale: 'logarithmic' } },
      { column: 'count', axis: { scale: 'linear' } },
    ]);
    const page = readFileSync(out, 'utf8');
    expect(page).toMatch(/^<!doctype html>/);
    expect(page).toContain('<h1>Wind &amp; depth</h1>');
    const left = ['--skip', 'margins,certificate,comparison,pairs,tails'];
    const { stdout, stderr } = await sklar([...argv.slice(0, 7), ...left, '--verbose']);
    expect(stdout).toBe(
      `${['margins', 'pairs', 'tails', 'comparison', 'certificate'].map((name) => `without ${name}: left out as asked\n`).join('')}wrote ${out}\n`,
    );
    expect(stderr).toMatch(/^report \d+% {2}sample\n(report \d+% {2}\w+\n)*report 100% {2}pictures\n$/);
  });
});

describe('progress', () => {
  const argv = () => ['fit', files.data, '--out', folder.file('progress.safetensors'), ...QUICK];

  test('a bar on a terminal, and only there', async () => {
    const { stderr, stdout } = await sklar(argv(), { terminal: true });
    expect(stderr).toMatch(/fit .*% .* left {2}loss \d\.\d{4}/);
    expect(stderr).toContain('rows/s');
    expect(stderr.endsWith('\n') || stderr.includes('\u001b[?25h')).toBe(true); // the cursor is back
    expect(stdout).not.toContain('left');
    expect((await sklar(argv())).stderr).toBe('');
  });

  test('lines where there is no terminal, when asked for', async () => {
    const { stderr } = await sklar([...argv(), '--verbose']);
    expect(stderr).toMatch(/^margins \d+% {2}\n[^]*\nfit \d+% {2}\d.* left {2}loss \d\.\d{4}.* step \d\/6\n/);
    expect(stderr).toMatch(/fit 100% .* step 6\/6\n(normaliser .*\n)+score 100% .*\n$/);
  });

  test('of score: what is done, what is left, rows a second', async () => {
    const many = folder.file('scored.parquet');
    await writeTable(exampleTable(100_000), many);
    const { stderr } = await sklar(['score', files.gaussian, many, '--verbose']);
    expect(stderr).toMatch(
      /^score 65% {2}\S.* left {2}\S+ rows\/s\nscore 100% {2}\S.* left {2}\S+ rows\/s\n$/,
    );
    const { stderr: bar } = await sklar(['score', files.gaussian, many], { terminal: true });
    expect(bar).toMatch(/score .*% .* left .* rows\/s/);
    expect((await sklar(['score', files.gaussian, many])).stderr).toBe('');
  });
});

describe('interrupted', () => {
  // never satisfied with what it has learned
  beforeAll(() => writeFileSync(folder.file('patient.json'), '{"patience": 0}'));

  test.each<[string, () => (string | number)[]]>([
    [
      'fit',
      () => [
        'fit',
        files.data,
        '--out',
        folder.file('never.safetensors'),
        ...QUICK,
        '--steps',
        1e8,
        '--config',
        folder.file('patient.json'),
      ],
    ],
    ['sample', () => ['sample', files.cdc, '--rows', 1e9, '--out', folder.file('never.csv')]],
    ['report', () => ['report', files.cdc, files.data, '--rows', 1e7, '--out', folder.file('never.html')]],
  ])('%s stops soon and leaves no file', async (_, argv) => {
    const before = folder.list();
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 300);
    const { status, stdout, stderr } = await sklar([...argv(), '--json'], { signal: controller.signal });
    expect(status).toBe(130);
    expect(JSON.parse(stdout).error.code).toBe('ERR_SKLAR_ABORTED');
    expect(stderr).toMatch(/^error: interrupted.*\[ERR_SKLAR_ABORTED\]\n$/);
    expect(folder.list()).toEqual(before);
  });

  test('before it began', async () => {
    const signal = AbortSignal.abort();
    for (const argv of [
      ['score', files.cdc, files.data, '--out', folder.file('never.csv')],
      ['report', files.cdc, files.data, '--out', folder.file('never.svg')],
      ['report', files.cdc, files.data, '--out', folder.file('never.html')],
    ]) {
      expect(await sklar(argv, { signal })).toMatchObject({ status: 130, stdout: '' });
    }
    expect(folder.list().filter((name) => name.startsWith('never'))).toEqual([]);
  });
});

test('columns that a command needs and a file does not have are not those of an option', async () => {
  const model = files.gaussian;
  const table = await readTable(files.data);
  const short = folder.file('short.csv');
  await writeTable(table.select(table.names.slice(0, 2)), short);
  const [absent] = table.names.slice(2);
  const ofModel = `expected the columns of the model, got none called ${JSON.stringify(absent)} (${JSON.stringify(short)}; available: `;
  await sklarFails(['score', model, short], 3, 'ERR_SKLAR_VALUE', ofModel);
  const page = folder.file('none.html');
  await sklarFails(['report', model, short, '--out', page], 3, 'ERR_SKLAR_VALUE', ofModel);
  await sklarFails(
    ['report', model, files.data, '--train', short, '--out', page],
    3,
    'ERR_SKLAR_VALUE',
    ofModel,
  );
  const ofData = ofModel.replace('the model', 'the data');
  await sklarFails(['compare', files.data, short], 3, 'ERR_SKLAR_VALUE', ofData);
  for (const option of ['--reference', '--train']) {
    await sklarFails(['compare', files.data, files.data, option, short], 3, 'ERR_SKLAR_VALUE', ofData);
  }
  await sklarFails(
    ['inspect', short, '--columns', absent!],
    3,
    'ERR_SKLAR_VALUE',
    'expected names of existing columns for --columns',
  );
});

test('options that the library checks have their names', async () => {
  const out = folder.file('unwritten.csv');
  const sample = ['sample', files.cdc, '--rows', 3, '--out', out];
  for (const [option, ...more] of [
    ['--steps', '100000000'],
    ['--method', 'exact', '--scale', 'copula', '--given', 'wind speed=0.5'],
    ['--device', 'cuda:99'],
  ]) {
    const { stderr } = await sklar([...sample, option!, ...more]);
    expect(stderr).toMatch(new RegExp(`^error: .*for ${option}\\b`));
  }
});
