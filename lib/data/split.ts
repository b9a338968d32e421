import { expectInteger, expectNumber } from '../errors';
import { Generator, type Seed, seedWords, shuffle } from './random';

/**
 * Splits the row numbers 0 .. rows-1 at random into training and held-out rows, both sorted.
 * The same arguments give the same split on every machine.
 *
 * @param rows number of rows, at least 1
 * @param holdoutFraction share of held-out rows, in [0, 1). The number is rounded, but at least one row stays for
 *   training, and a fraction above 0 holds out at least one row when there are two or more.
 * @throws SklarError ERR_SKLAR_VALUE
 *
 * @example
 * ```ts
 * import { splitRows } from 'sklar';
 *
 * const { train, holdout } = splitRows(10, 0.2, 1);
 * train.length; // => 8
 * holdout.length; // => 2
 * ```
 */
export function splitRows(
  rows: number,
  holdoutFraction: number,
  seed: Seed,
): { train: Uint32Array; holdout: Uint32Array } {
  expectInteger(rows, 'the number of rows', { min: 1, max: 0xffffffff });
  expectNumber(holdoutFraction, 'holdoutFraction', { min: 0, below: 1 });
  const words = seedWords(seed);

  const least = holdoutFraction > 0 ? 1 : 0;
  const heldOut = Math.min(rows - 1, Math.max(least, Math.round(rows * holdoutFraction)));

  const order = new Uint32Array(rows);
  for (let i = 0; i < rows; i++) order[i] = i;
  shuffle(order, 0, rows, new Generator(...words));
  return { train: order.slice(heldOut).sort(), holdout: order.slice(0, heldOut).sort() };
}
