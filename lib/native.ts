/**
 * The only door to the native addon: a typed mirror of every native function, and the pattern of its jobs. Native
 * functions check what could crash; everything else is validated by their callers in this folder.
 */
import path from 'node:path';

import nodeGypBuild from 'node-gyp-build';

import type { LevelBlocks } from './data/level-blocks';
import { matrix } from './matrix';
import { type LastGoodState, SklarError, type SklarErrorCode } from './errors';
import type { Process } from './processes';

/** float32 for use, float64 for verification: decided by the array that holds the parameters. */
export type RealArray = Float32Array | Float64Array;

/** Work on a thread of its own. `cancel` makes the promise reject with ERR_SKLAR_ABORTED soon; it may be called twice. */
export interface NativeJob<T> {
  readonly promise: Promise<T>;
  cancel(): void;
}

export interface NativeDevices {
  version: string;
  compiled: { cuda: boolean; cudaArchitectures: string[]; instructionSets: string[] };
  cpu: { name: string; cores: number; instructionSet: string };
  cuda: {
    usable: boolean;
    reason: string | null;
    driverVersion: number;
    runtimeVersion: number;
    devices: { name: string; computeCapability: string; memoryBytes: number; multiprocessors: number }[];
  };
}

/** Where a job on a network runs; see native/backend/device.hpp. `threads` of the CPU, 0: one for each processor. */
export interface NativeDevice {
  device: 'cpu' | `cuda:${number}`;
  precision: 'fp32' | 'mixed' | 'fp16' | 'bf16';
  threads: number;
}

export interface NetworkShape {
  inputDim: number;
  hiddenDim: number;
  depth: number;
  outputDim: number;
  activation: 'silu' | 'published';
}

/** A named tensor inside the flat parameter vector; `columns` 0 marks a vector. */
export interface ParameterSlice {
  name: string;
  offset: number;
  rows: number;
  columns: number;
}

declare const cdcHandle: unique symbol;
/** A CDC in native memory; freed by the garbage collector. */
export interface CdcHandle {
  readonly [cdcHandle]: never;
}

declare const fieldHandle: unique symbol;
/** The field of a model of any kind, for the integrators; freed by the garbage collector. */
export interface FieldHandle {
  readonly [fieldHandle]: never;
}

export interface CdcNativeDefinition {
  network: NetworkShape;
  /** Times of the noise levels, 0 first, increasing; the last may be Infinity. */
  times: Float64Array;
  /** L of the guide Sigma = L L^T, dim x dim; null: not guided. */
  cholesky: Float64Array | null;
  /** Normal-scores correlation, dim x dim; null: unknown. */
  correlation: Float64Array | null;
  parameters: RealArray;
}

export interface CdcNativePublishedOptions {
  noisy: boolean;
  steps: number;
  rows: number;
  seed: bigint;
  firstRow: bigint;
  toGaussian: boolean;
  /** Starting rows on the Gaussian scale instead of standard normal draws. */
  start: Float64Array | null;
}

/** An integration of a field; see `lib/copulas/fields/solvers.ts` for the names. */
export interface NativeIntegration {
  solver: string;
  clock: string;
  /** Angles (ou) or times (reflection) in the direction of the integration; see `SolverOptions` in native/integrate. */
  nodes: Float64Array;
  adaptive: boolean;
  rtol: number;
  atol: number;
  eta: number;
  correctorSteps: number;
  correctorSize: number;
  brownianTree: boolean;
  rows: number;
  seed: bigint;
  firstRow: bigint;
  fromGaussian: boolean;
  toGaussian: boolean;
  device: NativeDevice;
}

export interface NativeIntegrated {
  values: Float64Array;
  /** Of the field, mean over rows, and of the row with most. */
  evaluations: number;
  mostEvaluations: number;
  /** Steps, means over rows. */
  accepted: number;
  rejected: number;
}

export interface NativeSmcOptions {
  /** Particles of one population. */
  particles: number;
  islands: number;
  /** After every reweighting. */
  moves: number;
  /** At the data, after all weights have been made equal. */
  finalMoves: number;
  /** Share of effective particles that is kept. */
  leastShare: number;
  targetAcceptance: number;
  seed: bigint;
}

