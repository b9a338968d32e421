// The command as it is installed: the compiled file, run by a shell.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import path from 'node:path';

import { readTable, writeTable } from '../../lib';
import { COLUMNS, QUICK, exampleTable, writeExamples } from '../cli/support';
import { TemporaryFolder } from '../data/support';

const root = path.resolve(__dirname, '..', '..');
const { bin, version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
const program = path.join(root, bin.sklar);
const folder = new TemporaryFolder();
const data = folder.file('data.csv');

beforeAll(async () => {
  if (!existsSync(program)) throw new Error(`expected ${bin.sklar}, got none: run npm run build:ts first`);
  await writeExamples(folder);
});

/** Starts the command; `whenTold` runs when it first says something on stderr. */
async function run(
  argv: (string | number)[],
  whenTold?: (kill: (signal: NodeJS.Signals) => void) => void,
  nodeOptions: string[] = [],
) {
  const child = spawn(process.execPath, [...nodeOptions, program, ...argv.map(String)], {
    cwd: folder.path,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (text) => (stdout += text));
  child.stderr.on('data', (text) => (stderr += text));
  child.stderr.once('data', () => whenTold?.((signal) => child.kill(signal)));
  const [status, signal] = await once(child, 'close');
  return { status, signal, stdout, stderr };
}

test('is executable and says which version it is', async () => {
  if (process.platform !== 'win32') accessSync(program, constants.X_OK);
  expect(await run(['--version'])).toEqual({ status: 0, signal: null, stdout: `${version}\n`, stderr: '' });
});

test('fit, score, sample, info: from a table to a table', async () => {
  const fitted = await run(['fit', data, '--out', 'm.safetensors', '--json', ...QUICK]);
  expect(fitted).toMatchObject({ status: 0, stderr: '' });
  expect(JSON.parse(fitted.stdout)).toMatchObject({
    kind: 'cdc',
    rows: { train: 320, holdout: 80 },
    steps: 6,
  });

  const info = await run(['info', 'm.safetensors', '--json']);
  expect(JSON.parse(info.stdout)).toMatchObject({ kind: 'cdc', columns: COLUMNS, training: { steps: 6 } });

  const sampled = await run(['sample', 'm.safetensors', '--rows', 200, '--out', 'new.parquet']);
  expect(sampled).toMatchObject({ status: 0, stderr: '' });
  const table = await readTable(folder.file('new.parquet'));
  expect(table).toMatchObject({ names: COLUMNS, kinds: ['float', 'float', 'integer'], rows: 200 });

  const scored = await run(['score', 'm.safetensors', 'new.parquet', '--out', 'scores.csv', '--json']);
  expect(JSON.parse(scored.stdout)).toMatchObject({ rows: 200, normalised: false });
  expect((await readTable(folder.file('scores.csv'))).rows).toBe(200);
});

test('a failure: a line, a document, an exit status', async () => {
  const failed = await run(['score', 'none.safetensors', data, '--json']);
  expect(failed.status).toBe(4);
  expect(failed.stderr).toMatch(/^error: .*none\.safetensors.*\[ERR_SKLAR_FILE\]\n$/);
  expect(JSON.parse(failed.stdout)).toMatchObject({ error: { code: 'ERR_SKLAR_FILE' } });
});

const onPosix = process.platform === 'win32' ? test.skip : test;

onPosix.each<[NodeJS.Signals, number]>([
  ['SIGINT', 130],
  ['SIGTERM', 143],
])('%s while it learns: exit status %d, and the folder as it was', async (signal, status) => {
  folder.file('old.safetensors', 'the old model');
  const before = folder.list();
  const argv = ['fit', data, '--out', 'old.safetensors', ...QUICK, '--steps', 1e8, '--verbose'];
  const ended = await run(argv, (kill) => kill(signal));
  expect(ended).toMatchObject({ status, signal: null, stdout: '' });
  expect(ended.stderr).toMatch(/\nerror: interrupted.*\[ERR_SKLAR_ABORTED\]\n$/);
  expect(folder.list()).toEqual(before);
  expect(readFileSync(folder.file('old.safetensors'), 'utf8')).toBe('the old model');
});

onPosix('Ctrl-C while it draws rows leaves no half-written table', async () => {
  const before = folder.list();
  const argv = ['sample', 'cdc.safetensors', '--rows', 1e9, '--out', 'huge.csv', '--verbose'];
  const ended = await run(argv, (kill) => kill('SIGINT'));
  expect(ended).toMatchObject({ status: 130, signal: null, stdout: '' });
  expect(folder.list()).toEqual(before);
});

onPosix('Ctrl-C while it scores rows leaves no half-written table', async () => {
  await writeTable(exampleTable(400_000), folder.file('many.parquet'));
  // Ctrl-C when the first of seven batches has been scored
  const hook = folder.file(
    'interrupt.cjs',
    `const write = process.stderr.write.bind(process.stderr);
     process.stderr.write = (text, ...rest) => {
       if (String(text).startsWith('score ')) process.kill(process.pid, 'SIGINT');
       return write(text, ...rest);
     };`,
  );
  for (const out of ['scores.csv', 'scores.parquet', 'old.csv']) {
    folder.file('old.csv', 'the old table');
    const before = folder.list();
    const argv = ['score', 'gaussian.safetensors', 'many.parquet', '--out', out, '--verbose'];
    const ended = await run(argv, undefined, ['--require', hook]);
    expect(ended).toMatchObject({ status: 130, signal: null, stdout: '' });
    expect(ended.stderr).toMatch(/^score 16%.*\nerror: interrupted.*\[ERR_SKLAR_ABORTED\]\n$/);
    expect(folder.list()).toEqual(before);
    expect(readFileSync(folder.file('old.csv'), 'utf8')).toBe('the old table');
  }
});

test.each(['vega', 'vega-interpreter'])(
  'without the optional package %s there is an error that says what to install',
  async (missing) => {
    const hook = `export async function resolve(name, context, next) {
    if (name === '${missing}') throw new Error('Cannot find package');
    return next(name, context);
  }`;
    const register = `import { register } from 'node:module';
    register(${JSON.stringify(`data:text/javascript,${encodeURIComponent(hook)}`)});`;
    for (const out of ['picture.svg', 'page.html']) {
      const failed = await run(['report', 'cdc.safetensors', data, '--out', out], undefined, [
        '--import',
        `data:text/javascript,${encodeURIComponent(register)}`,
      ]);
      expect(failed.status).toBe(4);
      expect(failed.stderr).toMatch(/^error: .*npm install vega vega-interpreter.*\[ERR_SKLAR_FILE\]\n$/);
      expect(folder.list()).not.toContain(out);
    }
  },
);

test.each(['picture.svg', 'page.html'])('where code may not be made of texts %s is drawn', async (out) => {
  const argv = ['report', 'cdc.safetensors', data, '--rows', 100, '--out', out];
  const drawn = await run(argv, undefined, ['--disallow-code-generation-from-strings']);
  expect(drawn.status).toBe(0);
  expect(readFileSync(folder.file(out), 'utf8')).toContain('</svg>');
});
