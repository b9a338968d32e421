/** Training that can be killed: its state on disk, and the way back into it. */
import { createHash, randomBytes } from 'node:crypto';
import { constants, existsSync } from 'node:fs';
import { access, rm } from 'node:fs/promises';
import path from 'node:path';
import { setImmediate } from 'node:timers/promises';

import { z } from 'zod';

import { fileError, targetOf } from '../../data/formats/files';
import { runRecord } from '../../devices';
import { SklarError, describe } from '../../errors';
import { expectConfig, readModelFile, writeModelFile } from '../../model/model-file';
import {
  type NativeDevice,
  type RealArray,
  type TrainSnapshot,
  trainNumberNames,
  trainTensorNames,
} from '../../native';
import { tell } from '../../tell';
import { packageVersion } from '../../version';

/** Training that can be killed and goes on. */
export interface CheckpointOptions {
  /**
   * File for the state of the training: written every `checkpointSeconds` and when the fit is aborted, removed when it is
   * done. A fit that finds it there, with the same rows, options and seed, goes on from it and ends with the result of an
   * uninterrupted one, bit for bit on the same machine and build. It goes on where it ran only: on the CPU or the same kind
   * of CUDA device, in the same precision.
   */
  checkpoint?: string | undefined;
  /** Seconds between two writes; default 60. */
  checkpointSeconds?: number | undefined;
  /**
   * Leave the file there when the fit is done: between the fit and `copula.save` a kill or a full disk would lose the model
   * and the way back to it. Remove it once the model is safe. Default false.
   */
  keepCheckpoint?: boolean | undefined;
  /** Told, before the first step, that the fit goes on from its checkpoint, of an ensemble for each model. */
  onResume?: ((resumed: { step: number; steps: number; checkpoint: string }) => void) | undefined;
  /**
   * Told at once of a state that could not be written, for example because the disk is full; an earlier one is still there,
   * and the fit goes on, unless an exception thrown here ends it. Default: a warning of the process with code
   * SKLAR_CHECKPOINT.
   */
  onCheckpointError?: ((error: SklarError) => void) | undefined;
}

/** The files of a fit with this option: of an ensemble one for each model. */
export function checkpointFiles(checkpoint: string | undefined, models: number | undefined): string[] {
  if (checkpoint === undefined) return [];
  if (models === undefined) return [checkpoint];
  return Array.from({ length: models }, (_, model) => `${checkpoint}.${model}`);
}

/** Of the fits of this process, and of those that they went on from. */
const ownWriters = new Set<string>();

/** Files that fits of this process found to be those of other ones. */
const foreignFiles = new Set<string>();

/** Whether a fit of this process could not write a checkpoint because it is one of another fit. */
export const isOfAnotherFit = (file: string): boolean => foreignFiles.has(path.resolve(file));

/** Removes the files of a fit whose model is safe, but for those that another fit has written to since. */
export async function removeCheckpoints(files: readonly string[], own = ownWriters): Promise<void> {
  for (const file of files) {
    try {
      if (!own.has((await writerOf(file)) ?? '')) continue;
      await rm(targetOf(file), { force: true });
    } catch (cause) {
      throw fileError(cause, 'remove', file);
    }
  }
}

function warnOfCheckpoint({ message }: SklarError): void {
  process.emitWarning(`${message}; the fit goes on`, { code: 'SKLAR_CHECKPOINT' });
}

/** Bytes hashed at once, so that the event loop goes on. */
const HASH_BYTES = 1 << 26;

/** What a run depends on: its rows, and everything that `about` tells. */
export async function fingerprint(about: unknown, ...rows: Float64Array[]): Promise<string> {
  const hash = createHash('sha256').update(JSON.stringify([packageVersion(), about]));
  for (const { buffer, byteOffset, byteLength } of rows) {
    for (let at = 0; at < byteLength; at += HASH_BYTES) {
      hash.update(new Uint8Array(buffer, byteOffset + at, Math.min(HASH_BYTES, byteLength - at)));
      await setImmediate();
    }
  }
  return hash.digest('hex');
}

const configSchema = z.object({
  fingerprint: z.string(),
  /** Where the state was computed: cpu, or the name of a CUDA device; elsewhere it would go on with other bits. */
  place: z.string(),
  precision: z.string(),
  /** Which run has written it. */
  writer: z.string().default(''),
});
type Config = z.output<typeof configSchema>;

/** Where a run computes, for its checkpoint. */
export function placeOf(run: NativeDevice): Pick<Config, 'place' | 'precision'> {
  const { device, deviceName, precision } = runRecord(run);
  return { place: device === 'cpu' ? device : deviceName, precision };
}

