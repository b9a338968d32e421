import { type MarginSpec, SklarError, fitMargin, marginFromJSON } from '../../lib';
import { uniforms } from '../helpers/data';
import { criticalDistance, draws, integral, levelsOf, sample, uniformDistance } from './support';

const between = (from: number, to: number, points: number): Float64Array =>
  Float64Array.from({ length: points }, (_, i) => from + ((to - from) * i) / (points - 1));

const rain = (seed: number): (() => number) => {
  const next = uniforms(seed);
  return () => (next() < 0.6 ? 0 : -Math.log(next()));
};
/** A gauge that shows nothing below 0 or above 1. */
const clipped = (seed: number): (() => number) => {
  const next = uniforms(seed);
  return () => Math.min(1, Math.max(0, 1.06 * next() - 0.03));
};
const dice = (seed: number): (() => number) => {
  const next = uniforms(seed);
  return () => Math.floor(6 * next() ** 2) + 3;
};

const continuous: [string, MarginSpec, (seed: number) => () => number][] = [
  ['empirical of normal', 'empirical', draws.normal],
  ['empirical of lognormal', 'empirical', draws.lognormal],
  ['empirical of Cauchy', 'empirical', draws.cauchy],
  ['kde of normal', 'kde', draws.normal],
  ['kde of exponential', 'kde', draws.exponential],
  ['kde of uniform', { type: 'kde', support: [0, 1] }, draws.uniform],
  ['kde of lognormal', 'kde', draws.lognormal],
  ['kde of Cauchy', 'kde', draws.cauchy],
  ['kde of two hills', 'kde', draws.bimodal],
  ['gpd of Cauchy', 'gpd', draws.cauchy],
  ['gpd of gamma', { type: 'gpd', body: 'kde' }, draws.gamma3],
];
const mixed: [string, MarginSpec, (seed: number) => () => number][] = [
  ['zero-inflated of rain', 'zero-inflated', rain],
  [
    'zero-inflated of clipped rain',
    { type: 'zero-inflated', atoms: [1], support: [0, Infinity] },
    (seed) => {
      const next = uniforms(seed);
      return () => (next() < 0.5 ? 1 : Math.max(0, -Math.log(next()) - 0.05));
    },
  ],
  ['gpd of rain', { type: 'gpd', body: 'empirical' }, rain],
  ['empirical of clipped values', { type: 'empirical', support: [0, 1] }, clipped],
  ['discrete of dice', 'discrete', dice],
];

describe.each([...continuous, ...mixed])('%s', (_, spec, draw) => {
  const rows = 2000;
  const margin = fitMargin(sample(draw, rows, 1), spec);

  test('held-out rows have uniform levels', () => {
    const u = levelsOf(margin, sample(draw, 2000, 2));
    expect(uniformDistance(u)).toBeLessThan(criticalDistance(2000, rows));
  });

  test('the quantile undoes F', () => {
    const x = sample(draw, 200, 3);
    const u = margin.cdf(x);
    const back = margin.quantile(u);
    // Between two levels that differ by a rounding error there are many quantiles.
    x.forEach((value, i) => expect(Math.abs(back[i]! - value)).toBeLessThan(1e-9 * (1 + Math.abs(value))));
    const levels = between(1e-6, 1 - 1e-6, 201);
    const again = margin.quantile(levels);
    const [before, after] = [margin.cdfBefore(again), margin.cdf(again)];
    levels.forEach((level, i) => {
      expect(level).toBeGreaterThan(before[i]! - 1e-12 - (margin.hasAtoms ? 1 / rows : 0));
      expect(level).toBeLessThan(after[i]! + 1e-12 + (margin.hasAtoms ? 1 / rows : 0));
    });
    expect(margin.quantile(Float64Array.of(-0.1, 1.1, NaN))).toEqual(Float64Array.of(NaN, NaN, NaN));
    expect(margin.quantile(Float64Array.of(0, 1))).toEqual(Float64Array.from(margin.support));
  });

  test('JSON keeps everything', () => {
    const again = marginFromJSON(JSON.parse(JSON.stringify(margin)));
    const x = sample(draw, 200, 4);
    const u = between(0, 1, 100);
    expect(again.logPdf(x)).toEqual(margin.logPdf(x));
    expect(again.cdfBefore(x)).toEqual(margin.cdfBefore(x));
    expect(again.quantile(u)).toEqual(margin.quantile(u));
    expect(again.toJSON()).toEqual(margin.toJSON());
    expect([again.name, again.support, again.hasAtoms]).toEqual([
      margin.name,
      margin.support,
      margin.hasAtoms,
    ]);
  });

  test('not a number stays so, and nothing is beyond the support', () => {
    const none = Float64Array.of(NaN);
    expect([margin.cdf(none)[0], margin.cdfBefore(none)[0], margin.logPdf(none)[0]]).toEqual([NaN, NaN, NaN]);
    expect(margin.cdf(Float64Array.of(-Infinity, Infinity))).toEqual(Float64Array.of(0, 1));
    if (margin.name !== 'discrete' && margin.support[0] === 0) {
      expect(margin.logPdf(Float64Array.of(-1e-9))[0]).toBe(-Infinity);
    }
  });
});

