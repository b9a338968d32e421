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
import { EnsembleCopula, logMeanExp } from '../kinds/ensemble';
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
import { FEWEST_ROWS, type FitCopulaOptions, fitKind, fitOptions, toTraining } from './prepare';
import { stackedScores, stackingWeights } from './stacking';

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
   * of 100 rows or more, `cdc` and, without such cells, `flow`.
   */
  candidates?: readonly FitCandidate[] | undefined;
  /**
   * Minutes that trying may take; what is not reached is left out, and networks take fewer steps where all of theirs would take longer
   * than their share of what is left. The same seed then gives the same model only where the same steps were taken. Default: no bound.
   */
  minutes?: number | undefined;
  /**
   * Share of the rows by which training stops and networks are judged, and others, too, where it has 200 rows or more; fewer are a fold of those by which formulas
   * are judged. Default 0.1, of fewer than 2,000 rows 0.2.
   */
  validation?: number | undefined;
  /** How these rows are chosen, see `splitRows`; folds are stretches of rows where it is not `random`. Default `random`. */
  split?: SplitMethod | undefined;
  /**
   * Whether the model may be a mixture of candidates, with the weights that score the rows best: one of networks has a formula in it, so that no row is without a
   * density. Default true.
   */
  mixture?: boolean | undefined;
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
  mixture: 'boolean',
  onCandidate: true,
};

/** Fewer rows that are kept apart are judged by folds. */
const LEAST_JUDGED = 200;
/** Share of the rows that is kept apart, of few and of more rows. */
const VALIDATION = { few: 0.2, many: 0.1 };
/** More tell no more than their scores cost. */
const MOST_JUDGED = 2000;
/** Networks learn nothing of fewer rows that a Gaussian copula does not. */
const LEAST_TRAINED = 100;
/** From so many rows on, and beyond so many, networks are wider: docs/performance.md, Few rows. */
const FEW_ROWS = 2000;
const MANY_ROWS = 6000;
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

/** Whether rows have recurring values or missing cells, whose probabilities are integrals of the density. */
const hasCells = (u: DenseRows): boolean =>
  Boolean(u.blocks?.some((pairs) => pairs.length > 0)) || u.data.some(Number.isNaN);

/** Of many columns with blocks of levels the probabilities of one-parameter families take minutes, and few tables have one dependence for all pairs. */
async function classicalFor(u: DenseRows, run: Execution): Promise<FitCandidate[]> {
  const candidates = await classicalCandidates(u, run);
  return u.columns > 2 && hasCells(u)
    ? candidates.filter(({ kind }) => kind === 'independence' || kind === 'gaussian' || kind === 'student')
    : candidates;
}

/** The networks for so many rows: of few rows narrow ones learn as much in a fraction of the time. Of cells a flow takes minutes to draw and score. */
function networksFor(u: DenseRows): FitCandidate[] {
  const { rows } = u;
  if (rows < LEAST_TRAINED) return [];
  const cells = hasCells(u);
  if (rows > MANY_ROWS) return [{ kind: 'cdc' }, ...(cells ? [] : [{ kind: 'flow' as const }])];
  if (cells) return [{ kind: 'cdc', hidden: 128 }];
  const size = rows < FEW_ROWS ? { hidden: 64, members: 4 } : { hidden: 128, members: 2 };
  return [
    { kind: 'cdc', hidden: 64 },
    { kind: 'flow', ...size, batch: 512 },
  ];
}

/** At most so many of them, evenly spread. */
function thinned(rows: Uint32Array, most: number): Uint32Array {
  if (rows.length <= most) return rows;
  return Uint32Array.from({ length: most }, (_, i) => rows[Math.floor((i * rows.length) / most)]!);
}

/** Parts of the rows by which formulas are judged in turns; the first one are those by which networks stop and are judged. */
function partsFor(u: DenseRows, validation: number, split: SplitMethod, seed: Seed) {
  const { train, holdout } = splitRows(u.rows, validation, seed, split);
  if (holdout.length >= LEAST_JUDGED) {
    return { by: 'validation' as const, parts: [partOf(u, thinned(holdout, MOST_JUDGED), train)] };
  }
  const others = Math.round(1 / validation) - 1;
  // of few rows so many are left that a copula can be fitted to them
  if (u.rows - Math.ceil(u.rows / (others + 1)) < FEWEST_ROWS) {
    return { by: 'folds' as const, parts: foldsOf(u, partsOf(u.rows, u.rows, seed), u.rows) };
  }
  const fold = new Uint32Array(u.rows);
  const turns = split === 'random' ? partsOf(train.length, others, seed) : null;
  train.forEach((row, i) => (fold[row] = 1 + (turns ? turns[i]! : Math.floor((i * others) / train.length))));
  return { by: 'folds' as const, parts: foldsOf(u, fold, others + 1) };
}

