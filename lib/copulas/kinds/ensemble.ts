import { notesOf } from '../../notes';
import { matrix } from '../../matrix';
import { Generator, hashWords, seedWords, shuffle, resolveSeed } from '../../data/random';
import { SklarError, describe, expectList, expectNumber, expectOptions } from '../../errors';
import {
  Copula,
  type LogPdfOptions,
  type ModelContent,
  type SampleOptions,
  type Blocks,
  type Draws,
  type ConditionalRequest,
  expectCopula,
} from '../copula';
import { mixtureConditional } from './ensemble-conditional';
import { type Walk } from '../events/walk';
import { type CopulaCapabilities } from '../fields/capabilities';
import {
  type FieldDensity,
  type FieldDensityOptions,
  type LogPdfMethod,
  type Points,
  isUnnormalised,
} from '../fields/field-density';
import { type Execution } from '../inputs/run';
import { type ConditionalMethod, type ConditionalSample, withoutMethod } from '../fields/smc';
import { solverOptionKeys } from '../fields/solvers';
import { type NormaliserOptions, normaliserOptionNames, type Normalisable } from '../fields/normaliser';
import { tell } from '../../tell';

/** Prefix of the tensors of a member in a model file. */
export const memberPrefix = (k: number) => `models.${k}.`;

/** Keep the order of the members, and their draws, apart from other uses of a seed. */
const ORDER = 0x6f726465;
const DRAWS = 0x64726177;

/** The seed of what member k draws. */
function memberSeed(seed: bigint, k: number): bigint {
  const words = seedWords(seed);
  return (BigInt(hashWords(...words, DRAWS, k, 1)) << 32n) | BigInt(hashWords(...words, DRAWS, k, 0));
}

/** Which member each row of a block comes from: every one as often as it counts, in an order of its own. */
function memberOrder(seed: bigint, block: bigint, counts: readonly number[]): Uint32Array {
  const order = Uint32Array.from(counts.flatMap((count, k) => new Array<number>(count).fill(k)));
  shuffle(order, 0, order.length, new Generator(...seedWords(seed), ORDER, ...seedWords(block)));
  return order;
}

/** log of the weighted mean of exp, elementwise; default: with equal weights. */
export function logMeanExp(
  parts: readonly Float64Array[],
  counts: readonly number[] = parts.map(() => 1),
): Float64Array {
  const all = counts.reduce((sum, count) => sum + count, 0);
  return parts[0]!.map((_, i) => {
    const most = parts.reduce((max, part) => Math.max(max, part[i]!), -Infinity);
    if (!Number.isFinite(most)) return most;
    const sum = parts.reduce((total, part, k) => total + counts[k]! * Math.exp(part[i]! - most), 0);
    return most + Math.log(sum / all);
  });
}

/** Rows that weights divide among members. */
const BLOCK = 64;

/** How many of the rows of a block each member draws, one at least: the largest remainders are rounded up. */
function countsOf(weights: readonly number[]): number[] {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const exact = weights.map((weight) => (weight / total) * BLOCK);
  const counts = exact.map((share) => Math.max(1, Math.floor(share)));
  for (
    let left = BLOCK - counts.reduce((sum, count) => sum + count, 0);
    left !== 0;
    left -= Math.sign(left)
  ) {
    const rests = exact.map((share, k) =>
      left > 0 || counts[k]! > 1 ? Math.sign(left) * (share - counts[k]!) : -Infinity,
    );
    counts[rests.indexOf(Math.max(...rests))]! += Math.sign(left);
  }
  return counts;
}

/** Methods that tell the density of the condition, by which members are weighed. */
const WEIGHING: readonly ConditionalMethod[] = ['smc', 'twisted', 'exact'];

/**
 * Copulas as one, their mixture: its density is the weighted mean of theirs, by default with equal weights, and its rows are theirs in turn. A CDC
 * or a potential takes part with its density normalised by its own estimate of log Z, which is made when the density is first asked for.
 *
 * Of every E adjoining rows of a sample, E the number of members, each member draws one, in an order that the seed and the
 * rows' number decide: a sample does not depend on how it is cut into batches. Where weights are given it is so many of every 64 rows as
 * are nearest to them, one at least, and these are the weights that the mixture has.
 *
 * @example
 * ```ts
 * import { EnsembleCopula, FamilyCopula } from 'sklar';
 *
 * const members = [1, 3].map((theta) => new FamilyCopula('clayton', { theta }));
 * const ensemble = new EnsembleCopula(members);
 * (await ensemble.sample(6, { seed: 2 })).rows; // => 6
 * await ensemble.logPdf([[0.5, 0.5]]); // => [0.42]
 * ```
 */
