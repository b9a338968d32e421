/** What smoothing takes of the dependence (docs/mathematics.md, M.7). */
import { describe } from '../../errors';
import { type ClassicalDefinition, runJob } from '../../native';
import { type Note, columnsNote } from '../../notes';
import { type DenseRows } from '../inputs/rows';
import { type Execution } from '../inputs/run';
import { centred, kendallOf } from './observations';

const DRAWS = 20_000;
/** Differences of tau that are said. */
const VISIBLY = 0.02;
/** From so many rows on nothing that ranks show is finer than the smoothing by as much. */
const MOST_ROWS = 10_000;

/**
 * A note where Kendall's tau of draws is not that of the rows, tau-b where values recur; of many columns, of the pair with the
 * greatest one.
 *
 * @param definitionOf the copula of two columns, counted from 0
 */
export async function tauNotes(
  kind: string,
  u: DenseRows,
  definitionOf: (pair: readonly [number, number]) => ClassicalDefinition,
  run: Execution,
): Promise<Note[]> {
  if (u.rows > MOST_ROWS) return [];
  const taus = await kendallOf(centred(u), run);
  let most: [number, number] = [0, 1];
  const tauOf = ([i, j]: [number, number]) => taus[i * u.columns + j]!;
  for (let i = 0; i < u.columns; i++)
    for (let j = i + 1; j < u.columns; j++)
      if (Math.abs(tauOf([i, j])) > Math.abs(tauOf(most))) most = [i, j];
  const drawn = await runJob(
    (addon) => addon.classicalSample(definitionOf(most), DRAWS, 1n, 0n, false, run.threads),
    { signal: run.signal },
  );
  const blocks = u.blocks && most.map((j) => u.blocks![j]!);
  const levels = centred({ data: drawn, rows: DRAWS, columns: 2, ...(blocks && { blocks }) });
  const own = (await kendallOf(levels, run))[1]!;
  if (Math.abs(own - tauOf(most)) <= VISIBLY) return [];
  const message =
    `Kendall's tau of draws of the ${kind} copula is ${own.toFixed(3)}, that of the rows ${tauOf(most).toFixed(3)}: ` +
    'the estimate smooths away what is finer than its kernel';
  const names = most.map((j) => u.names?.[j] ?? describe(j + 1));
  return [u.names ? columnsNote('fit', names, message) : { code: 'fit', columns: [], message }];
}
