// npm run bench -- memory [--rows 1000000] [--columns 8]: peak memory of `sklar fit` and `sklar score` of a long table beyond that of
// the same command on a short one, beside the size of the table as doubles.
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { writeRecord } from '../record.mjs';
import { ScriptError, root, runMain } from '../tools.mjs';

const require = createRequire(import.meta.url);

/** Rows of the short table: what a command needs whatever the table is. */
const SHORT = 5000;

/** A table of normal columns with correlation 0.36. */
async function writeRows(file, rows, columns) {
  const { GaussianCopula, TableWriter, matrix } = require(path.join(root, 'dist', 'index.js'));
  const correlation = Float64Array.from({ length: columns ** 2 }, (_, k) =>
    k % (columns + 1) === 0 ? 1 : 0.36,
  );
  const names = Array.from({ length: columns }, (_, j) => `column${j + 1}`);
  const writer = await TableWriter.open(file, names);
  for await (const { data, rows: count } of new GaussianCopula(correlation, columns).sampleStream(rows, {
    scale: 'gaussian',
    dtype: 'float64',
  })) {
    await writer.append(matrix(data, count, columns));
  }
  await writer.close();
}

await runMain(async () => {
  const { values } = parseArgs({ options: { rows: { type: 'string' }, columns: { type: 'string' } } });
  const rows = Number(values.rows ?? 1_000_000);
  const columns = Number(values.columns ?? 8);
  const folder = mkdtempSync(path.join(os.tmpdir(), 'sklar-memory-'));
  try {
    const at = (name) => path.join(folder, name);
    const hook = at('hook.cjs');
    writeFileSync(hook, "process.on('exit', () => console.error('peak', process.resourceUsage().maxRSS));\n");
    const peakOf = (...command) => {
      const main = path.join(root, 'dist', 'cli', 'main.js');
      const argv = ['-r', hook, main, ...command, '--device', 'cpu'];
      const { stderr, status } = spawnSync(process.execPath, argv, { encoding: 'utf8' });
      if (status !== 0) throw new ScriptError(stderr);
      return Number(/peak (\d+)/.exec(stderr)[1]) * 1024;
    };
    const tableBytes = rows * columns * 8;
    const mebibytes = (bytes) => `${Math.round(bytes / 2 ** 20)} MiB`;
    const results = [];
    const measure = (what, command) => {
      const [baseBytes, peakBytes] = [peakOf(...command('short')), peakOf(...command('long'))];
      const ratio = (peakBytes - baseBytes) / tableBytes;
      results.push({ what, peakBytes, baseBytes, ratio });
      console.log(
        `${what}: ${mebibytes(peakBytes)}, ${mebibytes(baseBytes)} of ${SHORT} rows; ` +
          `${ratio.toFixed(2)} x the table (${mebibytes(tableBytes)})`,
      );
    };
    const fits = {
      gaussian: ['--kind', 'gaussian'],
      flow: ['--kind', 'flow', '--steps', '20', '--hidden', '16', '--depth', '1'],
    };
    const model = at('gaussian-short.safetensors');
    for (const format of ['parquet', 'csv']) {
      const file = (table) => at(`${table}.${format}`);
      await writeRows(file('short'), SHORT, columns);
      await writeRows(file('long'), rows, columns);
      for (const [kind, flags] of Object.entries(fits)) {
        const out = (table) => at(`${kind}-${table}.safetensors`);
        measure(`fit --kind ${kind}, ${format}`, (table) => [
          'fit',
          file(table),
          '--out',
          out(table),
          ...flags,
        ]);
      }
      measure(`score, ${format}`, (table) => ['score', model, file(table), '--out', at('scores.parquet')]);
    }
    const { devices } = require(path.join(root, 'dist', 'index.js'));
    const record = { rows, columns, shortRows: SHORT, tableBytes, results };
    console.log(`wrote ${writeRecord('memory', { devices: devices(), ...record })}`);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
