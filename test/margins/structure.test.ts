import { Margins, Table, fitMargin } from '../../lib';
import { normals, uniforms } from '../helpers/data';
import { csvColumn, outsideBands } from './cases';
import { type Draw, draws, sample } from './support';

/** x of a uniform and a normal generator. */
const of =
  (draw: (u: () => number, z: () => number, row: number) => number): Draw =>
  (seed) => {
    const [u, z] = [uniforms(seed), normals(seed + 7)];
    let row = 0;
    return () => draw(u, z, row++);
  };
const poisson = (u: () => number, mean: number): number => {
  let [k, product] = [0, u()];
  for (const least = Math.exp(-mean); product > least; k++) product *= u();
  return k;
};
const round = (x: number, step: number): number => Math.round(x / step) * step;

const shapes: Record<string, Draw> = {
  normal: draws.normal,
  'normal far away': of((_, z) => 1e9 + z()),
  uniform: draws.uniform,
  'U-shaped': of((u) => Math.sin((Math.PI / 2) * u()) ** 2),
  exponential: draws.exponential,
  'Pareto of index 1/2': of((u) => u() ** -2),
  'Pareto of index 1/10': of((u) => u() ** -10),
  Cauchy: draws.cauchy,
  'log-normal': of((_, z) => Math.exp(3 * z())),
  'log-normal over 40 decades': of((_, z) => Math.exp(10 * z())),
  'negative log-normal': of((_, z) => -Math.exp(3 * z())),
  'two hills': of((u, z) => (u() < 0.3 ? z() : 20 + 5 * z())),
  'two clusters': of((u, z) => (u() < 0.5 ? 0.001 * z() : 1e9 + 0.001 * z())),
  'five clusters': of((u, z) => Math.floor(5 * u()) ** 9 * 1e3 + z()),
  'a small cluster': of((u, z) => (u() < 0.03 ? 1e6 + z() : z())),
  'an atom below': of((u) => (u() < 0.3 ? 0 : -Math.log(u()))),
  'an atom above': of((u) => Math.min(1, 1.3 * u())),
  'an atom in the middle': of((u, z) => (u() < 0.4 ? 20 : 20 + 5 * z())),
  'eleven small atoms': of((u) => (u() < 0.2 ? Math.round(10 * u()) * 10 : 100 * u())),
  'Poisson numbers': of((u) => poisson(u, 3)),
  'negative binomial numbers': of((u, z) => poisson(u, 5 * z() ** 2)),
  'large counts': of((u) => Math.floor(1e6 * u())),
  'rounded normals': of((_, z) => round(z(), 0.01)),
  'finely rounded normals': of((_, z) => round(z(), 0.001)),
  'prices in cents': of((_, z) => Math.round(100 * Math.exp(3 + z())) / 100),
  'heaped heights': of((u, z) => (u() < 0.4 ? round(170 + 10 * z(), 5) : round(170 + 10 * z(), 0.1))),
  'heaped incomes': of((u, z) => (u() < 0.4 ? round(5e4 * Math.exp(z()), 1000) : 5e4 * Math.exp(z()))),
  'a code below': of((u, z) => (u() < 0.05 ? -999 : 20 + 5 * z())),
  'a code of 1e300': of((u, z) => (u() < 0.02 ? 1e300 : 20 + 5 * z())),
  'a gap': of((u, z) => (u() < 0.5 ? -1 : 1) * (5 + Math.abs(z()))),
  'nearly constant with an outlier': of((_, z, row) => (row === 3 ? 1e9 : 20 + 1e-6 * z())),
  'a rounding error among twenties': of((_, z, row) => (row === 3 ? 0.1 + 0.2 - 0.3 : 20 + z())),
  denormal: of((u) => Math.floor(1e6 * u()) * 5e-324),
  'half denormal': of((u) => (u() < 0.5 ? Math.floor(1e6 * u()) * 5e-324 : 1 + u())),
  'as great as numbers get': of((u) => (u() < 0.5 ? -1 : 1) * 1.7e308 * u()),
  'placeholders at both ends': of((_, z, row) => (row === 2 ? -1.7e308 : row === 5 ? 1.7e308 : z())),
  '400 decades': of((u) => 10 ** (400 * u() - 200)),
  'eight decades': of((u) => 10 ** (8 * u())),
  '40 decades of either sign': of((u) => (u() < 0.5 ? -1 : 1) * 10 ** (40 * u() - 20)),
  'three hills of different widths': of((u, z) => [0.1 * z(), 5 + z(), 40 + 6 * z()][Math.floor(3 * u())]!),
  'a narrow hill on a wide one': of((u, z) => (u() < 0.2 ? 1 + 0.02 * z() : 3 * z())),
  'contaminated normals': of((u, z) => (u() < 0.05 ? 30 : 1) * z()),
  'a spike inside a range': of((u) => (u() < 0.15 ? 0.7 + 1e-9 * u() : u())),
  'an open uniform': of((u) => -3.7 + 11.9 * u()),
  'a triangle': of((u) => u() + u()),
  'a steep begin far from zero': of((u) => 137.31 - Math.log(u())),
  'a steep end': of((u) => 41.7 + Math.log(u())),
  'half normals of both signs with a hole': of((u, z) => (u() < 0.5 ? -1 : 1) * (0.2 + Math.abs(z()))),
  Laplace: of((u) => (u() < 0.5 ? -1 : 1) * Math.log(u())),
  'Student of 3 degrees': of((u, z) => z() / Math.sqrt((-2 * Math.log(u()) + z() ** 2) / 3)),
  'chi-squared of 1': of((_, z) => z() ** 2),
  'U-shaped between odd ends': of((u) => 3.3 + 7.7 * Math.sin((Math.PI / 2) * u()) ** 2),
  'U-shaped counts': of((u) => Math.round(50 * Math.sin((Math.PI / 2) * u()) ** 2)),
  'J-shaped shares': of((u) => 1 - u() ** 4),
  'two-sided percentages with both ends': of((_, z) => Math.min(100, Math.max(0, 50 + 45 * z()))),
  'ages rounded to 5': of((u) => round(18 + 70 * u() ** 1.5, 5)),
  'incomes rounded to 10': of((_, z) => round(Math.exp(6 + z()), 10)),
  'a third rounded to 10': of((u, z) => round(500 + 120 * z(), u() < 1 / 3 ? 10 : 0.1)),
  'a code above': of((u, z) => (u() < 0.04 ? 9999 : 20 + 5 * z())),
  'codes on both sides': of((u, z) => (u() < 0.03 ? -999 : u() < 0.03 ? 9999 : 0.001 * z())),
  'a rare code': of((_, z, row) => (row % 50 === 7 ? -999 : 20 + 5 * z())),
  'counts with many zeros': of((u) => (u() < 0.7 ? 0 : 1 + poisson(u, 30))),
  'great counts with many zeros': of((u, z) => (u() < 0.7 ? 0 : Math.round(Math.exp(8 + z())))),
  'zeros between losses and gains': of((u, z) => (u() < 0.8 ? 0 : 0.01 * z())),
  'Unix seconds': of((u) => 1.6e9 + Math.floor(3e7 * u())),
  'Unix milliseconds of working hours': of(
    (u, z) => 1.6e12 + 864e5 * Math.floor(300 * u()) + Math.round(36e5 * (13 + 2 * z())),
  ),
  'the scale 1e-12': of((_, z) => 1e-12 * z()),
  '1 and the scale 1e-12': of((_, z) => 1 + 1e-12 * z()),
  'the scale 1e15': of((_, z) => 1e15 * (1 + 0.1 * z())),
  'skewed at 1e15': of((u) => -1e15 * Math.log(u())),
  'negative log-normal far away': of((_, z) => 1000 - Math.exp(2 * z())),
  'a mixture over five decades': of((u, z) => 10 ** [0, 1, 5][Math.floor(3 * u())]! * Math.exp(0.3 * z())),
  'angles around north': of((_, z) => (360 + 20 * z()) % 360),
  'powers of two': of((u) => 2 ** Math.floor(20 * u())),
  'a staircase': of((u) => Math.floor(10 * u()) + 0.3 * u()),
  'alternating lots': of((u, _, row) => (row % 2 === 0 ? 10 + 0.5 * u() : 11 + 3 * u())),
};