/** One reweighting towards `level` from the level above, and the moves after it. */
export interface NativeSmcStage {
  level: number;
  /** Of the way that has been walked. */
  share: number;
  /** Share of effective particles after it. */
  effective: number;
  acceptance: number;
  step: number;
}

export interface NativeEstimate {
  logZ: number;
  /** Infinity: there is one population only. */
  standardError: number;
  effective: number;
}

export interface NativeNormaliser {
  smc: NativeEstimate;
  monteCarlo: NativeEstimate;
  bennett: NativeEstimate;
  stages: NativeSmcStage[];
  /** Network evaluations for each particle. */
  evaluations: number;
}

export interface NativeConditionalOptions extends NativeSmcOptions {
  /** Fixed columns and their values on the Gaussian scale. */
  columns: Int32Array;
  values: Float64Array;
  rows: number;
  method: 'smc' | 'twisted' | 'replacement';
  /** twisted: weights of the density itself; else of the reverse SDE's normal steps. */
  exactSteps: boolean;
  /** replacement: of every step. */
  loops: number;
  /** twisted and replacement: moves afterwards. */
  polish: number;
}

export interface NativeConditional {
  /** rows x dim on the Gaussian scale. */
  values: Float64Array;
  /** NaN for replacement. */
  logMarginal: number;
  standardError: number;
  effective: number;
  ancestors: number;
  acceptance: number;
  /** Of the moves at the data, worst coordinate; NaN for fewer than 4. */
  rHat: number;
  movesEffective: number;
  evaluations: number;
  stages: NativeSmcStage[];
}

export interface AdamNativeOptions {
  learningRate: number;
  finalFraction: number;
  warmup: number;
  decaySteps: number;
  beta1: number;
  beta2: number;
  epsilon: number;
  /** 0: no clipping. */
  clipNorm: number;
  weightDecay: number;
  /** 0: no running average. */
  emaDecay: number;
}

/** One of the models that a call trains: what they do not share. Rows are rows x dim on the copula scale. */
export interface NativeTrainModel {
  training: Float64Array;
  validation: Float64Array | null;
  /** L where the network reads y = L^-1 z; null: the identity. */
  cholesky: Float64Array | null;
  /** Factor of the Gaussian copula by which levels within blocks are drawn; null: independently. */
  completion: Float64Array | null;
  seed: bigint;
  /** To go on from. */
  snapshot: TrainSnapshot | null;
}

/** Blocks of recurring values, in which levels are drawn by sweeps of a Gibbs sampler. */
export interface NativeTies {
  blocks: LevelBlocks;
  /** Before the first step. */
  settlingSweeps: number;
  /** Of each draw. */
  sweeps: number;
}

/** What training of every kind takes. Several models are trained together, or not at all: the result is then null. */
export interface NativeTrainCall {
  models: NativeTrainModel[];
  rows: number;
  validationRows: number;
  /** Recurring values; null: there are none. */
  ties: NativeTies | null;
  device: NativeDevice;
  steps: number;
  batch: number;
  adam: AdamNativeOptions;
  validateEvery: number;
  patience: number;
  /** Steps of the ending that starts when patience is over; 0: none. */
  anneal: number;
  validationDraws: number;
  reportEvery: number;
  /** Seconds between two snapshots; 0: none. */
  checkpointSeconds: number;
}

export interface CdcNativeTrainOptions extends NativeTrainCall {
  network: NetworkShape;
  times: Float64Array;
  stratifiedLevels: boolean;
  crossEntropyWeight: number;
}

export const trainTensorNames = [
  'parameters',
  'm',
  'v',
  'average',
  'best',
  'best_parameters',
  'best_m',
  'best_v',
] as const;

/** The state of a training run, for the native code alone. */
export interface TrainSnapshot {
  scalars: Float64Array;
  history: Float64Array;
  tensors: Record<(typeof trainTensorNames)[number], Float32Array>;
}

export interface NativeTrainReport {
  /** Which of the models, counted from 0. */
  model: number;
  /** 0: only the snapshot is new. */
  step: number;
  /** Means over the steps since the last report. */
  crossEntropy: number;
  squaredError: number;
  loss: number;
  /** Of the latest look at the validation rows; NaN before the first. */
  validationLoss: number;
  learningRate: number;
  gradientNorm: number;
  seconds: number;
  snapshot?: TrainSnapshot;
}

