/** What the package exports, read off its types. */
import path from 'node:path';

import ts from 'typescript';

const HIDDEN = ts.ModifierFlags.Private | ts.ModifierFlags.Protected;

/**
 * The names of all that can be called: functions, `new` of classes, `static` and other methods, by the class that declares them. Private,
 * protected and internal ones are not public.
 */
export function publicCalls(): string[] {
  const root = path.resolve(__dirname, '..', '..');
  const file = path.join(root, 'lib', 'index.ts');
  const config = ts.readConfigFile(path.join(root, 'tsconfig.json'), (name) => ts.sys.readFile(name));
  const { options } = ts.parseJsonConfigFileContent(config.config, ts.sys, root);
  const program = ts.createProgram([file], options);
  const checker = program.getTypeChecker();
  const names = new Set<string>();
  const addMethods = (type: ts.Type, prefix: string) => {
    for (const member of checker.getPropertiesOfType(type)) {
      const [declaration] = member.declarations ?? [];
      if (!declaration || !ts.isMethodDeclaration(declaration) || !ts.isIdentifier(declaration.name))
        continue;
      if (ts.getCombinedModifierFlags(declaration) & HIDDEN) continue;
      if (member.getJsDocTags(checker).some(({ name }) => name === 'internal')) continue;
      const { name } = declaration.parent as ts.ClassDeclaration;
      names.add(`${prefix}${name!.text}.${member.name}`);
    }
  };
  const source = program.getSourceFile(file)!;
  for (const found of checker.getExportsOfModule(checker.getSymbolAtLocation(source)!)) {
    const symbol = found.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(found) : found;
    if (symbol.flags & ts.SymbolFlags.Function) names.add(found.name);
    if (!(symbol.flags & ts.SymbolFlags.Class)) continue;
    const itself = checker.getTypeOfSymbol(symbol);
    const made = itself.getConstructSignatures().filter(({ declaration }) => {
      const modifiers = declaration ? ts.getCombinedModifierFlags(declaration) : 0;
      return !(modifiers & HIDDEN);
    });
    const abstract = ts.getCombinedModifierFlags(symbol.valueDeclaration!) & ts.ModifierFlags.Abstract;
    if (made.length > 0 && !abstract) names.add(`new ${found.name}`);
    addMethods(itself, 'static ');
    addMethods(checker.getDeclaredTypeOfSymbol(symbol), '');
  }
  return [...names].sort();
}
