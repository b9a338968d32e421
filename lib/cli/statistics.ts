import { type Mean } from '../metrics/mean';

/** The number a model is judged by is the mean log density of rows. */
export { type Mean, meanOf } from '../metrics/mean';

export function formatMean({ mean, standardError }: Mean): string {
  return standardError === null ? mean.toFixed(4) : `${mean.toFixed(4)} +- ${standardError.toFixed(4)}`;
}

/** What must stand beside a log density that is known up to a constant only. */
export function normalisationNote(normalised: boolean): string {
  return normalised ? '' : ' (unnormalised)';
}
