// clang-format over the C++ and CUDA sources: --write changes files, --check fails on differences.
// The binary comes from the npm package clang-format, which carries x64 Linux, x64 macOS and Windows; elsewhere
// clang-format of the PATH is used if it is there, else the step is skipped with a message. Versions format
// differently, so the package's comes first.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import process from 'node:process';
import { ScriptError, filesUnder, findProgram, root, run, runMain } from './tools.mjs';

function clangFormat() {
  try {
    const binary = createRequire(path.join(root, 'package.json'))('clang-format').getNativeBinary();
    if (spawnSync(binary, ['--version']).status === 0) return binary;
  } catch {
    // not a platform of the package
  }
  return findProgram('clang-format');
}

await runMain(() => {
  const mode = process.argv[2];
  if (mode !== '--write' && mode !== '--check') throw new ScriptError('expected --write or --check');
  const binary = clangFormat();
  if (binary === undefined) {
    console.error('clang-format does not run here: C++ formatting was not checked');
    return;
  }
  const files = filesUnder(['native', 'kernels', 'test/native', 'test/emulator', 'bench/native'], (file) =>
    /\.(cpp|hpp|h|cu|cuh|inl)$/.test(file),
  );
  if (mode === '--write') {
    run(binary, ['-i', ...files]);
    return;
  }
  const different = files.filter((file) => {
    const { status, stdout } = spawnSync(binary, [file], { encoding: 'utf8', maxBuffer: 1 << 26 });
    return status !== 0 || stdout !== readFileSync(file, 'utf8');
  });
  if (different.length > 0) {
    const list = different.map((file) => path.relative(root, file)).join('\n  ');
    throw new ScriptError(`not formatted (npm run format does it):\n  ${list}`);
  }
});
