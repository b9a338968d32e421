/** Fields of models of every kind: solvers and what goes along them. */
import type { Process } from '../processes';
import type { NativeDevice, NativeJob } from './common';

declare const fieldHandle: unique symbol;
/** The field of a model of any kind, for the integrators; freed by the garbage collector. */
export interface FieldHandle {
  readonly [fieldHandle]: never;
}

/** An integration of a field; see `lib/copulas/fields/solvers.ts` for the names. */
export interface NativeIntegration {
  solver: string;
  clock: string;
  /** Times of the process (of ou angles) in the direction of the integration; see `SolverOptions` in native/integrate. */
  nodes: Float64Array;
  adaptive: boolean;
  rtol: number;
  atol: number;
  eta: number;
  correctorSteps: number;
  correctorSize: number;
  brownianTree: boolean;
  rows: number;
  seed: bigint;
  firstRow: bigint;
  fromGaussian: boolean;
  toGaussian: boolean;
  device: NativeDevice;
}

export interface NativeIntegrated {
  values: Float64Array;
  /** Of the field, mean over rows, and of the row with most. */
  evaluations: number;
  mostEvaluations: number;
  /** Steps, means over rows. */
  accepted: number;
  rejected: number;
}

/** Rows that are wanted given some columns. */
export interface NativeCondition {
  /** Fixed columns and their values on the Gaussian scale. */
  columns: Int32Array;
  values: Float64Array;
  rows: number;
}

/** Twisted sampling along a field of a process with noise; see TwistedOptions of native/monte_carlo/conditional.hpp. */
export interface NativeFieldConditionalOptions extends NativeCondition {
  /** Of the process (of ou angles), 0 first, increasing: the reverse SDE steps from the last to the first. */
  times: Float64Array;
  /** Particles of one population. */
  particles: number;
  islands: number;
  leastShare: number;
  seed: bigint;
}

export interface NativeSmcOptions {
  /** Particles of one population. */
  particles: number;
  islands: number;
  /** After every reweighting. */
  moves: number;
  /** At the data, after all weights have been made equal. */
  finalMoves: number;
  /** Share of effective particles that is kept. */
  leastShare: number;
  targetAcceptance: number;
  seed: bigint;
}

/** One reweighting towards `level` from the level above, and the moves after it. */
export interface NativeSmcStage {
  level: number;
  /** Share of effective particles after it. */
  effective: number;
  acceptance: number;
}

export interface NativeEstimate {
  logZ: number;
  /** Infinity: there is one population only. */
  standardError: number;
  effective: number;
}

export interface NativeNormaliser {
  smc: NativeEstimate;
  monteCarlo: NativeEstimate;
  bennett: NativeEstimate;
  stages: NativeSmcStage[];
}

export interface NativeConditionalOptions extends NativeSmcOptions, NativeCondition {
  method: 'smc' | 'twisted' | 'replacement';
  /** twisted: weights of the density itself; else of the reverse SDE's normal steps. */
  exactSteps: boolean;
  /** replacement: of every step. */
  loops: number;
  /** twisted and replacement: moves afterwards. */
  polish: number;
}

export interface NativeConditional {
  /** rows x dim on the Gaussian scale. */
  values: Float64Array;
  /** NaN for replacement. */
  logMarginal: number;
  standardError: number;
  effective: number;
  ancestors: number;
  acceptance: number;
  /** Of the moves at the data, worst coordinate; NaN for fewer than 4. */
  rHat: number;
  movesEffective: number;
}

export interface FieldsAddon {
  /** `scalar`: what the field is computed in; float64 on the CPU alone. */
  fieldReference(field: FieldHandle): {
    process: Process;
    dim: number;
    reference: number;
    scalar: 'float32' | 'float64';
  };
  fieldSample(
    field: FieldHandle,
    options: NativeIntegration & {
      /** Rows to start from instead of draws of the reference. */
      start: Float64Array | null;
      /** Knots of margin maps of the result, dim x 33; null: none. */
      marginMaps: Float64Array | null;
    },
    onProgress?: (fraction: number) => void,
  ): NativeJob<NativeIntegrated>;
  fieldLogPdf(
    field: FieldHandle,
    options: NativeIntegration & {
      x: Float64Array;
      /** How the divergence is found; see TraceEstimator of native/fields/field.hpp. */
      trace: 'exact' | 'rademacher' | 'gaussian' | 'hutch++';
      /** 0: exact. */
      probes: number;
    },
    onProgress?: (fraction: number) => void,
  ): NativeJob<NativeIntegrated & { logPdf: Float64Array; standardError: Float64Array }>;
  /** Of each row, what the field alone says of its log density: see native/model/field_bound.hpp. */
  fieldBound(
    field: FieldHandle,
    x: Float64Array,
    fromGaussian: boolean,
    rows: number,
    draws: number,
    seed: bigint,
    firstRow: bigint,
    device: NativeDevice,
    onProgress?: (fraction: number) => void,
  ): NativeJob<Float64Array>;
  /** F = log c_t at a time, with the guide, of a field that is a potential's. */
  fieldPotential(
    field: FieldHandle,
    x: Float64Array,
    fromGaussian: boolean,
    rows: number,
    time: number,
    device: NativeDevice,
    onProgress?: (fraction: number) => void,
  ): NativeJob<Float64Array>;
  /** @param times of the Ornstein-Uhlenbeck process, 0 first, increasing; the last may be Infinity */
  potentialNormaliser(
    field: FieldHandle,
    times: Float64Array,
    options: NativeSmcOptions,
    device: NativeDevice,
    onProgress?: (fraction: number) => void,
  ): NativeJob<NativeNormaliser>;
  potentialConditional(
    field: FieldHandle,
    times: Float64Array,
    options: NativeConditionalOptions,
    device: NativeDevice,
    onProgress?: (fraction: number) => void,
  ): NativeJob<NativeConditional>;
  fieldConditional(
    field: FieldHandle,
    options: NativeFieldConditionalOptions,
    device: NativeDevice,
    onProgress?: (fraction: number) => void,
  ): NativeJob<NativeConditional>;
  /** Knots of the maps that take the margins of a pilot sample (Gaussian scale) to the standard normal, dim x 33. */
  marginKnots(pilot: Float64Array, rows: number, dim: number): NativeJob<Float64Array>;
}
