/** What fit prints comes back from the model file: all notes, and the correlation of elliptical copulas. */
import { Table, fitCopula, loadModel, report, writeTable } from '../../lib';
import { PseudoObservations } from '../../lib/data/pseudo-observations';
import { TemporaryFolder } from '../data/support';
import { exampleTable, sklar, sklarFails, sklarJson } from './support';

const folder = new TemporaryFolder();

/** The example, and a decreasing function of its first column. */
function determined(): Table {
  const { names, columns } = exampleTable(300);
  return new Table([...names, 'calm'], [...columns, columns[0]!.map((value) => Math.exp(-value))]);
}

test.each(['gaussian', 'empirical-beta'])(
  'notes of %s come back in info, report and the file',
  async (kind) => {
    const [data, model] = [folder.file('determined.csv'), folder.file(`${kind}.safetensors`)];
    await writeTable(determined(), data);
    const { notes } = await sklarJson(['fit', data, '--kind', kind, '--out', model]);
    const messages = notes.map(({ message }: { message: string }) => message);
    expect(messages).toContain('"calm" is a decreasing function of "wind speed": the copula is singular');
    expect(messages.length).toBeGreaterThan(1);

    expect((await sklarJson(['info', model])).notes).toEqual(notes);
    const { stdout } = await sklar(['info', model]);
    for (const message of messages) expect(stdout).toContain(`note        ${message}\n`);

    using copula = await loadModel(model);
    expect(copula.allNotes).toEqual(notes);
    const skip = ['pairs', 'tails', 'losses', 'certificate', 'comparison', 'kendall', 'margins'] as const;
    const { numbers, html } = await report(copula, determined(), { rows: 50, skip });
    expect(numbers.model.notes).toEqual(notes);
    expect(html).toContain('decreasing function');
  },
);

test('so do notes about the file', async () => {
  const [data, model] = [folder.file('header.csv'), folder.file('header.safetensors')];
  const { columns, rows } = exampleTable(60);
  const lines = Array.from({ length: rows }, (_, i) => `${1 + i * 7.25},${columns[0]![i]},${columns[1]![i]}`);
  folder.file('header.csv', `1991,1992,1993\n${lines.join('\n')}\n`);
  const { notes } = await sklarJson(['fit', data, '--kind', 'gaussian', '--out', model]);
  expect(notes.map(({ code }: { code: string }) => code)).toContain('file');
  expect((await sklarJson(['info', model])).notes).toEqual(notes);
});

test('ranks say which columns are determined after loading, too', async () => {
  const margins = await PseudoObservations.fit(determined());
  const model = folder.file('ranks.safetensors');
  const fitted = await fitCopula(margins.transformTrain(), { kind: 'gaussian', margins });
  await fitted.save(model);
  const { notes } = await sklarJson(['info', model]);
  expect(notes).toEqual(fitted.allNotes);
  expect(notes[0]).toMatchObject({ code: 'determined' });
});

describe('correlation', () => {
  const columnsOf = (count: number) =>
    Array.from({ length: count }, (_, j) => exampleTable(300 + j).columns[j % 2]!.slice(0, 300));

  test.each([
    ['gaussian', 2],
    ['student', 3],
    ['gaussian', 12],
  ] as const)('of a %s copula of %d columns', async (kind, dim) => {
    const data = folder.file(`columns${dim}.csv`);
    const model = folder.file(`${kind}${dim}.safetensors`);
    const names = Array.from({ length: dim }, (_, j) => `c${j + 1}`);
    await writeTable(new Table(names, columnsOf(dim)), data);
    const { correlation } = await sklarJson(['fit', data, '--kind', kind, '--out', model]);
    using copula = await loadModel(model);
    expect(correlation.flat()).toEqual(
      Array.from((copula as unknown as { correlation: Float64Array }).correlation),
    );
    expect((await sklarJson(['info', model])).correlation).toEqual(correlation);
    const { stdout } = await sklar(['info', model]);
    if (dim === 2) expect(stdout).toContain(`rho         ${correlation[0][1].toFixed(5).slice(0, 5)}`);
    if (dim === 3)
      expect(stdout).toMatch(/\ncorrelation\n +c1 +c2 +c3\n {2}c1 +1\.000 +-?0\.\d{3} +-?0\.\d{3}\n/);
    if (dim === 12)
      expect(stdout).toMatch(/\ncorrelation, the 10 strongest of 66 pairs\n( {2}c\d+, c\d+ +-?0\.\d+\n){10}/);
  });

  test('of other kinds there is none', async () => {
    const [data, model] = [folder.file('columns2.csv'), folder.file('clayton.safetensors')];
    expect(await sklarJson(['fit', data, '--kind', 'frank', '--out', model])).not.toHaveProperty(
      'correlation',
    );
    expect(await sklarJson(['info', model])).not.toHaveProperty('correlation');
  });
});

test('a type of margins for all columns leaves out those that cannot have it, with or without a support', async () => {
  const [data, model] = [folder.file('flags.csv'), folder.file('flags.safetensors')];
  const { columns, rows } = exampleTable(300);
  const flag = Float64Array.from({ length: rows }, (_, i) => Number(i % 3 === 0));
  await writeTable(new Table(['wind', 'flag'], [columns[0]!, flag], ['float', 'integer']), data);
  const fit = ['fit', data, '--kind', 'gaussian', '--out', model];
  for (const support of [[], ['--support', 'wind=-100:100']]) {
    const lower = support.length > 0 ? ['--margins', 'kde'] : ['--margins', 'gpd'];
    const { margins, notes } = await sklarJson([...fit, ...lower, ...support]);
    expect(margins).toEqual([lower[1], 'discrete']);
    if (lower[1] === 'gpd')
      expect(notes).toContainEqual(expect.objectContaining({ code: 'type', columns: ['flag'] }));
    expect((await sklarJson(['info', model])).notes).toEqual(notes);
  }
  await sklarFails([...fit, '--margins', 'flag=gpd'], 3, 'ERR_SKLAR_VALUE', '"flag"');
});
