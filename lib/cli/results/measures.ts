/** Dependence measures of a model, from a sample of it: what `sklar info --measures` prints. */
import type { Copula } from '../../copulas/copula';
import type { RunOptions } from '../../copulas/inputs/run';
import { type Matrix, toRows } from '../../matrix';
import type { Seed } from '../../data/random';
import { defaultNames } from '../../data/table';
import {
  type TotalCorrelation,
  kendall,
  spearman,
  tailCurves,
  totalCorrelation,
} from '../../metrics/dependence';
import { formatMean, normalisationNote, shorten } from '../../report/charts/text';

/** Matrices are printed up to this many columns. */
const MOST_COLUMNS = 12;

/** Pairs that are named. */
const STRONGEST = 10;

const TAILS = [0.95, 0.99] as const;

interface PairMeasures {
  readonly columns: readonly [string, string];
  readonly kendall: number;
  readonly spearman: number;
  /** lambda_U at each of `tails`, lambda_L at one minus it. */
  readonly upper: readonly number[];
  readonly upperError: readonly number[];
  readonly lower: readonly number[];
  readonly lowerError: readonly number[];
}

export interface Measures {
  readonly rows: number;
  readonly columns: readonly string[];
  readonly tails: readonly number[];
  readonly kendall: readonly number[][];
  readonly spearman: readonly number[][];
  /** The pairs with the largest |kendall|, largest first. */
  readonly strongest: readonly PairMeasures[];
  readonly totalCorrelation: TotalCorrelation;
}

/** Measures of `rows` rows drawn from the copula. */
export async function measure(copula: Copula, rows: number, seed: Seed, run: RunOptions): Promise<Measures> {
  const z = await copula.sample(rows, { ...run, seed, dtype: 'float64', scale: 'gaussian' });
  const { threads, signal } = run;
  const columns = copula.names ?? defaultNames(copula.dim);
  const tau = await kendall(z, { threads, signal });
  const rho = await spearman(z, { threads, signal });
  const upper = await tailCurves(z, { q: TAILS, threads, signal });
  const lower = await tailCurves(z, { q: TAILS.map((q) => 1 - q), threads, signal });
  const d = copula.dim;
  const pairs = Array.from({ length: (d * (d - 1)) / 2 }, () => 0);
  for (let i = 0, k = 0; i < d; i++) for (let j = i + 1; j < d; j++) pairs[k++] = i * d + j;
  pairs.sort((a, b) => Math.abs(tau.data[b]!) - Math.abs(tau.data[a]!) || a - b);
  const at = (matrices: readonly Matrix[], pair: number) => matrices.map(({ data }) => data[pair]!);
  return {
    rows,
    columns,
    tails: TAILS,
    kendall: toRows(tau),
    spearman: toRows(rho),
    strongest: pairs.slice(0, STRONGEST).map((pair) => ({
      columns: [columns[Math.floor(pair / d)]!, columns[pair % d]!],
      kendall: tau.data[pair]!,
      spearman: rho.data[pair]!,
      upper: at(upper.upper, pair),
      upperError: at(upper.upperError, pair),
      lower: at(lower.lower, pair),
      lowerError: at(lower.lowerError, pair),
    })),
    totalCorrelation: await totalCorrelation(copula, z, { ...run, scale: 'gaussian' }),
  };
}

/** A matrix with the names of its rows and columns. */
export function matrixLines(title: string, values: readonly number[][], names: readonly string[]): string[] {
  const labels = names.map((name) => shorten(name, 12));
  const first = Math.max(...labels.map((label) => label.length));
  const width = Math.max(6, ...labels.map((label) => label.length));
  return [
    title,
    `  ${' '.repeat(first)}  ${labels.map((label) => label.padStart(width)).join('  ')}`,
    ...values.map(
      (row, i) =>
        `  ${labels[i]!.padEnd(first)}  ${row.map((value) => value.toFixed(3).padStart(width)).join('  ')}`,
    ),
  ];
}

/** The same for people. */
export function measureLines(measures: Measures): string[] {
  const { columns, strongest, tails, totalCorrelation: total } = measures;
  const lines = [`measures of ${measures.rows} sampled rows`];
  if (columns.length <= MOST_COLUMNS) {
    lines.push(...matrixLines("Kendall's tau", measures.kendall, columns));
    lines.push(...matrixLines("Spearman's rho", measures.spearman, columns));
  }
  const labels = strongest.map(({ columns: [a, b] }) => `${shorten(a, 20)}, ${shorten(b, 20)}`);
  const width = Math.max(...labels.map((label) => label.length));
  const head = [
    'tau',
    'rho',
    ...tails.map((q) => `upper ${q}`),
    ...tails.map((q) => `lower ${(1 - q).toFixed(2)}`),
  ];
  lines.push('strongest pairs, with their tail coefficients');
  lines.push(`  ${' '.repeat(width)}  ${head.map((text) => text.padStart(16)).join('')}`);
  strongest.forEach((pair, k) => {
    const coefficient = (values: readonly number[], errors: readonly number[]) =>
      values.map((value, i) => `${value.toFixed(3)} +- ${errors[i]!.toFixed(3)}`);
    const cells = [
      pair.kendall.toFixed(3),
      pair.spearman.toFixed(3),
      ...coefficient(pair.upper, pair.upperError),
      ...coefficient(pair.lower, pair.lowerError),
    ];
    lines.push(`  ${labels[k]!.padEnd(width)}  ${cells.map((text) => text.padStart(16)).join('')}`);
  });
  const { logDensity, fieldBound } = total;
  lines.push('total correlation, nats');
  lines.push(`  mean log density  ${formatMean(logDensity)}${normalisationNote(logDensity.normalised)}`);
  if (fieldBound) lines.push(`  from the field    ${formatMean(fieldBound)} (a lower bound)`);
  return lines;
}
