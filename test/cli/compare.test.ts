// sklar compare: the library's comparison of two files, printed.
import { compare, metricNames, readTable, writeTable } from '../../lib';
import { TemporaryFolder } from '../data/support';
import { COLUMNS, exampleTable, sklar, sklarFails, sklarJson } from './support';

const folder = new TemporaryFolder();
const data = () => folder.file('data.csv');
const sample = () => folder.file('sample.parquet');
const QUICK = ['--permutations', 19, '--rows', 100];

beforeAll(async () => {
  await writeTable(exampleTable(300), data());
  await writeTable(exampleTable(200).select([COLUMNS[2], COLUMNS[0], COLUMNS[1]]), sample());
});

describe('sklar compare', () => {
  test('one JSON document, that of the library', async () => {
    const document = await sklarJson(['compare', data(), sample(), ...QUICK]);
    const [table, other] = [await readTable(data()), await readTable(sample())];
    const { notes, ...comparison } = document;
    expect(notes).toEqual([]);
    expect(comparison).toEqual(await compare(table, other, { permutations: 19, rows: 100 }));
    expect(document).toMatchObject({
      columns: COLUMNS,
      floor: 'halves',
      rows: { compared: 150, pairs: 100 },
    });
    expect(Object.keys(document.metrics)).toEqual([...metricNames]);
  });

  test('one table for people', async () => {
    const { stdout, stderr, status } = await sklar(['compare', data(), sample(), ...QUICK]);
    expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
    const number = '-?\\d+\\.\\d{5}';
    const mean = `${number} \\+- ${number}`;
    const p = '\\d\\.\\d{3}';
    const column = '"[^"]+"';
    const expected = [
      '150 rows of 200 sampled ones against as many of 300 of the data, 100 for energy, MMD and AUC',
      'floor: two halves of the data; distances on the gaussian scale',
      '  metric +sample +p +floor +p +where',
      `  Kolmogorov-Smirnov, worst column +${number} +${p} +${number} +${p} +${column}`,
      `  Cramer-von Mises, worst column +${number} +${p} +${number} +${p} +${column}`,
      `  energy distance +${mean} +${p} +${mean} +${p}`,
      `  squared MMD +${mean} +${p} +${mean} +${p}`,
      `  sliced Wasserstein distance +${mean} +${mean}`,
      `  AUC of a classifier +${mean} +${mean}`,
      `  Kendall's tau, worst pair +${number} +${number} +${column}, ${column}`,
      `  tail coefficient, worst pair +${number} +${number} +${column}, ${column}, (?:upper|lower) at \\d\\.\\d\\d`,
    ];
    expect(stdout.trimEnd().split('\n')).toEqual(
      expected.map((line): unknown => expect.stringMatching(new RegExp(`^${line}$`))),
    );
  });

  test('options go to the library', async () => {
    const argv = [...QUICK, '--reference', data(), '--columns', COLUMNS[0], '--columns', COLUMNS[2]];
    const document = await sklarJson([
      ...['compare', data(), sample(), ...argv],
      ...['--metrics', 'energy,ks', '--scale', 'copula', '--seed', 3, '--threads', 1],
    ]);
    expect(document).toMatchObject({
      columns: [COLUMNS[0], COLUMNS[2]],
      floor: 'reference',
      scale: 'copula',
      seed: '3',
      rows: { reference: 300, compared: 200 },
    });
    expect(Object.keys(document.metrics)).toEqual(['ks', 'energy']);
    expect(document.metrics.ks.floor.value).toBeGreaterThan(0);
    const verbose = await sklar(['compare', data(), sample(), ...QUICK, '--verbose']);
    expect(verbose.stderr).toMatch(/^compare \d+% {2}ks\n/);
    expect(verbose.stderr).toMatch(/compare 100% {2}tails\n$/);
  });

  test('what cannot be meant', async () => {
    const fails = (argv: readonly (string | number)[], ...culprits: string[]) =>
      sklarFails(['compare', data(), sample(), ...argv], 3, 'ERR_SKLAR_VALUE', ...culprits);
    await fails(['--metrics', 'ks,rmse'], '--metrics', '"rmse"');
    await fails(['--scale', 'ranks'], '--scale', '"ranks"');
    await fails(['--rows', '9'], '--rows', '9');
    await fails(['--permutations', '-1'], '--permutations', '-1');
    await fails(['--columns', 'height'], '"height"');
    await sklarFails(['compare', data(), folder.file('none.csv')], 4, 'ERR_SKLAR_FILE', 'none.csv');
    const short = folder.file('short.csv');
    await writeTable(exampleTable(8), short);
    const auc = ['--metrics', 'auc'];
    await sklarFails(['compare', data(), short, ...auc], 3, 'ERR_SKLAR_SHAPE', 'sample', 'got 8');
    expect((await sklar(['compare', data(), short])).stdout).not.toContain('classifier');
    const narrow = folder.file('narrow.csv');
    await writeTable(exampleTable(50).exclude([COLUMNS[1]]), narrow);
    await sklarFails(['compare', data(), narrow], 3, 'ERR_SKLAR_VALUE', COLUMNS[1], 'narrow.csv');
  });
});
