import type { Command } from 'commander';

import type { Copula, SampleOptions } from '../../copulas/copula';
import { loadModel } from '../../copulas/fitting/load';
import {
  type ConditionalMethod,
  type ConditionalOptions,
  conditionalMethods,
} from '../../copulas/fields/smc';
import { solverNames } from '../../copulas/fields/solvers';
import type { Matrix } from '../../matrix';
import type { Seed } from '../../data/random';
import type { ColumnKind, ColumnType } from '../../data/columns/column-type';
import { returnsNote } from '../../data/returns';
import { type Table, defaultNames } from '../../data/table';
import { TableWriter } from '../../data/formats/write-table';
import { type DeviceOptions, resolveDevice } from '../../devices';
import { SklarError, describe, expectOneOf } from '../../errors';
import { JointDistribution } from '../../joint/joint';
import { Margins } from '../../margins/margins';
import type { Note } from '../../notes';
import { expectDrawn } from '../../joint/impossible';
import { formatDuration, formatMean, normalisationNote, noteLines } from '../../report/charts/text';
import { sampleGiven } from './conditional';
import { probabilityLines } from './probability';
import { type Io, signalOf, writeResult } from '../terminal/context';
import { expectOutput } from '../terminal/files';
import { rowProgress, startProgress } from '../terminal/progress';
import { addDeviceOptions, deviceOptions } from '../terminal/run';
import { integer, seed } from '../terminal/values';

const SOLVERS = [...solverNames, 'published'] as const;
const SCALES = ['data', 'copula', 'gaussian'] as const;
type SampleScale = (typeof SCALES)[number];

/** Row numbers of one seed end here. */
const MOST_ROWS = 2 ** 40 - 1;

/** Values handled at once: bounds memory, whatever the number of columns. */
const BATCH_VALUES = 2 ** 22;

interface Flags extends DeviceOptions {
  rows: number;
  out: string;
  seed?: Seed;
  solver?: (typeof SOLVERS)[number];
  steps?: number;
  noise?: boolean;
  margins?: 'uniform' | 'raw';
  scale?: SampleScale;
  given?: string[];
  complete?: boolean;
  method?: ConditionalMethod;
  where?: string;
  json?: boolean;
  verbose?: boolean;
}

export function define(command: Command, io: Io): void {
  command
    .argument('<model>', 'a .safetensors file that fit wrote')
    .requiredOption('--rows <n>', 'how many rows to draw', integer('--rows', { min: 1, max: MOST_ROWS }))
    .requiredOption('--out <file>', 'the table to write: .csv, .parquet, .json or .ndjson')
    .option('--seed <n>', 'the same seed gives the same rows (default: 1)', seed('--seed'))
    .option('--solver <name>', `${SOLVERS.join(', ')} (default: ab2)`, (text) =>
      expectOneOf(text, '--solver', SOLVERS),
    )
    .option(
      '--steps <n>',
      'steps of the solver (default: one for each noise level, or its own)',
      integer('--steps', { min: 1 }),
    )
    .option('--noise', 'add noise along the way (a reverse SDE)')
    .option('--margins <name>', 'uniform or raw: as the solver leaves them (default: uniform)', (text) =>
      expectOneOf(text, '--margins', ['uniform', 'raw'] as const),
    )
    .option('--scale <name>', `${SCALES.join(', ')} (default: data when the model has margins)`, (text) =>
      expectOneOf(text, '--scale', SCALES),
    )
    .option('--complete', 'leave no cell missing (default: as often, and together, as in the data)')
    .option(
      '--given <column=value,...>',
      'draw rows that have these values, or lie in ranges such as "a<-0.05,b>=90" (all kinds), on the scale of the sample; ' +
        'single values: cdc, flow, reflection, potential, classical kinds, and ensembles of them',
      (text, previous: readonly string[] = []) => [...previous, text],
    )
    .option(
      '--where <condition>',
      'draw rows that have a property, such as "orders > 0 or amount = 0"; prints which share of the draws has it',
    )
    .option(
      '--method <name>',
      `with --given and --where: ${conditionalMethods.join(', ')} (default: smc; flow and reflection: twisted; classical kinds: exact)`,
      (text) => expectOneOf(text, '--method', conditionalMethods),
    );
  addDeviceOptions(command)
    .option('--json', 'print the result as JSON')
    .option('--verbose', 'print progress also where stderr is no terminal')
    .action((model: string, flags: Flags) => sample(model, flags, io));
}

type StreamOptions = Omit<SampleOptions, 'scale' | 'dtype'> & { batch: number };
type OnNote = (note: Note) => void;

