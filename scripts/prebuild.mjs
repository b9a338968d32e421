// Writes prebuilds/<platform>-<arch>/sklar.<libc>.node for all architectures of a release, and says what glibc it needs.
import path from 'node:path';
import process from 'node:process';
import { RELEASE_ARCHITECTURES } from './build-native.mjs';
import { packageScript, root, run, runMain } from './tools.mjs';

await runMain(() => {
  run(
    process.execPath,
    [
      packageScript('prebuildify'),
      ...['--napi', '--strip', '--tag-libc', '--node-gyp', path.join(root, 'scripts', 'node-gyp.mjs')],
    ],
    { env: { SKLAR_CUDA_ARCHITECTURES: RELEASE_ARCHITECTURES, ...process.env } },
  );
  run(process.execPath, [path.join(root, 'scripts', 'check-addon.mjs')]);
});
