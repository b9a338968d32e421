/** Dependence measures of rows and of copulas: docs/mathematics.md, section E. */
import { type Copula, hasField, expectCopula } from '../copulas/copula';
import { expectColumns } from '../copulas/correlation/correlation';
import { type RowsInput, type Scale, expectScale, takeColumns, toDense } from '../copulas/inputs/rows';
import { type RunOptions, beginRun, runOptions } from '../copulas/inputs/run';
import { type Matrix, matrix, pickRows } from '../matrix';
import { type Seed, resolveSeed } from '../data/random';
import { type Weights, resolveWeights } from '../data/weights';
import {
  type OptionNames,
  SklarError,
  describe,
  expectInteger,
  expectNumber,
  expectOptions,
  expectList,
} from '../errors';
import { type NativeAddon, type NativeJob, runJob } from '../native';
import { type MeanOfRows, meanOf } from '../mean';
import { expectRows, nameOf } from './rows';

/** Of measures of rows. */
const RANKS_ON_CPU = 'ranks are counted on the CPU';

/** Of measures of rows. */
export interface MeasureOptions extends RunOptions {
  /**
   * Of the rows: finite, not negative, not all 0, in any unit. A row of weight k counts as k equal ones, of weight 0 not at all. Default:
   * all count alike.
   */
  weights?: Weights | undefined;
}

const measureOptions: OptionNames<MeasureOptions> = { ...runOptions, weights: true };

/** The rows that have a weight, and what native code takes for the weights. */
function countedRows(input: RowsInput, what: string, given: Weights | undefined) {
  const all = expectRows(input, what);
  if (given === undefined) return { ...all, weights: null };
  const { kept, weights } = resolveWeights(given, all.rows);
  const rows = kept ? { ...all, data: pickRows(all.data, kept, all.columns), rows: kept.length } : all;
  if (rows.rows < 2) {
    throw new SklarError(
      'ERR_SKLAR_SHAPE',
      `expected at least 2 rows with a weight for ${what}, got ${rows.rows}`,
    );
  }
  return { ...rows, weights: weights && weights.each };
}

async function pairMeasure(
  name: string,
  input: RowsInput,
  { weights: given, ...options }: MeasureOptions,
  start: (
    addon: NativeAddon,
    x: Float64Array,
    rows: number,
    dim: number,
    threads: number,
    weights: Float64Array | null,
  ) => NativeJob<Float64Array>,
): Promise<Matrix> {
  options = expectOptions(options, name, runOptions);
  const run = beginRun(options, RANKS_ON_CPU);
  const { data, rows, columns, names, weights } = countedRows(input, `the rows of ${name}`, given);
  const values = await runJob((addon) => start(addon, data, rows, columns, run.threads, weights), {
    signal: run.signal,
  });
  for (let j = 0; j < columns; j++) {
    if (Number.isNaN(values[j * (columns + 1)])) {
      throw new SklarError(
        'ERR_SKLAR_VALUE',
        `expected columns that vary for ${name}, but column ${nameOf(names, j)} is constant`,
      );
    }
  }
  return matrix(values, columns, columns, names);
}

/**
 * Kendall's tau of every pair of columns, with ties as tau-b, in O(n log n) a pair (Knight, 1966).
 *
 * @param rows any finite values: only their order within a column matters
 * @returns columns x columns, symmetric
 * @throws SklarError ERR_SKLAR_VALUE naming a column that is constant or a value that is not finite
 *
 * @example
 * ```ts
 * import { kendall, toRows } from 'sklar';
 *
 * toRows(await kendall([[1, 2], [2, 1], [3, 3]])); // => [[1, 0.333], [0.333, 1]]
 * ```
 */
export async function kendall(rows: RowsInput, options: MeasureOptions = {}): Promise<Matrix> {
  expectOptions(options, 'kendall', measureOptions);
  return pairMeasure('kendall', rows, options, (addon, ...rest) => addon.kendallTau(...rest));
}

