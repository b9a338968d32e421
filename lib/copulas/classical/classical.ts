import { type Points } from '../fields/field-density';
import { type Matrix, matrix } from '../../matrix';
import { type RunRecord } from '../../devices';
import { type OptionNames, SklarError, expectInteger, expectOptions } from '../../errors';
import { type ClassicalDefinition, callNative, runJob } from '../../native';
import {
  Copula,
  type LogPdfOptions,
  type SampleOptions,
  type Blocks,
  type ConditionalRequest,
  type Draws,
  type TrainingRecord,
  logPdfOptions,
} from '../copula';
import { type RowsInput, type Scale, expectScale, toDense } from '../inputs/rows';
import { type Execution, type RunOptions, runOptions } from '../inputs/run';
import { type Walk, transportWalk } from '../events/walk';
import { type CopulaCapabilities } from '../fields/capabilities';
import {
  type ConditionalSample,
  conditionalRows,
  exactConditional,
  exactConditionalOptions,
} from '../fields/smc';
import { solverOptionKeys } from '../fields/solvers';
import { type ClassicalKind, capabilitiesOf } from './families';
import { tell } from '../../tell';

/** Coefficients of tail dependence of two columns in the four corners: of the first column, then the second. */
export interface TailDependence {
  /** Both low. */
  readonly lowerLower: number;
  /** The first low, the second high. */
  readonly lowerUpper: number;
  /** The first high, the second low. */
  readonly upperLower: number;
  /** Both high. */
  readonly upperUpper: number;
}

/** How conditional distributions are computed. */
export interface ScaleOptions extends RunOptions {
  /** The scale of the rows and of the values; default `copula`. */
  scale?: Scale;
}

const scaleOptions: OptionNames<ScaleOptions> = { ...runOptions, scale: true };

type Corners = [number, number, number, number];

/** What a fit tells of itself; stored with the model. */
export interface ClassicalTraining extends RunRecord {
  /** Training rows. */
  readonly rows: number;
  /** What the estimates are of: `tau` also where it took the place of `mle` (docs/mathematics.md, M.5). */
  readonly method: 'mle' | 'tau';
  /** Of the training rows, in nats. */
  readonly logLikelihood: number;
  /**
   * By name of the parameter, for rows of ranks. `mle`: those of the pseudo-likelihood (Genest, Ghoudi and Rivest, 1995); `tau`:
   * from the asymptotic variance of Kendall's tau. Null at a bound, where ranks blur the dependence, and where there is none.
   */
  readonly standardErrors: Readonly<Record<string, number | null>> | null;
}

/**
 * A copula with a formula for everything (docs/mathematics.md, M): what all kinds have, and conditional distributions,
 * dependence and fit.
 *
 * @example
 * ```ts
 * import { FamilyCopula, type ClassicalCopula } from 'sklar';
 *
 * const copula: ClassicalCopula = new FamilyCopula('gumbel', { theta: 2 });
 * copula.tau(); // => 0.5
 * copula.tailDependence().upperUpper; // => 0.586
 * await copula.hfunc1([[0.5, 0.5]]); // => [0.531]
 * await copula.cdf([[0.5, 0.5]]); // => [0.375]
 * ```
 */
export abstract class ClassicalCopula extends Copula {
  abstract override readonly kind: ClassicalKind;
  readonly normalised = true;
  get capabilities(): CopulaCapabilities {
    return capabilitiesOf(this.kind);
  }
  /** By name. Correlations are `rho` of two columns, `rho(1,2)`, .. of more. */
  abstract readonly parameters: Readonly<Record<string, number>>;
  /** @internal */
  protected abstract readonly training: TrainingRecord | null;
  /** @internal As the native code takes it. */
  protected abstract definition(): ClassicalDefinition;
  /** @internal That of two or more different columns in the order given. */
  protected abstract definitionOf(columns: readonly number[]): ClassicalDefinition;

  /** @internal */
  protected logPdfRows({ x, rows, fromGaussian }: Points, run: Execution): Promise<Float64Array> {
    return runJob((addon) => addon.classicalLogPdf(this.definition(), x, fromGaussian, rows, run.threads), {
      signal: run.signal,
    });
  }

  /** @internal */
  protected sampleRows(
    { rows, seed, firstRow, toGaussian }: Draws,
    _options: SampleOptions,
    run: Execution,
  ): Promise<Float64Array> {
    return runJob(
      (addon) => addon.classicalSample(this.definition(), rows, seed, firstRow, toGaussian, run.threads),
      { signal: run.signal },
    );
  }

  /** @internal By the inverse Rosenblatt transform, which forgets far tails that depend; a mixture of many kernels has none that is cheap. */
  override walks(run: Execution): readonly Walk[] {
    if (this.kind === 'empirical-beta') return super.walks(run);
    const rowsOf = (states: Float64Array, rows: number) =>
      runJob((addon) => addon.classicalRosenblatt(this.definition(), states, true, true, rows, run.threads), {
        signal: run.signal,
      });
    return [transportWalk(this.dim, null, rowsOf, run)];
  }