export class EnsembleCopula extends Copula {
  readonly kind = 'ensemble';
  readonly normalised = true;
  readonly dim: number;
  readonly capabilities: CopulaCapabilities;
  /** Its copulas, disposed with it. */
  readonly members: readonly Copula[];
  /** Of how many adjoining rows each member draws how many. */
  readonly #counts: readonly number[];

  /**
   * @param members at least one; they belong to the ensemble and are disposed with it
   * @param weights of the members, positive, in any unit; at most 64 members then. Default: all alike
   * @throws SklarError ERR_SKLAR_VALUE for copulas without a density and weights, ERR_SKLAR_SHAPE for different numbers of columns
   */
  constructor(members: readonly Copula[], weights?: readonly number[]) {
    super();
    const [first] = expectList(members, 'the members of an ensemble');
    if (!first)
      throw new SklarError('ERR_SKLAR_VALUE', 'expected at least one copula for an ensemble, got none');
    expectCopula(first, 'the first member of an ensemble');
    Array.from(members).forEach((member, k) => {
      if (!Copula.is(member) || member instanceof EnsembleCopula) {
        throw new SklarError(
          'ERR_SKLAR_VALUE',
          `expected copulas but ensembles for an ensemble, got ${Copula.is(member) ? describe(member.kind) : describe(member)} (member ${k})`,
        );
      }
      member.expectAlive();
      if (member.dim !== first.dim) {
        throw new SklarError(
          'ERR_SKLAR_SHAPE',
          `expected ${first.dim} columns for every member of an ensemble, got ${member.dim} (member ${k})`,
        );
      }
      if (routesOf(member).length === 0) {
        throw new SklarError(
          'ERR_SKLAR_VALUE',
          `expected members that have a density for an ensemble: the published reflection network has none (member ${k})`,
        );
      }
    });
    this.members = [...members];
    this.#counts = weights === undefined ? members.map(() => 1) : countsOf(expectWeights(weights, members));
    this.dim = first.dim;
    const abilities = members.map(({ capabilities }) => capabilities);
    // formulas come last: what a learned member can be asked for is asked of it
    const inOrder = [...members].sort(
      (a, b) => Number(routesOf(a)[0] === 'exact') - Number(routesOf(b)[0] === 'exact'),
    );
    const methods = inOrder.map(weighingOf);
    this.capabilities = {
      logPdf: [...new Set(inOrder.flatMap(routesOf))],
      sampleConditional: methods.every((own) => own.length > 0) ? [...new Set(methods.flat())] : [],
      field: false,
      cdf: false,
      marginal: false,
      cpuOnly: abilities.find(({ cpuOnly }) => cpuOnly !== null)?.cpuOnly ?? null,
    };
  }

  /** 0, since every member is normalised by its own; null: the estimate of one is missing. */
  get logNormaliser(): number | null {
    return this.#estimated.some(({ logNormaliser }) => logNormaliser === null) ? null : 0;
  }

  /** Of the log of the density's integral, from the members' estimates. */
  get logNormaliserStandardError(): number | null {
    if (this.logNormaliser === null) return null;
    const { weights } = this;
    return Math.hypot(
      ...this.members.map(
        ({ normalisable }, k) => weights[k]! * (normalisable?.logNormaliserStandardError ?? 0),
      ),
    );
  }

  /** The shares of the members, which sum to 1. */
  get weights(): readonly number[] {
    const all = this.#counts.reduce((sum, count) => sum + count, 0);
    return this.#counts.map((count) => count / all);
  }

  /** Estimates log Z of every member that has none yet; see `CdcCopula.estimateNormaliser`. */
  async estimateNormaliser(
    options: NormaliserOptions = {},
  ): Promise<{ logZ: number; standardError: number }> {
    options = expectOptions(options, 'estimateNormaliser', normaliserOptionNames);
    const run = this.begin(options);
    const seed = resolveSeed(options.seed ?? 1);
    const missing = this.members.flatMap(({ normalisable }, k) =>
      normalisable?.logNormaliser === null ? [{ normalisable, k }] : [],
    );
    for (const [done, { normalisable, k }] of missing.entries()) {
      await normalisable.estimateNormaliser({
        ...options,
        ...run,
        // their errors are to be independent
        seed: memberSeed(seed, k),
        onProgress: ({ fraction }) =>
          tell(options.onProgress, { fraction: (done + fraction) / missing.length }),
      });
    }
    return { logZ: 0, standardError: this.logNormaliserStandardError! };
  }

