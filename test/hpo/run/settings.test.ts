import { expect } from 'chai';
import { defaultWorkers, shareCores } from '../../../hpo/run/cores.ts';
import { createStopSwitch } from '../../../hpo/run/index.ts';

describe('the cores of a machine', () => {
  it('are left to others by two, unless there are no more', () => {
    expect([1, 2, 3, 4, 16].map(defaultWorkers)).to.deep.equal([1, 1, 1, 2, 14]);
  });

  it('are shared out whole: none idle, none wanted twice', () => {
    expect(shareCores(8, 3)).to.deep.equal([3, 3, 2]);
    expect(shareCores(8, 6)).to.deep.equal([2, 2, 1, 1, 1, 1]);
    expect(shareCores(2, 2)).to.deep.equal([1, 1]);
    for (let cores = 1; cores <= 33; cores += 1) {
      for (let workers = 1; workers <= cores; workers += 1) {
        const shares = shareCores(cores, workers);
        expect(shares.reduce((a, b) => a + b)).to.equal(cores);
        expect(Math.max(...shares) - Math.min(...shares)).to.be.at.most(1);
      }
    }
  });

  it('give one thread to each of more processes than they are', () => {
    expect(shareCores(2, 5)).to.deep.equal([1, 1, 1, 1, 1]);
  });
});

describe('the stop switch', () => {
  it('goes from running to finishing to now, and stays there', () => {
    const stop = createStopSwitch();
    const steps = () => [stop.finish.aborted, stop.now.aborted];
    expect(steps()).to.deep.equal([false, false]);
    expect(stop.press()).to.equal('finish');
    expect(steps()).to.deep.equal([true, false]);
    expect(stop.press()).to.equal('now');
    expect(stop.press()).to.equal('now');
    expect(steps()).to.deep.equal([true, true]);
  });
});
