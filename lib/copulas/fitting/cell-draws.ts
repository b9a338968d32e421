/** Rows of a copula given cells: a level in some columns, a block of levels in others, nothing in the rest. */
import { scoresOf } from '../cells';
import { ClassicalCopula } from '../classical/classical';
import { GaussianCopula } from '../classical/gaussian';
import type { Copula } from '../copula';
import { normalScoresCorrelation, positiveDefinite, subMatrix } from '../correlation/correlation';
import { type Execution } from '../inputs/run';
import { Generator, type Seed, hashWords, seedWords } from '../../data/random';
import { SklarError } from '../../errors';
import { matrix } from '../../matrix';
import { callNative, runJob } from '../../native';
import { normalCdf, normalQuantile } from '../../normal';
import { tell } from '../../tell';

/** Cells of rows on the Gaussian scale, rows x dim each: where lower equals upper a level, from -Infinity to Infinity nothing. */
export interface GivenCells {
  readonly lower: Float64Array;
  readonly upper: Float64Array;
  readonly rows: number;
}

/** How rows are drawn given cells. */
export interface CellDrawOptions {
  /** Of each row. */
  readonly draws: number;
  /** Of each row. */
  readonly particles: number;
  readonly seed: Seed;
  /** What tells the rows apart, beside their cells, whatever others there are. */
  readonly numbers: readonly number[];
  /** Told how many rows are done. */
  readonly onRows?: ((done: number) => void) | undefined;
  /** Options of `logPdf`, of the densities that particles are weighted by. */
  readonly density?: object;
  /** Rows for which `allowed` is to be asked. */
  readonly constrained: (row: number) => boolean;
  /** Which of the rows `z`, dim columns, each drawn for the row of that number, may be; undefined: all. */
  readonly allowed?: (z: Float64Array, rows: Uint32Array) => Promise<Uint8Array>;
}

/** Rows drawn given cells. */
export interface CellDraws {
  /** One matrix (rows x dim, Gaussian scale) for each draw. */
  readonly draws: readonly Float64Array[];
  /** Rows, by number, that no particle was allowed to be. */
  readonly failed: readonly number[];
  /** Of each row the least effective number of its particles in any step; Infinity of independent draws. */
  readonly effective: Float64Array;
}

/** Rows of the copula that the Gaussian one nearest to it is learned from. */
const PILOT_ROWS = 4096;
/** Particles handled at once. */
const MOST_PARTICLES = 65_536;
/** Fewer effective particles than this share: the density is taken on in smaller steps. */
const LEAST_SHARE = 0.25;
const MOST_STEPS = 20;
/** Moves after every step but the last, and the acceptance that their size is adapted to. */
const MOVES = 3;
const TARGET_ACCEPTANCE = 0.3;
/** Populations of a row at most, where none of the particles is allowed. */
const MOST_TURNS = 8;

const DRAWS = 0x696d7075;

/** The order of the columns in which rows of a pattern are drawn. */
interface Pattern {
  readonly points: readonly number[];
  /** Those with blocks, then those with nothing. */
  readonly open: readonly number[];
  readonly blocks: number;
  /** L of R = L L^T in the order points, open. */
  readonly factor: Float64Array;
}

/**
 * Draws rows given their cells, each row by a population of particles: first from the Gaussian copula nearest to the model, given
 * the cells, then taken on to the model's density in steps that leave enough effective particles, mostly one, between which they are resampled and
 * moved (annealed sequential Monte Carlo; docs/mathematics.md, F.7). Exact as particles grow. Gaussian copulas, and
 * classical ones in rows without blocks, are drawn from independently.
 *
 * Draws of a row depend on its cells, its number and the seed, not on other rows.
 *
 * @throws SklarError ERR_SKLAR_VALUE for a copula without a density
 */
