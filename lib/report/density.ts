/** What held-out rows say of a model beside simpler copulas: mean log densities, and their differences row by row. */
import type { Copula } from '../copulas/copula';
import { fitCopula } from '../copulas/fitting/fit';
import type { RunOptions } from '../copulas/inputs/run';
import { PseudoObservations } from '../data/pseudo-observations';
import { Generator, shuffle } from '../data/random';
import type { Table } from '../data/table';
import { type RowWeights, takeWeights } from '../data/weights';
import { SklarError } from '../errors';
import { copulaLogPdf } from '../joint/copula-density';
import type { TableMargins } from '../margins/margins';
import { type MeanOfRows, meanOf } from '../mean';
import { chooseRows } from './charts/axis';

/** A copula that a model is to beat. */
export interface BaselineNumbers {
  readonly kind: 'independence' | 'gaussian' | 'student';
  /** Its mean log density; null where it has none, and `failure` says why. */
  readonly own: MeanOfRows | null;
  /**
   * Of the model's log density minus its own, row by row, in the rows where both are finite: nats a row that the model is better. Of a
   * model that is not normalised with its log normaliser subtracted.
   */
  readonly difference: MeanOfRows | null;
  /** Why it has none. */
  readonly failure: string | null;
}

/** Log densities on the copula scale, in nats: means over the blocks of recurring values, as `sklar score` and `sklar fit` print them. */
export interface DensityNumbers {
  /** Rows scored, also those with missing cells. */
  readonly rows: number;
  readonly model: MeanOfRows;
  /** Whether `model` is normalised. */
  readonly normalised: boolean;
  /** What belongs beside `model` where it is not normalised; null: it is, or nothing is known. */
  readonly normaliser: { readonly logZ: number; readonly standardError: number } | null;
  /** What the standard errors are by: blocks of rows where they are like those before them. */
  readonly errors: 'rows' | 'blocks';
  /** What the baselines were fitted to: so many training rows, or in turns, for each of `folds` parts of these rows, the others. */
  readonly fitted: { readonly rows: number; readonly folds: number | null };
  readonly baselines: readonly BaselineNumbers[];
}

/** Rows, their weights, and whether they are in an order. */
export interface Rows {
  readonly table: Table;
  readonly weights: RowWeights | null;
}

/** Rows that baselines are fitted to at most, of all parts together. */
const MOST_FITTED = 3000;
const FOLDS = { least: 2, most: 10 };
/** Fewer rows have no baselines. */
const LEAST_ROWS = 20;

const select = ({ table, weights }: Rows, rows: Uint32Array): Rows => ({
  table: table.take(rows),
  weights: weights && takeWeights(weights, rows),
});

/** Log densities of rows by a baseline that was fitted to others. */
async function scoreBaseline(
  kind: 'gaussian' | 'student',
  margins: TableMargins,
  learned: Rows,
  judged: Table,
  run: Pick<RunOptions, 'threads' | 'signal'>,
): Promise<Float64Array> {
  // places of equal values as `sklar fit` draws them
  const ranks = await PseudoObservations.fitColumns(learned.table, learned.weights, { ...run, seed: 1 });
  const copula = await fitCopula(ranks.transformTrain(), {
    kind,
    blocks: ranks.trainingBlocks(),
    ...run,
    ...(learned.weights && { weights: learned.weights.each }),
  });
  return copulaLogPdf(copula, margins, judged, run);
}

/** The rows in parts, as numbers: whole stretches of those in an order, else at random. */
function partsOf(rows: number, folds: number, ordered: boolean): Uint32Array[] {
  const order = Uint32Array.from({ length: rows }, (_, i) => i);
  if (!ordered) shuffle(order, 0, rows, new Generator(rows, folds));
  return Array.from({ length: folds }, (_, k) =>
    order.slice(Math.floor((k * rows) / folds), Math.floor(((k + 1) * rows) / folds)).toSorted(),
  );
}

