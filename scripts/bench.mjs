// npm run bench -- <name> [arguments]: runs scripts/bench/<name>.mjs on a fresh build.
import path from 'node:path';
import process from 'node:process';
import { setup } from './setup.mjs';
import { ScriptError, filesUnder, root, run, runMain } from './tools.mjs';

await runMain(async () => {
  const [name, ...rest] = process.argv.slice(2);
  const benches = new Map(
    filesUnder(['scripts/bench'], (file) => file.endsWith('.mjs')).map((file) => [
      path.basename(file, '.mjs'),
      file,
    ]),
  );
  const file = benches.get(name);
  if (file === undefined) {
    throw new ScriptError(
      `expected one of ${[...benches.keys()].join(', ') || '(no benchmarks yet)'}, got ${name ?? 'no name'}`,
    );
  }
  await setup();
  console.error(`running ${path.relative(root, file)}`);
  run(process.execPath, [file, ...rest]);
});
