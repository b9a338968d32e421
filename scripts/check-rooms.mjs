// Every include and import goes along an arrow of scripts/rooms.mjs, no file is reached by what it includes or imports (imports
// of types too), and docs/architecture.md draws these rooms.
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { mayUse, pageAsDrawn, roomOf } from './rooms.mjs';
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

// circles: depth first, a file that is still open closes one
const state = new Map();
function visit(file, trail) {
  if (state.get(file) === 'done') return;
  if (state.get(file) === 'open') {
    errors.push(`circle: ${[...trail.slice(trail.indexOf(file)), file].join(' -> ')}`);
    return;
  }
  state.set(file, 'open');
  for (const { to } of graph.get(file)) if (to !== file) visit(to, [...trail, file]);
  state.set(file, 'done');
}
for (const file of files) visit(file, []);

const page = path.join(root, 'docs', 'architecture.md');
if (existsSync(page) && pageAsDrawn(readFileSync(page, 'utf8')) !== readFileSync(page, 'utf8')) {
  errors.push(
    'docs/architecture.md: draws other rooms than scripts/rooms.mjs: node scripts/rooms.mjs --write',
  );
}
for (const error of errors) console.error(error);
process.exitCode = errors.length > 0 ? 1 : 0;
