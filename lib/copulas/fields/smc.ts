/** Particles, and samples given some columns: options and results. */
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
  type NativeAddon,
  type NativeConditional,
  type NativeConditionalOptions,
  type NativeFieldConditionalOptions,
  type NativeJob,
  type NativeSmcOptions,
  callNative,
  runJob,
} from '../../native';
import { tell } from '../../tell';
import { type Scale, expectDtype, expectScale, toFloat32 } from '../inputs/rows';
import { type Execution, type RunOptions, runOptions } from '../inputs/run';
import { processes } from '../../processes';
import { type IntegrationProblem } from './solvers';

/** Fewer effective particles than this share: resample, and bridge the noise levels in smaller steps. */
const LEAST_SHARE = 0.5;
/** Acceptance that the moves are adapted to. */
const TARGET_ACCEPTANCE = 0.65;
/** Fewer moves than this at the data say nothing of how chains mix. */
const LEAST_CHAIN_LENGTH = 8;
/** Steps of the reverse SDE of a velocity model; see docs/mathematics.md, F.2 for what they leave to be desired. */
const REVERSE_STEPS = 64;
/** By this time reflected lines have forgotten all but 5e-5 of any dependence. */
const CUBE_REFERENCE = 1;
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

export const particleOptions: OptionNames<ParticleOptions> = {
  ...runOptions,
  particles: true,
  islands: true,
  moves: true,
  seed: true,
  onProgress: true,
};

/** How rows are drawn given some columns; see `ConditionalOptions.method`. */
export type ConditionalMethod = 'exact' | 'smc' | 'twisted' | 'replacement' | 'repaint';
/** Of models that have a density at every noise level. */
export const levelConditionalMethods = [
  'smc',
  'twisted',
  'replacement',
  'repaint',
] as const satisfies readonly ConditionalMethod[];
/** Of a velocity model whose process has noise. */
export const velocityConditionalMethods = ['twisted'] as const satisfies readonly ConditionalMethod[];
/** All of them. */
export const conditionalMethods: readonly ConditionalMethod[] = [...levelConditionalMethods, 'exact'];

