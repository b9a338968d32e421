/** The examples in the docstrings of what is exported: there is one for each function and class, they type-check and run. */
import { readFileSync } from 'node:fs';
import path from 'node:path';

import ts from 'typescript';

import * as sklar from '../lib';
import { TemporaryFolder } from './data/support';

const root = path.resolve(__dirname, '..');
const lib = path.join(root, 'lib');

interface Example {
  readonly name: string;
  readonly code: string;
}

function parse(file: string, text = readFileSync(file, 'utf8')): ts.SourceFile {
  return ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
}

/** Names that a file exports from others, with these files. */
function exportsOf(file: string): { name: string; from: string }[] {
  return parse(file).statements.flatMap((statement) => {
    if (!ts.isExportDeclaration(statement)) return [];
    const { exportClause, moduleSpecifier } = statement;
    if (!exportClause || !ts.isNamedExports(exportClause) || !ts.isStringLiteral(moduleSpecifier!)) return [];
    const from = `${path.resolve(path.dirname(file), moduleSpecifier.text)}.ts`;
    return exportClause.elements.map(({ name }) => ({ name: name.text, from }));
  });
}

/** The code of the examples of a declaration and its members. */
function examplesOf(node: ts.FunctionDeclaration | ts.ClassDeclaration): string[] {
  const own = [node, ...(ts.isClassDeclaration(node) ? node.members : [])];
  return own
    .flatMap((one) => ts.getJSDocTags(one).filter(({ tagName }) => tagName.text === 'example'))
    .map(({ comment }) => /```ts\n([^]*?)```/.exec(ts.getTextOfJSDocComment(comment) ?? '')?.[1] ?? '');
}

const examples: Example[] = [];
const without: string[] = [];
const undocumented: string[] = [];
for (const { name, from } of exportsOf(path.join(lib, 'index.ts'))) {
  const found = parse(from).statements.find(
    (one) => (one as Partial<ts.DeclarationStatement>).name?.getText() === name,
  );
  // a type that its file has from another one is documented there
  if (!found) continue;
  const isDocumented = (node: ts.Node) => ts.getJSDocCommentsAndTags(node).length > 0;
  const options = ts.isInterfaceDeclaration(found) && name.endsWith('Options') ? found.members : [];
  if (!isDocumented(found)) undocumented.push(name);
  for (const option of options) {
    if (!isDocumented(option)) undocumented.push(`${name}.${option.name!.getText()}`);
  }
  if (!ts.isFunctionDeclaration(found) && !ts.isClassDeclaration(found)) continue;
  const codes = examplesOf(found);
  if (codes.length === 0) without.push(name);
  codes.forEach((code, k) => examples.push({ name: codes.length > 1 ? `${name} ${k + 1}` : name, code }));
}

test('everything exported has a docstring, and so has each option', () => {
  expect(undocumented).toEqual([]);
});

test('every exported function and class has an example', () => {
  expect(without).toEqual([]);
  expect(examples.length).toBeGreaterThan(60);
});

test('they type-check', () => {
  const { config } = ts.readConfigFile(path.join(root, 'tsconfig.json'), (file) => ts.sys.readFile(file)) as {
    config: unknown;
  };
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root);
  Object.assign(options, {
    noEmit: true,
    noUnusedLocals: false,
    paths: { sklar: [path.join(lib, 'index.ts')] },
  });
  delete options.rootDir;
  const files = new Map(
    examples.map(({ name, code }) => [path.join(root, 'test', `example ${name}.mts`), code]),
  );
  const host = ts.createCompilerHost(options);
  const getSourceFile = host.getSourceFile.bind(host);
  const fileExists = host.fileExists.bind(host);
  host.fileExists = (file) => files.has(path.normalize(file)) || fileExists(file);
  host.getSourceFile = (file, language, ...rest) => {
    const code = files.get(path.normalize(file));
    if (code === undefined) return getSourceFile(file, language, ...rest);
    const source = ts.createSourceFile(file, code, language);
    source.impliedNodeFormat = ts.ModuleKind.ESNext;
    return source;
  };
  const program = ts.createProgram([...files.keys()], options, host);
  const errors = [...files.keys()].flatMap((file) => {
    const source = program.getSourceFile(file)!;
    return [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)].map(
      ({ messageText }) => `${path.basename(file)}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`,
    );
  });
  expect(errors).toEqual([]);
});

/** The example as an asynchronous function: `x; // => 0.5` compares, imports become constants. */
function functionOf({ name, code }: Example): (...args: unknown[]) => Promise<void> {
  const source = parse(`${name}.ts`, code);
  const parts = source.statements.map((statement) => {
    const text = statement.getText(source);
    if (ts.isImportDeclaration(statement)) {
      const from = (statement.moduleSpecifier as ts.StringLiteral).text;
      const names = (statement.importClause!.namedBindings as ts.NamedImports).elements
        .filter(({ isTypeOnly }) => !isTypeOnly)
        .map((one) => one.getText(source).replace(' as ', ': '));
      return `const { ${names.join(', ')} } = ${from === 'sklar' ? 'sklar' : `require(${JSON.stringify(from)})`};`;
    }
    const comment = (ts.getTrailingCommentRanges(code, statement.end) ?? [])
      .map(({ pos, end }) => code.slice(pos, end))
      .find((one) => one.startsWith('// => '));
    return comment && ts.isExpressionStatement(statement)
      ? `expectSaid(${statement.expression.getText(source)}, ${JSON.stringify(comment.slice('// => '.length))});`
      : text;
  });
  const { outputText } = ts.transpileModule(
    `return (async (sklar, require, expectSaid) => {\n${parts.join('\n')}\n})`,
    { compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.None } },
  );
  // eslint-disable-next-line @typescript-eslint/no-implied-eval -- the code of this repository
  return (new Function(outputText) as () => (...args: unknown[]) => Promise<void>)();
}

/** What is said of a value, to the digits that are said. */
function expectSaid(value: unknown, said: string): void {
  const digits = Math.max(0, ...Array.from(said.matchAll(/\.(\d+)/g), ([, decimals]) => decimals!.length));
  const rounded: unknown = JSON.parse(
    JSON.stringify(value, (_, part: unknown) =>
      ArrayBuffer.isView(part)
        ? Array.from(part as unknown as ArrayLike<number>)
        : typeof part === 'number'
          ? Number(part.toFixed(digits)) + 0
          : part,
    ),
  );
  // eslint-disable-next-line @typescript-eslint/no-implied-eval -- the code of this repository
  expect(rounded).toEqual((new Function(`return (${said})`) as () => unknown)());
}

describe('they run', () => {
  const folder = new TemporaryFolder();
  const before = process.cwd();
  beforeAll(() => process.chdir(path.dirname(folder.file('a', ''))));
  afterAll(() => process.chdir(before));
  test.each(examples)('$name', async (example) => {
    await functionOf(example)(sklar, require, expectSaid);
  });
});