export interface NativeTrainResult {
  parameters: Float32Array;
  steps: number;
  bestStep: number;
  bestValidation: number;
  seconds: number;
  stepSeconds: number;
  stoppedEarly: boolean;
  /** Values that left the range of fp16 and were set to its end. */
  saturated: number;
  history: Omit<NativeTrainReport, 'model'>[];
}

/** Steps on batches given by the caller, for verification: what the training loop does with the ones it draws. */
export interface CdcNativeStepsOptions {
  network: NetworkShape;
  times: Float64Array;
  /** Covariance of the reference Gaussian in the network's coordinates (published guided models); null: identity. */
  covariance: Float64Array | null;
  parameters: RealArray;
  device: NativeDevice;
  batch: number;
  crossEntropyWeight: number;
  adam: AdamNativeOptions;
  batches: {
    x0: RealArray;
    noise: RealArray;
    level: Int32Array;
    /** Rows from here on have level 0 or the last: they take no part in the second-order passes. */
    active: number;
    /** Share of one row in the means: cross entropy of active and other rows, squared error of active and other rows. */
    shares: Float64Array;
  }[];
}

export interface CdcNativeStep {
  crossEntropy: number;
  squaredError: number;
  gradientNorm: number;
  /** batch x (dim + 1): noised rows and a column of ones. */
  x: RealArray;
  logits: RealArray;
  denoised: RealArray;
  gradient: RealArray;
  parameters: RealArray;
}

/** A velocity head and its network; see native/heads/velocity.h. */
export interface VelocityDefinition {
  process: Process;
  /** The published network of the reflection process, which reads state and time as they are. */
  published: boolean;
  dim: number;
  /** Features that the network reads of each coordinate; see VelocityHead. */
  frequencies: number;
  hiddenDim: number;
  /** Residual blocks; layers of the published network. */
  depth: number;
  activation: 'silu' | 'published';
  /** Networks whose mean is the field. */
  members: number;
  /** L of the guide Sigma = L L^T, dim x dim; null: not guided. */
  cholesky: Float64Array | null;
}

/** Density of training times; see TimeLaw of native/backend/backend.hpp. */
export interface TimeLaw {
  kind: 'uniform' | 'quartic' | 'logarithmic' | 'log-sine';
  low: number;
  high: number;
}

export interface VelocityNativeTrainOptions extends NativeTrainCall {
  definition: VelocityDefinition;
  timeLaw: TimeLaw;
}

/** One loss and gradient on given rows, noise (rows x dim) and times, for verification. */
export interface VelocityNativeStepOptions {
  definition: VelocityDefinition;
  parameters: RealArray;
  device: NativeDevice;
  rows: number;
  start: Float64Array;
  noise: Float64Array;
  times: Float64Array;
}

export interface VelocityNativeStep {
  state: RealArray;
  target: RealArray;
  /** Of the network. */
  output: RealArray;
  loss: number;
  gradient: RealArray;
}

declare const closedFormHandle: unique symbol;
/** A closed-form copula in native memory; freed by the garbage collector. */
export interface ClosedFormHandle {
  readonly [closedFormHandle]: never;
}

/** Arrays are row-major: components x dim x dim, terms x dim. */
export type ClosedFormDefinition =
  | { family: 'mixture'; dim: number; weights: Float64Array; correlations: Float64Array }
  | { family: 'fgm'; dim: number; theta: number; columns: Int32Array }
  | { family: 'cosine'; dim: number; amplitudes: Float64Array; frequencies: Int32Array };

/** A copula of native/classical; parameters in the order of make_bivariate. */
export interface ClassicalDefinition {
  family: string;
  dim: number;
  parameters: Float64Array;
  rotation: number;
  /** gaussian and student: L of the correlation L L^T; parameters: the degrees of freedom. */
  factor: Float64Array | null;
  /** empirical-beta: ranks of the training rows, n x dim; kernel: densities at pairs of its nodes, the parameters. */
  table?: Float64Array;
}

declare const marginHandle: unique symbol;
/** A margin in native memory; freed by the garbage collector. */
export interface MarginHandle {
  readonly [marginHandle]: never;
}

