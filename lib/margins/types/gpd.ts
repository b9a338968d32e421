import type { MarginDefinition } from '../../native';
import { type Note, columnsNote } from '../../notes';
import {
  type GeneralisedPareto,
  type TailValues,
  chooseThreshold,
  excessesOf,
  fitPareto,
  heavyTail,
} from './gpd-fit';
import {
  Margin,
  type MarginState,
  type MarginSupport,
  expectParameter,
  isBody,
  mapNumbers,
  marginError,
  stateError,
} from '../basis/margin';
import { resolutionOf, shortText } from '../basis/rounding';
import { sortedWeights } from '../../data/sorted-table';
import { type SortedColumn, countOf, sizeOf } from '../basis/sorted';
import type { Steps } from '../basis/steps';

/** Values that recur in fewer rows are rounded ones to a tail. */
const PILE_SHARE = 0.01;
/** Fewer values do not say how a tail falls. */
const FEWEST_EXCESSES = 10;

interface Tail extends GeneralisedPareto {
  readonly threshold: number;
  /** The probability beyond the threshold; null: what the body has there, as files of the version 0.1.0 have it. */
  readonly mass: number | null;
}

/** A side of the data; the lower tail is the upper one of -x. */
type Side = 'lower' | 'upper';
const sides = ['lower', 'upper'] as const;

/**
 * Thresholds: a value, `auto` (see `chooseThreshold`), or null for no tail of its own; undefined: `auto`, but none where the
 * outermost value is an atom.
 */
export type Thresholds = Readonly<Record<Side, number | 'auto' | null | undefined>>;

/**
 * A body, empirical or kernel, whose tails beyond thresholds are generalised Pareto laws fitted to the excesses by maximum
 * likelihood (Pickands, Balkema and de Haan). The probability beyond a threshold is the share of the rows there; between the
 * thresholds F is the body's, stretched to what is left. Tails are cut off where the support ends.
 */
export class GpdMargin extends Margin {
  readonly name = 'gpd';
  readonly support: MarginSupport;
  readonly parameters: Readonly<Record<string, number>>;
  override readonly hasAtoms: boolean;
  /** The margin between the thresholds. */
  readonly body: Margin;
  readonly #tails: Readonly<Partial<Record<Side, Tail>>>;

  /** @param ends beyond which no value can be */
  constructor(
    body: Margin,
    tails: Readonly<Partial<Record<Side, Tail>>>,
    ends: MarginSupport = [-Infinity, Infinity],
  ) {
    super();
    const { lower, upper } = tails;
    this.body = body;
    this.hasAtoms = body.hasAtoms;
    this.#tails = tails;
    this.support = [
      lower ? Math.max(lower.threshold - endOf(lower), ends[0]) : body.support[0],
      upper ? Math.min(upper.threshold + endOf(upper), ends[1]) : body.support[1],
    ];
    this.parameters = Object.fromEntries(
      Object.entries(tails).flatMap(([side, { threshold, scale, shape, mass }]) => [
        [`${side}Threshold`, threshold],
        [`${side}Scale`, scale],
        [`${side}Shape`, shape],
        ...(mass === null ? [] : [[`${side}Mass`, mass] as const]),
      ]),
    );
  }

  /**
   * @param options.atoms the values that have a probability of their own, ascending
   * @param options.ends beyond which no value can be
   * @throws SklarError ERR_SKLAR_VALUE naming the column: a threshold with fewer than 10 values or with an atom beyond it, or
   *   no tail
   */
  static *fit(
    column: SortedColumn,
    body: Margin,
    thresholds: Thresholds,
    { atoms, ends }: { readonly atoms: readonly number[]; readonly ends: MarginSupport },
  ): Steps<GpdMargin> {
    const step = column.values.length === column.sorted.length ? 0 : resolutionOf(column);
    const piles = atoms.filter(
      (atom) => countOf(column, column.values.indexOf(atom)) >= PILE_SHARE * column.sorted.length,
    );
    const upper = yield* tailOf('upper', column, thresholds.upper, step, piles);
    const lower = yield* tailOf('lower', mirrored(column), thresholds.lower, step, piles);
    if (!upper.tail && !lower.tail) {
      throw marginError('a tail at an open end of the support', 'gpd', column.column, 'none');
    }
    if (lower.tail && upper.tail && lower.tail.threshold >= upper.tail.threshold) {
      throw marginError(
        'a lower threshold below the upper one',
        'gpd',
        column.column,
        `${lower.tail.threshold} and ${upper.tail.threshold}`,
      );
    }
    const tails = { ...(lower.tail && { lower: lower.tail }), ...(upper.tail && { upper: upper.tail }) };
    const margin = new GpdMargin(body, tails, ends);
    margin.notes = [...lower.notes, ...upper.notes];
    return margin;
  }

  /** A body with the tails at open ends that are exponential or heavier; the body alone where none is. */
  static *withHeavyTails(column: SortedColumn, body: Margin, support: MarginSupport): Steps<Margin> {
    const upper = support[1] === Infinity ? yield* heavyTail(column) : null;
    const turned = support[0] === -Infinity ? yield* heavyTail(mirrored(column)) : null;
    const lower = turned && { ...turned, threshold: -turned.threshold };
    if (!upper && !lower) return body;
    const margin = new GpdMargin(body, { ...(lower && { lower }), ...(upper && { upper }) }, support);
    margin.notes = body.notes;
    return margin;
  }

