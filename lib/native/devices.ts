/** Processors and graphics cards. */

/** What this machine offers and what the installed binary can use of it. */
export interface Devices {
  /** Of the native code. */
  version: string;
  /** What the binary holds: CUDA, for which architectures (`sm_90`), and the CPU's instruction sets. */
  compiled: { cuda: boolean; cudaArchitectures: string[]; instructionSets: string[] };
  /** `instructionSet`: the one that is used. */
  cpu: { name: string; cores: number; instructionSet: string };
  /**
   * `usable`: a device can be used; `reason`: why none can, null when one can. Each device has its own: one that this build has no
   * code for or that an error has left useless for the rest of the process takes none from the others. Versions as CUDA counts
   * them, 12040 for 12.4; 0: none.
   */
  cuda: {
    usable: boolean;
    reason: string | null;
    driverVersion: number;
    runtimeVersion: number;
    devices: {
      name: string;
      computeCapability: string;
      memoryBytes: number;
      multiprocessors: number;
      usable: boolean;
      reason: string | null;
    }[];
  };
}

export interface DevicesAddon {
  devices(): Devices;
}
