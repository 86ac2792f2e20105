# Python Optuna on a study database, for the tests of storages; each prints JSON on its last line.
#   python_optuna.py record FOLDER             makes a database with one of everything; writes its SQL dump, optuna.sql,
#                                               its studies as Optuna lists them, optuna.jsonl, and what
#                                               Optuna would make in PostgreSQL, optuna.postgres.sql
#   python_optuna.py list FILE STUDY          the trials of a study as Optuna lists them
#   python_optuna.py optimize FILE STUDY N    runs N trials with TPE, then lists
#   python_optuna.py enqueue FILE STUDY       lets a trial wait, then lists
#   python_optuna.py delete FILE STUDY
#   python_optuna.py plot FILE STUDY          all of Optuna's figures, and the points of two; null without plotly
import datetime
import json
import logging
import math
import os
import sqlite3
import sys
import tempfile
import warnings

import optuna
import sqlalchemy
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.storages._rdb import models
from optuna.trial import TrialState, create_trial

warnings.simplefilter("ignore")
optuna.logging.set_verbosity(logging.ERROR)
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


def plain(value):
    # what JSON cannot say becomes text
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {key: plain(value[key]) for key in sorted(value)}
    return [plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def time(local):
    if local is None:
        return None
    return (local.astimezone(datetime.timezone.utc) - EPOCH) // datetime.timedelta(milliseconds=1)


def listing(study):
    trials = [
        {
            "number": t.number,
            "state": t.state.name,
            "values": plain(t.values),
            "params": [[name, t.params[name], json.loads(optuna.distributions.distribution_to_json(d))] for name, d in t.distributions.items()],
            "reports": [[step, plain(v)] for step, v in sorted(t.intermediate_values.items())],
            "user": plain(t.user_attrs),
            "system": plain(t.system_attrs),
            "started": time(t.datetime_start),
            "completed": time(t.datetime_complete),
        }
        for t in study.get_trials()
    ]
    single = len(study.directions) == 1
    try:
        best = [study.best_trial.number] if single else [t.number for t in study.best_trials]
    except ValueError:
        best = []
    return {"name": study.study_name, "directions": [d.name for d in study.directions], "best": best, "trials": trials}


def objective(trial):
    x = trial.suggest_float("x", -5, 5)
    rate = trial.suggest_float("rate", 1e-5, 1, log=True)
    depth = trial.suggest_int("depth", 1, 9, step=2)
    kind = trial.suggest_categorical("kind", ["a", None, True, 1.5, 3])
    trial.report(x, 1)
    return (x - 1) ** 2 + rate + depth + (kind == "a")


def storage(file):
    return "sqlite:///" + file


def record(target):
    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, "optuna.db")
        study = optuna.create_study(study_name="python", storage=storage(file), sampler=optuna.samplers.TPESampler(seed=1, n_startup_trials=3))
        study.set_user_attr("note", {"by": "optuna"})
        study.optimize(objective, 6)
        odd = study.ask({"leaves": IntDistribution(2, 256, log=True), "stepped": FloatDistribution(0, 0.9, step=0.3), "one": CategoricalDistribution(["only"])})
        for step, value in enumerate([0.5, math.nan, math.inf, -math.inf]):
            odd.report(value, step)
        odd.set_user_attr("nan", [math.nan, math.inf, -math.inf, "NaN"])
        odd.set_constraint("drawdown", -0.5)
        study.tell(odd, state=TrialState.PRUNED)
        best = study.ask()
        best.set_constraint("drawdown", 0.5)
        study.tell(best, -1e300)
        study.tell(study.ask(), math.inf)
        study.tell(study.ask(), math.nan)
        study.ask().suggest_float("x", -5, 5)
        study.enqueue_trial({"x": 2, "kind": None}, user_attrs={"from": "queue"})
        study.add_trial(create_trial(state=TrialState.COMPLETE, value=3, params={"x": 0.1}, distributions={"x": FloatDistribution(0, 1)}))
        pareto = optuna.create_study(study_name="pareto", storage=storage(file), directions=["minimize", "maximize"])
        pareto.optimize(lambda t: (t.suggest_float("x", 0, 1), t.params["x"] ** 2), 4)
        with open(os.path.join(target, "optuna.sql"), "w") as out:
            out.write("\n".join(sqlite3.connect(file).iterdump()) + "\n")
        with open(os.path.join(target, "optuna.jsonl"), "w") as out:
            out.writelines(json.dumps(listing(each)) + "\n" for each in (study, pareto))
    with open(os.path.join(target, "optuna.postgres.sql"), "w") as out:
        engine = sqlalchemy.create_mock_engine("postgresql://", lambda made, *_, **__: print(str(made.compile(dialect=engine.dialect)).strip() + ";", file=out))
        models.BaseModel.metadata.create_all(engine, checkfirst=False)


def plots(study):
    draw = optuna.visualization
    if not draw.is_available():
        return None
    others = [draw.plot_parallel_coordinate, draw.plot_slice, draw.plot_contour, draw.plot_edf, draw.plot_rank, draw.plot_timeline, draw.plot_param_importances]
    if not all(len(each(study).data) > 0 for each in others):
        raise RuntimeError("a figure is empty")
    figures = {"history": draw.plot_optimization_history, "intermediate": draw.plot_intermediate_values}
    return {name: [[plain(float(y)) for y in trace.y] for trace in figure(study).data] for name, figure in figures.items()}


def main():
    command, *arguments = sys.argv[1:]
    if command == "record":
        return record(arguments[0])
    file, name = arguments[:2]
    if command == "delete":
        return optuna.delete_study(study_name=name, storage=storage(file))
    study = optuna.load_study(study_name=name, storage=storage(file))
    if command == "optimize":
        study.optimize(objective, int(arguments[2]))
    if command == "plot":
        return plots(study)
    if command == "enqueue":
        study.enqueue_trial({"x": 2, "kind": None})
    return listing(study)


print(json.dumps(main()))
