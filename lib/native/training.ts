/** What training of every kind takes and gives. */
import type { LevelBlocks } from '../data/level-blocks';
import type { NativeDevice } from './common';

export interface AdamNativeOptions {
  learningRate: number;
  /** The share of it that the schedule ends at, after all `steps`. */
  finalLearningRate: number;
  warmup: number;
  steps: number;
  beta1: number;
  beta2: number;
  epsilon: number;
  /** 0: no clipping. */
  clipNorm: number;
  weightDecay: number;
  /** 0: no running average. */
  emaDecay: number;
}

/**
 * One of the models that a call trains: what they do not share. Rows are rows x dim on the copula scale; they are not copied, and
 * nothing may change them before the job has ended.
 */
export interface NativeTrainModel {
  training: Float64Array;
  validation: Float64Array | null;
  /** Numbers of the rows that are meant; absent: all of them, in their order. */
  trainingRows?: Uint32Array;
  validationRows?: Uint32Array;
  /** L where the network reads y = L^-1 z; null: the identity. */
  cholesky: Float64Array | null;
  /** Factor of the Gaussian copula by which levels within blocks are drawn; null: independently. */
  completion: Float64Array | null;
  seed: bigint;
  /** Parameters to start from; null: random ones, of the seed. */
  initial: Float32Array | null;
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
  /** Whether reports tell of every step. */
  watchSteps: boolean;
  /** Whether the initial parameters are judged by the validation rows, too. */
  lookFirst: boolean;
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

export const trainNumberNames = [
  'step',
  'crossEntropySum',
  'squaredErrorSum',
  'steps',
  'bestStep',
  'bestValidation',
  'seconds',
  'stepSeconds',
  'stoppedEarly',
  'saturated',
  'validation',
  'sinceReport',
  'looksWithoutGain',
  'end',
  'bestRate',
  'annealing',
  'peakRate',
  'finalFraction',
  'warmup',
  'decaySteps',
  'rateStart',
] as const;

/** The state of a training run, for the native code alone; names and order as in native/train/snapshot.hpp. */
export interface TrainSnapshot {
  numbers: Record<(typeof trainNumberNames)[number], number>;
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
  /** Of every step since the last report 8 numbers, in the order from `step` to `seconds`; NaN where no look followed it. */
  watched?: Float64Array;
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
