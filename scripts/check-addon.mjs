// Says what an addon for Linux asks of the machine that loads it, and refuses it where that is more than the oldest glibc that
// Node runs on has: node scripts/check-addon.mjs [FILE...] (the build, and all prebuilds).
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import process from 'node:process';
import { ScriptError, filesUnder, findProgram, isMain, root, runMain } from './tools.mjs';

/** Node 20 needs it, and RHEL 8 and Debian 10 have it. */
const NEWEST_GLIBC = '2.28';
const LIBRARIES =
  /^(?:libc\.so\.6|libm\.so\.6|libpthread\.so\.0|libdl\.so\.2|librt\.so\.1|libgcc_s\.so\.1|ld-linux-.*)$/;
const NEWEST_GCC = '4.3.0'; // libgcc_s of GCC 8

const isNewer = (version, limit) => version.localeCompare(limit, 'en', { numeric: true }) > 0;

/** The libraries and the symbols with their versions that a file asks for. */
function needs(file, readelf) {
  const read = (...options) =>
    execFileSync(readelf, ['--wide', ...options, file], { encoding: 'utf8', maxBuffer: 1 << 28 });
  return {
    libraries: [...read('--dynamic').matchAll(/\(NEEDED\).*\[(.+)\]/g)].map((match) => match[1]),
    symbols: [...read('--dyn-syms').matchAll(/ UND (\S+)@(\w+)_([\d.]+)/g)].map(([, name, of, version]) => ({
      name,
      of,
      version,
    })),
  };
}

/** Returns the newest glibc that the file asks for; undefined where readelf is not here. */
export function checkAddon(file) {
  const readelf = findProgram('readelf');
  if (readelf === undefined) return undefined;
  const { libraries, symbols } = needs(file, readelf);
  const problems = [
    ...libraries.filter((name) => !LIBRARIES.test(name)).map((name) => `the library ${name}`),
    ...symbols
      .filter(({ of, version }) => of !== 'GLIBC' || isNewer(version, NEWEST_GLIBC))
      .filter(({ of, version }) => of !== 'GCC' || isNewer(version, NEWEST_GCC))
      .map(({ name, of, version }) => `${name} of ${of} ${version}`),
  ];
  if (problems.length > 0) {
    throw new ScriptError(
      `${path.relative(root, file)} must load with glibc ${NEWEST_GLIBC}, but asks for\n  ${problems.join('\n  ')}\n` +
        'An older version of a function is chosen in native/addon/common/old_glibc.cpp.',
    );
  }
  return symbols
    .filter(({ of }) => of === 'GLIBC')
    .map(({ version }) => version)
    .reduce((newest, version) => (isNewer(version, newest) ? version : newest));
}

if (isMain(import.meta.url)) {
  await runMain(() => {
    const isAddon = (file) => file.endsWith('.node') && !/darwin|win32|musl/.test(file);
    const given = process.argv.slice(2).map((file) => path.resolve(file));
    const files = given.length > 0 ? given : filesUnder(['build/Release', 'prebuilds'], isAddon);
    if (files.length === 0) throw new ScriptError('no addon is here: run npm run build:native first');
    for (const file of files) {
      const glibc = checkAddon(file);
      console.log(
        `${path.relative(root, file)}: ` +
          (glibc === undefined ? 'not checked, readelf is not here' : `loads with glibc ${glibc} and later`),
      );
    }
  });
}
