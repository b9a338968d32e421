// node scripts/bench/memory.mjs [--rows 2000000] [--columns 8]: peak memory of `sklar score` and `sklar fit` beyond that of a short
// table, beside the size of the table as doubles. After `npm run build`.
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { ScriptError, root, runMain } from '../tools.mjs';

const require = createRequire(import.meta.url);

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
  const rows = Number(values.rows ?? 2_000_000);
  const columns = Number(values.columns ?? 8);
  const folder = mkdtempSync(path.join(os.tmpdir(), 'sklar-memory-'));
  try {
    const at = (name) => path.join(folder, name);
    const hook = at('hook.cjs');
    writeFileSync(hook, "process.on('exit', () => console.error('peak', process.resourceUsage().maxRSS));\n");
    const peakOf = (...command) => {
      const main = path.join(root, 'dist', 'cli', 'main.js');
      const { stderr, status } = spawnSync(
        process.execPath,
        ['-r', hook, main, ...command, '--device', 'cpu'],
        {
          encoding: 'utf8',
        },
      );
      if (status !== 0) throw new ScriptError(stderr);
      return Number(/peak (\d+)/.exec(stderr)[1]) * 1024;
    };
    await writeRows(at('short.parquet'), 5000, columns);
    await writeRows(at('long.parquet'), rows, columns);
    const fits = {
      gaussian: ['--kind', 'gaussian'],
      flow: ['--kind', 'flow', '--steps', '20', '--hidden', '16', '--depth', '1'],
    };
    const size = rows * columns * 8;
    const mebibytes = (bytes) => `${Math.round(bytes / 2 ** 20)} MiB`;
    const line = (what, command) => {
      const before = peakOf(...command('short'));
      const peak = peakOf(...command('long'));
      const share = ((peak - before) / size).toFixed(1);
      console.log(
        `${what}: ${mebibytes(peak)}, ${mebibytes(before)} of 5,000 rows; ${share} x the table (${mebibytes(size)})`,
      );
    };
    for (const [kind, flags] of Object.entries(fits)) {
      line(`fit --kind ${kind}`, (table) => [
        'fit',
        at(`${table}.parquet`),
        '--out',
        at(`${kind}-${table}.safetensors`),
        ...flags,
      ]);
    }
    line('score', (table) => [
      'score',
      at('gaussian-short.safetensors'),
      at(`${table}.parquet`),
      '--out',
      at('scores.parquet'),
    ]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
