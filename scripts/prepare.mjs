// npm's prepare step, never run on a user's machine: after `npm install` in a clone it builds; before `npm pack` and `npm
// publish` it sees that what was built is whole and no older than its sources, writes the bill of materials, and builds nothing.
import path from 'node:path';
import process from 'node:process';
import { writeSbom } from './sbom.mjs';
import { ScriptError, filesUnder, modified, newestOf, root, runMain } from './tools.mjs';

function checkBuilt() {
  const dist = path.join(root, 'dist', 'index.mjs');
  if (modified(dist) < newestOf(['lib', 'tsconfig.json'])) {
    throw new ScriptError('dist is missing, or older than lib: run npm run build:ts, then pack');
  }
  const prebuilds = filesUnder(['prebuilds'], (file) => file.endsWith('.node'));
  const sources = newestOf(['native', 'kernels', 'CMakeLists.txt']);
  const stale = prebuilds.filter((file) => modified(file) < sources);
  const problem =
    prebuilds.length === 0
      ? 'there is no prebuild: whoever installs this package has to compile (npx sklar build)'
      : stale.length > 0
        ? `older than native or kernels: ${stale.map((file) => path.relative(root, file)).join(', ')}`
        : undefined;
  if (problem === undefined) return;
  if (process.env.npm_command === 'publish') throw new ScriptError(`${problem}; run npm run prebuilds`);
  console.error(`note: ${problem}`);
}

await runMain(async () => {
  if (process.env.npm_command === 'pack' || process.env.npm_command === 'publish') {
    checkBuilt();
    writeSbom();
    return;
  }
  if (process.env.SKLAR_SKIP_BUILD) return;
  const { buildNative } = await import('./build-native.mjs');
  const { buildTypeScript } = await import('./build-ts.mjs');
  await buildNative();
  buildTypeScript();
});
