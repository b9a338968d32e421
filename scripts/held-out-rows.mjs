// Rows of the tables in SKLAR_DATA to fit copulas to, and others to score them by, for scripts/bench.
import { existsSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { ScriptError, root } from './tools.mjs';

const HELD_OUT = 1500;
/** Trading days up to the last one, on which 14 of the stocks have prices. */
const DAYS = 3500;

/** Pseudo-observations of so many rows, and held-out rows on their scale; null: the table has fewer. */
export async function heldOutRows(sklar, data, rows, seed) {
  const folder = process.env.SKLAR_DATA ?? path.join(root, '..', 'shared', 'data');
  const file = path.join(folder, `${data}.csv`);
  if (!existsSync(file)) {
    throw new ScriptError(
      `expected ${data}.csv in SKLAR_DATA (${folder}); docs/performance.md says where it is from`,
    );
  }
  const table = data === 'stock_prices' ? await returns(sklar, file) : await measures(sklar, file);
  const held = Math.min(HELD_OUT, Math.floor(table.rows / 4));
  if (table.rows < held + rows) return null;
  const { train, holdout } = sklar.splitRows(table.rows, held / table.rows, seed);
  // some of the others, which are in the order of the file, that of its classes
  const { holdout: some } = sklar.splitRows(train.length, rows / train.length, seed);
  const ranks = await sklar.PseudoObservations.fit(table.take(some.map((row) => train[row])), { seed });
  const test = await ranks.transform(table.take(holdout));
  return { u: ranks.transformTrain(), test, dim: table.names.length, held };
}

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
