import { types } from 'node:util';

import { SklarError } from './errors';
import { callNative } from './native';

/** @throws SklarError ERR_SKLAR_VALUE for anything but a Float64Array */
export function expectDoubles(values: Float64Array, what: string): void {
  // Not instanceof: arrays may come from another realm.
  if (!types.isFloat64Array(values)) {
    throw new SklarError('ERR_SKLAR_VALUE', `expected a Float64Array for ${what}`);
  }
}

/**
 * Standard normal cdf of each value, to full double precision in both tails: from the Gaussian scale to the copula scale.
 *
 * @throws SklarError ERR_SKLAR_VALUE for anything but a Float64Array
 *
 * @example
 * ```ts
 * import { normalCdf } from 'sklar';
 *
 * normalCdf(Float64Array.of(0, 1.96)); // => [0.5, 0.975]
 * ```
 */
export function normalCdf(values: Float64Array): Float64Array {
  expectDoubles(values, 'the values of normalCdf');
  return callNative((addon) => addon.normalCdf(values));
}

/**
 * Standard normal quantile of each value, from the copula scale to the Gaussian scale; -Infinity at 0, Infinity at 1, NaN
 * outside.
 *
 * @throws SklarError ERR_SKLAR_VALUE for anything but a Float64Array
 *
 * @example
 * ```ts
 * import { normalQuantile } from 'sklar';
 *
 * normalQuantile(Float64Array.of(0.5, 0.975)); // => [0, 1.96]
 * ```
 */
export function normalQuantile(values: Float64Array): Float64Array {
  expectDoubles(values, 'the values of normalQuantile');
  return callNative((addon) => addon.normalQuantile(values));
}
