import { type Points } from '../fields/field-density';
import {
  SklarError,
  describe,
  expectInteger,
  expectNumber,
  expectOptions,
  expectNumbers,
  expectList,
  expectObject,
} from '../../errors';
import { copyOf, fromRows } from '../../matrix';
import {
  type ClosedFormDefinition,
  type ClosedFormHandle,
  type FieldHandle,
  callNative,
  runJob,
} from '../../native';
import { Copula, type ModelContent, type SampleOptions, type Draws } from '../copula';
import { expectColumns, expectCorrelation, subMatrix } from '../correlation/correlation';
import { formulaCapabilities } from '../fields/capabilities';
import { type HasField } from '../fields/field';
import { type Process, processes } from '../../processes';
import { type Execution } from '../inputs/run';

/** A mixture of Gaussian densities on the Gaussian scale. */
export interface GaussianMixtureParts {
  /** Positive, summing to one. */
  weights: readonly number[];
  /** One correlation matrix for each weight, dim x dim: row-major, or as rows. */
  correlations: readonly (ArrayLike<number> | readonly ArrayLike<number>[])[];
}

/** A Farlie-Gumbel-Morgenstern copula. */
export interface FgmParts {
  /** Columns. */
  dim: number;
  /** Between -1 and 1. */
  theta: number;
  /** The dependent columns, counted from 0, at least two; default: all. */
  columns?: readonly number[];
}

/** A copula of cosine waves. */
export interface CosineParts {
  /** Sum of |amplitude| at most 1. Frequencies: one for each column, integers of which at least two are not 0. */
  terms: readonly { amplitude: number; frequencies: readonly number[] }[];
}

/** Which processes the families stay in, as `has` in native/closed_form: their fields are known there. */
const closedUnder = {
  mixture: ['ou'],
  fgm: ['ou', 'reflection', 'jacobi'],
  cosine: ['reflection'],
} as const satisfies Record<ClosedFormDefinition['family'], readonly Process[]>;

function correlationOf(
  input: ArrayLike<number> | readonly ArrayLike<number>[],
  what: string,
): { data: Float64Array; dim: number } {
  const rows = Array.isArray(input) && typeof input[0] === 'object';
  const data = rows
    ? fromRows(input as readonly ArrayLike<number>[]).data
    : expectNumbers(input as ArrayLike<number>, what);
  const dim = Math.round(Math.sqrt(data.length));
  if (dim < 2 || dim * dim !== data.length) {
    throw new SklarError(
      'ERR_SKLAR_SHAPE',
      `expected a square matrix of at least 2 columns for ${what}, got ${data.length} values`,
    );
  }
  return { data: copyOf(data), dim };
}

function parameterCount(d: ClosedFormDefinition): number {
  switch (d.family) {
    case 'mixture':
      return d.weights.length - 1 + (d.weights.length * d.dim * (d.dim - 1)) / 2;
    case 'fgm':
      return 1;
    case 'cosine':
      return d.amplitudes.length;
  }
}

/** Naming the matrix in errors that name only its rows and columns. */
function inMatrix<T>(what: string, body: () => T): T {
  try {
    return body();
  } catch (error) {
    if (!(error instanceof SklarError)) throw error;
    throw new SklarError(error.code, `${what}: ${error.message}`, { cause: error });
  }
}

/**
 * Copulas whose density, field at every time of a process, and draws are exact: truth for models, solvers and
 * estimators (docs/mathematics.md, H). They are sampled directly, with the reproducibility of every kind, and not written to files.
 *
 * @example
 * ```ts
 * import { ClosedFormCopula } from 'sklar';
 * const copula = ClosedFormCopula.fgm({ dim: 3, theta: 1 }); // pairwise independent, yet dependent
 * await copula.logPdf([[0.1, 0.1, 0.1]]); // => [0.413]
 * copula.marginal([0, 1]); // => null
 * ```
 */
export class ClosedFormCopula extends Copula implements HasField {
  readonly kind = 'closed-form';
  readonly normalised = true;
  /** @internal */
  readonly traceIsFormula = true;
  readonly capabilities = formulaCapabilities('closed-form', {
    sampleConditional: [],
    field: true,
    cdf: false,
    marginal: true,
  });
  readonly dim: number;
  readonly #definition: ClosedFormDefinition;
  #handle: ClosedFormHandle | null;

