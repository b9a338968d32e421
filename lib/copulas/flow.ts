import { z } from 'zod';

import { type ModelDocument, expectConfig } from '../model/model-file';
import { type TimeLaw, type VelocityDefinition, callNative } from '../native';
import { type ModelTensors } from './copula';
import { chooseCompletion, chooseGuide } from './guide';
import { type ResolvedFlowOptions } from './options';
import { expectTensor, gatherParameters } from './parameters';
import { type DenseRows } from './rows';
import { type SolverOptions } from './solvers';
import { guideCorrelation } from './ties';
import { type TrainRun, train } from './train';
import { VelocityCopula, velocityTraining } from './velocity';

/** Pure noise of the trigonometric path. */
const REFERENCE = Math.PI / 2;

/**
 * Flow copula: flow matching along the trigonometric path z_theta = cos(theta) z_0 + sin(theta) noise, on which the margins
 * are standard normal at every angle (docs/mathematics.md, C). Rows are sampled by the flow's ordinary differential
 * equation, and scored by it: the density is normalised.
 */
export class FlowCopula extends VelocityCopula {
  readonly kind = 'flow';
  readonly normalised = true;

  protected defaultSampler(given: SolverOptions): SolverOptions {
    // the finest structure sits at the least noise, where steps uniform in the angle are densest
    return given.solver === undefined && !given.noise && given.clock === undefined ? { clock: 'theta' } : {};
  }
}

/** Trains a flow copula on pseudo-observations; see `fitCopula`. */
export function fitFlow(u: DenseRows, options: ResolvedFlowOptions, run: TrainRun): Promise<FlowCopula> {
  const prepare = async (training: DenseRows, validation: DenseRows) => {
    const guide = options.guided
      ? await chooseGuide(await guideCorrelation(u, run), training, validation, options.shrinkage, run)
      : null;
    const definition: VelocityDefinition = {
      kind: 'trigonometric',
      dim: u.columns,
      frequencies: 0,
      hiddenDim: options.hidden,
      depth: options.depth,
      activation: options.activation,
      members: options.members,
      cholesky: guide?.cholesky ?? null,
    };
    const timeLaw: TimeLaw =
      options.weighting === 'likelihood'
        ? { kind: 'log-sine', low: options.leastNoise, high: 1 }
        : { kind: 'uniform', low: 0, high: REFERENCE };
    const about = { ...options, shrinkage: guide?.shrinkage ?? null };
    return velocityTraining(
      definition,
      definition.cholesky ?? (await chooseCompletion(u, training, validation, run)),
      timeLaw,
      about,
      (parameters, record) =>
        new FlowCopula({ definition, reference: REFERENCE, parameters, options: about, training: record }),
    );
  };
  return train(u, options, prepare, run);
}

const configSchema = z.object({
  network: z.object({
    kind: z.literal('trigonometric'),
    dim: z.int().min(2).max(65536),
    frequencies: z.literal(0),
    hiddenDim: z.int().min(1).max(65536),
    depth: z.int().min(1).max(1024),
    activation: z.enum(['silu', 'published']),
    members: z.int().min(1).max(64).default(1),
  }),
  guided: z.boolean(),
  options: z.unknown(),
});

/** Rebuilds a flow copula from what `save` wrote. */
export function flowFromFile(document: ModelDocument, tensors: ModelTensors): FlowCopula {
  const { network, guided, options } = expectConfig(configSchema, document);
  const square = [network.dim, network.dim];
  const definition: VelocityDefinition = {
    ...network,
    cholesky: guided ? Float64Array.from(expectTensor(tensors, 'guide.cholesky', square)) : null,
  };
  const slices = callNative((addon) => addon.velocitySlices(definition));
  return new FlowCopula({
    definition,
    reference: REFERENCE,
    parameters: gatherParameters(slices, tensors),
    options,
    training: document.training,
  });
}
