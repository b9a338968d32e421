import { existsSync } from 'node:fs';

import { expectDifferentFiles, expectPath } from '../../data/formats/files';
import { type LevelBlocks, blocksOfLevels } from '../../data/level-blocks';
import { type Seed, resolveSeed } from '../../data/random';
import { type Weights, resolveWeights } from '../../data/weights';
import {
  type OptionNames,
  SklarError,
  describe,
  expectOneOf,
  expectOptions,
  expectTexts,
  expectList,
  expectNumbers,
} from '../../errors';
import { type TableMargins } from '../../margins/margins';
import { type Copula, type NetworkStart } from '../copula';
import { type DenseRows, type RowsInput, namesOf, takeRows, toDense } from '../inputs/rows';
import { type RunOptions, beginRun, runOptions } from '../inputs/run';
import { type CheckpointOptions, checkpointFiles } from '../training/checkpoint';
import { type TrainLogOptions, listener } from '../training/train-log';
import { type TrainProgress, type TrainRun } from '../training/train';
import { type CopulaKind, type Fitter, copulaKinds, kinds } from './kinds';
import { expectColumns, optionsFrom, startsOf } from './warm-start';

/** Options of `fitCopula` that all kinds share. */
export interface FitCopulaOptions extends RunOptions, CheckpointOptions, TrainLogOptions {
  /** Decides initial parameters, batches, noise and the validation rows; default 1. */
  seed?: Seed;
  /** Names of the columns; default those of the input. */
  names?: readonly string[] | undefined;
  /**
   * The blocks of levels that recurring values fill (`PseudoObservations.trainingBlocks`): their likelihood is that of the
   * whole block. Default: those of equal values that have the mean of their ranks.
   */
  blocks?: LevelBlocks | undefined;
  /**
   * Of the rows: finite, not negative, not all 0, in any unit; a row of weight 0 is left out. Likelihoods, correlations and Kendall's tau are
   * weighted, and a network draws rows into its batches in proportion (docs/mathematics.md, N.5). The levels should be ranks with the
   * same weights (`PseudoObservations.fit`). Default: all count alike.
   */
  weights?: Weights | undefined;
  /** Margins that made the rows, to be stored with the model. */
  margins?: TableMargins | undefined;
  /**
   * Of kinds that a network learns: a model of the kind and of the same columns, whose network is trained further. It keeps
   * its guide, which the network belongs to, and what its network is (`hidden`, `levels`, `process`, ...); everything else is
   * that of the new fit. The parameters that it begins with count as its first look at the validation rows, so that they are
   * kept where no step betters them. Of an ensemble the members go on, as many as `models` says.
   */
  from?: Copula | undefined;
  /** At most one call per batch of steps; never blocks training. An exception thrown here ends the fit with it. */
  onProgress?: ((progress: TrainProgress) => void) | undefined;
}

export const fitOptions: OptionNames<FitCopulaOptions> = {
  ...runOptions,
  checkpoint: true,
  checkpointSeconds: true,
  keepCheckpoint: true,
  onCheckpointError: true,
  onResume: true,
  log: true,
  onEvent: true,
  onLogError: true,
  from: true,
  seed: true,
  names: true,
  blocks: true,
  weights: true,
  margins: true,
  onProgress: true,
};

/** Fewer rows than this cannot be told from noise by any of the kinds. */
export const FEWEST_ROWS = 8;

/** A fit whose rows and options have been checked. */
export interface PreparedFit {
  dense: DenseRows;
  fit: Fitter;
  run: TrainRun;
  /** What each model starts from; empty: random parameters. */
  starts: readonly NetworkStart[];
  /** Gives the copula the names and margins of the rows. */
  label: <C extends Copula>(copula: C) => C;
}

/**
 * Checks the names of the options of a fit, and the options of its kind.
 *
 * @param others names that the caller has beside those of `fitCopula`
 * @returns a copy
 * @throws SklarError ERR_SKLAR_VALUE naming the option
 */
export function expectFitOptions<T extends { kind?: CopulaKind }>(options: T, name: string, others = {}): T {
  // the kind says what else there may be
  options = expectOptions(options, name, { ...options, kind: true });
  const { kind: asked = 'cdc' } = options;
  const kind = expectOneOf<CopulaKind>(asked, 'kind', copulaKinds);
  const own = kinds[kind].options.shape;
  options = expectOptions(options, name, { kind: true, ...fitOptions, ...others, ...own });
  kinds[kind].fitter(Object.fromEntries(Object.entries(options).filter(([key]) => Object.hasOwn(own, key))));
  return options;
}

/**
 * @param models of an ensemble
 * @throws SklarError see `fitCopula`
 */
