import fc from 'fast-check';

import { Generator, hashText, hashWords, seedWords } from '../../lib/data/random';
import { splitRows } from '../../lib/data/split';
import { sklarError } from './support';

describe('splitRows', () => {
  test('partitions the rows into sorted parts of the asked size', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 2000 }),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        fc.nat(),
        (rows, fraction, seed) => {
          const { train, holdout } = splitRows(rows, fraction, seed);
          expect(train.length).toBeGreaterThanOrEqual(1);
          expect(Math.abs(holdout.length - rows * fraction)).toBeLessThanOrEqual(1);
          if (fraction > 0 && rows > 1) expect(holdout.length).toBeGreaterThanOrEqual(1);
          const all = [...train, ...holdout].sort((a, b) => a - b);
          expect(all).toEqual(Array.from({ length: rows }, (_, i) => i));
          for (const part of [train, holdout]) expect(part).toEqual(part.slice().sort());
        },
      ),
    );
  });

  test('is a function of its arguments', () => {
    expect(splitRows(1000, 0.2, 7)).toEqual(splitRows(1000, 0.2, 7n));
    expect(splitRows(1000, 0.2, 7)).not.toEqual(splitRows(1000, 0.2, 8));
    expect(splitRows(1000, 0.2, 7)).not.toEqual(splitRows(1000, 0.2, 7n + (1n << 32n)));
    // Fixed, because models are compared across versions on the same split.
    expect([...splitRows(20, 0.3, 1).holdout]).toEqual([6, 10, 11, 14, 17, 18]);
  });

  test('holds every row out equally often', () => {
    const counts = new Float64Array(50);
    for (let seed = 0; seed < 4000; seed++) for (const i of splitRows(50, 0.2, seed).holdout) counts[i]!++;
    // Binomial(4000, 0.2): mean 800, standard deviation 25; 5 of them.
    for (const count of counts) expect(Math.abs(count - 800)).toBeLessThan(127);
  });

  test.each([
    () => splitRows(0, 0.2, 1),
    () => splitRows(10, 1, 1),
    () => splitRows(10, -0.1, 1),
    () => splitRows(10, NaN, 1),
    () => splitRows(10, 0.2, -1),
    () => splitRows(10, 0.2, 0.5),
    () => splitRows(10, 0.2, 1n << 64n),
  ])('%p is a value error', async (work) => {
    await sklarError(work, 'ERR_SKLAR_VALUE');
  });
});

describe('random', () => {
  test('seeds are split into words', () => {
    expect(seedWords(0)).toEqual([0, 0]);
    expect(seedWords(2 ** 53 - 1)).toEqual([0xffffffff, 0x1fffff]);
    expect(seedWords((1n << 64n) - 1n)).toEqual([0xffffffff, 0xffffffff]);
  });

  test('xoshiro128** follows the published algorithm', () => {
    // The reference, written with 64-bit integers, from the same state.
    const state = [1, 2, 3, 4].map((word) => BigInt(hashWords(5, 6, word)));
    state[3]! |= 1n;
    const mask = 0xffffffffn;
    const rotate = (x: bigint, k: bigint): bigint => ((x << k) | (x >> (32n - k))) & mask;
    const reference = (): number => {
      const result = (rotate((state[1]! * 5n) & mask, 7n) * 9n) & mask;
      const shifted = (state[1]! << 9n) & mask;
      state[2]! ^= state[0]!;
      state[3]! ^= state[1]!;
      state[1]! ^= state[2]!;
      state[0]! ^= state[3]!;
      state[2]! ^= shifted;
      state[3] = rotate(state[3]!, 11n);
      return Number(result);
    };
    const generator = new Generator(5, 6);
    for (let i = 0; i < 1000; i++) expect(generator.next()).toBe(reference());
  });

  test('below is uniform', () => {
    const generator = new Generator(1);
    const counts = new Float64Array(7);
    for (let i = 0; i < 70_000; i++) counts[generator.below(7)]!++;
    // Standard deviation about 93; 5 of them.
    for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(463);
    expect(generator.below(1)).toBe(0);
    expect(generator.below(4294967296)).toBeLessThan(4294967296);
  });

  test('hashes of nearby words and texts differ', () => {
    const words = new Set<number>();
    for (let i = 0; i < 1000; i++) words.add(hashWords(1, 2, i));
    expect(words.size).toBe(1000);
    expect(new Set(['', 'a', 'b', 'ab', 'ba', 'x1', 'x2'].map(hashText)).size).toBe(7);
  });
});
