import type { Command } from 'commander';

import { loadModel } from '../../copulas/fitting/load';
import type { Seed } from '../../data/random';
import { type DeviceOptions } from '../../devices';
import { SklarError, describe } from '../../errors';
import { Margins } from '../../margins/margins';
import { type LogNormaliser, countTypes, formatLogNormaliser, plainValues } from '../../report/charts/text';
import { selectionLines } from '../results/selection';
import { marginLines } from '../results/margins-table';
import { correlationLines, correlationOf } from '../results/correlation';
import { type Io, signalOf, writeResult } from '../terminal/context';
import { measure, measureLines } from '../results/measures';
import { addDeviceOptions, deviceOptions } from '../terminal/run';
import { integer, seed } from '../terminal/values';

interface Flags extends DeviceOptions {
  measures?: boolean;
  rows?: number;
  seed?: Seed;
  json?: boolean;
}

/** What says how the measures are computed. */
const MEASURE_FLAGS = ['rows', 'seed', 'device', 'precision', 'threads'] as const;

export function define(command: Command, io: Io): void {
  command
    .argument('<model>', 'a .safetensors file that fit wrote, or published weights')
    .option('--measures', 'sample the model and measure its dependence')
    .option(
      '--rows <n>',
      'rows to sample for --measures (default: 20000)',
      integer('--rows', { min: 100, max: 10_000_000 }),
    )
    .option('--seed <n>', 'seed of the sample for --measures (default: 1)', seed('--seed'));
  addDeviceOptions(command)
    .option('--json', 'print everything as JSON')
    .action((model: string, flags: Flags) => info(model, flags, io));
}

async function info(model: string, flags: Flags, io: Io): Promise<void> {
  const idle = MEASURE_FLAGS.find((name) => flags[name] !== undefined);
  if (!flags.measures && idle !== undefined) {
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      `expected --measures with --${idle}: nothing is sampled without it`,
    );
  }
  const copula = await loadModel(model);
  const { margins } = copula;
  const result = {
    ...copula.info(),
    ...correlationOf(copula),
    notes: copula.allNotes,
    margins: margins && {
      rows: margins.rows,
      ties: margins.ties,
      kinds: margins.kinds,
      types: margins instanceof Margins ? margins.types : margins.names.map(() => 'ranks'),
    },
    ...(flags.measures && {
      measures: await measure(copula, flags.rows ?? 20_000, flags.seed ?? 1, {
        ...deviceOptions(flags),
        signal: signalOf(io),
      }),
    }),
  };
  writeResult(io, flags.json, result, () => {
    const { kind, dim, normalised, columns, parameters, training } = result;
    const { normaliser, ...config } = result.config as { normaliser?: LogNormaliser | null };
    return [
      `kind        ${kind}`,
      `dimension   ${dim}`,
      `columns     ${columns?.map((name) => describe(name)).join(', ') ?? 'without names'}`,
      `density     ${normalised ? 'normalised' : 'unnormalised'}${normaliser ? `, ${formatLogNormaliser(normaliser)}` : ''}`,
      `parameters  ${parameters}`,
      `margins     ${result.margins ? `${countTypes(result.margins.types)}, of ${result.margins.rows} rows, ties ${result.margins.ties}` : 'none'}`,
      ...(copula.margins instanceof Margins ? marginLines(copula.margins) : []),
      ...section('network and options', config),
      ...correlationLines(result.correlation, columns),
      ...section('training', training),
      ...(copula.selection ? selectionLines(copula.selection) : []),
      ...result.notes.map(({ message }) => `note        ${message}`),
      ...(result.measures ? measureLines(result.measures) : []),
    ];
  });
}

/** A title and a line for each plain value; lists such as the history of losses are for --json. */
function section(title: string, value: unknown): string[] {
  const lines = Array.from(plainValues(value), ([key, part]) => `  ${key.padEnd(20)} ${part}`);
  return lines.length === 0 ? [] : [title, ...lines];
}
