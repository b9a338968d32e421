// The typed mirror of the addon (interface NativeAddon) and the C++ side agree: the same functions, and above each C++ function the
// signature that the mirror has. `--write` writes these comments.
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import ts from 'typescript';
import { filesUnder, root } from './tools.mjs';

const flat = (text) =>
  text
    .replaceAll(/\s+/g, ' ')
    .replaceAll(/([({[]) /g, '$1')
    .replaceAll(/,? ([)\]])/g, '$1')
    .trim();

/** name -> signature, of all interfaces whose name ends in NativeAddon or that it extends. */
function mirror() {
  const out = new Map();
  for (const file of filesUnder(['lib'], (name) => /native[^/]*\.ts$|native\/[^/]*\.ts$/.test(name))) {
    const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest, true);
    source.forEachChild((node) => {
      if (!ts.isInterfaceDeclaration(node) || !/Addon$/.test(node.name.text)) return;
      for (const member of node.members) {
        if (ts.isPropertySignature(member)) out.set(member.name.getText(source), null);
        if (!ts.isMethodSignature(member)) continue;
        const text = source.text
          .slice(member.getStart(source), member.end)
          .replaceAll(/\/\*\*[\s\S]*?\*\//g, '')
          .replace(/;$/, '');
        out.set(member.name.getText(source), flat(text));
      }
    });
  }
  return out;
}

const WIDTH = 107;
function asComment(signature) {
  const lines = [''];
  for (const word of signature.split(' ')) {
    const last = lines.at(-1);
    if (last !== '' && last.length + 1 + word.length > WIDTH) lines.push(word);
    else lines[lines.length - 1] = last === '' ? word : `${last} ${word}`;
  }
  return lines.map((line) => `// ${line}\n`).join('');
}

const write = process.argv[2] === '--write';
const signatures = mirror();
const errors = [];
const exported = new Set();
for (const file of filesUnder(['native/addon'], (name) => name.endsWith('.cpp'))) {
  const name = path.relative(root, file).replaceAll(path.sep, '/');
  let text = readFileSync(file, 'utf8');
  for (const [, own, symbol] of text.matchAll(
    /exports\.Set\(\s*"(\w+)",\s*Napi::Function::New(?:<\w+>)?\(\s*env,\s*([\w<>:]+)/g,
  )) {
    exported.add(own);
    const wanted = signatures.get(own);
    if (wanted === undefined) {
      errors.push(`${name}: ${own} is not in the mirror (NativeAddon)`);
      continue;
    }
    if (wanted === null) continue; // of a named type that several share
    const bare = symbol.replace(/<.*/, '');
    const at = new RegExp(
      `((?:^//[^\\n]*\\n)*)((?:^template[^\\n]*\\n)?^Napi::Value ${bare}\\(const Napi::CallbackInfo)`,
      'm',
    ).exec(text);
    if (!at) {
      errors.push(`${name}: no function ${symbol} for ${own}`);
      continue;
    }
    const comment = at[1];
    const start = comment.search(new RegExp(`^// ${own}\\(`, 'm'));
    const has = start < 0 ? '' : flat(comment.slice(start).replaceAll(/^\/\/ ?/gm, ' '));
    if (has === wanted) continue;
    // several exports of one template share a comment: each has its own line there
    if (has.startsWith(`${wanted} `)) continue;
    if (!write) {
      errors.push(`${name}: ${own}: the comment says\n    ${has || 'nothing'}\n  the mirror\n    ${wanted}`);
      continue;
    }
    const before = start < 0 ? comment : comment.slice(0, start);
    text = text.slice(0, at.index) + before + asComment(wanted) + text.slice(at.index + comment.length);
  }
  if (write) writeFileSync(file, text);
}
for (const own of signatures.keys())
  if (!exported.has(own)) errors.push(`lib: ${own} is in the mirror, but not exported`);
for (const error of errors) console.error(error);
process.exitCode = errors.length > 0 ? 1 : 0;