/**
 * Spearman's rho of every pair of columns: the correlation of ranks, ties at their mean rank (docs/mathematics.md, E). See `kendall`.
 *
 * @returns columns x columns, symmetric
 * @throws SklarError as `kendall`
 *
 * @example
 * ```ts
 * import { spearman, toRows } from 'sklar';
 *
 * toRows(await spearman([[1, 2], [2, 1], [3, 3]])); // => [[1, 0.5], [0.5, 1]]
 * ```
 */
export async function spearman(rows: RowsInput, options: MeasureOptions = {}): Promise<Matrix> {
  expectOptions(options, 'spearman', measureOptions);
  return pairMeasure('spearman', rows, options, (addon, ...rest) => addon.spearmanRho(...rest));
}

/**
 * Blomqvist's beta of every pair of columns: P(same side of the medians) - P(different sides) (docs/mathematics.md, E). See `kendall`.
 *
 * @returns columns x columns, symmetric
 * @throws SklarError as `kendall`
 *
 * @example
 * ```ts
 * import { blomqvist, toRows } from 'sklar';
 *
 * toRows(await blomqvist([[1, 1], [2, 2], [3, 4], [4, 3]])); // => [[1, 1], [1, 1]]
 * ```
 */
export async function blomqvist(rows: RowsInput, options: MeasureOptions = {}): Promise<Matrix> {
  expectOptions(options, 'blomqvist', measureOptions);
  return pairMeasure('blomqvist', rows, options, (addon, ...rest) => addon.blomqvistBeta(...rest));
}

/** How often two columns are extreme together. */
export interface TailCurves {
  /** The levels. */
  readonly q: readonly number[];
  /** lambda_L(q) = P(u_i < q, u_j < q) / q: one columns x columns matrix for each q. */
  readonly lower: readonly Matrix[];
  /** Binomial standard errors, from (count + 1) / (rows + 2), so that an empty corner has one too. */
  readonly lowerError: readonly Matrix[];
  /** lambda_U(q) = P(u_i > q, u_j > q) / (1 - q). */
  readonly upper: readonly Matrix[];
  /** As `lowerError`. */
  readonly upperError: readonly Matrix[];
}

/**
 * How often two columns are extreme together, with u the ranks of the rows: 1 - q (upper) or q (lower) for independent
 * columns, 1 for comonotone ones, never more. Of a block of equal values that a level divides, each row counts with the share
 * of the block that is beyond it, as if equal values were ordered at random in each column. As q tends to 1 (0) the curve tends to the coefficient of tail dependence.
 *
 * @param options.q levels strictly between 0 and 1
 * @throws SklarError as `kendall`; ERR_SKLAR_VALUE for levels outside (0, 1)
 *
 * @example
 * ```ts
 * import { StudentCopula, tailCurves } from 'sklar';
 *
 * const rows = await new StudentCopula(Float64Array.of(1, 0.7, 0.7, 1), 2, 4).sample(1000);
 * const { upper, upperError } = await tailCurves(rows, { q: [0.9, 0.95] });
 * upper[0]!.data[1]! > 0.3; // => true
 * ```
 */
export async function tailCurves(
  rows: RowsInput,
  options: MeasureOptions & { q: readonly number[] },
): Promise<TailCurves> {
  options = expectOptions(options, 'tailCurves', { ...measureOptions, q: true });
  const { device, precision, threads, signal, weights: given } = options;
  const run = beginRun({ device, precision, threads, signal }, RANKS_ON_CPU);
  if (!Array.isArray(options.q) || options.q.length === 0) {
    throw new SklarError('ERR_SKLAR_VALUE', `expected a list of levels for q, got ${describe(options.q)}`);
  }
  const q = options.q.map((level: unknown) => expectNumber(level, 'a level q', { above: 0, below: 1 }));
  const { data, rows: count, columns, names, weights } = countedRows(rows, 'the rows of tailCurves', given);
  const curves = await runJob(
    (addon) => addon.tailCurves(data, count, columns, Float64Array.from(q), run.threads, weights),
    { signal: run.signal },
  );
  const split = (values: Float64Array) =>
    q.map((_, k) => matrix(values.slice(k * columns ** 2, (k + 1) * columns ** 2), columns, columns, names));
  return {
    q,
    lower: split(curves.lower),
    lowerError: split(curves.lowerError),
    upper: split(curves.upper),
    upperError: split(curves.upperError),
  };
}

