import type { Command } from 'commander';

import type { Scale } from '../../copulas/inputs/rows';
import type { Seed } from '../../data/random';
import { expectOneOf } from '../../errors';
import { type Comparison, compare, metricNames } from '../../metrics/compare';
import { dependentRowsNote, serialDependence } from '../../data/serial-dependence';
import { type SplitMethod, splitMethods } from '../../data/split';
import { TableSchema } from '../../data/schema/table-schema';
import type { Table } from '../../data/table';
import { type RowWeights, thinnedNote, thinnedRows } from '../../data/weights';
import { comparable } from '../../joint/comparable';
import type { Note } from '../../notes';
import { comparisonWords } from '../../report/comparison-table';
import { noteLines, textLines } from '../../report/charts/text';
import { type Io, signalOf, writeResult } from '../terminal/context';
import { startProgress } from '../terminal/progress';
import {
  type ReadingFlags,
  TABLE_FILES,
  addReadingOptions,
  addWeightsOption,
  readAs,
  readWeighted,
} from '../terminal/reading';
import { BETWEEN_COMMAS, integer, names, seed } from '../terminal/values';

interface Flags extends ReadingFlags {
  columns?: string[];
  exclude?: string[];
  reference?: string;
  train?: string;
  split?: SplitMethod;
  metrics?: string[];
  scale?: Scale | 'data';
  rows?: number;
  permutations?: number;
  seed?: Seed;
  threads?: number;
  json?: boolean;
  verbose?: boolean;
}

export function define(command: Command, io: Io): void {
  addWeightsOption(addReadingOptions(command))
    .argument('<data>', `held-out rows: ${TABLE_FILES}; a folder or a "pattern*.csv" is one table`)
    .argument('<sample>', 'rows to judge, the same columns by name; as the data')
    .option('--columns <names>', `columns to compare, ${BETWEEN_COMMAS} (default: all of the data)`, names)
    .option('--exclude <names>', `columns to leave out, ${BETWEEN_COMMAS}`, names)
    .option('--reference <file>', 'other held-out rows, for the floor (default: the data are halved)')
    .option(
      '--train <file>',
      'the rows that the model was learned from: how near sampled rows are to them, beside held-out ones',
    )
    .option(
      '--split <how>',
      'how they are halved: random, time (the first half and the last) or blocks (whole stretches of rows) (default: random)',
      (text) => expectOneOf(text, '--split', splitMethods),
    )
    .option('--metrics <names>', `of ${metricNames.join(', ')}, between commas (default: all)`, names)
    .option('--scale <name>', 'of the distances: gaussian, copula or data (default: gaussian)', (text) =>
      expectOneOf<Scale | 'data'>(text, '--scale', ['gaussian', 'copula', 'data']),
    )
    .option(
      '--rows <n>',
      'rows of each for energy, mmd and auc, at most (default: 2000)',
      integer('--rows', { min: 10, max: 2 ** 20 }),
    )
    .option(
      '--permutations <n>',
      'relabellings for the p-values of energy and mmd (default: 199)',
      integer('--permutations', { min: 0, max: 10_000 }),
    )
    .option('--seed <n>', 'of all random choices (default: 1)', seed('--seed'))
    .option(
      '--threads <n>',
      'threads; 0: one for each processor (default: 0)',
      integer('--threads', { min: 0, max: 1024 }),
    )
    .option('--json', 'print everything as JSON')
    .option('--verbose', 'print progress also where stderr is no terminal')
    .action((data: string, sample: string, flags: Flags) => run(data, sample, flags, io));
}

async function run(data: string, sample: string, flags: Flags, io: Io): Promise<void> {
  const signal = signalOf(io);
  const {
    columns,
    exclude,
    reference,
    train,
    split,
    metrics,
    scale,
    rows,
    permutations,
    seed: wanted,
    threads,
  } = flags;
  const chosen = metrics?.map((name) => expectOneOf(name, '--metrics', metricNames));
  const notes: Note[] = [];
  /** Rows of weighted ones that are left by a draw. */
  const drawn = ({ table, weights }: { table: Table; weights: RowWeights | null }): Table => {
    if (!weights) return table;
    const left = table.take(thinnedRows(weights, wanted ?? 1));
    notes.push(thinnedNote(left.rows, table.rows));
    return left;
  };
  const table = drawn(
    await readWeighted(data, flags, notes, {
      ...(columns && { columns }),
      ...(exclude && { exclude }),
      signal,
    }),
  );
  const dependence = serialDependence(table);
  if (dependence) notes.push(dependentRowsNote(dependence));
  const schema = TableSchema.infer(table, { weightsColumn: flags.weights });
  if (schema.knownNames.length === 0) {
    writeResult(io, flags.json, { columns: [], notes: [...notes, ...schema.notes] }, () => [
      'nothing to compare: no column is modelled',
      ...noteLines([...notes, ...schema.notes]),
    ]);
    return;
  }
  const like = { columns: schema.knownNames, columnsOf: 'the data', signal } as const;
  // sklar writes samples its own way, so that how the data are written says nothing of them but the formats of dates
  const sampled = drawn(await readWeighted(sample, {}, notes, like, schema));
  const given =
    reference === undefined
      ? undefined
      : drawn(await readWeighted(reference, { ...flags, weights: undefined }, notes, like, schema));
  // a training row of any weight is one that may be copied
  const learned = train === undefined ? undefined : await readAs(train, flags, notes, like, schema);
  const {
    data: known,
    others: tables,
    notes: left,
  } = comparable(schema, table, [sampled, ...(given ? [given] : []), ...(learned ? [learned] : [])]);
  const [judged, ...more] = tables as [Table, ...Table[]];
  const others = given && more[0];
  const trained = learned && more.at(-1);
  notes.push(...left);
  const bar = startProgress(io, 'compare', 1, flags.verbose);
  let comparison: Comparison;
  try {
    comparison = await compare(known, judged, {
      signal,
      ...(others && { reference: others }),
      ...(trained && { train: trained }),
      ...(split && { split }),
      ...(chosen && { metrics: chosen }),
      ...(scale && { scale }),
      ...(rows !== undefined && { rows }),
      ...(permutations !== undefined && { permutations }),
      ...(wanted !== undefined && { seed: wanted }),
      ...(threads !== undefined && { threads }),
      onProgress: ({ metric, fraction }) => bar.update(fraction, metric),
    });
  } finally {
    bar.stop();
  }
  writeResult(io, flags.json, { ...comparison, notes }, () => [
    ...comparisonLines(comparison),
    ...noteLines(notes),
  ]);
}

/** The same for people. */
function comparisonLines(comparison: Comparison): string[] {
  const { rows, floor, metrics, closest } = comparisonWords(comparison);
  return [
    rows,
    floor,
    ...textLines(metrics),
    ...(closest ? [closest.head, ...textLines(closest.table), closest.verdict] : []),
  ];
}
