// The index of formulas, both ways: sections of docs/mathematics.md name files and symbols of their code, whole names outside comments
// ("Code: [`file`](../file) `symbol`, `symbol`, [..."), and these files cite the section ("docs/mathematics.md, A.5"); files that cite a section are named by it.
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { filesUnder, root } from './tools.mjs';

const errors = [];
const read = (file) => readFileSync(path.join(root, file), 'utf8');

/** Sections that a comment cites: "docs/mathematics.md, A.7, A.8 and section E" may go on over lines. */
function citations(text) {
  const plain = text.replaceAll(/\s*\n\s*(?:\/\/|\*|#)?\s*/g, ' ');
  return [
    ...plain.matchAll(/mathematics\.md(?:\)|`)?,((?:(?:,| and| section)? (?:[A-Z](?:\.\d+)?|\d+)\b)+)/g),
  ].flatMap((match) => match[1].match(/\b[A-Z](?:\.\d+)?\b|\b\d+\b/g));
}

/** A file that cites A cites all of A. */
const covers = (cited, section) =>
  cited === section || section.startsWith(`${cited}.`) || cited.startsWith(`${section}.`);

const named = new Map(); // file -> sections
const withCode = new Set();
let section = null;
for (const [index, line] of read('docs/mathematics.md').split('\n').entries()) {
  const heading = /^##+ ([A-Z]\.\d+|[A-Z]|\d+)\.? /.exec(line);
  if (heading) section = heading[1];
  if (!line.startsWith('Code: ')) continue;
  withCode.add(section[0]);
  const where = `docs/mathematics.md:${index + 1}`;
  if (/(?:^|[ ,])`[^`]+\/[^`]+`/.test(line))
    errors.push(`${where}: expected files as links, [\`file\`](../file)`);
  for (const [, file, symbols] of line.matchAll(/\[`([^`]+)`\]\(\.\.\/\1\)((?:,? `[^`]+`)+)/g)) {
    if (!existsSync(path.join(root, file))) {
      errors.push(`${where}: no file ${file}`);
      continue;
    }
    const text = read(file);
    const code = text.replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, ' ');
    for (const [, symbol] of symbols.matchAll(/`([^`]+)`/g)) {
      if (!new RegExp(`(?<!\\w)${symbol}(?!\\w)`).test(code))
        errors.push(`${where}: ${file} has no ${symbol}`);
    }
    if (!citations(text).some((cited) => covers(cited, section))) {
      errors.push(`${file}: expected a comment that cites docs/mathematics.md, ${section}, which names it`);
    }
    named.set(file, [...(named.get(file) ?? []), section]);
  }
}
for (const letter of '1ABCDEFGHJLMN') {
  if (!withCode.has(letter)) errors.push(`docs/mathematics.md: section ${letter} names no code`);
}

for (const file of filesUnder(['native', 'kernels', 'lib'])) {
  const name = path.relative(root, file).replaceAll(path.sep, '/');
  for (const cited of citations(readFileSync(file, 'utf8'))) {
    if (!(named.get(name) ?? []).some((each) => covers(cited, each))) {
      errors.push(`${name}: cites ${cited}, which does not name it (docs/mathematics.md, "Code:")`);
    }
  }
}
for (const error of errors) console.error(error);
process.exitCode = errors.length > 0 ? 1 : 0;
