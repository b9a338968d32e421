// npm test: set-up, native tests (ctest), then jest. With arguments only jest runs, and gets them:
//   npm test -- test/unit/matrix.test.ts
// npm run test:long: the statistical tests that take minutes (`*.long.test.ts`), in the same way; with --all both, in one run, in which no
// processor waits for the last file of the first.
import { mkdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { setup } from './setup.mjs';
import { printResults } from './test-results.mjs';
import { packageScript, root, run, runMain } from './tools.mjs';

await runMain(async () => {
  const long = { '--long': 'only', '--all': 'all' }[process.argv[2]];
  const jestArguments = process.argv.slice(long ? 3 : 2);
  const whole = jestArguments.length === 0;
  const results = path.join(root, 'build', 'results');
  const names = long === 'only' ? ['jest-long.json'] : ['jest.json', 'ctest-release.xml'];
  await setup();
  try {
    if (whole) {
      mkdirSync(results, { recursive: true });
      for (const name of names) rmSync(path.join(results, name), { force: true });
      if (long !== 'only') {
        const { testAddonBuild } = await import('./native-tests.mjs');
        await testAddonBuild();
      }
      jestArguments.push('--json', `--outputFile=${path.join(results, names[0])}`);
    }
    // vega is published as ES modules only, and jest loads those only under this flag.
    const options = `${process.env.NODE_OPTIONS ?? ''} --experimental-vm-modules --no-warnings`.trim();
    // --json also prints the whole result on stdout; the readable report goes to stderr.
    const quiet = jestArguments.includes('--json');
    run(process.execPath, [packageScript('jest'), ...jestArguments], {
      stdio: ['inherit', quiet ? 'ignore' : 'inherit', 'inherit'],
      env: { ...process.env, NODE_OPTIONS: options, ...(long && { SKLAR_LONG_TESTS: long }) },
    });
  } finally {
    if (whole && !process.env.CI) printResults((name) => names.includes(name));
  }
});
