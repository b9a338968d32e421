// The index of formulas, both ways: sections of docs/mathematics.md name files and symbols of their code, whole names outside comments
// ("Code: [`file`](../file) `symbol`, `symbol`, [..."), native ones with their bodies, and these files, or the headers beside them, cite the
// section ("docs/mathematics.md, A.5"); a file that cites a section is named by it, or the file with the bodies of what it declares is.
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { filesUnder, root } from './tools.mjs';

const errors = [];
const isNative = (file) => /^(?:native|kernels)\//.test(file);
/** The file with the bodies of what a header declares; of other files themselves. */
const bodiesOf = (file) => {
  const source = file.replace(/\.hpp$/, '.cpp');
  return existsSync(path.join(root, source)) ? source : file;
};
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
const mathematics = read('docs/mathematics.md');
const anchors = new Set(
  [...mathematics.matchAll(/^##+ (.*)$/gm)].map(([, title]) =>
    title
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}_\- ]/gu, '')
      .replaceAll(' ', '-'),
  ),
);
for (const [, anchor] of mathematics.matchAll(/\]\(#([^)]+)\)/g)) {
  if (!anchors.has(anchor)) errors.push(`docs/mathematics.md: no heading #${anchor}`);
}
for (const [index, line] of mathematics.split('\n').entries()) {
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
      else if (isNative(file) && !new RegExp(`(?<!\\w)${symbol}(?!\\w)[^;{]*\\{`).test(code))
        errors.push(`${where}: ${file} only declares ${symbol}, expected the file that computes it`);
    }
    const header = file.replace(/\.cpp$/, '.hpp');
    const cites = citations(text + (existsSync(path.join(root, header)) ? read(header) : ''));
    if (!cites.some((cited) => covers(cited, section))) {
      errors.push(`${file}: expected a comment that cites docs/mathematics.md, ${section}, which names it`);
    }
    named.set(file, [...(named.get(file) ?? []), section]);
  }
}
for (const letter of '1ABCDEFGHJLMNO') {
  if (!withCode.has(letter)) errors.push(`docs/mathematics.md: section ${letter} names no code`);
}

for (const file of filesUnder(['native', 'kernels', 'lib'])) {
  const name = path.relative(root, file).replaceAll(path.sep, '/');
  for (const cited of citations(readFileSync(file, 'utf8'))) {
    const sections = [name, bodiesOf(name)].flatMap((each) => named.get(each) ?? []);
    if (!sections.some((each) => covers(cited, each))) {
      errors.push(`${name}: cites ${cited}, which does not name it (docs/mathematics.md, "Code:")`);
    }
  }
}
for (const error of errors) console.error(error);
process.exitCode = errors.length > 0 ? 1 : 0;
