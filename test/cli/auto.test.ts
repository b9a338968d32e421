// `--kind auto`: what is printed, kept and refused.
import { writeFileSync } from 'node:fs';

import { FamilyCopula, Table, writeTable } from '../../lib';
import { TemporaryFolder } from '../data/support';
import { sklar, sklarFails, sklarJson } from './support';

const folder = new TemporaryFolder();
const data = folder.file('few.csv');
const out = folder.file('few.safetensors');
beforeAll(async () => {
  const rows = await new FamilyCopula('gumbel', { theta: 2 }).sample(60, { seed: 2 });
  await writeTable(Table.fromMatrix(rows), data);
});

test('prints how the kinds fared, and keeps it in the model', async () => {
  const config = folder.file('auto.json');
  writeFileSync(config, JSON.stringify({ kind: 'auto', minutes: 10, split: 'blocks' }));
  const document = await sklarJson(['fit', data, '--out', out, '--config', config]);
  const { selection, kind } = document as { kind: string; selection: { candidates: object[] } };
  expect(selection).toMatchObject({ by: 'folds', rows: 47, folds: 5, errors: 'blocks' });
  expect(selection.candidates.length).toBeGreaterThan(15); // of 47 rows no networks
  expect(selection.candidates).toContainEqual(
    expect.objectContaining({ candidate: expect.objectContaining({ kind }), outcome: 'chosen' }),
  );
  const { stdout } = await sklar(['info', out]);
  expect(stdout).toMatch(/tried \d+ kinds in .*, judged by 47 rows, in 5 folds \(errors by blocks\)/);
  expect(stdout).toMatch(new RegExp(`^ {2}${kind}.* chosen$`, 'm'));
  expect(await sklarJson(['info', out])).toMatchObject({ selection });
});

test('options of one kind are refused in the words of the command', async () => {
  for (const [options, message] of [
    [['--kind', 'auto', '--steps', '5'], 'steps belongs to one kind, and auto tries several'],
    [['--kind', 'auto', '--models', '2'], 'models belongs to one kind'],
    [
      ['--kind', 'auto', '--checkpoint', folder.file('c')],
      '--checkpoint belongs to kinds that a network learns',
    ],
    [['--kind', 'flow', '--minutes', '2'], 'minutes belongs to kind auto, not to flow'],
    [['--kind', 'auto', '--minutes', '0'], '--minutes'],
    [['--kind', 'autos'], 'auto'],
  ] as const) {
    await sklarFails(['fit', data, '--out', out, ...options], 3, 'ERR_SKLAR_VALUE', message);
  }
});
