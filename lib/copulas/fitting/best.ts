import { type LevelBlocks } from '../../data/level-blocks';
import { type Seed } from '../../data/random';
import { type Weights } from '../../data/weights';
import { type OptionNames, SklarError, expectInteger, expectOptions } from '../../errors';
import { matrix } from '../../matrix';
import { meanOf } from '../../mean';
import { tell } from '../../tell';
import { type Copula } from '../copula';
import { type RowsInput, nativeWeights } from '../inputs/rows';
import { type RunOptions, beginRun, runOptions } from '../inputs/run';
import {
  type FitCandidate,
  classicalCandidates,
  expectCandidates,
  foldsOf,
  partsOf,
  runOfCandidate,
  scoresOf,
} from './candidates';
import { kinds } from './kinds';
import { fitKind, toTraining } from './prepare';

/** `device` and `precision` are those of the candidates that CUDA can compute. */
export interface FitBestOptions extends RunOptions {
  /**
   * Default: the classical copulas that may suit the number of columns. Of two columns independence, gaussian, student,
   * frank, and clayton, gumbel, joe, amh, bb1, bb6, bb7 and bb8 in the two rotations whose Kendall's tau has the sign of
   * the rows', and kernel; of more independence, gaussian, student, frank, and clayton, gumbel and joe rotated by 0 and 180.
   * Not empirical-beta, whose density is too rough to win, nor the kinds that train a network.
   */
  candidates?: readonly FitCandidate[];
  /** See `FitOptions.blocks`: rows in blocks are scored by the probability of these, whatever the candidate. */
  blocks?: LevelBlocks | undefined;
  /** See `FitCopulaOptions.weights`: candidates are fitted and scored with them. */
  weights?: Weights | undefined;
  /** Parts of the rows, each scored by what the others taught; default 5. */
  folds?: number;
  /** Decides the parts; default 1. */
  seed?: Seed;
  /** Told after each fit. */
  onProgress?: ((progress: { fits: number; fitsDone: number; candidate: FitCandidate }) => void) | undefined;
}

const bestOptions: OptionNames<FitBestOptions> = {
  ...runOptions,
  candidates: true,
  blocks: true,
  weights: true,
  folds: true,
  seed: true,
  onProgress: true,
};

/** How a candidate scored rows that it was not fitted to. */
export interface RankedCandidate {
  /** As given, or a default one. */
  readonly candidate: FitCandidate;
  /**
   * Mean log density of a row by the copula of the other parts, in nats, where values recur times the probability of their blocks
   * (`Copula.logPdfCells`); null where a fit failed.
   */
  readonly meanLogPdf: number | null;
  /** Over the rows. */
  readonly standardError: number | null;
  /** Mean and standard error of the difference from the winner's, row by row. */
  readonly behind: { readonly mean: number; readonly standardError: number } | null;
  /** Why a fit failed. */
  readonly error: string | null;
}

/** What `fitBest` found. */
export interface BestFit {
  /** The winner, fitted to all rows. */
  readonly copula: Copula;
  /** Best first; those that failed last. */
  readonly ranking: readonly RankedCandidate[];
}

/**
 * Compares candidates by their cross-validated log-likelihood, and fits the best one to all rows.
 *
 * @param u n x dim pseudo-observations
 * @throws SklarError as `fitCopula` for rows and options that do not fit; ERR_SKLAR_VALUE where every candidate fails
 *
 * @example
 * ```ts
 * import { FamilyCopula, fitBest } from 'sklar';
 *
 * const u = await new FamilyCopula('clayton', { theta: 2 }).sample(200);
 * const { copula, ranking } = await fitBest(u, { candidates: [{ kind: 'gaussian' }, { kind: 'clayton' }] });
 * copula.kind; // => 'clayton'
 * ranking.map(({ candidate }) => candidate.kind); // => ['clayton', 'gaussian']
 * ```
 */
export async function fitBest(u: RowsInput, options: FitBestOptions = {}): Promise<BestFit> {
  options = expectOptions(options, 'fitBest', bestOptions);
  const given =
    options.candidates === undefined ? undefined : expectCandidates(options.candidates, 'fitBest');
  const { folds = 5, seed = 1, signal, onProgress } = options;
  const onCuda = given?.some(({ kind }) => kinds[kind].capabilities.cpuOnly === null);
  const run = beginRun(options, onCuda ? null : 'classical copulas are computed in float64, on the CPU');
  const dense = toTraining(u, options);
  const { blocks } = dense;
  const each = nativeWeights(dense) ?? undefined;
  expectInteger(folds, 'folds', { min: 2, max: dense.rows });
  const order = partsOf(dense.rows, folds, seed);
  const candidates = given ?? (await classicalCandidates(dense, run));
  const splits = foldsOf(dense, order, folds);

  let fitsDone = 0;
  const scored: { candidate: FitCandidate; scores: Float64Array | null; error: string | null }[] = [];
  for (const candidate of candidates) {
    const scores = new Float64Array(dense.rows);
    let error: string | null = null;
    for (const part of splits) {
      try {
        const own = runOfCandidate(candidate, options);
        using copula = await fitKind(part.rest, { ...candidate, ...own, blocks, weights: part.weights });
        const values = await scoresOf(copula, part, own);
        for (let i = 0; i < values.length; i++) scores[part.held[i]!] = values[i]!;
      } catch (cause) {
        if (!(cause instanceof SklarError) || signal?.aborted) throw cause;
        error = cause.message;
      }
      tell(onProgress, { fits: candidates.length * folds + 1, fitsDone: ++fitsDone, candidate });
    }
    scored.push({ candidate, scores: error === null ? scores : null, error });
  }

  const weighted = (scores: Float64Array) => meanOf(scores, undefined, 'rows', each);
  const meanOrNothing = (scores: Float64Array | null) => (scores ? weighted(scores).mean : -Infinity);
  scored.sort((a, b) => meanOrNothing(b.scores) - meanOrNothing(a.scores));
  const winner = scored[0]!;
  if (!winner.scores) {
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      `every candidate failed, ${winner.candidate.kind}: ${winner.error}`,
    );
  }
  const best = winner.scores;
  const ranking = scored.map(({ candidate, scores, error }): RankedCandidate => {
    if (!scores) return { candidate, meanLogPdf: null, standardError: null, behind: null, error };
    const { mean, standardError } = weighted(scores);
    const behind = weighted(scores.map((value, i) => best[i]! - value));
    return {
      candidate,
      meanLogPdf: mean,
      standardError,
      behind: { mean: behind.mean, standardError: behind.standardError! },
      error: null,
    };
  });
  const copula = await fitKind(matrix(dense.data, dense.rows, dense.columns, dense.names), {
    ...winner.candidate,
    ...runOfCandidate(winner.candidate, options),
    blocks,
    weights: each,
  });
  tell(onProgress, { fits: fitsDone + 1, fitsDone: fitsDone + 1, candidate: winner.candidate });
  return { copula, ranking };
}
