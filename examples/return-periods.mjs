// How often do extremes meet? Storms bring rain and wind together, so the week in which both are as high as once a year
// comes more often than it would by chance. Weekly maxima of rain and wind in Seattle and New York, 2012 to 2015
// (vega-datasets), with generalised Pareto tails and the copula that foretells held-out weeks best.
//   node examples/return-periods.mjs [--draws 400000] [--resamples 40] [--json]
// Two errors are stated, and they are not the same: that of counting in a finite number of draws (Monte Carlo), which more
// draws make as small as one likes, and the interval from fitting to resampled weeks (bootstrap), which only more years do.
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { readFile } from 'node:fs/promises';
import { PseudoObservations, Table, fitBest, fitCopula, fitMargin } from 'sklar';

const WEEKS = 52.1775; // a year
const YEARS = [1, 5];
const CANDIDATES = ['independence', 'gaussian', 'student', 'gumbel', 'galambos', 'clayton'];
const PAIRS = [
  ['Seattle rain', 'Seattle wind'],
  ['New York rain', 'New York wind'],
  ['Seattle wind', 'New York wind'],
];

/** The greatest value of each week: days of one storm are no independent rows. */
async function weeklyMaxima() {
  const file = new URL('../data/weather.csv', import.meta.resolve('vega-datasets'));
  const [, ...lines] = (await readFile(file, 'utf8')).trim().split('\n');
  const days = new Map();
  for (const line of lines) {
    const [place, , rain, , , wind] = line.split(',');
    for (const [what, value] of [
      ['rain', rain],
      ['wind', wind],
    ]) {
      const name = `${place} ${what}`;
      if (!days.has(name)) days.set(name, []);
      days.get(name).push(Number(value));
    }
  }
  const columns = Array.from(days, ([name, values]) => [
    name,
    Float64Array.from({ length: Math.floor(values.length / 7) }, (_, week) =>
      Math.max(...values.slice(7 * week, 7 * week + 7)),
    ),
  ]);
  return Table.fromColumns(columns);
}

/** Joint exceedances of levels that each alone is exceeded once in so many weeks, exactly from the copula. */
async function exceedances(copula, periods) {
  const u = periods.map((weeks) => 1 - 1 / weeks);
  const both = await copula.cdf(u.map((level) => [level, level]));
  return u.map((level, i) => {
    const and = 1 - 2 * level + both[i];
    return { and, or: 1 - both[i] };
  });
}

const fitPair = async (table, kind) => {
  const ranks = await PseudoObservations.fit(table, { seed: 1 });
  return fitCopula(ranks.transformTrain(), { kind });
};

const interval = (values) => {
  const sorted = values.slice().sort((a, b) => a - b);
  const at = (level) => sorted[Math.round(level * (sorted.length - 1))];
  return [at(0.05), at(0.95)];
};

/** Numbers from 0 to below n, the same in every run. */
function* resampledRows(n, seed) {
  let state = seed;
  for (let i = 0; i < n; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    yield Math.floor((state / 2 ** 32) * n);
  }
}

