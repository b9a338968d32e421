/** Margins of one column. */

declare const marginHandle: unique symbol;
/** A margin in native memory; freed by the garbage collector. */
export interface MarginHandle {
  readonly [marginHandle]: never;
}

/** Least and greatest value. */
type NativeSupport = Float64Array;

export interface KdeDefinition {
  kind: 'kde';
  support: NativeSupport;
  location: number;
  scale: number;
  from: number;
  step: number;
  lowerScale: number;
  upperScale: number;
  heights: Float64Array;
}

export interface NativeTail {
  threshold: number;
  scale: number;
  shape: number;
  /** The probability beyond the threshold; NaN: what the body has there. */
  mass: number;
}

/** A margin of native/margins. */
export type MarginDefinition =
  | {
      kind: 'empirical';
      support: NativeSupport;
      rows: number;
      lowerScale: number;
      upperScale: number;
      values: Float64Array;
      levels: Float64Array;
    }
  | { kind: 'discrete'; values: Float64Array; last: Float64Array }
  | KdeDefinition
  | { kind: 'rounded'; of: MarginHandle; origin: number; step: number }
  | { kind: 'zero-inflated'; atoms: Float64Array; masses: Float64Array; rest: MarginHandle }
  | {
      kind: 'gpd';
      body: MarginHandle;
      support: NativeSupport;
      lower: NativeTail | null;
      upper: NativeTail | null;
    }
  | { kind: 'law'; family: string; parameters: Float64Array };

export interface MarginsAddon {
  marginCreate(definition: MarginDefinition): MarginHandle;
  marginSupport(margin: MarginHandle): Float64Array;
  marginCdf(margin: MarginHandle, values: Float64Array): Float64Array;
  marginCdfBefore(margin: MarginHandle, values: Float64Array): Float64Array;
  marginSurvival(margin: MarginHandle, values: Float64Array): Float64Array;
  marginQuantile(margin: MarginHandle, values: Float64Array): Float64Array;
  /** The x with P(X > x) = q. */
  marginQuantileAbove(margin: MarginHandle, values: Float64Array): Float64Array;
  marginLogPdf(margin: MarginHandle, values: Float64Array): Float64Array;
  /** Of the whole density. */
  kdeIntegral(definition: KdeDefinition): number;
  /** The mean of minus log f, of the probabilities of intervals where the step is positive. */
  lawLoss(
    family: string,
    parameters: Float64Array,
    values: Float64Array,
    counts: Float64Array,
    step: number,
  ): number;
  /** Maximum likelihood of ascending excesses, and their Cramer-von Mises distance from the law. */
  paretoFit(
    excesses: Float64Array,
    leastShape: number,
    weights: Float64Array | null,
  ): { scale: number; shape: number; distance: number };
}
