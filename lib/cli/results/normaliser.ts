/** The log normaliser that belongs beside an unnormalised log density. */
import type { Copula } from '../../copulas/copula';
import type { RunOptions } from '../../copulas/inputs/run';
import type { LogNormaliser } from '../../report/charts/text';
import type { Io } from '../terminal/context';
import { startProgress } from '../terminal/progress';

/** 0 for a normalised density; else what the model file holds, or an estimate made now; null where there is none. */
export async function logNormaliserOf(
  copula: Copula,
  io: Io,
  run: RunOptions,
  verbose: boolean | undefined,
): Promise<LogNormaliser | null> {
  const { normalisable } = copula;
  if (!normalisable) return copula.normalised ? { logZ: 0, standardError: 0 } : null;
  const { logNormaliser: logZ, logNormaliserStandardError: standardError } = normalisable;
  if (logZ !== null && standardError !== null) return { logZ, standardError };
  const bar = startProgress(io, 'normaliser', 1, verbose);
  try {
    return await normalisable.estimateNormaliser({
      ...run,
      onProgress: ({ fraction }) => bar.update(fraction, ''),
    });
  } finally {
    bar.stop();
  }
}

/** The keys of a JSON result. */
export function normaliserKeys(normaliser: LogNormaliser | null, meanLogPdf: number) {
  return {
    logNormaliser: normaliser?.logZ ?? null,
    logNormaliserStandardError: normaliser?.standardError ?? null,
    normalisedMeanLogPdf: normaliser && meanLogPdf - normaliser.logZ,
  };
}
