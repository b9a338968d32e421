import { z } from 'zod';

import { runRecord } from '../../devices';
import { type OptionShape, SklarError } from '../../errors';
import { type ModelDocument, expectConfig } from '../../model/model-file';
import { type ClassicalDefinition, runJob } from '../../native';
import { normalCdf, normalQuantile } from '../../normal';
import { type ModelContent, type ModelTensors, type TrainingRecord } from '../copula';
import { type DenseRows, effectiveRows, repeated, sizeOf, takeRows } from '../inputs/rows';
import { type Execution } from '../inputs/run';
import { ClassicalCopula } from './classical';
import { completedLevels, guideCorrelation, tieNotes, weightNotes } from '../correlation/ties';
import { likelihoodOf, trainingRows } from './observations';
import { tauNotes } from './tau-notes';

/** Options of `fitCopula` for kind `kernel`. */
export interface KernelOptions {
  /**
   * Width of the kernel, as a multiple of the rule of thumb; default: the best of 1/4, .., 1/sqrt(2), 1, sqrt(2), .., 4 by
   * cross-validated log-likelihood.
   */
  bandwidth?: number | undefined;
}

export const kernelOptionsSchema = z.strictObject({
  bandwidth: z
    .number()
    .min(0.01)
    .max(100)
    .optional()
    .describe('of a kernel copula, times the rule of thumb (default: chosen by cross-validation)'),
} satisfies OptionShape<KernelOptions>);

/** The density is tabled at so many nodes of each variable, equally spaced on the Gaussian scale. */
const NODES = 64;
/** Correlation of the kernel at most: beyond it would be narrower than the nodes are apart. */
const MOST_CORRELATION = 0.95;
const FOLDS = 5;
/** The bandwidth is chosen on so many rows. */
const MOST_ROWS = 5000;
/** Choices are sqrt(2) to a power up to this and down to minus this. */
const MOST_STEPS = 4;
/** Where values recur, the table is the mean of those of so many draws of their levels. */
const COMPLETIONS = 8;
/** How far margins of a table in a file may be from uniform. */
const MARGIN_TOLERANCE = 1e-6;

/**
 * A copula of two columns by a kernel estimate on the Gaussian scale (log-quadratic local likelihood; docs/mathematics.md, M.4),
 * tabled at pairs of nodes.
 * Between them the density is bilinear in u, and beyond the outermost constant; rows and columns of the table are scaled so that
 * the margins are uniform. Of this copula everything is exact: cdf, h, their inverses and tau are integrals of the table.
 *
 * @example
 * ```ts
 * import { GaussianCopula, fitCopula } from 'sklar';
 *
 * const u = await new GaussianCopula(Float64Array.of(1, 0.7, 0.7, 1), 2).sample(200);
 * const kernel = await fitCopula(u, { kind: 'kernel', bandwidth: 1 });
 * await kernel.cdf([[0.3, 1]]); // => [0.3]
 * ```
 */
export class KernelCopula extends ClassicalCopula {
  readonly kind = 'kernel';
  readonly dim = 2;
  /** On the Gaussian scale, increasing. */
  readonly nodes: Float64Array;
  /** Densities, nodes x nodes, the first index that of the first column. */
  readonly table: Float64Array;
  /** See `KernelOptions`. */
  readonly bandwidth: number;
  /** @internal */
  protected readonly training: TrainingRecord | null;

  private constructor(
    nodes: Float64Array,
    table: Float64Array,
    bandwidth: number,
    training: TrainingRecord | null,
  ) {
    super();
    this.nodes = Float64Array.from(nodes);
    this.table = Float64Array.from(table);
    this.bandwidth = bandwidth;
    this.training = training;
    expectTable(this.nodes, this.table);
  }

  /**
   * `fitCopula` and `loadModel` make them.
   *
   * @internal
   * @throws SklarError ERR_SKLAR_VALUE for a table that is not that of a copula
   */
  static fromTable(
    nodes: Float64Array,
    table: Float64Array,
    bandwidth: number,
    training: TrainingRecord | null = null,
  ): KernelCopula {
    return new KernelCopula(nodes, table, bandwidth, training);
  }

