/** Parameters of networks: one flat vector in memory, named tensors in a file. */
import { SklarError } from '../../errors';
import { type ParameterSlice, type RealArray } from '../../native';
import { type ModelTensors, type NetworkStart } from '../copula';

/** What a model that a fit starts from tells of its own fit. */
export function startRecord(
  options: unknown,
  training: Readonly<Record<string, unknown>> | null,
): Pick<NetworkStart, 'shrinkage' | 'training'> {
  const { shrinkage } = (options ?? {}) as { shrinkage?: unknown };
  const { rows, seed, steps, validationLoss } = training ?? {};
  return {
    shrinkage: typeof shrinkage === 'number' ? shrinkage : null,
    training: training && { rows, seed, steps, validationLoss },
  };
}

/** Cuts a flat parameter vector into the tensors of a file. */
export function addParameters(
  tensors: ModelTensors,
  slices: readonly ParameterSlice[],
  parameters: RealArray,
): void {
  for (const { name, offset, rows, columns } of slices) {
    const shape = columns === 0 ? [rows] : [rows, columns];
    tensors.set(name, { shape, data: parameters.subarray(offset, offset + rows * Math.max(columns, 1)) });
  }
}

/** The tensors of a file, gathered into the flat parameter vector that `slices` describe. */
export function gatherParameters(slices: readonly ParameterSlice[], tensors: ModelTensors): RealArray {
  const last = slices.at(-1)!;
  const double = tensors.get(slices[0]!.name)?.data instanceof Float64Array;
  const parameters = new (double ? Float64Array : Float32Array)(
    last.offset + last.rows * Math.max(last.columns, 1),
  );
  for (const { name, offset, rows, columns } of slices) {
    const shape = columns === 0 ? [rows] : [rows, columns];
    parameters.set(expectTensor(tensors, name, shape), offset);
  }
  for (let i = 0; i < parameters.length; i++) {
    if (!Number.isFinite(parameters[i]!)) {
      const slice = slices.findLast(({ offset }) => offset <= i)!;
      throw new SklarError(
        'ERR_SKLAR_FORMAT',
        `the tensor "${slice.name}" holds ${parameters[i]} (element ${i - slice.offset})`,
      );
    }
  }
  return parameters;
}

/** @throws SklarError ERR_SKLAR_FORMAT for a tensor that is missing or of another shape */
export function expectTensor(tensors: ModelTensors, name: string, shape: readonly number[]): RealArray {
  const tensor = tensors.get(name);
  if (!tensor) throw new SklarError('ERR_SKLAR_FORMAT', `the model file lacks the tensor "${name}"`);
  if (tensor.shape.length !== shape.length || tensor.shape.some((n, i) => n !== shape[i])) {
    throw new SklarError(
      'ERR_SKLAR_FORMAT',
      `expected shape [${shape.join(', ')}] for the tensor "${name}", got [${tensor.shape.join(', ')}]`,
    );
  }
  return tensor.data;
}

/** How far the rows of a guide's factor may be from length 1: single precision, and files of other programs. */
const UNIT = 1e-4;

/**
 * The factor L of a guide: lower triangular, of positive diagonal, L L^T a correlation matrix.
 *
 * @throws SklarError ERR_SKLAR_FORMAT naming what it is not
 */
export function expectGuide(tensors: ModelTensors, dim: number): Float64Array {
  const factor = Float64Array.from(expectTensor(tensors, 'guide.cholesky', [dim, dim]));
  for (let i = 0; i < dim; i++) {
    const row = factor.subarray(i * dim, (i + 1) * dim);
    const length = Math.hypot(...row.subarray(0, i + 1));
    const triangular = row.subarray(i + 1).every((value) => value === 0);
    if (triangular && row[i]! > 0 && Math.abs(length - 1) < UNIT) continue;
    throw new SklarError(
      'ERR_SKLAR_FORMAT',
      `expected the Cholesky factor of a correlation matrix for the tensor "guide.cholesky", got another in row ${i + 1}`,
    );
  }
  return factor;
}
