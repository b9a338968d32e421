// The table of kinds in docs/guide.md, from the registry of kinds: `node scripts/kinds-table.mjs --write` in a built clone; a
// test compares it (test/copulas/kinds.test.ts).
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { isMain, root } from './tools.mjs';

export const guide = path.join(root, 'docs', 'guide.md');
const begin = '<!-- kinds: written by node scripts/kinds-table.mjs --write -->';
const end = '<!-- end of kinds -->';

const words = (names) => names.map((name) => `\`${name}\``).join(', ');

/** Kinds that are alike in everything share a row. */
export function kindsTable(kinds) {
  const rows = new Map();
  for (const [name, { learns, capabilities: can, trained }] of Object.entries(kinds)) {
    const cells = [
      learns,
      words(can.logPdf),
      trained ? 'solvers' : can.field ? 'exact, solvers' : 'exact',
      words(can.sampleConditional) || 'none',
      [can.cdf && '`cdf`', can.marginal && '`marginal`'].filter(Boolean).join(', '),
    ].join(' | ');
    rows.set(cells, [...(rows.get(cells) ?? []), name]);
  }
  return [
    '| `kind` | what it learns | `logPdf` by | samples | `sampleConditional` by | and |',
    '| --- | --- | --- | --- | --- | --- |',
    ...Array.from(rows, ([cells, names]) => `| ${words(names)} | ${cells} |`),
  ].join('\n');
}

/** The guide with this table in its place. */
export function withTable(text, table) {
  const from = text.indexOf(begin);
  const to = text.indexOf(end);
  if (from < 0 || to < from) throw new Error(`docs/guide.md has no place for the table of kinds (${begin})`);
  return `${text.slice(0, from + begin.length)}\n\n${table}\n\n${text.slice(to)}`;
}

if (isMain(import.meta.url) && process.argv[2] === '--write') {
  const { kinds } = await import(path.join(root, 'dist', 'copulas', 'fitting', 'kinds.js'));
  writeFileSync(guide, withTable(readFileSync(guide, 'utf8'), kindsTable(kinds)));
}
