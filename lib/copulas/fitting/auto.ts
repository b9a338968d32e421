/** The kind of a copula, chosen by rows that candidates were not fitted to: docs/mathematics.md, N.7. */
import { type Seed } from '../../data/random';
import { type SplitMethod, splitMethods, splitRows } from '../../data/split';
import { type OptionNames, SklarError, expectNumber, expectOneOf } from '../../errors';
import { matrix } from '../../matrix';
import { type MeanOfRows, meanOf } from '../../mean';
import { tell } from '../../tell';
import { type Copula } from '../copula';
import { type DenseRows, type RowsInput, nativeWeights } from '../inputs/rows';
import { type Execution, beginRun } from '../inputs/run';
import { type SelectedCandidate } from '../selection';
import { type CheckpointOptions } from '../training/checkpoint';
import { type TrainProgress } from '../training/train';
import {
  type FitCandidate,
  type Part,
  classicalCandidates,
  expectCandidates,
  foldsOf,
  partOf,
  partsOf,
  runOfCandidate,
  scoresOf,
} from './candidates';
import { kinds } from './kinds';
import { FEWEST_ROWS, type FitCopulaOptions, fitKind, toTraining } from './prepare';

/** A candidate that is about to be fitted. */
export interface CandidateProgress {
  /** Its kind and its options. */
  readonly candidate: FitCandidate;
  /** How many there are. */
  readonly candidates: number;
  /** How many have been tried; all, where the chosen one is fitted in the end. */
  readonly candidatesDone: number;
}

/** What `kind: 'auto'` tries, and how long. */
export interface AutoOptions {
  /**
   * Kinds and their options, the simplest first: of those that cannot be told from the best, the first is chosen. Default: the classical
   * ones that `fitBest` tries (of more than two columns with recurring values or missing cells independence, gaussian and student), then,
   * of 100 rows or more, `cdc` and `flow`.
   */
  candidates?: readonly FitCandidate[] | undefined;
  /**
   * Minutes that trying may take; what is not reached is left out, and networks take fewer steps where all of theirs would take longer
   * than their share of what is left. The same seed then gives the same model only where the same steps were taken. Default: no bound.
   */
  minutes?: number | undefined;
  /** Share of the rows by which training stops, and by which candidates are judged where it has 200 rows or more. Default 0.1. */
  validation?: number | undefined;
  /** How these rows are chosen, see `splitRows`; folds are stretches of rows where it is not `random`. Default `random`. */
  split?: SplitMethod | undefined;
  /** Told of each candidate before it is tried; an exception thrown here ends the fit with it. */
  onCandidate?: ((progress: CandidateProgress) => void) | undefined;
}

/** Options of `fitCopula` with `kind: 'auto'`. `onProgress` is told of every training. */
export type FitAutoOptions = AutoOptions &
  Omit<FitCopulaOptions, 'from' | 'log' | 'onEvent' | 'onLogError' | keyof CheckpointOptions>;

/** Names of the options that only it has. */
export const autoOptions: OptionNames<AutoOptions> = {
  candidates: true,
  minutes: true,
  validation: true,
  split: true,
  onCandidate: true,
};

/** Fewer rows are judged by folds. */
const LEAST_JUDGED = 200;
/** More tell no more than their scores cost. */
const MOST_JUDGED = 2000;
const FOLDS = 5;
/** Networks learn nothing of fewer rows that a Gaussian copula does not. */
const LEAST_TRAINED = 100;
/** So many standard errors behind after some of the folds, the others would not tell otherwise. */
const HOPELESS = 3;
/** A network of fewer steps says nothing of its kind. */
const LEAST_STEPS = 200;

/**
 * Checks the options that only it has.
 *
 * @returns the candidates that were asked for
 * @throws SklarError ERR_SKLAR_VALUE naming the option
 */
export function expectAuto({ candidates, minutes, validation, split }: AutoOptions): FitCandidate[] | null {
  if (minutes !== undefined) expectNumber(minutes, 'minutes', { above: 0 });
  if (validation !== undefined) expectNumber(validation, 'validation', { above: 0, max: 0.5 });
  if (split !== undefined) expectOneOf(split, 'split', splitMethods);
  return candidates === undefined ? null : expectCandidates(candidates, 'auto');
}

/** Of many columns with blocks of levels the probabilities of one-parameter families take minutes, and few tables have one dependence for all pairs. */
async function classicalFor(u: DenseRows, run: Execution): Promise<FitCandidate[]> {
  const candidates = await classicalCandidates(u, run);
  const cells = u.blocks?.some((pairs) => pairs.length > 0) || u.data.some(Number.isNaN);
  return u.columns > 2 && cells
    ? candidates.filter(({ kind }) => kind === 'independence' || kind === 'gaussian' || kind === 'student')
    : candidates;
}

