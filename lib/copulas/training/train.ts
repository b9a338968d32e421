/** What training of every kind has in common: progress, checkpoints, the record that goes into the model file. */
import { splitRows } from '../../data/split';
import { runRecord } from '../../devices';
import { SklarError } from '../../errors';
import { type NativeTrainCall, type NativeTrainReport, release } from '../../native';
import { type NetworkStart } from '../copula';
import { Checkpoint, type CheckpointOptions, fingerprint, placeOf } from './checkpoint';
import { type TrainingOptions } from '../inputs/options';
import { type DenseRows, repeatedNumbers, takeRows } from '../inputs/rows';
import { type Execution } from '../inputs/run';
import { packageVersion } from '../../version';
import { nativeTies, missingNotes, tieNotes, weightNotes } from '../correlation/ties';
import { StepEvents, type TrainEvent } from './train-log';
import { type StartTraining, type TrainGroup, type TrainTask, trainAlone } from './train-group';
import { type Note } from '../../notes';
import { tell } from '../../tell';

/** Sent while a model trains. Means are over the steps since the last report. */
export interface TrainProgress {
  /** Steps done. */
  step: number;
  /** Steps at most. */
  steps: number;
  /** What is minimised. */
  loss: number;
  /** Of a CDC: of the classifier, in nats; else 0. */
  crossEntropy: number;
  /** Mean squared error of what the network predicts. */
  squaredError: number;
  /** Loss of the averaged parameters on the validation rows at the latest look; null before the first. */
  validationLoss: number | null;
  /** Of the latest step. */
  learningRate: number;
  /** Before clipping. */
  gradientNorm: number;
  /** Training rows. */
  rowsPerSecond: number;
  /** Since the start. */
  seconds: number;
  /** If all steps are taken. */
  secondsLeft: number;
}

/** How a fit runs, beside what it fits. */
export interface TrainRun extends Execution, CheckpointOptions {
  seed: bigint;
  /** Decides which rows are validation rows. */
  splitSeed: bigint;
  /** The models that this one is trained with; undefined: it is trained alone. */
  group?: TrainGroup | undefined;
  /** What it starts from; undefined: random parameters. */
  start: NetworkStart | undefined;
  /** Whether what it starts from is not to be kept, however the validation rows like it. */
  movesOn?: boolean;
  /** What there is to say of missing levels; undefined: how `train` draws those that the rows have. */
  notes?: readonly Note[];
  /** Told of every step. */
  onEvents: ((events: readonly TrainEvent[]) => void) | undefined;
  onProgress: ((progress: TrainProgress) => void) | undefined;
}

/** Options that every kind of trained model has, with their defaults. */
export type TrainSettings = Pick<TrainingOptions, 'split'> & {
  readonly [K in Exclude<keyof TrainingOptions, 'split'>]-?: NonNullable<TrainingOptions[K]>;
};

/** Enough noised copies of the validation rows that their mean loss is steadier than its changes. */
const VALIDATION_ROWS = 8192;

export const finiteOrNull = (value: number) => (Number.isFinite(value) ? value : null);

/** A network that is to be trained. */
export interface Trainable<C> {
  /** Everything that the result depends on beside the rows and the settings. */
  about: unknown;
  /** L where the network reads y = L^-1 z; null: the identity. */
  cholesky: Float64Array | null;
  /** Factor of the Gaussian copula by which the levels of recurring values are drawn; null: independently. */
  completion: Float64Array | null;
  /** The native job of this model, or of others that differ in what `call.models` says. */
  start: StartTraining;
  /** The copula of its parameters, with the record of the training. */
  make: (parameters: Float32Array, training: Readonly<Record<string, unknown>>) => C;
}

/** What a trained copula does before its first use. */
interface Calibrates {
  calibrate(options: object, run: Execution): Promise<void>;
}

