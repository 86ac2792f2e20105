// Everything that only a GPU can tell, in one run: builds the GPU half, holds it to the CPU engine, looks whether bytes
// repeat, times it beside PyTorch and the device's own limits, and lets compute-sanitizer watch. docs/gpu.md explains it.

import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { asSluiceError, projectPath, SluiceError, writeFileAtomic } from '../core/index.ts';
import { cpuPaths } from '../test/training/native/engineCase.ts';
import {
  builtSluicePath,
  findSluice,
  type NativeDevice,
  type Precision,
  type SluiceLibrary,
} from '../training/native/index.ts';
import { buildEngines } from './gpu/build.ts';
import { networks, type Place, tinyNetworks } from './gpu/cases.ts';
import { lookAtDeterminism } from './gpu/determinism.ts';
import { countGpus, driverVersion } from './gpu/driver.ts';
import { lookAtFp32, lookAtTf32 } from './gpu/parity.ts';
import { createProtocol, type Protocol, pass, skip } from './gpu/protocol.ts';
import { lookUnderSanitizer } from './gpu/sanitizer.ts';
import { measureSpeed, type Plan } from './gpu/speed.ts';
import { startTorch } from './gpu/torchPeer.ts';
import { builtLearners, lookAtTrees } from './gpu/trees.ts';
import { codeVersion, machine } from './harness.ts';

const usage = `usage: node bench/gpu.ts [options]        (make gpu-check)
  --only STEPS     of build,parity,determinism,speed,sanitizer,trees; separated by commas
  --quick          fewer shapes and rounds: two minutes instead of eight
  --limit SECONDS  the whole run fits it (540)
  --python FILE    a Python with torch (PEER_PYTHON, else python3)
  --out DIR        where gpu-<device>.json is put (bench/results)
  --library FILE   another library than build/native/libsluice_cuda.so; it is not built
  --tiny           sizes that an emulated GPU can compute; measures nothing
exit code: 0 all held, 1 something did not, 2 bad usage, 3 there is no GPU here (nothing is written)`;

/** There is nothing to check on. */
const noGpuExit = 3;
const steps = ['build', 'parity', 'determinism', 'speed', 'sanitizer', 'trees'] as const;
type Step = (typeof steps)[number];

const say = (line: string): void => {
  process.stderr.write(`${line}\n`);
};

try {
  process.exitCode = await main();
} catch (thrown) {
  const error = asSluiceError(thrown);
  say(error.message);
  process.exitCode = error.exit;
}

interface Options {
  readonly only: readonly Step[];
  readonly quick: boolean;
  readonly tiny: boolean;
  readonly limitMs: number;
  readonly python: string;
  readonly out: string;
  /** null: the built one */
  readonly library: string | null;
}

async function main(): Promise<number> {
  const options = readOptions();
  if (options === null) {
    process.stdout.write(`${usage}\n`);
    return 0;
  }
  if (options.library === null && countGpus() === 0) {
    say(
      'There is no NVIDIA GPU here, or no driver for it: nothing was checked and nothing written.',
    );
    return noGpuExit;
  }
  const begin = nowMs();
  let written = '';
  const device: { found: NativeDevice | null } = { found: null };
  const protocol = createProtocol(say, (now) => {
    written = write(options, device.found, now, false) ?? written;
  });
  await check(protocol, options, begin, device);
  written = write(options, device.found, protocol, true) ?? written;
  process.stdout.write(summary(protocol, written));
  return protocol.findings.some(({ verdict }) => verdict === 'FAIL') ? 1 : 0;
}

