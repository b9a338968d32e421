import fc from 'fast-check';

import { type Margin, type MarginType, fitMargin, marginFromJSON } from '../../lib';
import { type FamilyName, familyNames } from '../../lib/margins/types/families';
import { resolutionOf } from '../../lib/margins/basis/rounding';
import { ParametricMargin } from '../../lib/margins/types/parametric';
import { normalQuantile } from '../../lib/normal';
import { caseColumn, caseNumbers } from '../helpers/cases';
import { normals, uniforms } from '../helpers/data';
import { type Draw, draws, sample } from './support';

const levels = Float64Array.of(0.001, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999);
const scores = normalQuantile(levels);

function moments(x: Float64Array): { mean: number; deviation: number } {
  const first = x[0]!;
  const shift = x.reduce((sum, value) => sum + (value - first) / x.length, 0);
  const variance = x.reduce((sum, value) => sum + (value - first - shift) ** 2 / x.length, 0);
  return { mean: first + shift, deviation: Math.sqrt(variance) };
}

const shareBelow = (x: Float64Array, value: number): number =>
  x.reduce((sum, other) => sum + (other < value ? 1 : 0), 0) / x.length;
const shareUpTo = (x: Float64Array, value: number): number =>
  x.reduce((sum, other) => sum + (other <= value ? 1 : 0), 0) / x.length;

/** Whether the data have the levels of a margin's quantiles, within five binomial standard deviations. */
function expectBands(margin: Margin, x: Float64Array, step = 0): void {
  margin.quantile(levels).forEach((quantile, k) => {
    const level = levels[k]!;
    const error = 5 * Math.sqrt((level * (1 - level)) / x.length) + 2 / x.length;
    expect(shareBelow(x, quantile - step / 2)).toBeLessThan(level + error);
    expect(shareUpTo(x, quantile + step / 2)).toBeGreaterThan(level - error);
  });
}

/** A margin, or null where the column is refused, by name. */
function fitOrRefuse(x: Float64Array, type: MarginType): Margin | null {
  try {
    return fitMargin(x, type, { column: 'any' });
  } catch (error) {
    expect(error).toMatchObject({ code: 'ERR_SKLAR_VALUE', message: expect.stringContaining('"any"') });
    return null;
  }
}

function expectSound(margin: Margin, x: Float64Array): void {
  const fine = Float64Array.from({ length: 101 }, (_, i) => Math.min(1 - 1e-12, Math.max(1e-12, i / 100)));
  const quantiles = margin.quantile(fine);
  quantiles.forEach((value, i) => {
    expect(Number.isFinite(value)).toBe(true);
    if (i > 0) expect(value).toBeGreaterThanOrEqual(quantiles[i - 1]!);
  });
  for (const value of Object.values(margin.parameters)) expect(Number.isFinite(value)).toBe(true);
  margin.logPdf(x).forEach((log) => expect(log).not.toBeNaN());
  margin.cdf(x).forEach((level) => expect(level >= 0 && level <= 1).toBe(true));
}

describe('offsets: normal values far from 0', () => {
  const offsets: [string, number, number][] = [
    ['1e5', 1e5, 1],
    ['1e6', 1e6, 1],
    ['1e9', 1e9, 1],
    ['seconds since 1970', 1_764_374_400, 1],
    ['1e12 in deviations', 1e12, 1],
    ['small units', 1e-3, 1e-12],
  ];
  const rows = 1000;

  test.each(offsets)('%s', (_, mean, deviation) => {
    const x = sample(normals, rows, 1).map((z) => mean + deviation * z);
    const truth = moments(x);
    for (const name of ['parametric', 'normal', 'gamma', 'log-normal'] as const) {
      const margin = fitOrRefuse(x, name);
      // parameters of laws of positive numbers do not hold such offsets
      if (!margin) {
        expect(name === 'gamma' || name === 'log-normal').toBe(true);
        expect(mean / deviation).toBeGreaterThan(1e11);
        continue;
      }
      if (name === 'parametric' && !['normal', 'gamma', 'log-normal'].includes(margin.name)) {
        expectBands(margin, x);
        continue;
      }
      margin.quantile(levels).forEach((quantile, k) => {
        const z = (quantile - truth.mean) / truth.deviation;
        expect(Math.abs(z - scores[k]!)).toBeLessThan(1e-3);
      });
      const again = margin.cdf(margin.quantile(levels));
      again.forEach((level, k) => expect(Math.abs(level / levels[k]! - 1)).toBeLessThan(1e-2));
    }
  });

  test('beta laws of shapes to 1e18, weibull laws of shapes to 1e9', () => {
    for (const [centre, deviation] of [
      [0.5, 1e-3],
      [0.3, 1e-9],
    ] as const) {
      const x = sample(normals, rows, 2).map((z) => centre + deviation * z);
      const truth = moments(x);
      fitMargin(x, 'beta')
        .quantile(levels)
        .forEach((quantile, k) => {
          expect(Math.abs((quantile - truth.mean) / truth.deviation - scores[k]!)).toBeLessThan(5e-3);
        });
    }
    for (const shape of [10, 1e5, 1e9]) {
      const uniform = uniforms(3);
      // log1p: x - 1 is exact where the shape is great
      const x = Float64Array.from(
        { length: rows },
        () => 7 * (1 + Math.expm1(Math.log(-Math.log(uniform())) / shape)),
      );
      const margin = fitMargin(x, 'weibull');
      expect(Math.abs(margin.parameters.shape! / shape - 1)).toBeLessThan(0.1);
      expectBands(margin, x);
    }
  });
});

