import { SklarError } from '../../errors';
import { DecimalCounter } from './column-type';
import { ClockCounter } from './clocks';
import { DayCounter } from './days';

/**
 * A column of numbers that grows as its cells arrive, and what there is to know of them: of a column that is not kept that alone.
 */
export class NumberBuilder {
  readonly #keep: boolean;
  readonly #decimals = new DecimalCounter();
  readonly #days = new DayCounter();
  readonly #clocks = new ClockCounter();
  #values: Float64Array;
  #rows = 0;
  #missing = 0;
  #others = 0;
  #infinite = 0;
  #fraction: number | undefined;

  /** @param expectedRows the number of rows, where it is known: then nothing is copied */
  constructor(expectedRows = 0, keep = true) {
    this.#keep = keep;
    this.#values = allocate(keep ? expectedRows : 0);
  }

  get rows(): number {
    return this.#rows;
  }

  /** How many cells hold nothing. */
  get missing(): number {
    return this.#missing;
  }

  /** How many cells are no numbers, or none that a double holds: their texts have to be looked at. */
  get others(): number {
    return this.#others;
  }

  /** How many are infinite. */
  get infinite(): number {
    return this.#infinite;
  }

  /** Whether all numbers are safe integers. */
  get integer(): boolean {
    return this.#fraction === undefined && this.#infinite === 0;
  }

  /** The first finite number that is no safe integer. */
  get fraction(): number | undefined {
    return this.#fraction;
  }

  /** See `decimalsOf`. */
  get decimals(): number | undefined {
    return this.#decimals.decimals;
  }

  /** The first one, where all are dates that are written as whole numbers, 20240131. */
  get day(): number | undefined {
    return this.integer && this.#days.found ? this.#days.first : undefined;
  }

  /** The first one, where all are times of day that are written as whole numbers, 930, in a column of this name. */
  clock(name: string): number | undefined {
    return this.integer && this.#clocks.found(name) ? this.#clocks.first : undefined;
  }

  /** Appends the first `count` cells of a source: null is missing, NaN another text. */
  append(source: { getItem(index: number): unknown }, count: number): void {
    this.#reserve(this.#rows + count);
    for (let i = 0; i < count; i++) this.#take(source.getItem(i) as number | null);
  }

  /** Appends one cell. */
  push(value: number | null): void {
    this.#reserve(this.#rows + 1);
    this.#take(value);
  }

  /** The values so far, a view of the builder's own. */
  finish(): Float64Array {
    if (this.#keep && this.#values.length !== this.#rows) this.#values = this.#values.slice(0, this.#rows);
    return this.#values;
  }

  #take(value: number | null): void {
    if (this.#keep) this.#values[this.#rows] = value ?? NaN;
    this.#rows++;
    if (value === null) this.#missing++;
    else if (Number.isNaN(value)) this.#others++;
    else {
      this.#decimals.push(value);
      this.#days.push(value);
      this.#clocks.push(value);
      if (Number.isSafeInteger(value)) return;
      if (!Number.isFinite(value)) this.#infinite++;
      else this.#fraction ??= value;
    }
  }

  #reserve(rows: number): void {
    if (!this.#keep || rows <= this.#values.length) return;
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
