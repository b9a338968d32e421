// The stages of a run within a given time (within.mjs): the cases whose speeds are aimed at, and what must hold for them.
import { execFile } from 'node:child_process';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { findProgram } from '../tools.mjs';
import { headlineShapes, truthFiles } from './correctness.mjs';
import { gaussianRows } from './context.mjs';
import { nativeTests } from './native.mjs';
import { cdcTrain, density, reflectionSample, reflectionTrain } from './throughput.mjs';

export async function truth(context) {
  await truthFiles(context);
  await headlineShapes(context);
}

const timed = [cdcTrain, reflectionSample, density, reflectionTrain];

export async function headline(context) {
  for (const work of timed) await work(context);
}

/** The peers' compiled code for the cases of `headline`, into the cache: they are made ready, and not run. */
export async function compile(context) {
  const options = { ...context.options, headline: true, peers: ['P4'], prepareOnly: true };
  await headline(Object.assign(Object.create(context), { options }));
}

export const sanitize = (context) => nativeTests(context, ['memcheck', 'racecheck']);

/** What the kernels of training steps take, by nsys. */
export async function profile(context) {
  const nsys = findProgram('nsys', ['/usr/local/cuda/bin']);
  if (nsys === undefined || context.options.device === 'cpu') {
    await context.fact({ profile: nsys === undefined ? 'nsys is not on PATH' : 'no kernels on the CPU' });
    return;
  }
  const self = fileURLToPath(import.meta.url);
  for (const [hidden, depth] of [
    [512, 6],
    [64, 2],
  ]) {
    const report = path.join(context.scratch, `${hidden}x${depth}`);
    const fit = JSON.stringify({ hidden, depth, device: context.options.device });
    const args = [
      ...[
        'profile',
        '--trace',
        'cuda',
        '--cuda-graph-trace',
        'node',
        '--sample',
        'none',
        '--cpuctxsw',
        'none',
      ],
      ...['--stats', 'true', '--output', report, process.execPath, self, fit],
    ];
    const output = await new Promise((resolve) => {
      execFile(nsys, args, { encoding: 'utf8', maxBuffer: 1 << 26 }, (error, stdout, stderr) =>
        resolve(`${stdout}${error === null ? '' : `${stderr}\n${error.message}`}`),
      );
    });
    await context.row({
      model: `${hidden}x${depth}`,
      steps: PROFILED,
      profile: output.split('\n').slice(0, 200),
    });
  }
}

const PROFILED = 200;

// the program that nsys watches
if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { loadSklar } = await import('./context.mjs');
  const sklar = await loadSklar();
  const rows = await gaussianRows(sklar, 20_000, 10, 1);
  const fit = { kind: 'cdc', levels: 10, batch: 1024, steps: PROFILED, validation: 0, warmup: 0, anneal: 0 };
  await sklar.fitCopula(rows, { ...fit, ...JSON.parse(process.argv[2]) });
}
