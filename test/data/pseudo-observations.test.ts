import fc from 'fast-check';

import { type Matrix, column } from '../../lib/matrix';
import { PseudoObservations, type PseudoObservationsOptions } from '../../lib/data/pseudo-observations';
import { type Ties } from '../../lib/data/level-columns';
import { Generator, shuffle } from '../../lib/data/random';
import { Table } from '../../lib/data/table';
import type { ColumnKind } from '../../lib/data/columns/column-type';
import { HOSTILE_NAMES, sklarError } from './support';

/** Values with a second column that is no monotone function of them, because a copula needs two. */
async function withCompanion(values: ArrayLike<number>, kind: ColumnKind = 'float'): Promise<Table> {
  const x = Float64Array.from(values, (value) => value + 0);
  for (let seed = 0; ; seed++) {
    const order = Uint32Array.from({ length: values.length }, (_, i) => i);
    shuffle(order, 0, order.length, new Generator(seed));
    const table = new Table(['x', 'companion'], [x, Float64Array.from(order)], [kind, 'float']);
    try {
      await PseudoObservations.fit(table);
      return table;
    } catch (error) {
      if (seed > 20) throw error;
    }
  }
}

async function fit(
  table: Table | Promise<Table>,
  options?: PseudoObservationsOptions,
): Promise<PseudoObservations> {
  return PseudoObservations.fit(await table, options);
}

/** The ranks of column 0, as whole or half numbers. */
function ranks(u: Matrix, n: number): number[] {
  return Array.from(column(u, 0), (value) => Math.round(value * (n + 1) * 1e6) / 1e6);
}

/** The lowest and the highest rank of x among the values, by counting. */
function block(values: ArrayLike<number>, x: number): [number, number] {
  const all = Array.from(values);
  return [1 + all.filter((value) => value < x).length, all.filter((value) => value <= x).length];
}

const at = (pseudo: PseudoObservations, ...x: number[]): Promise<Matrix> =>
  pseudo.transform(new Table(['x', 'companion'], [Float64Array.from(x), new Float64Array(x.length)]));

const level = async (pseudo: PseudoObservations, ...u: number[]): Promise<number[]> => {
  const data = Float64Array.from(u.flatMap((value) => [value, 0.5]));
  return [...(await pseudo.inverse({ data, rows: u.length, columns: 2 })).column('x')];
};

// Few distinct values give ties, many give none; both kinds of finite numbers are covered.
const columns = fc
  .oneof(
    fc.array(fc.integer({ min: -3, max: 3 }), { minLength: 4, maxLength: 60 }),
    fc.array(fc.double({ noNaN: true, noDefaultInfinity: true }), { minLength: 4, maxLength: 60 }),
  )
  .filter((values) => new Set(values.map((value) => value + 0)).size > 2);

const settings = fc.record({
  ties: fc.constantFrom<Ties>('random', 'average'),
  seed: fc.nat(),
});

