/** What every run on a device has in common. */
import { type DeviceOptions, resolveDevice } from '../../devices';
import { type OptionNames } from '../../errors';
import { type NativeDevice, type RealArray } from '../../native';

/** Where work runs, and what stops it. */
export interface RunOptions extends DeviceOptions {
  /** Aborting cancels the work within a fraction of a second and rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
}

export const runOptions: OptionNames<RunOptions> = {
  device: true,
  precision: true,
  threads: true,
  signal: true,
};

/** A run whose device is decided. Given as options again it means the same. */
export interface Execution extends NativeDevice {
  signal: AbortSignal | undefined;
}

/**
 * What every run begins with.
 *
 * @param cpuOnly why it takes place on the CPU alone; null: CUDA can do it
 * @throws the signal's reason when aborted; SklarError of `resolveDevice`
 */
export function beginRun(options: RunOptions, cpuOnly: string | null): Execution {
  options.signal?.throwIfAborted();
  return { ...resolveDevice(options, cpuOnly), signal: options.signal };
}

/** Why a model of these parameters is computed on the CPU alone; null: CUDA can do it. */
export function cpuOnlyOf(parameters: RealArray): string | null {
  return parameters instanceof Float64Array
    ? "the model's parameters are float64, and CUDA computes in float32"
    : null;
}
