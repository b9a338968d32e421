// The longest files of tests first, also where jest has not measured them yet, as in CI: by their size alone it would begin with those
// of many lines, and end with one processor at work on a file of three lines that takes minutes.
const path = require('node:path');
const { default: TestSequencer } = require('@jest/test-sequencer'); // a part of jest

/** Roughly, seconds of processor time; of others a few. */
const seconds = {
  'properties/random-tables.long': 240,
  'copulas/fresh-levels.long': 30,
  'cli/kills.long': 90,
  'native-addon/terminate.long': 50,
  'fuzz/fuzz.long': 24,
  'hostile-arguments.long': 40,
  'scripts/gpu-suite': 31,
  'copulas/tied-columns': 23,
  'joint/missing-cells': 21,
  'data/read-table': 16,
  'margins/degenerate-likelihoods': 16,
  'report/report': 15,
  'e2e/package': 14,
  'joint/mixed-tables': 13,
  'copulas/velocity': 13,
  'report/page': 12,
  'examples-in-docstrings': 12,
  'properties/random-tables': 12,
  'e2e/command-line': 12,
  'cli/checkpoint': 11,
  'copulas/mirror': 11,
  'properties/weights': 11,
  'cli/commands': 10,
  'data/column-types': 10,
  'onnx/learned': 10,
  'data/table-reader': 10,
  'margins/mirrored-data': 10,
  'copulas/own-draws': 10,
};

module.exports = class extends TestSequencer {
  time(test) {
    const name = path.relative(path.join(__dirname, '..', 'test'), test.path).replaceAll(path.sep, '/');
    return super.time(test) ?? 1000 * (seconds[name.replace(/\.test\.ts$/, '')] ?? 3);
  }
};
