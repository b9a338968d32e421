/** Probabilities of events that are functions of a row, and rows given them (docs/mathematics.md, O). */
import { type OptionNames, SklarError, describe, expectInteger, expectNumber } from '../../errors';
import { Generator, resolveSeed, seedWords, shuffle } from '../../data/random';
import { type ParticleOptions, particleOptions } from '../fields/smc';
import { tell } from '../../tell';
import {
  type LevelsOf,
  type Populations,
  SubsetSimulation,
  type SubsetSettings,
  ceilingOf,
} from './subset-simulation';
import type { Walk } from './walk';

const PARTICLES = 20_000;
const ISLANDS = 10;
const MOVES = 10;
const DRAWS = 2 ** 18;
const LEAST = 1e-12;
/** Values of all particles of one call: bounds memory. */
const MOST_VALUES = 2 ** 26;
/** So many times the moves of a level come before rows are drawn. */
const FINAL_TURNS = 2;
/** Populations of fewer give estimates that are too large by more than their spread tells. */
const FEWEST_PARTICLES = 100;

/**
 * An event: a number that is at least 0 where a row is of it, the greater the nearer the row is to it (a limit state, such as
 * `row.a + row.b - 3`), or whether a row is of it.
 */
export type EventOf<Row> = (row: Row) => number | boolean;

/** How the probability of an event is estimated. */
export interface EventOptions extends ParticleOptions {
  /** Of all populations together, at every level; default 20,000. Of populations of few hundreds estimates are too large by more than the standard error says. */
  particles?: number;
  /** Independent populations, at least 4, whose spread is the standard error; default 10. */
  islands?: number;
  /** Moves of every particle at every level; default 10. */
  moves?: number;
  /** Of events that have no levels, such as those that say yes or no: rows that are drawn; default 262,144 (`particles`, if they are more). */
  draws?: number;
  /** Events of less probability are not searched for; default 1e-12. */
  least?: number;
}

export const eventOptions: OptionNames<EventOptions> = { ...particleOptions, draws: true, least: true };

/** The probability of an event. */
export interface EventProbability {
  /** 0 where no row of it was met; see `interval`. */
  readonly probability: number;
  /** `subset-simulation`: from the spread of the populations; `monte-carlo`: sqrt(p (1 - p) / n) at p = (hits + 1) / (n + 2), which is never 0. */
  readonly standardError: number;
  /**
   * 95 %: of `subset-simulation` by Student's distribution on the logarithmic scale, of `monte-carlo` Wilson's (1927). Of an event that was not
   * met, from 0.
   */
  readonly interval: readonly [lower: number, upper: number];
  /** How many independent draws have this standard error, p (1 - p) / standardError^2; the fewer, the more are the evaluations worth. */
  readonly effectiveSampleSize: number;
  /** `subset-simulation`: by intermediate levels; `monte-carlo`: the share of independent draws, of an event that is not rare or has no levels. */
  readonly method: 'subset-simulation' | 'monte-carlo';
  /** Intermediate levels, of the population that had most. */
  readonly levels: number;
  /** Share of the last moves that were accepted; null: there were none. */
  readonly acceptance: number | null;
  /** Rows that the event, or the density of a move to it, was evaluated at. */
  readonly evaluations: number;
}

/** Rows of an event, and how they were drawn. */
export interface EventSample extends EventProbability {
  /** `rejection`: independent rows; else states of chains, about as good as `effectiveRows` independent ones. */
  readonly drawn: 'rejection' | 'subset-simulation';
  /** Independent rows that would tell as much: all of `rejection`. */
  readonly effectiveRows: number;
}

/** An estimate, and what rows of the event can be drawn from. */
export interface EventEstimate {
  readonly event: EventProbability;
  /** Rows of the event, on the Gaussian scale. */
  readonly rows: (count: number) => Promise<Float64Array>;
}

/**
 * The probability of an event under a mixture of laws.
 *
 * @throws SklarError ERR_SKLAR_VALUE for options, and what the event throws
 */
