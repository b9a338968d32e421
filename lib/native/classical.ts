/** Copulas with a closed-form density. */
import type { NativeJob } from './common';

/** A copula of native/classical; parameters in the order of make_bivariate. */
export interface ClassicalDefinition {
  family: string;
  dim: number;
  parameters: Float64Array;
  rotation: number;
  /** gaussian and student: L of the correlation L L^T; parameters: the degrees of freedom. */
  factor: Float64Array | null;
  /** empirical-beta: ranks of the training rows, n x dim; kernel: densities at pairs of its nodes, the parameters. */
  table?: Float64Array;
}

export interface ClassicalAddon {
  classicalLogPdf(
    definition: ClassicalDefinition,
    x: Float64Array,
    fromGaussian: boolean,
    rows: number,
    threads: number,
  ): NativeJob<Float64Array>;
  /** Values of all rows, then their standard errors. */
  classicalCdf(
    definition: ClassicalDefinition,
    u: Float64Array,
    rows: number,
    threads: number,
  ): NativeJob<Float64Array>;
  /** Log density in the columns where lower equals upper, times the probability of the cells of the others. */
  classicalLogCells(
    definition: ClassicalDefinition,
    lower: Float64Array,
    upper: Float64Array,
    fromGaussian: boolean,
    rows: number,
    threads: number,
  ): NativeJob<Float64Array>;
  classicalSample(
    definition: ClassicalDefinition,
    rows: number,
    seed: bigint,
    firstRow: bigint,
    toGaussian: boolean,
    threads: number,
  ): NativeJob<Float64Array>;
  classicalRosenblatt(
    definition: ClassicalDefinition,
    x: Float64Array,
    gaussian: boolean,
    inverse: boolean,
    rows: number,
    threads: number,
  ): NativeJob<Float64Array>;
  /** Rows given the first columns; `given` and the rows are on the Gaussian scale. */
  classicalConditional(
    definition: ClassicalDefinition,
    given: Float64Array,
    rows: number,
    seed: bigint,
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
  /** The table of a kernel copula: native/classical/pairs/kernel_estimate.hpp. */
  classicalKernel(
    u: Float64Array,
    rows: number,
    nodes: Float64Array,
    correlation: number,
    scale: number,
    threads: number,
  ): NativeJob<Float64Array>;
  /** Of two columns. */
  classicalPair(
    definition: ClassicalDefinition,
    name: 'hfunc1' | 'hfunc2' | 'hinv1' | 'hinv2',
    x: Float64Array,
    gaussian: boolean,
    rows: number,
    threads: number,
  ): NativeJob<Float64Array>;
  /** Of two columns; tails: lower-lower, lower-upper, upper-lower, upper-upper. */
  classicalDependence(definition: ClassicalDefinition): { tau: number; tails: Float64Array };
  /**
   * Likelihoods of pairs of columns (first and second in turns) of a Student copula, Infinity degrees: a Gaussian one. search: of
   * the correlation that maximises each, up to `most`; else of the one given. information: minus the second derivative.
   */
  classicalFitPairs(
    degrees: number,
    correlation: Float64Array,
    search: boolean,
    most: number,
    lower: Float64Array,
    upper: Float64Array,
    pairs: Uint32Array,
    rows: number,
    dim: number,
    threads: number,
    weights: Float64Array | null,
  ): NativeJob<{ correlation: Float64Array; logLikelihood: Float64Array; information: Float64Array }>;
  /** The correlation of a Student copula given its degrees of freedom, by maximum likelihood. */
  classicalFitStudent(
    degrees: number,
    correlation: Float64Array,
    /** Draws every step of the iteration towards independence. */
    shrinkage: number,
    u: Float64Array,
    rows: number,
    dim: number,
    threads: number,
    weights: Float64Array | null,
  ): NativeJob<{ correlation: Float64Array; logLikelihood: number }>;
}
