/** Is a sample as good as data? All metrics of two samples, each beside what data get. */
import { type RowsInput, type Scale } from '../copulas/inputs/rows';
import { type RunOptions, runOptions } from '../copulas/inputs/run';
import { type Matrix, matrix, pickRows } from '../matrix';
import { Generator, type Seed, seedWords, shuffle, resolveSeed } from '../data/random';
import { type SplitMethod, splitMethods, splitRows } from '../data/split';
import { Table, defaultNames, listNames } from '../data/table';
import { type Weights, drawByWeight, expectWeights } from '../data/weights';
import { type OptionNames, SklarError, describe, expectInteger, expectOneOf, expectOptions } from '../errors';
import { callNative, runJob } from '../native';
import { distancesTo, labelColumns } from './closest-rows';
import { kendall } from './dependence';
import {
  type PairMetric,
  type TailMetric,
  expectTwoColumns,
  expectVarying,
  kendallDifference,
  tailError,
} from './dependence-error';
import { type NamedRows, codesOf, execution, expectRows } from './rows';
import {
  type MarginMetric,
  type TwoSampleMetric,
  type MmdMetric,
  areaUnderCurve,
  classifierAuc,
  cramerVonMises,
  energyDistance,
  kolmogorovSmirnov,
  mmd,
  slicedWasserstein,
} from './two-sample';
import { tell } from '../tell';

/** What each metric gives. */
export interface MetricResults {
  /** `kolmogorovSmirnov` */
  ks: MarginMetric;
  /** `cramerVonMises` */
  cvm: MarginMetric;
  /** `energyDistance` */
  energy: TwoSampleMetric;
  /** `mmd` */
  mmd: MmdMetric;
  /** `slicedWasserstein` */
  wasserstein: TwoSampleMetric;
  /** `classifierAuc` */
  auc: TwoSampleMetric;
  /** `kendallError` */
  kendall: PairMetric;
  /** `tailError` */
  tails: TailMetric;
}

/** A metric of `compare`. */
export type MetricName = keyof MetricResults;

/** All of them. */
export const metricNames = [
  'ks',
  'cvm',
  'energy',
  'mmd',
  'wasserstein',
  'auc',
  'kendall',
  'tails',
] as const satisfies readonly MetricName[];

/** A metric of the sample against data, and of as many rows of other data against the same data. */
export interface MetricWithFloor<T extends TwoSampleMetric> {
  /** The sample against the data. */
  readonly sample: T;
  /** Other data against the data. */
  readonly floor: T;
}

/** What is compared, and how. */
export interface CompareOptions extends RunOptions {
  /** Other rows of the distribution of the data, for the floor; default: one half of the data, the other is the data. */
  reference?: RowsInput;
  /**
   * Of the data: finite, not negative, not all 0, in any unit. Rows are drawn, each with a probability in proportion to its weight, and what
   * is left is compared as a sample without weights, so that p-values and standard errors are right. Default: all count alike.
   */
  weights?: Weights | undefined;
  /** The same of the sample. */
  sampleWeights?: Weights | undefined;
  /** The same of the reference. */
  referenceWeights?: Weights | undefined;
  /**
   * The rows that the model of the sample was learned from, none of which is in the data: how near sampled rows are to them, beside the data
   * (`closestRows`), on at most 10,000 rows of each.
   */
  train?: RowsInput;
  /** How the data are halved where there is no `reference`, see `splitRows`; default `random`. */
  split?: SplitMethod;
  /**
   * Default: all that the rows allow: below 10 to compare all but `auc`; `kendall` and `tails` are of the columns that vary in the data, the sample and
   * the floor, of which they need two.
   */
  metrics?: readonly MetricName[];
  /**
   * The scale of `energy`, `mmd` and `wasserstein`: `gaussian` (default) and `copula` put every column through the
   * distribution function of the data, so that columns of any units count alike; `data` takes the rows as they are. The
   * other metrics depend on the order within columns alone.
   */
  scale?: Scale | 'data';
  /** Rows of each sample for `energy`, `mmd` and `auc`, at most; default 2000. */
  rows?: number;
  /** Relabellings for the p-values of `energy` and `mmd`; default 199. */
  permutations?: number;
  /** Of the choice of rows, the relabellings, directions and folds; default 1. */
  seed?: Seed;
  /** Told the metric, and the share of the whole that is done. */
  onProgress?: ((progress: { metric: MetricName; fraction: number }) => void) | undefined;
}

