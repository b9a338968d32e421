import { z } from 'zod';

import { expectNumber, expectNumbers } from '../../errors';
import { type ModelDocument, expectConfig } from '../../model/model-file';
import { type ClassicalDefinition, callNative } from '../../native';
import { type ModelContent, type ModelTensors, type TrainingRecord } from '../copula';
import {
  correlationParameters,
  expectColumns,
  expectCorrelation,
  subMatrix,
} from '../correlation/correlation';
import { ClassicalCopula } from './classical';
import { correlationFromFile } from './gaussian';

/**
 * The copula of a multivariate t distribution with correlation R and any number of degrees of freedom from 1 on
 * (docs/mathematics.md, M.2).
 *
 * @example
 * ```ts
 * import { StudentCopula } from 'sklar';
 *
 * const copula = new StudentCopula(Float64Array.of(1, 0.5, 0.5, 1), 2, 4);
 * copula.parameters; // => { rho: 0.5, degrees: 4 }
 * copula.tailDependence().lowerLower; // => 0.253
 * ```
 */
export class StudentCopula extends ClassicalCopula {
  readonly kind = 'student';
  readonly dim: number;
  /** R, dim x dim, row-major. */
  readonly correlation: Float64Array;
  /** Degrees of freedom. */
  readonly degrees: number;
  /** @internal */
  protected readonly training: TrainingRecord | null;
  readonly #factor: Float64Array;

  /**
   * @param correlation dim x dim, row-major, unit diagonal, positive definite
   * @param degrees of freedom, from 1 to 1e6
   * @throws SklarError ERR_SKLAR_VALUE when they are not
   */
  constructor(correlation: Float64Array, dim: number, degrees: number);
  /** @internal */
  constructor(correlation: Float64Array, dim: number, degrees: number, training: TrainingRecord | null);
  constructor(
    correlation: Float64Array,
    dim: number,
    degrees: number,
    training: TrainingRecord | null = null,
  ) {
    super();
    this.dim = dim;
    this.correlation = expectNumbers(correlation, 'the correlation matrix');
    expectCorrelation(this.correlation, dim);
    this.degrees = expectNumber(degrees, 'the degrees of freedom', { min: 1, max: 1e6 });
    this.#factor = callNative((addon) => addon.cholesky(this.correlation, dim));
    this.training = training;
  }

  get parameters(): Readonly<Record<string, number>> {
    return { ...correlationParameters(this.correlation, this.dim), degrees: this.degrees };
  }

  /** The copula of some of the columns, counted from 0, in their order here. */
  marginal(columns: readonly number[]): StudentCopula {
    const chosen = expectColumns(columns, 'columns', this.dim);
    return new StudentCopula(subMatrix(this.correlation, this.dim, chosen), chosen.length, this.degrees);
  }

  /** @internal */
  protected description() {
    return {
      parameters: (this.dim * (this.dim - 1)) / 2 + 1,
      config: { degrees: this.degrees },
      training: this.training,
    };
  }

  /** @internal */
  protected definition(): ClassicalDefinition {
    const parameters = Float64Array.of(this.degrees);
    return { family: 'student', dim: this.dim, parameters, rotation: 0, factor: this.#factor };
  }

  /** @internal */
  protected definitionOf(columns: readonly number[]): ClassicalDefinition {
    return this.marginal(columns).definition();
  }

  /** @internal */
  protected toModelContent(): ModelContent {
    return {
      config: { dim: this.dim, degrees: this.degrees },
      training: this.training,
      tensors: new Map([['correlation', { shape: [this.dim, this.dim], data: this.correlation }]]),
    };
  }
}

const configSchema = z.object({ dim: z.int().min(2).max(65536), degrees: z.number() });

export function studentFromFile(document: ModelDocument, tensors: ModelTensors): StudentCopula {
  const { dim, degrees } = expectConfig(configSchema, document);
  return new StudentCopula(correlationFromFile('student', dim, tensors), dim, degrees, document.training);
}
