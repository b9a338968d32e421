import { logWidths } from '../copulas/cells';
import { type Copula, type LogPdfOptions, batchRows, shiftRow } from '../copulas/copula';
import { lend } from '../copulas/inputs/rows';
import type { Table } from '../data/table';
import { Margins, type TableMargins } from '../margins/margins';
import { release } from '../native';
import { tell } from '../tell';

/** Points of all cells together, and in one cell. */
const ALL_POINTS = 2 ** 20;
const FEWEST_POINTS = 16;
const MOST_POINTS = 256;

/**
 * Scores the rows of a table in the batches of a copula of `dim` columns, so that memory holds what one of them needs.
 *
 * @param score log densities of a batch; row numbers of its errors count from `firstRow` where it is told so by `at`
 */
export async function scoreBatches(
  table: Table,
  dim: number,
  { firstRow = 0, onProgress }: Pick<LogPdfOptions, 'firstRow' | 'onProgress'>,
  score: (part: Table, firstRow: number, at: <T>(work: Promise<T>) => Promise<T>) => Promise<Float64Array>,
): Promise<Float64Array> {
  const out = new Float64Array(table.rows);
  const size = batchRows(dim);
  for (let first = 0; first < table.rows; first += size) {
    const end = Math.min(table.rows, first + size);
    const begin = firstRow + first;
    const at = <T>(work: Promise<T>) =>
      work.catch((error: unknown) => {
        throw shiftRow(error, begin);
      });
    out.set(await score(table.part(first, end), begin, at), first);
    tell(onProgress, { rows: table.rows, rowsDone: end });
  }
  return out;
}

/**
 * The log density of a copula alone at the levels of each row of a table, in nats. Where a value has a block of levels, it is
 * the mean density over the block: zero for independence, and no level of the block is chosen. -Infinity where a value has no
 * density in its margin, as on the data scale: no level stands for it.
 *
 * @param options.ofRows of the table whose part this is: the more rows, the fewer points in a cell
 * @throws SklarError ERR_SKLAR_VALUE for missing columns and values that are not finite, and as `Copula.logPdf`
 */
export async function copulaLogPdf(
  copula: Copula,
  margins: TableMargins,
  table: Table,
  { ofRows = table.rows, ...options }: Omit<LogPdfOptions, 'scale'> & { ofRows?: number } = {},
): Promise<Float64Array> {
  const { threads, signal } = options;
  const run = { threads, signal };
  const cellPoints = Math.max(
    FEWEST_POINTS,
    Math.min(MOST_POINTS, Math.floor(ALL_POINTS / Math.max(1, ofRows))),
  );
  return scoreBatches(table, copula.dim, options, async (part, firstRow, at) => {
    const { lower, upper } = await at(margins.cells(part, run));
    const log = await copula.logPdfCells(lend(lower), lend(upper), {
      cellPoints,
      ...options,
      onProgress: undefined,
      firstRow,
      scale: 'gaussian',
    });
    const widths = logWidths(lower.data, upper.data, copula.dim, true);
    release(lower.data, upper.data);
    const ofMargins = margins instanceof Margins ? await at(margins.logPdf(part, run)) : null;
    return log.map((value, i) => (ofMargins?.[i] === -Infinity ? -Infinity : value - widths[i]!));
  });
}