/** What is written, and where its rows come from. */
interface Output {
  readonly names: readonly string[];
  readonly types: readonly (ColumnKind | ColumnType)[];
  stream(rows: number, options: StreamOptions, onNote: OnNote): AsyncIterable<Matrix | Table>;
}

/** How rows of the model become rows of the file. */
function outputOf(copula: Copula, scale: SampleScale, file: string, complete: boolean | undefined): Output {
  const { margins } = copula;
  if (scale !== 'data') {
    const names = copula.names ?? defaultNames(copula.dim);
    return {
      names,
      types: names.map(() => 'float' as const),
      stream: (rows: number, options: StreamOptions) =>
        // nothing is lost between the model and the file
        copula.sampleStream(rows, { ...options, scale, dtype: 'float64' }),
    };
  }
  if (!margins) {
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      `expected a model with margins for --scale data, got one without (${describe(file)}); ` +
        'use --scale copula or gaussian',
    );
  }
  if (margins instanceof Margins) {
    const joint = new JointDistribution(copula, margins);
    return {
      names: joint.schema.names,
      types: joint.schema.columns.map(({ type }) => type),
      stream: (rows: number, options: StreamOptions, onNote: OnNote) =>
        joint.sampleStream(rows, { ...options, onNote, ...(complete !== undefined && { complete }) }),
    };
  }
  // ranks of earlier versions
  return {
    names: margins.names,
    types: margins.columnTypes,
    async *stream(rows: number, options: StreamOptions) {
      const z = copula.sampleStream(rows, { ...options, scale: 'gaussian', dtype: 'float64' });
      for await (const batch of z) yield expectDrawn(await margins.inverse(batch, { scale: 'gaussian' }));
    },
  };
}

async function sample(model: string, flags: Flags, io: Io): Promise<void> {
  const signal = signalOf(io);
  const { rows, out } = flags;
  resolveDevice(deviceOptions(flags), null);
  await expectOutput('--out', out, 'table', [model]);
  const copula = await loadModel(model);
  const scale = flags.scale ?? (copula.margins ? 'data' : 'copula');
  const output = outputOf(copula, scale, model, flags.complete);
  const { names } = output;
  if (flags.where !== undefined) return sampleWhere(copula, flags, scale, io);
  if (flags.given) return sampleConditional(copula, flags, scale, io);
  if (flags.method !== undefined) {
    throw new SklarError('ERR_SKLAR_VALUE', '--method belongs to --given or --where');
  }

  const started = performance.now();
  const options: StreamOptions = {
    ...deviceOptions(flags),
    signal,
    batch: Math.max(1, Math.min(65_536, Math.floor(BATCH_VALUES / copula.dim))),
    ...(flags.seed !== undefined && { seed: flags.seed }),
    ...(flags.solver !== undefined && { solver: flags.solver }),
    ...(flags.steps !== undefined && { steps: flags.steps }),
    ...(flags.margins !== undefined && { margins: flags.margins }),
    ...(flags.noise !== undefined && { noise: flags.noise }),
  };
  const bar = startProgress(io, 'sample', rows, flags.verbose);
  const showRows = rowProgress(bar, rows);
  const notes = returnsNotes(copula, scale);
  try {
    await using writer = await TableWriter.open(out, names, { types: output.types });
    let done = 0;
    for await (const batch of output.stream(rows, options, (note) => notes.push(note))) {
      await writer.append(batch);
      signal.throwIfAborted();
      showRows((done += batch.rows));
    }
    await writer.close();
  } finally {
    bar.stop();
  }

  const seconds = (performance.now() - started) / 1000;
  const result = {
    kind: copula.kind,
    rows,
    columns: names,
    scale,
    seconds,
    out,
    ...(notes.length > 0 && { notes }),
  };
  writeResult(io, flags.json, result, () => [
    ...noteLines(notes),
    `wrote ${rows} rows of ${names.length} columns on the ${scale} scale to ${out} in ${formatDuration(seconds)}`,
  ]);
}

/** Draws the rows of a condition, all at once, and writes them. */
async function drawAndWrite<T extends { readonly table: Table }>(
  flags: Flags,
  io: Io,
  draw: (options: ConditionalOptions) => Promise<T>,
): Promise<T & { readonly seconds: number }> {
  const signal = signalOf(io);
  const started = performance.now();
  const bar = startProgress(io, 'sample', 1, flags.verbose);
  let drawn: T;
  try {
    drawn = await draw({
      ...deviceOptions(flags),
      signal,
      ...(flags.seed !== undefined && { seed: flags.seed }),
      ...(flags.method !== undefined && { method: flags.method }),
      onProgress: ({ fraction }) => bar.update(fraction, ''),
    });
  } finally {
    bar.stop();
  }
  const { table } = drawn;
  await using writer = await TableWriter.open(flags.out, table.names, { types: table.types });
  await writer.append(table);
  signal.throwIfAborted();
  await writer.close();
  return { ...drawn, seconds: (performance.now() - started) / 1000 };
}

