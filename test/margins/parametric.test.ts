import { type MarginType, fitMargin, marginFromJSON } from '../../lib';
import { normals, uniforms } from '../helpers/data';
import { criticalDistance, sample, uniformDistance } from './support';

/** From functions of uniform (0, 1), normal and exponential numbers. */
const by =
  (f: (normal: () => number, exponential: () => number) => number) =>
  (seed: number): (() => number) => {
    const normal = normals(seed);
    const uniform = uniforms(seed + 1000);
    return () => f(normal, () => -Math.log(uniform()));
  };

const cases: [MarginType, Record<string, number>, (seed: number) => () => number][] = [
  ['normal', { mean: 5, deviation: 2 }, by((n) => 5 + 2 * n())],
  ['student-t', { location: 3, scale: 2, df: 4 }, by((n, e) => 3 + (2 * n()) / Math.sqrt((e() + e()) / 2))],
  [
    'johnson-su',
    { location: 1, scale: 2, skew: 1, shape: 1.5 },
    by((n) => 1 + 2 * Math.sinh((n() - 1) / 1.5)),
  ],
  ['logistic', { location: 1, scale: 2 }, by((_, e) => 1 - 2 * Math.log(Math.expm1(e())))],
  ['gumbel', { location: 0, scale: 1 }, by((_, e) => -Math.log(e()))],
  ['generalised-extreme-value', { location: 0, scale: 1, shape: 0.2 }, by((_, e) => (e() ** -0.2 - 1) / 0.2)],
  ['log-normal', { mean: 1, deviation: 0.5 }, by((n) => Math.exp(1 + n() / 2))],
  ['exponential', { scale: 3 }, by((_, e) => 3 * e())],
  ['gamma', { shape: 3, scale: 2 }, by((_, e) => 2 * (e() + e() + e()))],
  ['weibull', { shape: 2.5, scale: 4 }, by((_, e) => 4 * e() ** 0.4)],
  [
    'beta',
    { a: 2, b: 3 },
    by((_, e) => {
      const a = e() + e();
      return a / (a + e() + e() + e());
    }),
  ],
];

describe.each(cases)('%s', (name, parameters, draw) => {
  const rows = 1000;
  const x = sample(draw, rows, 1);
  const margin = fitMargin(x, name);

  test('parameters are found again, and held-out rows have uniform levels', () => {
    expect(margin.name).toBe(name);
    expect(Object.keys(margin.parameters)).toEqual(Object.keys(parameters));
    // the four of Johnson's family make up for one another
    const tolerance = name === 'johnson-su' ? 0.4 : name === 'student-t' ? 0.3 : 0.15;
    for (const [key, value] of Object.entries(parameters)) {
      expect(Math.abs(margin.parameters[key]! - value)).toBeLessThan(tolerance * Math.max(1, value));
    }
    expect(uniformDistance(margin.cdf(sample(draw, rows, 2)))).toBeLessThan(criticalDistance(rows, rows));
  });

  test('the quantile undoes F, the density is its derivative, and JSON keeps everything', () => {
    const few = x.slice(0, 100);
    const back = margin.quantile(margin.cdf(few));
    few.forEach((value, i) => expect(Math.abs(back[i]! - value)).toBeLessThan(1e-9 * (1 + Math.abs(value))));
    const h = 1e-5;
    const [above, below] = [
      margin.cdf(few.map((value) => value + h)),
      margin.cdf(few.map((value) => value - h)),
    ];
    margin.logPdf(few).forEach((log, i) => {
      expect(Math.abs((above[i]! - below[i]!) / (2 * h) - Math.exp(log))).toBeLessThan(1e-5);
    });
    expect(margin.quantile(Float64Array.of(0, 1, -1, NaN))).toEqual(
      Float64Array.of(...margin.support, NaN, NaN),
    );
    expect(margin.cdf(Float64Array.of(-Infinity, Infinity, NaN))).toEqual(Float64Array.of(0, 1, NaN));
    const again = marginFromJSON(JSON.parse(JSON.stringify(margin)));
    expect(again.logPdf(few)).toEqual(margin.logPdf(few));
    expect(again.support).toEqual(margin.support);
  });
});

test('the least AIC chooses', () => {
  for (const name of ['log-normal', 'gamma'] as const) {
    const [, , draw] = cases.find(([type]) => type === name)!;
    expect(fitMargin(sample(draw, 600, 3), 'parametric').name).toBe(name);
  }
});

test('what a family cannot give is named', () => {
  const refused = (values: number[], type: MarginType, ...culprits: string[]): void => {
    for (const culprit of ['"wind"', ...culprits]) {
      expect(() => fitMargin(Float64Array.from(values), type, { column: 'wind' })).toThrow(
        expect.objectContaining({ code: 'ERR_SKLAR_VALUE', message: expect.stringContaining(culprit) }),
      );
    }
  };
  const nine = [1, 2, 3, 4, 5, 6, 7, 8, 9];
  refused([-1, ...nine], 'gamma', 'between 0 and Infinity', 'got -1');
  refused([0, ...nine], 'log-normal', 'got 0');
  refused([-1, ...nine], 'exponential', 'from 0', 'got -1');
  refused(nine, 'beta', 'between 0 and 1', 'got 1');
  refused([1, 2, 3], 'normal', 'at least 8 rows', 'got 3');
  expect(() => fitMargin(Float64Array.from(nine), { type: 'normal', support: [0, 10] })).toThrow(
    'no option support',
  );
  const json = fitMargin(Float64Array.from(nine), 'gamma').toJSON();
  expect(() => marginFromJSON({ ...json, parameters: { shape: -1, scale: 1 } })).toThrow('"shape"');
});

test('a law that goes beyond a plain end says so', () => {
  const next = uniforms(4);
  const ages = Float64Array.from({ length: 400 }, () => -20 * Math.log(next()));
  const margin = fitMargin(ages, 'normal', { column: 'age' });
  const share = margin.cdf(Float64Array.of(0))[0]!;
  const note = margin.notes.find(({ code }) => code === 'fit');
  expect(note!.message).toContain('column "age": the normal law has ');
  expect(note!.message).toContain(`${Number((100 * share).toPrecision(3))} % of its probability below 0`);
  expect(fitMargin(ages, 'weibull', { column: 'age' }).notes.filter(({ code }) => code === 'fit')).toEqual(
    [],
  );
  const percentages = Float64Array.from({ length: 400 }, () => 100 * next());
  const [both] = fitMargin(percentages, 'logistic').notes;
  expect(both!.message).toMatch(
    /below 0 and [\d.]+ % of its probability above 100, where the data have no value/,
  );
});

test('what a law has beyond an end that is an atom is said', () => {
  const x = Float64Array.from({ length: 800 }, (_, i) =>
    Math.max(18, 40 + 15 * Math.sin(1.7 * i) + ((i * 37) % 11) - 12),
  );
  const margin = fitMargin(x, 'normal');
  const below = margin.cdfBefore(Float64Array.of(18))[0]!;
  expect(below).toBeGreaterThan(0.005);
  const notes = margin.notes.filter(({ code }) => code === 'fit').map(({ message }) => message);
  expect(notes).toEqual([
    expect.stringMatching(/of its probability below 18\b/),
    expect.stringContaining(
      "the normal law is up to 8.7 standard deviations from the data's own distribution",
    ),
  ]);
});

test('options that a law does not have are shown as they were given', () => {
  const x = Float64Array.from({ length: 100 }, (_, i) => Math.sin(i));
  expect(() => fitMargin(x, { type: 'normal', support: [-2, 2] } as never)).toThrow('got [-2,2]');
});
