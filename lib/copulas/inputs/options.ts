import { z } from 'zod';

import { type OptionShape, SklarError, describe, unknownOptions } from '../../errors';
import { type SplitMethod, splitMethods } from '../../data/split';
import { flowProcesses } from '../../processes';

/** Parses with a zod schema; a failure becomes ERR_SKLAR_VALUE that names the option. */
export function parseOptions<S extends z.ZodType>(schema: S, value: unknown, what: string): z.output<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  if (issue.code === 'unrecognized_keys') {
    throw unknownOptions(issue.keys, what, namesOf(schema));
  }
  const name = issue.path.join('.') || what;
  const got = issue.path.reduce<unknown>(
    (at, key) =>
      typeof at === 'object' && at !== null ? (at as Record<PropertyKey, unknown>)[key] : undefined,
    value,
  );
  throw new SklarError('ERR_SKLAR_VALUE', `bad value for ${name}: ${issue.message}, got ${describe(got)}`);
}

/** The options of a schema. */
export function namesOf(schema: z.ZodType): string[] {
  return schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];
}

const positive = z.int().min(1);

/** Options of `fitCopula` for every kind that a network learns; a step is one of Adam on `batch` rows. */
export interface TrainingOptions {
  /** Steps at most; default 3000 of `cdc`, 4000 of others. */
  steps?: number | undefined;
  /** Rows of a step; default 1024. */
  batch?: number | undefined;
  /** After the warm-up; default 1e-3 of `cdc`, 3e-3 of others. */
  learningRate?: number | undefined;
  /** Steps over which the learning rate rises from 0; default 100. */
  warmup?: number | undefined;
  /** The cosine schedule ends at this share of the learning rate; default 0.01. */
  finalLearningRate?: number | undefined;
  /** Decay of Adam's mean of gradients; default 0.9. */
  beta1?: number | undefined;
  /** Decay of Adam's mean of squared gradients; default 0.999. */
  beta2?: number | undefined;
  /** Added to the root of that mean; default 1e-8. */
  epsilon?: number | undefined;
  /** The gradient is scaled down to this norm; 0 leaves it alone. Default 1. */
  clipNorm?: number | undefined;
  /**
   * Decoupled weight decay (Loshchilov and Hutter, 1711.05101): every step takes this times the learning rate off each
   * parameter, as a share of it. Default 0, of `flow` and `potential` 0.1.
   */
  weightDecay?: number | undefined;
  /** Decay of the running average of the parameters, which is what the model becomes; 0 turns it off. Default 0.999. */
  emaDecay?: number | undefined;
  /** Share of the training rows kept apart to choose the best parameters and stop early; 0: none. Default 0.1. */
  validation?: number | undefined;
  /** Which ones, see `splitRows`; default `random`. With `time` and `blocks` rows must be in the order of time. */
  split?: SplitMethod | undefined;
  /** Steps between two looks at the validation rows; default 100. */
  validateEvery?: number | undefined;
  /** Looks without improvement after which training ends; 0: never. Default 5. */
  patience?: number | undefined;
  /**
   * The ending: back to the best look, and from there this many steps with the learning rate falling to its end. 0: training
   * stops at once. Default 500.
   */
  anneal?: number | undefined;
}

const training = {
  steps: positive.max(1e9).default(3000).describe('training steps'),
  batch: z.int().min(2).max(1_048_576).default(1024).describe('rows in a step'),
  learningRate: z.number().positive().max(10).default(1e-3).describe('learning rate'),
  warmup: z.int().min(0).default(100),
  finalLearningRate: z.number().min(0).max(1).default(0.01),
  beta1: z.number().min(0).lt(1).default(0.9),
  beta2: z.number().min(0).lt(1).default(0.999),
  epsilon: z.number().positive().default(1e-8),
  clipNorm: z.number().min(0).default(1),
  weightDecay: z.number().min(0).max(10).default(0),
  emaDecay: z.number().min(0).lt(1).default(0.999),
  validation: z.number().min(0).lt(1).default(0.1),
  split: z.enum(splitMethods).optional(),
  validateEvery: positive.default(100),
  patience: z.int().min(0).default(5),
  anneal: z.int().min(0).max(1e9).default(500),
} satisfies OptionShape<TrainingOptions>;

