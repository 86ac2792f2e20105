"""Optuna's own fANOVA importances of random trials, as JSON lines on stdout.

usage: python optuna_importance.py [--seed 1] [--trials 100] [--forests 10]

The recorded file, optuna_importance.jsonl, is what the defaults say with Optuna 5.0.0 and scikit-learn 1.9.1. Each line is
one study of uniform parameters a, b, c in [0, 1], [-2, 2], [0, 10]: its function, its trials as [a, b, c, value], and the
importances of a, b, c from forests of some seeds. Parameters are plain floats: only there do both weigh the space alike.
"""

from __future__ import annotations

import argparse
import json
import math
import random

import optuna
from optuna.distributions import FloatDistribution
from optuna.importance import FanovaImportanceEvaluator
from optuna.trial import create_trial

SPACE = {"a": FloatDistribution(0, 1), "b": FloatDistribution(-2, 2), "c": FloatDistribution(0, 10)}
FUNCTIONS = {
    "additive": lambda a, b, c, noise: 3 * a + b + 0.05 * c,
    "interaction": lambda a, b, c, noise: (a - 0.5) * b + 0.02 * c,
    "noisy": lambda a, b, c, noise: math.sin(6 * a) + 0.3 * b * b + 0.3 * noise,
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--forests", type=int, default=10)
    args = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    for name, function in FUNCTIONS.items():
        rng = random.Random(f"{name} {args.seed}")
        study = optuna.create_study()
        rows = []
        for _ in range(args.trials):
            params = {key: round(rng.uniform(d.low, d.high), 6) for key, d in SPACE.items()}
            value = round(function(*params.values(), rng.gauss(0, 1)), 6)
            study.add_trial(create_trial(params=params, distributions=SPACE, value=value))
            rows.append([*params.values(), value])
        forests = [FanovaImportanceEvaluator(seed=seed).evaluate(study) for seed in range(args.forests)]
        importances = [[round(forest[key], 6) for key in SPACE] for forest in forests]
        print(json.dumps({"optuna": optuna.__version__, "function": name, "seed": args.seed, "trials": rows,
                          "importances": importances}, separators=(",", ":")))


if __name__ == "__main__":
    main()
