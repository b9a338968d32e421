import { CommanderError } from 'commander';

import { SklarError, type SklarErrorCode } from '../../lib';
import { describeFailure } from '../../lib/cli/terminal/failure';
import { formatRate } from '../../lib/cli/terminal/progress';
import { RunningMean, meanOf } from '../../lib/mean';
import { formatDuration } from '../../lib/report/charts/text';

describe('failures', () => {
  test.each<[SklarErrorCode, number]>([
    ['ERR_SKLAR_VALUE', 3],
    ['ERR_SKLAR_SHAPE', 3],
    ['ERR_SKLAR_FILE', 4],
    ['ERR_SKLAR_FORMAT', 4],
    ['ERR_SKLAR_DEVICE', 5],
    ['ERR_SKLAR_MEMORY', 5],
    ['ERR_SKLAR_DIVERGED', 6],
    ['ERR_SKLAR_ABORTED', 130],
    ['ERR_SKLAR_DISPOSED', 1],
    ['ERR_SKLAR_INTERNAL', 1],
  ])('%s has exit status %d', (code, status) => {
    expect(describeFailure(new SklarError(code, 'two\n  lines'), undefined)).toEqual({
      code,
      message: 'two lines',
      status,
    });
  });

  test('other errors', () => {
    const usage = new CommanderError(1, 'commander.unknownOption', "error: unknown option '--x'\n(Did you?)");
    expect(describeFailure(usage, undefined)).toEqual({
      code: 'ERR_SKLAR_USAGE',
      message: "unknown option '--x' (Did you?)",
      status: 2,
    });
    const memory = new RangeError('Array buffer allocation failed');
    expect(describeFailure(memory, undefined)).toMatchObject({ code: 'ERR_SKLAR_MEMORY', status: 5 });
    for (const strange of [new TypeError('x is not a function'), 'a text', null, undefined, { message: 5 }]) {
      const failure = describeFailure(strange, undefined);
      expect(failure).toMatchObject({ code: 'ERR_SKLAR_INTERNAL', status: 1 });
      expect(failure.message).toContain('please report');
    }
    expect(describeFailure(new Error('This operation was aborted'), AbortSignal.abort())).toMatchObject({
      code: 'ERR_SKLAR_ABORTED',
      status: 130,
    });
  });
});

test('durations and rates are short', () => {
  expect([0.04, 9.94, 59.4, 60, 3599, 3660, 90_000, NaN, Infinity].map(formatDuration)).toEqual([
    '0.0 s',
    '9.9 s',
    '59 s',
    '1 min',
    '1 h 0 min',
    '1 h 1 min',
    '25 h 0 min',
    '?',
    '?',
  ]);
  expect([5.123, 999, 45_678, 999_999, 12_345_678].map(formatRate)).toEqual([
    '5.12 rows/s',
    '999 rows/s',
    '45.7K rows/s',
    '1M rows/s',
    '12.3M rows/s',
  ]);
});

test('the mean and its standard error', () => {
  expect(meanOf(Float64Array.of(1, 2, 3, 6))).toEqual({ mean: 3, standardError: Math.sqrt(14 / 3 / 4) });
  expect(meanOf(Float64Array.of(7))).toEqual({ mean: 7, standardError: null });
  const values = Float64Array.from({ length: 200 }, (_, i) => (i % 50 === 7 ? -Infinity : Math.sin(i / 9)));
  for (const errors of ['rows', 'blocks'] as const) {
    const parts = new RunningMean(errors);
    for (let first = 0; first < 200; first += 30) parts.add(values.subarray(first, first + 30));
    expect(parts.value()).toEqual(meanOf(values, undefined, errors));
    expect(parts.impossible).toEqual({ count: 4, rows: [8, 58, 108, 158] });
  }
});
