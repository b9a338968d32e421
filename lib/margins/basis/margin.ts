import { SklarError, describe } from '../../errors';
import { type MarginDefinition, type MarginHandle, callNative } from '../../native';
import { expectDoubles } from '../../normal';
import type { Note } from '../../notes';

/** The two ends of the values a margin can take; -Infinity and Infinity where there is none. */
export type MarginSupport = readonly [number, number];

/** A margin as plain JSON: what `marginFromJSON` takes. Open ends of the support are null. */
export interface MarginJson {
  /** See `Margin.name`. */
  readonly name: string;
  /** See `Margin.support`. */
  readonly support: readonly [number | null, number | null];
  /** See `Margin.parameters`. */
  readonly parameters: Readonly<Record<string, number>>;
  /** What it is made of beside them. */
  readonly arrays: Readonly<Record<string, readonly number[]>>;
  /** Margins that it is made of. */
  readonly parts: Readonly<Record<string, MarginJson>>;
}

/** The same with typed arrays, as a model file stores it. */
export interface MarginState {
  readonly name: string;
  readonly support: MarginSupport;
  readonly parameters: Readonly<Record<string, number>>;
  readonly arrays: Readonly<Record<string, Float64Array>>;
  /** Margins that this one is made of. */
  readonly parts: Readonly<Record<string, MarginState>>;
}

/**
 * A univariate distribution F. All types share this interface; `name` says which one it is. Functions take and give one
 * number a value, in arrays of any length.
 *
 * @example
 * ```ts
 * import { fitMargin, type Margin } from 'sklar';
 *
 * const values = Float64Array.from({ length: 999 }, (_, i) => -Math.log((i + 1) / 1000));
 * const margin: Margin = fitMargin(values, 'exponential');
 * margin.quantile(Float64Array.of(0.5)); // => [0.69]
 * margin.survival(Float64Array.of(100)); // 1e-44, where 1 - cdf is 0
 * margin.returnLevels(Float64Array.of(1e6)); // => [13.8]
 * ```
 */
export abstract class Margin {
  /** Its type: a `MarginType` that was fitted. */
  abstract readonly name: string;
  /** Beyond its ends the density is zero. */
  abstract readonly support: MarginSupport;
  /** What was fitted, by name; of distributions that are made of data, what describes them beside the data. */
  abstract readonly parameters: Readonly<Record<string, number>>;
  /** Whether some values have positive probability; then F jumps there. */
  readonly hasAtoms: boolean = false;
  #notes: readonly Note[] = [];
  #handle: MarginHandle | undefined;

  /** What was decided when it was fitted. */
  get notes(): readonly Note[] {
    return this.#notes;
  }
  /** @internal */
  set notes(notes: readonly Note[]) {
    this.#notes = notes;
  }

  /** F(x) = P(X <= x). NaN gives NaN. */
  cdf(x: Float64Array): Float64Array {
    expectDoubles(x, 'the values of cdf');
    return callNative((addon) => addon.marginCdf(this.handle, x));
  }

  /** P(X < x), which is F(x) but at values of positive probability. */
  cdfBefore(x: Float64Array): Float64Array {
    expectDoubles(x, 'the values of cdfBefore');
    return callNative((addon) => addon.marginCdfBefore(this.handle, x));
  }

  /** P(X > x), relatively exact where it is small. */
  survival(x: Float64Array): Float64Array {
    expectDoubles(x, 'the values of survival');
    return callNative((addon) => addon.marginSurvival(this.handle, x));
  }

  /** The least x with F(x) >= u; NaN outside [0, 1]. The ends of the support at 0 and 1. */
  quantile(u: Float64Array): Float64Array {
    expectDoubles(u, 'the levels of quantile');
    return callNative((addon) => addon.marginQuantile(this.handle, u));
  }

  /**
   * Log density in nats per unit of x, -Infinity outside the support; at values of positive probability the log of it
   * (a density with respect to the Lebesgue measure plus the counting measure of these values).
   */
  logPdf(x: Float64Array): Float64Array {
    expectDoubles(x, 'the values of logPdf');
    return callNative((addon) => addon.marginLogPdf(this.handle, x));
  }

  /**
   * The values that one row in `period` exceeds on average, for each period (in rows, above 1, however long): where
   * `survival` is 1 / period.
   */
  returnLevels(periods: Float64Array): Float64Array {
    expectDoubles(periods, 'the periods of returnLevels');
    const shares = mapNumbers(periods, (period) => (period > 1 ? 1 / period : NaN));
    return callNative((addon) => addon.marginQuantileAbove(this.handle, shares));
  }

