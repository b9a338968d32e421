// Compiles lib/ to dist/ (CommonJS and declarations) and writes the ESM wrapper beside it.
import { chmodSync, existsSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import ts from 'typescript';
import { brokenDeclarations, pruneDeclarations } from './published-types.mjs';
import { ScriptError, isMain, root, runMain } from './tools.mjs';

/** The names that exist at run time: types have no place in a JavaScript wrapper. */
function valueExports(program, file) {
  const checker = program.getTypeChecker();
  const source = program.getSourceFile(file);
  const module = source && checker.getSymbolAtLocation(source);
  if (module === undefined) return [];
  return checker
    .getExportsOfModule(module)
    .filter((symbol) => {
      const target = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
      return (target.flags & ts.SymbolFlags.Value) !== 0 && !typeOnly(symbol);
    })
    .map((symbol) => symbol.name)
    .sort();
}

/** True for `export type { X }` of a class: X is a value elsewhere, not here. */
function typeOnly(symbol) {
  return (symbol.declarations ?? []).some(
    (node) => ts.isExportSpecifier(node) && (node.isTypeOnly || node.parent.parent.isTypeOnly),
  );
}

export function buildTypeScript() {
  const configFile = path.join(root, 'tsconfig.json');
  const host = { ...ts.sys, onUnRecoverableConfigFileDiagnostic: (diagnostic) => report([diagnostic]) };
  const config = ts.getParsedCommandLineOfConfigFile(configFile, undefined, host);
  if (config === undefined) throw new ScriptError('tsconfig.json could not be read');
  const program = ts.createProgram(config.fileNames, config.options);
  const diagnostics = [...config.errors, ...ts.getPreEmitDiagnostics(program)];
  if (diagnostics.length > 0) {
    report(diagnostics);
    throw new ScriptError(`TypeScript found ${diagnostics.length} error(s); dist was left as it was`);
  }
  const dist = path.join(root, 'dist');
  rmSync(dist, { recursive: true, force: true });
  program.emit();
  pruneDeclarations(dist, config.options);
  const broken = brokenDeclarations(dist);
  if (broken.length > 0) {
    throw new ScriptError(`the published types have ${broken.length} error(s)\n  ${broken.join('\n  ')}`);
  }

  const names = valueExports(program, path.join(root, 'lib', 'index.ts').replaceAll('\\', '/'));
  if (names.length > 0) {
    writeFileSync(
      path.join(dist, 'index.mjs'),
      `import sklar from './index.js';\nexport const { ${names.join(', ')} } = sklar;\n`,
    );
    writeFileSync(path.join(dist, 'index.d.mts'), "export * from './index.js';\n");
  }
  const cli = path.join(dist, 'cli', 'main.js');
  if (existsSync(cli)) chmodSync(cli, 0o755);
}

function report(diagnostics) {
  const host = {
    getCanonicalFileName: (file) => file,
    getCurrentDirectory: () => root,
    getNewLine: () => '\n',
  };
  console.error(
    process.stderr.isTTY
      ? ts.formatDiagnosticsWithColorAndContext(diagnostics, host)
      : ts.formatDiagnostics(diagnostics, host),
  );
}

if (isMain(import.meta.url)) {
  await runMain(() => {
    buildTypeScript();
    console.log('built dist');
  });
}
