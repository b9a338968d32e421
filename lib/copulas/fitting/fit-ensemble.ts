import { SklarError, expectInteger, expectOneOf } from '../../errors';
import { type Copula } from '../copula';
import { EnsembleCopula } from '../kinds/ensemble';
import { type FitCopulaOptions, expectFitOptions, prepareFit } from './prepare';
import { type CopulaSpec, copulaKinds, kinds } from './kinds';
import { type RowsInput } from '../inputs/rows';
import { checkpointFiles, removeCheckpoints } from '../training/checkpoint';
import { type TrainProgress } from '../training/train';
import { type TrainEvent } from '../training/train-log';
import { TrainGroup } from '../training/train-group';
import { tell } from '../../tell';

/** `step` and `steps` count through all models. */
export interface EnsembleProgress extends TrainProgress {
  /** The one that trains, counted from 0. */
  model: number;
  /** How many there are. */
  models: number;
}

/** Options of `fitEnsemble` beside those of the kind. */
export interface FitEnsembleOptions extends Omit<FitCopulaOptions, 'onProgress'> {
  /** How many. */
  models: number;
  /**
   * `different` (default): every model keeps other validation rows apart, so that each row trains most of them. `same`: those
   * that `fitCopula` keeps apart for `seed`.
   */
  splits?: 'different' | 'same';
  /** As of `fitCopula`, with the model that trains. */
  onProgress?: ((progress: EnsembleProgress) => void) | undefined;
}

/** That a GPU trains together: `most_models` of the native code. */
const MODELS_ON_A_GPU = 16;

const LAST_SEED = (1n << 64n) - 1n;

/**
 * Fits an ensemble: model k, counted from 0, is what `fitCopula` makes of the seed `seed + k`. On the CPU they train one after
 * another. One small network leaves most of a GPU idle: there up to 16 of those that have kernels for a whole training step
 * (docs/devices.md) take each step together, others train 8 at a time, each with a stream of its own.
 *
 * @param u as for `fitCopula`
 * @param options those of `fitCopula`, `models` and `splits`. `checkpoint` names the files `checkpoint.0`, `checkpoint.1`, ...,
 *   one for each model, which are there until all are done
 * @throws SklarError as `fitCopula`; ERR_SKLAR_VALUE for kinds whose models would all be the same, or have no density
 *
 * @example
 * ```ts
 * import { GaussianCopula, fitEnsemble } from 'sklar';
 *
 * const u = await new GaussianCopula(Float64Array.of(1, 0.7, 0.7, 1), 2).sample(200);
 * const ensemble = await fitEnsemble(u, { models: 2, kind: 'cdc', hidden: 16, depth: 1, steps: 20 }); // more for real use
 * ensemble.members.length; // => 2
 * ```
 */
export async function fitEnsemble(
  u: RowsInput,
  options: FitEnsembleOptions & CopulaSpec,
): Promise<EnsembleCopula> {
  options = expectFitOptions(options, 'fitEnsemble', { models: true, splits: true });
  const { models, splits = 'different', onProgress, ...rest } = options;
  expectInteger(models, 'models', { min: 1, max: 1000 });
  expectOneOf(splits, 'splits', ['different', 'same'] as const);
  if (rest.kind !== undefined && !kinds[rest.kind].trained) {
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      `expected one of ${copulaKinds.filter((kind) => kinds[kind].trained).join(', ')} for the kind of an ensemble: ${rest.kind} copulas of the same rows are all the same`,
    );
  }
  if ('network' in rest && rest.network === 'published') {
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      "expected network 'boundary-exact' for an ensemble: the published one has no density",
    );
  }
  const { dense, fit, run, starts, label } = prepareFit(u, rest, models);
  if (run.seed + BigInt(models) - 1n > LAST_SEED) {
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      `expected a seed with ${models - 1} more after it, got ${run.seed}`,
    );
  }
  const checkpoints = checkpointFiles(run.checkpoint, models);
  const steps = new Array<number>(models).fill(0);
  const lengths = new Array<number>(models).fill(0);
  const start = performance.now();
  const failed = new AbortController();
  const failures: unknown[] = []; // an abort without a reason makes one
  const signal = run.signal ? AbortSignal.any([run.signal, failed.signal]) : failed.signal;
  const fitModel = async (model: number, group?: TrainGroup): Promise<Copula> => {
    const seed = run.seed + BigInt(model);
    const report = (progress: TrainProgress) => {
      steps[model] = progress.step;
      lengths[model] = progress.steps;
      const step = steps.reduce((sum, done) => sum + done, 0);
      const all = models * progress.steps;
      const seconds = (performance.now() - start) / 1000;
      const secondsLeft = (seconds / step) * (all - step);
      tell(onProgress, { ...progress, step, steps: all, seconds, secondsLeft, model, models });
    };
    const copula = await fit(dense, {
      ...run,
      signal,
      seed,
      splitSeed: splits === 'same' ? run.seed : seed,
      checkpoint: checkpoints[model],
      keepCheckpoint: true,
      group,
      start: starts[model],
      onEvents:
        run.onEvents &&
        ((events: readonly TrainEvent[]) => run.onEvents!(events.map((event) => ({ ...event, model })))),
      onProgress: report,
    });
    steps[model] = lengths[model]!; // also where it stopped early
    return copula;
  };

  const members = new Array<Copula>(models);
  const groups = run.device === 'cpu' ? models : Math.ceil(models / MODELS_ON_A_GPU);
  const atOnce = Math.ceil(models / groups);
  for (let first = 0; first < models && !failed.signal.aborted; first += atOnce) {
    const size = Math.min(atOnce, models - first);
    const group = size > 1 ? new TrainGroup(size, signal) : undefined;
    const fitOne = async (_: unknown, k: number) => {
      members[first + k] = await fitModel(first + k, group);
    };
    // the first failure ends the others
    await Promise.all(
      Array.from({ length: size }, fitOne).map((fit) =>
        fit.catch((reason: unknown) => {
          failures.push(reason);
          failed.abort(reason);
        }),
      ),
    );
  }
  if (failures.length > 0) {
    members.forEach((member) => member.dispose());
    throw failures[0];
  }
  if (!run.keepCheckpoint) await removeCheckpoints(checkpoints);
  return label(new EnsembleCopula(members));
}
