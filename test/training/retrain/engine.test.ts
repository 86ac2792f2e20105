// Which engine a run is given, what is refused, and what a lineage says of it.

import { expect } from 'chai';
import { type Progress, SluiceError, silent } from '../../../core/index.ts';
import { findSluice } from '../../../training/native/index.ts';
import { engineLineage } from '../../../training/retrain/engine.ts';
import { chooseEngine, type EngineOptions } from '../../../training/retrain/index.ts';
import { nativeEngine } from '../../../training/tsmixer/index.ts';
import { gpu, withEmulatedGpu } from '../native/engineCase.ts';
import { neuralConfig } from './smallConfig.ts';

const { tsmixer } = neuralConfig();

function recorded(): Progress & { readonly lines: string[] } {
  const lines: string[] = [];
  return { lines, update: (stage) => lines.push(stage) };
}

describe('the engine of a run', () => {
  it('is the native one on the CPU where nothing else is asked for', () => {
    const engine = chooseEngine(tsmixer, {}, silent)!;
    expect(engine.name).to.equal('native');
    expect(engine.device).to.include({ kind: 'cpu', precision: 'fp32' });
  });

  it('is what the options ask for, whatever the config says', () => {
    const config = { ...tsmixer, device: 'cuda' } as const;
    expect(chooseEngine(config, { device: 'cpu' }, silent)!.device.kind).to.equal('cpu');
    const tfjs = chooseEngine(tsmixer, { engine: 'tfjs' }, silent)!;
    expect(tfjs.version).to.match(/^\d+\.\d+\.\d+-[a-z]+$/);
  });

  it('takes a precision for GPUs from the config without a word where the CPU trains', () => {
    expect(tsmixer.precision).to.equal('tf32');
    expect(chooseEngine(tsmixer, { device: 'cpu' }, silent)!.device.precision).to.equal('fp32');
    const fp32: EngineOptions = { device: 'cpu', precision: 'fp32' };
    expect(chooseEngine(tsmixer, fp32, silent)!.device.kind).to.equal('cpu');
  });

  it('says in one line what auto came to', () => {
    const progress = recorded();
    const engine = chooseEngine({ ...tsmixer, device: 'auto' }, { precision: 'tf32' }, progress)!;
    expect(progress.lines).to.have.length(1);
    const named = engine.device.kind === 'cpu' ? 'the CPU, in fp32' : engine.device.name;
    expect(progress.lines[0]).to.contain(`device auto: ${named}`);
    const quiet = recorded();
    chooseEngine(tsmixer, { device: 'cpu' }, quiet);
    expect(quiet.lines).to.deep.equal([]);
  });

  it('is none without a network', () => {
    expect(chooseEngine(null, {}, silent)).to.equal(null);
    expect(chooseEngine(null, { device: 'auto' }, silent)).to.equal(null);
  });

  it('is refused where it could not do what is asked', () => {
    const refused: [typeof tsmixer | null, EngineOptions][] = [
      [tsmixer, { precision: 'tf32' }],
      [tsmixer, { device: 'cpu', precision: 'tf32' }],
      [tsmixer, { engine: 'tfjs', device: 'cuda' }],
      [tsmixer, { engine: 'tfjs', precision: 'fp32' }],
      [{ ...tsmixer, device: 'cuda' }, { engine: 'tfjs' }],
      [null, { device: 'cuda' }],
      [null, { precision: 'fp32' }],
    ];
    for (const [config, options] of refused) {
      expect(() => chooseEngine(config, options, silent), JSON.stringify(options))
        .to.throw(SluiceError)
        .with.property('code', 'bad_usage');
    }
  });

  describe('in a lineage', () => {
    withEmulatedGpu();

    it('is its id, and of a GPU what the manifest records beside it', () => {
      expect(Object.keys(engineLineage(nativeEngine()))).to.deep.equal(['engine']);
      const onGpu = nativeEngine(findSluice(gpu.tf32.path), 'tf32');
      expect(engineLineage(onGpu)).to.deep.equal({
        engine: 'native 2-emulated-sm90-tf32',
        gpu: { name: 'emulated GPU', driver: '13.0' },
      });
    });
  });
});
