// What cells that are missing do to a model, and how well it fills them in: Kendall's tau beside that of complete rows, the error of
// imputed cells and the coverage of their 90 % intervals, beside those of the column's median:
//   npm run bench -- missing [--rows 1000] [--seeds 3] [--kinds gaussian,cdc] [--laws gaussian,clayton]
//     [--draws 59]
// Cells of all columns but the first are missing by chance (mcar), or nine times as often where the first is above its median (mar).
// Prints the rows of the table in docs/tables.md, Missing cells.
import path from 'node:path';
import { parseArgs } from 'node:util';
import { uniforms } from '../gpu-suite/context.mjs';
import { writeRecord } from '../record.mjs';
import { root, runMain } from '../tools.mjs';

const SHARES = [0.1, 0.3];
const MECHANISMS = ['mcar', 'mar'];
/** Networks small enough for many fits. */
const OPTIONS = { cdc: { hidden: 64, depth: 2, steps: 1500 }, flow: { hidden: 64, depth: 2, steps: 1500 } };
const SAMPLED = 20_000;

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
const rms = (values) => Math.sqrt(mean(values.map((value) => value ** 2)));
const quantile = (sorted, p) => sorted[Math.min(sorted.length - 1, Math.floor(p * sorted.length))];

/** Kendall's tau of two columns and its standard error, that of a U-statistic. */
function tauOf(x, y) {
  const own = Array.from(x, (_, i) => {
    let sum = 0;
    for (let k = 0; k < x.length; k++) sum += Math.sign((x[i] - x[k]) * (y[i] - y[k]));
    return sum / (x.length - 1);
  });
  const tau = mean(own);
  return { tau, error: 2 * Math.sqrt(mean(own.map((value) => (value - tau) ** 2)) / x.length) };
}

/** The table with cells missing in all columns but the first. */
function withHoles(Table, whole, mechanism, share, seed) {
  const u = uniforms(seed);
  const middle = quantile(Float64Array.from(whole.columns[0]).sort(), 0.5);
  const chance = (i) => (mechanism === 'mcar' ? share : (whole.columns[0][i] > middle ? 1.8 : 0.2) * share);
  const columns = whole.columns.map((values, j) =>
    j === 0 ? values : values.map((value, i) => (u() < chance(i) ? NaN : value)),
  );
  return new Table(whole.names, columns, whole.types);
}

/** Of every missing cell the truth, the mean of the draws and the ends of their 90 % interval, in units of the column's deviation. */
function cellsOf(whole, holes, tables) {
  return whole.names.flatMap((name) => {
    const [truth, before] = [whole.column(name), holes.column(name)];
    const middle = mean(Array.from(truth));
    const deviation = rms(Array.from(truth, (value) => value - middle));
    const known = Float64Array.from(before.filter((value) => !Number.isNaN(value))).sort();
    return Array.from(before.keys())
      .filter((i) => Number.isNaN(before[i]))
      .map((i) => {
        const drawn = Float64Array.from(tables, (table) => table.column(name)[i]).sort();
        // of k draws of the truth's law and it, each is as likely to be the largest
        const beyond = Math.round(0.05 * (drawn.length + 1));
        const inside = (low, high) => truth[i] >= low && truth[i] <= high;
        return {
          error: (mean(Array.from(drawn)) - truth[i]) / deviation,
          covered: inside(drawn[beyond - 1], drawn.at(-beyond)),
          medianError: (quantile(known, 0.5) - truth[i]) / deviation,
          medianCovered: inside(quantile(known, 0.05), quantile(known, 0.95)),
        };
      });
  });
}

await runMain(async () => {
  const { values } = parseArgs({
    options: {
      rows: { type: 'string', default: '1000' },
      seeds: { type: 'string', default: '3' },
      kinds: { type: 'string', default: 'gaussian,cdc' },
      laws: { type: 'string', default: 'gaussian,clayton' },
      draws: { type: 'string', default: '59' },
    },
  });
  const [rows, seeds, draws] = [values.rows, values.seeds, values.draws].map(Number);
  const kinds = values.kinds.split(',');
  const sklar = await import(path.join(root, 'dist', 'index.mjs'));
  const { FamilyCopula, GaussianCopula, Table, fitJoint, kendall } = sklar;
  const correlation = Float64Array.of(1, 0.7, 0.4, 0.7, 1, 0.5, 0.4, 0.5, 1);
  const laws = [
    ['gaussian', new GaussianCopula(correlation, 3)],
    ['clayton', new FamilyCopula('clayton', { theta: 3 }, { dim: 3 })],
  ].filter(([law]) => values.laws.split(',').includes(law));
  const results = [];
  console.log(
    '| law | missing | kind | tau: worst difference in standard errors (mean) | error (median) | coverage (median) |',
  );
  for (const [law, truth] of laws) {
    for (const mechanism of MECHANISMS) {
      for (const share of SHARES) {
        for (const kind of kinds) {
          const taus = [];
          const cells = [];
          for (let seed = 0; seed < seeds; seed++) {
            const drawn = await truth.sample(rows, { scale: 'gaussian', dtype: 'float64', seed: 100 + seed });
            const whole = Table.fromMatrix({ ...drawn, names: ['a', 'b', 'c'] });
            const holes = withHoles(Table, whole, mechanism, share, 10 * seed + 1);
            const joint = await fitJoint(holes, { copula: { kind, ...OPTIONS[kind] }, missing: 'impute' });
            const sample = await joint.copula.sample(SAMPLED, { scale: 'gaussian', dtype: 'float64' });
            const model = await kendall(sample);
            for (const [i, j] of [
              [0, 1],
              [0, 2],
              [1, 2],
            ]) {
              const { tau, error } = tauOf(whole.columns[i], whole.columns[j]);
              taus.push((model.data[3 * i + j] - tau) / error);
            }
            const { tables } = await joint.impute(holes, { draws });
            cells.push(...cellsOf(whole, holes, tables));
          }
          const result = {
            law,
            mechanism,
            share,
            kind,
            worstTau: Math.max(...taus.map(Math.abs)),
            meanTau: mean(taus),
            error: rms(cells.map(({ error }) => error)),
            medianError: rms(cells.map(({ medianError }) => medianError)),
            coverage: mean(cells.map(({ covered }) => Number(covered))),
            medianCoverage: mean(cells.map(({ medianCovered }) => Number(medianCovered))),
          };
          results.push(result);
          const percent = (value) => `${(100 * value).toFixed(1)} %`;
          console.log(
            `| ${law} | ${mechanism}, ${100 * share} % | ${kind} | ${result.worstTau.toFixed(1)} (${result.meanTau.toFixed(1)}) | ` +
              `${result.error.toFixed(3)} (${result.medianError.toFixed(3)}) | ${percent(result.coverage)} (${percent(result.medianCoverage)}) |`,
          );
        }
      }
    }
  }
  console.log(
    `written: ${writeRecord('missing', { devices: sklar.devices(), rows, seeds, draws, results })}`,
  );
});
