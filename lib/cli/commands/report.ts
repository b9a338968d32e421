import type { Command } from 'commander';

import type { Copula } from '../../copulas/copula';
import { loadModel } from '../../copulas/fitting/load';
import { AtomicFile } from '../../data/formats/files';
import { tableFiles } from '../../data/formats/table-files';
import type { Seed } from '../../data/random';
import type { Table } from '../../data/table';
import { type RowWeights, thinnedNote, thinnedRows } from '../../data/weights';
import { completeRows } from '../../joint/comparable';
import { Margins } from '../../margins/margins';
import { type DeviceOptions, resolveDevice } from '../../devices';
import { SklarError, describe, expectOneOf } from '../../errors';
import type { Note } from '../../notes';
import { type ReportNumbers, reportSections } from '../../report/numbers';
import { report } from '../../report/report';
import { pairPlot } from '../../report/charts/scatter';
import { noteLines } from '../../report/charts/text';
import { type CertificateFlags, certificateOptions, defineCertificateSizes } from '../results/certificate';
import { type Io, signalOf, writeResult } from '../terminal/context';
import { expectOutput } from '../terminal/files';
import { rowProgress, startProgress } from '../terminal/progress';
import {
  type ReadingFlags,
  MORE_FILES,
  addReadingOptions,
  addWeightsOption,
  readWeighted,
} from '../terminal/reading';
import { addDeviceOptions, deviceOptions } from '../terminal/run';
import { integer, names, seed } from '../terminal/values';

interface Flags extends DeviceOptions, ReadingFlags, Omit<CertificateFlags, 'certificate' | 'seed'> {
  out: string;
  columns?: string[];
  logarithmic?: string[];
  rows?: number;
  title?: string;
  skip?: string[];
  train?: string[];
  errors?: 'rows' | 'blocks';
  seed?: Seed;
  json?: boolean;
  verbose?: boolean;
}

/** What belongs to a page, not to a picture. */
const PAGE_FLAGS = {
  skip: '--skip',
  train: '--train',
  errors: '--errors',
  routeRows: '--route-rows',
  sampleRows: '--sample-rows',
  tolerance: '--tolerance',
};

export function define(command: Command, io: Io): void {
  command
    .argument('<model>', 'a .safetensors file that fit wrote')
    .argument('<data...>', `rows to show beside samples: ${MORE_FILES}`)
    .requiredOption('--out <file>', 'the page to write, .html, or the pair plot alone, .svg')
    .option(
      '--columns <names>',
      'columns whose margins and pairs are drawn, at most 24, between commas (default: the first 12; .svg: at most 8, the first 5)',
      names,
    )
    .option('--logarithmic <names>', 'of these, columns to draw on a logarithmic axis, between commas', names)
    .option(
      '--rows <n>',
      'rows to sample, and most rows of the data to use (default: 10000; .svg: most rows drawn of each, 1000)',
      integer('--rows', { min: 1, max: 10_000_000 }),
    )
    .option('--title <text>', 'title of the page or the picture')
    .option('--skip <names>', `sections to leave out, of ${reportSections.join(', ')}, between commas`, names)
    .option(
      '--train <files>',
      'the rows that the model was fitted to, for the baselines of the log density, between commas',
      names,
    )
    .option(
      '--errors <by>',
      'standard errors of log densities: rows, which are independent, or blocks of rows in an order (default: what the rows look like)',
      (text) => expectOneOf(text, '--errors', ['rows', 'blocks'] as const),
    )
    .option('--seed <n>', 'seed of all samples (default: 1)', seed('--seed'));
  defineCertificateSizes(command);
  addReadingOptions(command);
  addWeightsOption(
    command,
    ', or have the weights of the column that the model was fitted with, where it is there',
  );
  addDeviceOptions(command)
    .option('--json', 'print the result as JSON, with the numbers of the page')
    .option('--verbose', 'print progress also where stderr is no terminal')
    .action((model: string, data: string[], flags: Flags) => run(model, data, flags, io));
}

