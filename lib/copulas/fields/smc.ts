/** Options and results of the Monte Carlo of a CDC's normaliser, and of samples given some columns of any copula. */
import { z } from 'zod';

import { type Matrix, matrix } from '../../matrix';
import { type Seed, resolveSeed } from '../../data/random';
import {
  type OptionNames,
  SklarError,
  describe,
  expectInteger,
  expectNumber,
  expectOneOf,
} from '../../errors';
import {
  type NativeConditional,
  type NativeConditionalOptions,
  type NativeNormaliser,
  type NativeSmcOptions,
  type NativeSmcStage,
  callNative,
} from '../../native';
import { type Scale, toFloat32 } from '../inputs/rows';
import { type RunOptions, runOptions } from '../inputs/run';

/** Fewer effective particles than this share: resample, and bridge the noise levels in smaller steps. */
const LEAST_SHARE = 0.5;
/** Acceptance that the moves are adapted to. */
const TARGET_ACCEPTANCE = 0.65;
/** Plain Monte Carlo with fewer effective rows than this share of all of them has no say. */
const LEAST_MONTE_CARLO_SHARE = 0.1;
/** Fewer moves than this at the data say nothing of how chains mix. */
const LEAST_CHAIN_LENGTH = 8;
/** Values of all particles of one call: bounds memory. */
const MOST_VALUES = 2 ** 26;

/** How a population of particles is moved. */
export interface ParticleOptions extends RunOptions {
  /** Particles of all populations together. */
  particles?: number;
  /** Independent populations, at least 2; their spread is the standard error. */
  islands?: number;
  /** pCN-MALA moves after every reweighting. */
  moves?: number;
  /** Default 1. The same seed gives the same numbers for any number of threads. */
  seed?: Seed;
  /** Told the share of the work that is done. */
  onProgress?: ((progress: { fraction: number }) => void) | undefined;
}

/** A copula whose density integrates to one only by an estimate of its normaliser. */
export interface Normalisable {
  /** Subtracted from log densities, in nats; null: not estimated yet. */
  readonly logNormaliser: number | null;
  readonly logNormaliserStandardError: number | null;
  estimateNormaliser(options?: NormaliserOptions): Promise<{ logZ: number; standardError: number }>;
}

/** Defaults: 4096 particles in 16 populations, 3 moves. */
export type NormaliserOptions = ParticleOptions;

export const normaliserOptionNames: OptionNames<NormaliserOptions> = {
  ...runOptions,
  particles: true,
  islands: true,
  moves: true,
  seed: true,
  onProgress: true,
};

const estimateSchema = z.object({ logZ: z.number(), standardError: z.number().min(0) });

/**
 * log Z, Z the integral of a model's unnormalised copula density: annealed sequential Monte Carlo along the noise levels, and
 * two other estimates beside it (docs/mathematics.md, D.4). In nats.
 */
export interface NormaliserEstimate {
  /** The estimate by sequential Monte Carlo. */
  readonly logZ: number;
  /** From the spread of the islands. */
  readonly standardError: number;
  /** Plain Monte Carlo over the reference; null where its weights are too uneven to say anything. */
  readonly monteCarlo: {
    readonly logZ: number;
    readonly standardError: number;
    readonly effectiveSampleSize: number;
  } | null;
  /** Bennett's ratio between reference and particles; `overlap`: how much the two laws have in common, 0 to 1. */
  readonly bennett: { readonly logZ: number; readonly standardError: number; readonly overlap: number };
  /** Of the particles at the data. */
  readonly effectiveSampleSize: number;
  /** Mean over all moves. */
  readonly acceptance: number;
  /** From the level next to the reference down to the data (0). */
  readonly levels: readonly {
    readonly level: number;
    /** Steps from the level above to this one; more than one where the weights would have become too uneven. */
    readonly stages: number;
    /** Least share of effective particles after a reweighting. */
    readonly effectiveShare: number;
    readonly acceptance: number;
  }[];
  /** All of them. */
  readonly particles: number;
  /** Independent populations. */
  readonly islands: number;
  /** After every reweighting. */
  readonly moves: number;
  /** As decimal digits. */
  readonly seed: string;
}

/** The estimate as it is stored with a model. */
export const normaliserSchema: z.ZodType<NormaliserEstimate> = z.object({
  ...estimateSchema.shape,
  monteCarlo: z.object({ ...estimateSchema.shape, effectiveSampleSize: z.number() }).nullable(),
  bennett: z.object({ ...estimateSchema.shape, overlap: z.number() }),
  effectiveSampleSize: z.number(),
  acceptance: z.number(),
  levels: z.array(
    z.object({ level: z.int(), stages: z.int(), effectiveShare: z.number(), acceptance: z.number() }),
  ),
  particles: z.int(),
  islands: z.int(),
  moves: z.int(),
  seed: z.string(),
});