declare const columnHandle: unique symbol;
/** What takes a column to the copula scale and back, in native memory; freed by the garbage collector. */
export interface ColumnHandle {
  readonly [columnHandle]: never;
}

declare const sortedHandle: unique symbol;
/** A sorted column in native memory; `sortedRelease` frees it, or else the garbage collector. */
export interface SortedHandle {
  readonly [sortedHandle]: never;
}

/** Least and greatest value. */
type NativeSupport = Float64Array;

export interface KdeDefinition {
  kind: 'kde';
  support: NativeSupport;
  location: number;
  scale: number;
  from: number;
  step: number;
  lowerScale: number;
  upperScale: number;
  heights: Float64Array;
}

export interface NativeTail {
  threshold: number;
  scale: number;
  shape: number;
  /** The probability beyond the threshold; NaN: what the body has there. */
  mass: number;
}

/** A margin of native/margins. */
export type MarginDefinition =
  | {
      kind: 'empirical';
      support: NativeSupport;
      rows: number;
      lowerScale: number;
      upperScale: number;
      values: Float64Array;
      levels: Float64Array;
    }
  | { kind: 'discrete'; values: Float64Array; last: Float64Array }
  | KdeDefinition
  | { kind: 'zero-inflated'; atoms: Float64Array; masses: Float64Array; rest: MarginHandle }
  | {
      kind: 'gpd';
      body: MarginHandle;
      support: NativeSupport;
      lower: NativeTail | null;
      upper: NativeTail | null;
    }
  | { kind: 'law'; family: string; parameters: Float64Array };

export interface NativeSortedColumn {
  /** -0 as 0. */
  sorted: Float64Array;
  /** Different values, and how many rows are not above each; null where no value occurs twice. */
  values: Float64Array | null;
  last: Float64Array | null;
  /** Of the ranks, where they were wanted, and of the ranks from the greatest value down. */
  hash: bigint;
  reversedHash: bigint;
}

export interface NativeTailCurves {
  /** Each q.length x dim x dim. */
  lower: Float64Array;
  lowerError: Float64Array;
  upper: Float64Array;
  upperError: Float64Array;
}

/** Both samples in one array, the first `first` of its rows one of them: see native/statistics/two_sample.hpp. */
type NativeSamples = [x: Float64Array, rows: number, first: number, dim: number, threads: number];

export interface NativePairSums {
  /** Of each row. */
  toFirst: Float64Array;
  toSecond: Float64Array;
  /** Of each relabelling. */
  withinFirst: Float64Array;
  between: Float64Array;
}

type NativePairMeasure = (
  x: Float64Array,
  rows: number,
  dim: number,
  threads: number,
) => NativeJob<Float64Array>;

export interface NativeAddon {
  devices(): NativeDevices;

  normalCdf(values: Float64Array): Float64Array;
  normalQuantile(values: Float64Array): Float64Array;
  logNormalCdf(values: Float64Array): Float64Array;
  cholesky(matrix: Float64Array, dim: number): { factor: Float64Array; logDeterminant: number };
  normalScoresCorrelation(
    u: Float64Array,
    rows: number,
    dim: number,
    threads: number,
  ): NativeJob<Float64Array>;
  /** Correlation of a Gaussian copula of rows with recurring values, by `rounds` of a stochastic EM algorithm. */
  tiedCorrelation(
    u: Float64Array,
    rows: number,
    dim: number,
    options: { blocks: LevelBlocks; rounds: number; shrinkage: number; seed: bigint },
    threads: number,
  ): NativeJob<Float64Array>;
  gaussianLogPdf(
    factor: Float64Array,
    x: Float64Array,
    fromGaussian: boolean,
    rows: number,
    dim: number,
    threads: number,
  ): NativeJob<Float64Array>;
  gaussianSample(
    factor: Float64Array,
    dim: number,
    rows: number,
    seed: bigint,
    firstRow: bigint,
    toGaussian: boolean,
    threads: number,
  ): NativeJob<Float64Array>;

  /** Rows (Gaussian scale) of N(0, R), R the factor times its transpose, given some columns; logMarginal: log c_A(a). */
  gaussianConditional(
    factor: Float64Array,
    dim: number,
    columns: Int32Array,
    values: Float64Array,
    rows: number,
    seed: bigint,
    threads: number,
  ): NativeJob<{ values: Float64Array; logMarginal: number }>;

