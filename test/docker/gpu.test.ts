// The image and the Job for training on a GPU, as far as they can be held to the project without an engine for containers.

import { execFileSync } from 'node:child_process';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { matchesGlob } from 'node:path';
import { expect } from 'chai';
import { load } from 'js-yaml';
import { projectPath, readJson } from '../../core/index.ts';
import { expectParses, jobSchema } from './job.ts';

const read = (path: string): string => readFileSync(projectPath(path), 'utf8');
const project = readJson(projectPath('package.json')) as {
  readonly version: string;
  readonly dependencies: Readonly<Record<string, string>>;
};

/** An instruction of a Dockerfile, its lines joined, and the stage that it stands in. */
interface Instruction {
  readonly name: string;
  readonly text: string;
  /** index of the last FROM before it; -1 before the first */
  readonly stage: number;
}

function parseDockerfile(text: string): Instruction[] {
  const lines = text
    .replace(/^\s*#.*\n/gm, '')
    .replace(/\\\n/g, ' ')
    .split('\n')
    .filter((line) => line.trim() !== '');
  let stage = -1;
  return lines.map((line) => {
    const [, name, rest] = /^([A-Z]+)\s+(.*)$/.exec(line) ?? [];
    expect(name, `no instruction: ${line}`).to.be.a('string');
    if (name === 'FROM') stage += 1;
    return { name: name!, text: rest!.replace(/\s+/g, ' '), stage };
  });
}

const dockerfile = parseDockerfile(read('docker/gpu.Dockerfile'));
const all = (name: string) => dockerfile.filter((one) => one.name === name);
const defaults = Object.fromEntries(
  all('ARG').map(({ text }) => text.split('=') as [string, string]),
);
const stageNames = all('FROM').map(({ text }) => / AS (\S+)$/.exec(text)?.[1] ?? 'last');
/** A list in the form that starts a program without a shell. */
const listOf = (name: string): string[] => JSON.parse(all(name).at(-1)!.text) as string[];

describe('the image for training on a GPU', () => {
  it('is built from named stages, whose releases are those of the project', () => {
    for (const { text } of all('FROM')) {
      for (const [, name] of text.matchAll(/\$\{(\w+)\}/g))
        expect(defaults).to.have.property(name!);
    }
    expect(stageNames).to.deep.equal(['node', 'build', 'last']);
    expect(defaults.NODE).to.equal(project.dependencies.node);
    const [compiler, base] = [defaults.CUDA!, defaults.CUDA_BASE!];
    expect(compiler).to.match(/^13\.\d+\.\d+-devel-ubuntu24\.04$/);
    expect(base).to.equal(compiler.replace('-devel-', '-base-'));
  });

  it('copies what is there', () => {
    const files = execFileSync('git', ['ls-files', '-co', '--exclude-standard'], {
      cwd: projectPath(),
      encoding: 'utf8',
    }).split('\n');
    const known = (path: string) => files.some((f) => f === path || f.startsWith(`${path}/`));
    for (const { text, stage } of all('COPY')) {
      const from = /^--from=(\S+) /.exec(text)?.[1];
      if (from !== undefined) {
        expect(stageNames.slice(0, stage), text).to.include(from);
        continue;
      }
      const sources = text.split(' ').slice(0, -1);
      for (const source of sources) expect(source === '.' || known(source), source).to.equal(true);
    }
  });

  it('runs targets that the Makefile has', () => {
    const makefile = read('Makefile');
    const targets = all('RUN').flatMap(({ text }) =>
      [...text.matchAll(/\bmake ([\w./-]+)(?= |$)/g)].map(([, target]) => target!),
    );
    expect(targets).to.include.members(['node_modules/.setup', 'native-cuda']);
    const written = (target: string) =>
      makefile.split('\n').some((l) => l.startsWith(`${target}:`));
    expect(targets.filter((target) => !written(target))).to.deep.equal([]);
    expect(written('docker-build')).to.equal(true);
  });

  it('builds the native libraries from no other rooms than it has copied by then', () => {
    const at = dockerfile.findIndex(({ text }) => text === 'make native-cuda');
    const copied = dockerfile.slice(0, at).filter(({ name }) => name === 'COPY');
    const rooms = copied.map(({ text }) => text.split(' ').at(-1)!).filter(existsInProject);
    const files = globSync('training/native/**/*.ts', { cwd: projectPath() });
    const imports = files.flatMap((file) => {
      const up = [...read(file).matchAll(/from '((?:\.\.\/)+)(\w+)/g)];
      return up.filter(([, dots]) => dots === '../../').map(([, , room]) => room!);
    });
    expect(new Set(imports)).to.deep.equal(new Set(['core']));
    expect(rooms).to.include.members(['core', 'training/native']);
  });

  it('runs as a user that is not root, from a folder that this user cannot change', () => {
    const [user] = all('USER');
    expect(user!.text).to.match(/^[1-9]\d*:[1-9]\d*$/);
    expect(user!.stage).to.equal(stageNames.length - 1);
    const last = all('COPY').filter(({ stage }) => stage === stageNames.length - 1);
    expect(last.map(({ text }) => text)).to.deep.equal(['--from=build /sluice /sluice']);
  });

  it('starts a command line that parses', () => {
    const [program, script, ...order] = listOf('ENTRYPOINT');
    expect([program, script]).to.deep.equal(['node', 'sluice.ts']);
    expect(order.slice(0, 3)).to.deep.equal(['retrain', '--device', 'cuda']);
    expectParses([...order, ...listOf('CMD')]);
  });

  it('is sent every file that git tracks, and nothing that setup makes', () => {
    const patterns = read('docker/gpu.Dockerfile.dockerignore')
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'));
    const ignored = (path: string) =>
      patterns.some((pattern) => matchesGlob(path, pattern) || path.startsWith(`${pattern}/`));
    const tracked = execFileSync('git', ['ls-files'], { cwd: projectPath(), encoding: 'utf8' });
    expect(tracked.trim().split('\n').filter(ignored)).to.deep.equal([]);
    expect(ignored('.git/HEAD')).to.equal(false);
    const made = ['node_modules/koffi/index.js', 'build/native/libsluice.so', 'artifacts/runs/x'];
    expect(made.filter((path) => !ignored(path))).to.deep.equal([]);
  });
});

const existsInProject = (path: string): boolean => existsSync(projectPath(path));

describe('the Job for training on a GPU', () => {
  const { spec } = jobSchema.parse(load(read('docker/gpu-job.yaml')));
  const pod = spec.template.spec;
  const [container] = pod.containers;

  it('asks for one GPU and runs the image of this version as the image’s user', () => {
    expect(container!.resources.limits['nvidia.com/gpu']).to.equal(1);
    expect(container!.image).to.equal(`sluice-gpu:${project.version}`);
    const user = `${pod.securityContext.runAsUser}:${pod.securityContext.runAsGroup}`;
    expect(all('USER')[0]!.text).to.equal(user);
    expect(read('docker/README.md')).to.include(container!.image);
  });

  it('mounts each volume once, and what the command line names is mounted', () => {
    const names = pod.volumes.map(({ name }) => name);
    const { volumeMounts } = container!;
    expect(volumeMounts.map(({ name }) => name)).to.have.members(names);
    const paths = volumeMounts.map(({ mountPath }) => mountPath);
    expect(paths).to.include.members(['/data', '/out', '/tmp']);
    expect(volumeMounts.find(({ name }) => name === 'out')!.readOnly).to.equal(undefined);
  });

  it('starts a command line that parses, with a config that is there', () => {
    const { args } = container!;
    expectParses([...listOf('ENTRYPOINT').slice(2), ...args]);
    expect(existsInProject(args[args.indexOf('--config') + 1]!)).to.equal(true);
  });

  it('gives up at once on what no second try makes right, with a rule for a container that it has', () => {
    const rule = spec.podFailurePolicy.rules.find(({ action }) => action === 'FailJob')!;
    expect(rule.onExitCodes!.values).to.deep.equal([2]);
    expect(rule.onExitCodes!.containerName).to.equal(container!.name);
  });
});
