const os = require('node:os');

// Tests that take minutes have a run of their own, npm run test:long; `all` is both.
const testMatch = {
  only: ['**/*.long.test.ts'],
  all: ['**/*.test.ts'],
}[process.env.SKLAR_LONG_TESTS] ?? ['**/*.test.ts', '!**/*.long.test.ts'];

/** @type {import('jest').Config} */
module.exports = {
  testEnvironment: 'node',
  roots: ['<rootDir>/test'],
  testMatch,
  testSequencer: '<rootDir>/scripts/jest-sequencer.cjs',
  // Types are checked by `npm run typecheck`; here each file is only stripped of them (isolatedModules).
  transform: { '^.+\\.ts$': ['ts-jest', { tsconfig: '<rootDir>/tsconfig.test.json' }] },
  // Each file of tests is a context of its own, where a global name costs a tenth of a microsecond each time it is looked up: loops
  // over numbers took fifty times as long as outside. These are arguments of every module instead.
  sandboxInjectedGlobals: [
    ...['Math', 'Number', 'Infinity', 'BigInt', 'String', 'Symbol', 'Object', 'Array', 'Map', 'Set', 'JSON'],
    ...[
      'Float64Array',
      'Float32Array',
      'Int32Array',
      'Uint32Array',
      'Uint8Array',
      'BigInt64Array',
      'Promise',
    ],
  ],
  // Against hanging only: other work on the machine must not fail a test.
  testTimeout: 300_000,
  // The native code is itself parallel, but not all the time: several files at once keep the processors busy.
  maxWorkers: Math.min(os.availableParallelism(), 4),
  collectCoverageFrom: ['lib/**/*.ts'],
};