/** Which run has written a checkpoint; null: there is none that can be read. */
async function writerOf(file: string): Promise<string | null> {
  if (!existsSync(file)) return null;
  const { document } = await readModelFile(file).catch(() => ({ document: null }));
  const config = document?.kind === 'checkpoint' ? configSchema.safeParse(document.config) : null;
  return config?.data?.writer ?? null;
}

/** What the numbers of a run with these settings can be; the file may have been made by anyone. */
export interface CheckpointLimits {
  steps: number;
  warmup: number;
  learningRate: number;
}

/** Whether a state is one that a run with these settings can have. */
function faultOf({ numbers: n, tensors, history }: TrainSnapshot, limits: CheckpointLimits): string | null {
  const counts = {
    end: limits.steps,
    steps: n.end,
    step: n.steps,
    bestStep: n.steps,
    sinceReport: n.steps,
    looksWithoutGain: n.steps,
    warmup: limits.warmup,
    decaySteps: limits.steps,
    rateStart: n.steps,
    saturated: Number.MAX_SAFE_INTEGER,
    stoppedEarly: 1,
    annealing: 1,
  };
  for (const [name, most] of Object.entries(counts)) {
    const count = n[name as keyof typeof n];
    if (!Number.isSafeInteger(count) || count < 0 || count > most) return name;
  }
  if (n.step !== n.steps) return 'step';
  const rate = limits.learningRate * (1 + 1e-9); // of the cosine, in its rounding
  const rates = { bestRate: rate, peakRate: rate, finalFraction: 1 };
  const times = { seconds: Number.MAX_VALUE, stepSeconds: Number.MAX_VALUE };
  for (const [name, most] of Object.entries({ ...rates, ...times })) {
    const value = n[name as keyof typeof n];
    if (!(value >= 0 && value <= most)) return name;
  }
  for (const name of ['crossEntropySum', 'squaredErrorSum'] as const) {
    if (!Number.isFinite(n[name])) return name;
  }
  for (const name of ['validation', 'bestValidation'] as const) {
    if (Math.abs(n[name]) === Infinity) return name; // NaN: there is none yet
  }
  const bad = Object.entries(tensors).find(([, values]) => !values.every(Number.isFinite));
  if (bad) return bad[0];
  const steps = history.filter((_, i) => i % REPORT_NUMBERS === 0);
  const ascending = steps.every((step, i) => step > (steps[i - 1] ?? 0) && step <= n.steps);
  return history.length % REPORT_NUMBERS === 0 && ascending ? null : 'history';
}

/** Numbers of a report in the history; the first is its step. */
const REPORT_NUMBERS = 8;

/** JSON has no NaN, so numbers are tensors of one value. */
const numberTensor = (name: string): string => `numbers.${name}`;

export class Checkpoint {
  readonly #file: string;
  readonly #config: Config;
  /** Who may have written the file that is there: this run, and the one that it goes on from. */
  readonly #own: Set<string>;
  #waiting: TrainSnapshot | null = null;
  #writing: Promise<void> | null = null;
  readonly #onError: (error: SklarError) => void;
  /** Of the latest write; a fit that ends well does not fail for it. */
  #failure: { error: unknown } | null = null;
  /** What `onCheckpointError` threw. */
  #thrown: { error: unknown } | null = null;

  constructor(file: string, config: Omit<Config, 'writer'>, onError = warnOfCheckpoint) {
    this.#file = file;
    this.#config = { ...config, writer: randomBytes(16).toString('hex') };
    this.#onError = onError;
    this.#own = new Set();
    this.#owns(this.#config.writer);
  }

