"""Makes evaluate_golden.json with scipy, numpy and mpmath: the numbers that the tests of this folder compare with.

    python3 test/models/evaluate/evaluate_golden.py > test/models/evaluate/evaluate_golden.json
"""
import json
import mpmath as mp
import numpy as np
import scipy
import scipy.stats as st

mp.mp.dps = 50
# Exact binary fractions, the same in both programs: a skewed walk of 60 days.
days = np.array([(((i * i * 7) % 23) - 9) / 1024 + (0.0625 if i % 19 == 5 else 0) for i in range(60)])
centred = days - days.mean()

# A distribution function at doubles; in the upper tail the quantile inverts 1 - p, which is exact there.
points = [-37, -20, -10, -6, -3, -2.7, -2.51, -2.5, -2.4, -1.96, -1, -0.5, -0.1, 0, 0.3, 1, 2, 2.5, 2.6, 4, 8]
cdf = [[x, float(mp.erfc(-mp.mpf(x) / mp.sqrt(2)) / 2)] for x in points]


def quantile(p):
    low, high = mp.mpf(-60), mp.mpf(60)
    for _ in range(160):
        middle = (low + high) / 2
        low, high = (middle, high) if mp.erfc(-middle / mp.sqrt(2)) / 2 < p else (low, middle)
    return float(low)


chances = [1e-300, 1e-100, 1e-20, 1e-10, 1e-5, 0.001, 0.025, 0.074, 0.076, 0.2, 0.6, 0.9, 0.95, 0.99, 0.9999999]
trials = np.array([[(((i + 3) * (t + 1) * (t + i)) % 17 - 8) / 1024 for t in range(40)] for i in range(6)])
correlations = np.corrcoef(trials)
mean_correlation = (correlations.sum() - 6) / 30

print(json.dumps({
    "made_with": f"scipy {scipy.__version__}, numpy {np.__version__}, mpmath {mp.__version__}",
    "moments": {
        "n": 60,
        "sharpe": float(days.mean() / days.std(ddof=1)),
        "skew": float(st.skew(days)),
        "kurtosis": float(st.kurtosis(days, fisher=False)),
        "autocorrelation": float(np.sum(centred[1:] * centred[:-1]) / np.sum(centred**2)),
    },
    "cdf": cdf,
    "quantile": [[p, quantile(mp.mpf(p))] for p in chances],
    "mean_correlation": float(mean_correlation),
}, indent=2))