  /** Knots of the maps that take the margins of a pilot sample (Gaussian scale) to the standard normal, dim x 33. */
  marginKnots(pilot: Float64Array, rows: number, dim: number): NativeJob<Float64Array>;

  cdcSlices(network: NetworkShape): ParameterSlice[];
  cdcCreate(definition: CdcNativeDefinition): CdcHandle;
  cdcLogPdf(
    handle: CdcHandle,
    x: Float64Array,
    fromGaussian: boolean,
    rows: number,
    level: number,
    device: NativeDevice,
    onProgress?: (fraction: number) => void,
  ): NativeJob<Float64Array>;
  cdcField(
    handle: CdcHandle,
    z: Float64Array,
    rows: number,
    level: number,
    device: NativeDevice,
  ): NativeJob<Float64Array>;
  cdcLogits(handle: CdcHandle, z: Float64Array, rows: number, device: NativeDevice): NativeJob<Float64Array>;
  cdcFieldHandle(handle: CdcHandle): FieldHandle;
  cdcSamplePublished(
    handle: CdcHandle,
    options: CdcNativePublishedOptions,
    device: NativeDevice,
    onProgress?: (fraction: number) => void,
  ): NativeJob<{ values: Float64Array; evaluations: number; clamped: number }>;
  cdcNormaliser(
    handle: CdcHandle,
    options: NativeSmcOptions,
    device: NativeDevice,
    onProgress?: (fraction: number) => void,
  ): NativeJob<NativeNormaliser>;
  cdcConditional(
    handle: CdcHandle,
    options: NativeConditionalOptions,
    device: NativeDevice,
    onProgress?: (fraction: number) => void,
  ): NativeJob<NativeConditional>;

  /** `scalar`: what the field is computed in; float64 on the CPU alone. */
  fieldReference(field: FieldHandle): {
    process: Process;
    dim: number;
    reference: number;
    scalar: 'float32' | 'float64';
  };
  fieldSample(
    field: FieldHandle,
    options: NativeIntegration & {
      /** Rows to start from instead of draws of the reference. */
      start: Float64Array | null;
      /** Knots of margin maps of the result, dim x 33; null: none. */
      marginMaps: Float64Array | null;
    },
    onProgress?: (fraction: number) => void,
  ): NativeJob<NativeIntegrated>;
  fieldLogPdf(
    field: FieldHandle,
    options: NativeIntegration & {
      x: Float64Array;
      /** How the divergence is found; see TraceEstimator of native/fields/field.hpp. */
      trace: 'exact' | 'rademacher' | 'gaussian' | 'hutch++';
      /** 0: exact. */
      probes: number;
    },
    onProgress?: (fraction: number) => void,
  ): NativeJob<NativeIntegrated & { logPdf: Float64Array; standardError: Float64Array }>;

  cdcTrain(
    options: CdcNativeTrainOptions,
    onReport?: (reports: NativeTrainReport[]) => void,
  ): NativeJob<NativeTrainResult[] | null>;
  cdcTrainingSteps(options: CdcNativeStepsOptions): CdcNativeStep[];

  velocitySlices(definition: VelocityDefinition): ParameterSlice[];
  /** @param reference the time from which samples start: pi / 2, or tMax of a reflection */
  velocityField(definition: VelocityDefinition, parameters: RealArray, reference: number): FieldHandle;
  velocityTrain(
    options: VelocityNativeTrainOptions,
    onReport?: (reports: NativeTrainReport[]) => void,
  ): NativeJob<NativeTrainResult[] | null>;
  velocityStep(options: VelocityNativeStepOptions): VelocityNativeStep;

  closedFormCreate(definition: ClosedFormDefinition): ClosedFormHandle;
  closedFormLogPdf(
    handle: ClosedFormHandle,
    x: Float64Array,
    fromGaussian: boolean,
    rows: number,
    threads: number,
  ): NativeJob<Float64Array>;
  closedFormSample(
    handle: ClosedFormHandle,
    rows: number,
    seed: bigint,
    firstRow: bigint,
    toGaussian: boolean,
    threads: number,
  ): NativeJob<Float64Array>;
  /** `reference`: the time from which integrators start, theta of `ou`, t of `reflection`. */
  closedFormField(handle: ClosedFormHandle, process: Process, reference: number): FieldHandle;

