/** @type {import('jest').Config} */
module.exports = {
  testEnvironment: 'node',
  roots: ['<rootDir>/test'],
  // one a core: most of the time a program of a test has it, and jest waits
  maxWorkers: '100%',
  testMatch: ['**/*.test.ts'],
  globalSetup: '<rootDir>/test/temporary-folder.setup.ts',
  globalTeardown: '<rootDir>/test/temporary-folder.teardown.ts',
  // types are checked by tsc in `npm test`, once for all files
  transform: { '^.+\\.ts$': ['ts-jest', { diagnostics: false }] },
};
