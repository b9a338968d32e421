/** Margins that are models say where they are not the data's own distribution, and where a column cannot have them. */
import { Margins, type MarginSpec, Table, fitMargin } from '../../lib';
import { atomsOf, distanceFrom } from '../../lib/margins/basis/auto';
import { sortedColumn } from '../../lib/margins/basis/sorted';
import { normals } from '../helpers/data';

const far = (x: Float64Array, spec: MarginSpec) =>
  fitMargin(x, spec, { column: 'x' }).notes.filter(({ message }) =>
    message.includes('standard deviations from'),
  );

describe('far from the data', () => {
  const normal = normals(3);
  const clusters = Float64Array.from({ length: 500 }, (_, i) => (i % 2) * 1e9 + normal());
  const withZeros = clusters.map((value, i) => (i % 5 === 0 ? 0 : value));

  test.each([
    ['parametric', clusters, /the [a-z-]+ law is up to \d+ standard deviations from the data's own/],
    ['normal', clusters, /the normal law is up to/],
    ['kde', clusters, /the kernel estimate is up to/],
    [{ type: 'kde', bandwidth: 0.5 }, clusters, /the kernel estimate is up to/],
    [{ type: 'gpd', body: 'kde' }, clusters, /the margin with generalised Pareto tails is up to/],
    ['parametric', withZeros, /the [a-z-]+ law is up to/],
    ['kde', withZeros, /the kernel estimate is up to/],
  ] as [MarginSpec, Float64Array, RegExp][])('%j says so', (spec, x, text) => {
    const notes = far(x, spec);
    expect(notes).toHaveLength(1);
    expect(notes[0]).toMatchObject({ code: 'fit', columns: ['x'], message: expect.stringMatching(text) });
  });

  test.each(['auto', 'empirical', 'discrete'] as const)('%s follows them', (type) => {
    expect(far(clusters, type)).toEqual([]);
    expect(far(withZeros, type)).toEqual([]);
  });

  test.each(['parametric', 'normal', 'kde', 'gpd', 'auto'] as const)(
    '%s of normal values is near',
    (type) => {
      const x = Float64Array.from({ length: 2000 }, () => 3 + 2 * normal());
      expect(far(x, type)).toEqual([]);
      expect(
        far(
          x.map((value) => Math.round(10 * value) / 10),
          type,
        ),
      ).toEqual([]);
    },
  );

  test('the distance counts jumps by their middles', () => {
    const x = Float64Array.from({ length: 400 }, (_, i) => (i < 160 ? 0 : 1 + i));
    const column = sortedColumn(x, 'x', 'auto', null);
    expect(atomsOf(column)).toEqual([0]);
    expect(distanceFrom(column, fitMargin(x, 'zero-inflated'))).toBeLessThan(2);
    expect(distanceFrom(column, fitMargin(x, 'normal'))).toBeGreaterThan(4);
  });
});

describe('a type for all columns', () => {
  const normal = normals(4);
  const rows = 500;
  const table = Table.fromColumns({
    flow: Float64Array.from({ length: rows }, () => normal()),
    flag: Float64Array.from({ length: rows }, (_, i) => Number(i % 3 === 0)),
    fault: Float64Array.from({ length: rows }, (_, i) => Number(i < 4)),
  });

  test.each(['gpd', 'kde', 'parametric', 'student-t', 'beta'] as const)('%s', async (type) => {
    const margins = await Margins.fit(table, { margins: type });
    expect(margins.types.slice(1)).toEqual(['discrete', 'discrete']);
    const told = margins.notes.filter(({ code }) => code === (type === 'kde' ? 'atoms' : 'type'));
    expect(new Set(told.flatMap(({ columns }) => columns))).toEqual(
      new Set(type === 'beta' ? table.names : ['flag', 'fault']),
    );
    if (type === 'kde') return;
    for (const { message } of told)
      expect(message).toMatch(new RegExp(`in place of ${type}, which asks for `));
    await expect(Margins.fit(table, { margins: { flag: type } })).rejects.toThrow('"flag"');
    expect(() => fitMargin(table.column('flag'), type)).toThrow('expected');
    const named = await Margins.fit(table, { margins: { flag: { type, otherwise: 'auto' } } });
    expect(named.types[1]).toBe('discrete');
  });

  test('values outside a support that is stated are refused all the same', async () => {
    const margins = { flow: { type: 'gpd', otherwise: 'auto', support: [0, null] } } as const;
    await expect(
      Margins.fit(table, { margins: { flow: { ...margins.flow, support: [0, null] } } }),
    ).rejects.toThrow('values between 0 and Infinity');
  });
});

describe('three clusters of far scales', () => {
  const normal = normals(11);
  const rows = 2000;
  const x = Float64Array.from({ length: rows }, (_, i) => [0, 1e3, 1e6][i % 3]! + normal());
  const sorted = x.slice().sort();

  test.each(['auto', 'empirical', 'kde', 'gpd', { type: 'gpd', body: 'kde' }] as MarginSpec[])(
    '%j',
    (spec) => {
      const margin = fitMargin(x, spec, { column: 'x' });
      if (far(x, spec).length > 0) return;
      for (const p of [0.001, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999]) {
        const [q] = margin.quantile(Float64Array.of(p));
        const below = sorted.filter((value) => value <= q!).length;
        const band = 3 * Math.sqrt(rows * p * (1 - p)) + 1;
        expect({ p, below: Math.abs(below - rows * p) < band }).toEqual({ p, below: true });
      }
    },
  );
});
