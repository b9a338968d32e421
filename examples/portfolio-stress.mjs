// How bad a bad day is for a portfolio: how often several stocks crash together, what the others do when two of them fall,
// and value at risk (VaR) and expected shortfall (ES) of equal weights, by a diffusion copula, a Gaussian and a Student one,
// beside the days that no model has seen.
//   node examples/portfolio-stress.mjs [--steps N] [--draws 100000] [--json]
// With SKLAR_DATA naming a folder with stock_prices.csv (a column `date`, one column of prices for each stock, oldest first)
// it takes daily returns of the stocks without gaps; else the monthly prices of four stocks in vega-datasets, which are too
// few for the tails, as the output says.
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { Table, fitJoint } from 'sklar';

const LEVELS = [0.95, 0.99];
const CRASH = 0.05;
const MOST_STOCKS = 8;

/** Prices by stock, oldest first, without gaps. */
async function readPrices() {
  const own = process.env.SKLAR_DATA && path.join(process.env.SKLAR_DATA, 'stock_prices.csv');
  const daily = own !== undefined && own !== '' && existsSync(own);
  const file = daily ? own : new URL('../data/stocks.csv', import.meta.resolve('vega-datasets'));
  const [head, ...lines] = (await readFile(file, 'utf8')).trim().split('\n');
  const rows = lines.map((line) => line.trim().split(','));
  const prices = new Map();
  if (daily) {
    const names = head.trim().split(',');
    for (const [j, name] of names.entries()) {
      if (name !== 'date' && rows.every((row) => Number(row[j]) > 0)) {
        prices.set(
          name,
          rows.map((row) => Number(row[j])),
        );
      }
    }
  } else {
    for (const [name, , price] of rows) prices.set(name, [...(prices.get(name) ?? []), Number(price)]);
    const most = Math.max(...Array.from(prices.values(), (list) => list.length));
    for (const [name, list] of prices) if (list.length < most) prices.delete(name);
  }
  return { period: daily ? 'day' : 'month', prices: [...prices].slice(0, MOST_STOCKS) };
}

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** The loss of equal weights in each row: returns are logarithmic. */
const lossesOf = ({ rows, columns }) =>
  Float64Array.from({ length: rows }, (_, i) => 1 - mean(columns.map((values) => Math.exp(values[i]))));

/**
 * VaR and ES of losses with their standard errors for independent rows (order statistics; delta method); null where the
 * order statistics end before a standard error does.
 */
function riskOf(losses, level) {
  const sorted = losses.slice().sort();
  const n = sorted.length;
  const at = (rank) => sorted[Math.min(n - 1, Math.max(0, Math.ceil(rank) - 1))];
  const spread = Math.sqrt(n * level * (1 - level));
  const valueAtRisk = at(level * n);
  const beyond = sorted.slice(Math.ceil(level * n) - 1);
  const shortfall = mean(beyond);
  const enough = level * n + spread < n;
  const variance = mean(beyond.map((loss) => (loss - shortfall) ** 2));
  return {
    valueAtRisk,
    valueAtRiskError: enough ? (at(level * n + spread) - at(level * n - spread)) / 2 : null,
    shortfall,
    shortfallError: enough
      ? Math.sqrt((variance + level * (shortfall - valueAtRisk) ** 2) / (n * (1 - level)))
      : null,
    rowsBeyond: beyond.length,
  };
}

/** P(at least k stocks are below their thresholds) for k = 1, 2, ... with standard errors. */
function crashesOf({ rows, columns }, thresholds) {
  const counts = new Array(thresholds.length + 1).fill(0);
  for (let i = 0; i < rows; i++) counts[columns.filter((values, j) => values[i] < thresholds[j]).length]++;
  return thresholds.map((_, k) => {
    const probability = counts.slice(k + 1).reduce((sum, count) => sum + count, 0) / rows;
    // never 0, so that an empty corner has an error too
    const p = (probability * rows + 1) / (rows + 2);
    return { atLeast: k + 1, probability, standardError: Math.sqrt((p * (1 - p)) / rows) };
  });
}

