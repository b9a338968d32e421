/** The upper tail of a margin is as exact as the lower one. */
/* eslint-disable no-loss-of-precision */
import { type Margin, type MarginSpec, fitMargin, marginFromJSON } from '../../lib';
import { uniforms } from '../helpers/data';
import { draws, sample } from './support';

const law = (name: string, parameters: Record<string, number>): Margin =>
  marginFromJSON({ name, support: [null, null], parameters, arrays: {}, parts: {} });
const of = (margin: Margin, f: 'cdf' | 'survival' | 'quantile' | 'logPdf', x: number): number =>
  margin[f](Float64Array.of(x))[0]!;

// P(X > x) and P(X <= x) by mpmath, with 60 digits.
const references: [Margin, above: [number, number][], below: [number, number][]][] = [
  [
    law('normal', { mean: 3, deviation: 2 }),
    [
      [60, 5.8571412538063375481e-179],
      [77, 5.7255712225245768227e-300],
    ],
    [
      [-54, 5.8571412538063375481e-179],
      [-71, 5.7255712225245768227e-300],
    ],
  ],
  [
    law('student-t', { location: 1, scale: 2, df: 4 }),
    [
      [1e6, 4.800019199919999328e-23],
      [1e30, 4.7999999999999996182e-119],
    ],
    [[-1e6, 4.799980799920000672e-23]],
  ],
  [
    law('johnson-su', { location: 1, scale: 2, skew: 0.5, shape: 1.5 }),
    [[1e6, 2.9118549775890198717e-100]],
    [[-1e6, 3.0549704306116547188e-91]],
  ],
  [
    law('logistic', { location: 1, scale: 2 }),
    [
      [100, 3.1799709001977494982e-22],
      [1000, 1.174644066652264532e-217],
    ],
    [[-1000, 4.3212740281538552324e-218]],
  ],
  [
    law('gumbel', { location: 1, scale: 2 }),
    [
      [100, 3.1799709001977494982e-22],
      [1000, 1.174644066652264532e-217],
    ],
    [[-11, 6.2101364865660675817e-176]],
  ],
  [
    law('generalised-extreme-value', { location: 1, scale: 2, shape: 0.25 }),
    [
      [1e6, 4.0958853140070119018e-21],
      [1e30, 4.0959999999999996742e-117],
    ],
    [[-5, Math.exp(-256)]],
  ],
  [
    law('generalised-extreme-value', { location: 1, scale: 2, shape: -0.25 }),
    [
      [8.75, 9.5367386165904367379e-7],
      [8.9990234375, 2.2204460492503128343e-16],
    ],
    [],
  ],
  [
    law('log-normal', { mean: 1, deviation: 2 }),
    [[1e30, 2.974762700356159652e-254]],
    [[1e-30, 2.8900032941259246015e-269]],
  ],
  [
    law('exponential', { scale: 2 }),
    [
      [100, 1.928749847963917783e-22],
      [1400, 9.8596765437597708567e-305],
    ],
    [[1e-20, 4.9999999999999997258e-21]],
  ],
  [
    law('gamma', { shape: 2.5, scale: 2 }),
    [
      [100, 5.2851483609432400564e-20],
      [1300, 6.3873752344737113864e-279],
    ],
    [
      [1e-30, 5.3192304053524368141e-77],
      [1e-100, 5.3192304053524359717e-252],
    ],
  ],
  [
    law('weibull', { shape: 1.5, scale: 2 }),
    [
      [30, 5.8853265325262570543e-26],
      [150, 8.2691231779749041171e-283],
    ],
    [[1e-30, 3.535533905932738064e-46]],
  ],
  [
    law('beta', { a: 2, b: 3 }),
    [
      [1 - 2 ** -10, 3.7225618143565952778e-9],
      [1 - 2 ** -40, 3.0092655381030033371e-36],
    ],
    [[1e-60, 5.9999999999999996452e-120]],
  ],
];

test.each(references)('%#: levels of far values, and the values of far levels', (margin, above, below) => {
  for (const [x, q] of above) expect(Math.abs(of(margin, 'survival', x) / q - 1)).toBeLessThan(1e-11);
  for (const [x, p] of below) {
    expect(Math.abs(of(margin, 'cdf', x) / p - 1)).toBeLessThan(1e-11);
    // a relative error of p moves x by far less
    expect(Math.abs(of(margin, 'quantile', p) / x - 1)).toBeLessThan(1e-10);
  }
  for (const [x, q] of above.filter(([x]) => x > 1)) {
    expect(Math.abs(margin.returnLevels(Float64Array.of(1 / q))[0]! / x - 1)).toBeLessThan(1e-10);
  }
});