/** Trains the network that `prepare` makes of the rows to train on and those to choose the step by. */
export async function train<C extends Calibrates>(
  u: DenseRows,
  settings: TrainSettings,
  prepare: (training: DenseRows, validation: DenseRows) => Promise<Trainable<C>>,
  run: TrainRun,
): Promise<C> {
  const { steps, batch } = settings;
  const split = splitRows(u.rows, settings.validation, run.splitSeed, settings.split);
  const training = takeRows(u, split.train);
  const validation = takeRows(u, split.holdout);
  const { about, cholesky, completion, start, make } = await prepare(training, validation);
  // batches are drawn from rows that each occur as often as its weight says
  const drawn = repeatedNumbers(training, split.train, run.seed);
  const judged = repeatedNumbers(validation, split.holdout, run.seed);
  const {
    checkpoint: file,
    checkpointSeconds = 60,
    keepCheckpoint = false,
    seed,
    onProgress,
    onEvents,
  } = run;
  if (file !== undefined && !(checkpointSeconds > 0)) {
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      `expected a number above 0 for checkpointSeconds, got ${String(checkpointSeconds)}`,
    );
  }
  const ties = nativeTies(u);
  const recurring = ties
    ? [ties.settlingSweeps, ties.sweeps, ties.blocks.map((pairs) => Array.from(pairs))]
    : [];
  const initial = run.start ? Float32Array.from(run.start.parameters) : null;
  const begun = run.start ? [Float64Array.from(run.start.parameters)] : [];
  if (run.start?.cholesky) begun.push(Float64Array.from(run.start.cholesky));
  const checkpoint =
    file === undefined
      ? null
      : new Checkpoint(
          file,
          {
            fingerprint: await fingerprint(
              [about, settings, seed.toString(), ...recurring],
              training.data,
              validation.data,
              ...(training.weights ? [training.weights.each] : []),
              ...(validation.weights ? [validation.weights.each] : []),
              ...begun,
            ),
            ...placeOf(run),
          },
          run.onCheckpointError,
        );
  const snapshot = checkpoint && (await checkpoint.read(settings));
  // the rows are there once, for all that are trained on parts of them
  release(training.data, validation.data);
  const call: NativeTrainCall = {
    models: [
      {
        training: u.data,
        validation: u.data,
        trainingRows: drawn,
        validationRows: judged,
        cholesky,
        completion,
        seed,
        initial,
        snapshot,
      },
    ],
    rows: drawn.length,
    validationRows: judged.length,
    ties,
    device: run,
    steps,
    batch,
    adam: settings,
    validateEvery: settings.validateEvery,
    patience: settings.patience,
    anneal: Math.min(settings.anneal, steps),
    validationDraws: Math.max(1, Math.min(64, Math.ceil(VALIDATION_ROWS / Math.max(1, judged.length)))),
    reportEvery: Math.max(1, Math.min(100, Math.floor(steps / 100))),
    checkpointSeconds: checkpoint ? checkpointSeconds : 0,
    watchSteps: onEvents !== undefined,
    lookFirst: initial !== null && !run.movesOn,
  };
  const done = snapshot?.numbers.steps ?? 0;
  tell(onEvents, [
    {
      event: snapshot ? 'resume' : 'start',
      step: done,
      steps,
      seed: seed.toString(),
      rows: training.rows,
      validationRows: validation.rows,
      options: settings,
      ...runRecord(run),
      time: new Date().toISOString(),
      libraryVersion: packageVersion(),
    },
  ]);
  if (snapshot) tell(run.onResume, { step: done, steps, checkpoint: file! });
  const stepEvents = new StepEvents(snapshot?.numbers.bestValidation ?? NaN);
  const task: TrainTask = {
    call,
    start,
    signal: run.signal,
    onReport: (report) => {
      // a step is in the log before a state that has it is on disk
      if (report.watched) tell(onEvents, [...stepEvents.of(report.watched)]);
      if (report.snapshot) checkpoint?.put(report.snapshot);
      if (report.step > 0) tell(onProgress, toProgress(report, steps, batch));
    },
  };
  let copula: C;
  try {
    const result = await (run.group ? run.group.train(task) : trainAlone(task));
    tell(onEvents, [
      {
        event: 'end',
        step: result.steps,
        bestStep: result.bestStep,
        validationLoss: finiteOrNull(result.bestValidation),
        stoppedEarly: result.stoppedEarly,
        seconds: result.seconds,
      },
    ]);
    if (result.saturated > 0) {
      process.emitWarning(
        `${result.saturated} values left the range of float16 while the network trained in precision '${run.precision}': ` +
          `train in 'bf16' or 'fp32' to be sure of it`,
        { code: 'SKLAR_SATURATED' },
      );
    }
    copula = make(result.parameters, {
      rows: training.rows,
      validationRows: validation.rows,
      seed: seed.toString(),
      steps: result.steps,
      bestStep: result.bestStep,
      stoppedEarly: result.stoppedEarly,
      saturated: result.saturated,
      validationLoss: finiteOrNull(result.bestValidation),
      ...(run.start && { startedFrom: run.start.training }),
      seconds: result.seconds,
      ...runRecord(run),
      stepMilliseconds: (1000 * result.stepSeconds) / Math.max(1, result.steps),
      history: result.history.map((report) => ({
        step: report.step,
        loss: report.loss,
        validationLoss: finiteOrNull(report.validationLoss),
      })),
      notes: [
        ...weightNotes(u),
        ...tieNotes(
          u,
          'so that training draws their levels afresh within their blocks of ranks in every batch',
        ),
        ...(run.notes ??
          missingNotes(
            u,
            'so that training draws their levels afresh in every batch, from the nearest Gaussian copula given the others',
          )),
      ],
    });
    await copula.calibrate({}, run);
  } catch (error) {
    await checkpoint?.settle();
    throw error;
  }
  await checkpoint?.end({ keep: keepCheckpoint });
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
