BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('v3.2.0.a');
CREATE TABLE studies (
	study_id INTEGER NOT NULL, 
	study_name VARCHAR(512) NOT NULL, 
	PRIMARY KEY (study_id)
);
INSERT INTO "studies" VALUES(1,'python');
INSERT INTO "studies" VALUES(2,'pareto');
CREATE TABLE study_directions (
	study_direction_id INTEGER NOT NULL, 
	direction VARCHAR(8) NOT NULL, 
	study_id INTEGER NOT NULL, 
	objective INTEGER NOT NULL, 
	PRIMARY KEY (study_direction_id), 
	UNIQUE (study_id, objective), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
INSERT INTO "study_directions" VALUES(1,'MINIMIZE',1,0);
INSERT INTO "study_directions" VALUES(2,'MINIMIZE',2,0);
INSERT INTO "study_directions" VALUES(3,'MAXIMIZE',2,1);
CREATE TABLE study_system_attributes (
	study_system_attribute_id INTEGER NOT NULL, 
	study_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (study_system_attribute_id), 
	UNIQUE (study_id, "key"), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
CREATE TABLE study_user_attributes (
	study_user_attribute_id INTEGER NOT NULL, 
	study_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (study_user_attribute_id), 
	UNIQUE (study_id, "key"), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
INSERT INTO "study_user_attributes" VALUES(1,1,'note','{"by": "optuna"}');
CREATE TABLE trial_heartbeats (
	trial_heartbeat_id INTEGER NOT NULL, 
	trial_id INTEGER NOT NULL, 
	heartbeat DATETIME NOT NULL, 
	PRIMARY KEY (trial_heartbeat_id), 
	UNIQUE (trial_id), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
CREATE TABLE trial_intermediate_values (
	trial_intermediate_value_id INTEGER NOT NULL, 
	trial_id INTEGER NOT NULL, 
	step INTEGER NOT NULL, 
	intermediate_value FLOAT, 
	intermediate_value_type VARCHAR(7) NOT NULL, 
	PRIMARY KEY (trial_intermediate_value_id), 
	UNIQUE (trial_id, step), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_intermediate_values" VALUES(1,1,1,-8.29779952974259771281e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(2,2,1,-1.03232525769330063525e+00,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(3,3,1,-8.26951976328730076204e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(4,4,1,4.1789112046320884275e+00,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(5,5,1,-3.15983604874793710948e+00,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(6,6,1,4.89663180250276397487e+00,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(7,7,0,0.5,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(8,7,1,NULL,'NAN');
INSERT INTO "trial_intermediate_values" VALUES(9,7,2,NULL,'INF_POS');
INSERT INTO "trial_intermediate_values" VALUES(10,7,3,NULL,'INF_NEG');
CREATE TABLE trial_params (
	param_id INTEGER NOT NULL, 
	trial_id INTEGER, 
	param_name VARCHAR(512), 
	param_value FLOAT, 
	distribution_json TEXT, 
	PRIMARY KEY (param_id), 
	UNIQUE (trial_id, param_name), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_params" VALUES(1,1,'x',-8.29779952974259771281e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": -5.0, "high": 5.0, "log": false}}');
INSERT INTO "trial_params" VALUES(2,1,'rate',0.0399597228313506,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 1e-05, "high": 1.0, "log": true}}');
INSERT INTO "trial_params" VALUES(3,1,'depth',1.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 1, "high": 9}}');
INSERT INTO "trial_params" VALUES(4,1,'kind',4.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["a", null, true, 1.5, 3]}}');
INSERT INTO "trial_params" VALUES(5,2,'x',-1.03232525769330063525e+00,'{"name": "FloatDistribution", "attributes": {"step": null, "low": -5.0, "high": 5.0, "log": false}}');
INSERT INTO "trial_params" VALUES(6,2,'rate',4.9440592873986758185e-03,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 1e-05, "high": 1.0, "log": true}}');
INSERT INTO "trial_params" VALUES(7,2,'depth',5.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 1, "high": 9}}');
INSERT INTO "trial_params" VALUES(8,2,'kind',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["a", null, true, 1.5, 3]}}');
INSERT INTO "trial_params" VALUES(9,3,'x',-8.26951976328730076204e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": -5.0, "high": 5.0, "log": false}}');
INSERT INTO "trial_params" VALUES(10,3,'rate',6.21511461797611807628e-03,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 1e-05, "high": 1.0, "log": true}}');
INSERT INTO "trial_params" VALUES(11,3,'depth',1.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 1, "high": 9}}');
INSERT INTO "trial_params" VALUES(12,3,'kind',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["a", null, true, 1.5, 3]}}');
INSERT INTO "trial_params" VALUES(13,4,'x',4.1789112046320884275e+00,'{"name": "FloatDistribution", "attributes": {"step": null, "low": -5.0, "high": 5.0, "log": false}}');
INSERT INTO "trial_params" VALUES(14,4,'rate',0.00752605199775883,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 1e-05, "high": 1.0, "log": true}}');
INSERT INTO "trial_params" VALUES(15,4,'depth',5.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 1, "high": 9}}');
INSERT INTO "trial_params" VALUES(16,4,'kind',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["a", null, true, 1.5, 3]}}');
INSERT INTO "trial_params" VALUES(17,5,'x',-3.15983604874793710948e+00,'{"name": "FloatDistribution", "attributes": {"step": null, "low": -5.0, "high": 5.0, "log": false}}');
INSERT INTO "trial_params" VALUES(18,5,'rate',1.19011476820336283e-05,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 1e-05, "high": 1.0, "log": true}}');
INSERT INTO "trial_params" VALUES(19,5,'depth',5.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 1, "high": 9}}');
INSERT INTO "trial_params" VALUES(20,5,'kind',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["a", null, true, 1.5, 3]}}');
INSERT INTO "trial_params" VALUES(21,6,'x',4.89663180250276397487e+00,'{"name": "FloatDistribution", "attributes": {"step": null, "low": -5.0, "high": 5.0, "log": false}}');
INSERT INTO "trial_params" VALUES(22,6,'rate',1.32044108319950758366e-05,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 1e-05, "high": 1.0, "log": true}}');
INSERT INTO "trial_params" VALUES(23,6,'depth',9.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 1, "high": 9}}');
INSERT INTO "trial_params" VALUES(24,6,'kind',4.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["a", null, true, 1.5, 3]}}');
INSERT INTO "trial_params" VALUES(25,7,'leaves',33.0,'{"name": "IntDistribution", "attributes": {"log": true, "step": 1, "low": 2, "high": 256}}');
INSERT INTO "trial_params" VALUES(26,7,'stepped',0.6,'{"name": "FloatDistribution", "attributes": {"step": 0.3, "low": 0.0, "high": 0.9, "log": false}}');
INSERT INTO "trial_params" VALUES(27,7,'one',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["only"]}}');
INSERT INTO "trial_params" VALUES(28,11,'x',1.63513766365317669837e+00,'{"name": "FloatDistribution", "attributes": {"step": null, "low": -5.0, "high": 5.0, "log": false}}');
INSERT INTO "trial_params" VALUES(29,13,'x',0.1,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(30,14,'x',7.72582821933928909352e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(31,15,'x',5.72041720560620525759e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(32,16,'x',3.74435966052486524091e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(33,17,'x',4.40531226072272685811e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}');
CREATE TABLE trial_system_attributes (
	trial_system_attribute_id INTEGER NOT NULL, 
	trial_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (trial_system_attribute_id), 
	UNIQUE (trial_id, "key"), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_system_attributes" VALUES(1,4,'tpe:relative_params:0','"{\"depth\": 5, \"kind\": true, \"rate\": 0.00752605199775883, \"x\": 4.178911204632088}"');
INSERT INTO "trial_system_attributes" VALUES(2,5,'tpe:relative_params:0','"{\"depth\": 5, \"kind\": true, \"rate\": 1.1901147682033628e-05, \"x\": -3.159836048747937}"');
INSERT INTO "trial_system_attributes" VALUES(3,6,'tpe:relative_params:0','"{\"depth\": 9, \"kind\": 3, \"rate\": 1.3204410831995076e-05, \"x\": 4.896631802502764}"');
INSERT INTO "trial_system_attributes" VALUES(4,7,'tpe:relative_params:0','"{\"depth\": 7, \"kind\": \"a\", \"rate\": 0.3117399367922224, \"x\": -3.73789084748567}"');
INSERT INTO "trial_system_attributes" VALUES(5,7,'constraints:drawdown','-0.5');
INSERT INTO "trial_system_attributes" VALUES(6,8,'constraints:drawdown','0.5');
INSERT INTO "trial_system_attributes" VALUES(7,12,'fixed_params','{"x": 2, "kind": null}');
CREATE TABLE trial_user_attributes (
	trial_user_attribute_id INTEGER NOT NULL, 
	trial_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (trial_user_attribute_id), 
	UNIQUE (trial_id, "key"), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_user_attributes" VALUES(1,7,'nan','[NaN, Infinity, -Infinity, "NaN"]');
INSERT INTO "trial_user_attributes" VALUES(2,12,'from','"queue"');
CREATE TABLE trial_values (
	trial_value_id INTEGER NOT NULL, 
	trial_id INTEGER NOT NULL, 
	objective INTEGER NOT NULL, 
	value FLOAT, 
	value_type VARCHAR(7) NOT NULL, 
	PRIMARY KEY (trial_value_id), 
	UNIQUE (trial_id, objective), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_values" VALUES(1,1,0,4.38805439913783423833e+00,'FINITE');
INSERT INTO "trial_values" VALUES(2,2,0,9.13529001234554,'FINITE');
INSERT INTO "trial_values" VALUES(3,3,0,4.34396863842942870803e+00,'FINITE');
INSERT INTO "trial_values" VALUES(4,4,0,1.51130024989331950284e+01,'FINITE');
INSERT INTO "trial_values" VALUES(5,5,0,2.23042478536105370778e+01,'FINITE');
INSERT INTO "trial_values" VALUES(6,6,0,2.41837526086867740096e+01,'FINITE');
INSERT INTO "trial_values" VALUES(7,7,0,NULL,'INF_NEG');
INSERT INTO "trial_values" VALUES(8,8,0,-1.0e+300,'FINITE');
INSERT INTO "trial_values" VALUES(9,9,0,NULL,'INF_POS');
INSERT INTO "trial_values" VALUES(10,13,0,3.0,'FINITE');
INSERT INTO "trial_values" VALUES(11,14,0,7.72582821933928909352e-01,'FINITE');
INSERT INTO "trial_values" VALUES(12,14,1,5.96884216747392892798e-01,'FINITE');
INSERT INTO "trial_values" VALUES(13,15,0,5.72041720560620525759e-01,'FINITE');
INSERT INTO "trial_values" VALUES(14,15,1,3.27231730061955050636e-01,'FINITE');
INSERT INTO "trial_values" VALUES(15,16,0,3.74435966052486524091e-01,'FINITE');
INSERT INTO "trial_values" VALUES(16,16,1,1.40202292673658829302e-01,'FINITE');
INSERT INTO "trial_values" VALUES(17,17,0,4.40531226072272685811e-01,'FINITE');
INSERT INTO "trial_values" VALUES(18,17,1,1.9406776114473983652e-01,'FINITE');
CREATE TABLE trials (
	trial_id INTEGER NOT NULL, 
	number INTEGER, 
	study_id INTEGER, 
	state VARCHAR(8) NOT NULL, 
	datetime_start DATETIME, 
	datetime_complete DATETIME, 
	PRIMARY KEY (trial_id), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
INSERT INTO "trials" VALUES(1,0,1,'COMPLETE','2026-11-22 17:55:51.667229','2026-11-22 17:55:51.799431');
INSERT INTO "trials" VALUES(2,1,1,'COMPLETE','2026-11-22 17:55:51.829625','2026-11-22 17:55:51.890970');
INSERT INTO "trials" VALUES(3,2,1,'COMPLETE','2026-11-22 17:55:51.957241','2026-11-22 17:55:52.084333');
INSERT INTO "trials" VALUES(4,3,1,'COMPLETE','2026-11-22 17:55:52.092785','2026-11-22 17:55:52.204378');
INSERT INTO "trials" VALUES(5,4,1,'COMPLETE','2026-11-22 17:55:52.216938','2026-11-22 17:55:52.377072');
INSERT INTO "trials" VALUES(6,5,1,'COMPLETE','2026-11-22 17:55:52.393552','2026-11-22 17:55:52.493619');
INSERT INTO "trials" VALUES(7,6,1,'PRUNED','2026-11-22 17:55:52.500225','2026-11-22 17:55:52.556995');
INSERT INTO "trials" VALUES(8,7,1,'COMPLETE','2026-11-22 17:55:52.565617','2026-11-22 17:55:52.577992');
INSERT INTO "trials" VALUES(9,8,1,'COMPLETE','2026-11-22 17:55:52.585767','2026-11-22 17:55:52.592942');
INSERT INTO "trials" VALUES(10,9,1,'FAIL','2026-11-22 17:55:52.600772','2026-11-22 17:55:52.607654');
INSERT INTO "trials" VALUES(11,10,1,'RUNNING','2026-11-22 17:55:52.614818',NULL);
INSERT INTO "trials" VALUES(12,11,1,'WAITING',NULL,NULL);
INSERT INTO "trials" VALUES(13,12,1,'COMPLETE','2026-11-22 17:55:52.635141','2026-11-22 17:55:52.635141');
INSERT INTO "trials" VALUES(14,0,2,'COMPLETE','2026-11-22 17:55:52.672715','2026-11-22 17:55:52.696256');
INSERT INTO "trials" VALUES(15,1,2,'COMPLETE','2026-11-22 17:55:52.702495','2026-11-22 17:55:52.716794');
INSERT INTO "trials" VALUES(16,2,2,'COMPLETE','2026-11-22 17:55:52.722785','2026-11-22 17:55:52.736224');
INSERT INTO "trials" VALUES(17,3,2,'COMPLETE','2026-11-22 17:55:52.741942','2026-11-22 17:55:52.755416');
CREATE TABLE version_info (
	version_info_id INTEGER NOT NULL, 
	schema_version INTEGER, 
	library_version VARCHAR(256), 
	PRIMARY KEY (version_info_id), 
	CHECK (version_info_id=1)
);
INSERT INTO "version_info" VALUES(1,12,'5.0.0');
CREATE UNIQUE INDEX ix_studies_study_name ON studies (study_name);
CREATE INDEX ix_trials_study_id ON trials (study_id);
COMMIT;
