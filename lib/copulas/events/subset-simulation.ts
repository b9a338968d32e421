/** Probabilities of rare events by subset simulation (docs/mathematics.md, O). */
import { Generator, hashWords, seedWords } from '../../data/random';
import { countBelow } from '../../data/column-jobs';
import { SklarError } from '../../errors';
import type { Walk } from './walk';

/** Particles of a level that go on to the next. */
const KEPT = 0.1;
/** Acceptance that the moves are adapted to (Papaioannou et al., 2015). */
const TARGET_ACCEPTANCE = 0.44;
const FIRST_STEP = 0.6;
const LEAST_STEP = 1e-4;
/** Values of all states that are handled at once: bounds memory. */
const BATCH_VALUES = 2 ** 22;
/** Draws of a row that breaks a rule, on average over all. */
const MOST_TURNS = 1000;

/** The level of rows of the Gaussian scale: at least 0 in the event; NaN: they are no rows, and the law is that of all others. */
export type LevelsOf = (z: Float64Array, rows: number) => Promise<Float64Array>;

export interface SubsetSettings {
  /** Of a population. */
  readonly particles: number;
  readonly islands: number;
  readonly moves: number;
  /** Draws where levels are none, so that particles help nothing. */
  readonly draws: number;
  readonly seed: bigint;
  /** Populations whose probability falls below it are given up. */
  readonly least: number;
  readonly signal: AbortSignal | undefined;
  /** Told the probability so far. */
  readonly onLevel: (probability: number) => void;
}

/** An independent population, and what it found. */
interface Island {
  states: Float64Array;
  /** Log densities beside the normal law of the moves, of walks that have them, from the first move on. */
  weights: Float64Array | null;
  levels: Float64Array;
  /** Of the levels that have been passed; at the end of the event. */
  probability: number;
  /** Above which no share of a level that none of its particles passed is (95 %); 0 where the event was met. */
  ceiling: number;
  step: number;
  /** Intermediate levels. */
  passed: number;
  acceptance: number | null;
}

/** What populations of one law found. */
export interface Populations {
  readonly walk: Walk;
  /** The share of its rows that are rows of the law. */
  readonly possible: number;
  readonly islands: readonly Island[];
  /** Rows whose levels were asked for, or that were proposed. */
  readonly evaluations: number;
  /** Where there was no level between: draws, and how many of them have the event. */
  readonly plain: { readonly draws: number; readonly hits: number } | null;
}

/** The upper end of a 95 % interval (Wilson, 1927) of a share of none. */
export const ceilingOf = (draws: number) => 1.96 ** 2 / (draws + 1.96 ** 2);

/** The populations of one walk, all moved at once, each by levels of its own. */
export class SubsetSimulation {
  readonly #walk: Walk;
  readonly #levelsOf: LevelsOf;
  readonly #settings: SubsetSettings;
  readonly #key: readonly number[];
  #evaluations = 0;
  /** Normal rows that have been drawn. */
  #noise = 0;
  #turns = 0;

  /** @param salt keeps walks of one seed apart */
  constructor(walk: Walk, levelsOf: LevelsOf, settings: SubsetSettings, salt: number) {
    this.#walk = walk;
    this.#levelsOf = levelsOf;
    this.#settings = settings;
    this.#key = [...seedWords(settings.seed), salt];
  }

