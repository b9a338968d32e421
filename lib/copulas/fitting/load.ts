import { z } from 'zod';

import { type OptionNames, SklarError, describe, expectOptions } from '../../errors';
import { marginsFromTensors } from '../../margins/margins';
import { notesOf } from '../../notes';
import { type ModelDocument, expectConfig, readModelFile } from '../../model/model-file';
import { type PublishedWeightsOptions, cdcFromPublishedWeights } from '../kinds/cdc';
import { type Copula, GRID_TENSORS, MARGIN_TENSORS, type ModelTensors, SAMPLER_TENSORS } from '../copula';
import { selectionOf } from '../selection';
import { EnsembleCopula, memberPrefix } from '../kinds/ensemble';
import { copulaKinds, isCopulaKind, kinds } from './kinds';
import { reflectionFromPublishedWeights } from '../kinds/reflection';

/** How a model is read. */
export interface LoadOptions {
  /** What bare weights of the published code do not say about themselves; see `PublishedWeightsOptions`. */
  published?: PublishedWeightsOptions & { tMax?: number };
}

const publishedOptions: OptionNames<NonNullable<LoadOptions['published']>> = {
  referenceTime: true,
  times: true,
  correlation: true,
  tMax: true,
};

const ensembleSchema = z.object({
  members: z
    .array(
      z.object({
        kind: z.enum(copulaKinds),
        config: z.record(z.string(), z.unknown()),
        training: z.record(z.string(), z.unknown()).nullable(),
      }),
    )
    .min(1),
  weights: z.array(z.number().positive()).optional(),
});

function ensembleFromFile(document: ModelDocument, tensors: ModelTensors): EnsembleCopula {
  const { members, weights } = expectConfig(ensembleSchema, document);
  return new EnsembleCopula(
    members.map((member, k) => {
      const prefix = memberPrefix(k);
      const own = new Map(
        Array.from(tensors)
          .filter(([name]) => name.startsWith(prefix))
          .map(([name, tensor]) => [name.slice(prefix.length), tensor]),
      );
      return fromContent({ ...document, ...member }, own);
    }),
    weights,
  );
}

function fromDocument(document: ModelDocument, tensors: ModelTensors): Copula {
  if (document.kind === 'ensemble') return ensembleFromFile(document, tensors);
  if (isCopulaKind(document.kind)) return kinds[document.kind].load(document, tensors);
  throw new SklarError(
    'ERR_SKLAR_FORMAT',
    `expected a model of kind ${copulaKinds.join(', ')} or ensemble, got ` +
      `${describe(document.kind)} (written by sklar ${document.libraryVersion})`,
  );
}

/** The copula of `Copula.fileContent`. */
function fromContent(document: ModelDocument, all: ModelTensors): Copula {
  const tensors: ModelTensors = new Map();
  const knots = new Map<string, Float64Array>();
  const grids = new Map<string, Float64Array>();
  for (const [name, tensor] of all) {
    if (name.startsWith(SAMPLER_TENSORS))
      knots.set(name.slice(SAMPLER_TENSORS.length), Float64Array.from(tensor.data));
    else if (name.startsWith(GRID_TENSORS))
      grids.set(name.slice(GRID_TENSORS.length), Float64Array.from(tensor.data));
    else tensors.set(name, tensor);
  }
  const copula = fromDocument(document, tensors);
  for (const [key, values] of knots) {
    if (values.length % copula.dim || !values.every(Number.isFinite)) {
      throw new SklarError('ERR_SKLAR_FORMAT', `the tensor "${SAMPLER_TENSORS}${key}" is damaged`);
    }
    copula.knots.set(key, values);
  }
  for (const [key, nodes] of grids) {
    if (
      nodes.length < 2 ||
      nodes.at(-1) !== 0 ||
      !nodes.every((node, i) => i === 0 || node < nodes[i - 1]!)
    ) {
      throw new SklarError('ERR_SKLAR_FORMAT', `the tensor "${GRID_TENSORS}${key}" is damaged`);
    }
    copula.grids.set(key, nodes);
  }
  return copula;
}

/**
 * Reads a model that `save` wrote, or bare weights of the published CDC or reflection code as .safetensors. Loading runs no code.
 *
 * @throws SklarError ERR_SKLAR_FILE when it cannot be read, ERR_SKLAR_FORMAT when it is damaged, of an unknown kind or
 *   of a newer format, with what is wrong
 *
 * @example
 * ```ts
 * import { FamilyCopula, loadModel } from 'sklar';
 *
 * await new FamilyCopula('frank', { theta: 3 }).save('frank.safetensors');
 * using copula = await loadModel('frank.safetensors');
 * copula.kind; // => 'frank'
 * ```
 */
export async function loadModel(path: string, options: LoadOptions = {}): Promise<Copula> {
  options = expectOptions(options, 'loadModel', { published: true });
  const published = expectOptions(options.published ?? {}, 'published weights', publishedOptions);
  const file = await readModelFile(path);
  try {
    return fromFile(file, published);
  } catch (cause) {
    if (!(cause instanceof SklarError) || cause.message.includes(describe(path))) throw cause;
    throw new SklarError(cause.code, `${cause.message} (${describe(path)})`, { cause });
  }
}

function fromFile(
  { document, tensors: all }: Awaited<ReturnType<typeof readModelFile>>,
  published: NonNullable<LoadOptions['published']>,
): Copula {
  const tensors: ModelTensors = new Map();
  const margins: Record<string, Float64Array> = {};
  for (const [name, { dtype, shape, data }] of all) {
    if (dtype !== 'F32' && dtype !== 'F64') {
      throw new SklarError(
        'ERR_SKLAR_FORMAT',
        `expected F32 or F64 for the tensor ${describe(name)}, got ${dtype}`,
      );
    }
    const values = data as Float32Array | Float64Array;
    if (name.startsWith(MARGIN_TENSORS))
      margins[name.slice(MARGIN_TENSORS.length)] = Float64Array.from(values);
    else tensors.set(name, { shape, data: values });
  }
  if (!document) {
    return tensors.has('model.0.weight')
      ? reflectionFromPublishedWeights(tensors, published)
      : cdcFromPublishedWeights(tensors, published);
  }
  const copula = fromContent(document, tensors);
  const ofColumns = document.margins && marginsFromTensors(document.margins, margins);
  for (const [what, count] of [
    ['columns', document.columns?.length],
    ['margins', ofColumns?.names.length],
  ] as const) {
    if (count !== undefined && count !== copula.dim) {
      throw new SklarError(
        'ERR_SKLAR_FORMAT',
        `expected ${copula.dim} ${what} for a model of that dimension, got ${count}`,
      );
    }
  }
  copula.names = document.columns;
  copula.margins = ofColumns;
  copula.otherNotes = notesOf(document.notes);
  copula.selection = selectionOf(document.selection);
  return copula;
}
