// Every include and import goes along an arrow of scripts/rooms.mjs; neither a room nor a file is reached by what it includes or
// imports (imports of types too); no room has more than 15 files at one level; docs/architecture.md draws these rooms.
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { lib, mayUse, native, pageAsDrawn, roomOf } from './rooms.mjs';
import { filesUnder, root } from './tools.mjs';

const errors = [];
const files = filesUnder(['native', 'kernels', 'lib'], (file) =>
  /\.(ts|cpp|hpp|h|inl|cu|cuh)$/.test(file),
).map((file) => path.relative(root, file).replaceAll(path.sep, '/'));
const known = new Set(files);

/** What a file includes or imports of the others, with the line. */
function uses(file) {
  const text = readFileSync(path.join(root, file), 'utf8');
  const typescript = file.endsWith('.ts');
  const pattern = typescript ? /(?:from|import\() ?'(\.[^']*)'/g : /^#include "([^"]+)"/gm;
  return [...text.matchAll(pattern)].flatMap((match) => {
    const beside = path.posix.join(path.posix.dirname(file), match[1]);
    const found = (
      typescript ? [`${beside}.ts`] : [beside, `native/${match[1]}`, `kernels/${match[1]}`]
    ).find((name) => known.has(name));
    const line = text.slice(0, match.index).split('\n').length;
    return found === undefined ? [] : [{ to: found, line }];
  });
}
const graph = new Map(files.map((file) => [file, uses(file)]));

for (const [file, targets] of graph) {
  const from = roomOf(file);
  if (!from) errors.push(`${file}: in no room of scripts/rooms.mjs`);
  for (const { to, line } of from ? targets : []) {
    const room = roomOf(to);
    if (room && !mayUse(from, room)) {
      errors.push(`${file}:${line}: ${from.name} may not use ${room.name} (${to}): see scripts/rooms.mjs`);
    }
  }
}

/** Depth first: what is still open closes a circle. */
function findCircles(nodes, next) {
  const state = new Map();
  const visit = (node, trail) => {
    if (state.get(node) === 'done') return;
    if (state.get(node) === 'open') {
      errors.push(`circle: ${[...trail.slice(trail.indexOf(node)), node].join(' -> ')}`);
      return;
    }
    state.set(node, 'open');
    for (const to of next(node)) if (to !== node) visit(to, [...trail, node]);
    state.set(node, 'done');
  };
  for (const node of nodes) visit(node, []);
}
findCircles(files, (file) => graph.get(file).map(({ to }) => to));
for (const rooms of [native, lib]) {
  const usesOf = new Map(rooms.map(({ name, uses }) => [name, uses === '*' ? [] : uses]));
  findCircles([...usesOf.keys()], (name) => usesOf.get(name));
}

const MOST_FILES = 15;
const counts = new Map();
for (const file of files) {
  const folder = path.posix.dirname(file);
  counts.set(folder, (counts.get(folder) ?? 0) + 1);
}
for (const [folder, count] of counts) {
  if (count > MOST_FILES) errors.push(`${folder}: ${count} files at one level, at most ${MOST_FILES}`);
}

const page = path.join(root, 'docs', 'architecture.md');
if (existsSync(page) && pageAsDrawn(readFileSync(page, 'utf8')) !== readFileSync(page, 'utf8')) {
  errors.push(
    'docs/architecture.md: draws other rooms than scripts/rooms.mjs: node scripts/rooms.mjs --write',
  );
}
for (const error of errors) console.error(error);
process.exitCode = errors.length > 0 ? 1 : 0;
