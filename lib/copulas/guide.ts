/** Gaussian guidance: the linear change of variables before a network. */
import { callNative, runJob } from '../native';
import { LEAST_SHRINKAGE, normalScoresCorrelation, shrink } from './correlation';
import { type DenseRows } from './rows';
import { type Execution } from './run';

/**
 * The guide Sigma = (1 - shrinkage) R + shrinkage I as its factor. Unless given, the shrinkage is the one whose Gaussian
 * copula, estimated from the training rows, scores the validation rows best, at least LEAST_SHRINKAGE: few rows in many
 * dimensions want a good deal.
 */
export async function chooseGuide(
  correlation: Float64Array,
  training: DenseRows,
  validation: DenseRows,
  given: number | undefined,
  run: Execution,
): Promise<{ cholesky: Float64Array; shrinkage: number }> {
  const dim = training.columns;
  const factor = (r: Float64Array, shrinkage: number) =>
    callNative((addon) => addon.cholesky(shrink(r, dim, shrinkage), dim)).factor;
  let best = given ?? Math.max(LEAST_SHRINKAGE, dim / (10 * training.rows));
  if (given === undefined && validation.rows > 0) {
    const estimate = await normalScoresCorrelation(training, run);
    let bestScore = -Infinity;
    for (const shrinkage of [LEAST_SHRINKAGE, 1e-4, 1e-3, 1e-2, 0.03, 0.1, 0.3]) {
      const scores = await gaussianScores(estimate, shrinkage, validation, run);
      const score = scores ? scores.reduce((sum, value) => sum + value, 0) : -Infinity;
      if (score > bestScore) {
        bestScore = score;
        best = shrinkage;
      }
    }
  }
  return { cholesky: factor(correlation, best), shrinkage: best };

  async function gaussianScores(r: Float64Array, shrinkage: number, rows: DenseRows, to: Execution) {
    let l: Float64Array;
    try {
      l = factor(r, shrinkage);
    } catch {
      return null; // singular to rounding: the next larger shrinkage
    }
    return runJob((addon) => addon.gaussianLogPdf(l, rows.data, false, rows.rows, dim, to.threads), {
      signal: to.signal,
    });
  }
}
