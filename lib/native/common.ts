/** What native functions of several features speak of. */

/** float32 for use, float64 for verification: decided by the array that holds the parameters. */
export type RealArray = Float32Array | Float64Array;

/** Work on a thread of its own. `cancel` makes the promise reject with ERR_SKLAR_ABORTED soon; it may be called twice. */
export interface NativeJob<T> {
  readonly promise: Promise<T>;
  cancel(): void;
}

/** Where a job on a network runs; see native/backend/device.hpp. `threads` of the CPU, 0: one for each processor. */
export interface NativeDevice {
  device: 'cpu' | `cuda:${number}`;
  precision: 'fp32' | 'mixed' | 'fp16' | 'bf16';
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
