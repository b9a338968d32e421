// The declarations of dist are those that the exports of index.d.ts need, and stand alone: neither the types of other
// packages, nor Node's, nor the DOM's are needed to read them (types of dependencies may not fit a user's compiler).
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';
import { filesUnder, root } from './tools.mjs';

const isDeclarations = (file) => /\.d\.m?ts$/.test(file);

/** What the exports of a module need: files, statements of them, names in their imports and exports. */
function neededFrom(program, entry) {
  const checker = program.getTypeChecker();
  const wanted = new Set();
  const follow = (symbol) => {
    for (const declaration of symbol?.declarations ?? []) {
      if (program.isSourceFileDefaultLibrary(declaration.getSourceFile())) continue;
      let node = declaration;
      while (node.parent && !ts.isSourceFile(node.parent) && !ts.isImportSpecifier(node)) node = node.parent;
      if (ts.isExportSpecifier(declaration) || ts.isNamespaceImport(declaration)) node = declaration;
      if (wanted.has(node) || ts.isSourceFile(node)) continue;
      wanted.add(node).add(node.getSourceFile());
      if (symbol.flags & ts.SymbolFlags.Alias) follow(checker.getImmediateAliasedSymbol(symbol));
      else visit(node);
    }
  };
  const visit = (node) => {
    if (ts.isIdentifier(node)) follow(checker.getSymbolAtLocation(node));
    ts.forEachChild(node, visit);
  };
  entry.statements.forEach((statement) => wanted.add(statement));
  checker.getExportsOfModule(checker.getSymbolAtLocation(entry)).forEach(follow);
  return wanted;
}

/** The text of a file without what nothing needs; undefined: nothing of it is needed. */
function prunedText(source, wanted, checker) {
  const parts = source.statements.map((statement) => {
    if (wanted.has(statement)) return statement.getFullText();
    const list = ts.isImportDeclaration(statement)
      ? statement.importClause?.namedBindings
      : ts.isExportDeclaration(statement)
        ? statement.exportClause
        : undefined;
    if (ts.isExportDeclaration(statement) && list === undefined) {
      const target = checker.getSymbolAtLocation(statement.moduleSpecifier)?.declarations[0];
      return wanted.has(target) ? statement.getFullText() : ''; // export *
    }
    if (list === undefined || ts.isNamespaceImport(list))
      return wanted.has(list) ? statement.getFullText() : '';
    const names = list.elements.filter((name) => wanted.has(name)).map((name) => name.getText());
    const text = statement.getText();
    const start = list.getStart() - statement.getStart();
    return names.length === 0
      ? ''
      : `\n${text.slice(0, start)}{ ${names.join(', ')} }${text.slice(start + list.getWidth())}`;
  });
  const text = parts.join('').trimStart();
  return text === '' ? undefined : `${text}\n`;
}

export function pruneDeclarations(dist, options) {
  const entryFile = path.join(dist, 'index.d.ts').replaceAll('\\', '/');
  const program = ts.createProgram([entryFile], { ...options, rootDir: dist, noEmit: true });
  const entry = program.getSourceFile(entryFile);
  const wanted = neededFrom(program, entry);
  for (const file of filesUnder([path.relative(root, dist)], isDeclarations)) {
    const source = program.getSourceFile(file.replaceAll('\\', '/'));
    if (source === entry) continue;
    const text = source && prunedText(source, wanted, program.getTypeChecker());
    if (text === undefined) rmSync(file);
    else writeFileSync(file, text);
  }
}

/** What is wrong with the declarations in the eyes of a strict compiler that knows ES2022 and nothing else. */
export function brokenDeclarations(dist) {
  const program = ts.createProgram([path.join(dist, 'index.d.ts')], {
    target: ts.ScriptTarget.ES2022,
    lib: ['lib.es2022.d.ts'],
    module: ts.ModuleKind.Node16,
    moduleResolution: ts.ModuleResolutionKind.Node16,
    types: [],
    strict: true,
    noEmit: true,
    skipLibCheck: false,
  });
  const problems = ts.getPreEmitDiagnostics(program).map((diagnostic) => {
    const { line, character } = diagnostic.file?.getLineAndCharacterOfPosition(diagnostic.start) ?? {};
    const where =
      diagnostic.file && `${path.relative(root, diagnostic.file.fileName)}:${line + 1}:${character + 1}`;
    return `${where}: ${ts.flattenDiagnosticMessageText(diagnostic.messageText, '\n')}`;
  });
  for (const { fileName } of program.getSourceFiles()) {
    const file = path.normalize(fileName);
    if (!file.startsWith(dist)) {
      if (!/[\\/]typescript[\\/]lib[\\/]lib\./.test(file)) problems.push(`${file}: types of another package`);
      continue;
    }
    // TypeScript before 5.7 has no type parameter there.
    const generic = /\b\w+\d+(?:Clamped)?Array<\w*>/.exec(readFileSync(file, 'utf8'));
    if (generic)
      problems.push(`${path.relative(root, file)}: ${generic[0]}; say its type without the parameter`);
  }
  return problems;
}
