// Every option that cannot be meant: a code, an exit status, one line that names the option, and no file.
import { TemporaryFolder } from '../data/support';
import { devices } from '../../lib';
import { sklar, sklarFails, writeExamples } from './support';

const folder = new TemporaryFolder();
let files: Awaited<ReturnType<typeof writeExamples>>;
let before: string[];

beforeAll(async () => {
  files = await writeExamples(folder);
  before = folder.list();
});
afterEach(() => expect(folder.list()).toEqual(before));

describe('sklar fit', () => {
  const fit = (...argv: (string | number)[]) => [
    'fit',
    files.data,
    '--out',
    folder.file('new.safetensors'),
    ...argv,
  ];

  test.each([
    ['--holdout', '1'],
    ['--holdout', '-0.1'],
    ['--holdout', 'NaN'],
    ['--holdout', ''],
    ['--holdout', '1e-400'],
    ['--hidden', '0'],
    ['--hidden', '-1'],
    ['--hidden', '1e99'],
    ['--hidden', '2.5'],
    ['--hidden', '0x10'],
    ['--depth', '0'],
    ['--levels', '2'],
    ['--levels', '1e6'],
    ['--steps', '0'],
    ['--steps', 'many'],
    ['--batch', '1'],
    ['--batch', 'Infinity'],
    ['--learning-rate', '0'],
    ['--learning-rate', '-1e-3'],
    ['--learning-rate', 'nan'],
    ['--seed', '-1'],
    ['--seed', '1.5'],
    ['--seed', '18446744073709551616'],
    ['--split-seed', 'x'],
    ['--threads', '-1'],
    ['--threads', '1e9'],
    ['--kind', 'vine'],
    ['--ties', 'first'],
    ['--margins', 'gauss'],
    ['--margins', 'wind=kde'],
    ['--device', 'tpu'],
    ['--device', 'cuda:x'],
    ['--precision', 'fp8'],
  ])('%s %s', async (option, value) => {
    await sklarFails(fit(option, value), 3, 'ERR_SKLAR_VALUE', option);
  });

  test('options of another kind', async () => {
    await sklarFails(fit('--kind', 'gaussian', '--hidden', 8), 3, 'ERR_SKLAR_VALUE', 'hidden', 'gaussian');
    await sklarFails(fit('--kind', 'joe', '--rotation', 45), 3, 'ERR_SKLAR_VALUE', '--rotation', '45');
    await sklarFails(fit('--kind', 'bb1', '--method', 'tau'), 3, 'ERR_SKLAR_VALUE', 'bb1');
    await sklarFails(fit('--rotation', 90), 3, 'ERR_SKLAR_VALUE', 'rotation');
  });

  test('a device that is not there', async () => {
    if (devices().cuda.usable) return;
    await sklarFails(fit('--device', 'cuda'), 5, 'ERR_SKLAR_DEVICE', 'cuda');
    await sklarFails(['score', files.cdc, files.data, '--device', 'cuda:1'], 5, 'ERR_SKLAR_DEVICE', 'cuda:1');
  });

  test('a device or precision that the work does not have', async () => {
    const gaussian = ['--kind', 'gaussian', '--device', 'cuda'];
    await sklarFails(fit(...gaussian), 5, 'ERR_SKLAR_DEVICE', 'cuda', 'gaussian');
    await sklarFails(fit('--device', 'cpu', '--precision', 'mixed'), 3, 'ERR_SKLAR_VALUE', 'mixed', 'CPU');
    await sklarFails(['info', files.cdc, '--precision', 'fp32'], 3, 'ERR_SKLAR_VALUE', '--measures');
  });

  test('a model file of another ending', async () => {
    const out = folder.file('model.csv');
    await sklarFails(['fit', files.data, '--out', out], 4, 'ERR_SKLAR_FILE', '.safetensors', 'model.csv');
  });

  test('a folder that does not exist, or is no folder', async () => {
    const missing = folder.file('nowhere/m.safetensors');
    await sklarFails(['fit', files.data, '--out', missing], 4, 'ERR_SKLAR_FILE', 'nowhere/m.safetensors');
    const inFile = folder.file('data.csv/m.safetensors');
    await sklarFails(['fit', files.data, '--out', inFile], 4, 'ERR_SKLAR_FILE', 'data.csv/m.safetensors');
  });
});