/** Options of `fitCopula` for kind `cdc`. */
export interface CdcOptions extends TrainingOptions {
  /**
   * Whiten by the normal-scores correlation first: the model then learns the difference from a Gaussian copula. Default true.
   */
  guided?: boolean | undefined;
  /**
   * The guide is (1 - shrinkage) R + shrinkage I; default: what scores the validation rows best as a Gaussian copula
   * (with fewer than 20 validation rows as for a gaussian copula).
   */
  shrinkage?: number | undefined;
  /** Width of the network; default 256. */
  hidden?: number | undefined;
  /** Residual blocks; default 3. */
  depth?: number | undefined;
  /** Activation inside a block, default `silu`; `published` is the ReLU of the published code. */
  activation?: 'silu' | 'published' | undefined;
  /** Noise levels, uniform in w = exp(-2 t), data and reference included; default 10. */
  levels?: number | undefined;
  /** Time of the reference level; Infinity (pure noise, default) leaves no bias in the density. The published value is 3. */
  referenceTime?: number | undefined;
  /** `stratified` (default): the same share of rows at the inner levels in every batch. `published`: independent draws. */
  levelSampling?: 'stratified' | 'published' | undefined;
  /** Weight of the cross entropy beside the denoising error; default 0.2. */
  crossEntropyWeight?: number | undefined;
}

export const cdcOptionsSchema = z.strictObject({
  guided: z.boolean().default(true).describe('learn the difference from a Gaussian copula'),
  shrinkage: z.number().min(0).max(1).optional(),
  hidden: positive.max(8192).default(256).describe('width of the network'),
  depth: positive.max(64).default(3).describe('residual blocks of the network'),
  activation: z.enum(['silu', 'published']).default('silu'),
  levels: z.int().min(3).max(1000).default(10).describe('noise levels, data and reference included'),
  referenceTime: z.union([z.number().positive(), z.literal(Infinity)]).default(Infinity),
  levelSampling: z.enum(['stratified', 'published']).default('stratified'),
  crossEntropyWeight: z.number().positive().max(1e6).default(0.2),
  ...training,
} satisfies OptionShape<CdcOptions>);
export type ResolvedCdcOptions = z.output<typeof cdcOptionsSchema>;

const members = positive.max(64);

/** Options of `fitCopula` for kind `flow`. */
export interface FlowOptions extends TrainingOptions {
  /** How dependence is forgotten: `ou` on the Gaussian scale (default), `jacobi` in the unit cube. */
  process?: 'ou' | 'jacobi' | undefined;
  /**
   * Whiten by the normal-scores correlation first: the model then learns the difference from a Gaussian copula. Of `ou`
   * alone, since the cube has no such coordinates; default true there.
   */
  guided?: boolean | undefined;
  /** As for a CDC. */
  shrinkage?: number | undefined;
  /** Width of the network; default 256. */
  hidden?: number | undefined;
  /** Residual blocks; default 3. */
  depth?: number | undefined;
  /** Activation inside a block, default `silu`; `published` is ReLU. */
  activation?: 'silu' | 'published' | undefined;
  /**
   * Networks whose mean is the velocity, each trained on rows of its own (`batch` in a step): their errors differ, so that
   * the mean overfits less. Fitting, scoring and sampling cost as many times more. Default 2.
   */
  members?: number | undefined;
  /** Of `jacobi`: frequencies k = 1..cosines of the cos(pi k u) that the network reads; default 8. */
  cosines?: number | undefined;
  /** `likelihood` (default): the loss bounds the log-likelihood; `uniform`: all angles alike, as in flow matching. */
  weighting?: 'likelihood' | 'uniform' | undefined;
  /** The least noise, sin(theta) or the time t on the cube, that the likelihood weighting looks at; default 0.01. */
  leastNoise?: number | undefined;
}

export const flowOptionsSchema = z.strictObject({
  process: z.enum(flowProcesses).default('ou').describe('how a flow forgets dependence'),
  guided: z.boolean().optional(),
  shrinkage: z.number().min(0).max(1).optional(),
  hidden: positive.max(8192).default(256),
  depth: positive.max(64).default(3),
  activation: z.enum(['silu', 'published']).default('silu'),
  members: members.default(2),
  cosines: positive.max(64).optional(),
  weighting: z.enum(['likelihood', 'uniform']).default('likelihood'),
  leastNoise: z.number().min(1e-5).max(0.5).default(0.01),
  ...training,
  steps: positive.max(1e9).default(4000),
  learningRate: z.number().positive().max(10).default(3e-3),
  weightDecay: training.weightDecay.default(0.1),
} satisfies OptionShape<FlowOptions>);
export type ParsedFlowOptions = z.output<typeof flowOptionsSchema>;
export type ResolvedFlowOptions = ParsedFlowOptions & { guided: boolean; cosines: number };

