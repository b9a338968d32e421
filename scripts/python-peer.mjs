// A Python program that is timed beside us in the same run: it tells about itself in one line of JSON and then answers every
// line with one line of JSON.
import { spawn } from 'node:child_process';
import path from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { ScriptError, root } from './tools.mjs';

const PATIENCE_SECONDS = 600;

/**
 * Starts scripts/bench/peers/<name>.
 *
 * @param env variables that it gets beside those of this process; undefined: one that it does not get
 * @param patience seconds to wait for an answer
 * @throws ScriptError when it ends before it has told about itself, tells of an error, or does not answer in time
 */
export function startPythonPeer(python, name, args, env = {}, patience = PATIENCE_SECONDS) {
  const script = path.join(root, 'scripts', 'bench', 'peers', name);
  return startPeer(python, [script, ...args], env, patience, `(SKLAR_PYTHON=${python})`);
}

/** The same for any program that speaks so. */
export async function startPeer(program, args, env = {}, patience = PATIENCE_SECONDS, hint = program) {
  const child = spawn(program, args, {
    env: { ...process.env, ...env },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const failed = new Promise((_, reject) => {
    child.on('error', reject);
    child.on('exit', (code, signal) =>
      reject(
        new ScriptError(`the peer ended (${signal ?? `code ${code}`}): are its packages there? ${hint}`),
      ),
    );
  });
  failed.catch(() => {});
  // the pipe of a peer that has ended
  child.stdin.on('error', () => {});
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async () => {
    let timer;
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => {
        child.kill('SIGKILL');
        reject(new ScriptError(`the peer did not answer within ${patience} s: ${hint}`));
      }, 1000 * patience);
    });
    const line = await Promise.race([lines.next(), failed, late]).finally(() => clearTimeout(timer));
    if (line.done) return failed;
    return JSON.parse(line.value);
  };
  const about = await next();
  if (about.error) throw new ScriptError(about.error);
  return {
    about,
    ask(line) {
      child.stdin.write(`${line}\n`);
      return next();
    },
    stop(line) {
      child.stdin.end(line === undefined ? '' : `${line}\n`);
    },
  };
}
