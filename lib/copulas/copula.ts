import { type Matrix, matrix, pickRows } from '../matrix';
import { type Seed, resolveSeed } from '../data/random';
import {
  type OptionNames,
  SklarError,
  describe,
  expectInteger,
  expectOneOf,
  expectOptions,
  expectObject,
} from '../errors';
import { type TableMargins } from '../margins/margins';
import { type ModelDocument, writeModelFile } from '../model/model-file';
import { type RealArray, runJob } from '../native';
import { normalCdf } from '../normal';
import { type Note, notesOf, withArticle } from '../notes';
import { packageVersion } from '../version';
import { CELL_POINTS, expectCells, integrateCells, splitCells } from './cells';
import {
  type Certificate,
  type CertificateOptions,
  certificateOf,
  certificateOptions,
} from './judgement/certificate';
import {
  type EventEstimate,
  type EventOf,
  type EventOptions,
  type EventProbability,
  type EventSample,
  estimateEvent,
  eventOptions,
  expectEvent,
  levelOf,
} from './events/event';
import { sampleEvent } from './events/rejection';
import { type LevelsOf } from './events/subset-simulation';
import { type Walk, densityWalk } from './events/walk';
import { type CopulaCapabilities } from './fields/capabilities';
import { type HasField } from './fields/field';
import { onGrid } from './fields/grid';
import {
  type FieldDensity,
  type FieldDensityOptions,
  type LogPdfMethod,
  type Points,
  expectDensityOptions,
  fieldDensityOptions,
  fieldLogPdf,
} from './fields/field-density';
import {
  type RowsInput,
  type Scale,
  expectDtype,
  expectFinite,
  expectScale,
  toDense,
  toFloat32,
} from './inputs/rows';
import { type Execution, type RunOptions, beginRun, runOptions } from './inputs/run';
import { type ConditionalOptions, type ConditionalSample, conditionalOptions } from './fields/smc';
import { type Normalisable } from './fields/normaliser';
import { type Selection } from './selection';
import {
  type ResolvedIntegration,
  type SolverName,
  type SolverOptions,
  solverOptions,
} from './fields/solvers';
import { tell } from '../tell';

/** How rows are scored. `solver` and what belongs to it, `trace` and `probes` are of method `ode`, `draws` of `bound`. */
export interface LogPdfOptions extends RunOptions, FieldDensityOptions {
  /** The scale of the rows; default `copula`. */
  scale?: Scale;
  /** Which route; default the kind's own: `exact` for formulas, `classifier` for a CDC, `potential` for a potential, `ode` for flows. */
  method?: LogPdfMethod;
  /**
   * Subtract the log normaliser of a model whose density is not normalised; it is estimated first when the model does not
   * have it yet (`CdcCopula.estimateNormaliser`). Default false.
   */
  normalised?: boolean;
  /**
   * `logPdfCells`, of kinds without a formula for it: points in a cell that is a block in two or more columns (of one column:
   * 32 Gauss nodes, or this number if it is less); default 256.
   */
  cellPoints?: number;
  /**
   * Number of the first row, which messages and the random numbers of methods `ode` and `bound` go by; default 0. Parts of a table
   * that begin at multiples of 65,536 rows (of 2^22 / dim where that is less) are scored as they are in the whole table.
   */
  firstRow?: number | undefined;
  /** Told how many rows are done. */
  onProgress?: ((progress: { rows: number; rowsDone: number }) => void) | undefined;
}

/** How the probability of an event is estimated, and the scale of its rows. */
export interface CopulaEventOptions extends EventOptions {
  /** The scale of the rows that the event is told, and of rows that are drawn; default `copula`. */
  scale?: Scale;
}

const copulaEventOptions: OptionNames<CopulaEventOptions> = { ...eventOptions, scale: true };

const CELL_POINTS_RANGE = { min: 1, max: 2 ** 20 };

export const logPdfOptions: OptionNames<LogPdfOptions> = {
  ...runOptions,
  ...fieldDensityOptions,
  scale: true,
  method: true,
  normalised: 'boolean',
  cellPoints: true,
  firstRow: true,
  onProgress: true,
};

/** A solver of `sample`: any, or of a CDC with a finite reference time that of the published code, to compare with. */
export type SamplerName = SolverName | 'published' | 'published-noisy';

