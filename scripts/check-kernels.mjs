// Compiles kernels/*.cu for the architectures of kernels/budget.json and holds every kernel to its budget: no spills,
// no stack, no more registers or static shared memory than planned. A kernel without a budget is an error.
//   node scripts/check-kernels.mjs [--write]     --write prints a budget made of the present numbers
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { ScriptError, filesUnder, findProgram, root, runMain } from './tools.mjs';

const budget = JSON.parse(readFileSync(path.join(root, 'kernels', 'budget.json'), 'utf8'));

function compile(nvcc, source, architecture, output) {
  const args = [
    '-std=c++20',
    '-O3',
    '-Xptxas',
    '-v',
    '-I',
    path.join(root, 'native'),
    '-I',
    path.join(root, 'kernels'),
  ];
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

/** The kernel's source name: identifiers are length-prefixed in a mangled name. */
function sourceName(mangled) {
  const names = Object.keys(budget.kernels).filter((name) => mangled.includes(`${name.length}${name}`));
  return names.sort((a, b) => b.length - a.length)[0];
}

await runMain(async () => {
  const nvcc = findProgram('nvcc', ['/usr/local/cuda/bin']);
  if (nvcc === undefined) {
    console.error('nvcc is not here: kernels were not checked');
    return;
  }
  const scratch = mkdtempSync(path.join(os.tmpdir(), 'sklar-kernels-'));
  const jobs = [];
  for (const source of filesUnder(['kernels'], (file) => file.endsWith('.cu'))) {
    const architectures = budget.files?.[path.basename(source)]?.architectures ?? budget.architectures;
    for (const architecture of architectures) jobs.push({ source, architecture });
  }
  const rows = [];
  const problems = [];
  const queue = jobs.entries();
  const worker = async () => {
    for (const [index, { source, architecture }] of queue) {
      const text = await compile(nvcc, source, architecture, path.join(scratch, `${index}.cubin`));
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
    const where = `${path.basename(row.source)} sm_${row.architecture} ${name ?? row.mangled}`;
    console.log(
      `${where}: ${row.registers} registers, ${row.stack} B stack, ${row.spills} B spills, ${row.shared} B shared`,
    );
    const key = name ?? row.mangled;
    seen[key] = {
      registers: Math.max(seen[key]?.registers ?? 0, row.registers),
      shared: Math.max(seen[key]?.shared ?? 0, row.shared),
    };
    if (name === undefined) {
      problems.push(`${where}: no budget in kernels/budget.json`);
      continue;
    }
    const limit = { stack: 0, spills: 0, shared: 0, ...budget.kernels[name] };
    for (const what of ['registers', 'stack', 'spills', 'shared']) {
      if (row[what] > limit[what]) problems.push(`${where}: ${row[what]} ${what}, budget ${limit[what]}`);
    }
  }
  for (const name of Object.keys(budget.kernels)) {
    if (!(name in seen)) problems.push(`${name}: in kernels/budget.json, but no kernel has this name`);
  }
  if (process.argv.includes('--write')) console.log(JSON.stringify(seen, null, 2));
  if (problems.length > 0) throw new ScriptError(`kernels exceed their budget:\n  ${problems.join('\n  ')}`);
  console.log(`${rows.length} compiled kernels are within budget`);
});
