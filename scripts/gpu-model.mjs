// Predicts from counts how long the headline cases take, before any GPU has run them: kernels/budget.json (machine code and
// launches) and the shapes of the work, with the assumptions named. Writes docs/gpu-model.md.
//   node scripts/gpu-model.mjs [--check]     --check: fails where the page is not what the counts give
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { format, resolveConfig } from 'prettier';
import { ScriptError, isMain, root, runMain } from './tools.mjs';

const page = path.join(root, 'docs', 'gpu-model.md');
const read = () => JSON.parse(readFileSync(path.join(root, 'kernels', 'budget.json'), 'utf8'));

/** What both cards have in common, and what nothing here has measured. Times in clocks of a multiprocessor. */
const assumed = {
  multiprocessors: 132,
  clock: 1.755e9,
  hmma: 6.5, // of a quarter of a multiprocessor: 62 % of the peak, what mma.sync is said to reach
  issue: 1, // an instruction a clock and quarter
  shared: 128, // bytes
  l2: 64, // bytes
  fill: 1500, // until the first squares are there
  end: 1200, // the epilogue's latency: reads, stores
  node: 2300, // from one node of a graph to the next: 1.3 us
  reached: 0.85, // of the memory's rate
};
const cards = { H100: 3.35e12, H200: 4.8e12 };

/** The tiles of kernels/wide, as scripts/check-kernels.mjs names them. Shared memory in KiB. */
const tiles = {
  'fp16 64x64': { rows: 64, columns: 64, warps: 4, parts: 1, products: 1, shared: 64 },
  'fp16 128x128': { rows: 128, columns: 128, warps: 4, parts: 1, products: 1, shared: 96 },
  'mixed 64x64': { rows: 64, columns: 64, warps: 4, parts: 2, products: 3, shared: 96 },
  'mixed 128x64': { rows: 128, columns: 64, warps: 8, parts: 2, products: 3, shared: 144 },
};
const outerTile = { rows: 128, columns: 64, warps: 4, parts: 1, products: 1, shared: 72 };

/** Clocks of a launch of `blocks` tiles, each `chunks` squares deep, and what bounds them. */
function tileClocks(tile, loop, blocks, chunks, epilogueBytes) {
  const a = assumed;
  const perProcessor = Math.ceil(blocks / a.multiprocessors);
  // a chunk of a block: 64 along the sums
  const hmma = (tile.rows / 16) * (tile.columns / 8) * 4 * tile.products;
  const instructions = (hmma / loop.hmma) * loop.instructions;
  const fragments = (hmma / loop.hmma) * loop.fragments;
  const bytes = (tile.rows + tile.columns) * 64 * 2 * tile.parts;
  const bounds = {
    'tensor cores': (hmma * a.hmma) / 4,
    issue: instructions / (4 * a.issue),
    'shared memory': (fragments * 512 + bytes) / a.shared,
    L2: bytes / a.l2,
  };
  const [bound, clocks] = Object.entries(bounds).sort(([, x], [, y]) => y - x)[0];
  const epilogue = (tile.rows * tile.columns * epilogueBytes) / a.l2;
  return {
    clocks: a.fill + perProcessor * (chunks * clocks + epilogue) + a.end,
    bound,
    perProcessor,
    bytes: blocks * chunks * bytes,
  };
}

/** The tile that the backend takes, as CudaBackend::tile_size. */
function tileOf(arithmetic, rows, columns) {
  const many = Math.ceil(rows / 128) * Math.ceil(columns / 128) * 2 >= assumed.multiprocessors * 3;
  return arithmetic === 'mixed'
    ? many
      ? 'mixed 128x64'
      : 'mixed 64x64'
    : many
      ? 'fp16 128x128'
      : 'fp16 64x64';
}

function wide(budget, arithmetic, rows, width, epilogueBytes) {
  const name = tileOf(arithmetic, rows, width);
  const tile = tiles[name];
  const blocks = Math.ceil(rows / tile.rows) * Math.ceil(width / tile.columns);
  const loop = budget.mainLoops[`wide_linear_kernel ${name}`];
  return { name, blocks, ...tileClocks(tile, loop, blocks, width / 64, epilogueBytes) };
}

