// Probabilities of rare events beside plain Monte Carlo at the same cost:
//   npm run bench -- events [--seeds 10] [--particles 20000]
// Joint lower tails of a Student copula (4 degrees of freedom, rho .5) of 2 and 10 columns, whose probabilities are known by quadrature, a sum of
// columns of a Gaussian one, and a flow fitted to a Clayton copula. Plain Monte Carlo draws and counts rows for as many seconds.
import path from 'node:path';
import { parseArgs } from 'node:util';
import { writeRecord } from '../record.mjs';
import { root, runMain } from '../tools.mjs';

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
const rms = (values) => Math.sqrt(mean(values.map((value) => value ** 2)));
const equal = (dim, rho) => new Float64Array(dim * dim).map((_, k) => (k % (dim + 1) === 0 ? 1 : rho));

/** All columns at most t. */
const below = (t) => (row) => {
  let most = 0;
  for (const value of row) if (value > most) most = value;
  return Math.log(t) - Math.log(most);
};

await runMain(async () => {
  const { values } = parseArgs({
    options: {
      seeds: { type: 'string', default: '10' },
      particles: { type: 'string', default: '20000' },
    },
  });
  const [seeds, particles] = [values.seeds, values.particles].map(Number);
  const sklar = await import(path.join(root, 'dist', 'index.mjs'));
  const { FamilyCopula, GaussianCopula, StudentCopula, devices, fitCopula, normalCdf } = sklar;
  const student = (dim) => new StudentCopula(equal(dim, 0.5), dim, 4);
  const two = student(2);
  const ofTwo = await Promise.all(
    [0.03, 3.5e-3, 3.6e-4, 3.9e-5].map(async (t) => [
      'student, d = 2',
      two,
      below(t),
      (await two.cdf([[t, t]]))[0],
    ]),
  );
  const deviation = Math.sqrt(4 + 12 * 0.3);
  const u = await new FamilyCopula('clayton', { theta: 2 }).sample(1000);
  const flow = await fitCopula(u, { kind: 'flow', hidden: 32, depth: 2, steps: 300 });
  const cases = [
    ...ofTwo,
    ['student, d = 10', student(10), below(0.03), 6.672150350515e-4],
    ['student, d = 10', student(10), below(6e-4), 8.912859651387e-6],
    [
      'sum of a gaussian, d = 4',
      new GaussianCopula(equal(4, 0.3), 4),
      (row) => row.reduce((sum, value) => sum + value, 0) - 4.27 * deviation,
      normalCdf(Float64Array.of(-4.27))[0],
      'gaussian',
    ],
    ['flow, d = 2', flow, below(1e-3), null],
  ];
  const results = [];
  for (const [name, copula, event, known, scale = 'copula'] of cases) {
    await copula.sample(10, { scale }); // margin maps
    const runs = [];
    for (let seed = 1; seed <= seeds; seed++) {
      const started = performance.now();
      const estimate = await copula.probability(event, { seed, particles, scale });
      const seconds = (performance.now() - started) / 1000;
      // as many seconds of draws
      let [rows, hits] = [0, 0];
      for (const begin = performance.now(); performance.now() - begin < 1000 * seconds;) {
        const { data } = await copula.sample(20_000, {
          seed: 1000 + seed,
          firstRow: rows,
          scale,
          dtype: 'float64',
        });
        for (let i = 0; i < data.length; i += copula.dim) {
          if (event(data.subarray(i, i + copula.dim)) >= 0) hits++;
        }
        rows += 20_000;
      }
      runs.push({ ...estimate, seconds, plain: { rows, hits, probability: hits / rows } });
    }
    const probability = known ?? mean(runs.map((run) => run.probability));
    const error = (of) => rms(runs.map((run) => of(run) / probability - 1));
    const plainRows = mean(runs.map(({ plain }) => plain.rows));
    const result = {
      name,
      probability,
      known: known !== null,
      relativeError: error((run) => run.probability),
      worst: Math.max(...runs.map((run) => Math.abs(run.probability / probability - 1))),
      relativeStandardError: rms(runs.map((run) => run.standardError / run.probability)),
      covered: runs.filter(({ interval: [low, high] }) => low <= probability && probability <= high).length,
      plainRelativeError: error(({ plain }) => plain.probability),
      plainExpected: Math.sqrt((1 - probability) / (probability * plainRows)),
      plainRows,
      evaluations: mean(runs.map(({ evaluations }) => evaluations)),
      seconds: mean(runs.map(({ seconds }) => seconds)),
      levels: runs[0].levels,
      runs,
    };
    results.push(result);
    const percent = (share) => `${(100 * share).toFixed(1)} %`;
    console.log(
      `| ${name} | ${probability.toPrecision(3)} | ${percent(result.relativeError)} | ${percent(result.worst)} | ` +
        `${percent(result.plainRelativeError)} | ${result.seconds.toFixed(2)} |`,
    );
  }
  console.log(`wrote ${writeRecord('events', { devices: devices(), seeds, particles, results })}`);
});
