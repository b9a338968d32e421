import { column, fromRows, matrix, toRows } from '../../lib/matrix';
import { sklarError } from './support';

describe('matrix', () => {
  test('keeps its data and is row-major', () => {
    const data = Float32Array.from([1, 2, 3, 4, 5, 6]);
    const m = matrix(data, 2, 3, ['a', 'b', 'c']);
    expect(m.data).toBe(data);
    expect(toRows(m)).toEqual([
      [1, 2, 3],
      [4, 5, 6],
    ]);
    expect(column(m, 1)).toEqual(Float64Array.from([2, 5]));
    expect(m.names).toEqual(['a', 'b', 'c']);
    expect('names' in matrix(data, 3, 2)).toBe(false);
  });

  test('comes from rows', () => {
    const rows = [
      [1, 2],
      [3, 4],
      [5, 6],
    ];
    expect(toRows(fromRows(rows))).toEqual(rows);
    expect(fromRows([], ['a', 'b'])).toMatchObject({ rows: 0, columns: 2 });
    expect(fromRows([])).toMatchObject({ rows: 0, columns: 0 });
  });

  test.each([
    [() => matrix(new Float64Array(5), 2, 3), 'expected 6 elements for a 2 x 3 matrix, got 5'],
    [() => matrix(new Float64Array(2), 1, 2, ['a']), 'expected 2 names for 2 columns, got 1'],
    [() => fromRows([[1, 2], [3]]), 'expected 2 values in every row, got 1 (row 2)'],
  ])('%p is a shape error', async (work, message) => {
    expect((await sklarError(work, 'ERR_SKLAR_SHAPE')).message).toBe(message);
  });

  test.each([
    () => matrix([1, 2] as any, 1, 2),
    () => matrix(new Int32Array(2) as any, 1, 2),
    () => matrix(new Float64Array(0), -1, 0),
    () => matrix(new Float64Array(0), 0.5, 0),
    () => column(fromRows([[1, 2]]), 2),
  ])('%p is a value error', async (work) => {
    await sklarError(work, 'ERR_SKLAR_VALUE');
  });
});
