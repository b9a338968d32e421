// The package as users get it: packed, installed into an empty project without running scripts and without optional
// dependencies, and used where no compiler is.
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, statSync, symlinkSync } from 'node:fs';
import path from 'node:path';

import { TemporaryFolder } from '../data/support';

const root = path.resolve(__dirname, '..', '..');
const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
const onPosix = process.platform === 'win32' ? describe.skip : describe;
const folder = new TemporaryFolder();
const project = folder.file('project');
const installed = path.join(project, 'node_modules', 'sklar');
const addon = path.join(root, 'build', 'Release', 'sklar.node');

/** npm beside this node, whatever PATH is. */
function npm(argv: readonly string[], cwd: string) {
  return spawnSync('npm', argv, {
    cwd,
    encoding: 'utf8',
    env: { ...process.env, npm_config_loglevel: 'error' },
  });
}

const NO_REGISTRY = /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|ENOTCACHED/;

/** Runs a program of the project where PATH has node, a shell, and nothing else. */
function bare(argv: readonly string[], environment: Readonly<Record<string, string>> = {}) {
  const env = { PATH: folder.file('bin'), HOME: folder.path, ...environment };
  const { status, stdout, stderr } = spawnSync(process.execPath, argv, {
    cwd: project,
    encoding: 'utf8',
    env,
  });
  return { status, stdout, stderr };
}

let packed: { files: string[]; stderr: string; before: number; after: number };
let unreachable: string | undefined;

