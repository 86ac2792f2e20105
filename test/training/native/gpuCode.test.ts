// The machine code that nvcc makes of the kernels: what only the compiler can tell without a GPU.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { projectPath } from '../../../core/index.ts';
import { type BuildStamp, isBuilt, stampIn } from '../../../training/native/buildStamp.ts';
import { findNvcc, type Nvcc, nvccVersion } from '../../../training/native/cudaToolkit.ts';
import { builtSluicePath } from '../../../training/native/index.ts';
import { buildNative } from '../../../training/native/nativeBuild.ts';
import { wantedLibraries } from '../../../training/native/wantedLibrary.ts';
import {
  type GpuCode,
  gpuPagePath,
  type KernelCode,
  readGpuCode,
  renderGpuTable,
  withGpuTable,
} from './gpuCode.ts';

const nvcc = findNvcc(process.env);

/** The compiler; without one the test is skipped, and says so. */
function needsNvcc(context: Mocha.Context): Nvcc {
  if (nvcc !== null) return nvcc;
  process.stderr.write(`SKIPPED (no nvcc here): ${context.test?.fullTitle()}\n`);
  return context.skip();
}

/** Kernels whose code is known: how often each instruction must stand in them. */
const known = `
#include <cstdint>
extern "C" __global__ void tensor(const uint32_t *x, float *y) {
  float d[4] = {0, 0, 0, 0};
  const uint32_t a0 = x[threadIdx.x], a1 = x[threadIdx.x + 32], b = x[threadIdx.x + 64];
#pragma unroll
  for (int i = 0; i < 3; ++i)
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%4,%5}, {%6,%6}, {%0,%1,%2,%3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]) : "r"(a0), "r"(a1), "r"(b));
  y[threadIdx.x] = d[0] + d[1] + d[2] + d[3];
}
extern "C" __global__ void __launch_bounds__(96) fused(const float *x, float *y, float by) {
  float s = x[threadIdx.x];
  const float f = x[threadIdx.x + 32];
#pragma unroll
  for (int i = 0; i < 5; ++i) s = __fmaf_rn(s, f, s);
  s = __fmaf_rn(s, 3.0f, f);  // with a number in the instruction
  s = __fmaf_rn(s, by, f);    // with one from constant memory
  y[threadIdx.x] = s;
}
extern "C" __global__ void local(const int *at, float *y) {
  volatile float own[64];
  own[at[0]] = 1;
  own[at[1]] = 2;
  own[at[2]] = 3;
  y[threadIdx.x] = own[at[3]] + own[at[4]];
}
extern "C" __global__ void shared(const int *at, float *y) {
  __shared__ volatile float all[64];
  all[at[0]] = 1;
  all[at[1]] = 2;
  all[at[2]] = 3;
  __syncthreads();
  y[threadIdx.x] = all[at[3]] + all[at[4]];
}
extern "C" __global__ void __launch_bounds__(1024, 2) spilling(const float *x, float *y) {
  float v[48];
#pragma unroll
  for (int i = 0; i < 48; ++i) v[i] = x[i * 1024 + threadIdx.x];
  __syncthreads();
#pragma unroll
  for (int i = 0; i < 48; ++i) y[i * 1024 + threadIdx.x] = v[i] * v[47 - i] + v[(i * 7) % 48];
}
`;

/** What ptxas -v says of each kernel. */
function parsePtxas(said: string) {
  const kernels = said.split('Compiling entry function').slice(1);
  return kernels.map((text) => ({
    name: /'(\w+)'/.exec(text)![1]!,
    registers: Number(/Used (\d+) registers/.exec(text)![1]),
    frameBytes: Number(/(\d+) bytes stack frame/.exec(text)![1]),
    spilledBytes: Number(/(\d+) bytes spill stores/.exec(text)![1]),
  }));
}

describe('the reader of code for GPUs', function () {
  this.timeout(120_000);

  for (const capability of [80, 90]) {
    it(`counts what is known to be there, and agrees with ptxas, for sm_${capability}`, function () {
      const { path } = needsNvcc(this);
      const folder = mkdtempSync(join(tmpdir(), 'sluice-'));
      try {
        const [source, cubin] = [join(folder, 'known.cu'), join(folder, 'known.cubin')];
        writeFileSync(source, known);
        const args = ['-cubin', `-arch=sm_${capability}`, '-Xptxas', '-v', '-o', cubin, source];
        const { status, stderr } = spawnSync(path, args, { encoding: 'utf8' });
        expect(status, stderr).to.equal(0);
        const { kernels } = readGpuCode(cubin);
        const of = (name: string) => kernels.find((kernel) => kernel.name === name)!;
        const none = { HMMA: 0, FFMA: 0, LDL: 0, STL: 0, LDS: 0, STS: 0, BAR: 0 };
        expect(of('tensor').counts).to.deep.equal({ ...none, HMMA: 3 });
        expect(of('fused').counts).to.deep.equal({ ...none, FFMA: 7 });
        expect(of('local').counts).to.deep.equal({ ...none, LDL: 2, STL: 3 });
        expect(of('shared').counts).to.deep.equal({ ...none, LDS: 2, STS: 3, BAR: 1 });
        const { LDL, STL } = of('spilling').counts;
        expect(LDL).to.be.greaterThan(0);
        expect(STL).to.be.greaterThan(0);
        expect([of('fused').threads, of('spilling').threads]).to.deep.equal([96, 1024]);
        const said = parsePtxas(stderr);
        expect(said).to.have.length(kernels.length);
        for (const { name, registers, frameBytes, spilledBytes } of said) {
          expect(of(name), name).to.include({ capability, registers, frameBytes });
          expect(spilledBytes > 0, name).to.equal(name === 'spilling');
        }
        compareWithCuobjdump(cubin, kernels);
      } finally {
        rmSync(folder, { recursive: true });
      }
    });
  }

  it('puts a table between the marks of a page and nowhere else', () => {
    const page = 'a\n<!-- kernels -->\nold\n<!-- /kernels -->\nz\n';
    expect(withGpuTable(page, 'new\n')).to.equal(
      'a\n<!-- kernels -->\nnew\n<!-- /kernels -->\nz\n',
    );
    expect(withGpuTable('no marks', 'new\n')).to.equal(null);
  });
});

