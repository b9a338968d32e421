// Ours and the peers in turn in the same run: medians of rounds, ratios as medians over the rounds.
import process from 'node:process';
import { startPythonPeer } from '../python-peer.mjs';
import { median } from '../record.mjs';
import { findProgram } from '../tools.mjs';

/** Seconds that a peer is timed for in one round, and that P4 may take to compile one form. */
const ROUND = 0.3;
const COMPILE = 150;

/** The peers of a stage: one Python process, or none and the reason. */
export async function openPeers({ options, fact }) {
  if (options.peers.length === 0) return null;
  const python = process.env.SKLAR_PYTHON ?? findProgram('python3');
  try {
    if (python === undefined) throw new Error('there is no python3 on PATH (SKLAR_PYTHON names one)');
    const peer = await startPythonPeer(python, 'gpu_peers.py', ['--device', options.device]);
    await fact({ peer: peer.about });
    return peer;
  } catch (error) {
    await fact({ peer: null, peerError: error.message });
    console.log(`no peers: ${error.message}`);
    return null;
  }
}

/**
 * @param name of the case, as in gpu_peers.py
 * @param spec sizes, for the peers
 * @param ours precision -> milliseconds of one unit, measured now
 * @param about columns that describe the case
 * @param units of the peers' unit: an ensemble's step is one of every model
 */
export async function race(context, peer, { name, spec, ours, about, units = 1, extra = () => ({}) }) {
  const { options, row, fact } = context;
  const counts = {};
  if (peer) {
    for (const which of options.peers) {
      const request = { op: 'prepare', peer: which, spec: { case: name, ...spec }, limit: COMPILE };
      const answer = await peer.ask(JSON.stringify(request));
      const label = `${name} ${Object.values(about).join(' ')} ${which}`;
      await fact({ [label]: answer });
      if (answer.error) {
        console.log(`${label}: ${answer.error}`);
        continue;
      }
      if (options.prepareOnly) continue;
      const { seconds } = await peer.ask(JSON.stringify({ op: 'run', peer: which, count: 2 }));
      counts[which] = Math.max(1, Math.min(2000, Math.round((2 * ROUND) / seconds)));
    }
  }
  if (options.prepareOnly) {
    if (peer) await peer.ask(JSON.stringify({ op: 'drop' }));
    return;
  }
  // warm up; a precision that the device or the kind does not have is left out
  const precisions = [];
  await context.eachPrecision({ case: name, ...about }, async (precision) => {
    await ours(precision);
    precisions.push(precision);
  });
  const rounds = [];
  const middle = (pick) => {
    const values = rounds.map(pick).filter(Number.isFinite);
    return values.length > 0 ? median(values) : null;
  };
  const rows = async (rest) => {
    for (const precision of precisions) {
      const line = { case: name, ...about, precision, ms: middle(({ ours: o }) => o[precision]) };
      for (const which of options.peers) line[`${which} ms`] = middle(({ peers }) => peers[which]);
      for (const which of options.peers) {
        line[`x ${which}`] = middle(({ ours: o, peers }) => peers[which] / o[precision]);
      }
      await row({ ...line, ...extra(precision), ...rest });
    }
  };
  for (let round = 0; round < options.rounds; round++) {
    const times = { ours: {}, peers: {} };
    for (const precision of precisions) times.ours[precision] = await ours(precision);
    for (const [which, count] of Object.entries(counts)) {
      const { seconds, error } = await peer.ask(JSON.stringify({ op: 'run', peer: which, count }));
      if (error === undefined) times.peers[which] = (1000 * seconds) / count / units;
    }
    rounds.push(times);
    // what a run that ends early has
    if (options.headline && round === 0) await rows({ provisional: true });
  }
  await rows({ rounds });
  if (peer) await peer.ask(JSON.stringify({ op: 'drop' }));
}