describe('sklar sample', () => {
  const sample = (model: string, ...argv: (string | number)[]) => [
    'sample',
    model,
    '--out',
    folder.file('new.csv'),
    ...(argv.includes('--rows') ? [] : ['--rows', 10]),
    ...argv,
  ];

  test.each([
    ['--rows', '0'],
    ['--rows', '-1'],
    ['--rows', '1e99'],
    ['--rows', 'NaN'],
    ['--rows', '2.5'],
    ['--rows', 'all'],
    ['--rows', '2000000000000'],
    ['--solver', 'rk9'],
    ['--steps', '0'],
    ['--steps', '-3'],
    ['--seed', 'now'],
    ['--scale', 'log'],
  ])('%s %s', async (option, value) => {
    await sklarFails(sample(files.cdc, option, value), 3, 'ERR_SKLAR_VALUE', option);
  });

  test('steps beyond reason', async () => {
    await sklarFails(sample(files.cdc, '--steps', 1e6), 3, 'ERR_SKLAR_VALUE', 'steps', '1000000');
  });

  test('noise with a solver that has none', async () => {
    await sklarFails(sample(files.cdc, '--solver', 'heun', '--noise'), 3, 'ERR_SKLAR_VALUE', 'heun', 'noise');
  });

  test('a solver for a copula that needs none', async () => {
    await sklarFails(sample(files.gaussian, '--solver', 'heun'), 3, 'ERR_SKLAR_VALUE', 'gaussian', 'solver');
  });

  test('the published solver for a model whose reference is pure noise', async () => {
    await sklarFails(sample(files.cdc, '--solver', 'published'), 3, 'ERR_SKLAR_VALUE', 'published');
  });

  test('the data scale of a model without margins', async () => {
    await sklarFails(
      sample(files.bare, '--scale', 'data'),
      3,
      'ERR_SKLAR_VALUE',
      '--scale',
      'bare.safetensors',
    );
  });

  test.each([
    [['--given', 'height=3'], '"height=3"'],
    [['--given', 'count'], '"count"'],
    [['--given', 'count=many'], '"count"'],
    [['--given', 'count=3,count=4'], '"count" again'],
    [['--given', 'count=2.5'], 'an integer for the fixed column "count"'],
    [['--given', 'count=1000'], 'where the margin is'],
    [['--given', 'wind speed=-1e9'], '"wind speed"'],
    [['--given', ''], 'got 0'],
    [['--given', 'count=3', '--solver', 'heun'], '--solver'],
    [['--given', 'count=3', '--method', 'gibbs'], '--method'],
    [['--given', 'count=1.5', '--scale', 'copula'], 'below 1 for the fixed column "count"'],
    [['--method', 'smc'], '--given'],
  ])('%j', async (argv, culprit) => {
    await sklarFails(sample(files.cdc, ...argv), 3, 'ERR_SKLAR_VALUE', culprit);
  });

  test('a method of another kind', async () => {
    const argv = sample(files.gaussian, '--given', 'wind speed=3', '--method', 'smc');
    await sklarFails(argv, 3, 'ERR_SKLAR_VALUE', "'exact'");
    await sklarFails(
      sample(files.cdc, '--given', 'wind speed=3', '--method', 'exact'),
      3,
      'ERR_SKLAR_VALUE',
      "'smc', 'twisted'",
    );
  });

  test.each(['new', 'new.xlsx', 'new.csv.gz', 'nowhere/new.csv'])('an output like %s', async (name) => {
    const argv = ['sample', files.cdc, '--rows', 5, '--out', folder.file(name)];
    await sklarFails(argv, 4, 'ERR_SKLAR_FILE', name);
  });

  test('an output that is a folder', async () => {
    const argv = [
      'sample',
      files.cdc,
      '--rows',
      5,
      '--out',
      `${folder.path}/../${folder.path.split('/').at(-1)!}`,
    ];
    await sklarFails(argv, 4, 'ERR_SKLAR_FILE', folder.path.split('/').at(-1)!);
  });
});

