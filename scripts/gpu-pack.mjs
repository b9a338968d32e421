// Makes a folder that a GPU machine without network or packages can run the GPU suite from: ./run [options of the suite]
//   npm run gpu-pack -- [--out build/gpu-pack] [--architectures LIST] [--node FILE|none] [--no-build] [--limit MIB]
// It holds the addon and the native CUDA tests for all architectures of a release, dist and the packages that it loads, truth
// files, the suite and its peers, and node itself, compressed. It is refused where it is larger than it may be, and tried out.
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { RELEASE_ARCHITECTURES, buildFolder, buildNative } from './build-native.mjs';
import { isCudaTest } from './gpu-suite/native.mjs';
import { loadSklar } from './gpu-suite/context.mjs';
import { recordHead } from './record.mjs';
import { ScriptError, filesUnder, findProgram, packageJson, root, run, runMain } from './tools.mjs';

/** What may be carried to a machine without a network: for one architecture, and for all of a release. */
const LARGEST_MIB = { one: 40, all: 60 };

/** What the suite needs of the repository beside dist. */
const carried = [
  'package.json',
  'LICENSE',
  'scripts/gpu-suite.mjs',
  'scripts/gpu-suite',
  'scripts/cdc-steps.mjs',
  'scripts/python-peer.mjs',
  'scripts/record.mjs',
  'scripts/tools.mjs',
  'scripts/bench/peers',
  'test/fixtures/reference',
  'dist',
];

/** The packages that are loaded where rows come as typed arrays: not those of tables, pictures or the command line. */
function loadedPackages() {
  const list =
    "require('./dist/index.js'); console.log(JSON.stringify(Object.keys(require.cache).flatMap((file) => " +
    'file.match(/node_modules[\\\\/]((?:@[^\\\\/]+[\\\\/])?[^\\\\/]+)/)?.[1] ?? [])))';
  const output = execFileSync(process.execPath, ['-e', list], { cwd: root, encoding: 'utf8' });
  const names = [...new Set(JSON.parse(output))];
  const unknown = names.filter((name) => !(name in packageJson.dependencies));
  if (unknown.length > 0)
    throw new ScriptError(`dist loads packages that are no dependencies: ${unknown.join(', ')}`);
  return names;
}

const largestMib = (architectures) => (architectures.length > 1 ? LARGEST_MIB.all : LARGEST_MIB.one);

const isSource = (file) => /(\.[cm]?ts|\.map|\.md)$|[\\/]src$/.test(file);

/** A copy of a program without the symbols that only a debugger reads. */
function copyBinary(from, to) {
  mkdirSync(path.dirname(to), { recursive: true });
  copyFileSync(from, to);
  chmodSync(to, 0o755);
  const strip = findProgram('strip');
  if (strip !== undefined) run(strip, ['--strip-unneeded', to]);
}

/** Node compressed into `folder`; returns its name there. Compressing takes a minute, so the result is kept. */
function packNode(node, folder) {
  const version = execFileSync(node, ['--version'], { encoding: 'utf8' }).trim();
  const name = `node-${version}-${process.platform}-${process.arch}`;
  const kept = path.join(root, 'build', 'tools', `${name}.xz`);
  if (!existsSync(kept)) {
    if (findProgram('xz') === undefined)
      throw new ScriptError('xz is needed to compress node (or --node none)');
    console.error(`compressing ${node}`);
    const compressed = execFileSync('xz', ['-T0', '-6', '-c', node], { maxBuffer: 1 << 30 });
    mkdirSync(path.dirname(kept), { recursive: true });
    writeFileSync(kept, compressed);
  }
  copyFileSync(kept, path.join(folder, `${name}.xz`));
  return name;
}

/** The script that starts the suite, with the node of the pack where there is one. */
const runner = (node) => `#!/bin/sh
# Runs the GPU suite: ./run [options, see the head of scripts/gpu-suite.mjs]
set -e
here=$(cd "$(dirname "$0")" && pwd)
${
  node === null
    ? 'node=node'
    : `node="$here/${node}"
if [ ! -x "$node" ]; then
  part="$node.$$"
  if command -v xz >/dev/null; then
    xz -dc "$node.xz" > "$part"
  else
    python3 -c 'import lzma, shutil, sys; shutil.copyfileobj(lzma.open(sys.argv[1]), open(sys.argv[2], "wb"))' "$node.xz" "$part"
  fi
  chmod +x "$part"
  mv "$part" "$node"
