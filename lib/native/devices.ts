/** Processors and graphics cards. */

export interface NativeDevices {
  version: string;
  compiled: { cuda: boolean; cudaArchitectures: string[]; instructionSets: string[] };
  cpu: { name: string; cores: number; instructionSet: string };
  cuda: {
    usable: boolean;
    reason: string | null;
    driverVersion: number;
    runtimeVersion: number;
    devices: { name: string; computeCapability: string; memoryBytes: number; multiprocessors: number }[];
  };
}

export interface DevicesAddon {
  devices(): NativeDevices;
}