  get parameters(): Readonly<Record<string, number>> {
    return { bandwidth: this.bandwidth };
  }

  /** @internal */
  protected description() {
    return {
      parameters: this.table.length,
      config: { bandwidth: this.bandwidth, nodes: this.nodes.length },
      training: this.training,
    };
  }

  /** @internal */
  protected definition(): ClassicalDefinition {
    return definitionOfTable(this.nodes, this.table);
  }

  /** @internal */
  protected definitionOf(columns: readonly number[]): ClassicalDefinition {
    if (columns[0] === 0) return this.definition();
    const count = this.nodes.length;
    const transposed = this.table.map((_, at) => this.table[(at % count) * count + Math.floor(at / count)]!);
    return definitionOfTable(this.nodes, transposed);
  }

  /** @internal */
  protected toModelContent(): ModelContent {
    const count = this.nodes.length;
    return {
      config: { bandwidth: this.bandwidth },
      training: this.training,
      tensors: new Map([
        ['nodes', { shape: [count], data: this.nodes }],
        ['density', { shape: [count, count], data: this.table }],
      ]),
    };
  }
}

function definitionOfTable(nodes: Float64Array, table: Float64Array): ClassicalDefinition {
  return { family: 'kernel', dim: 2, parameters: nodes, rotation: 0, factor: null, table };
}

function expectTable(nodes: Float64Array, density: Float64Array): void {
  const count = nodes.length;
  const expected = (what: string) =>
    new SklarError('ERR_SKLAR_VALUE', `expected ${what} for the table of a kernel copula`);
  if (count < 2 || density.length !== count * count) throw expected('nodes x nodes densities');
  const p = normalCdf(nodes);
  if (!p.every((value, k) => value > 0 && value < 1 && (k === 0 || value > p[k - 1]!))) {
    throw expected('increasing nodes');
  }
  if (!density.every((value) => value > 0 && value < Infinity)) throw expected('positive densities');
  // of functions that are 1 at one node, 0 at the others and linear between
  const mass = p.map((_, k) => {
    const left = k === 0 ? p[0]! : (p[k]! - p[k - 1]!) / 2;
    const right = k === count - 1 ? 1 - p[k]! : (p[k + 1]! - p[k]!) / 2;
    return left + right;
  });
  for (let a = 0; a < count; a++) {
    let row = 0;
    let column = 0;
    for (let b = 0; b < count; b++) {
      row += density[a * count + b]! * mass[b]!;
      column += density[b * count + a]! * mass[b]!;
    }
    if (!(Math.abs(row - 1) < MARGIN_TOLERANCE && Math.abs(column - 1) < MARGIN_TOLERANCE)) {
      throw expected('uniform margins');
    }
  }
}

/** Of the rows that stand for weighted ones. */
const REPEATED_SEED = 1;

/** Nodes from half a rank beyond the least of n rows to as far beyond the greatest, and their densities. */
async function estimate(u: DenseRows, correlation: number, bandwidth: number, run: Execution) {
  const { data, rows } = repeated(u, REPEATED_SEED);
  const [edge] = normalQuantile(Float64Array.of(0.5 / (sizeOf(u) + 1)));
  const nodes = Float64Array.from({ length: NODES }, (_, k) => edge! * (1 - (2 * k) / (NODES - 1)));
  // the rule of vinecopulib for log-quadratic estimates: covariance 1.5 n^(-1/5) R
  const scale = 1.5 * effectiveRows(u) ** -0.2 * bandwidth ** 2;
  const table = await runJob(
    (addon) => addon.classicalKernel(data, rows, nodes, correlation, scale, run.threads),
    { signal: run.signal },
  );
  return { nodes, table };
}

