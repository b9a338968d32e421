// Writes prebuilds/<platform>-<arch>/sklar.node for all architectures of a release, and says what glibc it needs.
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import process from 'node:process';
import { RELEASE_ARCHITECTURES } from './build-native.mjs';
import { filesUnder, findProgram, packageScript, root, run, runMain } from './tools.mjs';

function newestGlibc(file) {
  const objdump = findProgram('objdump');
  if (objdump === undefined) return undefined;
  const symbols = execFileSync(objdump, ['-T', file], { encoding: 'utf8', maxBuffer: 1 << 28 });
  const versions = [...symbols.matchAll(/GLIBC_(\d+)\.(\d+)/g)].map((match) => [
    Number(match[1]),
    Number(match[2]),
  ]);
  return versions
    .sort((a, b) => a[0] - b[0] || a[1] - b[1])
    .at(-1)
    ?.join('.');
}

await runMain(() => {
  run(
    process.execPath,
    [
      packageScript('prebuildify'),
      ...['--napi', '--strip', '--node-gyp', path.join(root, 'scripts', 'node-gyp.mjs')],
    ],
    { env: { SKLAR_CUDA_ARCHITECTURES: RELEASE_ARCHITECTURES, ...process.env } },
  );
  for (const file of filesUnder(['prebuilds'], (name) => name.endsWith('.node'))) {
    const glibc = process.platform === 'linux' ? newestGlibc(file) : undefined;
    console.log(path.relative(root, file) + (glibc === undefined ? '' : ` needs glibc ${glibc} or newer`));
  }
});
