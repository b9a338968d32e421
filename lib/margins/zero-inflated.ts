import { lowerBound } from '../data/search';
import {
  Margin,
  type MarginState,
  type Support,
  expectArray,
  expectParameter,
  isPart,
  stateError,
} from './margin';

/**
 * A mixture of values of positive probability (atoms), such as the zeros of a column of daily rain, and a continuous
 * margin of all other values: F(x) = rest * G(x) + the probability of the atoms up to x.
 */
export class ZeroInflatedMargin extends Margin {
  readonly name = 'zero-inflated';
  readonly support: Support;
  readonly parameters: { readonly rest: number };
  override readonly hasAtoms = true;
  /** The margin of the values that are no atoms. */
  readonly rest: Margin;
  readonly #atoms: Float64Array;
  readonly #masses: Float64Array;
  /** For each atom the probability of those below it; one more for all of them. */
  readonly #before: Float64Array;
  /** For each atom P(X < atom) and P(X <= atom). */
  readonly #begins: Float64Array;
  readonly #ends: Float64Array;

  /** @param masses probabilities of the atoms, which ascend; the rest is continuous */
  constructor(atoms: Float64Array, masses: Float64Array, rest: Margin) {
    super();
    this.#atoms = atoms;
    this.#masses = masses;
    this.rest = rest;
    this.#before = new Float64Array(atoms.length + 1);
    masses.forEach((mass, k) => (this.#before[k + 1] = this.#before[k]! + mass));
    this.parameters = { rest: 1 - this.#before.at(-1)! };
    this.support = [Math.min(atoms[0]!, rest.support[0]), Math.max(atoms.at(-1)!, rest.support[1])];
    this.#begins = rest.cdf(atoms).map((level, k) => this.parameters.rest * level + this.#before[k]!);
    this.#ends = this.#begins.map((level, k) => level + masses[k]!);
  }

  static fromState(state: MarginState, rest: Margin): ZeroInflatedMargin {
    const atoms = expectArray(state, 'atoms', { strictly: true });
    const masses = expectArray(state, 'masses', { length: atoms.length });
    expectParameter(state, 'rest', 0);
    if (
      !masses.every((mass) => mass > 0) ||
      masses.reduce((sum, mass) => sum + mass, 0) >= 1 ||
      !isPart(rest)
    ) {
      throw stateError(state, 'probabilities "masses" and a rest');
    }
    return new ZeroInflatedMargin(atoms, masses, rest);
  }

  cdf(x: Float64Array): Float64Array {
    return this.#cumulative(x, true);
  }

  override cdfBefore(x: Float64Array): Float64Array {
    return this.#cumulative(x, false);
  }

  quantile(u: Float64Array): Float64Array {
    const levels = new Float64Array(u.length);
    for (let i = 0; i < u.length; i++) {
      // The first atom whose interval does not end below the level.
      const k = lowerBound(this.#ends, u[i]!);
      levels[i] =
        u[i]! >= 0 && u[i]! <= 1 ? Math.min(1, (u[i]! - this.#before[k]!) / this.parameters.rest) : NaN;
    }
    const x = this.rest.quantile(levels.map((level) => Math.max(0, level)));
    for (let i = 0; i < u.length; i++) {
      const k = lowerBound(this.#ends, u[i]!);
      if (k < this.#atoms.length && u[i]! >= this.#begins[k]!) x[i] = this.#atoms[k]!;
    }
    return x;
  }

  logPdf(x: Float64Array): Float64Array {
    const log = this.rest.logPdf(x);
    const share = Math.log(this.parameters.rest);
    for (let i = 0; i < x.length; i++) {
      const k = this.#atomOf(x[i]!);
      log[i] = k < 0 ? log[i]! + share : Math.log(this.#masses[k]!);
    }
    return log;
  }

  protected override arrays() {
    return { atoms: this.#atoms, masses: this.#masses };
  }

  protected override parts() {
    return { rest: this.rest };
  }

  #atomOf(x: number): number {
    const k = lowerBound(this.#atoms, x);
    return this.#atoms[k] === x ? k : -1;
  }

  #cumulative(x: Float64Array, itself: boolean): Float64Array {
    const out = itself ? this.rest.cdf(x) : this.rest.cdfBefore(x);
    for (let i = 0; i < x.length; i++) {
      const k = lowerBound(this.#atoms, x[i]!);
      const atoms = this.#before[itself && this.#atoms[k] === x[i] ? k + 1 : k]!;
      out[i] = this.parameters.rest * out[i]! + atoms;
    }
    return out;
  }
}
