import { z } from 'zod';

import { SklarError } from '../../errors';
import { type ModelDocument, expectConfig } from '../../model/model-file';
import { type TimeLaw, type VelocityDefinition } from '../../native';
import { processes } from '../../processes';
import { type ModelTensors } from '../copula';
import { chooseCompletion, guideOf } from '../training/guide';
import { type ParsedFlowOptions, type ResolvedFlowOptions } from '../inputs/options';
import { expectGuide } from './parameters';
import { type DenseRows } from '../inputs/rows';
import { type GivenSolverOptions, type SolverOptions } from '../fields/solvers';
import { guideCorrelation } from '../correlation/ties';
import { type TrainRun, train } from '../training/train';
import {
  VelocityCopula,
  type VelocityParts,
  networkSchema,
  velocityParts,
  velocityTraining,
} from './velocity';

/**
 * Flow copula: flow matching along the paths of a process. Those of `ou` are z_theta = cos(theta) z_0 + sin(theta) noise, on
 * which the margins are standard normal at every angle (docs/mathematics.md, C), those of `jacobi` lie in the unit cube
 * (docs/mathematics.md, B.5). Rows are sampled by the flow's ordinary differential equation, and scored by it: the density is normalised.
 *
 * @example
 * ```ts
 * import { GaussianCopula, fitCopula } from 'sklar';
 *
 * const u = await new GaussianCopula(Float64Array.of(1, 0.7, 0.7, 1), 2).sample(200);
 * const flow = await fitCopula(u, { kind: 'flow', members: 1, hidden: 16, depth: 1, steps: 20 }); // more for real use
 * await flow.logPdf([[0.2, 0.3]], { solver: 'rk4', steps: 10 }); // nats, normalised
 * ```
 */
export class FlowCopula extends VelocityCopula {
  readonly kind = 'flow';
  readonly normalised = true;

  private constructor(parts: VelocityParts) {
    super(parts);
  }

  /** @internal `fitCopula` and `loadModel` make them. */
  static fromParts(parts: VelocityParts): FlowCopula {
    return new FlowCopula(parts);
  }

  /** @internal */
  protected architecture() {
    const { process, frequencies, cholesky } = this.parts.definition;
    return { process, guided: cholesky !== null, ...(frequencies > 0 && { cosines: frequencies }) };
  }

  /** @internal */
  protected defaultSampler(given: GivenSolverOptions): SolverOptions {
    // the finest structure sits at the least noise, where steps uniform in the angle are densest
    const free = given.solver === undefined && !given.noise && given.clock === undefined;
    return free && !processes[this.parts.definition.process].cube ? { clock: 'theta' } : {};
  }
}

/** What the options mean for the process. @throws SklarError ERR_SKLAR_VALUE naming one that does not fit it */
export function resolveFlow(options: ParsedFlowOptions): ResolvedFlowOptions {
  const { cube } = processes[options.process];
  const misfit = cube ? options.guided : options.cosines !== undefined;
  if (misfit) {
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      cube
        ? `guided does not fit process '${options.process}': rows of the cube cannot be whitened`
        : `cosines belong to processes on the cube, not to '${options.process}'`,
    );
  }
  return { ...options, guided: options.guided ?? !cube, cosines: options.cosines ?? (cube ? 8 : 0) };
}

/** Trains a flow copula on pseudo-observations; see `fitCopula`. */
export function fitFlow(u: DenseRows, options: ResolvedFlowOptions, run: TrainRun): Promise<FlowCopula> {
  const prepare = async (training: DenseRows, validation: DenseRows) => {
    const { process } = options;
    const { start } = run;
    const { cube } = processes[process];
    const reference = start?.reference ?? processes[process].flow;
    const guide = await guideOf(() => guideCorrelation(u, run), training, validation, options, run);
    const definition: VelocityDefinition = {
      process,
      published: false,
      potential: false,
      dim: u.columns,
      frequencies: options.cosines,
      hiddenDim: options.hidden,
      depth: options.depth,
      activation: options.activation,
      members: options.members,
      cholesky: guide?.cholesky ?? null,
    };
    const timeLaw: TimeLaw =
      options.weighting === 'likelihood'
        ? cube
          ? { kind: 'logarithmic', low: options.leastNoise, high: reference }
          : { kind: 'log-sine', low: options.leastNoise, high: 1 }
        : { kind: 'uniform', low: 0, high: reference };
    const about = { ...options, shrinkage: guide?.shrinkage ?? null };
    return velocityTraining(
      definition,
      definition.cholesky ?? (await chooseCompletion(u, training, validation, run)),
      timeLaw,
      about,
      (parameters, record) =>
        FlowCopula.fromParts({ definition, reference, parameters, options: about, training: record }),
    );
  };
  return train(u, options, prepare, run);
}

const configSchema = z.object({
  network: networkSchema,
  reference: z.number().positive().max(10).default(processes.ou.reference),
  guided: z.boolean(),
  options: z.unknown(),
});

/** Rebuilds a flow copula from what `save` wrote. */
export function flowFromFile(document: ModelDocument, tensors: ModelTensors): FlowCopula {
  const { network, reference, guided, options } = expectConfig(configSchema, document);
  const definition: VelocityDefinition = {
    ...network,
    potential: false,
    cholesky: guided ? expectGuide(tensors, network.dim) : null,
  };
  return FlowCopula.fromParts(
    velocityParts({ definition, reference, options, training: document.training }, tensors),
  );
}
