// Cells of Archimedean copulas of three and more columns: narrow ones, wide ones, far from the levels beside them.
import { readFileSync } from 'node:fs';
import path from 'node:path';

import { type FamilyKind, FamilyCopula } from '../../lib';

interface Case {
  family: FamilyKind;
  parameter: number;
  rotation: 0 | 180;
  row: [number, number][];
  log: number;
}

const cases = JSON.parse(
  readFileSync(path.join(__dirname, '..', 'fixtures', 'reference', 'many-cells-exact.json'), 'utf8'),
) as Case[];

const hard: Case[] = [
  {
    // far from where the levels say the row lies
    family: 'clayton',
    parameter: 1e4,
    rotation: 0,
    row: [
      [0.7924, 0.7924],
      [0, 0.83],
      [0.7931, 0.7931],
      [0.802, 1],
    ],
    log: -119.11794836910326,
  },
  {
    // nearly independent: differences cancel in every column
    family: 'gumbel',
    parameter: 1.0002227207119474,
    rotation: 0,
    row: [
      [0.9901782521897146, 0.9902335739330657],
      [0, 0.9894088783302111],
      [0.9901351217998563, 1],
      [0.9893193905152438, 0.9992641298010028],
      [0.9896358050085419, 1],
      [0.9903240547999126, 1],
    ],
    log: -21.830944368261747,
  },
];

async function logOf({ family, parameter, rotation, row }: Case) {
  const copula = new FamilyCopula(family, { theta: parameter }, { dim: row.length, rotation });
  const [log] = await copula.logPdfCells([row.map(([a]) => a)], [row.map(([, b]) => b)]);
  return log!;
}

test.each(
  [...cases, ...hard].map((one) => [one.family, one.parameter, one.row.length, one.rotation, one] as const),
)('%s %d of %d columns rotated by %d', async (_, __, ___, ____, one) => {
  expect(Math.abs((await logOf(one)) - one.log)).toBeLessThan(1e-9);
});

test.each(['clayton', 'gumbel', 'frank', 'joe', 'amh'] as const)(
  '%s: grades of twelve columns, and their parts add up',
  async (kind) => {
    const copula = new FamilyCopula(kind, { theta: kind === 'amh' ? 0.6 : 1.7 }, { dim: 12 });
    // twelve cells each; the last column is cut in ten parts
    const low = Array.from({ length: 12 }, (_, j) => (1 + (j % 4)) / 20);
    const high = low.map((a) => a + 0.05);
    const [whole] = await copula.logPdfCells([low], [high]);
    const cut = (k: number) => low[11]! + 0.005 * k;
    const parts = await copula.logPdfCells(
      Array.from({ length: 10 }, (_, k) => [...low.slice(0, 11), cut(k)]),
      Array.from({ length: 10 }, (_, k) => [...high.slice(0, 11), k === 9 ? high[11]! : cut(k + 1)]),
    );
    const sum = parts.reduce((total, log) => total + Math.exp(log - whole!), 0);
    expect(Math.abs(sum - 1)).toBeLessThan(1e-7);
  },
);
