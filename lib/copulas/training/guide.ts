/** Gaussian guidance: the linear change of variables before a network. */
import { SklarError } from '../../errors';
import { callNative, runJob } from '../../native';
import { type NetworkStart } from '../copula';
import { shrink, subMatrix } from '../correlation/correlation';
import { type DenseRows, completeLevels, effectiveRows, takeColumns, weightedSum } from '../inputs/rows';
import { type Execution } from '../inputs/run';
import { LEAST_SHRINKAGE, chooseShrinkage } from '../correlation/shrinkage';
import { fineColumns, guideCorrelation, nativeTies } from '../correlation/ties';

/** The guide of a fit: that of the model that it starts from, which its network belongs to, or the chosen one; null: there is none. */
export async function guideOf(
  correlation: () => Float64Array | Promise<Float64Array>,
  training: DenseRows,
  validation: DenseRows,
  { guided, shrinkage }: { readonly guided: boolean; readonly shrinkage?: number | undefined },
  run: Execution & { readonly start?: NetworkStart | undefined },
): Promise<{ cholesky: Float64Array; shrinkage: number | null } | null> {
  const { start } = run;
  if (start?.cholesky) return { cholesky: start.cholesky, shrinkage: start.shrinkage };
  return guided ? chooseGuide(await correlation(), training, validation, shrinkage, run) : null;
}

/** Fewer validation rows than this say less about a shrinkage than the number of training rows does. */
const FEWEST_VALIDATION_ROWS = 20;

/**
 * The guide Sigma = (1 - shrinkage) R + shrinkage I (docs/mathematics.md, A.2) as its factor. Unless given, the shrinkage is the one whose Gaussian
 * copula, estimated from the training rows, scores the validation rows best: few rows in many dimensions want a good deal,
 * and tails heavier than Gaussian ones more than the rows' number tells. With few validation rows it is that of
 * `chooseShrinkage`. Columns of few values have no say in it: a likelihood of their ranks would take the ties for weak
 * dependence.
 *
 * @throws SklarError ERR_SKLAR_VALUE for a shrinkage that leaves a singular guide
 */
async function chooseGuide(
  correlation: Float64Array,
  training: DenseRows,
  validation: DenseRows,
  given: number | undefined,
  run: Execution,
): Promise<{ cholesky: Float64Array; shrinkage: number }> {
  const dim = training.columns;
  const factor = (r: Float64Array, shrinkage: number, size = dim) =>
    callNative((addon) => addon.cholesky(shrink(r, size, shrinkage), size));
  let best = given ?? Math.max(LEAST_SHRINKAGE, chooseShrinkage(correlation, dim, effectiveRows(training)));
  const columns = fineColumns(training);
  const judged = completeLevels(columns.length < dim ? takeColumns(validation, columns) : validation);
  if (given === undefined && judged.rows >= FEWEST_VALIDATION_ROWS && columns.length > 1) {
    const estimate = subMatrix(await guideCorrelation(training, run), dim, columns);
    const tried = new Set([LEAST_SHRINKAGE, 1e-4, 1e-3, 1e-2, 0.03, 0.1, 0.3, best]);
    let bestScore = -Infinity;
    for (const shrinkage of [...tried].sort((a, b) => a - b)) {
      const scores = await gaussianScores(estimate, shrinkage, judged, run);
      const score = scores ? weightedSum(judged, scores) : -Infinity;
      if (score > bestScore) {
        bestScore = score;
        best = shrinkage;
      }
    }
  }
  try {
    return { cholesky: factor(correlation, best), shrinkage: best };
  } catch (cause) {
    const rows = training.rows + validation.rows;
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      `expected a shrinkage that leaves a positive definite guide, got ${best} (${rows} rows for ${dim} columns)`,
      { cause },
    );
  }

  async function gaussianScores(r: Float64Array, shrinkage: number, rows: DenseRows, to: Execution) {
    let l: Float64Array;
    try {
      l = factor(r, shrinkage, rows.columns);
    } catch {
      return null; // singular to rounding: the next larger shrinkage
    }
    const gaussian = {
      family: 'gaussian',
      dim: rows.columns,
      parameters: new Float64Array(0),
      rotation: 0,
      factor: l,
    };
    return runJob((addon) => addon.classicalLogPdf(gaussian, rows.data, false, rows.rows, to.threads), {
      signal: to.signal,
    });
  }
}

/**
 * Factor of the Gaussian copula by which the levels of recurring values are drawn (docs/mathematics.md, A.10), for models
 * without a guide; null: no values recur.
 */
export async function chooseCompletion(
  u: DenseRows,
  training: DenseRows,
  validation: DenseRows,
  run: Execution,
): Promise<Float64Array | null> {
  if (!nativeTies(u)) return null;
  const correlation = await guideCorrelation(u, run);
  return (await chooseGuide(correlation, training, validation, undefined, run)).cholesky;
}
