import { Table, writeTable } from '../../lib';
import { Generator, autoregression, normalNumbers } from '../data/series';
import { TemporaryFolder } from '../data/support';
import { sklar, sklarFails, sklarJson } from './support';

const folder = new TemporaryFolder();
const n = 400;

/** Two dependent series, the newest day first, as prices are often given. */
async function pricesFile(): Promise<string> {
  const generator = new Generator(11);
  const common = normalNumbers(generator, n);
  const priceOf = () => {
    let log = Math.log(100);
    const own = normalNumbers(generator, n);
    return common.map((value, i) => Math.exp((log += 0.01 * (0.8 * value + 0.6 * own[i]!))));
  };
  const columns = {
    day: Array.from({ length: n }, (_, i) => new Date(Date.UTC(2020, 0, 1 + i))),
    gold: priceOf(),
    tin: priceOf(),
  };
  const file = folder.file('prices.csv');
  await writeTable(Table.fromColumns(columns).take(Array.from({ length: n }, (_, i) => n - 1 - i)), file);
  return file;
}

test('a model of returns learns them, scores prices, and says that its samples are returns', async () => {
  const prices = await pricesFile();
  const model = folder.file('returns.safetensors');
  const fitted = await sklarJson([
    'fit',
    prices,
    '--returns',
    'log',
    '--kind',
    'gaussian',
    '--split',
    'time',
    '--out',
    model,
  ]);
  expect(fitted.columns).toEqual(['gold', 'tin']);
  expect(fitted.rows).toEqual({ train: 319, holdout: 80 });
  expect(fitted.correlation[0][1]).toBeGreaterThan(0.5);
  expect(fitted.holdout.blockRows).toBeGreaterThanOrEqual(5);
  const messages = fitted.notes.map(({ message }: { message: string }) => message);
  expect(messages).toContain('rows were turned round for returns, oldest "day" first');
  expect(
    messages.filter((message: string) => message === 'columns "gold" and "tin": log returns, not prices'),
  ).toHaveLength(1);

  // the same numbers of prices and of their returns
  const scored = await sklarJson(['score', model, prices]);
  expect(scored.rows).toBe(n - 1);
  expect(scored.meanLogPdf).toBeGreaterThan(0.1);
  const sample = folder.file('sample.csv');
  const drawn = await sklar(['sample', model, '--rows', 300, '--out', sample]);
  expect(drawn.stdout).toMatch(/^note: columns "gold" and "tin": log returns, not prices\n/);
  expect((await sklarJson(['score', model, sample, '--returns', 'none'])).meanLogPdf).toBeGreaterThan(0.1);
  const some = ['--rows', 20, '--out', folder.file('some.csv')];
  for (const how of [
    ['--where', 'gold > 0'],
    ['--given', 'gold>0'],
  ]) {
    const { stdout } = await sklar(['sample', model, ...some, ...how]);
    expect(stdout).toContain('note: columns "gold" and "tin": log returns, not prices\n');
  }

  const compared = await sklarJson([
    'compare',
    prices,
    sample,
    '--returns',
    'log',
    '--split',
    'blocks',
    '--metrics',
    'ks,auc',
  ]);
  expect(compared).toMatchObject({ floor: 'blocks', columns: ['gold', 'tin'] });
  expect(compared.notes.filter(({ code }: { code: string }) => code === 'order')).toEqual([]);
  expect(compared.metrics.auc.sample.value).toBeLessThan(0.7);
  const lines = (
    await sklar(['compare', prices, sample, '--returns', 'log', '--split', 'time', '--metrics', 'ks'])
  ).stdout;
  expect(lines).toContain('floor: the first half of the data against the last;');
});

test('rows that depend on those before them are told where some are held out at random', async () => {
  const generator = new Generator(3);
  const x = autoregression(generator, n, 0.9);
  const day = Array.from({ length: n }, (_, i) => new Date(Date.UTC(2020, 0, 1 + i)));
  const file = folder.file('series.csv');
  const y = normalNumbers(generator, n).map((value, i) => value + x[i]!);
  await writeTable(Table.fromColumns({ day, x, y }), file);
  const out = folder.file('series.safetensors');
  const fit = [
    'fit',
    file,
    '--exclude',
    'day',
    '--kind',
    'cdc',
    '--steps',
    '4',
    '--hidden',
    '8',
    '--depth',
    '1',
    '--out',
    out,
  ];
  const noted = (await sklarJson(fit)).notes.filter(({ code }: { code: string }) => code === 'order');
  expect(noted).toHaveLength(1);
  expect(noted[0].message).toMatch(
    /^rows are like those before them .* with --split time the last rows are held out, with --split blocks whole/,
  );
  const { notes, holdout } = await sklarJson([...fit, '--split', 'blocks']);
  expect(notes.filter(({ message }: { message: string }) => message.startsWith('rows are like'))).toEqual([]);
  expect(holdout.blockRows).toBeGreaterThanOrEqual(5);
  const compared = await sklarJson(['compare', file, file, '--metrics', 'ks', '--columns', 'x,y']);
  expect(compared.notes.find(({ code }: { code: string }) => code === 'order').message).toMatch(
    /^rows are like those before them \("x": autocorrelation 0\.\d+ at lag 1\): p-values and standard errors are those of independent rows, and are too small/,
  );
  const scored = await sklarJson(['score', out, file, '--errors', 'blocks']);
  const { standardError } = await sklarJson(['score', out, file]);
  expect(scored.standardError).toBeGreaterThan(standardError);
  await sklarFails([...fit, '--split', 'last'], 3, 'ERR_SKLAR_VALUE', '--split');
});
