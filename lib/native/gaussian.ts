/** Gaussian copulas. */
import type { NativeJob } from './common';

export interface GaussianAddon {
  gaussianLogPdf(
    factor: Float64Array,
    x: Float64Array,
    fromGaussian: boolean,
    rows: number,
    dim: number,
    threads: number,
  ): NativeJob<Float64Array>;
  gaussianSample(
    factor: Float64Array,
    dim: number,
    rows: number,
    seed: bigint,
    firstRow: bigint,
    toGaussian: boolean,
    threads: number,
  ): NativeJob<Float64Array>;
  /** Rows (Gaussian scale) of N(0, R), R the factor times its transpose, given some columns; logMarginal: log c_A(a). */
  gaussianConditional(
    factor: Float64Array,
    dim: number,
    columns: Int32Array,
    values: Float64Array,
    rows: number,
    seed: bigint,
    threads: number,
  ): NativeJob<{ values: Float64Array; logMarginal: number }>;
}