/** At most so many of them, evenly spread. */
function thinned(rows: Uint32Array, most: number): Uint32Array {
  if (rows.length <= most) return rows;
  return Uint32Array.from({ length: most }, (_, i) => rows[Math.floor((i * rows.length) / most)]!);
}

/** Parts of the rows by which candidates are judged in turns. */
function partsFor(u: DenseRows, validation: number, split: SplitMethod, seed: Seed) {
  const { train, holdout } = splitRows(u.rows, validation, seed, split);
  if (holdout.length >= LEAST_JUDGED) {
    return { by: 'validation' as const, parts: [partOf(u, thinned(holdout, MOST_JUDGED), train)] };
  }
  // of few rows so many are left that a copula can be fitted to them
  const folds = u.rows - Math.ceil(u.rows / FOLDS) < FEWEST_ROWS ? u.rows : FOLDS;
  const fold =
    split === 'random'
      ? partsOf(u.rows, folds, seed)
      : Uint32Array.from({ length: u.rows }, (_, i) => Math.floor((i * folds) / u.rows));
  return { by: 'folds' as const, parts: foldsOf(u, fold, folds) };
}

/** A candidate with what it scored. */
interface Trial {
  candidate: FitCandidate;
  outcome: SelectedCandidate['outcome'];
  /** Of each row its log density; NaN: not scored. */
  readonly scores: Float64Array;
  seconds: number;
  error: string | null;
  /** Where it was fitted to what the model is to be fitted to. */
  copula: Copula | null;
}

/** What a network that would take too long is stopped with. */
class TooLong extends Error {
  constructor(readonly steps: number) {
    super('the training would take too long');
  }
}

/** Fits a candidate, with fewer steps where all of them would take longer. */
export async function fitWithin(
  seconds: number,
  candidate: FitCandidate,
  signal: AbortSignal | undefined,
  fit: (own: FitCopulaOptions & { steps?: number }) => Promise<Copula>,
  onProgress: FitCopulaOptions['onProgress'],
): Promise<{ copula: Copula; candidate: FitCandidate }> {
  if (!isTrained(candidate)) return { copula: await fit({ signal }), candidate };
  const stop = new AbortController();
  const watch = (progress: TrainProgress) => {
    const { step, seconds: taken, secondsLeft } = progress;
    if (taken + secondsLeft > seconds) {
      stop.abort(new TooLong(Math.floor((seconds / taken - 1) * step)));
    } else onProgress?.(progress);
  };
  try {
    const either = signal ? AbortSignal.any([signal, stop.signal]) : stop.signal;
    return { copula: await fit({ signal: either, onProgress: watch }), candidate };
  } catch (cause) {
    if (!(cause instanceof TooLong) || cause.steps < LEAST_STEPS) throw cause;
    const { steps } = cause;
    return { copula: await fit({ signal, onProgress, steps }), candidate: { ...candidate, steps } };
  }
}

/**
 * As `fitCopula`, of the candidate that scores rows best which it was not fitted to.
 *
 * @throws SklarError as `fitCopula`; ERR_SKLAR_VALUE where every candidate fails
 */
