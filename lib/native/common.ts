/** What native functions of several features speak of. */

/** float32 for use, float64 for verification: decided by the array that holds the parameters. */
export type RealArray = Float32Array | Float64Array;

/** Work on a thread of its own. `cancel` makes the promise reject with ERR_SKLAR_ABORTED soon; it may be called twice. */
export interface NativeJob<T> {
  readonly promise: Promise<T>;
  cancel(): void;
}

/**
 * What the matrix products of networks are computed in (docs/devices.md); sums are float32 or better in all of them.
 *
 * - `fp32`: float32; the only one of the CPU
 * - `mixed`: forward passes as three products of float16 halves, about as exact as float32; other passes in float16
 * - `fp16`: float16 throughout; `bf16`: bfloat16 throughout, for numbers beyond the range of float16
 */
export type Precision = 'fp32' | 'mixed' | 'fp16' | 'bf16';

/** Where a job on a network runs; see native/devices/device.hpp. `threads` of the CPU, 0: one for each processor. */
export interface NativeDevice {
  device: 'cpu' | `cuda:${number}`;
  precision: Precision;
  threads: number;
}

export interface NetworkShape {
  inputDim: number;
  hiddenDim: number;
  depth: number;
  outputDim: number;
  activation: 'silu' | 'published';
}

/** A named tensor inside the flat parameter vector; `columns` 0 marks a vector. */
export interface ParameterSlice {
  name: string;
  offset: number;
  rows: number;
  columns: number;
}