  static fromState(state: MarginState, body: Margin): GpdMargin {
    const tails = sides
      .filter((side) => Object.hasOwn(state.parameters, `${side}Threshold`))
      .map(
        (side) =>
          [
            side,
            {
              threshold: expectParameter(state, `${side}Threshold`),
              scale: expectParameter(state, `${side}Scale`, 0),
              shape: expectParameter(state, `${side}Shape`),
              mass: Object.hasOwn(state.parameters, `${side}Mass`)
                ? expectParameter(state, `${side}Mass`, 0)
                : null,
            },
          ] as const,
      );
    if (tails.length === 0 || !isBody(body)) throw stateError(state, 'a threshold and a body');
    if (tails.reduce((sum, [, { mass }]) => sum + (mass ?? 0), 0) > 1) {
      throw stateError(state, 'tails with a probability of at most 1');
    }
    const { lower, upper } = Object.fromEntries(tails) as Partial<Record<Side, Tail>>;
    if (lower && upper && !(lower.threshold < upper.threshold)) {
      throw stateError(state, 'a lower threshold below the upper one');
    }
    if (
      (lower && !(state.support[0] < lower.threshold)) ||
      (upper && !(state.support[1] > upper.threshold))
    ) {
      throw stateError(state, 'thresholds inside the support');
    }
    return new GpdMargin(body, { ...(lower && { lower }), ...(upper && { upper }) }, state.support);
  }

  protected override parts() {
    return { body: this.body };
  }

  protected override definition(): MarginDefinition {
    const tailOf = (side: Side) => {
      const tail = this.#tails[side];
      return tail ? { ...tail, mass: tail.mass ?? NaN } : null;
    };
    return {
      kind: 'gpd',
      body: this.body.handle,
      support: Float64Array.from(this.support),
      lower: tailOf('lower'),
      upper: tailOf('upper'),
    };
  }
}

/** The upper tail of a column, which for the lower side is mirrored. */
function* tailOf(
  side: Side,
  column: TailValues & { readonly column: string },
  wanted: number | 'auto' | null | undefined,
  step: number,
  atoms: readonly number[],
): Steps<{ tail?: Tail; notes: readonly Note[] }> {
  if (wanted === null) return { notes: [] };
  const { sorted } = column;
  const rows = sorted.length;
  const sign = side === 'upper' ? 1 : -1;
  const atom = Math.max(-Infinity, ...atoms.map((value) => sign * value));
  const note = (code: Note['code'], text: string) => columnsNote(code, [column.column], text);
  if (wanted === undefined && atom === sorted[rows - 1]) {
    const text = `no ${side} tail of its own, since the outermost value, ${sign * atom}, has a probability`;
    return { notes: [note('threshold', text)] };
  }
  const isChosen = typeof wanted !== 'number';
  const threshold = isChosen ? yield* chooseThreshold(column, step, atom) : sign * wanted;
  if (threshold !== undefined && atom > threshold) {
    throw marginError(
      `no value with a probability of its own beyond the ${side} threshold, ${sign * threshold},`,
      'gpd',
      column.column,
      String(sign * atom),
    );
  }
  const beyondIt = excessesOf(column, threshold ?? Infinity);
  const { excesses } = beyondIt;
  if (threshold === undefined || excesses.length < FEWEST_EXCESSES || excesses[0] === excesses.at(-1)) {
    const beyond = Number.isFinite(atom) ? ` or the value ${sign * atom} that recurs` : '';
    const where = isChosen ? `the quantile at 0.7${beyond} (30 of them)` : String(wanted);
    throw marginError(
      `at least ${FEWEST_EXCESSES} values beyond the ${side} threshold, ${where},`,
      'gpd',
      column.column,
      `${excesses.length} of ${rows}`,
    );
  }
  const { scale, shape, bound } = yield* fitPareto(beyondIt, step);
  const notes: Note[] = [];
  if (isChosen) {
    const where = shortText(sign * threshold, scale);
    notes.push(
      note(
        'threshold',
        `its ${side} tail begins at ${where}, with ${excesses.length} of ${rows} rows beyond`,
      ),
    );
  }
  if (bound !== null) {
    notes.push(
      note('bound', `the shape of its ${side} tail is at the end of the range that is searched, ${bound}`),
    );
  }
  const size = beyondIt.weights ? beyondIt.weights.reduce((sum, weight) => sum + weight, 0) : excesses.length;
  return { tail: { threshold: sign * threshold, scale, shape, mass: size / sizeOf(column) }, notes };
}

function mirrored({ sorted, values, last, weights, column }: SortedColumn) {
  const turn = (ascending: Float64Array): Float64Array => mapNumbers(ascending, (value) => -value).reverse();
  const rows = sorted.length;
  const upTo = last.map((_, k) => rows - (k + 1 < last.length ? last[last.length - 2 - k]! : 0));
  const turned = weights && sortedWeights(weights.each.slice().reverse(), upTo);
  return { sorted: turn(sorted), values: turn(values), column, weights: turned };
}

/** The greatest excess. */
function endOf({ scale, shape }: GeneralisedPareto): number {
  return shape < 0 ? -scale / shape : Infinity;
}
