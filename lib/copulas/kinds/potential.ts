import { z } from 'zod';

import { type ModelDocument, expectConfig } from '../../model/model-file';
import { type TimeLaw, type VelocityDefinition, runJob } from '../../native';
import { processes } from '../../processes';
import { expectNumber, expectOptions } from '../../errors';
import { type ConditionalRequest, type ModelContent, type ModelTensors } from '../copula';
import { type CopulaCapabilities } from '../fields/capabilities';
import { type Points } from '../fields/field-density';
import {
  type Normalisable,
  type NormaliserEstimate,
  type NormaliserOptions,
  normaliserOf,
  normaliserOptionNames,
  normaliserSchema,
} from '../fields/normaliser';
import { type ConditionalSample, levelConditional, levelConditionalMethods } from '../fields/smc';
import { type GivenSolverOptions, type SolverOptions } from '../fields/solvers';
import { type ResolvedPotentialOptions } from '../inputs/options';
import { type DenseRows, type RowsInput, expectFinite, toDense } from '../inputs/rows';
import { type Execution, type RunOptions, cpuOnlyOf, runOptions } from '../inputs/run';
import { guideCorrelation } from '../correlation/ties';
import { chooseCompletion, guideOf } from '../training/guide';
import { type TrainRun, train } from '../training/train';
import { noiseTimes } from './cdc';
import { expectGuide } from './parameters';
import {
  VelocityCopula,
  type VelocityParts,
  networkSchema,
  velocityParts,
  velocityTraining,
} from './velocity';

/** Times along which particles go from the reference to data. */
const PATH_LEVELS = 10;

interface PotentialParts extends VelocityParts {
  /** The latest estimate of the normaliser, if there is one. */
  normaliser: NormaliserEstimate | null;
}

/** Its density is normalised by an estimate: `estimateNormaliser`. */
export const potentialCapabilities: CopulaCapabilities = {
  logPdf: ['potential', 'ode', 'bound'],
  sampleConditional: levelConditionalMethods,
  field: true,
  cdf: false,
  marginal: false,
  cpuOnly: null,
};

/**
 * Potential copula: a network of one output in the continuous time of an Ornstein-Uhlenbeck process, whose gradient is the field
 * (docs/mathematics.md, A.11). One pass gives the log density at any time, up to a normaliser; the field is the gradient of
 * that, so that density and sampler are of one law wherever the network is.
 *
 * @example
 * ```ts
 * import { GaussianCopula, fitCopula } from 'sklar';
 *
 * const u = await new GaussianCopula(Float64Array.of(1, 0.7, 0.7, 1), 2).sample(200);
 * const potential = await fitCopula(u, { kind: 'potential', members: 1, hidden: 16, depth: 1, steps: 20 }); // more for real use
 * potential.normalised; // => false
 * const { logZ, standardError } = await potential.estimateNormaliser({ particles: 64 });
 * await potential.logPdf(u, { normalised: true }); // Float64Array, nats
 * ```
 */
export class PotentialCopula extends VelocityCopula {
  readonly kind = 'potential';
  readonly normalised = false;
  #normaliser: NormaliserEstimate | null;

  private constructor({ normaliser, ...parts }: PotentialParts) {
    super(parts);
    this.#normaliser = normaliser;
  }

  /** @internal `fitCopula` and `loadModel` make them. */
  static fromParts(parts: PotentialParts): PotentialCopula {
    return new PotentialCopula(parts);
  }

  override get capabilities(): CopulaCapabilities {
    return { ...potentialCapabilities, cpuOnly: cpuOnlyOf(this.parts.parameters) };
  }

  /**
   * log c_t at a time t of the Ornstein-Uhlenbeck process (0: data, Infinity: the reference), up to a normaliser that is the
   * same for every row, for rows on the Gaussian scale: at 0 it is `logPdf`. The dependence fades with the time; at infinity the
   * value is that of the guide (0 without one).
   */
  async logPdfAtTime(z: RowsInput, time: number, options: RunOptions = {}): Promise<Float64Array> {
    options = expectOptions(options, 'logPdfAtTime', runOptions);
    const run = this.begin(options);
    if (time !== Infinity) expectNumber(time, 'time', { min: 0 });
    const { data: x, rows } = toDense(z, 'the rows of logPdfAtTime', this.dim);
    const points = { x, rows, fromGaussian: true, firstRow: 0 };
    return expectFinite(await this.#at(points, Math.acos(Math.exp(-time)), run), 1, 'the log density');
  }

  /** log Z of the latest `estimateNormaliser`, which is saved with the model; null: not estimated yet. */
  get logNormaliser(): number | null {
    return this.#normaliser?.logZ ?? null;
  }

  /** The standard error of `logNormaliser`. */
  get logNormaliserStandardError(): number | null {
    return this.#normaliser?.standardError ?? null;
  }

  /**
   * Estimates log Z, Z the integral of exp(logPdf) over the unit cube, by annealed sequential Monte Carlo along the times, and
   * keeps it with the model; see `CdcCopula.estimateNormaliser`.
   *
   * @throws SklarError ERR_SKLAR_DIVERGED when the network's values are not finite
   */
  async estimateNormaliser(options: NormaliserOptions = {}): Promise<NormaliserEstimate> {
    options = expectOptions(options, 'estimateNormaliser', normaliserOptionNames);
    const run = this.begin(options);
    this.#normaliser = await normaliserOf(options, this.dim, run, (addon, native, onEvent) =>
      addon.potentialNormaliser(this.fieldHandle(), noiseTimes(PATH_LEVELS, Infinity), native, run, onEvent),
    );
    return this.#normaliser;
  }

