/** Rain at two gauges, dry on 62 % of the days, recorded to 0.1 mm, with a Gumbel copula. */
import { FamilyCopula, Table, fitJoint, tailCurves } from '../../lib';

const THETA = 1.8;
const DRY = 0.62;
const SHAPE = 0.1;
const SCALES = [6, 7.5];
const YEARS = 40;
const CENTURY = 36_525;

/** Millimetres at a level: 0, or a generalised Pareto law. */
const rainAt = (u: number, gauge: number) =>
  u < DRY ? 0 : (SCALES[gauge]! / SHAPE) * (((1 - u) / (1 - DRY)) ** -SHAPE - 1);

test.each([1, 2])('dependence, tails and levels of a century, seed %d', async (seed) => {
  const rows = 365 * YEARS;
  const u = await new FamilyCopula('gumbel', { theta: THETA }).sample(rows, { dtype: 'float64', seed });
  const gauge = (j: number) =>
    Float64Array.from({ length: rows }, (_, i) => Math.round(10 * rainAt(u.data[2 * i + j]!, j)) / 10);
  const table = new Table(['north', 'south'], [gauge(0), gauge(1)]);
  const joint = await fitJoint(table, { copula: { kind: 'gumbel' }, margins: 'gpd' });

  const { parameters, standardErrors } = joint.copula as FamilyCopula;
  expect(standardErrors!.theta!).toBeLessThan(0.025);
  expect(Math.abs(parameters.theta! - THETA)).toBeLessThan(2 * standardErrors!.theta!);

  for (const [j, name] of table.names.entries()) {
    const [level] = joint.margins.margin(name).returnLevels(Float64Array.of(CENTURY));
    expect(Math.abs(level! / rainAt(1 - 1 / CENTURY, j) - 1)).toBeLessThan(0.1);
  }

  const q = [0.9, 0.95, 0.98, 0.99];
  const [data, drawn] = [
    await tailCurves(table, { q }),
    await tailCurves(await joint.sample(200_000, { seed: 5 }), { q }),
  ];
  for (const k of q.keys()) {
    const distance = drawn.upper[k]!.data[1]! - data.upper[k]!.data[1]!;
    expect(Math.abs(distance)).toBeLessThan(2 * data.upperError[k]!.data[1]!);
  }
  const dry = (await joint.sample(20_000)).column('north').filter((value) => value === 0).length / 20_000;
  // and what was rounded to 0
  expect(Math.abs(dry - gauge(0).filter((value) => value === 0).length / rows)).toBeLessThan(0.01);
});
