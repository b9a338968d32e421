/** Classification-diffusion copulas. */
import type { NativeDevice, NativeJob, NetworkShape, ParameterSlice, RealArray } from './common';
import type {
  FieldHandle,
  NativeConditional,
  NativeConditionalOptions,
  NativeNormaliser,
  NativeSmcOptions,
} from './fields';
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
