// The Job for a search on several machines, as far as it can be held to the project without a cluster.

import { existsSync, readFileSync } from 'node:fs';
import { expect } from 'chai';
import { load } from 'js-yaml';
import { projectPath, readJson } from '../../core/index.ts';
import { expectParses, jobSchema } from './job.ts';

const read = (path: string): string => readFileSync(projectPath(path), 'utf8');

describe('the Job for a search on several machines', () => {
  const { spec } = jobSchema.parse(load(read('docker/hpo-job.yaml')));
  const pod = spec.template.spec;
  const [container] = pod.containers;
  const { command, args } = container!;
  const argumentOf = (option: string): string => args[args.indexOf(option) + 1]!;

  it('runs as many pods at once as it wants, each tried again by its index', () => {
    expect(spec.completionMode).to.equal('Indexed');
    expect(spec.parallelism).to.equal(spec.completions);
    expect(spec.backoffLimitPerIndex).to.be.greaterThan(0);
    // only pods without a limit of their own count it
    expect(spec.backoffLimit).to.equal(undefined);
  });

  it('starts a command line that parses, with a config that is there', () => {
    const [program, script, ...words] = command!;
    expect([program, script]).to.deep.equal(['node', 'sluice.ts']);
    expect(words).to.deep.equal(['hpo', 'run']);
    expectParses([...words, ...args]);
    expect(existsSync(projectPath(argumentOf('--config')))).to.equal(true);
  });

  it('shares its studies under a lease, and has both databases from the secret that the guide makes', () => {
    const variables = new Map(
      container!.env!.map(({ name, valueFrom }) => [name, valueFrom.secretKeyRef]),
    );
    expect(argumentOf('--storage')).to.equal('$(STUDIES)');
    expect(Number(argumentOf('--lease'))).to.be.greaterThan(0);
    // a deterministic search belongs to one machine
    expect(args).to.not.include('--deterministic');
    expect([...variables.keys()]).to.have.members(['STUDIES', 'DATABASE_URL']);
    const guide = read('docs/hpo.md');
    for (const { name, key } of variables.values()) {
      expect(guide).to.include(`secret generic ${name}`).and.to.include(`--from-literal=${key}=`);
    }
  });

  it('asks for the cores that its processes use, and for no GPU', () => {
    const { requests, limits } = container!.resources;
    expect(requests.cpu).to.equal(argumentOf('--workers'));
    expect(limits.cpu).to.equal(requests.cpu);
    expect(Object.keys(limits)).to.have.members(['cpu', 'memory']);
  });

  it('mounts each volume once, and what the command line names is mounted', () => {
    const mounts = container!.volumeMounts;
    expect(mounts.map(({ name }) => name)).to.have.members(pod.volumes.map(({ name }) => name));
    const paths = mounts.map(({ mountPath }) => mountPath);
    expect(paths).to.include.members([argumentOf('--data'), argumentOf('--out'), '/tmp']);
    expect(mounts.find(({ mountPath }) => mountPath === argumentOf('--out'))!.readOnly).to.equal(
      undefined,
    );
  });

  it('runs the image of this version, and gives up at once on what no second try makes right', () => {
    const { version } = readJson(projectPath('package.json')) as { readonly version: string };
    expect(container!.image).to.equal(`sluice-gpu:${version}`);
    const rule = spec.podFailurePolicy.rules.find(({ action }) => action === 'FailJob')!;
    expect(rule.onExitCodes!.values).to.deep.equal([2]);
    expect(rule.onExitCodes!.containerName).to.equal(container!.name);
  });
});