describe('training rows', () => {
  test('without ties get rank / (n + 1)', async () => {
    const values = [0.3, -7, 1e300, 2, -1e-300];
    const u = (await fit(withCompanion(values))).transformTrain();
    expect(u).toMatchObject({ rows: 5, columns: 2, names: ['x', 'companion'] });
    expect([...column(u, 0)]).toEqual([3 / 6, 1 / 6, 5 / 6, 4 / 6, 2 / 6]);
  });

  test('with ties get the mean rank, or a permutation of their ranks', async () => {
    await fc.assert(
      fc.asyncProperty(columns, settings, async (values, options) => {
        const got = ranks((await fit(withCompanion(values), options)).transformTrain(), values.length);
        if (options.ties === 'random') {
          expect([...got].sort((a, b) => a - b)).toEqual(values.map((_, i) => i + 1));
        }
        values.forEach((x, i) => {
          const [low, high] = block(values, x);
          if (options.ties === 'average') expect(got[i]).toBe((low + high) / 2);
          else {
            expect(got[i]).toBeGreaterThanOrEqual(low);
            expect(got[i]).toBeLessThanOrEqual(high);
          }
        });
      }),
    );
  });

  test('random ties depend on the seed and the name of the column alone', async () => {
    const values = Array.from({ length: 200 }, (_, i) => i % 4);
    const table = await withCompanion(values);
    const first = ranks((await fit(table, { seed: 1 })).transformTrain(), 200);
    expect(ranks((await fit(table, { seed: 1n })).transformTrain(), 200)).toEqual(first);
    expect(ranks((await fit(table, { seed: 2 })).transformTrain(), 200)).not.toEqual(first);
    const other = new Table(
      ['other', 'x'],
      [Float64Array.from(values, (value, i) => value * ((i % 3) - 1)), Float64Array.from(values)],
    );
    const u = (await fit(other, { seed: 1 })).transformTrain();
    expect(ranks({ ...u, data: column(u, 1), columns: 1 }, 200)).toEqual(first);
  });

  test('random ties are uniform over the block', async () => {
    // Two values, 5 rows each: the rank of the first row over seeds.
    const values = [0, 0, 0, 0, 0, 1, 1, 1, 1, 1];
    const table = await withCompanion(values);
    const counts = new Map<number, number>();
    for (let seed = 0; seed < 2000; seed++) {
      const rank = ranks((await fit(table, { seed })).transformTrain(), 10)[0]!;
      counts.set(rank, (counts.get(rank) ?? 0) + 1);
    }
    expect([...counts.keys()].sort()).toEqual([1, 2, 3, 4, 5]);
    // Binomial(2000, 0.2): standard deviation 18; 5 of them.
    for (const count of counts.values()) expect(Math.abs(count - 400)).toBeLessThan(90);
  });

  test('-0 and 0 are the same value', async () => {
    const u = (await fit(withCompanion([0, -0, 1, -1, 0]), { ties: 'average' })).transformTrain();
    expect(ranks(u, 5)).toEqual([3, 3, 5, 1, 3]);
  });

  test('can be forgotten', async () => {
    const pseudo = await fit(withCompanion([1, 2, 3, 4]));
    pseudo.forgetTraining();
    await sklarError(() => pseudo.transformTrain(), 'ERR_SKLAR_DISPOSED');
    expect(ranks(await at(pseudo, 3), 4)).toEqual([3]);
  });
});

