import { logWidths } from '../copulas/cells';
import type { Copula, LogPdfOptions } from '../copulas/copula';
import type { Table } from '../data/table';
import { Margins, type TableMargins } from '../margins/margins';

/** Points of all cells together, and in one cell. */
const ALL_POINTS = 2 ** 20;
const FEWEST_POINTS = 16;
const MOST_POINTS = 256;

/**
 * The log density of a copula alone at the levels of each row of a table, in nats. Where a value has a block of levels, it is
 * the mean density over the block: zero for independence, and no level of the block is chosen. -Infinity where a value has no
 * density in its margin, as on the data scale: no level stands for it.
 *
 * @throws SklarError ERR_SKLAR_VALUE for missing columns and values that are not finite, and as `Copula.logPdf`
 */
export async function copulaLogPdf(
  copula: Copula,
  margins: TableMargins,
  table: Table,
  options: Omit<LogPdfOptions, 'scale'> = {},
): Promise<Float64Array> {
  const { threads, signal } = options;
  const { lower, upper } = await margins.cells(table, { threads, signal });
  const cellPoints = Math.max(
    FEWEST_POINTS,
    Math.min(MOST_POINTS, Math.floor(ALL_POINTS / Math.max(1, table.rows))),
  );
  const log = await copula.logPdfCells(lower, upper, { cellPoints, ...options, scale: 'gaussian' });
  const widths = logWidths(lower.data, upper.data, copula.dim, true);
  const ofMargins = margins instanceof Margins ? await margins.logPdf(table, { threads, signal }) : null;
  return log.map((value, i) => (ofMargins?.[i] === -Infinity ? -Infinity : value - widths[i]!));
}
