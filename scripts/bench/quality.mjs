// What every kind makes of the same rows with default options: held-out log density beside the Gaussian copula's, log Z,
// margins and dependence of samples, and what it costs:
//   npm run bench -- quality [--data magic04,dry_bean] [--kinds cdc,flow,reflection] [--seeds 1]
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
/** Samples of this many rows are compared with the held-out ones. */
const ENERGY_ROWS = 2000;

function fit(file, exclude, kind, seed, out) {
  const options = `--kind ${kind} --holdout 0.2 --seed ${seed} --json --out`.split(' ');
  const cli = path.join(root, 'dist', 'cli', 'main.js');
  const text = execFileSync(process.execPath, [cli, 'fit', file, '--exclude', exclude, ...options, out], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return JSON.parse(text);
}

/** Largest Kolmogorov-Smirnov distance of a column to uniform, and the range of variances on the Gaussian scale. */
function margins(u, z, dim) {
  let largestKs = 0;
  const variances = [];
  for (let j = 0; j < dim; j++) {
    const column = Float64Array.from({ length: ROWS }, (_, i) => u[i * dim + j]).sort();
    column.forEach((x, i) => (largestKs = Math.max(largestKs, Math.abs(x - (i + 0.5) / ROWS) + 0.5 / ROWS)));
    let sum = 0;
    let squares = 0;
    for (let i = 0; i < ROWS; i++) {
      sum += z[i * dim + j];
      squares += z[i * dim + j] ** 2;
    }
    variances.push(squares / ROWS - (sum / ROWS) ** 2);
  }
  return { largestKs, variances: [Math.min(...variances), Math.max(...variances)] };
}

await runMain(async () => {
  const { values } = parseArgs({
    options: {
      data: { type: 'string', default: Object.keys(sets).join(',') },
      kinds: { type: 'string', default: 'cdc,flow,reflection' },
      seeds: { type: 'string', default: '1' },
    },
  });
  const {
    PseudoObservations,
    devices,
    energyDistance,
    integrate,
    loadModel,
    matrix,
    normalQuantile,
    readTable,
    splitRows,
  } = await import(path.join(root, 'dist', 'index.mjs'));
  const folder = process.env.SKLAR_DATA ?? path.join(root, '..', 'shared', 'data');
  const scratch = mkdtempSync(path.join(os.tmpdir(), 'sklar-quality-'));
  const results = [];
  for (const data of values.data.split(',')) {
    const file = path.join(folder, `${data}.csv`);
    if (!existsSync(file))
      throw new ScriptError(
        `expected ${data}.csv in SKLAR_DATA (${folder}); docs/performance.md says where it is from`,
      );
    const table = await readTable(file, { exclude: [sets[data]] });
    const { train, holdout } = splitRows(table.rows, 0.2, 0);
    const ranks = await PseudoObservations.fit(table.take(train), { seed: 1 });
    const dim = table.names.length;
    const gaussianScale = async (rows) =>
      matrix(normalQuantile((await ranks.transform(table.take(rows))).data), rows.length, dim);
    const spread = (rows) =>
      Uint32Array.from({ length: ENERGY_ROWS }, (_, i) => rows[Math.floor((i * rows.length) / ENERGY_ROWS)]);
    const heldOut = await gaussianScale(spread(holdout));
    const others = await gaussianScale(spread(train));
    const energy = async (rows) => (await energyDistance(heldOut, rows, { permutations: 0 })).value;
    const floor = await energy(others);
    for (const kind of values.kinds.split(','))
      for (const seed of values.seeds.split(',')) {
        const out = path.join(scratch, `${data}-${kind}.safetensors`);
        const fitted = fit(file, sets[data], kind, seed, out);
        const model = await loadModel(out);
        const samples = [];
        for (const options of [{}, { noise: true }]) {
          await model.sample(1, options); // the margin maps of this solver
          const started = performance.now();
          const z = await model.sample(ROWS, { seed: 7, scale: 'gaussian', dtype: 'float64', ...options });
          const seconds = (performance.now() - started) / 1000;
          const u = await model.sample(ROWS, { seed: 7, dtype: 'float64', ...options });
          const { evaluations } = await integrate(model, { rows: 1, ...options });
          samples.push({
            noise: options.noise ?? false,
            evaluations,
            seconds,
            ...margins(u.data, z.data, model.dim),
            energy: await energy(matrix(z.data.subarray(0, ENERGY_ROWS * dim), ENERGY_ROWS, dim)),
          });
        }
        const row = { data, seed, ...fitted, model: undefined, energyFloor: floor, samples };
        results.push(row);
        console.log(JSON.stringify(row));
      }
  }
  rmSync(scratch, { recursive: true });
  console.log(`written: ${writeRecord('quality', { devices: devices(), results })}`);
});