  /** @internal */
  override get normalisable(): Normalisable | null {
    return this.#estimated.length > 0 ? this : null;
  }

  /** @internal */
  override async density(
    method: LogPdfMethod,
    points: Points,
    options: FieldDensityOptions,
    run: Execution,
    onEvent?: (fraction: number) => void,
  ): Promise<FieldDensity> {
    await this.estimateNormaliser(run);
    const parts: Float64Array[] = [];
    let evaluations = 0;
    for (const [k, member] of this.members.entries()) {
      const own = routesOf(member).includes(method) ? method : routesOf(member)[0]!;
      const part = await member
        .density(
          own,
          points,
          own === method ? options : {},
          run,
          onEvent && ((fraction) => onEvent((k + fraction) / this.members.length)),
        )
        .catch(byMember(k));
      const logZ = isUnnormalised(own) ? member.normalisable!.logNormaliser! : 0;
      parts.push(part.logPdf.map((value) => value - logZ));
      evaluations += part.evaluations;
    }
    return { logPdf: logMeanExp(parts, this.#counts), evaluations };
  }

  /** @internal */
  protected description() {
    const infos = this.members.map((member) => member.info());
    return {
      parameters: infos.reduce((sum, { parameters }) => sum + parameters, 0),
      config: {
        member: [...new Set(infos.map(({ kind }) => kind))].join(', '),
        models: infos.length,
        weights: this.weights,
        members: infos.map(({ config }) => config),
      },
      training: trainingOf(infos.map(({ training }) => training)),
    };
  }

  /**
   * The members' methods, those that know the density of the condition, which weighs the members. Sizes
   * (`effectiveSampleSize`, `ancestors`, ...) are those of the weighted members together.
   *
   * @internal
   */
  protected override async drawConditional(
    { fixed, rows, options }: ConditionalRequest,
    run: Execution,
  ): Promise<ConditionalSample> {
    const seed = resolveSeed(options.seed ?? 1);
    await this.estimateNormaliser(run);
    const { weights } = this;
    const { sampleConditional: methods } = this.capabilities;
    const { method = methods[0] } = options;
    const members = this.members.map((copula, k) => {
      const other = methods.includes(method!) && !copula.capabilities.sampleConditional.includes(method!);
      return {
        copula,
        weight: weights[k]!,
        seed: memberSeed(seed, k),
        options: other ? withoutMethod(options) : options,
      };
    });
    return mixtureConditional(members, this.names, fixed, rows, { options, run, seed });
  }

  /** @internal */
  checkSampleOptions(options: SampleOptions): void {
    for (const member of this.members) member.checkSampleOptions(this.#optionsOf(member, options));
  }

  /** Formulas beside networks have no solver. */
  #optionsOf({ capabilities }: Copula, options: SampleOptions): SampleOptions {
    if (capabilities.field || !this.members.some((member) => member.capabilities.field)) return options;
    return Object.fromEntries(
      Object.entries(options).filter(([key]) => !solverOptionKeys.includes(key as never)),
    );
  }

  /** @internal */
  protected async sampleRows(
    { rows, seed, firstRow, toGaussian }: Draws,
    options: SampleOptions,
    run: Execution,
  ): Promise<Float64Array> {
    const { dim } = this;
    const size = this.#counts.reduce((sum, count) => sum + count, 0);
    const firstBlock = firstRow / BigInt(size);
    const offset = Number(firstRow % BigInt(size));
    const blocks = Math.ceil((offset + rows) / size);
    const draws: ArrayLike<number>[] = [];
    for (const [k, member] of this.members.entries()) {
      const { data } = await member
        .sample(blocks * this.#counts[k]!, {
          ...this.#optionsOf(member, options),
          ...run,
          seed: memberSeed(seed, k),
          firstRow: Number(firstBlock) * this.#counts[k]!,
          scale: toGaussian ? 'gaussian' : 'copula',
          dtype: 'float64',
          onProgress: undefined,
        })
        .catch(byMember(k));
      draws.push(data);
    }
    const out = new Float64Array(rows * dim);
    for (let block = 0; block < blocks; block++) {
      const next = this.#counts.map((count) => block * count);
      memberOrder(seed, firstBlock + BigInt(block), this.#counts).forEach((k, slot) => {
        const from = next[k]!++;
        const row = block * size + slot - offset;
        if (row < 0 || row >= rows) return;
        for (let j = 0; j < dim; j++) out[row * dim + j] = draws[k]![from * dim + j]!;
      });
    }
    return out;
  }

