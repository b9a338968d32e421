// Rows of many cells beside a one-dimensional integral: with one factor f, z_j = l_j f + sqrt(1 - l_j^2) e_j, the cells are
// independent given f.
import { Generator } from '../../lib/data/random';
import { GaussianCopula, type Matrix, matrix, normalCdf, normalQuantile } from '../../lib';

type Cells = Matrix & { readonly data: Float64Array };

const NODES = 401;
const factor = Float64Array.from({ length: NODES }, (_, k) => -8 + (16 * k) / (NODES - 1));

/** log P of each row, by the trapezoidal rule over f, which is exact to rounding for so smooth an integrand. */
function exact(lower: Cells, upper: Cells, loadings: Float64Array): Float64Array {
  const { rows, columns } = lower;
  const [below, above] = [normalQuantile(lower.data), normalQuantile(upper.data)];
  const width = Math.log(16 / (NODES - 1) / Math.sqrt(2 * Math.PI));
  return Float64Array.from({ length: rows }, (_, i) => {
    const logs = factor.map((f) => width - (f * f) / 2);
    for (let j = 0; j < columns; j++) {
      const l = loadings[j]!;
      const at = (end: number) => normalCdf(factor.map((f) => (end - l * f) / Math.sqrt(1 - l * l)));
      const [from, to] = [at(below[i * columns + j]!), at(above[i * columns + j]!)];
      for (let k = 0; k < NODES; k++) logs[k]! += Math.log(Math.max(to[k]! - from[k]!, 1e-300));
    }
    const most = logs.reduce((a, b) => Math.max(a, b));
    return most + Math.log(logs.reduce((sum, value) => sum + Math.exp(value - most), 0));
  });
}

test.each([
  [10, 0.002],
  [30, 0.02],
  [100, 0.3],
])('gaussian, rows of %d cells: log P is off by %f at most (root of the mean square)', async (dim, most) => {
  const rows = 30;
  const generator = new Generator(dim, 7);
  const uniform = () => (generator.next() + 0.5) / 2 ** 32;
  const loadings = Float64Array.from({ length: dim }, () => 0.3 + 0.5 * uniform());
  const correlation = Float64Array.from({ length: dim * dim }, (_, at) => {
    const [i, j] = [Math.floor(at / dim), at % dim];
    return i === j ? 1 : loadings[i]! * loadings[j]!;
  });
  const copula = new GaussianCopula(correlation, dim);
  // grades: two, three, four or five of them
  const { data } = await copula.sample(rows, { seed: 3, dtype: 'float64' });
  const cell = (up: number) => {
    const ends = Float64Array.from(data, (u, at) => {
      const grades = 2 + ((at % dim) % 4);
      return (Math.floor(u * grades) + up) / grades;
    });
    return { ...matrix(ends, rows, dim), data: ends };
  };
  const found = await copula.logPdfCells(cell(0), cell(1));
  const right = exact(cell(0), cell(1), loadings);
  const off = found.map((value, i) => value - right[i]!);
  const mean = (values: Float64Array) => values.reduce((sum, value) => sum + value, 0) / rows;
  const root = Math.sqrt(mean(off.map((value) => value * value)));
  expect(root).toBeLessThan(most);
  // and without a bias
  expect(Math.abs(mean(off))).toBeLessThan((3 * root) / Math.sqrt(rows));
});
