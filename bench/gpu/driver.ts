// What NVIDIA's driver says of itself, asked before anything of ours is built.

import { spawnSync } from 'node:child_process';
import { openLibrary } from '../../training/native/foreignCalls.ts';

/** GPUs that the driver counts; 0 where there is no driver. */
export function countGpus(): number {
  try {
    const driver = openLibrary('libcuda.so.1');
    if ((driver.func('int cuInit(unsigned int flags)')(0) as number) !== 0) return 0;
    const count = new Int32Array(1);
    const code = driver.func('int cuDeviceGetCount(void *count)')(count) as number;
    return code === 0 ? count[0]! : 0;
  } catch {
    return 0;
  }
}

/** Release of the driver and the clocks it allows, as nvidia-smi prints them; null without it. */
export function driverVersion(): string | null {
  const fields = 'driver_version,clocks.max.sm,clocks.max.memory,power.limit';
  const { status, stdout } = spawnSync('nvidia-smi', [`--query-gpu=${fields}`, '--format=csv'], {
    encoding: 'utf8',
    timeout: 20_000,
  });
  return status === 0 ? stdout.trim() : null;
}
