import { FamilyCopula, Table, readTable, writeTable } from '../../lib';
import { Generator } from '../../lib/data/random';
import { TemporaryFolder } from '../data/support';
import { sklar, sklarFails, sklarJson } from './support';

const folder = new TemporaryFolder();
const n = 240;

/** Columns a, b and weights, every tenth of them 0. */
async function weightedTable(): Promise<Table> {
  const { data } = await new FamilyCopula('frank', { theta: 5 }).sample(n, { seed: 3, dtype: 'float64' });
  const generator = new Generator(4);
  const day = Date.UTC(2020, 0, 1);
  return Table.fromColumns({
    day: Array.from({ length: n }, (_, i) => new Date(day + 86_400_000 * i)),
    a: Array.from({ length: n }, (_, i) => data[2 * i]! + 1),
    b: Array.from({ length: n }, (_, i) => data[2 * i + 1]! ** 2 + 1),
    w: Array.from({ length: n }, (_, i) => (i % 10 === 4 ? 0 : 1 + generator.below(4))),
  });
}

const pick = ({ holdout, columns, correlation, rows }: any) => ({ holdout, columns, correlation, rows });

const withWeights = (table: Table, weights: Float64Array, file: string) =>
  writeTable(
    new Table(
      table.names,
      table.columns.map((values, j) => (table.names[j] === 'w' ? weights : values)),
      table.types.map((type, j) => (table.names[j] === 'w' ? 'float' : type)),
    ),
    file,
  );

test('fit, score, compare, report and inspect take a column of weights', async () => {
  const table = await weightedTable();
  const file = folder.file('weighted.csv');
  await writeTable(table, file);
  const model = folder.file('weighted.safetensors');
  const fit = ['--exclude', 'day', '--kind', 'gaussian', '--out', model];
  const fitted = await sklarJson(['fit', file, '--weights', 'w', ...fit]);
  expect(fitted.columns).toEqual(['a', 'b']);
  expect(fitted.rows).toEqual({ train: 173, holdout: 43 });
  expect(fitted.holdout.effectiveRows).toBeLessThan(43);
  expect(fitted.notes.filter(({ code }: any) => code === 'weights')).toEqual([
    {
      code: 'weights',
      columns: ['w'],
      message:
        'column "w": holds the weights of the rows, and is not modelled; 24 of 240 rows have the weight 0 and were left out',
    },
    expect.objectContaining({
      message: expect.stringMatching(
        /^rows count by their weights: 173 of them tell as much as 1\d\d\.?\d* equal ones$/,
      ),
    }),
  ]);

  // in other units, and without the rows of weight 0
  const scaled = folder.file('scaled.csv');
  await withWeights(
    table,
    table.column('w').map((weight) => 0.3 * weight),
    scaled,
  );
  expect(pick(await sklarJson(['fit', scaled, '--weights', 'w', ...fit])).holdout.meanLogPdf).toBeCloseTo(
    fitted.holdout.meanLogPdf,
    12,
  );
  const rows = Array.from({ length: n }, (_, i) => i).filter((i) => table.column('w')[i]! > 0);
  const fewer = folder.file('fewer.csv');
  await writeTable(table.take(rows), fewer);
  expect(pick(await sklarJson(['fit', fewer, '--weights', 'w', ...fit]))).toEqual(pick(fitted));
  // equal ones are none
  const equal = folder.file('equal.csv');
  await withWeights(table, new Float64Array(n).fill(2.5), equal);
  const plain = await sklarJson(['fit', file, '--exclude', 'day,w', '--kind', 'gaussian', '--out', model]);
  expect(pick(await sklarJson(['fit', equal, '--weights', 'w', ...fit]))).toEqual(pick(plain));

  await sklarJson(['fit', file, '--weights', 'w', ...fit]);
  const scored = await sklarJson(['score', model, file]);
  expect(scored.effectiveRows).toBeLessThan(216);
  const counted = await sklarJson(['score', model, fewer]);
  expect(counted.meanLogPdf).toBe(scored.meanLogPdf);
  expect(counted.standardError).toBe(scored.standardError);
  const without = folder.file('without.csv');
  await writeTable(table.exclude(['w']), without);
  const alike = await sklarJson(['score', model, without]);
  expect(alike.effectiveRows).toBeUndefined();
  expect(alike.notes[0].message).toContain('count alike, since they have no column "w" of weights');

  const sample = folder.file('sample.csv');
  await sklarJson(['sample', model, '--rows', 150, '--out', sample]);
  expect((await readTable(sample)).names).toEqual(['a', 'b']);
  const compared = await sklarJson([
    'compare',
    file,
    sample,
    '--exclude',
    'day',
    '--weights',
    'w',
    '--metrics',
    'ks',
  ]);
  expect(compared.rows.data).toBeLessThan(216);
  expect(compared.notes.map(({ message }: { message: string }) => message)).toContainEqual(
    expect.stringMatching(
      /^\d+ of 216 rows were drawn, each with a probability in proportion to its weight$/,
    ),
  );
  const inspected = await sklarJson(['inspect', file, '--weights', 'w']);
  expect(inspected.rows).toBe(216);
  expect(inspected.columns.map(({ name }: { name: string }) => name)).toEqual(['day', 'a', 'b']);
  const reported = await sklarJson([
    'report',
    model,
    file,
    '--out',
    folder.file('page.html'),
    '--rows',
    50,
    '--skip',
    'certificate,comparison,pairs',
  ]);
  expect(reported.numbers.rows.data).toBeLessThan(216);
});

