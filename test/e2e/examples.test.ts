// The examples do what they say, with small settings.
import { execFileSync } from 'node:child_process';
import path from 'node:path';

import { readTable } from '../../lib';
import { TemporaryFolder } from '../data/support';

const folder = new TemporaryFolder();

function runExample(name: string, ...settings: string[]): any {
  const script = path.resolve(__dirname, '..', '..', 'examples', `${name}.mjs`);
  const output = execFileSync(process.execPath, [script, ...settings, '--json'], {
    cwd: folder.path,
    env: { ...process.env, SKLAR_DATA: '' },
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return JSON.parse(output);
}

const sum = (values: number[]): number => values.reduce((total, value) => total + value, 0);
const numbersOf = (list: any[], key: string): number[] => list.map((item) => Number(item[key]));

test('portfolio stress', () => {
  const draws = 20_000;
  const { names, rows, results, independentCrashes, heldOut, scenario, fixed, tooSmall } = runExample(
    'portfolio-stress',
    ...['--steps', '30', '--draws', String(draws)],
  );
  expect(names).toEqual(['MSFT', 'AMZN', 'IBM', 'AAPL']);
  expect(rows).toEqual({ train: 91, heldOut: 31 });
  // 91 months say nothing about one in a hundred
  expect(tooSmall).toBe(true);
  expect(heldOut.risk[1].valueAtRiskError).toBeNull();
  expect(independentCrashes[0]).toBeCloseTo(1 - 0.95 ** 4, 12);
  expect(independentCrashes[3]).toBeCloseTo(0.05 ** 4, 12);
  for (const kind of ['cdc', 'student', 'gaussian']) {
    const { crashes, risk } = results[kind];
    // Whatever the copula, 4 x 5 % of the stocks crash.
    const probabilities = numbersOf(crashes, 'probability');
    expect(Math.abs(sum(probabilities) - 0.2)).toBeLessThan(6 * sum(numbersOf(crashes, 'standardError')));
    expect(probabilities[1]).toBeGreaterThan(2 * independentCrashes[1]);
    expect(numbersOf(risk, 'level')).toEqual([0.95, 0.99]);
    for (const { valueAtRisk, shortfall, valueAtRiskError, shortfallError } of risk) {
      expect(shortfall).toBeGreaterThan(valueAtRisk);
      for (const error of [valueAtRiskError, shortfallError]) {
        expect(error).toBeGreaterThan(0);
        expect(error).toBeLessThan(0.02);
      }
    }
    expect(risk[1].valueAtRisk).toBeGreaterThan(risk[0].valueAtRisk);
    expect(results[kind].heldOutLogDensity).toEqual(expect.any(Number));
  }
  expect(fixed).toEqual({ MSFT: Math.log(0.95), AMZN: Math.log(0.95) });
  for (const { stocks, loss, effectiveSampleSize } of Object.values<any>(scenario)) {
    expect(Object.keys(stocks)).toEqual(['IBM', 'AAPL']);
    for (const [low, middle, high] of [...Object.values<any>(stocks), loss]) {
      expect(low).toBeLessThan(middle);
      expect(middle).toBeLessThan(high);
    }
    // two of four stocks fall by 5 %
    expect(loss[1]).toBeGreaterThan(0.02);
    expect(effectiveSampleSize).toBeGreaterThan(100);
  }
});

test('return periods', () => {
  const { weeks, margins, pairs } = runExample('return-periods', '--draws', '60000', '--resamples', '4');
  expect(weeks).toBe(208);
  for (const { levels } of Object.values<any>(margins)) expect(levels[1]).toBeGreaterThan(levels[0]);
  expect(pairs).toHaveLength(3);
  for (const { periods, gainOverIndependence } of pairs) {
    expect(gainOverIndependence).toBeGreaterThanOrEqual(0);
    for (const { years, and, or, independent } of periods) {
      // P(both) + P(at least one) = 2 P(one), for every copula
      expect(1 / and.exact + 1 / or.exact).toBeCloseTo(2 / years, 10);
      expect(1 / independent.and + 1 / independent.or).toBeCloseTo(2 / years, 10);
      expect(and.exact).toBeLessThanOrEqual(independent.and * (1 + 1e-9));
      expect(or.exact).toBeGreaterThanOrEqual(independent.or * (1 - 1e-9));
      for (const { years: counted, standardError, exact, interval } of [and, or]) {
        // of the probability, whose error is that of a binomial law
        expect(Math.abs(1 / counted - 1 / exact)).toBeLessThan((5 * standardError) / counted / exact);
        expect(interval[0]).toBeLessThanOrEqual(interval[1]);
      }
    }
  }
  const storms = pairs[0];
  expect(storms.names).toEqual(['Seattle rain', 'Seattle wind']);
  expect(storms.tau).toBeGreaterThan(0.2);
});

test('a synthetic table', async () => {
  const { columns, rows, judged, copies, files } = runExample('synthetic-table', '--steps', '150');
  expect(rows).toEqual({ train: 1339, heldOut: 892, synthetic: 1339 });
  const [csv, parquet] = await Promise.all(files.map((file: string) => readTable(folder.file(file))));
  expect(csv.names).toEqual(columns);
  expect(csv.columns).toEqual(parquet.columns);
  expect(parquet.kinds).toEqual(csv.kinds);
  expect(csv.rows).toBe(1339);
  // integers stay integers, within what there is
  expect(csv.kind('Year')).toBe('integer');
  expect(csv.kind('IMDB Rating')).toBe('float');
  expect(copies).toBeLessThan(20);
  const { cdc, gaussian, independence } = judged;
  for (const copula of [cdc, gaussian, independence]) {
    const { auc, ks } = copula;
    expect(Math.abs(auc.floor - 0.5)).toBeLessThan(4 * auc.floorError);
    expect(ks.columns.map(({ column }: any) => String(column))).toEqual(columns);
    for (const { column, pValue } of ks.columns) {
      // rows whose gross in the US is above that of the world are drawn anew, half of the independent ones
      if (copula === independence && column.includes('Gross')) continue;
      expect(pValue).toBeGreaterThan(1e-4);
    }
  }
  expect(independence.auc.value).toBeGreaterThan(0.8);
  expect(cdc.auc.value).toBeLessThan(0.7);
  expect(gaussian.auc.value).toBeLessThan(0.7);
});
