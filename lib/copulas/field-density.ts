/** Log densities that follow from a field alone, whatever the head (docs/mathematics.md, D.1 and D.3). */
import { SklarError, expectInteger } from '../errors';
import { type HasField } from '../integrate';
import { callNative, runJob } from '../native';
import { type Execution } from './copula';
import {
  type IntegrationProblem,
  type SolverOptions,
  givenSolverOptions,
  resolveIntegration,
  solverOptionKeys,
} from './solvers';

/**
 * `exact`: a formula. `classifier`: one pass of the network, up to the normaliser. `ode`: the instantaneous change of
 * variables along the probability flow, normalised. `bound`: a Monte Carlo estimate of a lower bound, from evaluations of the
 * field alone.
 */
export type LogPdfMethod = 'exact' | 'classifier' | 'ode' | 'bound';

export interface FieldDensityOptions extends SolverOptions {
  /**
   * Of `ode`: `exact` (default up to 64 columns) takes one derivative for each column, a number so many Rademacher probes
   * (default otherwise: 8).
   */
  trace?: 'exact' | number;
  /** Of `bound`: draws of time and noise for each row; default 64. */
  draws?: number;
}

const EXACT_TRACE_COLUMNS = 64;
const PROBES = 8;
const DRAWS = 64;
/** Seed of probes and draws: a density does not ask its user for one. */
const SEED = 0x64656e73697479n;

export const fieldDensityKeys = [...solverOptionKeys, 'trace', 'draws'] as const;

/** What an integration of the field has to know. */
export function problemOf(field: HasField): IntegrationProblem {
  const own = field.integrationProblem?.();
  if (own) return own;
  const { process, reference } = callNative((addon) => addon.fieldReference(field.fieldHandle()));
  return { process, reference, levels: null };
}

/** Probes of the trace estimate; 0: exact. */
export function resolveTrace(trace: 'exact' | number | undefined, dim: number): number {
  if (trace === 'exact') return 0;
  if (trace === undefined) return dim <= EXACT_TRACE_COLUMNS ? 0 : PROBES;
  return expectInteger(trace, "trace ('exact' or a number of probes)", { min: 1, max: 4096 });
}

export interface FieldDensity {
  logPdf: Float64Array;
  /** Of the field, mean over the rows. */
  evaluations: number;
}

/**
 * @param x rows x dim, dense
 * @param firstRow number of the first row among those that probes and draws are counted by
 * @param onEvent told the fraction that is done, by `ode`
 */
export async function fieldLogPdf(
  field: HasField,
  method: 'ode' | 'bound',
  x: Float64Array,
  rows: number,
  fromGaussian: boolean,
  firstRow: number,
  options: FieldDensityOptions,
  run: Execution,
  onEvent?: (fraction: number) => void,
): Promise<FieldDensity> {
  const handle = field.fieldHandle();
  const first = BigInt(firstRow);
  if (method === 'bound') {
    const draws = expectInteger(options.draws ?? DRAWS, 'draws', { min: 2, max: 1_000_000 });
    const logPdf = await runJob(
      (addon) => addon.fieldBound(handle, x, fromGaussian, rows, draws, SEED, first, run),
      { signal: run.signal },
    );
    return { logPdf, evaluations: 2 * draws };
  }
  const plan = resolveIntegration(givenSolverOptions(options), problemOf(field), 'likelihood');
  const probes = resolveTrace(options.trace, field.dim);
  const { logPdf, evaluations } = await runJob<{ logPdf: Float64Array; evaluations: number }, number>(
    (addon, report) =>
      addon.fieldLogPdf(
        handle,
        {
          ...plan,
          x,
          rows,
          probes,
          seed: SEED,
          firstRow: first,
          fromGaussian,
          toGaussian: true,
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