export async function estimateEvent(
  walks: readonly Walk[],
  levelsOf: LevelsOf,
  options: EventOptions,
): Promise<EventEstimate> {
  const settings = settingsOf(options, walks[0]!.dim);
  const { onProgress } = options;
  const sims = walks.map((walk, k) => {
    const onLevel = (probability: number) => {
      const done = Math.min(1, Math.log(Math.max(probability, settings.least)) / Math.log(settings.least));
      tell(onProgress, { fraction: (k + done) / walks.length });
    };
    return new SubsetSimulation(walk, levelsOf, { ...settings, onLevel }, k);
  });
  const found: Populations[] = [];
  for (const sim of sims) found.push(await sim.run());
  tell(onProgress, { fraction: 1 });
  // of rows that keep rules a law has as much more as it keeps them more often
  const shares = found.map(({ walk, possible }) => walk.weight * possible);
  const total = shares.reduce((sum, share) => sum + share, 0);
  const weights = shares.map((share) => share / total);
  return {
    event: probabilityOf(found, weights, settings.least),
    rows: (count) => rowsOf(sims, found, weights, count, settings),
  };
}

function settingsOf(options: EventOptions, dim: number): Omit<SubsetSettings, 'onLevel'> {
  const islands = expectInteger(options.islands ?? ISLANDS, 'islands', { min: 4, max: 4096 });
  const most = Math.floor(MOST_VALUES / dim);
  const particles = expectInteger(
    options.particles ?? Math.max(FEWEST_PARTICLES * islands, Math.min(PARTICLES, most)),
    'particles',
    { min: FEWEST_PARTICLES * islands, max: most },
  );
  return {
    islands,
    particles: Math.ceil(particles / islands),
    moves: expectInteger(options.moves ?? MOVES, 'moves', { min: 1, max: 10_000 }),
    draws: expectInteger(options.draws ?? Math.min(DRAWS, most), 'draws', { min: 1, max: most }),
    least: expectNumber(options.least ?? LEAST, 'least', { above: 0, max: 1 }),
    seed: resolveSeed(options.seed ?? 1),
    signal: options.signal,
  };
}

function probabilityOf(
  found: readonly Populations[],
  weights: readonly number[],
  least: number,
): EventProbability {
  const all = found.flatMap(({ islands }) => islands);
  const acceptances = all.flatMap(({ acceptance }) => acceptance ?? []);
  const about = {
    levels: Math.max(...all.map(({ passed }) => passed)),
    acceptance: acceptances.length > 0 ? mean(acceptances) : null,
    evaluations: found.reduce((sum, { evaluations }) => sum + evaluations, 0),
  };
  if (found.every(({ plain }) => plain !== null)) {
    return {
      ...plainProbability(
        found.map(({ plain }) => plain!),
        weights,
      ),
      method: 'monte-carlo',
      ...about,
    };
  }
  const count = found[0]!.islands.length;
  const sums = (key: 'probability' | 'ceiling') =>
    Array.from({ length: count }, (_, i) =>
      found.reduce((sum, { islands }, k) => sum + weights[k]! * islands[i]![key], 0),
    );
  const each = sums('probability');
  const probability = mean(each);
  const spread = Math.sqrt(each.reduce((sum, p) => sum + (p - probability) ** 2, 0) / (count * (count - 1)));
  const ceiling = mean(sums('ceiling'));
  const standardError = Math.max(spread, probability === 0 ? ceiling : 0);
  const factor = Math.exp((studentQuantile(count - 1) * standardError) / probability);
  return {
    probability,
    standardError,
    interval:
      probability === 0
        ? [0, Math.max(ceiling, least)]
        : [probability / factor, Math.min(1, probability * factor + ceiling)],
    effectiveSampleSize: probability === 0 ? 0 : sizeOf(probability, standardError),
    method: 'subset-simulation',
    ...about,
  };
}

/** Of independent draws of each law. */
export function plainProbability(
  parts: readonly { readonly draws: number; readonly hits: number }[],
  weights: readonly number[],
): Pick<EventProbability, 'probability' | 'standardError' | 'interval' | 'effectiveSampleSize'> {
  const sum = (of: (part: { draws: number; hits: number }, weight: number) => number) =>
    parts.reduce((total, part, k) => total + of(part, weights[k]!), 0);
  const probability = sum(({ draws, hits }, weight) => (weight * hits) / draws);
  const variance = sum(({ draws, hits }, weight) => {
    const p = (hits + 1) / (draws + 2);
    return (weight ** 2 * p * (1 - p)) / draws;
  });
  const standardError = Math.sqrt(variance);
  // what a share of so many draws of one law is to be told from
  const p = sum(({ draws, hits }, weight) => (weight * (hits + 1)) / (draws + 2));
  const size = parts.length === 1 ? parts[0]!.draws : (p * (1 - p)) / variance;
  const middle = (probability + 1.96 ** 2 / (2 * size)) / (1 + 1.96 ** 2 / size);
  const half =
    (1.96 * Math.sqrt((probability * (1 - probability)) / size + (1.96 / (2 * size)) ** 2)) /
    (1 + 1.96 ** 2 / size);
  return {
    probability,
    standardError,
    interval: [
      probability === 0 ? 0 : Math.max(0, middle - half),
      probability === 1 ? 1 : probability === 0 ? ceilingOf(size) : Math.min(1, middle + half),
    ],
    effectiveSampleSize: size,
  };
}

