/** Models as fields. */
import { type FieldHandle, callNative } from '../../native';
import { type IntegrationProblem } from './solvers';

/** A model whose samples are the end of an integration: it hands its field to the solvers, to `integrate`. */
export interface HasField {
  /** Columns. */
  readonly dim: number;
  /** The field in native memory. */
  fieldHandle(): FieldHandle;
  /** @internal Whether the trace of its Jacobian is a formula: then no estimate of it costs less. */
  readonly traceIsFormula?: boolean;
  /** @internal Where the field has noise levels of its own; absent: read off the field. */
  integrationProblem?(): IntegrationProblem;
  /** @internal Nodes of `grid: 'data'`, by solver and steps, as far as they are known. */
  readonly grids?: Map<string, Float64Array>;
}

/** What an integration of the field has to know. */
export function problemOf(field: HasField): IntegrationProblem {
  const own = field.integrationProblem?.();
  if (own) return own;
  const { process, reference } = callNative((addon) => addon.fieldReference(field.fieldHandle()));
  return { process, reference, levels: null };
}
