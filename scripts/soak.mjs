// npm run soak -- [--minutes 20] [--seconds 5]: fits, scores, samples, imputes, saves and loads small models of every kind in one
// process, over and over, and aborts some of it; memory is looked at every few seconds, after a collection of garbage. Prints the
// curve, judges whether it is flat and writes bench/results/soak.json.
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { setImmediate } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { median, writeRecord } from './record.mjs';
import { ScriptError, root, run, runMain } from './tools.mjs';

/** Growth from the second quarter of the looks to the last that counts as none. */
const FLAT = 0.02;
const ROWS = 200;
/** Few points in the cells of rows, which the fields of networks would integrate at each. */
const scoring = { cellPoints: 2 };
const SMALL = { steps: 40, hidden: 16, depth: 1 };

const classical = [
  { kind: 'gaussian' },
  { kind: 'student' },
  { kind: 'frank' },
  { kind: 'empirical-beta' },
  { kind: 'kernel' },
];
const learned = [
  { kind: 'cdc', ...SMALL, levels: 4 },
  { kind: 'flow', ...SMALL },
  { kind: 'reflection', ...SMALL },
];

/** Rows with a column of counts, ties and missing cells, new ones each turn. */
async function tableOf(sklar, seed) {
  const { FamilyCopula, Table } = sklar;
  const { data, rows, columns } = await new FamilyCopula('clayton', { theta: 2 }, { dim: 3 }).sample(ROWS, {
    seed,
  });
  const column = (j, of) => Float64Array.from({ length: rows }, (_, i) => of(data[i * columns + j]));
  return new Table(
    ['level', 'counts', 'holes'],
    [
      column(0, (u) => -Math.log(u)),
      column(1, (u) => Math.floor(6 * u)),
      column(2, (u) => (u > 0.9 ? NaN : u ** 2)),
    ],
  );
}

/** Starts work that is aborted when it first tells of its progress, or soon. */
async function aborted(work) {
  const controller = new AbortController();
  const stop = () => controller.abort();
  const timer = setTimeout(stop, 50);
  try {
    await work({ signal: controller.signal, onProgress: stop });
  } catch (error) {
    if (controller.signal.aborted && error === controller.signal.reason) return;
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** One turn of everything, with one kind. */
async function turn(sklar, copula, seed, folder) {
  const {
    Margins,
    TableReader,
    TableWriter,
    fitCopula,
    fitEnsemble,
    fitJoint,
    loadJoint,
    matrix,
    readTable,
  } = sklar;
  const file = (name) => path.join(folder, name);
  const all = await tableOf(sklar, seed);
  const table = copula.kind === 'kernel' ? all.select(['level', 'counts']) : all;
  const extension = ['csv', 'parquet', 'ndjson'][seed % 3];
  await sklar.writeTable(table, file(`rows.${extension}`));
  const read = await readTable(file(`rows.${extension}`));
  const options = { copula, seed, margins: ['auto', 'empirical', 'kde'][seed % 3] };
  const joint = await fitJoint(read, options);
  await joint.save(file('model.safetensors'));
  joint.dispose();
  const loaded = await loadJoint(file('model.safetensors'));
  const reader = await TableReader.open(file(`rows.${extension}`));
  try {
    await loaded.logPdf(read, scoring);
    await loaded.sample(2000, { seed });
    await loaded.impute(read.take(Array.from({ length: 10 }, (_, i) => i)), { draws: 2, seed });
    const writer = await TableWriter.open(file('scores.parquet'), ['log_pdf']);
    for await (const scores of loaded.logPdfStream(reader.batches({ rows: 80 }), scoring))
      await writer.append(matrix(scores, scores.length, 1));
    await writer.close();
    await aborted((run) => loaded.sample(200_000, { ...run, seed }));
    await aborted((run) => loaded.logPdf(read, { ...scoring, ...run }));
    // a stream and a writer that are left in the middle
    const left = await TableWriter.open(file('left.csv'), ['log_pdf']);
    for await (const scores of loaded.logPdfStream(reader.batches({ rows: 50 }), scoring)) {
      await left.append(matrix(scores, scores.length, 1));
      break;
    }
    await left[Symbol.asyncDispose]();
  } finally {
    reader.close();
    loaded.dispose();
  }
  await aborted((run) => fitJoint(read, { ...options, ...run, onMarginsProgress: run.onProgress }));
  if ('steps' in copula) {
    const some = read.select(['level', 'counts']);
    const u = await (await Margins.fit(some)).transform(some);
    await aborted((run) => fitCopula(u, { ...copula, ...run, seed }));
    const members = await fitEnsemble(u, { ...copula, steps: 20, models: 2, seed });
    await members.sample(500, { seed });
    members.dispose();
  }
}

async function look(begun) {
  for (let i = 0; i < 3; i++) {
    globalThis.gc();
    await setImmediate(); // finalisers of native handles
  }
  const { rss, heapUsed, external, arrayBuffers } = process.memoryUsage();
  return { seconds: (performance.now() - begun) / 1000, rss, heapUsed, external, arrayBuffers };
}

const mebibytes = (bytes) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;

await runMain(async () => {
  const { values } = parseArgs({ options: { minutes: { type: 'string' }, seconds: { type: 'string' } } });
  const [minutes, every] = [Number(values.minutes ?? 20), Number(values.seconds ?? 5)];
  if (!(minutes > 0 && every > 0))
    throw new ScriptError('expected numbers above 0 for --minutes and --seconds');
  if (!globalThis.gc) throw new ScriptError('expected node --expose-gc: run npm run soak');
  // a process of its own, whose memory is none of ours
  run(process.execPath, [path.join(root, 'scripts', 'setup.mjs')]);
  const sklar = createRequire(import.meta.url)(path.join(root, 'dist', 'index.js'));
  const folder = mkdtempSync(path.join(os.tmpdir(), 'sklar-soak-'));
  const begun = performance.now();
  const looks = [];
  let [turns, next] = [0, 0];
  try {
    const kinds = [...classical, ...learned];
    while (performance.now() - begun < minutes * 60_000) {
      await turn(sklar, kinds[turns % kinds.length], turns, folder);
      turns++;
      if (performance.now() < next) continue;
      next = performance.now() + every * 1000;
      const seen = await look(begun);
      looks.push(seen);
      console.log(
        `${seen.seconds.toFixed(0).padStart(5)} s, ${turns} turns: ${mebibytes(seen.rss)} resident, ` +
          `${mebibytes(seen.heapUsed)} heap, ${mebibytes(seen.external)} outside of it`,
      );
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
  const quarter = (k) => {
    const part = looks.slice(Math.floor((k * looks.length) / 4), Math.floor(((k + 1) * looks.length) / 4));
    return Object.fromEntries(
      ['rss', 'heapUsed', 'external'].map((name) => [name, median(part.map((seen) => seen[name]))]),
    );
  };
  if (looks.length < 8) throw new ScriptError(`expected 8 looks at least to judge by, got ${looks.length}`);
  const quarters = [0, 1, 2, 3].map(quarter);
  const growth = quarters[3].rss / quarters[1].rss - 1;
  const flat = growth <= FLAT;
  console.log(
    `resident, medians of quarters: ${quarters.map(({ rss }) => mebibytes(rss)).join(', ')}; from the second to the last ` +
      `${(100 * growth).toFixed(2)} %: ${flat ? 'flat' : `not flat, more than ${100 * FLAT} %`}`,
  );
  const results = { minutes, turns, quarters, growth, flat, looks };
  console.log(`wrote ${writeRecord('soak', { devices: sklar.devices(), results, script: 'soak --' })}`);
  return flat ? 0 : 1;
});
