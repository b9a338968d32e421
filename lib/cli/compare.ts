import type { Command } from 'commander';

import type { Scale } from '../copulas/copula';
import type { Seed } from '../data/random';
import { readTable } from '../data/read-table';
import { describe, expectOneOf } from '../errors';
import { type Comparison, type MetricName, compare, metricNames } from '../metrics/compare';
import type { Metric } from '../metrics/two-sample';
import { type Io, signalOf, writeResult } from './context';
import { startProgress } from './progress';
import { integer, names, seed } from './values';

interface Flags {
  columns?: string[];
  exclude?: string[];
  reference?: string;
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
  command
    .argument('<data>', 'held-out rows: .csv, .tsv, .json, .ndjson (also .gz) or .parquet')
    .argument('<sample>', 'rows to judge, the same columns by name')
    .option('--columns <names>', 'columns to compare, between commas (default: all of the data)', names)
    .option('--exclude <names>', 'columns to leave out, between commas', names)
    .option('--reference <file>', 'other held-out rows, for the floor (default: the data are halved)')
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
  const { columns, exclude, reference, metrics, scale, rows, permutations, seed: wanted, threads } = flags;
  const chosen = metrics?.map((name) => expectOneOf(name, '--metrics', metricNames));
  const table = await readTable(data, {
    ...(columns && { columns }),
    ...(exclude && { exclude }),
    signal,
  });
  const like = { columns: table.names, signal };
  const judged = await readTable(sample, like);
  const others = reference === undefined ? undefined : await readTable(reference, like);
  const bar = startProgress(io, 'compare', 1, flags.verbose);
  let comparison: Comparison;
  try {
    comparison = await compare(table, judged, {
      signal,
      ...(others && { reference: others }),
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
  writeResult(io, flags.json, comparison, () => comparisonLines(comparison));
}

const titles: Readonly<Record<MetricName, string>> = {
  ks: 'Kolmogorov-Smirnov, worst column',
  cvm: 'Cramer-von Mises, worst column',
  energy: 'energy distance',
  mmd: 'squared MMD',
  wasserstein: 'sliced Wasserstein distance',
  auc: 'AUC of a classifier',
  kendall: "Kendall's tau, worst pair",
  tails: 'tail coefficient, worst pair',
};

function formatMetric({ value, standardError }: Metric): string {
  const text = (x: number) => x.toFixed(5);
  return standardError === null ? text(value) : `${text(value)} +- ${text(standardError)}`;
}

/** Where the sample is worst. */
function place(name: MetricName, { metrics }: Comparison): string {
  switch (name) {
    case 'ks':
    case 'cvm':
      return describe(metrics[name]!.sample.worst);
    case 'kendall':
      return metrics.kendall!.sample.worst.map(describe).join(', ');
    case 'tails': {
      const { worst, tail, q } = metrics.tails!.sample;
      return `${worst.map(describe).join(', ')}, ${tail} at ${q.toFixed(2)}`;
    }
    default:
      return '';
  }
}

/** The same for people. */
function comparisonLines(comparison: Comparison): string[] {
  const { rows, floor, scale } = comparison;
  const present = metricNames.filter((name) => comparison.metrics[name]);
  const pValue = (metric: Metric) => (metric.pValue === null ? '' : metric.pValue.toFixed(3));
  const cells = [
    ['metric', 'sample', 'p', 'floor', 'p', 'where'],
    ...present.map((name) => {
      const { sample, floor: least } = comparison.metrics[name]!;
      return [
        titles[name],
        formatMetric(sample),
        pValue(sample),
        formatMetric(least),
        pValue(least),
        place(name, comparison),
      ];
    }),
  ];
  const widths = cells[0]!.map((_, k) => Math.max(...cells.map((line) => line[k]!.length)));
  return [
    `${rows.compared} rows of ${rows.sample} sampled ones against as many of ${rows.data} of the data` +
      (rows.pairs < rows.compared ? `, ${rows.pairs} for energy, MMD and AUC` : ''),
    `floor: ${floor === 'halves' ? 'two halves of the data' : 'the reference against the data'}; ` +
      `distances on the ${scale} scale`,
    ...cells.map((line) =>
      `  ${line
        .map((text, k) => (k === 0 || k === 5 ? text.padEnd(widths[k]!) : text.padStart(widths[k]!)))
        .join('  ')}`.trimEnd(),
    ),
  ];
}
