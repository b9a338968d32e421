import type { Command } from 'commander';

import { loadModel } from '../copulas/load';
import { AtomicFile } from '../data/files';
import type { Seed } from '../data/random';
import { readTable } from '../data/read-table';
import { type DeviceOptions, resolveDevice } from '../devices';
import { SklarError, describe } from '../errors';
import { pairPlot } from '../report/scatter';
import { type Io, signalOf, writeResult } from './context';
import { expectOutput } from './files';
import { addDeviceOptions, deviceOptions } from './run';
import { integer, names, seed } from './values';

interface Flags extends DeviceOptions {
  out: string;
  columns?: string[];
  logarithmic?: string[];
  rows?: number;
  title?: string;
  seed?: Seed;
  json?: boolean;
}

export function define(command: Command, io: Io): void {
  command
    .argument('<model>', 'a .safetensors file that fit wrote')
    .argument('<data>', 'rows to show beside samples: .csv, .tsv, .json, .ndjson (also .gz) or .parquet')
    .requiredOption('--out <file>', 'the picture to write, .svg')
    .option('--columns <names>', 'columns to draw, between commas (default: the first 5)', names)
    .option('--logarithmic <names>', 'columns to draw on a logarithmic axis, between commas', names)
    .option(
      '--rows <n>',
      'most rows drawn of each (default: 1000)',
      integer('--rows', { min: 1, max: 100_000 }),
    )
    .option('--title <text>', 'title of the picture')
    .option('--seed <n>', 'seed of the samples (default: 1)', seed('--seed'));
  addDeviceOptions(command)
    .option('--json', 'print the result as JSON')
    .action((model: string, data: string, flags: Flags) => report(model, data, flags, io));
}

async function report(model: string, data: string, flags: Flags, io: Io): Promise<void> {
  const signal = signalOf(io);
  const { out, columns, logarithmic, rows = 1000, title } = flags;
  resolveDevice(deviceOptions(flags), null);
  await expectOutput('--out', out, '.svg', [model, data]);
  const copula = await loadModel(model);
  const { margins } = copula;
  if (!margins) {
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      `expected a model with margins to draw beside data, got one without (${describe(model)})`,
    );
  }
  const table = await readTable(data, { columns: margins.names, signal });
  const drawn = Math.min(rows, table.rows);
  const u = await copula.sample(drawn, {
    ...deviceOptions(flags),
    dtype: 'float64',
    signal,
    ...(flags.seed !== undefined && { seed: flags.seed }),
  });
  const svg = await pairPlot(table, await margins.inverse(u), {
    maxPoints: drawn,
    ...(columns && { columns }),
    ...(logarithmic && { logarithmic }),
    ...(title !== undefined && { title }),
  });
  signal.throwIfAborted();
  const file = await AtomicFile.open(out);
  await file.write(Buffer.from(svg));
  await file.commit();
  writeResult(io, flags.json, { kind: copula.kind, rows: drawn, out }, () => [`wrote ${out}`]);
}
