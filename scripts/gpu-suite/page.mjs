// The part of docs/performance.md that is about GPUs, from bench/results/gpu-<stage>.json.
import { readFileSync } from 'node:fs';
import { throughputStages, stages } from './stages.mjs';
import { cell } from './table.mjs';
import { best, targets } from './targets.mjs';

const budget = JSON.parse(readFileSync(new URL('../../kernels/budget.json', import.meta.url), 'utf8'));

const markdown = (head, rows) =>
  [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');

/** CUDA's version numbers: 13000 is 13.0. */
const cudaVersion = (number) => `${Math.floor(number / 1000)}.${Math.floor((number % 1000) / 10)}`;

function provenance({ command, date, commit, modified, gpu, versions, facts, status }) {
  const { peer, peerError } = facts;
  return (
    `\`${command}\`, ${date.slice(0, 10)}, commit ${(commit ?? 'unknown').slice(0, 10)}${modified ? ' with changes' : ''}; ${gpu.name}, ` +
    `driver for CUDA ${cudaVersion(gpu.driver)}, runtime ${cudaVersion(gpu.runtime)}, Node ${versions.node}` +
    (peer ? `, PyTorch ${peer.torch} (CUDA ${peer.cuda})` : peerError ? `; no peers: ${peerError}` : '') +
    `.${status === 'done' ? '' : ` The stage did not end well: ${status}.`}`
  );
}

/** Which form of P4 was the fastest, case by case. */
function forms({ facts }) {
  const found = Object.entries(facts).filter(([name]) => name.endsWith(' P4'));
  const list = found.map(([name, { form, error }]) => `${name.slice(0, -3)}: ${form ?? error}`);
  return list.length > 0 ? `P4 is ${list.join('; ')}. ` : '';
}

function results(record) {
  const rows = record.results;
  if (rows.length === 0) return `No rows.\n\n${provenance(record)}\n`;
  const names = [...new Set(rows.flatMap(Object.keys))].filter((name) =>
    rows.every((row) => typeof row[name] !== 'object' || row[name] === null),
  );
  const bold = (name, text) => (/^x P[14]$/.test(name) && text !== '' ? `**${text}**` : text);
  const table = markdown(
    names,
    rows.map((row) => names.map((name) => bold(name, cell(row[name])))),
  );
  return `${table}\n\n${forms(record)}${provenance(record)}\n`;
}

/** The worst row of each check and precision, and how many failed. */
function correctness(record) {
  const quantity = ({ what = 'call' }) => what.replace(/.*, (?=same seed$|law$)/, '');
  const groups = new Map();
  for (const row of record.results) {
    const key = [row.check, quantity(row), row.precision].join();
    const group = groups.get(key) ?? { row, rows: 0, failed: 0 };
    group.rows += 1;
    group.failed += row.passed ? 0 : 1;
    if (!(row.error / row.bar <= group.row.error / group.row.bar)) group.row = row;
    groups.set(key, group);
  }
  const table = markdown(
    ['check', 'quantity', 'precision', 'cases', 'failed', 'worst error', 'bar', 'in'],
    [...groups.values()].map(({ row, rows, failed }) => [
      ...[row.check, quantity(row), row.precision, String(rows), failed ? `**${failed}**` : '0'],
      ...[row.problem ?? cell(row.error), cell(row.bar), row.model ?? ''],
    ]),
  );
  return `${table}\n\n${provenance(record)}\n`;
}

function determinism(record) {
  const failed = record.results.filter(({ passed }) => !passed);
  const list = failed.map(
    ({ what, problem, model, precision }) => `${what ?? problem} of ${model} in ${precision}`,
  );
  return (
    `${record.results.length} pairs, ` +
    `${failed.length === 0 ? 'all with the same bits' : `**${failed.length} differ**: ${list.join('; ')}`}.\n\n${provenance(record)}\n`
  );
}

function targetTable(read) {
  const ratio = (value, wanted) =>
    `${value === null ? 'not measured' : cell(value)} (${value === null ? 'target' : value >= wanted ? 'met' : '**missed**'}: ${wanted})`;
  return markdown(
    ['target', 'x P4', 'x P1', 'precision'],
    targets.map((target) => {
      const row = best(target, read(`gpu-${target.stage}`));
      const value = (which) => row?.[`x ${which}`] ?? null;
      return [
        target.about,
        ratio(value('P4'), target.P4),
        ratio(value('P1'), target.P1),
        row?.precision ?? '',
      ];
    }),
  );
}

const HOW =
  '`npm run gpu-suite` measures, `npm run gpu-pack` carries it to a machine without a network: [gpu-suite.md](gpu-suite.md).';

/** @param read gives the record of a name, or null */
export function gpuSection(read) {
  const parts = [];
  for (const name of Object.keys(stages)) {
    const record = read(`gpu-${name}`);
    // a CPU in the place of the GPU, and trials of the suite, are no results
    if (!record?.gpu || name === 'facts') continue;
    const render = { correctness, determinism }[name] ?? results;
    parts.push(
      `### ${name}\n\n${stages[name].about[0].toUpperCase()}${stages[name].about.slice(1)}.\n\n${render(record)}`,
    );
  }
  if (parts.length === 0) {
    const shares = Object.values(budget.mainLoops)
      .filter(({ hmma }) => hmma > 0)
      .map(({ hmmaShare }) => hmmaShare);
    return `## On a GPU

Nothing has been measured on a GPU yet. Every operation of the backend has CUDA kernels, and networks of width 16 to 128 have two
of their own: one that carries samples through a whole trajectory (\`kernels/narrow/narrow.h\`), one that makes a training step, of one
model or of up to 16 of an ensemble, three launches (\`kernels/narrow/narrow_train.h\`). They compile for all listed architectures within
the register budget of \`kernels/budget.json\` (\`npm run check:kernels\`), pass their tests on emulated hardware
(\`test/emulator\`) and have **not run on hardware yet**. The loops of the wide products are ${Math.min(...shares)} to ${Math.max(...shares)} % HMMA in the machine code for sm_90
(\`npm run check:kernels\`); what times would follow, predicted and not measured, is in [gpu-model.md](gpu-model.md).
${HOW}
`;
  }
  const timed = throughputStages.some((name) => read(`gpu-${name}`)?.gpu);
  return `## On a GPU

${HOW}
Milliseconds are medians of rounds in which we and the peers take turns; \`x P1\` is how many times faster than peer P1 we are, the
median over the rounds. P1 is the model as its authors run it in eager PyTorch, P2 the same with TF32, P3 a CUDA graph of P2, P4
the strongest PyTorch that we could write: our tape-free algorithm, 16-bit products, \`torch.compile\` and a CUDA graph.

${timed ? `${targetTable(read)}\n\n` : ''}${parts.join('\n')}`;
}