describe('sklar score and report', () => {
  test('an output that would replace the input', async () => {
    const argv = ['score', files.cdc, files.data, '--out', files.data];
    await sklarFails(argv, 4, 'ERR_SKLAR_FILE', '--out', 'data.csv');
  });

  test('a picture of another ending', async () => {
    const out = folder.file('picture.png');
    await sklarFails(['report', files.cdc, files.data, '--out', out], 4, 'ERR_SKLAR_FILE', '.html or .svg');
  });

  test('what belongs to a page, of a picture; sections that do not exist, and too few rows', async () => {
    const argv = ['report', files.cdc, files.data, '--out'];
    const svg = [...argv, folder.file('new.svg')];
    await sklarFails([...svg, '--skip', 'pairs'], 3, 'ERR_SKLAR_VALUE', '--skip', '.html');
    await sklarFails([...svg, '--route-rows', 5], 3, 'ERR_SKLAR_VALUE', '--route-rows', '.html');
    const page = [...argv, folder.file('new.html')];
    await sklarFails([...page, '--skip', 'pairs,pears'], 3, 'ERR_SKLAR_VALUE', '--skip', 'pears');
    await sklarFails([...page, '--rows', 3], 3, 'ERR_SKLAR_VALUE', 'rows');
    await sklarFails([...page, '--columns', 'count'], 3, 'ERR_SKLAR_VALUE', '2 to 24', 'count');
    await sklarFails([...page, '--logarithmic', 'height'], 3, 'ERR_SKLAR_VALUE', 'height');
    await sklarFails(
      ['report', files.bare, files.data, '--out', folder.file('new.html')],
      3,
      'ERR_SKLAR_VALUE',
      'margins',
    );
  });

  test('a picture of one column, or of an unknown one', async () => {
    const argv = ['report', files.cdc, files.data, '--out', folder.file('new.svg'), '--columns'];
    await sklarFails([...argv, 'count'], 3, 'ERR_SKLAR_VALUE', 'columns', 'count');
    await sklarFails([...argv, 'count,height'], 3, 'ERR_SKLAR_VALUE', 'columns', 'height');
  });
});

describe('sklar info', () => {
  test('rows and seeds without --measures, and too few rows', async () => {
    await sklarFails(['info', files.cdc, '--rows', 500], 3, 'ERR_SKLAR_VALUE', '--measures', '--rows');
    await sklarFails(['info', files.cdc, '--seed', 2], 3, 'ERR_SKLAR_VALUE', '--measures', '--seed');
    await sklarFails(['info', files.cdc, '--measures', '--rows', 5], 3, 'ERR_SKLAR_VALUE', '--rows');
  });
});

describe('wrong use', () => {
  test.each([
    [['fti'], 'fti'],
    [['fit'], '--out'],
    [['fit', '--out', 'm.safetensors'], 'data'],
    [['fit', 'data.csv'], '--out'],
    [['fit', 'data.csv', '--out', 'm.safetensors', '--hiden', '4'], '--hiden'],
    [['compare', 'data.csv', 'more.csv', 'sample.csv'], '3'],
    [['score', 'm.safetensors'], 'data'],
    [['sample', 'm.safetensors', '--out', 'x.csv'], '--rows'],
    [['info'], 'model'],
    [['devices', 'all'], '1'],
  ])('%j', async (argv, culprit) => {
    await sklarFails(argv, 2, 'ERR_SKLAR_USAGE', culprit);
  });

  test('an option without its value', async () => {
    const { status, stderr } = await sklar(['fit', files.data, '--out']);
    expect({ status, stderr }).toEqual({
      status: 2,
      stderr: "error: option '--out <file>' argument missing [ERR_SKLAR_USAGE]\n",
    });
  });

  test('no command: the help on stderr', async () => {
    const { status, stdout, stderr } = await sklar([]);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toContain('Usage: sklar');
  });

  test('help is not a mistake', async () => {
    for (const argv of [['--help'], ['help'], ['help', 'fit'], ['fit', '--help'], ['--version']]) {
      expect(await sklar(argv)).toMatchObject({ status: 0, stderr: '' });
    }
    expect((await sklar(['help', 'fit'])).stdout).toContain('--learning-rate <n>');
    expect((await sklar(['--help'])).stdout).toContain('Exit status');
  });
});
