// The rooms of the code and the arrows between them. docs/architecture.md draws them (`node scripts/rooms.mjs --write`), and
// `npm run lint` reads every include and import against them (scripts/check-rooms.mjs).
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { ScriptError, isMain, root, runMain } from './tools.mjs';

/**
 * A file belongs to the room with the longest folder that it lies in. `uses`: rooms whose files it may include or import, and with
 * them what these use; what all may use has `open`.
 */
export const native = [
  { name: 'core', folder: 'native/core', what: 'functions, checks, errors', open: true, uses: [] },
  { name: 'random', folder: 'native/core/random', what: 'Philox, Brownian paths', open: true, uses: [] },
  { name: 'threads', folder: 'native/core/threads', what: 'pool, cancelling', open: true, uses: [] },
  { name: 'linear', folder: 'native/core/linear', what: 'matrices', open: true, uses: [] },
  { name: 'special', folder: 'native/special', what: 'special functions', uses: [] },
  { name: 'statistics', folder: 'native/statistics', what: 'measures of samples', uses: [] },
  {
    name: 'process',
    folder: 'native/process',
    what: 'how dependence is forgotten: a file a process',
    uses: [],
  },
  { name: 'heads', folder: 'native/heads', what: 'what a network reads and means', uses: ['process'] },
  {
    name: 'operations',
    folder: 'native/backend/operations',
    what: 'what each operation takes',
    uses: ['heads'],
  },
  {
    name: 'rows',
    folder: 'native/backend/rows',
    what: 'operations row by row, for every device',
    uses: ['operations'],
  },
  { name: 'backend', folder: 'native/backend', what: 'the compute contract', uses: ['operations'] },
  {
    name: 'cpu',
    folder: 'native/backend/cpu',
    what: 'AVX-512, AVX2, baseline kernels',
    uses: ['backend', 'rows'],
  },
  {
    name: 'cuda',
    folder: 'native/backend/cuda',
    what: 'streams, graphs, memory',
    uses: ['backend', 'wide', 'narrow'],
  },
  { name: 'kernels', folder: 'kernels', what: 'CUDA kernels of single operations', uses: ['rows'] },
  {
    name: 'wide',
    folder: 'kernels/wide',
    what: 'products on the tensor cores, what a step begins with',
    uses: ['kernels'],
  },
  {
    name: 'narrow',
    folder: 'kernels/narrow',
    what: 'whole steps and trajectories of narrow networks',
    uses: ['kernels'],
  },
  { name: 'by_width', folder: 'kernels/by_width', what: 'a unit a width', uses: ['narrow'] },
  { name: 'devices', folder: 'native/devices', what: 'the backend of a device', uses: ['cpu', 'cuda'] },
  { name: 'nn', folder: 'native/nn', what: 'networks in four passes', uses: ['backend'] },
  {
    name: 'fields',
    folder: 'native/fields',
    what: 'what solvers integrate: learned fields, traces',
    uses: ['nn'],
  },
  {
    name: 'closed_form',
    folder: 'native/closed_form',
    what: 'copulas whose field is known',
    uses: ['fields'],
  },
  {
    name: 'steps',
    folder: 'native/integrate/steps',
    what: 'clocks, linear steps, step control',
    uses: ['fields'],
  },
  { name: 'rules', folder: 'native/integrate/rules', what: 'a file a solver', uses: ['steps'] },
  { name: 'integrate', folder: 'native/integrate', what: 'from the first node to the last', uses: ['rules'] },
  { name: 'train', folder: 'native/train', what: 'objectives, trainer', uses: ['fields'] },
  { name: 'model', folder: 'native/model', what: 'CDC; rows through a field', uses: ['integrate'] },
  {
    name: 'monte_carlo',
    folder: 'native/monte_carlo',
    what: 'normaliser, conditions, particles',
    uses: ['model'],
  },
  {
    name: 'pairs',
    folder: 'native/classical/pairs',
    what: 'generators, tails, two columns',
    uses: ['special'],
  },
  {
    name: 'cells',
    folder: 'native/classical/cells',
    what: 'probabilities of cells, lattices',
    uses: ['pairs'],
  },
  {
    name: 'classical',
    folder: 'native/classical',
    what: 'rows of any dimension',
    uses: ['cells', 'backend'],
  },
  { name: 'margins', folder: 'native/margins', what: 'F of each type, sorted columns', uses: ['special'] },
  {
    name: 'addon_common',
    folder: 'native/addon/common',
    what: 'convert, jobs on own threads, handles',
    uses: ['monte_carlo', 'train', 'closed_form', 'classical', 'margins', 'statistics', 'devices'],
  },
  { name: 'addon', folder: 'native/addon', what: 'a file a feature', uses: ['addon_common'] },
];

