// What `kind: 'auto'` makes of few rows, beside the kinds alone with their default options: held-out log density, paired differences, seconds:
//   npm run bench -- selection [--data magic04,dry_bean,stock_prices] [--rows 300,1000,3000] [--kinds student,cdc,flow] [--seed 1]
// Data: the folder SKLAR_DATA (default ../shared/data) with magic04.csv, dry_bean.csv and stock_prices.csv, see docs/performance.md.
import { existsSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { recordHead, writeRecord } from '../record.mjs';
import { ScriptError, root, runMain } from '../tools.mjs';

const HELD_OUT = 1500;
/** Trading days up to the last one, on which 14 of the stocks have prices. */
const DAYS = 3500;

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
  const folder = process.env.SKLAR_DATA ?? path.join(root, '..', 'shared', 'data');
  const seed = Number(values.seed);
  const results = [];
  for (const data of values.data.split(','))
    for (const rows of values.rows.split(',').map(Number)) {
      const file = path.join(folder, `${data}.csv`);
      if (!existsSync(file)) {
        throw new ScriptError(
          `expected ${data}.csv in SKLAR_DATA (${folder}); docs/performance.md says where it is from`,
        );
      }
      const table = data === 'stock_prices' ? await returns(sklar, file) : await measures(sklar, file);
      const held = Math.min(HELD_OUT, Math.floor(table.rows / 4));
      if (table.rows < held + rows) continue;
      const { train, holdout } = sklar.splitRows(table.rows, held / table.rows, seed);
      // some of the others, which are in the order of the file, that of its classes
      const { holdout: some } = sklar.splitRows(train.length, rows / train.length, seed);
      const training = table.take(some.map((row) => train[row]));
      const ranks = await sklar.PseudoObservations.fit(training, { seed });
      const u = ranks.transformTrain();
      const test = await ranks.transform(table.take(holdout));
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
        dim: table.names.length,
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

/** The numbers that are no constants. */
async function measures({ readTable }, file) {
  const table = await readTable(file);
  const names = table.names.filter((_, j) => ['number', 'integer'].includes(table.types[j].type));
  return table.select(names);
}

/** Log returns of the days and stocks that have prices, without the dates. */
async function returns({ Table, readTable }, file) {
  const table = await readTable(file);
  const from = table.rows - DAYS;
  const prices = table.names
    .filter((name) => table.type(name).type === 'number')
    .map((name) => [name, table.column(name).slice(from)])
    .filter(([, values]) => !values.some(Number.isNaN));
  return Table.fromColumns(
    Object.fromEntries(
      prices.map(([name, values]) => [name, values.slice(1).map((value, i) => Math.log(value / values[i]))]),
    ),
  );
}