describe('recurring values', () => {
  test('of a normal column 30 % are equal to its mean', () => {
    const x = caseNumbers('rain/tie0.3.json');
    const data = Float64Array.from(x).sort();
    for (const type of [
      'parametric',
      'normal',
      'student-t',
      'logistic',
      'generalised-extreme-value',
    ] as const) {
      const margin = fitMargin(x, type, { column: 'tied' });
      const [q75, q99] = margin.quantile(Float64Array.of(0.75, 0.99));
      expect(q75).toBeGreaterThan(21.6);
      expect(q75).toBeLessThan(23.4);
      expect(q99).toBeLessThan(type === 'parametric' ? 32 : 40);
      expect(margin.notes.find(({ code }) => code === 'ties')?.message).toMatch(/"tied": 20 \(30 %\)/);
    }
    // a law that has no maximum with all rows has one beside the atom
    const margin = fitMargin(x, 'johnson-su');
    expect(margin.name).toBe('zero-inflated');
    expect(Math.abs(margin.quantile(Float64Array.of(0.75))[0]! - data[749]!)).toBeLessThan(0.3);
  });

  test('zeros between losses and gains', () => {
    const x = caseColumn('rain/two-sided-zeros.csv', 'x');
    const margin = fitMargin(x, 'parametric');
    const [q75, q95, q99] = margin.quantile(Float64Array.of(0.75, 0.95, 0.99));
    expect(q75).toBe(0);
    expect(Math.abs(q95! - 0.72)).toBeLessThan(0.15);
    expect(Math.abs(q99! - 1.65)).toBeLessThan(0.3);
    expectSound(margin, x);
  });

  test('daily rain with 90 % zeros', () => {
    const x = caseNumbers('rain/rain90.json');
    const margin = fitMargin(x, 'parametric');
    const [q50, q95, q99] = margin.quantile(Float64Array.of(0.5, 0.95, 0.99));
    expect(q50).toBe(0);
    expect(Math.abs(q95! / 3.97 - 1)).toBeLessThan(0.15);
    expect(Math.abs(q99! / 15.1 - 1)).toBeLessThan(0.25);
    const gamma = fitMargin(x, 'gamma');
    expect(gamma.quantile(Float64Array.of(0.5))[0]).toBe(0);
    const again = marginFromJSON(JSON.parse(JSON.stringify(gamma)));
    expect(again.quantile(levels)).toEqual(gamma.quantile(levels));
  });

  test('zeros and ones beside a beta law', () => {
    const coin = uniforms(1);
    const uniform = uniforms(2);
    const x = Float64Array.from({ length: 1000 }, () => {
      const toss = coin();
      return toss < 0.1 ? 0 : toss < 0.15 ? 1 : uniform() ** 0.5;
    });
    const margin = fitMargin(x, 'beta');
    expect(margin.name).toBe('zero-inflated');
    expectBands(margin, x);
    expect(() =>
      fitMargin(Float64Array.of(0, ...sample(uniforms, 50, 1)), 'beta', { column: 'share' }),
    ).toThrow(/"share", got 0/);
  });

  test('too few different values, and nothing but a pile, are refused', () => {
    const refused = (values: number[], type: MarginType): void =>
      expect(() => fitMargin(Float64Array.from(values), type, { column: 'grade' })).toThrow(
        expect.objectContaining({ code: 'ERR_SKLAR_VALUE', message: expect.stringContaining('"grade"') }),
      );
    for (const type of [...familyNames, 'parametric'] as const) {
      refused([1, 1, 1, 1, 1, 2, 2, 2, 2, 2], type);
    }
  });
});

