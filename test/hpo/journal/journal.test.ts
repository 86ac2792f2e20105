import { deepStrictEqual } from 'node:assert';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import fc from 'fast-check';
import { projectPath, type SluiceError } from '../../../core/index.ts';
import { openJournal, readJournal } from '../../../hpo/journal/index.ts';
import type { FrozenTrial } from '../../../hpo/study/index.ts';
import { anyTrial } from './anyTrial.ts';
import { killRounds } from './killRounds.ts';
import { smallTrial } from './smallTrial.ts';

const study = 'coarse';
const thrownBy = (work: () => unknown): SluiceError => {
  try {
    work();
  } catch (error) {
    return error as SluiceError;
  }
  throw new Error('nothing was thrown');
};

describe('the journal of a study', () => {
  let folder: string;
  let path: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-journal-'));
    path = join(folder, 'study.jsonl');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const write = (...trials: FrozenTrial[]) => {
    const journal = openJournal(path, study);
    journal.append(trials);
    journal.close();
  };
  const numbers = () => [...readJournal(path, study)].map(({ number }) => number);

  it('holds a line for each trial, and finds them again', () => {
    write(smallTrial(0), smallTrial(2));
    write(smallTrial(1));
    expect(readFileSync(path, 'utf8').split('\n')).to.have.length(4);
    const journal = openJournal(path, study);
    expect(journal.trials).to.deep.equal([0, 2, 1].map(smallTrial));
    expect(JSON.parse(readFileSync(path, 'utf8').split('\n')[0]!)).to.deep.include({
      study,
      number: 0,
      state: 'COMPLETE',
      intermediate_values: [[0, { number: 'NaN' }]],
    });
    journal.close();
  });

  it('gives every trial back as it was, whatever doubles, names and attributes it has', () => {
    const trials = fc.tuple(anyTrial(0), anyTrial(1));
    fc.assert(
      fc.property(trials, (given) => {
        writeFileSync(path, '');
        write(...given);
        const read = [...readJournal(path, study)];
        // tells -0 from 0, and keys of maps by more than their text; but not their order
        deepStrictEqual(read, given);
        read.forEach((trial, i) => {
          expect([...trial.params.keys()]).to.deep.equal([...given[i]!.params.keys()]);
          expect([...trial.reports.keys()]).to.deep.equal([...given[i]!.reports.keys()]);
        });
      }),
      { seed: 4, numRuns: 150 },
    );
  });

  it('loses no whole line and believes no torn one, wherever the file is cut', () => {
    write(...[0, 1, 2].map(smallTrial));
    const whole = readFileSync(path);
    for (let size = 0; size <= whole.length; size += 1) {
      writeFileSync(path, whole.subarray(0, size));
      const count = whole.subarray(0, size).filter((byte) => byte === 10).length;
      const kept = Array.from({ length: count }, (_, i) => i);
      expect(numbers()).to.deep.equal(kept);
      // a flush takes its time: every byte is read, some of them and all about the newlines are written on
      const isNearLine = whole.subarray(Math.max(0, size - 2), size + 2).includes(10);
      if (!isNearLine && size % 60 > 0) continue;
      const journal = openJournal(path, study);
      expect(journal.trials.map(({ number }) => number)).to.deep.equal(kept);
      journal.append([smallTrial(7)]);
      journal.close();
      expect(numbers()).to.deep.equal([...kept, 7]);
    }
  });

  it('believes no torn end of any bytes, nor a last line whose middle never reached the disk', () => {
    // some longer than the line that will stand in their place
    const tail = fc.uint8Array({ minLength: 1, maxLength: 800, size: 'max' });
    fc.assert(
      fc.property(tail, fc.boolean(), (bytes, isLine) => {
        writeFileSync(path, '');
        write(smallTrial(0));
        const zeros = isLine ? Buffer.from('{"study":"coa\0\0\0\0\0\0}\n') : Buffer.alloc(0);
        appendFileSync(path, zeros);
        if (!isLine)
          appendFileSync(
            path,
            bytes.map((byte) => (byte === 10 ? 0 : byte)),
          );
        expect(numbers()).to.deep.equal([0]);
        write(smallTrial(1));
        expect(numbers()).to.deep.equal([0, 1]);
        expect(readFileSync(path, 'utf8')).to.match(/^({.*}\n){2}$/);
      }),
      { seed: 5, numRuns: 60 },
    );
  });

  it('refuses a whole line that is wrong, naming it, and leaves the file as it is', () => {
    write(...[0, 1].map(smallTrial));
    const good = readFileSync(path, 'utf8');
    const [first, second] = good.trim().split('\n') as [string, string];
    const wrong: [string, RegExp][] = [
      [`not json\n${second}\n`, /line 1 is not JSON though lines follow/],
      [`${first}\n${first}\n`, /line 2 is trial 0, which line 1 was already/],
      [
        good.replace('"coarse"', '"other"'),
        /line 1 is a trial of study "other", expected "coarse"/,
      ],
      [good.replace('"COMPLETE"', '"RUNNING"'), /line 1: state/],
      [`${first}\n{}\n`, /line 2: study/],
    ];
    for (const [text, message] of wrong) {
      writeFileSync(path, text);
      for (const open of [() => openJournal(path, study), () => [...readJournal(path, study)]]) {
        const error = thrownBy(open);
        expect(error.code).to.equal('input_invalid');
        expect(error.message).to.match(message);
      }
      expect(readFileSync(path, 'utf8')).to.equal(text);
    }
  });

  it('refuses a trial that is there or not finished, and then adds none of the others', () => {
    const journal = openJournal(path, study);
    journal.append([smallTrial(0)]);
    const bad: [FrozenTrial[], RegExp][] = [
      [[smallTrial(1), smallTrial(0)], /trial 0 is there already/],
      [[smallTrial(1), smallTrial(1)], /trial 1 is there already/],
      [[smallTrial(1), { ...smallTrial(2), state: 'RUNNING' }], /trial 2 is RUNNING, not finished/],
    ];
    for (const [trials, message] of bad) {
      const error = thrownBy(() => journal.append(trials));
      expect(error.code).to.equal('internal');
      expect(error.message).to.match(message);
    }
    journal.append([smallTrial(1)]);
    journal.close();
    expect(numbers()).to.deep.equal([0, 1]);
  });

  it('is written by one at a time, in one process too and by whatever path', () => {
    const journal = openJournal(path, study);
    const other = join(folder, 'other.jsonl');
    symlinkSync(path, other);
    for (const way of [path, other]) {
      const error = thrownBy(() => openJournal(way, study));
      expect(error.code).to.equal('database_busy');
    }
    journal.append([smallTrial(0)]);
    expect(numbers()).to.deep.equal([0]);
    journal.close();
    openJournal(path, study).close();
  });

  it('is another process’s until that one ends, even by kill -9', async () => {
    const child = spawn(process.execPath, [
      projectPath('test/hpo/journal/writer.ts'),
      path,
      'hold',
    ]);
    const ended = once(child, 'close');
    await once(child.stdout, 'data');
    expect(thrownBy(() => openJournal(path, study)).code).to.equal('database_busy');
    child.kill('SIGKILL');
    await ended;
    openJournal(path, study).close();
  });

  it('keeps what it had when the disk is full, and goes on once there is room', async () => {
    write(smallTrial(0));
    const before = readFileSync(path);
    // no file may grow beyond 2 blocks of 1 KiB: writing more fails in the middle, as on a full disk
    const child = spawn(
      'bash',
      [
        '-c',
        'ulimit -f 2; exec "$@"',
        'bash',
        process.execPath,
        projectPath('test/hpo/journal/writer.ts'),
        path,
        'full',
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    const said: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => said.push(chunk));
    await once(child, 'close');
    expect(Buffer.concat(said).toString()).to.match(
      /^io_failed Cannot write .* is safe\.\nadded 4\n$/,
    );
    expect(readFileSync(path).subarray(0, before.length)).to.deep.equal(before);
    // 1 and 2 were whole on the disk, but not promised
    expect(numbers()).to.deep.equal([0, 4]);
    write(smallTrial(2));
    expect(numbers()).to.deep.equal([0, 4, 2]);
  });

  it('says that a journal is not there, or cannot be made or locked', () => {
    expect(thrownBy(() => [...readJournal(path, study)]).code).to.equal('input_missing');
    writeFileSync(path, '');
    expect(thrownBy(() => openJournal(join(path, 'below'), study)).code).to.equal('io_failed');
    mkdirSync(`${path}.lock`);
    const error = thrownBy(() => openJournal(path, study));
    expect(error.code).to.equal('io_failed');
    expect(error.message).to.match(/^Cannot lock /);
  });

  it('reads lines longer than any buffer', () => {
    const long = { ...smallTrial(0), userAttributes: new Map([['text', 'é'.repeat(200_000)]]) };
    write(long, smallTrial(1));
    expect([...readJournal(path, study)]).to.deep.equal([long, smallTrial(1)]);
    truncateSync(path, statSync(path).size - 1);
    expect([...readJournal(path, study)]).to.deep.equal([long]);
  });

  it('loses no trial and none counts twice when its writer is killed at random moments', async () => {
    const { acknowledged } = await killRounds(path, 12);
    expect(acknowledged).to.be.greaterThan(12);
  });
});
