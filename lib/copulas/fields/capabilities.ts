/** What copulas can do beside drawing rows: one record a kind, asked in one way. */
import { type LogPdfMethod } from './field-density';
import { type ConditionalMethod, velocityConditionalMethods } from './smc';

/** What a copula can do beside drawing rows. */
export interface CopulaCapabilities {
  /** Routes to the log density, the kind's own first. */
  readonly logPdf: readonly LogPdfMethod[];
  /** Ways to draw rows given some columns (`sampleConditional`), the default first; empty: there is none. */
  readonly sampleConditional: readonly ConditionalMethod[];
  /** Whether it has a field (`HasField`), which every solver, `integrate` and `totalCorrelation` take. */
  readonly field: boolean;
  /** Whether it has a distribution function (`cdf`). */
  readonly cdf: boolean;
  /** Whether it knows the copula of some of its columns (`marginal`). */
  readonly marginal: boolean;
  /** Why it is computed on the CPU alone, a sentence; null: CUDA can do it. */
  readonly cpuOnly: string | null;
}

/** Of a copula that is a formula, in float64. */
export function formulaCapabilities(
  kind: string,
  own: Partial<Omit<CopulaCapabilities, 'cpuOnly'>> = {},
): CopulaCapabilities {
  return {
    logPdf: own.field ? ['exact', 'ode', 'bound'] : ['exact'],
    sampleConditional: ['exact'],
    field: false,
    cdf: true,
    marginal: false,
    ...own,
    cpuOnly: `a ${kind} copula is computed in float64, on the CPU`,
  };
}

/** Of a velocity network: its density is that of its probability flow, and its reverse SDE can be drawn to a condition. */
export const velocityCapabilities: CopulaCapabilities = {
  logPdf: ['ode', 'bound'],
  sampleConditional: velocityConditionalMethods,
  field: true,
  cdf: false,
  marginal: false,
  cpuOnly: null,
};