/** How rows are drawn given some columns; see `ConditionalOptions.method`. */
export type ConditionalMethod = 'exact' | 'smc' | 'twisted' | 'replacement' | 'repaint';
/** Of a CDC. */
export const cdcConditionalMethods = [
  'smc',
  'twisted',
  'replacement',
  'repaint',
] as const satisfies readonly ConditionalMethod[];
export const conditionalMethods = [...cdcConditionalMethods, 'exact'] as const;

/** How rows are drawn given some columns. `particles` and what belongs to them are of `smc` and `twisted`. */
export interface ConditionalOptions extends ParticleOptions {
  /** The scale of the fixed values and of the sample; default `copula`. */
  scale?: Scale;
  /**
   * Of a CDC: `smc` (default), annealed sequential Monte Carlo, exact for the model's density as particles grow;
   * `twisted` (Wu et al., 2023), the reverse SDE drawn to the condition by the gradient of a twist and weighted, exact as
   * particles grow; `replacement` and `repaint` (Lugmayr et al., 2022), which overwrite the fixed columns along the reverse
   * SDE: they are biased and there for comparison. Of classical copulas: `exact`, independent draws.
   */
  method?: ConditionalMethod;
  /**
   * twisted: what the weights stand for. `density` (default): the model's density itself, whatever the number of noise
   * levels. `chain`: the normal steps of the reverse SDE, as published, which need many levels.
   */
  weights?: 'density' | 'chain';
  /** smc: moves at the data after all weights have been made equal; default 10. */
  finalMoves?: number;
  /** repaint: how often every step is repeated; default 20. */
  loops?: number;
  /** twisted, replacement and repaint: pCN-MALA moves on the exact conditional density afterwards; default 0. */
  polish?: number;
  /** Storage of the sample; default `float32`. */
  dtype?: 'float32' | 'float64';
}

export const conditionalOptions: OptionNames<ConditionalOptions> = {
  ...normaliserOptionNames,
  scale: true,
  method: true,
  weights: true,
  finalMoves: true,
  loops: true,
  polish: true,
  dtype: true,
};

/** Rows given some columns, and how good they are. */
export interface ConditionalSample {
  /** rows x dim; the fixed columns hold the fixed values. */
  rows: Matrix;
  /**
   * log c_A(a), the copula density of the fixed columns at the fixed values, in nats; `normalised` says whether the log
   * normaliser of the model has been subtracted (see `CdcCopula.estimateNormaliser`). Null for methods that do not know it.
   */
  logMarginalDensity: number | null;
  /** Whether log Z of the model has been subtracted, or there is none. */
  normalised: boolean;
  /** Of logMarginalDensity. */
  standardError: number | null;
  /** Of the weighted particles that the rows were drawn from; null for methods without weights. */
  effectiveSampleSize: number | null;
  /** Particles at the reference that have descendants among those; null for methods without resampling. */
  ancestors: number | null;
  /** Of the last moves; null without moves. */
  acceptance: number | null;
  /**
   * Split R-hat of the moves at the data (`finalMoves` or `polish`, at least 8 of them; null for fewer), every row or
   * particle one chain, in the worst column: near 1 when each chain alone has forgotten where it began.
   */
  rHat: number | null;
  /** How many independent draws all states of those chains are worth, in the worst column. */
  polishEffectiveSampleSize: number | null;
  /** How they were drawn. */
  method: ConditionalMethod;
}

function smcOptions(
  options: ParticleOptions,
  dim: number,
  defaults: { particles: number; islands: number; moves: number; finalMoves: number },
): NativeSmcOptions {
  const islands = expectInteger(options.islands ?? defaults.islands, 'islands', { min: 2, max: 4096 });
  const particles = expectInteger(options.particles ?? defaults.particles, 'particles', {
    min: 2 * islands,
    max: Math.floor(MOST_VALUES / dim),
  });
  return {
    particles: Math.ceil(particles / islands),
    islands,
    moves: expectInteger(options.moves ?? defaults.moves, 'moves', { min: 1, max: 10_000 }),
    finalMoves: defaults.finalMoves,
    leastShare: LEAST_SHARE,
    targetAcceptance: TARGET_ACCEPTANCE,
    seed: resolveSeed(options.seed ?? 1),
  };
}

