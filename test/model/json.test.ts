import fc from 'fast-check';

import { canonicalJson, expectCleanKeys } from '../../lib/model/json';

describe('expectCleanKeys', () => {
  test('accepts whatever JSON.stringify writes', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = JSON.stringify(value, null, 1);
        if (text.includes('__proto__')) return;
        expectCleanKeys(text);
      }),
    );
  });

  test.each([
    '{"a": 1, "a": 2}',
    '{"a": 1, "\\u0061": 2}',
    '[{}, {"b": {"x": [], "y": "x", "x": 0}}]',
    '{"a": {"a": 1}, "b": [{"a": 1}], "a": 3}',
  ])('refuses repeated keys in %s', (text) => {
    expect(() => expectCleanKeys(text)).toThrow('occurs twice');
  });

  test.each(['{"__proto__": 1}', '[{"a": {"\\u005f_proto__": {}}}]'])('refuses %s', (text) => {
    expect(() => expectCleanKeys(text)).toThrow('is not allowed');
  });

  test.each([
    '{"a": "a", "b": ["a", "a"], "c": {"a": "\\"a"}}',
    '["__proto__", "__proto__"]',
    '"{"',
    '{"a\\\\": "\\\\"}',
  ])('accepts %s', (text) => {
    expectCleanKeys(text);
  });
});

test('canonicalJson does not depend on the order of keys', () => {
  expect(canonicalJson({ b: [{ d: 1, c: 2 }], a: null })).toBe('{"a":null,"b":[{"c":2,"d":1}]}');
});

test('thousands of levels are an error and not an overflow of the stack', () => {
  const deep = `${'[{"a":'.repeat(2500)}1${'}]'.repeat(2500)}`;
  expect(() => expectCleanKeys(deep)).toThrow('nested more than 100 levels deep');
  expect(() => expectCleanKeys(`${'['.repeat(90)}${']'.repeat(90)}`)).not.toThrow();
});
