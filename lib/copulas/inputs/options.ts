import { z } from 'zod';

import { SklarError, describe, unknownOptions } from '../../errors';
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

/** Options of training that all kinds share. */
const training = {
  steps: positive.max(1e9).default(3000),
  batch: z.int().min(2).max(1_048_576).default(1024),
  learningRate: z.number().positive().max(10).default(1e-3),
  /** Steps over which the learning rate rises from 0. */
  warmup: z.int().min(0).default(100),
  /** The cosine schedule ends at this share of the learning rate. */
  finalLearningRate: z.number().min(0).max(1).default(0.01),
  beta1: z.number().min(0).lt(1).default(0.9),
  beta2: z.number().min(0).lt(1).default(0.999),
  epsilon: z.number().positive().default(1e-8),
  /** The gradient is scaled down to this norm; 0 leaves it alone. */
  clipNorm: z.number().min(0).default(1),
  /**
   * Decoupled weight decay (Loshchilov and Hutter, 1711.05101): every step takes this times the learning rate off each
   * parameter, as a share of it.
   */
  weightDecay: z.number().min(0).max(10).default(0),
  /** Decay of the running average of the parameters, which is what the model becomes; 0 turns it off. */
  emaDecay: z.number().min(0).lt(1).default(0.999),
  /** Share of the training rows kept apart to choose the best parameters and stop early; 0: none. */
  validation: z.number().min(0).lt(1).default(0.1),
  /** Steps between two looks at the validation rows. */
  validateEvery: positive.default(100),
  /** Looks without improvement after which training ends; 0: never. */
  patience: z.int().min(0).default(5),
  /**
   * The ending: back to the best look, and from there this many steps with the learning rate falling to its end. 0: training
   * stops at once.
   */
  anneal: z.int().min(0).max(1e9).default(500),
};

/** Options of `fitCopula` for kind `cdc`, with their defaults. */
export const cdcOptionsSchema = z.strictObject({
  /** Whiten by the normal-scores correlation first: the model then learns the difference from a Gaussian copula. */
  guided: z.boolean().default(true),
  /**
   * The guide is (1 - shrinkage) R + shrinkage I; default: what scores the validation rows best as a Gaussian copula
   * (with fewer than 20 validation rows as for a gaussian copula).
   */
  shrinkage: z.number().min(0).max(1).optional(),
  /** Width of the network. */
  hidden: positive.max(8192).default(256),
  /** Residual blocks. */
  depth: positive.max(64).default(3),
  /** Activation inside a block; `published` is the ReLU of the published code. */
  activation: z.enum(['silu', 'published']).default('silu'),
  /** Noise levels, uniform in w = exp(-2 t), data and reference included. */
  levels: z.int().min(3).max(1000).default(10),
  /** Time of the reference level; Infinity (pure noise) leaves no bias in the density. The published value is 3. */
  referenceTime: z.union([z.number().positive(), z.literal(Infinity)]).default(Infinity),
  /** `stratified`: the same share of rows at the inner levels in every batch. `published`: independent draws. */
  levelSampling: z.enum(['stratified', 'published']).default('stratified'),
  /** Weight of the cross entropy beside the denoising error. */
  crossEntropyWeight: z.number().positive().max(1e6).default(0.2),
  ...training,
});

export type CdcOptions = z.input<typeof cdcOptionsSchema>;
export type ResolvedCdcOptions = z.output<typeof cdcOptionsSchema>;

/**
 * Networks whose mean is the velocity, each trained on rows of its own (`batch` in a step): their errors differ, so that the
 * mean overfits less. Fitting, scoring and sampling cost as many times more.
 */
const members = positive.max(64);

/** Options of `fitCopula` for kind `flow`, with their defaults. */
export const flowOptionsSchema = z.strictObject({
  /** How dependence is forgotten: `ou` on the Gaussian scale, `jacobi` in the unit cube. */
  process: z.enum(flowProcesses).default('ou'),
  /**
   * Whiten by the normal-scores correlation first: the model then learns the difference from a Gaussian copula. Default: of
   * `ou`, since the cube has no such coordinates.
   */
  guided: z.boolean().optional(),
  /** As for a CDC. */
  shrinkage: z.number().min(0).max(1).optional(),
  hidden: positive.max(8192).default(256),
  depth: positive.max(64).default(3),
  activation: z.enum(['silu', 'published']).default('silu'),
  members: members.default(2),
  /** On the cube: frequencies k = 1..cosines of the cos(pi k u) that the network reads; default 8. */
  cosines: positive.max(64).optional(),
  /** `likelihood`: the loss bounds the log-likelihood; `uniform`: all angles alike, as in flow matching. */
  weighting: z.enum(['likelihood', 'uniform']).default('likelihood'),
  /** The least noise, sin(theta) or the time t on the cube, that the likelihood weighting looks at. */
  leastNoise: z.number().min(1e-5).max(0.5).default(0.01),
  ...training,
  steps: positive.max(1e9).default(4000),
  learningRate: z.number().positive().max(10).default(3e-3),
  weightDecay: training.weightDecay.default(0.1),
});
export type FlowOptions = z.input<typeof flowOptionsSchema>;
export type ParsedFlowOptions = z.output<typeof flowOptionsSchema>;
export type ResolvedFlowOptions = ParsedFlowOptions & { guided: boolean; cosines: number };

/** Options of `fitCopula` for kind `reflection`, with their defaults. */
export const reflectionOptionsSchema = z.strictObject({
  hidden: positive.max(8192).default(256),
  /** Residual blocks; linear layers of the published network. */
  depth: positive.max(64).default(3),
  /**
   * `boundary-exact`: reads cos(pi k u), and its velocity vanishes on the faces of the cube, so that the flow has a
   * density. `published`: the published network, which reads u and t.
   */
  network: z.enum(['boundary-exact', 'published']).default('boundary-exact'),
  /** Frequencies k = 1..cosines that the boundary-exact network reads. */
  cosines: positive.max(64).default(8),
  activation: z.enum(['silu', 'published']).default('silu'),
  members: members.default(1),
  /** Time at which dependence counts as forgotten (exp(-pi^2 t^2)); the published value is 1.5. */
  tMax: z.number().min(0.1).max(10).default(0.9),
  /** Law of the times: `likelihood`: density 1/t, the loss bounds the log-likelihood; `published`: t = tMax U^4. */
  weighting: z.enum(['likelihood', 'published']).default('likelihood'),
  /** The least time that the likelihood weighting looks at. */
  leastTime: z.number().min(1e-5).max(0.05).default(0.005),
  ...training,
  steps: positive.max(1e9).default(4000),
  learningRate: z.number().positive().max(10).default(3e-3),
});
export type ReflectionOptions = z.input<typeof reflectionOptionsSchema>;
export type ResolvedReflectionOptions = z.output<typeof reflectionOptionsSchema>;
