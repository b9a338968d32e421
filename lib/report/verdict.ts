/** What a report comes to, in a few sentences, and its log densities in words. */
import { describe } from '../errors';
import type { MeanOfRows } from '../mean';
import type { BaselineNumbers, DensityNumbers } from './density';
import type { ReportNumbers } from './numbers';
import { type TextTable, errorWords, formatCount, formatLogNormaliser, formatMean } from './charts/text';

/** A sentence of the verdict; `good` null: neither. */
export interface Finding {
  readonly good: boolean | null;
  readonly badge: string;
  readonly text: string;
}

/** Differences within so many standard errors are none. */
const ERRORS = 2;

export const baselineNames: Readonly<Record<BaselineNumbers['kind'], string>> = {
  independence: 'independent columns',
  gaussian: 'a Gaussian copula',
  student: 'a Student copula',
};

/** Whether a difference is beyond chance: 1 above, -1 below, 0 neither. */
function side({ mean, standardError }: MeanOfRows): -1 | 0 | 1 {
  if (standardError === null || Math.abs(mean) <= ERRORS * standardError) return 0;
  return mean > 0 ? 1 : -1;
}

function differenceWords({ kind, difference }: BaselineNumbers): string {
  const name = baselineNames[kind];
  const value = formatMean({ ...difference!, mean: Math.abs(difference!.mean) });
  switch (side(difference!)) {
    case 1:
      return `${value} nats a row better than ${name}`;
    case -1:
      return `${value} nats a row worse than ${name}`;
    case 0:
      return `no better and no worse than ${name} (${formatMean(difference!)} nats a row)`;
  }
}

function densityFinding({ baselines, rows }: DensityNumbers): Finding[] {
  const known = baselines.filter(({ difference }) => difference !== null && Number.isFinite(difference.mean));
  if (known.length === 0) return [];
  const sides = known.map(({ difference }) => side(difference!));
  const [good, badge] = sides.includes(-1)
    ? [false, 'beaten']
    : sides.every((one) => one === 1)
      ? [true, 'better']
      : [null, 'as good'];
  const text = `The log density of these ${formatCount(rows)} rows is ${known.map(differenceWords).join('; ')}.`;
  return [{ good, badge, text }];
}

function sampleFindings({ comparison, rows }: ReportNumbers): Finding[] {
  if (!comparison) return [];
  const { auc, ks } = comparison.metrics;
  const complete = comparison.rows.data < rows.used ? ' Of rows without missing cells.' : '';
  const found: Finding[] = [];
  if (auc) {
    const { sample, floor } = auc;
    const error = Math.hypot(sample.standardError ?? 0, floor.standardError ?? 0);
    const told = sample.value - Math.max(0.5, floor.value) > ERRORS * error;
    found.push({
      good: !told,
      badge: told ? 'samples differ' : 'samples alike',
      text:
        `A classifier ${told ? 'tells' : 'does not tell'} samples from data: AUC ${sample.value.toFixed(3)}, of other rows of the data ` +
        `${floor.value.toFixed(3)}; at 0.5 it cannot.${complete}`,
    });
  }
  if (ks) {
    const { worst, value, pValue } = ks.sample;
    // the worst of so many columns
    const far = pValue !== null && pValue * ks.sample.columns.length < 0.01;
    found.push({
      good: !far,
      badge: far ? 'a column differs' : 'columns alike',
      text: `The column farthest from the data is ${describe(worst)}: distributions differ by ${value.toFixed(3)} at most${far ? '' : ', which chance explains'}.`,
    });
  }
  return found;
}

function certificateFinding({ certificate }: ReportNumbers): Finding[] {
  if (!certificate) return [];
  const { routesAgree, marginsUniform, failed } = certificate.verdict;
  const wrong = [
    ...(routesAgree && !routesAgree.within ? ['routes to the log density disagree'] : []),
    ...(marginsUniform ? [] : ['margins of the copula\u2019s sample are not uniform']),
    ...(failed.length > 0 ? [`failed: ${failed.join(', ')}`] : []),
  ];
  return [
    {
      good: wrong.length === 0,
      badge: wrong.length === 0 ? 'sound' : 'not sound',
      text:
        wrong.length === 0
          ? 'The copula passes the checks of its certificate.'
          : `The copula fails checks of its certificate: ${wrong.join('; ')}.`,
    },
  ];
}

/** The most important first. */
export function verdictOf(numbers: ReportNumbers): Finding[] {
  return [
    ...(numbers.density ? densityFinding(numbers.density) : []),
    ...sampleFindings(numbers),
    ...certificateFinding(numbers),
  ];
}

const capital = (kind: string) =>
  kind.length < 4 ? kind.toUpperCase() : `${kind[0]!.toUpperCase()}${kind.slice(1)}`;

export interface DensityWords {
  readonly head: string;
  readonly baselines: string;
  readonly table: TextTable;
  readonly failed: readonly string[];
}

/** @param kind of the model */
export function densityWords(density: DensityNumbers, kind: string): DensityWords {
  const { rows, model, normalised, normaliser, errors, fitted, baselines } = density;
  const [known, failed] = [true, false].map((has) => baselines.filter(({ own }) => (own !== null) === has));
  const count = `${formatCount(fitted.rows)} rows`;
  return {
    head:
      `${formatCount(rows)} rows${errorWords(model)}` +
      (errors === 'blocks' ? ', since rows are like those before them' : '') +
      (normalised || !normaliser
        ? ''
        : `; ${formatLogNormaliser(normaliser)}, subtracted in the differences`),
    baselines:
      fitted.folds === null
        ? `Baselines were fitted to ${count} that the model was fitted to, too`
        : `Baselines were fitted to these rows themselves, since the training rows are not known here: in ${fitted.folds} turns, each part judged by what ${count} of the others say. The option train (--train) names the training rows`,
    table: {
      words: [0],
      cells: [
        ['copula', 'mean log density, nats', 'the model is better by, nats a row'],
        [`${capital(kind)} (this model)`, `${formatMean(model)}${normalised ? '' : ' (unnormalised)'}`, ''],
        ...known!.map(({ kind: of, own, difference }) => [
          of === 'independence' ? 'independence' : capital(of),
          of === 'independence' ? '0' : formatMean(own!),
          formatMean(difference!),
        ]),
      ],
    },
    failed: failed!.map(({ kind: of, failure }) => `without ${baselineNames[of]}: ${failure}`),
  };
}
