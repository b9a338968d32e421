// examples/quickstart.mjs does what it says, with fewer steps.
import { execFileSync } from 'node:child_process';
import path from 'node:path';

import { loadModel, readTable } from '../../lib';
import { TemporaryFolder } from '../data/support';

const folder = new TemporaryFolder();

test('learns, compares, draws and paints', async () => {
  const script = path.resolve(__dirname, '..', '..', 'examples', 'quickstart.mjs');
  const output = execFileSync(process.execPath, [script, '20'], {
    cwd: folder.path,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  expect(output).toMatch(/diffusion copula +-?\d\.\d{3} \+- \d\.\d{3} \(unnormalised\)\n/);
  expect(output).toMatch(/Gaussian copula +1\.\d{3} \+- \d\.\d{3}\n/);
  const results = new Map(
    ['films.csv', 'films.safetensors', 'quickstart.svg'].map((name) => [
      name,
      folder.file(`quickstart-output/${name}`),
    ]),
  );
  const model = await loadModel(results.get('films.safetensors')!);
  const films = await readTable(results.get('films.csv')!);
  expect(films.names).toEqual(model.names);
  expect(films.rows).toBe(3000);
});