describe('rounding', () => {
  test('the step is read off the values', () => {
    const of = (...values: number[]): number => resolutionOf({ values: Float64Array.from(values) });
    expect(of(1, 1.2, 1.5, 2.2)).toBeCloseTo(0.1, 12);
    expect(of(0, 0.44704, 5 * 0.44704, 77 * 0.44704)).toBeCloseTo(0.44704, 10);
    expect(of(-3, 1, 11)).toBe(2);
    expect(of(1e12, 1e12 + 2 ** -13, 1e12 + 5 * 2 ** -13)).toBe(2 ** -13);
    expect(of(...Array.from(sample(normals, 50, 1)).sort((a, b) => a - b))).toBeLessThan(1e-14);
    expect(of(1e-300, 3e-300, 4e-300)).toBeCloseTo(1e-300, 310);
  });

  const families: [FamilyName, Draw][] = [
    ['normal', draws.normal],
    [
      'student-t',
      (seed) => {
        const [normal, uniform] = [normals(seed), uniforms(seed + 9)];
        return () => normal() / Math.sqrt(-Math.log(uniform() * uniform()) / 2);
      },
    ],
    [
      'logistic',
      (seed) => {
        const uniform = uniforms(seed);
        return () => {
          const u = uniform();
          return Math.log(u / (1 - u));
        };
      },
    ],
    [
      'gumbel',
      (seed) => {
        const uniform = uniforms(seed);
        return () => -Math.log(-Math.log(uniform()));
      },
    ],
    ['exponential', draws.exponential],
    ['gamma', draws.gamma3],
    ['log-normal', draws.lognormal],
  ];

  test.each(families)('%s, by up to ten times its deviation', (name, draw) => {
    const exact = sample(draw, 1000, 4);
    const { deviation } = moments(exact);
    for (const multiple of [0.1, 0.5, 1, 3, 10]) {
      const step = multiple * (name === 'student-t' ? 1 : deviation);
      const x = exact.map((value) => Math.round(value / step) * step);
      const margin = fitOrRefuse(x, name);
      if (!margin) {
        expect(multiple).toBeGreaterThan(2);
        continue;
      }
      expectSound(margin, x);
      if (multiple <= 1) {
        expectBands(margin, exact, 0.4 * step);
        if (multiple >= 0.5) expect(margin.notes.map(({ code }) => code)).toContain('rounding');
      }
    }
  });

  test('parameters of rounded columns are those of the exact ones, without a bias of step^2 / 12', () => {
    const exact = sample(normals, 5000, 5);
    const x = exact.map((value) => Math.round(value));
    const { deviation } = fitMargin(x, 'normal').parameters;
    expect(Math.abs(deviation! - 1)).toBeLessThan(0.03);
  });
});

describe('every family on ties, rounding, offsets and units', () => {
  test.each([...familyNames, 'parametric'] as const)('%s', (type) => {
    for (const ties of [0, 0.3, 0.9]) {
      for (const step of [0, 0.1, 1]) {
        for (const [k, offset] of [0, 10, 1e6, 1e12].entries()) {
          const unit = [1e-200, 1, 1e200][(k + 10 * step) % 3]!;
          const next = normals(6);
          const coin = uniforms(7);
          const isBeta = type === 'beta';
          const x = Float64Array.from({ length: 60 }, () => {
            const z = next();
            const value = coin() < ties ? 0.5 : step > 0 ? Math.round(z / step) * step : z;
            return isBeta ? 1 / (1 + Math.exp(-value - Math.log1p(offset))) : unit * (offset + value);
          });
          const margin = x.every((value) => value === x[0]) ? null : fitOrRefuse(x, type);
          if (margin) expectSound(margin, x);
          // lines take everything that varies enough
          if (type === 'normal' && new Set(x).size > 5) expect(margin).not.toBeNull();
        }
      }
    }
  });
});

test('a family at the end of its box says so, and is not chosen', () => {
  const x = sample(uniforms, 500, 8);
  const margin = fitMargin(x, 'student-t', { column: 'flat' });
  expect(margin.notes.find(({ code }) => code === 'bound')?.message).toMatch(/"flat": df .* 1000000/);
  expect(fitMargin(x, 'parametric').notes.map(({ code }) => code)).not.toContain('bound');
});

test('heavy ties of many kinds: samples of a chosen law are finite and in the bands of the data', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 1e6 }),
      fc.constantFrom(0.02, 0.1, 0.3, 0.6, 0.9),
      fc.constantFrom(-3, 0, 1.25),
      fc.constantFrom(...(['normal', 'lognormal', 'exponential'] as const)),
      fc.constantFrom(0, 0.05),
      (seed, share, tie, law, step) => {
        const coin = uniforms(seed + 1);
        const x = sample(draws[law], 600, seed).map((value) =>
          coin() < share ? tie : step > 0 ? Math.round(value / step) * step : value,
        );
        const margin = fitOrRefuse(x, 'parametric');
        expect(margin).not.toBeNull();
        expectSound(margin!, x);
        const spread = 3 * moments(x).deviation + 30;
        expect(Math.max(...margin!.quantile(Float64Array.of(0.001, 0.999)).map(Math.abs))).toBeLessThan(
          20 * spread,
        );
      },
    ),
    { numRuns: 12, seed: 1 },
  );
});

