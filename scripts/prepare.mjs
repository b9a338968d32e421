// npm's prepare step: it runs after `npm install` in a clone and before `npm pack`, never on a user's machine.
import process from 'node:process';
import { buildNative } from './build-native.mjs';
import { buildTypeScript } from './build-ts.mjs';
import { runMain } from './tools.mjs';

await runMain(async () => {
  if (process.env.SKLAR_SKIP_BUILD) return;
  await buildNative();
  buildTypeScript();
});
