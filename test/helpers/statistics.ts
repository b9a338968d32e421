/** The largest difference of two lists. */
export function largest(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  return Array.from(a).reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);
}

/** Kolmogorov-Smirnov at the level 1e-4. */
export function expectUniform(values: ArrayLike<number>): void {
  const sorted = Array.from(values).sort((a, b) => a - b);
  const n = sorted.length;
  const distance = Math.max(...sorted.map((value, i) => Math.max(value - i / n, (i + 1) / n - value)));
  expect(distance).toBeLessThan(2.23 / Math.sqrt(n));
}

/** Every column and the sums of neighbours modulo 1. */
export function expectIndependentUniforms(rows: number[][]): void {
  const columns = rows[0]!.length;
  for (let j = 0; j < columns; j++) {
    expectUniform(rows.map((row) => row[j]!));
    if (columns > 1) expectUniform(rows.map((row) => (row[j]! + row[(j + 1) % columns]!) % 1));
  }
}
