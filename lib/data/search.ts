/** Searching ascending numbers, and linear interpolation between neighbours. */

/** The position of the first element of the ascending `values` that is not below `x`; their number if there is none. */
export function lowerBound(values: Float64Array, x: number, low = 0, high = values.length): number {
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (values[middle]! < x) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The same, searched in growing steps away from a guess: fast when the guess is near. */
export function lowerBoundNear(values: Float64Array, x: number, guess: number): number {
  let next = guess;
  if (values[guess]! < x) {
    for (let step = 1; next < values.length && values[next]! < x; step *= 2) next += step;
    return lowerBound(values, x, guess + 1, Math.min(next, values.length));
  }
  for (let step = 1; next >= 0 && values[next]! >= x; step *= 2) next -= step;
  return lowerBound(values, x, Math.max(next + 1, 0), guess);
}

/** Where x lies between lower and upper, from 0 to 1. Halves, because the difference of large values can overflow. */
export function position(x: number, lower: number, upper: number): number {
  const span = upper - lower;
  return Number.isFinite(span) ? (x - lower) / span : (x / 2 - lower / 2) / (upper / 2 - lower / 2);
}

/** The inverse of `position`: increases with the fraction also under rounding, and stays between lower and upper. */
export function interpolate(fraction: number, lower: number, upper: number): number {
  const span = upper - lower;
  if (Number.isFinite(span)) return Math.min(upper, lower + fraction * span);
  return Math.min(upper, 2 * (lower / 2 + fraction * (upper / 2 - lower / 2)));
}
