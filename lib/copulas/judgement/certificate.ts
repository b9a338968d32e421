/** What can be checked about a model without knowing the truth, in one object. */
import { type Seed, resolveSeed } from '../../data/random';
import type { Matrix } from '../../matrix';
import { defaultNames } from '../../data/table';
import { type OptionNames, SklarError, expectInteger, expectNumber } from '../../errors';
import { type MeanOfRows, meanOf } from '../../mean';
import { callNative } from '../../native';
import { type CopulaCapabilities } from '../fields/capabilities';
import { type FieldDensity, type LogPdfMethod, type Points, isUnnormalised } from '../fields/field-density';
import { type DenseRows, type RowsInput, type Scale, expectScale, toDense, takeRows } from '../inputs/rows';
import { type Execution, type RunOptions, runOptions } from '../inputs/run';
import { type Normalisable } from '../fields/normaliser';
import { tell } from '../../tell';

/** What a certificate asks of a copula. */
export interface Certifiable {
  readonly kind: string;
  readonly dim: number;
  readonly names: readonly string[] | null;
  readonly normalisable: Normalisable | null;
  readonly capabilities: CopulaCapabilities;
  density(
    method: LogPdfMethod,
    points: Points,
    options: object,
    run: Execution,
    onEvent?: (fraction: number) => void,
  ): Promise<FieldDensity>;
  sampleStream(rows: number, options: object): AsyncIterable<Matrix>;
}

/** What a certificate is at: the normaliser, a route to the log density, or one of its two samples. */
export type CertificateStage = 'normaliser' | LogPdfMethod | 'sample' | 'raw sample';

/** How a model is checked. */
export interface CertificateOptions extends RunOptions {
  /** The scale of the rows; default `copula`. */
  scale?: Scale;
  /** The routes are compared on at most so many of the rows, taken evenly; default 1000, beyond 100 columns fewer. */
  routeRows?: number;
  /** Routes agree within three standard errors or so many nats, whichever is more; default 0.01. */
  tolerance?: number;
  /** Rows of each of the two samples; default 20,000, fewer in very many columns. */
  sampleRows?: number;
  /** Of the samples; default 1. */
  seed?: Seed;
  /** Told the stage, and the share of the whole that is done. */
  onProgress?: ((progress: { stage: CertificateStage; fraction: number }) => void) | undefined;
}

export const certificateOptions: OptionNames<CertificateOptions> = {
  ...runOptions,
  scale: true,
  routeRows: true,
  tolerance: true,
  sampleRows: true,
  seed: true,
  onProgress: true,
};

/** One route to the log density of the compared rows: what it says, or why it left the finite numbers. */
export type CertificateRoute = MeasuredRoute | FailedRoute;

/** Mean log density of the compared rows by one route, in nats; `classifier` and `potential` have log Z subtracted. */
export interface MeasuredRoute extends MeanOfRows {
  /** The route. */
  readonly method: LogPdfMethod;
  /** None. */
  readonly failure: null;
  /** Mean over the same rows of this route minus the first one that did not fail; null for that one. */
  readonly difference: RouteDifference | null;
  /** Evaluations of the network or field for each row; those of `ode` come each with a divergence. */
  readonly nfe: number;
  /** What it took. */
  readonly seconds: number;
}

/** A route that left the finite numbers. */
export interface FailedRoute {
  /** The route. */
  readonly method: LogPdfMethod;
  /** The reason; its rows are numbered from 0 among those that are compared. */
  readonly failure: string;
  /** None. */
  readonly mean: null;
  /** None. */
  readonly standardError: null;
  /** None. */
  readonly difference: null;
  /** None. */
  readonly nfe: null;
  /** Until it failed. */
  readonly seconds: number;
}

/** How far two routes to the log density are apart, in nats. */
export interface RouteDifference {
  /** Over the rows. */
  readonly mean: number;
  /** Of the paired difference; where log Z takes part, its standard error does too. */
  readonly standardError: number;
  /** max(3 standardError, tolerance), and whether |mean| is at most that. */
  readonly allowed: number;
  /** Whether |mean| is at most `allowed`. */
  readonly within: boolean;
}

/** How uniform one margin is. */
export interface ColumnUniformity {
  /** Its name. */
  readonly column: string;
  /** Kolmogorov-Smirnov distance of the column on the copula scale from the uniform distribution. */
  readonly distance: number;
  /** On the Gaussian scale; 1 for a uniform column, with a standard error of sqrt(2 / rows). */
  readonly variance: number;
}

