/**
 * The only door to the native addon: a typed mirror of every native function, and the pattern of its jobs. Native
 * functions check what could crash; everything else is validated by their callers in this folder.
 */
import path from 'node:path';

import nodeGypBuild from 'node-gyp-build';

import { matrix } from './matrix';
import { type LastGoodState, SklarError, type SklarErrorCode } from './errors';
import type { DevicesAddon } from './native/devices';
import type { CorrelationAddon } from './native/correlation';
import type { FieldsAddon } from './native/fields';
import type { CdcAddon } from './native/cdc';
import type { VelocityAddon } from './native/velocity';
import type { ClosedFormAddon } from './native/closed-form';
import type { ClassicalAddon } from './native/classical';
import type { StatisticsAddon } from './native/statistics';
import type { MarginsAddon } from './native/margins';
import type { ColumnsAddon } from './native/columns';
import type { NativeJob } from './native/common';

export type * from './native/common';
export type * from './native/devices';
export type * from './native/correlation';
export type * from './native/fields';
export type * from './native/cdc';
export type * from './native/velocity';
export type * from './native/closed-form';
export type * from './native/classical';
export type * from './native/statistics';
export type * from './native/margins';
export type * from './native/columns';
export * from './native/training';

/** A typed mirror of every native function, by feature. */
export interface NativeAddon
  extends
    DevicesAddon,
    CorrelationAddon,
    FieldsAddon,
    CdcAddon,
    VelocityAddon,
    ClosedFormAddon,
    ClassicalAddon,
    StatisticsAddon,
    MarginsAddon,
    ColumnsAddon {}

let loaded: NativeAddon | undefined;

/**
 * The addon: a prebuilt binary, or the build of a clone.
 *
 * @throws SklarError ERR_SKLAR_INTERNAL when there is none for this platform, with what was tried
 */
export function native(): NativeAddon {
  if (loaded) return loaded;
  const root = path.resolve(__dirname, '..');
  try {
    loaded = nodeGypBuild(root) as NativeAddon;
    return loaded;
  } catch (cause) {
    throw new SklarError(
      'ERR_SKLAR_INTERNAL',
      `no native binary of sklar for ${process.platform}-${process.arch} could be loaded: ` +
        `${cause instanceof Error ? cause.message.trim() : String(cause)}. \`npx sklar build\` compiles one here, ` +
        'with a C++20 compiler and make; in a clone, `npm run build`.',
      { cause },
    );
  }
}

/** Errors of the addon carry a code; give them our class, with the original as cause. */
export function toSklarError(error: unknown): unknown {
  if (error instanceof SklarError || typeof error !== 'object' || error === null) return error;
  const { code, message, state } = error as { code?: unknown; message?: unknown; state?: NativeState };
  if (typeof code !== 'string' || !code.startsWith('ERR_SKLAR_')) return error;
  return new SklarError(code as SklarErrorCode, String(message), {
    cause: error,
    state: state && toLastGoodState(state),
  });
}

/** What an error of code ERR_SKLAR_DIVERGED carries where rows of an integration were lost. */
interface NativeState {
  rows: Float64Array;
  times: Float64Array;
  values: Float64Array;
}

function toLastGoodState({ rows, times, values }: NativeState): LastGoodState {
  return { rows: Array.from(rows), times, values: matrix(values, rows.length, values.length / rows.length) };
}

/** Calls a native function that returns at once, with its errors as SklarError. */
export function callNative<T>(call: (addon: NativeAddon) => T): T {
  try {
    return call(native());
  } catch (error) {
    throw toSklarError(error);
  }
}

/**
 * Gives back the memory of arrays that nothing uses any longer: the garbage collector does not hurry for what lies outside of its
 * heap, so that a table might be held twice. Arrays that are a part of others are left alone.
 */
export function release(...arrays: readonly (Float64Array | Uint32Array)[]): void {
  for (const values of arrays) {
    if (values.byteLength === values.buffer.byteLength) callNative((addon) => addon.releaseArray(values));
  }
}

/**
 * Runs a native job to its end. Aborting the signal cancels it and rejects with the signal's reason; an exception thrown
 * by `onEvent` cancels it and rejects with that exception.
 */
export async function runJob<T, E = never>(
  start: (addon: NativeAddon, onEvent: (event: E) => void) => NativeJob<T>,
  options: { signal?: AbortSignal | undefined; onEvent?: ((event: E) => void) | undefined } = {},
): Promise<T> {
  const { signal, onEvent } = options;
  signal?.throwIfAborted();
  let thrown: { error: unknown } | undefined;
  const job = callNative((addon) =>
    start(addon, (event) => {
      if (thrown || !onEvent) return;
      try {
        onEvent(event);
      } catch (error) {
        thrown = { error };
        job.cancel();
      }
    }),
  );
  const abort = () => job.cancel();
  signal?.addEventListener('abort', abort, { once: true });
  try {
    const result = await job.promise;
    if (thrown) throw thrown.error;
    return result;
  } catch (error) {
    if (thrown) throw thrown.error;
    if (signal?.aborted) throw signal.reason;
    throw toSklarError(error);
  } finally {
    signal?.removeEventListener('abort', abort);
  }
}
