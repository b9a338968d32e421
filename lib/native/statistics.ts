/** Measures of samples. */
import type { NativeJob } from './common';

export interface NativeTailCurves {
  /** Each q.length x dim x dim. */
  lower: Float64Array;
  lowerError: Float64Array;
  upper: Float64Array;
  upperError: Float64Array;
}

/** Both samples in one array, the first `first` of its rows one of them: see native/statistics/two_sample.hpp. */
type NativeSamples = [x: Float64Array, rows: number, first: number, dim: number, threads: number];

export interface NativePairSums {
  /** Of each row. */
  toFirst: Float64Array;
  toSecond: Float64Array;
  /** Of each relabelling. */
  withinFirst: Float64Array;
  between: Float64Array;
}

type NativePairMeasure = (
  x: Float64Array,
  rows: number,
  dim: number,
  threads: number,
  weights: Float64Array | null,
) => NativeJob<Float64Array>;

export interface StatisticsAddon {
  /** dim x dim; NaN where a column is constant. */
  kendallTau: NativePairMeasure;
  /** Of Kendall's tau: of every pair of columns, dim x dim with 0 on the diagonal, and of the mean over the pairs. */
  kendallVariance(
    x: Float64Array,
    rows: number,
    dim: number,
    threads: number,
    weights: Float64Array | null,
  ): NativeJob<{ pairs: Float64Array; mean: number }>;
  spearmanRho: NativePairMeasure;
  blomqvistBeta: NativePairMeasure;
  tailCurves(
    x: Float64Array,
    rows: number,
    dim: number,
    q: Float64Array,
    threads: number,
    weights: Float64Array | null,
  ): NativeJob<NativeTailCurves>;
  /** rows x dim: the columns of x on the Gaussian scale as those of base, baseRows x dim, see them. */
  normalScores(
    base: Float64Array,
    baseRows: number,
    x: Float64Array,
    rows: number,
    dim: number,
    threads: number,
  ): NativeJob<Float64Array>;
  /** One for each of the rows: native/statistics/two_sample.hpp. */
  nearestDistances(
    base: Float64Array,
    baseRows: number,
    x: Float64Array,
    rows: number,
    dim: number,
    labels: Uint32Array,
    threads: number,
  ): NativeJob<Float64Array>;
  /** One for each column. */
  marginDistances(...samples: NativeSamples): NativeJob<{ kolmogorov: Float64Array; cramer: Float64Array }>;
  /** Of distances, or of Gaussian kernels where there are bandwidths. */
  pairSums(
    ...call: [
      ...samples: NativeSamples,
      bandwidths: Float64Array,
      relabellings: number,
      seed: bigint,
      onProgress?: (fraction: number) => void,
    ]
  ): NativeJob<NativePairSums>;
  medianDistance(x: Float64Array, rows: number, dim: number): NativeJob<number>;
  /** One for each direction: the distance to the power of `order`, 1 or 2. */
  slicedWasserstein(
    ...call: [
      ...samples: NativeSamples,
      directions: number,
      order: number,
      seed: bigint,
      onProgress?: (fraction: number) => void,
    ]
  ): NativeJob<Float64Array>;
  /** Log-odds of label 1 of each row by the fit to the other folds: see native/statistics/two_sample_classifier.hpp. */
  classifierScores(
    z: Float64Array,
    rows: number,
    dim: number,
    labels: Int32Array,
    folds: Int32Array,
    foldCount: number,
    ridge: number,
    neighbours: number,
    threads: number,
  ): NativeJob<Float64Array>;
}
