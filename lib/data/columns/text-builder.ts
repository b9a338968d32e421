import { NumberBuilder } from './number-builder';
import type { Texts } from './infer-type';

/** A column of texts that grows as its cells arrive; equal texts are held once. */
export class TextBuilder {
  readonly #texts: string[] = [];
  readonly #counts: number[] = [];
  readonly #position = new Map<string, number>();
  readonly #cells = new NumberBuilder();

  get rows(): number {
    return this.#cells.rows;
  }

  /** @param text null, or nothing but spaces: missing */
  push(text: string | null): void {
    if (text === null || text.trim() === '') {
      this.#cells.push(NaN);
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

  /** The different texts. */
  texts(name: string): Texts {
    return { name, texts: this.#texts, counts: this.#counts };
  }

  /** A number for each cell, given those of the different texts; the builder is of no use afterwards. */
  finish(values: Float64Array): Float64Array {
    const cells = this.#cells.finish();
    for (let i = 0; i < cells.length; i++) {
      const k = cells[i]!;
      if (!Number.isNaN(k)) cells[i] = values[k]!;
    }
    return cells;
  }
}