/** Candidates that a mixture is looked for of: the best ones, and the best formula. */
const MOST_MEMBERS = 4;
/** What has less of the weight is left out, but the formula beside networks. */
const LEAST_WEIGHT = 0.03;

/** A mixture of candidates, with how it scores rows by weights that others decide. */
interface Mixture {
  readonly members: readonly Trial[];
  readonly weights: readonly number[];
  readonly scores: Float64Array;
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

/** Options of fits that belong to one training. */
const ofOneTraining = [
  ...['from', 'log', 'onEvent', 'onLogError', 'checkpoint', 'checkpointSeconds', 'keepCheckpoint'],
  ...['onCheckpointError', 'onResume'],
];

/** The kind where none is given: `auto`, but `cdc` where there are options that it does not have. */
export function defaultKind(options: object): 'auto' | 'cdc' {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  const isAutos = ([name]: [string, unknown]) =>
    (Object.hasOwn(autoOptions, name) || Object.hasOwn(fitOptions, name)) && !ofOneTraining.includes(name);
  return given.every(isAutos) ? 'auto' : 'cdc';
}

/**
 * As `fitCopula`, of the candidate that scores rows best which it was not fitted to.
 *
 * @throws SklarError as `fitCopula`; ERR_SKLAR_VALUE where every candidate fails
 */
export async function fitAuto(u: RowsInput, options: FitAutoOptions): Promise<Copula> {
  const asked = expectAuto(options);
  const own = ofOneTraining.find((name) => options[name as never] !== undefined);
  if (own !== undefined) {
    throw new SklarError('ERR_SKLAR_VALUE', `${own} belongs to one kind, and auto tries several`);
  }
  const { minutes, split = 'random', mixture = true, onCandidate, onProgress, ...common } = options;
  const { seed = 1, signal } = common;
  const started = performance.now();
  const dense = toTraining(u, common);
  const isSmall = VALIDATION.many * dense.rows < LEAST_JUDGED;
  const validation = options.validation ?? (isSmall ? VALIDATION.few : VALIDATION.many);
  const { blocks, names } = dense;
  const weights = nativeWeights(dense) ?? undefined;
  const run = beginRun(common, null);
  const candidates = asked ?? [
    ...(await classicalFor(dense, { ...run, device: 'cpu', precision: 'fp32' })),
    ...networksFor(dense),
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
  type Scored = Pick<Trial, 'scores'>;
  const behind = (leader: Scored, { scores }: Scored) => summary((row) => leader.scores[row]! - scores[row]!);

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

  /** Networks share what is left of the time. */
  const secondsFor = (first: number) => {
    if (minutes === undefined) return Infinity;
    const networks = Math.max(1, candidates.slice(first).filter(isTrained).length);
    const left = 60 * minutes - (performance.now() - started) / 1000;
    return left / networks;
  };

  const trials: Trial[] = [];
  let leader: Trial | null = null;
  for (const [candidatesDone, candidate] of candidates.entries()) {
    const begun = performance.now();
    const scores = new Float64Array(dense.rows).fill(NaN);
    const trial: Trial = { candidate, outcome: 'judged', scores, seconds: 0, error: null, copula: null };
    trials.push(trial);
    tell(onCandidate, { candidate, candidates: candidates.length, candidatesDone });
    const whole = isTrained(candidate);
    try {
      const seconds = secondsFor(candidatesDone);
      for (const part of whole ? parts.slice(0, 1) : parts) {
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

  const single = leader;
  const mixed = mixture ? mixtureOf(trials, order, weights) : null;
  const best: Scored = mixed && behind(single, mixed).mean < 0 ? mixed : single;
  const isTied = (trial: Scored) => {
    const { mean, standardError } = behind(best, trial);
    return mean <= (standardError ?? 0);
  };
  const simplest = trials.find((trial) => trial.outcome === 'judged' && (trial === best || isTied(trial)));
  // of a network alone a row can be lost without a bound
  const chosen = mixed && (!simplest || isTrained(simplest.candidate)) ? mixed : simplest!;
  const members = chosen === mixed ? mixed.members : [chosen as Trial];
  const { length } = candidates;
  const copulas: Copula[] = [];
  for (const { candidate, copula } of members) {
    if (!copula) tell(onCandidate, { candidate, candidates: length, candidatesDone: length });
    copulas.push(
      copula ?? (await fit(candidate, null, { signal, ...(isTrained(candidate) && { onProgress }) })),
    );
  }
  for (const { copula } of trials) if (copula && !copulas.includes(copula)) copula.dispose();
  const copula = chosen === mixed ? new EnsembleCopula(copulas, mixed.weights) : copulas[0]!;
  copula.names = copulas[0]!.names;
  copula.margins = copulas[0]!.margins;
  const rowOf = (
    { scores }: Scored,
    {
      candidate,
      outcome,
      seconds,
      error,
    }: Pick<SelectedCandidate, 'candidate' | 'outcome' | 'seconds' | 'error'>,
  ): SelectedCandidate => {
    const { rows, mean, standardError } = summary((row) => scores[row]!);
    const difference = rows === 0 || outcome === 'failed' ? null : behind(best, { scores });
    return {
      candidate,
      outcome,
      rows,
      meanLogPdf: difference && mean,
      standardError: difference && standardError,
      behind: difference && { mean: difference.mean, standardError: difference.standardError },
      seconds,
      error,
    };
  };
  const outcomeOf = (one: Trial | Mixture, outcome: SelectedCandidate['outcome']) =>
    one === chosen ? 'chosen' : outcome;
  copula.selection = {
    by,
    rows: order.length,
    folds: parts.length,
    errors,
    seconds: (performance.now() - started) / 1000,
    candidates: [
      ...trials.map((trial) =>
        rowOf(trial, {
          ...trial,
          candidate: optionsOfKind(trial.candidate),
          outcome: outcomeOf(trial, trial.outcome),
        }),
      ),
      ...(mixed
        ? [
            rowOf(mixed, {
              candidate: {
                kind: 'ensemble',
                members: mixed.members.map(({ candidate }) => candidate.kind),
                weights: mixed.weights.map((weight) => Number(weight.toPrecision(2))),
              },
              outcome: outcomeOf(mixed, 'judged'),
              seconds: 0,
              error: null,
            }),
          ]
        : []),
    ],
  };
  return copula;
}

/** The mixture of judged candidates that scores the rows best; null: of one alone, or of formulas. */
function mixtureOf(
  trials: readonly Trial[],
  order: Uint32Array,
  weights: Float64Array | undefined,
): Mixture | null {
  const tried = trials.filter(({ outcome }) => outcome === 'judged');
  const common = order.filter((row) => tried.every(({ scores }) => !Number.isNaN(scores[row])));
  const scoresOfAll = (members: readonly Trial[]) =>
    members.map(({ scores }) => Float64Array.from(common, (row) => scores[row]!));
  const counts = weights && Float64Array.from(common, (row) => weights[row]!);
  const total = (scores: ArrayLike<number>) =>
    Array.from(scores).reduce((sum, score, i) => sum + score * (counts?.[i] ?? 1), 0);
  const byScore = (scoreOf: (trial: Trial) => number) => (a: Trial, b: Trial) => scoreOf(b) - scoreOf(a);
  const totalOf = (trial: Trial) => total(scoresOfAll([trial])[0]!);
  const formula = tried.filter(({ candidate }) => !isTrained(candidate)).sort(byScore(totalOf))[0];
  // one row that a network loses is no reason to leave it out of a mixture that does not
  const insured = (trial: Trial) =>
    formula ? total(logMeanExp(scoresOfAll([trial, formula]), [1, LEAST_WEIGHT])) : totalOf(trial);
  const judged = tried.toSorted(byScore(insured));
  if (!judged.some(({ candidate }) => isTrained(candidate))) return null;
  const pool = judged.filter((trial, k) => k < MOST_MEMBERS || trial === formula);
  const first = stackingWeights(scoresOfAll(pool), counts);
  const members = pool.filter((trial, k) => first[k]! >= LEAST_WEIGHT || trial === formula);
  if (members.length < 2) return null;
  const scores = scoresOfAll(members);
  const stacked = stackedScores(scores, counts);
  const all = new Float64Array(trials[0]!.scores.length).fill(NaN);
  common.forEach((row, i) => (all[row] = stacked[i]!));
  return { members, weights: stackingWeights(scores, counts), scores: all };
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