function readOptions(): Options | null {
  const { values } = parseArgs({
    options: {
      only: { type: 'string', default: steps.join(',') },
      quick: { type: 'boolean', default: false },
      tiny: { type: 'boolean', default: false },
      limit: { type: 'string', default: '540' },
      python: { type: 'string', default: process.env.PEER_PYTHON ?? 'python3' },
      out: { type: 'string', default: projectPath('bench', 'results') },
      library: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return null;
  const only = values.only.split(',').map((name) => {
    const step = steps.find((one) => one === name);
    if (step === undefined)
      throw new SluiceError('bad_usage', `There is no step ${name}.\n${usage}`);
    return step;
  });
  const limitMs = 1000 * Number(values.limit);
  if (!(limitMs > 0)) throw new SluiceError('bad_usage', '--limit must be a number of seconds.');
  const { quick, tiny, python } = values;
  const library = values.library === undefined ? null : resolve(values.library);
  return { only, quick, tiny, limitMs, python, out: resolve(values.out), library };
}

/** All steps; each says and keeps what it finds. */
async function check(
  protocol: Protocol,
  options: Options,
  begin: number,
  device: { found: NativeDevice | null },
): Promise<void> {
  const wanted = (step: Step) => options.only.includes(step);
  const leftMs = () => options.limitMs - (nowMs() - begin);
  if (wanted('build')) await buildEngines(protocol, options.library === null);
  const path = options.library ?? builtSluicePath('cuda');
  let library: SluiceLibrary;
  try {
    library = findSluice(path);
    device.found = library.deviceInfo(0);
  } catch (error) {
    await protocol.look('device', path, () => Promise.reject(error));
    return;
  }
  protocol.record('driver', driverVersion());
  say(describe(device.found));
  const cpu: Place = { library: findSluice(), precision: 'fp32', threads: 0 };
  const precisions = precisionsOf(library);
  const on = (precision: Precision): Place => ({ library, precision, threads: 0 });
  const shapes = shapesOf(options);
  if (wanted('parity')) {
    await lookAtFp32(protocol, { looked: on('fp32'), believed: cpu }, shapes);
    if (precisions.includes('tf32'))
      await lookAtTf32(protocol, { looked: on('tf32'), believed: on('fp32') }, shapes);
  }
  if (wanted('determinism')) {
    for (const precision of precisions) {
      await lookAtDeterminism(protocol, on(precision), shapes, options.tiny);
    }
  }
  if (wanted('speed')) {
    const torch = await startTorch(options.python);
    try {
      protocol.record('torch', torch === null ? null : torch.info);
      if (torch === null) {
        await protocol.look('torch', options.python, () => skip('it has no torch: not measured'));
      }
      await protocol.look('speed', 'measured', async () => {
        const deadlineMs = nowMs() + 0.75 * leftMs();
        await measureSpeed(protocol, precisions.map(on), torch, planOf(options, deadlineMs));
        return pass('in the file');
      });
    } finally {
      torch?.end();
    }
  }
  if (wanted('trees'))
    await lookAtTrees(protocol, builtLearners, options.tiny ? 2000 : 500_000, 100);
  if (wanted('sanitizer')) {
    const each = Math.max(10, Math.min(90, leftMs() / 1000 / (4 * precisions.length)));
    await lookUnderSanitizer(protocol, path, precisions, Math.floor(each));
  }
}

function shapesOf({ quick, tiny }: Options) {
  const all = tiny ? tinyNetworks : networks;
  return quick ? all.slice(0, 2) : all;
}

function planOf(options: Options, deadlineMs: number): Plan {
  const { quick, tiny } = options;
  if (tiny) {
    return {
      networks: shapesOf(options),
      groups: [2],
      rows: 40,
      rounds: 1,
      leastMs: 0,
      modes: ['eager', 'reduce-overhead'],
      product: 64,
      copyBytes: 2 ** 16,
      judged: false,
      deadlineMs,
    };
  }
  return {
    networks: shapesOf(options),
    groups: quick ? [64] : [8, 64, 256],
    rows: 20_000,
    rounds: quick ? 3 : 7,
    leastMs: 300,
    modes: quick ? ['eager', 'reduce-overhead'] : ['eager', 'reduce-overhead', 'captured'],
    product: 8192,
    copyBytes: 2 ** 31,
    judged: true,
    deadlineMs,
  };
}

/** TF32 first, which is what trains; a CPU's library, as tests give it, has fp32 alone. */
function precisionsOf({ kernels }: SluiceLibrary): Precision[] {
  return cpuPaths.some((path) => path === kernels) ? ['fp32'] : ['tf32', 'fp32'];
}

function describe({ name, capability, processors, memoryBytes, driver, runtime }: NativeDevice) {
  const memory = (memoryBytes / 2 ** 30).toFixed(0);
  return `device: ${name}, sm_${capability}, ${processors} multiprocessors, ${memory} GiB, CUDA ${runtime} on a driver for ${driver}`;
}

/** Keeps what is known so far. @returns the file; null while no device is known */
function write(
  { out, quick, tiny }: Options,
  device: NativeDevice | null,
  { findings, figures }: Protocol,
  complete: boolean,
): string | null {
  if (device === null) return null;
  const slug = device.name.toLowerCase().replace(/[^a-z0-9]+/g, '-');
  const path = join(out, `gpu-${slug}.json`);
  const document = {
    bench: 'gpu',
    complete,
    size: tiny ? 'tiny' : quick ? 'quick' : 'full',
    device,
    ...figures,
    findings,
    failed: findings.filter(({ verdict }) => verdict === 'FAIL').length,
    machine: machine(),
    code: packedCode() ?? codeVersion(),
  };
  writeFileAtomic(path, `${JSON.stringify(document, null, 2)}\n`);
  return path;
}

/** The code's version as the packing script left it, where there is no git. */
function packedCode(): string | null {
  const path = projectPath('packed.json');
  return existsSync(path)
    ? (JSON.parse(readFileSync(path, 'utf8')) as { code: string }).code
    : null;
}

/** A short table: verdicts by step, and the speeds. */
function summary({ findings, figures }: Protocol, written: string): string {
  const names = [...new Set(findings.map(({ step }) => step))];
  const rows = names.map((step) => {
    const count = (verdict: string) =>
      findings.filter((one) => one.step === step && one.verdict === verdict).length;
    return `${step.padEnd(24)} ${String(count('PASS')).padStart(4)} pass ${String(count('FAIL')).padStart(4)} fail ${String(count('SKIP')).padStart(4)} skipped`;
  });
  const speed = (figures.speed ?? []) as Readonly<Record<string, number | string>>[];
  const speeds = speed.map((row) => {
    const times = row.times_torch_eager;
    const beside = typeof times === 'number' ? `, ${times.toPrecision(3)} times torch eager` : '';
    return `${row.network} x ${row.members}, ${row.side}: ${Number(row.model_steps_per_s).toPrecision(4)} model-steps/s${beside}`;
  });
  return `${[...rows, ...speeds, written].join('\n')}\n`;
}

function nowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
