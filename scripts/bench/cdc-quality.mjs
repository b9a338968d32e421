// Held-out log-likelihood beside the Gaussian copula's, and margins of samples, with default options:
//   npm run bench -- cdc-quality [--data magic04,dry_bean]
// Data: the folder SKLAR_DATA (default ../shared/data) with magic04.csv and dry_bean.csv, see docs/performance.md.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { writeRecord } from '../record.mjs';
import { ScriptError, root, runMain } from '../tools.mjs';

const sets = { magic04: 'class', dry_bean: 'Class' };
const ROWS = 20_000;

await runMain(async () => {
  const { values } = parseArgs({
    options: { data: { type: 'string', default: Object.keys(sets).join(',') } },
  });
  const { devices, loadModel } = await import(path.join(root, 'dist', 'index.mjs'));
  const folder = process.env.SKLAR_DATA ?? path.join(root, '..', 'shared', 'data');
  const scratch = mkdtempSync(path.join(os.tmpdir(), 'sklar-quality-'));
  const results = [];
  for (const data of values.data.split(',')) {
    const file = path.join(folder, `${data}.csv`);
    if (!existsSync(file))
      throw new ScriptError(
        `expected ${data}.csv in SKLAR_DATA (${folder}); docs/performance.md says where it is from`,
      );
    const out = path.join(scratch, `${data}.safetensors`);
    const fit = JSON.parse(
      execFileSync(
        process.execPath,
        [
          path.join(root, 'dist', 'cli', 'main.js'),
          ...[
            'fit',
            file,
            '--exclude',
            sets[data],
            '--kind',
            'cdc',
            '--holdout',
            '0.2',
            '--seed',
            '1',
            '--json',
            '--out',
            out,
          ],
        ],
        { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] },
      ),
    );
    const model = await loadModel(out);
    const samples = [];
    for (const options of [{ solver: 'ab2' }, { solver: 'exponential-em' }]) {
      const started = performance.now();
      const z = await model.sample(ROWS, { seed: 7, scale: 'gaussian', dtype: 'float64', ...options });
      const seconds = (performance.now() - started) / 1000;
      const u = await model.sample(ROWS, { seed: 7, dtype: 'float64', ...options });
      const ks = [];
      const variances = [];
      for (let j = 0; j < model.dim; j++) {
        const column = Float64Array.from({ length: ROWS }, (_, i) => u.data[i * model.dim + j]).sort();
        ks.push(
          column.reduce((most, x, i) => Math.max(most, Math.abs(x - (i + 0.5) / ROWS)), 0) + 0.5 / ROWS,
        );
        let sum = 0;
        let squares = 0;
        for (let i = 0; i < ROWS; i++) {
          const value = z.data[i * model.dim + j];
          sum += value;
          squares += value * value;
        }
        variances.push(squares / ROWS - (sum / ROWS) ** 2);
      }
      samples.push({
        solver: options.solver,
        seconds,
        largestKs: Math.max(...ks),
        variances: [Math.min(...variances), Math.max(...variances)],
      });
    }
    const row = { data, ...fit, model: undefined, samples };
    results.push(row);
    console.log(JSON.stringify(row));
  }
  rmSync(scratch, { recursive: true });
  console.log(`written: ${writeRecord('cdc-quality', { devices: devices(), results })}`);
});
