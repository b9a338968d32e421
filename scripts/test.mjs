// npm test: set-up, native tests (ctest), then jest. With arguments only jest runs, and gets them:
//   npm test -- test/unit/matrix.test.ts
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { setup } from './setup.mjs';
import { packageScript, root, run, runMain } from './tools.mjs';

await runMain(async () => {
  const jestArguments = process.argv.slice(2);
  await setup();
  if (jestArguments.length === 0) {
    const { testAddonBuild } = await import('./native-tests.mjs');
    await testAddonBuild();
    const results = path.join(root, 'build', 'results');
    mkdirSync(results, { recursive: true });
    jestArguments.push('--json', `--outputFile=${path.join(results, 'jest.json')}`);
  }
  // vega is published as ES modules only, and jest loads those only under this flag.
  const options = `${process.env.NODE_OPTIONS ?? ''} --experimental-vm-modules --no-warnings`.trim();
  // --json also prints the whole result on stdout; the readable report goes to stderr.
  const quiet = jestArguments.includes('--json');
  run(process.execPath, [packageScript('jest'), ...jestArguments], {
    stdio: ['inherit', quiet ? 'ignore' : 'inherit', 'inherit'],
    env: { ...process.env, NODE_OPTIONS: options },
  });
});
