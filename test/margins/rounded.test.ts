import {
  GaussianCopula,
  type MarginJson,
  Margins,
  Table,
  fitJoint,
  fitMargin,
  marginFromJSON,
  normalCdf,
} from '../../lib';
import { sortValues } from '../../lib/data/sorted-table';
import { spreadOver } from '../../lib/margins/basis/grid';
import type { GpdMargin } from '../../lib/margins/types/gpd';
import { RoundedMargin } from '../../lib/margins/types/rounded';
import { uniforms } from '../helpers/data';
import { draws, sample } from './support';

const round = (x: Float64Array, perUnit: number) => x.map((value) => Math.round(value * perUnit) / perUnit);
const distinct = (x: Float64Array) => Float64Array.from(new Set(x)).sort();

const normal = sample(draws.normal, 3000, 1);
const bmi = round(
  normal.map((z) => 30 + 6 * z),
  10,
);
const next = uniforms(5);
const ages = Float64Array.from({ length: 1500 }, () => 18 + Math.floor(47 * next()));
const rain = round(
  Float64Array.from({ length: 4000 }, () => (next() < 0.62 ? 0 : -8 * Math.log(next()))),
  10,
);
const scores = normal.map((z) => Math.min(100, Math.max(0, Math.round(80 + 18 * z))));
const quarters = round(
  normal.map((z) => 50 + 5 * z),
  4,
);
const heaped = normal.map((z, i) => (i % 2 ? 5 : 1) * Math.round((50 + 15 * z) / (i % 2 ? 5 : 1)));

describe.each([
  ['bmi', bmi, 0.1],
  ['ages', ages, 1],
  ['rain', rain, 0.1],
  ['scores', scores, 1],
  ['quarters', quarters, 0.25],
  ['heaped', heaped, 1],
])('%s', (_, x, step) => {
  const margin = fitMargin(x) as RoundedMargin;
  const values = distinct(x);

  test('is rounded, to its own step', () => {
    expect(margin.name).toBe('rounded');
    expect(margin.parameters.step).toBeCloseTo(step, 12);
    expect(margin.notes[0]!.message).toContain(`recorded to the nearest ${step}`);
  });

  test('probabilities of all values sum to one, and are the jumps of F', () => {
    const [from, to] = [values[0]! - 60, values.at(-1)! + 200];
    const all = Float64Array.from(
      { length: Math.round((to - from) / step) + 1 },
      (_each, k) => Math.round((from + k * step) / step) * step,
    );
    const total = margin.logPdf(all).reduce((sum, log) => sum + Math.exp(log), 0);
    expect(total).toBeGreaterThan(1 - 1e-6);
    expect(total).toBeLessThan(1 + 1e-9);
    const [before, upTo, log] = [margin.cdfBefore(values), margin.cdf(values), margin.logPdf(values)];
    log.forEach((value, k) => expect(Math.exp(value)).toBeCloseTo(upTo[k]! - before[k]!, 12));
  });

  test('quantiles are values as the data have them', () => {
    // just below the end of the block, where an atom may begin
    expect(margin.quantile(margin.cdf(values).map((u) => u * (1 - 1e-12)))).toEqual(values);
    const u = Float64Array.from({ length: 999 }, (_each, k) => (k + 1) / 1000);
    const seen = new Set(values);
    const unseen = margin.quantile(u).filter((value) => !seen.has(value));
    expect(unseen.length).toBeLessThan(20);
    for (const value of margin.quantile(Float64Array.of(1e-9, 1e-5, 1 - 1e-5, 1 - 1e-9))) {
      expect(value).toBe(Number((Math.round(value / step) * step).toFixed(6)));
    }
  });

  test('comes back from JSON', () => {
    const again = marginFromJSON(JSON.parse(JSON.stringify(margin)));
    expect(again).toBeInstanceOf(RoundedMargin);
    expect(again.logPdf(values)).toEqual(margin.logPdf(values));
    expect(again.support).toEqual(margin.support);
  });
});

test('a value has the probability of all that is recorded as it', () => {
  const margin = fitMargin(bmi);
  const x = Float64Array.of(20, 30, 36, 42);
  const edges = (side: number) => normalCdf(x.map((value) => (value + side * 0.05 - 30) / 6));
  const [below, above] = [edges(-1), edges(1)];
  margin.logPdf(x).forEach((log, k) => expect(log).toBeCloseTo(Math.log(above[k]! - below[k]!), 0));
  // one that nobody recorded yet, next to others, is as likely as they are
  const values = new Set(bmi);
  const gap = distinct(bmi).find((value) => value > 40 && !values.has(Math.round(10 * value + 1) / 10))!;
  const [seen, unseen] = margin.logPdf(Float64Array.of(gap, Math.round(10 * gap + 1) / 10));
  expect(Math.abs(seen! - unseen!)).toBeLessThan(0.1);
  // beside the grid: as the nearest value
  expect(margin.logPdf(Float64Array.of(30.02))).toEqual(margin.logPdf(Float64Array.of(30)));
  // far out, where differences of F have no digits left
  const [far, further] = margin.logPdf(Float64Array.of(150, 300));
  expect(far).toBeGreaterThan(further!);
  expect(Number.isFinite(further)).toBe(true);
});

