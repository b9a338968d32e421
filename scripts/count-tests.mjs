// Prints `N passed, N failed`: the sum of the jest and ctest results under build/results. Used by .ci/run.
import { readFileSync } from 'node:fs';
import { filesUnder } from './tools.mjs';

let passed = 0;
let failed = 0;
for (const file of filesUnder(['build/results'])) {
  const text = readFileSync(file, 'utf8');
  if (file.endsWith('.json')) {
    const result = JSON.parse(text);
    passed += result.numPassedTests;
    // A file that does not even load counts as one failure.
    failed += result.numFailedTests + result.numRuntimeErrorTestSuites;
  } else if (file.endsWith('.xml')) {
    const suite = /<testsuite\b[^>]*>/.exec(text)?.[0] ?? '';
    const count = (name) => Number(new RegExp(`\\b${name}="(\\d+)"`).exec(suite)?.[1] ?? 0);
    failed += count('failures');
    passed += count('tests') - count('failures') - count('skipped') - count('disabled');
  }
}
console.log(`${passed} passed, ${failed} failed`);
