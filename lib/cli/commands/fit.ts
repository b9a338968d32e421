import { statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';

import type { Command } from 'commander';
import { z } from 'zod';

import { checkpointFiles, isOfAnotherFit, removeCheckpoints } from '../../copulas/training/checkpoint';
import { type CandidateProgress, defaultKind } from '../../copulas/fitting/auto';
import type { TrainProgress } from '../../copulas/training/train';
import type { Copula, LogPdfOptions } from '../../copulas/copula';
import { fitCopula } from '../../copulas/fitting/fit';
import { FEWEST_ROWS } from '../../copulas/fitting/prepare';
import { type CopulaKind, copulaKinds, isCopulaKind, kinds } from '../../copulas/fitting/kinds';
import { loadModel } from '../../copulas/fitting/load';
import { expectColumns, optionsFrom, startsOf } from '../../copulas/fitting/warm-start';
import { EnsembleCopula } from '../../copulas/kinds/ensemble';
import { fitEnsemble } from '../../copulas/fitting/fit-ensemble';
import { parseOptions } from '../../copulas/inputs/options';
import { lend } from '../../copulas/inputs/rows';
import { expectDifferentFiles, expectReadable, fileError } from '../../data/formats/files';
import type { ReadTableOptions } from '../../data/formats/read-table';
import { filesWords, tableFiles } from '../../data/formats/table-files';
import { type Ties } from '../../data/level-columns';
import { type PseudoObservations } from '../../data/pseudo-observations';
import type { Seed } from '../../data/random';
import { serialDependence, serialNote } from '../../data/serial-dependence';
import { type SplitMethod, divideTable, splitMethods, splitRows, timeOrder } from '../../data/split';
import { poolRare } from '../../data/schema/pool-rare';
import {
  type MissingRule,
  TableSchema,
  expectNoneMissing,
  missingRules,
} from '../../data/schema/table-schema';
import type { Table } from '../../data/table';
import { takeWeights } from '../../data/weights';
import { type DeviceName, type RunRecord, expectDeviceName, precisions, resolveDevice } from '../../devices';
import { SklarError, describe, expectOneOf } from '../../errors';
import { copulaLogPdf } from '../../joint/copula-density';
import {
  JointDistribution,
  expectPrivate,
  fitIndependent,
  leastRows,
  fitRanksAndMargins,
} from '../../joint/joint';
import { expectCleanKeys } from '../../model/json';
import { Margins } from '../../margins/margins';
import {
  type MarginOptions,
  type MarginSpec,
  type MarginType,
  marginOptionsSchema,
  marginTypes,
} from '../../margins/fit';
import { type MarginsSpec, expectMarginsSpec, forAll } from '../../margins/margins';
import { meanOf } from '../../mean';
import { release } from '../../native';
import { type Note, andWords } from '../../notes';
import {
  type LogNormaliser,
  formatDuration,
  formatLogNormaliser,
  errorWords,
  formatMean,
  normalisationNote,
  noteLines,
} from '../../report/charts/text';
import { parsePairs } from './conditional';
import { correlationOf } from '../results/correlation';
import { marginLines } from '../results/margins-table';
import { selectionLines } from '../results/selection';
import { type Io, signalOf, writeResult } from '../terminal/context';
import { asOptions } from '../terminal/failure';
import { expectNoInput, expectOutput } from '../terminal/files';
import { logNormaliserOf, normaliserKeys } from '../results/normaliser';
import { addModelOptions, expectModelOptions, modelShape } from '../terminal/model-options';
import { type Progress, formatRate, rowProgress, startProgress } from '../terminal/progress';
import {
  type ReadingFlags,
  MORE_FILES,
  addReadingOptions,
  addWeightsOption,
  readFiles,
  readWithWeights,
  returnChoices,
  returnsOf,
  weighted,
} from '../terminal/reading';
import { addDeviceOptions } from '../terminal/run';
import { BETWEEN_COMMAS, integer, names, number, numberOrText, seed } from '../terminal/values';

const seedSchema = z.union([
  z.int().min(0),
  z
    .string()
    .regex(/^\d{1,20}$/)
    .transform(BigInt)
    .refine((value) => value < 1n << 64n, 'expected a seed below 2^64'),
]);

const anyKind = [...copulaKinds, 'auto'] as const;

/** Options of the command, by the names they have in a configuration file. */
const commandShape = {
  kind: z.enum(anyKind).optional(),
  minutes: z.number().positive().optional(),
  models: z.int().min(1).max(1000).optional(),
  splits: z.enum(['different', 'same']).optional(),
  columns: z.array(z.string()).optional(),
  exclude: z.array(z.string()).optional(),
  header: z.boolean().optional(),
  delimiter: z.string().optional(),
  decimal: z.enum(['.', ',']).optional(),
  null: z.array(z.string()).optional(),
  encoding: z.string().optional(),
  types: z.record(z.string(), z.string()).optional(),
  holdout: z.number().min(0).lt(1).optional(),
  split: z.enum(splitMethods).optional(),
  splitSeed: seedSchema.optional(),
  returns: z.enum(returnChoices).optional(),
  weights: z.string().optional(),
  private: z.union([z.boolean(), z.int().min(2)]).optional(),
  ties: z.enum(['random', 'average']).optional(),
  missing: z.enum(missingRules).optional(),
  // by column, what there is wrong with a margin is said by `expectMarginsSpec`, which names the column
  margins: z.union([z.enum(marginTypes), z.record(z.string(), z.unknown())]).optional(),
  support: z.record(z.string(), marginOptionsSchema.shape.support.unwrap()).optional(),
  seed: seedSchema.optional(),
  device: z.string().optional(),
  precision: z.enum(precisions).optional(),
  threads: z.int().min(0).max(1024).optional(),
  checkpoint: z.string().min(1).optional(),
  checkpointSeconds: z.number().positive().optional(),
  log: z.string().min(1).optional(),
  from: z.string().min(1).optional(),
};
const configSchema = z.strictObject({ ...modelShape, ...commandShape });

/** What a configuration file and the command line say, options of the model included. */
type Settings = Omit<z.output<z.ZodObject<typeof commandShape>>, 'device' | 'margins' | 'support'> & {
  device?: DeviceName;
  /** Of the command line a list: one type for all, or column=type. */
  margins?: MarginsSpec | string[];
  /** Of the command line a list of column=from:to; of a file by column [from, to], null where an end is open. */
  support?: Readonly<Record<string, MarginOptions['support']>> | string[];
};

type Flags = Settings & {
  out: string;
  config?: string;
  json?: boolean;
  verbose?: boolean;
};

export function define(command: Command, io: Io): void {
  command
    .argument('<data...>', `rows to learn from: ${MORE_FILES}`)
    .requiredOption('--out <file>', 'the model to write, .safetensors')
    .option(
      '--kind <kind>',
      `${copulaKinds.join(', ')}; or auto: several are tried, and the best is taken (default: auto; cdc with options of networks)`,
      (text) => expectOneOf(text, '--kind', anyKind),
    )
    .option(
      '--minutes <n>',
      'of --kind auto: how long kinds may be tried (default: until all are)',
      number('--minutes', { above: 0 }),
    )
    .option(
      '--models <n>',
      'fit an ensemble of so many models, each with a seed and validation rows of its own',
      integer('--models', { min: 1, max: 1000 }),
    )
    .option('--columns <names>', `columns to use, ${BETWEEN_COMMAS} (default: all)`, names)
    .option('--exclude <names>', `columns to leave out, ${BETWEEN_COMMAS}`, names)
    .option(
      '--holdout <share>',
      'share of the rows kept apart to judge the model (default: 0.2)',
      number('--holdout', { min: 0, below: 1 }),
    )
    .option(
      '--split <how>',
      'which rows those are, and those by which training stops: random, time (the last ones) or blocks (whole stretches of rows) (default: random)',
      (text) => expectOneOf(text, '--split', splitMethods),
    )
    .option('--split-seed <n>', 'which ones at random (default: 0)', seed('--split-seed'));
  addModelOptions(command)
    .option('--seed <n>', 'seed of everything random but the split (default: 1)', seed('--seed'))
    .option('--ties <rule>', 'ranks of equal values: random or average (default: random)', (text) =>
      expectOneOf<Ties>(text, '--ties', ['random', 'average']),
    )
    .option(
      '--missing <rule>',
      'what missing cells are: impute (unknown), model (part of the model, with their dependence), auto (model where they depend on other columns) or error (default: auto)',
      (text) => expectOneOf<MissingRule>(text, '--missing', missingRules),
    )
    .option(
      '--margins <type>',
      `${marginTypes.join(', ')}; or column=type,... (default: auto)`,
      (text, previous: readonly string[] = []) => [...previous, text],
    )
    .option(
      '--support <ranges>',
      'column=from:to,...: the least and the greatest value there can be; either may be left out (default: what the values make plain)',
      (text, previous: readonly string[] = []) => [...previous, text],
    );
  addReadingOptions(command);
  addWeightsOption(command);
  command.option(
    '--private [n]',
    'a model without values of the rows: made of means of so many values at least, 2 to 30, with rarer labels as one (default of n: 10)',
    integer('--private', { min: 2, max: 30 }),
  );
  addDeviceOptions(command)
    .option(
      '--checkpoint <file>',
      'state of the training, so that the same command goes on where it was killed',
    )
    .option(
      '--log <file>',
      'losses, gradient and rate of every step and looks at the validation rows, as lines of JSON, .jsonl',
    )
    .option('--from <model>', 'train the network of this model further, on these rows')
    .option(
      '--config <file>',
      'JSON with any of these options, and others of the model, under their camelCase names',
    )
    .option('--json', 'print the result as JSON')
    .option('--verbose', 'print progress also where stderr is no terminal')
    .action((data: string[], flags: Flags) => fit(data, flags, io));
}

/** The settings of a configuration file; a fit that starts from a model may have its kind. */
async function readConfig(file: string, kind: Settings['kind'], startsFromModel: boolean): Promise<Settings> {
  let text: string;
  try {
    await expectReadable(file);
    text = await readFile(file, 'utf8');
  } catch (cause) {
    throw fileError(cause, 'read', file);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
    expectCleanKeys(text);
  } catch (cause) {
    throw new SklarError('ERR_SKLAR_FORMAT', `expected JSON, got ${describe(cause)} (${describe(file)})`, {
      cause,
    });
  }
  try {
    const settings = parseOptions(configSchema, value, 'the configuration');
    if (settings.device !== undefined) expectDeviceName(settings.device, 'device');
    const of = kind ?? settings.kind ?? (startsFromModel || settings.from !== undefined ? null : 'cdc');
    if (of && of !== 'auto') expectModelOptions(of, settings);
    return settings as Settings;
  } catch (cause) {
    const { code, message } = cause as SklarError;
    throw new SklarError(code, `${message} (${describe(file)})`, { cause });
  }
}

/** What the JSON result takes from the record in the model. */
interface TrainRecord extends RunRecord {
  steps: number;
  bestStep: number;
  stepMilliseconds: number;
}

/** The settings of the file and of the command line, which wins. */
async function resolveSettings(flags: Flags): Promise<Settings> {
  const given: Partial<Flags> = { ...flags };
  for (const name of ['out', 'config', 'json', 'verbose'] as const) delete given[name];
  return {
    ...(flags.config !== undefined && (await readConfig(flags.config, flags.kind, flags.from !== undefined))),
    ...given,
  };
}

function isOneType(wanted: MarginsSpec | string[]): wanted is string[] {
  return Array.isArray(wanted) && wanted.length === 1 && !wanted[0]!.includes('=');
}

/** The margins that the command line or the configuration file asks for. */
function marginsOf(
  wanted: MarginsSpec | string[],
  support: NonNullable<Settings['support']>,
  names: readonly string[],
): MarginsSpec {
  const spec = isOneType(wanted)
    ? (wanted[0] as MarginType)
    : Array.isArray(wanted)
      ? (Object.fromEntries(parsePairs(wanted, names, '--margins')) as Record<string, MarginType>)
      : wanted;
  expectMarginsSpec(spec, names);
  const ranges = Array.isArray(support)
    ? Array.from(
        parsePairs(support, names, '--support'),
        ([name, text]) => [name, rangeOf(text, name)] as const,
      )
    : Object.entries(support);
  if (ranges.length === 0) return spec;
  const byColumn = new Map<string, MarginSpec>(
    typeof spec === 'string' ? names.map((name) => [name, forAll(spec)]) : Object.entries(spec),
  );
  for (const [name, range] of ranges) {
    const own = byColumn.get(name) ?? 'auto';
    byColumn.set(name, { ...(typeof own === 'string' ? { type: own } : own), support: range });
  }
  const ofColumns = Object.fromEntries(byColumn);
  expectMarginsSpec(ofColumns, names);
  return ofColumns;
}

/** `0:100`, `0:` or `:100`. */
function rangeOf(text: string, name: string): NonNullable<MarginOptions['support']> {
  const ends = text.split(':').map((end) => (end.trim() === '' ? null : numberOrText(end.trim())));
  if (ends.length === 2 && ends.every((end) => typeof end !== 'string') && ends.some((end) => end !== null)) {
    return ends as [number | null, number | null];
  }
  throw new SklarError(
    'ERR_SKLAR_VALUE',
    `expected from:to for ${describe(name)} of --support, got ${describe(text)}`,
  );
}

/** The rows to learn from, and those kept apart; beside them the table is not held any longer. */
async function readSplit(
  files: readonly string[],
  reading: ReadingFlags,
  notes: Note[],
  options: ReadTableOptions,
  {
    returns: method,
    missing,
    split,
    share,
    seed: splitSeed,
  }: {
    readonly returns: NonNullable<Settings['returns']>;
    readonly missing: Settings['missing'];
    readonly split: SplitMethod;
    readonly share: number;
    readonly seed: Seed;
  },
) {
  const { read, weights: column } = await readWithWeights(
    files,
    reading,
    notes,
    options,
    undefined,
    (own, of) => readFiles(files, own, notes, of),
  );
  const made = method === 'none' ? null : returnsOf(read, { method }, notes, column);
  const { table, weights, kept } = weighted(made?.table ?? read, column, notes);
  const dependence = split === 'random' ? serialDependence(table) : null;
  if (dependence) {
    const note = serialNote(made ? { ...dependence, inTime: true } : dependence);
    notes.push({ ...note, message: asOptions(note.message) });
  }
  const order = split === 'random' || made ? null : timeOrder(table, (note) => notes.push(note));
  if (missing === 'error') expectNoneMissing(table);
  if (table.rows === 0) {
    throw new SklarError(
      'ERR_SKLAR_SHAPE',
      `expected at least 1 row to fit, got none (${filesWords(files)})`,
    );
  }
  const few = table.rows * (1 - share) < FEWEST_ROWS;
  if (few && share > 0) {
    const message = `the ${table.rows} rows of ${filesWords(files)} are too few to hold some out: all are learned from`;
    notes.push({ code: 'fit', columns: [], message });
  }
  const { train, holdout } = splitRows(table.rows, few ? 0 : share, splitSeed, split, order);
  const [training, judging] = divideTable(table, [train, holdout]);
  const parts = {
    // as the file has them
    holdout: kept ? holdout.map((row) => kept[row]!) : holdout,
    training: training!,
    judging: judging!,
    returns: made?.returns,
    weightsColumn: column,
    weights: weights && takeWeights(weights, train),
    judgingWeights: weights && takeWeights(weights, holdout),
  };
  release(train);
  return parts;
}

async function fit(data: string[], flags: Flags, io: Io): Promise<void> {
  const signal = signalOf(io);
  const {
    kind: givenKind,
    models: givenModels,
    splits,
    columns,
    exclude,
    header,
    delimiter,
    decimal,
    null: nulls,
    encoding,
    types,
    returns: ofPrices = 'none',
    minutes,
    weights: weightsFlag,
    private: asked,
    holdout: share = 0.2,
    split = 'random',
    splitSeed = 0,
    ties = 'random',
    missing,
    margins: wanted = 'auto',
    support = [],
    seed: fitSeed = 1,
    device,
    precision,
    threads,
    checkpoint,
    checkpointSeconds,
    log,
    from: fromFile,
    ...model
  } = await resolveSettings(flags);
  using from = fromFile === undefined ? undefined : await loadModel(fromFile);
  const ofTraining = { models: givenModels, from: fromFile, log, checkpoint };
  const { kind, models } = kindOfFit(givenKind, givenModels, from, { ...model, ...ofTraining });
  expectKindOptions(kind, model, { minutes, models });
  const stepwise = Object.entries({ '--log': log, '--checkpoint': checkpoint, '--from': from }).find(
    ([, given]) => given !== undefined,
  );
  const trained = kind !== 'auto' && kinds[kind].trained;
  if (stepwise && !trained) {
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      `${stepwise[0]} belongs to kinds that a network learns in steps, not to ${kind}`,
    );
  }
  if (from && kind !== 'auto') startsOf(from, kind, models).forEach((start) => optionsFrom(start, model));
  if (isOneType(wanted)) expectOneOf(wanted[0], '--margins', marginTypes);
  if (splits !== undefined && models === undefined) {
    throw new SklarError('ERR_SKLAR_VALUE', 'splits belongs to models: there is no ensemble without it');
  }
  const run = { device, precision, threads, signal };
  const errors = split === 'random' ? 'rows' : 'blocks';
  resolveDevice(run, kind === 'auto' ? null : kinds[kind].capabilities.cpuOnly);
  const files = await tableFiles(data);
  const inputs = [...files, ...[flags.config, fromFile].filter((file) => file !== undefined)];
  await expectOutput('--out', flags.out, ['.safetensors'], inputs);
  if (log !== undefined) await expectOutput('--log', log, ['.jsonl', '.ndjson'], inputs);
  const kept = checkpointFiles(checkpoint, models);
  for (const file of kept) expectNoInput('--checkpoint', file, inputs);
  expectDifferentFiles([
    ['--out', flags.out],
    ...(log === undefined ? [] : [['--log', log] as const]),
    ...kept.map((file) => ['--checkpoint', file] as const),
  ]);

  const notes: Note[] = [];
  const reading = { header, delimiter, decimal, null: nulls, encoding, types, weights: weightsFlag };
  const { holdout, training, judging, returns, weightsColumn, weights, judgingWeights } = await readSplit(
    files,
    reading,
    notes,
    { ...(columns && { columns }), ...(exclude && { exclude }), signal },
    { returns: ofPrices, missing, split, share, seed: splitSeed },
  );
  const privateRows = expectPrivate(asked, kind === 'auto' ? [] : [kind]);
  const pooled = privateRows === null ? null : poolRare(training, privateRows);
  const rows = pooled?.table ?? training;
  const rest = { weights, privateRows, ...(pooled && { others: pooled.others }) };
  const schema = TableSchema.inferWith(rows, { missing, returns, weightsColumn }, rest);
  if (from) expectColumns(from, schema.modelledNames.length, schema.modelledNames);
  const spec = marginsOf(wanted, support, schema.modelledNames);
  // The copula learns from ranks, so that a margin that fits badly does not spoil the dependence.
  const learning = startProgress(io, 'margins', 1, flags.verbose);
  const modelled = schema.modelled(rows);
  const settings = {
    schema,
    weights,
    notes: pooled?.notes ?? [],
    ties,
    seed: fitSeed,
    margins: spec,
    threads,
    signal,
    onProgress: (fraction: number) => learning.update(fraction, ''),
  };
  const independent = await fitIndependent(modelled, settings, leastRows(kind)).finally(() =>
    learning.stop(),
  );
  if (independent) {
    const { copula, margins } = independent;
    copula.otherNotes = notesToKeep(notes, privateRows);
    using joint = new JointDistribution(copula, margins);
    await joint.save(flags.out);
    const result = {
      kind: copula.kind,
      dim: copula.dim,
      columns: copula.names,
      margins: margins.types,
      rows: { train: modelled.rows, holdout: 0 },
      holdout: null,
      model: flags.out,
      notes: [...notes.filter((note) => !copula.otherNotes.includes(note)), ...copula.allNotes],
    };
    writeResult(io, flags.json, result, () => [
      `independent columns (${copula.dim}), learned from ${modelled.rows} ${modelled.rows === 1 ? 'row' : 'rows'}`,
      'margins',
      ...marginLines(margins),
      ...noteLines(result.notes),
      `wrote ${flags.out}`,
    ]);
    return;
  }
  const { ranks, margins } = await fitRanksAndMargins(modelled, settings).finally(() => learning.stop());
  // what is learned from are ranks from now on
  release(...new Set([...training.columns, ...rows.columns, ...modelled.columns]));
  const u = lend(ranks.transformTrain());

  /** What a file of the checkpoint could not be written for, at any time of the fit. */
  const unwritten = new Set<string>();
  /** Why the log has an early end. */
  const unlogged: string[] = [];
  const unwrittenNotes = (): Note[] => [
    ...Array.from(unwritten, (message) => ({ code: 'checkpoint' as const, columns: [], message })),
    ...unlogged.map((message) => ({ code: 'log' as const, columns: [], message })),
  ];
  const started = performance.now();
  const bar = startProgress(io, 'fit', 1, flags.verbose);
  let tried: CandidateProgress | null = null;
  const onProgress = (progress: TrainProgress) => showFit(bar, tried, progress);
  const onCandidate = (progress: CandidateProgress) => showFit(bar, (tried = progress), null);
  let copula: Copula;
  let judged: Awaited<ReturnType<typeof judge>>;
  let normaliser: LogNormaliser | null = null;
  let seconds: number;
  try {
    const shared = {
      seed: fitSeed,
      margins,
      blocks: ranks.trainingBlocks(),
      ...(weights && { weights: weights.each }),
      ...run,
      ...(split !== 'random' && (trained || kind === 'auto') && { split }),
      ...((trained || kind === 'auto') && { onProgress }),
    };
    const options = {
      ...shared,
      ...model,
      ...(trained && {
        checkpoint,
        checkpointSeconds,
        keepCheckpoint: true,
        onCheckpointError: ({ message }: SklarError) => {
          unwritten.add(message);
          bar.tell(`warning: ${message}; the fit goes on`);
        },
        onResume: ({ step, steps, checkpoint }: { step: number; steps: number; checkpoint: string }) =>
          bar.tell(`the fit goes on after step ${step} of ${steps}, from ${describe(checkpoint)}`),
        ...(log !== undefined && { log }),
        onLogError: ({ message }: SklarError) => {
          unlogged.push(message);
          bar.tell(`warning: ${message}; the log ends here, the fit goes on`);
        },
        ...(from && { from }),
      }),
    };
    try {
      copula =
        kind === 'auto'
          ? await fitCopula(u, { ...shared, kind, minutes, onCandidate })
          : models === undefined
            ? await fitCopula(u, { ...options, kind })
            : await fitEnsemble(u, { ...options, kind, models, ...(splits && { splits }) });
    } finally {
      bar.stop();
    }
    seconds = (performance.now() - started) / 1000;

    let scored = true;
    try {
      normaliser = await logNormaliserOf(copula, io, run, flags.verbose);
    } catch (error) {
      // The model is there; only what it integrates to is not known. An ensemble has no density without.
      if (!(error instanceof SklarError) || error.code !== 'ERR_SKLAR_DIVERGED') throw error;
      notes.push({
        code: 'normaliser',
        columns: [],
        message: `the normaliser could not be estimated: ${error.message}`,
      });
      scored = models === undefined;
    }
    const scoring = startProgress(io, 'score', holdout.length, flags.verbose);
    try {
      const showRows = rowProgress(scoring, holdout.length);
      judged = scored
        ? await judge(copula, ranks, margins, schema.modelled(judging), holdout, errors, {
            training: weights?.each,
            judging: judgingWeights?.each,
            ...run,
            onProgress: ({ rowsDone }) => showRows(rowsDone),
          })
        : null;
    } finally {
      scoring.stop();
    }
    signal.throwIfAborted();
    copula.otherNotes = notesToKeep(notes, privateRows);
    await copula.save(flags.out);
  } catch (error) {
    throw withWayBack(error, kept, unwritten, signal);
  }
  // until now a kill, Ctrl-C or a full disk leaves the way back
  await removeCheckpoints(kept);

  const record = (copula.info().training ?? {}) as Partial<TrainRecord>;
  const result = {
    kind: copula.kind,
    ...(models !== undefined && { models, member: kind }),
    dim: copula.dim,
    columns: copula.names,
    ...(fromFile !== undefined && { from: fromFile }),
    margins: margins.types,
    rows: { train: ranks.rows, holdout: holdout.length },
    steps: record.steps ?? 0,
    bestStep: record.bestStep ?? null,
    seconds,
    stepMilliseconds: record.stepMilliseconds ?? null,
    device: record.device ?? null,
    deviceName: record.deviceName ?? null,
    precision: record.precision ?? null,
    holdout: judged && {
      meanLogPdf: judged.own.mean,
      standardError: judged.own.standardError,
      ...(judged.own.blockRows && { blockRows: judged.own.blockRows }),
      ...(judged.own.effectiveRows && { effectiveRows: judged.own.effectiveRows }),
      ...(judged.own.impossible && { impossible: judged.own.impossible }),
      normalised: copula.normalised,
      ...normaliserKeys(normaliser, judged.own.mean),
      gaussianMeanLogPdf: judged.gaussian.mean,
      gaussianStandardError: judged.gaussian.standardError,
      ...(judged.gaussian.impossible && { gaussianImpossible: judged.gaussian.impossible }),
    },
    ...(copula.selection && { selection: copula.selection }),
    ...correlationOf(copula),
    model: flags.out,
    notes: [
      ...notes.filter((note) => !copula.otherNotes.includes(note)),
      ...copula.allNotes,
      ...unwrittenNotes(),
    ],
  };
  writeResult(io, flags.json, result, () => {
    const lines = [
      `${models === undefined ? `${copula.kind} copula` : `ensemble of ${models} ${kind} copulas`} of ${result.dim} columns, learned from ${result.rows.train} rows in ${formatDuration(seconds)}` +
        (result.bestStep === null ? '' : ` (${result.steps} steps, the best at ${result.bestStep})`) +
        (fromFile === undefined ? '' : `, starting from ${describe(fromFile)}`),
    ];
    if (copula.selection) lines.push(...selectionLines(copula.selection));
    if (judged) {
      lines.push(
        `mean log density of ${result.rows.holdout} held-out rows${SPLIT_WORDS[split]}, in nats${errorWords(judged.own)}`,
        `  ${result.kind.padEnd(10)} ${formatMean(judged.own)}${normalisationNote(copula.normalised)}`,
      );
      if (normaliser && !copula.normalised) {
        lines.push(
          `  normalised ${(judged.own.mean - normaliser.logZ).toFixed(4)} (${formatLogNormaliser(normaliser)})`,
        );
      }
      if (result.kind !== 'gaussian') lines.push(`  gaussian   ${formatMean(judged.gaussian)}`);
    }
    if (copula.margins instanceof Margins) lines.push('margins', ...marginLines(copula.margins));
    lines.push(...noteLines(result.notes));
    return [...lines, `wrote ${flags.out}`];
  });
}

