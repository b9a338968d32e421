import { readFileSync } from 'node:fs';
import path from 'node:path';

let version: string | undefined;

/** The version in package.json, the one place that states it. */
export function packageVersion(): string {
  version ??= (
    JSON.parse(readFileSync(path.resolve(__dirname, '..', 'package.json'), 'utf8')) as { version: string }
  ).version;
  return version;
}
