/** A headless Chromium for tests of pages: one that is installed, else the one inside @sparticuz/chromium. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { type Browser, chromium } from 'playwright-core';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
const BUILD = path.join(__dirname, '../../build');

function installed(): string | undefined {
  const folders = (process.env.PATH ?? '').split(path.delimiter);
  const places = NAMES.flatMap((name) => folders.map((folder) => path.join(folder, name)));
  return [process.env.CHROME_PATH, ...places].find((file) => file && existsSync(file));
}

/** The package's binary is for one platform. */
export const hasBrowser =
  installed() !== undefined || (process.platform === 'linux' && process.arch === 'x64');

/** The folder of the package's browser, its libraries and its fonts; unpacked once, which takes seconds. */
function unpacked(): string {
  const entry = require.resolve('@sparticuz/chromium');
  const manifest = path.join(
    entry.slice(0, entry.lastIndexOf(`${path.sep}build${path.sep}`)),
    'package.json',
  );
  const { version } = JSON.parse(readFileSync(manifest, 'utf8')) as { version: string };
  const folder = path.join(BUILD, `chromium-${version}`);
  if (existsSync(folder)) return folder;
  const partial = mkdtempSync(path.join(BUILD, 'chromium-'));
  try {
    // It unpacks to the temporary folder, with libraries only where it takes the machine for Amazon's.
    execFileSync(process.execPath, ['-e', `require(${JSON.stringify(entry)}).executablePath()`], {
      env: { ...process.env, NODE_OPTIONS: '', TMPDIR: partial, AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs20.x' },
    });
    const fonts = ['/usr/share/fonts', path.join(folder, 'fonts')].map((place) => `<dir>${place}</dir>`);
    writeFileSync(
      path.join(partial, 'fonts', 'fonts.conf'),
      `<fontconfig>${fonts.join('')}<cachedir>${path.join(folder, 'fonts-cache')}</cachedir></fontconfig>`,
    );
    renameSync(partial, folder);
  } catch (error) {
    rmSync(partial, { recursive: true, force: true });
    // another run may have been faster
    if (!existsSync(folder)) throw error;
  }
  return folder;
}

export async function launchBrowser(): Promise<Browser> {
  const executablePath = installed();
  if (executablePath) return chromium.launch({ executablePath });
  const folder = unpacked();
  const libraries = [path.join(folder, 'al2023', 'lib'), process.env.LD_LIBRARY_PATH];
  return chromium.launch({
    executablePath: path.join(folder, 'chromium'),
    args: ['--no-zygote'],
    env: {
      ...(process.env as Record<string, string>),
      LD_LIBRARY_PATH: libraries.filter(Boolean).join(path.delimiter),
      FONTCONFIG_PATH: path.join(folder, 'fonts'),
    },
  });
}
