// The module boundaries, as rules a machine can check.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { filesUnder, root } from './tools.mjs';

const rules = [
  {
    rule: 'napi.h only in native/addon',
    pattern: /#include\s*[<"](napi|node_api|js_native_api)\.h[>"]/,
    files: /\.(cpp|hpp|h|inl|cu|cuh)$/,
    except: /^native\/addon\//,
  },
  {
    rule: 'CUDA headers only in native/backend/cuda and kernels',
    pattern: /#include\s*[<"](cuda|cooperative_groups|cub\/|thrust\/)/,
    files: /\.(cpp|hpp|h|inl|cu|cuh)$/,
    except: /^(native\/backend\/cuda\/|kernels\/)/,
  },
  {
    rule: 'launchers are declared in plain C++: no CUDA header in kernels/*.h',
    pattern: /#include\s*[<"]cuda/,
    files: /^kernels\/.*\.h$/,
  },
  {
    rule: 'only lib/native.ts loads the addon',
    pattern: /node-gyp-build|sklar\.node/,
    files: /^lib\/.*\.ts$/,
    except: /^lib\/(native\.ts|types\/)/,
  },
];

let broken = 0;
for (const file of filesUnder(['native', 'kernels', 'lib', 'test/native'])) {
  const name = path.relative(root, file).replaceAll(path.sep, '/');
  const applicable = rules.filter((rule) => rule.files.test(name) && !rule.except?.test(name));
  if (applicable.length === 0) continue;
  readFileSync(file, 'utf8')
    .split('\n')
    .forEach((line, index) => {
      for (const { rule, pattern } of applicable) {
        if (!pattern.test(line)) continue;
        console.error(`${name}:${index + 1}: ${rule}\n    ${line.trim()}`);
        ++broken;
      }
    });
}
process.exitCode = broken > 0 ? 1 : 0;
