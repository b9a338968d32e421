/** ONNX models, run by onnxruntime-node. */
import { type ChildProcess, spawn } from 'node:child_process';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { createInterface } from 'node:readline/promises';

export interface OnnxTensor {
  data: number[];
  shape: number[];
}
export interface OnnxJob {
  model: Uint8Array;
  inputs: Record<string, OnnxTensor>;
}

/** One for all tests of a file: loading the runtime takes longer than most graphs. */
let runner: { child: ChildProcess; stderr: Promise<string>; answers: AsyncIterator<string> } | undefined;
afterAll(() => runner?.child.stdin!.end());

function start() {
  const child = spawn(process.execPath, [path.join(__dirname, 'run-onnx.mjs')]);
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return { child, stderr: text(child.stderr), answers };
}

/** The outputs of each model, by name; a number that is not finite is null. One call at a time. */
export async function runOnnx(jobs: readonly OnnxJob[]): Promise<Record<string, OnnxTensor>[]> {
  const { child, stderr, answers } = (runner ??= start());
  const texts = jobs.map(({ model, inputs }) => ({ model: Buffer.from(model).toString('base64'), inputs }));
  child.stdin!.write(`${JSON.stringify(texts)}\n`);
  const { value, done } = await answers.next();
  if (done) {
    runner = undefined;
    throw new Error(await stderr);
  }
  return JSON.parse(value) as Record<string, OnnxTensor>[];
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