/** @throws SklarError ERR_SKLAR_VALUE for an option that the kind does not have */
function expectKindOptions(
  kind: CopulaKind | 'auto',
  model: object,
  { minutes, models }: Pick<Settings, 'minutes' | 'models'>,
): void {
  if (kind !== 'auto') {
    expectModelOptions(kind, model);
    if (minutes === undefined) return;
    throw new SklarError('ERR_SKLAR_VALUE', `minutes belongs to kind auto, not to ${kind}`);
  }
  const [own] = [...Object.keys(model), ...(models === undefined ? [] : ['models'])];
  if (own === undefined) return;
  throw new SklarError('ERR_SKLAR_VALUE', `${own} belongs to one kind, and auto tries several`);
}

/** What is fitted, where a model to start from says what was not given. */
function kindOfFit(
  kind: Settings['kind'],
  models: Settings['models'],
  from: Copula | undefined,
  options: object,
): { kind: CopulaKind | 'auto'; models: number | undefined } {
  const members = from instanceof EnsembleCopula ? from.members : undefined;
  const own = members?.[0]!.kind ?? from?.kind;
  const ofModel = own === undefined || isCopulaKind(own) ? own : 'cdc';
  return { kind: kind ?? ofModel ?? defaultKind(options), models: models ?? members?.length };
}

