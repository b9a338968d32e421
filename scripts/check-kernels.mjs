// Compiles kernels/*.cu, and those of kernels/by_width at every width, for the architectures of kernels/budget.json and holds every kernel to its budget: no spills,
// no stack, no more registers or static shared memory than planned. A kernel without a budget is an error.
//   node scripts/check-kernels.mjs [--write]     --write makes the present numbers the budget
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { ScriptError, filesUnder, findProgram, root, runMain } from './tools.mjs';

const budgetFile = path.join(root, 'kernels', 'budget.json');
const budget = JSON.parse(readFileSync(budgetFile, 'utf8'));
const measures = ['registers', 'stack', 'spills', 'shared'];
const nothing = { registers: 0, stack: 0, spills: 0, shared: 0 };

function compile(nvcc, { source, architecture, width }, output) {
  const args = [
    '-std=c++20',
    '-O3',
    '--extended-lambda',
    '-diag-suppress=554', // a conversion that constness makes pointless
    '-Xptxas',
    '-v',
    '-I',
    path.join(root, 'native'),
    '-I',
    path.join(root, 'kernels'),
  ];
  if (width !== undefined) args.push(`-DSKLAR_NARROW_WIDTH=${width}`);
  args.push(
    `--generate-code=arch=compute_${architecture},code=sm_${architecture}`,
    '-cubin',
    '-o',
    output,
    source,
  );
  return new Promise((resolve, reject) => {
    const child = spawn(nvcc, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let text = '';
    child.stdout.on('data', (chunk) => (text += chunk));
    child.stderr.on('data', (chunk) => (text += chunk));
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve(text);
      else
        reject(
          new ScriptError(`nvcc failed on ${path.relative(root, source)} for sm_${architecture}:\n${text}`),
        );
    });
  });
}

/** The kernels in ptxas' report: mangled name, registers, stack, spills, static shared memory. */
function parse(text) {
  const kernels = [];
  let current;
  for (const line of text.split('\n')) {
    const entry = /Compiling entry function '([^']+)'/.exec(line);
    if (entry) {
      current = { mangled: entry[1], registers: 0, stack: 0, spills: 0, shared: 0 };
      kernels.push(current);
      continue;
    }
    if (current === undefined) continue;
    const frame = /(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads/.exec(line);
    if (frame) {
      current.stack = Number(frame[1]);
      current.spills = Number(frame[2]) + Number(frame[3]);
    }
    const used = /Used (\d+) registers/.exec(line);
    if (used) {
      current.registers = Number(used[1]);
      current.shared = Number(/(\d+) bytes smem/.exec(line)?.[1] ?? 0);
    }
  }
  return kernels;
}

/**
 * The kernel's name in the source, or that of the launcher it was written in. Identifiers are length-prefixed in a
 * mangled name.
 */
function sourceName(mangled) {
  const names = [];
  // digits before a length may belong to what stands before it
  for (const match of mangled.matchAll(/(?=(\d{1,2})[a-z])/g)) {
    const start = match.index + match[1].length;
    names.push(mangled.slice(start, start + Number(match[1])));
  }
  // digits of a hash in front of a name may look like the length of something longer that ends with it
  const kernels = names.filter((name) => /^\w+_kernel$/.test(name)).sort((a, b) => a.length - b.length);
  return names.find((name) => /^launch_\w+$/.test(name)) ?? kernels[0] ?? mangled;
}

await runMain(async () => {
  const nvcc = findProgram('nvcc', ['/usr/local/cuda/bin']);
  if (nvcc === undefined) {
    console.error('nvcc is not here: kernels were not checked');
    return;
  }
  const scratch = mkdtempSync(path.join(os.tmpdir(), 'sklar-kernels-'));
  const jobs = [];
  const widths = /narrow_widths\[\] = \{([\d, ]+)\}/
    .exec(readFileSync(path.join(root, 'kernels', 'narrow', 'narrow_widths.h'), 'utf8'))[1]
    .split(', ');
  for (const source of filesUnder(['kernels'], (file) => file.endsWith('.cu'))) {
    const architectures = budget.files?.[path.basename(source)]?.architectures ?? budget.architectures;
    const compiledAt = path.basename(path.dirname(source)) === 'by_width' ? widths : [undefined];
    for (const architecture of architectures)
      for (const width of compiledAt) jobs.push({ source, architecture, width });
  }
  const rows = [];
  const problems = [];
  const queue = jobs.entries();
  const worker = async () => {
    for (const [index, job] of queue) {
      const { source, architecture } = job;
      const text = await compile(nvcc, job, path.join(scratch, `${index}.cubin`));
      if (/C7508/.test(text))
        problems.push(`${path.basename(source)} sm_${architecture}: setmaxnreg is ignored (C7508)`);
      for (const kernel of parse(text)) rows.push({ source, architecture, ...kernel });
    }
  };
  try {
    await Promise.all(Array.from({ length: Math.min(os.availableParallelism(), 8) }, worker));
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }

  const seen = {};
  for (const row of rows) {
    const name = sourceName(row.mangled);
    const where = `${path.basename(row.source)} sm_${row.architecture} ${name}`;
    console.log(
      `${where}: ${row.registers} registers, ${row.stack} B stack, ${row.spills} B spills, ${row.shared} B shared`,
    );
    seen[name] ??= {};
    for (const what of measures)
      if (row[what] > 0) seen[name][what] = Math.max(seen[name][what] ?? 0, row[what]);
    if (budget.kernels[name] === undefined) {
      problems.push(`${where}: no budget in kernels/budget.json`);
      continue;
    }
    const limit = { ...nothing, ...budget.kernels[name] };
    for (const what of measures)
      if (row[what] > limit[what]) problems.push(`${where}: ${row[what]} ${what}, budget ${limit[what]}`);
  }
  for (const name of Object.keys(budget.kernels)) {
    if (!(name in seen)) problems.push(`${name}: in kernels/budget.json, but no kernel has this name`);
  }
  if (process.argv.includes('--write')) {
    for (const limit of Object.values(seen)) limit.registers = Math.ceil(limit.registers / 8) * 8;
    const kernels = Object.fromEntries(Object.entries(seen).sort(([a], [b]) => (a < b ? -1 : 1)));
    writeFileSync(budgetFile, `${JSON.stringify({ ...budget, kernels }, null, 2)}\n`);
    return;
  }
  if (problems.length > 0) throw new ScriptError(`kernels exceed their budget:\n  ${problems.join('\n  ')}`);
  console.log(`${rows.length} compiled kernels are within budget`);
});
