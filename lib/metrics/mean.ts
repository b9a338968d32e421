/** A mean over rows, and how far it may be off. */
export interface Mean {
  readonly mean: number;
  /** Standard error of the mean; null for a single row. */
  readonly standardError: number | null;
}

export function meanOf(values: Float64Array): Mean {
  const n = values.length;
  let sum = 0;
  for (const value of values) sum += value;
  const mean = sum / n;
  let squares = 0;
  for (const value of values) squares += (value - mean) ** 2;
  return { mean, standardError: n > 1 ? Math.sqrt(squares / (n - 1) / n) : null };
}
