import { type HasField, problemOf } from './field';
import { type TraceOptions, resolveTrace, traceKeys } from './field-density';
import { type RowsInput, type Scale, expectScale, toDense } from '../inputs/rows';
import { type RunOptions, beginRun, runOptions } from '../inputs/run';
import { type SolverOptions, givenSolverOptions, resolveIntegration, solverOptions } from './solvers';
import { onGrid } from './grid';
import { type Matrix, matrix } from '../../matrix';
import { type Seed, resolveSeed } from '../../data/random';
import { type RunRecord, runRecord } from '../../devices';
import {
  type OptionNames,
  SklarError,
  describe,
  expectInteger,
  expectOneOf,
  expectOptions,
} from '../../errors';
import { type NativeIntegrated, callNative, runJob } from '../../native';

/** `trace` and `probes` are those of a likelihood. */
export interface IntegrateOptions extends RunOptions, SolverOptions, TraceOptions {
  /**
   * `sample` (default): from the reference to data. `likelihood`: from data to the reference, with the log density of the
   * copula by the instantaneous change of variables (docs/mathematics.md, D.1).
   */
  direction?: 'sample' | 'likelihood';
  /** How many rows to draw from the reference. */
  rows?: number;
  /** Rows to start from, n x dim: of the reference for a sample, data for a likelihood. */
  start?: RowsInput;
  /** The scale of `start` and of the result; default `copula`. */
  scale?: Scale;
  /** Default 1. Rows depend on the seed and on their number alone. */
  seed?: Seed;
  /** Number of the first row in the stream of the seed; default 0. */
  firstRow?: number;
  /** Told how many rows are done. */
  onProgress?: ((progress: { rows: number; rowsDone: number }) => void) | undefined;
}

/** Where rows arrived, and what it took. */
export interface IntegrationResult extends RunRecord {
  /**
   * n x dim, Float64: the sample, or where the data arrive at the reference. For a guided model the reference is the
   * guide's Gaussian copula, otherwise independence.
   */
  values: Matrix;
  /**
   * Of a likelihood: the log density at each starting row, in nats. It integrates to one up to the solver's error,
   * whatever the network; its margins are uniform as far as the network is right.
   */
  logPdf?: Float64Array;
  /** Of a likelihood by two or more probes (six of `hutch++`): the standard error of logPdf that they cause. */
  standardError?: Float64Array;
  /** Of the field, mean over the rows; `mostEvaluations`: of the row with most. */
  evaluations: number;
  /** Of the row with most. */
  mostEvaluations: number;
  /** Steps, mean over the rows. */
  accepted: number;
  /** Steps that were taken again, mean over the rows. */
  rejected: number;
}

const integrateOptions: OptionNames<IntegrateOptions> = {
  ...runOptions,
  ...solverOptions,
  trace: true,
  probes: true,
  direction: true,
  rows: true,
  start: true,
  scale: true,
  seed: true,
  firstRow: true,
  onProgress: true,
};

/**
 * Integrates the field of a model with any solver that fits its process (docs/mathematics.md, D.1; the solvers: docs/solvers.md). Margins are as the solver leaves them; `sample`
 * of the copula corrects them.
 *
 * @throws SklarError ERR_SKLAR_VALUE for options that do not fit together, ERR_SKLAR_SHAPE for rows of another width,
 *   ERR_SKLAR_DIVERGED naming rows and time where the numbers stop being finite, with the last good `state` of these
 *   rows, ERR_SKLAR_DISPOSED
 *
 * @example
 * ```ts
 * import { GaussianCopula, integrate } from 'sklar';
 *
 * const copula = new GaussianCopula(Float64Array.of(1, 0.7, 0.7, 1), 2);
 * const { values } = await integrate(copula, { rows: 100, solver: 'heun', steps: 20, seed: 7 }); // 100 x 2
 * const few = await integrate(copula, { rows: 100, grid: 'data', steps: 6, seed: 7 });
 * few.evaluations; // => 6
 * const { logPdf } = await integrate(copula, { direction: 'likelihood', start: [[0.5, 0.5]] });
 * logPdf; // => [0.337]
 * ```
 */
export async function integrate(field: HasField, options: IntegrateOptions = {}): Promise<IntegrationResult> {
  if (typeof (field as Partial<HasField> | null)?.fieldHandle !== 'function') {
    throw new SklarError('ERR_SKLAR_VALUE', `expected a copula that has a field, got ${describe(field)}`);
  }
  options = expectOptions(options, 'integrate', integrateOptions);
  const direction = expectOneOf(options.direction ?? 'sample', 'direction', [
    'sample',
    'likelihood',
  ] as const);
  const scale = expectScale(options.scale);
  const handle = field.fieldHandle();
  const { scalar } = callNative((addon) => addon.fieldReference(handle));
  const run = beginRun(options, scalar === 'float64' ? 'this field is computed in float64' : null);
  const wanted = resolveIntegration(givenSolverOptions(options), problemOf(field), direction);

  const { rows, start } = options;
  if ((rows === undefined) === (start === undefined)) {
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      'expected either rows or start, got ' + (rows === undefined ? 'neither' : 'both'),
    );
  }
  if (direction === 'likelihood' && start === undefined) {
    throw new SklarError('ERR_SKLAR_VALUE', 'a likelihood is that of given rows: expected start, got rows');
  }
  const ofTrace = traceKeys.find((key) => options[key] !== undefined);
  if (direction === 'sample' && ofTrace) {
    throw new SklarError('ERR_SKLAR_VALUE', `${ofTrace} belongs to a likelihood`);
  }
  const dense = start === undefined ? null : toDense(start, 'start', field.dim);
  const count = dense?.rows ?? expectInteger(rows, 'rows', { min: 0, max: Math.floor(2 ** 28 / field.dim) });
  const { estimates, ...trace } = resolveTrace(options, field);
  const common = {
    ...(await onGrid(field, wanted, run)),
    rows: count,
    seed: resolveSeed(options.seed ?? 1),
    firstRow: BigInt(expectInteger(options.firstRow ?? 0, 'firstRow', { min: 0, max: 2 ** 40 - 1 })),
    fromGaussian: scale === 'gaussian',
    toGaussian: scale === 'gaussian',
    device: run,
  };
  const result = await runJob<
    NativeIntegrated & { logPdf?: Float64Array; standardError?: Float64Array },
    number
  >(
    (addon, onEvent) =>
      direction === 'likelihood'
        ? addon.fieldLogPdf(handle, { ...common, ...trace, x: dense!.data }, onEvent)
        : addon.fieldSample(handle, { ...common, start: dense?.data ?? null, marginMaps: null }, onEvent),
    {
      signal: run.signal,
      onEvent:
        options.onProgress &&
        ((fraction) => options.onProgress!({ rows: count, rowsDone: Math.round(fraction * count) })),
    },
  );
  const { values, logPdf, standardError, evaluations, mostEvaluations, accepted, rejected } = result;
  return {
    values: matrix(values, count, field.dim),
    ...(logPdf && { logPdf }),
    ...(standardError && estimates > 1 && { standardError }),
    evaluations,
    mostEvaluations,
    accepted,
    rejected,
    ...runRecord(run, scalar),
  };
}