/** The margins of one sample: how uniform they are, or why the sampler left the finite numbers. */
export type MarginUniformity = MeasuredMargins | FailedMargins;

/** How uniform the margins of a sample are. */
export interface MeasuredMargins {
  /** None. */
  readonly failure: null;
  /** One for each column. */
  readonly columns: readonly ColumnUniformity[];
  /** The column with the largest distance. */
  readonly worst: ColumnUniformity;
  /** Whether its distance is at most the critical value. */
  readonly within: boolean;
}

/** A sample that left the finite numbers. */
export interface FailedMargins {
  /** The reason. */
  readonly failure: string;
  /** None. */
  readonly columns: null;
  /** None. */
  readonly worst: null;
  /** Never. */
  readonly within: false;
}

/** What can be checked about a model without knowing the truth; JSON can write it. */
export interface Certificate {
  /** See `Copula.kind`. */
  readonly kind: string;
  /** Columns. */
  readonly dim: number;
  /** Rows given, and rows that the routes were compared on. */
  readonly rows: number;
  /** Rows that the routes were compared on. */
  readonly routeRows: number;
  /**
   * Subtracted from the classifier's log density; 0 for a density that is normalised; null: the model has no density, or
   * no estimate of it succeeded.
   */
  readonly logNormaliser: number | null;
  /** In nats; null where there is no log Z. */
  readonly logNormaliserStandardError: number | null;
  /**
   * Why the density integrates to one: its formula is `exact`, it is that of a `flow` (up to the solver's error), or a
   * `normaliser` was estimated. Null where logNormaliser is.
   */
  readonly normalisedBy: 'exact' | 'flow' | 'normaliser' | null;
  /** The kind's own first. `bound` estimates a lower bound, which an exact field attains. */
  readonly routes: readonly CertificateRoute[];
  /** The margins of two samples, one with `margins: uniform`, one with `raw`. */
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
  /** The figures against their limits. */
  readonly verdict: {
    /** Null for a model with one route. */
    readonly routesAgree: {
      /** The route with the largest |difference|; null where failures left fewer than two. */
      readonly method: LogPdfMethod | null;
      readonly largestDifference: number | null;
      readonly tolerance: number;
      /** Whether no route failed and every one is within what is allowed to it. */
      readonly within: boolean;
    } | null;
    /**
     * Of two densities that do not agree the one that scores the rows higher, if they are rows that the model was not fitted to the one to believe, and by how
     * many nats a row. Null where they agree, or there is one. What is sampled has the density of `ode`, whichever it is.
     */
    readonly favoured: {
      readonly method: LogPdfMethod;
      readonly ahead: { readonly mean: number; readonly standardError: number };
    } | null;
    readonly marginsUniform: boolean;
    readonly rawMarginsUniform: boolean;
    /** What left the finite numbers; empty for a sound model. */
    readonly failed: readonly CertificateStage[];
  };
}

const ROUTE_ROWS = 1000;
const ROUTE_VALUES = 100_000;
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
  potential: 1,
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
    tell(onProgress, { stage, fraction: (before + part * SHARES[stage]) / total });
  };
}

type Report = ReturnType<typeof tracker>;

interface Normalisation {
  logZ: number;
  standardError: number;
  by: 'exact' | 'flow' | 'normaliser';
}

/** The result, or why there is none: numbers that are not finite are a finding, not the end. */
async function attempt<T>(
  work: () => Promise<T>,
): Promise<{ value: T; failure: null } | { value: null; failure: string }> {
  try {
    return { value: await work(), failure: null };
  } catch (error) {
    if (!(error instanceof SklarError) || error.code !== 'ERR_SKLAR_DIVERGED') throw error;
    return { value: null, failure: error.message };
  }
}

async function normalisationOf(
  copula: Certifiable,
  run: Execution,
  report: Report,
): Promise<Normalisation | null> {
  const { normalisable } = copula;
  if (normalisable) {
    const { logNormaliser: logZ, logNormaliserStandardError: standardError } = normalisable;
    const known = logZ === null || standardError === null ? null : { logZ, standardError };
    const onProgress = ({ fraction }: { fraction: number }) => report('normaliser', fraction);
    const estimate = known ?? (await normalisable.estimateNormaliser({ ...run, onProgress }));
    return { logZ: estimate.logZ, standardError: estimate.standardError, by: 'normaliser' };
  }
  const by = { exact: 'exact', ode: 'flow', classifier: null, potential: null, bound: null } as const;
  const why = by[copula.capabilities.logPdf[0]!];
  return why && { logZ: 0, standardError: 0, by: why };
}

