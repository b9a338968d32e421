/** What flow, reflection and potential copulas share: a velocity head, sampled and scored by its ordinary differential equation. */
import { z } from 'zod';

import { SklarError } from '../../errors';
import {
  type FieldHandle,
  type RealArray,
  type TimeLaw,
  type VelocityDefinition,
  callNative,
  runJob,
} from '../../native';
import { type Process, processNames, processes } from '../../processes';
import {
  Copula,
  type ModelContent,
  type ModelTensors,
  type NetworkStart,
  type SampleOptions,
  type Draws,
  type ConditionalRequest,
  FIRST_DRAWS,
} from '../copula';
import { type Walk, transportWalk } from '../events/walk';
import { type CopulaCapabilities, velocityCapabilities } from '../fields/capabilities';
import { type HasField } from '../fields/field';
import { fieldLogPdf, type Points } from '../fields/field-density';
import { addParameters, gatherParameters, startRecord } from './parameters';
import { type Execution, cpuOnlyOf } from '../inputs/run';
import {
  type ConditionalSample,
  conditionalRows,
  velocityConditionalOptions,
  velocityReport,
} from '../fields/smc';
import {
  type IntegrationProblem,
  type ResolvedIntegration,
  type GivenSolverOptions,
  type SolverOptions,
  resolveIntegration,
  givenSolverOptions,
} from '../fields/solvers';
import { type Trainable } from '../training/train';
import { tell } from '../../tell';

/** A velocity head in a model file; those of version 0.1 say process and network by one word. */
const kindsOf01: Record<string, { process: Process; published: boolean }> = {
  trigonometric: { process: 'ou', published: false },
  reflection: { process: 'reflection', published: false },
  'reflection-published': { process: 'reflection', published: true },
};
export const networkSchema = z.preprocess(
  (value) =>
    typeof value === 'object' && value !== null && 'kind' in value
      ? { ...value, ...kindsOf01[String(value.kind)] }
      : value,
  z.object({
    process: z.enum(processNames),
    published: z.boolean(),
    dim: z.int().min(1).max(65536),
    frequencies: z.int().min(0).max(64),
    hiddenDim: z.int().min(1).max(65536),
    depth: z.int().min(1).max(1024),
    activation: z.enum(['silu', 'published']),
    members: z.int().min(1).max(64).default(1),
  }),
);

export interface VelocityParts {
  definition: VelocityDefinition;
  /** The time from which samples start. */
  reference: number;
  parameters: RealArray;
  options: unknown;
  training: Readonly<Record<string, unknown>> | null;
}

/** What flow, reflection and potential copulas share. */
export abstract class VelocityCopula extends Copula implements HasField {
  readonly dim: number;
  /** @internal */
  protected readonly parts: VelocityParts;
  #field: FieldHandle | null;

