// Values of scripts/precision/far_scores.py, in 60 digits.
import { readFileSync } from 'node:fs';
import path from 'node:path';

import { type Copula, FamilyCopula, type FamilyKind, GaussianCopula, fitCopula } from '../../lib';

interface Case {
  kind: string;
  parameter: { theta?: number; rho?: number; ranks?: [number, number][] };
  point: [number, number];
  logPdf: number;
}

const cases = JSON.parse(
  readFileSync(path.join(__dirname, '..', 'fixtures', 'reference', 'far-scores.json'), 'utf8'),
) as Case[];

async function copulaOf({ kind, parameter: { theta, rho, ranks } }: Case): Promise<Copula> {
  if (rho !== undefined) return new GaussianCopula(Float64Array.of(1, rho, rho, 1), 2);
  if (!ranks) return new FamilyCopula(kind as FamilyKind, theta === undefined ? {} : { theta });
  return fitCopula(
    ranks.map((row) => row.map((rank) => rank / (ranks.length + 1))),
    { kind: 'empirical-beta' },
  );
}

const groups = new Map<string, Case[]>();
for (const one of cases) {
  const name = `${one.kind} ${JSON.stringify(one.parameter)}`;
  groups.set(name, [...(groups.get(name) ?? []), one]);
}

test.each([...groups])('as far as 1000 on the Gaussian scale: %s', async (_, group) => {
  const copula = await copulaOf(group[0]!);
  const got = await copula.logPdf(
    group.map(({ point }) => point),
    { scale: 'gaussian' },
  );
  group.forEach(({ point, logPdf }, i) => {
    const error = Math.abs(got[i]! - logPdf) / (1 + Math.abs(logPdf));
    // logs of levels are as large as z^2 / 2, and their differences have that rounding
    const rounding = 2e-16 * Math.max(...point.map((z) => z * z));
    expect({ point, error, right: error < 1e-12 + rounding }).toMatchObject({ right: true });
  });
});

test('every kind has a finite log density as far as 1000, also at the least levels', async () => {
  const u = await new GaussianCopula(Float64Array.of(1, 0.6, 0.6, 1), 2).sample(300, { dtype: 'float64' });
  const quick = { hidden: 8, depth: 1, steps: 5, batch: 32 };
  const copulas: Copula[] = [
    ...(await Promise.all(
      (['student', 'kernel', 'empirical-beta'] as const).map((kind) => fitCopula(u, { kind })),
    )),
    ...(await Promise.all(
      (['cdc', 'flow', 'reflection'] as const).map((kind) => fitCopula(u, { kind, ...quick })),
    )),
  ];
  const z = [38, 100, 1000].flatMap((far) => [
    [far, far],
    [-far, -far],
    [far, -far],
    [-far, 0.5],
  ]);
  const least = [
    [5e-324, 5e-324],
    [5e-324, 1 - 2 ** -53],
    [0.3, 1e-310],
  ];
  for (const copula of copulas) {
    for (const method of copula.capabilities.logPdf) {
      expect(
        [copula.kind, method, ...(await copula.logPdf(z, { scale: 'gaussian', method }))].some(Number.isNaN),
      ).toBe(false);
      expect((await copula.logPdf(z, { scale: 'gaussian', method })).every(Number.isFinite)).toBe(true);
      expect((await copula.logPdf(least, { method })).every(Number.isFinite)).toBe(true);
    }
  }
});