export function normaliserOptions(options: NormaliserOptions, dim: number): NativeSmcOptions {
  return smcOptions(options, dim, { particles: 4096, islands: 16, moves: 3, finalMoves: 0 });
}

const mean = (values: readonly number[]) =>
  values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);

export function toNormaliser(result: NativeNormaliser, options: NativeSmcOptions): NormaliserEstimate {
  const { smc, monteCarlo, bennett, stages } = result;
  const rows = options.particles * options.islands;
  const levels = new Map<number, NativeSmcStage[]>();
  for (const stage of stages) levels.set(stage.level, [...(levels.get(stage.level) ?? []), stage]);
  return {
    logZ: smc.logZ,
    standardError: smc.standardError,
    monteCarlo:
      monteCarlo.effective < LEAST_MONTE_CARLO_SHARE * rows
        ? null
        : {
            logZ: monteCarlo.logZ,
            standardError: monteCarlo.standardError,
            effectiveSampleSize: monteCarlo.effective,
          },
    bennett: { logZ: bennett.logZ, standardError: bennett.standardError, overlap: bennett.effective },
    effectiveSampleSize: smc.effective,
    acceptance: mean(stages.map(({ acceptance }) => acceptance)),
    levels: Array.from(levels, ([level, list]) => ({
      level,
      stages: list.length,
      effectiveShare: Math.min(...list.map(({ effective }) => effective)),
      acceptance: mean(list.map(({ acceptance }) => acceptance)),
    })),
    particles: rows,
    islands: options.islands,
    moves: options.moves,
    seed: options.seed.toString(),
  };
}

/**
 * Columns and values of a condition. A key is a column's name, or its number from 0 where no column has that name.
 *
 * @throws SklarError ERR_SKLAR_VALUE naming a key that is no column, a column given twice or a value outside the scale
 */
function resolveFixed(
  fixed: Readonly<Record<string | number, number>>,
  names: readonly string[] | null,
  dim: number,
  scale: Scale,
): { columns: Int32Array; values: Float64Array } {
  if (typeof fixed !== 'object' || fixed === null) {
    throw new SklarError('ERR_SKLAR_VALUE', `expected an object of fixed values, got ${describe(fixed)}`);
  }
  const keys = Object.keys(fixed);
  if (keys.length < 1 || keys.length >= dim) {
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      `expected 1 to ${dim - 1} fixed columns of ${dim}, got ${keys.length}`,
    );
  }
  const columns = keys.map((key) => {
    const named = names?.indexOf(key) ?? -1;
    if (named >= 0) return named;
    if (/^\d{1,9}$/.test(key) && Number(key) < dim) return Number(key);
    const choices = names ? `a name of ${names.map((name) => describe(name)).join(', ')} or ` : '';
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      `expected ${choices}a column number from 0 to ${dim - 1} for a fixed column, got ${describe(key)}`,
    );
  });
  keys.forEach((key, i) => {
    const name = `the fixed column ${describe(names?.[columns[i]!] ?? key)}`;
    if (columns.indexOf(columns[i]!) !== i) {
      throw new SklarError('ERR_SKLAR_VALUE', `expected every column once, got ${name} again`);
    }
    expectNumber(fixed[key], name, scale === 'copula' ? { above: 0, below: 1 } : {});
  });
  const values = Float64Array.from(keys, (key) => fixed[key]!);
  return {
    columns: Int32Array.from(columns),
    values: scale === 'copula' ? callNative((addon) => addon.normalQuantile(values)) : values,
  };
}

/** What belongs to no method. */
interface Condition {
  scale: Scale;
  dtype: 'float32' | 'float64';
  columns: Int32Array;
  /** On the Gaussian scale. */
  values: Float64Array;
  /** On `scale`, as given. */
  given: readonly number[];
}

const methodOptions = ['particles', 'islands', 'moves', 'finalMoves', 'loops', 'polish', 'weights'] as const;
const optionsOf: Record<ConditionalMethod, readonly (typeof methodOptions)[number][]> = {
  smc: ['particles', 'islands', 'moves', 'finalMoves'],
  twisted: ['particles', 'islands', 'weights', 'polish'],
  replacement: ['polish'],
  repaint: ['loops', 'polish'],
  exact: [],
};

