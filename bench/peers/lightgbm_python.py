"""LightGBM's own Python package on a regression task: the peer of bench/lightgbm.ts. Prints one JSON line.

lightgbm_python.py --library                   path of the shared library inside the package
lightgbm_python.py --make DIR --rows N --features F   draws the task from a seed: x.f32 [N*F], y.f32 [N]
lightgbm_python.py --data DIR --features F --params JSON --rounds R   trains on it; writes p.f64, raw scores of all rows
"""
import argparse
import json
import os
import time

import lightgbm as lgb
import numpy as np

parser = argparse.ArgumentParser()
parser.add_argument("--library", action="store_true")
parser.add_argument("--make")
parser.add_argument("--data")
parser.add_argument("--rows", type=int, default=200_000)
parser.add_argument("--features", type=int, default=40)
parser.add_argument("--rounds", type=int, default=100)
parser.add_argument("--params", type=json.loads, default={})
args = parser.parse_args()


def library():
    root = os.path.dirname(lgb.__file__)
    found = (os.path.join(d, f) for d, _, files in os.walk(root) for f in files if f.startswith("lib_lightgbm"))
    return {"library": next(found), "version": lgb.__version__}


def make(folder):
    rng = np.random.default_rng(0)
    x = rng.random((args.rows, args.features), dtype=np.float32)
    y = (2 * x[:, 0] + np.sin(6 * x[:, 1]) + 0.3 * rng.random(args.rows)).astype(np.float32)
    x.tofile(os.path.join(folder, "x.f32"))
    y.tofile(os.path.join(folder, "y.f32"))
    return {"rows": args.rows}


def train(folder):
    x = np.fromfile(os.path.join(folder, "x.f32"), np.float32).reshape(-1, args.features)
    y = np.fromfile(os.path.join(folder, "y.f32"), np.float32)
    params = {**args.params, "verbosity": -1}
    lgb.train(params, lgb.Dataset(x, y, params=params), 3)  # warm-up: threads, page cache
    begin = time.perf_counter()
    data = lgb.Dataset(x, y, params=params).construct()
    built = time.perf_counter()
    booster = lgb.train(params, data, args.rounds)
    done = time.perf_counter()
    booster.predict(x, raw_score=True).tofile(os.path.join(folder, "p.f64"))
    return {"dataset_s": built - begin, "train_s": done - built, "total_s": done - begin}


print(json.dumps(library() if args.library else make(args.make) if args.make else train(args.data)))