  async run(): Promise<Populations> {
    const { particles, islands: count, least, draws } = this.#settings;
    const walk = this.#walk;
    const { dim } = walk;
    let { states, levels } = await this.#draw(particles * count, 0);
    if (levels.every((level) => level >= 0 || level === -Infinity) && levels.length < draws) {
      const more = await this.#draw(draws - levels.length, levels.length);
      states = joined(states, more.states);
      levels = joined(levels, more.levels);
    }
    // more draws than particles: those of the event, one population after another
    const size = Math.floor(levels.length / count);
    const islands = Array.from({ length: count }, (_, k): Island => {
      const end = k === count - 1 ? levels.length : (k + 1) * size;
      return {
        states: states.slice(k * size * dim, end * dim),
        weights: null,
        levels: levels.slice(k * size, end),
        probability: 1,
        ceiling: 0,
        step: FIRST_STEP,
        passed: 0,
        acceptance: null,
      };
    });
    const drawn = levels.length;
    const possible = drawn / this.#evaluations;
    const hits = levels.reduce((sum, level) => sum + Number(level >= 0), 0);
    for (let active = islands; ;) {
      active = active.filter((island) => this.#pass(island, least));
      this.#settings.onLevel(Math.max(...islands.map(({ probability }) => probability)));
      if (active.length === 0) break;
      const floors = active.map(({ levels: of }) =>
        of.reduce((least, level) => Math.min(least, level), Infinity),
      );
      await this.#move(active, floors, this.#settings.moves);
    }
    const isPlain = islands.every(({ passed }) => passed === 0);
    return {
      walk,
      possible,
      islands,
      evaluations: this.#evaluations,
      plain: isPlain ? { draws: drawn, hits } : null,
    };
  }

  /** Rows of the event: states of one law, and where each comes from; moved so often. */
  async rowsFrom(states: Float64Array, rows: number, step: number, moves: number): Promise<Float64Array> {
    const levels = new Float64Array(rows);
    const island = {
      states,
      weights: null,
      levels,
      probability: 1,
      ceiling: 0,
      step,
      passed: 0,
      acceptance: null,
    };
    await this.#move([island], [0], moves);
    return this.#mapped(island.states, rows);
  }

  /** States of the law. */
  async #draw(rows: number, first: number): Promise<Pick<Island, 'states' | 'levels'>> {
    const { dim } = this.#walk;
    const states = new Float64Array(rows * dim);
    const levels = new Float64Array(rows);
    let done = 0;
    for (let from = 0, left = rows; done < rows;) {
      const count = Math.min(left, Math.max(1, Math.floor(BATCH_VALUES / dim)));
      const drawn = await this.#walk.start(count, this.#seed(1), first + this.#turns + from);
      const own = await this.#levelsOf(await this.#mapped(drawn, count), count);
      this.#settings.signal?.throwIfAborted();
      this.#evaluations += count;
      from += count;
      for (let i = 0; i < count && done < rows; i++) {
        if (Number.isNaN(own[i])) continue;
        states.set(drawn.subarray(i * dim, (i + 1) * dim), done * dim);
        levels[done++] = own[i]!;
      }
      if (from > MOST_TURNS * rows) {
        throw new SklarError(
          'ERR_SKLAR_VALUE',
          `expected rows that keep the rules of the data, got ${done} of ${from} draws: the model has not learned them`,
        );
      }
      left = rows - done;
      this.#turns += Math.max(0, from - rows);
    }
    return { states, levels };
  }

