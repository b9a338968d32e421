import { expectSoundTables } from './sound-tables';

test('100 random tables are refused by name, or fitted soundly; random-tables.long.test.ts has more', () =>
  expectSoundTables(100, 2));
