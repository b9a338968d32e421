// Compiles kernels/**/*.cu, and those of kernels/by_width at every width, for the architectures of kernels/budget.json and holds every kernel to its budget: no spills,
// no stack, no more local memory (slow paths of functions in double have some), registers or static shared memory than planned; and, counted from the machine code, the
// main loops of the wide products and their share of accesses of 128 bits. A kernel without a budget is an error.
//   node scripts/check-kernels.mjs [--write] [--only TEXT]     --write makes the present numbers the budget; --only: of the files
//   whose paths contain the text
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { countMachineCode } from './machine-code.mjs';
import { ScriptError, filesUnder, findProgram, root, runMain } from './tools.mjs';

const budgetFile = path.join(root, 'kernels', 'budget.json');
const budget = JSON.parse(readFileSync(budgetFile, 'utf8'));
const only = process.argv.includes('--only') ? process.argv[process.argv.indexOf('--only') + 1] : '';
const measures = ['registers', 'stack', 'spills', 'shared', 'local'];
const nothing = { registers: 0, stack: 0, spills: 0, shared: 0, local: 0 };

/** PTX for the first architecture, from which machine code of all comes, as in a release. */
function toPtx(nvcc, { source, architectures, width }, output) {
  const args = [
    '-std=c++20',
    '-O3',
    '--extended-lambda',
    '-diag-suppress=554', // a conversion that constness makes pointless
    '-I',
    path.join(root, 'native'),
    '-I',
    path.join(root, 'kernels'),
  ];
  if (width !== undefined) args.push(`-DSKLAR_NARROW_WIDTH=${width}`);
  args.push('-ptx', `-arch=compute_${architectures[0]}`, '-o', output, source);
  return compile(nvcc, args, `${path.relative(root, source)} for compute_${architectures[0]}`);
}

const toMachineCode = (nvcc, ptx, architecture, output) =>
  compile(
    nvcc,
    ['-Xptxas', '-v', '-cubin', `-arch=sm_${architecture}`, '-o', output, ptx],
    `${path.basename(ptx)} for sm_${architecture}`,
  );