async function run(model: string, data: string[], flags: Flags, io: Io): Promise<void> {
  const signal = signalOf(io);
  const { out } = flags;
  resolveDevice(deviceOptions(flags), null);
  const files = await tableFiles(data);
  await expectOutput('--out', out, ['.html', '.svg'], [model, ...files]);
  const asPicture = out.toLowerCase().endsWith('.svg');
  for (const [key, name] of Object.entries(PAGE_FLAGS)) {
    if (asPicture && flags[key as keyof Flags] !== undefined) {
      throw new SklarError('ERR_SKLAR_VALUE', `expected an .html file for ${name}, got ${describe(out)}`);
    }
  }
  const skip = flags.skip?.map((name) => expectOneOf(name, '--skip', reportSections));
  const copula = await loadModel(model);
  if (!copula.margins) {
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      `expected a model with margins to draw beside data, got one without (${describe(model)})`,
    );
  }
  const notes: Note[] = [];
  const schema = copula.margins instanceof Margins ? copula.margins.schema : undefined;
  const columns = schema?.neededNames ?? copula.margins.names;
  const like = { columns, columnsOf: 'the model', signal } as const;
  const { table: all, weights } = await readWeighted(files, flags, notes, like, schema);
  const drawn = weights && thinnedRows(weights, flags.seed ?? 1);
  if (drawn) notes.push(thinnedNote(drawn.length, all.rows));
  const training = flags.train && (await tableFiles(flags.train));
  // what is decided about them was said when they were learned from
  const train = training && (await readWeighted(training, flags, [], like, schema));
  const picture = (table: Table) =>
    drawPicture(copula, completeRows(schema ? schema.modelled(table) : table, notes), flags, io);
  const made = asPicture
    ? await picture(drawn ? all.take(drawn) : all)
    : await makePage(copula, { table: all, weights }, train, { ...flags, skip }, io);
  signal.throwIfAborted();
  const file = await AtomicFile.open(out);
  await file.write(Buffer.from(made.text));
  await file.commit();
  const { rows, numbers } = made;
  writeResult(io, flags.json, { kind: copula.kind, rows, out, ...(numbers && { numbers }), notes }, () => [
    ...Object.entries(numbers?.absent ?? {}).map(([section, why]) => `without ${section}: ${why}`),
    ...noteLines(notes),
    `wrote ${out}`,
  ]);
}

interface WeightedRows {
  readonly table: Table;
  readonly weights: RowWeights | null;
}

interface Made {
  readonly text: string;
  /** Sampled. */
  readonly rows: number;
  readonly numbers: ReportNumbers | null;
}

async function makePage(
  copula: Copula,
  { table, weights }: WeightedRows,
  train: WeightedRows | undefined,
  flags: Omit<Flags, 'skip' | 'train'> & { skip: (typeof reportSections)[number][] | undefined },
  io: Io,
): Promise<Made> {
  const { columns, logarithmic, rows, title, skip, seed: wanted, errors, ...rest } = flags;
  const bar = startProgress(io, 'report', 1, flags.verbose);
  try {
    const { html, numbers } = await report(copula, table, {
      ...deviceOptions(flags),
      signal: signalOf(io),
      certificate: certificateOptions({ ...rest, certificate: true }),
      ...(columns && { columns }),
      ...(logarithmic && { logarithmic }),
      ...(rows !== undefined && { rows }),
      ...(title !== undefined && { title }),
      ...(skip && { skip }),
      ...(weights && { weights: weights.each }),
      ...(train && { train: train.table, ...(train.weights && { trainWeights: train.weights.each }) }),
      ...(errors && { errors }),
      ...(wanted !== undefined && { seed: wanted }),
      onProgress: ({ stage, fraction }) => bar.update(fraction, stage),
    });
    return { text: html, rows: numbers.rows.sample, numbers };
  } finally {
    bar.stop();
  }
}

async function drawPicture(copula: Copula, table: Table, flags: Flags, io: Io): Promise<Made> {
  const { columns, logarithmic, title } = flags;
  const rows = Math.min(flags.rows ?? 1000, table.rows);
  const bar = startProgress(io, 'sample', rows, flags.verbose);
  const showRows = rowProgress(bar, rows);
  try {
    const u = await copula.sample(rows, {
      ...deviceOptions(flags),
      dtype: 'float64',
      signal: signalOf(io),
      ...(flags.seed !== undefined && { seed: flags.seed }),
      onProgress: ({ rowsDone }) => showRows(rowsDone),
    });
    const text = await pairPlot(table, await copula.margins!.inverse(u), {
      maxPoints: rows,
      ...(columns && { columns }),
      ...(logarithmic && { logarithmic }),
      ...(title !== undefined && { title }),
    });
    return { text, rows, numbers: null };
  } finally {
    bar.stop();
  }
}
