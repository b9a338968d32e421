import {
  type GeneralisedPareto,
  chooseThreshold,
  excessesOf,
  fitPareto,
  paretoBeyond,
  paretoExcess,
  paretoLogPdf,
} from './gpd-fit';
import {
  Margin,
  type MarginState,
  type Support,
  expectParameter,
  isPart,
  marginError,
  stateError,
} from './margin';
import type { SortedColumn } from './sorted';

/** Fewer values do not say how a tail falls. */
const FEWEST_EXCESSES = 10;

interface Tail extends GeneralisedPareto {
  readonly threshold: number;
}

/** A side of the data; the lower tail is the upper one of -x. */
type Side = 'lower' | 'upper';

/** Thresholds: a value, `auto` (see `chooseThreshold`), or null for no tail of its own. */
export type Thresholds = Readonly<Record<Side, number | 'auto' | null>>;

/**
 * A body, empirical or kernel, whose tails beyond thresholds are generalised Pareto laws fitted to the excesses by maximum
 * likelihood (Pickands, Balkema and de Haan). A tail has the mass that the body has there, so F is continuous.
 */
export class GpdMargin extends Margin {
  readonly name = 'gpd';
  readonly support: Support;
  readonly parameters: Readonly<Record<string, number>>;
  override readonly hasAtoms: boolean;
  /** The margin between the thresholds. */
  readonly body: Margin;
  readonly #tails: Readonly<Partial<Record<Side, Tail>>>;
  readonly #masses: Readonly<Record<Side, number>>;

  constructor(body: Margin, tails: Readonly<Partial<Record<Side, Tail>>>) {
    super();
    const { lower, upper } = tails;
    this.body = body;
    this.hasAtoms = body.hasAtoms;
    this.#tails = tails;
    this.#masses = {
      lower: lower ? body.cdf(Float64Array.of(lower.threshold))[0]! : 0,
      upper: upper ? 1 - body.cdf(Float64Array.of(upper.threshold))[0]! : 0,
    };
    this.support = [
      lower ? lower.threshold - endOf(lower) : body.support[0],
      upper ? upper.threshold + endOf(upper) : body.support[1],
    ];
    this.parameters = Object.fromEntries(
      Object.entries(tails).flatMap(([side, { threshold, scale, shape }]) => [
        [`${side}Threshold`, threshold],
        [`${side}Scale`, scale],
        [`${side}Shape`, shape],
      ]),
    );
  }

  /** @throws SklarError ERR_SKLAR_VALUE naming the column: a threshold with fewer than 10 values beyond it, or no tail */
  static fit({ sorted, column }: SortedColumn, body: Margin, thresholds: Thresholds): GpdMargin {
    const tailOf = (side: Side, values: Float64Array): Tail | undefined => {
      const wanted = thresholds[side];
      if (wanted === null) return undefined;
      const sign = side === 'upper' ? 1 : -1;
      const threshold = wanted === 'auto' ? chooseThreshold(values) : sign * wanted;
      const excesses = threshold === undefined ? new Float64Array(0) : excessesOf(values, threshold);
      if (threshold === undefined || excesses.length < FEWEST_EXCESSES || excesses[0] === excesses.at(-1)) {
        const where = wanted === 'auto' ? 'the quantile at 0.7 (30 of them)' : String(wanted);
        throw marginError(
          `at least ${FEWEST_EXCESSES} values beyond the ${side} threshold, ${where},`,
          'gpd',
          column,
          `${excesses.length} of ${sorted.length}`,
        );
      }
      return { threshold: sign * threshold, ...fitPareto(excesses) };
    };
    const upper = tailOf('upper', sorted);
    const lower = tailOf('lower', sorted.map((value) => -value).reverse());
    if (!upper && !lower) throw marginError('a tail at an open end of the support', 'gpd', column, 'none');
    if (lower && upper && lower.threshold >= upper.threshold) {
      throw marginError(
        'a lower threshold below the upper one',
        'gpd',
        column,
        `${lower.threshold} and ${upper.threshold}`,
      );
    }
    return new GpdMargin(body, { ...(lower && { lower }), ...(upper && { upper }) });
  }

  static fromState(state: MarginState, body: Margin): GpdMargin {
    const sides = (['lower', 'upper'] as const).filter((side) =>
      Object.hasOwn(state.parameters, `${side}Threshold`),
    );
    const tails = sides.map((side) => [
      side,
      {
        threshold: expectParameter(state, `${side}Threshold`),
        scale: expectParameter(state, `${side}Scale`, 0),
        shape: expectParameter(state, `${side}Shape`),
      },
    ]);
    if (tails.length === 0 || !isPart(body)) {
      throw stateError(state, 'a threshold and a body');
    }
    return new GpdMargin(body, Object.fromEntries(tails) as Partial<Record<Side, Tail>>);
  }

  cdf(x: Float64Array): Float64Array {
    return this.#withTails(x, this.body.cdf(x));
  }

  override cdfBefore(x: Float64Array): Float64Array {
    return this.#withTails(x, this.body.cdfBefore(x));
  }

  #withTails(x: Float64Array, out: Float64Array): Float64Array {
    this.#inTails(x, (i, y, side, tail) => {
      const beyond = this.#masses[side] * paretoBeyond(y, tail);
      out[i] = side === 'lower' ? beyond : 1 - beyond;
    });
    return out;
  }

  quantile(u: Float64Array): Float64Array {
    const { lower, upper } = this.#tails;
    const out = this.body.quantile(u);
    for (let i = 0; i < u.length; i++) {
      if (lower && u[i]! >= 0 && u[i]! < this.#masses.lower) {
        out[i] = Math.max(this.support[0], lower.threshold - paretoExcess(u[i]! / this.#masses.lower, lower));
      } else if (upper && 1 - u[i]! < this.#masses.upper && u[i]! <= 1) {
        out[i] = Math.min(
          this.support[1],
          upper.threshold + paretoExcess((1 - u[i]!) / this.#masses.upper, upper),
        );
      }
    }
    return out;
  }

  logPdf(x: Float64Array): Float64Array {
    const out = this.body.logPdf(x);
    this.#inTails(x, (i, y, side, tail) => {
      out[i] = Math.log(this.#masses[side]) + paretoLogPdf(y, tail);
    });
    return out;
  }

  protected override parts() {
    return { body: this.body };
  }

  /** Visits the values beyond the thresholds with their excesses. */
  #inTails(x: Float64Array, visit: (i: number, excess: number, side: Side, tail: Tail) => void): void {
    const { lower, upper } = this.#tails;
    for (let i = 0; i < x.length; i++) {
      if (upper && x[i]! > upper.threshold) visit(i, x[i]! - upper.threshold, 'upper', upper);
      else if (lower && x[i]! < lower.threshold) visit(i, lower.threshold - x[i]!, 'lower', lower);
    }
  }
}

/** The greatest excess. */
function endOf({ scale, shape }: GeneralisedPareto): number {
  return shape < 0 ? -scale / shape : Infinity;
}
