/** What training of every kind has in common: progress, checkpoints, the record that goes into the model file. */
import { runRecord } from '../devices';
import { SklarError } from '../errors';
import {
  type NativeAddon,
  type NativeJob,
  type NativeTrainCall,
  type NativeTrainReport,
  type NativeTrainResult,
  runJob,
} from '../native';
import { Checkpoint, type CheckpointOptions, fingerprint, placeOf } from './checkpoint';
import { type DenseRows, type Execution } from './copula';

/** Sent while a model trains. Means are over the steps since the last report. */
export interface TrainProgress {
  step: number;
  steps: number;
  loss: number;
  crossEntropy: number;
  squaredError: number;
  /** Loss of the averaged parameters on the validation rows at the latest look; null before the first. */
  validationLoss: number | null;
  learningRate: number;
  gradientNorm: number;
  rowsPerSecond: number;
  seconds: number;
  secondsLeft: number;
}

/** How a fit runs, beside what it fits. */
export interface TrainRun extends Execution, CheckpointOptions {
  seed: bigint;
  /** Decides which rows are validation rows. */
  splitSeed: bigint;
  /** Leave the checkpoint there when the fit is done. */
  keepCheckpoint: boolean;
  onProgress: ((progress: TrainProgress) => void) | undefined;
}

/** Options that every kind of trained model has. */
export interface TrainSettings {
  steps: number;
  batch: number;
  learningRate: number;
  warmup: number;
  finalLearningRate: number;
  beta1: number;
  beta2: number;
  epsilon: number;
  clipNorm: number;
  emaDecay: number;
  validateEvery: number;
  patience: number;
  anneal: number;
}

/** Enough noised copies of the validation rows that their mean loss is steadier than its changes. */
const VALIDATION_ROWS = 8192;

export const finiteOrNull = (value: number) => (Number.isFinite(value) ? value : null);

/**
 * Runs a native training job. `about` is everything its result depends on beside the rows and the settings; `finish`
 * makes a copula of the parameters and the record of the training, with the checkpoint still there.
 */
export async function train<C>(
  start: (
    addon: NativeAddon,
    call: NativeTrainCall,
    onReport: (report: NativeTrainReport) => void,
  ) => NativeJob<NativeTrainResult>,
  rows: { training: DenseRows; validation: DenseRows },
  settings: TrainSettings,
  about: unknown,
  run: TrainRun,
  finish: (parameters: Float32Array, training: Readonly<Record<string, unknown>>) => Promise<C>,
): Promise<C> {
  const { training, validation } = rows;
  const { steps, batch } = settings;
  const { checkpoint: file, checkpointSeconds = 60, seed, onProgress } = run;
  if (file !== undefined && !(checkpointSeconds > 0)) {
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      `expected a number above 0 for checkpointSeconds, got ${String(checkpointSeconds)}`,
    );
  }
  const checkpoint =
    file === undefined
      ? null
      : new Checkpoint(file, {
          fingerprint: await fingerprint([about, settings, seed.toString()], training.data, validation.data),
          ...placeOf(run),
        });
  const call: NativeTrainCall = {
    training: training.data,
    rows: training.rows,
    validation: validation.data,
    validationRows: validation.rows,
    device: run,
    steps,
    batch,
    seed,
    adam: {
      learningRate: settings.learningRate,
      finalFraction: settings.finalLearningRate,
      warmup: settings.warmup,
      decaySteps: steps,
      beta1: settings.beta1,
      beta2: settings.beta2,
      epsilon: settings.epsilon,
      clipNorm: settings.clipNorm,
      emaDecay: settings.emaDecay,
    },
    validateEvery: settings.validateEvery,
    patience: settings.patience,
    anneal: Math.min(settings.anneal, steps),
    validationDraws: Math.max(1, Math.min(64, Math.ceil(VALIDATION_ROWS / Math.max(1, validation.rows)))),
    reportEvery: Math.max(1, Math.min(100, Math.floor(steps / 100))),
    checkpointSeconds: checkpoint ? checkpointSeconds : 0,
    snapshot: checkpoint && (await checkpoint.read()),
  };
  let copula: C;
  try {
    const result = await runJob<NativeTrainResult, NativeTrainReport>(
      (addon, onEvent) => start(addon, call, onEvent),
      {
        signal: run.signal,
        onEvent: (report) => {
          if (report.snapshot) checkpoint?.put(report.snapshot);
          if (report.step > 0) onProgress?.(toProgress(report, steps, batch));
        },
      },
    );
    copula = await finish(result.parameters, {
      rows: training.rows,
      validationRows: validation.rows,
      seed: seed.toString(),
      steps: result.steps,
      bestStep: result.bestStep,
      stoppedEarly: result.stoppedEarly,
      validationLoss: finiteOrNull(result.bestValidation),
      seconds: result.seconds,
      ...runRecord(run),
      stepMilliseconds: (1000 * result.stepSeconds) / Math.max(1, result.steps),
      history: result.history.map((report) => ({
        step: report.step,
        loss: report.loss,
        validationLoss: finiteOrNull(report.validationLoss),
      })),
    });
  } catch (error) {
    await checkpoint?.settle();
    throw error;
  }
  await checkpoint?.end({ keep: run.keepCheckpoint });
  return copula;
}

function toProgress(report: NativeTrainReport, steps: number, batch: number): TrainProgress {
  const perStep = report.seconds / report.step;
  return {
    step: report.step,
    steps,
    loss: report.loss,
    crossEntropy: report.crossEntropy,
    squaredError: report.squaredError,
    validationLoss: finiteOrNull(report.validationLoss),
    learningRate: report.learningRate,
    gradientNorm: report.gradientNorm,
    rowsPerSecond: batch / perStep,
    seconds: report.seconds,
    secondsLeft: perStep * (steps - report.step),
  };
}
