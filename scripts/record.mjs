// What every benchmark writes: its figures with the machine, versions and commit they were made with.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { packageJson, root } from './tools.mjs';

const git = (...args) => {
  try {
    return execFileSync('git', args, { cwd: root, encoding: 'utf8' }).trim();
  } catch {
    return null;
  }
};

/** The middle value (mean of the middle two). */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Instruction sets of the first processor, as the system lists them ('' where it does not). */
export function cpuFlags() {
  try {
    return /^flags\s*:(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1] ?? '';
  } catch {
    return '';
  }
}

/** The commit that the files belong to; a packed folder (scripts/gpu-pack.mjs) says it in pack.json. */
function source() {
  const pack = path.join(root, 'pack.json');
  if (existsSync(pack)) {
    const { commit, modified } = JSON.parse(readFileSync(pack, 'utf8'));
    return { commit, modified };
  }
  return {
    commit: git('rev-parse', 'HEAD'),
    modified: git('status', '--porcelain', '--untracked-files=no') !== '',
  };
}

/** What every record starts with: the command, the state of the source, the machine. */
export function recordHead(benchmark, command, devices) {
  return {
    benchmark,
    command,
    date: new Date().toISOString(),
    ...source(),
    versions: { sklar: packageJson.version, node: process.version },
    machine: {
      cpu: devices.cpu.name,
      cores: devices.cpu.cores,
      instructionSet: devices.cpu.instructionSet,
      memoryBytes: os.totalmem(),
      platform: `${process.platform}-${process.arch}`,
    },
  };
}

/**
 * Writes bench/results/<name>.json, with the command that this process was started by, and returns its path.
 *
 * @param kind of machine, where every kind has a record of its own: <name>-<kind>.json
 * @param script of npm with its first arguments, where that is not `bench -- <name>`
 */
export function writeRecord(name, { devices, kind, results, script = `bench -- ${name}`, ...rest }) {
  const command = [`npm run ${script}`, ...process.argv.slice(2)].join(' ');
  const folder = path.join(root, 'bench', 'results');
  mkdirSync(folder, { recursive: true });
  const file = path.join(folder, `${kind === undefined ? name : `${name}-${kind}`}.json`);
  const record = { ...recordHead(name, command, devices), ...rest, results };
  writeFileSync(file, `${JSON.stringify(record, null, 2)}\n`);
  return path.relative(root, file);
}
