/** A dense matrix. `data` has `rows * columns` elements in row-major order: element (i, j) is `data[i * columns + j]`. */
export interface Matrix {
  /** Row-major. */
  readonly data: Float32Array | Float64Array;
  /** How many. */
  readonly rows: number;
  /** How many. */
  readonly columns: number;
  /** One name a column, where the columns have names. */
  readonly names?: readonly string[];
}