test.each(continuous)('%s: the density integrates to one and is that of F', (_, spec, draw) => {
  const margin = fitMargin(sample(draw, 2000, 1), spec);
  expect(Math.abs(integral(margin) - 1)).toBeLessThan(0.01);
  // over an interval it is the difference of F
  const [from, to] = margin.quantile(Float64Array.of(0.2, 0.7)) as unknown as [number, number];
  const x = between(from, to, 5001);
  const mass = margin.logPdf(x).reduce((sum, log) => sum + Math.exp(log), 0) * (x[1]! - x[0]!);
  expect(Math.abs(mass - 0.5)).toBeLessThan(margin.name === 'kde' ? 0.001 : 0.03);
});

test('densities are near the true ones, at boundaries too', () => {
  const meanSquare = (
    spec: MarginSpec,
    draw: (seed: number) => () => number,
    truth: (x: number) => number,
  ) => {
    const margin = fitMargin(sample(draw, 2000, 5), spec);
    const x = sample(draw, 1000, 6);
    const log = margin.logPdf(x);
    return x.reduce((sum, value, i) => sum + (log[i]! - truth(value)) ** 2, 0) / x.length;
  };
  const normal = (x: number): number => (-x * x) / 2 - Math.log(Math.sqrt(2 * Math.PI));
  expect(meanSquare('kde', draws.normal, normal)).toBeLessThan(0.02);
  expect(meanSquare('empirical', draws.normal, normal)).toBeLessThan(0.2);
  expect(meanSquare('kde', draws.exponential, (x) => -x)).toBeLessThan(0.02);
  expect(meanSquare({ type: 'kde', support: [0, 1] }, draws.uniform, () => 0)).toBeLessThan(0.01);
  const edge = fitMargin(sample(draws.exponential, 10_000, 7), 'kde').logPdf(Float64Array.of(0));
  expect(Math.exp(edge[0]!)).toBeGreaterThan(0.85);
  expect(Math.exp(edge[0]!)).toBeLessThan(1.15);
});

test('an empirical margin goes on beyond the data, as far as the support', () => {
  const margin = fitMargin(Float64Array.of(1, 2, 3, 4, 10), 'empirical');
  expect(margin.support).toEqual([0, Infinity]);
  expect(margin.cdf(Float64Array.of(-1, 0, 1, 1.5, 10, 1e9))).toEqual(
    Float64Array.of(0, 0, 1 / 6, 1.5 / 6, 5 / 6, 1),
  );
  const [beyond] = margin.quantile(Float64Array.of(0.99)) as unknown as [number];
  expect(beyond).toBeGreaterThan(10);
  expect(margin.cdf(Float64Array.of(beyond))[0]).toBeCloseTo(0.99, 12);
  const [below] = margin.quantile(Float64Array.of(0.01)) as unknown as [number];
  expect(below).toBeGreaterThan(0);
  expect(below).toBeLessThan(1);
  // values at an end of the support have nothing beyond them
  const closed = fitMargin(Float64Array.of(0, 0.2, 0.7, 1), { type: 'empirical', support: [0, 1] });
  expect(closed.quantile(Float64Array.of(0, 1e-9, 1))[1]).toBeLessThan(1e-6);
  expect(closed.cdf(Float64Array.of(0, 1))).toEqual(Float64Array.of(0, 1));
});

