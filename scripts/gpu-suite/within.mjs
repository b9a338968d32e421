// All that matters in a given time of a machine (--within SECONDS): a plan of steps with a deadline each, one JSON-lines file that
// every row is added to as it comes, peers compiled in the background from the first second.
import { spawn, spawnSync } from 'node:child_process';
import { appendFileSync, existsSync, mkdirSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { findProgram } from '../tools.mjs';

/** What a run of nine minutes gives to each; `options` over those of the command line. */
const STEPS = [
  { name: 'facts', seconds: 8, about: 'the machine, the driver, the versions' },
  { name: 'native', seconds: 62, about: 'native tests, three files at a time; two sizes at once' },
  { name: 'truth', seconds: 50, about: 'truth files; 64x2, 128x3, 512x6 with odd rows beside float64' },
  { name: 'compile', seconds: 30, about: 'wait for the peers, which compile since second 0' },
  { name: 'ours', seconds: 80, about: 'our time of every headline case, alone', options: { peers: [] } },
  { name: 'profile', seconds: 25, about: 'kernels of training steps at 512x6 and 64x2 (nsys)' },
  {
    name: 'peers',
    seconds: 150,
    about: 'headline cases beside P4 and P1',
    options: { peers: ['P4', 'P1'], rounds: 3 },
  },
  { name: 'sanitize', seconds: 60, about: 'native tests under memcheck and racecheck' },
  { name: 'determinism', seconds: 30, about: 'the same bits twice, and for any batching' },
  { name: 'training', seconds: 35, about: 'short fits beside the CPU' },
];
/** Of the time for starting, keeping the compile cache, and ending. */
const RESERVE = 10;
/** Of one file that is brought back. */
const LARGEST_CACHE_MIB = 50;

/** Steps with the second that each must end at. */
export function plan(within) {
  const share = (within - RESERVE) / STEPS.reduce((sum, { seconds }) => sum + seconds, 0);
  let at = 0;
  return STEPS.map((step) => {
    const from = at;
    at += step.seconds * share;
    return { ...step, from, until: at };
  });
}

export function planTable(steps) {
  const line = (from, until, name, about) =>
    `${from.padStart(5)} ${until.padStart(5)}  ${name.padEnd(12)} ${about}`;
  return [
    line('from', 'until', 'step', 'seconds since the start; what a step leaves is for the next ones'),
    ...steps.map(({ from, until, name, about }) => line(from.toFixed(0), until.toFixed(0), name, about)),
  ].join('\n');
}

/** The file of a run: a line is there as soon as it is added. */
class Lines {
  constructor(file, started) {
    this.file = file;
    this.started = started;
  }
  add(line) {
    const at = Number(((Date.now() - this.started) / 1000).toFixed(2));
    appendFileSync(this.file, `${JSON.stringify({ at, ...line })}\n`);
  }
}

/** PyTorch's compiled code: a folder of the run, and the file that the next run starts with. */
class CompileCache {
  constructor(out) {
    this.file = path.join(out, 'compile-cache.tar.gz');
    this.folder = path.join(out, 'compile-cache');
    mkdirSync(this.folder, { recursive: true });
    if (existsSync(this.file)) spawnSync('tar', ['-xzf', this.file, '-C', this.folder], { stdio: 'ignore' });
    process.env.TORCHINDUCTOR_CACHE_DIR = path.join(this.folder, 'inductor');
    process.env.TRITON_CACHE_DIR = path.join(this.folder, 'triton');
  }
  /** As one file where it is small enough; the folder goes. */
  keep() {
    const part = `${this.file}.part`;
    const { status } = spawnSync(
      'sh',
      ['-c', 'tar -czf "$1" -C "$2" . && mv "$1" "$3"', '-', part, this.folder, this.file],
      {
        stdio: 'ignore',
        timeout: (RESERVE * 1000) / 2,
      },
    );
    rmSync(part, { force: true });
    rmSync(this.folder, { recursive: true, force: true });
    if (status === 0 && statSync(this.file).size > LARGEST_CACHE_MIB * 2 ** 20) rmSync(this.file);
  }
}

/** Compiles the peers of the headline cases in a process group of its own. */
function compile(options) {
  const program = fileURLToPath(new URL('./stage.mjs', import.meta.url));
  const child = spawn(process.execPath, [program, 'compile', JSON.stringify(options)], {
    detached: true,
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  const messages = [];
  child.on('message', (message) => messages.push(message));
  const ended = new Promise((resolve) =>
    child.on('exit', (code) => resolve(code === 0 ? 'done' : `exit code ${code}`)),
  );
  const stop = () => {
    try {
      process.kill(-child.pid, 'SIGKILL');
    } catch {
      // it has ended
    }
  };
  return { ended, messages, stop };
}

/** @param runStage (name, options, limit, add) -> whether it ended well */
export async function runWithin(options, head, runStage) {
  const started = Date.now();
  const steps = plan(options.within);
  console.log(planTable(steps));
  mkdirSync(options.out, { recursive: true });
  const lines = new Lines(path.join(options.out, 'gpu-suite.jsonl'), started);
  rmSync(lines.file, { force: true });
  lines.add({ head, plan: steps.map(({ name, from, until }) => ({ name, from, until })) });
  const cache = new CompileCache(options.out);
  const background =
    findProgram('python3') === undefined && !process.env.SKLAR_PYTHON ? null : compile(options);
  let well = true;
  try {
    for (const { name, until, options: own } of steps) {
      const limit = Math.max(0.5, until - (Date.now() - started) / 1000);
      const add = (line) => lines.add({ stage: name, ...line });
      if (name === 'compile') {
        const late = new Promise((resolve) => setTimeout(resolve, limit * 1000, 'out of time').unref());
        const status = background === null ? 'no python3' : await Promise.race([background.ended, late]);
        background?.stop(); // nothing else runs while times are taken
        for (const { facts, error } of background?.messages ?? []) add({ facts, error });
        add({ status });
        console.log(`\n-- compile: ${status}`);
        continue;
      }
      well = (await runStage(name, { ...options, ...own, headline: true }, limit, add)) && well;
    }
  } finally {
    background?.stop();
    cache.keep();
  }
  lines.add({ status: well ? 'all well' : 'not all well' });
  return well;
}