const compareOptions: OptionNames<CompareOptions> = {
  ...runOptions,
  reference: true,
  train: true,
  weights: true,
  sampleWeights: true,
  referenceWeights: true,
  split: true,
  metrics: true,
  scale: true,
  rows: true,
  permutations: true,
  seed: true,
  onProgress: true,
};

/** One object that JSON can write. */
export interface Comparison {
  /** Names. */
  readonly columns: readonly string[];
  /** How many rows of each. */
  readonly rows: {
    /** Given; of weighted rows those that were drawn. */
    readonly data: number;
    readonly sample: number;
    readonly reference: number | null;
    /** Taken at random of the data, the sample and the reference each. */
    readonly compared: number;
    /** Of these for `energy`, `mmd` and `auc`. */
    readonly pairs: number;
  };
  /** What the floor is of: two halves at random, the first half and the last, two halves of whole stretches, or other rows. */
  readonly floor: 'halves' | 'time' | 'blocks' | 'reference';
  /** See `CompareOptions.scale`. */
  readonly scale: Scale | 'data';
  /** As decimal digits. */
  readonly seed: string;
  /** How near rows are to those of `train`; null: there was none. */
  readonly closest: ClosestRows | null;
  /** By name; those that were asked for. */
  readonly metrics: { readonly [K in MetricName]?: MetricWithFloor<MetricResults[K]> };
}

/** Distances of rows to the closest training row, see `closestRows`. */
export interface ClosestDistances {
  /** How many rows were looked at. */
  readonly rows: number;
  readonly median: number;
  /** The quantile at 5 %. */
  readonly low: number;
  /** The share of rows that are a training row. */
  readonly copies: number;
}

/** Whether a sample is nearer to the training rows than data are. */
export interface ClosestRows {
  /** Training rows. */
  readonly training: number;
  /** Of the sample. */
  readonly sample: ClosestDistances;
  /** Of the data. */
  readonly data: ClosestDistances;
  /**
   * How often a sampled row is nearer to its closest training row than one of the data to its own, equal distances by halves: 0.5 where
   * nothing is copied, with the standard error of DeLong, DeLong and Clarke-Pearson (1988).
   */
  readonly nearer: { readonly value: number; readonly standardError: number };
}

/** Rows whose closest training row is looked for. */
const CLOSEST_ROWS = 10_000;

function distancesOf(sorted: Float64Array): ClosestDistances {
  const at = (level: number) => {
    const place = level * (sorted.length - 1);
    const [low, high] = [sorted[Math.floor(place)]!, sorted[Math.ceil(place)]!];
    return low + (place - Math.floor(place)) * (high - low);
  };
  const copies = sorted.findIndex((distance) => distance > 0);
  return {
    rows: sorted.length,
    median: at(0.5),
    low: at(0.05),
    copies: (copies < 0 ? sorted.length : copies) / sorted.length,
  };
}

const PAIR_ROWS = 2000;

/** The classifier's folds need so many rows of each. */
const LEAST_ROWS = 10;
/** All other metrics. */
const FEWEST_ROWS = 2;

