#!/usr/bin/env node
// Stands in for node-gyp when prebuildify calls it, so that a prebuild needs neither node-gyp's headers nor network.
import process from 'node:process';
import { buildNative } from './build-native.mjs';
import { runMain } from './tools.mjs';

await runMain(async () => {
  const arch = process.argv.find((argument) => argument.startsWith('--arch='))?.slice('--arch='.length);
  await buildNative({ config: process.argv.includes('--debug') ? 'Debug' : 'Release', arch });
});
