/** The examples in Python do what they say, where Python has their packages (SKLAR_PYTHON names another one). */
import { execFileSync } from 'node:child_process';
import { appendFileSync, readFileSync } from 'node:fs';
import path from 'node:path';

import { type TrainEvent, fitCopula, fitEnsemble } from '../../lib';
import { TemporaryFolder } from '../data/support';
import { crossed } from '../helpers/data';
import { worstOf } from '../helpers/onnx';
import { askPython, python, testWithPython } from '../helpers/python';

const examples = path.resolve(__dirname, '..', '..', 'examples');
const folder = new TemporaryFolder();

testWithPython(['tensorboard'], 'TensorBoard reads what log_to_tensorboard.py makes of a log', async () => {
  const log = folder.file('run.jsonl');
  await fitEnsemble(crossed(300, 0.9, 1), {
    ...{ models: 2, hidden: 8, depth: 1, steps: 12, batch: 32, validateEvery: 5, log },
  });
  const events = readFileSync(log, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as TrainEvent);
  // a resumed run tells steps 11 and 12 of model 1 once more
  const again = events.filter(({ model, step, event }) => model === 1 && step > 10 && event !== 'end');
  const resume = { ...events.find(({ model }) => model === 1)!, event: 'resume', step: 10 };
  for (const event of [resume, ...again]) appendFileSync(log, `${JSON.stringify(event)}\n`);

  const out = folder.file('events');
  const read = askPython(
    `
import json, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
sys.path.insert(0, sys.argv[1])
import log_to_tensorboard as converter
converter.convert(sys.argv[2], sys.argv[3])
runs = {}
for model in (0, 1):
    a = EventAccumulator(sys.argv[3] + f'/model-{model}', size_guidance={'scalars': 0})
    a.Reload()
    runs[model] = {tag: [[e.step, e.value] for e in a.Scalars(tag)] for tag in a.Tags()['scalars']}
print(json.dumps(runs))`,
    examples,
    log,
    out,
  );
  for (const model of [0, 1]) {
    const own = events.filter((event) => event.model === model);
    const told = (event: string, key: string) =>
      own.filter((each) => each.event === event).map((each) => [each.step, Math.fround(each[key as 'step'])]);
    expect(read[model]).toEqual({
      ...Object.fromEntries(
        ['loss', 'crossEntropy', 'squaredError', 'gradientNorm', 'learningRate'].map((name) => [
          `training/${name}`,
          told('step', name),
        ]),
      ),
      'validation/loss': told('validation', 'loss'),
    });
  }
});

testWithPython(['numpy', 'torch'], 'PyTorch reads a model file and scores rows as logPdf does', async () => {
  const rows = [
    [0.2, 0.3],
    [0.5, 0.9],
    [1e-6, 1 - 1e-6],
  ];
  for (const options of [{}, { guided: false, activation: 'published', levels: 5 }] as const) {
    const copula = await fitCopula(crossed(300, 0.9, 1), {
      ...{ hidden: 16, depth: 2, steps: 40, batch: 64 },
      ...options,
    });
    const file = folder.file('model.safetensors');
    await copula.save(file);
    const got = execFileSync(python, [path.join(examples, 'read_model.py'), file, JSON.stringify(rows)], {
      encoding: 'utf8',
    });
    expect(worstOf(JSON.parse(got) as number[], await copula.logPdf(rows)).error).toBeLessThan(1e-6);
  }
});