/** Columns of the others are found by name where both have names. */
function expectLike(data: NamedRows, input: RowsInput, what: string): NamedRows {
  const { names } = data;
  if (names && Table.is(input)) {
    const missing = names.filter((name) => !input.names.includes(name));
    if (missing.length > 0) {
      throw new SklarError(
        'ERR_SKLAR_VALUE',
        `expected the columns of the data in ${what}, got none named ${listNames(missing)}`,
      );
    }
    return expectRows(input.select(names), what);
  }
  const rows = expectRows(input, what);
  if (rows.columns !== data.columns) {
    throw new SklarError(
      'ERR_SKLAR_SHAPE',
      `expected ${data.columns} columns for ${what}, as the data have, got ${rows.columns}`,
    );
  }
  const other = rows.names?.findIndex((name, j) => names && name !== names[j]) ?? -1;
  if (other < 0) return rows;
  throw new SklarError(
    'ERR_SKLAR_VALUE',
    `expected the columns of the data in ${what}, got ${describe(rows.names![other])} for ${describe(names![other])}`,
  );
}

/** Rows that are drawn by their weights. */
function drawn(all: NamedRows, given: Weights | undefined, seed: bigint): NamedRows {
  if (given === undefined) return all;
  expectWeights(given, all.rows);
  const rows = drawByWeight(given, seed);
  return { ...all, data: pickRows(all.data, rows, all.columns), rows: rows.length };
}

/** All rows, or these, in random order. */
function shuffled(
  { data, rows, columns }: NamedRows,
  seed: bigint,
  stream: number,
  among: ArrayLike<number> = { length: rows },
): Float64Array {
  const order = Uint32Array.from(among, (row: number | undefined, i) => row ?? i);
  shuffle(order, 0, order.length, new Generator(...seedWords(seed), stream));
  return pickRows(data, order, columns);
}

interface Part {
  /** As given, and on the scale of the distances. */
  readonly raw: Float64Array;
  readonly scaled: Float64Array;
}

/**
 * Judges a sample by held-out data: distances of the margins, of the whole distributions and of the dependence, and how
 * well a classifier tells one from the other (docs/mathematics.md, G.3). Each comes with its floor, the same number for
 * data in the place of the sample: other held-out rows (`reference`), or else one random half of the data against the
 * other. Sample, data and floor have the same number of rows, the largest possible, so the two numbers can be compared: a
 * sample at the floor is as good as data, by this metric and for so many rows.
 *
 * @param data n x dim, finite, that the sample's model was not fitted to
 * @param sample m x dim on the same scale; the columns of a table are found by name. Texts of a table count as their places among the
 *   labels of the data's column (`TableSchema.modelled` has an order of labels by which dependence is monotone)
 * @throws SklarError ERR_SKLAR_VALUE naming a value that is not finite, a column that is missing or constant, or an option;
 *   ERR_SKLAR_SHAPE for other columns, or fewer than 2 rows to compare (10 where `auc` is asked for)
 *
 * @example
 * ```ts
 * import { FamilyCopula, compare } from 'sklar';
 *
 * const copula = new FamilyCopula('frank', { theta: 5 });
 * const [data, sample] = [await copula.sample(200, { seed: 1 }), await copula.sample(200, { seed: 2 })];
 * const { metrics } = await compare(data, sample, { metrics: ['energy', 'kendall'] });
 * metrics.energy!.sample.value; // beside that of other data, metrics.energy!.floor.value
 * ```
 */
