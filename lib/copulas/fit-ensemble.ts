import { rm } from 'node:fs/promises';

import { SklarError, expectInteger, expectOneOf } from '../errors';
import { type Copula, type RowsInput } from './copula';
import { EnsembleCopula } from './ensemble';
import { type CopulaKind, type FitOptions, prepareFit } from './fit';
import { type CdcOptions, type FlowOptions, type ReflectionOptions } from './options';
import { type TrainProgress } from './train';

/** `step` and `steps` count through all models: a model that stops early leaves a gap. */
export interface EnsembleProgress extends TrainProgress {
  /** The one that trains, counted from 0. */
  model: number;
  models: number;
}

export interface EnsembleFitOptions extends Omit<FitOptions, 'onProgress'> {
  /** How many. */
  models: number;
  /**
   * `different` (default): every model keeps other validation rows apart, so that each row trains most of them. `same`: those
   * that `fitCopula` keeps apart for `seed`.
   */
  splits?: 'different' | 'same';
  onProgress?: ((progress: EnsembleProgress) => void) | undefined;
}

/** What trains the models: anything that `fitCopula` takes, but for kind `gaussian`. */
export type EnsembleKindOptions =
  | ({ kind?: 'cdc' } & CdcOptions)
  | ({ kind: 'flow' } & FlowOptions)
  | ({ kind: 'reflection' } & ReflectionOptions)
  | { kind: CopulaKind };

const LAST_SEED = (1n << 64n) - 1n;

/**
 * Fits an ensemble: model k, counted from 0, is what `fitCopula` makes of the seed `seed + k`. They train one after another.
 *
 * @param u as for `fitCopula`
 * @param options those of `fitCopula`, `models` and `splits`. `checkpoint` names the files `checkpoint.0`, `checkpoint.1`, ...,
 *   one for each model, which are there until all are done
 * @throws SklarError as `fitCopula`; ERR_SKLAR_VALUE for kinds whose models would all be the same, or have no density
 */
export async function fitEnsemble(
  u: RowsInput,
  options: EnsembleFitOptions & EnsembleKindOptions,
): Promise<EnsembleCopula> {
  const { models, splits = 'different', onProgress, ...rest } = options;
  expectInteger(models, 'models', { min: 1, max: 1000 });
  expectOneOf(splits, 'splits', ['different', 'same'] as const);
  if (rest.kind === 'gaussian') {
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      "expected kind 'cdc', 'flow' or 'reflection' for an ensemble: gaussian copulas of the same rows are all the same",
    );
  }
  if ('network' in rest && rest.network === 'published') {
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      "expected network 'boundary-exact' for an ensemble: the published one has no density",
    );
  }
  const { dense, fit, run, label } = prepareFit(u, rest);
  if (run.seed + BigInt(models) - 1n > LAST_SEED) {
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      `expected a seed with ${models - 1} more after it, got ${run.seed}`,
    );
  }
  const checkpoints = Array.from({ length: models }, (_, k) =>
    run.checkpoint === undefined ? undefined : `${run.checkpoint}.${k}`,
  );
  const members: Copula[] = [];
  let seconds = 0;
  try {
    for (const [model, checkpoint] of checkpoints.entries()) {
      const seed = run.seed + BigInt(model);
      let last = 0;
      const report = (progress: TrainProgress) => {
        last = progress.seconds;
        const step = model * progress.steps + progress.step;
        const steps = models * progress.steps;
        const perStep = progress.seconds / progress.step;
        onProgress?.({
          ...progress,
          step,
          steps,
          seconds: seconds + progress.seconds,
          secondsLeft: perStep * (steps - step),
          model,
          models,
        });
      };
      members.push(
        await fit(dense, {
          ...run,
          seed,
          splitSeed: splits === 'same' ? run.seed : seed,
          checkpoint,
          keepCheckpoint: true,
          onProgress: report,
        }),
      );
      seconds += last;
    }
  } catch (error) {
    for (const member of members) member.dispose();
    throw error;
  }
  for (const file of checkpoints) if (file !== undefined) await rm(file, { force: true });
  return label(new EnsembleCopula(members));
}