async function sampleWhere(copula: Copula, flags: Flags, scale: SampleScale, io: Io): Promise<void> {
  const { rows, out, where } = flags;
  for (const name of ['given', 'solver', 'steps', 'noise', 'margins', 'complete'] as const) {
    if (flags[name] !== undefined) {
      const instead = name === 'given' ? '; use "and" for several conditions' : '';
      throw new SklarError('ERR_SKLAR_VALUE', `--where and --${name} do not go together${instead}`);
    }
  }
  if (scale !== 'data' || !(copula.margins instanceof Margins)) {
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      '--where is a condition on the scale of the data, which --scale leaves or the model lacks',
    );
  }
  const joint = new JointDistribution(copula, copula.margins);
  const { table, acceptance, event, seconds } = await drawAndWrite(flags, io, (options) =>
    joint.sampleWhere(where!, rows, options),
  );
  const notes = returnsNotes(copula, scale);
  const result = {
    kind: copula.kind,
    rows,
    columns: table.names,
    scale,
    where,
    acceptance,
    event,
    seconds,
    out,
    ...(notes.length > 0 && { notes }),
  };
  writeResult(io, flags.json, result, () => [
    ...(event.drawn === 'rejection'
      ? [`${(100 * acceptance).toPrecision(3)} % of the draws have the property`]
      : [
          `too few draws have the property to leave out the others: rows by subset simulation, worth ${Math.round(event.effectiveRows)} independent ones`,
          ...probabilityLines(event).slice(0, 1),
        ]),
    ...noteLines(notes),
    `wrote ${rows} rows of ${table.names.length} columns on the ${scale} scale to ${out} in ${formatDuration(seconds)}`,
  ]);
}

/** Samples of a model of returns are returns. */
function returnsNotes({ margins }: Copula, scale: SampleScale): Note[] {
  const returns = scale === 'data' && margins instanceof Margins ? margins.schema.returns : null;
  return returns ? [returnsNote(returns)] : [];
}

async function sampleConditional(copula: Copula, flags: Flags, scale: SampleScale, io: Io): Promise<void> {
  const { rows, out, given: texts = [] } = flags;
  for (const name of ['solver', 'steps', 'noise', 'margins'] as const) {
    if (flags[name] !== undefined) {
      throw new SklarError('ERR_SKLAR_VALUE', `--given and --${name} do not go together`);
    }
  }
  const { table, sample, given, seconds } = await drawAndWrite(flags, io, (options) =>
    sampleGiven(copula, texts, rows, scale, options),
  );
  const { logMarginalDensity, normalised, standardError, effectiveSampleSize, blockAcceptance } = sample;
  const columns = table.names;
  const notes = returnsNotes(copula, scale);
  const result = {
    ...sample,
    kind: copula.kind,
    rows,
    columns,
    scale,
    given,
    seconds,
    out,
    ...(notes.length > 0 && { notes }),
  };
  writeResult(io, flags.json, result, () => [
    ...(logMarginalDensity === null
      ? []
      : [
          `log ${isEvent(given) ? 'probability' : 'density'} of the condition, in nats: ${formatMean({ mean: logMarginalDensity, standardError })}` +
            normalisationNote(normalised),
        ]),
    ...(blockAcceptance === null
      ? []
      : [
          sample.method === 'subset-simulation'
            ? 'too few draws are in the ranges to leave out the others: rows by subset simulation'
            : `ranges and values of positive probability: ${(100 * blockAcceptance).toPrecision(3)} % of the draws are in them`,
        ]),
    ...noteLines(notes),
    ...(effectiveSampleSize === null ? [] : [`effective sample size ${Math.round(effectiveSampleSize)}`]),
    `wrote ${rows} rows of ${table.names.length} columns on the ${scale} scale to ${out} in ${formatDuration(seconds)}`,
  ]);
}

/** Whether a condition has ranges alone, so that it has a probability. */
function isEvent(given: Readonly<Record<string, unknown>>): boolean {
  return Object.values(given).every((held) => typeof held === 'object' && held !== null);
}
