// Configures, builds and runs the native tests of a CMake preset: node scripts/native-tests.mjs dev|tsan|release|emulated|cuda,
// or those of arm64, cross-compiled and run under QEMU: node scripts/native-tests.mjs arm64
// Results go to build/results/ctest-<preset>.xml.
import { mkdirSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { buildFolder, buildNative } from './build-native.mjs';
import {
  ScriptError,
  ctestBeside,
  findCmake,
  isMain,
  requireCompiler,
  root,
  run,
  runMain,
} from './tools.mjs';

const results = path.join(root, 'build', 'results');

function ctest(name, selection) {
  mkdirSync(results, { recursive: true });
  const output = path.join(results, `ctest-${name}.xml`);
  const parallel = ['--parallel', `${os.availableParallelism()}`];
  run(ctestBeside(findCmake()), [...selection, ...parallel, '--output-on-failure', '--output-junit', output]);
}

/** The native tests of the build that the addon comes from, so that nothing is compiled twice. */
export async function testAddonBuild() {
  await buildNative({ target: 'all' });
  ctest('release', ['--test-dir', buildFolder('Release')]);
}

async function testArm64() {
  await buildNative({ target: 'all', arch: 'arm64' });
  ctest('arm64', ['--test-dir', buildFolder('Release', 'arm64')]);
}

function testPreset(preset) {
  requireCompiler();
  const cmake = findCmake();
  run(cmake, ['--preset', preset]);
  run(cmake, ['--build', '--preset', preset]);
  ctest(preset, ['--preset', preset]);
}

if (isMain(import.meta.url)) {
  await runMain(async () => {
    const preset = process.argv[2];
    if (!['dev', 'tsan', 'release', 'emulated', 'cuda', 'arm64'].includes(preset)) {
      throw new ScriptError(
        `expected dev, tsan, release, emulated, cuda or arm64, got ${preset ?? 'nothing'}`,
      );
    }
    if (preset === 'arm64') await testArm64();
    else testPreset(preset);
  });
}