const seconds = (clocks) => clocks / assumed.clock;
const micro = (s) => (s * 1e6).toFixed(s < 1e-4 ? 1 : 0);

// Bytes of an element that the epilogues of one block read and write, SiLU (native/nn/residual_mlp.cpp): values and streams of
// float32, factors and slopes of 16 bits, two parts in the forward pass of `mixed`.
const epilogues = (mixed) => {
  const part = mixed ? 4 : 2;
  return {
    forward: [part + 4, 4 + 4 + part + 4],
    value: [part, 4 + 4 + part],
    adjoint: [2 + 4, 4 + 2 + 6 + 6],
    tangent: [6 + 4, 4 + 6 + 6 + 2],
    second: [4 + 2, 8 + 6],
  };
};

/** A training step of a CDC, layer by layer, at the default precision: the forward pass `mixed`, the others fp16. */
function wideStep(budget, { width, depth, batch, levels, inputs }) {
  const active = Math.round((batch * (levels - 2)) / levels);
  const of = epilogues(true);
  const parameters = 2 * depth * width * (width + 1) + width * (inputs + 1) + levels * (width + 1);
  const parts = [];
  const pass = (what, arithmetic, rows, bytes, products, first) => {
    // products alternate between the inner and the outer linear map of a block
    let clocks = 0;
    let last;
    for (let i = 0; i < products; ++i) {
      last = wide(budget, arithmetic, rows, width, bytes[(i + first) % 2]);
      clocks += last.clocks;
    }
    parts.push({
      what,
      launches: products,
      clocks,
      bound: `${last.bound}, ${last.blocks} blocks of ${last.name}`,
    });
  };
  pass('forward', 'mixed', batch, of.forward, 2 * depth - 1, 1);
  pass('adjoint', 'fp16', active, of.adjoint, 2 * depth - 1, 0);
  pass('tangent', 'fp16', active, of.tangent, 2 * depth - 1, 1);
  pass('second adjoint', 'fp16', batch, of.second, 2 * depth - 1, 0);
  const outers = 2 * depth - 1;
  const blocks = (outers * width * width) / (outerTile.rows * outerTile.columns);
  const outer = tileClocks(
    outerTile,
    budget.mainLoops['wide_outer_kernel fp16 128x64'],
    blocks,
    Math.ceil(batch / 64) + Math.ceil(active / 64),
    4,
  );
  parts.push({
    what: 'weight gradients',
    launches: 1,
    clocks: outer.clocks,
    bound: `${outer.bound}, ${blocks} blocks of 128x64`,
  });
  const launches = budget.launches[`${width}x${depth}`];
  const thin = launches - parts.reduce((sum, part) => sum + part.launches, 0);
  return { parts, launches, thin, parameters };
}

/** Seconds of the parts that memory bounds, and of all. */
function stepSeconds(step, rate) {
  const bytes = {
    // both copies of a weight, in two parts
    'packing the weights': step.parameters * (2 * 4 + 2 * 4),
    'norm of the gradient': step.parameters * 4,
    // parameters, moments and average read and written, the gradient read
    Adam: step.parameters * (4 * 8 + 4),
  };
  const byMemory = Object.entries(bytes).map(([what, b]) => [what, b / (rate * assumed.reached)]);
  const products = step.parts.map((part) => [part.what, seconds(part.clocks)]);
  const nodes = seconds(step.launches * assumed.node);
  // draws, losses, thin products: latency alone
  const thin = seconds(Math.max(step.thin - 3, 0) * (assumed.fill + assumed.end));
  const all = [
    ...products,
    ...byMemory,
    ['thin products, losses, the draw', thin],
    ['from node to node', nodes],
  ];
  return { all, total: all.reduce((sum, [, s]) => sum + s, 0) };
}

