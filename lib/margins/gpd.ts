import type { MarginDefinition } from '../native';
import { type GeneralisedPareto, chooseThreshold, excessesOf, fitPareto } from './gpd-fit';
import {
  Margin,
  type MarginState,
  type Support,
  expectParameter,
  isBody,
  marginError,
  stateError,
} from './margin';
import type { SortedColumn } from './sorted';
import type { Steps } from './steps';

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
 * likelihood (Pickands, Balkema and de Haan). A tail has the mass that the body has there, so F is continuous at the thresholds.
 */
export class GpdMargin extends Margin {
  readonly name = 'gpd';
  readonly support: Support;
  readonly parameters: Readonly<Record<string, number>>;
  override readonly hasAtoms: boolean;
  /** The margin between the thresholds. */
  readonly body: Margin;
  readonly #tails: Readonly<Partial<Record<Side, Tail>>>;

  constructor(body: Margin, tails: Readonly<Partial<Record<Side, Tail>>>) {
    super();
    const { lower, upper } = tails;
    this.body = body;
    this.hasAtoms = body.hasAtoms;
    this.#tails = tails;
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
  static *fit({ sorted, column }: SortedColumn, body: Margin, thresholds: Thresholds): Steps<GpdMargin> {
    function* tailOf(side: Side, values: Float64Array): Steps<Tail | undefined> {
      const wanted = thresholds[side];
      if (wanted === null) return undefined;
      const sign = side === 'upper' ? 1 : -1;
      const threshold = wanted === 'auto' ? yield* chooseThreshold(values) : sign * wanted;
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
      const { scale, shape } = fitPareto(excesses);
      return { threshold: sign * threshold, scale, shape };
    }
    const upper = yield* tailOf('upper', sorted);
    const lower = yield* tailOf('lower', sorted.map((value) => -value).reverse());
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
    if (tails.length === 0 || !isBody(body)) throw stateError(state, 'a threshold and a body');
    return new GpdMargin(body, Object.fromEntries(tails) as Partial<Record<Side, Tail>>);
  }

  protected override parts() {
    return { body: this.body };
  }

  protected override definition(): MarginDefinition {
    const { lower = null, upper = null } = this.#tails;
    return {
      kind: 'gpd',
      body: this.body.handle,
      support: Float64Array.from(this.support),
      lower,
      upper,
    };
  }
}

/** The greatest excess. */
function endOf({ scale, shape }: GeneralisedPareto): number {
  return shape < 0 ? -scale / shape : Infinity;
}
