-- Where the studies of a search belong, beside Optuna's tables. The triggers count every trial, whichever program
-- makes it, and keep the count of a study that any program deletes.
CREATE TABLE IF NOT EXISTS sluice_studies (
  sluice_study_id SERIAL PRIMARY KEY,
  study_id INTEGER UNIQUE, -- NULL: the study was deleted
  study_name TEXT NOT NULL,
  lineage_id TEXT NOT NULL,
  config_digest TEXT NOT NULL,
  stage INTEGER NOT NULL,
  parent_study_name TEXT,
  trial_count INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS sluice_studies_lineage ON sluice_studies (lineage_id);
CREATE TABLE IF NOT EXISTS sluice_provenance (
  sluice_study_id INTEGER NOT NULL REFERENCES sluice_studies (sluice_study_id),
  trial_number INTEGER NOT NULL,
  parent_study_name TEXT,
  parent_trial_number INTEGER,
  evidence_json TEXT NOT NULL,
  PRIMARY KEY (sluice_study_id, trial_number)
);
CREATE INDEX IF NOT EXISTS sluice_waiting ON trials (study_id) WHERE state = 'WAITING';
CREATE INDEX IF NOT EXISTS sluice_running ON trials (study_id) WHERE state = 'RUNNING';
CREATE OR REPLACE FUNCTION sluice_count_trial() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE sluice_studies SET trial_count = trial_count + 1 WHERE study_id = NEW.study_id;
  RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER sluice_count_trial AFTER INSERT ON trials
  FOR EACH ROW EXECUTE FUNCTION sluice_count_trial();
CREATE OR REPLACE FUNCTION sluice_study_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE sluice_studies SET study_id = NULL WHERE study_id = OLD.study_id;
  RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER sluice_study_deleted AFTER DELETE ON studies
  FOR EACH ROW EXECUTE FUNCTION sluice_study_deleted();