/** All rows are looked at, so that a message counts within the caller's rows. */
function expectValues({ data, columns }: DenseRows, scale: Scale): void {
  const bad = data.findIndex((x) => !(scale === 'copula' ? x > 0 && x < 1 : Number.isFinite(x)));
  if (bad < 0) return;
  throw new SklarError(
    'ERR_SKLAR_VALUE',
    `expected ${scale === 'copula' ? 'values strictly between 0 and 1' : 'finite values'} for the rows of certify, ` +
      `got ${data[bad]} (row ${Math.floor(bad / columns) + 1}, column ${(bad % columns) + 1})`,
  );
}

/** The log density of the rows by one route, with the evaluations that it took for each row. */
async function routeOf(
  copula: Certifiable,
  method: LogPdfMethod,
  rows: DenseRows,
  scale: Scale,
  run: Execution,
  report: (fraction: number) => void,
): Promise<{ values: Float64Array; nfe: number }> {
  const { logPdf: values, evaluations: nfe } = await copula.density(
    method,
    { x: rows.data, rows: rows.rows, fromGaussian: scale === 'gaussian', firstRow: 0 },
    {},
    run,
    report,
  );
  // a formula may know rows of density 0; a network that gives one has left the finite numbers
  const bad = values.findIndex(
    (value) => !Number.isFinite(value) && !(method === 'exact' && value === -Infinity),
  );
  if (bad < 0) return { values, nfe };
  throw new SklarError('ERR_SKLAR_DIVERGED', `the log density is ${values[bad]}, first in row ${bad}`);
}

async function routesOf(
  copula: Certifiable,
  rows: DenseRows,
  numbers: Uint32Array,
  scale: Scale,
  normalisation: Normalisation | null,
  withoutNormaliser: string | null,
  tolerance: number,
  run: Execution,
  report: Report,
): Promise<CertificateRoute[]> {
  const routes: CertificateRoute[] = [];
  let first: { values: Float64Array; standardError: number } | null = null;
  for (const method of copula.capabilities.logPdf) {
    report(method, 0);
    const start = performance.now();
    const { value, failure } =
      isUnnormalised(method) && withoutNormaliser !== null
        ? { value: null, failure: `the normaliser could not be estimated: ${withoutNormaliser}` }
        : await attempt(() =>
            routeOf(copula, method, rows, scale, run, (fraction) => report(method, fraction)),
          );
    const seconds = (performance.now() - start) / 1000;
    if (value === null) {
      const nothing = { mean: null, standardError: null, difference: null, nfe: null };
      routes.push({ method, failure, ...nothing, seconds });
      continue;
    }
    const { values, nfe } = value;
    const logZ = isUnnormalised(method) ? normalisation : null;
    if (logZ) values.forEach((density, i) => (values[i] = density - logZ.logZ));
    let difference: RouteDifference | null = null;
    if (first) {
      const { values: others } = first;
      const paired = meanOf(
        values.map((density, i) => density - others[i]!).filter((value) => Number.isFinite(value)),
      );
      const standardError = Math.hypot(paired.standardError!, first.standardError);
      const allowed = Math.max(STANDARD_ERRORS * standardError, tolerance);
      difference = { mean: paired.mean, standardError, allowed, within: Math.abs(paired.mean) <= allowed };
    }
    first ??= { values, standardError: logZ?.standardError ?? 0 };
    routes.push({ method, failure: null, ...meanOf(values, numbers), difference, nfe, seconds });
  }
  return routes;
}

/** Largest distance of the empirical distribution of increasing values in (0, 1) from the uniform one. */
export function uniformDistance(sorted: Float64Array): number {
  const n = sorted.length;
  return sorted.reduce((most, u, i) => Math.max(most, (i + 1) / n - u, u - i / n), 0);
}

