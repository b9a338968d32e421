/** The Monte Carlo of the normaliser of a CDC or a potential (docs/mathematics.md, D.4): options and results. */
import { z } from 'zod';

import { type OptionNames, SklarError } from '../../errors';
import {
  type NativeAddon,
  type NativeJob,
  type NativeNormaliser,
  type NativeSmcOptions,
  type NativeSmcStage,
  runJob,
} from '../../native';
import { tell } from '../../tell';
import { type Execution } from '../inputs/run';
import { type ParticleOptions, particleOptions, smcOptions } from './smc';

/** Plain Monte Carlo with fewer effective rows than this share of all of them has no say. */
const LEAST_MONTE_CARLO_SHARE = 0.1;

/** A copula whose density integrates to one only by an estimate of its normaliser. */
export interface Normalisable {
  /** Subtracted from log densities, in nats; null: not estimated yet. */
  readonly logNormaliser: number | null;
  readonly logNormaliserStandardError: number | null;
  estimateNormaliser(options?: NormaliserOptions): Promise<{ logZ: number; standardError: number }>;
}

/** Defaults: 4096 particles in 16 populations, 3 moves. */
export type NormaliserOptions = ParticleOptions;

export const normaliserOptionNames: OptionNames<NormaliserOptions> = particleOptions;

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

/**
 * @param start what runs it
 * @throws SklarError ERR_SKLAR_DIVERGED for an estimate that is not finite
 */
export async function normaliserOf(
  options: NormaliserOptions,
  dim: number,
  { signal }: Execution,
  start: (
    addon: NativeAddon,
    native: NativeSmcOptions,
    onEvent: (fraction: number) => void,
  ) => NativeJob<NativeNormaliser>,
): Promise<NormaliserEstimate> {
  const native = smcOptions(options, dim, { particles: 4096, islands: 16, moves: 3, finalMoves: 0 });
  const result = await runJob((addon, onEvent: (fraction: number) => void) => start(addon, native, onEvent), {
    signal,
    onEvent: (fraction) => tell(options.onProgress, { fraction }),
  });
  const normaliser = toNormaliser(result, native);
  if (Number.isFinite(normaliser.logZ) && Number.isFinite(normaliser.standardError)) return normaliser;
  throw new SklarError('ERR_SKLAR_DIVERGED', `the estimate of the normaliser is ${normaliser.logZ}`);
}

const mean = (values: readonly number[]) =>
  values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);

function toNormaliser(result: NativeNormaliser, options: NativeSmcOptions): NormaliserEstimate {
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
