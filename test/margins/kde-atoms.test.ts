import { fitMargin, marginFromJSON } from '../../lib';
import { jsonColumn } from './cases';
import { draws, sample } from './support';

const at = (...x: number[]) => Float64Array.from(x);

test('rain of half the days', () => {
  const x = jsonColumn('rain/rain50.json');
  const margin = fitMargin(x, 'kde', { column: 'rain' });
  const [one, five] = margin.cdf(at(1, 5)) as unknown as [number, number];
  expect(one).toBeCloseTo(0.591, 2);
  expect(five).toBeCloseTo(0.79, 2);
  expect(margin.cdf(at(0))[0]).toBe(x.filter((value) => value === 0).length / x.length);
  expect(margin.notes[0]).toEqual({
    code: 'atoms',
    columns: ['rain'],
    message: 'column "rain": the value 0 (50 %) has a probability of its own',
  });
});

test.each([['kde'], [{ type: 'gpd', body: 'kde' }], ['auto'], ['empirical']] as const)(
  'rain of few days: %j',
  (spec) => {
    const margin = fitMargin(jsonColumn('rain/rain90.json'), spec);
    const [median, high, highest] = margin.quantile(at(0.5, 0.95, 0.99)) as unknown as [
      number,
      number,
      number,
    ];
    expect(median).toBe(0);
    // of 497 wet days it is the median, whose standard deviation is 0.25
    expect(Math.abs(high - 3.97)).toBeLessThan(0.25);
    expect(Math.abs(highest - 15.1)).toBeLessThan(1.2);
    const again = marginFromJSON(JSON.parse(JSON.stringify(margin)));
    expect(again.quantile(at(0.5, 0.95, 0.99))).toEqual(at(median, high, highest));
  },
);

test('an atom in the middle of a kernel estimate', () => {
  const margin = fitMargin(jsonColumn('rain/tie0.3.json'), 'kde');
  const [before, upTo] = [margin.cdfBefore(at(20))[0]!, margin.cdf(at(20))[0]!];
  expect(upTo - before).toBeCloseTo(0.3, 12);
  const [upper] = margin.quantile(at(0.75)) as unknown as [number];
  expect(upper).toBeGreaterThan(21);
  expect(upper).toBeLessThan(23.4);
});

test('atoms of few rows stand out, values that recur by rounding or chance do not', () => {
  const x = sample(draws.normal, 60, 1);
  x.set([0.5, 0.5, 0.5, 0.5], 10);
  expect(fitMargin(x, 'kde').hasAtoms).toBe(true);
  const rounded = sample(draws.normal, 300, 2).map((value) => Math.round(100 * value) / 100);
  expect(fitMargin(rounded).hasAtoms).toBe(false);
  const pool = sample(draws.normal, 400, 3);
  const resampled = sample(draws.uniform, 400, 4).map((u) => pool[Math.floor(400 * u)]!);
  expect(fitMargin(resampled).hasAtoms).toBe(false);
});

test('a kernel estimate of nothing but atoms is discrete', () => {
  const flags = sample(draws.uniform, 100, 1).map(Math.round);
  const margin = fitMargin(flags, 'kde');
  expect(margin.name).toBe('discrete');
  expect(margin.notes[0]!.message).toContain('discrete, with the 2 different values of the data');
});

test('parts of stored margins are what they can be', () => {
  const json = fitMargin(jsonColumn('rain/rain90.json'), 'kde').toJSON();
  const nested = { ...json, parts: { rest: json } };
  expect(() => marginFromJSON(nested)).toThrow(expect.objectContaining({ code: 'ERR_SKLAR_FORMAT' }));
  // thousands of levels, and a circle
  let deep: unknown = json;
  for (let level = 0; level < 20_000; level++) deep = { ...json, parts: { rest: deep } };
  const circle = { ...json, parts: {} as object };
  circle.parts = { rest: circle };
  for (const bad of [deep, circle, JSON.parse('['.repeat(50_000) + ']'.repeat(50_000))]) {
    expect(() => marginFromJSON(bad as never)).toThrow(/levels of objects in objects/);
  }
});