onPosix('the package', () => {
  beforeAll(() => {
    if (!existsSync(addon)) throw new Error('expected the addon in build/Release: run npm run build first');
    const built = () => statSync(addon).mtimeMs + statSync(path.join(root, 'dist', 'index.mjs')).mtimeMs;
    const before = built();
    const listed = npm(['pack', '--dry-run', '--json'], root);
    if (listed.status !== 0) throw new Error(listed.stderr);
    const files = (JSON.parse(listed.stdout) as [{ files: { path: string }[] }])[0].files.map(
      (file) => file.path,
    );
    packed = { files, stderr: listed.stderr, before, after: built() };

    // what `npm run prebuilds` adds is the addon that is here
    const staged = folder.file('staged');
    const prebuild = `prebuilds/${process.platform}-${process.arch}/sklar.${libc()}.node`;
    for (const file of files.filter((name) => !name.startsWith('prebuilds/'))) {
      mkdirSync(path.join(staged, path.dirname(file)), { recursive: true });
      copyFileSync(path.join(root, file), path.join(staged, file));
    }
    mkdirSync(path.join(staged, path.dirname(prebuild)), { recursive: true });
    copyFileSync(addon, path.join(staged, prebuild));
    const tarball = npm(['pack', '--ignore-scripts', '--pack-destination', folder.path], staged);
    if (tarball.status !== 0) throw new Error(tarball.stderr);

    mkdirSync(project);
    folder.file('project/package.json', '{ "name": "project", "private": true }');
    const install = [
      'install',
      '--ignore-scripts',
      '--omit=optional',
      '--prefer-offline',
      '--no-audit',
      '--no-fund',
    ];
    const done = npm([...install, folder.file(`sklar-${version}.tgz`)], project);
    if (done.status !== 0) {
      if (!NO_REGISTRY.test(done.stderr)) throw new Error(done.stderr);
      unreachable = done.stderr;
      console.warn(`the package was not installed, since npm reaches no registry:\n${done.stderr}`);
    }

    mkdirSync(folder.file('bin'));
    symlinkSync(process.execPath, folder.file('bin/node'));
    symlinkSync('/bin/sh', folder.file('bin/sh'));
  });

  /** A test of the installed package; without a registry there is none, as was said. */
  const testInstalled = (name: string, work: () => void) =>
    test(name, () => {
      if (unreachable === undefined) work();
    });

  test('is packed without being built anew, with what its reader and its compiler need', () => {
    expect(packed.after).toBe(packed.before);
    for (const file of [
      ...[
        'README.md',
        'LICENSE',
        'CHANGELOG.md',
        'SECURITY.md',
        'sbom.cdx.json',
        'docs/guide.md',
        'docs/releasing.md',
      ],
      ...[
        'examples/quickstart.mjs',
        'dist/index.d.ts',
        'dist/index.d.mts',
        'dist/cli/main.js',
        'CMakeLists.txt',
      ],
      ...['scripts/build-native.mjs', 'scripts/tools.mjs', 'native/addon/addon.cpp', 'kernels/linear.cu'],
    ]) {
      expect(packed.files).toContain(file);
    }
    expect(packed.files.filter((file) => /^(?:test|bench|lib|build|node_modules|\.)/.test(file))).toEqual([]);
  });

  testInstalled('learns, samples, saves and loads from an ES module', () => {
    folder.file('project/program.mjs', program("import { Table, fitJoint, loadJoint } from 'sklar';"));
    expectSame(bare(['program.mjs']));
  });

  testInstalled('learns, samples, saves and loads from a CommonJS module', () => {
    folder.file('project/program.cjs', program("const { Table, fitJoint, loadJoint } = require('sklar');"));
    expectSame(bare(['program.cjs']));
  });

  testInstalled('the command runs, and says which package would read tables', () => {
    const { bin } = JSON.parse(readFileSync(path.join(installed, 'package.json'), 'utf8'));
    const command = path.join(installed, bin.sklar);
    expect(bare([command, '--version'])).toEqual({ status: 0, stdout: `${version}\n`, stderr: '' });
    expect(bare([command, 'devices'])).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/^sklar .*\nCPU /),
    });
    folder.file('project/table.csv', 'a,b\n1,2\n');
    const failed = bare([command, 'fit', 'table.csv', '--out', 'm.safetensors']);
    expect(failed.status).toBe(4);
    expect(failed.stderr).toContain('npm install @duckdb/node-api');
  });

  testInstalled('without a binary for the platform it says how to compile one, and what that needs', () => {
    mkdirSync(folder.file('nothing'));
    const nothing = { SKLAR_PREBUILD: folder.file('nothing') };
    const loaded = bare(['-e', "require('sklar').devices()"], nothing);
    expect(loaded.status).toBe(1);
    expect(loaded.stderr).toMatch(/no native binary of sklar for \S+ could be loaded: .*`npx sklar build`/s);
    const compiled = bare([path.join(installed, 'dist/cli/main.js'), 'build'], nothing);
    expect(compiled).toMatchObject({ status: 4, stdout: '' });
    expect(compiled.stderr).toContain('there must be a C++20 compiler, and make or ninja');
    expect(compiled.stderr).toMatch(/\nerror: cannot compile the native code: .*\[ERR_SKLAR_FILE\]\n$/);
  });

  // One compiler each, since they take long: ES and CommonJS modules in each.
  test.each([
    ['typescript-5.6', 'node16', 'node16'],
    ['typescript-5.6', 'esnext', 'bundler'],
    ['typescript', 'nodenext', 'nodenext'],
    ['typescript', 'esnext', 'bundler'],
  ])(
    'its types satisfy %s, module %s, resolution %s, without the types of anything else',
    (compiler, module, resolution) => {
      if (unreachable !== undefined) return;
      for (const name of ['types.mts', 'types.cts']) {
        folder.file(`project/${name}`, program("import { Table, fitJoint, loadJoint } from 'sklar';", TYPED));
      }
      folder.file(
        'project/tsconfig.json',
        JSON.stringify({
          compilerOptions: {
            ...{ target: 'es2022', lib: ['es2022'], module, moduleResolution: resolution, types: [] },
            ...{ strict: true, exactOptionalPropertyTypes: true, skipLibCheck: false, noEmit: true },
          },
          files: ['types.mts', ...(resolution === 'bundler' ? [] : ['types.cts'])],
        }),
      );
      const tsc = path.join(root, 'node_modules', compiler, 'bin', 'tsc');
      expect(bare([tsc, '-p', '.'])).toEqual({ status: 0, stdout: '', stderr: '' });
    },
  );
});

/** `glibc` or `musl`, as prebuildify names files. */
const libc = () => (existsSync('/etc/alpine-release') ? 'musl' : 'glibc');

/** What Node alone has. */
const TYPED = 'declare const console: { log(text: string): void };';

/** A program that learns from a small table, and says whether the model that was saved is the one that was learned. */
function program(first: string, declarations = ''): string {
  return `${first}
${declarations}
async function main() {
  const x = Float64Array.from({ length: 200 }, (_, i) => Math.sin(7.1 * i));
  const y = x.map((value, i) => value + Math.cos(3.3 * i));
  const table = Table.fromColumns({ x, y });
  const joint = await fitJoint(table, { copula: { kind: 'cdc', steps: 20, hidden: 8, depth: 1 } });
  const rows = await joint.sample(50, { seed: 7 });
  await joint.save('model.safetensors');
  const model = await loadJoint('model.safetensors');
  const again = await model.sample(50, { seed: 7 });
  const density: Float64Array = await model.logPdf(rows);
  const same = again.column('y').every((value, i) => value === rows.column('y')[i]);
  console.log(String(same && density.every((value) => Math.abs(value) < 1e3)));
}
void main();
`.replace(declarations === '' ? /: Float64Array = / : /^$/, ' = ');
}

function expectSame(outcome: ReturnType<typeof bare>): void {
  expect(outcome).toEqual({ status: 0, stdout: 'true\n', stderr: '' });
}