describe('transform', () => {
  test('interpolates between values and stops beyond them', async () => {
    const pseudo = await fit(withCompanion([10, 20, 20, 20, 40]), { ties: 'average' });
    expect(ranks(await at(pseudo, 10, 20, 40), 5)).toEqual([1, 3, 5]);
    expect(ranks(await at(pseudo, 15, 12.5, 25, 30), 5)).toEqual([1.5, 1.25, 4.25, 4.5]);
    expect(ranks(await at(pseudo, 9.99, -1e308, 41, 1e308), 5)).toEqual([0.5, 0.5, 5.5, 5.5]);
  });

  test('is in (0, 1), monotone, and agrees with the training rows', async () => {
    await fc.assert(
      fc.asyncProperty(
        columns,
        settings,
        fc.array(fc.double({ noNaN: true, noDefaultInfinity: true })),
        async (values, options, more) => {
          const pseudo = await fit(withCompanion(values), options);
          const x = Float64Array.from([...values, ...more]).sort();
          const u = column(await at(pseudo, ...x), 0);
          const n = values.length;
          x.forEach((value, i) => {
            expect(u[i]).toBeGreaterThan(0);
            expect(u[i]).toBeLessThan(1);
            if (i > 0 && value > x[i - 1]!) expect(u[i]).toBeGreaterThanOrEqual(u[i - 1]!);
            const [low, high] = block(values, value);
            const rank = Math.round(u[i]! * (n + 1) * 1e6) / 1e6;
            if (low <= high) {
              if (options.ties === 'average') expect(rank).toBe((low + high) / 2);
              else expect(Number.isInteger(rank) && rank >= low && rank <= high).toBe(true);
            } else if (low === 1) expect(rank).toBe(0.5);
            else if (low === n + 1) expect(rank).toBe(n + 0.5);
            else expect(rank >= low - 1 && rank <= low).toBe(true);
          });
        },
      ),
    );
  });

  test('random ties are drawn from the block, per row and seed', async () => {
    const pseudo = await fit(withCompanion(Array.from({ length: 100 }, (_, i) => (i < 50 ? 0 : i))), {
      seed: 5,
    });
    const zeros = new Table(['x', 'companion'], [new Float64Array(10_000), new Float64Array(10_000)]);
    const got = ranks(await pseudo.transform(zeros), 100);
    expect(new Set(got)).toEqual(new Set(Array.from({ length: 50 }, (_, i) => i + 1)));
    const mean = got.reduce((sum, rank) => sum + rank, 0) / got.length;
    expect(Math.abs(mean - 25.5)).toBeLessThan(0.73); // 5 standard errors of a uniform on 1 .. 50
    expect(ranks(await pseudo.transform(zeros, { seed: 5 }), 100)).toEqual(got);
    expect(ranks(await pseudo.transform(zeros, { seed: 6 }), 100)).not.toEqual(got);
    expect(ranks(await pseudo.transform(zeros.take([0, 1, 2])), 100)).toEqual(got.slice(0, 3));
  });

  test('finds columns by name', async () => {
    const table = await withCompanion([3, 1, 2, 5]);
    const pseudo = await fit(table);
    const wider = new Table(
      ['extra', 'companion', 'x'],
      [new Float64Array(4), table.column('companion'), table.column('x')],
    );
    expect((await pseudo.transform(wider)).data).toEqual(pseudo.transformTrain().data);
  });

  test('copes with the largest and smallest numbers', async () => {
    const pseudo = await fit(withCompanion([-1.7e308, 1.7e308, 0, 5e-324]));
    expect(ranks(await at(pseudo, 0, 5e-324, 1e308, -0.85e308), 4)).toEqual([2, 3, 3.588235, 1.5]);
    const wide = await fit(withCompanion([-1.7e308, 1.7e308, -1.7e308, 1.7e308]), { ties: 'average' });
    expect(ranks(await at(wide, 0), 4)).toEqual([2.5]);
  });

  test.each([Infinity, -Infinity])('refuses %p', async (value) => {
    const error = await sklarError(
      async () => at(await fit(withCompanion([1, 2, 3])), 1, value),
      'ERR_SKLAR_VALUE',
    );
    expect(error.message).toBe(`expected finite numbers in every column, got ${value} (column "x", row 2)`);
  });

  test('refuses a table without its columns', async () => {
    const pseudo = await fit(withCompanion([1, 2, 3]));
    await sklarError(() => pseudo.transform(Table.fromColumns({ x: [1] })), 'ERR_SKLAR_VALUE');
  });
});

