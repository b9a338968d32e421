// Runs ONNX models for test/helpers/onnx.ts, a list in each line. A process of its own: in jest's realm arrays have other constructors than the ones
// that onnxruntime-node compares with.
import process from 'node:process';
import { createInterface } from 'node:readline';
import { InferenceSession, Tensor } from 'onnxruntime-node';

async function run({ model, inputs }) {
  const session = await InferenceSession.create(Buffer.from(model, 'base64'), {
    logSeverityLevel: 3,
    intraOpNumThreads: 1,
  });
  const feeds = Object.fromEntries(
    Object.entries(inputs).map(([name, { data, shape }]) => [
      name,
      new Tensor('float64', Float64Array.from(data), shape),
    ]),
  );
  const outputs = await session.run(feeds);
  return Object.fromEntries(
    Object.entries(outputs).map(([name, { data, dims }]) => [name, { data: Array.from(data), shape: dims }]),
  );
}

for await (const line of createInterface({ input: process.stdin })) {
  const results = [];
  for (const job of JSON.parse(line)) results.push(await run(job));
  process.stdout.write(`${JSON.stringify(results)}\n`);
}
