-- What was learned from, what was learned, and how it did.
-- A CHECK that is null passes: what may be missing is compared with IS NOT DISTINCT FROM.

CREATE TABLE datasets (
  data_version text PRIMARY KEY CHECK (data_version <> ''),
  path text NOT NULL CHECK (path <> ''),
  timeframe text NOT NULL CHECK (timeframe ~ '^[1-9][0-9]{0,3}[mhd]$'),
  row_count bigint NOT NULL CHECK (row_count >= 0),
  symbols jsonb NOT NULL CHECK (jsonb_typeof(symbols) = 'array'),
  range_from timestamptz NOT NULL,
  range_to timestamptz NOT NULL,
  venue text NOT NULL CHECK (venue <> ''),
  simulated boolean NOT NULL,
  sources jsonb NOT NULL CHECK (jsonb_typeof(sources) = 'array'),
  report jsonb NOT NULL CHECK (jsonb_typeof(report) = 'object'),
  created_at timestamptz NOT NULL,
  CONSTRAINT datasets_range CHECK (range_from <= range_to)
);

CREATE TABLE models (
  artifact_digest text PRIMARY KEY CHECK (artifact_digest <> ''),
  model_name text NOT NULL CHECK (model_name <> ''),
  model_version text NOT NULL CHECK (model_version <> ''),
  type text NOT NULL CHECK (type IN ('lightgbm_liquid', 'tsmixer_liquid', 'ensemble_liquid')),
  role text NOT NULL CHECK (role IN ('candidate', 'promoted', 'frozen_baseline', 'rejected')),
  lineage_id text NOT NULL CHECK (lineage_id <> ''),
  path text NOT NULL CHECK (path <> ''),
  manifest jsonb NOT NULL CHECK (jsonb_typeof(manifest) = 'object'),
  created_at timestamptz NOT NULL,
  CONSTRAINT models_name_version UNIQUE (model_name, model_version)
);

CREATE TABLE backtest_runs (
  run_id text PRIMARY KEY CHECK (run_id <> ''),
  run_source text NOT NULL CHECK (run_source IN ('prod', 'maintenance', 'smoke', 'async_test')),
  score_source text NOT NULL CHECK (score_source IN ('model', 'heuristic', 'fallback')),
  data_regime text NOT NULL CHECK (data_regime IN ('prod_live', 'maintenance_replay', 'mixed')),
  status text NOT NULL CHECK (status IN ('running', 'completed', 'failed')),
  config jsonb NOT NULL CHECK (
    jsonb_typeof(config) = 'object' AND config ?& ARRAY['policy', 'data_version', 'window', 'trial_count']
  ),
  metrics jsonb CHECK (metrics IS NULL OR (
    jsonb_typeof(metrics) = 'object'
    AND metrics ?& ARRAY['sharpe_daily', 'sharpe_step_raw', 'observation_days', 'vol_floor_applied', 'daily']
    AND metrics ->> 'sharpe_method' IS NOT DISTINCT FROM 'daily_agg_v1'
  )),
  lineage_id text NOT NULL CHECK (lineage_id <> ''),
  artifact_digest text CHECK (artifact_digest <> ''),
  started_at timestamptz NOT NULL,
  finished_at timestamptz,
  -- a config that repeats a label says the same as the column
  CONSTRAINT backtest_runs_config_labels CHECK (
    coalesce(config ->> 'data_regime', data_regime) = data_regime
    AND coalesce(config ->> 'run_source', run_source) = run_source
    AND coalesce(config ->> 'score_source', score_source) = score_source
  ),
  CONSTRAINT backtest_runs_finished CHECK (
    CASE status
      WHEN 'running' THEN metrics IS NULL AND finished_at IS NULL
      WHEN 'completed' THEN metrics IS NOT NULL AND finished_at IS NOT NULL AND finished_at >= started_at
      ELSE finished_at IS NOT NULL AND finished_at >= started_at
    END
  )
);

CREATE INDEX backtest_runs_labels ON backtest_runs (run_source, score_source, data_regime, finished_at);

-- Evidence does not change after the fact: neither by a row nor by the whole table.
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'rows of % are immutable', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
END $$;

CREATE TRIGGER backtest_runs_immutable BEFORE UPDATE OR DELETE ON backtest_runs
  FOR EACH ROW WHEN (OLD.status <> 'running') EXECUTE FUNCTION refuse_change();
CREATE TRIGGER backtest_runs_kept BEFORE TRUNCATE ON backtest_runs
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
