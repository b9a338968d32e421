/** A comparison in words, for the command line and for pages. */
import { describe } from '../errors';
import { type Comparison, type MetricName, metricNames } from '../metrics/compare';
import type { TwoSampleMetric } from '../metrics/two-sample';
import type { TextTable } from './charts/text';

export interface ComparisonWords {
  readonly rows: string;
  readonly floor: string;
  readonly metrics: TextTable;
  /** How near the sample is to training rows; null: they were not given. */
  readonly closest: { readonly head: string; readonly table: TextTable; readonly verdict: string } | null;
}

function closestWords({ closest }: Comparison): ComparisonWords['closest'] {
  if (!closest) return null;
  const { training, sample, data, nearer } = closest;
  const percent = (share: number) => `${Number((100 * share).toPrecision(3))} %`;
  return {
    head: `distance to the closest of ${training} training rows (Gower, numbers by their ranks)`,
    table: {
      words: [0],
      cells: [
        ['', 'sample', 'data'],
        ['rows', String(sample.rows), String(data.rows)],
        ['median', sample.median.toFixed(5), data.median.toFixed(5)],
        ['5 % quantile', sample.low.toFixed(5), data.low.toFixed(5)],
        ['copies of a training row', percent(sample.copies), percent(data.copies)],
      ],
    },
    verdict:
      `  a sampled row is nearer than one of the data with probability ${nearer.value.toFixed(4)} +- ` +
      `${nearer.standardError.toFixed(4)} (0.5: no nearer than data are)`,
  };
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

function formatMetric({ value, standardError }: TwoSampleMetric): string {
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

const FLOORS: Readonly<Record<Comparison['floor'], string>> = {
  halves: 'two halves of the data',
  time: 'the first half of the data against the last',
  blocks: 'two halves of the data in whole stretches of rows',
  reference: 'the reference against the data',
};

export function comparisonWords(comparison: Comparison): ComparisonWords {
  const { rows, floor, scale } = comparison;
  const pValue = (metric: TwoSampleMetric) => (metric.pValue === null ? '' : metric.pValue.toFixed(3));
  return {
    rows:
      `${rows.compared} rows of ${rows.sample} sampled ones against as many of ${rows.data} of the data` +
      (rows.pairs < rows.compared ? `, ${rows.pairs} for energy, MMD and AUC` : ''),
    closest: closestWords(comparison),
    floor: `floor: ${FLOORS[floor]}; ` + `distances on the ${scale} scale`,
    metrics: {
      words: [0, 5],
      cells: [
        ['metric', 'sample', 'p', 'floor', 'p', 'where'],
        ...metricNames
          .filter((name) => comparison.metrics[name])
          .map((name) => {
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
      ],
    },
  };
}