/** Notes that may name cells. */
const OF_CELLS: ReadonlySet<Note['code']> = new Set(['file', 'missing', 'schema']);

/** What is said of a file may hold cells of it. */
const notesToKeep = (notes: readonly Note[], privateRows: number | null) =>
  privateRows === null ? notes : notes.filter(({ code }) => !OF_CELLS.has(code));

const SPLIT_WORDS: Readonly<Record<SplitMethod, string>> = {
  random: '',
  time: ', the last ones',
  blocks: ' in whole stretches',
};

/** What may be gone the next time; a fit that diverged does so again. */
const RESUMABLE: ReadonlySet<string> = new Set(['ERR_SKLAR_FILE', 'ERR_SKLAR_MEMORY', 'ERR_SKLAR_DEVICE']);

/** The error of a fit with what there is to go on from: nothing that was computed is lost without a word. */
function withWayBack(
  error: unknown,
  checkpoints: readonly string[],
  unwritten: ReadonlySet<string>,
  signal: AbortSignal,
): unknown {
  const resumable = signal.aborted || (error instanceof SklarError && RESUMABLE.has(error.code));
  const written = resumable
    ? checkpoints.filter(
        (file) => !isOfAnotherFit(file) && statSync(file, { throwIfNoEntry: false })?.isFile(),
      )
    : [];
  const words = [
    ...unwritten,
    ...(written.length > 0
      ? [`the same command goes on from ${andWords(written.map((file) => describe(file)))}`]
      : []),
  ];
  if (words.length === 0) return error;
  if (signal.aborted) {
    return new SklarError('ERR_SKLAR_ABORTED', ['interrupted; no model was written', ...words].join('; '), {
      cause: error,
    });
  }
  if (!(error instanceof SklarError)) return error;
  const more = words.filter((word) => word !== error.message);
  return new SklarError(error.code, [error.message, ...more].join('; '), { cause: error });
}

