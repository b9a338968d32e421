/** Models as ONNX files. */
import { AtomicFile } from '../data/formats/files';
import { SklarError, expectInteger, expectOneOf, expectOptions } from '../errors';
import { type FamilyKind } from '../copulas/classical/families';
import { type Copula, expectCopula } from '../copulas/copula';
import { EnsembleCopula } from '../copulas/kinds/ensemble';
import { callNative } from '../native';
import { packageVersion } from '../version';
import { empiricalBetaLogPdf, familyLogPdf, gaussianLogPdf, kernelLogPdf, studentLogPdf } from './classical';
import { Graph, type Value } from './graph';
import {
  type VelocityConfig,
  cdcLogPdf,
  cdcLogits,
  flowLogPdf,
  potentialLogPdf,
  velocityAtTime,
} from './networks';
import { onnxFile } from './protobuf';
import { Rows } from './rows';

/** How `exportOnnx` goes on. */
export interface OnnxOptions {
  /**
   * `density` (default): from `u` (rows x dim, on the copula scale) to `log_pdf` (rows, nats), what `logPdf` gives, and of a
   * CDC that knows its normaliser `log_pdf_normalised`, too. `network`: what the network makes of the rows that it reads. Of a
   * CDC from `y` to `logits`. Of flow and reflection from `y` and `time` (one number) to `velocity`.
   */
  what?: 'density' | 'network' | undefined;
  /** Of the density of flow and reflection: Runge-Kutta steps from data to the reference; default 64, of a reflection 128. */
  steps?: number | undefined;
}

/** Of a reflection more, whose field is steeper: 64 steps are up to 2.4e-5 off, 128 as near as single precision lets `logPdf` be. */
const STEPS: Readonly<Partial<Record<Copula['kind'], number>>> = { flow: 64, reflection: 128 };

/** A density, and what is to be subtracted from its logarithm; null: it is normalised or nothing is known. */
interface Density {
  logPdf: Value;
  logNormaliser: number | null;
}

async function densityOf(
  copula: Copula,
  graph: Graph,
  u: Value,
  steps: number | undefined,
): Promise<Density> {
  const { dim, kind } = copula;
  if (copula instanceof EnsembleCopula) {
    const logs: Value[] = [];
    for (const [k, member] of copula.members.entries()) {
      const { logPdf, logNormaliser } = await densityOf(member, graph, u, steps);
      if (!member.normalised && logNormaliser === null) {
        throw new SklarError(
          'ERR_SKLAR_VALUE',
          `expected an ensemble whose members know their normalisers, got one that was not estimated (member ${k}): ` +
            'call estimateNormaliser first',
        );
      }
      const own = graph.sum(logPdf, -(logNormaliser ?? 0) + Math.log(copula.weights[k]!));
      logs.push(graph.op('Unsqueeze', [own, graph.integers([1])]));
    }
    return { logPdf: graph.logSumExp(graph.concat(logs, 1), 1), logNormaliser: null };
  }
  if (kind === 'closed-form') {
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      'the density of a closed-form copula cannot be exported to ONNX: it is given by its field, and has no model file',
    );
  }
  const content = copula.fileContent();
  const guide = content.tensors.get('guide.cholesky')?.data ?? null;
  const factorOf = () => {
    const correlation = Float64Array.from(content.tensors.get('correlation')!.data);
    return callNative((addon) => addon.cholesky(correlation, dim));
  };
  const normalised = (logPdf: Value): Density => ({ logPdf, logNormaliser: null });
  if (kind === 'cdc') {
    const logPdf = cdcLogPdf(graph, content, new Rows(graph, u, dim, guided(content.config) ? guide : null));
    return { logPdf, logNormaliser: copula.normalisable?.logNormaliser ?? null };
  }
  if (kind === 'potential') {
    const logPdf = potentialLogPdf(graph, content, new Rows(graph, u, dim, guide));
    return { logPdf, logNormaliser: copula.normalisable?.logNormaliser ?? null };
  }
  if (kind === 'flow' || kind === 'reflection') {
    return normalised(flowLogPdf(graph, content, new Rows(graph, u, dim, guide), steps ?? STEPS[kind]!));
  }
  if (kind === 'gaussian') return normalised(gaussianLogPdf(new Rows(graph, u, dim, factorOf())));
  if (kind === 'student') {
    const { degrees } = content.config as { degrees: number };
    const centre = await copula.logPdf([new Array<number>(dim).fill(0.5)]);
    return normalised(studentLogPdf(new Rows(graph, u, dim, factorOf()), degrees, centre[0]!));
  }
  const rows = new Rows(graph, u, dim, null);
  if (kind === 'empirical-beta') {
    return normalised(empiricalBetaLogPdf(rows, content.tensors.get('ranks')!.data));
  }
  if (kind === 'kernel') {
    const [nodes, density] = ['nodes', 'density'].map((name) => content.tensors.get(name)!.data);
    return normalised(kernelLogPdf(rows, Float64Array.from(nodes!), density!));
  }
  return normalised(familyLogPdf(rows, kind as FamilyKind, content.config as never));
}