describe('inverse', () => {
  test('gives training values back exactly', async () => {
    await fc.assert(
      fc.asyncProperty(columns, settings, fc.constantFrom(2, 5, 65_536), async (values, options, knots) => {
        const table = await withCompanion(values);
        const pseudo = await fit(table, { ...options, knots });
        const distinct = new Set(values.map((value) => value + 0)).size;
        if (distinct > knots) return;
        expect((await pseudo.inverse(pseudo.transformTrain())).columns).toEqual(table.columns);
        expect((await pseudo.inverse(await pseudo.transform(table))).columns).toEqual(table.columns);
      }),
    );
  });

  test('gives training values back exactly for many rows', async () => {
    const generator = new Generator(3);
    const values = Float64Array.from({ length: 60_000 }, () => generator.next() / 1000);
    const pseudo = await fit(withCompanion(values));
    expect((await pseudo.inverse(pseudo.transformTrain())).column('x')).toEqual(values);
  });

  test('undoes transform between the values', async () => {
    const pseudo = await fit(withCompanion([10, 20, 40, 80]));
    const x = [10, 11, 15, 19.5, 33, 79, 80];
    expect(
      (await level(pseudo, ...column(await at(pseudo, ...x), 0))).map(
        (value) => Math.round(value * 1e9) / 1e9,
      ),
    ).toEqual(x);
  });

  test('is monotone and stays inside the data', async () => {
    await fc.assert(
      fc.asyncProperty(columns, settings, fc.constantFrom(2, 5, 65_536), async (values, options, knots) => {
        const pseudo = await fit(withCompanion(values), { ...options, knots });
        const grid = Array.from({ length: 501 }, (_, i) => i / 500);
        const x = await level(pseudo, ...grid);
        expect(x.findIndex((value, i) => i > 0 && value < x[i - 1]!)).toBe(-1);
        expect(x[0]).toBe(Math.min(...values) + 0);
        expect(x[500]).toBe(Math.max(...values) + 0);
      }),
    );
  });

  test('gives no new values to tied columns and integers, but interpolates others', async () => {
    const grid = Array.from({ length: 1001 }, (_, i) => i / 1000);
    const tied = await fit(withCompanion([0, 0, 0.5, 0.5, 0.5, 2, 2]));
    expect(new Set(await level(tied, ...grid))).toEqual(new Set([0, 0.5, 2]));
    const integers = await fit(withCompanion([1, 5, 9, 20], 'integer'));
    expect(new Set(await level(integers, ...grid))).toEqual(new Set([1, 5, 9, 20]));
    expect((await integers.inverse(integers.transformTrain())).kinds).toEqual(['integer', 'float']);
    // Zeros are a block, positive values are continuous.
    const rain = await fit(withCompanion([0, 0, 0, 0, 1, 2, 4]));
    expect(await level(rain, 1 / 8, 3.9 / 8, 4 / 8, 4.5 / 8, 5 / 8, 6.5 / 8)).toEqual([0, 0, 0, 0.5, 1, 3]);
  });

  test('accepts levels in single precision and at the ends', async () => {
    const pseudo = await fit(withCompanion([10, 20, 40, 80]));
    const data = Float32Array.from([0, 0.5, 1, 0.5, 0.4, 0.5]);
    const x = (await pseudo.inverse({ data, rows: 3, columns: 2 })).column('x');
    expect(x[0]).toBe(10);
    expect(x[1]).toBe(80);
    expect(x[2]).toBeCloseTo(20, 5);
  });

  test.each([-0.01, 1.01, NaN])('refuses the level %p', async (value) => {
    const pseudo = await fit(withCompanion([1, 2, 3]));
    const error = await sklarError(() => level(pseudo, 0.5, value), 'ERR_SKLAR_VALUE');
    expect(error.message).toContain('(column "x", row 2)');
  });

  test('refuses another number of columns', async () => {
    const pseudo = await fit(withCompanion([1, 2, 3]));
    await sklarError(
      () => pseudo.inverse({ data: new Float64Array(3), rows: 1, columns: 3 }),
      'ERR_SKLAR_SHAPE',
    );
  });
});

describe('knots', () => {
  const generator = new Generator(4);
  const values = Float64Array.from({ length: 5000 }, () => generator.next() / 2 ** 32);
  let exact: PseudoObservations;
  let thinned: PseudoObservations;
  beforeAll(async () => {
    exact = await fit(withCompanion(values));
    thinned = await fit(withCompanion(values), { knots: 101 });
  });

  test('do not change the training rows', () => {
    expect(thinned.transformTrain().data).toEqual(exact.transformTrain().data);
  });

  test('bound what is stored and what is lost', async () => {
    const { meta, tensors } = thinned.toTensors();
    expect(meta.columns[0]).toMatchObject({ thinned: true, tied: false });
    expect(tensors['0.values']).toHaveLength(101);
    const x = Array.from({ length: 2000 }, (_, i) => i / 1999);
    const approximate = column(await at(thinned, ...x), 0);
    const right = column(await at(exact, ...x), 0);
    approximate.forEach((u, i) => expect(Math.abs(u - right[i]!)).toBeLessThan(1 / 100));
    expect(await level(thinned, 0, 1)).toEqual([Math.min(...values), Math.max(...values)]);
  });

  test('keep blocks that are larger than their spacing', async () => {
    const rain = Float64Array.from(values, (value, i) => (i % 3 === 0 ? 0 : value));
    const pseudo = await fit(withCompanion(rain), { knots: 50, ties: 'average' });
    const zeros = rain.filter((value) => value === 0).length;
    expect(ranks(await at(pseudo, 0), 5000)).toEqual([(1 + zeros) / 2]);
    expect(await level(pseudo, 0.01, 0.2, (zeros - 1) / 5001)).toEqual([0, 0, 0]);
    expect(pseudo.toTensors().tensors['0.values']!.length).toBeLessThanOrEqual(50);
  });

  test('integers stay integers', async () => {
    const integers = await fit(
      withCompanion(
        Float64Array.from(values, (value) => Math.round(value * 1e6)),
        'integer',
      ),
      { knots: 20 },
    );
    const x = await level(integers, ...Array.from({ length: 100 }, (_, i) => i / 99));
    expect(x.every(Number.isSafeInteger)).toBe(true);
  });
});

