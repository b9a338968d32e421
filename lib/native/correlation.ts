/** The normal law and estimates of R. */
import type { LevelBlocks } from '../data/level-blocks';
import type { NativeJob } from './common';

export interface CorrelationAddon {
  normalCdf(values: Float64Array): Float64Array;
  normalQuantile(values: Float64Array): Float64Array;
  /** L of the matrix L L^T. */
  cholesky(matrix: Float64Array, dim: number): Float64Array;
  normalScoresCorrelation(
    u: Float64Array,
    rows: number,
    dim: number,
    threads: number,
    weights: Float64Array | null,
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
}
