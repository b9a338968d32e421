/** Candidates for a copula, and how they score rows that they were not fitted to: docs/mathematics.md, N.7. */
import { type LevelBlocks, blockOf } from '../../data/level-blocks';
import { Generator, type Seed, seedWords, shuffle } from '../../data/random';
import { takeWeights } from '../../data/weights';
import { SklarError, expectList, expectOneOf } from '../../errors';
import { type Matrix, matrix, pickRows } from '../../matrix';
import { centred, kendallOf } from '../classical/observations';
import { type ClassicalOptions } from '../classical/fit';
import { type KernelOptions } from '../classical/kernel';
import { type Copula } from '../copula';
import { type CdcOptions, type FlowOptions, type ReflectionOptions } from '../inputs/options';
import { type DenseRows } from '../inputs/rows';
import { type Execution, type RunOptions } from '../inputs/run';
import { type CopulaKind, copulaKinds, kinds } from './kinds';
import { type FitCopulaOptions, expectFitOptions } from './prepare';

/** What `fitCopula` takes: a kind and its options. */
export type FitCandidate = { kind: CopulaKind } & FitCopulaOptions &
  (ClassicalOptions | KernelOptions | CdcOptions | FlowOptions | ReflectionOptions);

/** @param what they are of, for messages */
export function expectCandidates(given: readonly FitCandidate[], what: string): FitCandidate[] {
  const candidates = Array.from(expectList(given, 'candidates'), (candidate) => {
    const own = expectFitOptions(candidate, `a candidate of ${what}`);
    return { ...own, kind: expectOneOf(own.kind, 'kind', copulaKinds) };
  });
  if (candidates.length > 0) return candidates;
  throw new SklarError('ERR_SKLAR_VALUE', 'expected at least one candidate');
}

/** The classical copulas that may suit the number of columns, the simplest first. */
export async function classicalCandidates(u: DenseRows, run: Execution): Promise<FitCandidate[]> {
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

/** The run of a candidate: on the CPU where its kind knows no other device. */
export function runOfCandidate(
  candidate: FitCandidate,
  { device, precision, threads, signal }: RunOptions,
): RunOptions {
  return {
    ...(kinds[candidate.kind].capabilities.cpuOnly === null && {
      device: device ?? candidate.device,
      precision: precision ?? candidate.precision,
    }),
    threads,
    signal,
  };
}

/** Rows that candidates are judged by, and those that they are fitted to for it. */
export interface Part {
  /** Numbers of the rows that are scored. */
  readonly held: ArrayLike<number>;
  /** Of these rows: the ends of the blocks of recurring values and of what is missing, else twice the level. */
  readonly lower: Matrix;
  readonly upper: Matrix;
  /** The others, and their weights. */
  readonly rest: Matrix;
  readonly weights: Float64Array | undefined;
}

/** @param rest numbers of the rows that candidates are fitted to */
export function partOf(u: DenseRows, held: ArrayLike<number>, rest: ArrayLike<number>): Part {
  const levels = pickRows(u.data, held, u.columns);
  const [lower, upper] = [0, 1].map((end) =>
    matrix(
      levels.map((level, at) => endOf(u.blocks?.[at % u.columns], level, end)),
      held.length,
      u.columns,
    ),
  );
  return {
    held,
    lower: lower!,
    upper: upper!,
    rest: matrix(pickRows(u.data, rest, u.columns), rest.length, u.columns),
    weights: u.weights && takeWeights(u.weights, rest).each,
  };
}

/** Of each row the part it belongs to, parts of equal size. */
export function partsOf(rows: number, folds: number, seed: Seed): Uint32Array {
  const order = Uint32Array.from({ length: rows }, (_, i) => i);
  shuffle(order, 0, rows, new Generator(...seedWords(seed)));
  const parts = new Uint32Array(rows);
  order.forEach((row, i) => (parts[row] = i % folds));
  return parts;
}

/** Parts of the rows, scored in turns; `part`: of each row the one it belongs to. */
export function foldsOf(u: DenseRows, part: Uint32Array, folds: number): Part[] {
  const numbers = Array.from(part.keys());
  return Array.from({ length: folds }, (_, k) =>
    partOf(
      u,
      numbers.filter((i) => part[i] === k),
      numbers.filter((i) => part[i] !== k),
    ),
  );
}

function endOf(pairs: LevelBlocks[number] | undefined, level: number, end: number): number {
  if (Number.isNaN(level)) return end;
  const k = pairs ? blockOf(pairs, level) : -1;
  return k < 0 ? level : pairs![2 * k + end]!;
}

/**
 * Normalised log densities of the held rows.
 *
 * @throws SklarError where the copula has none, or not of every row
 */
export async function scoresOf(copula: Copula, { lower, upper }: Part, run: RunOptions) {
  const scores = await copula.logPdfCells(lower, upper, { ...run, normalised: true });
  if (scores.every(Number.isFinite)) return scores;
  throw new SklarError('ERR_SKLAR_VALUE', 'a held-out row has no density');
}
