/** The options that say where a command computes. */
import type { Command } from 'commander';

import { type DeviceOptions, expectDeviceName, precisions } from '../../devices';
import { expectOneOf } from '../../errors';
import { integer } from './values';

/** Adds --device, --precision and --threads. */
export function addDeviceOptions(command: Command): Command {
  return command
    .option('--device <name>', 'auto, cpu, cuda or cuda:N (default: auto)', (text) =>
      expectDeviceName(text, '--device'),
    )
    .option(
      '--precision <name>',
      `of products on CUDA: ${precisions.join(', ')} (default: mixed; of the CPU: fp32)`,
      (text) => expectOneOf(text, '--precision', precisions),
    )
    .option(
      '--threads <n>',
      'threads of the CPU; 0: one for each processor (default: 0)',
      integer('--threads', { min: 0, max: 1024 }),
    );
}

/** Of all flags those of `addDeviceOptions`. */
export function deviceOptions({ device, precision, threads }: DeviceOptions): DeviceOptions {
  return { device, precision, threads };
}
