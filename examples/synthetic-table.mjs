// A table of films that never were, for a team that may not see the real one: integers, ties, amounts from a thousand to two
// billion. Can it be told from real films? A classifier tries, beside what it makes of two halves of the real ones (the
// floor), and each column is compared alone.
//   node examples/synthetic-table.mjs [--steps 600] [--out synthetic-output] [--json]
// Writes films.csv and films.parquet to the folder.
import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { Table, compare, fitJoint, splitRows, writeTable } from 'sklar';

const AMOUNTS = ['Production Budget', 'US Gross', 'Worldwide Gross', 'IMDB Votes'];
const RATINGS = ['IMDB Rating', 'Rotten Tomatoes Rating'];

async function readFilms() {
  const file = new URL('../data/movies.json', import.meta.resolve('vega-datasets'));
  const films = JSON.parse(await readFile(file, 'utf8'))
    .map((film) => ({ ...film, Year: new Date(film['Release Date']).getUTCFullYear() }))
    // a few dates have the wrong century
    .filter((film) => film.Year <= 2011 && [...AMOUNTS, ...RATINGS].every((name) => film[name] > 0));
  const names = [...AMOUNTS, ...RATINGS, 'Year'];
  return new Table(
    names,
    names.map((name) => Float64Array.from(films, (film) => film[name])),
    names.map((name) => (name === 'IMDB Rating' ? 'float' : 'integer')),
  );
}

const textOf = ({ columns }, row) => columns.map((values) => values[row]).join(' ');

export async function main({ steps = 600, out = 'synthetic-output' } = {}) {
  const table = await readFilms();
  const { train, holdout } = splitRows(table.rows, 0.4, 0);
  const [known, heldOut] = [table.take(train), table.take(holdout)];
  const judged = {};
  let films;
  for (const copula of [
    { kind: 'cdc', hidden: 64, depth: 2, steps, batch: 256, learningRate: 1e-3 },
    { kind: 'gaussian' },
    { kind: 'independence' },
  ]) {
    const joint = await fitJoint(known, { copula, seed: 1 });
    const sample = await joint.sample(heldOut.rows, { seed: 7 });
    const { metrics, rows } = await compare(heldOut, sample, { metrics: ['auc', 'ks'], seed: 1 });
    judged[copula.kind] = {
      rows: rows.compared,
      auc: pick(metrics.auc),
      // the largest distance of a column, and of each
      ks: {
        worst: metrics.ks.sample.worst,
        floor: metrics.ks.floor.value,
        columns: metrics.ks.sample.columns,
      },
    };
    if (copula.kind === 'cdc') films = await joint.sample(known.rows, { seed: 8 });
    joint.dispose();
  }
  // A synthetic row that is a real one would give it away.
  const real = new Set(Array.from({ length: known.rows }, (_, i) => textOf(known, i)));
  const copies = Array.from({ length: films.rows }, (_, i) => textOf(films, i)).filter((row) =>
    real.has(row),
  );

  await mkdir(out, { recursive: true });
  const files = ['films.csv', 'films.parquet'].map((name) => path.join(out, name));
  for (const file of files) await writeTable(films, file);
  return {
    columns: table.names,
    rows: { train: known.rows, heldOut: heldOut.rows, synthetic: films.rows },
    judged,
    copies: copies.length,
    files,
  };
}

const pick = ({ sample, floor }) => ({
  value: sample.value,
  standardError: sample.standardError,
  floor: floor.value,
  floorError: floor.standardError,
});

function print({ columns, rows, judged, copies, files }) {
  console.log(
    `${columns.length} columns (${columns.join(', ')})\nlearned from ${rows.train} films, judged by ${rows.heldOut} others\n`,
  );
  for (const [kind, { auc, ks, rows: compared }] of Object.entries(judged)) {
    console.log(
      `${kind.padEnd(13)} classifier AUC ${auc.value.toFixed(3)} +- ${auc.standardError.toFixed(3)} (0.5: cannot tell; halves of real films ` +
        `${auc.floor.toFixed(3)} +- ${auc.floorError.toFixed(3)}), worst column ${ks.worst}: KS ` +
        `${Math.max(...ks.columns.map(({ value }) => value)).toFixed(3)} (floor ${ks.floor.toFixed(3)}; ${compared} rows each)`,
    );
  }
  console.log('\nKS distance of each column, cdc');
  for (const { column, value } of judged.cdc.ks.columns)
    console.log(`  ${column.padEnd(24)}${value.toFixed(3)}`);
  console.log(
    `\n${copies} of ${rows.synthetic} synthetic films equal a film that the model has learned from. That alone is no proof of privacy:` +
      ' values of single columns are real ones wherever they recur.',
  );
  console.log(`wrote ${files.join(' and ')}`);
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { values } = parseArgs({
    options: { steps: { type: 'string' }, out: { type: 'string' }, json: { type: 'boolean' } },
  });
  const result = await main({
    ...(values.steps && { steps: Number(values.steps) }),
    ...(values.out && { out: values.out }),
  });
  if (values.json) console.log(JSON.stringify(result));
  else print(result);
}
