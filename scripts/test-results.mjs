// The jest and ctest results under build/results: where the time went, and at the end a line `N passed, N failed`. Used by
// `npm test` and .ci/run.
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { filesUnder, isMain, root } from './tools.mjs';

const MOST_LISTED = 12;

/** Tests of a result file: { passed, failed, files: [{ name, seconds }] }. */
function readResults(file) {
  const text = readFileSync(file, 'utf8');
  if (file.endsWith('.json')) {
    const result = JSON.parse(text);
    return {
      passed: result.numPassedTests,
      // A file that does not even load counts as one failure.
      failed: result.numFailedTests + result.numRuntimeErrorTestSuites,
      files: result.testResults.map(({ name, startTime, endTime }) => ({
        name: path.relative(root, name),
        seconds: (endTime - startTime) / 1000,
      })),
    };
  }
  const suite = /<testsuite\b[^>]*>/.exec(text)?.[0] ?? '';
  const count = (name) => Number(new RegExp(`\\b${name}="(\\d+)"`).exec(suite)?.[1] ?? 0);
  const preset = /ctest-(\w+)/.exec(path.basename(file))?.[1];
  return {
    passed: count('tests') - count('failures') - count('skipped') - count('disabled'),
    failed: count('failures'),
    files: Array.from(
      text.matchAll(/<testcase name="([^"]+)"[^>]* time="([\d.]+)"/g),
      ([, name, seconds]) => ({
        name: `${name} (native, ${preset})`,
        seconds: Number(seconds),
      }),
    ),
  };
}

/** @param accept which files under build/results count */
export function printResults(accept = () => true) {
  const folder = path.join(root, 'build', 'results');
  const results = existsSync(folder)
    ? filesUnder(['build/results'], (file) => accept(path.basename(file))).map(readResults)
    : [];
  const files = results.flatMap((result) => result.files).sort((a, b) => b.seconds - a.seconds);
  const sum = (list) => list.reduce((total, { seconds }) => total + seconds, 0);
  if (files.length > 0) {
    console.log(`\nwhere the time went: ${sum(files).toFixed(0)} s in ${files.length} files of tests`);
    for (const { name, seconds } of files.slice(0, MOST_LISTED))
      console.log(`${seconds.toFixed(1).padStart(8)} s  ${name}`);
    if (files.length > MOST_LISTED)
      console.log(`${sum(files.slice(MOST_LISTED)).toFixed(1).padStart(8)} s  the others`);
  }
  const total = (key) => results.reduce((all, result) => all + result[key], 0);
  console.log(`${total('passed')} passed, ${total('failed')} failed`);
}

if (isMain(import.meta.url)) printResults();