fi`
}
exec "$node" "$here/scripts/gpu-suite.mjs" "$@"
`;

/** Runs a copy of the pack with nothing in its environment. */
function tryOut(folder, node) {
  const scratch = mkdtempSync(path.join(os.tmpdir(), 'sklar-gpu-pack-'));
  try {
    cpSync(folder, scratch, { recursive: true });
    const tools = node === null ? path.dirname(process.execPath) : '';
    const { status } = spawnSync(
      path.join(scratch, 'run'),
      ['--device', 'cpu', '--stages', 'facts,native,correctness', '--checks', 'truth,rows'],
      { cwd: scratch, env: { PATH: `${tools}:/usr/bin:/bin` }, stdio: 'inherit' },
    );
    if (status !== 0) throw new ScriptError(`the packed suite failed with exit code ${status}`);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

await runMain(async () => {
  const { values } = parseArgs({
    options: {
      out: { type: 'string', default: path.join('build', 'gpu-pack') },
      architectures: { type: 'string', default: RELEASE_ARCHITECTURES },
      node: { type: 'string', default: process.execPath },
      limit: { type: 'string' },
      'no-build': { type: 'boolean', default: false },
    },
  });
  const limit = values.limit === undefined ? undefined : Number(values.limit);
  if (limit !== undefined && !(limit > 0))
    throw new ScriptError(`expected a number of MiB for --limit, got ${values.limit}`);
  const folder = path.resolve(values.out);
  if (!values['no-build']) {
    const { architectures } = values;
    for (const target of ['sklar', 'cuda_tests']) await buildNative({ architectures, target });
    const { buildTypeScript } = await import('./build-ts.mjs');
    buildTypeScript();
  }
  rmSync(folder, { recursive: true, force: true });
  for (const entry of carried) {
    cpSync(path.join(root, entry), path.join(folder, entry), {
      recursive: true,
      filter: (file) => !isSource(file) && !file.endsWith('__pycache__'),
    });
  }
  for (const name of loadedPackages()) {
    cpSync(path.join(root, 'node_modules', name), path.join(folder, 'node_modules', name), {
      recursive: true,
      dereference: true,
      filter: (file) => !isSource(file),
    });
  }
  copyBinary(
    path.join(root, 'build', 'Release', 'sklar.node'),
    path.join(folder, 'build', 'Release', 'sklar.node'),
  );
  const { devices } = await loadSklar();
  const found = devices();
  const built = path.relative(root, buildFolder('Release'));
  const tests = filesUnder([built], isCudaTest).filter((file) => statSync(file).mode & 0o100);
  if (!values['no-build'] && found.compiled.cuda && tests.length !== 1) {
    throw new ScriptError(`expected one build/cmake/Release/cuda_tests, got ${tests.length}`);
  }
  for (const test of tests) copyBinary(test, path.join(folder, 'build', 'native', path.basename(test)));

  const { commit, modified, date, versions } = recordHead('gpu-pack', '', found);
  const about = { commit, modified, date, versions, compiled: found.compiled };
  writeFileSync(path.join(folder, 'pack.json'), `${JSON.stringify(about, null, 2)}\n`);

  const node = values.node === 'none' ? null : packNode(values.node, folder);
  const script = path.join(folder, 'run');
  writeFileSync(script, runner(node));
  chmodSync(script, 0o755);
  const { cudaArchitectures } = found.compiled;
  const files = filesUnder([path.relative(root, folder)]);
  const size = files.reduce((sum, file) => sum + statSync(file).size, 0) / 2 ** 20;
  console.log(
    `${path.relative(process.cwd(), folder) || folder}: ${size.toFixed(1)} MiB in ${files.length} files, CUDA for ` +
      `${cudaArchitectures.join(', ') || 'nothing'}, ${tests.length} native test program`,
  );
  const largest = limit ?? largestMib(cudaArchitectures);
  if (!(size <= largest)) {
    const parts = files
      .map((file) => [statSync(file).size / 2 ** 20, path.relative(folder, file)])
      .sort((one, other) => other[0] - one[0])
      .slice(0, 5)
      .map(([mib, file]) => `\n  ${mib.toFixed(1).padStart(6)}  ${file}`);
    throw new ScriptError(
      `expected at most ${largest} MiB, got ${size.toFixed(1)}; the largest:${parts.join('')}`,
    );
  }
  tryOut(folder, node);
});
