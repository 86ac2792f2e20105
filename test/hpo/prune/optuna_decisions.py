"""Optuna's own pruning decisions on random report sequences, as JSON lines on stdout.

usage: python optuna_decisions.py [--seeds 1,2,3] [--trials 14]

The recorded file, optuna_decisions.jsonl, is what the defaults say with Optuna 5.0.0.

Each line is one study: a pruner with its options, a direction, and events in the order in which they happened:
  ["ask", number, peers]              peers: trials that hyperband lets the sampler see, null where not recorded
  ["report", number, step, value, pruned, remembered]   remembered: the system attributes that the decision wrote
  ["tell", number, state]
Non-finite numbers are the strings "nan", "inf" and "-inf". Trials overlap, skip steps, report some out of order, fail, report
nothing, and sometimes go on although they should end.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import warnings

import optuna
from optuna.pruners import HyperbandPruner, MedianPruner, PercentilePruner, SuccessiveHalvingPruner
from optuna.pruners import _filter_study
from optuna.trial import TrialState

PRUNERS = {
    "median": (MedianPruner, [
        {},
        {"n_startup_trials": 0},
        {"n_startup_trials": 2, "n_warmup_steps": 3, "interval_steps": 4},
        {"n_startup_trials": 1, "interval_steps": 3, "n_min_trials": 4},
    ]),
    "percentile": (PercentilePruner, [
        {"percentile": 25.0},
        {"percentile": 0.0, "n_startup_trials": 1},
        {"percentile": 100.0, "n_startup_trials": 1},
        {"percentile": 33.3, "n_startup_trials": 3, "n_warmup_steps": 2, "interval_steps": 2,
         "n_min_trials": 3},
        {"percentile": 90.0, "n_startup_trials": 0, "n_warmup_steps": 5},
    ]),
    "successive_halving": (SuccessiveHalvingPruner, [
        {},
        {"min_resource": 1, "reduction_factor": 2},
        {"min_resource": 2, "reduction_factor": 3, "min_early_stopping_rate": 1},
        {"min_resource": 1, "reduction_factor": 2, "bootstrap_count": 4},
        {"min_resource": "auto", "reduction_factor": 2, "min_early_stopping_rate": 2},
    ]),
    "hyperband": (HyperbandPruner, [
        {},
        {"min_resource": 1, "max_resource": 27, "reduction_factor": 3},
        {"min_resource": 1, "max_resource": 16, "reduction_factor": 2, "bootstrap_count": 2},
        {"min_resource": 2, "max_resource": 9, "reduction_factor": 2},
        {"min_resource": 1, "max_resource": "auto", "reduction_factor": 2},
        {"min_resource": 20, "max_resource": 5, "reduction_factor": 3},
    ]),
}


def said(x):
    if isinstance(x, float) and not math.isfinite(x):
        return "nan" if math.isnan(x) else "inf" if x > 0 else "-inf"
    return x


def steps_of(rng: random.Random) -> list[int]:
    """Steps of one trial: all of 0..n or 1..n, some left out, now and then two exchanged; or none."""
    if rng.random() < 0.08:
        return []
    first = rng.choice([0, 1])
    keep = rng.choice([1.0, 1.0, 0.7])
    steps = [s for s in range(first, rng.choice([6, 20, 30])) if rng.random() < keep]
    if len(steps) > 3 and rng.random() < 0.15:
        i = rng.randrange(len(steps) - 1)
        steps[i], steps[i + 1] = steps[i + 1], steps[i]
    return steps


def value_of(rng: random.Random, quality: float, step: int, digits: int) -> float:
    u = rng.random()
    if u < 0.03:
        return math.nan
    if u < 0.045:
        return rng.choice([math.inf, -math.inf])
    return round(quality + 1.0 / (1 + step) + rng.gauss(0, 0.3), digits)


def attributes_of(study, trial) -> dict:
    return study.get_trials()[trial.number].system_attrs


def is_settled(pruner) -> bool:
    """Whether what `auto` stands for is known: kept from the first look on."""
    if isinstance(pruner, SuccessiveHalvingPruner):
        return pruner._min_resource is not None
    return not isinstance(pruner, HyperbandPruner) or len(pruner._pruners) > 0


def record(kind: str, options: dict, direction: str, seed: int, n_trials: int) -> dict:
    rng = random.Random(f"{kind} {sorted(options.items(), key=str)} {direction} {seed}")
    name = f"{kind} é {seed}"
    pruner = PRUNERS[kind][0](**options)
    study = optuna.create_study(study_name=name, direction=direction, pruner=pruner,
                                sampler=optuna.samplers.RandomSampler(seed=seed))
    events: list[list] = []
    running: dict[int, tuple] = {}
    digits = rng.choice([1, 3])
    width = rng.choice([1, 3, 5])
    asked = 0
    # Optuna settles `auto` at the first decision after a completion: exactly one may lie between
    must_report = False

    def tell(number: int, state: TrialState) -> None:
        nonlocal must_report
        trial = running.pop(number)[0]
        study.tell(trial, 0.0 if state == TrialState.COMPLETE else None, state=state)
        events.append(["tell", number, state.name])
        must_report = state == TrialState.COMPLETE and not is_settled(pruner)

    while asked < n_trials or running:
        can_ask = asked < n_trials and len(running) < width
        may_report = [n for n, (_, steps, _) in running.items() if steps]
        if must_report and not may_report and not (asked < n_trials):
            must_report = False
        if (must_report and not may_report) or not running or (can_ask and rng.random() < 0.4):
            trial = study.ask()
            unsettled = isinstance(pruner, HyperbandPruner) and not is_settled(pruner)
            peers = None if unsettled or kind != "hyperband" else [
                t.number for t in _filter_study(study, study.get_trials()[trial.number]).get_trials()]
            events.append(["ask", trial.number, peers])
            running[trial.number] = (trial, steps_of(rng), rng.gauss(0, 0.5))
            asked += 1
            continue
        number = rng.choice(may_report if must_report else list(running))
        trial, steps, quality = running[number]
        if not steps:
            tell(number, TrialState.FAIL if rng.random() < 0.1 else TrialState.COMPLETE)
            continue
        step = steps.pop(0)
        value = value_of(rng, quality, step, digits)
        before = attributes_of(study, trial)
        trial.report(value, step)
        pruned = trial.should_prune()
        must_report = False
        remembered = {k: said(v) for k, v in attributes_of(study, trial).items() if k not in before}
        events.append(["report", number, step, said(value), int(pruned), remembered])
        if pruned and rng.random() < 0.8:
            tell(number, TrialState.PRUNED)
    return {"optuna": optuna.__version__, "pruner": kind, "options": options, "study": name, "direction": direction.upper(),
            "events": events}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--trials", type=int, default=14)
    args = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore")
    for kind, (_, variants) in PRUNERS.items():
        for options in variants:
            for direction in ("minimize", "maximize"):
                for seed in args.seeds.split(","):
                    recording = record(kind, options, direction, int(seed), args.trials)
                    print(json.dumps(recording, separators=(",", ":"), allow_nan=False))


if __name__ == "__main__":
    main()
