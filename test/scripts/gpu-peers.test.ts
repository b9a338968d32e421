// PyTorch peers of the GPU suite; where there is no PyTorch, there is nothing to test.
import { execFileSync, spawnSync } from 'node:child_process';
import path from 'node:path';

const root = path.resolve(__dirname, '..', '..');
const python = process.env.SKLAR_PYTHON ?? '/usr/bin/python3';
const torch = spawnSync(python, ['-c', 'import torch']).status === 0;

(torch ? test : test.skip)('peers agree with the truth files and with each other', () => {
  const script = path.join(root, 'scripts', 'bench', 'peers', 'gpu_peers.py');
  const output = execFileSync(python, [script, '--check', path.join(root, 'test', 'fixtures', 'reference')], {
    encoding: 'utf8',
  });
  expect(JSON.parse(output)).toMatchObject({ check: 'passed' });

  const shape = { dim: 3, hidden: 8, depth: 2, levels: 5, batch: 16, rows: 50, samples: 40, steps: 3 };
  const requests = ['cdc-train', 'ensemble', 'reflection-train', 'reflection-sample', 'cdc-sample', 'density']
    .map((name) => ({
      case: name,
      ...shape,
      models: name === 'ensemble' ? 2 : undefined,
      arithmetic: 'bf16',
    }))
    .flatMap((spec) => ['P1', 'P4'].map((peer) => ({ op: 'prepare', peer, spec, limit: 60 })));
  const answers = execFileSync(python, [script, '--device', 'cpu'], {
    encoding: 'utf8',
    input: requests.map((request) => `${JSON.stringify(request)}\n`).join(''),
  });
  const lines = answers.trim().split('\n').slice(1);
  expect(lines).toHaveLength(requests.length);
  for (const line of lines) expect(JSON.parse(line)).toMatchObject({ form: expect.any(String) as string });
});
