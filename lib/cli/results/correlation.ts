/** The correlation matrix of Gaussian and Student copulas, for programs and for people. */
import { GaussianCopula } from '../../copulas/classical/gaussian';
import { StudentCopula } from '../../copulas/classical/student';
import type { Copula } from '../../copulas/copula';
import { defaultNames } from '../../data/table';
import { matrix, toRows } from '../../matrix';
import { shorten } from '../../report/charts/text';
import { matrixLines } from './measures';

/** The matrix is printed up to this many columns, of more the strongest pairs. */
const MOST_COLUMNS = 10;
const STRONGEST = 10;

/** All of the matrix, for JSON; nothing for copulas without one. */
export function correlationOf(copula: Copula): { correlation?: number[][] } {
  if (!(copula instanceof GaussianCopula || copula instanceof StudentCopula)) return {};
  return { correlation: toRows(matrix(copula.correlation, copula.dim, copula.dim)) };
}

/** `rho` of two columns, the matrix of up to ten, and the ten pairs of largest |rho| of more. */
export function correlationLines(
  correlation: readonly number[][] | undefined,
  columns: readonly string[] | null,
): string[] {
  if (!correlation) return [];
  const dim = correlation.length;
  if (dim === 2) return [`rho         ${numberText(correlation[0]![1]!)}`];
  const names = columns ?? defaultNames(dim);
  if (dim <= MOST_COLUMNS) return matrixLines('correlation', correlation, names);
  const pairs = correlation.flatMap((row, i) =>
    row.slice(i + 1).map((rho, k) => ({ rho, names: [names[i]!, names[i + 1 + k]!] })),
  );
  pairs.sort((a, b) => Math.abs(b.rho) - Math.abs(a.rho));
  const shown = pairs.slice(0, STRONGEST).map((pair) => ({
    label: pair.names.map((name) => shorten(name, 20)).join(', '),
    rho: numberText(pair.rho),
  }));
  const width = Math.max(...shown.map(({ label }) => label.length));
  return [
    `correlation, the ${STRONGEST} strongest of ${pairs.length} pairs`,
    ...shown.map(({ label, rho }) => `  ${label.padEnd(width)}  ${rho}`),
  ];
}

/** As many digits as tell it from 1. */
function numberText(rho: number): string {
  const digits = Math.min(15, 4 + Math.max(0, -Math.floor(Math.log10(1 - Math.abs(rho)))));
  return rho.toFixed(digits);
}