const guided = (config: unknown): boolean => (config as { guided?: boolean }).guided === true;

function networkOf(copula: Copula, graph: Graph): { value: Value; name: string; columns: number } {
  const { dim, kind } = copula;
  if (kind !== 'cdc' && kind !== 'flow' && kind !== 'reflection') {
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      `the network of a ${kind} copula cannot be exported to ONNX: ` +
        (kind === 'ensemble'
          ? 'it has several; export its members one by one'
          : kind === 'potential'
            ? 'its field is a derivative of it; export its density'
            : 'it has none'),
    );
  }
  const content = copula.fileContent();
  const y = graph.input('y', 'float64', ['rows', dim]);
  if (kind === 'cdc') {
    const { network } = content.config as { network: { outputDim: number } };
    return { value: cdcLogits(graph, content, y), name: 'logits', columns: network.outputDim };
  }
  const time = graph.input('time', 'float64', []);
  const { network } = content.config as { network: VelocityConfig };
  return { value: velocityAtTime(graph, network, content, y, time), name: 'velocity', columns: dim };
}

/** What an exported graph takes and gives. */
export interface OnnxExport {
  /** Names of its inputs, each of doubles. */
  inputs: string[];
  outputs: string[];
  /** Size of the file. */
  bytes: number;
}

/** A file that `exportOnnx` writes. */
export async function toOnnx(
  copula: Copula,
  options: OnnxOptions = {},
): Promise<Omit<OnnxExport, 'bytes'> & { file: Uint8Array }> {
  options = expectOptions(options, 'exportOnnx', { what: true, steps: true });
  expectCopula(copula, 'exportOnnx').expectAlive();
  const what = expectOneOf(options.what ?? 'density', 'what', ['density', 'network'] as const);
  const { steps } = options;
  if (steps !== undefined) expectInteger(steps, 'steps', { min: 1, max: 4096 });
  const graph = new Graph();
  const finish = (outputs: Parameters<Graph['finish']>[1]) => {
    const message = graph.finish(`${copula.kind}-${what}`, outputs);
    const metadata = {
      kind: copula.kind,
      normalised: String(copula.normalised),
      ...(copula.names && { columns: JSON.stringify(copula.names) }),
    };
    return {
      inputs: message.inputs.map(({ name }) => name),
      outputs: outputs.map(({ name }) => name),
      file: onnxFile(message, packageVersion(), metadata),
    };
  };
  if (what === 'network') {
    const { value, name, columns } = networkOf(copula, graph);
    return finish([{ value, name, shape: ['rows', columns] }]);
  }
  const u = graph.input('u', 'float64', ['rows', copula.dim]);
  const { logPdf, logNormaliser } = await densityOf(copula, graph, u, steps);
  const outputs = [{ value: logPdf, name: 'log_pdf', shape: ['rows'] }];
  if (logNormaliser !== null) {
    outputs.push({ value: graph.sum(logPdf, -logNormaliser), name: 'log_pdf_normalised', shape: ['rows'] });
  }
  return finish(outputs);
}

/**
 * Writes the log density of a copula, or its network, as an ONNX file: doubles in, doubles out, of any number of rows. Margins
 * are not in it: its rows are on the copula scale.
 *
 * Of flow and reflection the ordinary differential equation is solved by a fixed number of steps, where `logPdf` chooses
 * them by its tolerance.
 *
 * @throws SklarError ERR_SKLAR_VALUE naming a kind that cannot be exported and why, ERR_SKLAR_FILE
 *
 * @example
 * ```ts
 * import { FamilyCopula, exportOnnx } from 'sklar';
 *
 * const { inputs, outputs } = await exportOnnx(new FamilyCopula('frank', { theta: 3 }), 'frank.onnx');
 * inputs; // => ['u']
 * outputs; // => ['log_pdf']
 * ```
 */
export async function exportOnnx(
  copula: Copula,
  path: string,
  options: OnnxOptions = {},
): Promise<OnnxExport> {
  const { file, ...names } = await toOnnx(copula, options);
  const out = await AtomicFile.open(path);
  await out.write(file);
  await out.commit();
  return { ...names, bytes: file.length };
}