test('weights go with returns, splits in time and checkpoints', async () => {
  const table = await weightedTable();
  const file = folder.file('prices.csv');
  await writeTable(table, file);
  const model = folder.file('returns.safetensors');
  const fitted = await sklarJson([
    'fit',
    file,
    '--weights',
    'w',
    '--returns',
    'log',
    '--split',
    'time',
    '--kind',
    'clayton',
    '--out',
    model,
  ]);
  expect(fitted.columns).toEqual(['a', 'b']);
  expect(fitted.holdout.blockRows).toBeGreaterThan(1);
  const scored = await sklarJson(['score', model, file, '--errors', 'blocks']);
  expect(scored.effectiveRows).toBeLessThan(216);

  const checkpoint = folder.file('state.safetensors');
  const learned = await sklarJson([
    ...['fit', file, '--weights', 'w', '--exclude', 'day', '--kind', 'cdc', '--hidden', 8, '--depth', 1],
    ...['--levels', 4, '--steps', 10, '--batch', 16, '--checkpoint', checkpoint, '--out', model],
  ]);
  expect(learned.steps).toBe(10);
});

test('what is no weight is refused with its row and column', async () => {
  const head = 'a,b,w\n1,2,1\n2,3,';
  const rest = '\n3,1,1\n4,7,2\n5,6,1\n6,5,1\n7,8,1\n8,9,1\n9,4,1\n';
  const out = folder.file('none.safetensors');
  for (const [cell, got] of [
    ['-1', 'got -1 (row 2)'],
    ['', 'got a cell without a number (row 2)'],
    ['x', 'got "x" (row 2)'],
  ] as const) {
    const file = folder.file('bad.csv', head + cell + rest);
    await sklarFails(['fit', file, '--weights', 'w', '--out', out], 3, 'ERR_SKLAR_VALUE', 'column "w"', got);
    await sklarFails(['inspect', file, '--weights', 'w'], 3, 'ERR_SKLAR_VALUE', 'column "w"', got);
  }
  const text = folder.file('text.csv', 'a,b,w\n1,2,low\n2,3,high\n');
  await sklarFails(['inspect', text, '--weights', 'w'], 3, 'ERR_SKLAR_VALUE', '"w", got "low" (row 1)');
  const zeros = folder.file('zeros.csv', 'a,b,w\n1,2,0\n2,3,0\n');
  await sklarFails(['inspect', zeros, '--weights', 'w'], 3, 'ERR_SKLAR_VALUE', 'a weight above 0', '"w"');
  await sklarFails(['inspect', zeros, '--weights', 'x'], 3, 'ERR_SKLAR_VALUE', 'for --weights, got "x"');
  expect((await sklar(['inspect', zeros])).status).toBe(0);
});
