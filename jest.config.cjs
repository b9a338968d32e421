const os = require('node:os');

const long = Boolean(process.env.SKLAR_LONG_TESTS);

/** @type {import('jest').Config} */
module.exports = {
  testEnvironment: 'node',
  roots: ['<rootDir>/test'],
  // Tests that take minutes have a run of their own: npm run test:long.
  testMatch: long ? ['**/*.long.test.ts'] : ['**/*.test.ts', '!**/*.long.test.ts'],
  // Types are checked by `npm run typecheck`; here each file is only stripped of them (isolatedModules).
  transform: { '^.+\\.ts$': ['ts-jest', { tsconfig: '<rootDir>/tsconfig.test.json' }] },
  // Against hanging only: other work on the machine must not fail a test.
  testTimeout: 300_000,
  // The native code is itself parallel, but not all the time: several files at once keep the processors busy.
  maxWorkers: Math.min(os.availableParallelism(), 4),
  collectCoverageFrom: ['lib/**/*.ts'],
};
