import type { Command } from 'commander';

import { loadModel } from '../../copulas/fitting/load';
import { expectFinite } from '../../copulas/inputs/rows';
import { matrix } from '../../matrix';
import { tableFiles } from '../../data/formats/table-files';
import { TableWriter } from '../../data/formats/write-table';
import { type DeviceOptions, resolveDevice } from '../../devices';
import { expectOneOf } from '../../errors';
import { copulaLogPdf } from '../../joint/copula-density';
import { impossibleValues, possibleRows } from '../../joint/impossible';
import { jointOf } from '../../joint/joint';
import { Margins } from '../../margins/margins';
import { meanOf } from '../../mean';
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
import { type ReadingFlags, MORE_FILES, addReadingOptions, readAs } from '../terminal/reading';
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
  const read = await readAs(files, flags, notes, { ...(columns && { columns }), signal }, schema);
  const table = schema ? schema.modelled(read) : read;
  const { threads } = run;
  const levels = async () => {
    if (!copula.margins) return table;
    const possible = await possibleRows(copula.margins, table, { threads, signal });
    return copula.margins.transform(possible, { threads, signal });
  };

  const bar = startProgress(io, 'score', table.rows, flags.verbose);
  const showRows = rowProgress(bar, table.rows);
  let values: Float64Array;
  try {
    const reported = {
      ...run,
      onProgress: ({ rowsDone }: { rowsDone: number }) => showRows(rowsDone),
    };
    values = await (joint
      ? joint.logPdf(table, reported)
      : copula.margins
        ? copulaLogPdf(copula, copula.margins, table, reported)
        : copula.logPdf(table, reported));
  } finally {
    bar.stop();
  }
  expectFinite(values, 1, 'the log density', { orImpossible: true });
  if (out !== undefined) {
    await using writer = await TableWriter.open(out, ['log_pdf']);
    await writer.append(matrix(values, values.length, 1));
    signal.throwIfAborted();
    await writer.close();
  }

  const mean = meanOf(values, undefined, flags.errors);
  const impossible =
    mean.impossible &&
    (copula.margins instanceof Margins
      ? impossibleValues(mean.impossible, copula.margins, table)
      : { count: mean.impossible.count, rows: mean.impossible.rows.map((row) => ({ row, columns: [] })) });
  const scored = values.length - (impossible?.count ?? 0);
  const normaliser = await logNormaliserOf(copula, io, run, flags.verbose);
  const certificate = flags.certificate
    ? await certify(copula, await levels(), ofCertificate, io, run, flags.verbose)
    : null;
  const result = {
    kind: copula.kind,
    rows: values.length,
    scale,
    meanLogPdf: mean.mean,
    standardError: mean.standardError,
    ...(mean.blockRows && { blockRows: mean.blockRows }),
    ...(impossible && { impossible }),
    normalised: copula.normalised,
    ...normaliserKeys(normaliser, mean.mean),
    ...(certificate && { certificate }),
    out: out ?? null,
    notes,
  };
  writeResult(io, flags.json, result, () => [
    ...(impossible ? impossibleLines(impossible, values.length) : []),
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
