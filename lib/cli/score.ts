import type { Command } from 'commander';

import { loadModel } from '../copulas/load';
import { matrix } from '../data/matrix';
import { readTable } from '../data/read-table';
import { TableWriter } from '../data/write-table';
import { type DeviceName, resolveDevice } from '../devices';
import { expectOneOf } from '../errors';
import { jointOf } from '../joint/joint';
import {
  type CertificateFlags,
  certificateLines,
  certificateOptions,
  certify,
  defineCertificate,
} from './certificate';
import { type Io, signalOf, writeResult } from './context';
import { expectOutput } from './files';
import { formatLogNormaliser, logNormaliserOf, normaliserKeys } from './normaliser';
import { rowProgress, startProgress } from './progress';
import { formatMean, meanOf, normalisationNote } from './statistics';
import { integer } from './values';

interface Flags extends CertificateFlags {
  out?: string;
  scale?: 'data' | 'copula';
  device?: DeviceName;
  threads?: number;
  json?: boolean;
  verbose?: boolean;
}

export function define(command: Command, io: Io): void {
  command
    .argument('<model>', 'a .safetensors file that fit wrote')
    .argument(
      '<data>',
      'rows to score: .csv, .tsv, .json, .ndjson (also .gz) or .parquet; columns are found by name',
    )
    .option(
      '--out <file>',
      'write the log density of each row, column log_pdf: .csv, .parquet, .json or .ndjson',
    )
    .option(
      '--scale <name>',
      'copula: the density of the copula alone; data: with the margins (default: copula)',
      (text) => expectOneOf(text, '--scale', ['data', 'copula'] as const),
    )
    .option('--device <name>', 'auto, cpu or cuda (default: auto)', (text) =>
      expectOneOf<DeviceName>(text, '--device', ['auto', 'cpu', 'cuda']),
    )
    .option(
      '--threads <n>',
      'threads; 0: one for each processor (default: 0)',
      integer('--threads', { min: 0, max: 1024 }),
    )
    .option('--json', 'print the result as JSON')
    .option('--verbose', 'print progress also where stderr is no terminal')
    .action((model: string, data: string, flags: Flags) => score(model, data, flags, io));
  defineCertificate(command);
}

async function score(model: string, data: string, flags: Flags, io: Io): Promise<void> {
  const signal = signalOf(io);
  const { out, scale = 'copula', device = 'auto', threads = 0 } = flags;
  const ofCertificate = certificateOptions(flags);
  resolveDevice(device);
  if (out !== undefined) await expectOutput('--out', out, 'table', [model, data]);

  const copula = await loadModel(model);
  const joint = scale === 'data' ? jointOf(copula, model) : null;
  // A model without margins scores rows that are on the copula scale already.
  const columns = copula.margins?.names ?? copula.names;
  const table = await readTable(data, { ...(columns && { columns }), signal });
  const u = copula.margins?.transform(table) ?? table;

  const bar = startProgress(io, 'score', table.rows, flags.verbose);
  const showRows = rowProgress(bar, table.rows);
  let values: Float64Array;
  try {
    const run = {
      device,
      threads,
      signal,
      onProgress: ({ rowsDone }: { rowsDone: number }) => showRows(rowsDone),
    };
    values = await (joint ? joint.logPdf(table, run) : copula.logPdf(u, run));
  } finally {
    bar.stop();
  }
  if (out !== undefined) {
    await using writer = await TableWriter.open(out, ['log_pdf']);
    await writer.append(matrix(values, values.length, 1));
    signal.throwIfAborted();
    await writer.close();
  }

  const mean = meanOf(values);
  const normaliser = await logNormaliserOf(copula, io, { threads, signal }, flags.verbose);
  const certificate = flags.certificate
    ? await certify(copula, u, ofCertificate, io, { threads, signal }, flags.verbose)
    : null;
  const result = {
    kind: copula.kind,
    rows: values.length,
    scale,
    meanLogPdf: mean.mean,
    standardError: mean.standardError,
    normalised: copula.normalised,
    ...normaliserKeys(normaliser, mean.mean),
    ...(certificate && { certificate }),
    out: out ?? null,
  };
  writeResult(io, flags.json, result, () => [
    `mean log density of ${result.rows} rows${joint ? ' on the data scale' : ''}, in nats: ${formatMean(mean)}${normalisationNote(copula.normalised)}`,
    ...(copula.normalised || !normaliser
      ? []
      : [`normalised: ${(mean.mean - normaliser.logZ).toFixed(4)} (${formatLogNormaliser(normaliser)})`]),
    ...(certificate ? certificateLines(certificate) : []),
    ...(out === undefined ? [] : [`wrote ${out}`]),
  ]);
}