  /** Density of each row; see `logPdf`. */
  async pdf(rows: RowsInput, options: LogPdfOptions = {}): Promise<Float64Array> {
    options = expectOptions(options, 'pdf', logPdfOptions);
    return (await this.logPdf(rows, options)).map(Math.exp);
  }

  /**
   * C(u) of each row. Of Gaussian and Student copulas of more than three columns a randomised quasi-Monte Carlo estimate, see
   * `cdfWithErrors`.
   *
   * @param rows n x dim values in [0, 1]
   * @throws SklarError ERR_SKLAR_VALUE for values outside, and more than 20 columns of an Archimedean copula rotated by 180
   */
  async cdf(rows: RowsInput, options: RunOptions = {}): Promise<Float64Array> {
    options = expectOptions(options, 'cdf', runOptions);
    return (await this.cdfWithErrors(rows, options)).values;
  }

  /**
   * `cdf` with standard errors, 0 where the value is exact to rounding: in two and three columns, and of Archimedean and
   * empirical copulas. The estimate is that of Genz (1992) and Genz and Bretz (2002), with a relative error of about 1e-6
   * wherever 200,000 points suffice; the same rows give the same bits.
   */
  async cdfWithErrors(
    rows: RowsInput,
    options: RunOptions = {},
  ): Promise<{ values: Float64Array; standardErrors: Float64Array }> {
    options = expectOptions(options, 'cdfWithErrors', runOptions);
    const run = this.begin(options);
    const { data, rows: count } = this.#closedRows(rows, 'the rows of cdf');
    const both = await runJob((addon) => addon.classicalCdf(this.definition(), data, count, run.threads), {
      signal: run.signal,
    });
    return { values: both.slice(0, count), standardErrors: both.slice(count) };
  }

  /**
   * Log density in the columns where lower equals upper, times the probability of the cell of the others: exact of two columns,
   * of Archimedean copulas, and of Gaussian and Student copulas with one or two cells in a row; of more to 1e-3 up to about ten
   * cells, .02 at 30, .5 at 100; of more than 16 wide cells in a row of Archimedean ones to 1e-3 (docs/mathematics.md, M.7).
   *
   * @throws SklarError ERR_SKLAR_DIVERGED where an integral is not found to eight digits; it names family and parameters
   * @internal
   */
  protected override logCells(
    { lower, upper, rows, fromGaussian }: Blocks,
    _options: LogPdfOptions,
    run: Execution,
  ): Promise<Float64Array> {
    return runJob(
      (addon) => addon.classicalLogCells(this.definition(), lower, upper, fromGaussian, rows, run.threads),
      { signal: run.signal },
    );
  }

  /**
   * P(U2 <= u2 | U1 = u1) of rows (u1, u2) in [0, 1], with its limits at the sides; two columns. With `scale: 'gaussian'` rows and
   * values are scores z, standing for the levels Phi(z), and may be infinite.
   *
   * @throws SklarError ERR_SKLAR_VALUE for values outside
   */
  hfunc1(rows: RowsInput, options: ScaleOptions = {}): Promise<Float64Array> {
    return this.#pair('hfunc1', rows, options);
  }
  /** P(U1 <= u1 | U2 = u2) of rows (u1, u2); see `hfunc1`. */
  hfunc2(rows: RowsInput, options: ScaleOptions = {}): Promise<Float64Array> {
    return this.#pair('hfunc2', rows, options);
  }
  /** The u2 with hfunc1(u1, u2) = p, of rows (u1, p). */
  hinv1(rows: RowsInput, options: ScaleOptions = {}): Promise<Float64Array> {
    return this.#pair('hinv1', rows, options);
  }
  /** The u1 with hfunc2(u1, u2) = p, of rows (p, u2). */
  hinv2(rows: RowsInput, options: ScaleOptions = {}): Promise<Float64Array> {
    return this.#pair('hinv2', rows, options);
  }

  /** e_j = P(U_j <= u_j | U_1 .. U_(j-1)) of each row: independent and uniform if the rows come from this copula. */
  rosenblatt(rows: RowsInput, options: RunOptions = {}): Promise<Matrix> {
    return this.#transform('rosenblatt', rows, options);
  }
  /** The rows whose `rosenblatt` is given. */
  inverseRosenblatt(rows: RowsInput, options: RunOptions = {}): Promise<Matrix> {
    return this.#transform('inverseRosenblatt', rows, options);
  }

  /** Kendall's tau of two columns, counted from 0. */
  tau(i = 0, j = 1): number {
    return this.#dependence(i, j).tau;
  }