export async function fitAuto(u: RowsInput, options: FitAutoOptions): Promise<Copula> {
  const asked = expectAuto(options);
  const own = ['from', 'log', 'onEvent', 'checkpoint'].find((name) => options[name as never] !== undefined);
  if (own !== undefined) {
    throw new SklarError('ERR_SKLAR_VALUE', `${own} belongs to one kind, and auto tries several`);
  }
  const { minutes, validation = 0.1, split = 'random', onCandidate, onProgress, ...common } = options;
  const { seed = 1, signal } = common;
  const started = performance.now();
  const dense = toTraining(u, common);
  const { blocks, names } = dense;
  const weights = nativeWeights(dense) ?? undefined;
  const run = beginRun(common, null);
  const candidates = asked ?? [
    ...(await classicalFor(dense, { ...run, device: 'cpu', precision: 'fp32' })),
    ...(dense.rows < LEAST_TRAINED ? [] : ([{ kind: 'cdc' }, { kind: 'flow' }] as const)),
  ];
  const { by, parts } = partsFor(dense, validation, split, seed);
  const errors = split === 'random' ? 'rows' : 'blocks';
  const order = Uint32Array.from(parts.flatMap(({ held }) => Array.from(held))).sort();

  /** The mean over the rows that have a value. */
  const summary = (value: (row: number) => number) => {
    const rows = order.filter((row) => !Number.isNaN(value(row)));
    const each = weights && rows.length > 0 ? Float64Array.from(rows, (row) => weights[row]!) : undefined;
    return { ...meanOf(Float64Array.from(rows, value), rows, errors, each), rows: rows.length };
  };
  const behind = (leader: Trial, { scores }: Trial) => summary((row) => leader.scores[row]! - scores[row]!);

  /** Fits a candidate to a part of the rows, or as the model is to be. */
  const fit = (candidate: FitCandidate, part: Part | null, own: FitCopulaOptions & { steps?: number }) =>
    fitKind(part?.rest ?? matrix(dense.data, dense.rows, dense.columns, names), {
      seed,
      ...candidate,
      // networks stop by the rows that candidates are judged by
      ...(isTrained(candidate) && { validation, split }),
      ...runOfCandidate(candidate, common),
      ...own,
      blocks,
      weights: part ? part.weights : weights,
      margins: common.margins,
    });

  /** Networks share what is left of the time; those that are judged by folds are fitted once more in the end. */
  const secondsFor = (first: number) => {
    if (minutes === undefined) return Infinity;
    const networks = Math.max(1, candidates.slice(first).filter(isTrained).length);
    const left = 60 * minutes - (performance.now() - started) / 1000;
    return left / networks / (by === 'folds' ? parts.length + 1 : 1);
  };

  const trials: Trial[] = [];
  let leader: Trial | null = null;
  for (const [candidatesDone, candidate] of candidates.entries()) {
    const begun = performance.now();
    const scores = new Float64Array(dense.rows).fill(NaN);
    const trial: Trial = { candidate, outcome: 'judged', scores, seconds: 0, error: null, copula: null };
    trials.push(trial);
    tell(onCandidate, { candidate, candidates: candidates.length, candidatesDone });
    const whole = by === 'validation' && isTrained(candidate);
    try {
      const seconds = secondsFor(candidatesDone);
      for (const part of parts) {
        if (seconds <= 0) throw new TooLong(0);
        const fitted = await fitWithin(
          seconds,
          trial.candidate,
          signal,
          (own) => fit(trial.candidate, whole ? null : part, own),
          onProgress,
        );
        trial.candidate = fitted.candidate;
        if (whole) trial.copula = fitted.copula;
        try {
          const values = await scoresOf(fitted.copula, part, runOfCandidate(candidate, common));
          for (let i = 0; i < values.length; i++) scores[part.held[i]!] = values[i]!;
        } finally {
          if (!whole) fitted.copula.dispose();
        }
        if (leader && part !== parts.at(-1) && isHopeless(behind(leader, trial))) {
          trial.outcome = 'dropped';
          break;
        }
      }
    } catch (cause) {
      if (signal?.aborted || !(cause instanceof SklarError || cause instanceof TooLong)) throw cause;
      trial.outcome = cause instanceof TooLong ? 'no time' : 'failed';
      trial.error = cause instanceof TooLong ? null : cause.message;
    }
    trial.seconds = (performance.now() - begun) / 1000;
    if (trial.outcome === 'judged' && (!leader || behind(leader, trial).mean < 0)) leader = trial;
  }
  if (!leader) throw nothingJudged(trials);

  const best = leader;
  const chosen = trials.find((trial) => {
    const { mean, standardError } = behind(best, trial);
    return trial === best || (trial.outcome === 'judged' && mean <= (standardError ?? 0));
  })!;
  chosen.outcome = 'chosen';
  if (!chosen.copula) {
    const { length } = candidates;
    tell(onCandidate, { candidate: chosen.candidate, candidates: length, candidatesDone: length });
  }
  const copula =
    chosen.copula ??
    (await fit(chosen.candidate, null, {
      signal,
      ...(isTrained(chosen.candidate) && { onProgress }),
    }));
  for (const trial of trials) if (trial !== chosen) trial.copula?.dispose();
  copula.selection = {
    by,
    rows: order.length,
    folds: parts.length,
    errors,
    seconds: (performance.now() - started) / 1000,
    candidates: trials.map((trial): SelectedCandidate => {
      const { rows, mean, standardError } = summary((row) => trial.scores[row]!);
      const difference = rows === 0 || trial.outcome === 'failed' ? null : behind(best, trial);
      return {
        candidate: optionsOfKind(trial.candidate),
        outcome: trial.outcome,
        rows,
        meanLogPdf: difference && mean,
        standardError: difference && standardError,
        behind: difference && { mean: difference.mean, standardError: difference.standardError },
        seconds: trial.seconds,
        error: trial.error,
      };
    }),
  };
  return copula;
}

const isTrained = ({ kind }: FitCandidate) => kinds[kind].trained;

const isHopeless = ({ mean, standardError }: MeanOfRows) => mean > HOPELESS * (standardError ?? Infinity);

/** A candidate without the options that any kind has. */
function optionsOfKind(candidate: FitCandidate): SelectedCandidate['candidate'] {
  const { shape } = kinds[candidate.kind].options;
  const own = Object.entries(candidate).filter(([name]) => Object.hasOwn(shape, name));
  return { ...Object.fromEntries(own), kind: candidate.kind };
}

function nothingJudged(trials: readonly Trial[]): SklarError {
  const failed = trials.find(({ outcome }) => outcome === 'failed');
  return new SklarError(
    'ERR_SKLAR_VALUE',
    failed
      ? `every candidate failed, ${failed.candidate.kind}: ${failed.error}`
      : 'expected more minutes: they were over before a candidate had been tried',
  );
}
