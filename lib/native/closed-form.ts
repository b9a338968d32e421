/** Copulas whose field is known. */
import type { Process } from '../processes';
import type { NativeJob } from './common';
import type { FieldHandle } from './fields';

declare const closedFormHandle: unique symbol;
/** A closed-form copula in native memory; freed by the garbage collector. */
export interface ClosedFormHandle {
  readonly [closedFormHandle]: never;
}

/** Arrays are row-major: components x dim x dim, terms x dim. */
export type ClosedFormDefinition =
  | { family: 'mixture'; dim: number; weights: Float64Array; correlations: Float64Array }
  | { family: 'fgm'; dim: number; theta: number; columns: Int32Array }
  | { family: 'cosine'; dim: number; amplitudes: Float64Array; frequencies: Int32Array };

export interface ClosedFormAddon {
  closedFormCreate(definition: ClosedFormDefinition): ClosedFormHandle;
  closedFormLogPdf(
    handle: ClosedFormHandle,
    x: Float64Array,
    fromGaussian: boolean,
    rows: number,
    threads: number,
  ): NativeJob<Float64Array>;
  closedFormSample(
    handle: ClosedFormHandle,
    rows: number,
    seed: bigint,
    firstRow: bigint,
    toGaussian: boolean,
    threads: number,
  ): NativeJob<Float64Array>;
  /** `reference`: the time of the process from which integrators start. */
  closedFormFieldHandle(handle: ClosedFormHandle, process: Process, reference: number): FieldHandle;
}
