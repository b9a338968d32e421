// The suite with the CPU in the place of the GPU, from a packed folder with nothing but node; its page.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

import { devices } from '../../lib';
import { TemporaryFolder } from '../data/support';

const root = path.resolve(__dirname, '..', '..');
const folder = new TemporaryFolder();

interface Row {
  passed?: boolean;
  [column: string]: unknown;
}
interface Stage {
  status: string;
  commit: string;
  command: string;
  gpu: unknown;
  facts: Record<string, any>;
  results: Row[];
}
const read = (...parts: string[]) => JSON.parse(readFileSync(path.join(...parts), 'utf8')) as Stage;

test('a packed folder runs with only node', () => {
  const pack = folder.file('pack');
  const script = path.join(root, 'scripts', 'gpu-pack.mjs');
  // packs and tries the copy out: facts, truth files, odd numbers of rows
  const options = ['--no-build', '--node', 'none', '--out', pack];
  const output = execFileSync(process.execPath, [script, ...options], { encoding: 'utf8', cwd: root });
  expect(output).toMatch(/truth +logPdf +cdc 0 +fp32 .* ok\n/);
  expect(output).toMatch(/all well: results in /);
  expect(output).toMatch(/pack: \d+\.\d MiB in \d+ files/);
  const { commit } = read(pack, 'pack.json');
  expect(commit).toMatch(/^[0-9a-f]{40}$/);

  const native = path.join(pack, 'build', 'native');
  mkdirSync(native, { recursive: true });
  const tests =
    '#!/bin/sh\ncase $1 in\n--files) echo cuda_bad_test; echo cuda_good_test;;\ncuda_bad_test) echo wrong sum; exit 3;;\nesac\n';
  writeFileSync(path.join(native, 'cuda_tests'), tests, { mode: 0o755 });
  const { status } = spawnSync(
    process.execPath,
    [path.join(pack, 'scripts', 'gpu-suite.mjs'), '--device', 'cpu', '--stages', 'native'],
    { env: {}, cwd: pack },
  );
  expect(status).toBe(1);
  const record = read(pack, 'build', 'gpu-suite', 'gpu-native.json');
  expect(record.commit).toBe(commit);
  const byName = record.results.sort((a, b) => String(a.test).localeCompare(String(b.test)));
  expect(byName).toMatchObject([
    { test: 'cuda_bad_test', passed: false, end: 'exit code 3', output: ['wrong sum', ''] },
    { test: 'cuda_good_test', passed: true },
  ]);

  const small = spawnSync(process.execPath, [script, ...options, '--limit', '0.5'], {
    encoding: 'utf8',
    cwd: root,
  });
  expect(small.status).toBe(1);
  expect(small.stderr).toMatch(
    /expected at most 0\.5 MiB, got \d+\.\d; the largest:\n +\d+\.\d {2}build.Release.sklar\.node/,
  );
  const wrong = spawnSync(process.execPath, [script, ...options, '--limit', 'much'], {
    encoding: 'utf8',
    cwd: root,
  });
  expect(wrong.stderr).toMatch(/expected a number of MiB for --limit, got much/);
});

test('a stage writes its file, and one that runs out of time keeps its rows', () => {
  const run = (...rest: string[]) =>
    spawnSync(
      process.execPath,
      [path.join(root, 'scripts', 'gpu-suite.mjs'), '--device', 'cpu', '--out', folder.path, ...rest],
      { encoding: 'utf8', env: { PATH: '' } },
    );
  expect(run('--stages', 'facts').status).toBe(0);
  const facts = read(folder.file('gpu-facts.json'));
  expect(facts).toMatchObject({ status: 'done', gpu: null, device: 'cpu' });
  expect(facts.command).toContain('--stages facts');
  expect(facts.results.map(({ what }) => what)).toEqual(expect.arrayContaining(['sklar', 'CPU', 'node']));

  const late = run('--stages', 'correctness', '--limit', '3');
  expect(late.status).toBe(1);
  const correctness = read(folder.file('gpu-correctness.json'));
  expect(correctness.status).toBe('out of time');
  expect(correctness.results.length).toBeGreaterThan(0);
  expect(correctness.results.every(({ passed }) => passed)).toBe(true);

  const wrong = run('--stages', 'speed');
  expect(wrong.stderr).toMatch(/expected --stages of facts, .*, got speed/);
  expect(wrong.status).toBe(1);
  const timed = run('--stages', 'density', '--rounds', '1');
  expect(timed.status).toBe(0);
  const density = read(folder.file('gpu-density.json'));
  expect(density.facts.peerError).toMatch(/no python3 on PATH/);
  expect(density.results[0]).toMatchObject({ model: '16x2', precision: 'fp32', 'P4 ms': null });
});

const emulated = devices().cuda.devices.some(({ name }) => name === 'emulated GPU');

