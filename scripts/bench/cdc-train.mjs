// One training step of a guided CDC, ours beside the same model in PyTorch, in turn in the same run:
//   npm run bench -- cdc-train [--shapes 64x2,256x3,512x6] [--activations silu,published] [--threads N] [--rounds 7]
// The peer is scripts/bench/peers/cdc_train.py in two forms: `autograd`, as a user writes it, and `four-pass`, our own
// tape-free algorithm in torch operations, each with the number of threads (up to ours) that it is fastest with. It needs a
// Python with PyTorch: SKLAR_PYTHON, default /usr/bin/python3 (Debian: apt-get install python3-torch libopenblas0-pthread).
// Every kind of machine (AVX2, AVX-512) has a record of its own.
import path from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { BATCH, DIM, LEVELS, cdcSteps, stepOperations } from '../cdc-steps.mjs';
import { startNativeBench } from '../native-bench.mjs';
import { writeRecord } from '../record.mjs';
import { root, runMain } from '../tools.mjs';

await runMain(async () => {
  const { values } = parseArgs({
    options: {
      shapes: { type: 'string', default: '64x2,256x3,512x6' },
      activations: { type: 'string', default: 'silu,published' },
      threads: { type: 'string', default: '0' },
      rounds: { type: 'string', default: '7' },
    },
  });
  const sklar = await import(path.join(root, 'dist', 'index.mjs'));
  const devices = sklar.devices();
  const threads = Number(values.threads) || devices.cpu.cores;
  const rounds = Number(values.rounds);
  console.log(
    `one training step, d = ${DIM}, batch ${BATCH}, ${LEVELS} levels, ${threads} threads, the peer with the number beside it; medians of ${rounds} rounds, in milliseconds`,
  );
  const results = [];
  const bench = await startNativeBench();
  let peak = 0;
  let peer;
  const python = process.env.SKLAR_PYTHON ?? '/usr/bin/python3';
  const cases = { python, shapes: values.shapes.split(','), activations: values.activations.split(',') };
  for await (const { about, row } of cdcSteps(sklar, { ...cases, threads, rounds })) {
    const { hidden, depth, activation, milliseconds: ms, ratio } = row;
    peer = about;
    results.push(row);
    peak = Math.max(peak, await bench.peak(threads));
    const share = stepOperations(hidden, depth) / (1e6 * ms.ours) / peak;
    console.log(
      `${`${hidden}x${depth}`.padEnd(6)} ${activation.padEnd(9)} ours ${ms.ours.toFixed(2).padStart(8)}   ` +
        `(${(100 * share).toFixed(0)} % of the FMA peak)   ` +
        `torch autograd ${ms.autograd.toFixed(1).padStart(8)} (x ${ratio.autograd.toFixed(1)} with ${row.peerThreads.autograd})   ` +
        `torch four-pass ${ms.fourPass.toFixed(1).padStart(8)} (x ${ratio.fourPass.toFixed(1)} with ${row.peerThreads.fourPass})`,
    );
  }
  bench.stop();
  const kind = devices.cpu.instructionSet;
  console.log(
    `written: ${writeRecord('cdc-train', { devices, kind, peak: { gflops: peak, threads }, peer, results })}`,
  );
});
