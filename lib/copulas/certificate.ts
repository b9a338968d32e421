/** What can be checked about a model without knowing the truth, in one object. */
import { defaultNames } from '../data/table';
import { type Seed } from '../data/random';
import { SklarError, expectInteger, expectNumber, expectOneOf } from '../errors';
import { type Mean, meanOf } from '../metrics/mean';
import { callNative } from '../native';
import {
  type Copula,
  type DenseRows,
  type Execution,
  type RowsInput,
  type RunOptions,
  type Scale,
  beginRun,
  resolveSeed,
  toDense,
} from './copula';
import { type LogPdfMethod } from './field-density';
import { takeRows } from './guide';

/** What a certificate is at: the normaliser, a route to the log density, or one of its two samples. */
export type CertificateStage = 'normaliser' | LogPdfMethod | 'sample' | 'raw sample';

export interface CertificateOptions extends RunOptions {
  /** The scale of the rows; default `copula`. */
  scale?: Scale;
  /** The routes are compared on at most so many of the rows, taken evenly; default 1000. */
  routeRows?: number;
  /** Routes agree within three standard errors or so many nats, whichever is more; default 0.01. */
  tolerance?: number;
  /** Rows of each of the two samples; default 20,000, fewer in very many columns. */
  sampleRows?: number;
  /** Of the samples; default 1. */
  seed?: Seed;
  onProgress?: ((progress: { stage: CertificateStage; fraction: number }) => void) | undefined;
}

/** Mean log density of the compared rows by one route, in nats; `classifier` has log Z subtracted. */
export interface CertificateRoute extends Mean {
  readonly method: LogPdfMethod;
  /** Mean over the same rows of this route minus the first one; null for the first one. */
  readonly difference: RouteDifference | null;
  /** Evaluations of the network or field for each row; those of `ode` come each with a divergence. */
  readonly nfe: number;
  readonly seconds: number;
}

export interface RouteDifference {
  readonly mean: number;
  /** Of the paired difference; where log Z takes part, its standard error does too. */
  readonly standardError: number;
  /** max(3 standardError, tolerance), and whether |mean| is at most that. */
  readonly allowed: number;
  readonly within: boolean;
}

export interface ColumnUniformity {
  readonly column: string;
  /** Kolmogorov-Smirnov distance of the column on the copula scale from the uniform distribution. */
  readonly distance: number;
  /** On the Gaussian scale; 1 for a uniform column, with a standard error of sqrt(2 / rows). */
  readonly variance: number;
}

export interface MarginUniformity {
  readonly columns: readonly ColumnUniformity[];
  /** The column with the largest distance. */
  readonly worst: ColumnUniformity;
  /** Whether its distance is at most the critical value. */
  readonly within: boolean;
}

export interface Certificate {
  readonly kind: string;
  readonly dim: number;
  /** Rows given, and rows that the routes were compared on. */
  readonly rows: number;
  readonly routeRows: number;
  /** Subtracted from the classifier's log density; 0 for a density that is normalised; null: the model has no density. */
  readonly logNormaliser: number | null;
  readonly logNormaliserStandardError: number | null;
  /**
   * Why the density integrates to one: its formula is `exact`, it is that of a `flow` (up to the solver's error), or a
   * `normaliser` was estimated. Null: the model has no density.
   */
  readonly normalisedBy: 'exact' | 'flow' | 'normaliser' | null;
  /** The kind's own first. `bound` estimates a lower bound, which an exact field attains. */
  readonly routes: readonly CertificateRoute[];
  readonly margins: {
    readonly rows: number;
    readonly seed: string;
    /**
     * Uniform columns all stay below `criticalValue`, sqrt(log(2 dim / level) / (2 rows)), with a probability of at least
     * 1 - level (Dvoretzky, Kiefer and Wolfowitz with the constant of Massart, 1990; summed over the columns).
     */
    readonly level: number;
    readonly criticalValue: number;
    /** As `sample` gives them by default. */
    readonly uniform: MarginUniformity;
    /** As the integrator leaves them. */
    readonly raw: MarginUniformity;
  };
  readonly verdict: {
    /** Null for a model with one route. */
    readonly routesAgree: {
      /** The route with the largest |difference|. */
      readonly method: LogPdfMethod;
      readonly largestDifference: number;
      readonly tolerance: number;
      /** Whether every route is within what is allowed to it. */
      readonly within: boolean;
    } | null;
    readonly marginsUniform: boolean;
    readonly rawMarginsUniform: boolean;
  };
}

const ROUTE_ROWS = 1000;
const TOLERANCE = 0.01;
const STANDARD_ERRORS = 3;
const SAMPLE_ROWS = 20_000;
const SAMPLE_VALUES = 2 ** 26;
const LEVEL = 0.01;
/** Rows of a sample between two reports of progress. */
const SAMPLE_BATCH = 8192;