export function prepareFit(
  u: RowsInput,
  options: { kind?: CopulaKind } & FitCopulaOptions,
  models?: number,
): PreparedFit {
  const {
    kind = 'cdc',
    seed = 1,
    names,
    margins,
    blocks,
    weights: given,
    onProgress,
    device,
    precision,
    threads,
    signal,
    checkpoint,
    checkpointSeconds,
    keepCheckpoint,
    onCheckpointError,
    onResume,
    log,
    onEvent,
    onLogError,
    from,
    ...rest
  } = options;
  const run = beginRun({ device, precision, threads, signal }, kinds[kind].capabilities.cpuOnly);
  const seedValue = resolveSeed(seed);
  if (!kinds[kind].trained) {
    const own = Object.entries({ checkpoint, log, onEvent, from }).find(([, value]) => value !== undefined);
    if (own) {
      throw new SklarError(
        'ERR_SKLAR_VALUE',
        `${own[0]} belongs to kinds that a network learns in steps, not to ${kind}`,
      );
    }
  }
  if (log !== undefined) expectPath(log);
  if (checkpoint !== undefined) expectPath(checkpoint);
  const states = checkpointFiles(checkpoint, models);
  if (log !== undefined) {
    expectDifferentFiles([['log', log], ...states.map((file) => ['checkpoint', file] as const)]);
  }
  const starts = from === undefined ? [] : startsOf(from, kind, models);
  const fit = kinds[kind].fitter(starts[0] ? optionsFrom(starts[0], rest) : rest);
  const dense = toTraining(u, { names, blocks, weights: given });
  if (from) expectColumns(from, dense.columns, dense.names);
  const goesOn = states.some((file) => existsSync(file));
  return {
    dense,
    fit,
    starts,
    run: {
      ...run,
      seed: seedValue,
      splitSeed: seedValue,
      onProgress,
      onEvents: listener({ log, onEvent, onLogError }, goesOn),
      start: starts[0],
      checkpoint,
      checkpointSeconds,
      keepCheckpoint,
      onCheckpointError,
      onResume,
    },
    label: (copula) => {
      copula.names = dense.names ? [...dense.names] : null;
      copula.margins = margins ?? null;
      return copula;
    },
  };
}

const NO_WEIGHTS = { kept: null, weights: null };

/**
 * The rows that a fit learns from, with their blocks, weights and names.
 *
 * @throws SklarError see `fitCopula`
 */
export function toTraining(
  u: RowsInput,
  { names: own, blocks, weights: given }: Pick<FitCopulaOptions, 'names' | 'blocks' | 'weights'>,
): DenseRows {
  const all = toDense(u, 'the training rows');
  const { kept, weights } = given === undefined ? NO_WEIGHTS : resolveWeights(given, all.rows);
  const rows = kept ? takeRows(all, kept) : all;
  const names = own === undefined ? namesOf(u) : expectTexts(own, 'names');
  const dense: DenseRows = {
    ...rows,
    blocks: blocks
      ? expectBlocks(blocks, rows.columns)
      : blocksOfLevels(rows.data, rows.rows, rows.columns, weights),
    ...(weights && { weights }),
    ...(names && { names }),
  };
  if (dense.columns < 2) {
    throw new SklarError(
      'ERR_SKLAR_SHAPE',
      `expected at least 2 columns to fit a copula, got ${dense.columns}`,
    );
  }
  if (dense.rows < FEWEST_ROWS) {
    throw new SklarError(
      'ERR_SKLAR_SHAPE',
      `expected at least ${FEWEST_ROWS} rows to fit a copula, got ${dense.rows}`,
    );
  }
  expectVariation(dense);
  if (names && names.length !== dense.columns) {
    throw new SklarError('ERR_SKLAR_SHAPE', `expected ${dense.columns} names, got ${names.length}`);
  }
  return dense;
}

/** As `fitCopula`, of a kind. */
export async function fitKind(
  u: RowsInput,
  options: { kind?: CopulaKind } & FitCopulaOptions,
): Promise<Copula> {
  const { dense, fit, run, label } = prepareFit(u, options);
  return label(await fit(dense, run));
}

/** A constant column would have one block of all levels, of which nothing can be learned. */
function expectVariation({ data, rows, columns, names }: DenseRows): void {
  // values outside are named where they are used
  if (!data.every((level) => level > 0 && level < 1)) return;
  for (let j = 0; j < columns; j++) {
    let i = 1;
    while (i < rows && data[i * columns + j] === data[j]) i++;
    if (i < rows) continue;
    const name = names?.[j] === undefined ? '' : ` (${describe(names[j])})`;
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      `expected columns that vary, got ${data[j]} in every row: column ${j + 1}${name} is constant`,
    );
  }
}

/** Returns a copy. */
function expectBlocks(given: LevelBlocks, columns: number): LevelBlocks {
  const blocks = Array.from(expectList(given, 'blocks'), (pairs, j) =>
    expectNumbers(pairs, `the blocks of column ${j + 1}`),
  );
  if (blocks.length !== columns) {
    throw new SklarError('ERR_SKLAR_SHAPE', `expected blocks of ${columns} columns, got ${blocks.length}`);
  }
  for (const [j, pairs] of blocks.entries()) {
    const ascending = pairs.every(
      (edge, k) =>
        edge >= (k === 0 ? 0 : pairs[k - 1]!) && edge <= 1 && (k % 2 === 0 || edge > pairs[k - 1]!),
    );
    if (pairs.length % 2 === 0 && ascending) continue;
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      `expected ascending pairs of levels from 0 to 1 for the blocks of column ${j + 1}`,
    );
  }
  return blocks;
}
