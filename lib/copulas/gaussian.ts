import { runRecord } from '../devices';
import { SklarError, expectInteger } from '../errors';
import { type HasField } from '../integrate';
import { type ClassicalDefinition, type FieldHandle, callNative, runJob } from '../native';
import { ClassicalCopula } from './classical/classical';
import { cpuOnlyOfKind } from './classical/families';
import {
  type DenseRows,
  type Execution,
  type ModelContent,
  type ModelInfo,
  type RowsInput,
  type RunOptions,
  type SampleOptions,
  beginRun,
  toDense,
} from './copula';
import {
  type ConditionalOptions,
  type ConditionalSample,
  conditionalRows,
  exactConditional,
  exactConditionalOptions,
} from './smc';

/** Without it the density of nearly singular dependence grows without bound; well-conditioned data do not feel it. */
export const LEAST_SHRINKAGE = 1e-5;

/** (1 - shrinkage) R + shrinkage I: off-diagonal elements of a correlation matrix drawn towards independence. */
export function shrink(correlation: Float64Array, dim: number, shrinkage: number): Float64Array {
  return correlation.map((r, i) => (i % (dim + 1) === 0 ? 1 : (1 - shrinkage) * r));
}

/**
 * A correlation matrix drawn towards independence by 1e-5, or where that is not positive definite by 1e-4, 1e-3, ..
 *
 * @throws SklarError ERR_SKLAR_VALUE where 0.1 does not suffice
 */
export function positiveDefinite(
  correlation: Float64Array,
  dim: number,
): { correlation: Float64Array; shrinkage: number } {
  for (let shrinkage = LEAST_SHRINKAGE; ; shrinkage *= 10) {
    const shrunk = shrink(correlation, dim, shrinkage);
    try {
      callNative((addon) => addon.cholesky(shrunk, dim));
      return { correlation: shrunk, shrinkage };
    } catch (error) {
      if (!(error instanceof SklarError) || shrinkage >= 0.1) throw error;
    }
  }
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
      `expected at least ${least} different columns for ${what}, got ${JSON.stringify(columns)}`,
    );
  }
  for (const column of columns) expectInteger(column, `a column of ${what}`, { min: 0, max: dim - 1 });
  return columns as readonly number[];
}

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
  return runJob((addon) => addon.normalScoresCorrelation(u.data, u.rows, u.columns, run.threads), {
    signal: run.signal,
  });
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

/**
 * The Gaussian copula: density of N(0, R) on the Gaussian scale over that of its standard normal margins,
 * log c(z) = -log det(R) / 2 - z^T (R^-1 - I) z / 2.
 */
export class GaussianCopula extends ClassicalCopula implements HasField {
  readonly kind = 'gaussian';
  readonly dim: number;
  /** R, dim x dim, row-major. */
  readonly correlation: Float64Array;
  readonly #factor: Float64Array;
  protected readonly training: Readonly<Record<string, unknown>> | null;

  /**
   * @param correlation dim x dim, row-major, unit diagonal, positive definite
   * @throws SklarError ERR_SKLAR_VALUE when it is not
   */
  constructor(
    correlation: Float64Array,
    dim: number,
    training: Readonly<Record<string, unknown>> | null = null,
  ) {
    super();
    this.dim = dim;
    this.correlation = Float64Array.from(correlation);
    expectCorrelation(this.correlation, dim);
    this.#factor = callNative((addon) => addon.cholesky(this.correlation, dim)).factor;
    this.training = training;
  }

  /**
   * Fits the correlation of the normal scores, drawn towards independence by 1e-5, so that nearly singular dependence
   * has a bounded density; where that is not positive definite by 1e-4, 1e-3, ... `info().training` says by how much.
   *
   * @param u n x dim pseudo-observations
   */
  static async fit(u: RowsInput, options: RunOptions = {}): Promise<GaussianCopula> {
    const run = beginRun(options, cpuOnlyOfKind('gaussian'));
    const dense = toDense(u, 'the training rows');
    const found = positiveDefinite(await normalScoresCorrelation(dense, run), dense.columns);
    return new GaussianCopula(found.correlation, dense.columns, {
      rows: dense.rows,
      shrinkage: found.shrinkage,
      ...runRecord(run, 'float64'),
    });
  }

  /** The exact field of the Ornstein-Uhlenbeck process, for `integrate`. */
  fieldHandle(): FieldHandle {
    return callNative((addon) =>
      addon.closedFormField(
        addon.closedFormCreate({
          family: 'mixture',
          dim: this.dim,
          weights: Float64Array.of(1),
          correlations: this.correlation,
        }),
        'ou',
        Math.PI / 2,
      ),
    );
  }

  /** The copula of some of the columns, counted from 0, in their order here. */
  marginal(columns: readonly number[]): GaussianCopula {
    const chosen = expectColumns(columns, 'columns', this.dim);
    const r = subMatrix(this.correlation, this.dim, chosen);
    return new GaussianCopula(r, chosen.length);
  }

  /** Method `exact`: independent draws, and the density of the condition without error. */
  override async sampleConditional(
    fixed: Readonly<Record<string | number, number>>,
    rows: number,
    options: ConditionalOptions = {},
  ): Promise<ConditionalSample> {
    const run = this.begin(options);
    const { condition, seed } = exactConditionalOptions(fixed, rows, options, this.names, this.dim);
    const { columns, values } = condition;
    const result = await runJob(
      (addon) => addon.gaussianConditional(this.#factor, this.dim, columns, values, rows, seed, run.threads),
      { signal: run.signal },
    );
    options.onProgress?.({ fraction: 1 });
    return exactConditional(
      conditionalRows(result.values, condition, this.names, this.dim),
      result.logMarginal,
    );
  }

  get parameters(): Readonly<Record<string, number>> {
    return correlationParameters(this.correlation, this.dim);
  }

  info(): ModelInfo {
    return {
      kind: this.kind,
      dim: this.dim,
      normalised: true,
      columns: this.names,
      parameters: (this.dim * (this.dim - 1)) / 2,
      config: {},
      training: this.training,
    };
  }

  protected definition(): ClassicalDefinition {
    const parameters = new Float64Array(0);
    return { family: 'gaussian', dim: this.dim, parameters, rotation: 0, factor: this.#factor };
  }

  protected definitionOf(columns: readonly number[]): ClassicalDefinition {
    return this.marginal(columns).definition();
  }

  protected override logPdfRows(
    x: Float64Array,
    rows: number,
    fromGaussian: boolean,
    run: Execution,
  ): Promise<Float64Array> {
    return runJob(
      (addon) => addon.gaussianLogPdf(this.#factor, x, fromGaussian, rows, this.dim, run.threads),
      {
        signal: run.signal,
      },
    );
  }

  protected override sampleRows(
    rows: number,
    seed: bigint,
    firstRow: bigint,
    toGaussian: boolean,
    _options: SampleOptions,
    run: Execution,
  ): Promise<Float64Array> {
    return runJob(
      (addon) => addon.gaussianSample(this.#factor, this.dim, rows, seed, firstRow, toGaussian, run.threads),
      { signal: run.signal },
    );
  }

  protected toModelContent(): ModelContent {
    return {
      config: { dim: this.dim },
      training: this.training,
      tensors: new Map([['correlation', { shape: [this.dim, this.dim], data: this.correlation }]]),
    };
  }
}