test('discrete values keep their frequencies, and get no company', () => {
  const margin = fitMargin(Float64Array.of(3, 5, 5, 9, 5, 3, 5, 5, 9, 5), 'discrete');
  const values = margin.quantile(between(0.0005, 0.9995, 1000));
  const count = (value: number): number => values.reduce((sum, x) => sum + Number(x === value), 0);
  expect([count(3), count(5), count(9)]).toEqual([227, 546, 227]);
  // all probability is theirs; a value never seen is scored as one row, beside it
  const seen = Float64Array.of(3, 5, 9);
  expect(margin.logPdf(seen)).toEqual(Float64Array.of(2.5, 6, 2.5).map((rows) => Math.log(rows / 11)));
  expect(margin.logPdf(seen).reduce((sum, log) => sum + Math.exp(log), 0)).toBeCloseTo(1, 14);
  expect(margin.logPdf(Float64Array.of(4, 2, 10, 3.0000001))).toEqual(
    new Float64Array(4).fill(Math.log(1 / 11)),
  );
  expect(margin.cdf(Float64Array.of(2, 3, 4, 9))).toEqual(Float64Array.of(0, 2.5 / 11, 2.5 / 11, 1));
});

test('zeros keep their probability', () => {
  const x = sample(rain, 5000, 1);
  const zeros = x.filter((value) => value === 0).length / x.length;
  const margin = fitMargin(x);
  expect(margin.name).toBe('zero-inflated');
  const drawn = margin.quantile(between(0.00005, 0.99995, 10_000));
  expect(drawn.filter((value) => value === 0).length / 10_000).toBeCloseTo(zeros, 3);
  expect(margin.logPdf(Float64Array.of(0))[0]).toBeCloseTo(Math.log(zeros), 12);
  expect(margin.parameters.rest).toBeCloseTo(1 - zeros, 12);
  // capped above, too
  const capped = fitMargin(
    x.map((value) => Math.min(value, 1.5)),
    { type: 'zero-inflated', atoms: [1.5, 0] },
  );
  expect(capped.quantile(Float64Array.of(0.1, 0.999))).toEqual(Float64Array.of(0, 1.5));
});

test('values that pile up at the ends of an empirical margin keep their probability', () => {
  const x = sample(clipped, 4000, 5);
  const margin = fitMargin(x, { type: 'empirical', support: [0, 1] });
  const count = (end: number) => x.filter((value) => value === end).length;
  const ends = Float64Array.of(0, 1);
  expect(margin.cdfBefore(ends)[0]).toBe(0);
  expect(margin.cdf(ends)[1]).toBe(1);
  expect(margin.cdf(ends)[0]).toBe(count(0) / 4000);
  expect(1 - margin.cdfBefore(ends)[1]!).toBeCloseTo(count(1) / 4000, 12);
  const middles = between(0.0005, 0.9995, 1000);
  const inside = margin.logPdf(middles).reduce((sum, value) => sum + Math.exp(value) / 1000, 0);
  const atEnds = margin.logPdf(ends).reduce((sum, value) => sum + Math.exp(value), 0);
  expect(inside + atEnds).toBeCloseTo(1, 2);
  // one value at the end is no pile
  const alone = fitMargin(Float64Array.of(0, 1, 2, 3), 'empirical');
  expect(alone.hasAtoms).toBe(false);
  expect(alone.cdf(Float64Array.of(0))[0]).toBe(0);
});

test('auto chooses by column', () => {
  const many = sample(draws.lognormal, 3000, 1);
  expect(fitMargin(many).name).toBe('gpd');
  expect(fitMargin(sample(draws.normal, 3000, 1)).name).toBe('kde');
  expect(fitMargin(many.map((x) => Math.round(10 * x) / 10)).name).toBe('rounded');
  expect(fitMargin(sample(dice, 100, 1)).name).toBe('discrete');
  expect(fitMargin(sample(rain, 500, 1)).name).toBe('zero-inflated');
  expect(fitMargin(many.map((x) => Math.round(1e6 * x))).name).toBe('gpd');
  const next = uniforms(8);
  const uShaped = Float64Array.from({ length: 3000 }, () => Math.sin((Math.PI / 2) * next()) ** 2);
  expect(fitMargin(uShaped).name).toBe('empirical');
});

test('more values than are kept', () => {
  const x = sample(draws.normal, 80_000, 1);
  for (const type of ['empirical', 'kde'] as const) {
    const margin = fitMargin(x, type);
    const back = margin.quantile(margin.cdf(x));
    expect(Math.max(...back.slice(0, 100).map((value, i) => Math.abs(value - x[i]!)))).toBeLessThan(1e-6);
    expect(uniformDistance(margin.cdf(x))).toBeLessThan(0.006);
  }
});

