import type { Command } from 'commander';

import { loadModel } from '../../copulas/fitting/load';
import { SklarError, expectOneOf } from '../../errors';
import { type OnnxOptions, exportOnnx } from '../../onnx/export';
import { andWords, withArticle } from '../../notes';
import { type Io, writeResult } from '../terminal/context';
import { expectOutput } from '../terminal/files';
import { integer } from '../terminal/values';

interface Flags extends OnnxOptions {
  onnx: string;
  json?: boolean;
}

/** Kinds whose density is that of a differential equation. */
const FLOWS: ReadonlySet<string> = new Set(['flow', 'reflection']);

export function define(command: Command, io: Io): void {
  command
    .argument('<model>', 'a .safetensors file that fit wrote, or published weights')
    .requiredOption(
      '--onnx <file>',
      'the file to write, .onnx: doubles in, doubles out, rows on the copula scale',
    )
    .option('--what <name>', 'density or network (default: density)', (text) =>
      expectOneOf(text, '--what', ['density', 'network'] as const),
    )
    .option(
      '--steps <n>',
      'steps of the differential equation of flow and reflection (default: 64, of a reflection 128)',
      integer('--steps', { min: 1, max: 4096 }),
    )
    .option('--json', 'print the result as JSON')
    .action((model: string, flags: Flags) => exportModel(model, flags, io));
}

async function exportModel(
  model: string,
  { onnx, what = 'density', steps, json }: Flags,
  io: Io,
): Promise<void> {
  await expectOutput('--onnx', onnx, ['.onnx'], [model]);
  using copula = await loadModel(model);
  const { kind } = copula;
  const member = 'members' in copula ? (copula.members as readonly { kind: string }[])[0]!.kind : kind;
  if (steps !== undefined && (what === 'network' || !FLOWS.has(member))) {
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      `--steps belongs to the density of flow and reflection, not to the ${what} of a ${kind} copula`,
    );
  }
  const written = await exportOnnx(copula, onnx, { what, steps });
  const result = { kind, dim: copula.dim, columns: copula.names, what, ...written, file: onnx };
  writeResult(io, json, result, () => [
    `${what} of ${withArticle(kind)} copula of ${copula.dim} columns: from ${andWords(written.inputs)} to ${andWords(written.outputs)}, ` +
      `${Math.ceil(written.bytes / 1024)} KiB`,
    ...(written.outputs.includes('log_pdf') && !copula.normalised ? [unnormalised(written.outputs)] : []),
    `wrote ${onnx}`,
  ]);
}

function unnormalised(outputs: readonly string[]): string {
  return outputs.includes('log_pdf_normalised')
    ? 'log_pdf is unnormalised, log_pdf_normalised has the estimate of the model taken off'
    : 'log_pdf is unnormalised: the model has no estimate of its normaliser';
}
