import fc from 'fast-check';

import { type MarginOptions, fitMargin, marginFromJSON } from '../../lib';
import { caseColumn, caseNumbers } from '../helpers/cases';
import { normals, uniforms } from '../helpers/data';
import { draws, sample } from './support';

const share = (x: Float64Array, where: (value: number) => boolean): number =>
  x.reduce((sum, value) => sum + (where(value) ? 1 : 0), 0) / x.length;

/** Whether the share of rows up to a fitted quantile is the level, within four binomial standard deviations. */
function expectBand(x: Float64Array, level: number, quantile: number): void {
  const error = 4 * Math.sqrt((level * (1 - level)) / x.length) + 1 / x.length;
  expect(share(x, (value) => value < quantile)).toBeLessThan(level + error);
  expect(share(x, (value) => value <= quantile)).toBeGreaterThan(level - error);
}

describe('returns of an illiquid asset, with exact zeros between losses and gains', () => {
  test.each([
    ['z70', NaN, NaN, -0.0061],
    ['z80', 0.071, -0.0157, -0.0033],
    ['z85', NaN, NaN, -0.0016],
  ])('%s', (file, negative, first, fifth) => {
    const x = caseColumn(`illiquid/${file}.csv`, 'illiquid');
    const margin = fitMargin(x, 'gpd', { column: 'illiquid' });
    const below = margin.cdfBefore(Float64Array.of(0))[0]!;
    expect(Math.abs(below - share(x, (value) => value < 0))).toBeLessThan(1e-3);
    if (negative) expect(Math.abs(below - negative)).toBeLessThan(1e-3);
    const [q1, q5, q50, q95, q99] = margin.quantile(Float64Array.of(0.01, 0.05, 0.5, 0.95, 0.99));
    if (first) expect(Math.abs(q1! / first - 1)).toBeLessThan(0.08);
    expect(Math.abs(q5! / fifth - 1)).toBeLessThan(0.08);
    expect(q50).toBe(0);
    [q1, q5, q95, q99].forEach((q, k) => expectBand(x, [0.01, 0.05, 0.95, 0.99][k]!, q!));
    for (const code of ['atoms', 'threshold']) {
      expect(margin.notes.map((note) => note.code)).toContain(code);
    }
    for (const { message } of margin.notes) expect(message).toContain('"illiquid"');
  });
});

test.each(['empirical', 'kde'] as const)('daily rain with a body %s', (body) => {
  const x = caseNumbers('rain/rain90.json');
  const margin = fitMargin(x, { type: 'gpd', body });
  const [q50, q95, q99] = margin.quantile(Float64Array.of(0.5, 0.95, 0.99));
  expect(q50).toBe(0);
  expect(Math.abs(q95! / 3.97 - 1)).toBeLessThan(0.1);
  expect(Math.abs(q99! / 15.1 - 1)).toBeLessThan(0.1);
});

test('zeros between two tails', () => {
  const x = caseColumn('rain/two-sided-zeros.csv', 'x');
  const margin = fitMargin(x, 'gpd');
  const [q75, q95, q99] = margin.quantile(Float64Array.of(0.75, 0.95, 0.99));
  expect(q75).toBe(0);
  expect(Math.abs(q95! - 0.72)).toBeLessThan(0.03);
  // 8 of 1000 rows are above 1.74, the next above 1.65
  expect(Math.abs(q99! / 1.65 - 1)).toBeLessThan(0.13);
  expectBand(x, 0.99, q99!);
});

test('thresholds lie between values and beyond atoms, and the rows beyond are the data', () => {
  const next = normals(3);
  const coin = uniforms(4);
  const x = Float64Array.from({ length: 3000 }, () => {
    const value = next();
    return coin() < 0.4 ? 1.5 : Math.round(value * 20) / 20;
  });
  const margin = fitMargin(x, 'gpd');
  const { lowerThreshold, upperThreshold, lowerMass, upperMass } = margin.parameters as Record<
    string,
    number
  >;
  expect(x).not.toContain(lowerThreshold);
  expect(upperThreshold).toBeGreaterThan(1.5);
  expect(x).not.toContain(upperThreshold);
  expect(upperMass).toBeCloseTo(
    share(x, (value) => value > upperThreshold!),
    12,
  );
  expect(lowerMass).toBeCloseTo(
    share(x, (value) => value < lowerThreshold!),
    12,
  );
  const [below, above] = margin.cdf(Float64Array.of(lowerThreshold!, upperThreshold!));
  expect(below).toBeCloseTo(lowerMass!, 12);
  expect(above).toBeCloseTo(1 - upperMass!, 12);
  expect(margin.quantile(Float64Array.of(0.7))[0]).toBe(1.5);
});

test('an atom beyond a threshold is refused, an outermost one has no tail beyond it', () => {
  const next = normals(5);
  const capped = Float64Array.from({ length: 2000 }, () => Math.min(1, next()));
  expect(() => fitMargin(capped, { type: 'gpd', upperThreshold: 0.5 }, { column: 'humidity' })).toThrow(
    expect.objectContaining({ code: 'ERR_SKLAR_VALUE', message: expect.stringContaining('"humidity"') }),
  );
  const margin = fitMargin(capped, 'gpd');
  expect(Object.keys(margin.parameters).filter((key) => key.startsWith('upper'))).toEqual([]);
  expect(margin.support[1]).toBe(1);
  expect(margin.notes.some(({ message }) => message.includes('no upper tail'))).toBe(true);
  expect(margin.quantile(Float64Array.of(0.99))[0]).toBe(1);
});

