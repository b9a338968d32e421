/** ONNX models, run by onnxruntime-node. */
import { spawnSync } from 'node:child_process';
import path from 'node:path';

export interface OnnxTensor {
  data: number[];
  shape: number[];
}
export interface OnnxJob {
  model: Uint8Array;
  inputs: Record<string, OnnxTensor>;
}

/** The outputs of each model, by name; a number that is not finite is null. */
export function runOnnx(jobs: readonly OnnxJob[]): Record<string, OnnxTensor>[] {
  const input = JSON.stringify(
    jobs.map(({ model, inputs }) => ({ model: Buffer.from(model).toString('base64'), inputs })),
  );
  const script = path.join(__dirname, 'run-onnx.mjs');
  const { status, stdout, stderr } = spawnSync(process.execPath, [script], {
    input,
    encoding: 'utf8',
    maxBuffer: 2 ** 30,
  });
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout) as Record<string, OnnxTensor>[];
}

/** Rows of equal length as a tensor. */
export function tensorOf(rows: readonly (readonly number[])[]): OnnxTensor {
  return { data: rows.flat(), shape: [rows.length, rows[0]!.length] };
}

/** The largest |got - expected| / max(1, |expected|), and the row that has it. */
export function worstOf(got: ArrayLike<number>, expected: ArrayLike<number>): { error: number; row: number } {
  const worst = { error: 0, row: -1 };
  for (let row = 0; row < expected.length; row++) {
    const error = Math.abs(got[row]! - expected[row]!) / Math.max(1, Math.abs(expected[row]!));
    if (!(error <= worst.error)) Object.assign(worst, { error, row });
  }
  return worst;
}