/** Levels and log densities in arbitrary precision (60 digits): family, parameters, x, P, Q, log f. */
const exact: [FamilyName, number[], number, number, number, number][] = [
  ['gamma', [0.01, 2.0], 1e-5, 0.8901453918096536, 0.10985460819034643, 6.7913798604729045],
  ['gamma', [200.0, 2.0], 620.0, 0.9999999999901548, 9.845196569213707e-12, -27.048929808058187],
  ['gamma', [9999.0, 2.0], 18000.0, 2.305701401813849e-25, 1.0, -59.61179978503373],
  ['gamma', [1000000.0, 2.0], 2016000.0, 0.9999999999999992, 7.370278579605256e-16, -40.35816006885575],
  ['gamma', [1e18, 2.0], 1.99999999e18, 2.86651559985438e-7, 0.9999997133484401, -34.835351587377694],
  ['gamma', [1e24, 2.0], 2.000000000004e24, 0.9772486999280467, 0.022751300071953227, -31.243063559782538],
  ['beta', [0.01, 0.02], 1e-250, 0.002108863932322216, 0.9978911360676778, 564.8794971653283],
  ['beta', [30.0, 500.0], 0.12, 0.9999997089835951, 2.910164048547837e-7, -9.241913530050986],
  ['beta', [10000.0, 10000.0], 0.52, 0.9999999923892608, 7.610739113426522e-9, -11.285272464748045],
  ['beta', [1e12, 1e12], 0.499995, 1.0442437876149094e-45, 1.0, -86.0637072083904],
  ['beta', [1e18, 3e18], 0.250000001, 0.9999980701929146, 1.929807085353097e-6, 10.667795469827121],
  ['beta', [0.3, 1e10], 1e-9, 0.9999971551553468, 2.8448446531302723e-6, 10.318243366016048],
  ['weibull', [0.05, 0.001], 1e-9, 0.3941890065919982, 0.6058109934080018, 16.535570801866935],
  ['student-t', [0.0, 1.0, 0.2], 1e10, 0.9962406898207873, 0.0037593101792126908, -30.21880864376163],
  ['student-t', [0.0, 1.0, 30.0], 8.0, 0.9999999968670887, 3.1329112378503795e-9, -18.629780034800497],
  [
    'generalised-extreme-value',
    [0.0, 1.0, -0.9],
    1.1,
    0.994023090711635,
    0.005976909288365041,
    -0.5176804187240894,
  ],
  [
    'generalised-extreme-value',
    [0.0, 1.0, 1e-10],
    5.0,
    0.9932847020594756,
    0.006715297940524385,
    -5.006737946257508,
  ],
  ['generalised-extreme-value', [0.0, 1.0, 2.0], 1e50, 1.0, 7.071067811865475e-26, -173.73360274539334],
  ['johnson-su', [0.0, 1.0, -3.0, 20.0], -2.0, 3.1899318250920134e-223, 1.0, -506.66273076554626],
  ['log-normal', [0.5, 2.0], 1e-30, 1.7977038213204975e-265, 1.0, -537.6640144514907],
  ['logistic', [0.0, 1.0], -600.0, 2.6503965530043108e-261, 1.0, -600.0],
  ['gumbel', [0.0, 1.0], -5.5, 5.3906861972603424e-107, 1.0, -239.19193226422038],
  ['exponential', [0.001], 0.5, 1.0, 7.12457640674136e-218, -493.09224472101783],
];
test.each(exact)('%s %j at %d', (name, parameters, x, below, above, log) => {
  const margin = new ParametricMargin(name, parameters);
  const at = Float64Array.of(x);
  const relative = (value: number, truth: number) => Math.abs(value / truth - 1);
  expect(relative(margin.cdf(at)[0]!, below)).toBeLessThan(1e-11);
  expect(relative(margin.survival(at)[0]!, above)).toBeLessThan(1e-11);
  expect(Math.abs(margin.logPdf(at)[0]! - log)).toBeLessThan(1e-11 * Math.max(1, Math.abs(log)));
  const back =
    below < above
      ? margin.quantile(Float64Array.of(below))[0]!
      : margin.returnLevels(Float64Array.of(1 / above))[0]!;
  expect(relative(back, x)).toBeLessThan(1e-12);
});
