// npm run quickstart: makes a fresh clone ready, then runs examples/quickstart with the arguments given.
import { existsSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { setup } from './setup.mjs';
import { ScriptError, root, run, runMain } from './tools.mjs';

await runMain(async () => {
  await setup();
  const example = path.join(root, 'examples', 'quickstart.mjs');
  if (!existsSync(example)) throw new ScriptError(`${path.relative(root, example)} is missing`);
  run(process.execPath, [example, ...process.argv.slice(2)]);
});
