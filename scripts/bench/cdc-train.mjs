// One training step of a guided CDC, ours beside the same model in PyTorch, in turn in the same run:
//   npm run bench -- cdc-train [--shapes 64x2,256x3,512x6] [--activations silu,published] [--threads N] [--rounds 7]
// The peer is scripts/bench/peers/cdc_train.py in two forms: `autograd`, as a user writes it, and `four-pass`, our own
// tape-free algorithm in torch operations. It needs a Python with PyTorch: SKLAR_PYTHON, default /usr/bin/python3
// (Debian: apt-get install python3-torch libopenblas0-pthread).
import path from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { startPythonPeer } from '../python-peer.mjs';
import { cpuFlags, median, writeRecord } from '../record.mjs';
import { root, runMain } from '../tools.mjs';

const DIM = 10;
const LEVELS = 10;
const BATCH = 1024;
const ROWS = 20_000;

/** OpenBLAS of some distributions takes new processors for old ones. */
function openblasCore() {
  const flags = cpuFlags();
  if (process.env.OPENBLAS_CORETYPE) return process.env.OPENBLAS_CORETYPE;
  if (/\bavx512f\b/.test(flags)) return 'SkylakeX';
  if (/\bavx2\b/.test(flags)) return 'Haswell';
  return undefined;
}

async function startPeer(args) {
  const core = openblasCore();
  const peer = await startPythonPeer(
    process.env.SKLAR_PYTHON ?? '/usr/bin/python3',
    'cdc_train.py',
    [...args, '--interactive'],
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

await runMain(async () => {
  const { values } = parseArgs({
    options: {
      shapes: { type: 'string', default: '64x2,256x3,512x6' },
      activations: { type: 'string', default: 'silu,published' },
      threads: { type: 'string', default: '0' },
      rounds: { type: 'string', default: '7' },
    },
  });
  const { fitCopula, devices } = await import(path.join(root, 'dist', 'index.mjs'));
  const threads = Number(values.threads) || devices().cpu.cores;
  const rounds = Number(values.rounds);
  const u = { data: uniformRows(ROWS * DIM), rows: ROWS, columns: DIM };
  const ours = async (hidden, depth, activation, steps) => {
    const model = await fitCopula(u, {
      hidden,
      depth,
      activation,
      steps,
      device: 'cpu',
      threads,
      levels: LEVELS,
      batch: BATCH,
      guided: true,
      shrinkage: 1e-5,
      validation: 0,
      warmup: 0,
    });
    return model.info().training.stepMilliseconds;
  };
  const results = [];
  let peerAbout;
  console.log(
    `one training step, d = ${DIM}, batch ${BATCH}, ${LEVELS} levels, ${threads} threads; medians of ${rounds} rounds, in milliseconds`,
  );
  for (const shape of values.shapes.split(',')) {
    const [hidden, depth] = shape.split('x').map(Number);
    for (const activation of values.activations.split(',')) {
      const work = hidden * hidden * depth;
      const steps = Math.max(3, Math.min(200, Math.round(2e7 / work)));
      const peerSteps = Math.max(2, Math.round(steps / 4));
      const peerArguments = (algorithm) =>
        [
          '--dim',
          DIM,
          '--hidden',
          hidden,
          '--depth',
          depth,
          '--levels',
          LEVELS,
          '--batch',
          BATCH,
          '--rows',
          ROWS,
          '--activation',
          activation,
          '--algorithm',
          algorithm,
          '--threads',
          threads,
          '--seed',
          1,
        ].map(String);
      const times = {};
      // one peer at a time: its idle threads would take the other's processors
      for (const algorithm of ['autograd', 'four-pass']) {
        const peer = await startPeer(peerArguments(algorithm));
        peerAbout = peer.about;
        const pair = { ours: [], theirs: [] };
        await ours(hidden, depth, activation, steps);
        await peer.run(2);
        for (let round = 0; round < rounds; round++) {
          pair.ours.push(await ours(hidden, depth, activation, steps));
          pair.theirs.push(await peer.run(peerSteps));
        }
        peer.stop();
        times[algorithm] = pair;
      }
      const ratio = ({ ours: a, theirs: b }) => median(b.map((ms, k) => ms / a[k]));
      const row = {
        hidden,
        depth,
        activation,
        threads,
        milliseconds: {
          ours: median([...times.autograd.ours, ...times['four-pass'].ours]),
          autograd: median(times.autograd.theirs),
          fourPass: median(times['four-pass'].theirs),
        },
        ratio: { autograd: ratio(times.autograd), fourPass: ratio(times['four-pass']) },
        rounds: times,
      };
      results.push(row);
      const ms = row.milliseconds;
      console.log(
        `${shape.padEnd(6)} ${activation.padEnd(9)} ours ${ms.ours.toFixed(2).padStart(8)}   ` +
          `torch autograd ${ms.autograd.toFixed(1).padStart(8)} (x ${row.ratio.autograd.toFixed(1)})   ` +
          `torch four-pass ${ms.fourPass.toFixed(1).padStart(8)} (x ${row.ratio.fourPass.toFixed(1)})`,
      );
    }
  }
  const file = writeRecord('cdc-train', {
    devices: devices(),
    peer: peerAbout,
    results,
  });
  console.log(`written: ${file}`);
});
