// A wide table of a million rows: read from Parquet, margins fitted (`auto`), transformed and back, beside numpy and scipy on
// the same columns in the same run:
//   npm run bench -- margins [--rows 1000000] [--columns 20] [--threads 2] [--rounds 3] [--shared]
// Seconds are those of the clock; processor seconds, summed over threads, do not count what others take.
// The file is made in a temporary folder by the library's own writer. Each library works in a process of its own, so that
// its peak of resident memory is its own; they take turns. The peer needs a Python with numpy and scipy: SKLAR_PYTHON,
// default /usr/bin/python3 (Debian: apt-get install python3-scipy). `--shared` notes in the record that others used the
// machine meanwhile.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { startPythonPeer } from '../python-peer.mjs';
import { median, writeRecord } from '../record.mjs';
import { ScriptError, root, runMain } from '../tools.mjs';

const library = () => import(path.join(root, 'dist', 'index.mjs'));

/** Columns of all sorts in turn, as functions of two uniform numbers. */
const KINDS = [
  ['normal', (u, v) => Math.sqrt(-2 * Math.log(u)) * Math.cos(2 * Math.PI * v)],
  ['lognormal', (u, v) => Math.exp(Math.sqrt(-2 * Math.log(u)) * Math.cos(2 * Math.PI * v))],
  ['counts', (u) => Math.floor(-20 * Math.log(u))],
  ['rain', (u, v) => (v < 0.6 ? 0 : -Math.log(u))],
  ['heavy', (u) => Math.tan(Math.PI * (u - 0.5))],
];

function* uniforms(seed) {
  let state = seed;
  for (;;) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    yield (state + 0.5) / 2 ** 32;
  }
}

/** The table as Parquet, and as plain doubles, column by column, for the peer. */
async function makeFiles(folder, rows, columns) {
  const { Table, writeTable } = await library();
  const names = Array.from({ length: columns }, (_, j) => `${KINDS[j % KINDS.length][0]}${j}`);
  const values = names.map((_, j) => {
    const next = uniforms(j + 1);
    const [, draw] = KINDS[j % KINDS.length];
    return Float64Array.from({ length: rows }, () => draw(next.next().value, next.next().value));
  });
  const kinds = names.map((name) => (name.startsWith('counts') ? 'integer' : 'float'));
  const started = performance.now();
  await writeTable(new Table(names, values, kinds), path.join(folder, 'table.parquet'));
  const seconds = (performance.now() - started) / 1000;
  const plain = await open(path.join(folder, 'table.f64'), 'w');
  for (const column of values) await plain.write(column);
  await plain.close();
  return seconds;
}

/** Answers messages { stage } by { seconds }, and { stage: 'memory' } by what the process took at most. */
async function work(folder, threads) {
  const { Margins, PseudoObservations, readTable } = await library();
  const file = path.join(folder, 'table.parquet');
  let table, margins, u;
  const stages = {
    read: async () => (table = await readTable(file)),
    fit: async () => (margins = await Margins.fit(table, { threads })),
    transform: async () => (u = await margins.transform(table, { threads })),
    inverse: () => margins.inverse(u, { threads }),
    ranks: async () => {
      (await PseudoObservations.fit(table, { threads })).forgetTraining();
    },
  };
  process.on('message', async ({ stage }) => {
    if (stage === 'memory') {
      process.send({ peakBytes: 1024 * process.resourceUsage().maxRSS, types: margins.types });
      return;
    }
    const delay = monitorEventLoopDelay({ resolution: 5 });
    delay.enable();
    const started = performance.now();
    const before = process.cpuUsage();
    await stages[stage]();
    const seconds = (performance.now() - started) / 1000;
    const { user, system } = process.cpuUsage(before);
    delay.disable();
    process.send({ seconds, processorSeconds: (user + system) / 1e6, stalled: delay.max / 1e9 });
  });
}

const medianOf = (rounds, key) => median(rounds.map((round) => round[key]));

function startWorker(folder, threads) {
  const child = fork(fileURLToPath(import.meta.url), ['--work', folder, '--threads', String(threads)]);
  const ended = once(child, 'exit').then(() => Promise.reject(new ScriptError('the worker ended')));
  ended.catch(() => {});
  return {
    async ask(stage) {
      child.send({ stage });
      const [answer] = await Promise.race([once(child, 'message'), ended]);
      return answer;
    },
    stop: () => child.disconnect(),
  };
}

