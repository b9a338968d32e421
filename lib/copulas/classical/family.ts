import { type CopulaCapabilities } from '../fields/capabilities';
import { expectInteger, expectOptions } from '../../errors';
import { type ClassicalDefinition } from '../../native';
import { type ModelContent, type TrainingRecord } from '../copula';
import { ClassicalCopula } from './classical';
import {
  type FamilyKind,
  type Rotation,
  definitionOf,
  expectParameters,
  expectRotation,
  expectFamily,
} from './families';

/** The distribution function of one that is turned has as many terms as there are corners. */
const MOST_TURNED_COLUMNS = 20;

/** How `new FamilyCopula` goes on. */
export interface FamilyCopulaOptions {
  /** Columns; default 2. More for `independence`, `clayton`, `gumbel`, `frank`, `joe` and `amh`, exchangeable then. */
  readonly dim?: number | undefined;
  /** Default 0; beyond two columns 0 or 180. */
  readonly rotation?: Rotation | undefined;
  /** @internal The record of its fit. */
  readonly training?: TrainingRecord | null;
}

/**
 * A copula with a few parameters that is given by a formula; its parameters are those of Joe (2014), Dependence Modeling
 * with Copulas, chapter 4 (docs/mathematics.md, M.1 and M.2).
 *
 * @example
 * ```ts
 * import { FamilyCopula } from 'sklar';
 *
 * new FamilyCopula('clayton', { theta: 2 }).tau(); // => 0.5
 * new FamilyCopula('clayton', { theta: 2 }, { rotation: 90 }).tau(); // => -0.5
 * await new FamilyCopula('frank', { theta: 3 }, { dim: 5 }).sample(10); // 10 x 5
 * ```
 */
export class FamilyCopula extends ClassicalCopula {
  readonly kind: FamilyKind;
  readonly dim: number;
  readonly parameters: Readonly<Record<string, number>>;
  /** In degrees. */
  readonly rotation: Rotation;
  /** @internal */
  protected readonly training: TrainingRecord | null;
  readonly #definition: ClassicalDefinition;

  /**
   * @param parameters by name, such as `{ theta: 2 }`
   * @throws SklarError ERR_SKLAR_VALUE naming the parameter, ERR_SKLAR_SHAPE for a family of two columns
   */
  constructor(
    kind: FamilyKind,
    parameters: Readonly<Record<string, number>>,
    options: FamilyCopulaOptions = {},
  ) {
    super();
    options = expectOptions(options, 'FamilyCopula', { dim: true, rotation: true, training: true });
    this.kind = expectFamily(kind);
    this.dim = expectInteger(options.dim ?? 2, 'dim', { min: 2, max: 65536 });
    this.parameters = expectParameters(kind, this.dim, parameters);
    this.rotation = expectRotation(kind, options.rotation ?? 0, this.dim);
    this.training = options.training ?? null;
    this.#definition = definitionOf(kind, this.dim, Object.values(this.parameters), this.rotation);
  }

  /** @internal */
  protected description() {
    return {
      parameters: Object.keys(this.parameters).length,
      config: { ...this.parameters, rotation: this.rotation },
      training: this.training,
    };
  }

  override get capabilities(): CopulaCapabilities {
    const cdf = this.dim === 2 || this.rotation === 0 || this.dim <= MOST_TURNED_COLUMNS;
    return { ...super.capabilities, cdf };
  }

  /** @internal */
  protected definition(): ClassicalDefinition {
    return this.#definition;
  }

  /** @internal */
  protected definitionOf(columns: readonly number[]): ClassicalDefinition {
    const { dim } = this;
    const swapped = dim === 2 && columns[0] === 1;
    // of more columns it does not depend on which they are and in what order
    return swapped ? this.#swapped() : { ...this.#definition, dim: columns.length };
  }

  /** The copula of (U2, U1): c90(v, u) = c(u, 1 - v), the base with its variables swapped, turned by 270. */
  #swapped(): ClassicalDefinition {
    const values = Object.values(this.parameters);
    if (this.kind === 'tawn') values.unshift(...values.splice(1, 1)); // psi2, psi1, theta
    const turn = { 0: 0, 90: 270, 180: 180, 270: 90 } as const;
    return definitionOf(this.kind, 2, values, turn[this.rotation]);
  }

  /** @internal */
  protected toModelContent(): ModelContent {
    return {
      config: { dim: this.dim, parameters: this.parameters, rotation: this.rotation },
      training: this.training,
      tensors: new Map(),
    };
  }
}