describe('tensors', () => {
  test('restore the same margins', async () => {
    await fc.assert(
      fc.asyncProperty(columns, settings, fc.constantFrom(2, 5, 65_536), async (values, options, knots) => {
        const pseudo = await fit(withCompanion(values), { ...options, knots });
        const { meta, tensors } = pseudo.toTensors();
        const copies = Object.fromEntries(
          Object.entries(tensors).map(([name, data]) => [name, data.slice()]),
        );
        const back = PseudoObservations.fromTensors(JSON.parse(JSON.stringify(meta)), copies);
        const probe = Float64Array.from([...values, ...values.map((value) => value / 2 + 1)]);
        expect(await at(back, ...probe)).toEqual(await at(pseudo, ...probe));
        const grid = Array.from({ length: 101 }, (_, i) => i / 100);
        expect(await level(back, ...grid)).toEqual(await level(pseudo, ...grid));
        expect(back.toTensors()).toEqual(pseudo.toTensors());
        expect(back).toMatchObject({ rows: values.length, names: pseudo.names, kinds: pseudo.kinds });
      }),
    );
  });

  test('store ranks only where they are needed', async () => {
    expect(Object.keys((await fit(withCompanion([1, 2, 3]))).toTensors().tensors)).toEqual([
      '0.values',
      '1.values',
    ]);
    expect(Object.keys((await fit(withCompanion([1, 1, 3]))).toTensors().tensors)).toEqual([
      '0.values',
      '0.last',
      '1.values',
    ]);
  });

  let good: ReturnType<PseudoObservations['toTensors']>;
  beforeAll(async () => {
    const pseudo = await fit(withCompanion([1, 1, 2, 3, 3], 'integer'), { seed: 2n ** 64n - 1n });
    good = pseudo.toTensors();
  });

  test('keep the seed', () => {
    expect(good.meta.seed).toBe('18446744073709551615');
    expect(PseudoObservations.fromTensors(good.meta, good.tensors).toTensors().meta).toEqual(good.meta);
  });

  test.each<[string, (parts: { meta: any; tensors: any }) => void]>([
    ['no meta', (parts) => (parts.meta = null)],
    ['unknown ties', ({ meta }) => (meta.ties = 'first')],
    ['a seed of 65 bits', ({ meta }) => (meta.seed = '18446744073709551616')],
    ['a seed that is no number', ({ meta }) => (meta.seed = '1e3')],
    ['fractional rows', ({ meta }) => (meta.rows = 5.5)],
    ['another number of rows', ({ meta }) => (meta.rows = 6)],
    ['no columns', ({ meta }) => (meta.columns = [])],
    ['a tensor that is missing', ({ tensors }) => delete tensors['0.last']],
    ['a tensor of another type', ({ tensors }) => (tensors['0.values'] = Float32Array.of(1, 2, 3))],
    ['a tensor of another length', ({ tensors }) => (tensors['0.values'] = Float64Array.of(1, 2))],
    ['values that do not ascend', ({ tensors }) => (tensors['0.values'] = Float64Array.of(1, 3, 2))],
    ['values that are not finite', ({ tensors }) => (tensors['1.values'][4] = Infinity)],
    ['values that are not integers', ({ tensors }) => (tensors['0.values'] = Float64Array.of(1, 1.5, 3))],
    ['ranks that do not ascend', ({ tensors }) => (tensors['0.last'] = Float64Array.of(2, 2, 5))],
    ['ranks that are not whole', ({ tensors }) => (tensors['0.last'] = Float64Array.of(2, 2.5, 5))],
    ['ranks that end early', ({ tensors }) => (tensors['0.last'] = Float64Array.of(2, 3, 4))],
  ])('with %s are refused', async (_, damage) => {
    const parts = structuredClone<{ meta: any; tensors: any }>(good);
    damage(parts);
    await sklarError(() => PseudoObservations.fromTensors(parts.meta, parts.tensors), 'ERR_SKLAR_FORMAT');
  });
});