test('mirrored data have mirrored tails', () => {
  for (const x of [sample(draws.lognormal, 1500, 1), caseColumn('illiquid/z80.csv', 'illiquid')]) {
    const options: MarginOptions = {
      type: 'gpd',
      lowerThreshold: 'auto',
      upperThreshold: 'auto',
      support: [null, null],
    };
    const a = fitMargin(x, options);
    const b = fitMargin(
      x.map((value) => -value),
      options,
    );
    expect(b.parameters.lowerThreshold).toBeCloseTo(-a.parameters.upperThreshold!, 12);
    expect(b.parameters.upperShape).toBeCloseTo(a.parameters.lowerShape!, 9);
    const levels = Float64Array.of(1e-4, 1e-3, 0.01, 0.05, 0.2);
    const lower = a.quantile(levels);
    const upper = b.returnLevels(levels.map((level) => 1 / level));
    lower.forEach((value, k) =>
      expect(Math.abs(upper[k]! + value)).toBeLessThan(1e-9 * Math.abs(value) + 1e-12),
    );
  }
});

describe('bounded tails', () => {
  test.each([400, 1000, 5000])('of %d uniform numbers stay below 1', (rows) => {
    for (const seed of [1, 2, 3]) {
      const margin = fitMargin(sample(uniforms, rows, seed), 'gpd');
      const level = margin.returnLevels(Float64Array.of(1000))[0]!;
      expect(level).toBeLessThanOrEqual(1);
      expect(level).toBeGreaterThan(0.99);
      expect(margin.support[1]).toBeLessThanOrEqual(1);
    }
  });

  test('end where the support is said to end', () => {
    const x = sample(draws.exponential, 1000, 6).map((value) => Math.min(value, 3 - 1e-9 * value));
    const margin = fitMargin(
      sample(draws.exponential, 300, 7).filter((value) => value < 3),
      {
        type: 'gpd',
        support: [0, 3],
        upperThreshold: 'auto',
      },
    );
    expect(x.length).toBe(1000);
    expect(margin.support).toEqual([0, 3]);
    expect(margin.cdf(Float64Array.of(3, 4))).toEqual(Float64Array.of(1, 1));
    expect(margin.survival(Float64Array.of(2.9))[0]).toBeGreaterThan(0);
    const far = margin.returnLevels(Float64Array.of(1e3, 1e6, 1e12));
    expect(Math.max(...far)).toBeLessThanOrEqual(3);
    expect(far[2]! - far[1]!).toBeGreaterThanOrEqual(0);
    expect(margin.logPdf(Float64Array.of(3.1))[0]).toBe(-Infinity);
    const again = marginFromJSON(JSON.parse(JSON.stringify(margin)));
    expect(again.quantile(Float64Array.of(0.001, 0.5, 0.999))).toEqual(
      margin.quantile(Float64Array.of(0.001, 0.5, 0.999)),
    );
  });

  test('an estimate at the end of its range is told', () => {
    const next = uniforms(8);
    // density rises to its end
    const x = Float64Array.from({ length: 2000 }, () => 0.987654 * next() ** 0.2);
    const { notes } = fitMargin(x, 'gpd', { column: 'level' });
    expect(notes.find(({ code }) => code === 'bound')?.message).toContain('upper tail');
  });
});

test('a margin without masses of its own, as stored before, has those of its body', () => {
  const margin = fitMargin(sample(draws.normal, 1500, 9), 'gpd');
  const json = JSON.parse(JSON.stringify(margin));
  delete json.parameters.upperMass;
  delete json.parameters.lowerMass;
  const old = marginFromJSON(json) as typeof margin & { body: typeof margin };
  const { upperThreshold } = old.parameters as Record<string, number>;
  const at = Float64Array.of(upperThreshold!);
  expect(old.cdf(at)[0]).toBeCloseTo(old.body.cdf(at)[0]!, 14);
  const inside = Float64Array.of(-0.3, 0, 0.3);
  expect(old.logPdf(inside)).toEqual(old.body.logPdf(inside));
});

test('any column: quantiles ascend and are finite, F undoes them, the density has mass 1', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 1e6 }),
      fc.constantFrom(0, 0.3, 0.8),
      fc.constantFrom(0, 0.02, 0.2),
      fc.constantFrom(...(['normal', 'lognormal', 'cauchy', 'exponential'] as const)),
      fc.constantFrom(1, 1e-200, 1e150),
      (seed, zeros, step, law, unit) => {
        const coin = uniforms(seed + 1);
        const x = sample(draws[law], 400, seed).map(
          (value) => unit * (coin() < zeros ? 0 : step > 0 ? Math.round(value / step) * step : value),
        );
        let margin;
        try {
          margin = fitMargin(x, { type: 'gpd', body: 'empirical' }, { column: 'any' });
        } catch (error) {
          expect(error).toMatchObject({ code: 'ERR_SKLAR_VALUE', message: expect.stringContaining('"any"') });
          return;
        }
        const levels = Float64Array.from({ length: 401 }, (_, i) =>
          Math.min(1 - 1e-9, Math.max(1e-9, i / 400)),
        );
        const quantiles = margin.quantile(levels);
        const back = margin.cdf(quantiles);
        const before = margin.cdfBefore(quantiles);
        quantiles.forEach((value, i) => {
          expect(Number.isFinite(value)).toBe(true);
          if (i > 0) expect(value).toBeGreaterThanOrEqual(quantiles[i - 1]!);
          expect(back[i]).toBeGreaterThan(levels[i]! - 1e-9);
          expect(before[i]).toBeLessThan(levels[i]! + 1e-9);
        });
        margin.logPdf(x).forEach((log) => expect(log).not.toBeNaN());
      },
    ),
    { numRuns: 20, seed: 1 },
  );
});
