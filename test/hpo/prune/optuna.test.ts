// Our pruners beside Optuna's: on recorded studies, and live where PEER_PYTHON names a Python with Optuna 5.

import { spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { projectPath } from '../../../core/index.ts';
import { percentilePruner } from '../../../hpo/prune/index.ts';
import { needsPeerPython } from '../../peerPython.ts';
import { type Recording, replay } from './replay.ts';

const folder = projectPath('test', 'hpo', 'prune');
const kinds = ['median', 'percentile', 'successive_halving', 'hyperband'] as const;

const parse = (lines: string): Recording[] =>
  lines
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));

function judge(recordings: readonly Recording[]): void {
  for (const { optuna } of recordings) expect(optuna).to.match(/^5\./);
  const replays = recordings.map((recording) => replay(recording));
  expect(replays.flatMap(({ differences }) => differences).slice(0, 10)).to.deep.equal([]);
  const sum = (of: 'decisions' | 'pruned') => replays.reduce((total, one) => total + one[of], 0);
  // a recording in which nothing happens would agree with anything
  expect(sum('pruned')).to.be.greaterThan(recordings.length);
  expect(sum('decisions') - sum('pruned')).to.be.greaterThan(10 * recordings.length);
}

describe('pruners beside Optuna', () => {
  const recordings = parse(readFileSync(`${folder}/optuna_decisions.jsonl`, 'utf8'));

  for (const kind of kinds)
    it(`decides as ${kind} did in every recorded study`, () => {
      judge(recordings.filter(({ pruner }) => pruner === kind));
    });

  it('sees a pruner whose decisions are not the recorded ones', () => {
    const median = recordings.filter(({ pruner }) => pruner === 'median');
    const wrong = percentilePruner(45);
    const differing = median.filter((recording) => replay(recording, wrong).differences.length > 0);
    expect(differing.length).to.be.greaterThan(median.length / 2);
  });

  it('decides as Optuna does now, on studies of a fresh seed', function () {
    this.timeout(120_000);
    const python = needsPeerPython(this);
    const seed = randomInt(1_000_000);
    const program = `${folder}/optuna_decisions.py`;
    const { stdout, stderr, status } = spawnSync(
      python,
      [program, '--seeds', String(seed), '--trials', '20'],
      { encoding: 'utf8', maxBuffer: 2 ** 28 },
    );
    expect(status, stderr).to.equal(0);
    // the seed stands in the study's name, so a difference can be recorded again
    judge(parse(stdout));
  });
});
