import type { Command } from 'commander';

import { loadModel } from '../../copulas/fitting/load';
import type { Seed } from '../../data/random';
import { TableWriter } from '../../data/formats/write-table';
import { type DeviceOptions, resolveDevice } from '../../devices';
import { type ImputedColumn, withNumber } from '../../joint/impute';
import { jointOf } from '../../joint/joint';
import type { Note } from '../../notes';
import { formatDuration, noteLines, textLines } from '../../report/charts/text';
import { type Io, signalOf, writeResult } from '../terminal/context';
import { expectOutput } from '../terminal/files';
import { startProgress } from '../terminal/progress';
import { type ReadingFlags, addReadingOptions, readAs } from '../terminal/reading';
import { addDeviceOptions, deviceOptions } from '../terminal/run';
import { integer, seed } from '../terminal/values';
import { toDigits } from '../../notes';

interface Flags extends DeviceOptions, ReadingFlags {
  out: string;
  draws?: number;
  seed?: Seed;
  particles?: number;
  json?: boolean;
  verbose?: boolean;
}

export function define(command: Command, io: Io): void {
  command
    .argument('<model>', 'a .safetensors file that fit wrote')
    .argument(
      '<data>',
      'the table whose missing cells to fill: .csv, .tsv, .json, .ndjson (also .gz) or .parquet; columns are found by name',
    )
    .requiredOption('--out <file>', 'the table to write: .csv, .parquet, .json or .ndjson')
    .option(
      '--draws <n>',
      'so many tables one below the other, a first column imputation counts them (default: 1, without that column)',
      integer('--draws', { min: 1, max: 1000 }),
    )
    .option('--seed <n>', 'the same seed gives the same cells (default: 1)', seed('--seed'))
    .option(
      '--particles <n>',
      'of each row that is not drawn by a formula (default: 256; flow and reflection: 64)',
      integer('--particles', { min: 16, max: 65_536 }),
    );
  addReadingOptions(command);
  addDeviceOptions(command)
    .option('--json', 'print the result as JSON')
    .option('--verbose', 'print progress also where stderr is no terminal')
    .action((model: string, data: string, flags: Flags) => impute(model, data, flags, io));
}

async function impute(model: string, data: string, flags: Flags, io: Io): Promise<void> {
  const signal = signalOf(io);
  const { out, draws = 1 } = flags;
  resolveDevice(deviceOptions(flags), null);
  await expectOutput('--out', out, 'table', [model, data]);
  const joint = jointOf(await loadModel(model), model);
  const notes: Note[] = [];
  const table = await readAs(data, flags, notes, { signal }, joint.schema);

  const started = performance.now();
  const bar = startProgress(io, 'impute', table.rows, flags.verbose);
  const imputed = await joint
    .impute(table, {
      ...deviceOptions(flags),
      signal,
      draws,
      ...(flags.seed !== undefined && { seed: flags.seed }),
      ...(flags.particles !== undefined && { particles: flags.particles }),
      onProgress: ({ rows, rowsDone }) => bar.update(rowsDone / rows, `${rowsDone} of ${rows} rows`),
    })
    .finally(() => bar.stop());
  const tables = draws === 1 ? imputed.tables : imputed.tables.map(withNumber);
  const [first] = tables;
  await using writer = await TableWriter.open(out, first!.names, { types: first!.types });
  for (const one of tables) {
    await writer.append(one);
    signal.throwIfAborted();
  }
  await writer.close();

  const seconds = (performance.now() - started) / 1000;
  const { columns, rows, effectiveSampleSize } = imputed;
  const cells = columns.reduce((sum, column) => sum + column.cells, 0);
  notes.push(...imputed.notes);
  const result = {
    kind: joint.copula.kind,
    rows: table.rows,
    incomplete: rows,
    cells,
    draws,
    columns,
    effectiveSampleSize,
    notes,
    seconds,
    out,
  };
  writeResult(io, flags.json, result, () => [
    ...(cells === 0 ? ['no cell is missing that the model has'] : imputationLines(columns, draws)),
    ...(effectiveSampleSize === null
      ? []
      : [
          `effective particles of a row: ${Math.round(effectiveSampleSize.least)} at least, ` +
            `${Math.round(effectiveSampleSize.median)} in the median`,
        ]),
    ...(draws === 1 && cells > 0 ? ['one draw does not show how uncertain it is: --draws 5 shows it'] : []),
    ...noteLines(notes),
    `wrote ${draws === 1 ? '' : `${draws} tables of `}${table.rows} rows, ${cells} cells imputed, to ${out} in ${formatDuration(seconds)}`,
  ]);
}

const HEADS = ['column', 'imputed', 'mean', 'between draws', 'missing information', 'in a cell', 'agreement'];

/** For people. */
function imputationLines(columns: readonly ImputedColumn[], draws: number): string[] {
  const heads = draws === 1 ? HEADS.slice(0, 3) : HEADS;
  const short = (value: number | null) => (value === null ? '' : String(toDigits(value, 4)));
  const share = (value: number | null) => (value === null ? '' : `${Number((100 * value).toPrecision(2))} %`);
  const cells = columns.map((column) =>
    [
      column.name,
      String(column.cells),
      short(column.mean),
      short(column.betweenDeviation),
      share(column.missingInformation),
      short(column.cellDeviation),
      share(column.agreement),
    ].slice(0, heads.length),
  );
  return textLines({ cells: [heads, ...cells], words: [0] });
}
