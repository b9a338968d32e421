import { z } from 'zod';

import { type Points } from '../fields/field-density';
import { type Matrix, matrix } from '../../matrix';
import { SklarError, expectInteger, expectOneOf, expectOptions } from '../../errors';
import { type ModelDocument, expectConfig } from '../../model/model-file';
import {
  type CdcHandle,
  type FieldHandle,
  type NetworkShape,
  type CdcNativeDefinition,
  callNative,
  runJob,
} from '../../native';
import {
  Copula,
  type ModelContent,
  type NetworkStart,
  type ModelTensors,
  type SampleOptions,
  sampleOptions,
  FIRST_DRAWS,
  type Draws,
  type ConditionalRequest,
} from '../copula';
import { type CopulaCapabilities } from '../fields/capabilities';
import { type Walk, transportWalk } from '../events/walk';
import { type HasField } from '../fields/field';
import { chooseCompletion, guideOf } from '../training/guide';
import { type ResolvedCdcOptions } from '../inputs/options';
import { addParameters, expectGuide, expectTensor, gatherParameters, startRecord } from './parameters';
import { type DenseRows, type RowsInput, expectFinite, toDense } from '../inputs/rows';
import { type Execution, type RunOptions, cpuOnlyOf, runOptions } from '../inputs/run';
import { type ConditionalSample, levelConditionalMethods, levelConditional } from '../fields/smc';
import {
  type NormaliserEstimate,
  type NormaliserOptions,
  normaliserOptionNames,
  normaliserOf,
  normaliserSchema,
  type Normalisable,
} from '../fields/normaliser';
import {
  type IntegrationProblem,
  type ResolvedIntegration,
  type GivenSolverOptions,
  resolveIntegration,
  solverNames,
  givenSolverOptions,
} from '../fields/solvers';
import { guideCorrelation } from '../correlation/ties';
import { type TrainRun, type Trainable, finiteOrNull, train } from '../training/train';

/** Every solver, and the published sampler for comparison. */
export const cdcSolvers = [...solverNames, 'published', 'published-noisy'] as const;

const configSchema = z.object({
  network: z.object({
    inputDim: z.int().min(2).max(65536),
    hiddenDim: z.int().min(1).max(65536),
    depth: z.int().min(1).max(1024),
    outputDim: z.int().min(3).max(65536),
    activation: z.enum(['silu', 'published']),
  }),
  /** Times of the noise levels; null stands for infinity, which JSON cannot write. */
  times: z.array(z.number().min(0).nullable()).min(3),
  guided: z.boolean(),
  options: z.unknown(),
  normaliser: normaliserSchema.nullish(),
});

/** The published grid (docs/mathematics.md, A.3): K times, uniform in w = exp(-2 t) from 1 to exp(-2 referenceTime). */
export function noiseTimes(levels: number, referenceTime: number): Float64Array {
  const end = -Math.expm1(-2 * referenceTime);
  return Float64Array.from({ length: levels }, (_, k) =>
    k === 0 ? 0 : k === levels - 1 ? referenceTime : -0.5 * Math.log1p((-k / (levels - 1)) * end),
  );
}

interface Parts extends CdcNativeDefinition {
  options: unknown;
  training: Readonly<Record<string, unknown>> | null;
  /** The latest estimate of the normaliser, if there is one. */
  normaliser?: NormaliserEstimate | null;
}

/** Its density is normalised by an estimate: `estimateNormaliser`. */
export const cdcCapabilities: CopulaCapabilities = {
  logPdf: ['classifier', 'ode', 'bound'],
  sampleConditional: levelConditionalMethods,
  field: true,
  cdf: false,
  marginal: false,
  cpuOnly: null,
};

/**
 * Classification-diffusion copula (Huk and Damoulas, 2025): a network that tells which noise level of an
 * Ornstein-Uhlenbeck process a row on the Gaussian scale was drawn from. The difference of two of its logits is a log
 * density ratio, so one pass gives the density; its gradient gives the reverse process, so it can be sampled.
 *
 * The density is `exp(logit_0 - logit_reference)`, times that of the guide's Gaussian copula. Nothing forces it to
 * integrate to one: `normalised` is false, and `estimateNormaliser` estimates what it integrates to.
 *
 * @example
 * ```ts
 * import { GaussianCopula, fitCopula } from 'sklar';
 *
 * const u = await new GaussianCopula(Float64Array.of(1, 0.7, 0.7, 1), 2).sample(200);
 * const cdc = await fitCopula(u, { kind: 'cdc', hidden: 16, depth: 1, steps: 20 }); // more for real use
 * cdc.normalised; // => false
 * const { logZ, standardError } = await cdc.estimateNormaliser({ particles: 64 });
 * await cdc.logPdf(u, { normalised: true }); // Float64Array, nats
 * ```
 */