  #owns(writer: string): void {
    this.#own.add(writer);
    ownWriters.add(writer);
  }

  /**
   * The state to go on from; null when there is no file.
   *
   * @throws SklarError ERR_SKLAR_FORMAT for a file that is no checkpoint or damaged, or has numbers that no run has,
   *   ERR_SKLAR_VALUE for one of another fit, device or precision, ERR_SKLAR_FILE
   */
  async read(limits: CheckpointLimits): Promise<TrainSnapshot | null> {
    const folder = path.dirname(path.resolve(this.#file));
    try {
      await access(folder, constants.W_OK);
    } catch (cause) {
      throw fileError(cause, 'write', this.#file);
    }
    if (!existsSync(this.#file)) return null;
    const { document, tensors } = await readModelFile(this.#file);
    if (document?.kind !== 'checkpoint') {
      throw new SklarError(
        'ERR_SKLAR_FORMAT',
        `expected a checkpoint, got another file (${describe(this.#file)})`,
      );
    }
    const { fingerprint, place, precision, writer } = expectConfig(configSchema, document);
    const here = this.#config;
    if (fingerprint !== here.fingerprint) {
      throw new SklarError(
        'ERR_SKLAR_VALUE',
        `expected the checkpoint of this fit, got that of a fit of other rows, options, seed or version ` +
          `(${describe(this.#file)}): remove it or name another file`,
      );
    }
    if (place !== here.place || precision !== here.precision) {
      throw new SklarError(
        'ERR_SKLAR_VALUE',
        `expected a checkpoint of a fit on ${here.place} in ${here.precision}, got one on ${place} in ${precision} ` +
          `(${describe(this.#file)}): go on there, remove it or name another file`,
      );
    }
    const array = <A extends RealArray>(name: string, kind: new (length: number) => A): A => {
      const data = tensors.get(name)?.data ?? new kind(0);
      if (data instanceof kind) return data;
      throw new SklarError('ERR_SKLAR_FORMAT', `the checkpoint's tensor "${name}" has another type`);
    };
    const number = (name: string): number => {
      const [value] = array(numberTensor(name), Float64Array);
      if (value !== undefined) return value;
      throw new SklarError(
        'ERR_SKLAR_FORMAT',
        `expected "${name}" in the checkpoint, which another version of sklar has written ` +
          `(${describe(this.#file)}): remove it or name another file`,
      );
    };
    const snapshot: TrainSnapshot = {
      numbers: Object.fromEntries(
        trainNumberNames.map((name) => [name, number(name)]),
      ) as TrainSnapshot['numbers'],
      history: array('history', Float64Array),
      tensors: Object.fromEntries(
        trainTensorNames.map((name) => [name, array(name, Float32Array)]),
      ) as TrainSnapshot['tensors'],
    };
    const fault = faultOf(snapshot, limits);
    if (fault === null) {
      this.#owns(writer);
      return snapshot;
    }
    throw new SklarError(
      'ERR_SKLAR_FORMAT',
      `expected the state of a training run, got one whose ${describe(fault)} no run has (${describe(this.#file)}): ` +
        'remove it or name another file',
    );
  }

  /** Writes it soon; of snapshots that wait only the latest is written. @throws what `onCheckpointError` threw */
  put(snapshot: TrainSnapshot): void {
    if (this.#thrown) throw this.#thrown.error;
    this.#waiting = snapshot;
    if (this.#writing) return;
    this.#writing = this.#write();
  }

  /** Until everything is on disk. @throws SklarError ERR_SKLAR_FILE when it could not be written */
  async settle(): Promise<void> {
    await this.#writing;
    if (this.#failure) throw this.#failure.error;
  }

  /** Of a fit that is done: nothing is written any more, and the file is gone unless it is to be kept. */
  async end({ keep }: { keep: boolean }): Promise<void> {
    await this.#writing;
    if (this.#thrown) throw this.#thrown.error;
    if (!keep) await removeCheckpoints([this.#file], this.#own);
  }

  async #write(): Promise<void> {
    try {
      while (this.#waiting) {
        const snapshot = this.#waiting;
        this.#waiting = null;
        await this.#writeOne(snapshot);
      }
      this.#failure = null;
    } catch (error) {
      this.#failure = { error };
      try {
        tell(this.#onError, error as SklarError);
      } catch (thrown) {
        this.#thrown = { error: thrown };
      }
    }
    this.#writing = null;
  }

  async #writeOne({ numbers, history, tensors }: TrainSnapshot): Promise<void> {
    const writer = await writerOf(this.#file);
    const foreign = writer !== null && !this.#own.has(writer);
    foreignFiles[foreign ? 'add' : 'delete'](path.resolve(this.#file));
    if (foreign) {
      throw new SklarError(
        'ERR_SKLAR_FILE',
        `cannot write ${describe(this.#file)}: it is the checkpoint of another fit, which runs at the same time or ` +
          'has been killed; name another file',
      );
    }
    const all = new Map<string, { shape: number[]; data: RealArray }>();
    for (const [name, value] of Object.entries(numbers)) {
      all.set(numberTensor(name), { shape: [1], data: Float64Array.of(value) });
    }
    for (const [name, data] of Object.entries({ history, ...tensors })) {
      if (data.length > 0) all.set(name, { shape: [data.length], data });
    }
    await writeModelFile(this.#file, {
      document: {
        formatVersion: 1,
        kind: 'checkpoint',
        config: this.#config,
        columns: null,
        margins: null,
        training: null,
        libraryVersion: packageVersion(),
      },
      tensors: all,
    });
  }
}
