// What `kind: 'auto'` makes of few rows, beside the kinds alone with their default options: held-out log density, paired differences, seconds:
//   npm run bench -- selection [--data magic04,dry_bean,stock_prices] [--rows 300,1000,3000] [--kinds student,cdc,flow] [--seed 1]
// Data: the folder SKLAR_DATA (default ../shared/data) with magic04.csv, dry_bean.csv and stock_prices.csv, see docs/performance.md.
import path from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { recordHead, writeRecord } from '../record.mjs';
import { heldOutRows } from '../held-out-rows.mjs';
import { root, runMain } from '../tools.mjs';

await runMain(async () => {
  const { values } = parseArgs({
    options: {
      data: { type: 'string', default: 'magic04,dry_bean,stock_prices' },
      rows: { type: 'string', default: '300,1000,3000' },
      kinds: { type: 'string', default: 'student,cdc,flow' },
      seed: { type: 'string', default: '1' },
    },
  });
  const sklar = await import(path.join(root, 'dist', 'index.mjs'));
  const { commit, modified, date } = recordHead('selection', '', sklar.devices());
  const seed = Number(values.seed);
  const results = [];
  for (const data of values.data.split(','))
    for (const rows of values.rows.split(',').map(Number)) {
      const given = await heldOutRows(sklar, data, rows, seed);
      if (!given) continue;
      const { u, test, dim, held } = given;
      const scores = new Map();
      for (const kind of ['auto', ...values.kinds.split(',')]) {
        const [started, before] = [performance.now(), process.cpuUsage()];
        const copula = await sklar.fitCopula(u, { kind, seed });
        const seconds = (performance.now() - started) / 1000;
        const { user, system } = process.cpuUsage(before);
        const log = await copula.logPdf(test, { normalised: true });
        scores.set(kind, { log, seconds, processorSeconds: (user + system) / 1e6, copula });
      }
      const auto = scores.get('auto');
      const mixture = auto.copula.selection.candidates.find(({ outcome }) => outcome === 'chosen').candidate;
      const result = {
        data,
        dim,
        rows,
        held,
        chosen: mixture,
        kinds: Object.fromEntries(
          [...scores].map(([kind, { log, seconds, processorSeconds }]) => [
            kind,
            {
              mean: sklar.meanOf(log),
              behindAuto: sklar.meanOf(auto.log.map((value, i) => value - log[i])),
              worst: Math.min(...log),
              seconds,
              processorSeconds,
            },
          ]),
        ),
      };
      for (const { copula } of scores.values()) copula.dispose();
      results.push(result);
      console.log(JSON.stringify(result));
    }
  console.log(
    `written: ${writeRecord('selection', { commit, modified, date, devices: sklar.devices(), seed, results })}`,
  );
});
