import { type LevelBlocks, blockOf, blocksOfLevels } from '../../data/level-blocks';
import { matrix, pickRows } from '../../matrix';
import { Generator, type Seed, seedWords, shuffle } from '../../data/random';
import { type Weights, resolveWeights, takeWeights } from '../../data/weights';
import {
  type OptionNames,
  SklarError,
  expectInteger,
  expectList,
  expectOneOf,
  expectOptions,
} from '../../errors';
import { meanOf } from '../../mean';
import { centred, kendallOf } from '../classical/observations';
import { type ClassicalOptions } from '../classical/fit';
import { type KernelOptions } from '../classical/kernel';
import { type Copula } from '../copula';
import { type FitCopulaOptions, expectFitOptions, fitCopula } from './fit';
import { type CopulaKind, copulaKinds, kinds } from './kinds';
import { type CdcOptions, type FlowOptions, type ReflectionOptions } from '../inputs/options';
import { type DenseRows, type RowsInput, nativeWeights, takeRows, toDense, namesOf } from '../inputs/rows';
import { type Execution, type RunOptions, beginRun, runOptions } from '../inputs/run';
import { tell } from '../../tell';

/** What `fitCopula` takes: a kind and its options. */
export type FitCandidate = { kind: CopulaKind } & FitCopulaOptions &
  (ClassicalOptions | KernelOptions | CdcOptions | FlowOptions | ReflectionOptions);

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

async function defaultCandidates(u: DenseRows, run: Execution): Promise<FitCandidate[]> {
  const plain = (['independence', 'gaussian', 'student', 'frank'] as const).map((kind) => ({
    kind,
  }));
  if (u.columns > 2) {
    const turned = (['clayton', 'gumbel', 'joe'] as const).flatMap((kind) =>
      ([0, 180] as const).map((rotation) => ({ kind, rotation })),
    );
    return [...plain, ...turned];
  }
  const tau = await kendallOf(centred(u), run);
  const rotations = tau[1]! < 0 ? ([90, 270] as const) : ([0, 180] as const);
  const turned = (['clayton', 'gumbel', 'joe', 'amh', 'bb1', 'bb6', 'bb7', 'bb8'] as const).flatMap((kind) =>
    rotations.map((rotation) => ({ kind, rotation })),
  );
  return [...plain, { kind: 'kernel' }, ...turned];
}

/** Of each row the part it belongs to, parts of equal size. */
function partsOf(rows: number, folds: number, seed: Seed): Uint32Array {
  const order = Uint32Array.from({ length: rows }, (_, i) => i);
  shuffle(order, 0, rows, new Generator(...seedWords(seed)));
  const parts = new Uint32Array(rows);
  order.forEach((row, i) => (parts[row] = i % folds));
  return parts;
}

function take({ data, columns }: DenseRows, rows: readonly number[]) {
  return matrix(pickRows(data, rows, columns), rows.length, columns);
}

/** Some of the rows: in blocks of recurring values their ends, else the level. */
function cellsOf(u: DenseRows, rows: readonly number[]) {
  const part = take(u, rows);
  const [lower, upper] = [0, 1].map((end) =>
    matrix(
      part.data.map((level, at) => {
        const pairs = u.blocks?.[at % u.columns];
        const k = pairs ? blockOf(pairs, level) : -1;
        return k < 0 ? level : pairs![2 * k + end]!;
      }),
      part.rows,
      part.columns,
    ),
  );
  return { lower: lower!, upper: upper! };
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
    options.candidates === undefined
      ? undefined
      : Array.from(expectList(options.candidates, 'candidates'), (candidate) => {
          const own = expectFitOptions(candidate, 'a candidate of fitBest');
          return { ...own, kind: expectOneOf(own.kind, 'kind', copulaKinds) };
        });
  const { folds = 5, seed = 1, device, precision, threads, signal, onProgress } = options;
  const onCuda = given?.some(({ kind }) => kinds[kind].capabilities.cpuOnly === null);
  const run = beginRun(options, onCuda ? null : 'classical copulas are computed in float64, on the CPU');
  const runOf = (candidate: FitCandidate): RunOptions => ({
    ...(kinds[candidate.kind].capabilities.cpuOnly === null && {
      device: device ?? candidate.device,
      precision: precision ?? candidate.precision,
    }),
    threads,
    signal,
  });
  const all = toDense(u, 'the rows of fitBest');
  const counted = options.weights === undefined ? null : resolveWeights(options.weights, all.rows);
  const rows = counted?.kept ? takeRows(all, counted.kept) : all;
  const weights = counted?.weights ?? null;
  const names = namesOf(u);
  const blocks = options.blocks ?? blocksOfLevels(rows.data, rows.rows, rows.columns, weights);
  const dense: DenseRows = { ...rows, blocks, ...(weights && { weights }) };
  const each = nativeWeights(dense) ?? undefined;
  expectInteger(folds, 'folds', { min: 2, max: dense.rows });
  const parts = partsOf(dense.rows, folds, seed);
  const candidates = given ?? (await defaultCandidates(dense, run));
  if (candidates.length === 0) throw new SklarError('ERR_SKLAR_VALUE', 'expected at least one candidate');
  const numbers = Array.from(parts.keys());
  const splits = Array.from({ length: folds }, (_, fold) => {
    const held = numbers.filter((i) => parts[i] === fold);
    const rest = numbers.filter((i) => parts[i] !== fold);
    const ofRest = weights ? takeWeights(weights, rest).each : undefined;
    return { held, ...cellsOf(dense, held), restRows: take(dense, rest), ofRest };
  });

  let fitsDone = 0;
  const scored: { candidate: FitCandidate; scores: Float64Array | null; error: string | null }[] = [];
  for (const candidate of candidates) {
    const scores = new Float64Array(dense.rows);
    let error: string | null = null;
    for (const { held, lower, upper, restRows, ofRest } of splits) {
      try {
        using copula = await fitCopula(restRows, {
          ...candidate,
          ...runOf(candidate),
          blocks,
          weights: ofRest,
        });
        const values = await copula.logPdfCells(lower, upper, { ...runOf(candidate), normalised: true });
        held.forEach((row, i) => (scores[row] = values[i]!));
      } catch (cause) {
        if (!(cause instanceof SklarError) || signal?.aborted) throw cause;
        error = cause.message;
      }
      tell(onProgress, { fits: candidates.length * folds + 1, fitsDone: ++fitsDone, candidate });
    }
    const bad = error === null && !scores.every(Number.isFinite) ? 'a held-out row has no density' : error;
    scored.push({ candidate, scores: bad === null ? scores : null, error: bad });
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
  const copula = await fitCopula(matrix(dense.data, dense.rows, dense.columns, names), {
    ...winner.candidate,
    ...runOf(winner.candidate),
    blocks,
    weights: each,
  });
  tell(onProgress, { fits: fitsDone + 1, fitsDone: fitsDone + 1, candidate: winner.candidate });
  return { copula, ranking };
}