/** Weights of the training and of the held-out rows. */
interface JudgeWeights {
  training: Float64Array | undefined;
  judging: Float64Array | undefined;
}

/**
 * The model and the Gaussian copula of the same training rows, which are let go of, judged by the same held-out rows as `sklar score`
 * judges them; null without any.
 */
async function judge(
  copula: Copula,
  ranks: PseudoObservations,
  margins: Margins,
  holdout: Table,
  numbers: Uint32Array,
  errors: 'rows' | 'blocks',
  { training: weights, judging, ...run }: LogPdfOptions & JudgeWeights,
) {
  if (holdout.rows === 0) return null;
  const { threads, signal } = run;
  const u = ranks.transformTrain();
  const gaussian =
    copula.kind === 'gaussian'
      ? copula
      : await fitCopula(lend(u), {
          kind: 'gaussian',
          blocks: ranks.trainingBlocks(),
          threads,
          signal,
          ...(weights && { weights }),
        });
  ranks.forgetTraining();
  release(u.data);
  const meanBy = async (by: Copula, options: LogPdfOptions) =>
    meanOf(await copulaLogPdf(by, margins, holdout, options), numbers, errors, judging);
  const own = await meanBy(copula, run);
  return { own, gaussian: gaussian === copula ? own : await meanBy(gaussian, { threads, signal }) };
}

function showFit(bar: Progress, tried: CandidateProgress | null, training: TrainProgress | null): void {
  const part = training ? training.step / training.steps : 0;
  const details = training ? describeProgress(training) : '';
  if (!tried) return bar.update(part, details);
  const { candidate, candidates, candidatesDone } = tried;
  const { kind } = candidate;
  const what =
    candidatesDone < candidates
      ? `${kind} (${candidatesDone + 1} of ${candidates})`
      : `${kind}, the chosen one`;
  bar.update((candidatesDone + part) / (candidates + 1), [what, details].filter(Boolean).join('  '));
}

/** The most useful first: a narrow terminal cuts the line off. */
function describeProgress({ step, steps, loss, validationLoss, ...rest }: TrainProgress): string {
  return [
    `${formatDuration(rest.secondsLeft)} left`,
    `loss ${loss.toFixed(4)}`,
    ...(validationLoss === null ? [] : [`validation ${validationLoss.toFixed(4)}`]),
    formatRate(rest.rowsPerSecond),
    `step ${step}/${steps}`,
  ].join('  ');
}