export class CdcCopula extends Copula implements HasField {
  readonly kind = 'cdc';
  readonly normalised = false;
  readonly dim: number;
  readonly #parts: Parts;
  #handle: CdcHandle | null;
  #normaliser: NormaliserEstimate | null;
  #field: FieldHandle | null = null;

  private constructor(parts: Parts) {
    super();
    this.#parts = parts;
    this.dim = parts.network.inputDim;
    this.#normaliser = parts.normaliser ?? null;
    this.#handle = callNative((addon) => addon.cdcCreate(parts));
  }

  /** @internal `fitCopula` and `loadModel` make them. */
  static fromParts(parts: Parts): CdcCopula {
    return new CdcCopula(parts);
  }

  get capabilities(): CopulaCapabilities {
    return { ...cdcCapabilities, cpuOnly: cpuOnlyOf(this.#parts.parameters) };
  }

  /** Number of noise levels, data (0) and reference (levels - 1) included. */
  get levels(): number {
    return this.#parts.times.length;
  }

  /** Times of the noise levels of the Ornstein-Uhlenbeck process, 0 (data) first; the last may be Infinity. */
  get times(): Float64Array {
    return Float64Array.from(this.#parts.times);
  }

  /** L of the guide Sigma = L L^T (dim x dim, row-major, lower triangular); null: not guided. */
  get guide(): Float64Array | null {
    return this.#parts.cholesky && Float64Array.from(this.#parts.cholesky);
  }

  /**
   * G = grad_z log c_t(z), the field that drives every sampler, at noise level `level` (0: data), on the Gaussian scale.
   *
   * @param z n x dim, finite
   * @returns n x dim, Float64
   */
  async field(z: RowsInput, options: RunOptions & { level?: number } = {}): Promise<Matrix> {
    options = expectOptions(options, 'field', { ...runOptions, level: true });
    const run = this.begin(options);
    const level = this.#expectLevel(options.level ?? 0);
    const { data, rows } = toDense(z, 'the rows of field', this.dim);
    const values = await runJob((addon) => addon.cdcGradient(this.#native(), data, rows, level, run), {
      signal: run.signal,
    });
    return matrix(expectFinite(values, this.dim, 'the field'), rows, this.dim);
  }

  /**
   * log c_t at noise level `level`, up to the model's normaliser, for rows on the Gaussian scale: level 0 is `logPdf`.
   * Along the levels the dependence fades; at the last one the value is that of the guide (0 without one).
   */
  async logPdfAtLevel(z: RowsInput, level: number, options: RunOptions = {}): Promise<Float64Array> {
    options = expectOptions(options, 'logPdfAtLevel', runOptions);
    const run = this.begin(options);
    this.#expectLevel(level);
    const { data, rows } = toDense(z, 'the rows of logPdfAtLevel', this.dim);
    const values = await runJob((addon) => addon.cdcLogPdf(this.#native(), data, true, rows, level, run), {
      signal: run.signal,
    });
    return expectFinite(values, 1, 'the log density');
  }

  /** Classifier logits of all levels, n x levels, for rows on the Gaussian scale. */
  async logits(z: RowsInput, options: RunOptions = {}): Promise<Matrix> {
    options = expectOptions(options, 'logits', runOptions);
    const run = this.begin(options);
    const { data, rows } = toDense(z, 'the rows of logits', this.dim);
    const values = await runJob((addon) => addon.cdcLogits(this.#native(), data, rows, run), {
      signal: run.signal,
    });
    return matrix(expectFinite(values, this.levels, 'the logits'), rows, this.levels);
  }

  /**
   * Carries given rows of the Gaussian scale from the reference to data, instead of random starts. The deterministic
   * solvers map independent standard normal rows to rows of the model.
   */
  async transport(start: RowsInput, options: SampleOptions = {}): Promise<Matrix> {
    options = expectOptions(options, 'transport', sampleOptions);
    const run = this.begin(options);
    this.checkSampleOptions(options);
    const { data, rows } = toDense(start, 'the starting rows', this.dim);
    const values = await this.#integrate({ rows, ...FIRST_DRAWS }, options, run, data);
    return matrix(expectFinite(values, this.dim, 'the sample'), rows, this.dim);
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
   * Estimates log Z, Z the integral of exp(logPdf) over the unit cube, by annealed sequential Monte Carlo along the noise
   * levels, and keeps it with the model: log c(u) = logPdf(u) - log Z is normalised.
   *
   * @returns log Z and its standard error in nats, beside two other estimates and how the particles fared
   * @throws SklarError ERR_SKLAR_DIVERGED when the network's values are not finite
   */
  async estimateNormaliser(options: NormaliserOptions = {}): Promise<NormaliserEstimate> {
    options = expectOptions(options, 'estimateNormaliser', normaliserOptionNames);
    const run = this.begin(options);
    this.#normaliser = await normaliserOf(options, this.dim, run, (addon, native, onEvent) =>
      addon.cdcNormaliser(this.#native(), native, run, onEvent),
    );
    return this.#normaliser;
  }

  /** @internal Methods `smc` (default), `twisted`, `replacement` and `repaint`; see `Copula.sampleConditional`. */
  protected override async drawConditional(
    request: ConditionalRequest,
    run: Execution,
  ): Promise<ConditionalSample> {
    return levelConditional(request, this.names, this.dim, this.#normaliser, run, (addon, native, onEvent) =>
      addon.cdcConditional(this.#native(), native, run, onEvent),
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

  /** The field at any time, interpolated between the noise levels, for `integrate`. */
  fieldHandle(): FieldHandle {
    const model = this.#native();
    this.#field ??= callNative((addon) => addon.cdcFieldHandle(model));
    return this.#field;
  }

  /** @internal */
  integrationProblem(): IntegrationProblem {
    const reference = Math.acos(Math.exp(-this.#parts.times.at(-1)!));
    return { process: 'ou', reference, levels: this.#parts.times };
  }

  /** @internal */
  protected description() {
    const { network, times, cholesky, options, training, parameters } = this.#parts;
    return {
      parameters: parameters.length,
      config: {
        hidden: network.hiddenDim,
        depth: network.depth,
        activation: network.activation,
        levels: times.length,
        referenceTime: times.at(-1),
        guided: cholesky !== null,
        options,
        normaliser: this.#normaliser,
      },
      training,
    };
  }

  /** @internal */
  protected logPdfRows({ x, rows, fromGaussian }: Points, run: Execution): Promise<Float64Array> {
    return runJob((addon) => addon.cdcLogPdf(this.#native(), x, fromGaussian, rows, 0, run), {
      signal: run.signal,
    });
  }

  /** @internal */
  protected sampleRows(draws: Draws, options: SampleOptions, run: Execution): Promise<Float64Array> {
    return this.#integrate(draws, options, run, null);
  }

  /** @internal The rows that `sample` makes of given starts. */
  override walks(run: Execution): readonly Walk[] {
    const plan = resolveIntegration({}, this.integrationProblem());
    const rowsOf = (start: Float64Array, rows: number) =>
      this.sampleField(plan, { rows, ...FIRST_DRAWS }, { start, mapped: true }, run);
    return [transportWalk(this.dim, this.#parts.cholesky, rowsOf, run)];
  }

  #integrate(
    draws: Draws,
    options: SampleOptions,
    run: Execution,
    start: Float64Array | null,
  ): Promise<Float64Array> {
    const plan = this.#plan(options);
    if (!('noisy' in plan)) {
      return this.sampleField(plan, draws, { ...options, start }, run);
    }
    // The published samplers are there to be compared as they are.
    return runJob((addon) => addon.cdcSamplePublished(this.#native(), { ...draws, start, ...plan }, run), {
      signal: run.signal,
    });
  }

  /** @internal */
  checkSampleOptions(options: SampleOptions): void {
    this.#plan(options);
  }

  #plan(options: GivenSolverOptions): ResolvedIntegration | { noisy: boolean; steps: number } {
    const given = givenSolverOptions(options);
    if (given.solver !== undefined) expectOneOf(given.solver, 'solver', cdcSolvers);
    if (given.solver?.startsWith('published')) return this.#publishedPlan(given);
    return resolveIntegration(given, this.integrationProblem());
  }

  #publishedPlan({ solver, steps, noise, ...others }: GivenSolverOptions): { noisy: boolean; steps: number } {
    const other = Object.keys(others)[0];
    if (other) throw new SklarError('ERR_SKLAR_VALUE', `solver '${solver}' has no option ${other}`);
    if (solver === 'published-noisy' && noise === false) {
      throw new SklarError('ERR_SKLAR_VALUE', `solver '${solver}' adds noise: leave out the option noise`);
    }
    if (this.#parts.times.at(-1) === Infinity) {
      throw new SklarError(
        'ERR_SKLAR_VALUE',
        `solver '${solver}' needs a model with a finite referenceTime; this one's reference is pure noise`,
      );
    }
    const most = this.levels - 1;
    return {
      noisy: solver === 'published-noisy' || noise === true,
      steps: expectInteger(steps ?? most, `steps (the model has ${this.levels} noise levels)`, {
        min: 1,
        max: most,
      }),
    };
  }

  /** @internal */
  override get networkStart(): NetworkStart {
    this.#native();
    const { network, times, cholesky, correlation, parameters, options, training } = this.#parts;
    const { hiddenDim: hidden, depth, activation, outputDim: levels } = network;
    const guided = cholesky !== null;
    return {
      architecture: { hidden, depth, activation, levels, referenceTime: times.at(-1), guided },
      times,
      cholesky,
      correlation,
      parameters,
      ...startRecord(options, training),
    };
  }

  /** @internal */
  protected toModelContent(): ModelContent {
    const { network, times, cholesky, correlation, parameters, options, training } = this.#parts;
    const tensors: ModelTensors = new Map();
    addParameters(
      tensors,
      callNative((addon) => addon.cdcSlices(network)),
      parameters,
    );
    const square = [this.dim, this.dim];
    if (cholesky) tensors.set('guide.cholesky', { shape: square, data: cholesky });
    if (correlation) tensors.set('guide.correlation', { shape: square, data: correlation });
    return {
      config: {
        network,
        times: Array.from(times, finiteOrNull),
        guided: cholesky !== null,
        options,
        normaliser: this.#normaliser,
      },
      training,
      tensors,
    };
  }

  /** @internal */
  protected release(): void {
    this.#handle = null;
    this.#field = null;
  }

  #native(): CdcHandle {
    if (this.#handle) return this.#handle;
    throw new SklarError('ERR_SKLAR_DISPOSED', 'this cdc copula was disposed');
  }

  #expectLevel(level: number): number {
    return expectInteger(level, 'level', { min: 0, max: this.levels - 1 });
  }
}

/** Rebuilds a CDC from what `save` wrote. */
export function cdcFromFile(document: ModelDocument, tensors: ModelTensors): CdcCopula {
  const { network, times, guided, options, normaliser = null } = expectConfig(configSchema, document);
  const square = [network.inputDim, network.inputDim];
  const optional = (name: string) =>
    tensors.has(name) ? Float64Array.from(expectTensor(tensors, name, square)) : null;
  if (times.length !== network.outputDim) {
    throw new SklarError(
      'ERR_SKLAR_FORMAT',
      `the model's config has ${times.length} times for ${network.outputDim} outputs`,
    );
  }
  return CdcCopula.fromParts({
    network,
    times: Float64Array.from(times, (t) => t ?? Infinity),
    cholesky: guided ? expectGuide(tensors, network.inputDim) : null,
    correlation: optional('guide.correlation'),
    parameters: gatherParameters(
      callNative((addon) => addon.cdcSlices(network)),
      tensors,
    ),
    options,
    training: document.training,
    normaliser,
  });
}

/** What bare weights of the published code do not say about themselves. */
export interface PublishedWeightsOptions {
  /** Time of the reference level that the weights were trained with; default 3, the published value. */
  referenceTime?: number;
  /** Times of all levels, where they were not the published grid. */
  times?: ArrayLike<number>;
  /** Correlation of the guide (dim x dim, row-major) of a Gaussian-guided model. */
  correlation?: ArrayLike<number>;
}

/**
 * A CDC from bare weights under the published state-dict names (`backbone.input_proj.weight`, ...). Sizes are read off
 * the shapes. Published guided networks read z itself; ours read y = L^-1 z, so the input projection becomes W0 L.
 */
export function cdcFromPublishedWeights(
  tensors: ModelTensors,
  options: PublishedWeightsOptions = {},
): CdcCopula {
  const input = tensors.get('backbone.input_proj.weight');
  const head = tensors.get('classifier_head.weight');
  if (input?.shape.length !== 2 || head?.shape.length !== 2) {
    throw new SklarError(
      'ERR_SKLAR_FORMAT',
      'neither a sklar model nor published weights: "backbone.input_proj.weight" and "classifier_head.weight" ' +
        'must be there as matrices',
    );
  }
  let depth = 0;
  while (tensors.has(`backbone.resblocks.${depth}.net.0.weight`)) depth++;
  const dim = input.shape[1]!;
  const network: NetworkShape = {
    inputDim: dim,
    hiddenDim: input.shape[0]!,
    depth,
    outputDim: head.shape[0]!,
    activation: 'published',
  };
  if (depth < 1 || network.outputDim < 3) {
    throw new SklarError(
      'ERR_SKLAR_FORMAT',
      `published weights with ${depth} blocks and ${network.outputDim} levels`,
    );
  }
  const times = options.times
    ? Float64Array.from(options.times)
    : noiseTimes(network.outputDim, options.referenceTime ?? 3);
  if (times.length !== network.outputDim) {
    throw new SklarError('ERR_SKLAR_SHAPE', `expected ${network.outputDim} times, got ${times.length}`);
  }
  const parameters = gatherParameters(
    callNative((addon) => addon.cdcSlices(network)),
    tensors,
  );
  let cholesky: Float64Array | null = null;
  let correlation: Float64Array | null = null;
  if (options.correlation) {
    correlation = Float64Array.from(options.correlation);
    if (correlation.length !== dim * dim) {
      throw new SklarError(
        'ERR_SKLAR_SHAPE',
        `expected a ${dim} x ${dim} correlation, got ${correlation.length} values`,
      );
    }
    const factor = callNative((addon) => addon.cholesky(correlation!, dim));
    cholesky = factor;
    for (let row = 0; row < network.hiddenDim; row++) {
      const w = Float64Array.from(parameters.subarray(row * dim, (row + 1) * dim));
      for (let j = 0; j < dim; j++) {
        let sum = 0;
        for (let k = j; k < dim; k++) sum += w[k]! * factor[k * dim + j]!;
        parameters[row * dim + j] = sum;
      }
    }
  }
  return CdcCopula.fromParts({
    network,
    times,
    cholesky,
    correlation,
    parameters,
    options: null,
    training: null,
  });
}

/** Trains a CDC on pseudo-observations; see `fitCopula`. */
export function fitCdc(u: DenseRows, options: ResolvedCdcOptions, run: TrainRun): Promise<CdcCopula> {
  const prepare = async (training: DenseRows, validation: DenseRows) => {
    const { start } = run;
    const correlation = start?.correlation ?? (await guideCorrelation(u, run));
    const guide = await guideOf(() => correlation, training, validation, options, run);
    const network: NetworkShape = {
      inputDim: u.columns,
      hiddenDim: options.hidden,
      depth: options.depth,
      outputDim: options.levels,
      activation: options.activation,
    };
    const times = start?.times ?? noiseTimes(options.levels, options.referenceTime);
    const cholesky = guide?.cholesky ?? null;
    const resolved = {
      ...options,
      shrinkage: guide?.shrinkage ?? null,
      referenceTime: finiteOrNull(options.referenceTime),
    };
    const stratifiedLevels = options.levelSampling === 'stratified';
    const { crossEntropyWeight } = options;
    const trainable: Trainable<CdcCopula> = {
      about: ['cdc', resolved],
      cholesky,
      completion: cholesky ?? (await chooseCompletion(u, training, validation, run)),
      start: (addon, call, onReports) =>
        addon.cdcTrain({ ...call, network, times, stratifiedLevels, crossEntropyWeight }, onReports),
      make: (parameters, record) =>
        CdcCopula.fromParts({
          network,
          times,
          cholesky,
          correlation,
          parameters,
          options: resolved,
          training: record,
        }),
    };
    return trainable;
  };
  return train(u, options, prepare, run);
}