/** How rows are drawn. Solvers and what belongs to them are of learned kinds; classical ones are drawn directly. */
export interface SampleOptions extends RunOptions, Omit<SolverOptions, 'solver'> {
  /** Default `ab2`, with `noise` `exponential-em`; of processes on the cube `heun` and `euler-maruyama`. */
  solver?: SamplerName | undefined;
  /** The same seed gives the same rows, bit for bit, for any number of threads and any batching; default 1. */
  seed?: Seed;
  /**
   * `uniform` (default): every column is put through an increasing map, estimated once for each solver and number of
   * steps from a pilot sample, that makes its margin what a copula's must be; dependence stays as it is. `raw`: margins
   * as the integrator leaves them.
   */
  margins?: 'uniform' | 'raw';
  /** The scale of the sample; default `copula`. The Gaussian scale keeps the far tails that u near 1 cannot show. */
  scale?: Scale;
  /** Storage of the sample; default `float32`. */
  dtype?: 'float32' | 'float64';
  /** Number of the first row in the stream of the seed; default 0. Samples of adjoining ranges join without a seam. */
  firstRow?: number;
  /** Told how many rows are done. */
  onProgress?: ((progress: { rows: number; rowsDone: number }) => void) | undefined;
}

export const sampleOptions: OptionNames<SampleOptions> = {
  ...runOptions,
  ...solverOptions,
  seed: true,
  margins: true,
  scale: true,
  dtype: true,
  firstRow: true,
  onProgress: true,
};

/** What `Copula.info` says; JSON can write it. */
export interface ModelInfo {
  /** See `Copula.kind`. */
  kind: string;
  /** Columns. */
  dim: number;
  /** Whether logPdf is the log of a density that integrates to one. */
  normalised: boolean;
  /** Names of the columns; null: they have none. */
  columns: readonly string[] | null;
  /** How many numbers were fitted. */
  parameters: number;
  /** Shapes and settings, by kind. */
  config: unknown;
  /** The record of the fit: rows, losses, seconds, device; null: it was not fitted. */
  training: unknown;
  /** How the kind was chosen, where it was. */
  selection?: Selection;
}

/** What a fit tells of itself, as a model file stores it. */
export type TrainingRecord = Readonly<Record<string, unknown>>;

/** The tensors of a model file. */
export type ModelTensors = Map<string, { shape: readonly number[]; data: RealArray }>;

/** What a fit of the same kind can start from. */
export interface NetworkStart {
  /** The options of `fitCopula` that shape and meaning of the parameters hang on. */
  architecture: Readonly<Record<string, unknown>>;
  parameters: RealArray;
  /** The guide, by whose coordinates the network reads, as its factor; null: not guided. */
  cholesky: Float64Array | null;
  /** What the guide was shrunk by. */
  shrinkage: number | null;
  /** Of a CDC: times of the noise levels, and the correlation that the guide was made of. */
  times?: Float64Array;
  correlation?: Float64Array | null;
  /** Of others: the time from which samples start. */
  reference?: number;
  /** What the model tells of its own training. */
  training: object | null;
}

/** What one kind stores of itself; the rest of the file is the same for all. */
export interface ModelContent {
  config: Readonly<Record<string, unknown>>;
  training: TrainingRecord | null;
  tensors: ModelTensors;
}

/** Prefix of the tensors of the margins in a model file. */
export const MARGIN_TENSORS = 'margins.';

/** Prefix of the tensors that hold nodes of `grid: 'data'` in a model file. */
export const GRID_TENSORS = 'grid.';

/** Prefix of the tensors that hold the margin maps of solvers in a model file. */
export const SAMPLER_TENSORS = 'sampler.';

/** A pilot sample has this many rows, fewer in very many columns; of the default solver, and of others. */
const PILOT_ROWS = 65_536;
const OTHER_PILOT_ROWS = 16_384;
const PILOT_VALUES = 2 ** 25;
const PILOT_SEED = 0x736b6c61725f7069n;

/** Rows and values handled by one native call: bounds memory and the time between progress reports. */
const BATCH_ROWS = 65_536;
const BATCH_VALUES = 2 ** 22;

/** Rows of a batch of `logPdf`; whoever scores rows in such parts scores them as all at once. */
export function batchRows(dim: number): number {
  return Math.max(1, Math.min(BATCH_ROWS, Math.floor(BATCH_VALUES / dim)));
}

/** Rows that are wanted of the stream of a seed. */
export interface Draws {
  readonly rows: number;
  readonly seed: bigint;
  readonly firstRow: bigint;
  readonly toGaussian: boolean;
}

/** Draws that nothing is asked of but to be there. */
export const FIRST_DRAWS = { seed: 1n, firstRow: 0n, toGaussian: true } as const;