/** How it is estimated. */
export interface TotalCorrelationOptions extends MeasureOptions {
  /** The scale of the rows; default `copula`. */
  scale?: Scale;
  /** How often the field is looked at for each row, default 8: draws of a time and a noise, two evaluations each. */
  draws?: number;
  /** Of the noise; default 1. */
  seed?: Seed;
}

const totalCorrelationOptions: OptionNames<TotalCorrelationOptions> = {
  ...measureOptions,
  scale: true,
  draws: true,
  seed: true,
};

/** Two estimates of E log c, in nats. */
export interface TotalCorrelation {
  /** Mean of `logPdf` over the rows; off by the normaliser where `normalised` is false. */
  readonly logDensity: MeanOfRows & { readonly normalised: boolean };
  /**
   * Mean of E[2 <G, g*> - |G|^2] over the rows, noise and times: the total correlation of the rows' distribution if the
   * field is exact, less than it by the integral of E|error|^2 if it is learned. Null: a kind that has no field.
   */
  readonly fieldBound: MeanOfRows | null;
}

/**
 * Total correlation E log c, in nats, of the distribution that the rows come from as the copula sees it, by two
 * independent estimators (docs/mathematics.md, E): the mean log density, and an integral of the field along the process
 * that needs no normaliser and no divergence (D.3). Rows that the copula was trained on flatter it.
 *
 * @param rows n x dim
 * @throws SklarError ERR_SKLAR_SHAPE for fewer than two rows; as `Copula.logPdf`
 *
 * @example
 * ```ts
 * import { GaussianCopula, totalCorrelation } from 'sklar';
 *
 * const copula = new GaussianCopula(Float64Array.of(1, 0.7, 0.7, 1), 2);
 * const u = await copula.sample(2000, { seed: 1 });
 * const { logDensity, fieldBound } = await totalCorrelation(copula, u);
 * logDensity.mean - fieldBound!.mean < 0.1; // => true
 * ```
 */
export async function totalCorrelation(
  copula: Copula,
  rows: RowsInput,
  options: TotalCorrelationOptions = {},
): Promise<TotalCorrelation> {
  options = expectOptions(options, 'totalCorrelation', totalCorrelationOptions);
  const { device, precision, threads, signal, weights } = options;
  const run = beginRun(
    { device, precision, threads, signal },
    expectCopula(copula, 'totalCorrelation').capabilities.cpuOnly,
  );
  const scale = expectScale(options.scale);
  const seed = resolveSeed(options.seed ?? 1);
  const draws = expectInteger(options.draws ?? 8, 'draws', {
    min: 1,
    max: 65536,
  });
  const dense = toDense(rows, 'the rows of totalCorrelation', copula.dim);
  if (dense.rows < 2) {
    throw new SklarError(
      'ERR_SKLAR_SHAPE',
      `expected at least 2 rows for totalCorrelation, got ${dense.rows}`,
    );
  }
  const values = await copula.logPdf(dense, { ...run, scale });
  const mean = (of: Float64Array) => meanOf(of, undefined, 'rows', weights);
  const logDensity = { ...mean(values), normalised: copula.normalised };
  if (!hasField(copula)) return { logDensity, fieldBound: null };
  const bound = await runJob(
    (addon) =>
      addon.fieldBound(
        copula.fieldHandle(),
        dense.data,
        scale === 'gaussian',
        dense.rows,
        draws,
        seed,
        0n,
        run,
      ),
    { signal: run.signal },
  );
  return { logDensity, fieldBound: mean(bound) };
}

/** Which blocks of columns, and what is known of them. */
export interface MutualInformationOptions extends MeasureOptions {
  /** Columns of the first block, counted from 0. */
  a: readonly number[];
  /** Columns of the second block; default: all others. */
  b?: readonly number[];
  /**
   * Copulas of the columns of a and of b, in their order, where the copula does not know its marginals: fit them to the
   * same training rows. Null for a block of one column, or of independent ones.
   */
  marginals?: readonly [Copula | null, Copula | null];
  /** The scale of the rows; default `copula`. */
  scale?: Scale;
}

