import { expectSoundTables } from './sound-tables';

test('2000 random tables are refused by name, or fitted soundly', () => expectSoundTables(2000, 1), 600_000);