async function marginsOf(
  copula: Certifiable,
  margins: 'uniform' | 'raw',
  rows: number,
  seed: bigint,
  criticalValue: number,
  run: Execution,
  report: (fraction: number) => void,
): Promise<MeasuredMargins> {
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
  return { failure: null, columns, worst, within: worst.distance <= criticalValue };
}

function routesVerdict(
  routes: readonly CertificateRoute[],
  tolerance: number,
): Certificate['verdict']['routesAgree'] {
  if (routes.length < 2) return null;
  const compared = routes.flatMap(({ method, difference }) =>
    difference ? [{ method, ...difference, size: Math.abs(difference.mean) }] : [],
  );
  const far = compared.toSorted((a, b) => b.size - a.size)[0];
  return {
    method: far?.method ?? null,
    largestDifference: far?.size ?? null,
    tolerance,
    within: routes.every(({ failure }) => failure === null) && compared.every(({ within }) => within),
  };
}

/** A lower bound is no density of its own. */
function favouredOf(routes: readonly CertificateRoute[]): Certificate['verdict']['favoured'] {
  const [first, second] = routes.filter(({ method, failure }) => failure === null && method !== 'bound');
  const difference = second?.difference;
  if (!first || !second || !difference || difference.within) return null;
  const { mean, standardError } = difference;
  const { method } = mean > 0 ? second : first;
  return { method, ahead: { mean: Math.abs(mean), standardError } };
}

/** See `Copula.certify`. */
export async function certificateOf(
  copula: Certifiable,
  rows: RowsInput,
  options: CertificateOptions,
  run: Execution,
): Promise<Certificate> {
  const { dim } = copula;
  const scale = expectScale(options.scale);
  const usualRoutes = Math.max(100, Math.min(ROUTE_ROWS, Math.floor(ROUTE_VALUES / dim)));
  const most = expectInteger(options.routeRows ?? usualRoutes, 'routeRows', { min: 2, max: 2 ** 24 });
  const tolerance = expectNumber(options.tolerance ?? TOLERANCE, 'tolerance', { min: 0 });
  const usual = Math.max(1000, Math.min(SAMPLE_ROWS, Math.floor(SAMPLE_VALUES / dim)));
  const sampleRows = expectInteger(options.sampleRows ?? usual, 'sampleRows', {
    min: 100,
    max: Math.floor(2 ** 31 / dim),
  });
  const seed = resolveSeed(options.seed ?? 1);
  const dense = toDense(rows, 'the rows of certify', dim);
  if (dense.rows < 2) {
    throw new SklarError('ERR_SKLAR_SHAPE', `expected at least 2 rows for certificate, got ${dense.rows}`);
  }
  expectValues(dense, scale);
  const count = Math.min(most, dense.rows);
  const numbers = Uint32Array.from({ length: count }, (_, i) => Math.floor(((i + 0.5) * dense.rows) / count));
  const chosen = takeRows(dense, numbers);

  const estimates = copula.normalisable?.logNormaliser === null;
  const report = tracker(
    [
      ...(estimates ? (['normaliser'] as const) : []),
      ...copula.capabilities.logPdf,
      'sample' as const,
      'raw sample' as const,
    ],
    options.onProgress,
  );
  const { value: normalisation, failure: unnormalised } = await attempt(() =>
    normalisationOf(copula, run, report),
  );
  const routes = await routesOf(
    copula,
    chosen,
    numbers,
    scale,
    normalisation,
    unnormalised,
    tolerance,
    run,
    report,
  );
  const criticalValue = Math.sqrt(Math.log((2 * dim) / LEVEL) / (2 * sampleRows));
  const sample = async (margins: 'uniform' | 'raw', stage: CertificateStage): Promise<MarginUniformity> => {
    const { value, failure } = await attempt(() =>
      marginsOf(copula, margins, sampleRows, seed, criticalValue, run, (part) => report(stage, part)),
    );
    return value ?? { failure, columns: null, worst: null, within: false };
  };
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
      favoured: favouredOf(routes),
      routesAgree: routesVerdict(routes, tolerance),
      marginsUniform: uniform.within,
      rawMarginsUniform: raw.within,
      failed: [
        ...(unnormalised === null ? [] : (['normaliser'] as const)),
        ...routes.flatMap(({ method, failure }) => (failure === null ? [] : [method])),
        ...(uniform.failure === null ? [] : (['sample'] as const)),
        ...(raw.failure === null ? [] : (['raw sample'] as const)),
      ],
    },
  };
}
