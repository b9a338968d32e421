import { runInNewContext } from 'node:vm';

import { SklarError, describe as printed, expectInteger, expectNumber, expectOneOf } from '../../lib/errors';
import { sklarError } from './support';

describe('SklarError', () => {
  test('is an Error with a code, a name and an optional cause', () => {
    const cause = new Error('below');
    const error = new SklarError('ERR_SKLAR_FILE', 'message', { cause });
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({ name: 'SklarError', code: 'ERR_SKLAR_FILE', message: 'message', cause });
    expect('cause' in new SklarError('ERR_SKLAR_VALUE', 'message')).toBe(false);
  });
});

describe('describe', () => {
  test.each([
    [1.5, '1.5'],
    [-0, '-0'],
    [NaN, 'NaN'],
    [12n, '12n'],
    ['a "b"\n', '"a \\"b\\"\\n"'],
    [null, 'null'],
    [undefined, 'undefined'],
    [true, 'true'],
    [Symbol('s'), 'Symbol(s)'],
    [[1, 2], 'an array of length 2'],
    [{}, 'an object'],
    [Object.create(null), 'an object'],
    [new Map(), 'an object of class Map'],
    [new Float32Array(3), 'Float32Array(3)'],
    [new ArrayBuffer(8), 'ArrayBuffer(8 bytes)'],
    [new RangeError('too\nfar'), 'RangeError: too far'],
    [sklarError, 'function sklarError'],
  ])('%p', (value, expected) => {
    expect(printed(value)).toBe(expected);
  });

  test('stays short', () => {
    expect(printed('x'.repeat(10_000)).length).toBeLessThanOrEqual(80);
    expect(printed(10n ** 500n).length).toBeLessThanOrEqual(80);
  });

  test('knows arrays of another realm', () => {
    expect(printed(runInNewContext('new Float64Array(2)'))).toBe('Float64Array(2)');
  });
});

describe('expectations', () => {
  test('return what is good', () => {
    expect(expectInteger(3, 'n', { min: 3, max: 3 })).toBe(3);
    expect(expectNumber(0.5, 'x', { above: 0, below: 1 })).toBe(0.5);
    expect(expectOneOf('b', 'choice', ['a', 'b'])).toBe('b');
  });

  test.each([
    [() => expectInteger(1.5, 'n'), 'expected an integer for n, got 1.5'],
    [() => expectInteger('1', 'n', { min: 1 }), 'expected an integer of at least 1 for n, got "1"'],
    [() => expectInteger(2 ** 53, 'n'), 'expected an integer for n, got 9007199254740992'],
    [() => expectInteger(7, 'n', { min: 0, max: 5 }), 'expected an integer between 0 and 5 for n, got 7'],
    [() => expectNumber(NaN, 'x'), 'expected a finite number for x, got NaN'],
    [
      () => expectNumber(1, 'x', { min: 0, below: 1 }),
      'expected a finite number of at least 0 and below 1 for x, got 1',
    ],
    [() => expectNumber(0, 'x', { above: 0 }), 'expected a finite number above 0 for x, got 0'],
    [() => expectOneOf('c', 'choice', ['a', 'b']), "expected one of 'a', 'b' for choice, got \"c\""],
    [
      () => expectOneOf(Object.create(null), 'choice', [1, 2]),
      'expected one of 1, 2 for choice, got an object',
    ],
  ])('%p throw ERR_SKLAR_VALUE', async (work, message) => {
    expect((await sklarError(work, 'ERR_SKLAR_VALUE')).message).toBe(message);
  });
});
