-- Searches for parameters: how many trials there ever were on a market, and what survived all stages.

CREATE TABLE search_trials (
  market text NOT NULL CHECK (market <> ''),
  study_name text NOT NULL CHECK (study_name <> ''),
  trials bigint NOT NULL CHECK (trials >= 0),
  PRIMARY KEY (market, study_name)
);

CREATE FUNCTION refuse_fewer() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.trials < OLD.trials OR NEW.market <> OLD.market OR NEW.study_name <> OLD.study_name THEN
    RAISE EXCEPTION 'the trials of % on % never become fewer', OLD.study_name, OLD.market
      USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$;

CREATE TRIGGER search_trials_grow BEFORE UPDATE ON search_trials
  FOR EACH ROW EXECUTE FUNCTION refuse_fewer();
CREATE TRIGGER search_trials_stay BEFORE DELETE ON search_trials
  FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER search_trials_kept BEFORE TRUNCATE ON search_trials
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TABLE gate_candidates (
  -- digest of config and data, the one that oos_touches knows it by
  candidate text PRIMARY KEY CHECK (candidate ~ '^[0-9a-f]{64}$'),
  market text NOT NULL CHECK (market <> ''),
  data_version text NOT NULL CHECK (data_version <> ''),
  -- a search on simulated or seen data makes no candidate
  data_regime text NOT NULL CHECK (data_regime = 'prod_live'),
  config jsonb NOT NULL CHECK (jsonb_typeof(config) = 'object'),
  -- trial of each stage: [{"study_name", "number", "value"}, ...], coarse first
  stages jsonb NOT NULL CHECK (jsonb_typeof(stages) = 'array' AND jsonb_array_length(stages) = 3),
  lineage_id text NOT NULL CHECK (lineage_id <> ''),
  -- every trial ever made in the lineage
  trial_count bigint NOT NULL CHECK (trial_count >= 3),
  evidence jsonb NOT NULL CHECK (jsonb_typeof(evidence) = 'object'),
  registered_at timestamptz NOT NULL
);

CREATE TRIGGER gate_candidates_immutable BEFORE UPDATE OR DELETE ON gate_candidates
  FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER gate_candidates_kept BEFORE TRUNCATE ON gate_candidates
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
