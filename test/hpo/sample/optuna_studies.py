"""Makes optuna_studies.json with Optuna 5.0: what its samplers suggest, for optunaStudies.test.ts.

    NPY_DISABLE_CPU_FEATURES="X86_V3 X86_V4" python test/hpo/sample/optuna_studies.py > test/hpo/sample/optuna_studies.json

Where observations are equal, the order that numpy's argsort leaves them in decides kernel widths, and that order differs between
CPUs: so Optuna's suggestions for integers, steps and repeated values do too. The variable chooses numpy's portable sort.
"suggested" is base64 of float64, internal values in the order of asking. Each study is driven in rounds: `workers` trials are asked, then told. How values, reports, states and constraints follow from
parameters is written here and in the test, with the four operations of arithmetic alone, so that both get the same bits.
"""
import argparse, base64, json, sys, warnings
import numpy as np
import optuna
from optuna.trial import TrialState

warnings.simplefilter("ignore")
optuna.logging.set_verbosity(optuna.logging.ERROR)
BASE = dict(space="mixed", trials=150, multivariate=True, liar=True, workers=1, directions=["minimize"], prune=False, constraints=False, fail=False, seeds=1)
CASES = {
    "floats, one by one": dict(space="floats", multivariate=False),
    "floats, together": dict(space="floats"),
    "everything, one by one": dict(multivariate=False, seeds=5),
    "everything, together": dict(seeds=5),
    "everything, maximised": dict(directions=["maximize"], trials=60),
    "pruned trials": dict(prune=True, seeds=5),
    "pruned trials, maximised, one by one": dict(prune=True, multivariate=False, directions=["maximize"]),
    "four workers, together": dict(workers=4, seeds=5),
    "four workers, one by one": dict(workers=4, multivariate=False),
    "four workers, no liar": dict(workers=4, liar=False, trials=60),
    "constraints": dict(constraints=True),
    "conditional parameters": dict(space="conditional"),
    "failures, pruning, constraints, three workers": dict(workers=3, prune=True, constraints=True, fail=True),
    "ranges that move": dict(space="moving"),
    "choices only, together": dict(space="choices"),
    "choices only, one by one, four workers": dict(space="choices", multivariate=False, workers=4),
    "two objectives": dict(directions=["minimize", "maximize"], trials=100, multivariate=None),
    "two objectives with equal values, constraints, together": dict(directions=["minimize", "minimize"], trials=100, constraints=True, space="steps"),
    "three objectives": dict(directions=["minimize", "maximize", "minimize"], trials=100, multivariate=None),
    "four objectives, together": dict(directions=["minimize"] * 4, trials=60),
    "random": dict(sampler="random", trials=40),
    "grid": dict(sampler="grid", trials=16, workers=2),
}


def suggest(t, space):
    if space == "floats":
        return [t.suggest_float("x", -5, 5), t.suggest_float("y", 0, 1), t.suggest_float("z", -1e-3, 1e3)]
    if space == "steps":
        return [t.suggest_float("s", 0, 2, step=0.25), t.suggest_int("n", 1, 40, step=3), t.suggest_int("m", 0, 4)]
    if space == "moving":
        k = t.number // 30
        return [t.suggest_float("x", 3 * k - 5, 3 * k + 5), t.suggest_int("n", 1 + 20 * k, 40 + 20 * k), t.suggest_float("lr", 2.0 ** (3 * k - 9), 2.0 ** (3 * k), log=True)]
    if space == "choices":
        return [t.suggest_categorical("a", list(range(3))), t.suggest_categorical("b", [0, 1]), t.suggest_categorical("c", list(range(9)))]
    if space == "conditional":
        kind = t.suggest_categorical("kind", ["a", "b", None, 2.5])
        x = t.suggest_float("x", -5, 5)
        rest = [t.suggest_int("n", 1, 9)] if kind in ("a", "b") else [t.suggest_float("only", 0, 5 + t.number % 2)]
        return [x, ["a", "b", None, 2.5].index(kind), *rest, t.suggest_int("single", 3, 3)]
    return [
        t.suggest_float("x", -5, 5), t.suggest_float("lr", 1e-5, 1e-1, log=True), t.suggest_float("step", 0, 2, step=0.25),
        t.suggest_int("n", 1, 40), t.suggest_int("leaves", 4, 512, log=True), "abc".index(t.suggest_categorical("kind", ["a", "b", "c"])),
    ]


def objective(v, i):
    """Objective i of parameters v."""
    total = 0.0
    for j, x in enumerate(v):
        d = x - (j + 1) * (1 + i) / 4
        total += d * d / (1 + (j * 7 + i * 3) % 5)
    return total


def drive(case, seed, trials):
    if case.get("sampler") == "random":
        sampler = optuna.samplers.RandomSampler(seed=seed)
    elif case.get("sampler") == "grid":
        sampler = optuna.samplers.GridSampler(dict(x=[0.5, -2.0], lr=[0.01], step=[0.5], n=[3, 5, 40], leaves=[4], kind=["c", "a"]), seed=seed)
    else:
        sampler = optuna.samplers.TPESampler(seed=seed, multivariate=case["multivariate"], constant_liar=case["liar"])
    study = optuna.create_study(sampler=sampler, directions=case["directions"], study_name="s")
    rows = []
    while len(rows) < trials:
        running = []
        for _ in range(case["workers"]):
            t = study.ask()
            running.append((t, suggest(t, case["space"])))
        for t, v in reversed(running):
            n, values = t.number, [objective(v, i) for i in range(len(case["directions"]))]
            if case["constraints"]:
                t.storage.set_trial_system_attr(t._trial_id, "constraints", [v[0] - 1.5, 0.25 - v[1]])
            if case["fail"] and n % 7 == 3:
                study.tell(t, state=TrialState.FAIL)
            elif case["prune"] and n % 3 == 1:
                for step in range(n % 4):
                    t.report(float("nan") if n % 8 == 6 else values[0] / (step + 1), step)
                study.tell(t, state=TrialState.PRUNED)
            elif case.get("sampler") == "grid":
                try:
                    study.tell(t, values)
                except RuntimeError:
                    pass
            else:
                study.tell(t, values)
        rows += [[t._cached_frozen_trial.distributions[k].to_internal_repr(p) for k, p in t._cached_frozen_trial.params.items()] for t, _ in running]
    return rows[:trials]


if __name__ == "__main__":
    p = argparse.ArgumentParser()
    p.add_argument("--case", help="one case, for a test that runs Optuna itself")
    p.add_argument("--seed", type=int)
    p.add_argument("--trials", type=int)
    a = p.parse_args()
    if a.case is not None:
        case = BASE | CASES[a.case]
        json.dump(drive(case, a.seed, a.trials or case["trials"]), sys.stdout)
        sys.exit()
    studies = []
    for name, changes in CASES.items():
        case = BASE | changes
        for seed in range(case["seeds"]):
            suggested = np.array(drive(case, seed, case["trials"]), dtype="<f8")
            studies.append(dict(case, name=name, seed=seed, suggested=base64.b64encode(suggested.tobytes()).decode()))
    versions = dict(optuna=optuna.__version__, numpy=np.__version__)
    print('{"versions": %s, "studies": [\n%s]}' % (json.dumps(versions), ",\n".join(json.dumps(s) for s in studies)))