describe('checks before fitting', () => {
  const base = Array.from({ length: 50 }, (_, i) => ((i * 37) % 50) - 20);
  const noise = Array.from({ length: 50 }, (_, i) => (i * 17) % 50);

  test.each<[string, Table, string]>([
    ['one column', Table.fromColumns({ x: base }), 'expected at least 2 columns for a copula, got 1 ("x")'],
    ['no columns', new Table([], []), 'expected at least 2 columns for a copula, got 0'],
    ['one row', Table.fromColumns({ x: [1], y: [2] }), 'expected at least 2 rows of columns "x", "y", got 1'],
    [
      'values that are not finite',
      Table.fromColumns({ x: [1, NaN, 2], y: [1, 2, -Infinity], z: [1, 2, Infinity] }),
      'expected finite numbers in every column, got infinite values in "y", "z"; ' +
        'remove the rows, or leave the columns out with exclude: ["y", "z"]',
    ],
    [
      'constant columns',
      Table.fromColumns({ x: base, one: base.map(() => 1), zero: base.map((_, i) => (i % 2 ? 0 : -0)) }),
      'expected columns that vary, got constant ones: "one", "zero"; leave them out with exclude: ["one", "zero"]',
    ],
    [
      'copies',
      Table.fromColumns({
        x: base,
        y: noise,
        copy: base,
        again: noise,
        cube: base.map((value) => value ** 3),
      }),
      'expected different columns, got copies: "copy" is a copy of "x", "again" is a copy of "y"; ' +
        'leave them out with exclude: ["copy", "again"]',
    ],
  ])('name the columns: %s', async (_, table, message) => {
    expect((await sklarError(() => fit(table), 'ERR_SKLAR_VALUE')).message).toBe(message);
  });

  test('accept columns that are dependent, but not completely', async () => {
    const almost = base.map((value, i) => (i === 7 ? -value : value));
    expect(
      (await fit(Table.fromColumns({ x: base, almost, steps: base.map((value) => Math.floor(value / 2)) })))
        .rows,
    ).toBe(50);
  });

  test('say which columns are monotone functions of others', async () => {
    const margins = await fit(
      Table.fromColumns({
        x: base,
        y: noise,
        cube: base.map((value) => value ** 3),
        down: base.map((value) => Math.exp(-value / 10)),
        negative: noise.map((value) => -value),
      }),
    );
    expect(margins.determined).toEqual([
      '"cube" is an increasing function of "x"',
      '"down" is a decreasing function of "x"',
      '"negative" is a decreasing function of "y"',
    ]);
    const tied = { x: base.map((value) => value % 3), y: base.map((value) => 5 * (value % 3)) };
    expect((await fit(Table.fromColumns(tied))).determined).toEqual(['"y" is an increasing function of "x"']);
  });

  test('find copies in tied columns', async () => {
    const table = Table.fromColumns({ x: base.map((value) => value % 3), y: base.map((value) => value % 3) });
    await sklarError(() => fit(table), 'ERR_SKLAR_VALUE');
  });

  test.each([{ ties: 'first' as any }, { seed: -1 }, { knots: 1 }, { knots: 2.5 }])(
    'refuse %p',
    async (options) => {
      await sklarError(() => fit(withCompanion(base), options), 'ERR_SKLAR_VALUE');
    },
  );

  test('accept any names', async () => {
    const table = Table.fromColumns(
      HOSTILE_NAMES.map((name, j) => [name, base.map((_, i) => (i * (2 * j + 3)) % 53)] as const),
    );
    const pseudo = await fit(table);
    const { meta, tensors } = pseudo.toTensors();
    expect(PseudoObservations.fromTensors(JSON.parse(JSON.stringify(meta)), tensors).names).toEqual(
      HOSTILE_NAMES,
    );
    expect((await pseudo.inverse(pseudo.transformTrain())).columns).toEqual(table.columns);
  });
});