  private constructor(definition: ClosedFormDefinition) {
    super();
    this.#definition = definition;
    this.dim = definition.dim;
    this.#handle = callNative((addon) => addon.closedFormCreate(definition));
  }

  /**
   * A mixture of normals on the Gaussian scale, all with mean 0 and unit variances: log c(z) = log sum_m weight_m
   * N(z; 0, R_m) - log N(z; 0, I).
   *
   * @throws SklarError ERR_SKLAR_VALUE, ERR_SKLAR_SHAPE when these are no weights or correlation matrices
   */
  static gaussianMixture(parts: GaussianMixtureParts): ClosedFormCopula {
    parts = expectOptions(parts, 'gaussianMixture', { weights: true, correlations: true });
    const weights = Array.from(expectNumbers(parts.weights, 'weights'));
    const correlations = expectList(parts.correlations, 'correlations');
    if (weights.length === 0 || weights.length !== correlations.length) {
      throw new SklarError(
        'ERR_SKLAR_SHAPE',
        `expected one correlation matrix for each weight, got ${weights.length} weights and ${correlations.length} matrices`,
      );
    }
    const total = weights.reduce(
      (sum, weight, m) => sum + expectNumber(weight, `weight ${m + 1}`, { above: 0, max: 1 }),
      0,
    );
    if (Math.abs(total - 1) > 1e-9) {
      throw new SklarError('ERR_SKLAR_VALUE', `expected weights that sum to 1, got a sum of ${total}`);
    }
    const matrices = correlations.map((r, m) => correlationOf(r, `correlation ${m + 1}`));
    const { dim } = matrices[0]!;
    const all = new Float64Array(weights.length * dim * dim);
    matrices.forEach((r, m) => {
      if (r.dim !== dim) {
        throw new SklarError(
          'ERR_SKLAR_SHAPE',
          `expected ${dim} columns for correlation ${m + 1}, got ${r.dim}`,
        );
      }
      inMatrix(`correlation ${m + 1}`, () => {
        expectCorrelation(r.data, dim);
        callNative((addon) => addon.cholesky(r.data, dim));
      });
      all.set(r.data, m * dim * dim);
    });
    return new ClosedFormCopula({
      family: 'mixture',
      dim,
      weights: Float64Array.from(weights, (weight) => weight / total),
      correlations: all,
    });
  }

  /** The Farlie-Gumbel-Morgenstern copula of any order: c = 1 + theta prod (1 - 2 u_i) over `columns`. */
  static fgm(parts: FgmParts): ClosedFormCopula {
    parts = expectOptions(parts, 'fgm', { dim: true, theta: true, columns: true });
    const { dim, theta, columns } = parts;
    expectInteger(dim, 'dim', { min: 2, max: 65536 });
    expectNumber(theta, 'theta', { min: -1, max: 1 });
    const chosen = expectColumns(columns ?? Array.from({ length: dim }, (_, i) => i), 'columns', dim);
    return new ClosedFormCopula({ family: 'fgm', dim, theta, columns: Int32Array.from(chosen) });
  }

  /** c = 1 + sum_m amplitude_m prod_i cos(pi k_mi u_i), k_m the frequencies of term m. */
  static cosine(parts: CosineParts): ClosedFormCopula {
    parts = expectOptions(parts, 'cosine', { terms: true });
    const terms = Array.from(expectList(parts.terms, 'terms'), (term, m) => {
      const { amplitude, frequencies } = expectObject(term, `term ${m + 1}`);
      return {
        amplitude,
        frequencies: Array.from(expectNumbers(frequencies, `the frequencies of term ${m + 1}`)),
      };
    });
    const dim = terms[0]?.frequencies.length ?? 0;
    if (dim < 2) {
      throw new SklarError(
        'ERR_SKLAR_SHAPE',
        `expected at least one term, with a frequency for each of two columns or more, got ${describe(terms)}`,
      );
    }
    const frequencies = new Int32Array(terms.length * dim);
    let total = 0;
    terms.forEach((term, m) => {
      total += Math.abs(expectNumber(term.amplitude, `the amplitude of term ${m + 1}`));
      if (term.frequencies.length !== dim) {
        throw new SklarError(
          'ERR_SKLAR_SHAPE',
          `expected ${dim} frequencies for term ${m + 1}, got ${term.frequencies.length}`,
        );
      }
      for (const k of term.frequencies)
        expectInteger(k, `a frequency of term ${m + 1}`, { min: 0, max: 1024 });
      if (term.frequencies.filter((k) => k > 0).length < 2) {
        throw new SklarError(
          'ERR_SKLAR_VALUE',
          `expected at least two frequencies that are not 0 in term ${m + 1}, got ${JSON.stringify(term.frequencies)}`,
        );
      }
      frequencies.set(term.frequencies, m * dim);
    });
    if (total > 1) {
      throw new SklarError(
        'ERR_SKLAR_VALUE',
        `expected amplitudes whose absolute values sum to at most 1, got a sum of ${total}`,
      );
    }
    const amplitudes = Float64Array.from(terms, ({ amplitude }) => amplitude);
    return new ClosedFormCopula({ family: 'cosine', dim, amplitudes, frequencies });
  }