async function rowsOf(
  sims: readonly SubsetSimulation[],
  found: readonly Populations[],
  weights: readonly number[],
  count: number,
  { seed, moves, signal }: Omit<SubsetSettings, 'onLevel'>,
): Promise<Float64Array> {
  const { dim } = found[0]!.walk;
  const generator = new Generator(...seedWords(seed), 0x6576656e);
  const entries = found.flatMap(({ islands }, k) =>
    islands.map((island) => ({ island, k, mass: weights[k]! * island.probability })),
  );
  const total = entries.reduce((sum, { mass }) => sum + mass, 0);
  if (total === 0) throw new Error('no row of the event was met');
  const rows = new Float64Array(count * dim);
  const order = Uint32Array.from({ length: count }, (_, i) => i);
  shuffle(order, 0, count, generator);
  // systematic resampling: each population as often as it counts, each of its states as often as any other but for one
  const offset = (generator.next() + 0.5) / 2 ** 32;
  const chosen: { states: Float64Array; k: number; step: number; at: number }[] = [];
  let [below, i] = [0, 0];
  for (const { island, k, mass } of entries) {
    const size = island.states.length / dim;
    const first = size === 0 ? 0 : generator.below(size);
    below += mass / total;
    for (let turn = 0; i < count && (i + offset) / count < below; turn++, i++) {
      const at = (first + turn) % size;
      chosen.push({ states: island.states, k, step: island.step, at });
    }
  }
  const last = chosen.at(-1)!;
  while (chosen.length < count) chosen.push(last);
  let done = 0;
  for (const [k, sim] of sims.entries()) {
    const own = chosen.filter((one) => one.k === k);
    if (own.length === 0) continue;
    signal?.throwIfAborted();
    const states = new Float64Array(own.length * dim);
    own.forEach((one, row) => states.set(one.states.subarray(one.at * dim, (one.at + 1) * dim), row * dim));
    const step = mean(own.map((one) => one.step));
    const drawn = await sim.rowsFrom(states, own.length, step, FINAL_TURNS * moves);
    for (let row = 0; row < own.length; row++, done++) {
      rows.set(drawn.subarray(row * dim, (row + 1) * dim), order[done]! * dim);
    }
  }
  return rows;
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

function sizeOf(p: number, standardError: number): number {
  return (p * (1 - p)) / standardError ** 2;
}

/** At .975 (Cornish and Fisher, 1960); within 1 % from 3 degrees of freedom on. */
export function studentQuantile(degrees: number): number {
  const z = 1.959964;
  return (
    z +
    (z ** 3 + z) / (4 * degrees) +
    (5 * z ** 5 + 16 * z ** 3 + 3 * z) / (96 * degrees ** 2) +
    (3 * z ** 7 + 19 * z ** 5 + 17 * z ** 3 - 15 * z) / (384 * degrees ** 3)
  );
}

/**
 * What an event says of a row, as a level.
 *
 * @param at describes the row, for messages
 * @throws SklarError ERR_SKLAR_VALUE for a function that throws or says neither a number nor yes or no
 */
export function levelOf<Row>(event: EventOf<Row>, row: Row, at: () => string): number {
  let said: unknown;
  try {
    said = event(row);
  } catch (error) {
    if (error instanceof SklarError) throw error;
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      `the event threw at the row ${at()}: ${error instanceof Error ? error.message : String(error)}`,
      { cause: error },
    );
  }
  if (said === true) return Infinity;
  if (said === false) return -Infinity;
  if (typeof said === 'number' && !Number.isNaN(said)) return said;
  throw new SklarError(
    'ERR_SKLAR_VALUE',
    `expected a number, true or false from the event, got ${describe(said)} at the row ${at()}`,
  );
}

/** @throws SklarError ERR_SKLAR_VALUE for anything but a function */
export function expectEvent<Row>(event: EventOf<Row>, what: string): EventOf<Row> {
  if (typeof event === 'function') return event;
  throw new SklarError('ERR_SKLAR_VALUE', `expected a function of a row for ${what}, got ${describe(event)}`);
}
