import { types } from 'node:util';

import { SklarError, describe, expectInteger, expectList, expectNumbers, expectTexts } from './errors';
import type { Matrix } from './types/matrix';

export type { Matrix };

/**
 * Checks the parts of a matrix and puts them together. `data` is kept, not copied.
 *
 * @throws SklarError ERR_SKLAR_VALUE for a wrong type, ERR_SKLAR_SHAPE when the lengths do not fit together
 *
 * @example
 * ```ts
 * import { matrix } from 'sklar';
 *
 * matrix(Float64Array.of(1, 2, 3, 4), 2, 2, ['a', 'b']).names; // => ['a', 'b']
 * ```
 */
export function matrix<T extends Float32Array | Float64Array>(
  data: T,
  rows: number,
  columns: number,
  names?: readonly string[],
): Matrix & { readonly data: T } {
  if (!types.isFloat32Array(data) && !types.isFloat64Array(data)) {
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      `expected a Float32Array or Float64Array for the data of a matrix, got ${describe(data)}`,
    );
  }
  expectInteger(rows, 'rows', { min: 0 });
  expectInteger(columns, 'columns', { min: 0 });
  if (data.length !== rows * columns) {
    throw new SklarError(
      'ERR_SKLAR_SHAPE',
      `expected ${rows * columns} elements for a ${rows} x ${columns} matrix, got ${data.length}`,
    );
  }
  if (names === undefined) return { data, rows, columns };
  if (expectTexts(names, 'the names of a matrix').length !== columns) {
    throw new SklarError(
      'ERR_SKLAR_SHAPE',
      `expected ${columns} names for ${columns} columns, got ${names.length}`,
    );
  }
  return { data, rows, columns, names: [...names] };
}

/** A copy as doubles; of an array that was transferred none are left. */
export function copyOf(values: Float32Array | Float64Array): Float64Array {
  return values.length === 0 ? new Float64Array(0) : new Float64Array(values);
}

/**
 * What is given for a matrix, its parts checked; `data` is not copied.
 *
 * @throws SklarError ERR_SKLAR_VALUE naming `what` for anything else, and as `matrix`
 */
export function expectMatrix(value: Matrix, what: string): Matrix {
  if (typeof value !== 'object' || value === null || !('data' in value)) {
    throw new SklarError('ERR_SKLAR_VALUE', `expected a matrix for ${what}, got ${describe(value)}`);
  }
  const { data, rows, columns, names } = value;
  const checked = matrix(data, rows, columns);
  return names === undefined ? checked : { ...checked, names: expectTexts(names, 'the names of a matrix') };
}

/**
 * A matrix of Float64 from an array of rows of equal length.
 *
 * @throws SklarError ERR_SKLAR_VALUE for rows that are no arrays of numbers, ERR_SKLAR_SHAPE for rows of unequal lengths, or names that do not fit
 *
 * @example
 * ```ts
 * import { fromRows } from 'sklar';
 *
 * fromRows([[1, 2], [3, 4], [5, 6]]).data; // => [1, 2, 3, 4, 5, 6]
 * ```
 */
export function fromRows(rows: readonly ArrayLike<number>[], names?: readonly string[]): Matrix {
  if (names !== undefined) expectTexts(names, 'the names of a matrix');
  const numbers = Array.from(expectList(rows, 'the rows of a matrix'), (row, i) =>
    expectNumbers(row, `row ${i + 1} of a matrix`),
  );
  const columns = numbers[0]?.length ?? names?.length ?? 0;
  const data = new Float64Array(numbers.length * columns);
  numbers.forEach((row, i) => {
    if (row.length !== columns) {
      throw new SklarError(
        'ERR_SKLAR_SHAPE',
        `expected ${columns} values in every row, got ${row.length} (row ${i + 1})`,
      );
    }
    data.set(row, i * columns);
  });
  return matrix(data, numbers.length, columns, names);
}

/**
 * The rows of a matrix as plain arrays; meant for small matrices.
 *
 * @example
 * ```ts
 * import { matrix, toRows } from 'sklar';
 *
 * toRows(matrix(Float64Array.of(1, 2, 3, 4), 2, 2)); // => [[1, 2], [3, 4]]
 * ```
 */
export function toRows(values: Matrix): number[][] {
  const { data, rows, columns } = expectMatrix(values, 'toRows');
  return Array.from({ length: rows }, (_, i) => Array.from(data.subarray(i * columns, (i + 1) * columns)));
}

/** The rows with these numbers of dense data, in their order. */
export function pickRows(data: Float64Array, rows: ArrayLike<number>, columns: number): Float64Array {
  const picked = new Float64Array(rows.length * columns);
  for (let i = 0; i < rows.length; i++) {
    const first = rows[i]! * columns;
    picked.set(data.subarray(first, first + columns), i * columns);
  }
  return picked;
}

/**
 * A copy of column `j` (counted from 0), of length `rows`.
 *
 * @throws SklarError ERR_SKLAR_VALUE for a column that is not there
 *
 * @example
 * ```ts
 * import { column, fromRows } from 'sklar';
 *
 * column(fromRows([[1, 2], [3, 4]]), 1); // => [2, 4]
 * ```
 */
export function column(values: Matrix, j: number): Float64Array {
  const { data, rows, columns } = expectMatrix(values, 'column');
  expectInteger(j, 'the column index', { min: 0, max: columns - 1 });
  return Float64Array.from({ length: rows }, (_, i) => data[i * columns + j]!);
}