test.each(emulated ? ['cpu', 'cuda'] : ['cpu'])(
  'a run on %s within a given time follows its plan',
  (device) => {
    const out = folder.file(`within-${device}`);
    const script = path.join(root, 'scripts', 'gpu-suite.mjs');
    const run = (...rest: string[]) =>
      spawnSync(process.execPath, [script, '--device', device, '--small', ...rest], {
        encoding: 'utf8',
        env: { PATH: '', OUT: out },
      });
    expect(run('--within', '5').stderr).toMatch(/at least 60 seconds for --within, got 5/);
    expect(run('--within', '60', '--stages', 'facts').stderr).toMatch(/no --stages beside --within/);

    const { stdout } = run('--within', '60', '--precisions', 'fp32');
    const steps = ['facts', 'native', 'truth', 'compile', 'ours', 'profile', 'peers'].concat([
      'sanitize',
      'determinism',
      'training',
    ]);
    for (const step of steps) expect(stdout).toMatch(new RegExp(`^ +\\d+ +\\d+ {2}${step} `, 'm'));
    expect(readdirSync(out).length).toBeLessThanOrEqual(8);
    const lines = readFileSync(path.join(out, 'gpu-suite.jsonl'), 'utf8')
      .trimEnd()
      .split('\n')
      .map((text) => JSON.parse(text) as Record<string, any>);
    expect(lines[0]!.head.versions.node).toBe(process.version);
    expect(lines[0]!.plan.map(({ name }: { name: string }) => name)).toEqual(steps);
    expect(lines[0]!.plan.at(-1).until).toBeLessThan(60);
    // every step has an end, in the order of the plan, and rows of before it
    const ends = lines.filter(({ stage, status }) => stage !== undefined && status !== undefined);
    expect(ends.map(({ stage }) => stage as string)).toEqual(steps);
    for (const { stage, status } of ends) {
      expect([stage, status]).toEqual([
        stage,
        expect.stringMatching(stage === 'compile' ? /^no python3$/ : /^(done|out of time)$/),
      ]);
    }
    const rows = lines.filter(({ row }) => row !== undefined);
    expect(rows.length).toBeGreaterThan(0);
    expect(rows.filter(({ stage, row }) => stage !== 'native' && row.passed === false)).toEqual([]);
    expect(lines.at(-1)!.status).toMatch(/all well/);
  },
);

test('the page shows results of a GPU, with targets met and missed', () => {
  const gpu = { name: 'Some GPU', driver: 13000, runtime: 12080 };
  const head = { command: 'node x', date: '2026-01-01', commit: 'a'.repeat(40), gpu, status: 'done' };
  const common = { ...head, versions: { node: 'v20' }, facts: { peer: { torch: '2', cuda: '13.0' } } };
  const p4 = { 'cdc-train 64x2 P4': { form: 'compile + graph, fp16' } };
  const row = { case: 'cdc-train', model: '64x2', ms: 0.02 };
  const fits = { precision: 'mixed', 'x P1': 150.4, 'x P4': 9, rounds: [] };
  const bad = {
    check: 'shape',
    what: 'field',
    model: '64x2',
    precision: 'bf16',
    error: 1,
    bar: 0.1,
    passed: false,
  };
  const thrown = {
    check: 'truth',
    model: 'cdc 0',
    precision: 'bf16',
    passed: false,
    problem: 'ERR: no kernel',
  };
  const records = folder.file('records');
  mkdirSync(records);
  const save = (name: string, record: object) =>
    writeFileSync(path.join(records, `${name}.json`), JSON.stringify(record));
  save('gpu-cdc-train', { ...common, facts: { ...common.facts, ...p4 }, results: [{ ...row, ...fits }] });
  save('gpu-correctness', { ...common, results: [{ ...bad, error: 0.01, passed: true }, bad, thrown] });
  const page = pathToFileURL(path.join(root, 'scripts', 'gpu-suite', 'page.mjs')).href;
  const render = (from: string) =>
    execFileSync(
      process.execPath,
      [
        '--input-type=module',
        '-e',
        `import { existsSync, readFileSync } from 'node:fs';
         import { gpuSection } from ${JSON.stringify(page)};
         const file = (name) => ${JSON.stringify(from)} + '/' + name + '.json';
         console.log(gpuSection((name) => existsSync(file(name)) ? JSON.parse(readFileSync(file(name))) : null));`,
      ],
      { encoding: 'utf8' },
    );
  const text = render(records);
  expect(text).toContain('| training of a CDC, 64 x 2 | 9 (**missed**: 10) | 150.4 (met: 100) | mixed |');
  expect(text).toContain('| training of a CDC, 512 x 6 | not measured (target: 2) |');
  expect(text).toContain('| shape | field | bf16 | 2 | **1** | 1 | 0.100 | 64x2 |');
  expect(text).toContain('| truth | call | bf16 | 1 | **1** | ERR: no kernel |  | cdc 0 |');
  expect(text).toContain('P4 is cdc-train 64x2: compile + graph, fp16. `node x`');
  expect(text).toContain('Some GPU, driver for CUDA 13.0, runtime 12.8');
  expect(render(folder.path)).toContain('Nothing has been measured on a GPU yet');
});
