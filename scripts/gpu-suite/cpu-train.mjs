// What the CPU of the machine does: its instruction set may be one that no other machine at hand has.
import process from 'node:process';
import { cdcSteps } from '../cdc-steps.mjs';

const THREADS = 2;

export default async function cpuTrain(context) {
  const { sklar, options } = context;
  await context.fact({ instructionSet: sklar.devices().cpu.instructionSet });
  if (options.peers.length === 0) {
    await context.fact({ note: 'no peers, no ratios' });
    return;
  }
  const cases = {
    python: process.env.SKLAR_PYTHON ?? 'python3',
    shapes: context.size(['64x2', '256x3', '512x6'], ['16x2']),
    activations: ['silu'],
    threads: THREADS,
    rounds: options.rounds,
  };
  for await (const { about, row: found } of cdcSteps(sklar, cases)) {
    await context.fact({ peer: about });
    const { hidden, depth, threads, milliseconds: ms, ratio, rounds } = found;
    await context.row({
      model: `${hidden}x${depth}`,
      threads,
      ours: ms.ours,
      autograd: ms.autograd,
      'x autograd': ratio.autograd,
      'four-pass': ms.fourPass,
      'x four-pass': ratio.fourPass,
      rounds,
    });
  }
}
