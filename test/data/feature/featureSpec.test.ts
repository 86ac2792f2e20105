import { expect } from 'chai';
import { SluiceError } from '../../../core/index.ts';
import {
  barFeaturesBaseline,
  barFeaturesV1,
  createFeatureStream,
  type FeatureSpec,
  featureSpecJson,
  featureVersion,
  parseFeatureSpec,
} from '../../../data/feature/index.ts';
import { toyTimeframeMs } from './toyPanel.ts';

const v1 = barFeaturesV1({ symbolCount: 2, timeframeMs: toyTimeframeMs });

/** v1 as JSON with one entry changed. */
function withEntry(change: Readonly<Record<string, unknown>>, at = 0): Record<string, unknown> {
  const json = structuredClone(featureSpecJson(v1));
  return { ...json, entries: json.entries.map((e, i) => (i === at ? { ...e, ...change } : e)) };
}

function violationsOf(parse: () => unknown): string {
  try {
    parse();
  } catch (error) {
    expect(error).instanceOf(SluiceError);
    expect((error as SluiceError).code).to.equal('config_invalid');
    return (error as SluiceError).message;
  }
  throw new Error('nothing was thrown');
}

describe('a feature spec as JSON', () => {
  it('comes back from its text as the same spec with the same version', () => {
    for (const spec of [v1, barFeaturesBaseline({ symbolCount: 1, timeframeMs: 60_000 })]) {
      const back = parseFeatureSpec(JSON.parse(JSON.stringify(featureSpecJson(spec))));
      expect(back).to.deep.equal(spec);
      expect(featureVersion(back)).to.equal(featureVersion(spec));
    }
  });

  it('has the version that was released; a changed set needs a new payload schema version and a new pin', () => {
    expect(featureVersion(v1)).to.equal(
      '73dc7f80213b103a90d64eae98de4bdead126fd8130618a8b576bf09c1a9a639',
    );
    expect(
      featureVersion(barFeaturesBaseline({ symbolCount: 2, timeframeMs: toyTimeframeMs })),
    ).to.equal('55a5464695986f28c3840e3643c7bdaa32713ac51e231fc53001bcc39a5e1258');
  });

  it('has another version for any other window, order, name or bar length', () => {
    const entries = [...v1.entries];
    const changed: FeatureSpec[] = [
      { ...v1, entries: entries.slice(1) },
      { ...v1, entries: [entries[1]!, entries[0]!, ...entries.slice(2)] },
      { ...v1, entries: [{ ...entries[0]!, name: 'other' }, ...entries.slice(1)] },
      { ...v1, lookbackBars: 170 },
      { ...v1, payloadSchemaVersion: 'bar_features_v2' },
      barFeaturesV1({ symbolCount: 2, timeframeMs: 300_000 }),
      barFeaturesV1({ symbolCount: 1, timeframeMs: toyTimeframeMs }),
    ];
    expect(new Set([v1, ...changed].map(featureVersion)).size).to.equal(changed.length + 1);
  });

  it('is refused with a sentence for each thing that is wrong', () => {
    const bars = { bars: 1, bar_ms: toyTimeframeMs };
    const cases: readonly (readonly [unknown, RegExp])[] = [
      [withEntry({ kind: 'log_retrun' }), /unknown kind "log_retrun", did you mean "log_return"/],
      [withEntry({ kind: 'constructor' }), /unknown kind "constructor"/],
      [withEntry({ unit: 'usd' }), /unit of log_return is log_return, not usd/],
      [withEntry({ nullable: false }), /nullable of log_return is true/],
      [withEntry({ source: 'calendar' }), /source of log_return is bars/],
      [withEntry({ params: { bar_ms: toyTimeframeMs } }), /takes bar_ms, bars, found bar_ms/],
      [withEntry({ params: { ...bars, lag: 1 } }), /found bar_ms, bars, lag/],
      [withEntry({ params: { ...bars, bars: 169 } }), /looks back 170 bars, the spec 169/],
      [withEntry({ params: { ...bars, bars: 0 } }), /entries\.0\.params\.bars/],
      [withEntry({ params: { ...bars, bars: 1.5 } }), /entries\.0\.params\.bars/],
      [withEntry({ params: { ...bars, bar_ms: 60_000 } }, 3), /bar_ms differs/],
      [withEntry({ name: 'log_return_2' }), /log_return_2: the name stands twice/],
      [withEntry({ name: 'Log Return' }), /entries\.0\.name/],
      [withEntry({ colour: 'red' }), /unknown key "colour"/],
      [withEntry({ dtype: 'float64' }), /entries\.0\.dtype/],
      [{ ...featureSpecJson(v1), entries: [] }, /entries/],
      [{ ...featureSpecJson(v1), lookback_bar: 1 }, /did you mean "lookback_bars"/],
      [null, /feature spec/],
    ];
    for (const [json, sentence] of cases) {
      expect(violationsOf(() => parseFeatureSpec(json))).to.match(sentence);
    }
  });

  it('names all violations at once', () => {
    const json = withEntry({ unit: 'usd', source: 'calendar' });
    expect(violationsOf(() => parseFeatureSpec(json))).to.match(/unit of.*; .*source of/);
  });

  it('is checked by the stream too, however it was made', () => {
    const zscore = v1.entries.find((entry) => entry.kind === 'volume_zscore')!;
    const one = { ...zscore, params: { ...zscore.params, bars: 1 } };
    const make = (spec: FeatureSpec) => () => createFeatureStream(spec, 1, toyTimeframeMs);
    expect(violationsOf(make({ ...v1, entries: [] }))).to.match(/at least one entry/);
    expect(violationsOf(make({ ...v1, entries: [one] }))).to.match(/at least 2 bars/);
  });
});
