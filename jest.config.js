/** @type {import('jest').Config} */
module.exports = {
  testEnvironment: 'node',
  roots: ['<rootDir>/test'],
  testMatch: ['**/*.test.ts'],
  // types are checked by tsc in `npm test`, once for all files
  transform: { '^.+\\.ts$': ['ts-jest', { diagnostics: false }] },
};
