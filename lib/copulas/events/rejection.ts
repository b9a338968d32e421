/** Rows of an event: independent draws that are of it, or, where these take too many, those that an estimate has. */
import { SklarError } from '../../errors';
import { tell } from '../../tell';
import { type EventEstimate, type EventSample, plainProbability } from './event';
import type { LevelsOf } from './subset-simulation';

/** Draws before rejection is given up: so many for each row wanted, and within these bounds. */
const DRAWS_PER_ROW = 1000;
const FEWEST_DRAWS = 2 ** 20;
const MOST_DRAWS = 10_000_000;
/** After so many it is known whether all of them would do. */
const TOLD_AFTER = 2 ** 17;
/** Rows of a batch, and values of all of it. */
const BATCH_ROWS = 65_536;
const BATCH_VALUES = 2 ** 22;

/** How many draws a condition is given. */
export function mostDraws(rows: number): number {
  return Math.min(MOST_DRAWS, Math.max(FEWEST_DRAWS, DRAWS_PER_ROW * rows));
}

/** Whether that many draws will not do. */
export function needsMore(rows: number, inside: number, drawn: number): boolean {
  const most = mostDraws(rows);
  return drawn >= most || (drawn >= TOLD_AFTER && inside * most < rows * drawn);
}

/** How many draws come next; the first batch tells how large the others must be. */
export function nextDraws(
  missing: number,
  inside: number,
  drawn: number,
  { batch, most, dim }: { readonly batch: number; readonly most: number; readonly dim: number },
): number {
  const size = Math.max(1024, Math.min(BATCH_ROWS, Math.floor(BATCH_VALUES / dim)));
  const wanted = inside === 0 ? (batch === 0 ? 4 * missing : size) : (missing * drawn * 1.1) / inside;
  return Math.max(1024, Math.min(size, most - drawn, Math.ceil(wanted)));
}

/** The error of a condition that too few draws have. */
export function tooRare(condition: string, inside: number, drawn: number, rows: number): SklarError {
  return new SklarError(
    'ERR_SKLAR_VALUE',
    `expected a condition with enough probability to draw rows by rejection, got ${condition}, which ` +
      `${inside} of ${drawn} draws have: ${rows} rows would take too many`,
  );
}

/** Where rows of an event come from. */
interface EventSource {
  readonly dim: number;
  /** Rows on the Gaussian scale. */
  readonly draw: (rows: number, firstRow: number) => Promise<Float64Array>;
  readonly levelsOf: LevelsOf;
  readonly estimate: () => Promise<EventEstimate>;
  /** The event, for messages. */
  readonly what: string;
  readonly onProgress?: ((progress: { fraction: number }) => void) | undefined;
}

/**
 * @returns rows on the Gaussian scale
 * @throws SklarError ERR_SKLAR_VALUE where no row of the event was met
 */
export async function sampleEvent(
  rows: number,
  { dim, draw, levelsOf, estimate, what, onProgress }: EventSource,
): Promise<EventSample & { readonly rows: Float64Array }> {
  const most = mostDraws(rows);
  const values = new Float64Array(rows * dim);
  let [kept, inside, drawn] = [0, 0, 0];
  for (let batch = 0; kept < rows; batch++) {
    if (needsMore(rows, inside, drawn)) {
      return sampleEstimate(await estimate(), rows, () => tooRare(what, inside, drawn, rows));
    }
    const count = nextDraws(rows - kept, inside, drawn, { batch, most, dim });
    const z = await draw(count, drawn);
    const levels = await levelsOf(z, count);
    for (let row = 0; row < count; row++) {
      if (!(levels[row]! >= 0)) continue;
      inside++;
      if (kept === rows) continue;
      values.set(z.subarray(row * dim, (row + 1) * dim), kept * dim);
      kept++;
    }
    drawn += count;
    tell(onProgress, { fraction: kept / rows });
  }
  return { ...rejected(inside, drawn, drawn, rows), rows: values };
}

/** Of rows that were drawn and kept where they are of the event. @param possible draws that are rows of the law, of all `drawn` */
export function rejected(hits: number, possible: number, drawn: number, rows: number): EventSample {
  return {
    ...plainProbability([{ draws: possible, hits }], [1]),
    method: 'monte-carlo',
    levels: 0,
    acceptance: null,
    evaluations: drawn,
    drawn: 'rejection',
    effectiveRows: rows,
  };
}

/** @param noRow the error where no row of the event was met */
export async function sampleEstimate(
  { event, rows: rowsOf }: EventEstimate,
  rows: number,
  noRow: () => SklarError,
): Promise<EventSample & { readonly rows: Float64Array }> {
  const { probability, standardError } = event;
  if (probability === 0) throw noRow();
  const drawn = await rowsOf(rows);
  const effectiveRows = Math.min(rows, ((1 - probability) * probability ** 2) / standardError ** 2);
  return { ...event, drawn: 'subset-simulation', effectiveRows, rows: drawn };
}
