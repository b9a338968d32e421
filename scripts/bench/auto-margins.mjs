// What `auto` makes of continuous columns of known laws: of how many samples it makes a kernel estimate, and how far its
// log density of new values is from the true one, beside an empirical margin of the same support in the same run:
//   npm run bench -- auto-margins [--seeds 20] [--rows 100,300,1000,5000]
// Prints the rows of the table in docs/mathematics.md, N.4.
import path from 'node:path';
import { parseArgs } from 'node:util';
import { uniforms } from '../gpu-suite/context.mjs';
import { writeRecord } from '../record.mjs';
import { root, runMain } from '../tools.mjs';

const NEW_ROWS = 2000;

const normal = (u) => Math.sqrt(-2 * Math.log(u())) * Math.cos(2 * Math.PI * u());
const logNormalDensity = (z) => -(z ** 2) / 2 - Math.log(2 * Math.PI) / 2;
const chiSquared = (u, degrees) =>
  Array.from({ length: degrees }, () => normal(u) ** 2).reduce((sum, square) => sum + square);
const HILLS = [
  [-10, 0.3],
  [10, 0.7],
];

/** Names, how to draw one value from uniform numbers, and log densities. */
const LAWS = [
  ['normal', normal, logNormalDensity],
  [
    't, 5 degrees',
    (u) => normal(u) / Math.sqrt(chiSquared(u, 5) / 5),
    (x) => Math.log(8 / (3 * Math.PI * Math.sqrt(5))) - 3 * Math.log1p(x ** 2 / 5),
  ],
  [
    't, 2 degrees',
    (u) => normal(u) / Math.sqrt(-Math.log(u())),
    (x) => -1.5 * Math.log1p(x ** 2 / 2) - 1.5 * Math.log(2),
  ],
  ['exponential', (u) => -Math.log(u()), (x) => -x],
  ['gamma, shape 2', (u) => -Math.log(u() * u()), (x) => Math.log(x) - x],
  ['log-normal', (u) => Math.exp(normal(u)), (x) => logNormalDensity(Math.log(x)) - Math.log(x)],
  ['uniform on [0, 1]', (u) => u(), () => 0],
  ['uniform on [−3.7, 8.2]', (u) => -3.7 + 11.9 * u(), () => -Math.log(11.9)],
  [
    'beta (2, 3)',
    // the second of four
    (u) => [u(), u(), u(), u()].sort((a, b) => a - b)[1],
    (x) => Math.log(12 * x) + 2 * Math.log1p(-x),
  ],
  [
    'beta (½, ½)',
    (u) => Math.sin((Math.PI / 2) * u()) ** 2,
    (x) => -Math.log(Math.PI) - Math.log(x * (1 - x)) / 2,
  ],
  [
    'two far hills',
    (u) => HILLS[u() < HILLS[0][1] ? 0 : 1][0] + normal(u),
    (x) => Math.log(HILLS.reduce((sum, [at, share]) => sum + share * Math.exp(logNormalDensity(x - at)), 0)),
  ],
];

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
const standardError = (values) => {
  const middle = mean(values);
  return Math.sqrt(mean(values.map((value) => (value - middle) ** 2)) / (values.length - 1));
};

/** One sample: whether `auto` is smooth, and what the margins lose to the truth on new values inside their support. */
function judge(fitMargin, [, draw, logDensity], rows, seed) {
  const u = uniforms(seed);
  const sample = (count) => Float64Array.from({ length: count }, () => draw(u));
  const x = sample(rows);
  const auto = fitMargin(x);
  const [least, most] = auto.support;
  const empirical = fitMargin(x, { type: 'empirical', support: [least, most] });
  const fresh = sample(NEW_ROWS);
  const inside = fresh.filter((value) => value >= least && value <= most);
  const truth = mean(inside.map(logDensity));
  return {
    type: auto.name,
    outside: NEW_ROWS - inside.length,
    loss: truth - mean(auto.logPdf(inside)),
    empiricalLoss: truth - mean(empirical.logPdf(inside)),
  };
}

await runMain(async () => {
  const { values } = parseArgs({
    options: {
      seeds: { type: 'string', default: '20' },
      rows: { type: 'string', default: '100,300,1000,5000' },
    },
  });
  const seeds = Number(values.seeds);
  const sizes = values.rows.split(',').map(Number);
  const { devices, fitMargin } = await import(path.join(root, 'dist', 'index.mjs'));
  const results = [];
  console.log(`| values | ${sizes.join(' | ')} |`);
  for (const [k, law] of LAWS.entries()) {
    const cells = sizes.map((rows) => {
      const samples = Array.from({ length: seeds }, (_, seed) =>
        judge(fitMargin, law, rows, 1e6 * (k + 1) + 1000 * seed + rows),
      );
      const losses = samples.map(({ loss }) => loss);
      const empirical = samples.map(({ empiricalLoss }) => empiricalLoss);
      const result = {
        law: law[0],
        rows,
        seeds,
        smooth: samples.filter(({ type }) => type !== 'empirical').length,
        outside: samples.reduce((sum, { outside }) => sum + outside, 0),
        loss: mean(losses),
        lossError: standardError(losses),
        empiricalLoss: mean(empirical),
        empiricalLossError: standardError(empirical),
      };
      results.push(result);
      return `${result.smooth}: ${result.loss.toFixed(3)} (${result.empiricalLoss.toFixed(3)})`;
    });
    console.log(`| ${law[0]} | ${cells.join(' | ')} |`);
  }
  const most = (key) => Math.max(...results.map((result) => result[key])).toFixed(3);
  console.log(`standard errors up to ${most('lossError')} (${most('empiricalLossError')})`);
  console.log(`written: ${writeRecord('auto-margins', { devices: devices(), results })}`);
});