  /** Limits of P(both extreme) / P(one extreme) in the corners. */
  tailDependence(i = 0, j = 1): TailDependence {
    const [lowerLower, lowerUpper, upperLower, upperUpper] = [...this.#dependence(i, j).tails] as Corners;
    return i < j
      ? { lowerLower, lowerUpper, upperLower, upperUpper }
      : { lowerLower, lowerUpper: upperLower, upperLower: lowerUpper, upperUpper };
  }

  /** Of the training rows, in nats; null for a copula that was not fitted. */
  get logLikelihood(): number | null {
    return this.#fit()?.logLikelihood ?? null;
  }
  /** 2 k - 2 log L with k parameters; null for a copula that was not fitted, or without a likelihood to maximise. */
  get aic(): number | null {
    const fit = this.#fit();
    return fit && 2 * this.info().parameters - 2 * fit.logLikelihood;
  }
  /** k log n - 2 log L; null like `aic`. */
  get bic(): number | null {
    const fit = this.#fit();
    return fit && Math.log(fit.rows) * this.info().parameters - 2 * fit.logLikelihood;
  }
  /** See `ClassicalTraining`. */
  get standardErrors(): Readonly<Record<string, number | null>> | null {
    return this.#fit()?.standardErrors ?? null;
  }

  /** @internal Method `exact`: independent draws, and the density of the condition without error. */
  protected override async drawConditional(
    { fixed, rows, options }: ConditionalRequest,
    run: Execution,
  ): Promise<ConditionalSample> {
    const { condition, seed } = exactConditionalOptions(fixed, rows, options, this.names, this.dim);
    const { values: given } = condition;
    const columns = Array.from(condition.columns);
    const order = [
      ...columns,
      ...Array.from({ length: this.dim }, (_, j) => j).filter((j) => !columns.includes(j)),
    ];
    const drawn = await runJob(
      (addon) => addon.classicalConditional(this.definitionOf(order), given, rows, seed, run.threads),
      { signal: run.signal },
    );
    const values = new Float64Array(drawn.length);
    drawn.forEach((value, at) => {
      const j = at % this.dim;
      values[at - j + order[j]!] = value;
    });
    const logMarginal =
      columns.length === 1
        ? 0
        : await runJob(
            (addon) => addon.classicalLogPdf(this.definitionOf(columns), given, true, 1, run.threads),
            { signal: run.signal },
          ).then(([value]) => value!);
    tell(options.onProgress, { fraction: 1 });
    return exactConditional(conditionalRows(values, condition, this.names, this.dim), logMarginal);
  }

  /** @internal */
  checkSampleOptions(options: SampleOptions): void {
    for (const key of solverOptionKeys) {
      if (options[key] !== undefined) {
        throw new SklarError(
          'ERR_SKLAR_VALUE',
          `a ${this.kind} copula is sampled directly: it has no solver, steps or noise, got ${key}`,
        );
      }
    }
  }

  /** @internal */
  protected release(): void {
    // nothing native is held between calls
  }

  #fit(): ClassicalTraining | null {
    return typeof this.training?.logLikelihood === 'number'
      ? (this.training as unknown as ClassicalTraining)
      : null;
  }

  #dependence(i: number, j: number) {
    for (const column of [i, j]) expectInteger(column, 'a column', { min: 0, max: this.dim - 1 });
    if (i === j) throw new SklarError('ERR_SKLAR_VALUE', `expected two different columns, got ${i} and ${j}`);
    return callNative((addon) =>
      addon.classicalDependence(this.definitionOf([Math.min(i, j), Math.max(i, j)])),
    );
  }

  #closedRows(rows: RowsInput, what: string, low = 0) {
    const { dim } = this;
    const dense = toDense(rows, what, dim);
    const high = low === 0 ? 1 : Infinity;
    const bad = dense.data.findIndex((value) => !(value >= low && value <= high));
    if (bad >= 0) {
      throw new SklarError(
        'ERR_SKLAR_VALUE',
        `expected values between ${low} and ${high} for ${what}, got ${dense.data[bad]} ` +
          `(row ${Math.floor(bad / dim) + 1}, column ${(bad % dim) + 1})`,
      );
    }
    return dense;
  }

  async #pair(
    name: 'hfunc1' | 'hfunc2' | 'hinv1' | 'hinv2',
    rows: RowsInput,
    options: ScaleOptions,
  ): Promise<Float64Array> {
    options = expectOptions(options, name, scaleOptions);
    const gaussian = expectScale(options.scale) === 'gaussian';
    const run = this.begin(options);
    if (this.dim !== 2) {
      throw new SklarError('ERR_SKLAR_SHAPE', `expected a copula of 2 columns for ${name}, got ${this.dim}`);
    }
    const low = gaussian ? -Infinity : 0;
    const { data, rows: count } = this.#closedRows(rows, `the rows of ${name}`, low);
    return runJob(
      (addon) => addon.classicalPair(this.definition(), name, data, gaussian, count, run.threads),
      { signal: run.signal },
    );
  }

  async #transform(
    name: 'rosenblatt' | 'inverseRosenblatt',
    rows: RowsInput,
    options: RunOptions,
  ): Promise<Matrix> {
    options = expectOptions(options, name, runOptions);
    const run = this.begin(options);
    const { data, rows: count } = this.#closedRows(rows, `the rows of ${name}`);
    const inverse = name === 'inverseRosenblatt';
    const values = await runJob(
      (addon) => addon.classicalRosenblatt(this.definition(), data, false, inverse, count, run.threads),
      { signal: run.signal },
    );
    return matrix(values, count, this.dim, this.names ?? undefined);
  }
}
