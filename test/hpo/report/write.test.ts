import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { SluiceError } from '../../../core/index.ts';
import { readSearch, renderReport, writeReport } from '../../../hpo/report/index.ts';
import { openMemoryStorage } from '../../../hpo/storage/index.ts';
import type { Lineage, Storage } from '../../../hpo/study/index.ts';
import { treeTrials } from './searches.ts';

const lineage = (stage: number, parent: string | null): Lineage => ({
  lineageId: 'lin',
  configDigest: 'd'.repeat(64),
  stage,
  parent,
});

/** Two stages and a deleted study of one lineage, and a study of none. */
async function stored(): Promise<Storage> {
  const storage = openMemoryStorage();
  const add = async (name: string, trials: number, seed: number, belongs: Lineage | null) => {
    const { id } = await storage.createStudy(name, ['MAXIMIZE']);
    if (belongs !== null) await storage.setLineage(id, belongs);
    for (const { id: _, number: __, ...draft } of treeTrials(trials, seed)) {
      await storage.addTrial(id, draft);
    }
    return id;
  };
  await storage.deleteStudy(await add('gone', 3, 1, lineage(1, null)));
  const coarse = await add('coarse', 12, 2, lineage(1, null));
  const names = new Map([['study:metric_names', ['profit']]]);
  await storage.setStudyAttributes(coarse, 'system', names);
  const refine = await add('refine', 2, 3, lineage(2, 'coarse'));
  for (const [number, parent] of [4, 8].entries()) {
    const taken = { studyName: 'coarse', number: parent };
    await storage.setProvenance(refine, number, { parent: taken, evidence: null });
  }
  await add('elsewhere', 2, 4, null);
  return storage;
}

describe('hpo/report: a search of a storage', () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'hpo-report-'));
  });
  after(() => rmSync(folder, { recursive: true }));

  it('is written whole from any study of its lineage, as HTML and JSON', async () => {
    const storage = await stored();
    const base = join(folder, 'reports', 'search');
    const written = await writeReport({ storage, study: 'refine', base, clock: () => 86_400_000 });
    const { report, htmlPath, jsonPath } = written;
    expect(JSON.parse(readFileSync(jsonPath, 'utf8'))).to.deep.equal(report);
    expect(readFileSync(htmlPath, 'utf8')).to.equal(renderReport(report));
    expect(report.trial_count).to.equal(3 + 12 + 2);
    expect(report.made_at).to.equal(86_400_000);
    expect(report.studies.map(({ name, deleted }) => [name, deleted])).to.deep.equal([
      ['gone', true],
      ['coarse', false],
      ['refine', false],
    ]);
    const [, coarse, refine] = report.studies;
    expect(coarse!.objectives).to.deep.equal(['profit']);
    expect(
      coarse!.trials.filter((trial) => trial.went_on).map(({ number }) => number),
    ).to.deep.equal([4, 8]);
    expect(refine!.trials[1]!.parent).to.deep.equal({ study: 'coarse', number: 8 });
  });

  it('is a study alone if it has no lineage', async () => {
    const search = await readSearch(await stored(), 'elsewhere');
    expect(search.lineageId).to.equal(null);
    expect(search.studies.map(({ snapshot }) => snapshot!.trials.length)).to.deep.equal([2]);
  });

  it('names the studies that are there when it is asked for another', async () => {
    const error = await readSearch(await stored(), 'refined').catch((thrown: unknown) => thrown);
    expect(error).to.be.instanceOf(SluiceError);
    expect(error).to.include({ code: 'input_missing' });
    expect((error as Error).message).to.contain('coarse, refine, elsewhere');
  });
});