async function bench({ rows, columns, threads, rounds, shared }) {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'sklar-bench-'));
  try {
    // in a process of its own, so that the columns do not count as memory of ours
    const maker = fork(fileURLToPath(import.meta.url), [
      '--make',
      folder,
      '--rows',
      String(rows),
      '--columns',
      String(columns),
    ]);
    const [{ seconds: writeSeconds }] = await once(maker, 'message');
    await once(maker, 'exit');
    const peer = await startPythonPeer(process.env.SKLAR_PYTHON ?? '/usr/bin/python3', 'margins.py', [
      path.join(folder, 'table.f64'),
      String(columns),
    ]);
    const ours = startWorker(folder, threads);
    // what the peer does that is nearest to a stage of ours
    const peers = { fit: 'sort', transform: 'interpolate', inverse: 'invert', ranks: 'rank' };
    const stages = ['read', 'fit', 'transform', 'inverse', 'ranks'];
    const times = Object.fromEntries(stages.map((stage) => [stage, { ours: [], theirs: [] }]));
    for (let round = 0; round < rounds; round++) {
      for (const stage of stages) {
        times[stage].ours.push(await ours.ask(stage));
        if (peers[stage]) times[stage].theirs.push(await peer.ask(peers[stage]));
      }
    }
    const { peakBytes, types } = await ours.ask('memory');
    const theirMemory = (await peer.ask('memory')).peakBytes;
    ours.stop();
    peer.stop('quit');
    return {
      shared,
      peer: { ...peer.about, peakBytes: theirMemory },
      results: {
        rows,
        columns,
        threads,
        rounds,
        types: types.reduce((counts, type) => ({ ...counts, [type]: (counts[type] ?? 0) + 1 }), {}),
        writeSeconds,
        peakBytes,
        totalSeconds: ['read', 'fit', 'transform'].reduce(
          (sum, stage) => sum + medianOf(times[stage].ours, 'seconds'),
          0,
        ),
        stages: Object.fromEntries(
          Object.entries(times).map(([stage, { ours: a, theirs: b }]) => [
            stage,
            {
              seconds: medianOf(a, 'seconds'),
              processorSeconds: medianOf(a, 'processorSeconds'),
              stalledSeconds: medianOf(a, 'stalled'),
              ...(b.length > 0 && {
                peer: peers[stage],
                peerSeconds: medianOf(b, 'seconds'),
                peerProcessorSeconds: medianOf(b, 'processorSeconds'),
                ratio: median(b.map(({ seconds }, k) => seconds / a[k].seconds)),
              }),
              rounds: { ours: a, theirs: b },
            },
          ]),
        ),
      },
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

await runMain(async () => {
  const { values } = parseArgs({
    options: {
      rows: { type: 'string', default: '1000000' },
      columns: { type: 'string', default: '20' },
      threads: { type: 'string', default: '2' },
      rounds: { type: 'string', default: '3' },
      shared: { type: 'boolean', default: false },
      make: { type: 'string' },
      work: { type: 'string' },
    },
  });
  const [rows, columns, threads, rounds] = ['rows', 'columns', 'threads', 'rounds'].map((key) =>
    Number(values[key]),
  );
  if (values.make !== undefined) {
    process.send({ seconds: await makeFiles(values.make, rows, columns) });
    process.disconnect();
    return;
  }
  if (values.work !== undefined) return work(values.work, threads);
  const record = await bench({ rows, columns, threads, rounds, shared: values.shared });
  const { stages, totalSeconds, peakBytes } = record.results;
  console.log(`${rows} rows x ${columns} columns, ${threads} threads, medians of ${rounds} rounds`);
  for (const [stage, { stalledSeconds, peer, ratio, ...times }] of Object.entries(stages)) {
    console.log(
      `${stage.padEnd(10)} ${times.seconds.toFixed(2).padStart(7)} s (${times.processorSeconds.toFixed(2)} s of processors), ` +
        `event loop held for ${(1000 * stalledSeconds).toFixed(0)} ms at most` +
        (peer
          ? `; ${peer} ${times.peerSeconds.toFixed(2)} s (${times.peerProcessorSeconds.toFixed(2)} s; x ${ratio.toFixed(1)})`
          : ''),
    );
  }
  console.log(
    `read, fit and transform ${totalSeconds.toFixed(1)} s, peak ${(peakBytes / 2 ** 30).toFixed(2)} GiB`,
  );
  const { devices } = await library();
  console.log(`written: ${writeRecord('margins', { devices: devices(), ...record })}`);
});