  /** @internal The members' own. */
  override walks(run: Execution): readonly Walk[] {
    const { weights } = this;
    return this.members.flatMap((member, k) =>
      member.walks(run).map((walk) => ({ ...walk, weight: walk.weight * weights[k]! })),
    );
  }

  /** @internal The members' own. */
  protected override async logCells(
    { lower, upper, rows, fromGaussian }: Blocks,
    options: LogPdfOptions,
    run: Execution,
  ): Promise<Float64Array> {
    const ends = [matrix(lower, rows, this.dim), matrix(upper, rows, this.dim)] as const;
    const scale = fromGaussian ? 'gaussian' : 'copula';
    const parts: Float64Array[] = [];
    for (const [k, member] of this.members.entries()) {
      const knows = options.method === undefined || routesOf(member).includes(options.method);
      const ofMember = {
        ...(knows && options),
        ...run,
        scale,
        normalised: true,
        firstRow: undefined,
        onProgress: undefined,
      } as const;
      parts.push(await member.logPdfCells(...ends, ofMember).catch(byMember(k)));
    }
    return logMeanExp(parts, this.#counts);
  }

  /** @internal */
  protected async logPdfRows(points: Points, run: Execution): Promise<Float64Array> {
    const method = this.capabilities.logPdf[0]!;
    return (await this.density(method, points, {}, run)).logPdf;
  }

  /** @internal */
  protected toModelContent(): ModelContent {
    const contents = this.members.map((member) => ({ kind: member.kind, ...member.fileContent() }));
    return {
      config: {
        members: contents.map(({ kind, config, training }) => ({ kind, config, training })),
        ...(new Set(this.#counts).size > 1 && { weights: this.weights }),
      },
      training: trainingOf(contents.map(({ training }) => training)),
      tensors: new Map(
        contents.flatMap(({ tensors }, k) =>
          Array.from(tensors, ([name, tensor]) => [memberPrefix(k) + name, tensor] as const),
        ),
      ),
    };
  }

  /** @internal */
  protected release(): void {
    for (const member of this.members) member.dispose();
  }

  get #estimated(): readonly Normalisable[] {
    return this.members.flatMap(({ normalisable }) => normalisable ?? []);
  }
}

/** Names the member whose numbers left the finite ones. */
function byMember(k: number): (error: unknown) => never {
  return (error) => {
    if (!(error instanceof SklarError) || error.code !== 'ERR_SKLAR_DIVERGED') throw error;
    const { code, message, state } = error;
    throw new SklarError(code, `${message} (member ${k})`, { cause: error, state });
  };
}

/** Not `bound`: a mean of lower bounds bounds nothing. */
/** @throws SklarError ERR_SKLAR_VALUE for numbers that are no weights, ERR_SKLAR_SHAPE for other numbers of them */
function expectWeights(weights: readonly number[], members: readonly Copula[]): readonly number[] {
  const what = 'the weights of an ensemble';
  if (expectList(weights, what).length !== members.length || members.length > BLOCK) {
    throw new SklarError(
      'ERR_SKLAR_SHAPE',
      `expected a weight for each of at most ${BLOCK} members, got ${weights.length} for ${members.length}`,
    );
  }
  weights.forEach((weight, k) => expectNumber(weight, `weight ${k} of an ensemble`, { above: 0 }));
  return weights;
}

const weighingOf = ({ capabilities }: Copula) =>
  capabilities.sampleConditional.filter((method) => WEIGHING.includes(method));

function routesOf(member: Copula): readonly LogPdfMethod[] {
  return member.capabilities.logPdf.filter((method) => method !== 'bound');
}

/** What the members' training has in common, and sums over it. */
function trainingOf(records: readonly unknown[]): Readonly<Record<string, unknown>> | null {
  const all = records.flatMap((record) => (record ? [record as Partial<Record<string, unknown>>] : []));
  if (all.length === 0) return null;
  const sum = (key: string) => all.reduce((total, record) => total + Number(record[key] ?? 0), 0);
  const { device, deviceName, precision } = all[0]!;
  const steps = sum('steps');
  const byMessage = new Map(
    all.flatMap((record) => notesOf(record.notes)).map((note) => [note.message, note]),
  );
  const notes = [...byMessage.values()];
  return {
    models: all.length,
    steps,
    seconds: sum('seconds'),
    stepMilliseconds:
      all.reduce(
        (total, record) => total + Number(record.stepMilliseconds ?? 0) * Number(record.steps ?? 0),
        0,
      ) / Math.max(1, steps),
    device,
    deviceName,
    precision,
    ...(notes.length > 0 && { notes }),
  };
}
