// Grids by data beside the grids of the solvers, by evaluations of the field: errors of the map from noise to sample and energy distances of
// what a cdc, a flow and a reflection draw, from 200 steps of the same starts and from held-out rows:
//   npm run bench -- grids [--data magic04,dry_bean] [--rows 5000] [--hidden 64] [--depth 2] [--steps 1500] [--draws 4000] [--seed 1]
// Data: the folder SKLAR_DATA (default ../shared/data) with magic04.csv and dry_bean.csv, see docs/performance.md.
import path from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { heldOutRows } from '../held-out-rows.mjs';
import { recordHead, writeRecord } from '../record.mjs';
import { ScriptError, root, runMain } from '../tools.mjs';

const BUDGETS = [6, 8, 10, 16];
const REFERENCE_STEPS = 200;
/** With the default solver of each, and its clock; heun evaluates the field twice a step. */
const kinds = {
  cdc: { fit: {}, options: { solver: 'ab2' }, stages: 1 },
  flow: { fit: { members: 1 }, options: { solver: 'ab2', clock: 'theta' }, stages: 1 },
  reflection: { fit: { members: 1 }, options: { solver: 'heun' }, stages: 2 },
};

const rootMeanSquare = (a, b) => Math.sqrt(a.reduce((sum, x, i) => sum + (x - b[i]) ** 2, 0) / a.length);

async function processorSeconds(body) {
  const before = process.cpuUsage();
  await body();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}

await runMain(async () => {
  const text = (value) => ({ type: 'string', default: value });
  const { values } = parseArgs({
    options: {
      data: text('magic04,dry_bean'),
      rows: text('5000'),
      hidden: text('64'),
      depth: text('2'),
      steps: text('1500'),
      draws: text('4000'),
      seed: text('1'),
    },
  });
  const sklar = await import(path.join(root, 'dist', 'index.mjs'));
  const numberOf = (name) => Number(values[name]);
  const [rows, hidden, depth, steps, draws, seed] = ['rows', 'hidden', 'depth', 'steps', 'draws', 'seed'].map(
    numberOf,
  );
  const { commit, modified, date } = recordHead('grids', '', sklar.devices());
  const results = [];
  for (const data of values.data.split(',')) {
    const given = await heldOutRows(sklar, data, rows, seed);
    if (!given) throw new ScriptError(`${data}.csv has fewer than ${rows} rows beside the held-out ones`);
    for (const [kind, { fit, options, stages }] of Object.entries(kinds)) {
      const copula = await sklar.fitCopula(given.u, { kind, hidden, depth, steps, seed, ...fit });
      const draw = (more) => copula.sample(draws, { ...options, seed, dtype: 'float64', ...more });
      const fine = await draw({ steps: REFERENCE_STEPS, margins: 'raw' });
      const other = await draw({ steps: REFERENCE_STEPS, margins: 'raw', seed: seed + 1 });
      const floor = (await sklar.energyDistance(fine, other)).value;
      const measure = async (more) => {
        const raw = await draw({ ...more, margins: 'raw' });
        const held = await sklar.energyDistance(await draw(more), given.test);
        return {
          rmse: rootMeanSquare(raw.data, fine.data),
          energy: (await sklar.energyDistance(raw, fine)).value,
          heldOut: held.value,
          heldOutError: held.standardError,
        };
      };
      const reference = await measure({ steps: REFERENCE_STEPS });
      const budgets = [];
      for (const evaluations of BUDGETS) {
        const own = { steps: evaluations / stages };
        const search = { ...own, grid: 'data' };
        const plain = await measure(own);
        const seconds = await processorSeconds(() =>
          copula.sample(1, { ...options, ...search, margins: 'raw' }),
        );
        budgets.push({ evaluations, default: plain, data: await measure(search), searchSeconds: seconds });
      }
      // 16,384 rows, for the margin maps
      const pilotSeconds = await processorSeconds(() => copula.sample(1, { ...options, steps: 11 }));
      const result = {
        ...{ data, dim: given.dim, rows, held: given.held, kind, solver: options.solver },
        ...{ otherSeed: floor, reference, pilotSeconds, budgets },
      };
      copula.dispose();
      results.push(result);
      console.log(JSON.stringify(result));
    }
  }
  const record = {
    commit,
    modified,
    date,
    devices: sklar.devices(),
    hidden,
    depth,
    steps,
    draws,
    seed,
    results,
  };
  console.log(`written: ${writeRecord('grids', record)}`);
});
