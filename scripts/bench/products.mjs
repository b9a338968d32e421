// The matrix products of a training step on the CPU beside OpenBLAS, in turn in the same run, on one thread:
//   npm run bench -- products [--widths 64,256,512] [--rows 1024] [--rounds 7]
// Ours are `linear` (with bias, the right factor packed beforehand, as it is for the many rows of a pass) and `outer` (sums
// over the rows of a batch, packing included); the peer is cblas_sgemm of the same shapes, scripts/bench/peers/products.py.
// It needs a Python with numpy and OpenBLAS: SKLAR_PYTHON, default /usr/bin/python3 (Debian: apt-get install python3-numpy
// libopenblas0-pthread).
import path from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { openblasEnvironment } from '../cdc-steps.mjs';
import { startNativeBench } from '../native-bench.mjs';
import { startPythonPeer } from '../python-peer.mjs';
import { median, writeRecord } from '../record.mjs';
import { root, runMain } from '../tools.mjs';

const SECONDS = 0.15;

await runMain(async () => {
  const { values } = parseArgs({
    options: {
      widths: { type: 'string', default: '64,256,512' },
      rows: { type: 'string', default: '1024' },
      rounds: { type: 'string', default: '7' },
    },
  });
  const { devices } = await import(path.join(root, 'dist', 'index.mjs'));
  const rows = Number(values.rows);
  const rounds = Number(values.rounds);
  const peer = await startPythonPeer(process.env.SKLAR_PYTHON ?? '/usr/bin/python3', 'products.py', [], {
    ...openblasEnvironment(),
    OPENBLAS_NUM_THREADS: '1',
  });
  const bench = await startNativeBench();
  const results = [];
  let peak = 0;
  for (const width of values.widths.split(',').map(Number)) {
    // rows x inner x columns of the product
    for (const [product, shape] of [
      ['linear', [rows, width, width]],
      ['outer', [width, rows, width]],
    ]) {
      const operations = 2 * shape[0] * shape[1] * shape[2];
      const rate = (seconds) => operations / seconds / 1e9;
      const times = { ours: [], theirs: [] };
      for (let round = 0; round < rounds; round++) {
        peak = Math.max(peak, await bench.peak(1, SECONDS));
        times.ours.push(rate(await bench.time(product, shape, 1, SECONDS)));
        times.theirs.push(rate((await peer.ask(`${product} ${shape.join(' ')} ${SECONDS}`)).seconds));
      }
      const [ours, theirs] = [median(times.ours), median(times.theirs)];
      const ratio = median(times.ours.map((value, k) => value / times.theirs[k]));
      results.push({ product, shape, gflops: { ours, theirs }, ratio, rounds: times });
      console.log(
        `${product.padEnd(6)} ${shape.join(' x ').padEnd(18)} ours ${ours.toFixed(1).padStart(6)} GFLOP/s   ` +
          `OpenBLAS ${theirs.toFixed(1).padStart(6)}   (${ratio.toFixed(2)})   peak ${peak.toFixed(1)}`,
      );
    }
  }
  peer.stop('quit');
  bench.stop();
  const kind = devices().cpu.instructionSet;
  const record = { devices: devices(), kind, peak, peer: peer.about, results };
  console.log(`written: ${writeRecord('products', record)}`);
});