test('ends: values that stop do, others go on', () => {
  const [age, weight, wet] = [fitMargin(ages), fitMargin(bmi), fitMargin(rain)];
  expect(age.support).toEqual([18, 64]);
  expect(age.logPdf(Float64Array.of(17, 65))).toEqual(Float64Array.of(-Infinity, -Infinity));
  expect(weight.survival(Float64Array.of(Math.max(...bmi) + 3))[0]).toBeGreaterThan(0);
  expect(wet.support).toEqual([0, Infinity]);
  const zeros = rain.filter((value) => value === 0).length / rain.length;
  expect(wet.cdf(Float64Array.of(0))[0]).toBeCloseTo(zeros, 2);
  expect(wet.survival(Float64Array.of(Math.max(...rain)))[0]).toBeGreaterThan(1e-6);
});

test('codes, prices and counts of few values are discrete', () => {
  const codes = [101, 205, 333, 478, 512, 690, 701, 811, 902, 1003, 1500, 1777, 1999, 2501, 2603, 3000];
  const more = [...codes, ...codes.map((code) => 3 * code + 7)];
  expect(fitMargin(Float64Array.from({ length: 1500 }, () => more[Math.floor(32 * next())]!)).name).toBe(
    'discrete',
  );
  expect(fitMargin(sample(draws.normal, 800, 3).map((z) => Math.round(3 * z))).name).toBe('discrete');
  const few = Float64Array.from({ length: 200 }, (_, i) => (i % 20) / 10);
  expect(() => fitMargin(few, 'rounded', { column: 'dose' })).toThrow(
    'expected recurring values on a grid for the rounded margin of column "dose"',
  );
});

test('a tail of zero-inflated rain is generalised Pareto', () => {
  const margin = fitMargin(rain, { type: 'zero-inflated', upperThreshold: 'auto' }) as GpdMargin;
  expect(margin.name).toBe('gpd');
  expect(margin.body.name).toBe('zero-inflated');
  expect(margin.cdfBefore(Float64Array.of(0))[0]).toBe(0);
  const [level] = margin.returnLevels(Float64Array.of(2000));
  expect(level! / (8 * Math.log(0.38 * 2000))).toBeCloseTo(1, 0);
  expect(fitMargin(rain, { type: 'zero-inflated', upperThreshold: null }).name).toBe('zero-inflated');
});

test('a table of rounded columns: likelihood, samples and conditions', async () => {
  const z = await new GaussianCopula(Float64Array.of(1, 0.8, 0.8, 1), 2).sample(3000, {
    seed: 3,
    scale: 'gaussian',
  });
  const column = (j: number, f: (z: number) => number) =>
    Float64Array.from({ length: 3000 }, (_, i) => f(z.data[2 * i + j]!));
  const height = column(0, (value) => Math.round(170 + 10 * value));
  const weight = column(1, (value) => Math.round(10 * (70 + 8 * value)) / 10);
  const table = Table.fromColumns({ height, weight });
  const joint = await fitJoint(table, { copula: { kind: 'gaussian' } });
  expect(joint.margins.types).toEqual(['rounded', 'rounded']);
  expect((joint.copula as GaussianCopula).correlation[1]).toBeCloseTo(0.8, 1);

  // the probability of a pair under the true law, by its density in the middle
  const log = await joint.logPdf([[175, 74.0]]);
  const [a, b] = [0.5, 0.5];
  const truth =
    -Math.log(2 * Math.PI * 0.6) -
    (a * a - 1.6 * a * b + b * b) / 0.72 +
    Math.log(1 / 10) +
    Math.log(0.1 / 8);
  expect(Math.abs(log[0]! - truth)).toBeLessThan(0.15);

  const drawn = await joint.sample(4000, { seed: 2 });
  expect(drawn.column('height').every(Number.isInteger)).toBe(true);
  expect(drawn.column('weight').every((value) => value === Math.round(10 * value) / 10)).toBe(true);

  // narrow blocks are levels: no draw is lost
  const given = await joint.sampleConditional({ weight: 78 }, 2000, { seed: 1 });
  expect(given.blockAcceptance).toBeNull();
  const mean = given.table.column('height').reduce((sum, value) => sum + value / 2000, 0);
  expect(Math.abs(mean - 178)).toBeLessThan(0.8);
  const margins = await Margins.fit(table);
  expect(given.logMarginalDensity).toBeCloseTo(margins.margin('weight').logPdf(Float64Array.of(78))[0]!, 6);
});

test('an outlier whose spacing is taken for the step: what is made of the column is read again', () => {
  const x = round(sample(draws.normal, 100, 4), 10);
  x[7] = -1.797e308;
  expect(() => fitMargin(x, 'rounded')).toThrow('recurring values on a grid');
  const margin = fitMargin(x);
  const again = marginFromJSON(JSON.parse(JSON.stringify(margin)) as MarginJson);
  expect(again.cdf(x)).toEqual(margin.cdf(x));
});

test('equal values that have no room in their cell stay equal', () => {
  const x = Float64Array.from({ length: 2000 }, (_, i) => 1e12 + (i & 1) / 64);
  const { sorted, values, last } = spreadOver(
    { column: 'x', ...sortValues(x) },
    { origin: 1e12, step: 1 / 64 },
  );
  expect(values.every((value, k) => k === 0 || value > values[k - 1]!)).toBe(true);
  expect(Array.from(last, (end) => sorted[end - 1])).toEqual(Array.from(values));
});

test('ends of the support that are beyond all numbers of a grid', () => {
  const x = round(sample(draws.normal, 100, 4), 10);
  const margin = fitMargin(x, { type: 'rounded', support: [-1.7e308, 1.7e308] });
  expect(margin.support).toEqual([-1.7e308, 1.7e308]);
});