/** Rows of `logPdfCells` that have a block: rows x dim each. */
export interface Blocks {
  readonly lower: Float64Array;
  readonly upper: Float64Array;
  readonly rows: number;
  readonly fromGaussian: boolean;
}

/** What `sampleConditional` was asked for. */
export interface ConditionalRequest {
  readonly fixed: Readonly<Record<string | number, number>>;
  readonly rows: number;
  readonly options: ConditionalOptions;
}

/**
 * A fitted or loaded copula. All models share this interface; `kind` says which one it is.
 *
 * @example
 * ```ts
 * import { GaussianCopula, type Copula } from 'sklar';
 *
 * const copula: Copula = new GaussianCopula(Float64Array.of(1, 0.5, 0.5, 1), 2);
 * await copula.logPdf([[0.5, 0.5]]); // => [0.144]
 * (await copula.sample(10, { seed: 7 })).rows; // => 10
 * const { rows } = await copula.sampleConditional({ 0: 0.9 }, 10);
 * rows.columns; // => 2
 * const { verdict } = await copula.certify(await copula.sample(100), { sampleRows: 500 });
 * verdict.routesAgree?.within; // => true
 * ```
 */
export abstract class Copula implements Disposable {
  /** Which one it is: a `CopulaKind`, `ensemble` or `closed-form`. */
  abstract readonly kind: string;
  /** Columns, at least 2. */
  abstract readonly dim: number;
  /** Whether `logPdf` is the log of a density that integrates to one. */
  abstract readonly normalised: boolean;
  /** What it can do beside drawing rows; that of its kind, unless this one has less. */
  abstract readonly capabilities: CopulaCapabilities;
  /** What else is to be known of the model, such as how its file was read; stored with it. @internal */
  otherNotes: readonly Note[] = [];
  /** @internal Knots of the margin maps, dim x 33, by solver and steps; see `SampleOptions.margins`. */
  readonly knots = new Map<string, Float64Array>();
  /** @internal Nodes of `grid: 'data'`, by solver and steps. */
  readonly grids = new Map<string, Float64Array>();
  /** How its kind was chosen, where it was (`kind: 'auto'` of `fitCopula`); stored with it. */
  selection: Selection | null = null;
  #disposed = false;
  #names: readonly string[] | null = null;
  #margins: TableMargins | null = null;

  /** Names of the columns, where the training rows had names. */
  get names(): readonly string[] | null {
    return this.#names;
  }
  /** @internal */
  set names(names: readonly string[] | null) {
    this.#names = names;
  }

  /** How data become pseudo-observations and back, where the model was fitted from a table. */
  get margins(): TableMargins | null {
    return this.#margins;
  }
  /** @internal */
  set margins(margins: TableMargins | null) {
    this.#margins = margins;
  }

