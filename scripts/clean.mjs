// Removes everything the builds made.
import { rmSync } from 'node:fs';
import path from 'node:path';
import { root } from './tools.mjs';

for (const folder of ['build', 'dist', 'coverage', 'prebuilds']) {
  rmSync(path.join(root, folder), { recursive: true, force: true });
}
