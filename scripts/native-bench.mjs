// The executable of bench/native/cpu.cpp: the CPU backend without Node, and the FMA peak of the processor.
import path from 'node:path';
import { buildFolder, buildNative } from './build-native.mjs';
import { startPeer } from './python-peer.mjs';

export async function startNativeBench() {
  await buildNative({ target: 'cpu_bench' });
  const bench = await startPeer(path.join(buildFolder('Release'), 'cpu_bench'), []);
  return {
    about: bench.about,
    /** Thousand million operations a second of `threads` threads that multiply and add registers. */
    async peak(threads, seconds = 0.3) {
      return (await bench.ask(`peak ${threads} ${seconds}`)).gflops;
    },
    /** Least seconds of one call: what is linear, outer or pack. */
    async time(what, [rows, inner, columns], threads, seconds) {
      return (await bench.ask(`${what} ${rows} ${inner} ${columns} ${threads} ${seconds}`)).seconds;
    },
    stop: () => bench.stop('quit'),
  };
}