  /** The processes under which the family is closed: those `fieldHandle` knows. */
  get processes(): readonly Process[] {
    return closedUnder[this.#definition.family];
  }

  /**
   * The exact field, for `integrate`.
   *
   * @param process default: the first of `processes`
   */
  fieldHandle(process: Process = this.processes[0]!): FieldHandle {
    if (!this.processes.includes(process)) {
      throw new SklarError(
        'ERR_SKLAR_VALUE',
        `expected one of ${this.processes.join(', ')} for the process of this copula's field, got ${describe(process)}`,
      );
    }
    return callNative((addon) =>
      addon.closedFormFieldHandle(this.#native(), process, processes[process].reference),
    );
  }

  /** The copula of some of the columns, counted from 0, in the order given; null where they are independent. */
  marginal(columns: readonly number[]): ClosedFormCopula | null {
    const chosen = expectColumns(columns, 'columns', this.dim);
    const d = this.#definition;
    if (d.family === 'mixture') {
      const size = this.dim * this.dim;
      return ClosedFormCopula.gaussianMixture({
        weights: Array.from(d.weights),
        correlations: Array.from(d.weights, (_, m) =>
          subMatrix(d.correlations.subarray(m * size, (m + 1) * size), this.dim, chosen),
        ),
      });
    }
    if (d.family === 'fgm') {
      const left = Array.from(d.columns, (column) => chosen.indexOf(column));
      if (left.includes(-1)) return null;
      return ClosedFormCopula.fgm({ dim: chosen.length, theta: d.theta, columns: left });
    }
    const terms = Array.from(d.amplitudes, (amplitude, m) => ({
      amplitude,
      all: Array.from(d.frequencies.subarray(m * this.dim, (m + 1) * this.dim)),
    }))
      // a term with a wave along a column that is left out integrates to 0
      .filter(({ all }) => all.every((k, i) => k === 0 || chosen.includes(i)))
      .map(({ amplitude, all }) => ({ amplitude, frequencies: chosen.map((i) => all[i]!) }));
    return terms.length === 0 ? null : ClosedFormCopula.cosine({ terms });
  }

  /** @internal */
  protected description() {
    const d = this.#definition;
    return {
      parameters: parameterCount(d),
      config: { family: d.family },
      training: null,
    };
  }

  /** @internal */
  protected logPdfRows({ x, rows, fromGaussian }: Points, run: Execution): Promise<Float64Array> {
    return runJob((addon) => addon.closedFormLogPdf(this.#native(), x, fromGaussian, rows, run.threads), {
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
      (addon) => addon.closedFormSample(this.#native(), rows, seed, firstRow, toGaussian, run.threads),
      { signal: run.signal },
    );
  }

  /** @internal */
  checkSampleOptions({ solver, steps, noise }: SampleOptions): void {
    if (solver !== undefined || steps !== undefined || noise !== undefined) {
      throw new SklarError(
        'ERR_SKLAR_VALUE',
        'a closed-form copula is sampled directly: it has no solver, steps or noise',
      );
    }
  }

  /** @internal */
  protected toModelContent(): ModelContent {
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      'a closed-form copula is made by its parameters and not saved to a file',
    );
  }

  /** @internal */
  protected release(): void {
    this.#handle = null;
  }

  #native(): ClosedFormHandle {
    if (this.#handle) return this.#handle;
    throw new SklarError('ERR_SKLAR_DISPOSED', 'this closed-form copula was disposed');
  }
}
