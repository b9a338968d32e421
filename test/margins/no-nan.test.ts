import fc from 'fast-check';

import { fitMargin } from '../../lib';
import { draws, sample } from './support';

const kinds = ['auto', 'empirical', 'kde'] as const;
const shapes = [draws.normal, draws.uniform, draws.exponential, draws.lognormal, draws.cauchy, draws.bimodal];
const finite = fc.double({ noNaN: true, noDefaultInfinity: true });
const planted = fc.oneof(
  finite,
  fc
    .tuple(fc.constantFrom(-1, 1), fc.double({ min: -323, max: 308, noNaN: true }))
    .map(([sign, power]) => sign * 10 ** power),
);

test('no margin gives NaN at a finite value, nor an infinite density at its own data', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...kinds),
      fc.constantFrom(...shapes),
      fc.integer({ min: 8, max: 300 }),
      fc.integer({ min: 1, max: 1e6 }),
      fc.double({ min: -12, max: 12, noNaN: true }),
      fc.array(planted, { maxLength: 4 }),
      fc.array(finite, { minLength: 5, maxLength: 20 }),
      (kind, shape, rows, seed, power, outliers, others) => {
        const x = sample(shape, rows, seed).map((value) => 10 ** power * (20 + value));
        outliers.forEach((outlier, i) => (x[(i * 7) % rows] = outlier));
        let margin;
        try {
          margin = fitMargin(x, kind);
        } catch (error) {
          // a kernel by name needs a range that its scale reaches
          expect(String(error)).toContain('values of a finite range');
          return;
        }
        const everywhere = Float64Array.from([...x, ...others, ...outliers, 0, 5e-324, 1.79e308, -1.79e308]);
        for (const values of [
          margin.cdf(everywhere),
          margin.cdfBefore(everywhere),
          margin.survival(everywhere),
        ]) {
          expect(values.every((level) => level >= 0 && level <= 1)).toBe(true);
        }
        expect(margin.logPdf(everywhere).some(Number.isNaN)).toBe(false);
        if (kind !== 'kde') expect(margin.logPdf(x).every(Number.isFinite)).toBe(true);
        const levels = Float64Array.from({ length: 199 }, (_, k) => (k + 1) / 200);
        const drawn = margin.quantile(levels);
        expect(drawn.every((value, k) => Number.isFinite(value) && (k === 0 || value >= drawn[k - 1]!))).toBe(
          true,
        );
        const sorted = x.slice().sort();
        const f = margin.cdf(sorted);
        expect(f.every((level, k) => k === 0 || level >= f[k - 1]!)).toBe(true);
      },
    ),
    { numRuns: 60, seed: 11, endOnFailure: true },
  );
});

test('a rounding error in a column of twenties has the density of a lonely value', () => {
  const x = sample(draws.normal, 1000, 3).map((value) => 20 + value);
  const tiny = 0.1 + 0.2 - 0.3;
  x[500] = tiny;
  for (const kind of ['auto', 'empirical'] as const) {
    const margin = fitMargin(x, kind);
    const [level] = margin.cdf(Float64Array.of(tiny));
    expect(level).toBeCloseTo(1 / 1001, 6);
    // two of 1001 steps between 0 and the least of the others
    const [log] = margin.logPdf(Float64Array.of(tiny));
    const second = x.slice().sort()[1]!;
    expect(log).toBeCloseTo(Math.log(2 / 1001 / second), 9);
  }
});