export async function drawGivenCells(
  copula: Copula,
  given: GivenCells,
  options: CellDrawOptions,
  run: Execution,
): Promise<CellDraws> {
  if (!copula.capabilities.logPdf.some((method) => method !== 'bound')) {
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      `expected a copula with a density to draw missing cells, got a ${copula.kind} one without`,
    );
  }
  const { dim } = copula;
  const { rows } = given;
  const draws = Array.from({ length: options.draws }, () => new Float64Array(rows * dim));
  const effective = new Float64Array(rows).fill(Infinity);
  const put = (row: number, draw: number, z: Float64Array) => draws[draw]!.set(z, row * dim);
  let done = 0;
  const finished = (count: number) => tell(options.onRows, (done += count));

  const simple = new Map<string, number[]>();
  const weighted = new Map<string, number[]>();
  const single: number[] = [];
  for (let row = 0; row < rows; row++) {
    const shape = shapeOf(given, row, dim);
    const isSimple = !shape.includes('b') && !options.constrained(row);
    // any copula draws given nothing, classical ones given levels, Gaussian ones many rows at once
    if (isSimple && !shape.includes('p')) single.push(row);
    else if (isSimple && copula instanceof GaussianCopula) add(simple, shape, row);
    else if (isSimple && copula instanceof ClassicalCopula) single.push(row);
    else add(weighted, shape, row);
  }
  for (const row of single) {
    const drawn = await drawRow(copula, given, row, options, run);
    for (let draw = 0; draw < options.draws; draw++) {
      put(row, draw, drawn.subarray(draw * dim, (draw + 1) * dim));
    }
    finished(1);
  }
  if (simple.size + weighted.size === 0) return { draws, failed: [], effective };

  const correlation = await nearestCorrelation(copula, run);
  const factor = callNative((addon) => addon.cholesky(correlation, dim));
  const around = { copula, factor, given, options, run };
  for (const part of inParts(simple, options.draws)) {
    const populations = new Populations(part, options.draws, 0, around);
    await populations.start();
    part.forEach(({ row }, k) => populations.all(k).forEach((z, draw) => put(row, draw, z)));
    finished(part.length);
  }
  let waiting = inParts(weighted, options.particles);
  for (let turn = 0; waiting.length > 0 && turn < MOST_TURNS; turn++) {
    const again: OpenRow[][] = [];
    for (const part of waiting) {
      const populations = new Populations(part, options.particles, turn, around);
      await populations.start();
      await populations.anneal();
      const left = part.filter(({ row }, k) => {
        const chosen = populations.choose(k);
        effective[row] = populations.effective[k]!;
        chosen?.forEach((z, draw) => put(row, draw, z));
        return chosen === null;
      });
      if (left.length > 0) again.push(left);
      if (turn === 0) finished(part.length);
    }
    waiting = again;
  }
  return { draws, failed: waiting.flat().map(({ row }) => row), effective };

  function add(to: Map<string, number[]>, shape: string, row: number): void {
    const group = to.get(shape);
    if (group) group.push(row);
    else to.set(shape, [row]);
  }
  /** Rows of one pattern beside each other, as many together as have so many particles each. */
  function inParts(groups: ReadonlyMap<string, readonly number[]>, count: number): OpenRow[][] {
    const all = [...groups].flatMap(([shape, of]) => {
      const pattern = patternOf(shape, correlation, dim);
      return of.map((row): OpenRow => ({ row, pattern }));
    });
    const size = Math.max(1, Math.floor(MOST_PARTICLES / count));
    return Array.from({ length: Math.ceil(all.length / size) }, (_, k) =>
      all.slice(k * size, (k + 1) * size),
    );
  }
}

/** A letter a column: p a level, b a block, m nothing. */
function shapeOf({ lower, upper }: GivenCells, row: number, dim: number): string {
  let shape = '';
  for (let at = row * dim; at < (row + 1) * dim; at++) {
    if (lower[at] === upper[at]) shape += 'p';
    else shape += lower[at] === -Infinity && upper[at] === Infinity ? 'm' : 'b';
  }
  return shape;
}