/** NVIDIA's own disassembler, where the toolkit has it, counts the same. */
function compareWithCuobjdump(cubin: string, kernels: readonly KernelCode[]): void {
  const { status, stdout } = spawnSync('cuobjdump', ['-sass', cubin], { encoding: 'utf8' });
  if (status !== 0) return;
  const functions = stdout.split(/Function : /).slice(1);
  for (const text of functions) {
    const kernel = kernels.find(({ name }) => text.startsWith(name))!;
    for (const [opcode, count] of Object.entries(kernel.counts)) {
      const found = text.match(new RegExp(`\\s${opcode}[.\\s]`, 'g')) ?? [];
      expect(count, `${kernel.name}: ${opcode}`).to.equal(found.length);
    }
  }
}

describe('the code of the engine for GPUs', function () {
  this.timeout(1_200_000); // it is compiled where `make native` has not done it
  let code: GpuCode;

  before(async function () {
    const found = needsNvcc(this);
    const into = projectPath('build', 'native');
    const request = { lightgbm: null, cuda: true, emulated: false, nvcc: found };
    const [library] = wantedLibraries(request).filter(({ name }) => name === 'libsluice_cuda');
    if (!isBuilt(into, 'libsluice_cuda', library!.inputs)) {
      await buildNative(into, [library!], () => {});
    }
    code = readGpuCode(builtSluicePath('cuda'));
  });

  const matrixKernels = /^(learn|infer)</;
  const onTensorCores = /^\w+<true/;

  it('is there for sm_80 and sm_90, the same kernels, and as PTX for what comes after', () => {
    const namesOf = (capability: number) =>
      code.kernels.filter((one) => one.capability === capability).map(({ name }) => name);
    expect(namesOf(90)).to.include.members(['learn<true, true>', 'learn<false, false>']);
    expect(namesOf(80).sort()).to.deep.equal(namesOf(90).sort());
    expect(code.kernels).to.have.length(2 * namesOf(90).length);
    expect(code.ptx).to.include(90);
  });

  it('keeps everything in registers: no spill, no stack', () => {
    const spilling = code.kernels.filter(
      ({ frameBytes, counts }) => frameBytes + counts.LDL + counts.STL > 0,
    );
    expect(spilling.map(({ name, capability }) => `${name} sm_${capability}`)).to.deep.equal([]);
  });

  it('multiplies matrices on the tensor cores in TF32, and never in fp32', () => {
    const matrix = code.kernels.filter(({ name }) => matrixKernels.test(name));
    expect(matrix.filter(({ name }) => onTensorCores.test(name))).to.have.length(matrix.length / 2);
    for (const { name, capability, counts } of code.kernels) {
      const wanted = matrixKernels.test(name) && onTensorCores.test(name);
      expect(counts.HMMA > 0, `${name} sm_${capability}`).to.equal(wanted);
    }
    for (const { name, counts } of matrix) expect(counts.FFMA, name).to.be.greaterThan(0);
  });

  it('lets each kernel start with as many threads as it promises', () => {
    const registersOfProcessor = 65536;
    for (const { name, registers, threads } of code.kernels) {
      expect(threads, name).to.be.greaterThan(0);
      const allotted = Math.ceil(registers / 8) * 8;
      expect(allotted * threads, name).to.be.at.most(registersOfProcessor);
    }
  });

  it('stands in docs/gpu.md as this compiler makes it', function () {
    const page = readFileSync(gpuPagePath, 'utf8');
    const documented = /nvcc (\d+\.\d+\.\d+)/.exec(page)?.[1];
    const stamp = JSON.parse(
      readFileSync(stampIn(projectPath('build', 'native'), 'libsluice_cuda'), 'utf8'),
    ) as BuildStamp;
    const compiler = stamp.nvcc_version ?? nvccVersion(nvcc!.path);
    if (compiler !== documented) {
      process.stderr.write(`SKIPPED (docs/gpu.md is of nvcc ${documented}, here is ${compiler})\n`);
      this.skip();
    }
    const expected = withGpuTable(page, renderGpuTable(code));
    expect(page, 'run `node test/training/native/gpuCode.ts --write`').to.equal(expected);
  });
});
