// Heads on the Ornstein-Uhlenbeck process with the same network, steps and rows, else with their own defaults: a classifier of 10 noise levels
// (cdc), a velocity (flow), a potential. Held-out log densities by each of their routes, normalised, log Z, seconds:
//   npm run bench -- heads [--data magic04,stock_prices] [--rows 5000,2500] [--hidden 128] [--depth 3] [--steps 1500] [--seed 1]
// Data: the folder SKLAR_DATA (default ../shared/data) with magic04.csv and stock_prices.csv, see docs/performance.md.
import path from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { heldOutRows } from '../held-out-rows.mjs';
import { recordHead, writeRecord } from '../record.mjs';
import { ScriptError, root, runMain } from '../tools.mjs';

const heads = {
  cdc: { kind: 'cdc' },
  flow: { kind: 'flow', members: 1 },
  'flow, `uniform`': { kind: 'flow', members: 1, weighting: 'uniform' },
  potential: { kind: 'potential', members: 1 },
  'potential, gradient alone': { kind: 'potential', members: 1, timeWeight: 0 },
};

await runMain(async () => {
  const text = (value) => ({ type: 'string', default: value });
  const { values } = parseArgs({
    options: {
      data: text('magic04,stock_prices'),
      rows: text('5000,2500'),
      hidden: text('128'),
      depth: text('3'),
      steps: text('1500'),
      seed: text('1'),
    },
  });
  const sklar = await import(path.join(root, 'dist', 'index.mjs'));
  const numberOf = (name) => Number(values[name]);
  const [hidden, depth, steps, seed] = ['hidden', 'depth', 'steps', 'seed'].map(numberOf);
  const { commit, modified, date } = recordHead('heads', '', sklar.devices());
  const rowsOf = values.rows.split(',').map(Number);
  const results = [];
  for (const [k, data] of values.data.split(',').entries()) {
    const rows = rowsOf[k] ?? rowsOf.at(-1);
    const given = await heldOutRows(sklar, data, rows, seed);
    if (!given) throw new ScriptError(`${data}.csv has fewer than ${rows} rows beside the held-out ones`);
    const gaussian = await sklar.fitCopula(given.u, { kind: 'gaussian' });
    const reference = sklar.meanOf(await gaussian.logPdf(given.test));
    for (const [head, options] of Object.entries(heads)) {
      const before = process.cpuUsage();
      const copula = await sklar.fitCopula(given.u, { hidden, depth, steps, seed, ...options });
      const { user, system } = process.cpuUsage(before);
      const routes = {};
      for (const method of copula.capabilities.logPdf.filter((name) => name !== 'bound')) {
        const log = await copula.logPdf(given.test, { method, normalised: true });
        routes[method] = { ...sklar.meanOf(log), worst: Math.min(...log) };
      }
      const { training } = copula.info();
      const result = {
        ...{ data, dim: given.dim, rows, held: given.held, gaussian: reference, head, routes },
        logZ: copula.logNormaliser ?? null,
        logZError: copula.logNormaliserStandardError ?? null,
        steps: training.steps,
        bestStep: training.bestStep,
        processorSeconds: (user + system) / 1e6,
      };
      copula.dispose();
      results.push(result);
      console.log(JSON.stringify(result));
    }
  }
  const record = { commit, modified, date, devices: sklar.devices(), hidden, depth, steps, seed, results };
  console.log(`written: ${writeRecord('heads', record)}`);
});