/** A step of the narrow kernels: latency of the layers, one after the other, in a block. */
function narrowStep(budget, { width, depth }) {
  const layers = 4 * (2 * depth + 1);
  // ldmatrix, width / 16 dependent products, epilogue, barrier
  const clocks =
    layers * (160 + (width / 16) * 35 + 130) + 2 * assumed.fill + 2 * (assumed.fill + assumed.end);
  return seconds(clocks + budget.launches[`${width}x${depth}`] * assumed.node);
}

/** Rows through hidden products, forward alone: each layer `bytes` of [inner, outer]. */
function forward(budget, arithmetic, rows, width, products, bytes, rate) {
  let total = 0;
  let last;
  const operand = arithmetic === 'mixed' ? 4 : 2;
  for (let i = 0; i < products; ++i) {
    last = wide(budget, arithmetic, rows, width, bytes[i % 2]);
    const memory = (rows * width * (operand + bytes[i % 2])) / (rate * assumed.reached);
    total += Math.max(seconds(last.clocks), memory) + seconds(assumed.node);
  }
  return { total, last };
}

/** Bytes that a product of the forward pass must move, and moves by its tiling. */
function traffic(arithmetic, rows, width, epilogueBytes) {
  const tile = tiles[tileOf(arithmetic, rows, width)];
  const part = arithmetic === 'mixed' ? 4 : 2;
  const must = rows * width * (part + epilogueBytes) + width * width * part;
  // tiles of a row stand beside each other in the grid: X comes from memory once, but for the rows whose tiles are cut by
  // the end of a wave
  const resident = assumed.multiprocessors * Math.floor(227 / tile.shared);
  const across = width / tile.columns;
  const again = Math.min(1, across / resident);
  const moves = must + rows * width * part * again;
  const fromL2 = rows * width * part * across + (rows / tile.rows) * width * width * part;
  return { must, moves, fromL2 };
}

function table(header, rows) {
  return [header, header.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

export function gpuModel(budget = read()) {
  const wideCase = { width: 512, depth: 6, batch: 1024, levels: 10, inputs: 10 };
  const step = wideStep(budget, wideCase);
  const rates = Object.entries(cards);
  const times = rates.map(([, rate]) => stepSeconds(step, rate));
  const names = times[0].all.map(([what]) => what);
  const narrow = narrowStep(budget, { width: 64, depth: 2 });
  const sampling = (arithmetic, rate) =>
    49 *
    forward(
      budget,
      arithmetic,
      30000,
      512,
      5,
      [arithmetic === 'mixed' ? 4 : 2, arithmetic === 'mixed' ? 4 : 2],
      rate,
    ).total;
  const density = (rate) => {
    const rows = 131072;
    return (1e6 / rows) * forward(budget, 'mixed', rows, 512, 11, epilogues(true).value, rate).total;
  };
  const bytes = [
    ['inner product, density', traffic('mixed', 131072, 512, epilogues(true).value[0])],
    ['outer product, density', traffic('mixed', 131072, 512, epilogues(true).value[1])],
    ['a layer of reflection sampling, fp16', traffic('fp16', 30000, 512, 2)],
    ['inner product, training', traffic('mixed', 1024, 512, epilogues(true).forward[0])],
  ];
  const megabytes = (b) => (b / 1e6).toFixed(b < 1e8 ? 1 : 0);
  return `# What a GPU should take: predictions from counts

Written by \`npm run gpu-model\` from \`kernels/budget.json\`. **Every time on this page is predicted, and none is measured: nothing
here has run on a GPU.** It is here so that the first measurement says which assumption was wrong.

## Assumed

${table(
  ['what', 'value'],
  [
    ['multiprocessors, clock', `${assumed.multiprocessors}, ${assumed.clock / 1e9} GHz (H100 and H200)`],
    [
      'memory',
      rates.map(([card, rate]) => `${card} ${rate / 1e12} TB/s`).join(', ') +
        `, of which ${assumed.reached * 100} % is reached`,
    ],
    ['`mma.sync` m16n8k16', `${assumed.hmma} clocks of a quarter of a multiprocessor: 62 % of the peak`],
    ['instructions', 'one a clock and quarter'],
    ['shared memory, L2', `${assumed.shared} and ${assumed.l2} bytes a clock and multiprocessor`],
    ['until a pipeline is full; until an epilogue has ended', `${assumed.fill}; ${assumed.end} clocks`],
    ['from one node of a graph to the next', `${assumed.node} clocks (${micro(seconds(assumed.node))} us)`],
  ],
)}

A product takes as long as the slowest of tensor cores, issue, shared memory and L2 for the multiprocessor with the most blocks, and
no two launches overlap. Counts of instructions are those of the machine code for sm_90.

## Main loops

${table(
  [
    'kernel',
    'HMMA',
    'of all instructions',
    'conversions',
    'scalar shared loads',
    'global accesses of 128 bits',
  ],
  Object.entries(budget.mainLoops).map(([name, loop]) => [
    name,
    `${loop.hmma} of ${loop.instructions}`,
    `${loop.hmmaShare} %`,
    loop.conversions,
    loop.sharedLoads,
    `${loop.wideAccessShare} %`,
  ]),
)}

The last column counts instructions of the whole kernel, edges of matrices included, which go element by element.

## Predicted: a training step of a CDC, 512 x 6, batch 1024, \`mixed\`

${step.launches} nodes of a graph. Microseconds:

${table(
  ['part', ...rates.map(([card]) => `${card} (predicted)`), 'bound by'],
  [
    ...names.map((what, i) => [
      what,
      ...times.map((t) => micro(t.all[i][1])),
      step.parts.find((part) => part.what === what)?.bound ?? (i < names.length - 2 ? 'memory' : 'latency'),
    ]),
    ['**all**', ...times.map((t) => `**${micro(t.total)}**`), ''],
  ],
)}

## Predicted: the other cases

${table(
  ['case', ...rates.map(([card]) => `${card} (predicted)`)],
  [
    ['training step of a CDC, 64 x 2, batch 1024: three kernels', ...rates.map(() => `${micro(narrow)} us`)],
    ...['fp16', 'mixed'].map((arithmetic) => [
      `30,000 rows of a reflection copula, 49 steps, 512, \`${arithmetic}\``,
      ...rates.map(([, rate]) => `${(sampling(arithmetic, rate) * 1e3).toFixed(1)} ms`),
    ]),
    [
      'log densities of a million rows, 512 x 6, `mixed`',
      ...rates.map(([, rate]) => `${(density(rate) * 1e3).toFixed(1)} ms`),
    ],
  ],
)}

