#!/usr/bin/env node
// Stands in for node-gyp when prebuildify calls it, so that a prebuild needs neither node-gyp's headers nor network.
import { copyFileSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { buildNative } from './build-native.mjs';
import { root, runMain } from './tools.mjs';

await runMain(async () => {
  const config = process.argv.includes('--debug') ? 'Debug' : 'Release';
  const arch = process.argv.find((argument) => argument.startsWith('--arch='))?.slice('--arch='.length);
  const built = await buildNative({ config, arch });
  // where prebuildify looks, and takes it away
  const place = path.join(root, 'build', config, 'sklar.node');
  if (built === place) return;
  mkdirSync(path.dirname(place), { recursive: true });
  copyFileSync(built, place);
});
