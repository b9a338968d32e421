import type { MarginDefinition } from '../../native';
import {
  Margin,
  type MarginState,
  type MarginSupport,
  expectArray,
  expectParameter,
  stateError,
} from '../basis/margin';

/**
 * A mixture of values of positive probability (atoms), such as the zeros of a column of daily rain, and a continuous
 * margin of all other values: F(x) = rest * G(x) + the probability of the atoms up to x.
 */
export class ZeroInflatedMargin extends Margin {
  readonly name = 'zero-inflated';
  readonly support: MarginSupport;
  readonly parameters: { readonly rest: number };
  override readonly hasAtoms = true;
  /** The margin of the values that are no atoms. */
  readonly rest: Margin;
  readonly #atoms: Float64Array;
  readonly #masses: Float64Array;

  /** @param masses probabilities of the atoms, which ascend; the rest is continuous */
  constructor(atoms: Float64Array, masses: Float64Array, rest: Margin) {
    super();
    this.#atoms = atoms;
    this.#masses = masses;
    this.rest = rest;
    this.parameters = { rest: 1 - masses.reduce((sum, mass) => sum + mass, 0) };
    this.support = [Math.min(atoms[0]!, rest.support[0]), Math.max(atoms.at(-1)!, rest.support[1])];
  }

  static fromState(state: MarginState, rest: Margin): ZeroInflatedMargin {
    const atoms = expectArray(state, 'atoms', { strictly: true });
    const masses = expectArray(state, 'masses', { length: atoms.length });
    expectParameter(state, 'rest', 0);
    if (!masses.every((mass) => mass > 0) || masses.reduce((sum, mass) => sum + mass, 0) >= 1) {
      throw stateError(state, 'probabilities "masses"');
    }
    return new ZeroInflatedMargin(atoms, masses, rest);
  }

  protected override arrays() {
    return { atoms: this.#atoms, masses: this.#masses };
  }

  protected override parts() {
    return { rest: this.rest };
  }

  protected override definition(): MarginDefinition {
    return { kind: 'zero-inflated', ...this.arrays(), rest: this.rest.handle };
  }
}