export async function compare(
  data: RowsInput,
  sample: RowsInput,
  options: CompareOptions = {},
): Promise<Comparison> {
  options = expectOptions(options, 'compare', compareOptions);
  const run = execution(options);
  const seed = resolveSeed(options.seed ?? 1);
  const scale = expectOneOf(options.scale ?? 'gaussian', 'scale', ['gaussian', 'copula', 'data'] as const);
  const split = expectOneOf(options.split ?? 'random', 'split', splitMethods);
  const most = expectInteger(options.rows ?? PAIR_ROWS, 'rows', { min: LEAST_ROWS, max: 2 ** 20 });
  const given = expectRows(codesOf(data, data), 'the data');
  const other = drawn(expectLike(given, codesOf(sample, data), 'the sample'), options.sampleWeights, seed);
  const reference =
    options.reference === undefined
      ? null
      : drawn(
          expectLike(given, codesOf(options.reference, data), 'the reference'),
          options.referenceWeights,
          seed,
        );
  if (!reference && options.referenceWeights !== undefined) {
    throw new SklarError('ERR_SKLAR_VALUE', 'expected a reference for referenceWeights, got none');
  }
  const own = drawn(given, options.weights, seed);
  const train =
    options.train === undefined ? null : expectLike(given, codesOf(options.train, data), 'the training rows');
  const dim = own.columns;
  const halves = reference || split === 'random' ? null : splitRows(own.rows, 0.5, seed, split);
  const available = reference
    ? Math.min(own.rows, reference.rows)
    : halves
      ? Math.min(halves.train.length, halves.holdout.length)
      : Math.floor(own.rows / 2);
  const compared = Math.min(available, other.rows);
  const wanted = wantedMetrics(options.metrics);
  const least = wanted?.includes('auc') ? LEAST_ROWS : FEWEST_ROWS;
  if (compared < least) {
    throw new SklarError(
      'ERR_SKLAR_SHAPE',
      `expected at least ${least} rows to compare, of ` +
        (other.rows < least
          ? 'the sample'
          : reference
            ? 'the data and of the reference'
            : 'each half of the data') +
        `, got ${other.rows < least ? other.rows : available}`,
    );
  }
  const scaled = async (x: Float64Array): Promise<Float64Array> => {
    if (scale === 'data') return x;
    const z = await runJob(
      (addon) => addon.normalScores(own.data, own.rows, x, x.length / dim, dim, run.threads),
      { signal: run.signal },
    );
    return scale === 'gaussian' ? z : callNative((addon) => addon.normalCdf(z));
  };
  const part = async (all: Float64Array, first: number): Promise<Part> => {
    const raw = all.subarray(first * dim, (first + compared) * dim);
    return { raw, scaled: await scaled(raw) };
  };
  const ofData = shuffled(own, seed, 1, halves?.train);
  const floor = halves ? shuffled(own, seed, 3, halves.holdout) : reference && shuffled(reference, seed, 3);
  const parts = {
    data: await part(ofData, 0),
    sample: await part(shuffled(other, seed, 2), 0),
    floor: await (floor ? part(floor, 0) : part(ofData, compared)),
  };

  const pairs = Math.min(most, compared);
  const names = own.names ?? other.names ?? defaultNames(dim);
  const isOfPairs = (name: MetricName) => name === 'kendall' || name === 'tails';
  const varying = Array.from({ length: dim }, (_, j) => j).filter((j) =>
    Object.values(parts).every(({ raw }) => raw.some((value, k) => k % dim === j && value !== raw[j])),
  );
  const metrics =
    wanted ??
    metricNames.filter((name) =>
      name === 'auc' ? compared >= LEAST_ROWS : varying.length > 1 || !isOfPairs(name),
    );
  const ofPairs = wanted?.find(isOfPairs);
  if (ofPairs) {
    expectTwoColumns(dim, ofPairs);
    expectVarying(parts.data.raw, names, ofPairs, reference ? 'the data' : 'one half of the data');
    expectVarying(parts.sample.raw, names, ofPairs, 'the sample');
    expectVarying(parts.floor.raw, names, ofPairs, reference ? 'the reference' : 'one half of the data');
  }
  const take = (values: Float64Array, rows: number): Matrix =>
    matrix(values.subarray(0, rows * dim), rows, dim, names);
  const common = { threads: run.threads, signal: run.signal };
  const random = {
    ...common,
    seed,
    ...(options.permutations !== undefined && { permutations: options.permutations }),
  };
  type Compute = {
    [K in MetricName]: (p: Part, onProgress: (fraction: number) => void) => Promise<MetricResults[K]>;
  };
  const whole = (p: Part, key: keyof Part) =>
    [take(parts.data[key], compared), take(p[key], compared)] as const;
  const inPairs = varying.map((j) => names[j]!);
  const pairRows = (p: Part): Matrix =>
    matrix(
      Float64Array.from({ length: compared * varying.length }, (_, k) => {
        const [i, j] = [Math.floor(k / varying.length), k % varying.length];
        return p.raw[i * dim + varying[j]!]!;
      }),
      compared,
      varying.length,
      inPairs,
    );
  const tauOf = (p: Part) => kendall(pairRows(p), common);
  let tauOfData: Promise<Matrix> | undefined;
  const some = (p: Part, key: keyof Part) => [take(parts.data[key], pairs), take(p[key], pairs)] as const;
  const compute: Compute = {
    ks: (p) => kolmogorovSmirnov(...whole(p, 'raw'), common),
    cvm: (p) => cramerVonMises(...whole(p, 'raw'), common),
    energy: (p, onProgress) => energyDistance(...some(p, 'scaled'), { ...random, onProgress }),
    mmd: (p, onProgress) => mmd(...some(p, 'scaled'), { ...random, onProgress }),
    wasserstein: (p, onProgress) => slicedWasserstein(...whole(p, 'scaled'), { ...common, seed, onProgress }),
    auc: (p) => classifierAuc(...some(p, 'raw'), { ...common, seed }),
    kendall: async (p) => kendallDifference(await (tauOfData ??= tauOf(parts.data)), await tauOf(p), inPairs),
    tails: (p) => tailError(pairRows(parts.data), pairRows(p), common),
  };
  const closest = async (): Promise<ClosestRows | null> => {
    if (!train) return null;
    const labels = labelColumns(data, dim);
    const of = async (all: NamedRows, stream: number): Promise<Float64Array> => {
      const rows = Math.min(all.rows, CLOSEST_ROWS);
      const chosen = shuffled(all, seed, stream).subarray(0, rows * dim);
      return (await distancesTo(train, { ...all, data: chosen, rows }, labels, run)).sort();
    };
    const [ofSample, ofOwn] = [await of(other, 4), await of(own, 5)];
    const { area, variance } = areaUnderCurve(ofSample, ofOwn);
    return {
      training: train.rows,
      sample: distancesOf(ofSample),
      data: distancesOf(ofOwn),
      nearer: { value: area, standardError: Math.sqrt(variance) },
    };
  };
  const results: { [K in MetricName]?: MetricWithFloor<MetricResults[K]> } = {};
  const judge = async <K extends MetricName>(metric: K, index: number): Promise<void> => {
    const one = async (which: 'sample' | 'floor', done: number) => {
      const report = (fraction: number) =>
        tell(options.onProgress, { metric, fraction: (index + (done + fraction) / 2) / metrics.length });
      report(0);
      return compute[metric](parts[which], report);
    };
    const judged = { sample: await one('sample', 0), floor: await one('floor', 1) };
    results[metric] = judged as (typeof results)[K];
    tell(options.onProgress, { metric, fraction: (index + 1) / metrics.length });
  };
  for (const [index, metric] of metrics.entries()) await judge(metric, index);
  return {
    columns: names,
    rows: { data: own.rows, sample: other.rows, reference: reference?.rows ?? null, compared, pairs },
    floor: reference ? 'reference' : split === 'random' ? 'halves' : split,
    scale,
    seed: seed.toString(),
    closest: await closest(),
    metrics: results,
  };
}

/** Those that were asked for; undefined: none by name. */
function wantedMetrics(given: unknown): readonly MetricName[] | undefined {
  if (given === undefined) return undefined;
  if (!Array.isArray(given) || given.length === 0) {
    throw new SklarError('ERR_SKLAR_VALUE', `expected a list of metrics, got ${describe(given)}`);
  }
  const wanted = new Set(given.map((name: unknown) => expectOneOf(name, 'a metric', metricNames)));
  return metricNames.filter((name) => wanted.has(name));
}