/** @returns what the compiler says */
function compile(nvcc, args, what) {
  return new Promise((resolve, reject) => {
    const child = spawn(nvcc, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let text = '';
    child.stdout.on('data', (chunk) => (text += chunk));
    child.stderr.on('data', (chunk) => (text += chunk));
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve(text);
      else reject(new ScriptError(`nvcc failed on ${what}:\n${text}`));
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

/** Which of the wide products a kernel is, by the arguments of its tile (kernels/wide/wide_fragments.cuh). */
function wideName(mangled) {
  const tile = /8WideTileILNS0_7OperandE(\d)ELj(\d)ELj(\d)ELj\dELj\dELj\dELj(\d)E/.exec(mangled);
  if (tile === null) return undefined;
  const [, operand, down, across, parts] = tile.map(Number);
  const arithmetic = operand === 1 ? 'bf16' : parts === 2 ? 'mixed' : 'fp16';
  return `${sourceName(mangled)} ${arithmetic} ${64 * down}x${64 * across}`;
}

/**
 * What the machine code of a wide product says, and how it may change: shares no lower than the budget (in whole percent),
 * counts no higher, asynchronous copies as planned.
 */
function mainLoop({ loops, wideAccesses }) {
  const sum = (what) => loops.reduce((total, loop) => total + loop[what], 0);
  return {
    hmmaShare: Math.floor(Math.min(...loops.map((loop) => loop.share))),
    wideAccessShare: Math.floor(wideAccesses),
    conversions: sum('conversions'),
    sharedLoads: sum('sharedLoads'),
    asyncCopies: sum('asyncCopies'),
    hmma: sum('hmma'),
    fragments: sum('fragments'),
    instructions: sum('instructions'),
  };
}
const worse = {
  hmmaShare: (now, planned) => now < planned,
  wideAccessShare: (now, planned) => now < planned,
  conversions: (now, planned) => now > planned,
  sharedLoads: (now, planned) => now > planned,
  asyncCopies: (now, planned) => now < planned,
};
// of the two architectures the worse one is the budget
const worst = (a, b) => ({
  ...a,
  hmmaShare: Math.min(a.hmmaShare, b.hmmaShare),
  wideAccessShare: Math.min(a.wideAccessShare, b.wideAccessShare),
  conversions: Math.max(a.conversions, b.conversions),
  sharedLoads: Math.max(a.sharedLoads, b.sharedLoads),
  asyncCopies: Math.min(a.asyncCopies, b.asyncCopies),
});

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
  for (const source of filesUnder(['kernels'], (file) => file.endsWith('.cu') && file.includes(only))) {
    const architectures = budget.files?.[path.basename(source)]?.architectures ?? budget.architectures;
    const compiledAt = path.basename(path.dirname(source)) === 'by_width' ? widths : [undefined];
    for (const width of compiledAt) jobs.push({ source, architectures, width });
  }
  const rows = [];
  const problems = [];
  const queue = jobs.entries();
  const worker = async () => {
    for (const [index, job] of queue) {
      const { source, architectures } = job;
      const ptx = path.join(scratch, `${path.basename(source, '.cu')}-${index}.ptx`);
      await toPtx(nvcc, job, ptx);
      for (const architecture of architectures) {
        const cubin = path.join(scratch, `${index}.cubin`);
        const text = await toMachineCode(nvcc, ptx, architecture, cubin);
        const counts = countMachineCode(readFileSync(cubin), Number(architecture));
        if (/C7508/.test(text))
          problems.push(`${path.basename(source)} sm_${architecture}: setmaxnreg is ignored (C7508)`);
        for (const kernel of parse(text)) {
          const code = counts.get(kernel.mangled);
          rows.push({ source, architecture, ...kernel, local: code.local, code });
        }
      }
    }
  };
  try {
    await Promise.all(Array.from({ length: Math.min(os.availableParallelism(), 8) }, worker));
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }

  const seen = {};
  const loops = {};
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
  for (const row of rows) {
    const name = wideName(row.mangled);
    if (name === undefined) continue;
    const now = mainLoop(row.code);
    const where = `${name}, sm_${row.architecture}`;
    console.log(
      `${where}: main loop ${now.hmmaShare} % HMMA (${now.hmma} of ${now.instructions}), ${now.conversions} conversions, ` +
        `${now.sharedLoads} scalar shared loads, ${now.asyncCopies} asynchronous copies; ${now.wideAccessShare} % of global accesses of 128 bits`,
    );
    loops[name] = loops[name] === undefined ? now : worst(loops[name], now);
    const planned = budget.mainLoops?.[name];
    if (planned === undefined) problems.push(`${where}: no main loop in kernels/budget.json`);
    else
      for (const [what, isWorse] of Object.entries(worse))
        if (isWorse(now[what], planned[what]))
          problems.push(`${where}: ${what} ${now[what]}, budget ${planned[what]}`);
  }
  for (const name of Object.keys(budget.mainLoops ?? {}))
    if (only === '' && !(name in loops))
      problems.push(`${name}: a main loop in kernels/budget.json that no kernel has`);
  for (const name of Object.keys(budget.kernels)) {
    if (only === '' && !(name in seen))
      problems.push(`${name}: in kernels/budget.json, but no kernel has this name`);
  }
  if (process.argv.includes('--write')) {
    for (const limit of Object.values(seen)) limit.registers = Math.ceil(limit.registers / 8) * 8;
    const sorted = (kept, now) =>
      Object.fromEntries(
        Object.entries({ ...(only === '' ? {} : kept), ...now }).sort(([a], [b]) => (a < b ? -1 : 1)),
      );
    const kernels = sorted(budget.kernels, seen);
    const mainLoops = sorted(budget.mainLoops, loops);
    writeFileSync(budgetFile, `${JSON.stringify({ ...budget, kernels, mainLoops }, null, 2)}\n`);
    return;
  }
  if (problems.length > 0) throw new ScriptError(`kernels exceed their budget:\n  ${problems.join('\n  ')}`);
  console.log(`${rows.length} compiled kernels are within budget`);
});
