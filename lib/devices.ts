import { SklarError, describe, expectInteger, expectOneOf } from './errors';
import { type Devices, type NativeDevice, type Precision, callNative } from './native';

export type { Devices, Precision };

/**
 * What is there, what was compiled in, and why CUDA cannot be used (`cuda.reason`, null when it can).
 *
 * @throws SklarError ERR_SKLAR_INTERNAL where the native code cannot be loaded
 *
 * @example
 * ```ts
 * import { devices } from 'sklar';
 *
 * const { cpu, cuda } = devices();
 * cpu.cores > 0; // => true
 * cuda.reason === null || !cuda.usable; // => true
 * ```
 */
export function devices(): Devices {
  return callNative((addon) => addon.devices());
}

/**
 * `auto`: the first CUDA device that can be used, where CUDA can be used for this work, else the CPU. `cuda`: the first CUDA
 * device, `cuda:0`.
 */
export type DeviceName = 'auto' | 'cpu' | 'cuda' | `cuda:${number}`;

export const precisions = ['fp32', 'mixed', 'fp16', 'bf16'] as const satisfies readonly Precision[];

/** On CUDA, for training, log densities and samples alike. */
const CUDA_PRECISION: Precision = 'mixed';

/** Where and in what precision work is computed. */
export interface DeviceOptions {
  /** Where to compute; default `auto`. */
  device?: DeviceName | undefined;
  /** Default `mixed` on CUDA and `fp32` on the CPU, which has no other. */
  precision?: Precision | undefined;
  /** Threads of the CPU; 0 (default): one for each processor. Results do not depend on it. */
  threads?: number | undefined;
}

/** @throws SklarError ERR_SKLAR_VALUE for a wrong number of threads */
export function expectThreads(threads: number | undefined): number {
  return expectInteger(threads ?? 0, 'threads', { min: 0, max: 1024 });
}

const DEVICE_NAME = /^(?:auto|cpu|cuda|cuda:(?:0|[1-9]\d{0,3}))$/;

/** @throws SklarError ERR_SKLAR_VALUE naming `name` */
export function expectDeviceName(value: unknown, name: string): DeviceName {
  if (typeof value === 'string' && DEVICE_NAME.test(value)) return value as DeviceName;
  throw new SklarError(
    'ERR_SKLAR_VALUE',
    `expected one of 'auto', 'cpu', 'cuda', 'cuda:0', 'cuda:1', ... for ${name}, got ${describe(value)}`,
  );
}

function resolveName(
  name: DeviceName,
  cpuOnly: string | null,
  found: () => Devices,
): { device: NativeDevice['device']; why: string } {
  if (name === 'cpu') return { device: 'cpu', why: '' };
  if (cpuOnly !== null) {
    if (name === 'auto') return { device: 'cpu', why: `: ${cpuOnly}` };
    throw new SklarError(
      'ERR_SKLAR_DEVICE',
      `expected 'auto' or 'cpu' for device, got ${describe(name)}: ${cpuOnly}`,
    );
  }
  const { cuda } = found();
  const usable = cuda.devices.flatMap((device, index) => (device.usable ? [index] : []));
  if (name === 'auto') {
    return usable.length > 0
      ? { device: `cuda:${usable[0]!}`, why: '' }
      : { device: 'cpu', why: `: CUDA cannot be used: ${cuda.reason ?? 'unknown reason'}` };
  }
  const index = name.startsWith('cuda:') ? Number(name.slice('cuda:'.length)) : 0;
  const count = cuda.devices.length;
  if (count > 0 && index >= count) {
    throw new SklarError(
      'ERR_SKLAR_DEVICE',
      `expected a device up to 'cuda:${count - 1}', got ${describe(name)}: there ${
        count === 1 ? 'is one CUDA device' : `are ${count} CUDA devices`
      }`,
    );
  }
  if (!usable.includes(index)) {
    const others = ['auto', 'cpu', ...usable.map((other) => `cuda:${other}`)].map(describe);
    const reason = cuda.devices[index]?.reason ?? cuda.reason ?? 'unknown reason';
    throw new SklarError(
      'ERR_SKLAR_DEVICE',
      `expected ${others.slice(0, -1).join(', ')} or ${others.at(-1)!} for device, got ${describe(name)}: ` +
        `${usable.length > 0 ? 'it' : 'CUDA'} cannot be used: ${reason}`,
    );
  }
  return { device: `cuda:${index}`, why: '' };
}

/**
 * Where and in what precision a run takes place: the one place that decides it. What it returns can be given as options
 * again, with the same result.
 *
 * @param cpuOnly why the work is done on the CPU alone; null: CUDA can do it
 * @param found what the machine offers
 * @throws SklarError ERR_SKLAR_VALUE for unknown names and a precision that the device does not have; ERR_SKLAR_DEVICE for a
 *   CUDA device that does not exist, cannot be used or cannot do the work, with the reason
 */
export function resolveDevice(
  options: DeviceOptions,
  cpuOnly: string | null,
  found: () => Devices = devices,
): NativeDevice {
  const name = expectDeviceName(options.device ?? 'auto', 'device');
  const threads = expectThreads(options.threads);
  const wanted =
    options.precision === undefined ? undefined : expectOneOf(options.precision, 'precision', precisions);
  const { device, why } = resolveName(name, cpuOnly, found);
  if (device !== 'cpu') return { device, precision: wanted ?? CUDA_PRECISION, threads };
  if (wanted !== undefined && wanted !== 'fp32') {
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      `expected precision 'fp32' on the CPU, which has no other, got ${describe(wanted)}${name === 'auto' ? why : ''}`,
    );
  }
  return { device, precision: 'fp32', threads };
}

/** What a record says of where a run took place. */
export interface RunRecord {
  /** `cpu`, or a CUDA device by number. */
  device: 'cpu' | `cuda:${number}`;
  /** Of the processor or the CUDA device. */
  deviceName: string;
  /** `fp64` where nothing is computed in less. */
  precision: Precision | 'fp64';
}

export function runRecord(
  { device, precision }: NativeDevice,
  scalar: 'float32' | 'float64' = 'float32',
  found: () => Devices = devices,
): RunRecord {
  const { cpu, cuda } = found();
  const name = device === 'cpu' ? cpu.name : cuda.devices[Number(device.slice('cuda:'.length))]!.name;
  return { device, deviceName: name, precision: scalar === 'float64' ? 'fp64' : precision };
}