  /** @internal */
  protected constructor(parts: VelocityParts) {
    super();
    this.parts = parts;
    this.dim = parts.definition.dim;
    this.#field = callNative((addon) =>
      addon.velocityFieldHandle(parts.definition, parts.parameters, parts.reference),
    );
  }

  get capabilities(): CopulaCapabilities {
    const { sampleConditional } = velocityCapabilities;
    return {
      ...velocityCapabilities,
      sampleConditional: processes[this.parts.definition.process].noise ? sampleConditional : [],
      cpuOnly: cpuOnlyOf(this.parts.parameters),
    };
  }

  /** The field at any time, for `integrate`. */
  fieldHandle(): FieldHandle {
    if (this.#field) return this.#field;
    throw new SklarError('ERR_SKLAR_DISPOSED', `this ${this.kind} copula was disposed`);
  }

  /** @internal */
  integrationProblem(): IntegrationProblem {
    return { process: this.parts.definition.process, reference: this.parts.reference, levels: null };
  }

  /** @internal */
  protected description() {
    const { definition, options, training, parameters, reference } = this.parts;
    return {
      parameters: parameters.length,
      config: {
        hidden: definition.hiddenDim,
        depth: definition.depth,
        activation: definition.activation,
        members: definition.members,
        reference,
        guided: definition.cholesky !== null,
        options,
      },
      training,
    };
  }

  /** @internal */
  protected async logPdfRows(points: Points, run: Execution): Promise<Float64Array> {
    return (await fieldLogPdf(this, 'ode', points, {}, run)).logPdf;
  }

  /** @internal */
  protected sampleRows(draws: Draws, options: SampleOptions, run: Execution): Promise<Float64Array> {
    return this.sampleField(this.#plan(options), draws, options, run);
  }

  /** @internal The rows that `sample` makes of given starts. */
  override walks(run: Execution): readonly Walk[] {
    const rowsOf = (start: Float64Array, rows: number) =>
      this.sampleField(this.#plan({}), { rows, ...FIRST_DRAWS }, { start, mapped: true }, run);
    return [transportWalk(this.dim, this.parts.definition.cholesky, rowsOf, run)];
  }

  /** @internal Of processes with noise: method `twisted`; see `Copula.sampleConditional`. */
  protected override async drawConditional(
    request: ConditionalRequest,
    run: Execution,
  ): Promise<ConditionalSample> {
    if (this.capabilities.sampleConditional.length === 0) return super.drawConditional(request, run);
    const { fixed, rows, options } = request;
    const { condition, native } = velocityConditionalOptions(
      fixed,
      rows,
      options,
      this.names,
      this.dim,
      this.integrationProblem(),
    );
    const result = await runJob(
      (addon, onEvent: (fraction: number) => void) =>
        addon.fieldConditional(this.fieldHandle(), native, run, onEvent),
      { signal: run.signal, onEvent: (fraction) => tell(options.onProgress, { fraction }) },
    );
    return {
      rows: conditionalRows(result.values, condition, this.names, this.dim),
      ...velocityReport(result),
    };
  }

  /** @internal */
  checkSampleOptions(options: SampleOptions): void {
    this.#plan(options);
  }

  /** @internal */
  override get networkStart(): NetworkStart {
    this.fieldHandle();
    const { definition, parameters, reference, options, training } = this.parts;
    const { hiddenDim: hidden, depth, activation, members, cholesky } = definition;
    return {
      architecture: {
        ...{ hidden, depth, members, ...this.architecture() },
        ...(!definition.potential && { activation }),
      },
      cholesky,
      parameters,
      reference,
      ...startRecord(options, training),
    };
  }
  /** @internal The options of `fitCopula` that say what the network is, beside its size. */
  protected abstract architecture(): Readonly<Record<string, unknown>>;

  #plan(options: GivenSolverOptions): ResolvedIntegration {
    const given = givenSolverOptions(options);
    return resolveIntegration({ ...this.defaultSampler(given), ...given }, this.integrationProblem());
  }
  /** @internal What `sample` adds to the options that were given. */
  protected abstract defaultSampler(given: GivenSolverOptions): SolverOptions;

  /** @internal */
  protected toModelContent(): ModelContent {
    const { definition, parameters, options, training, reference } = this.parts;
    const { process, published, dim, frequencies, hiddenDim, depth, activation, members, cholesky } =
      definition;
    const network = { process, published, dim, frequencies, hiddenDim, depth, activation, members };
    const tensors: ModelTensors = new Map();
    addParameters(
      tensors,
      callNative((addon) => addon.velocitySlices(definition)),
      parameters,
    );
    if (cholesky) tensors.set('guide.cholesky', { shape: [this.dim, this.dim], data: cholesky });
    return { config: { network, reference, guided: cholesky !== null, options }, training, tensors };
  }

  /** @internal */
  protected release(): void {
    this.#field = null;
  }
}

/** The training of a velocity head; `completion`: see `Trainable`, `about`: the options of its model. */
export function velocityTraining<C extends VelocityCopula>(
  definition: VelocityDefinition,
  completion: Float64Array | null,
  timeLaw: TimeLaw,
  about: unknown,
  make: Trainable<C>['make'],
  slopeWeight = 0,
): Trainable<C> {
  return {
    about: [
      'velocity',
      definition.process,
      definition.published,
      about,
      ...(definition.potential ? ['potential'] : []),
    ],
    cholesky: definition.cholesky,
    completion,
    start: (addon, call, onReports) =>
      addon.velocityTrain({ ...call, definition, timeLaw, slopeWeight }, onReports),
    make,
  };
}

/** The parts of a model whose parameters are in a file's tensors. */
export function velocityParts(
  parts: Omit<VelocityParts, 'parameters'>,
  tensors: ModelTensors,
): VelocityParts {
  const slices = callNative((addon) => addon.velocitySlices(parts.definition));
  return { ...parts, parameters: gatherParameters(slices, tensors) };
}
