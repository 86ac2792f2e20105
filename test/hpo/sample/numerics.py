"""Makes numerics.json: what mpmath says of the normal distribution, and what numpy's RandomState and argsort do.

    NPY_DISABLE_CPU_FEATURES="X86_V3 X86_V4" python test/hpo/sample/numerics.py > test/hpo/sample/numerics.json

mpmath computes with 60 digits from the very float64 that stand in the file. The orders are those of numpy's portable sort.
"""
import json
import mpmath as mp
import numpy as np

mp.mp.dps = 60


def cdf(x):
    return mp.erfc(-mp.mpf(x) / mp.sqrt(2)) / 2


def mass(a, b):
    a, b = (-b, -a) if a > 0 else (a, b)
    return cdf(b) - cdf(a)


def quantile(q, a, b):
    if a >= 0:
        return -quantile(1 - mp.mpf(q), -b, -a)
    wanted = cdf(a) + mp.mpf(q) * mass(a, b)
    low, high = mp.mpf(a), mp.mpf(b)
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if cdf(middle) < wanted else (low, middle)
    return low


xs = [0.0, 1e-300, 1e-20, 1e-9, 0.1, 0.25, 0.5, 0.75, 0.84374, 0.84375, 0.9, 1.0, 1.2499, 1.25, 1.7, 2.5, 2.857, 2.858, 3.3, 4.0, 5.5, 5.999, 6.0, 7.3, 10.0, 15.0, 20.0, 26.0]
zs = [-500.0, -100.0, -38.0, -37.2, -20.1, -20.0, -19.9, -8.0, -3.0, -1.1, -1.0, -0.9, -0.3, 0.0, 0.4, 0.99, 1.01, 2.2, 5.9, 6.0, 6.1, 9.0]
ranges = [(-1.0, 1.0), (-0.2, 0.7), (-3.0, -2.5), (2.5, 3.0), (-12.0, 4.0), (-1e-3, 2e-3), (0.0, 5.0), (0.3, 80.0), (-30.0, -25.0), (25.0, 30.0), (-45.0, -40.0), (-9.5, 9.5), (-8.0, 8.5), (-200.0, 0.0), (41.0, 42.0)]
quantiles = [1e-12, 0.001, 0.1, 0.37, 0.5, 0.75, 0.99, 0.999999]

orders = []
for n in (1, 2, 16, 17, 18, 40, 100, 333, 1000):
    values = np.random.RandomState(n).randint(0, max(2, n // 8), n).astype(float)
    orders.append(dict(values=values.astype(int).tolist(), order=np.argsort(values).tolist()))


def stream(seed):
    words = np.random.RandomState(seed).randint(0, 2**32, 1300, dtype=np.uint32).tolist()
    random = np.random.RandomState(seed)
    uniforms = random.random_sample(3).tolist()
    integers = [int(random.choice(n)) for n in (1, 2, 3, 7, 64, 65, 1000, 10**6)]
    shuffled = list(range(20))
    random.shuffle(shuffled)
    return dict(seed=seed, words=words[:5] + words[622:627] + words[-3:], uniforms=uniforms, integers=integers, shuffled=shuffled)


def row(*numbers):
    return [float(x) for x in numbers]


out = dict(
    versions=dict(mpmath=mp.__version__, numpy=np.__version__),
    erf=[row(x, mp.erf(x), mp.erfc(x), mp.erfc(-x)) for x in xs],
    logCdf=[row(z, mp.log(cdf(z))) for z in zs],
    logMass=[row(a, b, mp.log(mass(a, b))) for a, b in ranges],
    quantile=[row(q, a, b, quantile(q, a, b)) for a, b in ranges for q in quantiles],
    streams=[stream(seed) for seed in (0, 1, 42, 2**32 - 1, [7], [1, 2, 3], [5] * 700)],
    orders=orders,
)
print("{" + ",\n".join(f'"{k}": ' + ("[\n" + ",\n".join(json.dumps(r) for r in v) + "]" if isinstance(v, list) else json.dumps(v)) for k, v in out.items()) + "}")
