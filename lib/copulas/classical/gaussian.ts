import { z } from 'zod';

import { SklarError, expectNumbers } from '../../errors';
import { type ModelDocument, expectConfig } from '../../model/model-file';
import { type ClassicalDefinition, type FieldHandle, callNative, runJob } from '../../native';
import { ClassicalCopula } from './classical';
import {
  type ConditionalRequest,
  type ModelContent,
  type ModelTensors,
  type TrainingRecord,
} from '../copula';
import {
  correlationParameters,
  expectColumns,
  expectCorrelation,
  subMatrix,
} from '../correlation/correlation';
import { type HasField } from '../fields/field';
import { type Execution } from '../inputs/run';
import {
  type ConditionalSample,
  conditionalRows,
  exactConditional,
  exactConditionalOptions,
} from '../fields/smc';
import { tell } from '../../tell';

/**
 * The Gaussian copula: density of N(0, R) on the Gaussian scale over that of its standard normal margins,
 * log c(z) = -log det(R) / 2 - z^T (R^-1 - I) z / 2 (docs/mathematics.md, H).
 *
 * @example
 * ```ts
 * import { GaussianCopula } from 'sklar';
 *
 * const copula = new GaussianCopula(Float64Array.of(1, 0.5, 0.5, 1), 2);
 * await copula.cdf([[0.5, 0.5]]); // => [0.333]
 * copula.parameters; // => { rho: 0.5 }
 * ```
 */
export class GaussianCopula extends ClassicalCopula implements HasField {
  readonly kind = 'gaussian';
  readonly dim: number;
  /** R, dim x dim, row-major. */
  readonly correlation: Float64Array;
  /** @internal */
  readonly traceIsFormula = true;
  readonly #factor: Float64Array;
  /** Kept, since it finds the eigenvectors of R when it is first used. */
  #field: FieldHandle | null = null;
  /** @internal */
  protected readonly training: TrainingRecord | null;

  /**
   * @param correlation dim x dim, row-major, unit diagonal, positive definite
   * @throws SklarError ERR_SKLAR_VALUE when it is not
   */
  constructor(correlation: Float64Array, dim: number);
  /** @internal */
  constructor(correlation: Float64Array, dim: number, training: TrainingRecord | null);
  constructor(correlation: Float64Array, dim: number, training: TrainingRecord | null = null) {
    super();
    this.dim = dim;
    this.correlation = expectNumbers(correlation, 'the correlation matrix');
    expectCorrelation(this.correlation, dim);
    this.#factor = callNative((addon) => addon.cholesky(this.correlation, dim));
    this.training = training;
  }

  /** The exact field of the Ornstein-Uhlenbeck process, for `integrate`. */
  fieldHandle(): FieldHandle {
    return (this.#field ??= callNative((addon) =>
      addon.closedFormFieldHandle(
        addon.closedFormCreate({
          family: 'mixture',
          dim: this.dim,
          weights: Float64Array.of(1),
          correlations: this.correlation,
        }),
        'ou',
        Math.PI / 2,
      ),
    ));
  }

  /** The copula of some of the columns, counted from 0, in their order here. */
  marginal(columns: readonly number[]): GaussianCopula {
    const chosen = expectColumns(columns, 'columns', this.dim);
    const r = subMatrix(this.correlation, this.dim, chosen);
    return new GaussianCopula(r, chosen.length);
  }

  /** @internal Method `exact`: independent draws, and the density of the condition without error. */
  protected override async drawConditional(
    { fixed, rows, options }: ConditionalRequest,
    run: Execution,
  ): Promise<ConditionalSample> {
    const { condition, seed } = exactConditionalOptions(fixed, rows, options, this.names, this.dim);
    const { columns, values } = condition;
    const result = await runJob(
      (addon) => addon.gaussianConditional(this.#factor, this.dim, columns, values, rows, seed, run.threads),
      { signal: run.signal },
    );
    tell(options.onProgress, { fraction: 1 });
    return exactConditional(
      conditionalRows(result.values, condition, this.names, this.dim),
      result.logMarginal,
    );
  }

  get parameters(): Readonly<Record<string, number>> {
    return correlationParameters(this.correlation, this.dim);
  }

  /** @internal */
  protected description() {
    return {
      parameters: (this.dim * (this.dim - 1)) / 2,
      config: {},
      training: this.training,
    };
  }

  /** @internal */
  protected definition(): ClassicalDefinition {
    const parameters = new Float64Array(0);
    return { family: 'gaussian', dim: this.dim, parameters, rotation: 0, factor: this.#factor };
  }

  /** @internal */
  protected definitionOf(columns: readonly number[]): ClassicalDefinition {
    return this.marginal(columns).definition();
  }

  /** @internal */
  protected toModelContent(): ModelContent {
    return {
      config: { dim: this.dim },
      training: this.training,
      tensors: new Map([['correlation', { shape: [this.dim, this.dim], data: this.correlation }]]),
    };
  }
}

const configSchema = z.object({ dim: z.int().min(1).max(65536) });

export function gaussianFromFile(document: ModelDocument, tensors: ModelTensors): GaussianCopula {
  const { dim } = expectConfig(configSchema, document);
  return new GaussianCopula(correlationFromFile('gaussian', dim, tensors), dim, document.training);
}

/** R (dim x dim) of a model file. */
export function correlationFromFile(kind: string, dim: number, tensors: ModelTensors): Float64Array {
  const correlation = tensors.get('correlation');
  if (correlation?.data.length === dim * dim) return Float64Array.from(correlation.data);
  throw new SklarError(
    'ERR_SKLAR_FORMAT',
    `expected a dim x dim tensor "correlation" in a ${kind} model file`,
  );
}
