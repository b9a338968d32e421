import { fitMargin } from '../../lib';
import { fitPareto } from '../../lib/margins/types/gpd-fit';
import { finish } from '../../lib/margins/basis/steps';
import { uniforms } from '../helpers/data';
import { draws, sample } from './support';

/** The excess that this share exceeds. */
const paretoExcess = (share: number, { scale, shape }: { scale: number; shape: number }): number =>
  scale * (shape === 0 ? -Math.log(share) : (share ** -shape - 1) / shape);

const pareto =
  (scale: number, shape: number) =>
  (seed: number): (() => number) => {
    const next = uniforms(seed);
    return () => paretoExcess(next(), { scale, shape });
  };

test.each([-0.3, -0.1, 0, 0.1, 0.3, 0.8])('scale and shape %d are found again', (shape) => {
  const rows = 4000;
  const fitted = finish(fitPareto({ excesses: sample(pareto(2, shape), rows, 3).sort(), weights: null }));
  // standard errors of maximum likelihood (Smith 1987)
  const error = (1 + shape) / Math.sqrt(rows);
  expect(Math.abs(fitted.shape - shape)).toBeLessThan(3.5 * error);
  expect(Math.abs(fitted.scale / 2 - 1)).toBeLessThan(3.5 * Math.sqrt((2 * (1 + shape)) / rows));
});

test.each([-0.2, 0.2])('return levels of a generalised Pareto law of shape %d are within 10 %%', (shape) => {
  const margin = fitMargin(sample(pareto(1, shape), 20_000, 4), 'gpd');
  const periods = Float64Array.of(50, 100, 1000, 10_000);
  const levels = margin.returnLevels(periods);
  periods.forEach((period, i) => {
    const truth = paretoExcess(1 / period, { scale: 1, shape });
    expect(Math.abs(levels[i]! / truth - 1)).toBeLessThan(0.1);
  });
  expect(margin.returnLevels(Float64Array.of(1, 0))).toEqual(Float64Array.of(NaN, NaN));
});

test.each([0, 1e5, 1e9, -1e9])(
  'thresholds of values around %d are told with the digits that matter',
  (offset) => {
    const { notes, parameters } = fitMargin(
      sample(draws.normal, 2000, 1).map((x) => x + offset),
      'gpd',
    );
    const told = notes.filter(({ code }) => code === 'threshold');
    expect(told).toHaveLength(2);
    for (const { message } of told) {
      const [, side, where] = /its (lower|upper) tail begins at (\S+), with/.exec(message)!;
      expect(Math.abs(Number(where) - parameters[`${side}Threshold`]!)).toBeLessThan(1e-5);
    }
  },
);

test('temperatures have the tails in kelvin that they have in degrees', () => {
  const celsius = sample(draws.normal, 2000, 3).map((x) => 12 + 8 * x);
  const levels = Float64Array.of(1e-4, 1e-3, 0.5, 0.999, 0.9999);
  const quantiles = fitMargin(celsius, 'gpd').quantile(levels);
  const kelvin = fitMargin(
    celsius.map((x) => x + 273.15),
    'gpd',
  );
  kelvin.quantile(levels).forEach((x, i) => {
    expect(Math.abs(x - 273.15 - quantiles[i]!)).toBeLessThan(0.05);
  });
  expect(Object.keys(kelvin.parameters)).toContain('lowerThreshold');
  expect(Object.keys(fitMargin(celsius.map(Math.abs), 'gpd').parameters)).not.toContain('lowerThreshold');
});

test.each(['empirical', 'kde'] as const)('the splice to an %s body is continuous', (body) => {
  const margin = fitMargin(sample(draws.normal, 2000, 1), {
    type: 'gpd',
    body,
    lowerThreshold: -1.2,
    upperThreshold: 1.5,
  });
  expect(margin.parameters).toMatchObject({ lowerThreshold: -1.2, upperThreshold: 1.5 });
  for (const threshold of [-1.2, 1.5]) {
    const [below, at, above] = margin.cdf(
      Float64Array.of(threshold - 1e-9, threshold, threshold + 1e-9),
    ) as unknown as [number, number, number];
    expect(above - at).toBeGreaterThanOrEqual(0);
    expect(at - below).toBeGreaterThanOrEqual(0);
    expect(above - below).toBeLessThan(1e-8);
    const level = Float64Array.of(at - 1e-9, at, at + 1e-9);
    margin.quantile(level).forEach((x) => expect(Math.abs(x - threshold)).toBeLessThan(1e-6));
  }
  // normal tails are bounded or light, and go on beyond the data
  expect(margin.parameters.upperShape).toBeLessThan(0.15);
  expect(margin.quantile(Float64Array.of(1 - 1e-5))[0]).toBeGreaterThan(3.2);
});

test('tails where the support is open, or where they are wanted', () => {
  const x = sample(draws.exponential, 1000, 2);
  expect(Object.keys(fitMargin(x, 'gpd').parameters)).toEqual([
    'upperThreshold',
    'upperScale',
    'upperShape',
    'upperMass',
  ]);
  const both = fitMargin(x, { type: 'gpd', support: [-Infinity, Infinity] });
  expect(Object.keys(both.parameters)).toHaveLength(8);
  const lower = fitMargin(x, { type: 'gpd', lowerThreshold: 0.2, upperThreshold: null });
  expect(Object.keys(lower.parameters)).toEqual(['lowerThreshold', 'lowerScale', 'lowerShape', 'lowerMass']);
});
