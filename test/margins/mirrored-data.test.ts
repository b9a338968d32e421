/** What is learned of -x mirrors what is learned of x, and families are compared in the same units. */
import { type MarginSpec, fitMargin } from '../../lib';
import { resolutionOf } from '../../lib/margins/basis/rounding';
import { uniforms } from '../helpers/data';

const normal = (u: () => number): number => Math.sqrt(-2 * Math.log(1 - u())) * Math.cos(2 * Math.PI * u());

const shapes: Record<string, (u: () => number) => number> = {
  normal,
  uniform: (u) => u(),
  hour: (u) => 24 * u(),
  angle: (u) => Math.PI * (2 * u() - 1),
  exponential: (u) => -Math.log(1 - u()),
  'log-normal': (u) => Math.exp(3 * normal(u)),
  cents: (u) => Math.round(100 * Math.exp(4 + normal(u))) / 100,
  rain: (u) => (u() < 0.7 ? 0 : -Math.log(1 - u())),
  censored: (u) => Math.min(2, -Math.log(1 - u())),
  share: (u) => (u() < 0.2 ? Math.round(u()) : u()),
  clusters: (u) => (u() < 0.5 ? -1e6 : 1e6) + normal(u),
};

const levels = Float64Array.of(0.001, 0.0123, 0.07, 0.26, 0.4987, 0.77, 0.913, 0.9876, 0.999);

describe.each(['auto', 'kde', 'empirical', 'gpd'] satisfies MarginSpec[])('%s', (spec) => {
  test.each(Object.keys(shapes))('%s', (name) => {
    for (const rows of [301, 1002]) {
      const u = uniforms(rows);
      const x = Float64Array.from({ length: rows }, () => shapes[name]!(u));
      const y = x.map((value) => 0 - value);
      // a gpd margin needs an open end
      if (spec === 'gpd' && ['censored', 'share'].includes(name)) {
        expect(() => fitMargin(x, spec)).toThrow('an open end of the support');
        expect(() => fitMargin(y, spec)).toThrow('an open end of the support');
        continue;
      }
      const margin = fitMargin(x, spec);
      const mirrored = fitMargin(y, spec);
      expect(mirrored.name).toBe(margin.name);
      expect(mirrored.notes.map(({ code }) => code).sort()).toEqual(
        margin.notes.map(({ code }) => code).sort(),
      );
      const scale = Math.max(...x.map(Math.abs));
      const ahead = margin.quantile(levels);
      const behind = mirrored.quantile(levels.map((level) => 1 - level));
      ahead.forEach((value, k) => {
        expect(Math.abs(value + behind[k]!)).toBeLessThan(1e-6 * scale);
      });
      const [log, ofMirrored] = [margin.logPdf(x), mirrored.logPdf(y)];
      log.forEach((value, i) => {
        expect(Math.abs(value - ofMirrored[i]!)).toBeLessThan(1e-5 * (1 + Math.abs(value)));
      });
    }
  });
});

// laws that mirrored values have, too
describe.each(['normal', 'student-t', 'logistic', 'johnson-su'] as const)('%s', (family) => {
  test.each(['normal', 'uniform', 'exponential', 'cents', 'clipped'])('%s', (name) => {
    const u = uniforms(5);
    const draw = () => {
      let x = normal(u);
      while (Math.abs(x) < 0.3 || x < -1 || x > 1.2) x = normal(u);
      return x;
    };
    const x = Float64Array.from({ length: 800 }, name === 'clipped' ? draw : () => shapes[name]!(u));
    const likelihood = (values: Float64Array) =>
      fitMargin(values, family)
        .logPdf(values)
        .reduce((sum, log) => sum + log, 0);
    const [one, other] = [likelihood(x), likelihood(x.map((value) => 0 - value))];
    expect(Math.abs(one - other)).toBeLessThan(1e-3);
    // a law with these and two more parameters is as likely as a normal one
    const normalOne = fitMargin(x, 'normal');
    if (family === 'johnson-su' && !normalOne.hasAtoms) {
      expect(one).toBeGreaterThan(normalOne.logPdf(x).reduce((sum, log) => sum + log, 0) - 0.1);
    }
  });
});

test('steps of rounded values are found from either end', () => {
  for (const step of [0.01, 0.05, 0.1, 1]) {
    for (let seed = 0; seed < 20; seed++) {
      const u = uniforms(seed);
      const grid = new Set(Array.from({ length: 100 }, () => Math.round(100 * Math.exp(1.5 * normal(u)))));
      const values = Float64Array.from(grid, (count) => Number((count * step).toFixed(2))).sort();
      for (const sign of [1, -1]) {
        const turned = values.map((value) => sign * value).sort();
        expect(resolutionOf({ values: turned }) / step).toBeCloseTo(1, 9);
      }
    }
  }
});

test('log-normal values are taken for log-normal ones, whatever their spread', () => {
  for (const deviation of [3, 5, 8, 12, 20, 60]) {
    // the widest in other units, too
    for (const unit of deviation === 60 ? [1e-9, 1, 1e12] : [1]) {
      const u = uniforms(7);
      const x = Float64Array.from({ length: 300 }, () => unit * Math.exp(deviation * normal(u)));
      expect(fitMargin(x, 'parametric').name).toBe('log-normal');
    }
  }
});

test('values at an end of the support have a density', () => {
  const u = uniforms(3);
  const x = Float64Array.from({ length: 3000 }, () => 1950 + Math.floor(70 * Math.sqrt(u())));
  const margin = fitMargin(x, { type: 'kde', support: [1950, 2019] });
  expect(margin.logPdf(x).every(Number.isFinite)).toBe(true);
});

test('parametric leaves no value without a density, and no column to a law that it cannot have', () => {
  const u = uniforms(5);
  const counts = Float64Array.from({ length: 300 }, () => Math.round(-1.2 * Math.log(1 - u())));
  expect(fitMargin(counts, 'parametric').logPdf(counts).every(Number.isFinite)).toBe(true);
  const rain = Float64Array.from({ length: 30 }, (_, i) => (i < 25 ? 7 : 7 + -Math.log(1 - u())));
  expect(() => fitMargin(rain, 'parametric', { column: 'rain' })).toThrow(
    'at least 8 rows beside the values that recur',
  );
});

test('a kernel estimate that cannot follow the data says so', () => {
  const u = uniforms(9);
  const x = Float64Array.from({ length: 3000 }, () => (u() < 0.5 ? -1e6 : 1e6) + normal(u));
  const [note] = fitMargin(x, 'kde', { column: 'depth' }).notes;
  expect(note).toMatchObject({ code: 'fit', columns: ['depth'] });
  expect(note!.message).toMatch(/standard deviations from the data's own distribution/);
});
