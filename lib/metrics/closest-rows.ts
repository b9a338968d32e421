/** How near rows are to those that a model was learned from: docs/mathematics.md, G.3. */
import { type RowsInput } from '../copulas/inputs/rows';
import { type Execution, type RunOptions, runOptions } from '../copulas/inputs/run';
import { labelsOf } from '../data/columns/column-type';
import { Table } from '../data/table';
import { SklarError, expectOptions } from '../errors';
import { callNative, runJob } from '../native';
import { type NamedRows, codesOf, execution, expectRows } from './rows';

/**
 * For each row the distance to the closest of other rows (distance to closest record), exact: Gower's (1971), the mean over the columns of the
 * difference of the levels that the training rows give the values, (less + equal / 2 + 1/2) / (n + 1) with the numbers of training values
 * below and equal, and of 0 or 1 for equal or different labels. From 0, a copy, to 1. Time n m dim.
 *
 * @param training n x dim, finite; labels are columns of a table that have some
 * @param rows m x dim, the same columns
 * @throws SklarError ERR_SKLAR_VALUE naming a value that is not finite, ERR_SKLAR_SHAPE for other columns
 *
 * @example
 * ```ts
 * import { closestRows } from 'sklar';
 *
 * await closestRows([[1, 10], [2, 20], [3, 30]], [[2, 20], [9, 9]]); // => [0, 0.375]
 * ```
 */
export async function closestRows(
  training: RowsInput,
  rows: RowsInput,
  options: RunOptions = {},
): Promise<Float64Array> {
  options = expectOptions(options, 'closestRows', runOptions);
  const run = execution(options);
  const base = expectRows(codesOf(training, training), 'the training rows of closestRows');
  const others = expectRows(codesOf(rows, training), 'the rows of closestRows', 1);
  if (base.columns !== others.columns) {
    throw new SklarError(
      'ERR_SKLAR_SHAPE',
      `expected ${base.columns} columns for the rows of closestRows, as the training rows have, got ${others.columns}`,
    );
  }
  return distancesTo(base, others, labelColumns(training, base.columns), run);
}

/** For each column 1 where it has labels. */
export function labelColumns(input: RowsInput, columns: number): Uint32Array {
  return Uint32Array.from({ length: columns }, (_, j) =>
    Number(Table.is(input) && labelsOf(input.types[j]!) !== null),
  );
}

/** The same of rows that are checked. */
export async function distancesTo(
  base: NamedRows,
  others: NamedRows,
  labels: Uint32Array,
  run: Execution,
): Promise<Float64Array> {
  const dim = base.columns;
  const levels = async ({ data, rows }: NamedRows): Promise<Float64Array> => {
    const z = await runJob(
      (addon) => addon.normalScores(base.data, base.rows, data, rows, dim, run.threads),
      { signal: run.signal },
    );
    return callNative((addon) => addon.normalCdf(z)).map((u, at) => (labels[at % dim] ? data[at]! : u));
  };
  const [of, to] = [await levels(base), await levels(others)];
  return runJob((addon) => addon.nearestDistances(of, base.rows, to, others.rows, dim, labels, run.threads), {
    signal: run.signal,
  });
}
