/** Rows of records as aligned columns, printed as they come. */
const WIDEST = 34;

export function cell(value) {
  if (value === null || value === undefined) return '';
  if (value === true) return 'ok';
  if (value === false) return 'FAILED';
  if (typeof value !== 'number') return Array.isArray(value) ? value.join(' ') : String(value);
  if (Number.isInteger(value)) return String(value);
  const size = Math.abs(value);
  if (size < 1e-3 || size >= 1e6) return value.toExponential(1);
  return value.toPrecision(size < 1 ? 3 : 4);
}

export class Columns {
  #print;
  #names = [];
  #widths = [];
  #held = [];

  constructor(print) {
    this.#print = print;
  }

  /** The first rows are held back until the widths are known; a row of other columns starts a new table. */
  add(row) {
    const names = Object.keys(row).filter((name) => typeof row[name] !== 'object' || row[name] === null);
    if (names.join() !== this.#names.join()) {
      this.flush();
      this.#names = names;
      this.#widths = [];
    }
    const cells = names.map((name) => cell(row[name]));
    if (this.#widths.length > 0) this.#line(cells);
    else if (this.#held.push(cells) >= 8) this.flush();
  }

  flush() {
    if (this.#held.length === 0) return;
    this.#widths = this.#names.map((name, i) =>
      Math.min(WIDEST, Math.max(name.length, ...this.#held.map((cells) => cells[i].length))),
    );
    this.#line(this.#names);
    for (const cells of this.#held.splice(0)) this.#line(cells);
  }

  #line(cells) {
    this.#print(
      cells
        .map((text, i) => text.padEnd(this.#widths[i]))
        .join('  ')
        .trimEnd(),
    );
  }
}
