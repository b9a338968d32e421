import { type LevelBlocks, blocksOfLevels } from '../../data/level-blocks';
import { type Seed, resolveSeed } from '../../data/random';
import { Table } from '../../data/table';
import { type OptionNames, SklarError, describe, expectOneOf, expectOptions } from '../../errors';
import { type TableMargins } from '../../margins/margins';
import { type CdcCopula, fitCdc } from '../kinds/cdc';
import { type CheckpointOptions } from '../training/checkpoint';
import { type EmpiricalBetaCopula } from '../classical/empirical-beta';
import { type ClassicalKind, type FamilyKind, classicalKinds, cpuOnlyOfKind } from '../classical/families';
import { type FamilyCopula } from '../classical/family';
import { type ClassicalOptions, classicalFitter, classicalOptionsSchema } from '../classical/fit';
import { type KernelCopula, type KernelOptions, kernelOptionsSchema } from '../classical/kernel';
import { type StudentCopula } from '../classical/student';
import { type Copula } from '../copula';
import { type FlowCopula, fitFlow, resolveFlow } from '../kinds/flow';
import { type GaussianCopula } from '../classical/gaussian';
import {
  type CdcOptions,
  type FlowOptions,
  type ReflectionOptions,
  cdcOptionsSchema,
  flowOptionsSchema,
  parseOptions,
  reflectionOptionsSchema,
} from '../inputs/options';
import { type ReflectionCopula, fitReflection } from '../kinds/reflection';
import { type DenseRows, type RowsInput, toDense } from '../inputs/rows';
import { type RunOptions, beginRun, runOptions } from '../inputs/run';
import { type TrainProgress, type TrainRun } from '../training/train';

export interface FitOptions extends RunOptions, CheckpointOptions {
  /** Decides initial parameters, batches, noise and the validation rows; default 1. */
  seed?: Seed;
  /** Names of the columns; default those of the input. */
  names?: readonly string[];
  /**
   * The blocks of levels that recurring values fill (`PseudoObservations.trainingBlocks`): their likelihood is that of the
   * whole block. Default: those of equal values that have the mean of their ranks.
   */
  blocks?: LevelBlocks | undefined;
  /** Margins that made the rows, to be stored with the model. */
  margins?: TableMargins;
  /** At most one call per batch of steps; never blocks training. An exception thrown here ends the fit with it. */
  onProgress?: ((progress: TrainProgress) => void) | undefined;
}

export const fitOptions: OptionNames<FitOptions> = {
  ...runOptions,
  checkpoint: true,
  checkpointSeconds: true,
  seed: true,
  names: true,
  blocks: true,
  margins: true,
  onProgress: true,
};

export type CopulaKind = 'cdc' | 'flow' | 'reflection' | ClassicalKind;
export const copulaKinds: readonly CopulaKind[] = ['cdc', 'flow', 'reflection', ...classicalKinds];

/** Fewer rows than this cannot be told from noise by any of the kinds. */
export const FEWEST_ROWS = 8;

/**
 * Fits a copula to pseudo-observations.
 *
 * @param u n x dim rows strictly between 0 and 1, for example from `PseudoObservations`; at least 2 columns and 8 rows
 * @param options `kind` (`cdc`, `flow`, `reflection` or one of the classical kinds) and what belongs to it, see
 *   `CdcOptions`, `FlowOptions`, `ReflectionOptions`, `ClassicalOptions`, `KernelOptions`
 * @throws SklarError ERR_SKLAR_VALUE or ERR_SKLAR_SHAPE for rows or options that do not fit, ERR_SKLAR_DEVICE,
 *   ERR_SKLAR_DIVERGED when the training loss stops being finite; the signal's reason when aborted
 */
export function fitCopula(
  u: RowsInput,
  options: { kind: 'gaussian' } & FitOptions & ClassicalOptions,
): Promise<GaussianCopula>;
export function fitCopula(
  u: RowsInput,
  options: { kind: 'student' } & FitOptions & ClassicalOptions,
): Promise<StudentCopula>;
export function fitCopula(
  u: RowsInput,
  options: { kind: FamilyKind } & FitOptions & ClassicalOptions,
): Promise<FamilyCopula>;
export function fitCopula(
  u: RowsInput,
  options: { kind: 'empirical-beta' } & FitOptions,
): Promise<EmpiricalBetaCopula>;
export function fitCopula(
  u: RowsInput,
  options: { kind: 'kernel' } & FitOptions & KernelOptions,
): Promise<KernelCopula>;
export function fitCopula(
  u: RowsInput,
  options?: { kind?: 'cdc' } & FitOptions & CdcOptions,
): Promise<CdcCopula>;
export function fitCopula(
  u: RowsInput,
  options: { kind: 'flow' } & FitOptions & FlowOptions,
): Promise<FlowCopula>;
export function fitCopula(
  u: RowsInput,
  options: { kind: 'reflection' } & FitOptions & ReflectionOptions,
): Promise<ReflectionCopula>;
export function fitCopula(u: RowsInput, options: { kind: CopulaKind } & FitOptions): Promise<Copula>;
export async function fitCopula(
  u: RowsInput,
  options: { kind?: CopulaKind } & FitOptions = {},
): Promise<Copula> {
  expectFitOptions(options, 'fitCopula');
  const { dense, fit, run, label } = prepareFit(u, options);
  return label(await fit(dense, run));
}

