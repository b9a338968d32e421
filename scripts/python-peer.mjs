// A Python program that is timed beside us in the same run: it tells about itself in one line of JSON and then answers every
// line with one line of JSON.
import { spawn } from 'node:child_process';
import path from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { ScriptError, root } from './tools.mjs';

/**
 * Starts scripts/bench/peers/<name>.
 *
 * @throws ScriptError when it ends before it has told about itself, or tells of an error
 */
export async function startPythonPeer(python, name, args, env = {}) {
  const script = path.join(root, 'scripts', 'bench', 'peers', name);
  const child = spawn(python, [script, ...args], {
    env: { ...process.env, ...env },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const failed = new Promise((_, reject) => {
    child.on('error', reject);
    child.on('exit', (code, signal) =>
      reject(
        new ScriptError(
          `the peer ended (${signal ?? `code ${code}`}): are its packages there? (SKLAR_PYTHON=${python})`,
        ),
      ),
    );
  });
  failed.catch(() => {});
  // the pipe of a peer that has ended
  child.stdin.on('error', () => {});
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async () => {
    const line = await Promise.race([lines.next(), failed]);
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