/**
 * @param judged not seen by the model, if these numbers are to say anything
 * @param training what the model was fitted to, where it is known
 */
export async function densityNumbers(
  copula: Copula,
  margins: TableMargins,
  judged: Rows,
  training: Rows | null,
  errors: 'rows' | 'blocks',
  run: RunOptions,
): Promise<DensityNumbers> {
  const { threads, signal } = run;
  const onCpu = { threads, signal };
  const { table, weights } = judged;
  const own = await copulaLogPdf(copula, margins, table, run);
  const mean = (values: Float64Array) => meanOf(values, undefined, errors, weights?.each);
  const { normalisable } = copula;
  const known = normalisable?.logNormaliser ?? null;
  const normaliser =
    normalisable &&
    (known === null
      ? await normalisable.estimateNormaliser(run)
      : { logZ: known, standardError: normalisable.logNormaliserStandardError ?? 0 });
  const folds = training
    ? null
    : Math.max(FOLDS.least, Math.min(FOLDS.most, Math.floor(MOST_FITTED / table.rows)));
  const some = (rows: number, most: number) => chooseRows(rows, Math.min(rows, most)).toSorted();

  const score = async (kind: 'gaussian' | 'student'): Promise<Float64Array> => {
    if (training) {
      const learned = select(training, some(training.table.rows, MOST_FITTED));
      return scoreBaseline(kind, margins, learned, table, onCpu);
    }
    if (table.rows < LEAST_ROWS) {
      throw new SklarError(
        'ERR_SKLAR_SHAPE',
        `expected at least ${LEAST_ROWS} rows for baselines, got ${table.rows}`,
      );
    }
    const logs = new Float64Array(table.rows);
    const parts = partsOf(table.rows, folds!, errors === 'blocks');
    for (const part of parts) {
      const within = new Set(part);
      const others = Uint32Array.from({ length: table.rows }, (_, i) => i).filter((i) => !within.has(i));
      const learned = some(others.length, Math.ceil(MOST_FITTED / folds!)).map((i) => others[i]!);
      const found = await scoreBaseline(kind, margins, select(judged, learned), table.take(part), onCpu);
      part.forEach((row, k) => (logs[row] = found[k]!));
    }
    return logs;
  };
  const differenceTo = (logs: Float64Array): MeanOfRows => {
    const logZ = normaliser?.logZ ?? 0;
    const rows = Array.from(logs.keys()).filter((i) => own[i]! > -Infinity && logs[i]! > -Infinity);
    const found = meanOf(
      Float64Array.from(rows, (i) => own[i]! - logZ - logs[i]!),
      rows,
      errors,
      weights ? Float64Array.from(rows, (i) => weights.each[i]!) : undefined,
    );
    const { standardError } = found;
    if (!normaliser || standardError === null) return found;
    return { ...found, standardError: Math.hypot(standardError, normaliser.standardError) };
  };
  const baselines: BaselineNumbers[] = [];
  for (const kind of ['independence', 'gaussian', 'student'] as const) {
    if (kind === copula.kind) continue;
    try {
      const logs = kind === 'independence' ? new Float64Array(table.rows) : await score(kind);
      baselines.push({ kind, own: mean(logs), difference: differenceTo(logs), failure: null });
    } catch (error) {
      if (!(error instanceof SklarError) || error.code === 'ERR_SKLAR_ABORTED') throw error;
      baselines.push({ kind, own: null, difference: null, failure: error.message });
    }
  }
  return {
    rows: table.rows,
    model: mean(own),
    normalised: copula.normalised,
    normaliser,
    errors,
    fitted: {
      rows: training
        ? Math.min(training.table.rows, MOST_FITTED)
        : Math.min(Math.ceil(MOST_FITTED / folds!), Math.floor(table.rows * (1 - 1 / folds!))),
      folds,
    },
    baselines,
  };
}