/** The mean of the tables of several draws of the rows. */
async function averaged(draws: readonly DenseRows[], correlation: number, bandwidth: number, run: Execution) {
  let nodes = new Float64Array(0);
  const mean = new Float64Array(NODES * NODES);
  for (const levels of draws) {
    const one = await estimate(levels, correlation, bandwidth, run);
    nodes = one.nodes;
    one.table.forEach((value, k) => (mean[k]! += value / draws.length));
  }
  return { nodes, table: mean };
}

function part(u: DenseRows, chosen: (row: number) => boolean): DenseRows {
  return takeRows(u, Array.from({ length: u.rows }, (_, i) => i).filter(chosen));
}

/** From the rule of thumb uphill in the log-likelihood of the rows left out, one fold after the other. */
async function chooseBandwidth(u: DenseRows, drawn: DenseRows, correlation: number, run: Execution) {
  const every = Math.max(1, Math.ceil(u.rows / MOST_ROWS));
  const some = part(u, (i) => i % every === 0);
  const levels = part(drawn, (i) => i % every === 0);
  const folds = Array.from({ length: FOLDS }, (_, fold) => ({
    held: trainingRows(
      part(some, (i) => i % FOLDS === fold),
      correlation,
    ).observations,
    rest: part(levels, (i) => i % FOLDS !== fold),
  }));
  const known = new Map<number, number>();
  const score = async (step: number) => {
    if (Math.abs(step) > MOST_STEPS) return -Infinity;
    let total = known.get(step) ?? 0;
    if (known.has(step)) return total;
    for (const { held, rest } of folds) {
      const { nodes, table } = await estimate(rest, correlation, 2 ** (step / 2), run);
      total += await likelihoodOf(definitionOfTable(nodes, table), held, run);
    }
    known.set(step, total);
    return total;
  };
  let step = 0;
  for (const direction of [-1, 1]) {
    while ((await score(step + direction)) > (await score(step))) step += direction;
  }
  return { bandwidth: 2 ** (step / 2), crossValidation: (await score(step)) / sizeOf(some) };
}

/** @throws SklarError ERR_SKLAR_SHAPE for more than two columns */
export async function fitKernel(
  u: DenseRows,
  options: z.output<typeof kernelOptionsSchema>,
  run: Execution,
): Promise<KernelCopula> {
  if (u.columns !== 2) {
    throw new SklarError('ERR_SKLAR_SHAPE', `expected 2 columns for a kernel copula, got ${u.columns}`);
  }
  const scores = await guideCorrelation(u, run);
  const correlation = Math.max(-MOST_CORRELATION, Math.min(MOST_CORRELATION, scores[1]!));
  const draws = await completedLevels(u, COMPLETIONS, run);
  const { bandwidth, crossValidation } =
    options.bandwidth === undefined
      ? await chooseBandwidth(u, draws[0]!, correlation, run)
      : { bandwidth: options.bandwidth, crossValidation: null };
  const { nodes, table } = await averaged(draws, correlation, bandwidth, run);
  const notes = [
    ...weightNotes(u),
    ...tieNotes(
      u,
      `and the density is the mean of ${COMPLETIONS} for levels that a Gaussian copula draws in their blocks, as the data do not say where they are`,
    ),
    ...(await tauNotes('kernel', u, () => definitionOfTable(nodes, table), run)),
  ];
  return KernelCopula.fromTable(nodes, table, bandwidth, {
    rows: u.rows,
    crossValidatedMeanLogPdf: crossValidation,
    ...runRecord(run, 'float64'),
    ...(notes.length > 0 && { notes }),
  });
}

const configSchema = z.object({ bandwidth: z.number().positive() });

export function kernelFromFile(document: ModelDocument, tensors: ModelTensors): KernelCopula {
  const { bandwidth } = expectConfig(configSchema, document);
  const [nodes, density] = ['nodes', 'density'].map((name) => tensors.get(name));
  if (!nodes || !density) {
    throw new SklarError('ERR_SKLAR_FORMAT', 'expected tensors "nodes" and "density" in a kernel model file');
  }
  return KernelCopula.fromTable(
    Float64Array.from(nodes.data),
    Float64Array.from(density.data),
    bandwidth,
    document.training,
  );
}