/** Rough shares of the time, for `onProgress`. */
const SHARES: Readonly<Record<CertificateStage, number>> = {
  normaliser: 10,
  exact: 1,
  classifier: 1,
  ode: 60,
  bound: 9,
  sample: 20,
  'raw sample': 20,
};

/** Tells the fraction of the whole that is done. */
function tracker(stages: readonly CertificateStage[], onProgress: CertificateOptions['onProgress']) {
  const total = stages.reduce((sum, stage) => sum + SHARES[stage], 0);
  return (stage: CertificateStage, part: number) => {
    const before = stages.slice(0, stages.indexOf(stage)).reduce((sum, name) => sum + SHARES[name], 0);
    onProgress?.({ stage, fraction: (before + part * SHARES[stage]) / total });
  };
}

type Report = ReturnType<typeof tracker>;

interface Normalisation {
  logZ: number;
  standardError: number;
  by: 'exact' | 'flow' | 'normaliser';
}

async function normalisationOf(
  copula: Copula,
  run: Execution,
  report: Report,
): Promise<Normalisation | null> {
  const { normalisable } = copula;
  if (normalisable) {
    const { logNormaliser: logZ, logNormaliserStandardError: standardError } = normalisable;
    const known = logZ === null || standardError === null ? null : { logZ, standardError };
    const onProgress = ({ fraction }: { fraction: number }) => report('normaliser', fraction);
    const estimate = known ?? (await normalisable.normaliser({ ...run, onProgress }));
    return { logZ: estimate.logZ, standardError: estimate.standardError, by: 'normaliser' };
  }
  const by = { exact: 'exact', ode: 'flow', classifier: null, bound: null } as const;
  const why = by[copula.logPdfMethods[0]!];
  return why && { logZ: 0, standardError: 0, by: why };
}

/** All rows are looked at, so that a message counts within the caller's rows. */
function expectValues({ data, columns }: DenseRows, scale: Scale): void {
  const bad = data.findIndex((x) => !(scale === 'copula' ? x > 0 && x < 1 : Number.isFinite(x)));
  if (bad < 0) return;
  throw new SklarError(
    'ERR_SKLAR_VALUE',
    `expected ${scale === 'copula' ? 'values strictly between 0 and 1' : 'finite values'} for the rows of certificate, ` +
      `got ${data[bad]} (row ${Math.floor(bad / columns) + 1}, column ${(bad % columns) + 1})`,
  );
}

async function routesOf(
  copula: Copula,
  rows: DenseRows,
  scale: Scale,
  normalisation: Normalisation | null,
  tolerance: number,
  run: Execution,
  report: Report,
): Promise<CertificateRoute[]> {
  const routes: CertificateRoute[] = [];
  let first: Float64Array | null = null;
  for (const method of copula.logPdfMethods) {
    report(method, 0);
    const start = performance.now();
    const progress = (fraction: number) => report(method, fraction);
    const gaussian = scale === 'gaussian';
    const { logPdf: values, evaluations: nfe } = await copula.density(
      method,
      rows.data,
      rows.rows,
      gaussian,
      0,
      {},
      run,
      progress,
    );
    if (!first && normalisation) values.forEach((value, i) => (values[i] = value - normalisation.logZ));
    const seconds = (performance.now() - start) / 1000;
    let difference: RouteDifference | null = null;
    if (first) {
      const paired = meanOf(values.map((value, i) => value - first![i]!));
      const standardError = Math.hypot(paired.standardError!, normalisation?.standardError ?? 0);
      const allowed = Math.max(STANDARD_ERRORS * standardError, tolerance);
      difference = { mean: paired.mean, standardError, allowed, within: Math.abs(paired.mean) <= allowed };
    }
    first ??= values;
    routes.push({ method, ...meanOf(values), difference, nfe, seconds });
  }
  return routes;
}

/** Largest distance of the empirical distribution of increasing values in (0, 1) from the uniform one. */
export function uniformDistance(sorted: Float64Array): number {
  const n = sorted.length;
  return sorted.reduce((most, u, i) => Math.max(most, (i + 1) / n - u, u - i / n), 0);
}