  /**
   * Log density log c(u) of each row, in nats; for a model with `normalised === false` up to an additive constant that
   * is the same for every row, unless asked for with `normalised: true`.
   *
   * @param rows n x dim values strictly between 0 and 1 (or, with `scale: 'gaussian'`, finite)
   * @throws SklarError ERR_SKLAR_SHAPE for a wrong number of columns, ERR_SKLAR_VALUE naming row and column of a value
   *   outside the range, ERR_SKLAR_DIVERGED where methods `ode` and `bound` leave the finite numbers (`ode` with the last
   *   good `state`)
   */
  async logPdf(rows: RowsInput, options: LogPdfOptions = {}): Promise<Float64Array> {
    options = expectOptions(options, 'logPdf', logPdfOptions);
    const run = this.begin(options);
    const gaussian = expectScale(options.scale) === 'gaussian';
    const from = firstRowOf(options);
    const { data, rows: count } = toDense(rows, 'the rows of logPdf', this.dim);
    return this.#inBatches(count, options, run, async (method, first, end) => {
      const part = data.subarray(first * this.dim, end * this.dim);
      const points = { x: part, rows: end - first, fromGaussian: gaussian, firstRow: from + first };
      return (await this.density(method, points, options, run)).logPdf;
    });
  }

  /**
   * What rows of discrete or mixed columns have instead of a density: the log of the density at one level in the columns
   * where lower equals upper, times the probability of the block (lower, upper] in the others, in nats. A probability where
   * every column has a block, `logPdf` where none has.
   *
   * Kinds without a formula average their density over the block, by 32 Gauss nodes in u where it is one, by `cellPoints`
   * points of a fixed rule (Richtmyer's) where it is more.
   *
   * @param lower n x dim, in [0, 1] (or, with `scale: 'gaussian'`, from -Infinity to Infinity)
   * @param upper n x dim, nowhere below `lower`
   * @throws SklarError as `logPdf`
   */
  async logPdfCells(lower: RowsInput, upper: RowsInput, options: LogPdfOptions = {}): Promise<Float64Array> {
    options = expectOptions(options, 'logPdfCells', logPdfOptions);
    if (options.cellPoints !== undefined) expectInteger(options.cellPoints, 'cellPoints', CELL_POINTS_RANGE);
    const run = this.begin(options);
    const gaussian = expectScale(options.scale) === 'gaussian';
    const from = firstRowOf(options);
    const low = toDense(lower, 'the lower ends of logPdfCells', this.dim);
    const high = toDense(upper, 'the upper ends of logPdfCells', this.dim);
    if (low.rows !== high.rows) {
      throw new SklarError(
        'ERR_SKLAR_SHAPE',
        `expected as many upper as lower ends, got ${high.rows} and ${low.rows} rows`,
      );
    }
    try {
      expectCells(low, high, gaussian);
    } catch (error) {
      throw shiftRow(error, from);
    }
    return this.#inBatches(low.rows, options, run, async (method, first, end) => {
      const part = low.data.subarray(first * this.dim, end * this.dim);
      const above = high.data.subarray(first * this.dim, end * this.dim);
      const { cells, points } = splitCells(part, above, this.dim);
      const out = new Float64Array(end - first);
      if (points.length > 0) {
        const x = cells.length === 0 ? part : pickRows(part, points, this.dim);
        const given = { x, rows: points.length, fromGaussian: gaussian, firstRow: from + first };
        const { logPdf } = await this.density(method, given, options, run);
        points.forEach((row, i) => (out[row] = logPdf[i]!));
      }
      if (cells.length > 0) {
        const blocks = {
          lower: pickRows(part, cells, this.dim),
          upper: pickRows(above, cells, this.dim),
          rows: cells.length,
          fromGaussian: gaussian,
        };
        const log = await this.logCells(blocks, { ...options, method }, run);
        cells.forEach((row, i) => (out[row] = log[i]!));
      }
      return out;
    });
  }

  /** Rows in native calls of bounded size, minus the normaliser where it is asked for. */
  async #inBatches(
    rows: number,
    options: LogPdfOptions,
    run: Execution,
    logPdf: (method: LogPdfMethod, first: number, end: number) => Promise<Float64Array>,
  ): Promise<Float64Array> {
    const out = new Float64Array(rows);
    const method = expectOneOf(options.method ?? this.#ownMethod, 'method', this.capabilities.logPdf);
    expectDensityOptions(method, options);
    const logNormaliser =
      options.normalised && method === this.#ownMethod ? await this.ensureLogNormaliser(run) : 0;
    const size = batchRows(this.dim);
    const from = firstRowOf(options);
    for (let first = 0; first < rows; first += size) {
      const end = Math.min(rows, first + size);
      try {
        out.set(await logPdf(method, first, end), first);
      } catch (error) {
        throw shiftRow(error, from + first);
      }
      // what formulas give is impossible at most; a network's density is so nowhere
      const orImpossible = method === 'exact';
      expectFinite(out.subarray(first, end), 1, 'the log density', { first: from + first, orImpossible });
      tell(options.onProgress, { rows, rowsDone: end });
    }
    if (logNormaliser !== 0) out.forEach((value, i) => (out[i] = value - logNormaliser));
    return out;
  }

  /**
   * Log densities of dense rows by one route, without normaliser, and what they cost: one batch of `logPdf`.
   *
   * @param onEvent told the fraction that is done
   * @internal
   */
  async density(
    method: LogPdfMethod,
    points: Points,
    options: FieldDensityOptions,
    run: Execution,
    onEvent?: (fraction: number) => void,
  ): Promise<FieldDensity> {
    if (method === 'ode' || method === 'bound') {
      return fieldLogPdf(fieldOf(this), method, points, options, run, onEvent);
    }
    const logPdf = await this.logPdfRows(points, run);
    tell(onEvent, 1);
    return { logPdf, evaluations: method === 'exact' ? 0 : 1 };
  }

  /**
   * Draws `rows` rows.
   *
   * @returns rows x dim matrix, on the copula scale unless asked otherwise
   * @throws SklarError ERR_SKLAR_VALUE for options the kind does not know, ERR_SKLAR_DIVERGED when the integrator left
   *   the finite numbers, with the last good `state` of the rows that did; where they are rows of the pilot sample that
   *   `margins: 'uniform'` needs, the message says so
   */
  async sample(rows: number, options: SampleOptions = {}): Promise<Matrix> {
    options = expectOptions(options, 'sample', sampleOptions);
    expectInteger(rows, 'the number of rows', { min: 0, max: Math.floor(2 ** 32 / this.dim) });
    const data = new (options.dtype === 'float64' ? Float64Array : Float32Array)(rows * this.dim);
    let done = 0;
    for await (const batch of this.sampleStream(rows, options)) {
      data.set(batch.data, done * this.dim);
      done += batch.rows;
    }
    return matrix(data, rows, this.dim, this.names ?? undefined);
  }

  /** The same rows as `sample`, in batches of at most `batch` (default 65,536), so that memory does not bound them. */
  async *sampleStream(
    rows: number,
    options: SampleOptions & { batch?: number } = {},
  ): AsyncGenerator<Matrix, void> {
    options = expectOptions(options, 'sampleStream', { ...sampleOptions, batch: true });
    const { batch, ...own } = options;
    const run = this.begin(options);
    expectInteger(rows, 'the number of rows', { min: 0 });
    const size = expectInteger(batch ?? BATCH_ROWS, 'batch', { min: 1, max: 2 ** 24 });
    const scale = expectScale(options.scale);
    const dtype = expectDtype(options.dtype);
    const seed = resolveSeed(options.seed ?? 1);
    const firstRow = expectInteger(options.firstRow ?? 0, 'firstRow', { min: 0, max: 2 ** 40 - 1 });
    expectOneOf(options.margins ?? 'uniform', 'margins', ['uniform', 'raw'] as const);
    this.checkSampleOptions(options);
    for (let first = 0; first < rows; first += size) {
      const count = Math.min(size, rows - first);
      const draws = {
        rows: count,
        seed,
        firstRow: BigInt(firstRow + first),
        toGaussian: scale === 'gaussian',
      };
      const values = expectFinite(await this.sampleRows(draws, own, run), this.dim, 'the sample', { first });
      tell(options.onProgress, { rows, rowsDone: first + count });
      yield matrix(
        dtype === 'float64' ? values : toFloat32(values, scale),
        count,
        this.dim,
        this.names ?? undefined,
      );
    }
  }

  /**
   * Draws rows given the values of some columns.
   *
   * @param fixed values by column name or number (from 0), 1 to dim - 1 of them, on `options.scale`
   * @param rows number of rows; all of them are drawn at once
   * @returns rows x dim with the fixed columns in place, and the density of the condition
   * @throws SklarError ERR_SKLAR_VALUE for columns that do not exist, values outside the scale, options that the method
   *   does not have and kinds that cannot, ERR_SKLAR_DIVERGED when the network's values are not finite
   */
  async sampleConditional(
    fixed: Readonly<Record<string | number, number>>,
    rows: number,
    options: ConditionalOptions = {},
  ): Promise<ConditionalSample> {
    options = expectOptions(options, 'sampleConditional', conditionalOptions);
    const values = { ...expectObject(fixed, 'the fixed columns of sampleConditional') };
    const drawn = await this.drawConditional({ fixed: values, rows, options }, this.begin(options));
    expectFinite(drawn.rows.data, this.dim, 'the sample');
    const { logMarginalDensity } = drawn;
    if (logMarginalDensity !== null) {
      expectFinite(Float64Array.of(logMarginalDensity), 1, 'the log density of the condition', {
        orImpossible: true,
      });
    }
    return drawn;
  }

  /**
   * The probability of an event, a function of a row, with its standard error: of rare events, too, where the event says how near a row is to
   * it (docs/mathematics.md, O). The law is that of `sample`.
   *
   * @param event the greater the nearer a row is to the event, at least 0 in it; or whether a row is of the event, which has
   *   no levels between: then rows are drawn and counted. It is given a row of dim numbers on `options.scale`, for the call alone
   * @throws SklarError ERR_SKLAR_VALUE for options, and events that throw or say NaN
   *
   * @example
   * ```ts
   * import { GaussianCopula } from 'sklar';
   *
   * const copula = new GaussianCopula(Float64Array.of(1, 0.5, 0.5, 1), 2);
   * const { probability, standardError } = await copula.probability((u) => Math.min(u[0]!, u[1]!) - 0.999);
   * Math.abs(probability - 5.426e-5) < 4 * standardError; // => true
   * ```
   */
  async probability(
    event: EventOf<Float64Array>,
    options: CopulaEventOptions = {},
  ): Promise<EventProbability> {
    return (await this.#event('probability', event, options).estimate()).event;
  }

  /**
   * Draws rows of an event, a function of a row as in `probability`: independent ones while enough draws are of it, else by its levels.
   *
   * @returns rows x dim on `options.scale`, and the probability of the event
   * @throws SklarError ERR_SKLAR_VALUE as `probability`, and where no row of the event was met
   */
  async sampleWhere(
    event: EventOf<Float64Array>,
    rows: number,
    options: CopulaEventOptions = {},
  ): Promise<{ readonly rows: Matrix; readonly event: EventSample }> {
    expectInteger(rows, 'the number of rows', { min: 1, max: Math.floor(2 ** 26 / this.dim) });
    const { levelsOf, estimate, run, toScale } = this.#event('sampleWhere', event, options);
    const { seed, onProgress } = options;
    const { rows: z, ...sample } = await sampleEvent(rows, {
      dim: this.dim,
      draw: async (count, firstRow) => {
        const scale = { scale: 'gaussian', dtype: 'float64' } as const;
        return (await this.sample(count, { ...run, ...scale, firstRow, seed: seed ?? 1 }))
          .data as Float64Array;
      },
      levelsOf,
      estimate,
      what: 'the event',
      onProgress,
    });
    return { rows: matrix(toScale(z), rows, this.dim, this.names ?? undefined), event: sample };
  }

  #event(what: string, event: EventOf<Float64Array>, given: CopulaEventOptions) {
    const { scale: wanted, ...options } = expectOptions(given, what, copulaEventOptions);
    expectEvent(event, `the event of ${what}`);
    const scale = expectScale(wanted);
    const run = this.begin(options);
    const { dim } = this;
    const toScale = (z: Float64Array) => (scale === 'gaussian' ? z : normalCdf(z));
    const levelsOf: LevelsOf = (z, rows) => {
      const values = toScale(z);
      const row = (i: number) => values.slice(i * dim, (i + 1) * dim);
      return Promise.resolve(
        Float64Array.from({ length: rows }, (_, i) => levelOf(event, row(i), () => `(${row(i).join(', ')})`)),
      );
    };
    return { levelsOf, run, toScale, estimate: () => this.estimateEvent(levelsOf, options) };
  }

  /** @internal The probability of an event by the levels of rows on the Gaussian scale. */
  async estimateEvent(levelsOf: LevelsOf, options: EventOptions): Promise<EventEstimate> {
    return estimateEvent(this.walks(this.begin(options)), levelsOf, options);
  }

  /** @internal The law of `sample`, as a mixture of laws that chains can walk. */
  walks(run: Execution): readonly Walk[] {
    return [densityWalk(this, run)];
  }

  /** Writes one .safetensors file; the old file stays until the new one is complete. */
  async save(path: string): Promise<void> {
    this.expectAlive();
    const { config, training, tensors } = this.fileContent();
    const margins = this.margins?.toTensors();
    for (const [name, data] of Object.entries(margins?.tensors ?? {})) {
      tensors.set(MARGIN_TENSORS + name, { shape: [data.length], data });
    }
    const document: ModelDocument = {
      formatVersion: 1,
      kind: this.kind,
      config,
      columns: this.names,
      margins: margins?.meta ?? null,
      training,
      notes: this.otherNotes,
      ...(this.selection && { selection: { ...this.selection } }),
      libraryVersion: packageVersion(),
    };
    await writeModelFile(path, { document, tensors });
  }

  /** @internal What a file holds of this copula, beside its columns and margins. */
  fileContent(): ModelContent {
    const content = this.toModelContent();
    for (const [key, data] of this.knots) {
      content.tensors.set(`${SAMPLER_TENSORS}${key}`, { shape: [this.dim, data.length / this.dim], data });
    }
    for (const [key, data] of this.grids) {
      content.tensors.set(`${GRID_TENSORS}${key}`, { shape: [data.length], data });
    }
    return content;
  }

  /** @internal Prepares the margins of a solver before its first use; `fitCopula` does it for the default one. */
  async calibrate(options: SampleOptions = {}, run?: Execution): Promise<void> {
    options = expectOptions(options, 'calibrate', sampleOptions);
    await this.sampleRows({ rows: 0, ...FIRST_DRAWS }, options, run ?? this.begin(options));
  }

  /** @internal The margin maps of an integrator, from a pilot sample of it when they are not there yet. */
  protected async marginMaps(
    key: string,
    run: Execution,
    pilot: (rows: number, seed: bigint) => Promise<Float64Array>,
  ): Promise<Float64Array> {
    const known = this.knots.get(key);
    if (known) return known;
    const most = this.knots.size === 0 ? PILOT_ROWS : OTHER_PILOT_ROWS;
    const rows = Math.max(4096, Math.min(most, Math.floor(PILOT_VALUES / this.dim)));
    const sample = await pilot(rows, PILOT_SEED);
    const knots = await runJob((addon) => addon.marginKnots(sample, rows, this.dim), { signal: run.signal });
    this.knots.set(key, knots);
    return knots;
  }

  /** @internal Rows from the reference to data through the field, with margins as asked for. */
  protected async sampleField(
    wanted: ResolvedIntegration,
    draws: Draws,
    options: SampleOptions & { start?: Float64Array | null; mapped?: boolean },
    run: Execution,
  ): Promise<Float64Array> {
    const field = fieldOf(this);
    const handle = field.fieldHandle();
    const plan = await onGrid(field, wanted, run);
    const start = options.start ?? null;
    const integrate = async (what: Draws, marginMaps: Float64Array | null) => {
      const { values } = await runJob(
        (addon) =>
          addon.fieldSample(handle, {
            ...plan,
            ...what,
            fromGaussian: true,
            device: run,
            start,
            marginMaps,
          }),
        { signal: run.signal },
      );
      return values;
    };
    // A transport of given rows is the integrator's own map, unless these stand for random ones.
    const maps =
      options.margins === 'raw' || (start && !options.mapped)
        ? null
        : await this.marginMaps(plan.key, run, (rows, seed) =>
            integrate({ rows, seed, firstRow: 0n, toGaussian: true }, null).catch((error: unknown) => {
              throw ofPilot(error, draws.toGaussian);
            }),
          );
    return integrate(draws, maps);
  }

  /** @internal This copula, where its density has an estimated normaliser; null: it needs none, or has no density. */
  get normalisable(): Normalisable | null {
    return null;
  }

  /**
   * What can be checked about this model without knowing the truth: its normaliser, how far the routes to its log density
   * agree on the rows (docs/mathematics.md, D), and how uniform the margins of its samples are. The normaliser of a CDC is
   * estimated when the model has none, and kept in it. A route or sampler that leaves the finite numbers is reported as
   * failed, with the reason; the others go on.
   *
   * @param rows n x dim, at least two, best rows that the model has not seen
   * @returns one object that JSON can write
   * @throws SklarError ERR_SKLAR_VALUE naming row and column of a value outside the scale, ERR_SKLAR_SHAPE for a wrong
   *   number of rows or columns
   */
  async certify(rows: RowsInput, options: CertificateOptions = {}): Promise<Certificate> {
    options = expectOptions(options, 'certify', certificateOptions);
    return certificateOf(this, rows, options, this.begin(options));
  }

  /** @internal What another fit can start from; null: there is no network. */
  get networkStart(): NetworkStart | null {
    return null;
  }

  /** What the model is and how it was fitted. */
  info(): ModelInfo {
    const { kind, dim, normalised, names } = this;
    const { selection } = this;
    return { kind, dim, normalised, columns: names, ...this.description(), ...(selection && { selection }) };
  }

  /** What was decided when it was fitted. */
  get notes(): readonly Note[] {
    return notesOf((this.info().training as { notes?: unknown } | null)?.notes);
  }

  /** These, those of its margins, and `otherNotes`: all that there is to say. */
  get allNotes(): readonly Note[] {
    return [...this.otherNotes, ...(this.margins?.notes ?? []), ...this.notes];
  }

  /** Lets go of native memory; every later call rejects with ERR_SKLAR_DISPOSED. */
  dispose(): void {
    this.#disposed = true;
    this.release();
  }
  [Symbol.dispose](): void {
    this.dispose();
  }

  /** @internal The log normaliser of the density that logPdfRows gives, estimated when it is not known yet. */
  protected ensureLogNormaliser(_run: Execution): Promise<number> {
    return Promise.resolve(0);
  }
  /**
   * Rows of `logPdfCells` that have a block, without normaliser. Kinds that know the probability of a block have their own.
   *
   * @param options with the method that was decided on
   * @internal
   */
  protected logCells(
    { lower, upper, fromGaussian }: Blocks,
    options: LogPdfOptions,
    run: Execution,
  ): Promise<Float64Array> {
    const count = options.cellPoints ?? CELL_POINTS;
    const method = options.method ?? this.#ownMethod;
    return integrateCells(lower, upper, this.dim, fromGaussian, count, BATCH_ROWS, async (z, rows) => {
      const points = { x: z, rows, fromGaussian: true, firstRow: 0 };
      return (await this.density(method, points, options, run)).logPdf;
    });
  }
  /** @internal */
  protected abstract logPdfRows(points: Points, run: Execution): Promise<Float64Array>;
  /** @internal */
  protected abstract sampleRows(draws: Draws, options: SampleOptions, run: Execution): Promise<Float64Array>;
  /** @internal `sampleConditional` of kinds that have it. */
  protected drawConditional(_request: ConditionalRequest, _run: Execution): Promise<ConditionalSample> {
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      `a ${this.kind} copula cannot be sampled given some columns, since no stochastic steps of its process are known: ` +
        "use a copula of kind 'cdc', 'potential', 'reflection', 'flow' with process 'ou', or a classical one",
    );
  }
  /** @internal Options that this kind cannot honour are errors, before any work. */
  abstract checkSampleOptions(options: SampleOptions): void;
  /** @internal */
  protected abstract description(): Pick<ModelInfo, 'parameters' | 'config' | 'training'>;
  /** @internal */
  protected abstract toModelContent(): ModelContent;
  /** @internal */
  protected abstract release(): void;

  /** @internal Whether it is one that a constructor made. */
  static is(value: unknown): value is Copula {
    return typeof value === 'object' && value !== null && #disposed in value;
  }

  get #ownMethod(): LogPdfMethod {
    return this.capabilities.logPdf[0]!;
  }
  /** @internal @throws SklarError ERR_SKLAR_DISPOSED */
  expectAlive(): void {
    if (this.#disposed) throw new SklarError('ERR_SKLAR_DISPOSED', `this ${this.kind} copula was disposed`);
  }
  /** @internal Checks what every run has: the model still there, no abort yet, a device that can do it. */
  protected begin(options: RunOptions): Execution {
    this.expectAlive();
    return beginRun(options, this.capabilities.cpuOnly);
  }
}

