/**
 * The small generators that decide splits and ties on the host. They use 32-bit integer arithmetic only, so
 * the same seed gives the same numbers on every machine. Sampling itself uses the Philox generator of the
 * native core.
 */
import { SklarError, describe } from '../errors';

/** A 64-bit seed: an integer from 0 to 2^53 - 1 as a number, or to 2^64 - 1 as a bigint. */
export type Seed = number | bigint;

/**
 * The low and high 32-bit words of a seed.
 *
 * @throws SklarError ERR_SKLAR_VALUE when it is not an integer in the range
 */
export function seedWords(seed: Seed, name = 'seed'): [number, number] {
  if (typeof seed === 'number' && Number.isSafeInteger(seed) && seed >= 0) {
    return [seed >>> 0, Math.floor(seed / 4294967296)];
  }
  if (typeof seed === 'bigint' && seed >= 0n && seed < 1n << 64n) {
    return [Number(seed & 0xffffffffn), Number(seed >> 32n)];
  }
  throw new SklarError(
    'ERR_SKLAR_VALUE',
    `expected an integer from 0 to 2^53 - 1, or a bigint below 2^64, for ${name}, got ${describe(seed)}`,
  );
}

/**
 * A seed as the native core takes it.
 *
 * @throws SklarError ERR_SKLAR_VALUE when it is not an integer in the range
 */
export function resolveSeed(seed: Seed): bigint {
  const [low, high] = seedWords(seed);
  return (BigInt(high) << 32n) | BigInt(low);
}

/** A bijection of 32-bit words whose output bits depend on all input bits (the finaliser of MurmurHash3). */
function mix(word: number): number {
  word = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
  word = Math.imul(word ^ (word >>> 13), 0xc2b2ae35);
  return (word ^ (word >>> 16)) >>> 0;
}

/** One 32-bit word from a sequence of words: a counter-based generator keyed by all but the last of them. */
export function hashWords(...words: number[]): number {
  let hash = 0x9e3779b9;
  for (const word of words) hash = mix((Math.imul(hash, 5) + 0xe6546b64) ^ mix(word));
  return hash;
}

/** A 32-bit hash of a text (FNV-1a over its UTF-16 units, then mixed), used to give each column its own stream. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return mix(hash);
}

/** xoshiro128** (Blackman and Vigna, 2018), seeded by hashing the given words. */
export class Generator {
  #a: number;
  #b: number;
  #c: number;
  #d: number;

  constructor(...words: number[]) {
    this.#a = hashWords(...words, 1);
    this.#b = hashWords(...words, 2);
    this.#c = hashWords(...words, 3);
    this.#d = hashWords(...words, 4) | 1; // the state must not be all zeros
  }

  /** A uniform 32-bit word. */
  next(): number {
    const product = Math.imul(this.#b, 5);
    const result = Math.imul((product << 7) | (product >>> 25), 9) >>> 0;
    const shifted = this.#b << 9;
    this.#c ^= this.#a;
    this.#d ^= this.#b;
    this.#b ^= this.#c;
    this.#a ^= this.#d;
    this.#c ^= shifted;
    this.#d = (this.#d << 11) | (this.#d >>> 21);
    return result;
  }

  /** A uniform integer in [0, bound), without bias; 1 <= bound <= 2^32. */
  below(bound: number): number {
    const limit = 4294967296 - (4294967296 % bound);
    for (;;) {
      const word = this.next();
      if (word < limit) return word % bound;
    }
  }
}

/** Permutes `values[begin..end)` uniformly (Fisher-Yates). */
export function shuffle(values: Uint32Array, begin: number, end: number, generator: Generator): void {
  for (let i = end - 1; i > begin; i--) {
    const k = begin + generator.below(i - begin + 1);
    const value = values[i]!;
    values[i] = values[k]!;
    values[k] = value;
  }
}