export const lib = [
  { name: 'lib', folder: 'lib', what: 'errors, notes, native.ts: the only door', open: true, uses: [] },
  { name: 'index', folder: 'lib/index.ts', what: 'what is public', uses: '*' },
  { name: 'data', folder: 'lib/data', what: 'tables, ranks, levels', open: true, uses: [] },
  {
    name: 'columns',
    folder: 'lib/data/columns',
    what: 'what cells are, and their numbers',
    open: true,
    uses: [],
  },
  { name: 'schema', folder: 'lib/data/schema', what: 'which columns a model has', open: true, uses: [] },
  { name: 'formats', folder: 'lib/data/formats', what: 'tables in and out of files', open: true, uses: [] },
  { name: 'model', folder: 'lib/model', what: 'safetensors files', uses: [] },
  {
    name: 'margin_basis',
    folder: 'lib/margins/basis',
    what: 'what a margin is, what a column shows',
    uses: [],
  },
  {
    name: 'margin_types',
    folder: 'lib/margins/types',
    what: 'a file a type: how it is fitted',
    uses: ['margin_basis'],
  },
  {
    name: 'margins',
    folder: 'lib/margins',
    what: 'the margin of a column, of a table',
    uses: ['margin_types'],
  },
  { name: 'inputs', folder: 'lib/copulas/inputs', what: 'rows, run options, options of kinds', uses: [] },
  { name: 'correlation', folder: 'lib/copulas/correlation', what: 'estimates of R', uses: ['inputs'] },
  { name: 'fields', folder: 'lib/copulas/fields', what: 'solvers and what they integrate', uses: ['inputs'] },
  { name: 'judgement', folder: 'lib/copulas/judgement', what: 'certificates', uses: ['fields'] },
  {
    name: 'events',
    folder: 'lib/copulas/events',
    what: 'rare events: levels, chains',
    uses: ['fields'],
  },
  {
    name: 'copula',
    folder: 'lib/copulas',
    what: 'what every copula can do',
    uses: ['events', 'judgement', 'margins', 'model'],
  },
  {
    name: 'training',
    folder: 'lib/copulas/training',
    what: 'training runs, checkpoints, guides',
    uses: ['correlation', 'copula'],
  },
  {
    name: 'classical',
    folder: 'lib/copulas/classical',
    what: 'closed-form densities',
    uses: ['correlation', 'copula'],
  },
  { name: 'kinds', folder: 'lib/copulas/kinds', what: 'a file a learned kind', uses: ['training'] },
  {
    name: 'fitting',
    folder: 'lib/copulas/fitting',
    what: 'fitCopula, fitBest, loadModel',
    uses: ['classical', 'metrics'],
  },
  { name: 'joint', folder: 'lib/joint', what: 'margins and copula on the data scale', uses: ['fitting'] },
  { name: 'metrics', folder: 'lib/metrics', what: 'dependence, two samples', uses: ['kinds'] },
  { name: 'onnx', folder: 'lib/onnx', what: 'densities as graphs of ONNX', uses: ['fitting'] },
  { name: 'charts', folder: 'lib/report/charts', what: 'a file a picture', uses: ['joint'] },
  { name: 'report', folder: 'lib/report', what: 'numbers, pages', uses: ['charts'] },
  { name: 'terminal', folder: 'lib/cli/terminal', what: 'flags, files, progress', uses: ['charts'] },
  {
    name: 'results',
    folder: 'lib/cli/results',
    what: 'what several commands compute and print',
    uses: ['terminal', 'report'],
  },
  {
    name: 'commands',
    folder: 'lib/cli/commands',
    what: 'a file a command',
    uses: ['results', 'onnx'],
  },
  { name: 'cli', folder: 'lib/cli', what: 'what sklar runs', uses: ['commands'] },
];

