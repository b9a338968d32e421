/** What a training run tells of itself: every step, every look at the validation rows, where it began and ended. */
import {
  appendFileSync,
  closeSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readSync,
  statSync,
  writeFileSync,
} from 'node:fs';

import { fileError } from '../../data/formats/files';
import { type RunRecord } from '../../devices';
import { SklarError, describe } from '../../errors';
import { tell } from '../../tell';

/** Before the first step of a run: `start`, or `resume` where it goes on from a checkpoint. */
export interface TrainStartEvent extends RunRecord {
  event: 'start' | 'resume';
  /** Steps done before; lines of later ones that precede a `resume` in a log are of steps that are done again. */
  step: number;
  /** Steps at most. */
  steps: number;
  /** Of the fit. */
  seed: string;
  /** Training rows. */
  rows: number;
  validationRows: number;
  /** All options of the fit, also those that were not given. */
  options: object;
  /** When, in ISO 8601. */
  time: string;
  libraryVersion: string;
}

/** A step: losses and gradient of its batch. */
export interface TrainStepEvent {
  event: 'step';
  /** Counted from 1. */
  step: number;
  /** What is minimised. */
  loss: number;
  /** Of a CDC: of the classifier, in nats; else 0. */
  crossEntropy: number;
  /** Mean squared error of what the network predicts. */
  squaredError: number;
  /** Before clipping. */
  gradientNorm: number;
  learningRate: number;
  /** Since the start, with those of the runs before a `resume`. */
  seconds: number;
}

/** A look at the validation rows. */
export interface TrainValidationEvent {
  event: 'validation';
  /** Steps done; 0: the model that the fit starts from. */
  step: number;
  /** Of the averaged parameters. */
  loss: number;
  /** Whether it is the best so far, whose parameters are kept. */
  best: boolean;
  seconds: number;
}

/** After the last step. */
export interface TrainEndEvent {
  event: 'end';
  /** Steps done. */
  step: number;
  /** Whose parameters the model has. */
  bestStep: number;
  /** Its loss on the validation rows; null: there are none. */
  validationLoss: number | null;
  /** Whether patience ended it, with the ending from the best look (`TrainingOptions.anneal`). */
  stoppedEarly: boolean;
  seconds: number;
}

/** What a training run tells; of an ensemble with the model, counted from 0. */
export type TrainEvent = (TrainStartEvent | TrainStepEvent | TrainValidationEvent | TrainEndEvent) & {
  model?: number;
};

/** Training that tells of every step. */
export interface TrainLogOptions {
  /**
   * File for a line of JSON for each `TrainEvent`, written as training goes, so that a kill loses none that was told. A fit that
   * goes on from its checkpoint appends to it, another begins it anew. Where it cannot be written before the first step, the
   * fit fails; later it goes on (`onLogError`). The model has the bits that it has without a log.
   */
  log?: string | undefined;
  /** Told what goes into a log. Never blocks training. An exception thrown here ends the fit with it. */
  onEvent?: ((event: TrainEvent) => void) | undefined;
  /**
   * Told once of a log that could not be written any further, for example because the disk is full; the fit goes on. Default: a
   * warning of the process with code SKLAR_LOG.
   */
  onLogError?: ((error: SklarError) => void) | undefined;
}

function warnOfLog({ message }: SklarError): void {
  process.emitWarning(`${message}; the log ends here, the fit goes on`, { code: 'SKLAR_LOG' });
}

/** Takes away what a kill has left of a line. */
function mendTail(file: string): void {
  const log = openSync(file, 'a+');
  try {
    const status = fstatSync(log);
    if (!status.isFile()) return;
    const bytes = Buffer.alloc(Math.min(status.size, 1 << 16));
    readSync(log, bytes, 0, bytes.length, status.size - bytes.length);
    const torn = bytes.length - 1 - bytes.lastIndexOf('\n');
    if (torn > 0) ftruncateSync(log, status.size - torn);
  } finally {
    closeSync(log);
  }
}

/** @throws SklarError ERR_SKLAR_FILE for a pipe, whose reader would be waited for where nothing can interrupt it */
function startLog(file: string, goesOn: boolean): void {
  if (statSync(file, { throwIfNoEntry: false })?.isFIFO()) {
    throw new SklarError('ERR_SKLAR_FILE', `expected a file for the log, got a pipe (${describe(file)})`);
  }
  if (goesOn) mendTail(file);
  else writeFileSync(file, '');
}

/**
 * Who is told of the events of a fit; undefined: nobody.
 *
 * @param goesOn whether the log of an earlier run is continued
 */
export function listener(
  { log, onEvent, onLogError = warnOfLog }: TrainLogOptions,
  goesOn: boolean,
): ((events: readonly TrainEvent[]) => void) | undefined {
  if (log === undefined) return onEvent && ((events) => events.forEach((event) => tell(onEvent, event)));
  let state: 'new' | 'open' | 'failed' = 'new';
  return (events) => {
    const lines = events.map((event) => `${JSON.stringify(event)}\n`).join('');
    try {
      if (state === 'new') startLog(log, goesOn);
      if (state !== 'failed') appendFileSync(log, lines);
    } catch (cause) {
      const error = fileError(cause, 'write', log);
      if (state === 'new') throw error;
      state = 'failed';
      onLogError(error);
    }
    if (state === 'new') state = 'open';
    events.forEach((event) => tell(onEvent, event));
  };
}

/** Events of the steps that a native job tells of. */
export class StepEvents {
  /** Judged as the native code judges it. */
  #best: number;

  /** @param best the least validation loss before; NaN: none */
  constructor(best: number) {
    this.#best = best;
  }

  /** @param watched 8 numbers of each step, see `NativeTrainReport` */
  *of(watched: Float64Array): Generator<TrainEvent> {
    for (let at = 0; at < watched.length; at += 8) {
      const number = (k: number) => watched[at + k]!;
      const step = number(0);
      const validationLoss = number(4);
      const seconds = number(7);
      if (step > 0) {
        yield {
          event: 'step',
          step,
          loss: number(3),
          crossEntropy: number(1),
          squaredError: number(2),
          gradientNorm: number(6),
          learningRate: number(5),
          seconds,
        };
      }
      if (Number.isNaN(validationLoss)) continue;
      const best = !(validationLoss >= this.#best);
      if (best) this.#best = validationLoss;
      yield { event: 'validation', step, loss: validationLoss, best, seconds };
    }
  }
}
