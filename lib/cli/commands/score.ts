import type { Command } from 'commander';

import { batchRows, shiftRow } from '../../copulas/copula';
import { loadModel } from '../../copulas/fitting/load';
import { expectFinite } from '../../copulas/inputs/rows';
import { matrix } from '../../matrix';
import { tableFiles } from '../../data/formats/table-files';
import { TableWriter } from '../../data/formats/write-table';
import type { TableSchema } from '../../data/schema/table-schema';
import { Table } from '../../data/table';
import { noWeight, positiveRows, thinnedNote, thinnedRows, weightsColumn } from '../../data/weights';
import { type DeviceOptions, resolveDevice } from '../../devices';
import { expectOneOf } from '../../errors';
import { copulaLogPdf } from '../../joint/copula-density';
import { type ImpossibleValues, expectNoPole, impossibleValues, possibleRows } from '../../joint/impossible';
import { jointOf, takeWeighted } from '../../joint/joint';
import { Margins, type TableMargins } from '../../margins/margins';
import { type ImpossibleRows, RunningMean } from '../../mean';
import { release } from '../../native';
import type { Note } from '../../notes';
import {
  errorWords,
  formatLogNormaliser,
  formatMean,
  impossibleLines,
  normalisationNote,
  noteLines,
} from '../../report/charts/text';
import {
  type CertificateFlags,
  certificateLines,
  certificateOptions,
  certify,
  defineCertificate,
} from '../results/certificate';
import { type Io, signalOf, writeResult } from '../terminal/context';
import { expectOutput } from '../terminal/files';
import { logNormaliserOf, normaliserKeys } from '../results/normaliser';
import { rowProgress, startProgress } from '../terminal/progress';
import {
  type ReadingFlags,
  MORE_FILES,
  addReadingOptions,
  addWeightsOption,
  openAs,
  readWithWeights,
} from '../terminal/reading';
import { addDeviceOptions, deviceOptions } from '../terminal/run';

interface Flags extends DeviceOptions, CertificateFlags, ReadingFlags {
  out?: string;
  scale?: 'data' | 'copula';
  errors?: 'rows' | 'blocks';
  json?: boolean;
  verbose?: boolean;
}

export function define(command: Command, io: Io): void {
  command
    .argument('<model>', 'a .safetensors file that fit wrote')
    .argument('<data...>', `rows to score, columns are found by name: ${MORE_FILES}`)
    .option(
      '--out <file>',
      'write the log density of each row, column log_pdf: .csv, .parquet, .json or .ndjson',
    )
    .option(
      '--scale <name>',
      'copula: the density of the copula alone; data: with the margins (default: copula)',
      (text) => expectOneOf(text, '--scale', ['data', 'copula'] as const),
    )
    .option(
      '--errors <by>',
      'standard error of the mean: rows, which are independent, or blocks of rows in the order of time (default: rows)',
      (text) => expectOneOf(text, '--errors', ['rows', 'blocks'] as const),
    );
  addReadingOptions(command);
  addWeightsOption(
    command,
    ', or have the weights of the column that the model was fitted with, where it is there',
  );
  addDeviceOptions(command);
  defineCertificate(command);
  command
    .option('--json', 'print the result as JSON')
    .option('--verbose', 'print progress also where stderr is no terminal')
    .action((model: string, data: string[], flags: Flags) => score(model, data, flags, io));
}

