import { z } from 'zod';

import { type Points } from '../fields/field-density';
import { SklarError } from '../../errors';
import { type ModelDocument, expectConfig } from '../../model/model-file';
import { type TimeLaw, type VelocityDefinition } from '../../native';
import { type ModelTensors } from '../copula';
import { type CopulaCapabilities } from '../fields/capabilities';
import { chooseCompletion } from '../training/guide';
import { type ResolvedReflectionOptions } from '../inputs/options';
import { type DenseRows } from '../inputs/rows';
import { type Execution } from '../inputs/run';
import { type GivenSolverOptions, type SolverOptions } from '../fields/solvers';
import { type TrainRun, train } from '../training/train';
import {
  VelocityCopula,
  type VelocityParts,
  networkSchema,
  velocityParts,
  velocityTraining,
} from './velocity';

/** Steps of the published sampler: Euler, uniform in time. */
const PUBLISHED_STEPS = 50;

/**
 * Reflection copula (Huk and Damoulas, 2025): rows move through the unit cube on straight lines, reflected at its faces,
 * until their dependence is forgotten; a network learns the mean velocity, and its ordinary differential equation carries
 * independent rows back (docs/mathematics.md, B). The default network vanishes on the faces, so that the flow has a
 * normalised density; the published one does not, and only samples.
 *
 * @example
 * ```ts
 * import { GaussianCopula, fitCopula } from 'sklar';
 *
 * const u = await new GaussianCopula(Float64Array.of(1, 0.7, 0.7, 1), 2).sample(200);
 * const reflection = await fitCopula(u, { kind: 'reflection', hidden: 16, depth: 1, steps: 20 }); // more for real use
 * await reflection.sample(100, { solver: 'heun', steps: 10, margins: 'raw' }); // 100 x 2
 * ```
 */
export class ReflectionCopula extends VelocityCopula {
  readonly kind = 'reflection';

  private constructor(parts: VelocityParts) {
    super(parts);
  }

  /** @internal `fitCopula` and `loadModel` make them. */
  static fromParts(parts: VelocityParts): ReflectionCopula {
    return new ReflectionCopula(parts);
  }

  get normalised(): boolean {
    return !this.#published;
  }

  get #published(): boolean {
    return this.parts.definition.published;
  }

  /** @internal */
  protected architecture() {
    const { frequencies } = this.parts.definition;
    return this.#published
      ? { network: 'published', tMax: this.parts.reference }
      : { network: 'boundary-exact', cosines: frequencies, tMax: this.parts.reference };
  }

  /** @internal */
  protected defaultSampler(given: GivenSolverOptions): SolverOptions {
    return this.#published && given.solver === undefined && !given.noise
      ? { solver: 'euler', grid: given.grid ?? 'time', steps: given.steps ?? PUBLISHED_STEPS }
      : {};
  }

  override get capabilities(): CopulaCapabilities {
    return { ...super.capabilities, ...(this.#published && { logPdf: ['bound'] }) };
  }

  /** @internal */
  protected override logPdfRows(points: Points, run: Execution): Promise<Float64Array> {
    if (!this.#published) return super.logPdfRows(points, run);
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      "the published reflection network has no density, since its velocity does not vanish on the faces of the cube: use method 'bound'",
    );
  }
}

/** Trains a reflection copula on pseudo-observations; see `fitCopula`. */
export function fitReflection(
  u: DenseRows,
  options: ResolvedReflectionOptions,
  run: TrainRun,
): Promise<ReflectionCopula> {
  const published = options.network === 'published';
  const definition: VelocityDefinition = {
    process: 'reflection',
    published,
    potential: false,
    dim: u.columns,
    frequencies: published ? 0 : options.cosines,
    hiddenDim: options.hidden,
    depth: options.depth,
    activation: options.activation,
    members: options.members,
    cholesky: null,
  };
  const timeLaw: TimeLaw =
    options.weighting === 'likelihood'
      ? { kind: 'logarithmic', low: options.leastTime, high: options.tMax }
      : { kind: 'quartic', low: 0, high: options.tMax };
  const prepare = async (training: DenseRows, validation: DenseRows) =>
    velocityTraining(
      definition,
      await chooseCompletion(u, training, validation, run),
      timeLaw,
      options,
      (parameters, record) =>
        ReflectionCopula.fromParts({
          definition,
          reference: options.tMax,
          parameters,
          options,
          training: record,
        }),
    );
  return train(u, options, prepare, run);
}

const configSchema = z.object({
  network: networkSchema,
  reference: z.number().positive().max(10),
  options: z.unknown(),
});

/** Rebuilds a reflection copula from what `save` wrote. */
export function reflectionFromFile(document: ModelDocument, tensors: ModelTensors): ReflectionCopula {
  const { network, reference, options } = expectConfig(configSchema, document);
  const definition: VelocityDefinition = { ...network, potential: false, cholesky: null };
  return ReflectionCopula.fromParts(
    velocityParts({ definition, reference, options, training: document.training }, tensors),
  );
}

/**
 * A reflection copula from bare weights under the published state-dict names (`model.0.weight`, `model.1.weight`,
 * `model.3.weight`, ...). Sizes are read off the shapes.
 *
 * @param options tMax: the time that the weights were trained up to; default 1.5, the published value
 */
export function reflectionFromPublishedWeights(
  tensors: ModelTensors,
  options: { tMax?: number } = {},
): ReflectionCopula {
  const first = tensors.get('model.0.weight');
  if (first?.shape.length !== 2) {
    throw new SklarError('ERR_SKLAR_FORMAT', 'expected published weights with a matrix "model.0.weight"');
  }
  let depth = 1;
  while (tensors.has(`model.${2 * depth + 1}.weight`)) depth++;
  const definition: VelocityDefinition = {
    process: 'reflection',
    published: true,
    potential: false,
    dim: first.shape[1]! - 1,
    frequencies: 0,
    hiddenDim: first.shape[0]!,
    depth,
    activation: 'silu',
    members: 1,
    cholesky: null,
  };
  if (definition.dim < 1 || depth < 2) {
    throw new SklarError(
      'ERR_SKLAR_FORMAT',
      `published weights of ${depth} layers for ${definition.dim} columns`,
    );
  }
  const parts = { definition, reference: options.tMax ?? 1.5, options: null, training: null };
  return ReflectionCopula.fromParts(velocityParts(parts, tensors));
}
