import { fitMargin } from '../../lib';
import { uniforms } from '../helpers/data';
import { outsideBands } from './cases';
import { type Draw, draws, sample } from './support';

const gamma = (shape: number, z: () => number, u: () => number): number => {
  // Marsaglia and Tsang
  const d = shape - 1 / 3;
  for (;;) {
    const x = z();
    const v = (1 + x / Math.sqrt(9 * d)) ** 3;
    if (v > 0 && Math.log(u()) < x ** 2 / 2 + d - d * v + d * Math.log(v)) return d * v;
  }
};
const of =
  (draw: (z: () => number, u: () => number) => number): Draw =>
  (seed) => {
    const [z, u] = [draws.normal(seed), uniforms(seed + 7)];
    return () => draw(z, u);
  };

const shapes: [string, Draw][] = [
  ['normal', draws.normal],
  ['Student of 5 degrees', of((z, u) => z() / Math.sqrt((2 / 5) * gamma(2.5, z, u)))],
  ['gamma', of((z, u) => gamma(2, z, u))],
  ['chi-squared of 1', of((z) => z() ** 2)],
  ['exponential', draws.exponential],
  ['log-normal', draws.lognormal],
  ['uniform', draws.uniform],
  ['uniform between odd ends', of((_, u) => -3.7 + 11.9 * u())],
  [
    'beta',
    of((z, u) => {
      const x = gamma(2, z, u);
      return x / (x + gamma(3, z, u));
    }),
  ],
  ['bimodal', draws.bimodal],
  ['overlapping hills', of((z, u) => (u() < 0.4 ? -1.5 : 1.5) + 0.7 * z())],
];

const mean = (x: Float64Array): number => x.reduce((sum, value) => sum + value, 0) / x.length;

describe.each(shapes)('auto of %s values is smooth, in the bands of the data', (_, draw) => {
  test.each([100, 300, 1000, 5000])('%i rows', (rows) => {
    const seeds = Array.from({ length: 6 }, (_, k) => 101 * k + rows);
    const heldOut = sample(draw, 4000, 77);
    const [smooth, rough] = [new Float64Array(seeds.length), new Float64Array(seeds.length)];
    let others = 0;
    for (const [k, seed] of seeds.entries()) {
      const x = sample(draw, rows, seed);
      const margin = fitMargin(x);
      if (!['kde', 'gpd'].includes(margin.name)) others++;
      expect([seed, outsideBands(margin, x)]).toEqual([seed, []]);
      const inside = heldOut.filter((value) => value >= margin.support[0] && value <= margin.support[1]);
      smooth[k] = mean(margin.logPdf(inside));
      rough[k] = mean(fitMargin(x, { type: 'empirical', support: [...margin.support] }).logPdf(inside));
    }
    expect(others).toBeLessThanOrEqual(1);
    // a histogram loses 0.01 to 0.1 nats, but where the density is constant
    expect(mean(smooth)).toBeGreaterThan(mean(rough) - 0.01);
  });
});

test('of a million rows, too', () => {
  const x = sample(draws.normal, 1_000_000, 1);
  const margin = fitMargin(x);
  expect(margin.name).toBe('kde');
  expect(outsideBands(margin, x)).toEqual([]);
  const z = Float64Array.of(-4, -3, -1, 0, 2, 4);
  margin.logPdf(z).forEach((log, i) => {
    const right = -(z[i]! ** 2) / 2 - Math.log(Math.sqrt(2 * Math.PI));
    expect(Math.abs(log - right)).toBeLessThan(Math.abs(z[i]!) < 3.5 ? 0.05 : 0.5);
  });
});

test('values that stop abruptly have a tail of one row', () => {
  const x = sample(
    of((_, u) => -3.7 + 11.9 * u()),
    3000,
    5,
  );
  const margin = fitMargin(x);
  const [least, most] = [Math.min(...x), Math.max(...x)];
  expect([margin.name, margin.support]).toEqual(['kde', [-Infinity, Infinity]]);
  expect(margin.cdf(Float64Array.of(least))[0]! * 3001).toBeCloseTo(1, 2);
  expect(margin.survival(Float64Array.of(most))[0]! * 3001).toBeCloseTo(1, 2);
  const density = Math.exp(margin.logPdf(Float64Array.of(least + 0.01))[0]!);
  expect(Math.abs(density * 11.9 - 1)).toBeLessThan(0.4);
});

test('heavy tails are those of generalised Pareto laws, light ones stay as they are', () => {
  const heavy = of((z, u) => z() / Math.sqrt(-Math.log(u()))); // Student of 2 degrees
  const truth = (x: number) => -1.5 * Math.log1p(x ** 2 / 2) - 1.5 * Math.log(2);
  const losses = [1, 2, 3, 4].map((seed) => {
    const x = sample(heavy, 1000, seed);
    const fresh = sample(heavy, 20_000, 100 + seed);
    const own = mean(fresh.map(truth));
    return ['auto', 'kde'].map((type) => own - mean(fitMargin(x, type as 'auto').logPdf(fresh)));
  });
  const [auto, kde] = [0, 1].map((k) => losses.reduce((sum, loss) => sum + loss[k]!, 0) / 4) as [
    number,
    number,
  ];
  expect(auto).toBeLessThan(0.012);
  expect(kde - auto).toBeGreaterThan(0.005);
  expect(fitMargin(sample(draws.normal, 3000, 5)).name).toBe('kde');
});

test('the level that rain recorded to 0.1 mm exceeds once in a century of days, from 40 years', () => {
  // exponential on 38 % of the days
  const errors = [1, 2, 3, 4, 5, 6].map((seed) => {
    const next = uniforms(seed);
    const x = Float64Array.from({ length: 14_600 }, () => {
      const u = next();
      return u > 0.38 ? 0 : Math.round(-80 * Math.log(u / 0.38)) / 10;
    });
    const margin = fitMargin(x);
    expect(margin.name).toBe('rounded');
    return Math.abs(margin.returnLevels(Float64Array.of(36_525))[0]! / (8 * Math.log(0.38 * 36_525)) - 1);
  });
  expect(errors.reduce((sum, error) => sum + error, 0) / 6).toBeLessThan(0.1);
});
