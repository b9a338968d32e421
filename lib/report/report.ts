/** Everything about a model beside data on one page. */
import type { Copula } from '../copulas/copula';
import type { Table } from '../data/table';
import type { JointDistribution } from '../joint/joint';
import { type ReportNumbers, type ReportOptions, Stages, gather, planOf } from './numbers';
import { pageOf } from './page';
import { drawPictures } from './pictures';
import { loadVega } from './charts/vega';

/** A page and what it says. */
export interface Report {
  /** A page that needs nothing else: no scripts, no network. Its element `numbers` holds the numbers as JSON. */
  readonly html: string;
  /** Everything that the page says. */
  readonly numbers: ReportNumbers;
}

/**
 * A page about a model beside rows of data, best ones that it has not seen: what it is, two-sample metrics with their
 * floors, its certificate, margins, pairs, Kendall's tau, tail curves, losses and timings, in words, numbers and pictures.
 * What does not apply is left out, and the page says why. All pictures and metrics are of one sample.
 *
 * @param model with margins, of any kind
 * @param data has the model's columns, found by name; finite
 * @returns but for the seconds the same for the same model, data and options
 * @throws SklarError ERR_SKLAR_VALUE for a model without margins, columns that do not exist, values that are not finite and
 *   wrong options, ERR_SKLAR_SHAPE for data without rows, ERR_SKLAR_DIVERGED where sampling leaves the finite numbers,
 *   ERR_SKLAR_FILE when the optional package vega is not installed
 *
 * @example
 * ```ts
 * import { writeFile } from 'node:fs/promises';
 * import { FamilyCopula, Table, fitJoint, report } from 'sklar';
 *
 * const table = Table.fromMatrix(await new FamilyCopula('frank', { theta: 5 }).sample(100));
 * const joint = await fitJoint(table, { copula: { kind: 'frank' } });
 * const { html, numbers } = await report(joint, table, { rows: 100, certificate: { sampleRows: 500 } });
 * await writeFile('report.html', html);
 * numbers.certificate!.verdict.marginsUniform; // => true
 * ```
 */
export async function report(
  model: Copula | JointDistribution,
  data: Table,
  given: ReportOptions = {},
): Promise<Report> {
  const plan = planOf(model, data, given);
  const { options } = plan;
  await loadVega();
  const stages = new Stages(options, plan.skip);
  const { numbers: gathered, data: used, samples } = await gather(plan, options, stages);
  const pictures = await stages.run('pictures', (progress) =>
    drawPictures(gathered, used, samples, plan.logarithmic, (fraction) => {
      options.signal?.throwIfAborted();
      progress(fraction);
    }),
  );
  const numbers = { ...gathered, timings: stages.timings };
  return { html: pageOf(numbers, pictures, options.title), numbers };
}