/** Independent draws of one row given levels, or nothing: draws x dim. */
async function drawRow(
  copula: Copula,
  { lower, upper }: GivenCells,
  row: number,
  { draws, seed, numbers }: CellDrawOptions,
  { signal, ...device }: Execution,
): Promise<Float64Array> {
  const { dim, names } = copula;
  const fixed: Record<string, number> = {};
  for (let j = 0; j < dim; j++) {
    const at = row * dim + j;
    if (lower[at] === upper[at]) fixed[names?.[j] ?? String(j)] = lower[at]!;
  }
  const run = { threads: device.threads, signal, scale: 'gaussian', dtype: 'float64' } as const;
  const count = Object.keys(fixed).length;
  const own = { ...run, seed: rowSeed(seed, numbers[row]!) };
  const { data } =
    count === 0
      ? await copula.sample(draws, { ...own, device: device.device, precision: device.precision })
      : (await copula.sampleConditional(fixed, draws, own)).rows;
  return Float64Array.from(data);
}

function rowSeed(seed: Seed, row: number): bigint {
  const words = [...seedWords(seed), DRAWS, row] as const;
  return (BigInt(hashWords(...words, 1)) << 32n) | BigInt(hashWords(...words, 0));
}

/** Correlation matrix of the Gaussian copula nearest to the copula: its own, or that of normal scores of rows drawn from it. */
async function nearestCorrelation(copula: Copula, run: Execution): Promise<Float64Array> {
  if (copula instanceof GaussianCopula) return copula.correlation;
  const { device, precision, threads, signal } = run;
  const options = { device, precision, threads, signal, dtype: 'float64', seed: DRAWS } as const;
  const { data, rows, columns } = await copula.sample(PILOT_ROWS, options);
  const levels = { data: Float64Array.from(data), rows, columns };
  return positiveDefinite(await normalScoresCorrelation(levels, run), columns, rows).correlation;
}

/** A row that is drawn by particles. */
interface OpenRow {
  readonly row: number;
  readonly pattern: Pattern;
}

function patternOf(shape: string, correlation: Float64Array, dim: number): Pattern {
  const of = (letter: string) => Array.from({ length: dim }, (_, j) => j).filter((j) => shape[j] === letter);
  const [points, blocks, nothing] = [of('p'), of('b'), of('m')];
  const open = [...blocks, ...nothing];
  const r = subMatrix(correlation, dim, [...points, ...open]);
  return { points, open, blocks: blocks.length, factor: callNative((addon) => addon.cholesky(r, dim)) };
}

interface Surroundings {
  readonly copula: Copula;
  /** Of the correlation matrix of the nearest Gaussian copula. */
  readonly factor: Float64Array;
  readonly given: GivenCells;
  readonly options: CellDrawOptions;
  readonly run: Execution;
}

/**
 * Particles of some rows, count each. A particle is independent normal numbers, `zeta`, one for each column that is open, which the Gaussian copula's
 * conditional laws, one column after the other, cut to the blocks (Geweke 1991), make a row `z` that has the cells. Its weight is
 * the density of the model over that of the Gaussian copula, times the probabilities of the blocks that were cut to.
 */
class Populations {
  /** The least effective number of particles of each row in any step. */
  readonly effective: Float64Array;
  readonly #rows: readonly OpenRow[];
  readonly #around: Surroundings;
  readonly #generators: readonly Generator[];
  readonly #count: number;
  readonly #dim: number;
  readonly #zeta: Float64Array;
  readonly #z: Float64Array;
  readonly #logWeights: Float64Array;
  readonly #weights: Float64Array;
  /** The power of the weights that the particles have taken on, and the size of their moves, of each row. */
  readonly #power: Float64Array;
  readonly #sizes: Float64Array;

  constructor(rows: readonly OpenRow[], count: number, turn: number, around: Surroundings) {
    const { seed, numbers } = around.options;
    this.#rows = rows;
    this.#around = around;
    this.#generators = rows.map(({ row }) => new Generator(...seedWords(seed), DRAWS, numbers[row]!, turn));
    this.#count = count;
    this.#dim = around.copula.dim;
    const all = rows.length * count;
    this.#zeta = new Float64Array(all * this.#dim);
    this.#z = new Float64Array(all * this.#dim);
    this.#logWeights = new Float64Array(all);
    this.#weights = new Float64Array(all);
    this.effective = new Float64Array(rows.length).fill(count);
    this.#power = new Float64Array(rows.length);
    this.#sizes = new Float64Array(rows.length).fill(0.5);
  }

