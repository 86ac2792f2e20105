// The main job with a tiny network, and the training of a network alone, through the command line.

import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import type { z } from 'zod';
import { systemClock } from '../../core/index.ts';
import { finishedRuns, openDatabase } from '../../data/store/index.ts';
import type { RetrainReport } from '../../training/report/index.ts';
import { neuralConfig, writeConfig } from '../training/retrain/smallConfig.ts';
import { retrainSchema } from './retrainSchema.ts';
import { documentOf, type Ended, filesBelow, leftovers, sluice, start } from './sluice.ts';

describe('the command line: a network', function () {
  this.timeout(120_000);
  let folder: string;
  let out: string;
  let config: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-network-'));
    out = join(folder, 'out');
    config = writeConfig(folder, neuralConfig());
  });
  after(() => rmSync(folder, { recursive: true, force: true }));
  const common = () => ['--config', config, '--as-of', '2026-01-31', '--json'];
  const inspect = async (path: string) =>
    documentOf(await sluice('artifact', 'inspect', path, '--json')).manifest as Record<
      string,
      unknown
    >;
  const verify = async (path: string, at: string) =>
    documentOf(
      await sluice(
        ...['artifact', 'verify', path, '--json'],
        ...['--key', join(at, 'keys', 'signing.pub.pem')],
      ),
    );

  describe('in the main job', () => {
    let ended: Ended;
    let retrained: z.infer<typeof retrainSchema>;
    let blend: string;
    before(async () => {
      ended = await sluice('retrain', ...common(), '--out', out);
      retrained = retrainSchema.parse(documentOf(ended));
      blend = `blend_alpha_${retrained.alpha}`;
    });

    it('stands beside the trees, alone and blended, in every window', () => {
      expect(retrained.arms.map(({ policy, promoted }) => [policy, promoted])).to.deep.equal([
        ['tabular_only', false],
        ['nn_only', false],
        [blend, false],
        ['frozen_baseline', null],
        ['ridge', null],
        ['zero', null],
      ]);
      expect(retrained.promoted_policy).to.equal(null);
      expect(neuralConfig().ensemble.alphas).to.include(retrained.alpha);
      expect(neuralConfig().tsmixer.teacher_lambdas).to.include(retrained.lambda);
      const [trees, network, blended] = retrained.arms;
      for (const window of ['validation', 'forward_oos', 'walk_forward'] as const) {
        expect(network![window].metrics.fills, window).to.be.above(0);
        expect(network![window].metrics).to.not.deep.equal(trees![window].metrics);
        expect(blended![window].metrics).to.not.deep.equal(network![window].metrics);
      }
      expect(network!.reasons.join()).to.contain('against tabular_only');
      // 1 of trees, 2 lambdas, 2 alphas
      expect(trees!.validation.statistics.trial_count).to.equal(5);
      expect(ended.stderr).to.match(/^network: /m);
    });

    it('is part of one signed artifact that opens, with golden windows', async () => {
      const { path, digest } = retrained.artifact;
      expect(await verify(path, out)).to.deep.include({ ok: true, digest, violations: [] });
      expect(await inspect(path)).to.deep.include({
        type: 'ensemble_liquid',
        n_tokens: 8,
        n_channels: 3,
        ensemble_alpha: retrained.alpha,
        policies_allowed: ['tabular_only', 'nn_only', blend],
        policy: null,
        trial_count: 5,
      });
      expect(filesBelow(path).map((file) => file.split('/').at(-1))).to.include.members([
        'nn.onnx',
        'normalization.json',
        'tabular.onnx',
      ]);
    });

    it('leaves a run of each policy in each window, scored by the model', async () => {
      const db = await openDatabase({ folder: join(out, 'db'), clock: systemClock });
      const runs = await finishedRuns(db).finally(() => db.close());
      expect(runs).to.have.length(12);
      const scored = runs.filter(({ artifact_digest }) => artifact_digest !== null);
      expect(scored.map(({ config }) => config.policy).sort()).to.deep.equal(
        [
          ...[blend, blend, 'frozen_baseline', 'frozen_baseline'],
          ...['nn_only', 'nn_only', 'tabular_only', 'tabular_only'],
        ].sort(),
      );
      expect(scored.every(({ score_source }) => score_source === 'model')).to.equal(true);
      expect(runs.every(({ config }) => config.promoted_policy === null)).to.equal(true);
      expect(runs.every(({ config }) => config.candidates === 5)).to.equal(true);
    });

    it('shows in the report how lambda and alpha were chosen', () => {
      const html = readFileSync(retrained.report, 'utf8');
      expect(html).to.contain('Learning curves').and.to.contain('(chosen)');
      expect(html)
        .to.contain('beats_tabular_only')
        .and.to.not.match(/NaN|undefined/);
      const { neural, ensemble } = JSON.parse(
        readFileSync(retrained.report.replace(/html$/, 'json'), 'utf8'),
      ) as RetrainReport;
      expect(neural!.lambda_candidates.map(({ lambda }) => lambda)).to.deep.equal([0, 1]);
      expect(neural!.lambda_candidates.every(({ seeds }) => seeds.length === 2)).to.equal(true);
      expect(neural!.distillation).to.include({ lambda: 1, seeds: 2 });
      expect(ensemble!.alpha_candidates).to.have.length(2);
    });

    it('answers a backtest under each of its policies as the retrain did', async () => {
      const [, network, blended] = retrained.arms;
      const { from, to } = (
        JSON.parse(readFileSync(retrained.report.replace(/html$/, 'json'), 'utf8')) as RetrainReport
      ).windows.forward_oos;
      for (const arm of [network!, blended!]) {
        const ended = await sluice(
          ...['backtest', '--artifact', retrained.artifact.path, '--policy', arm.policy],
          ...['--data', join(out, 'bars', retrained.data_version), '--out', out, '--json'],
          ...['--from', new Date(from - 3_600_000).toISOString()],
          ...['--to', new Date(to).toISOString(), '--no-progress'],
        );
        expect(documentOf(ended).metrics, ended.stderr).to.deep.equal(arm.forward_oos.metrics);
      }
    });

    it('stops on request while it trains, and leaves nothing behind', async () => {
      const place = join(folder, 'cancelled');
      const { child, ended } = start(['retrain', ...common(), '--out', place]);
      child.stderr!.on('data', (text: string) => {
        if (text.includes('network: ')) child.kill('SIGINT');
      });
      const stopped = await ended;
      expect(stopped.exit).to.equal(1);
      expect((documentOf(stopped).error as { code: string }).code).to.equal('cancelled');
      expect(leftovers(place)).to.deep.equal([]);
      expect(existsSync(join(place, 'models', 'neural'))).to.equal(false);
    });
  });

  describe('trained alone', () => {
    const train = (place: string, ...args: string[]) =>
      sluice('train', 'tsmixer', ...common(), '--out', place, '--no-progress', ...args);
    interface Trained {
      readonly neural: { readonly lambda_candidates: readonly { readonly lambda: number }[] };
      readonly artifact: { readonly path: string; readonly digest: string };
    }
    const trainedOf = (ended: Ended): Trained => {
      expect(ended.exit, ended.stderr).to.equal(0);
      return documentOf(ended) as unknown as Trained;
    };

    it('becomes a signed artifact of a network alone, the same whenever it is made', async () => {
      const place = join(folder, 'alone');
      const first = trainedOf(await train(place));
      const { path, digest } = first.artifact;
      expect(await verify(path, place)).to.deep.include({ ok: true, digest });
      expect(await inspect(path)).to.deep.include({
        type: 'tsmixer_liquid',
        model_name: 'neural_nn',
        ensemble_alpha: 0,
        policies_allowed: ['nn_only'],
        policy: null,
      });
      expect(first.neural.lambda_candidates.map(({ lambda }) => lambda)).to.deep.equal([0, 1]);
      const kept = join(folder, 'checkpoints');
      const again = trainedOf(await train(place, '--threads', '2', '--checkpoint', kept));
      expect(again.artifact).to.deep.equal(first.artifact);
      expect(filesBelow(kept)).to.have.length(2);
      const resumed = trainedOf(await train(place, '--checkpoint', kept));
      expect(resumed.artifact).to.deep.equal(first.artifact);
    });

    it('takes no teacher where none is wanted, and says what it did', async () => {
      const place = join(folder, 'untaught');
      const told = await sluice(
        ...['train', 'tsmixer', '--config', config, '--as-of', '2026-01-31', '--out', place],
        ...['--no-teacher', '--no-progress'],
      );
      expect(told.exit, told.stderr).to.equal(0);
      expect(told.stdout)
        .to.match(/lambda 0: validation loss \d\.\d+/)
        .and.to.contain('Chosen: lambda 0')
        .and.to.contain(place);
      expect(told.stdout).to.not.contain('lambda 1');
    });

    it('is trained by TensorFlow.js where that is asked for: another artifact, which says so', async () => {
      const place = join(folder, 'untaught');
      const { path } = trainedOf(await train(place, '--no-teacher', '--engine', 'tfjs')).artifact;
      expect(await verify(path, place)).to.deep.include({ ok: true });
      expect((await inspect(path)).engine).to.deep.include({ name: 'tsmixer_tfjs' });
    });
  });
});
