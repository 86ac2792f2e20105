import { expect } from 'chai';
import { arrows, outside, sharedPackages } from './rooms.ts';
import { readSources, type Source } from './sources.ts';

const roomNames = Object.keys(arrows).sort((a, b) => b.length - a.length);
const roomOf = (path: string): string | undefined =>
  roomNames.find((room) => path === room || path.startsWith(`${room}/`));
const isOutside = (path: string): boolean =>
  outside.some((folder) => path.startsWith(`${folder}/`));

function strayImports(sources: readonly Source[]): string[] {
  return sources
    .filter(({ path }) => !isOutside(path))
    .flatMap(({ path, files }) => {
      const room = roomOf(path);
      if (room === undefined) return [`${path} lies in no room of test/check/rooms.ts`];
      return files.flatMap((file) => {
        const target = roomOf(file);
        if (target === room) return [];
        if (target === undefined || !arrows[room]!.includes(target))
          return [`${path} imports ${file}`];
        const door = file === target || file === `${target}/index.ts`;
        return door ? [] : [`${path} imports ${file} past the room's index.ts`];
      });
    });
}

describe('the one-way road of imports', () => {
  const sources = readSources();

  it('lets every file import only what its room may, through the other room’s index', () => {
    expect(strayImports(sources)).to.deep.equal([]);
  });

  it('sees an arrow that runs backwards, a way past an index, and a file in no room', () => {
    const stray = (path: string, file: string) =>
      strayImports([{ path, text: '', files: [file], packages: [] }]);
    expect(stray('core/a.ts', 'data/market/index.ts')).to.have.length(1);
    expect(stray('training/gbdt/a.ts', 'serving/load/index.ts')).to.have.length(1);
    expect(stray('data/feature/a.ts', 'data/market/barPanel.ts')).to.have.length(1);
    expect(stray('attic/a.ts', 'core/index.ts')).to.have.length(1);
    expect(stray('data/feature/a.ts', 'data/market/index.ts')).to.have.length(0);
  });

  it('imports each third-party package in one adapter file', () => {
    const users = new Map<string, string[]>();
    for (const { path, packages } of sources.filter((source) => !isOutside(source.path))) {
      for (const name of new Set(packages)) users.set(name, [...(users.get(name) ?? []), path]);
    }
    const spread = [...users].filter(
      ([name, paths]) => paths.length > 1 && !sharedPackages.includes(name),
    );
    expect(spread).to.deep.equal([]);
  });
});

describe('environment, clock and randomness', () => {
  const inside = readSources().filter(({ path }) => !isOutside(path));
  const holders = (pattern: RegExp) =>
    inside.filter(({ text }) => pattern.test(text)).map(({ path }) => path);

  it('reads the environment in main files, sluice.ts and the native build only', () => {
    const programs = ['sluice.ts', 'training/native/build.ts'];
    const stray = holders(/process\.env/).filter(
      (path) => !programs.includes(path) && !path.endsWith('/main.ts'),
    );
    expect(stray).to.deep.equal([]);
  });

  it('reads the clock in core/time.ts only', () => {
    expect(holders(/Date\.now\(|new Date\(\)/)).to.deep.equal(['core/time.ts']);
  });

  it('hands the machine’s clock out in main files and sluice.ts only', () => {
    const stray = holders(/\bsystemClock\b/).filter(
      (path) => !path.startsWith('core/') && path !== 'sluice.ts' && !path.endsWith('main.ts'),
    );
    expect(stray).to.deep.equal([]);
  });

  it('never calls Math.random', () => {
    expect(holders(/Math\.random\(/)).to.deep.equal([]);
  });
});