  /** @internal Methods `smc` (default), `twisted`, `replacement` and `repaint`; see `Copula.sampleConditional`. */
  protected override async drawConditional(
    request: ConditionalRequest,
    run: Execution,
  ): Promise<ConditionalSample> {
    return levelConditional(request, this.names, this.dim, this.#normaliser, run, (addon, native, onEvent) =>
      addon.potentialConditional(this.fieldHandle(), noiseTimes(PATH_LEVELS, Infinity), native, run, onEvent),
    );
  }

  /** @internal */
  override get normalisable(): Normalisable {
    return this;
  }

  /** @internal */
  protected override async ensureLogNormaliser(run: Execution): Promise<number> {
    return this.logNormaliser ?? (await this.estimateNormaliser(run)).logZ;
  }

  /** @internal */
  protected override logPdfRows(points: Points, run: Execution): Promise<Float64Array> {
    return this.#at(points, 0, run);
  }

  #at({ x, rows, fromGaussian }: Points, angle: number, run: Execution): Promise<Float64Array> {
    return runJob((addon) => addon.fieldPotential(this.fieldHandle(), x, fromGaussian, rows, angle, run), {
      signal: run.signal,
    });
  }

  /** @internal */
  protected override description() {
    const { config, ...others } = super.description();
    return { ...others, config: { ...config, normaliser: this.#normaliser } };
  }

  /** @internal */
  protected architecture() {
    return { guided: this.parts.definition.cholesky !== null };
  }

  /** @internal */
  protected defaultSampler(given: GivenSolverOptions): SolverOptions {
    // as of a flow: the finest structure sits at the least noise, where steps uniform in the angle are densest
    return given.solver === undefined && !given.noise && given.clock === undefined ? { clock: 'theta' } : {};
  }

  /** @internal */
  protected override toModelContent(): ModelContent {
    const { config, ...others } = super.toModelContent();
    return { ...others, config: { ...config, normaliser: this.#normaliser } };
  }
}

/** Trains a potential on pseudo-observations; see `fitCopula`. */
export function fitPotential(
  u: DenseRows,
  options: ResolvedPotentialOptions,
  run: TrainRun,
): Promise<PotentialCopula> {
  const prepare = async (training: DenseRows, validation: DenseRows) => {
    const { reference } = processes.ou;
    const guide = await guideOf(() => guideCorrelation(u, run), training, validation, options, run);
    const definition: VelocityDefinition = {
      process: 'ou',
      published: false,
      potential: true,
      dim: u.columns,
      frequencies: 0,
      hiddenDim: options.hidden,
      depth: options.depth,
      activation: 'silu',
      members: options.members,
      cholesky: guide?.cholesky ?? null,
    };
    const timeLaw: TimeLaw =
      options.weighting === 'likelihood'
        ? { kind: 'log-sine', low: options.leastNoise, high: 1 }
        : { kind: 'uniform', low: 0, high: reference };
    const about = { ...options, shrinkage: guide?.shrinkage ?? null };
    return velocityTraining(
      definition,
      definition.cholesky ?? (await chooseCompletion(u, training, validation, run)),
      timeLaw,
      about,
      (parameters, record) =>
        PotentialCopula.fromParts({
          definition,
          reference,
          parameters,
          options: about,
          training: record,
          normaliser: null,
        }),
      options.timeWeight,
    );
  };
  return train(u, options, prepare, run);
}

const configSchema = z.object({
  network: networkSchema,
  guided: z.boolean(),
  options: z.unknown(),
  normaliser: normaliserSchema.nullable(),
});

/** Rebuilds a potential copula from what `save` wrote. */
export function potentialFromFile(document: ModelDocument, tensors: ModelTensors): PotentialCopula {
  const { network, guided, options, normaliser } = expectConfig(configSchema, document);
  const definition: VelocityDefinition = {
    ...network,
    potential: true,
    cholesky: guided ? expectGuide(tensors, network.dim) : null,
  };
  const { reference } = processes.ou;
  return PotentialCopula.fromParts({
    ...velocityParts({ definition, reference, options, training: document.training }, tensors),
    normaliser,
  });
}