async function score(model: string, data: string[], flags: Flags, io: Io): Promise<void> {
  const signal = signalOf(io);
  const { out, scale = 'copula' } = flags;
  const run = { ...deviceOptions(flags), signal };
  const ofCertificate = certificateOptions(flags);
  resolveDevice(run, null);
  const files = await tableFiles(data);
  if (out !== undefined) await expectOutput('--out', out, 'table', [model, ...files]);

  const copula = await loadModel(model);
  const joint = scale === 'data' ? jointOf(copula, model) : null;
  // A model without margins scores rows that are on the copula scale already.
  const notes: Note[] = [];
  const schema = copula.margins instanceof Margins ? copula.margins.schema : undefined;
  const columns = schema?.neededNames ?? copula.margins?.names ?? copula.names;
  const { read, weights: column } = await readWithWeights(
    files,
    flags,
    notes,
    { ...(columns && { columns, columnsOf: 'the model' }), signal },
    schema,
    (own, of) => openAs(files, own, notes, of, schema),
  );
  using reader = read;
  const { rows } = reader;
  const { threads } = run;
  async function* parts() {
    let firstRow = 0;
    for await (const batch of reader.batches({ rows: batchRows(copula.dim) })) {
      yield { ...modelledPart(schema, batch, column, firstRow), firstRow };
      firstRow += batch.rows;
      release(...batch.columns);
    }
  }
  /** The levels of the rows that have some; all of them at once. */
  const levels = async () => {
    const read = new Table(
      reader.names,
      reader.names.map(() => new Float64Array(rows)),
      reader.types,
    );
    let done = 0;
    for await (const batch of reader.batches()) {
      batch.columns.forEach((values, j) => read.columns[j]!.set(values, done));
      done += batch.rows;
    }
    const taken = takeWeighted(read, column);
    const drawn = taken.weights
      ? taken.table.take(thinnedRows(taken.weights, ofCertificate.seed ?? 1))
      : taken.table;
    if (taken.weights) notes.push(thinnedNote(drawn.rows, taken.table.rows));
    const table = schema ? schema.modelled(drawn) : drawn;
    if (!copula.margins) return table;
    const possible = await possibleRows(copula.margins, table, { threads, signal });
    return copula.margins.transform(possible, { threads, signal });
  };

  const bar = startProgress(io, 'score', rows, flags.verbose);
  const showRows = rowProgress(bar, rows);
  const running = new RunningMean(flags.errors);
  /** The first rows of density 0, by part. */
  const named: ImpossibleValues['rows'][number][] = [];
  // its file appears in the end: what is interrupted, or fails, leaves none
  await using writer = out === undefined ? null : await TableWriter.open(out, ['log_pdf']);
  try {
    for await (const { table, weights, firstRow } of parts()) {
      const reported = { ...run, firstRow };
      const values = await (joint
        ? joint.logPdf(table, reported)
        : copula.margins
          ? copulaLogPdf(copula, copula.margins, table, { ...reported, ofRows: rows })
          : copula.logPdf(table, reported));
      if (joint) expectNoPole(values, joint.margins, table, firstRow);
      expectFinite(values, 1, 'the log density', { first: firstRow, orImpossible: true });
      running.add(values, undefined, weights);
      named.push(...namedIn(running.impossible, copula.margins, table, firstRow));
      await writer?.append(matrix(values, values.length, 1));
      signal.throwIfAborted();
      showRows(firstRow + table.rows);
    }
  } finally {
    bar.stop();
  }

  if (running.counted === 0) throw noWeight(column);
  const mean = running.value();
  const impossible = mean.impossible && { count: mean.impossible.count, rows: named };
  const scored = running.counted - (impossible?.count ?? 0);
  const normaliser = await logNormaliserOf(copula, io, run, flags.verbose);
  const certificate = flags.certificate
    ? await certify(copula, await levels(), ofCertificate, io, run, flags.verbose)
    : null;
  signal.throwIfAborted();
  await writer?.close();
  const result = {
    kind: copula.kind,
    rows,
    scale,
    meanLogPdf: mean.mean,
    standardError: mean.standardError,
    ...(mean.blockRows && { blockRows: mean.blockRows }),
    ...(mean.effectiveRows && { effectiveRows: mean.effectiveRows }),
    ...(impossible && { impossible }),
    normalised: copula.normalised,
    ...normaliserKeys(normaliser, mean.mean),
    ...(certificate && { certificate }),
    out: out ?? null,
    notes,
  };
  writeResult(io, flags.json, result, () => [
    ...(impossible ? impossibleLines(impossible, rows) : []),
    ...(scored === 0
      ? [`no row has a finite density, so that there is no mean log density`]
      : [
          `mean log density of ${impossible ? `the other ${scored} of ` : ''}${result.rows} rows${joint ? ' on the data scale' : ''}, in nats${errorWords(mean)}: ${formatMean({ mean: mean.mean, standardError: mean.standardError })}${normalisationNote(copula.normalised)}`,
        ]),
    ...(copula.normalised || !normaliser || scored === 0
      ? []
      : [`normalised: ${(mean.mean - normaliser.logZ).toFixed(4)} (${formatLogNormaliser(normaliser)})`]),
    ...(certificate ? certificateLines(certificate) : []),
    ...noteLines(notes),
    ...(out === undefined ? [] : [`wrote ${out}`]),
  ]);
}

/** The modelled columns of a batch of the file's rows, and their weights. */
function modelledPart(
  schema: TableSchema | undefined,
  batch: Table,
  column: string | undefined,
  firstRow: number,
): { table: Table; weights: Float64Array | undefined } {
  try {
    const { table, weights } =
      column === undefined ? { table: batch, weights: undefined } : weightsColumn(batch, column);
    if (weights) positiveRows(weights, column);
    return { table: schema ? schema.modelled(table) : table, weights };
  } catch (error) {
    throw shiftRow(error, firstRow);
  }
}

/** Of the rows of density 0 that are named those of a part of the table, with their columns. */
function namedIn(
  impossible: ImpossibleRows,
  margins: TableMargins | null,
  part: Table,
  firstRow: number,
): ImpossibleValues['rows'] {
  const rows = impossible.rows.filter((row) => row > firstRow).map((row) => row - firstRow);
  const found =
    margins instanceof Margins
      ? impossibleValues({ count: rows.length, rows }, margins, part).rows
      : rows.map((row) => ({ row, columns: [] }));
  return found.map((one) => ({ ...one, row: one.row + firstRow }));
}
