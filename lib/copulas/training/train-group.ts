/** Native training jobs: of one model, or of several that a GPU trains together. */
import {
  type NativeAddon,
  type NativeJob,
  type NativeTrainCall,
  type NativeTrainReport,
  type NativeTrainResult,
  runJob,
} from '../../native';

/** Starts the native job of one kind's training. */
export type StartTraining = (
  addon: NativeAddon,
  call: NativeTrainCall,
  onReports: (reports: NativeTrainReport[]) => void,
) => NativeJob<NativeTrainResult[] | null>;

/** One model that is to be trained. */
export interface TrainTask {
  /** With this model alone. */
  call: NativeTrainCall;
  start: StartTraining;
  signal: AbortSignal | undefined;
  /** An exception ends the training with it, that of the whole group. */
  onReport: (report: NativeTrainReport) => void;
}

/** A job for the models of all tasks; null: the device cannot train them together. */
function runTogether(tasks: readonly TrainTask[]): Promise<NativeTrainResult[] | null> {
  const { call, start, signal } = tasks[0]!;
  const models = tasks.flatMap((task) => task.call.models);
  return runJob<NativeTrainResult[] | null, NativeTrainReport[]>(
    (addon, onEvent) => start(addon, { ...call, models }, onEvent),
    { signal, onEvent: (reports) => reports.forEach((report) => tasks[report.model]!.onReport(report)) },
  );
}

export async function trainAlone(task: TrainTask): Promise<NativeTrainResult> {
  return (await runTogether([task]))![0]!;
}

/** Where the device has no operation for all of them, so many models are trained side by side. */
const JOBS_AT_ONCE = 8;

/**
 * Models that differ in seed and rows alone. They are trained by one native job, which begins when all have come; where the
 * device has no operation that trains them together, each by a job of its own.
 */
export class TrainGroup {
  readonly #size: number;
  readonly #tasks: TrainTask[] = [];
  /** What became of training them together, when all have come. */
  readonly #together: Promise<NativeTrainResult[] | null>;
  #start!: () => void;
  #running = 0;
  readonly #waiting: (() => void)[] = [];

  /**
   * @param size how many models will come
   * @param signal aborted when one will not: those who have come wait no more
   */
  constructor(size: number, signal: AbortSignal) {
    this.#size = size;
    this.#together = new Promise((resolve, reject) => {
      this.#start = () => resolve(runTogether(this.#tasks));
      // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- the reason is the caller's
      const stop = () => reject(signal.reason);
      if (signal.aborted) stop();
      else signal.addEventListener('abort', stop, { once: true });
    });
    this.#together.catch(() => {}); // also when nobody waits
  }

  async train(task: TrainTask): Promise<NativeTrainResult> {
    const model = this.#tasks.push(task) - 1;
    if (model + 1 === this.#size) this.#start();
    const results = await this.#together;
    if (results) return results[model]!;
    if (this.#running === JOBS_AT_ONCE) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#running++;
    try {
      return await trainAlone(task);
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#running--;
    }
  }
}
