/** The mean log density of the same rows is the same number wherever it is printed: by fit, by score and by report. */
import { FamilyCopula, Table, readTable, splitRows, writeTable } from '../../lib';
import { Generator } from '../../lib/data/random';
import { TemporaryFolder } from '../data/support';
import { ordersTable } from '../helpers/orders';
import { sklarJson } from './support';

const folder = new TemporaryFolder();
const generator = new Generator(31);
const uniform = () => generator.next() / 2 ** 32;

const numbers = async () =>
  Table.fromMatrix(await new FamilyCopula('gumbel', { theta: 2 }).sample(400, { seed: 2, dtype: 'float64' }));
/** Counts, labels, dates, atoms, missing cells; with weights of the rows, if they are wanted. */
async function orders(weighted = false): Promise<Table> {
  const table = await ordersTable(250, uniform);
  if (!weighted) return table;
  const weights = Float64Array.from({ length: table.rows }, (_, i) => 1 + (i % 7) / 2);
  return new Table([...table.names, 'w'], [...table.columns, weights], [...table.types, 'float']);
}

const cases: [string, () => Promise<Table>, string[]][] = [
  ['numbers, a Clayton copula', numbers, ['--kind', 'clayton']],
  ['a table of all kinds of columns, a Gaussian copula', orders, ['--kind', 'gaussian']],
  ['the same with weights', () => orders(true), ['--kind', 'gaussian', '--weights', 'w']],
  ['the same, a CDC', orders, '--kind cdc --steps 20 --hidden 8 --depth 1'.split(' ')],
];

test.each(cases)('%s', async (_, make, options) => {
  const file = folder.file('table.csv');
  await writeTable(await make(), file);
  const table = await readTable(file);
  const { train, holdout } = splitRows(table.rows, 0.2, 0, 'random');
  const [training, held] = [folder.file('training.csv'), folder.file('held.csv')];
  await writeTable(table.take(train), training);
  await writeTable(table.take(holdout), held);
  const model = folder.file('model.safetensors');
  const fitted = await sklarJson(['fit', file, '--out', model, ...options]);
  const scored = await sklarJson(['score', model, held]);
  const skip = 'margins,pairs,kendall,tails,comparison,certificate,losses';
  const page = [
    'report',
    model,
    held,
    '--train',
    training,
    '--rows',
    200,
    '--errors',
    'rows',
    '--skip',
    skip,
  ];
  const { density } = (await sklarJson([...page, '--out', folder.file('page.html')])).numbers;
  const { meanLogPdf, standardError, gaussianMeanLogPdf } = fitted.holdout;
  for (const [mean, error] of [
    [scored.meanLogPdf, scored.standardError],
    [density.model.mean, density.model.standardError],
  ]) {
    // weights are summed in different units
    if (options.includes('--weights')) {
      expect(mean).toBeCloseTo(meanLogPdf, 12);
      expect(error).toBeCloseTo(standardError, 12);
    } else expect([mean, error]).toEqual([meanLogPdf, standardError]);
  }
  // the baselines are those of the same training rows
  const gaussian = density.baselines.find(({ kind }: { kind: string }) => kind === 'gaussian');
  if (gaussian) expect(gaussian.own.mean).toBeCloseTo(gaussianMeanLogPdf, 12);
});
