import { runInNewContext } from 'node:vm';

import { fromRows, toRows } from '../../lib/matrix';
import { Table } from '../../lib/data/table';
import { HOSTILE_NAMES, sklarError } from './support';

const table = Table.fromColumns({
  a: [1, 2, 3],
  b: Float64Array.from([4, 5, 6]),
  c: Int32Array.from([7, 8, 9]),
});

describe('Table', () => {
  test('has names, kinds, rows and columns', () => {
    expect(table.names).toEqual(['a', 'b', 'c']);
    expect(table.kinds).toEqual(['float', 'float', 'integer']);
    expect(table.rows).toBe(3);
    expect(table.column('b')).toEqual(Float64Array.from([4, 5, 6]));
    expect(table.column('c')).toEqual(Float64Array.from([7, 8, 9]));
    expect(table.kind('c')).toBe('integer');
  });

  test('shares Float64Arrays, copies others', () => {
    const shared = new Float64Array(2);
    expect(Table.fromColumns({ shared }).column('shared')).toBe(shared);
    const copied = new Float32Array(2);
    expect(Table.fromColumns({ copied }).column('copied')).not.toBe(copied);
  });

  test('selects, excludes and takes', () => {
    expect(table.select(['c', 'a']).names).toEqual(['c', 'a']);
    expect(table.select(['c', 'a']).kinds).toEqual(['integer', 'float']);
    expect(table.select(['c']).column('c')).toBe(table.column('c'));
    expect(table.exclude(['b']).names).toEqual(['a', 'c']);
    const taken = table.take(Uint32Array.from([2, 0, 2]));
    expect(taken.column('a')).toEqual(Float64Array.from([3, 1, 3]));
    expect(taken.kinds).toEqual(table.kinds);
    expect(table.take([]).rows).toBe(0);
  });

  test('converts to and from matrices', () => {
    const m = table.toMatrix();
    expect(toRows(m)).toEqual([
      [1, 4, 7],
      [2, 5, 8],
      [3, 6, 9],
    ]);
    const back = Table.fromMatrix(m, table.kinds);
    expect(back.names).toEqual(table.names);
    expect(back.columns).toEqual(table.columns);
    expect(Table.fromMatrix(fromRows([[1, 2]])).names).toEqual(['column1', 'column2']);
  });

  test('takes any names', () => {
    const entries = HOSTILE_NAMES.map((name, j) => [name, [j]] as const);
    const hostile = Table.fromColumns(new Map(entries));
    HOSTILE_NAMES.forEach((name, j) => expect(hostile.column(name)[0]).toBe(j));
    expect(hostile.exclude(['__proto__']).names).not.toContain('__proto__');
  });

  test('accepts arrays of another realm', () => {
    const foreign = runInNewContext('Float64Array.of(1, 2)') as Float64Array;
    expect(new Table(['a'], [foreign]).rows).toBe(2);
  });

  test.each([
    [() => table.column('x'), 'expected the name of an existing column, got "x" (available: "a", "b", "c")'],
    [
      () => table.select(['a', 'x', 'y']),
      'expected names of existing columns for columns, got "x", "y" (the table; available: "a", "b", "c")',
    ],
    [
      () => table.select(['a', 'a']),
      'expected different names for columns, got "a" twice (again as column 2)',
    ],
    [
      () => table.exclude(['x']),
      'expected names of existing columns for exclude, got "x" (the table; available: "a", "b", "c")',
    ],
    [() => table.exclude(['a', 'b', 'c']), 'expected at least one column to remain, got none (the table)'],
    [() => table.take([3]), 'expected an integer between 0 and 2 for a row index, got 3'],
    [() => table.take([0.5]), 'expected an integer between 0 and 2 for a row index, got 0.5'],
    [
      () => new Table(['a', 'a'], [new Float64Array(1), new Float64Array(1)]),
      'expected different names for the columns of a table, got "a" twice (again as column 2)',
    ],
    [
      () => new Table([3 as any], [new Float64Array(1)]),
      'expected texts for the columns of a table, got 3 (column 1)',
    ],
    [
      () => new Table(['a'], [[1, 2] as any]),
      'expected a Float64Array for column "a", got an array of length 2',
    ],
    [
      () => new Table(['a'], [Float64Array.of(1, 2.5)], ['integer']),
      'expected integers in column "a", got 2.5 (row 2)',
    ],
    [() => table.select('a' as any), 'expected an array of column names for columns, got "a"'],
  ])('%p is a value error', async (work, message) => {
    expect((await sklarError(work, 'ERR_SKLAR_VALUE')).message).toBe(message);
  });

  test.each([
    [
      () => new Table(['a', 'b'], [new Float64Array(2), new Float64Array(3)]),
      'expected 2 rows in every column, got 3 (column "b")',
    ],
    [() => new Table(['a', 'b'], [new Float64Array(2)]), 'expected 2 columns for 2 names, got 1'],
    [() => new Table(['a'], [new Float64Array(2)], []), 'expected 1 types for 1 names, got 0'],
  ])('%p is a shape error', async (work, message) => {
    expect((await sklarError(work, 'ERR_SKLAR_SHAPE')).message).toBe(message);
  });
});
