import { notesOf } from '../../notes';
import { matrix } from '../../matrix';
import { Generator, hashWords, seedWords, shuffle, resolveSeed } from '../../data/random';
import { SklarError, describe, expectOptions, expectList } from '../../errors';
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
import { type CopulaCapabilities } from '../fields/capabilities';
import {
  type FieldDensity,
  type FieldDensityOptions,
  type LogPdfMethod,
  type Points,
} from '../fields/field-density';
import { type Execution } from '../inputs/run';
import { type ConditionalMethod, type ConditionalSample } from '../fields/smc';
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

/** Which member each of the `size` rows of a block comes from: every one once, in an order of its own. */
function memberOrder(seed: bigint, block: bigint, size: number): Uint32Array {
  const order = Uint32Array.from({ length: size }, (_, k) => k);
  shuffle(order, 0, size, new Generator(...seedWords(seed), ORDER, ...seedWords(block)));
  return order;
}

/** log of the mean of exp, elementwise. */
export function logMeanExp(parts: readonly Float64Array[]): Float64Array {
  return parts[0]!.map((_, i) => {
    const most = parts.reduce((max, part) => Math.max(max, part[i]!), -Infinity);
    if (!Number.isFinite(most)) return most;
    const sum = parts.reduce((total, part) => total + Math.exp(part[i]! - most), 0);
    return most + Math.log(sum / parts.length);
  });
}

/** Methods that tell the density of the condition, by which members are weighed. */
const WEIGHING: readonly ConditionalMethod[] = ['smc', 'twisted', 'exact'];

/**
 * Copulas of one kind as one: its density is the mean of theirs, with equal weights, and its rows are theirs in turn. A CDC
 * takes part with its density normalised by its own estimate of log Z, which is made when the density is first asked for.
 *
 * Of every E adjoining rows of a sample, E the number of members, each member draws one, in an order that the seed and the
 * rows' number decide: a sample does not depend on how it is cut into batches.
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

  /**
   * @param members at least one; they belong to the ensemble and are disposed with it
   * @throws SklarError ERR_SKLAR_VALUE for copulas of different kinds or without a density, ERR_SKLAR_SHAPE for
   *   different numbers of columns
   */
  constructor(members: readonly Copula[]) {
    super();
    const [first] = expectList(members, 'the members of an ensemble');
    if (!first)
      throw new SklarError('ERR_SKLAR_VALUE', 'expected at least one copula for an ensemble, got none');
    expectCopula(first, 'the first member of an ensemble');
    Array.from(members).forEach((member, k) => {
      if (!Copula.is(member) || member instanceof EnsembleCopula || member.kind !== first.kind) {
        throw new SklarError(
          'ERR_SKLAR_VALUE',
          `expected copulas of one kind for an ensemble, got ${describe(first.kind)} and ` +
            `${Copula.is(member) ? describe(member.kind) : describe(member)} (member ${k})`,
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
    this.dim = first.dim;
    const abilities = members.map(({ capabilities }) => capabilities);
    this.capabilities = {
      logPdf: routesOf(first),
      sampleConditional: abilities[0]!.sampleConditional.filter((method) => WEIGHING.includes(method)),
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
    const errors = this.#estimated.map(({ logNormaliserStandardError }) => logNormaliserStandardError!);
    return Math.hypot(...errors) / this.members.length;
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
    if (method === 'classifier') await this.estimateNormaliser(run);
    const parts: Float64Array[] = [];
    let evaluations = 0;
    for (const [k, member] of this.members.entries()) {
      const part = await member
        .density(
          method,
          points,
          options,
          run,
          onEvent && ((fraction) => onEvent((k + fraction) / this.members.length)),
        )
        .catch(byMember(k));
      const logZ = method === 'classifier' ? member.normalisable!.logNormaliser! : 0;
      parts.push(part.logPdf.map((value) => value - logZ));
      evaluations += part.evaluations;
    }
    return { logPdf: logMeanExp(parts), evaluations };
  }

  /** @internal */
  protected description() {
    const infos = this.members.map((member) => member.info());
    return {
      parameters: infos.reduce((sum, { parameters }) => sum + parameters, 0),
      config: { member: infos[0]!.kind, models: infos.length, members: infos.map(({ config }) => config) },
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
    return mixtureConditional(this.members, this.names, fixed, rows, options, run, seed, (k) =>
      memberSeed(seed, k),
    );
  }

  /** @internal */
  checkSampleOptions(options: SampleOptions): void {
    for (const member of this.members) member.checkSampleOptions(options);
  }

  /** @internal */
  protected async sampleRows(
    { rows, seed, firstRow, toGaussian }: Draws,
    options: SampleOptions,
    run: Execution,
  ): Promise<Float64Array> {
    const { dim } = this;
    const size = this.members.length;
    const firstBlock = firstRow / BigInt(size);
    const offset = Number(firstRow % BigInt(size));
    const blocks = Math.ceil((offset + rows) / size);
    const draws: ArrayLike<number>[] = [];
    for (const [k, member] of this.members.entries()) {
      const { data } = await member
        .sample(blocks, {
          ...options,
          ...run,
          seed: memberSeed(seed, k),
          firstRow: Number(firstBlock),
          scale: toGaussian ? 'gaussian' : 'copula',
          dtype: 'float64',
          onProgress: undefined,
        })
        .catch(byMember(k));
      draws.push(data);
    }
    const out = new Float64Array(rows * dim);
    for (let block = 0; block < blocks; block++) {
      memberOrder(seed, firstBlock + BigInt(block), size).forEach((k, slot) => {
        const row = block * size + slot - offset;
        if (row < 0 || row >= rows) return;
        for (let j = 0; j < dim; j++) out[row * dim + j] = draws[k]![block * dim + j]!;
      });
    }
    return out;
  }

  /** @internal The members' own, weighed alike. */
  protected override async logCells(
    { lower, upper, rows, fromGaussian }: Blocks,
    options: LogPdfOptions,
    run: Execution,
  ): Promise<Float64Array> {
    const ends = [matrix(lower, rows, this.dim), matrix(upper, rows, this.dim)] as const;
    const scale = fromGaussian ? 'gaussian' : 'copula';
    const parts: Float64Array[] = [];
    for (const [k, member] of this.members.entries()) {
      const ofMember = {
        ...options,
        ...run,
        scale,
        normalised: true,
        firstRow: undefined,
        onProgress: undefined,
      } as const;
      parts.push(await member.logPdfCells(...ends, ofMember).catch(byMember(k)));
    }
    return logMeanExp(parts);
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
      config: { members: contents.map(({ kind, config, training }) => ({ kind, config, training })) },
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
