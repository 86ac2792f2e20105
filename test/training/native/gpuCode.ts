// Reads the machine code for GPUs out of a library: which kernels there are for which processors, and how often each
// instruction stands in them. NVIDIA publishes no format of these; where things lie was found with cuobjdump and is held
// to kernels whose counts are known (gpuCode.test.ts).
//
// A library's section .nv_fatbin holds images one after the other, each behind a header: ELF files for one processor
// (cubins), and PTX. In a cubin a kernel's code is the section .text.NAME, sixteen bytes an instruction, whose low nine
// bits say what it does and the next three with what kinds of operands; .nv.info tells what the kernel needs.
//
// Run as a program, it prints the table of docs/gpu.md; with --write it puts it there.

import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { zstdDecompressSync } from 'node:zlib';
import { projectPath, writeFileAtomic } from '../../../core/index.ts';
import { builtSluicePath } from '../../../training/native/index.ts';

/** Instructions that are counted, by their low nine bits. */
export const opcodes = {
  /** products on the tensor cores */
  HMMA: 0x03c,
  /** fused multiply-add in float32 */
  FFMA: 0x023,
  /** local memory: what does not fit the registers, or is indexed by what is not known beforehand */
  LDL: 0x183,
  STL: 0x187,
  LDS: 0x184,
  STS: 0x188,
  BAR: 0x11d,
} as const;

/** What a kernel was compiled to for one processor. */
export interface KernelCode {
  /** 90 = sm_90 */
  readonly capability: number;
  /** as in the source: `learn<true, false>` */
  readonly name: string;
  readonly registers: number;
  /** of its launch bounds; 0 = none were given */
  readonly threads: number;
  /** bytes of local memory of a thread */
  readonly frameBytes: number;
  readonly instructions: number;
  readonly counts: Readonly<Record<keyof typeof opcodes, number>>;
}

/** The code for GPUs in a library: kernels by processor, and the versions that PTX is there for. */
export interface GpuCode {
  readonly kernels: readonly KernelCode[];
  readonly ptx: readonly number[];
}

/** Reads a shared library, or a cubin as nvcc -cubin makes it. */
export function readGpuCode(path: string): GpuCode {
  const file = readFileSync(path);
  const sections = sectionsOf(file);
  if (file.readUInt16LE(18) === cudaMachine)
    return { kernels: kernelsOf(file, cubinOf(file)), ptx: [] };
  const fatbin = sections.find(({ name }) => name === '.nv_fatbin');
  if (fatbin === undefined) return { kernels: [], ptx: [] };
  const images = imagesOf(fatbin.data);
  const kernels = images
    .filter(({ kind }) => kind === 'elf')
    .flatMap(({ data, capability }) => kernelsOf(data, capability));
  const ptx = images.filter(({ kind }) => kind === 'ptx').map(({ capability }) => capability);
  return { kernels, ptx };
}

const cudaMachine = 190;
const instructionBytes = 16;

interface Section {
  readonly name: string;
  readonly data: Buffer;
}

/** Sections of an ELF file of 64 bits. */
function sectionsOf(file: Buffer): Section[] {
  if (file.readUInt32BE(0) !== 0x7f454c46) throw new Error('This is no ELF file.');
  const at = Number(file.readBigUInt64LE(40));
  const [entry, count, namesAt] = [58, 60, 62].map((offset) => file.readUInt16LE(offset)) as [
    number,
    number,
    number,
  ];
  const headers = Array.from({ length: count }, (_, i) => {
    const header = file.subarray(at + i * entry, at + (i + 1) * entry);
    const [offset, size] = [24, 32].map((field) => Number(header.readBigUInt64LE(field)));
    const nobits = header.readUInt32LE(4) === 8;
    return { nameAt: header.readUInt32LE(0), offset: offset!, size: nobits ? 0 : size! };
  });
  const names = file.subarray(headers[namesAt]!.offset);
  return headers.map(({ nameAt, offset, size }) => ({
    name: textAt(names, nameAt),
    data: file.subarray(offset, offset + size),
  }));
}

const textAt = (bytes: Buffer, at: number): string =>
  bytes.toString('latin1', at, bytes.indexOf(0, at));

interface Image {
  readonly kind: 'elf' | 'ptx';
  readonly capability: number;
  readonly data: Buffer;
}

/** Images of a section of fat binaries; each of these stands where the one before it ends, up to a multiple of eight. */
function imagesOf(section: Buffer): Image[] {
  const images: Image[] = [];
  for (let at = 0; at + 16 <= section.length; ) {
    if (section.readUInt32LE(at) !== 0xba55ed50) {
      at += 8;
      continue;
    }
    const begin = at + section.readUInt16LE(at + 6);
    const end = begin + Number(section.readBigUInt64LE(at + 8));
    for (let entry = begin; entry < end; ) {
      const header = section.readUInt32LE(entry + 4);
      const size = Number(section.readBigUInt64LE(entry + 8));
      images.push(imageOf(section.subarray(entry, entry + header + size), header));
      entry += header + size;
    }
    at = end;
  }
  return images;
}

function imageOf(entry: Buffer, header: number): Image {
  const zstd = 0x8000n;
  const lz4 = 0x2000n;
  const flags = entry.readBigUInt64LE(40);
  if ((flags & lz4) !== 0n)
    throw new Error('The images are compressed in a way that is not read here.');
  const packed = (flags & zstd) !== 0n;
  const data = packed
    ? zstdDecompressSync(entry.subarray(header, header + entry.readUInt32LE(16)))
    : entry.subarray(header);
  const kind = entry.readUInt16LE(0) === 2 ? 'elf' : 'ptx';
  return { kind, capability: entry.readUInt32LE(28), data };
}

