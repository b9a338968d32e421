import { readFileSync } from 'node:fs';
import path from 'node:path';

import {
  type MarginJson,
  type MarginsSpec,
  Table,
  fitJoint,
  fitMargin,
  loadJoint,
  marginFromJSON,
  marginTypes,
} from '../../lib';
import { TemporaryFolder } from '../data/support';
import { normals, uniforms } from '../helpers/data';

const folder = new TemporaryFolder();
const fixture = (name: string): string => path.join(__dirname, '..', 'fixtures', 'margins', name);
const levels = Float64Array.of(0, 1e-9, 0.001, 0.1, 0.5, 0.83, 0.999, 1);

test('margins of every kind are the same to the bit after saving and loading', async () => {
  const [u, z] = [uniforms(1), normals(2)];
  const rows = 200;
  const column = (f: () => number): Float64Array => Float64Array.from({ length: rows }, f);
  const drawOf: Record<string, () => number> = {
    'zero-inflated': () => Math.max(0, z()),
    rounded: () => Math.round(8 * z()) / 8,
    beta: u,
    normal: z,
    'student-t': () => z() / Math.sqrt(-Math.log(u())),
    'johnson-su': () => Math.sinh(z() + 0.5),
  };
  const columns: [string, Float64Array][] = [
    ...marginTypes.map((type): [string, Float64Array] => [
      type,
      column(drawOf[type] ?? (() => 1 - Math.log(u()))),
    ]),
    ['ends', column(() => Math.round(1e6 * u()) / 1e4)],
    ['abrupt', column(() => -3.7 + 11.9 * u())],
    ['atoms', column(() => (u() < 0.3 ? 0 : -Math.log(u())))],
    ['normal beyond 0', column(() => -Math.log(u()))],
  ];
  const margins = {
    ...Object.fromEntries(marginTypes.map((type) => [type, type])),
    'normal beyond 0': 'normal',
  } as MarginsSpec;
  const table = new Table(
    columns.map(([name]) => name),
    columns.map(([, values]) => values),
    columns.map(() => 'float'),
  );
  const joint = await fitJoint(table, { copula: { kind: 'gaussian' }, margins });
  const file = folder.file('all.safetensors');
  await joint.save(file);
  const again = await loadJoint(file);
  expect(again.margins.notes).toEqual(joint.margins.notes);
  expect(joint.margins.notes.map(({ code }) => code)).toEqual(
    expect.arrayContaining(['support', 'atoms', 'fit']),
  );
  for (const [name, values] of columns) {
    const [own, loaded] = [joint.margins.margin(name), again.margins.margin(name)];
    expect([loaded.name, loaded.support, loaded.hasAtoms, loaded.state()]).toEqual([
      own.name,
      own.support,
      own.hasAtoms,
      own.state(),
    ]);
    const x = Float64Array.from([...values, 0, -1, 1e9, 5e-324]);
    expect(loaded.cdf(x)).toEqual(own.cdf(x));
    expect(loaded.survival(x)).toEqual(own.survival(x));
    expect(loaded.logPdf(x)).toEqual(own.logPdf(x));
    expect(loaded.quantile(levels)).toEqual(own.quantile(levels));
  }
});

interface Recorded {
  readonly margins: Readonly<
    Record<
      string,
      { name: string; x: number[]; cdf: number[]; logPdf: number[]; levels: number[]; quantile: number[] }
    >
  >;
}

test('a model of version 0.1.0 has the margins it had', async () => {
  const { margins } = JSON.parse(readFileSync(fixture('margins-0.1.0.json'), 'utf8')) as Recorded;
  const joint = await loadJoint(fixture('margins-0.1.0.safetensors'));
  for (const [column, was] of Object.entries(margins)) {
    const margin = joint.margins.margin(column);
    const x = Float64Array.from(was.x);
    const near = (values: Float64Array, right: number[]): void =>
      values.forEach((value, i) => {
        expect([column, Math.abs(value - right[i]!) <= 1e-12 * Math.abs(right[i]!)]).toEqual([column, true]);
      });
    expect(margin.name).toBe(was.name);
    near(margin.cdf(x), was.cdf);
    near(margin.quantile(Float64Array.from(was.levels)), was.quantile);
    // empirical densities are another histogram of the same F, and discrete ends have their whole block
    if (column !== 'empirical' && column !== 'discrete') near(margin.logPdf(x), was.logPdf);
  }
});

test('atoms that are given twice are one', () => {
  const x = Float64Array.from({ length: 60 }, (_, i) => (i % 3 === 0 ? -0 : 1 + i));
  const margin = fitMargin(x, { type: 'zero-inflated', atoms: [0, 0, -0] });
  expect(margin.parameters.rest).toBeCloseTo(2 / 3, 12);
  const again = marginFromJSON(JSON.parse(JSON.stringify(margin)) as MarginJson);
  expect(again.cdf(x)).toEqual(margin.cdf(x));
});