const inside = (folder, file) => file === folder || file.startsWith(`${folder}/`);

/** The room of a file, by its path from the root of the repository with forward slashes. */
export function roomOf(file) {
  return [...native, ...lib]
    .filter(({ folder }) => inside(folder, file))
    .sort((a, b) => b.folder.length - a.folder.length)[0];
}

const below = new Map(); // the rooms that a room uses, and with them theirs
for (const rooms of [native, lib]) {
  const named = new Map(rooms.map((room) => [room.name, room]));
  const collect = (name, seen) => {
    for (const next of named.get(name)?.uses ?? []) {
      if (seen.has(next)) continue;
      seen.add(next);
      collect(next, seen);
    }
    return seen;
  };
  for (const room of rooms) below.set(room, room.uses === '*' ? new Set() : collect(room.name, new Set()));
}

/** Whether a file of one room may use those of the other. */
export function mayUse(from, to) {
  return from === to || to.open === true || from.uses === '*' || below.get(from).has(to.name);
}

/** The picture: rooms that all may use are in one box, without arrows. */
function picture(rooms, title, id) {
  const drawn = rooms.filter(({ open, uses }) => !open && uses !== '*');
  const plain = (folder) => `${folder.replace(/^(lib|native)(\/|$)/, '')}/`.replace(/^\/$/, 'its own files');
  const open = rooms.filter((room) => room.open).map(({ folder, what }) => `${plain(folder)}: ${what}`);
  const arrows = drawn.flatMap(({ name, uses }) => uses.map((use) => `    ${id}_${name} --> ${id}_${use}`));
  const boxes = drawn.map(
    ({ name, folder, what }) =>
      `    ${id}_${name}["${folder.replace(/^(lib|native)\//, '')}/<br/>${what.replaceAll(', ', ',<br/>')}"]`,
  );
  const shared = `    ${id}_open["used by all:<br/>${open.join('<br/>')}"]`;
  return [`  subgraph ${id}["${title}"]`, ...boxes, shared, ...arrows, '  end'];
}

const BEGIN = '<!-- rooms: written by node scripts/rooms.mjs --write -->';
const END = '<!-- end of rooms -->';
const page = path.join(root, 'docs', 'architecture.md');

export function drawing() {
  return [
    BEGIN,
    '',
    '```mermaid',
    'flowchart TB',
    ...picture(lib, 'lib: TypeScript, policy, validation, defaults, names', 'lib'),
    ...picture(native, 'native: C++, dumb, total, templated on the scalar', 'native'),
    '  lib -- native.ts, the only door --> native_addon',
    '```',
    '',
    END,
  ].join('\n');
}

export const pageAsDrawn = (text) => {
  const begin = text.indexOf(BEGIN);
  const end = text.indexOf(END);
  if (begin < 0 || end < begin)
    throw new ScriptError(`expected "${BEGIN}" and "${END}" in docs/architecture.md`);
  return text.slice(0, begin) + drawing() + text.slice(end + END.length);
};

if (isMain(import.meta.url)) {
  await runMain(() => {
    if (process.argv[2] !== '--write') throw new ScriptError('expected --write');
    writeFileSync(page, pageAsDrawn(readFileSync(page, 'utf8')));
  });
}
