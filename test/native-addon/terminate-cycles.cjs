// node terminate-cycles.cjs <style> <cycles>: so often a worker works in that style until it is terminated.
const path = require('node:path');
const { setTimeout: sleep } = require('node:timers/promises');
const { Worker, isMainThread, parentPort, workerData } = require('node:worker_threads');

const dist = path.resolve(__dirname, '..', '..', 'dist');

/** What a worker does until its end. Jobs overlap, so that some wait to be settled at any moment. */
const styles = {
  async score({ fitCopula }, u) {
    const copula = await fitCopula(u, { hidden: 8, depth: 1, steps: 3, batch: 32 });
    return () => copula.logPdf(u);
  },
  async sample({ fitCopula }, u) {
    const copula = await fitCopula(u, { hidden: 8, depth: 1, steps: 3, batch: 32 });
    return () => copula.sample(50, { steps: 4 });
  },
  async fits({ fitCopula }, u) {
    return () => fitCopula(u, { hidden: 8, depth: 1, steps: 40, batch: 32, onProgress: () => undefined });
  },
  async synchronous({ fitMargin }) {
    const values = Float64Array.from({ length: 300 }, (_, i) => Math.sin(i) + i / 100);
    return () => {
      for (let i = 0; i < 20; i++) {
        const margin = fitMargin(values, 'empirical');
        margin.quantile(margin.cdf(values));
        try {
          fitMargin(Float64Array.of(), 'empirical');
        } catch {
          // errors of native code are thrown, too
        }
      }
    };
  },
};

async function work(style) {
  const library = require(dist);
  const n = 200;
  const rows = Array.from({ length: n }, (_, i) => [(i + 0.5) / n, (((i * 37) % n) + 0.5) / n]);
  const once = await styles[style](library, rows);
  parentPort.postMessage('ready');
  const endless = async () => {
    for (;;) {
      await once();
      await new Promise(setImmediate);
    }
  };
  await Promise.all([endless(), endless(), endless()]);
}

/** Timers are no finer than a millisecond. */
function pause(milliseconds) {
  const end = performance.now() + milliseconds;
  while (performance.now() < end);
}

async function main(style, cycles) {
  for (let cycle = 1; cycle <= cycles; cycle++) {
    const worker = new Worker(__filename, { workerData: { style } });
    const failed = new Promise((_, reject) => worker.on('error', reject));
    const wait = (cycle * 0.61803398875) % 1; // moments that differ from cycle to cycle
    await Promise.race([new Promise((resolve) => worker.once('message', resolve)), failed]);
    await Promise.race([style === 'load' ? pause(6 * wait) : sleep(25 * wait), failed]);
    await worker.terminate();
    process.stdout.write(`${cycle}\n`);
  }
}

if (isMainThread) void main(process.argv[2], Number(process.argv[3]));
else if (workerData.style === 'load') {
  const { fitMargin } = require(dist);
  parentPort.postMessage('ready');
  fitMargin(Float64Array.of(1, 2, 3, 4, 5), 'empirical').cdf(Float64Array.of(2)); // now the addon is loaded
} else void work(workerData.style);
