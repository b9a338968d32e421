import type { Command } from 'commander';

import { loadModel } from '../../copulas/fitting/load';
import type { EventProbability } from '../../copulas/events/event';
import type { Seed } from '../../data/random';
import { type DeviceOptions, resolveDevice } from '../../devices';
import { jointOf } from '../../joint/joint';
import { formatDuration } from '../../report/charts/text';
import { type Io, signalOf, writeResult } from '../terminal/context';
import { startProgress } from '../terminal/progress';
import { addDeviceOptions, deviceOptions } from '../terminal/run';
import { integer, seed } from '../terminal/values';

interface Flags extends DeviceOptions {
  where: string;
  particles?: number;
  draws?: number;
  seed?: Seed;
  json?: boolean;
  verbose?: boolean;
}

export function define(command: Command, io: Io): void {
  command
    .argument('<model>', 'a .safetensors file that fit wrote')
    .requiredOption(
      '--where <condition>',
      'the event, in the units of the data, such as "score > 12 and depth < 3"',
    )
    .option(
      '--particles <n>',
      'of all ten populations together; four times as many halve the standard error (default: 20000)',
      integer('--particles', { min: 1000 }),
    )
    .option(
      '--draws <n>',
      'rows that are drawn where an event has no levels (default: 262144; given single values 65536)',
      integer('--draws', { min: 1 }),
    )
    .option('--seed <n>', 'the same seed gives the same number (default: 1)', seed('--seed'));
  addDeviceOptions(command)
    .option('--json', 'print the result as JSON')
    .option('--verbose', 'print progress also where stderr is no terminal')
    .action((model: string, flags: Flags) => probability(model, flags, io));
}

async function probability(model: string, flags: Flags, io: Io): Promise<void> {
  const signal = signalOf(io);
  const { where, particles, draws } = flags;
  resolveDevice(deviceOptions(flags), null);
  const joint = jointOf(await loadModel(model), model);
  const started = performance.now();
  const bar = startProgress(io, 'probability', 1, flags.verbose);
  const estimate = await joint
    .probability(where, {
      ...deviceOptions(flags),
      signal,
      ...(flags.seed !== undefined && { seed: flags.seed }),
      ...(particles !== undefined && { particles }),
      ...(draws !== undefined && { draws }),
      onProgress: ({ fraction }) => bar.update(fraction, ''),
    })
    .finally(() => bar.stop());
  const seconds = (performance.now() - started) / 1000;
  const result = { kind: joint.copula.kind, where, ...estimate, seconds };
  writeResult(io, flags.json, result, () => [
    ...probabilityLines(estimate),
    `${estimate.evaluations} rows, ${formatDuration(seconds)}`,
  ]);
}

/** For people. */
export function probabilityLines(estimate: EventProbability): string[] {
  const { probability: p, standardError, interval, effectiveSampleSize, method, levels } = estimate;
  const short = (value: number) => String(Number(value.toPrecision(3)));
  const within = `95 %: ${short(interval[0])} to ${short(interval[1])}`;
  if (p === 0)
    return [`no row of the event was met: its probability is at most ${short(interval[1])} (95 %)`];
  return [
    `probability ${short(p)} +- ${short(standardError)} (${within})`,
    method === 'monte-carlo'
      ? 'by the share of independent draws'
      : `by subset simulation, ${levels} levels; independent draws with this standard error: ${short(effectiveSampleSize)}`,
  ];
}