test.each(Object.entries(shapes))('%s: quantiles of samples are in the bands of the data', (_, draw) => {
  for (const rows of [8, 100, 999, 3000]) {
    const x = sample(draw, rows, rows);
    expect([rows, outsideBands(fitMargin(x), x)]).toEqual([rows, []]);
  }
});

test.each([
  ['bounded/h800.csv', ['humidity', 'share', 'conc', 'age']],
  ['structure/twoclusters.csv', ['x', 'y']],
  ['structure/loguniform.csv', ['x', 'y']],
  ['structure/min-max.csv', ['x', 'y']],
])('%s', (file, names) => {
  for (const name of names) {
    const x = csvColumn(file, name);
    const margin = fitMargin(x);
    expect([name, outsideBands(margin, x)]).toEqual([name, []]);
    expect(margin.quantile(Float64Array.of(1e-12, 1e-300, 1 - 1e-12)).every(Number.isFinite)).toBe(true);
  }
});

test('clusters are not smeared, nor is the gap between knots that were left out', () => {
  const two = fitMargin(csvColumn('structure/twoclusters.csv', 'x'));
  const [low, high] = two.quantile(Float64Array.of(0.001, 0.999)) as unknown as [number, number];
  expect(Math.abs(low)).toBeLessThan(0.01);
  expect(Math.abs(high - 1e9)).toBeLessThan(0.01);
  const many = fitMargin(sample(shapes['two clusters']!, 300_000, 1));
  const [from, to] = many.cdf(Float64Array.of(1, 1e9 - 1)) as unknown as [number, number];
  expect(to - from).toBeLessThan(2 / 300_000);
});

test('an outlier leaves the density of other values alone', () => {
  const x = sample(draws.normal, 2000, 1);
  for (const outlier of [1e300, -1e12, 1e-300]) {
    const y = x.slice();
    y[7] = outlier;
    const [own, with_] = [fitMargin(x), fitMargin(y)].map((margin) => margin.logPdf(x));
    const least = Math.min(...with_!.map((log, i) => log - own![i]!));
    expect(least).toBeGreaterThan(-3);
  }
});

test('notes of wide tables are few', async () => {
  const width = 40;
  const names = Array.from({ length: width }, (_, j) => `c${j}`);
  const rain = shapes['an atom below']!;
  const table = new Table(
    names,
    names.map((_, j) => sample(rain, 200, j + 1)),
    names.map(() => 'float'),
  );
  const { notes } = await Margins.fit(table);
  expect(notes.map(({ code }) => code)).toEqual([...Array(4).fill('atoms'), 'support']);
  expect(new Set(notes.slice(0, 4).flatMap(({ columns }) => columns))).toEqual(new Set(names));
  expect(notes[3]!.message).toMatch(/ and \d+ more: values with probabilities of their own, too$/);
});
