/** Series for tests. */
import { Generator } from '../../lib/data/random';

export { Generator };

export function normalNumbers(generator: Generator, n: number): Float64Array {
  return Float64Array.from({ length: n }, () => {
    const u = (generator.next() + 0.5) / 2 ** 32;
    return Math.sqrt(-2 * Math.log(u)) * Math.cos(2 * Math.PI * (generator.next() / 2 ** 32));
  });
}

/** A stationary autoregression of order 1 with innovations of variance 1. */
export function autoregression(generator: Generator, n: number, phi: number): Float64Array {
  const values = normalNumbers(generator, n);
  values[0]! /= Math.sqrt(1 - phi * phi);
  for (let i = 1; i < n; i++) values[i]! += phi * values[i - 1]!;
  return values;
}