  classicalLogPdf(
    definition: ClassicalDefinition,
    x: Float64Array,
    fromGaussian: boolean,
    rows: number,
    threads: number,
  ): NativeJob<Float64Array>;
  /** Values of all rows, then their standard errors. */
  classicalCdf(
    definition: ClassicalDefinition,
    u: Float64Array,
    rows: number,
    threads: number,
  ): NativeJob<Float64Array>;
  /** Log density in the columns where lower equals upper, times the probability of the cells of the others. */
  classicalLogCells(
    definition: ClassicalDefinition,
    lower: Float64Array,
    upper: Float64Array,
    fromGaussian: boolean,
    rows: number,
    threads: number,
  ): NativeJob<Float64Array>;
  classicalSample(
    definition: ClassicalDefinition,
    rows: number,
    seed: bigint,
    firstRow: bigint,
    toGaussian: boolean,
    threads: number,
  ): NativeJob<Float64Array>;
  classicalRosenblatt(
    definition: ClassicalDefinition,
    u: Float64Array,
    inverse: boolean,
    rows: number,
    threads: number,
  ): NativeJob<Float64Array>;
  /** Rows given the first columns; `given` and the rows are on the Gaussian scale. */
  classicalConditional(
    definition: ClassicalDefinition,
    given: Float64Array,
    rows: number,
    seed: bigint,
    threads: number,
  ): NativeJob<Float64Array>;
  /** The table of a kernel copula: native/classical/kernel_estimate.hpp. */
  classicalKernel(
    u: Float64Array,
    rows: number,
    nodes: Float64Array,
    correlation: number,
    scale: number,
    threads: number,
  ): NativeJob<Float64Array>;
  /** Of two columns. */
  classicalPair(
    definition: ClassicalDefinition,
    name: 'hfunc1' | 'hfunc2' | 'hinv1' | 'hinv2',
    x: Float64Array,
    gaussian: boolean,
    rows: number,
    threads: number,
  ): NativeJob<Float64Array>;
  /** Of two columns; tails: lower-lower, lower-upper, upper-lower, upper-upper. */
  classicalDependence(definition: ClassicalDefinition): { tau: number; tails: Float64Array };
  /**
   * Likelihoods of pairs of columns (first and second in turns) of a Student copula, Infinity degrees: a Gaussian one. search: of
   * the correlation that maximises each, up to `most`; else of the one given. information: minus the second derivative.
   */
  classicalFitPairs(
    degrees: number,
    correlation: Float64Array,
    search: boolean,
    most: number,
    lower: Float64Array,
    upper: Float64Array,
    pairs: Uint32Array,
    rows: number,
    dim: number,
    threads: number,
  ): NativeJob<{ correlation: Float64Array; logLikelihood: Float64Array; information: Float64Array }>;
  /** The correlation of a Student copula given its degrees of freedom, by maximum likelihood. */
  classicalFitStudent(
    degrees: number,
    correlation: Float64Array,
    /** Draws every step of the iteration towards independence. */
    shrinkage: number,
    u: Float64Array,
    rows: number,
    dim: number,
    threads: number,
  ): NativeJob<{ correlation: Float64Array; logLikelihood: number; iterations: number }>;

  /** dim x dim; NaN where a column is constant. */
  kendallTau: NativePairMeasure;
  /** Of Kendall's tau: of every pair of columns, dim x dim with 0 on the diagonal, and of the mean over the pairs. */
  kendallVariance(
    x: Float64Array,
    rows: number,
    dim: number,
    threads: number,
  ): NativeJob<{ pairs: Float64Array; mean: number }>;
  spearmanRho: NativePairMeasure;
  blomqvistBeta: NativePairMeasure;
  tailCurves(
    x: Float64Array,
    rows: number,
    dim: number,
    q: Float64Array,
    threads: number,
  ): NativeJob<NativeTailCurves>;