/** The same for independent stocks: the tail of a binomial law. */
function independentCrashes(stocks) {
  const choose = (n, k) => (k === 0 ? 1 : (choose(n - 1, k - 1) * n) / k);
  const exactly = (k) => choose(stocks, k) * CRASH ** k * (1 - CRASH) ** (stocks - k);
  const all = Array.from({ length: stocks + 1 }, (_, k) => exactly(k));
  return Array.from({ length: stocks }, (_, k) => all.slice(k + 1).reduce((sum, p) => sum + p, 0));
}

const quantiles = (values, levels) => {
  const sorted = values.slice().sort();
  return levels.map((level) => sorted[Math.round(level * (sorted.length - 1))]);
};

export async function main({ steps: wanted, draws = 100_000 } = {}) {
  const { period, prices } = await readPrices();
  const steps = wanted ?? (period === 'day' ? 1500 : 300);
  const names = prices.map(([name]) => name);
  const returns = new Table(
    names,
    prices.map(([, list]) => Float64Array.from(list.slice(1), (price, i) => Math.log(price / list[i]))),
  );
  // The last quarter is kept apart: time goes one way.
  const cut = Math.floor(0.75 * returns.rows);
  const rowsOf = (from, to) => returns.take(Array.from({ length: to - from }, (_, i) => from + i));
  const [train, heldOut] = [rowsOf(0, cut), rowsOf(cut, returns.rows)];

  // One kind of margin for all, so that the models differ in their dependence alone. Daily returns have rows enough for
  // generalised Pareto tails.
  const margins = train.rows >= 1000 ? 'gpd' : 'kde';
  const network = { kind: 'cdc', hidden: 64, depth: 2, steps, batch: 256, learningRate: 1e-3 };
  const models = {};
  for (const copula of [network, { kind: 'student' }, { kind: 'gaussian' }]) {
    models[copula.kind] = await fitJoint(train, { copula, margins, seed: 1 });
  }

  const thresholds = names.map(
    (name) => models.gaussian.margins.margin(name).quantile(Float64Array.of(CRASH))[0],
  );
  const ofHeldOut = lossesOf(heldOut);
  const results = {};
  for (const [kind, model] of Object.entries(models)) {
    const sample = await model.sample(draws, { seed: 7 });
    const losses = lossesOf(sample);
    const log = await model.logPdf(heldOut, kind === 'cdc' ? { normalised: true } : {});
    results[kind] = {
      heldOutLogDensity: mean(log),
      crashes: crashesOf(sample, thresholds),
      risk: LEVELS.map((level) => {
        const risk = riskOf(losses, level);
        return { level, ...risk, breaches: ofHeldOut.filter((loss) => loss > risk.valueAtRisk).length };
      }),
    };
  }

  // Two stocks fall by 5 %: what do the others do?
  const fixed = { [names[0]]: Math.log(0.95), [names[1]]: Math.log(0.95) };
  const scenario = {};
  for (const kind of ['cdc', 'gaussian']) {
    const { table, effectiveSampleSize } = await models[kind].sampleConditional(fixed, 4000, { seed: 7 });
    scenario[kind] = {
      effectiveSampleSize,
      stocks: Object.fromEntries(
        names.slice(2).map((name) => [name, quantiles(table.column(name), [0.05, 0.5, 0.95])]),
      ),
      loss: quantiles(lossesOf(table), [0.05, 0.5, 0.95]),
    };
  }
  for (const model of Object.values(models)) model.dispose();

  return {
    period,
    names,
    rows: { train: train.rows, heldOut: heldOut.rows },
    draws,
    results,
    independentCrashes: independentCrashes(names.length),
    heldOut: {
      crashes: crashesOf(heldOut, thresholds),
      risk: LEVELS.map((level) => ({ level, ...riskOf(ofHeldOut, level) })),
    },
    fixed,
    scenario,
    // the tail of the 99 % figures has one row in a hundred
    tooSmall: Math.min(train.rows, heldOut.rows) * (1 - Math.max(...LEVELS)) < 10,
  };
}

