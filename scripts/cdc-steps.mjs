// One training step of a guided CDC on the CPU beside the same model in PyTorch, in turn: what `npm run bench -- cdc-train`
// and the stage `cpu-train` of the GPU suite measure.
import process from 'node:process';
import { startPythonPeer } from './python-peer.mjs';
import { cpuFlags, median } from './record.mjs';

export const DIM = 10;
export const LEVELS = 10;
export const BATCH = 1024;
const ROWS = 20_000;

/** OpenBLAS of some distributions takes new processors for old ones. */
function openblasCore() {
  const flags = cpuFlags();
  if (process.env.OPENBLAS_CORETYPE) return process.env.OPENBLAS_CORETYPE;
  if (/\bavx512f\b/.test(flags)) return 'SkylakeX';
  if (/\bavx2\b/.test(flags)) return 'Haswell';
  return undefined;
}

async function startPeer(python, options) {
  const core = openblasCore();
  const peer = await startPythonPeer(
    python,
    'cdc_train.py',
    [...Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]), '--interactive'],
    core ? { OPENBLAS_CORETYPE: core } : {},
  );
  return {
    about: { ...peer.about, openblasCore: core ?? null },
    async run(steps) {
      const { seconds } = await peer.ask(`run ${steps}`);
      return (1000 * seconds) / steps;
    },
    stop: () => peer.stop('quit'),
  };
}

function uniformRows(count) {
  let state = 1;
  return Float64Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 0.5) / 2 ** 32;
  });
}

/**
 * Yields the medians of each shape and activation, with all rounds and what the peer says of itself.
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
      let about;
      // one peer at a time: its idle threads would take the other's processors
      for (const algorithm of ['autograd', 'four-pass']) {
        const options = { dim: DIM, hidden, depth, levels: LEVELS, batch: BATCH, rows: ROWS, activation };
        const peer = await startPeer(python, { ...options, algorithm, threads, seed: 1 });
        about = peer.about;
        const pair = { ours: [], theirs: [] };
        await ours();
        await peer.run(2);
        for (let round = 0; round < rounds; round++) {
          pair.ours.push(await ours());
          pair.theirs.push(await peer.run(Math.max(2, Math.round(steps / 4))));
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
          rounds: times,
        },
      };
    }
  }
}
