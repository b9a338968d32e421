import { SklarError, describe } from '../../errors';
import { type ColumnKind, Table, listNames } from '../table';

/** Values that are not finite numbers: how many, and where the first one is (rows counted from 1). */
export interface Problem {
  readonly kind: 'missing' | 'NaN' | 'infinite' | 'text' | 'rounded' | 'vanished';
  readonly count: number;
  readonly row: number;
  /** The first value, for text and for numbers that a double would not keep. */
  readonly example?: string;
}

/** What is wrong with a column. */
export interface ColumnProblems {
  readonly name: string;
  readonly problems: readonly Problem[];
}

/** Anything that gives the values of a column one by one. */
export interface ValueSource {
  getItem(index: number): unknown;
}

/** A column of unknown length that grows as its values arrive. */
export class ColumnBuilder {
  #values: Float64Array;
  #rows = 0;
  #finite = true;
  #integer = true;
  #large = false;

  /** @param expectedRows the number of rows, where it is known: then nothing is copied */
  constructor(expectedRows = 0) {
    this.#values = allocate(expectedRows);
  }

  get rows(): number {
    return this.#rows;
  }

  /** Whether all values so far are finite. */
  get finite(): boolean {
    return this.#finite;
  }

  /** Whether all values so far are safe integers. */
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

  /** Appends one value, NaN for one that is not a number. */
  push(value: number): void {
    this.#reserve(this.#rows + 1);
    this.#values[this.#rows++] = value;
    if (!Number.isSafeInteger(value)) this.#look(value);
  }

  /** The values; the builder is of no use afterwards. */
  finish(): Float64Array {
    const values = this.#values.length === this.#rows ? this.#values : this.#values.slice(0, this.#rows);
    this.#values = new Float64Array(0);
    return values;
  }

  #look(value: number): void {
    this.#integer = false;
    if (!Number.isFinite(value)) this.#finite = false;
    else if (Number.isInteger(value)) this.#large = true;
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

/** The table of finished columns; throws ERR_SKLAR_VALUE when it has no rows. */
export function finishTable(
  names: readonly string[],
  builders: readonly ColumnBuilder[],
  kinds: readonly ColumnKind[],
  file: string,
): Table {
  if ((builders[0]?.rows ?? 0) === 0) {
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      `expected at least one row of data, got none (${describe(file)})`,
    );
  }
  return new Table(
    names,
    builders.map((builder) => builder.finish()),
    kinds,
  );
}

/** Whether a whole-number text is neither the value of a double nor what a double is written as. */
export function isRounded(text: string): boolean {
  const digits = /^\s*[-+]?(\d[\d_]*)(?:\.0*)?\s*$/.exec(text)?.[1]?.replaceAll('_', '');
  if (digits === undefined) return false;
  const number = Number(digits);
  if (Number.isSafeInteger(number) || !Number.isFinite(number)) return false;
  return BigInt(digits) !== BigInt(number) && String(number) !== digits;
}

/** Texts of numbers that are not 0; where they are read as 0, as 1e-400 is, a double cannot hold them. */
export const VANISHED = /^[^eE]*[1-9]/;

function describeProblem({ kind, count, row, example }: Problem): string {
  const one = count === 1;
  const values =
    kind === 'rounded'
      ? `${count} ${one ? 'integer' : 'integers'} beyond 2^53 that would be rounded`
      : kind === 'vanished'
        ? `${count} ${one ? 'number' : 'numbers'} below 5e-324 that would be 0`
        : `${count} ${kind} ${one ? 'value' : 'values'}`;
  const first = count === 1 ? `in row ${row}` : `first in row ${row}`;
  return `${values} (${example === undefined ? '' : `${describe(example)} `}${first})`;
}

/** The ERR_SKLAR_VALUE for columns that hold something else than finite numbers. */
export function problemsError(columns: readonly ColumnProblems[], file: string): SklarError {
  const shown = columns
    .slice(0, 10)
    .map(
      ({ name, problems }) => `${problems.map(describeProblem).join(' and ')} in column ${describe(name)}`,
    );
  if (columns.length > shown.length) shown.push(`and more in ${columns.length - shown.length} other columns`);
  const names = listNames(columns.map(({ name }) => name));
  return new SklarError(
    'ERR_SKLAR_VALUE',
    `expected finite numbers in every column, got ${shown.join('; ')} (${describe(file)}); ` +
      `remove the rows, or leave the columns out with exclude: [${names}]`,
  );
}
