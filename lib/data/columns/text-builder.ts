import { NumberBuilder } from './number-builder';
import type { Texts } from './infer-type';

/** A column of texts that grows as its cells arrive; equal texts are held once, and cells only of a column that is kept. */
export class TextBuilder {
  readonly #texts: string[] = [];
  readonly #counts: number[] = [];
  readonly #position = new Map<string, number>();
  readonly #cells: NumberBuilder;

  constructor(expectedRows = 0, keep = true) {
    this.#cells = new NumberBuilder(expectedRows, keep);
  }

  get rows(): number {
    return this.#cells.rows;
  }

  /** @param text null, or nothing but spaces: missing */
  push(text: string | null): void {
    if (text === null || text.trim() === '') {
      this.#cells.push(null);
      return;
    }
    let k = this.#position.get(text);
    if (k === undefined) {
      k = this.#texts.push(text) - 1;
      this.#counts.push(0);
      this.#position.set(text, k);
    }
    this.#counts[k]!++;
    this.#cells.push(k);
  }

  /** Adds missing cells up to so many rows. */
  fillTo(rows: number): void {
    while (this.rows < rows) this.push(null);
  }

  /** The different texts. */
  texts(name: string): Texts {
    return { name, texts: this.#texts, counts: this.#counts };
  }

  /** Number of a text among the different ones; undefined: it is none of them. */
  indexOf(text: string): number | undefined {
    return this.#position.get(text);
  }

  /** A number for each cell, given those of the different texts. */
  finish(values: Float64Array): Float64Array {
    const cells = this.#cells.finish();
    for (let i = 0; i < cells.length; i++) {
      const k = cells[i]!;
      if (!Number.isNaN(k)) cells[i] = values[k]!;
    }
    return cells;
  }
}
