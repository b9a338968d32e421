import { SklarError } from '../../errors';

/** Anything that gives the values of a column one by one. */
export interface ValueSource {
  getItem(index: number): unknown;
}

/** A column of numbers of unknown length that grows as its values arrive; NaN: missing. */
export class NumberBuilder {
  #values: Float64Array;
  #rows = 0;
  #missing = 0;
  #infinite = 0;
  #integer = true;
  #large = false;

  /** @param expectedRows the number of rows, where it is known: then nothing is copied */
  constructor(expectedRows = 0) {
    this.#values = allocate(expectedRows);
  }

  get rows(): number {
    return this.#rows;
  }

  /** How many are NaN. */
  get missing(): number {
    return this.#missing;
  }

  /** How many are infinite. */
  get infinite(): number {
    return this.#infinite;
  }

  /** Whether all others are safe integers. */
  get integer(): boolean {
    return this.#integer;
  }

  /** Whether some values are integers beyond those that doubles have all of, so that they may have been rounded. */
  get large(): boolean {
    return this.#large;
  }

  /** Appends the first `count` values of a source of numbers. */
  append(source: ValueSource, count: number): void {
    this.#reserve(this.#rows + count);
    const values = this.#values;
    const begin = this.#rows;
    for (let i = 0; i < count; i++) {
      const value = source.getItem(i) as number;
      values[begin + i] = value;
      if (!Number.isSafeInteger(value)) this.#look(value);
    }
    this.#rows += count;
  }

  /** Appends one value. */
  push(value: number): void {
    this.#reserve(this.#rows + 1);
    this.#values[this.#rows++] = value;
    if (!Number.isSafeInteger(value)) this.#look(value);
  }

  /** The values so far, a view of the builder's own. */
  finish(): Float64Array {
    if (this.#values.length !== this.#rows) this.#values = this.#values.slice(0, this.#rows);
    return this.#values;
  }

  #look(value: number): void {
    if (Number.isNaN(value)) this.#missing++;
    else {
      this.#integer = false;
      if (!Number.isFinite(value)) this.#infinite++;
      else if (Number.isInteger(value)) this.#large = true;
    }
  }

  #reserve(rows: number): void {
    if (rows <= this.#values.length) return;
    const larger = allocate(Math.max(rows, 2 * this.#values.length, 4096));
    larger.set(this.#values.subarray(0, this.#rows));
    this.#values = larger;
  }
}

function allocate(rows: number): Float64Array {
  try {
    return new Float64Array(rows);
  } catch (cause) {
    throw new SklarError('ERR_SKLAR_MEMORY', `cannot allocate a column of ${rows} rows`, { cause });
  }
}