/**
 * Whether a copula has a field, so that `integrate` takes it; see `CopulaCapabilities.field`.
 *
 * @example
 * ```ts
 * import { FamilyCopula, GaussianCopula, hasField } from 'sklar';
 *
 * hasField(new GaussianCopula(Float64Array.of(1, 0.7, 0.7, 1), 2)); // => true
 * hasField(new FamilyCopula('clayton', { theta: 2 })); // => false
 * ```
 */
export function hasField(copula: Copula): copula is Copula & HasField {
  return expectCopula(copula, 'hasField').capabilities.field;
}

/** Returns `value` if it is a copula; throws ERR_SKLAR_VALUE naming `what` otherwise. */
export function expectCopula(value: Copula, what: string): Copula {
  if (Copula.is(value)) return value;
  throw new SklarError('ERR_SKLAR_VALUE', `expected a copula for ${what}, got ${describe(value)}`);
}

function fieldOf(copula: Copula): HasField {
  if (hasField(copula)) return copula;
  throw new SklarError(
    'ERR_SKLAR_VALUE',
    `expected a copula that has a field, got ${withArticle(copula.kind)}`,
  );
}

/** The number of the first row. @throws SklarError ERR_SKLAR_VALUE */
export function firstRowOf({ firstRow }: { readonly firstRow?: number | undefined }): number {
  return expectInteger(firstRow ?? 0, 'firstRow', { min: 0, max: 2 ** 40 - 1 });
}

/** Row numbers of a part count within it; messages must count within the caller's rows. */
export function shiftRow(error: unknown, first: number): unknown {
  if (!(error instanceof SklarError) || first === 0 || error.state) return error;
  // not in names, which are in quotes
  const message = error.message.replace(/"(?:[^"\\]|\\.)*"|\brow (\d+)/g, (text, row?: string) =>
    row === undefined ? text : `row ${Number(row) + first}`,
  );
  return new SklarError(error.code, message, { cause: error });
}

/** A pilot sample is on the Gaussian scale; a state must be on that of the call. */
function ofPilot(error: unknown, toGaussian: boolean): unknown {
  if (!(error instanceof SklarError) || !error.state) return error;
  const { values } = error.state;
  const data = Float64Array.from(values.data);
  return new SklarError(error.code, `the pilot sample for uniform margins failed: ${error.message}`, {
    cause: error,
    state: {
      ...error.state,
      values: toGaussian ? values : matrix(normalCdf(data), values.rows, values.columns),
    },
  });
}
