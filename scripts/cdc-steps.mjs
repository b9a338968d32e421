// One training step of a guided CDC on the CPU beside the same model in PyTorch, in turn: what `npm run bench -- cdc-train`
// and the stage `cpu-train` of the GPU suite measure.
import process from 'node:process';
import { startPythonPeer } from './python-peer.mjs';
import { cpuFlags, median } from './record.mjs';

export const DIM = 10;
export const LEVELS = 10;
export const BATCH = 1024;
const ROWS = 20_000;
const TRIALS = 3;

/**
 * What the peers' OpenBLAS should think of this processor: releases that are older than the processor take it for an old
 * one. Settings of the shell are for other programs, and would hold the peer back unseen.
 */
export function openblasEnvironment() {
  const flags = cpuFlags();
  const core = /\bavx512f\b/.test(flags) ? 'SkylakeX' : /\bavx2\b/.test(flags) ? 'Haswell' : undefined;
  const inherited = Object.keys(process.env).filter((name) => name.startsWith('OPENBLAS_'));
  return { ...Object.fromEntries(inherited.map((name) => [name, undefined])), OPENBLAS_CORETYPE: core };
}

async function startPeer(python, options) {
  const env = openblasEnvironment();
  const peer = await startPythonPeer(
    python,
    'cdc_train.py',
    [...Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]), '--interactive'],
    env,
  );
  return {
    about: { ...peer.about, openblasCore: env.OPENBLAS_CORETYPE ?? null },
    async run(steps) {
      const { seconds } = await peer.ask(`run ${steps}`);
      return (1000 * seconds) / steps;
    },
    stop: () => peer.stop('quit'),
  };
}

/**
 * The peer with the number of threads that suits it best, up to ours: libraries that wait for one another's threads are often
 * faster with one. Every number is tried, the least of a few times each.
 */
async function bestPeer(python, options, most, steps) {
  const tried = {};
  const counts = [...new Set([1, most])];
  for (const threads of counts) {
    const peer = await startPeer(python, { ...options, threads });
    await peer.run(2);
    const times = [];
    for (let i = 0; i < TRIALS; i++) times.push(await peer.run(steps));
    peer.stop();
    tried[threads] = Math.min(...times);
  }
  const threads = counts.reduce((best, count) => (tried[count] < tried[best] ? count : best));
  return { peer: await startPeer(python, { ...options, threads }), threads, tried };
}

/** Additions and multiplications of one step in the products of hidden layers; the rest is small beside them. */
export function stepOperations(hidden, depth) {
  const merged = DIM * 8 <= hidden; // one matrix of block 0 is merged into the next (native/nn/residual_mlp.cpp)
  const matrices = 2 * depth - (merged ? 1 : 0);
  const active = (BATCH * (LEVELS - 2)) / LEVELS;
  // forward, second adjoint and half of the gradient go over all rows; adjoint, tangent and the other half over active ones
  return 2 * hidden * hidden * matrices * 3 * (BATCH + active);
}

function uniformRows(count) {
  let state = 1;
  return Float64Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 0.5) / 2 ** 32;
  });
}

/**
 * Yields the medians of each shape and activation, with all rounds and what the peer says of itself. The peer takes the
 * number of threads that it is fastest with.
 *
 * @param python a Python with PyTorch
 * @param shapes such as '64x2'
 */
export async function* cdcSteps({ fitCopula }, { python, shapes, activations, threads, rounds }) {
  const u = { data: uniformRows(ROWS * DIM), rows: ROWS, columns: DIM };
  const fixed = { levels: LEVELS, batch: BATCH, guided: true, shrinkage: 1e-5, validation: 0, warmup: 0 };
  const ratio = ({ ours, theirs }) => median(theirs.map((ms, k) => ms / ours[k]));
  for (const shape of shapes) {
    const [hidden, depth] = shape.split('x').map(Number);
    for (const activation of activations) {
      const work = hidden * hidden * depth;
      const steps = Math.max(3, Math.min(200, Math.round(2e7 / work)));
      const ours = async () => {
        const options = { ...fixed, hidden, depth, activation, steps, device: 'cpu', threads };
        return (await fitCopula(u, options)).info().training.stepMilliseconds;
      };
      const times = {};
      const peerThreads = {};
      const peerTried = {};
      let about;
      // one peer at a time: its idle threads would take the other's processors
      for (const algorithm of ['autograd', 'four-pass']) {
        const options = { dim: DIM, hidden, depth, levels: LEVELS, batch: BATCH, rows: ROWS, activation };
        const few = Math.max(2, Math.round(steps / 4));
        const best = await bestPeer(python, { ...options, algorithm, seed: 1 }, threads, few);
        const { peer } = best;
        peerThreads[algorithm] = best.threads;
        peerTried[algorithm] = best.tried;
        about = peer.about;
        const pair = { ours: [], theirs: [] };
        await ours();
        await peer.run(2);
        for (let round = 0; round < rounds; round++) {
          pair.ours.push(await ours());
          pair.theirs.push(await peer.run(few));
        }
        peer.stop();
        times[algorithm] = pair;
      }
      const { autograd, 'four-pass': fourPass } = times;
      yield {
        about,
        row: {
          ...{ hidden, depth, activation, threads },
          milliseconds: {
            ours: median([...autograd.ours, ...fourPass.ours]),
            autograd: median(autograd.theirs),
            fourPass: median(fourPass.theirs),
          },
          ratio: { autograd: ratio(autograd), fourPass: ratio(fourPass) },
          peerThreads: { autograd: peerThreads.autograd, fourPass: peerThreads['four-pass'] },
          peerTried: { autograd: peerTried.autograd, fourPass: peerTried['four-pass'] },
          rounds: times,
        },
      };
    }
  }
}
