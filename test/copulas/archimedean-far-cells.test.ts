/** Cells far from where the other columns say a row lies have a tiny probability, not none. */
import { FamilyCopula, matrix } from '../../lib';

test('a cell far beyond the levels of a steep Clayton copula', async () => {
  const theta = 1e4;
  const copula = new FamilyCopula('clayton', { theta }, { dim: 4 });
  // (0.7924, 0 to 0.83, 0.7931, 0.802 to 1)
  const lower = matrix(Float64Array.of(0.7924, 0, 0.7931, 0.802), 1, 4);
  const upper = matrix(Float64Array.of(0.7924, 0.83, 0.7931, 1), 1, 4);
  const [log] = await copula.logPdfCells(lower, upper);
  expect(log).toBeGreaterThan(-300);
  expect(log).toBeLessThan(0);
});