/** The processor that a cubin is for: its flags have it, in one byte or the other as the compiler's release is. */
function cubinOf(file: Buffer): number {
  const flags = file.readUInt32LE(48);
  const byRelease = file.readUInt8(8) >= 8 ? flags >> 8 : flags;
  return byRelease & 0xff;
}

function kernelsOf(file: Buffer, capability: number): KernelCode[] {
  const sections = sectionsOf(file);
  const named = (name: string) => sections.find((section) => section.name === name)?.data;
  const symbols = named('.symtab')!;
  const names = named('.strtab')!;
  const symbolName = (index: number) => textAt(names, symbols.readUInt32LE(24 * index));
  const shared = attributesOf(named('.nv.info'));
  const ofKernel = (attribute: number, name: string) => {
    const found = shared.filter((one) => one.attribute === attribute);
    return found.find(({ words }) => symbolName(words[0]!) === name)?.words[1] ?? 0;
  };
  return sections
    .filter(({ name }) => name.startsWith('.text.'))
    .map(({ name: section, data }) => {
      const name = section.slice('.text.'.length);
      const own = attributesOf(named(`.nv.info.${name}`));
      const bounds = own.find(({ attribute }) => attribute === attributes.maxThreads)?.words ?? [0];
      return {
        capability,
        name: sourceName(name),
        registers: ofKernel(attributes.registers, name),
        threads: bounds.slice(0, 3).reduce((product, words) => product * words, 1),
        frameBytes: Math.max(ofKernel(attributes.frame, name), ofKernel(attributes.stack, name)),
        instructions: data.length / instructionBytes,
        counts: countOpcodes(data),
      };
    });
}

/** EIATTR numbers: the first three name a kernel and a number, the last one is in the kernel's own section. */
const attributes = { frame: 0x11, stack: 0x12, registers: 0x2f, maxThreads: 0x05 } as const;

interface Attribute {
  readonly attribute: number;
  readonly words: readonly number[];
}

/** The attributes of an .nv.info section that have words of their own; the others are passed over. */
function attributesOf(data: Buffer | undefined): Attribute[] {
  const found: Attribute[] = [];
  if (data === undefined) return found;
  const withWords = 4;
  for (let at = 0; at + 4 <= data.length; ) {
    const [format, attribute, size] = [data[at]!, data[at + 1]!, data.readUInt16LE(at + 2)];
    at += 4;
    if (format !== withWords) continue; // the size's place holds the value
    const words = Array.from({ length: size >> 2 }, (_, i) => data.readUInt32LE(at + 4 * i));
    found.push({ attribute, words });
    at += size;
  }
  return found;
}

function countOpcodes(code: Buffer): KernelCode['counts'] {
  const all = new Map<number, number>();
  for (let at = 0; at < code.length; at += instructionBytes) {
    const opcode = code.readUInt16LE(at) & 0x1ff;
    all.set(opcode, (all.get(opcode) ?? 0) + 1);
  }
  const counted = Object.entries(opcodes).map(([name, opcode]) => [name, all.get(opcode) ?? 0]);
  return Object.fromEntries(counted) as KernelCode['counts'];
}

/** `_ZN6sluice5learnILb1ELb0EEEv...` is learn<true, false>; other names stay as they are. */
function sourceName(mangled: string): string {
  const inside = /^_ZN6sluice(\d+)(.*)$/.exec(mangled);
  if (inside === null) return mangled;
  const [length, rest] = [Number(inside[1]), inside[2]!];
  const choices = /^I((?:Lb[01]E)+)E/.exec(rest.slice(length))?.[1] ?? '';
  const values = [...choices.matchAll(/Lb([01])E/g)].map(([, bit]) => bit === '1');
  return rest.slice(0, length) + (values.length > 0 ? `<${values.join(', ')}>` : '');
}

/** Path of the page that holds the table. */
export const gpuPagePath = projectPath('docs', 'gpu.md');

/** The table of docs/gpu.md, in Markdown. */
export function renderGpuTable({ kernels }: GpuCode): string {
  const rows = [...kernels]
    .sort((a, b) => a.capability - b.capability || (a.name < b.name ? -1 : 1))
    .map(({ capability, name, registers, threads, frameBytes, counts }) => {
      const { HMMA, FFMA, LDL, STL } = counts;
      const cells = [`\`${name}\``, `sm_${capability}`, registers, threads, frameBytes, LDL + STL];
      return `| ${[...cells, HMMA, FFMA].join(' | ')} |`;
    });
  const head =
    '| kernel | processor | registers | threads | stack, bytes | local loads and stores | tensor-core products | float32 multiply-adds |';
  return [head, `|${' --- |'.repeat(8)}`, ...rows, ''].join('\n');
}

/** The page with another table between its two marks. @returns null if it has no marks */
export function withGpuTable(page: string, table: string): string | null {
  const [begin, end] = ['<!-- kernels -->\n', '<!-- /kernels -->'];
  const [from, to] = [page.indexOf(begin), page.indexOf(end)];
  if (from < 0 || to < from) return null;
  return page.slice(0, from + begin.length) + table + page.slice(to);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const table = renderGpuTable(readGpuCode(builtSluicePath('cuda')));
  if (process.argv[2] === '--write') {
    writeFileAtomic(gpuPagePath, withGpuTable(readFileSync(gpuPagePath, 'utf8'), table)!);
  } else {
    process.stdout.write(table);
  }
}
