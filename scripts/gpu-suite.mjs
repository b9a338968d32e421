// Checks and times the CUDA backend on a machine that has only node, the built addon and dist:
//   node scripts/gpu-suite.mjs [--stages facts,native,...] [--device cuda|cuda:N|cpu] [--out FOLDER] [--limit SECONDS]
//                              [--precisions fp32,mixed,...] [--checks truth,shape,...] [--peers P1,P2,P3,P4|none]
//                              [--rounds N] [--small] [--full] [--sanitize]
// Every stage runs in a process of its own for a limited time, prints a table and writes gpu-<stage>.json row by row, so
// that a stage that hangs, crashes or is killed costs no other and keeps what it has. `throughput` stands for the stages
// that time. With --device cpu the CPU takes the place of the GPU, at reduced size unless there is --full. SKLAR_PYTHON
// names a Python with PyTorch for the peers.
import { fork } from 'node:child_process';
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { loadSklar } from './gpu-suite/context.mjs';
import { checks } from './gpu-suite/correctness.mjs';
import { stages, throughputStages } from './gpu-suite/stages.mjs';
import { Columns } from './gpu-suite/table.mjs';
import { recordHead } from './record.mjs';
import { ScriptError, root, runMain } from './tools.mjs';

const PRECISIONS = ['fp32', 'mixed', 'fp16', 'bf16'];
const PEERS = ['P1', 'P2', 'P3', 'P4'];

function chosen(text, known, what, aliases = {}) {
  const names = text.split(',').flatMap((name) => aliases[name] ?? [name]);
  for (const name of names) {
    if (!known.includes(name)) {
      throw new ScriptError(
        `expected ${what} of ${[...known, ...Object.keys(aliases)].join(', ')}, got ${name}`,
      );
    }
  }
  return names;
}

function settings() {
  const { values } = parseArgs({
    options: {
      stages: { type: 'string' },
      device: { type: 'string', default: 'cuda' },
      out: { type: 'string' },
      limit: { type: 'string' },
      precisions: { type: 'string', default: PRECISIONS.join(',') },
      checks: { type: 'string', default: Object.keys(checks).join(',') },
      peers: { type: 'string', default: PEERS.join(',') },
      rounds: { type: 'string', default: '5' },
      small: { type: 'boolean', default: false },
      full: { type: 'boolean', default: false },
      sanitize: { type: 'boolean', default: false },
    },
  });
  const { device } = values;
  if (!/^(cpu|cuda(:\d+)?)$/.test(device)) {
    throw new ScriptError(`expected cuda, cuda:N or cpu for --device, got ${device}`);
  }
  const cpu = device === 'cpu';
  const names = Object.keys(stages);
  return {
    device,
    small: values.small || (cpu && !values.full),
    // the CPU computes in float32 whatever is asked for
    precisions: cpu ? ['fp32'] : chosen(values.precisions, PRECISIONS, '--precisions'),
    checks: chosen(values.checks, Object.keys(checks), '--checks'),
    peers: values.peers === 'none' ? [] : chosen(values.peers, PEERS, '--peers'),
    rounds: Number(values.rounds),
    sanitize: values.sanitize,
    limit: values.limit === undefined ? undefined : Number(values.limit),
    stages: chosen(values.stages ?? names.join(','), names, '--stages', { throughput: throughputStages }),
    // figures of a CPU in the place of a GPU are no results
    out: path.resolve(
      values.out ?? path.join(root, ...(cpu ? ['build', 'gpu-suite'] : ['bench', 'results'])),
    ),
  };
}

/** Runs one stage in a process of its own and keeps its file up to date; true when it ended well. */
function runStage(name, options, head) {
  const { about, seconds } = stages[name];
  const limit = options.limit ?? seconds;
  const file = path.join(options.out, `gpu-${name}.json`);
  const record = { ...head, stage: name, device: options.device, status: 'running', facts: {}, results: [] };
  const started = Date.now();
  const save = () => {
    record.seconds = (Date.now() - started) / 1000;
    writeFileSync(`${file}.part`, `${JSON.stringify(record, null, 2)}\n`);
    renameSync(`${file}.part`, file);
  };
  console.log(`\n== ${name}: ${about}`);
  const columns = new Columns((line) => console.log(line));
  save();
  return new Promise((resolve) => {
    // a group of its own, so that nothing that a stage has started outlives it
    const child = fork(
      fileURLToPath(new URL('./gpu-suite/stage.mjs', import.meta.url)),
      [name, JSON.stringify(options)],
      { detached: true },
    );
    const end = (status) => {
      record.status = status;
      process.kill(-child.pid, 'SIGKILL');
    };
    const timer = setTimeout(() => end('out of time'), limit * 1000);
    const interrupted = (signal) => {
      end(`ended by ${signal}`);
      save();
      process.exit(1);
    };
    for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, interrupted);
    child.on('message', ({ row, facts, error }) => {
      if (error !== undefined) record.error = error;
      if (facts !== undefined) Object.assign(record.facts, facts);
      if (row !== undefined) {
        record.results.push(row);
        columns.add(row);
      }
      save();
    });
    child.on('exit', (code, signal) => {
      clearTimeout(timer);
      for (const name of ['SIGINT', 'SIGTERM']) process.off(name, interrupted);
      columns.flush();
      if (record.status === 'running') {
        record.status = code === 0 ? 'done' : `ended by ${signal ?? `exit code ${code}`}`;
      }
      const failed = record.results.filter((row) => row.passed === false).length;
      save();
      console.log(
        `-- ${name}: ${record.status}, ${record.results.length} rows, ${failed} failed, ${record.seconds.toFixed(1)} s` +
          (record.error ? `\n   ${record.error}` : ''),
      );
      resolve(record.status === 'done' && failed === 0);
    });
  });
}

await runMain(async () => {
  const options = settings();
  const { devices } = await loadSklar();
  const found = devices();
  const index = Number(options.device.split(':')[1] ?? 0);
  const gpu = options.device === 'cpu' ? null : (found.cuda.devices[index] ?? null);
  if (options.device !== 'cpu' && !gpu?.usable) {
    const why = gpu?.reason ?? found.cuda.reason ?? `there is no device ${index}`;
    throw new ScriptError(`CUDA cannot be used here: ${why} (--device cpu tries the suite)`);
  }
  const command = ['node scripts/gpu-suite.mjs', ...process.argv.slice(2)].join(' ');
  const head = {
    ...recordHead('gpu-suite', command, found),
    gpu: gpu && { ...gpu, driver: found.cuda.driverVersion, runtime: found.cuda.runtimeVersion },
  };
  mkdirSync(options.out, { recursive: true });
  let well = true;
  for (const name of options.stages) well = (await runStage(name, options, head)) && well;
  console.log(`\n${well ? 'all well' : 'NOT all well'}: results in ${options.out}`);
  return well ? 0 : 1;
});
