import { matrix } from '../../lib';

/** A small generator for tests (mulberry32): uniform numbers in (0, 1). */
export function uniforms(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return (((t ^ (t >>> 14)) >>> 0) + 0.5) / 2 ** 32;
  };
}

export function normals(seed: number): () => number {
  const next = uniforms(seed);
  return () => Math.sqrt(-2 * Math.log(next())) * Math.cos(2 * Math.PI * next());
}

/** Ranks / (n + 1) of each column. */
export function pseudoObservations(columns: Float64Array[]) {
  const rows = columns[0]!.length;
  const data = new Float64Array(rows * columns.length);
  columns.forEach((column, j) => {
    const order = [...column.keys()].sort((a, b) => column[a]! - column[b]!);
    order.forEach((row, rank) => (data[row * columns.length + j] = (rank + 1) / (rows + 1)));
  });
  return matrix(data, rows, columns.length);
}

/** Two columns, N(0,1) margins, correlation +rho or -rho with equal chance: dependent, but uncorrelated. */
export function crossed(rows: number, rho: number, seed: number) {
  const next = normals(seed);
  const coin = uniforms(seed + 1);
  const x = new Float64Array(rows);
  const y = new Float64Array(rows);
  for (let i = 0; i < rows; i++) {
    const r = coin() < 0.5 ? rho : -rho;
    x[i] = next();
    y[i] = r * x[i]! + Math.sqrt(1 - r * r) * next();
  }
  return pseudoObservations([x, y]);
}

/** d columns with a common factor: correlation rho between any two. */
export function equicorrelated(rows: number, dim: number, rho: number, seed: number) {
  const next = normals(seed);
  const columns = Array.from({ length: dim }, () => new Float64Array(rows));
  for (let i = 0; i < rows; i++) {
    const common = next();
    for (const column of columns) column[i] = Math.sqrt(rho) * common + Math.sqrt(1 - rho) * next();
  }
  return pseudoObservations(columns);
}
