import { fitMargin } from '../../lib';
import { inferSupport } from '../../lib/margins/basis/support';
import { normals, uniforms } from '../helpers/data';
import { csvColumn } from './cases';
import { draws, sample } from './support';

const within = (x: Float64Array) => fitMargin(x, 'auto', { column: 'x' });
const scaled = (from: number, to: number) => (seed: number) => {
  const next = uniforms(seed);
  return () => from + (to - from) * next();
};

describe('the file of humidity, shares and concentrations', () => {
  test.each([
    ['humidity', 0, 100],
    ['share', 0, 1],
    ['conc', 0, Infinity],
  ])('%s', (name, lower, upper) => {
    const x = csvColumn('bounded/h800.csv', name);
    for (const rows of [640, 800]) {
      const margin = fitMargin(x.slice(0, rows), 'auto', { column: name });
      expect(margin.support).toEqual([lower, upper]);
      const drawn = margin.quantile(sample(draws.uniform, 20_000, 1));
      expect(drawn.every((value) => value >= lower && value <= upper)).toBe(true);
    }
  });

  test('what was inferred is said', () => {
    const { notes } = fitMargin(csvColumn('bounded/h800.csv', 'humidity'), 'auto', { column: 'humidity' });
    expect(notes).toHaveLength(1);
    expect(notes[0]).toMatchObject({ code: 'support', columns: ['humidity'] });
    expect(notes[0]!.message).toMatch(
      /^column "humidity": no value below 0 or above 100 \(\d+ within [\d.]+ of it\) in the data, so the model has none$/,
    );
  });

  test('ages that begin at 18', () => {
    const margin = fitMargin(csvColumn('bounded/h800.csv', 'age'));
    expect(margin.support[0]).toBe(18);
    expect(margin.cdfBefore(Float64Array.of(18))[0]).toBe(0);
    expect(margin.cdf(Float64Array.of(18))[0]).toBeCloseTo(53 / 800, 12);
  });
});

test.each([
  ['shares', 0, 1],
  ['percentages', 0, 100],
  ['angles', 0, 360],
  ['radians', -Math.PI, Math.PI],
  ['scores', 1, 10],
  ['correlations', -1, 1],
  ['hours', 0, 24],
  ['losses', -50, 0],
])('constant densities of %s end where they end', (_, lower, upper) => {
  for (const rows of [500, 3000])
    expect(within(sample(scaled(lower, upper), rows, 3)).support).toEqual([lower, upper]);
});

test('values that pile up at their limits, mirrored too', () => {
  const clipped = sample(scaled(-0.2, 1.2), 300, 1).map((x) => Math.min(1, Math.max(0, x)));
  expect(within(clipped).support).toEqual([0, 1]);
  expect(within(clipped.map((x) => -x)).support).toEqual([-1, 0]);
  const capped = sample(draws.normal, 400, 2).map((x) => Math.min(x, 1.37));
  expect(within(capped).support).toEqual([-Infinity, 1.37]);
});

test.each([20, 50, 100, 200, 500, 1000, 5000])('%i normal values have no end', (rows) => {
  const samples = Math.min(2000, Math.ceil(150_000 / rows));
  const next = uniforms(rows);
  let [anywhere, adversary] = [0, 0];
  for (let k = 0; k < samples; k++) {
    const normal = normals(1000 * rows + k);
    const [mean, deviation] = [200 * next() - 100, 10 ** (2 * next() - 0.5)];
    const sorted = Float64Array.from({ length: rows }, () => mean + deviation * normal()).sort();
    anywhere += Number(inferSupport({ sorted }).evidence.some((end) => end !== null));
    // moved so that the greatest value is just below a round number
    const shift = 100 - (2 * next() * deviation) / rows - sorted.at(-1)!;
    adversary += Number(inferSupport({ sorted: sorted.map((x) => x + shift) }).evidence[1] !== null);
  }
  // three standard deviations above rates of 0.05 % and 0.5 %
  expect(anywhere).toBeLessThan(1 + 5e-4 * samples + 3 * Math.sqrt(5e-4 * samples));
  expect(adversary).toBeLessThan(1 + 5e-3 * samples + 3 * Math.sqrt(5e-3 * samples));
});

test('a support that is given holds, and nothing is said', () => {
  const x = csvColumn('bounded/h800.csv', 'humidity');
  const margin = fitMargin(x, { type: 'auto', support: [0, 110] });
  expect([margin.support, margin.notes]).toEqual([[0, 110], []]);
});