/** Options of `fitCopula` for kind `potential`. */
export interface PotentialOptions extends TrainingOptions {
  /** As for a CDC. */
  guided?: boolean | undefined;
  /** As for a CDC. */
  shrinkage?: number | undefined;
  /** Width of the network; default 256. */
  hidden?: number | undefined;
  /** Residual blocks; default 3. */
  depth?: number | undefined;
  /** Networks whose mean is the potential, see `FlowOptions.members`; default 2. */
  members?: number | undefined;
  /** `uniform` (default): all angles alike; `likelihood`: the loss of the gradient bounds the log-likelihood. */
  weighting?: 'likelihood' | 'uniform' | undefined;
  /** Weight of the error of the slope in time beside that of the gradient; 0: the gradient alone. Default 0.5. */
  timeWeight?: number | undefined;
  /** The least noise sin(theta) that the likelihood weighting looks at; default 0.01. */
  leastNoise?: number | undefined;
}

export const potentialOptionsSchema = z.strictObject({
  guided: z.boolean().default(true),
  shrinkage: z.number().min(0).max(1).optional(),
  hidden: positive.max(8192).default(256),
  depth: positive.max(64).default(3),
  members: members.default(2),
  weighting: z.enum(['likelihood', 'uniform']).default('uniform'),
  timeWeight: z.number().min(0).max(1e6).default(0.5),
  leastNoise: z.number().min(1e-5).max(0.5).default(0.01),
  ...training,
  steps: positive.max(1e9).default(4000),
  learningRate: z.number().positive().max(10).default(3e-3),
  weightDecay: training.weightDecay.default(0.1),
} satisfies OptionShape<PotentialOptions>);
export type ResolvedPotentialOptions = z.output<typeof potentialOptionsSchema>;

/** Options of `fitCopula` for kind `reflection`. */
export interface ReflectionOptions extends TrainingOptions {
  /** Width of the network; default 256. */
  hidden?: number | undefined;
  /** Residual blocks, default 3; linear layers of the published network. */
  depth?: number | undefined;
  /**
   * `boundary-exact` (default): reads cos(pi k u), and its velocity vanishes on the faces of the cube, so that the flow has
   * a density. `published`: the published network, which reads u and t, and has none.
   */
  network?: 'boundary-exact' | 'published' | undefined;
  /** Frequencies k = 1..cosines that the boundary-exact network reads; default 8. */
  cosines?: number | undefined;
  /** Activation inside a block, default `silu`; `published` is ReLU. */
  activation?: 'silu' | 'published' | undefined;
  /** Networks whose mean is the velocity, see `FlowOptions.members`; default 1. */
  members?: number | undefined;
  /** Time at which dependence counts as forgotten (exp(-pi^2 t^2)), default 0.9; the published value is 1.5. */
  tMax?: number | undefined;
  /** Law of the times: `likelihood` (default): density 1/t, the loss bounds the log-likelihood; `published`: t = tMax U^4. */
  weighting?: 'likelihood' | 'published' | undefined;
  /** The least time that the likelihood weighting looks at; default 0.005. */
  leastTime?: number | undefined;
}

export const reflectionOptionsSchema = z.strictObject({
  hidden: positive.max(8192).default(256),
  depth: positive.max(64).default(3),
  network: z.enum(['boundary-exact', 'published']).default('boundary-exact'),
  cosines: positive.max(64).default(8),
  activation: z.enum(['silu', 'published']).default('silu'),
  members: members.default(1),
  tMax: z.number().min(0.1).max(10).default(0.9),
  weighting: z.enum(['likelihood', 'published']).default('likelihood'),
  leastTime: z.number().min(1e-5).max(0.05).default(0.005),
  ...training,
  steps: positive.max(1e9).default(4000),
  learningRate: z.number().positive().max(10).default(3e-3),
} satisfies OptionShape<ReflectionOptions>);
export type ResolvedReflectionOptions = z.output<typeof reflectionOptionsSchema>;
