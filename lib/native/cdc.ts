/** Classification-diffusion copulas. */
import type { NativeDevice, NativeJob, NetworkShape, ParameterSlice, RealArray } from './common';
import type { FieldHandle, NativeCondition, NativeConditional } from './fields';
import type { NativeTrainCall, NativeTrainReport, NativeTrainResult } from './training';

declare const cdcHandle: unique symbol;
/** A CDC in native memory; freed by the garbage collector. */
export interface CdcHandle {
  readonly [cdcHandle]: never;
}

export interface CdcNativeDefinition {
  network: NetworkShape;
  /** Times of the noise levels, 0 first, increasing; the last may be Infinity. */
  times: Float64Array;
  /** L of the guide Sigma = L L^T, dim x dim; null: not guided. */
  cholesky: Float64Array | null;
  /** Normal-scores correlation, dim x dim; null: unknown. */
  correlation: Float64Array | null;
  parameters: RealArray;
}

export interface CdcNativePublishedOptions {
  noisy: boolean;
  steps: number;
  rows: number;
  seed: bigint;
  firstRow: bigint;
  toGaussian: boolean;
  /** Starting rows on the Gaussian scale instead of standard normal draws. */
  start: Float64Array | null;
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

export interface CdcNativeTrainOptions extends NativeTrainCall {
  network: NetworkShape;
  times: Float64Array;
  stratifiedLevels: boolean;
  crossEntropyWeight: number;
}

export interface CdcAddon {
  cdcSlices(network: NetworkShape): ParameterSlice[];
  cdcCreate(definition: CdcNativeDefinition): CdcHandle;
  cdcLogPdf(
    handle: CdcHandle,
    x: Float64Array,
    fromGaussian: boolean,
    rows: number,
    level: number,
    device: NativeDevice,
    onProgress?: (fraction: number) => void,
  ): NativeJob<Float64Array>;
  cdcGradient(
    handle: CdcHandle,
    z: Float64Array,
    rows: number,
    level: number,
    device: NativeDevice,
  ): NativeJob<Float64Array>;
  cdcLogits(handle: CdcHandle, z: Float64Array, rows: number, device: NativeDevice): NativeJob<Float64Array>;
  cdcFieldHandle(handle: CdcHandle): FieldHandle;
  cdcSamplePublished(
    handle: CdcHandle,
    options: CdcNativePublishedOptions,
    device: NativeDevice,
    onProgress?: (fraction: number) => void,
  ): NativeJob<Float64Array>;
  cdcNormaliser(
    handle: CdcHandle,
    options: NativeSmcOptions,
    device: NativeDevice,
    onProgress?: (fraction: number) => void,
  ): NativeJob<NativeNormaliser>;
  cdcConditional(
    handle: CdcHandle,
    options: NativeConditionalOptions,
    device: NativeDevice,
    onProgress?: (fraction: number) => void,
  ): NativeJob<NativeConditional>;
  cdcTrain(
    options: CdcNativeTrainOptions,
    onReport?: (reports: NativeTrainReport[]) => void,
  ): NativeJob<NativeTrainResult[] | null>;
}
