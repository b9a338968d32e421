/** The pictures of a report, each drawn from its numbers. */
import { matrix } from '../matrix';
import type { Table } from '../data/table';
import { kendallHeatMap } from './charts/kendall';
import { lossPlot } from './charts/losses';
import { densityPlot, quantilePlot } from './charts/margins';
import type { ReportNumbers } from './numbers';
import { drawPair } from './charts/scatter';
import { tailPlot } from './charts/tails';

/** SVG documents, in the order of the numbers. */
export interface Pictures {
  /** Of columns of bars alone no quantiles. */
  readonly margins: readonly { readonly density: string; readonly quantiles: string | null }[];
  readonly pairs: readonly { readonly data: string; readonly samples: string }[];
  readonly kendall: { readonly data: string; readonly model: string; readonly difference: string } | null;
  readonly tails: readonly string[];
  readonly losses: string | null;
}

/** Differences below this are drawn as no more than they are. */
const LEAST_LIMIT = 0.05;

async function kendallPictures({
  columns,
  data,
  model,
}: NonNullable<ReportNumbers['kendall']>): Promise<Pictures['kendall']> {
  const d = columns.length;
  const flat = (rows: typeof data) => Float64Array.from(rows.flat(), (tau) => tau ?? NaN);
  const [ofData, ofModel] = [flat(data), flat(model)];
  const difference = ofModel.map((tau, k) => tau - ofData[k]!);
  const most = difference.reduce((far, value) => Math.max(far, Math.abs(value) || 0), 0);
  const draw = (values: Float64Array, limit: number) =>
    kendallHeatMap(matrix(values, d, d, columns), { limit });
  return {
    data: await draw(ofData, 1),
    model: await draw(ofModel, 1),
    difference: await draw(difference, Math.max(LEAST_LIMIT, most)),
  };
}

/** @param between runs between two pictures; what it throws ends the drawing */
export async function drawPictures(
  numbers: Omit<ReportNumbers, 'timings'>,
  data: Table,
  samples: Table,
  logarithmic: ReadonlySet<string>,
  between: (fraction: number) => void,
): Promise<Pictures> {
  const { margins, pairs, kendall, tails, losses } = numbers;
  const total =
    (margins?.length ?? 0) +
    (pairs?.pairs.length ?? 0) +
    (kendall ? 2 : 0) +
    (tails?.length ?? 0) +
    (losses ? 1 : 0);
  let done = 0;
  const drawn = <T>(picture: T, weight = 1): T => {
    between((done += weight) / total);
    return picture;
  };
  const ofMargins = [];
  for (const margin of margins ?? []) {
    const quantiles = margin.quantiles.length > 0 ? await quantilePlot(margin) : null;
    ofMargins.push(drawn({ density: await densityPlot(margin), quantiles }));
  }
  const ofPairs = [];
  for (const pair of pairs?.pairs ?? []) {
    const draw = (show: 'data' | 'samples') =>
      drawPair([data, samples], pair, logarithmic, show, pairs!.points);
    ofPairs.push(drawn({ data: await draw('data'), samples: await draw('samples') }));
  }
  const ofKendall = kendall && drawn(await kendallPictures(kendall), 2);
  const ofTails: string[] = [];
  for (const pair of tails ?? []) ofTails.push(drawn(await tailPlot(pair)));
  const ofLosses = losses && drawn(await lossPlot(losses));
  return { margins: ofMargins, pairs: ofPairs, kendall: ofKendall, tails: ofTails, losses: ofLosses };
}
