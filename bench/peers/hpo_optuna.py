# Optuna's side of bench/hpo.ts: prints one line of JSON.
# usage: hpo_optuna.py throughput DB WORKERS TRIALS | open DB | quality SEEDS TRIALS | suggest SPACE MULTIVARIATE TRIALS SUGGESTIONS
import json
import math
import multiprocessing
import sys
import time

import optuna
from optuna.storages import RDBStorage

optuna.logging.set_verbosity(optuna.logging.ERROR)


def work(url, count, ready, go, answers):
    sampler = optuna.samplers.RandomSampler()
    study = optuna.load_study(study_name="bench", storage=RDBStorage(url), sampler=sampler)
    errors = 0
    ready.release()
    go.wait()
    for _ in range(count):
        try:
            study.optimize(lambda trial: trial.suggest_float("x", -1, 1) ** 2, n_trials=1)
        except Exception as error:  # SQLAlchemy's, wrapped in Optuna's
            if "locked" not in str(error) and "locked" not in str(error.__cause__):
                raise
            errors += 1
    answers.put(errors)


def throughput(path, workers, trials):
    url = f"sqlite:///{path}"
    study = optuna.create_study(study_name="bench", storage=RDBStorage(url))
    context = multiprocessing.get_context("spawn")
    ready, go, answers = context.Semaphore(0), context.Event(), context.Queue()
    args = (url, trials // workers, ready, go, answers)
    processes = [context.Process(target=work, args=args) for _ in range(workers)]
    for process in processes:
        process.start()
    for _ in processes:
        ready.acquire()
    begin = time.perf_counter()
    go.set()
    errors = sum(answers.get() for _ in processes)
    took = time.perf_counter() - begin
    for process in processes:
        process.join()
    done = sum(trial.state == optuna.trial.TrialState.COMPLETE for trial in study.get_trials())
    return {"trials_per_s": done / took, "lock_errors": errors}


def ackley(x):
    root = math.sqrt(sum(v * v for v in x) / len(x))
    return -20 * math.exp(-0.2 * root) - math.exp(sum(math.cos(2 * math.pi * v) for v in x) / len(x)) + 20 + math.e


def rosenbrock(x):
    return sum(100 * (b - a**2) ** 2 + (1 - a) ** 2 for a, b in zip(x, x[1:]))


FUNCTIONS = {
    "sphere": (5, -4, 6, lambda x: sum(v * v for v in x)),
    "rosenbrock": (4, -2, 3, rosenbrock),
    "ackley": (5, -12, 20, ackley),
    "styblinski_tang": (5, -5, 5, lambda x: sum(v**4 - 16 * v**2 + 5 * v for v in x) / 2),
}


def quality(seeds, trials):
    best = {}
    for name, (dims, low, high, at) in FUNCTIONS.items():
        best[name] = []
        for seed in range(seeds):
            study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))
            study.optimize(
                lambda trial: at([trial.suggest_float(f"x{i}", low, high) for i in range(dims)]), n_trials=trials
            )
            best[name].append(study.best_value)
    return best


def space(name):
    floats = [optuna.distributions.FloatDistribution(-5, 5) for _ in range(10)]
    if name == "floats":
        return floats
    return floats[:4] + [
        optuna.distributions.FloatDistribution(1e-5, 0.1, log=True),
        optuna.distributions.FloatDistribution(1e-8, 1, log=True),
        optuna.distributions.FloatDistribution(0, 2, step=0.25),
        optuna.distributions.IntDistribution(1, 40),
        optuna.distributions.IntDistribution(4, 512, log=True),
        optuna.distributions.CategoricalDistribution(["a", "b", "c"]),
    ]


class Timed(optuna.samplers.TPESampler):
    """Its own time only: neither the storage's nor that of writing what was chosen."""

    seconds = 0.0

    def timed(self, method, *args):
        begin = time.perf_counter()
        try:
            return method(*args)
        finally:
            self.seconds += time.perf_counter() - begin

    def infer_relative_search_space(self, *args):
        return self.timed(super().infer_relative_search_space, *args)

    def _sample_relative(self, *args):
        return self.timed(super()._sample_relative, *args)

    def sample_independent(self, *args):
        return self.timed(super().sample_independent, *args)


def suggest(name, multivariate, trials, suggestions):
    distributions = {f"p{i}": distribution for i, distribution in enumerate(space(name))}
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))

    def step():
        trial = study.ask(distributions)
        values = [distributions[key].to_internal_repr(value) for key, value in trial.params.items()]
        study.tell(trial, sum(x * x for x in values))
        return values

    for _ in range(trials):
        step()
    study.sampler = Timed(seed=2, multivariate=bool(multivariate))
    done = []
    for _ in range(suggestions):
        before = study.sampler.seconds
        values = step()
        done.append({"ms": (study.sampler.seconds - before) * 1e3, "values": values})
    return {"suggestions": done}


def best(study):
    try:
        return study.best_value
    except ValueError:  # no trial is both complete and feasible
        return None


def opened(path):
    url = f"sqlite:///{path}"
    studies = [optuna.load_study(study_name=name, storage=url) for name in optuna.get_all_study_names(url)]
    return {study.study_name: {"states": [trial.state.name for trial in study.trials], "best": best(study)} for study in studies}


if __name__ == "__main__":
    command, *args = sys.argv[1:]
    if command == "throughput":
        print(json.dumps(throughput(args[0], int(args[1]), int(args[2]))))
    elif command == "open":
        print(json.dumps(opened(args[0])))
    elif command == "suggest":
        print(json.dumps(suggest(args[0], *map(int, args[1:]))))
    else:
        print(json.dumps(quality(int(args[0]), int(args[1]))))