describe('what cannot be learned is named', () => {
  const cases: [string, ArrayLike<number>, unknown, string[]][] = [
    ['missing values', [1, NaN, 3], 'empirical', ['finite numbers', '"wind"', 'NaN (row 2)']],
    ['infinite values', [1, 2, Infinity], 'kde', ['finite numbers', '"wind"', 'Infinity (row 3)']],
    ['a constant', [4, 4, 4, 4, 4, 4, 4, 4], 'auto', ['vary', '"wind"', '4 in every row']],
    ['no rows', [], 'auto', ['at least 2 rows', '"wind"', 'got 0']],
    ['too few rows', [1, 2, 3], 'kde', ['at least 8 rows', 'kde', '"wind"', 'got 3']],
    [
      'values below the support',
      [-1, 2, 3],
      { type: 'empirical', support: [0, 5] },
      ['0 and 5', '"wind"', 'got -1'],
    ],
    [
      'values above the support',
      [1, 2, 7],
      { type: 'empirical', support: [0, 5] },
      ['0 and 5', '"wind"', 'got 7'],
    ],
    ['an empty support', [1, 2], { type: 'empirical', support: [5, 0] }, ['"wind"', 'lower end']],
    ['no atoms', [1, 2, 3, 4], 'zero-inflated', ['zero-inflated', '"wind"', 'none']],
    [
      'atoms that are missing',
      [0, 2, 3, 4],
      { type: 'zero-inflated', atoms: [0, 9] },
      ['"wind"', 'none with 9'],
    ],
    [
      'nothing beside the atoms',
      [0, 0, 1],
      { type: 'zero-inflated', atoms: [0, 1] },
      ['beside the atoms', '"wind"'],
    ],
    ['an unknown type', [1, 2], 'gauss', ['"wind"', '\'gauss\'|"gauss"']],
    [
      'an option of another type',
      [1, 2],
      { type: 'empirical', bandwidth: 1 },
      ['no option bandwidth', '"wind"'],
    ],
    [
      'a threshold beyond the data',
      [1, 2, 3],
      { type: 'gpd', body: 'empirical', upperThreshold: 9 },
      ['10 values', '"wind"', '0 of 3'],
    ],
    [
      'too few values for a tail',
      [1, 2, 3],
      { type: 'gpd', body: 'empirical' },
      ['upper threshold', '"wind"'],
    ],
    ['no tail', [1, 2, 3], { type: 'gpd', support: [0, 4], body: 'empirical' }, ['open end', '"wind"']],
    ['an unknown option', [1, 2], { type: 'kde', width: 1 }, ['"wind"', 'width']],
    ['a bandwidth of 0', [1, 2], { type: 'kde', bandwidth: 0 }, ['"wind"', 'bandwidth', 'got 0']],
    [
      'a bandwidth beyond all',
      [1, 2],
      { type: 'kde', bandwidth: 1e20 },
      ['"wind"', '<=100', 'got 100000000000000000000'],
    ],
    ['an unknown type', [1, 2], 'cauchy', ['"wind"', 'type', 'got "cauchy"']],
  ];
  test.each(cases)('%s', (_, values, spec, culprits) => {
    let error: unknown;
    try {
      fitMargin(Float64Array.from(values), spec as MarginSpec, { column: 'wind' });
    } catch (caught) {
      error = caught;
    }
    expect(error).toBeInstanceOf(SklarError);
    expect((error as SklarError).code).toBe('ERR_SKLAR_VALUE');
    for (const culprit of culprits)
      expect((error as SklarError).message).toMatch(new RegExp(culprit.replace(/[()]/g, '\\$&')));
  });

  test.each([
    [{ name: 'gauss' }, 'known margin'],
    [{ support: [1, 0] }, 'support'],
    [{ arrays: {} }, 'values'],
    [{ arrays: { values: [1, 0], levels: [0.1, 0.9] } }, 'ascending'],
    [{ arrays: { values: [0, 1], levels: [0.1, 1.9] } }, 'levels'],
    [{ parameters: { rows: 2, lowerScale: 0, upperScale: 1 } }, 'lowerScale'],
  ])('a damaged margin %j', (change, culprit) => {
    const json = { ...fitMargin(Float64Array.of(1, 2, 4), 'empirical').toJSON(), ...change };
    expect(() => marginFromJSON(json as never)).toThrow(
      expect.objectContaining({ code: 'ERR_SKLAR_FORMAT', message: expect.stringContaining(culprit) }),
    );
  });
});