/** How rows are drawn given some columns. `particles` and what belongs to them are of `smc` and `twisted`. */
export interface ConditionalOptions extends ParticleOptions {
  /** The scale of the fixed values and of the sample; default `copula`. */
  scale?: Scale;
  /**
   * Of a CDC and a potential: `smc` (default), annealed sequential Monte Carlo, exact for the model's density as particles grow;
   * `twisted` (Wu et al., 2023), the reverse SDE drawn to the condition by the gradient of a twist and weighted, exact as
   * particles grow; `replacement` and `repaint` (Lugmayr et al., 2022), which overwrite the fixed columns along the reverse
   * SDE: they are biased and there for comparison. Of flows and reflections: `twisted`. Of classical copulas: `exact`, independent draws.
   */
  method?: ConditionalMethod;
  /**
   * twisted, of a CDC and a potential: what the weights stand for. `density` (default): the model's density itself, whatever the number of
   * noise levels. `chain`: the steps of the reverse SDE, which need many levels; flows and reflections have no others.
   */
  weights?: 'density' | 'chain';
  /** twisted, of flows and reflections: steps of their reverse SDE, 2 at least; default 64. */
  steps?: number;
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
  ...particleOptions,
  scale: true,
  method: true,
  weights: true,
  steps: true,
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

export function smcOptions(
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

/** What `sampleConditional` was asked for. */
interface Wanted {
  readonly fixed: Readonly<Record<string | number, number>>;
  readonly rows: number;
  readonly options: ConditionalOptions;
}

/** What belongs to no method. */
interface ResolvedCondition {
  scale: Scale;
  dtype: 'float32' | 'float64';
  columns: Int32Array;
  /** On the Gaussian scale. */
  values: Float64Array;
  /** On `scale`, as given. */
  given: readonly number[];
}

const methodOptions = [
  'particles',
  'islands',
  'moves',
  'finalMoves',
  'loops',
  'polish',
  'weights',
  'steps',
] as const;
type MethodOptions = readonly (typeof methodOptions)[number][];
const optionsOf: Record<ConditionalMethod, MethodOptions> = {
  smc: ['particles', 'islands', 'moves', 'finalMoves'],
  twisted: ['particles', 'islands', 'weights', 'polish'],
  replacement: ['polish'],
  repaint: ['loops', 'polish'],
  exact: [],
};
/** The options without those of a method. */
export function withoutMethod(options: ConditionalOptions): ConditionalOptions {
  const left = new Set<string>(['method', ...methodOptions]);
  return Object.fromEntries(Object.entries(options).filter(([name]) => !left.has(name)));
}

const velocityOptions: MethodOptions = ['particles', 'islands', 'steps'];

function resolveCondition(
  method: ConditionalMethod,
  fixed: Readonly<Record<string | number, number>>,
  rows: number,
  options: ConditionalOptions,
  names: readonly string[] | null,
  dim: number,
  own: MethodOptions = optionsOf[method],
): ResolvedCondition {
  const scale = expectScale(options.scale);
  const dtype = expectDtype(options.dtype);
  for (const name of methodOptions) {
    if (options[name] !== undefined && !own.includes(name)) {
      throw new SklarError('ERR_SKLAR_VALUE', `method '${method}' has no option ${name}`);
    }
  }
  expectInteger(rows, 'the number of rows', { min: 1, max: Math.floor(MOST_VALUES / dim) });
  return { scale, dtype, ...resolveFixed(fixed, names, dim, scale), given: Object.values(fixed) };
}

function levelConditionalOptions(
  { fixed, rows, options }: Wanted,
  names: readonly string[] | null,
  dim: number,
): { method: ConditionalMethod; condition: ResolvedCondition; native: NativeConditionalOptions } {
  const method = expectOneOf(options.method ?? 'smc', 'method', levelConditionalMethods);
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

/**
 * By the densities along noise levels.
 *
 * @param start what runs it
 */
export async function levelConditional(
  wanted: Wanted,
  names: readonly string[] | null,
  dim: number,
  normaliser: { logZ: number; standardError: number } | null,
  { signal }: Execution,
  start: (
    addon: NativeAddon,
    native: NativeConditionalOptions,
    onEvent: (fraction: number) => void,
  ) => NativeJob<NativeConditional>,
): Promise<ConditionalSample> {
  const { method, condition, native } = levelConditionalOptions(wanted, names, dim);
  const result = await runJob((addon, onEvent: (fraction: number) => void) => start(addon, native, onEvent), {
    signal,
    onEvent: (fraction) => tell(wanted.options.onProgress, { fraction }),
  });
  return {
    rows: conditionalRows(result.values, condition, names, dim),
    ...conditionalReport(result, method, native, normaliser),
  };
}

export function velocityConditionalOptions(
  fixed: Readonly<Record<string | number, number>>,
  rows: number,
  options: ConditionalOptions,
  names: readonly string[] | null,
  dim: number,
  { process, reference }: Pick<IntegrationProblem, 'process' | 'reference'>,
): { condition: ResolvedCondition; native: NativeFieldConditionalOptions } {
  const method = expectOneOf(options.method ?? 'twisted', 'method', velocityConditionalMethods);
  const condition = resolveCondition(method, fixed, rows, options, names, dim, velocityOptions);
  const steps = expectInteger(options.steps ?? REVERSE_STEPS, 'steps', { min: 2, max: 10_000 });
  const { particles, islands, leastShare, seed } = smcOptions(options, dim, {
    particles: Math.max(2048, rows),
    islands: 8,
    moves: 1,
    finalMoves: 0,
  });
  // fine at either end of the Gaussian scale, and near data on the cube
  const { cube } = processes[process];
  const last = cube ? Math.min(reference, CUBE_REFERENCE) : processes[process].reference;
  const times = Float64Array.from({ length: steps + 1 }, (_, k) => last * (k / steps) ** (cube ? 2 : 1));
  const { columns, values } = condition;
  return { condition, native: { times, particles, islands, leastShare, seed, columns, values, rows } };
}

export function exactConditionalOptions(
  fixed: Readonly<Record<string | number, number>>,
  rows: number,
  options: ConditionalOptions,
  names: readonly string[] | null,
  dim: number,
): { condition: ResolvedCondition; seed: bigint } {
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
  { scale, dtype, columns, given }: ResolvedCondition,
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

/** What a conditional sample of a velocity model says beside its rows: the law of its reverse SDE is normalised. */
export function velocityReport(result: NativeConditional): Omit<ConditionalSample, 'rows'> {
  return {
    logMarginalDensity: result.logMarginal,
    normalised: true,
    standardError: result.standardError,
    effectiveSampleSize: result.effective,
    ancestors: result.ancestors,
    acceptance: null,
    rHat: null,
    polishEffectiveSampleSize: null,
    method: 'twisted',
  };
}

/** What a conditional sample of densities along noise levels says beside its rows. */
function conditionalReport(
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
