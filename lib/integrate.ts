import { type FieldHandle } from './native';

/** A model whose samples are the end of an integration: it hands its field to the solvers. */
export interface HasField {
  readonly dim: number;
  fieldHandle(): FieldHandle;
}
