// The typed mirror of the addon (interface NativeAddon) and the C++ side agree: the same functions, of as many arguments, each read
// by its place, its name and the conversion of its type: `to_size(info[2], "rows")` is the third parameter, `rows: number`.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import ts from 'typescript';
import { filesUnder, root } from './tools.mjs';

/** What conversions of native/addon/common take, where their argument has a name. */
const types = {
  to_size: ['number'],
  to_double: ['number'],
  to_bool: ['boolean'],
  to_uint64: ['bigint'],
  'to_span<double>': ['Float64Array'],
  'to_vector<double>': ['Float64Array'],
  'to_vector<float>': ['Float32Array', 'RealArray'],
  'to_vector<T>': ['RealArray'],
  'to_vector<std::int32_t>': ['Int32Array'],
  'to_vector<std::uint32_t>': ['Uint32Array'],
};

/** name -> its parameters, [name, type] each, of all interfaces whose name ends in Addon; null: of a named type. */
function mirror() {
  const out = new Map();
  const tuples = new Map(); // type NativeSamples = [x: Float64Array, ...]
  const parameters = (source, list) =>
    list.flatMap((parameter) => {
      const type = parameter.type.getText(source).replaceAll(/\s+/g, ' ');
      if (!parameter.dotDotDotToken) return [[parameter.name.getText(source), type]];
      if (ts.isTupleTypeNode(parameter.type)) return parameters(source, parameter.type.elements);
      return tuples.get(type);
    });
  for (const file of filesUnder(['lib/native'], (name) => name.endsWith('.ts'))) {
    const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest, true);
    source.forEachChild((node) => {
      if (ts.isTypeAliasDeclaration(node) && ts.isTupleTypeNode(node.type))
        tuples.set(node.name.text, parameters(source, node.type.elements));
      if (!ts.isInterfaceDeclaration(node) || !/Addon$/.test(node.name.text)) return;
      for (const member of node.members)
        out.set(
          member.name.getText(source),
          ts.isMethodSignature(member) ? parameters(source, member.parameters) : null,
        );
    });
  }
  return out;
}

const signatures = mirror();
const errors = [];
const exported = new Set();
for (const file of filesUnder(['native/addon'], (name) => name.endsWith('.cpp'))) {
  const name = path.relative(root, file).replaceAll(path.sep, '/');
  const text = readFileSync(file, 'utf8');
  const bodyOf = (symbol) =>
    new RegExp(
      `^[\\w:]+ ${symbol}\\(const Napi::CallbackInfo& info[^\\n]*\\{\\n([\\s\\S]*?)\\n\\}`,
      'm',
    ).exec(text)?.[1];
  /** What a function reads, and what those read that it hands its call to. */
  const readsOf = (symbol) => {
    const body = bodyOf(symbol);
    if (body === undefined) return null;
    const own = Array.from(
      body.matchAll(/(?:(\w+(?:<[\w:]+>)?)\(\s*)?info\[(\d+)\](?:, "(\w+)")?/g),
      ([, conversion, place, argument]) => ({ conversion, place: Number(place), argument }),
    );
    const others = Array.from(body.matchAll(/\b(\w+)\(info\)/g), ([, other]) => readsOf(other) ?? []);
    return [...own, ...others.flat()];
  };
  for (const [, symbol, own] of text.matchAll(
    /export_function<([^;]*)>\(\s*env,\s*exports,\s*"(\w+)"\s*\)/g,
  )) {
    exported.add(own);
    const wanted = signatures.get(own);
    if (wanted === undefined) errors.push(`${name}: ${own} is not in the mirror (NativeAddon)`);
    if (!wanted) continue;
    const reads = readsOf(symbol.replace(/<.*/, ''));
    if (reads === null) {
      errors.push(`${name}: no function ${symbol} for ${own}`);
      continue;
    }
    const places = new Set(reads.map(({ place }) => place));
    if (/\bstart_training_job\(info/.test(bodyOf(symbol) ?? '')) places.add(1);
    wanted.forEach(([argument], place) => {
      if (!places.has(place)) errors.push(`${name}: ${own} does not read ${argument} (info[${place}])`);
    });
    for (const { conversion, place, argument } of reads) {
      const [expected, type] = wanted[place] ?? ['nothing', 'nothing'];
      const names = argument === undefined || argument === expected;
      if (names && (argument === undefined || (types[conversion] ?? [type]).includes(type))) continue;
      errors.push(
        `${name}: ${own} reads info[${place}] as ${argument} by ${conversion}; the mirror has ${expected}: ${type}`,
      );
    }
  }
}
for (const own of signatures.keys())
  if (!exported.has(own)) errors.push(`lib: ${own} is in the mirror, but not exported`);
for (const error of errors) console.error(error);
process.exitCode = errors.length > 0 ? 1 : 0;
