/** Velocity networks: flows, reflections and potentials. */
import type { Process } from '../processes';
import type { NativeJob, ParameterSlice, RealArray } from './common';
import type { FieldHandle } from './fields';
import type { NativeTrainCall, NativeTrainReport, NativeTrainResult } from './training';

/** A velocity head and its network; see native/heads/velocity.h. */
export interface VelocityDefinition {
  process: Process;
  /** The published network of the reflection process, which reads state and time as they are. */
  published: boolean;
  /** The field is the gradient of the network's one output. */
  potential: boolean;
  dim: number;
  /** Features that the network reads of each coordinate; see VelocityHead. */
  frequencies: number;
  hiddenDim: number;
  /** Residual blocks; layers of the published network. */
  depth: number;
  activation: 'silu' | 'published';
  /** Networks whose mean is the field. */
  members: number;
  /** L of the guide Sigma = L L^T, dim x dim; null: not guided. */
  cholesky: Float64Array | null;
}

/** Density of training times; see TimeLaw of native/backend/operations/velocity_operations.h. */
export interface TimeLaw {
  kind: 'uniform' | 'quartic' | 'logarithmic' | 'log-sine';
  low: number;
  high: number;
}

export interface VelocityNativeTrainOptions extends NativeTrainCall {
  definition: VelocityDefinition;
  timeLaw: TimeLaw;
  /** Of a potential: weight of the error of its slope in time. */
  slopeWeight: number;
}

export interface VelocityAddon {
  velocitySlices(definition: VelocityDefinition): ParameterSlice[];
  /** @param reference the time from which samples start: pi / 2, or tMax of a reflection */
  velocityFieldHandle(definition: VelocityDefinition, parameters: RealArray, reference: number): FieldHandle;
  velocityTrain(
    options: VelocityNativeTrainOptions,
    onReport?: (reports: NativeTrainReport[]) => void,
  ): NativeJob<NativeTrainResult[] | null>;
}