async function marginsOf(
  copula: Copula,
  margins: 'uniform' | 'raw',
  rows: number,
  seed: bigint,
  criticalValue: number,
  run: Execution,
  report: (fraction: number) => void,
): Promise<MarginUniformity> {
  const { dim } = copula;
  const values = Array.from({ length: dim }, () => new Float64Array(rows));
  let done = 0;
  report(0);
  for await (const { data, rows: count } of copula.sampleStream(rows, {
    ...run,
    margins,
    seed,
    scale: 'gaussian',
    dtype: 'float64',
    batch: SAMPLE_BATCH,
  })) {
    for (let i = 0, k = 0; i < count; i++) for (const column of values) column[done + i] = data[k++]!;
    done += count;
    report(done / rows);
  }
  const names = copula.names ?? defaultNames(dim);
  const columns = values.map((z, j) => {
    const variance = meanOf(z).standardError! ** 2 * rows;
    const u = callNative((addon) => addon.normalCdf(z.sort()));
    return { column: names[j]!, distance: uniformDistance(u), variance };
  });
  const worst = columns.reduce((most, column) => (column.distance > most.distance ? column : most));
  return { columns, worst, within: worst.distance <= criticalValue };
}

function routesVerdict(
  routes: readonly CertificateRoute[],
  tolerance: number,
): Certificate['verdict']['routesAgree'] {
  const compared = routes.flatMap(({ method, difference }) =>
    difference ? [{ method, ...difference }] : [],
  );
  if (compared.length === 0) return null;
  const far = compared.reduce((most, route) => (Math.abs(route.mean) > Math.abs(most.mean) ? route : most));
  return {
    method: far.method,
    largestDifference: Math.abs(far.mean),
    tolerance,
    within: compared.every(({ within }) => within),
  };
}

/**
 * What can be checked about a model without knowing the truth: its normaliser, how far the routes to its log density agree
 * on the rows (docs/mathematics.md, D), and how uniform the margins of its samples are. The normaliser of a CDC is estimated
 * when the model has none, and kept in it.
 *
 * @param rows n x dim, at least two, best rows that the model has not seen
 * @returns one object that JSON can write
 * @throws SklarError ERR_SKLAR_VALUE naming row and column of a value outside the scale, ERR_SKLAR_SHAPE for a wrong
 *   number of rows or columns, ERR_SKLAR_DIVERGED when a route or the sampler leaves the finite numbers
 */
export async function certificate(
  copula: Copula,
  rows: RowsInput,
  options: CertificateOptions = {},
): Promise<Certificate> {
  const run = beginRun(options, copula.cpuOnly);
  const { dim } = copula;
  const scale = expectOneOf<Scale>(options.scale ?? 'copula', 'scale', ['copula', 'gaussian']);
  const most = expectInteger(options.routeRows ?? ROUTE_ROWS, 'routeRows', { min: 2, max: 2 ** 24 });
  const tolerance = expectNumber(options.tolerance ?? TOLERANCE, 'tolerance', { min: 0 });
  const usual = Math.max(1000, Math.min(SAMPLE_ROWS, Math.floor(SAMPLE_VALUES / dim)));
  const sampleRows = expectInteger(options.sampleRows ?? usual, 'sampleRows', {
    min: 100,
    max: Math.floor(2 ** 31 / dim),
  });
  const seed = resolveSeed(options.seed ?? 1);
  const dense = toDense(rows, 'the rows of certificate', dim);
  if (dense.rows < 2) {
    throw new SklarError('ERR_SKLAR_SHAPE', `expected at least 2 rows for certificate, got ${dense.rows}`);
  }
  expectValues(dense, scale);
  const count = Math.min(most, dense.rows);
  const chosen = takeRows(
    dense,
    Uint32Array.from({ length: count }, (_, i) => Math.floor(((i + 0.5) * dense.rows) / count)),
  );

  const estimates = copula.normalisable?.logNormaliser === null;
  const report = tracker(
    [
      ...(estimates ? (['normaliser'] as const) : []),
      ...copula.logPdfMethods,
      'sample' as const,
      'raw sample' as const,
    ],
    options.onProgress,
  );
  const normalisation = await normalisationOf(copula, run, report);
  const routes = await routesOf(copula, chosen, scale, normalisation, tolerance, run, report);
  const criticalValue = Math.sqrt(Math.log((2 * dim) / LEVEL) / (2 * sampleRows));
  const sample = (margins: 'uniform' | 'raw', stage: CertificateStage) =>
    marginsOf(copula, margins, sampleRows, seed, criticalValue, run, (part) => report(stage, part));
  const uniform = await sample('uniform', 'sample');
  const raw = await sample('raw', 'raw sample');
  return {
    kind: copula.kind,
    dim,
    rows: dense.rows,
    routeRows: count,
    logNormaliser: normalisation?.logZ ?? null,
    logNormaliserStandardError: normalisation?.standardError ?? null,
    normalisedBy: normalisation?.by ?? null,
    routes,
    margins: { rows: sampleRows, seed: seed.toString(), level: LEVEL, criticalValue, uniform, raw },
    verdict: {
      routesAgree: routesVerdict(routes, tolerance),
      marginsUniform: uniform.within,
      rawMarginsUniform: raw.within,
    },
  };
}
