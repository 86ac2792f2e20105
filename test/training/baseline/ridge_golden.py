"""Makes ridge_golden.json with scikit-learn: the numbers that ridge.test.ts compares with.

    python3 test/training/baseline/ridge_golden.py > test/training/baseline/ridge_golden.json

All inputs are small multiples of 1/8, so that float32 holds them exactly.
"""
import json
import numpy as np
import sklearn
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

N, F = 48, 4
LAMBDAS = [10.0, 1.0, 0.1, 0.01, 1e-3, 1e-4]
FOLDS = [(0, 16), (16, 32), (32, 48)]
PURGE = 2

x = np.array([[((i * (j + 3) * 7 + i * i * (j + 1)) % 31 - 15) / 8 for j in range(F)] for i in range(N)])
missing = np.array([[(i * 5 + j * 11) % 13 == 0 for j in range(F)] for i in range(N)])
y = (2 * x[:, 0] - x[:, 1] + ((np.arange(N) ** 2 * 3) % 11 - 5) / 4) / 4
x[missing] = np.nan


def fit(rows, penalty):
    scaler = StandardScaler().fit(x[rows])
    z = lambda part: np.nan_to_num(scaler.transform(part), nan=0.0)
    # The ridge subtracts the column means of z, which imputation by the mean leaves at 0.
    return Ridge(alpha=penalty * len(rows), solver="cholesky").fit(z(x[rows]), y[rows]), scaler, z


def fold_error(low, high, penalty):
    rows = [i for i in range(N) if i < low - PURGE or i >= high + PURGE]
    model, _, z = fit(rows, penalty)
    return float(np.sum((y[low:high] - model.predict(z(x[low:high]))) ** 2))


mse = {penalty: sum(fold_error(low, high, penalty) for low, high in FOLDS) / N for penalty in LAMBDAS}
best = min(LAMBDAS, key=mse.get)
model, scaler, z = fit(list(range(N)), best)
print(json.dumps({
    "made_with": f"scikit-learn {sklearn.__version__}, numpy {np.__version__}",
    "mse": [[penalty, mse[penalty]] for penalty in LAMBDAS],
    "lambda": best,
    "coefficients": (model.coef_ / scaler.scale_).tolist(),
    "intercept": float(model.intercept_ - np.sum(model.coef_ * scaler.mean_ / scaler.scale_)),
    "predictions": model.predict(z(x)).tolist(),
}, indent=2))
