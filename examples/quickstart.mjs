// What the budget, box office, votes and ratings of films have to do with each other: learns it from 1,800 films, compares
// with a Gaussian copula, draws new films, and paints both. `npm run quickstart` runs it, in less than a minute.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { PseudoObservations, Table, fitCopula, pairPlot, splitRows, writeTable } from 'sklar';

// A table is named columns of numbers. readTable gets one from CSV or Parquet; here films with gaps are left out first.
const names = ['Production Budget', 'Worldwide Gross', 'IMDB Votes', 'IMDB Rating', 'Rotten Tomatoes Rating'];
const file = new URL('../data/movies.json', import.meta.resolve('vega-datasets'));
const films = JSON.parse(await readFile(file, 'utf8')).filter((film) =>
  names.every((name) => film[name] > 0),
);
const table = new Table(
  names,
  names.map((name) => Float64Array.from(films, (film) => film[name])),
  ['integer', 'integer', 'integer', 'float', 'integer'],
);

// One film in five is kept apart. Margins are learned from the others and take each column to (0, 1).
const { train, holdout } = splitRows(table.rows, 0.2, 0);
const margins = await PseudoObservations.fit(table.take(train));
const u = margins.transformTrain();

// Learn the dependence: with a classification-diffusion copula, and with a Gaussian one to compare.
const steps = Number(process.argv[2] ?? 1500);
const started = performance.now();
const copula = await fitCopula(u, {
  kind: 'cdc',
  margins,
  hidden: 128,
  depth: 2,
  batch: 256,
  steps,
  learningRate: 5e-4,
  onProgress: ({ step, loss }) =>
    process.stderr.write(`\rstep ${step} of ${steps}, loss ${loss.toFixed(3)} `),
});
const gaussian = await fitCopula(u, { kind: 'gaussian' });
console.error(
  `\nlearned from ${train.length} films in ${((performance.now() - started) / 1000).toFixed(1)} s`,
);

// Held-out log-likelihood: how well each model foretells the films it has not seen. Higher is better.
const unseen = await margins.transform(table.take(holdout));
const scores = await Promise.all([copula, gaussian].map((model) => model.logPdf(unseen)));
const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
const error = (values) => Math.sqrt(mean(values.map((value) => (value - mean(values)) ** 2)) / values.length);
console.log(`held-out log-likelihood of ${holdout.length} films, in nats a film`);
console.log(
  `  diffusion copula  ${mean(scores[0]).toFixed(3)} +- ${error(scores[0]).toFixed(3)} (unnormalised)`,
);
console.log(`  Gaussian copula   ${mean(scores[1]).toFixed(3)} +- ${error(scores[1]).toFixed(3)}`);
const gain = scores[0].map((value, i) => value - scores[1][i]);
console.log(`  difference        ${mean(gain).toFixed(3)} +- ${error(gain).toFixed(3)}`);

// New films: rows of the copula, taken back to dollars, votes and stars by the margins.
const sample = await margins.inverse(await copula.sample(3000, { seed: 7, dtype: 'float64' }));

await mkdir('quickstart-output', { recursive: true });
await copula.save('quickstart-output/films.safetensors');
await writeTable(sample, 'quickstart-output/films.csv');
const svg = await pairPlot(table, sample, {
  title: 'Films, and films that never were',
  logarithmic: names.slice(0, 3),
});
await writeFile('quickstart-output/quickstart.svg', svg);
console.log('wrote quickstart-output/quickstart.svg, films.csv and films.safetensors');
