// Tables as people have them, from the command line without an option: fit, sample, inspect. Does gradient boosting tell the sample from
// the data (beside it: other rows of the same law from the data), how far are the columns apart, are rules kept, is the schema the same?
//   npm run bench -- tables [--only rain,orders] [--kind gaussian] [--threads 2] [--seed 1] [--why] [--keep FOLDER]
// The tables are made up (scripts/tables/laws.mjs). Needs Python with scikit-learn (Debian: python3-sklearn; SKLAR_PYTHON). Prints the
// rows of the table in docs/tables.md, How well; --why adds what is lost of the AUC where a column is shuffled. The record keeps what it
// has of other tables, each with the commit that it was measured with.
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { parseArgs, promisify } from 'node:util';
import { startPythonPeer } from '../python-peer.mjs';
import { recordHead, writeRecord } from '../record.mjs';
import { csvOf, laws, rowsOf } from '../tables/laws.mjs';
import { ScriptError, root, runMain } from '../tools.mjs';

const execute = promisify(execFile);

/** What the command prints as JSON. */
async function sklar(...args) {
  const command = [path.join(root, 'dist', 'cli', 'main.js'), ...args, '--json'];
  try {
    return JSON.parse((await execute(process.execPath, command, { maxBuffer: 2 ** 28 })).stdout);
  } catch (error) {
    throw new ScriptError(`sklar ${args.join(' ')}: ${error.stderr || error.message}`);
  }
}

/** What has to be equal of the columns of two tables; of the rows of a sample none may have the last decimal. */
const schemaOf = ({ columns }) =>
  columns.map(({ name, type }) => ({ name, ...type, labels: undefined, decimals: undefined }));
const decimalsOf = ({ type }) => type.decimals ?? Infinity;

/** The results of other tables in the record. */
function othersIn(file, names) {
  if (!existsSync(file)) return [];
  return JSON.parse(readFileSync(file, 'utf8')).results.filter(({ name }) => !names.includes(name));
}

const most = (columns) => columns.reduce((worst, one) => (one.distance > worst.distance ? one : worst));

await runMain(async () => {
  const { values } = parseArgs({
    options: {
      only: { type: 'string', default: Object.keys(laws).join(',') },
      kind: { type: 'string' },
      threads: { type: 'string' },
      seed: { type: 'string', default: '1' },
      why: { type: 'boolean', default: false },
      keep: { type: 'string' },
    },
  });
  const names = values.only.split(',');
  const unknown = names.find((name) => !(name in laws));
  if (unknown) throw new ScriptError(`expected tables of ${Object.keys(laws).join(', ')}, got ${unknown}`);
  const peer = await startPythonPeer(process.env.SKLAR_PYTHON ?? 'python3', 'tables.py', [], {
    OMP_NUM_THREADS: '1',
  });
  const folder = values.keep ?? mkdtempSync(path.join(os.tmpdir(), 'sklar-tables-'));
  mkdirSync(folder, { recursive: true });
  const { devices } = await import(path.join(root, 'dist', 'index.mjs'));
  const { commit, modified, date } = recordHead('tables', '', devices());
  const kind = values.kind;
  const record = path.join(root, 'bench', 'results', `tables${kind ? `-${kind}` : ''}.json`);
  const fitting = [
    ...(values.kind ? ['--kind', values.kind] : []),
    ...(values.threads ? ['--threads', values.threads] : []),
  ];
  const results = [];
  console.log(
    '| table | rows | columns | fit, s | AUC (other rows) | AUC to other rows | greatest distance of a column (other rows) | rows that break a rule | schema |',
  );
  console.log('| --- | --- | --- | --- | --- | --- | --- | --- | --- |');
  for (const name of names) {
    const law = laws[name];
    const file = (what, ending = 'csv') => path.join(folder, `${name}-${what}.${ending}`);
    writeFileSync(file('data'), csvOf(law, Number(values.seed)));
    writeFileSync(file('other'), csvOf(law, Number(values.seed) + 1000));
    const started = performance.now();
    await sklar('fit', file('data'), '--out', file('model', 'safetensors'), ...fitting);
    const seconds = (performance.now() - started) / 1000;
    await sklar('sample', file('model', 'safetensors'), '--rows', String(law.rows), '--out', file('sample'));
    const [before, after] = [await sklar('inspect', file('data')), await sklar('inspect', file('sample'))];
    const [own, sampled] = [schemaOf(before), schemaOf(after)].map((columns) =>
      columns.map((one) => JSON.stringify(one)),
    );
    const unlike = before.columns
      .filter((column, j) => own[j] !== sampled[j] || decimalsOf(after.columns[j]) > decimalsOf(column))
      .map((column) => column.name);
    const aside = before.columns.filter(({ role }) => role === 'id').map((column) => column.name);
    const judge = (data, sample, why = false) =>
      peer.ask(JSON.stringify({ data: file(data), sample: file(sample), aside, why }));
    const ofSample = await judge('data', 'sample', values.why);
    const floor = await judge('data', 'other');
    const toOther = await judge('other', 'sample');
    const rows = rowsOf(readFileSync(file('sample'), 'utf8'));
    const broken = Object.fromEntries(
      Object.entries(law.rules).map(([rule, breaks]) => [rule, rows.filter(breaks).length / rows.length]),
    );
    const result = {
      name,
      rows: law.rows,
      columns: before.columns.length,
      seconds,
      auc: ofSample.auc,
      floor: floor.auc,
      aucToOther: toOther.auc,
      distance: most(ofSample.columns),
      distanceFloor: most(floor.columns),
      broken,
      unlike,
      commit,
      modified,
      date,
    };
    results.push(result);
    const share = Object.entries(broken).map(([rule, part]) => `${rule} ${(100 * part).toFixed(2)} %`);
    console.log(
      `| ${name} | ${result.rows} | ${result.columns} | ${seconds.toFixed(0)} | ${result.auc.toFixed(3)} (${result.floor.toFixed(3)}) | ` +
        `${result.aucToOther.toFixed(3)} | ${result.distance.name} ${result.distance.distance.toFixed(3)} (${result.distanceFloor.distance.toFixed(3)}) | ` +
        `${share.join(', ') || 'no rules'} | ${unlike.length === 0 ? 'equal' : `unlike: ${unlike.join(', ')}`} |`,
    );
    if (values.why) {
      const lost = Object.entries(ofSample.lost).sort((a, b) => b[1] - a[1]);
      console.error(
        lost
          .slice(0, 8)
          .map(([column, part]) => `${column} ${part.toFixed(3)}`)
          .join('; '),
      );
      const far = ofSample.columns
        .map(({ name: column, distance }, j) => [column, distance, floor.columns[j].distance])
        .sort((a, b) => b[1] - b[2] - a[1] + a[2]);
      console.error(
        `distances: ${far
          .slice(0, 6)
          .map(([column, d, f]) => `${column} ${d.toFixed(3)} (${f.toFixed(3)})`)
          .join('; ')}`,
      );
    }
  }
  peer.stop();
  if (!values.keep) rmSync(folder, { recursive: true, force: true });
  const order = Object.keys(laws);
  const all = [...othersIn(record, names), ...results].sort(
    (a, b) => order.indexOf(a.name) - order.indexOf(b.name),
  );
  const written = writeRecord('tables', { devices: devices(), kind, peer: peer.about, results: all });
  console.log(`written: ${written}`);
});