const atoms = (seed: number): (() => number) => {
  const next = uniforms(seed);
  return () => (next() < 0.4 ? 0 : -Math.log(next()));
};
const specs: [MarginSpec, (seed: number) => () => number][] = [
  ['empirical', draws.normal],
  ['empirical', draws.exponential],
  [{ type: 'empirical', support: [0, 1] }, draws.uniform],
  ['kde', draws.normal],
  ['kde', draws.exponential],
  [{ type: 'kde', support: [0, 1] }, draws.uniform],
  ['gpd', draws.cauchy],
  [{ type: 'gpd', body: 'kde' }, draws.gamma3],
  ['zero-inflated', atoms],
  [
    'discrete',
    (seed) =>
      (
        (next) => () =>
          Math.floor(4 * next())
      )(uniforms(seed)),
  ],
  ['parametric', draws.normal],
];

test.each(specs)('%j: P(X > x) is 1 - F(x), falls, and is undone by return levels', (spec, draw) => {
  const margin = fitMargin(sample(draw, 3000, 1), spec);
  const x = sample(draw, 500, 2).sort();
  const [below, above] = [margin.cdf(x), margin.survival(x)];
  x.forEach((_, i) => {
    expect(Math.abs(below[i]! + above[i]! - 1)).toBeLessThan(4e-16);
    if (i > 0) expect(above[i]!).toBeLessThanOrEqual(above[i - 1]! * (1 + 1e-13));
  });
  expect(margin.survival(Float64Array.of(NaN, -Infinity, Infinity))).toEqual(Float64Array.of(NaN, 1, 0));

  // far beyond what 1 - q can say
  const shares = Float64Array.from({ length: 60 }, (_, k) => 10 ** (-k - 1));
  const levels = margin.returnLevels(shares.map((share) => 1 / share));
  const again = margin.survival(levels);
  levels.forEach((level, k) => {
    expect(Number.isFinite(level)).toBe(true);
    expect(level).toBeLessThanOrEqual(margin.support[1]);
    if (k > 0) expect(level).toBeGreaterThanOrEqual(levels[k - 1]!);
    const spacing = Math.abs(level) * 2 ** -52;
    const slack = Math.exp(of(margin, 'logPdf', level)) * spacing * 8;
    if (!margin.hasAtoms && level < margin.support[1]) {
      expect(Math.abs(again[k]! - shares[k]!)).toBeLessThan(1e-9 * shares[k]! + slack);
    }
  });
});

const mirrored: MarginSpec[] = [
  'empirical',
  'kde',
  'gpd',
  { type: 'gpd', body: 'kde' },
  'discrete',
  'normal',
  'student-t',
];

test.each(mirrored)('%j: mirrored data have the mirrored margin', (spec) => {
  const discrete = spec === 'discrete';
  const x = sample(draws.normal, 2000, 3).map((value) => (discrete ? Math.round(value) : value));
  const margin = fitMargin(x, spec);
  const mirror = fitMargin(
    x.map((value) => -value),
    spec,
  );
  const fitted = typeof spec === 'string' && (spec === 'normal' || spec === 'student-t');
  const at = Float64Array.from({ length: 81 }, (_, k) =>
    discrete ? Math.round((k - 40) / 8) : (k - 40) / 4,
  );
  const minus = at.map((value) => -value);
  const compare = (a: Float64Array, b: Float64Array): void => {
    // what a search finds is as near as it was told to go
    a.forEach((value, i) => {
      if (value === 0 || b[i] === 0) expect(value).toBe(b[i]);
      else expect(Math.abs(Math.log(value / b[i]!))).toBeLessThan(fitted ? 2e-2 : 1e-4);
    });
  };
  compare(margin.survival(at), mirror.cdfBefore(minus));
  if (!discrete) compare(margin.cdf(at), mirror.survival(minus));
});

test('a kernel estimate knows distances from the ends of its support', () => {
  const values = Float64Array.from({ length: 200 }, (_, i) => 20 + Math.sin(i) * 3);
  values[0] = 5e-17;
  const margin = fitMargin(values, { type: 'kde', support: [0, 40] });
  const level = margin.cdf(Float64Array.of(0, 1e-300, 5e-17, 1e-16));
  const density = Math.exp(margin.logPdf(Float64Array.of(5e-17))[0]!);
  expect(level[0]).toBe(0);
  expect(level[1]! / (1e-300 * density)).toBeCloseTo(1, 6);
  expect(level[2]! / (5e-17 * density)).toBeCloseTo(1, 6);
  expect(level[3]).toBeGreaterThan(level[2]!);
});