/** A fit whose rows and options have been checked. */
export interface PreparedFit {
  dense: DenseRows;
  fit: (u: DenseRows, run: TrainRun) => Promise<Copula>;
  run: TrainRun;
  /** Gives the copula the names and margins of the rows. */
  label: <C extends Copula>(copula: C) => C;
}

/**
 * Checks the names of the options of a fit, and the options of its kind.
 *
 * @param others names that the caller has beside those of `fitCopula`
 * @throws SklarError ERR_SKLAR_VALUE naming the option
 */
export function expectFitOptions(
  options: { kind?: CopulaKind } & FitOptions,
  name: string,
  others = {},
): void {
  // the kind says what else there may be
  expectOptions(options, name, { ...options, kind: true });
  const kind = expectOneOf<CopulaKind>(options.kind ?? 'cdc', 'kind', copulaKinds);
  const own = ownOptions(kind);
  expectOptions(options, name, { kind: true, ...fitOptions, ...others, ...own });
  fitterOf(kind, Object.fromEntries(Object.entries(options).filter(([key]) => Object.hasOwn(own, key))));
}

/** The options that belong to a kind alone. */
function ownOptions(kind: CopulaKind): Readonly<Record<string, unknown>> {
  switch (kind) {
    case 'cdc':
      return cdcOptionsSchema.shape;
    case 'flow':
      return flowOptionsSchema.shape;
    case 'reflection':
      return reflectionOptionsSchema.shape;
    case 'kernel':
      return kernelOptionsSchema.shape;
    case 'empirical-beta':
      return {};
    default:
      return classicalOptionsSchema.shape;
  }
}

/** @throws SklarError see `fitCopula` */
export function prepareFit(u: RowsInput, options: { kind?: CopulaKind } & FitOptions): PreparedFit {
  const {
    kind = 'cdc',
    seed = 1,
    names,
    margins,
    blocks,
    onProgress,
    device,
    precision,
    threads,
    signal,
    checkpoint,
    checkpointSeconds,
    ...rest
  } = options;
  const run = beginRun({ device, precision, threads, signal }, cpuOnlyOfKind(kind));
  const seedValue = resolveSeed(seed);
  const fit = fitterOf(kind, rest);
  const rows = toDense(u, 'the training rows');
  const columnNames = names ?? (u instanceof Table ? u.names : 'names' in u ? u.names : undefined);
  const dense: DenseRows = {
    ...rows,
    blocks: blocks ?? blocksOfLevels(rows.data, rows.rows, rows.columns),
    ...(columnNames && { names: columnNames }),
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
  if (blocks) expectBlocks(blocks, dense.columns);
  expectVariation(dense);
  if (columnNames && columnNames.length !== dense.columns) {
    throw new SklarError('ERR_SKLAR_SHAPE', `expected ${dense.columns} names, got ${columnNames.length}`);
  }
  return {
    dense,
    fit,
    run: {
      ...run,
      seed: seedValue,
      splitSeed: seedValue,
      onProgress,
      checkpoint,
      checkpointSeconds,
      keepCheckpoint: false,
    },
    label: (copula) => {
      copula.names = columnNames ? [...columnNames] : null;
      copula.margins = margins ?? null;
      return copula;
    },
  };
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

function expectBlocks(blocks: LevelBlocks, columns: number): void {
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
}

/**
 * Checks the options that belong to the kind, and gives what fits it.
 *
 * @throws SklarError ERR_SKLAR_VALUE naming the option
 */
export function fitterOf(
  kind: CopulaKind,
  options: object,
): (u: DenseRows, run: TrainRun) => Promise<Copula> {
  switch (kind) {
    case 'cdc': {
      const parsed = parseOptions(cdcOptionsSchema, options, 'a cdc copula');
      return (u, run) => fitCdc(u, parsed, run);
    }
    case 'flow': {
      const parsed = resolveFlow(parseOptions(flowOptionsSchema, options, 'a flow copula'));
      return (u, run) => fitFlow(u, parsed, run);
    }
    case 'reflection': {
      const parsed = parseOptions(reflectionOptionsSchema, options, 'a reflection copula');
      return (u, run) => fitReflection(u, parsed, run);
    }
    default: {
      const fit = classicalFitter(kind, options);
      return (u, { device, precision, threads, signal }) => fit(u, { device, precision, threads, signal });
    }
  }
}
