// Runs ONNX models for test/helpers/onnx.ts. A process of its own: in jest's realm arrays have other constructors than the ones
// that onnxruntime-node compares with.
import process from 'node:process';
import { json } from 'node:stream/consumers';
import { InferenceSession, Tensor } from 'onnxruntime-node';

const results = [];
for (const { model, inputs } of await json(process.stdin)) {
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
  results.push(
    Object.fromEntries(
      Object.entries(outputs).map(([name, { data, dims }]) => [
        name,
        { data: Array.from(data), shape: dims },
      ]),
    ),
  );
}
process.stdout.write(JSON.stringify(results));