  /** @internal The arrays that the margin is made of. */
  protected arrays(): Readonly<Record<string, Float64Array>> {
    return {};
  }

  /** @internal */
  protected parts(): Readonly<Record<string, Margin>> {
    return {};
  }

  /** @internal What the native code computes it from. */
  protected abstract definition(): MarginDefinition;

  /** @internal The margin in native memory, made at its first use; for this library alone. */
  get handle(): MarginHandle {
    this.#handle ??= callNative((addon) => addon.marginCreate(this.definition()));
    return this.#handle;
  }

  /** @internal What a file stores of the margin. */
  state(): MarginState {
    return {
      name: this.name,
      support: this.support,
      parameters: this.parameters,
      arrays: this.arrays(),
      parts: Object.fromEntries(Object.entries(this.parts()).map(([part, margin]) => [part, margin.state()])),
    };
  }

  /** Plain JSON, the inverse of `marginFromJSON`. */
  toJSON(): MarginJson {
    return {
      name: this.name,
      support: [finiteOrNull(this.support[0]), finiteOrNull(this.support[1])],
      parameters: this.parameters,
      arrays: Object.fromEntries(Object.entries(this.arrays()).map(([key, data]) => [key, Array.from(data)])),
      parts: Object.fromEntries(
        Object.entries(this.parts()).map(([part, margin]) => [part, margin.toJSON()]),
      ),
    };
  }
}

function finiteOrNull(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}

/** Applies a function to every number of an array. */
export function mapNumbers(values: Float64Array, f: (value: number) => number): Float64Array {
  const out = new Float64Array(values.length);
  for (let i = 0; i < values.length; i++) out[i] = f(values[i]!);
  return out;
}

/** A column that a margin cannot be fitted to. */
export class MarginError extends SklarError {
  /** What the margin asks for. */
  readonly expected: string;

  constructor(expected: string, message: string) {
    super('ERR_SKLAR_VALUE', message);
    this.expected = expected.replace(/,$/, '');
  }
}

/** The error of a column that a margin cannot be fitted to. */
export function marginError(expected: string, margin: string, column: string, got: unknown): MarginError {
  const seen = typeof got === 'string' ? got : Array.isArray(got) ? JSON.stringify(got) : describe(got);
  const message = `expected ${expected} for the ${margin} margin of column ${describe(column)}, got ${seen}`;
  return new MarginError(expected, message);
}

/** Whether a margin of this name can be the continuous part of another one. */
export function isPart({ name }: { readonly name: string }): boolean {
  return name === 'empirical' || name === 'kde';
}

/** Whether its values can be rounded: it is made of data, and has no grid of its own. */
export function canBeRounded(margin: { readonly name: string }): boolean {
  return isPart(margin) || margin.name === 'zero-inflated' || margin.name === 'gpd';
}

/** Whether it can be the body between the tails of another one. */
export function isBody(margin: { readonly name: string }): boolean {
  return isPart(margin) || margin.name === 'zero-inflated' || margin.name === 'discrete';
}

/** The error of a stored margin that is damaged. */
export function stateError({ name }: MarginState, expected: string): SklarError {
  return new SklarError(
    'ERR_SKLAR_FORMAT',
    `expected ${expected} in a stored ${name} margin, got something else`,
  );
}

/** A finite parameter of a stored margin, greater than `above`. */
export function expectParameter(state: MarginState, key: string, above = -Infinity): number {
  const value = Object.hasOwn(state.parameters, key) ? state.parameters[key] : undefined;
  if (value !== undefined && Number.isFinite(value) && value > above) return value;
  throw stateError(state, `a number "${key}"${above === -Infinity ? '' : ` above ${above}`}`);
}

/** An array of a stored margin: finite numbers, ascending where asked. */
export function expectArray(
  state: MarginState,
  key: string,
  { length, least = 1, strictly }: { length?: number; least?: number; strictly?: boolean } = {},
): Float64Array {
  const data = Object.hasOwn(state.arrays, key) ? state.arrays[key] : undefined;
  const good =
    data !== undefined &&
    data.length >= least &&
    (length === undefined || data.length === length) &&
    data.every((value, k) => Number.isFinite(value) && (!strictly || k === 0 || value > data[k - 1]!));
  if (good) return data;
  throw stateError(state, `${strictly ? 'ascending ' : ''}numbers "${key}"`);
}
