import fc from 'fast-check';

import { type MarginSpec, fitMargin, marginTypes } from '../../lib';
import { draws, sample } from './support';

const shapes = [draws.normal, draws.uniform, draws.exponential, draws.lognormal, draws.cauchy, draws.bimodal];
const finite = fc.double({ noNaN: true, noDefaultInfinity: true });
const planted = fc.oneof(
  finite,
  fc.constantFrom(0.1 + 0.2 - 0.3, -(0.1 + 0.2 - 0.3), 0, 5e-324, 1e300, -1e300, 1.7e308),
  fc
    .tuple(fc.constantFrom(-1, 1), fc.double({ min: -323, max: 308, noNaN: true }))
    .map(([sign, power]) => sign * 10 ** power),
);

test.each(marginTypes)('%s gives no NaN at a finite value, its own data first', (kind) => {
  const learned = new Set(['auto', 'empirical']);
  let fitted = 0;
  fc.assert(
    fc.property(
      fc.constantFrom(...shapes),
      fc.integer({ min: 8, max: 120 }),
      fc.integer({ min: 1, max: 1e6 }),
      fc.double({ min: -12, max: 12, noNaN: true }),
      fc.array(planted, { maxLength: 4 }),
      fc.array(finite, { minLength: 5, maxLength: 20 }),
      fc.boolean(),
      (shape, rows, seed, power, outliers, others, recurring) => {
        let x = sample(shape, rows, seed).map((value) => 10 ** power * (20 + value));
        if (kind === 'beta') sample(draws.uniform, rows, seed).forEach((u, i) => (x[i] = u));
        if (kind === 'rounded' && outliers.length < 3) {
          outliers = [];
          x = sample(shape, 10 * rows, seed).map((value) => 10 ** power * (20 + Math.round(8 * value) / 8));
        }
        if (recurring || kind === 'zero-inflated') x.fill(x[0]!, 0, Math.max(3, rows >> 2));
        outliers.forEach((outlier, i) => (x[(i * 7) % rows] = outlier));
        let margin;
        try {
          margin = fitMargin(x, kind, { column: 'x' });
        } catch (error) {
          // what a kind cannot hold is refused by name
          expect(error).toMatchObject({ code: 'ERR_SKLAR_VALUE' });
          expect(String(error)).toContain('"x"');
          expect(learned.has(kind)).toBe(false);
          return;
        }
        fitted++;
        const everywhere = Float64Array.from([...x, ...others, ...outliers, 0, 5e-324, 1.79e308, -1.79e308]);
        for (const values of [
          margin.cdf(everywhere),
          margin.cdfBefore(everywhere),
          margin.survival(everywhere),
        ]) {
          expect(values.every((level) => level >= 0 && level <= 1)).toBe(true);
        }
        expect(margin.logPdf(everywhere).some(Number.isNaN)).toBe(false);
        if (learned.has(kind)) expect(margin.logPdf(x).every(Number.isFinite)).toBe(true);
        const levels = Float64Array.from({ length: 199 }, (_, k) => (k + 1) / 200);
        const drawn = margin.quantile(levels);
        expect(drawn.some(Number.isNaN)).toBe(false);
        expect(drawn.every((value, k) => k === 0 || value >= drawn[k - 1]!)).toBe(true);
        if (learned.has(kind)) expect(drawn.every(Number.isFinite)).toBe(true);
        expect(margin.returnLevels(Float64Array.of(2, 100, 1e12, 1e17, 1e300)).some(Number.isNaN)).toBe(
          false,
        );
        const again = margin.cdf(drawn);
        expect(again.every((level, k) => k === 0 || level >= again[k - 1]! - 1e-9)).toBe(true);
        const sorted = x.slice().sort();
        const f = margin.cdf(sorted);
        expect(f.every((level, k) => k === 0 || level >= f[k - 1]! - 1e-15)).toBe(true);
      },
    ),
    { numRuns: learned.has(kind) || kind === 'rounded' ? 40 : 12, seed: 11, endOnFailure: true },
  );
  expect(fitted).toBeGreaterThan(1);
});

