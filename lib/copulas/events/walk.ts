/** Chains that leave the law of a copula as it is (docs/mathematics.md, O). */
import { type Matrix, matrix } from '../../matrix';
import { type ClassicalDefinition, callNative, runJob } from '../../native';
import { type Execution } from '../inputs/run';

/** Rows that correlations of proposals are estimated from. */
const CORRELATION_ROWS = 4096;

/** What a law is walked by: states of it, and how they are moved. */
export interface Walk {
  /** The share of the rows that are of this law. */
  readonly weight: number;
  readonly dim: number;
  /** States of the law, rows x dim. */
  readonly start: (rows: number, seed: bigint, firstRow: number) => Promise<Float64Array>;
  /** What proposals are made with: normal rows of a fixed correlation, which those of a first call of `start` may decide. */
  readonly noise: (rows: number, seed: bigint, firstRow: number) => Promise<Float64Array>;
  /** The log density of the law beside that of the normal rows, up to a constant; null: the states are such rows. */
  readonly logWeight: ((states: Float64Array, rows: number) => Promise<Float64Array>) | null;
  /** The rows of the copula that states stand for, on the Gaussian scale. */
  readonly rowsOf: (states: Float64Array, rows: number) => Promise<Float64Array>;
}

/** What a walk asks of a copula with a density. */
interface Drawn {
  readonly dim: number;
  sample(rows: number, options: object): Promise<Matrix>;
  logPdf(rows: Matrix, options: object): Promise<Float64Array>;
}

/** Of a density: states are rows, proposals those of a normal law with their correlation. */
export function densityWalk(copula: Drawn, run: Execution): Walk {
  const { dim } = copula;
  const scale = { ...run, scale: 'gaussian' } as const;
  let law: ClassicalDefinition | null = null;
  return {
    weight: 1,
    dim,
    start: async (rows, seed, firstRow) => {
      const { data } = await copula.sample(rows, { ...scale, dtype: 'float64', seed, firstRow });
      const states = data as Float64Array;
      law ??= normalLaw(factorOf(states, rows, dim), dim);
      return states;
    },
    noise: (rows, seed, firstRow) => normalRows(law!, rows, { seed, firstRow }, run),
    logWeight: async (states, rows) => {
      const log = await copula.logPdf(matrix(states, rows, dim), scale);
      const ofNormal = await runJob((addon) => addon.classicalLogPdf(law!, states, true, rows, run.threads), {
        signal: run.signal,
      });
      return log.map((value, i) => value - ofNormal[i]!);
    },
    rowsOf: (states) => Promise.resolve(states),
  };
}

/**
 * Of rows that are a map of normal ones: states are the normal rows, which any event of the map's values can be walked by.
 *
 * @param factor L of their correlation L L^T; null: they are independent
 */
export function transportWalk(
  dim: number,
  factor: Float64Array | null,
  rowsOf: Walk['rowsOf'],
  run: Execution,
): Walk {
  const law = normalLaw(factor ?? identity(dim), dim);
  const noise: Walk['noise'] = (rows, seed, firstRow) => normalRows(law, rows, { seed, firstRow }, run);
  return { weight: 1, dim, start: noise, noise, logWeight: null, rowsOf };
}

function identity(dim: number): Float64Array {
  return new Float64Array(dim * dim).map((_, k) => Number(k % (dim + 1) === 0));
}

function normalLaw(factor: Float64Array, dim: number): ClassicalDefinition {
  return { family: 'gaussian', dim, parameters: new Float64Array(0), rotation: 0, factor };
}

function normalRows(
  law: ClassicalDefinition,
  rows: number,
  { seed, firstRow }: { readonly seed: bigint; readonly firstRow: number },
  run: Execution,
): Promise<Float64Array> {
  return runJob((addon) => addon.classicalSample(law, rows, seed, BigInt(firstRow), true, run.threads), {
    signal: run.signal,
  });
}

/** L of the correlation of rows with standard normal margins, drawn towards independence by as much as they are few. */
function factorOf(z: Float64Array, rows: number, dim: number): Float64Array {
  const count = Math.min(rows, CORRELATION_ROWS);
  const kept = count / (count + dim + 1);
  const correlation = identity(dim);
  const columns = Array.from({ length: dim }, (_, j) =>
    Float64Array.from({ length: count }, (_, i) => z[i * dim + j]!),
  );
  const scales = columns.map((column) => Math.sqrt(dot(column, column)));
  for (let i = 0; i < dim; i++) {
    for (let j = 0; j < i; j++) {
      const rho = (kept * dot(columns[i]!, columns[j]!)) / (scales[i]! * scales[j]!);
      correlation[i * dim + j] = correlation[j * dim + i] = rho;
    }
  }
  return callNative((addon) => addon.cholesky(correlation, dim));
}

/** The sum of products. */
function dot(x: Float64Array, y: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += x[i]! * y[i]!;
  return sum;
}