  /** rows x dim: the columns of x on the Gaussian scale as those of base, baseRows x dim, see them. */
  normalScores(
    base: Float64Array,
    baseRows: number,
    x: Float64Array,
    rows: number,
    dim: number,
    threads: number,
  ): NativeJob<Float64Array>;
  /** One for each column. */
  marginDistances(...samples: NativeSamples): NativeJob<{ kolmogorov: Float64Array; cramer: Float64Array }>;
  /** Of distances, or of Gaussian kernels where there are bandwidths. */
  pairSums(
    ...call: [
      ...samples: NativeSamples,
      bandwidths: Float64Array,
      relabellings: number,
      seed: bigint,
      onProgress?: (fraction: number) => void,
    ]
  ): NativeJob<NativePairSums>;
  medianDistance(x: Float64Array, rows: number, dim: number): NativeJob<number>;
  /** One for each direction: the distance to the power of `order`, 1 or 2. */
  slicedWasserstein(
    ...call: [
      ...samples: NativeSamples,
      directions: number,
      order: number,
      seed: bigint,
      onProgress?: (fraction: number) => void,
    ]
  ): NativeJob<Float64Array>;
  /** Log-odds of label 1 of each row by the fit to the other folds: see native/statistics/two_sample_classifier.hpp. */
  classifierScores(
    z: Float64Array,
    rows: number,
    dim: number,
    labels: Int32Array,
    folds: Int32Array,
    foldCount: number,
    ridge: number,
    neighbours: number,
    threads: number,
  ): NativeJob<Float64Array>;

  marginCreate(definition: MarginDefinition): MarginHandle;
  marginSupport(margin: MarginHandle): Float64Array;
  marginCdf(margin: MarginHandle, x: Float64Array): Float64Array;
  marginCdfBefore(margin: MarginHandle, x: Float64Array): Float64Array;
  marginSurvival(margin: MarginHandle, x: Float64Array): Float64Array;
  marginQuantile(margin: MarginHandle, u: Float64Array): Float64Array;
  /** The x with P(X > x) = q. */
  marginQuantileAbove(margin: MarginHandle, q: Float64Array): Float64Array;
  marginLogPdf(margin: MarginHandle, x: Float64Array): Float64Array;
  /** Of the whole density. */
  kdeIntegral(definition: KdeDefinition): number;
  /** The mean of minus log f, of the probabilities of intervals where the step is positive. */
  lawLoss(
    family: string,
    parameters: Float64Array,
    values: Float64Array,
    counts: Float64Array,
    step: number,
  ): number;
  /** Maximum likelihood of ascending excesses, and their Cramer-von Mises distance from the law. */
  paretoFit(excesses: Float64Array, leastShape: number): { scale: number; shape: number; distance: number };

  marginColumn(margin: MarginHandle, rows: number, integer: boolean): ColumnHandle;
  /** See RankBlocks of native/margins/columns.hpp. */
  rankColumn(blocks: {
    values: Float64Array;
    first: Float64Array;
    last: Float64Array;
    rows: number;
    integer: boolean;
    thinned: boolean;
  }): ColumnHandle;
  /** Rows from `firstRow` on as rows x columns; with `random`, ties are broken by seed, key of the column and row. */
  columnLevels(
    columns: readonly ColumnHandle[],
    keys: Uint32Array,
    x: readonly Float64Array[],
    firstRow: number,
    random: boolean,
    seed: bigint,
    gaussian: boolean,
    threads: number,
  ): NativeJob<Float64Array>;
  columnValues(
    columns: readonly ColumnHandle[],
    levels: Float64Array,
    rows: number,
    gaussian: boolean,
    threads: number,
  ): NativeJob<Float64Array[]>;
  /** The scores just before and after each value as rows x columns, equal where it has no block of levels. */
  columnCells(
    columns: readonly ColumnHandle[],
    x: readonly Float64Array[],
    threads: number,
  ): NativeJob<{ lower: Float64Array; upper: Float64Array }>;
  /** The sum over the columns; `atoms` false: without values of positive probability. */
  columnLogPdf(
    margins: readonly MarginHandle[],
    x: readonly Float64Array[],
    atoms: boolean,
    threads: number,
  ): NativeJob<Float64Array>;
  /** `ranks` null: they are not wanted. `keys`: with the seed decide the order of equal values. */
  sortColumns(
    x: readonly Float64Array[],
    ranks: { random: boolean; seed: bigint; keys: Uint32Array } | null,
    threads: number,
  ): NativeJob<SortedHandle[]>;
  sortedColumn(column: SortedHandle): NativeSortedColumn;
  sortValues(values: Float64Array): NativeSortedColumn;
  /** Whether one is an increasing (1) or decreasing (-1) function of the other. */
  sortedRelation(a: SortedHandle, b: SortedHandle): 1 | -1 | 0;
  /** Rows begin .. end of rank / (rows + 1), (end - begin) x columns. */
  sortedLevels(
    columns: readonly SortedHandle[],
    begin: number,
    end: number,
    threads: number,
  ): NativeJob<Float64Array>;
  sortedRelease(column: SortedHandle): void;