function resolveCondition(
  method: ConditionalMethod,
  fixed: Readonly<Record<string | number, number>>,
  rows: number,
  options: ConditionalOptions,
  names: readonly string[] | null,
  dim: number,
): Condition {
  const scale = expectOneOf<Scale>(options.scale ?? 'copula', 'scale', ['copula', 'gaussian']);
  const dtype = expectOneOf(options.dtype ?? 'float32', 'dtype', ['float32', 'float64'] as const);
  for (const name of methodOptions) {
    if (options[name] !== undefined && !optionsOf[method].includes(name)) {
      throw new SklarError('ERR_SKLAR_VALUE', `method '${method}' has no option ${name}`);
    }
  }
  expectInteger(rows, 'the number of rows', { min: 1, max: Math.floor(MOST_VALUES / dim) });
  return { scale, dtype, ...resolveFixed(fixed, names, dim, scale), given: Object.values(fixed) };
}

export function cdcConditionalOptions(
  fixed: Readonly<Record<string | number, number>>,
  rows: number,
  options: ConditionalOptions,
  names: readonly string[] | null,
  dim: number,
): { method: ConditionalMethod; condition: Condition; native: NativeConditionalOptions } {
  const method = expectOneOf(options.method ?? 'smc', 'method', cdcConditionalMethods);
  const condition = resolveCondition(method, fixed, rows, options, names, dim);
  const weights = expectOneOf(options.weights ?? 'density', 'weights', ['density', 'chain'] as const);
  const count = (name: 'finalMoves' | 'loops' | 'polish', missing: number, min: number) =>
    expectInteger(options[name] ?? missing, name, { min, max: 10_000 });
  return {
    method,
    condition,
    native: {
      ...smcOptions(options, dim, {
        particles: Math.max(2048, rows),
        islands: 8,
        moves: 3,
        finalMoves: count('finalMoves', 10, 0),
      }),
      columns: condition.columns,
      values: condition.values,
      rows,
      method: method === 'repaint' ? 'replacement' : method,
      exactSteps: weights === 'density',
      loops: method === 'repaint' ? count('loops', 20, 1) : 1,
      polish: count('polish', 0, 0),
    },
  };
}

export function exactConditionalOptions(
  fixed: Readonly<Record<string | number, number>>,
  rows: number,
  options: ConditionalOptions,
  names: readonly string[] | null,
  dim: number,
): { condition: Condition; seed: bigint } {
  const method = expectOneOf(options.method ?? 'exact', 'method', ['exact'] as const);
  const condition = resolveCondition(method, fixed, rows, options, names, dim);
  return { condition, seed: resolveSeed(options.seed ?? 1) };
}

/** Independent draws, and the density of the condition without error. */
export function exactConditional(rows: Matrix, logMarginalDensity: number): ConditionalSample {
  return {
    rows,
    logMarginalDensity,
    normalised: true,
    standardError: 0,
    effectiveSampleSize: rows.rows,
    ancestors: null,
    acceptance: null,
    rHat: null,
    polishEffectiveSampleSize: null,
    method: 'exact',
  };
}

/** The sample from native rows on the Gaussian scale; the fixed columns become exactly what was given. */
export function conditionalRows(
  native: Float64Array,
  { scale, dtype, columns, given }: Condition,
  names: readonly string[] | null,
  dim: number,
): Matrix {
  const values = scale === 'gaussian' ? native : callNative((addon) => addon.normalCdf(native));
  columns.forEach((column, i) => {
    for (let at = column; at < values.length; at += dim) values[at] = given[i]!;
  });
  return matrix(
    dtype === 'float64' ? values : toFloat32(values, scale),
    values.length / dim,
    dim,
    names ?? undefined,
  );
}

/** What a conditional sample of a CDC says beside its rows. */
export function conditionalReport(
  result: NativeConditional,
  method: ConditionalMethod,
  native: NativeConditionalOptions,
  normaliser: { logZ: number; standardError: number } | null,
): Omit<ConditionalSample, 'rows'> {
  const weighted = native.method !== 'replacement';
  const known = native.method === 'smc' || (weighted && native.exactSteps);
  const moves = native.method === 'smc' ? native.finalMoves : native.polish;
  const watched = moves >= LEAST_CHAIN_LENGTH;
  return {
    logMarginalDensity: known ? result.logMarginal - (normaliser?.logZ ?? 0) : null,
    normalised: known && normaliser !== null,
    standardError: known ? Math.hypot(result.standardError, normaliser?.standardError ?? 0) : null,
    effectiveSampleSize: weighted ? result.effective : null,
    ancestors: weighted ? result.ancestors : null,
    acceptance: native.method === 'smc' || moves > 0 ? result.acceptance : null,
    rHat: watched ? result.rHat : null,
    polishEffectiveSampleSize: watched ? result.movesEffective : null,
    method,
  };
}
