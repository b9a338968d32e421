// Copulas of 3, 5 and 8 columns against high-precision differentiation; see exact_many.py beside the numbers.
import { readFileSync } from 'node:fs';
import path from 'node:path';

import { type ClassicalCopula, type FamilyKind, FamilyCopula, StudentCopula, toRows } from '../../lib';

interface Case {
  family: string;
  parameter: number;
  correlation?: number[][];
  points: number[][];
  logPdf: number[];
  cdf: number[] | null;
  rosenblatt: number[][];
}

const folder = process.env.SKLAR_REFERENCE_DIR ?? path.join(__dirname, '..', 'fixtures', 'reference');
const cases = JSON.parse(readFileSync(path.join(folder, 'many-exact.json'), 'utf8')) as Case[];

test.each(cases.map((c) => [c.family, c.parameter, c.points[0]!.length, c] as const))(
  '%s %d of %d columns',
  async (family, parameter, dim, { correlation, points, logPdf, cdf, rosenblatt }) => {
    const copula: ClassicalCopula = correlation
      ? new StudentCopula(Float64Array.from(correlation.flat()), dim, parameter)
      : new FamilyCopula(family as FamilyKind, { theta: parameter }, { dim });
    const values = await copula.logPdf(points);
    logPdf.forEach((expected, i) => expect(Math.abs(values[i]! - expected)).toBeLessThan(1e-10));
    const e = toRows(await copula.rosenblatt(points));
    rosenblatt.flat().forEach((expected, i) => expect(Math.abs(e.flat()[i]! - expected)).toBeLessThan(1e-11));
    // far corners give a p next to 1, which does not determine the point it came from
    const given = rosenblatt.map((row) => row.map((p) => Math.min(Math.max(p, 1e-6), 1 - 1e-6)));
    const back = toRows(await copula.rosenblatt(await copula.inverseRosenblatt(given))).flat();
    given.flat().forEach((expected, i) => expect(Math.abs(back[i]! - expected)).toBeLessThan(1e-9));
    if (!cdf) return;
    const probabilities = await copula.cdf(points);
    cdf.forEach((expected, i) => expect(Math.abs(probabilities[i]! - expected)).toBeLessThan(1e-13));
  },
);
