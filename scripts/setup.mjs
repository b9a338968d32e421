// Makes a clone ready to run: dependencies, native build, TypeScript build. Each is skipped when it is up to date.
import { existsSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { ScriptError, isMain, modified, newestOf, npm, packageJson, root, runMain } from './tools.mjs';

function checkNode() {
  const major = Number(process.versions.node.split('.')[0]);
  if (major < 20)
    throw new ScriptError(`expected Node 20 or newer (${packageJson.engines.node}), got ${process.version}`);
}

function installDependencies() {
  // npm writes this file last, so it is older than the lock file exactly when an install is due.
  const installed = modified(path.join(root, 'node_modules', '.package-lock.json'));
  const lock = path.join(root, 'package-lock.json');
  if (installed > 0 && installed >= modified(lock) && installed >= modified(path.join(root, 'package.json')))
    return;
  console.error('installing dependencies');
  // The builds below are ours to run, so no prepare script.
  const command = installed === 0 && existsSync(lock) ? 'ci' : 'install';
  npm([command, '--ignore-scripts', '--no-audit', '--no-fund'], { stdio: ['ignore', 2, 2] });
}

async function buildTypeScriptIfStale() {
  const sources = [
    'lib',
    'tsconfig.json',
    'package.json',
    'scripts/build-ts.mjs',
    'scripts/published-types.mjs',
  ];
  if (modified(path.join(root, 'dist', 'index.mjs')) >= newestOf(sources)) return;
  const { buildTypeScript } = await import('./build-ts.mjs');
  buildTypeScript();
}

export async function setup() {
  checkNode();
  installDependencies();
  // Loaded only now: they need the packages.
  const { buildNative } = await import('./build-native.mjs');
  await buildNative();
  await buildTypeScriptIfStale();
}

if (isMain(import.meta.url)) await runMain(setup);
