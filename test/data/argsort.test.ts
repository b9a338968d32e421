import fc from 'fast-check';

import { argsort } from '../../lib/data/argsort';

describe('argsort', () => {
  test('sorts any finite values and tells where they were', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ noNaN: true, noDefaultInfinity: true })), (list) => {
        const values = Float64Array.from(list, (value) => value + 0);
        const { sorted, order } = argsort(values);
        expect(sorted).toEqual(values.slice().sort());
        expect(Float64Array.from(order, (position) => values[position]!)).toEqual(sorted);
        expect(order.slice().sort()).toEqual(Uint32Array.from(values, (_, i) => i));
      }),
    );
  });

  test('takes -0 for 0 and leaves its argument alone', () => {
    const values = Float64Array.of(0, -0, -1, 1, -0);
    expect(argsort(values).sorted).toEqual(Float64Array.of(-1, 0, 0, 0, 1));
    expect(Object.is(values[1], -0)).toBe(true);
  });

  test('sorts many values', () => {
    const values = Float64Array.from({ length: 10_000 }, (_, i) => Math.sin(i * i) * 10 ** (i % 7));
    expect(argsort(values).sorted).toEqual(values.slice().sort());
  });
});
