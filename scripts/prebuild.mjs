// Writes prebuilds/<platform>-<arch>/sklar.<libc>.node, for all CUDA architectures of a release, and says what glibc it asks for:
//   node scripts/prebuild.mjs [--arch arm64]
import path from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { RELEASE_ARCHITECTURES } from './build-native.mjs';
import { packageScript, root, run, runMain } from './tools.mjs';

await runMain(() => {
  const { values } = parseArgs({ options: { arch: { type: 'string', default: process.arch } } });
  const strip = values.arch === process.arch ? 'strip' : 'aarch64-linux-gnu-strip';
  run(
    process.execPath,
    [
      packageScript('prebuildify'),
      ...['--napi', '--strip', '--strip-bin', strip, '--tag-libc', '--arch', values.arch],
      ...['--node-gyp', path.join(root, 'scripts', 'node-gyp.mjs')],
    ],
    { env: { SKLAR_CUDA_ARCHITECTURES: RELEASE_ARCHITECTURES, ...process.env } },
  );
  run(process.execPath, [path.join(root, 'scripts', 'check-addon.mjs')]);
});