Copies from and to the host, and what a solver does beside the network, are not in these.

## Bytes that a product must move, and moves by its tiling

Between memory and the chip each factor, slope and result once is what it must. Tiles of the same rows stand beside each other in the
grid, so that their factor comes from memory once and from L2 for the others.

${table(
  ['product', 'must (MB)', 'moves (MB)', 'ratio', 'L2 to the multiprocessors (MB)'],
  bytes.map(([what, t]) => [
    what,
    megabytes(t.must),
    megabytes(t.moves),
    (t.moves / t.must).toFixed(2),
    megabytes(t.fromL2),
  ]),
)}

## wgmma

On sm_90a \`wgmma\` takes both factors from shared memory by descriptors: no \`ldmatrix\`, an instruction for what are 32 HMMA here, and
the whole rate of the tensor cores where \`mma.sync\` is said to reach 62 % of it. The squares of \`kernels/squares.h\` are its 128-byte
swizzle already, so that operands would stay as they are, and one bulk copy would bring a square. By this model the large products (sampling,
densities) would take 0.6 of their time. Those of a training step are bound by shared memory, from which each of four warps reads its fragments by
itself, where a warpgroup reads them once; what is left there is latency, and L2, which clusters that share their factors would relieve. It is not written: descriptors,
barriers and proxies cannot be checked without the hardware, and wait for a machine that has it.
`;
}

if (isMain(import.meta.url)) {
  await runMain(async () => {
    const text = await format(gpuModel(), { ...(await resolveConfig(page)), filepath: page });
    if (!process.argv.includes('--check')) writeFileSync(page, text);
    else if (readFileSync(page, 'utf8') !== text)
      throw new ScriptError('docs/gpu-model.md is not what kernels/budget.json gives: npm run gpu-model');
  });
}