  /** Of each row, what the field alone says of its log density: see native/model/field_bound.hpp. */
  fieldBound(
    field: FieldHandle,
    x: Float64Array,
    fromGaussian: boolean,
    rows: number,
    draws: number,
    seed: bigint,
    firstRow: bigint,
    device: NativeDevice,
    onProgress?: (fraction: number) => void,
  ): NativeJob<Float64Array>;
}

let loaded: NativeAddon | undefined;

/**
 * The addon: a prebuilt binary, or the build of a clone.
 *
 * @throws SklarError ERR_SKLAR_INTERNAL when there is none for this platform, with what was tried
 */
export function native(): NativeAddon {
  if (loaded) return loaded;
  const root = path.resolve(__dirname, '..');
  try {
    loaded = nodeGypBuild(root) as NativeAddon;
    return loaded;
  } catch (cause) {
    throw new SklarError(
      'ERR_SKLAR_INTERNAL',
      `no native binary of sklar for ${process.platform}-${process.arch} could be loaded: ` +
        `${cause instanceof Error ? cause.message : String(cause)}. In a clone run \`npm run build\`; ` +
        'in an installation check that the package came with its "prebuilds" folder.',
      { cause },
    );
  }
}

/** Errors of the addon carry a code; give them our class, with the original as cause. */
export function toSklarError(error: unknown): unknown {
  if (error instanceof SklarError || typeof error !== 'object' || error === null) return error;
  const { code, message, state } = error as { code?: unknown; message?: unknown; state?: NativeState };
  if (typeof code !== 'string' || !code.startsWith('ERR_SKLAR_')) return error;
  return new SklarError(code as SklarErrorCode, String(message), {
    cause: error,
    state: state && toLastGoodState(state),
  });
}

/** What an error of code ERR_SKLAR_DIVERGED carries where rows of an integration were lost. */
interface NativeState {
  rows: Float64Array;
  times: Float64Array;
  values: Float64Array;
}

function toLastGoodState({ rows, times, values }: NativeState): LastGoodState {
  return { rows: Array.from(rows), times, values: matrix(values, rows.length, values.length / rows.length) };
}

/** Calls a native function that returns at once, with its errors as SklarError. */
export function callNative<T>(call: (addon: NativeAddon) => T): T {
  try {
    return call(native());
  } catch (error) {
    throw toSklarError(error);
  }
}

/**
 * Runs a native job to its end. Aborting the signal cancels it and rejects with the signal's reason; an exception thrown
 * by `onEvent` cancels it and rejects with that exception.
 */
export async function runJob<T, E = never>(
  start: (addon: NativeAddon, onEvent: (event: E) => void) => NativeJob<T>,
  options: { signal?: AbortSignal | undefined; onEvent?: ((event: E) => void) | undefined } = {},
): Promise<T> {
  const { signal, onEvent } = options;
  signal?.throwIfAborted();
  let thrown: { error: unknown } | undefined;
  const job = callNative((addon) =>
    start(addon, (event) => {
      if (thrown || !onEvent) return;
      try {
        onEvent(event);
      } catch (error) {
        thrown = { error };
        job.cancel();
      }
    }),
  );
  const abort = () => job.cancel();
  signal?.addEventListener('abort', abort, { once: true });
  try {
    const result = await job.promise;
    if (thrown) throw thrown.error;
    return result;
  } catch (error) {
    if (thrown) throw thrown.error;
    if (signal?.aborted) throw signal.reason;
    throw toSklarError(error);
  } finally {
    signal?.removeEventListener('abort', abort);
  }
}