  /** Draws them from the Gaussian copula. */
  async start(): Promise<void> {
    const places = Array.from(this.#rows.keys());
    this.#zeta.set(this.#normals(places));
    const { z, logWeights } = await this.#evaluate(places, this.#zeta);
    this.#z.set(z);
    this.#logWeights.set(logWeights);
  }

  /** The particles of the row at that place, as rows. */
  all(k: number): Float64Array[] {
    const each = Array.from({ length: this.#count }, (_, i) => (k * this.#count + i) * this.#dim);
    return each.map((from) => this.#z.subarray(from, from + this.#dim));
  }

  /** Takes them on to the density of the model. */
  async anneal(): Promise<void> {
    const [count, dim] = [this.#count, this.#dim];
    let moving = Array.from(this.#rows.keys());
    for (let step = 1; moving.length > 0; step++) {
      moving = moving.filter((k) => {
        const log = this.#logWeights.subarray(k * count, (k + 1) * count);
        const weights = this.#weights.subarray(k * count, (k + 1) * count);
        const rest = 1 - this.#power[k]!;
        const taken = step === MOST_STEPS ? rest : stepOf(log, rest, LEAST_SHARE * count, weights);
        const effective = weigh(log, taken, weights);
        this.effective[k] = Math.min(this.effective[k]!, effective);
        if (taken === rest || effective === 0) return false;
        this.#power[k]! += taken;
        const parents = systematic(weights, uniformOf(this.#generators[k]!));
        for (const [values, width] of [
          [this.#zeta, dim],
          [this.#z, dim],
          [this.#logWeights, 1],
        ] as const) {
          const old = values.slice(k * count * width, (k + 1) * count * width);
          parents.forEach((parent, i) =>
            values.set(old.subarray(parent * width, (parent + 1) * width), (k * count + i) * width),
          );
        }
        return true;
      });
      for (let move = 0; move < MOVES && moving.length > 0; move++) await this.#move(moving);
    }
    await this.#forbid();
  }

  /** Draws from the weighted particles of the row at that place; null: none may be. */
  choose(k: number): Float64Array[] | null {
    const [count, dim] = [this.#count, this.#dim];
    const weights = this.#weights.subarray(k * count, (k + 1) * count);
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    if (!(total > 0)) return null;
    return Array.from({ length: this.#around.options.draws }, () => {
      let left = uniformOf(this.#generators[k]!) * total;
      let i = 0;
      while (i < count - 1 && (left -= weights[i]!) >= 0) i++;
      while (weights[i] === 0) i--;
      return this.#z.slice((k * count + i) * dim, (k * count + i + 1) * dim);
    });
  }

  /** Crank-Nicolson proposals, which leave independent normal numbers as they are, taken by the weights so far. */
  async #move(moving: readonly number[]): Promise<void> {
    const [count, dim] = [this.#count, this.#dim];
    const proposed = this.#normals(moving);
    moving.forEach((k, place) => {
      const [from, size] = [k * count * dim, this.#sizes[k]!];
      const keep = Math.sqrt(1 - size * size);
      for (let at = 0, to = place * count * dim; at < count * dim; at++, to++)
        proposed[to] = keep * this.#zeta[from + at]! + size * proposed[to]!;
    });
    const { z, logWeights } = await this.#evaluate(moving, proposed);
    moving.forEach((k, place) => {
      const generator = this.#generators[k]!;
      let accepted = 0;
      for (let i = 0; i < count; i++) {
        const [to, from] = [k * count + i, place * count + i];
        const ratio = this.#power[k]! * (logWeights[from]! - this.#logWeights[to]!);
        if (!(Math.log(uniformOf(generator)) < ratio)) continue;
        accepted++;
        this.#logWeights[to] = logWeights[from]!;
        this.#zeta.set(proposed.subarray(from * dim, (from + 1) * dim), to * dim);
        this.#z.set(z.subarray(from * dim, (from + 1) * dim), to * dim);
      }
      const size = this.#sizes[k]! * Math.exp(2 * (accepted / count - TARGET_ACCEPTANCE));
      this.#sizes[k] = Math.min(1, Math.max(0.02, size));
    });
  }

  /** Takes the weight from particles that are not allowed. */
  async #forbid(): Promise<void> {
    const { constrained, allowed } = this.#around.options;
    const [count, dim] = [this.#count, this.#dim];
    const asked = Array.from(this.#rows.keys()).filter((k) => constrained(this.#rows[k]!.row));
    if (!allowed || asked.length === 0) return;
    const z = new Float64Array(asked.length * count * dim);
    const rows = new Uint32Array(asked.length * count);
    asked.forEach((k, place) => {
      z.set(this.#z.subarray(k * count * dim, (k + 1) * count * dim), place * count * dim);
      rows.fill(this.#rows[k]!.row, place * count, (place + 1) * count);
    });
    const may = await allowed(z, rows);
    asked.forEach((k, place) => {
      for (let i = 0; i < count; i++) this.#weights[k * count + i]! *= may[place * count + i]!;
    });
  }

  /** Independent normal numbers for the rows at these places, each row of its own stream. */
  #normals(places: readonly number[]): Float64Array {
    const each = this.#count * this.#dim;
    const levels = new Float64Array(places.length * each);
    places.forEach((k, place) => {
      const generator = this.#generators[k]!;
      for (let at = place * each; at < (place + 1) * each; at++) levels[at] = uniformOf(generator);
    });
    return normalQuantile(levels);
  }

  /** Rows and weights of particles. */
  async #evaluate(
    places: readonly number[],
    zeta: Float64Array,
  ): Promise<{ z: Float64Array; logWeights: Float64Array }> {
    const { copula, factor, run } = this.#around;
    const [count, dim] = [this.#count, this.#dim];
    const rows = places.length * count;
    const z = new Float64Array(rows * dim);
    const logWeights = new Float64Array(rows);
    for (let first = 0; first < places.length;) {
      const { pattern } = this.#rows[places[first]!]!;
      let end = first + 1;
      while (end < places.length && this.#rows[places[end]!]!.pattern === pattern) end++;
      this.#fill(pattern, places.slice(first, end), first, zeta, z, logWeights);
      first = end;
    }
    if (copula instanceof GaussianCopula) return { z, logWeights };
    const { device, precision, threads, signal } = run;
    const { density } = this.#around.options;
    const options = { ...density, device, precision, threads, signal, scale: 'gaussian' } as const;
    const log = await copula.logPdf(matrix(z, rows, dim), options);
    const nearest = {
      family: 'gaussian',
      dim,
      parameters: new Float64Array(0),
      rotation: 0,
      factor,
    } as const;
    const gaussian = await runJob((addon) => addon.classicalLogPdf(nearest, z, true, rows, threads), {
      signal,
    });
    for (let i = 0; i < rows; i++) logWeights[i]! += log[i]! - gaussian[i]!;
    return { z, logWeights };
  }

  /** Rows of one pattern, whose particles begin at place `first`, from their normal numbers, with the probabilities of their blocks. */
  #fill(
    { points, open, blocks, factor }: Pattern,
    places: readonly number[],
    first: number,
    zeta: Float64Array,
    z: Float64Array,
    logWeights: Float64Array,
  ): void {
    const { given } = this.#around;
    const [count, dim] = [this.#count, this.#dim];
    const all = places.length * count;
    const [known, width] = [points.length, open.length];
    // what the levels say of the mean of each open column
    const base = new Float64Array(places.length * width);
    const cells = places.map((k) => this.#rows[k]!.row * dim);
    places.forEach((_, place) => {
      const e = new Float64Array(known);
      for (let i = 0; i < known + width; i++) {
        let sum = 0;
        for (let l = 0; l < Math.min(i, known); l++) sum += factor[i * dim + l]! * e[l]!;
        if (i < known) e[i] = (given.lower[cells[place]! + points[i]!]! - sum) / factor[i * dim + i]!;
        else base[place * width + i - known] = sum;
      }
    });
    const from = first * count;
    for (let i = 0; i < all; i++) {
      const cell = cells[Math.floor(i / count)]!;
      for (const j of points) z[(from + i) * dim + j] = given.lower[cell + j]!;
    }
    const e = Array.from({ length: width }, () => new Float64Array(all));
    const mean = new Float64Array(all);
    open.forEach((j, c) => {
      const line = (known + c) * dim + known;
      const deviation = factor[line + c]!;
      for (let i = 0; i < all; i++) mean[i] = base[Math.floor(i / count) * width + c]!;
      for (let l = 0; l < c; l++) {
        const weight = factor[line + l]!;
        if (weight !== 0) for (let i = 0; i < all; i++) mean[i]! += weight * e[l]![i]!;
      }
      const own = e[c]!;
      for (let i = 0; i < all; i++) own[i] = zeta[(from + i) * dim + c]!;
      if (c < blocks) {
        const [low, high] = [given.lower, given.upper].map((ends) =>
          mean.map((m, i) => (ends[cells[Math.floor(i / count)]! + j]! - m) / deviation),
        ) as [Float64Array, Float64Array];
        cutTo(low, high, own, logWeights.subarray(from, from + all));
      }
      for (let i = 0; i < all; i++) z[(from + i) * dim + j] = mean[i]! + deviation * own[i]!;
    });
  }
}

/**
 * Makes normal numbers those of a normal law between ends, by the same levels, and adds the logarithms of the probabilities between
 * them to `logs`.
 */
function cutTo(low: Float64Array, high: Float64Array, values: Float64Array, logs: Float64Array): void {
  // in the lower tail, where levels are exact
  const turned = low.map((end, i) => Number(end + high[i]! > 0));
  const sign = (ends: Float64Array, others: Float64Array) =>
    ends.map((end, i) => (turned[i] === 1 ? -others[i]! : end));
  const [from, to] = [sign(low, high), sign(high, low)];
  const [p, q] = [normalCdf(from), normalCdf(to)];
  const [level, above] = [normalCdf(values), normalCdf(values.map((value) => -value))];
  const inner = p.map((least, i) => least + (q[i]! - least) * (turned[i] === 1 ? above[i]! : level[i]!));
  const drawn = scoresOf(
    inner,
    inner.map((t) => 1 - t),
  );
  for (let i = 0; i < values.length; i++) {
    const width = q[i]! - p[i]!;
    // beyond what levels can tell, the end that is next
    const value = width > 0 ? Math.min(Math.max(drawn[i]!, from[i]!), to[i]!) : to[i]!;
    logs[i]! += width > 0 ? Math.log(width) : -0.5 * to[i]! ** 2;
    values[i] = turned[i] === 1 ? -value : value;
  }
}

const uniformOf = (generator: Generator) => (generator.next() + 0.5) / 2 ** 32;

/** Weights proportional to exp(power x log), the largest 1; returns how many equal ones they are worth, 0 where all vanish. */
function weigh(log: Float64Array, power: number, weights: Float64Array): number {
  let most = -Infinity;
  for (const value of log) if (value > most) most = value;
  if (!Number.isFinite(most)) {
    weights.fill(0);
    return 0;
  }
  let [sum, squares] = [0, 0];
  for (let i = 0; i < log.length; i++) {
    const weight = log[i] === -Infinity ? 0 : Math.exp(power * (log[i]! - most));
    weights[i] = weight;
    sum += weight;
    squares += weight * weight;
  }
  return (sum * sum) / squares;
}

/** The largest power up to `rest` that leaves `least` effective particles. */
function stepOf(log: Float64Array, rest: number, least: number, weights: Float64Array): number {
  if (weigh(log, rest, weights) >= least) return rest;
  let [low, high] = [0, rest];
  for (let turn = 0; turn < 30; turn++) {
    const middle = (low + high) / 2;
    if (weigh(log, middle, weights) >= least) low = middle;
    else high = middle;
  }
  // where most weights vanish no power is small enough
  return low > 0 ? low : high;
}

/** Particles in numbers as near to proportional to the weights as can be. */
function systematic(weights: Float64Array, start: number): Uint32Array {
  const count = weights.length;
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  let [i, sum] = [0, weights[0]!];
  return Uint32Array.from({ length: count }, (_, k) => {
    const at = ((k + start) * total) / count;
    while (sum <= at && i < count - 1) sum += weights[++i]!;
    return i;
  });
}