const percent = (value, digits = 2) => `${(100 * value).toFixed(digits)} %`;
const withError = (value, error) =>
  error === null ? `${percent(value)} (too few rows)` : `${percent(value)} +- ${percent(error)}`;

function print({
  period,
  names,
  rows,
  draws,
  results,
  independentCrashes,
  heldOut,
  scenario,
  tooSmall,
  ...rest
}) {
  const kinds = Object.keys(results);
  const line = (label, cells) =>
    console.log(`  ${label.padEnd(22)}${cells.map((cell) => cell.padEnd(24)).join('')}`);
  console.log(
    `${names.length} stocks (${names.join(', ')}), ${rows.train} ${period}s to learn from, the ${rows.heldOut} after them held out;` +
      `\n${draws} draws of each model; +- is one standard error, of the draws or of the held-out ${period}s\n`,
  );
  console.log(`log density of a held-out ${period}, nats`);
  line('', kinds);
  line(
    '',
    kinds.map((kind) => results[kind].heldOutLogDensity.toFixed(3)),
  );
  console.log(`\nat least k of ${names.length} stocks below their 5 % quantile on the same ${period}`);
  line('', [...kinds, 'held out', 'independent']);
  heldOut.crashes.slice(0, 5).forEach(({ atLeast, ...seen }, k) => {
    const model = (kind) => results[kind].crashes[k];
    line(`k = ${atLeast}`, [
      ...kinds.map((kind) => withError(model(kind).probability, model(kind).standardError)),
      withError(seen.probability, seen.standardError),
      percent(independentCrashes[k], 4),
    ]);
  });
  console.log('\nloss of an equally weighted portfolio');
  line('', [...kinds, 'held out']);
  heldOut.risk.forEach((seen, k) => {
    const model = (kind) => results[kind].risk[k];
    line(`VaR ${percent(seen.level, 0)}`, [
      ...kinds.map((kind) => withError(model(kind).valueAtRisk, model(kind).valueAtRiskError)),
      withError(seen.valueAtRisk, seen.valueAtRiskError),
    ]);
    line(`ES ${percent(seen.level, 0)}`, [
      ...kinds.map((kind) => withError(model(kind).shortfall, model(kind).shortfallError)),
      withError(seen.shortfall, seen.shortfallError),
    ]);
    line(
      `held-out breaches`,
      kinds.map(
        (kind) => `${model(kind).breaches} (${((1 - seen.level) * rows.heldOut).toFixed(1)} expected)`,
      ),
    );
  });
  console.log(
    `\n${Object.keys(rest.fixed).join(' and ')} fall by 5 %: 5 %, 50 % and 95 % quantiles of the others' returns`,
  );
  line(
    '',
    Object.keys(scenario).map(
      (kind) => `${kind} (${Math.round(scenario[kind].effectiveSampleSize)} effective)`,
    ),
  );
  for (const name of names.slice(2)) {
    line(
      name,
      Object.values(scenario).map(({ stocks }) => stocks[name].map((value) => percent(value, 1)).join('  ')),
    );
  }
  line(
    'loss of the portfolio',
    Object.values(scenario).map(({ loss }) => loss.map((value) => percent(value, 1)).join('  ')),
  );
  console.log(
    `\nThe errors are of sampling alone: ${period}s depend on those before them (volatility comes in clusters), and the models` +
      ` are fitted to ${rows.train} of them.`,
  );
  if (tooSmall) {
    console.log(
      `This sample is too small: beyond the 99 % quantile lie about ${Math.round(rows.train / 100)} of the ${rows.train} ${period}s.` +
        ' Take the figures at 99 % as a demonstration.',
    );
  }
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { values } = parseArgs({
    options: { steps: { type: 'string' }, draws: { type: 'string' }, json: { type: 'boolean' } },
  });
  const result = await main({
    ...(values.steps && { steps: Number(values.steps) }),
    ...(values.draws && { draws: Number(values.draws) }),
  });
  if (values.json) console.log(JSON.stringify(result));
  else print(result);
}
