/** Processors and graphics cards. */

/** What this machine offers and what the installed binary can use of it. */
export interface Devices {
  /** Of the native code. */
  version: string;
  /** What the binary holds: CUDA, for which architectures (`sm_90`), and the CPU's instruction sets. */
  compiled: { cuda: boolean; cudaArchitectures: string[]; instructionSets: string[] };
  /** `instructionSet`: the one that is used. */
  cpu: { name: string; cores: number; instructionSet: string };
  /** `reason`: why CUDA cannot be used, null when it can. Versions as CUDA counts them, 12040 for 12.4; 0: none. */
  cuda: {
    usable: boolean;
    reason: string | null;
    driverVersion: number;
    runtimeVersion: number;
    devices: { name: string; computeCapability: string; memoryBytes: number; multiprocessors: number }[];
  };
}

export interface DevicesAddon {
  devices(): Devices;
}