  /**
   * Takes a population to its next level, the best part of it in as many copies as it takes.
   *
   * @returns whether there is one; else the event or the end is reached, and what is left are states of it
   */
  #pass(island: Island, least: number): boolean {
    const { levels } = island;
    const n = levels.length;
    const sorted = levels.slice().sort();
    const hits = n - countBelow(sorted, 0);
    let level = sorted[n - Math.ceil(KEPT * n)]!;
    // where many have the lowest level, those above it
    if (level === sorted[0]) level = sorted.find((other) => other > sorted[0]!) ?? level;
    const kept = n - countBelow(sorted, level);
    if (level >= 0 || kept === n || (island.probability * kept) / n < least) {
      if (hits === 0) island.ceiling = island.probability * ceilingOf(n);
      island.probability *= hits / n;
      this.#keep(island, 0, hits);
      return false;
    }
    island.probability *= kept / n;
    island.passed++;
    this.#keep(island, level, this.#settings.particles);
    return true;
  }

  /** The particles from a level on, in so many copies altogether, each as often as any other but for one. */
  #keep(island: Island, level: number, count: number): void {
    const { dim } = this.#walk;
    const chosen = Array.from(island.levels.keys()).filter((i) => island.levels[i]! >= level);
    const offset = chosen.length === 0 ? 0 : this.#generator(2).below(chosen.length);
    const source = Array.from({ length: count }, (_, k) => chosen[(k + offset) % chosen.length]!);
    const states = new Float64Array(count * dim);
    source.forEach((i, k) => states.set(island.states.subarray(i * dim, (i + 1) * dim), k * dim));
    const of = (values: Float64Array) => Float64Array.from(source, (i) => values[i]!);
    island.states = states;
    island.levels = of(island.levels);
    island.weights = island.weights && of(island.weights);
  }

  /** Moves of all particles that keep each population at its level, or above it. */
  async #move(islands: readonly Island[], floors: readonly number[], moves: number): Promise<void> {
    const { dim } = this.#walk;
    for (let move = 0; move < moves; move++) {
      for (const group of groupsOf(islands, BATCH_VALUES / dim)) {
        this.#settings.signal?.throwIfAborted();
        await this.#moveOnce(group, floors.slice(islands.indexOf(group[0]!)));
      }
    }
  }

  async #moveOnce(islands: readonly Island[], floors: readonly number[]): Promise<void> {
    const { dim } = this.#walk;
    const rows = islands.reduce((sum, { levels }) => sum + levels.length, 0);
    // pCN: reversible for the normal law
    const proposed = await this.#walk.noise(rows, this.#seed(3), this.#noise);
    this.#noise += rows;
    this.#evaluations += rows;
    let at = 0;
    for (const { states, step } of islands) {
      const keep = Math.sqrt(1 - step ** 2);
      for (let k = 0; k < states.length; k++, at++) proposed[at] = keep * states[k]! + step * proposed[at]!;
    }
    const weights = await this.#weightsOf(proposed, rows);
    for (const island of islands)
      island.weights ??= await this.#weightsOf(island.states, island.levels.length);
    const generator = this.#generator(4);
    const all = islands.flatMap((island, k) =>
      Array.from(island.levels.keys(), (i) => ({ island, i, floor: floors[k]! })),
    );
    const possible = all.flatMap(({ island, i }, row) =>
      !weights || Math.log((generator.next() + 0.5) / 2 ** 32) < weights[row]! - island.weights![i]!
        ? [row]
        : [],
    );
    const states =
      possible.length === rows
        ? proposed
        : Float64Array.from({ length: possible.length * dim }, (_, k) => {
            const row = Math.floor(k / dim);
            return proposed[possible[row]! * dim + (k - row * dim)]!;
          });
    const levels = await this.#levelsOf(await this.#mapped(states, possible.length), possible.length);
    const accepted = new Map(islands.map((island) => [island, 0]));
    possible.forEach((row, k) => {
      const { island, i, floor } = all[row]!;
      if (!(levels[k]! >= floor)) return;
      accepted.set(island, accepted.get(island)! + 1);
      island.levels[i] = levels[k]!;
      if (weights) island.weights![i] = weights[row]!;
      island.states.set(states.subarray(k * dim, (k + 1) * dim), i * dim);
    });
    for (const [island, count] of accepted) {
      island.acceptance = count / island.levels.length;
      const step = island.step * Math.exp(island.acceptance - TARGET_ACCEPTANCE);
      island.step = Math.max(LEAST_STEP, Math.min(1, step));
    }
  }

  /** Rows of the Gaussian scale. */
  async #mapped(states: Float64Array, rows: number): Promise<Float64Array> {
    return rows === 0 ? states : this.#walk.rowsOf(states, rows);
  }

  async #weightsOf(states: Float64Array, rows: number): Promise<Float64Array | null> {
    return this.#walk.logWeight && this.#walk.logWeight(states, rows);
  }

  #draws = 0;
  #generator(stream: number): Generator {
    return new Generator(...this.#key, stream, this.#draws++);
  }
  #seed(stream: number): bigint {
    const key = [...this.#key, stream];
    return (BigInt(hashWords(...key, 1)) << 32n) | BigInt(hashWords(...key, 0));
  }
}

function joined(first: Float64Array, second: Float64Array): Float64Array {
  const both = new Float64Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}

/** Populations in their order, of so many particles at once. */
function groupsOf(islands: readonly Island[], most: number): Island[][] {
  const groups: Island[][] = [];
  let room = 0;
  for (const island of islands) {
    const { length } = island.levels;
    if (room < length) {
      groups.push([]);
      room = most;
    }
    groups.at(-1)!.push(island);
    room -= length;
  }
  return groups;
}
