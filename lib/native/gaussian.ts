/** The normal law and Gaussian copulas. */
import type { LevelBlocks } from '../data/level-blocks';
import type { NativeJob } from './common';

export interface GaussianAddon {
  normalCdf(values: Float64Array): Float64Array;
  normalQuantile(values: Float64Array): Float64Array;
  cholesky(matrix: Float64Array, dim: number): { factor: Float64Array; logDeterminant: number };
  normalScoresCorrelation(
    u: Float64Array,
    rows: number,
    dim: number,
    threads: number,
  ): NativeJob<Float64Array>;
  /** Correlation of a Gaussian copula of rows with recurring values, by `rounds` of a stochastic EM algorithm. */
  tiedCorrelation(
    u: Float64Array,
    rows: number,
    dim: number,
    options: { blocks: LevelBlocks; rounds: number; shrinkage: number; seed: bigint },
    threads: number,
  ): NativeJob<Float64Array>;
  /** The rows, with the levels in blocks drawn there from the Gaussian copula of that factor, by so many sweeps. */
  tiedLevels(
    u: Float64Array,
    rows: number,
    dim: number,
    options: { blocks: LevelBlocks; factor: Float64Array; sweeps: number; seed: bigint },
    threads: number,
  ): NativeJob<Float64Array>;
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
