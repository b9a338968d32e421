/** Correlation matrices (dim x dim, row-major) and choices of columns. */
import { SklarError, describe, expectInteger } from '../../errors';
import { callNative, runJob } from '../../native';
import type { Note } from '../../notes';
import { type DenseRows, nativeWeights } from '../inputs/rows';
import { type Execution } from '../inputs/run';
import { chooseShrinkage } from './shrinkage';

/** (1 - shrinkage) R + shrinkage I: off-diagonal elements of a correlation matrix drawn towards independence. */
export function shrink(correlation: Float64Array, dim: number, shrinkage: number): Float64Array {
  return correlation.map((r, i) => (i % (dim + 1) === 0 ? 1 : (1 - shrinkage) * r));
}

/**
 * A correlation matrix drawn towards independence as far as its number of rows asks for (`chooseShrinkage`), at least by
 * 1e-5, and where that is not positive definite by 10 times more, ..
 *
 * @param rows that it was estimated from; effective ones, possibly a fraction, where an estimator is less efficient than
 *   the normal scores
 * @param least what it is drawn at least
 * @throws SklarError ERR_SKLAR_VALUE for elements that are not finite
 */
export function positiveDefinite(
  correlation: Float64Array,
  dim: number,
  rows: number,
  least = 0,
): { correlation: Float64Array; shrinkage: number } {
  let shrinkage = Math.max(least, chooseShrinkage(correlation, dim, rows));
  for (; ; shrinkage = Math.min(1, 10 * shrinkage)) {
    const shrunk = shrink(correlation, dim, shrinkage);
    try {
      callNative((addon) => addon.cholesky(shrunk, dim));
      return { correlation: shrunk, shrinkage };
    } catch (error) {
      if (!(error instanceof SklarError) || shrinkage === 1) throw error;
    }
  }
}

/** Shrinkage that the user should know of. */
const NOTED_SHRINKAGE = 0.01;

/** What there is to say about the shrinkage of an estimate; nothing where it is small. */
export function shrinkageNotes(shrinkage: number, rows: number, dim: number): Note[] {
  if (shrinkage < NOTED_SHRINKAGE) return [];
  const message =
    `correlations were drawn ${Math.round(100 * shrinkage)} % towards independence: ` +
    `${Number(rows.toPrecision(12))} rows for ${dim} columns`;
  return [{ code: 'shrinkage', columns: [], message }];
}

/**
 * Different columns of a copula, at least two unless said otherwise.
 *
 * @throws SklarError ERR_SKLAR_VALUE when they are not
 */
export function expectColumns(
  columns: readonly number[],
  what: string,
  dim: number,
  least = 2,
): readonly number[] {
  if (!Array.isArray(columns) || columns.length < least || new Set(columns).size !== columns.length) {
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      `expected at least ${least} different columns for ${what}, got ${Array.isArray(columns) ? listOf(columns) : describe(columns)}`,
    );
  }
  for (const column of columns) expectInteger(column, `a column of ${what}`, { min: 0, max: dim - 1 });
  return Array.from(columns as readonly number[]);
}

const listOf = (values: readonly unknown[]) => `[${values.slice(0, 20).map(describe).join()}]`;

/** Rows and columns `columns` of a dim x dim matrix. */
export function subMatrix(matrix: Float64Array, dim: number, columns: readonly number[]): Float64Array {
  return Float64Array.from(columns.flatMap((i) => columns.map((j) => matrix[i * dim + j]!)));
}

/**
 * Checks that a dim x dim matrix is symmetric with unit diagonal and elements below 1 off it.
 *
 * @throws SklarError ERR_SKLAR_VALUE naming row and column
 */
export function expectCorrelation(matrix: Float64Array, dim: number): void {
  expectInteger(dim, 'the number of columns', { min: 1, max: 65536 });
  if (matrix.length !== dim * dim) {
    throw new SklarError(
      'ERR_SKLAR_SHAPE',
      `expected a correlation matrix of ${dim} x ${dim} numbers, got ${matrix.length}`,
    );
  }
  for (let i = 0; i < dim; i++) {
    for (let j = 0; j <= i; j++) {
      const r = matrix[i * dim + j]!;
      const ok = i === j ? r === 1 : Math.abs(r) < 1 && r === matrix[j * dim + i];
      if (!ok) {
        throw new SklarError(
          'ERR_SKLAR_VALUE',
          `expected a symmetric correlation matrix with unit diagonal, got ${r} (row ${i + 1}, column ${j + 1})`,
        );
      }
    }
  }
}

/** Correlation matrix of the normal scores (dim x dim, row-major) of rows on the copula scale. */
export async function normalScoresCorrelation(u: DenseRows, run: Execution): Promise<Float64Array> {
  return runJob(
    (addon) => addon.normalScoresCorrelation(u.data, u.rows, u.columns, run.threads, nativeWeights(u)),
    { signal: run.signal },
  );
}

/** Parameters of a correlation matrix by name: `rho` of two columns, `rho(1,2)`, `rho(1,3)`, .. of more. */
export function correlationParameters(correlation: Float64Array, dim: number): Record<string, number> {
  const named: Record<string, number> = {};
  for (let i = 0; i < dim; i++) {
    for (let j = i + 1; j < dim; j++) {
      named[dim === 2 ? 'rho' : `rho(${i + 1},${j + 1})`] = correlation[i * dim + j]!;
    }
  }
  return named;
}