const mutualInformationOptions: OptionNames<MutualInformationOptions> = {
  ...measureOptions,
  a: true,
  b: true,
  marginals: true,
  scale: true,
};

/**
 * Mutual information of two blocks of columns, in nats: I(A;B) = E[log c_AB - log c_A - log c_B], the mean over the rows.
 * A Gaussian, Student or closed-form copula knows its marginals; for other kinds give `marginals`, and a and b must together be all
 * columns. Normalisers of densities that are not normalised stay in the result.
 *
 * @param rows n x dim, as the copula takes them
 * @throws SklarError ERR_SKLAR_VALUE for blocks that overlap or whose copulas are not known; as `Copula.logPdf`
 *
 * @example
 * ```ts
 * import { GaussianCopula, mutualInformation } from 'sklar';
 *
 * const copula = new GaussianCopula(Float64Array.of(1, 0.7, 0.7, 1), 2);
 * const u = await copula.sample(2000, { seed: 1 });
 * const { mean } = await mutualInformation(copula, u, { a: [0], b: [1] });
 * mean; // near -log(1 - 0.7^2) / 2 = 0.337
 * ```
 */
export async function mutualInformation(
  copula: Copula,
  rows: RowsInput,
  options: MutualInformationOptions,
): Promise<MeanOfRows> {
  options = expectOptions(options, 'mutualInformation', mutualInformationOptions);
  const { device, precision, threads, signal, weights } = options;
  beginRun(
    { device, precision, threads, signal },
    expectCopula(copula, 'mutualInformation').capabilities.cpuOnly,
  );
  const { marginals } = options;
  if (marginals !== undefined && expectList(marginals, 'marginals').length !== 2) {
    throw new SklarError('ERR_SKLAR_SHAPE', `expected two copulas for marginals, got ${marginals.length}`);
  }
  marginals?.forEach((one) => one !== null && expectCopula(one, 'marginals'));
  const scale = expectScale(options.scale);
  const a = expectColumns(options.a, 'block a', copula.dim, 1);
  const others = Array.from({ length: copula.dim }, (_, i) => i).filter((i) => !a.includes(i));
  const b = expectColumns(options.b ?? others, 'block b', copula.dim, 1);
  const shared = b.find((column) => a.includes(column));
  if (shared !== undefined) {
    throw new SklarError('ERR_SKLAR_VALUE', `expected blocks without common columns, got ${shared} in both`);
  }
  const dense = toDense(rows, 'the rows of mutualInformation', copula.dim);
  const all = [...a, ...b];
  const knows = knowsMarginals(copula);
  const marginal = (columns: readonly number[]): Copula | null =>
    knows && columns.length > 1 ? copula.marginal(columns) : null;
  if (!knows && !marginals && (a.length > 1 || b.length > 1)) {
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      `expected the copulas of both blocks as marginals: a ${copula.kind} copula does not know its own`,
    );
  }
  const whole = all.length === copula.dim;
  if (!knows && !whole) {
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      `expected blocks that make up all ${copula.dim} columns of a ${copula.kind} copula, got ${all.length}`,
    );
  }
  const blocks = [
    { sign: 1, columns: whole ? null : all, model: whole ? copula : marginal(all) },
    { sign: -1, columns: a, model: marginals ? marginals[0] : marginal(a) },
    { sign: -1, columns: b, model: marginals ? marginals[1] : marginal(b) },
  ];
  const total = new Float64Array(dense.rows);
  for (const { sign, columns, model } of blocks) {
    if (!model) continue;
    const part = columns ? takeColumns(dense, columns) : dense;
    const where = model.capabilities.cpuOnly === null ? { device, precision } : {};
    const values = await model.logPdf(part, { ...where, threads, signal, scale });
    values.forEach((value, i) => (total[i]! += sign * value));
  }
  return meanOf(total, undefined, 'rows', weights);
}

/** Copulas that give those of some of their columns, null for independent ones. */
function knowsMarginals(
  copula: Copula,
): copula is Copula & { marginal(columns: readonly number[]): Copula | null } {
  return copula.capabilities.marginal;
}