test('levels next to 1 of a margin that ends in its data', () => {
  const x = Float64Array.from({ length: 50 }, (_, i) => 5 + i);
  const margin = fitMargin(x, { type: 'empirical', support: [5, 54] });
  expect(margin.returnLevels(Float64Array.of(1e17, 1e300))).toEqual(Float64Array.of(54, 54));
});

test('levels beside an atom stay on their side of it', () => {
  const x = Float64Array.from({ length: 200 }, (_, i) => (i % 2 ? 414951079.3696334 : 414951079 + i / 300));
  const margin = fitMargin(x, 'zero-inflated');
  const u = Float64Array.from({ length: 9999 }, (_, i) => (i + 1) / 1e4);
  const drawn = margin.quantile(u);
  expect(drawn.every((value, k) => k === 0 || value >= drawn[k - 1]!)).toBe(true);
});

test('a rounding error in a column of twenties has the density of a lonely value', () => {
  const x = sample(draws.normal, 1000, 3).map((value) => 20 + value);
  const tiny = 0.1 + 0.2 - 0.3;
  x[500] = tiny;
  const rough = fitMargin(x, 'empirical');
  expect(rough.cdf(Float64Array.of(tiny))[0]).toBeCloseTo(1 / 1001, 6);
  // two of 1001 steps between 0 and the least of the others
  const second = x.slice().sort()[1]!;
  expect(rough.logPdf(Float64Array.of(tiny))[0]).toBeCloseTo(Math.log(2 / 1001 / second), 9);
  // a kernel spreads the row over the distance to the others, too
  const smooth = fitMargin(x);
  expect(smooth.cdf(Float64Array.of(second - 2))[0]! * 1000).toBeCloseTo(1, 0);
  const log = smooth.logPdf(Float64Array.of(tiny))[0]!;
  expect(Math.abs(log - Math.log(1 / 1000 / second))).toBeLessThan(3);
});

test('values and weights beyond what doubles can take a margin of are refused by name', () => {
  const many = (f: (i: number) => number) => Float64Array.from({ length: 60 }, (_, i) => f(i));
  const refused: [Float64Array, MarginSpec, Float64Array | undefined][] = [
    [many((i) => (i + 1) * 1e-300), 'beta', undefined],
    [many((i) => 10 ** ((i - 30) * 10)), 'gpd', many((i) => (i % 7 ? 1e-200 : 1e200))],
  ];
  for (const [values, spec, weights] of refused) {
    expect(() => fitMargin(values, spec, { column: 'flow', weights })).toThrow(
      /values and weights that have finite probabilities for the \w+ margin of column "flow"/,
    );
  }
});

test('a kernel estimate of values whose scale is as great as numbers are', () => {
  const uniform = sample(draws.uniform, 40, 3);
  const x = uniform.map((u) => 1.7e308 * (2 * u - 1) * 0.98);
  const margin = fitMargin(x, 'kde');
  expect(margin.parameters.scale).toBeGreaterThan(1e308);
  expect(margin.logPdf(x).every(Number.isFinite)).toBe(true);
  const everywhere = Float64Array.from([-Number.MAX_VALUE, ...x, 0, 1, Number.MAX_VALUE]).sort();
  const f = margin.cdf(everywhere);
  expect(f.every((level, k) => k === 0 || level >= f[k - 1]!)).toBe(true);
  // of the same values in other units, but for the ends of the numbers
  const small = fitMargin(
    x.map((value) => value * 2 ** -40),
    'kde',
  );
  const levels = Float64Array.from({ length: 9 }, (_, k) => (k + 1) / 10);
  const [drawn, other] = [margin.quantile(levels), small.quantile(levels)];
  expect(Array.from(drawn, (value, k) => Math.abs((value * 2 ** -40) / other[k]! - 1) < 1e-9)).not.toContain(
    false,
  );
});

test('a kernel estimate whose grid, stretched by an outlier, ends beside the support', () => {
  const x = Float64Array.from({ length: 200 }, (_, i) => (0.02 + (i + 0.5) / 200) * 1e-148);
  x[5] = 1e15;
  const margin = fitMargin(x, 'kde');
  const everywhere = Float64Array.from({ length: 2000 }, (_, k) => k * 1e-151);
  const f = margin.cdf(everywhere);
  expect(f.every((level, k) => k === 0 || level >= f[k - 1]!)).toBe(true);
});
