import type { MarginDefinition } from '../../native';
import { Margin, type MarginState, type MarginSupport, expectParameter } from '../basis/margin';
import type { Grid } from '../basis/grid';
import { callNative } from '../../native';

/**
 * A measurement that was recorded to the nearest of origin + k step, such as rain to 0.1 mm: a value x stands for all
 * between x - step / 2 and x + step / 2, and has their probability under the margin `of` of the measurements themselves:
 * F(x) = G(x + step / 2). Quantiles are rounded. A value beside the grid is one that would be recorded as the nearest.
 */
export class RoundedMargin extends Margin {
  readonly name = 'rounded';
  readonly support: MarginSupport;
  readonly parameters: Readonly<Record<'origin' | 'step', number>>;
  override readonly hasAtoms = true;
  /** The margin of what is measured. */
  readonly of: Margin;

  constructor(of: Margin, { origin, step }: Grid) {
    super();
    this.of = of;
    this.parameters = { origin, step };
    const [least, most] = callNative((addon) => addon.marginSupport(this.handle));
    this.support = [least!, most!];
  }

  static fromState(state: MarginState, of: Margin): RoundedMargin {
    const step = expectParameter(state, 'step', 0);
    return new RoundedMargin(of, { origin: expectParameter(state, 'origin'), step });
  }

  protected override parts() {
    return { of: this.of };
  }

  protected override definition(): MarginDefinition {
    return { kind: 'rounded', of: this.of.handle, ...this.parameters };
  }
}
