import { SklarError, describe, expectOneOf } from './errors';
import { type NativeDevices, callNative } from './native';

/** What this machine offers and what the installed binary can use of it. */
export type Devices = NativeDevices;

/**
 * What is there, what was compiled in, and why CUDA cannot be used (`cuda.reason`, null when it can).
 */
export function devices(): Devices {
  return callNative((addon) => addon.devices());
}

export type DeviceName = 'auto' | 'cpu' | 'cuda';

/**
 * The device that a request stands for. This version computes on the CPU: `auto` means the CPU.
 *
 * @throws SklarError ERR_SKLAR_DEVICE for `cuda`, saying why; ERR_SKLAR_VALUE for an unknown name
 */
export function resolveDevice(device: unknown): 'cpu' {
  const wanted = expectOneOf<DeviceName>(device, 'device', ['auto', 'cpu', 'cuda']);
  if (wanted !== 'cuda') return 'cpu';
  const { cuda } = devices();
  throw new SklarError(
    'ERR_SKLAR_DEVICE',
    `expected device 'auto' or 'cpu', got ${describe(device)}: this version trains and samples on the CPU only` +
      (cuda.reason ? ` (and CUDA could not be used here: ${cuda.reason})` : ''),
  );
}