export async function main({ draws = 400_000, resamples = 40 } = {}) {
  const weeks = await weeklyMaxima();
  const periods = YEARS.map((years) => WEEKS * years);
  const margins = Object.fromEntries(
    weeks.names.map((name) => {
      const margin = fitMargin(weeks.column(name), 'gpd', { column: name });
      const { upperThreshold: threshold, upperScale: scale, upperShape: shape } = margin.parameters;
      return [
        name,
        { threshold, scale, shape, levels: [...margin.returnLevels(Float64Array.from(periods))] },
      ];
    }),
  );

  const pairs = [];
  for (const names of PAIRS) {
    const table = weeks.select(names);
    const ranks = await PseudoObservations.fit(table, { seed: 1 });
    const u = ranks.transformTrain();
    const { copula, ranking: scores } = await fitBest(u, {
      candidates: CANDIDATES.map((kind) => ({ kind })),
      seed: 1,
    });
    const exact = await exceedances(copula, periods);

    // By counting in draws, as one has to with a model that is no formula.
    const counts = periods.map(() => ({ and: 0, or: 0 }));
    const levels = periods.map((period) => 1 - 1 / period);
    for await (const { data, rows } of copula.sampleStream(draws, {
      seed: 7,
      dtype: 'float64',
      batch: 65_536,
    })) {
      levels.forEach((level, k) => {
        for (let i = 0; i < rows; i++) {
          const above = (data[2 * i] > level) + (data[2 * i + 1] > level);
          if (above === 2) counts[k].and++;
          if (above > 0) counts[k].or++;
        }
      });
    }
    // Weeks drawn again with the winner's kind: what another four years might have said.
    const again = [];
    for (let b = 0; b < resamples; b++) {
      const rows = [...resampledRows(table.rows, b + 1)];
      const refitted = await fitPair(table.take(rows), copula.kind);
      again.push(await exceedances(refitted, periods));
      refitted.dispose();
    }
    pairs.push({
      names,
      copula: copula.kind,
      tau: copula.tau(0, 1),
      upperTailDependence: copula.tailDependence(0, 1).upperUpper,
      gainOverIndependence: gainOf(scores),
      periods: YEARS.map((years, k) => {
        const inYears = (probability) => 1 / (WEEKS * probability);
        const counted = (what) => {
          const p = counts[k][what] / draws;
          return { years: inYears(p), standardError: inYears(p) * Math.sqrt((1 - p) / (p * draws)) };
        };
        return {
          years,
          and: {
            ...counted('and'),
            exact: inYears(exact[k].and),
            interval: interval(again.map((e) => inYears(e[k].and))),
          },
          or: {
            ...counted('or'),
            exact: inYears(exact[k].or),
            interval: interval(again.map((e) => inYears(e[k].or))),
          },
          independent: {
            and: inYears(1 / periods[k] ** 2),
            or: inYears(1 - (1 - 1 / periods[k]) ** 2),
          },
        };
      }),
    });
    copula.dispose();
  }
  return { weeks: weeks.rows, draws, resamples, margins, pairs };
}

/** Mean held-out log density of the winner, nats a week: that of independence is 0. */
const gainOf = (scores) => scores[0].meanLogPdf;

const show = (years) => (years < 1000 ? years.toPrecision(3) : years.toFixed(0));
const showError = (years) => years.toPrecision(2);

function print({ weeks, draws, resamples, margins, pairs }) {
  console.log(
    `weekly maxima of ${weeks} weeks; levels that each alone exceeds once in ${YEARS.join(' and ')} years`,
  );
  for (const [name, { levels, shape, scale, threshold }] of Object.entries(margins)) {
    console.log(
      `  ${name.padEnd(14)} ${levels.map((level) => level.toFixed(1).padStart(6)).join(' and ')}` +
        `   (generalised Pareto above ${threshold.toFixed(1)}, scale ${scale.toFixed(2)}, shape ${shape.toFixed(2)})`,
    );
  }
  for (const { names, copula, tau, upperTailDependence, gainOverIndependence, periods } of pairs) {
    console.log(
      `\n${names.join(' and ')}: ${copula} copula, tau ${tau.toFixed(2)}, upper tail dependence ` +
        `${upperTailDependence.toFixed(2)}, ${gainOverIndependence.toFixed(3)} nats a week above independence`,
    );
    for (const { years, and, or, independent } of periods) {
      for (const [what, found, chance] of [
        ['both', and, independent.and],
        ['at least one', or, independent.or],
      ]) {
        console.log(
          `  ${what.padEnd(12)} above its ${years}-year level: once in ${show(found.years)} +- ${showError(found.standardError)} years` +
            ` (by formula ${show(found.exact)}; resampled weeks ${show(found.interval[0])} to ${show(found.interval[1])};` +
            ` independent ${show(chance)})`,
        );
      }
    }
  }
  console.log(
    `\n+- is the Monte Carlo error of ${draws} draws; the ranges hold 90 % of ${resamples} fits to resampled weeks, with the chosen` +
      `\ncopula and the levels taken as right. The data span ${(weeks / WEEKS).toFixed(1)} years: periods beyond that are extrapolation, and the` +
      '\nseasons, which make weeks unlike each other, are not modelled.',
  );
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { values } = parseArgs({
    options: { draws: { type: 'string' }, resamples: { type: 'string' }, json: { type: 'boolean' } },
  });
  const result = await main({
    ...(values.draws && { draws: Number(values.draws) }),
    ...(values.resamples && { resamples: Number(values.resamples) }),
  });
  if (values.json) console.log(JSON.stringify(result));
  else print(result);
}
