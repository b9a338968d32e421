/** Bytes and JSON that are nearly right. */
import { Generator } from '../../lib/data/random';

const NUMBERS = [
  '0', '-0', '-1', '1', '2', '255', '65536', '2147483648', '4294967296', '9007199254740993', '1e308', '1e400', '-1e-400',
  '5e-324', '0.1', 'NaN', 'Infinity', '1_000', '0x10', '1,5', '00012', '1e', '--1',
]; // prettier-ignore
const TEXTS = [
  '"', "'", '\\', '\n', '\r\n', '\0', '\u{feff}', '\u{d800}', '{', '}', '[', ']', ',', ';', '\t', '=', '<', '(', ')', ' and ',
  ' or ', 'not ', ' in ', 'null', 'true', '__proto__', 'constructor', 'é', '\u{1b}[31m', '2024-02-30', '31.12.1999', 'T', ':',
]; // prettier-ignore

/** Parts that stand in several places double with every turn. */
const LONGEST_JSON = 65_536;

export class Mutator {
  readonly #random: Generator;

  constructor(seed: number) {
    this.#random = new Generator(seed, 0x66757a7a);
  }

  below(count: number): number {
    return this.#random.below(count);
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)]!;
  }

  /** A few changes of some bytes; `other` lends parts. */
  bytes(source: Uint8Array, other: Uint8Array): Buffer {
    let bytes: Buffer = Buffer.from(source);
    for (let times = 1 + this.below(4); times > 0; times--) bytes = this.#change(bytes, other);
    return bytes;
  }

  #change(bytes: Buffer, other: Uint8Array): Buffer {
    const at = this.below(bytes.length + 1);
    const end = Math.min(bytes.length, at + 1 + this.below(this.below(8) === 0 ? 256 : 8));
    const [before, after] = [bytes.subarray(0, at), bytes.subarray(at)];
    switch (this.below(8)) {
      case 0:
        if (at < bytes.length) bytes[at]! ^= 1 << this.below(8);
        return bytes;
      case 1:
        if (at < bytes.length) bytes[at] = this.below(256);
        return bytes;
      case 2:
        return Buffer.concat([before, bytes.subarray(end)]);
      case 3:
        return Buffer.concat([before, bytes.subarray(at, end), after]);
      case 4:
        return Buffer.concat([before, Buffer.from(this.pick(TEXTS)), after]);
      case 5:
        return Buffer.concat([before, Buffer.from(this.pick(NUMBERS)), bytes.subarray(end)]);
      case 6:
        return Buffer.from(bytes.toString('latin1').replace(/-?\d+(?:\.\d+)?/g, (number) =>
          this.below(6) === 0 ? this.pick(NUMBERS) : number,
        ), 'latin1'); // prettier-ignore
      default: {
        const from = this.below(other.length + 1);
        return Buffer.concat([before, other.subarray(from, from + 1 + this.below(64)), bytes.subarray(end)]);
      }
    }
  }

  /** JSON with some of its parts replaced, left out or moved. */
  json(value: unknown): unknown {
    const copy = structuredClone(value);
    for (let times = 1 + this.below(3); times > 0; times--) this.#changeJson(copy);
    const text = JSON.stringify(copy);
    return text.length > LONGEST_JSON ? value : (JSON.parse(text) as unknown);
  }

  #changeJson(root: unknown): void {
    let holder = root as Record<string, unknown>;
    for (;;) {
      const keys = Object.keys(holder);
      if (keys.length === 0) return;
      const key = this.pick(keys);
      const inner = holder[key];
      if (typeof inner === 'object' && inner !== null && this.below(4) > 0) {
        holder = inner as Record<string, unknown>;
        continue;
      }
      switch (this.below(6)) {
        case 0:
          delete holder[key];
          return;
        case 1:
          holder[this.pick(['__proto__', 'x', this.pick(keys)])] = inner;
          return;
        case 2:
          holder[key] = holder[this.pick(keys)];
          return;
        case 3:
          holder[key] = typeof inner === 'number' ? String(inner) : [inner];
          return;
        default:
          holder[key] = this.pick<unknown>([
            0,
            -1,
            1,
            0.5,
            2 ** 31,
            2 ** 53,
            1e308,
            -1e308,
            5e-324,
            '',
            'x',
            null,
            true,
            [],
            {},
          ]);
          return;
      }
    }
  }
}
