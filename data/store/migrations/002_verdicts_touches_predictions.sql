-- What was decided on the evidence, and what was answered to whom.

CREATE TABLE gate_verdicts (
  verdict_id text PRIMARY KEY CHECK (verdict_id ~ '^[0-9a-f]{64}$'),
  status text NOT NULL CHECK (status IN ('pass', 'fail', 'insufficient_observation')),
  data_regime text NOT NULL CHECK (data_regime IN ('prod_live', 'maintenance_replay', 'mixed')),
  run_ids jsonb NOT NULL CHECK (jsonb_typeof(run_ids) = 'array'),
  verdict jsonb NOT NULL CHECK (jsonb_typeof(verdict) = 'object'),
  created_at timestamptz NOT NULL,
  CONSTRAINT gate_verdicts_same CHECK (
    verdict ->> 'status' IS NOT DISTINCT FROM status
    AND verdict ->> 'data_regime' IS NOT DISTINCT FROM data_regime
    AND verdict -> 'run_ids' IS NOT DISTINCT FROM run_ids
  ),
  -- the gate's purity, once more where nothing can go round it
  CONSTRAINT gate_verdicts_pure CHECK (status <> 'pass' OR (
    data_regime = 'prod_live'
    AND verdict #> '{filters,include_sources}' IS NOT DISTINCT FROM '["prod"]'::jsonb
    AND verdict #>> '{filters,score_source}' IS NOT DISTINCT FROM 'model'
    AND jsonb_array_length(run_ids) > 0
  ))
);

CREATE TRIGGER gate_verdicts_immutable BEFORE UPDATE OR DELETE ON gate_verdicts
  FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER gate_verdicts_kept BEFORE TRUNCATE ON gate_verdicts
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- One row for each look of a candidate at its forward-OOS window; the second look is recorded, not hidden.
CREATE TABLE oos_touches (
  touch_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  candidate text NOT NULL CHECK (candidate <> ''),
  data_version text NOT NULL CHECK (data_version <> ''),
  window_from timestamptz NOT NULL,
  window_to timestamptz NOT NULL,
  run_id text NOT NULL CHECK (run_id <> ''),
  touched_at timestamptz NOT NULL,
  CONSTRAINT oos_touches_window CHECK (window_from < window_to)
);

CREATE INDEX oos_touches_candidate ON oos_touches (candidate, window_from, window_to);
CREATE TRIGGER oos_touches_immutable BEFORE UPDATE OR DELETE ON oos_touches
  FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER oos_touches_kept BEFORE TRUNCATE ON oos_touches
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TABLE predictions (
  prediction_id text PRIMARY KEY CHECK (prediction_id <> ''),
  lineage_id text NOT NULL CHECK (lineage_id <> ''),
  artifact_digest text NOT NULL CHECK (artifact_digest <> ''),
  model_name text NOT NULL CHECK (model_name <> ''),
  model_version text NOT NULL CHECK (model_version <> ''),
  policy text NOT NULL CHECK (policy <> ''),
  answered_at timestamptz NOT NULL,
  symbols jsonb CHECK (jsonb_typeof(symbols) = 'array'),
  times jsonb CHECK (jsonb_typeof(times) = 'array'),
  -- little-endian float32, row-major; NaN = missing
  features bytea NOT NULL CHECK (octet_length(features) % 4 = 0),
  scores jsonb NOT NULL CHECK (jsonb_typeof(scores) = 'array'),
  explanation jsonb CHECK (jsonb_typeof(explanation) = 'object')
);

CREATE INDEX predictions_answered ON predictions (answered_at);
