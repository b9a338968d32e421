// Checks and times the CUDA backend on a machine that has only node, the built addon and dist:
//   node scripts/gpu-suite.mjs [--stages facts,native,...] [--device cuda|cuda:N|cpu] [--out FOLDER] [--limit SECONDS]
//                              [--precisions fp32,mixed,...] [--checks truth,shape,...] [--peers P1,P2,P3,P4|none]
//                              [--rounds N] [--small] [--full] [--sanitize]
//   node scripts/gpu-suite.mjs --within SECONDS [--device ...] [--out FOLDER, default $OUT] [--precisions ...] [--small]
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
import { runWithin } from './gpu-suite/within.mjs';
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
      within: { type: 'string' },
    },
  });
  const within = values.within === undefined ? undefined : Number(values.within);
  if (within !== undefined) {
    if (!(within >= 60))
      throw new ScriptError(`expected at least 60 seconds for --within, got ${values.within}`);
    for (const name of ['stages', 'limit', 'sanitize']) {
      if (values[name])
        throw new ScriptError(`expected no --${name} beside --within, which has a plan of its own`);
    }
  }
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
    within,
    limit: values.limit === undefined ? undefined : Number(values.limit),
    stages: chosen(values.stages ?? names.join(','), names, '--stages', { throughput: throughputStages }),
    // figures of a CPU in the place of a GPU are no results
    out: path.resolve(
      values.out ??
        (within !== undefined && process.env.OUT ? process.env.OUT : undefined) ??
        path.join(root, ...(cpu ? ['build', 'gpu-suite'] : ['bench', 'results'])),
    ),
  };
}

/** The record of a stage in a file of its own, always up to date. */
function stageFile(name, options, head) {
  const file = path.join(options.out, `gpu-${name}.json`);
  const record = { ...head, stage: name, device: options.device, status: 'running', facts: {}, results: [] };
  const started = Date.now();
  const save = () => {
    record.seconds = (Date.now() - started) / 1000;
    writeFileSync(`${file}.part`, `${JSON.stringify(record, null, 2)}\n`);
    renameSync(`${file}.part`, file);
  };
  save();
  return ({ row, facts, ...rest }) => {
    if (row !== undefined) record.results.push(row);
    Object.assign(record.facts, facts);
    Object.assign(record, rest);
    save();
  };
}

/** Runs one stage in a process of its own; `add` gets what it says, and how it ended. True when it ended well. */
function runStage(name, options, limit, add) {
  const started = Date.now();
  const columns = new Columns((line) => console.log(line));
  let status = 'running';
  let [rows, failed, problem] = [0, 0, undefined];
  return new Promise((resolve) => {
    // a group of its own, so that nothing that a stage has started outlives it
    const child = fork(
      fileURLToPath(new URL('./gpu-suite/stage.mjs', import.meta.url)),
      [name, JSON.stringify(options)],
      { detached: true },
    );
    const end = (reason) => {
      status = reason;
      process.kill(-child.pid, 'SIGKILL');
    };
    const timer = setTimeout(() => end('out of time'), limit * 1000);
    const interrupted = (signal) => {
      end(`ended by ${signal}`);
      add({ status });
      process.exit(1);
    };
    for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, interrupted);
    child.on('message', (message) => {
      if (message.error !== undefined) problem = message.error;
      if (message.row !== undefined) {
        ++rows;
        failed += message.row.passed === false;
        columns.add(message.row);
      }
      add(message);
    });
    child.on('exit', (code, signal) => {
      clearTimeout(timer);
      for (const name of ['SIGINT', 'SIGTERM']) process.off(name, interrupted);
      columns.flush();
      if (status === 'running') status = code === 0 ? 'done' : `ended by ${signal ?? `exit code ${code}`}`;
      const seconds = (Date.now() - started) / 1000;
      add({ status, seconds });
      console.log(
        `-- ${name}: ${status}, ${rows} rows, ${failed} failed, ${seconds.toFixed(1)} s` +
          (problem ? `\n   ${problem}` : ''),
      );
      resolve(status === 'done' && failed === 0);
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
  if (options.within !== undefined) {
    well = await runWithin(options, head, (name, own, limit, add) => {
      console.log(`\n== ${name}, for at most ${limit.toFixed(0)} s`);
      return runStage(name, own, limit, add);
    });
  } else {
    for (const name of options.stages) {
      const { about, seconds } = stages[name];
      console.log(`\n== ${name}: ${about}`);
      const add = stageFile(name, options, head);
      well = (await runStage(name, options, options.limit ?? seconds, add)) && well;
    }
  }
  console.log(`\n${well ? 'all well' : 'NOT all well'}: results in ${options.out}`);
  return well ? 0 : 1;
});
