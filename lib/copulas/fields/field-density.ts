/** Log densities that follow from a field alone, whatever the head (docs/mathematics.md, D.1 and D.3). */
import { type OptionNames, SklarError, expectInteger, expectOneOf } from '../../errors';
import { runJob } from '../../native';
import { type HasField, problemOf } from './field';
import { type Execution } from '../inputs/run';
import { type SolverOptions, givenSolverOptions, resolveIntegration, solverOptions } from './solvers';

/**
 * `exact`: a formula. `classifier`, `potential`: one pass of the network, up to the normaliser. `ode`: the instantaneous change of
 * variables along the probability flow, normalised. `bound`: a Monte Carlo estimate of a lower bound, from evaluations of the
 * field alone.
 */
export type LogPdfMethod = 'exact' | 'classifier' | 'potential' | 'ode' | 'bound';

/** Whether a route gives a density that integrates to one by an estimate of its normaliser alone. */
export const isUnnormalised = (method: LogPdfMethod) => method === 'classifier' || method === 'potential';

/** How the trace of a Jacobian is found; see `TraceOptions.trace`. */
export type TraceName = 'exact' | 'rademacher' | 'gaussian' | 'hutch++';
/** All of them. */
export const traceNames: readonly TraceName[] = ['exact', 'rademacher', 'gaussian', 'hutch++'];

/** How the divergence of a field is found, the trace of its Jacobian A (docs/mathematics.md, D.2). */
export interface TraceOptions {
  /**
   * `exact` (default up to 64 columns) takes one derivative for each column, none where it is a formula (of closed forms and
   * Gaussian copulas, whose default it always is). The others estimate the trace from random
   * directions, the same along a row's way: `rademacher` (default otherwise) with variance 2 (|A|^2 - sum of a_ii^2) /
   * probes for a symmetric A, `gaussian` with 2 |A|^2 / probes. `hutch++` is exact in the range of A on a third of its
   * directions and estimates the rest with another third: better where few eigenvalues of A are large, else worse.
   */
  trace?: TraceName | undefined;
  /** Products with A for each estimate; default 8, of `hutch++` 12: a multiple of 3. */
  probes?: number | undefined;
}

/** How the density of a field's probability flow is found, or a lower bound of it. */
export interface FieldDensityOptions extends SolverOptions, TraceOptions {
  /** Of `bound`: draws of time and noise for each row; default 64. */
  draws?: number;
}

const EXACT_TRACE_COLUMNS = 64;
const PROBES = 8;
const HUTCH_PROBES = 12;
/** A sketch is held in memory for all rows of a batch. */
const MOST_HUTCH_PROBES = 192;
const DRAWS = 64;
/** Seed of probes and draws: a density does not ask its user for one. */
const SEED = 0x64656e73697479n;

export const traceKeys = ['trace', 'probes'] as const;
export const fieldDensityOptions: OptionNames<FieldDensityOptions> = {
  ...solverOptions,
  trace: true,
  probes: true,
  draws: true,
};
const fieldDensityKeys = Object.keys(fieldDensityOptions) as (keyof FieldDensityOptions)[];

export interface ResolvedTrace {
  trace: TraceName;
  /** 0: exact. */
  probes: number;
  /** Independent estimates, of which the mean is taken. */
  estimates: number;
}

/**
 * @throws SklarError ERR_SKLAR_VALUE naming an option that is out of range or does not fit the other
 */
export function resolveTrace(
  { trace, probes }: TraceOptions,
  { dim, traceIsFormula = false }: { readonly dim: number; readonly traceIsFormula?: boolean },
): ResolvedTrace {
  const exact = probes === undefined && (traceIsFormula || dim <= EXACT_TRACE_COLUMNS);
  const usual = exact ? 'exact' : 'rademacher';
  const name = expectOneOf(trace ?? usual, 'trace', traceNames);
  if (name === 'exact') {
    if (probes === undefined) return { trace: name, probes: 0, estimates: 1 };
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      "probes belong to an estimate of the trace, not to trace 'exact'",
    );
  }
  if (name !== 'hutch++') {
    const count = expectInteger(probes ?? PROBES, 'probes', { min: 1, max: 4096 });
    return { trace: name, probes: count, estimates: count };
  }
  const count = expectInteger(probes ?? HUTCH_PROBES, 'probes', { min: 3, max: MOST_HUTCH_PROBES });
  if (count % 3 === 0) return { trace: name, probes: count, estimates: count / 3 };
  throw new SklarError(
    'ERR_SKLAR_VALUE',
    `expected a multiple of 3 for the probes of 'hutch++', got ${count}`,
  );
}

/** Rows whose density is wanted. */
export interface Points {
  /** rows x dim, dense. */
  readonly x: Float64Array;
  readonly rows: number;
  readonly fromGaussian: boolean;
  /** Number of the first row among those that probes and draws are counted by. */
  readonly firstRow: number;
}

export interface FieldDensity {
  logPdf: Float64Array;
  /** Of the field, mean over the rows. */
  evaluations: number;
}

/** @param onEvent told the fraction that is done */
export async function fieldLogPdf(
  field: HasField,
  method: 'ode' | 'bound',
  { x, rows, fromGaussian, firstRow }: Points,
  options: FieldDensityOptions,
  run: Execution,
  onEvent?: (fraction: number) => void,
): Promise<FieldDensity> {
  const handle = field.fieldHandle();
  const first = BigInt(firstRow);
  if (method === 'bound') {
    const draws = expectInteger(options.draws ?? DRAWS, 'draws', { min: 2, max: 1_000_000 });
    const logPdf = await runJob<Float64Array, number>(
      (addon, report) => addon.fieldBound(handle, x, fromGaussian, rows, draws, SEED, first, run, report),
      { signal: run.signal, onEvent },
    );
    return { logPdf, evaluations: 2 * draws };
  }
  const plan = resolveIntegration(givenSolverOptions(options), problemOf(field), 'likelihood');
  const { trace, probes } = resolveTrace(options, field);
  const { logPdf, evaluations } = await runJob<{ logPdf: Float64Array; evaluations: number }, number>(
    (addon, report) =>
      addon.fieldLogPdf(
        handle,
        {
          ...plan,
          x,
          rows,
          trace,
          probes,
          seed: SEED,
          firstRow: first,
          fromGaussian,
          toGaussian: fromGaussian,
          device: run,
        },
        report,
      ),
    { signal: run.signal, onEvent },
  );
  return { logPdf, evaluations };
}

/** Options that belong to another method. */
export function expectDensityOptions(method: LogPdfMethod, options: FieldDensityOptions): void {
  for (const key of fieldDensityKeys) {
    const belongs = key === 'draws' ? method === 'bound' : method === 'ode';
    if (options[key] !== undefined && !belongs) {
      throw new SklarError(
        'ERR_SKLAR_VALUE',
        `${key} belongs to method '${key === 'draws' ? 'bound' : 'ode'}', not to '${method}'`,
      );
    }
  }
}
